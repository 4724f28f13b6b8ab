//! Time to render sound with models of every preset, features given, as `ddsp transfer` does.
//!
//! `cargo bench -p ddsp-model --bench render [-- part of a preset's name]`; one thread, the shortest of
//! a few, and what of it the thread was computing, which other work on the machine cannot prolong. The reference is magenta/ddsp 3.7 on TensorFlow 2.15, on two cores of an AMD EPYC with
//! AVX-512: its figures say something on such a machine only. No test looks at any of this.

use std::env;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

use ddsp_model::{Config, Features, Model, uniform_noise};

/// Presets and seconds of sound, with the reference's time where it was measured.
const ROWS: [(&str, usize, Option<f64>); 10] = [
    ("player", 4, None),
    ("seed-harmonic", 4, None),
    ("seed-sinusoidal", 4, None),
    ("seed-wavetable", 4, None),
    ("tiny", 4, None),
    ("solo", 4, Some(0.20)),
    ("solo", 60, Some(6.4)),
    ("nsynth-ae", 4, None),
    ("vst", 4, Some(0.072)),
    ("vst-48k", 4, None),
];

/// Renderings that are timed.
const N_TIMES: usize = 8;

/// Seconds after which no further rendering is begun.
const MOST_SECS: f64 = 4.0;

fn main() {
    let part = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!(
        "| preset | seconds of sound | ms | of these computing | reference ms | times faster |"
    );
    println!("|---|---|---|---|---|---|");
    for (preset, secs, reference) in ROWS {
        if part.as_ref().is_none_or(|part| preset.contains(part.as_str())) {
            let (took, computing) = shortest(preset, secs);
            let (reference, ratio) = reference.map_or_else(Default::default, |reference| {
                (format!("{:.0}", 1e3 * reference), format!("{:.1}", reference / took))
            });
            let [took, computing] = [took, computing].map(|secs| 1e3 * secs);
            println!("| {preset} | {secs} | {took:.1} | {computing:.1} | {reference} | {ratio} |");
        }
    }
}

/// Seconds on the clock, and those that the thread was computing.
fn shortest(preset: &str, secs: usize) -> (f64, f64) {
    let config = Config::preset(preset).expect("the preset is valid");
    let n_frames = secs * config.audio.frame_rate as usize;
    let f0_hz: Vec<f32> = (0..n_frames).map(|i| 200.0 + 50.0 * (0.01 * i as f32).sin()).collect();
    let level_db: Vec<f32> =
        (0..n_frames).map(|i| -30.0 + 10.0 * (0.03 * i as f32).sin()).collect();
    let mut audio = vec![0.0; n_frames * config.grid().hop];
    uniform_noise(1, &mut audio);
    let model = Model::new(config, 0);
    let render = || {
        let (begin, before) = (Instant::now(), computing_secs());
        let (loudness_db, power_db) = (level_db.as_slice(), level_db.as_slice());
        let features = Features { f0_hz: &f0_hz, loudness_db, power_db, audio: &audio };
        black_box(model.render(features, 0));
        (begin.elapsed().as_secs_f64(), computing_secs() - before)
    };
    let (mut least, begin) = (render(), Instant::now());
    for _ in 0..N_TIMES {
        let (took, computing) = render();
        least = (least.0.min(took), least.1.min(computing));
        if begin.elapsed().as_secs_f64() > MOST_SECS {
            break;
        }
    }
    least
}

/// Seconds that the main thread has had a core; NaN where the system does not tell.
fn computing_secs() -> f64 {
    let times = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = times.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.map_or(f64::NAN, |nanos| 1e-9 * nanos)
}
