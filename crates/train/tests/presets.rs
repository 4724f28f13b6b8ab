//! Every preset, made small, learns a family of tones, is saved, loaded, and plays another family.

use std::f64::consts::TAU;

use ddsp_data::{extract_f0, extract_loudness};
use ddsp_kernels::VOICED_CONFIDENCE;
use ddsp_model::{Config, Features, Model, power_db, uniform_noise};
use ddsp_train::{Adam, BatchGradient, Gradient, Window};

const N_STEPS: usize = 80;

/// A preset small enough to learn something in a second.
fn small_config(preset: &str) -> Config {
    let mut config = Config::preset(preset).unwrap_or_else(|e| panic!("{preset}: {e}"));
    let mut set = |setting: &str| config.set(setting).unwrap_or_else(|e| panic!("{setting}: {e}"));
    for setting in [
        "decoder.gru_units=16",
        "decoder.fc_units=16",
        "noise.n_bands=9",
        "loss.fft_lens=[512, 128]",
        "train.example_secs=0.4",
        "train.batch=4",
        "train.learning_rate=5e-3",
        "train.warmup_steps=0",
        "train.decay_rate=1",
    ] {
        set(setting);
    }
    let sections: &[&str] = match preset {
        "player" | "seed-harmonic" => &["harmonic.n_harmonics=8"],
        "seed-sinusoidal" => &["sinusoidal.n_sinusoids=8"],
        "seed-wavetable" => &["wavetable.n_tables=3", "wavetable.table_len=64"],
        "solo" | "tiny" => &["harmonic.n_harmonics=8", "reverb.ir_len=400"],
        "nsynth-ae" => &["harmonic.n_harmonics=8", "encoder.gru_units=12", "encoder.z_len=4"],
        _ => &["harmonic.n_harmonics=8", "noise_reverb.n_frames=10", "noise_reverb.n_bands=5"],
    };
    sections.iter().for_each(|setting| set(setting));
    config
}

/// A sound whose f0 goes from one frequency to another, with its features.
///
/// Harmonic `k` of its partials has amplitude `k^-slope`.
fn glide(config: &Config, [from_hz, to_hz]: [f64; 2], level: f64, slope: f64) -> Window {
    let grid = config.grid();
    let n_samples = config.example_samples();
    let mut audio = vec![0.0; n_samples];
    uniform_noise(from_hz.to_bits(), &mut audio);
    let hz = |n: usize| from_hz * (to_hz / from_hz).powf(n as f64 / n_samples as f64);
    let mut turns = 0.0;
    for (n, audio) in audio.iter_mut().enumerate() {
        turns += hz(n) / f64::from(grid.sample_rate);
        let partial = |k: u8| (TAU * f64::from(k) * turns).sin() * f64::from(k).powf(-slope);
        let sum: f64 = (1..=5).map(partial).sum();
        *audio = single(level * (sum + 0.003 * f64::from(*audio)));
    }
    let loudness_db = extract_loudness(&audio, grid);
    Window {
        id: format!("{from_hz} Hz to {to_hz} Hz at {level}"),
        f0_hz: (0..loudness_db.len()).map(|i| single(hz(i * grid.hop))).collect(),
        power_db: power_db(&audio, grid),
        heard: if config.needs_audio() { audio.clone() } else { Vec::new() },
        audio,
        loudness_db,
        voiced: 1.0,
        noise_seed: from_hz.to_bits(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "samples and features are f32")]
fn single(value: f64) -> f32 {
    value as f32
}

/// A model that has learned steady tones, with the losses of its steps.
fn learn(config: &Config) -> (Model, Vec<f64>) {
    let tones: Vec<Window> = [(220.0, 0.05), (262.0, 0.3), (311.0, 0.05), (370.0, 0.3)]
        .map(|(hz, level)| glide(config, [hz, hz], level, 1.0))
        .into();
    let mut model = Model::new(config.clone(), 1);
    let mut gradient = BatchGradient::new(config, 2);
    let mut adam = Adam::new(model.parameters.values.len(), &config.train);
    let step = |_| {
        let parameters = &mut model.parameters.values;
        let losses = gradient.evaluate(parameters, &tones).expect("computed");
        assert!(adam.update(gradient.gradient(), parameters).is_finite(), "a finite gradient");
        losses.iter().map(|loss| loss.terms.total()).sum::<f64>() / losses.len() as f64
    };
    let losses = (0..N_STEPS).map(step).collect();
    (model, losses)
}

/// Whether frames of `audio` have the pitch and some of the level that were asked for.
fn check_sound(preset: &str, config: &Config, asked: &Window, audio: &[f32]) {
    let rms = |audio: &[f32]| {
        (audio.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / audio.len() as f64).sqrt()
    };
    let level_db = 20.0 * (rms(audio) / rms(&asked.audio)).log10();
    // After a few steps it is far from the tones' level, but on the way there.
    assert!(level_db.abs() < 15.0, "{preset}: {level_db} dB beside what was asked for");
    let (f0_hz, confidence) = extract_f0(audio, config.grid());
    // Sinusoids may leave their harmonics by a fifth of a semitone.
    let most = if config.sinusoidal.is_some() { 50.0 } else { 30.0 };
    let in_tune = |i: &usize| {
        let cents = 1200.0 * (f0_hz[*i] / asked.f0_hz[*i]).log2();
        confidence[*i] >= VOICED_CONFIDENCE && cents.abs() < most
    };
    let n_frames = asked.f0_hz.len();
    // But for the ends, where the tracker's windows reach beyond the sound.
    let inner = n_frames / 6..n_frames - n_frames / 6;
    let n_inner = inner.len();
    let share = inner.filter(in_tune).count() as f64 / n_inner as f64;
    println!("{preset}: {level_db:.1} dB, {:.0} % of frames in tune", 100.0 * share);
    assert!(share > 0.9, "{preset}: {share} of the frames are in tune");
}

#[test]
fn every_preset_learns_is_saved_loaded_and_plays_another_family() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for preset in Config::preset_names() {
        let config = small_config(preset);
        let (model, losses) = learn(&config);
        let (first, last) = (losses[0], losses[N_STEPS - 1]);
        println!("{preset}: loss {first:.2} to {last:.2}");
        assert!(last < 0.6 * first, "{preset}: the loss went from {first} to {last}");

        let path = folder.path().join(format!("{preset}.safetensors"));
        model.save(&path).unwrap_or_else(|e| panic!("{preset}: {e}"));
        let loaded = Model::load(&path).unwrap_or_else(|e| panic!("{preset}: {e}"));
        // Hollow tones that fall, where it learned brighter ones that stay.
        let other = glide(&config, [330.0, 240.0], 0.15, 2.0);
        let audio = loaded.render(other.features(), 5).audio;
        assert!(audio == model.render(other.features(), 5).audio, "{preset}: other bits");
        check_sound(preset, &config, &other, &audio);
        check_extremes(preset, &model);
    }
}

/// Features that no one should ask for: below and above what can sound, silent, far too loud.
fn check_extremes(preset: &str, model: &Model) {
    let f0_hz = [0.0, 1e-3, 20.0, 440.0, 8000.0, 1e5, 0.0, 100.0];
    let heard = vec![0.0; f0_hz.len() * model.config.grid().hop];
    for level in [f32::NEG_INFINITY, -80.0, 20.0] {
        let (loudness_db, power_db) = (&[level; 8], &[level; 8]);
        let features = Features { f0_hz: &f0_hz, loudness_db, power_db, audio: &heard };
        let audio = model.render(features, 0).audio;
        let is_finite = audio.iter().all(|x| x.is_finite());
        assert!(is_finite, "{preset} at {level} dB: {audio:?}");
    }
}
