//! A tiny training on synthetic tones.

use std::f64::consts::TAU;

use ddsp_data::{TrainingExample, extract_features};
use ddsp_kernels::FrameGrid;
use ddsp_model::{Config, ModelMetadata, uniform_noise};
use ddsp_train::TrainOptions;

/// 250 frames a second.
pub const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

/// A model that learns in a second.
pub fn tiny_config(steps: u64) -> Config {
    let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
    for assignment in [
        "decoder.gru_units=16",
        "decoder.fc_units=16",
        "harmonic.n_harmonics=8",
        "noise.n_bands=9",
        "loss.fft_lens=[512, 128]",
        "train.example_secs=0.4",
        "train.batch=2",
        "train.learning_rate=1e-2",
        "train.decay_rate=0.98",
        "train.decay_steps=10000",
        "train.warmup_steps=0",
        "train.evaluate_every=50",
    ] {
        config.set(assignment).expect("a valid setting");
    }
    config.train.steps = steps;
    config
}

/// Half a second of a tone with five harmonics that fall by 6 dB an octave, in faint noise.
#[expect(clippy::cast_possible_truncation, reason = "samples are f32")]
pub fn tone(f0_hz: f64, level: f64) -> TrainingExample {
    let mut audio = vec![0.0; 8000];
    uniform_noise(1, &mut audio);
    for (n, audio) in audio.iter_mut().enumerate() {
        let phase = TAU * f0_hz * n as f64 / 16_000.0;
        let sum: f64 = (1..=5).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum();
        *audio = (level * (sum + 0.003 * f64::from(*audio))) as f32;
    }
    let features = extract_features(&audio, GRID);
    TrainingExample {
        id: format!("{f0_hz} Hz at {level}"),
        audio,
        f0_hz: vec![f0_hz as f32; 125],
        f0_confidence: vec![1.0; 125],
        loudness_db: features.loudness_db,
        labels: Default::default(),
    }
}

/// Eight tones of one timbre.
pub fn train_set() -> Vec<TrainingExample> {
    [220.0, 262.0, 311.0, 370.0]
        .into_iter()
        .flat_map(|f0| [tone(f0, 0.05), tone(f0, 0.3)])
        .collect()
}

/// A tone between those.
pub fn held_out() -> Vec<TrainingExample> {
    vec![tone(290.0, 0.12)]
}

/// Training in memory on two threads.
pub fn options(config: Config) -> TrainOptions<'static> {
    TrainOptions {
        config,
        folder: None,
        resume: false,
        initial: None,
        n_threads: 2,
        time_budget_secs: None,
        stop: None,
        metadata: ModelMetadata::default(),
    }
}
