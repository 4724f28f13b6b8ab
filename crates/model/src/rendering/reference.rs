//! Controls of whole models, against the reference's for the same weights.

use super::*;
use crate::config::{Config, Level};
use crate::features::scale_loudness;
use crate::golden::{Golden, weights};
use crate::parameters::Parameters;

/// Frames whose raw outputs the golden files keep, of a thousand and of two hundred.
const RAW_FRAMES: [usize; 7] = [0, 1, 2, 100, 500, 998, 999];
const RAW_FRAMES_VST: [usize; 7] = [0, 1, 2, 20, 100, 199, 200];

/// A preset with the goldens' weights.
fn golden_model(preset: &str, settings: &[&str]) -> Model {
    let mut config = Config::preset(preset).unwrap_or_else(|e| panic!("{preset}: {e}"));
    for setting in settings {
        config.set(setting).unwrap_or_else(|e| panic!("{setting}: {e}"));
    }
    let values = weights(&config.parameter_table().entries);
    Model { parameters: Parameters { values }, ..Model::new(config, 0) }
}

/// Asserts that every value is the expected one, up to `relative` of the largest.
fn check(what: &str, got: &[f32], expected: &[f32], relative: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: number of values");
    let largest = expected.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let errors = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs());
    let worst = errors.fold(0.0_f32, f32::max) / largest;
    println!("{what}: off by {worst:.1e} of {largest}");
    assert!(worst <= relative, "{what}: off by {worst:e} of {largest}");
}

/// Asserts raw outputs at some frames, and controls at every `stride`-th.
fn check_controls(
    golden: &mut Golden,
    model: &Model,
    features: Features<'_>,
    frames: [usize; 7],
    stride: usize,
) {
    let architecture = Architecture::new(&model.config);
    let n_outputs = architecture.decoder.n_outputs();
    let raw = model.decode(&architecture, features);
    let kept: Vec<f32> =
        frames.iter().flat_map(|i| &raw[i * n_outputs..][..n_outputs]).copied().collect();
    // A thousand frames of a recurrence in f32, its sums in another order.
    check("raw outputs", &kept, &golden.values("decoder.out.dense_out"), 3e-6);

    let Controls { tone, magnitudes } = model.render(features, 0).controls;
    let ToneControls::Harmonic { amplitudes, harmonic_distribution, .. } = tone else {
        panic!("a harmonic model");
    };
    for (name, values) in [
        ("amplitudes", amplitudes),
        ("harmonic_distribution", harmonic_distribution),
        ("noise_magnitudes", magnitudes),
    ] {
        let width = values.len() / features.f0_hz.len();
        let kept: Vec<f32> =
            values.chunks_exact(width).step_by(stride).flatten().copied().collect();
        // The slope of exp_sigmoid is at most its value times ln 10.
        check(name, &kept, &golden.values(&format!("controls.out.{name}")), 1e-5);
    }
}

/// f0 and loudness of both `solo` cases. (The reference measures loudness anew.)
fn solo_inputs() -> [Vec<f32>; 2] {
    let mut golden = Golden::open("ae_solo_small");
    ["inputs.in.f0_hz", "pre.out.loudness_db"].map(|name| golden.values(name))
}

#[test]
fn features_are_scaled_as_the_reference_s() {
    for (file, level, level_scaled) in [
        ("ae_solo_small", "pre.out.loudness_db", "ld_scaled"),
        ("ae_vst", "pre.out.pw_db", "pw_scaled"),
    ] {
        let mut golden = Golden::open(file);
        let f0: Vec<f32> = golden.values("inputs.in.f0_hz").into_iter().map(scale_f0).collect();
        // A logarithm of two libraries.
        check("f0", &f0, &golden.values("pre.out.f0_scaled"), 3e-7);
        let level: Vec<f32> = golden.values(level).into_iter().map(scale_loudness).collect();
        check(level_scaled, &level, &golden.values(&format!("pre.out.{level_scaled}")), 2e-7);
    }
}

#[test]
fn small_solo_has_the_reference_s_controls() {
    let settings = [
        "decoder.gru_units=24",
        "decoder.fc_units=16",
        "harmonic.n_harmonics=20",
        "noise.n_bands=17",
        "reverb.ir_len=2000",
    ];
    let model = golden_model("solo", &settings);
    let [f0_hz, loudness_db] = solo_inputs();
    let features = Features::new(&f0_hz, &loudness_db);
    check_controls(&mut Golden::open("ae_solo_small"), &model, features, RAW_FRAMES, 10);
}

#[test]
fn solo_has_the_reference_s_controls() {
    let model = golden_model("solo", &[]);
    let [f0_hz, loudness_db] = solo_inputs();
    let features = Features::new(&f0_hz, &loudness_db);
    check_controls(&mut Golden::open("ae_solo"), &model, features, RAW_FRAMES, 10);
}

#[test]
fn vst_has_the_reference_s_controls() {
    let model = golden_model("vst", &[]);
    assert_eq!(model.config.decoder.level, Level::Power, "what the golden level is");
    let mut golden = Golden::open("ae_vst");
    let (f0_hz, power_db) = (golden.values("inputs.in.f0_hz"), golden.values("pre.out.pw_db"));
    let features = Features { f0_hz: &f0_hz, power_db: &power_db, ..Features::default() };
    check_controls(&mut golden, &model, features, RAW_FRAMES_VST, 4);
}
