use super::*;
use crate::testing::{Example, small_config, small_configs, stiff_config};

#[test]
fn a_rendering_is_the_sum_of_its_parts_and_repeats() {
    for (preset, config) in small_configs() {
        let hop = config.grid().hop;
        let sound = Example::rising(&config, 50);
        let features = sound.features();
        let has_room = config.reverb.is_some() || config.noise_reverb.is_some();
        let model = Model::new(config, 3);
        let rendering = model.render(features, 1);
        assert_eq!(rendering.audio.len(), 50 * hop, "{preset}: a hop for every frame");
        let dry = rendering.tone.iter().zip(&rendering.noise).map(|(tone, noise)| tone + noise);
        let is_dry = dry.eq(rendering.audio.iter().copied());
        assert_eq!(is_dry, !has_room, "{preset}: the sum of both parts, but for the room");
        let peak = rendering.audio.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
        assert!((0.01..10.0).contains(&peak), "{preset}: peak {peak}");
        assert_eq!(model.render(features, 1), rendering, "{preset}: same seed, same sound");
        let other = model.render(features, 2);
        assert_eq!(other.tone, rendering.tone, "{preset}: the pitched part knows no chance");
        assert_ne!(other.noise, rendering.noise, "{preset}: another seed, other noise");
        assert_eq!(rendering.controls.magnitudes.len(), 50 * 6, "{preset}: bands of every frame");
    }
}

#[test]
fn shares_sum_to_one() {
    for preset in ["seed-harmonic", "seed-wavetable"] {
        let config = small_config(preset);
        let sound = Example::rising(&config, 50);
        let rows = match Model::new(config, 3).render(sound.features(), 1).controls.tone {
            ToneControls::Harmonic { harmonic_distribution, .. } => harmonic_distribution,
            ToneControls::Wavetable { table_weights, .. } => table_weights,
            ToneControls::Sinusoidal { .. } => unreachable!("amplitudes of their own"),
        };
        for row in rows.chunks(rows.len() / 50) {
            let sum: f32 = row.iter().sum();
            // A few shares, each rounded.
            assert!((sum - 1.0).abs() < 1e-6, "{preset}: shares sum to {sum}");
        }
    }
}

/// The spectrum's level in dB at `frequency_hz`, by one bin of a Fourier transform under a Hann window.
fn level_db(audio: &[f32], frequency_hz: f64) -> f64 {
    let n = audio.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, x) in audio.iter().enumerate() {
        let turn = std::f64::consts::TAU * i as f64;
        let x = f64::from(*x) * (1.0 - (turn / n).cos());
        let (sin, cos) = (turn * frequency_hz / 16_000.0).sin_cos();
        (re, im) = (re + x * cos, im + x * sin);
    }
    10.0 * (re * re + im * im).max(1e-30).log10()
}

#[test]
fn stretched_partials_lie_where_the_controls_say_and_the_lowest_at_f0() {
    let config = stiff_config(1.0);
    let (f0_hz, loudness_db) = (vec![400.0; 250], vec![-20.0; 250]);
    let rendering = Model::new(config, 3).render(Features::new(&f0_hz, &loudness_db), 1);
    let ToneControls::Harmonic { inharmonicity: Some(inharmonicity), .. } = rendering.controls.tone
    else {
        panic!("a stiff model");
    };
    let b = f64::from(inharmonicity[200]);
    assert!((1e-3..1e-2).contains(&b), "B = {b}");
    let steady = &rendering.tone[8000..];
    for k in 1..=3 {
        let k = f64::from(k);
        let place = k * 400.0 * ((1.0 + b * k * k) / (1.0 + b)).sqrt();
        let [below, here, above] = [-4.0, 0.0, 4.0].map(|by| level_db(steady, place + by));
        // Under half a second a main lobe is 4 Hz wide to either side.
        assert!(here > below + 20.0 && here > above + 20.0, "{k}: {below}, {here}, {above} dB");
    }
}

#[test]
fn without_stiffness_stretched_partials_are_harmonics() {
    let mut config = stiff_config(-50.0);
    let sound = Example::rising(&config, 50);
    let model = Model::new(config.clone(), 3);
    let stiff = model.render(sound.features(), 1).tone;
    // The same network without its last tone output, which tells the inharmonicity.
    config.inharmonicity = None;
    let tables = [model.config.parameter_table(), config.parameter_table()];
    let mut plain = Model::new(config, 3);
    let (n_outputs, dropped) = (1 + 3 + 1 + 6, 1 + 3);
    for (from, to) in tables[0].entries.iter().zip(&tables[1].entries) {
        let values = &model.parameters.values[from.range.clone()];
        let kept = values
            .iter()
            .enumerate()
            .filter(|(i, _)| from.range.len() == to.range.len() || i % n_outputs != dropped);
        let kept: Vec<f32> = kept.map(|(_, value)| *value).collect();
        plain.parameters.values[to.range.clone()].copy_from_slice(&kept);
    }
    let harmonic = plain.render(sound.features(), 1).tone;
    for (n, (stiff, harmonic)) in stiff.iter().zip(&harmonic).enumerate() {
        // Two ways to the sine of the same phase.
        assert!((stiff - harmonic).abs() < 2e-6, "sample {n}: {stiff} and {harmonic}");
    }
}

#[test]
fn sinusoids_stay_near_the_harmonics() {
    let config = small_config("seed-sinusoidal");
    let semitones = config.sinusoidal.as_ref().expect("sinusoids").detune_semitones;
    let sound = Example::rising(&config, 50);
    let rendering = Model::new(config, 3).render(sound.features(), 1);
    let ToneControls::Sinusoidal { frequencies_hz, .. } = rendering.controls.tone else {
        panic!("a sinusoidal model");
    };
    let mut largest = 0.0_f64;
    for (row, f0_hz) in frequencies_hz.chunks(3).zip(&sound.f0_hz) {
        for (k, frequency_hz) in row.iter().enumerate() {
            let ratio = f64::from(*frequency_hz) / ((k + 1) as f64 * f64::from(*f0_hz));
            largest = largest.max((12.0 * ratio.log2()).abs());
        }
    }
    assert!(largest > 0.0 && largest <= semitones * 1.0001, "{largest} semitones at most");
}

#[test]
fn a_long_sound_is_rendered_as_a_short_one() {
    let n_frames = MOST_FRAMES_AT_ONCE + 50;
    let config = small_config("seed-harmonic");
    let sound = Example::rising(&config, n_frames);
    let part = |n: usize| Features::new(&sound.f0_hz[..n], &sound.loudness_db[..n]);
    let architecture = Architecture::new(&config);
    let model = Model::new(config, 3);
    let short = model.decode(&architecture, part(MOST_FRAMES_AT_ONCE));
    let long = model.decode(&architecture, part(n_frames));
    for (i, (long, short)) in long.iter().zip(&short).enumerate() {
        // The stream's sums have another order; the recurrence forgets rather than amplifies.
        assert!((long - short).abs() < 1e-4, "value {i}: {long} != {short}");
    }
}

#[test]
fn extreme_features_give_finite_sound() {
    for (preset, config) in small_configs() {
        let mut sound = Example::rising(&config, 8);
        let extremes = [0.0, 1e-3, 20.0, 7999.0, 8000.0, 30_000.0, 1e6, 440.0];
        sound.f0_hz.copy_from_slice(&extremes);
        sound.loudness_db.copy_from_slice(&[-80.0, 20.0, -200.0, 0.0, 20.0, -80.0, 40.0, -80.0]);
        let rendering = Model::new(config, 3).render(sound.features(), 1);
        let is_finite = rendering.audio.iter().all(|x| x.is_finite());
        assert!(is_finite, "{preset}: {:?}", rendering.audio);
    }
}

#[test]
fn no_frames_give_no_sound() {
    for (preset, config) in small_configs() {
        let model = Model::new(config, 3);
        assert!(model.render(Features::default(), 1).audio.is_empty(), "{preset}");
    }
}
