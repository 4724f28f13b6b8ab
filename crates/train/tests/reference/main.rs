//! Loss, gradients and training steps of whole autoencoders, against the reference's.

mod chain;
mod golden;
mod running_sum;

use ddsp_model::{Config, ParameterEntry};
use ddsp_train::Adam;

use crate::chain::Chain;
use crate::golden::{Golden, weights};

/// f0, level and sound of both `solo` cases. (The reference measures loudness anew.)
const SOLO_INPUTS: [&str; 3] = ["inputs.in.f0_hz", "pre.out.loudness_db", "inputs.in.audio"];

fn preset(name: &str, settings: &[&str]) -> Config {
    let mut config = Config::preset(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    for setting in settings {
        config.set(setting).unwrap_or_else(|e| panic!("{setting}: {e}"));
    }
    config
}

/// `solo`, so small that the reference's every gradient can be kept.
fn small_solo() -> Chain {
    let config = preset(
        "solo",
        &[
            "decoder.gru_units=24",
            "decoder.fc_units=16",
            "harmonic.n_harmonics=20",
            "noise.n_bands=17",
            "reverb.ir_len=2000",
        ],
    );
    let mut golden = Golden::open("ae_solo_small");
    let [f0_hz, loudness_db, audio] = SOLO_INPUTS.map(|name| golden.values(name));
    Chain::new(config, f0_hz, &loudness_db, audio)
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    dot / (norm(a) * norm(b))
}

/// Asserts that `got` is `expected` up to `relative`.
fn check(what: &str, got: f64, expected: f64, relative: f64) {
    let error = (got / expected - 1.0).abs();
    println!("{what}: {got:.6}, reference {expected:.6}, off by {error:.1e}");
    assert!(error <= relative, "{what}: {got} is {error:.1e} off {expected}");
}

/// Whether a tensor is the room's. A response's gradient is a correlation of white residues: nearly
/// silent bins, where the slope of the logarithm is steep and both sides know little but rounding,
/// weigh in it as much as the loud ones.
fn is_room(name: &str) -> bool {
    name.contains("reverb/")
}

#[test]
fn small_solo_has_the_reference_s_loss_and_gradients() {
    let mut chain = small_solo();
    let mut golden = Golden::open("ae_solo_small");
    let (loss, gradient) = chain.evaluate(&weights(chain.entries()));
    // Bins that hold nothing but rounding make the difference: those of the network are 1e-6 alike.
    check("loss", loss, golden.value("loss.out.total_loss"), 2e-3);
    check("norm", norm(&gradient), golden.value("loss.out.global_norm"), 2e-3);
    for (k, ParameterEntry { name, range, .. }) in chain.entries().iter().enumerate() {
        let got = &gradient[range.clone()];
        let expected = golden.values(&format!("grads.out.d_w{k}"));
        let distance = 1.0 - cosine(got, &expected);
        println!("{name}: 1 - cosine {distance:.1e}");
        let tolerance = if is_room(name) { 1e-3 } else { 5e-5 };
        assert!(distance <= tolerance, "{name}: 1 - cosine is {distance:e}");
        check(name, norm(got), norm(&expected), 1e-2);
    }
}

/// What the imitation is for: with exact phases the same model has another loss than the
/// reference's 61.94, by far more than rounding.
#[test]
fn exact_phases_have_another_loss() {
    let mut chain = small_solo().with_exact_phases();
    let (loss, _) = chain.evaluate(&weights(chain.entries()));
    check("loss with exact phases", loss, 59.62, 2e-3);
}

#[test]
fn five_training_steps_go_where_the_reference_s_go() {
    let mut chain = small_solo();
    let mut golden = Golden::open("ae_solo_small");
    let start = weights(chain.entries());
    let mut parameters = start.clone();
    let mut train = preset("solo", &[]).train;
    (train.learning_rate, train.gradient_clip) = (3e-4, 3.0);
    let mut adam = Adam::new(parameters.len(), &train);
    for (step, &expected) in golden.values("train5.out.losses").iter().enumerate() {
        let (loss, gradient) = chain.evaluate(&parameters);
        check(&format!("loss of step {step}"), loss, f64::from(expected), 2e-3);
        adam.update(&gradient, &mut parameters);
    }
    let mut worst = 0.0_f32;
    for (k, ParameterEntry { name, range, .. }) in chain.entries().iter().enumerate() {
        let start = &start[range.clone()];
        let moved = |to: &[f32]| to.iter().zip(start).map(|(a, b)| a - b).collect::<Vec<f32>>();
        let got = moved(&parameters[range.clone()]);
        let expected = moved(&golden.values(&format!("train5.out.w{k}")));
        let distance = 1.0 - cosine(&got, &expected);
        println!("{name}: 1 - cosine of the way {distance:.1e}");
        // Adam's first steps are as long for a gradient that is rounding as for any other.
        let tolerance = if is_room(name) { 0.1 } else { 0.05 };
        assert!(distance <= tolerance, "{name}: moved another way, 1 - cosine {distance:e}");
        worst = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(worst, f32::max);
    }
    println!("no value is off by more than {worst:.1e}");
}

/// Norms of all gradients and their first values, as stored.
fn check_stored_gradients(golden: &mut Golden, chain: &mut Chain) {
    let (loss, gradient) = chain.evaluate(&weights(chain.entries()));
    check("loss", loss, golden.value("loss.out.total_loss"), 1e-3);
    check("norm", norm(&gradient), golden.value("loss.out.global_norm"), 1e-4);
    let norms = golden.values("loss.out.grad_norms");
    let firsts = golden.values("loss.out.grad_first8");
    for (k, ParameterEntry { name, range, .. }) in chain.entries().iter().enumerate() {
        let gradient = &gradient[range.clone()];
        let (tolerance, first_tolerance) = if is_room(name) { (2e-2, 1e-1) } else { (5e-4, 3e-3) };
        check(name, norm(gradient), f64::from(norms[k]), tolerance);
        let first = &gradient[..8.min(gradient.len())];
        let expected = &firsts[8 * k..][..first.len()];
        let errors: Vec<f32> = first.iter().zip(expected).map(|(a, b)| a - b).collect();
        let error = norm(&errors) / norm(expected);
        println!("{name}: first values off by {error:.1e}");
        assert!(error <= first_tolerance, "{name}: {first:?} for {expected:?}");
    }
}

#[test]
fn solo_has_the_reference_s_loss_and_gradients() {
    let mut inputs = Golden::open("ae_solo_small");
    let [f0_hz, loudness_db, audio] = SOLO_INPUTS.map(|name| inputs.values(name));
    let mut chain = Chain::new(preset("solo", &[]), f0_hz, &loudness_db, audio);
    check_stored_gradients(&mut Golden::open("ae_solo"), &mut chain);
}

#[test]
fn vst_has_the_reference_s_loss_and_gradients() {
    let mut golden = Golden::open("ae_vst");
    let [f0_hz, audio] = ["f0_hz", "audio"].map(|name| golden.values(&format!("inputs.in.{name}")));
    let power_db = golden.values("pre.out.pw_db");
    let mut chain = Chain::new(preset("vst", &[]), f0_hz, &power_db, audio);
    check_stored_gradients(&mut golden, &mut chain);
}
