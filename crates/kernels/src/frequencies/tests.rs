use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};
use crate::units::bands::erb_of;

fn ladder(hz_min: f64, hz_max: f64, unit: f64) -> f64 {
    let low = if hz_min == 0.0 { 440.0 * (-69.0_f64 / 12.0).exp2() } else { hz_min };
    low * (hz_max / low).powf(unit)
}

fn sigmoid_oracle(x: &[f64], depth: usize, hz_min: f64, hz_max: f64, y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x.chunks(depth)) {
        let mut rest = hz_max - hz_min;
        let factor = rest.powf(1.0 / depth as f64);
        *y = 0.0;
        for (i, x) in x.iter().enumerate() {
            let unit = 1.0 / (1.0 + (-x).exp());
            if i + 1 == depth {
                *y += ladder(hz_min, rest, unit);
            } else {
                let part = rest * (1.0 - 1.0 / factor);
                *y += ladder(0.0, part, unit);
                rest -= part;
            }
        }
    }
}

fn softmax_oracle(x: &[f64], depth: usize, y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x.chunks(depth)) {
        let sum: f64 = x.iter().map(|x| x.exp()).sum();
        let unit = |i: usize| if depth == 1 { 0.0 } else { i as f64 / (depth - 1) as f64 };
        let mean: f64 = x.iter().enumerate().map(|(i, x)| unit(i) * x.exp() / sum).sum();
        *y = ladder(20.0, 8000.0, mean);
    }
}

fn bands_oracle(x: &[f64], n: usize, config: &CriticalBandsConfig, y: &mut [f64]) {
    let scale = config.scale;
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    for (k, (y, x)) in y.iter_mut().zip(x.chunks(config.depth)).enumerate() {
        let share = (k % n) as f64 / (n - 1).max(1) as f64;
        let centre =
            scale.to_hz(scale.of_hz(20.0) + share * (scale.of_hz(8000.0) - scale.of_hz(20.0)));
        let sum: f64 = x.iter().enumerate().map(|(i, x)| x.tanh() * 0.1_f64.powf(i as f64)).sum();
        let raw = centre + erb_of(centre) * sum;
        *y = softplus(raw) + 20.0 - softplus(raw - 7980.0);
    }
}

fn input(case: &str) -> (Vec<f32>, usize) {
    let (x, shape) = Golden::open("scaling").array(&format!("{case}.in.x"));
    (x, *shape.last().expect("an axis"))
}

/// Raw outputs of ordinary and of extreme size, for `n` frequencies.
fn inputs(n: usize) -> [Vec<f32>; 4] {
    let x = pseudo_random(5, n);
    [3.0, 1e-9, 0.0, 12.0].map(|scale| x.iter().map(|x| scale * x).collect())
}

/// The reference's MIDI numbers of up to 130 are f32: 1e-5 of a semitone, 6e-7 of the frequency,
/// several times.
fn tolerance() -> Tolerance {
    Tolerance::relative(6e-6)
}

fn gradients(
    operation: &mut Operation,
    (n, depth): (usize, usize),
    step: f64,
    oracle: impl Fn(&[f64], &mut [f64]),
    forward: impl Fn(&[f32], &mut [f32]),
    backward: impl Fn(&[f32], &[f32], &mut [f32]),
) {
    for x in inputs(n * depth) {
        let (mut y, mut expected) = (vec![f32::NAN; n], vec![0.0; n]);
        forward(&x, &mut y);
        oracle(&widen(&x), &mut expected);
        operation.oracle("frequencies", &y, &expected, tolerance());
        operation.gradient("x", &x, n, step, &oracle, &backward);
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("frequencies_sigmoid");
    for (case, depth, hz_min) in [
        ("frequencies_sigmoid_d1", 1, 0.0),
        ("frequencies_sigmoid_d2", 2, 0.0),
        ("frequencies_sigmoid_d4", 4, 0.0),
        ("frequencies_sigmoid_4d", 8, 20.0),
    ] {
        let (x, last) = input(case);
        let depth = if case.ends_with("4d") { last } else { depth };
        let map = FrequenciesSigmoid::new(depth, hz_min, 8000.0);
        let mut y = vec![f32::NAN; x.len() / depth];
        map.forward(&x, &mut y);
        operation.golden(&format!("scaling/{case}"), "y", &y, tolerance());
        for n in [1, 7] {
            gradients(
                operation,
                (n, depth),
                1e-3,
                |x, y| sigmoid_oracle(x, depth, f64::from(hz_min), 8000.0, y),
                |x, y| map.forward(x, y),
                |x, g, grad| map.backward(x, g, grad),
            );
        }
    }
    let operation = report.operation("frequencies_softmax");
    for (case, depth) in [
        ("frequencies_softmax_d2", 2),
        ("frequencies_softmax_d4", 4),
        ("frequencies_softmax_4d", 8),
    ] {
        let (x, _) = input(case);
        let map = FrequenciesSoftmax::new(depth, 20.0, 8000.0);
        let mut y = vec![f32::NAN; x.len() / depth];
        map.forward(&x, &mut y);
        operation.golden(&format!("scaling/{case}"), "y", &y, tolerance());
        for n in [1, 7] {
            gradients(
                operation,
                (n, depth),
                1e-3,
                |x, y| softmax_oracle(x, depth, y),
                |x, y| map.forward(x, y),
                |x, g, grad| map.backward(x, g, grad),
            );
        }
    }
    let operation = report.operation("frequencies_critical_bands");
    for (name, scale) in [("bark", CriticalScale::Bark), ("mel", CriticalScale::Mel)] {
        for depth in [1, 2, 4] {
            let case = format!("frequencies_critical_bands_{name}_d{depth}");
            let (x, last) = input(&case);
            let n = last / depth;
            let config = CriticalBandsConfig { depth, scale, ..CriticalBandsConfig::default() };
            let map = FrequenciesCriticalBands::new(n, &config);
            let mut y = vec![f32::NAN; x.len() / depth];
            map.forward(&x, &mut y);
            operation.golden(&format!("scaling/{case}"), "y", &y, tolerance());
            let map = FrequenciesCriticalBands::new(7, &config);
            gradients(
                operation,
                (14, depth),
                // The soft limit bends within a Hertz, where a step of 1 is up to 888 Hz.
                1e-6,
                |x, y| bands_oracle(x, 7, &config, y),
                |x, y| map.forward(x, y),
                |x, g, grad| map.backward(x, g, grad),
            );
        }
    }
}

#[test]
fn they_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}

#[test]
fn nan_stays_and_infinities_saturate() {
    let mut hz = [0.0; 3];
    let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    FrequenciesSigmoid::new(1, 20.0, 8000.0).forward(&x, &mut hz);
    assert!(hz[0].is_nan() && hz[1] == 7980.0 && (hz[2] - 20.0).abs() < 1e-3, "{hz:?}");
    let mut hz = [0.0];
    FrequenciesSoftmax::new(3, 20.0, 8000.0).forward(&[0.0, f32::NAN, 1.0], &mut hz);
    assert!(hz[0].is_nan(), "{hz:?}");
    let bands = FrequenciesCriticalBands::new(1, &CriticalBandsConfig::default());
    bands.forward(&[f32::NAN], &mut hz);
    assert!(hz[0].is_nan(), "{hz:?}");
}

#[test]
#[should_panic(expected = "FrequenciesSigmoid: 5 outputs of depth 2 for 3 frequencies")]
fn a_wrong_length_names_both() {
    FrequenciesSigmoid::new(2, 0.0, 8000.0).forward(&[0.0; 5], &mut [0.0; 3]);
}
