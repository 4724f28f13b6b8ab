use super::*;
use crate::config::Config;
use crate::testing::{Example, small_config};

#[test]
fn a_rendering_is_the_sum_of_its_parts_and_repeats() {
    for preset in Config::preset_names() {
        let config = small_config(preset);
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
    for preset in Config::preset_names() {
        let config = small_config(preset);
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
    for preset in Config::preset_names() {
        let model = Model::new(small_config(preset), 3);
        assert!(model.render(Features::default(), 1).audio.is_empty(), "{preset}");
    }
}
