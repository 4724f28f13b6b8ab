use std::collections::BTreeSet;

use super::*;
use crate::agreement::{Report, Tolerance};
use crate::golden::Golden;
use crate::testing::{assert_close, pseudo_random, widen};

const METHODS: [(&str, Interpolation); 4] = [
    ("nearest", Interpolation::Nearest),
    ("linear", Interpolation::Linear),
    ("cubic", Interpolation::Cubic),
    ("window", Interpolation::Window),
];

/// The definition in `f64`, from positions that are rounded.
fn oracle(x: &[f64], n_channels: usize, (how, end): (Interpolation, Endpoint), y: &mut [f64]) {
    let (n_in, n_out) = (x.len() / n_channels, y.len() / n_channels);
    let (n_in_f, n_out_f) = (n_in as f64, n_out as f64);
    let step = match (end, how) {
        (Endpoint::Held, _) => n_in_f / n_out_f,
        (Endpoint::Last, Interpolation::Window) => (n_in_f - 1.0) / n_out_f,
        _ => (n_in_f - 1.0) / (n_out_f - 1.0).max(1.0),
    };
    for (i, y) in y.chunks_mut(n_channels).enumerate() {
        let place = i as f64 * step + 1e-12;
        let u = place.fract();
        let at = |offset: f64, c: usize| {
            let frame = (place.floor() + offset).clamp(0.0, n_in_f - 1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            x[frame as usize * n_channels + c]
        };
        for (c, y) in y.iter_mut().enumerate() {
            *y = match how {
                Interpolation::Nearest if end == Endpoint::Held => at(0.0, c),
                Interpolation::Nearest => at((u + 0.5).floor(), c),
                Interpolation::Linear => (1.0 - u) * at(0.0, c) + u * at(1.0, c),
                Interpolation::Window => {
                    let w = (PI * u / 2.0).sin().powi(2);
                    (1.0 - w) * at(0.0, c) + w * at(1.0, c)
                }
                Interpolation::Cubic => {
                    let taps = [-1.0, 0.0, 1.0, 2.0];
                    taps.iter().map(|&o| keys(u - o) * at(o, c)).sum()
                }
            };
        }
    }
}

/// Keys' kernel of a signed distance, as the paper has it.
fn keys(distance: f64) -> f64 {
    let (a, d) = (-0.75, distance.abs());
    match d {
        d if d <= 1.0 => (a + 2.0) * d.powi(3) - (a + 3.0) * d.powi(2) + 1.0,
        d if d < 2.0 => a * d.powi(3) - 5.0 * a * d.powi(2) + 8.0 * a * d - 4.0 * a,
        _ => 0.0,
    }
}

/// Every clip of a golden input, resampled.
fn resample_clips(plan: &Resample, x: &[f32], n_channels: usize) -> Vec<f32> {
    let mut all = Vec::new();
    for clip in x.chunks(plan.n_in * n_channels) {
        let mut y = vec![f32::NAN; plan.n_out() * n_channels];
        plan.forward(clip, n_channels, &mut y);
        all.extend(y);
    }
    all
}

/// A shift of the weights by the table of 1024 fractions that TensorFlow keeps.
fn table_fraction(u: f64) -> f64 {
    (1024.0 * u).round_ties_even() / 1024.0
}

/// The reference's preprocessor, which puts 51 frames on a grid of 50 and scales them. A composition
/// that models here have no use for: their frames share one grid.
fn preprocessor_agreement(report: &mut Report) {
    let operation = report.operation("resample, linear, then scale (F0LoudnessPreprocessor)");
    let case = "nn/f0_loudness_pre";
    let plan = Resample::new(51, 50, Interpolation::Linear, Endpoint::Held);
    let on_grid = |name: &str| {
        let frames = Golden::open("nn").values(&format!("f0_loudness_pre.in.{name}"));
        resample_clips(&plan, &frames, 1)
    };
    let (f0_hz, loudness_db) = (on_grid("f0_hz"), on_grid("loudness_db"));
    // The step 51 / 50 in f32 puts the last position off by 4e-6 of the way between two frames.
    let tolerance = Tolerance::of_peak(1e-5);
    operation.golden(case, "f0_hz", &f0_hz, tolerance);
    operation.golden(case, "loudness_db", &loudness_db, tolerance);
    let f0_scaled: Vec<f32> = f0_hz.iter().map(|hz| crate::hz_to_midi(*hz) / 127.0).collect();
    let loudness_scaled: Vec<f32> = loudness_db.iter().map(|db| db / 80.0 + 1.0).collect();
    operation.golden(case, "f0_scaled", &f0_scaled, tolerance);
    operation.golden(case, "ld_scaled", &loudness_scaled, tolerance);
}

pub(crate) fn agreement(report: &mut Report) {
    preprocessor_agreement(report);
    for (name, how) in METHODS {
        let operation = report.operation(match how {
            Interpolation::Nearest => "resample, nearest",
            Interpolation::Linear => "resample, linear",
            Interpolation::Cubic => "resample, cubic",
            Interpolation::Window => "resample, window",
        });
        // The reference keeps positions in f32: off by 2^-24 of 25 frames, times a step of up to 2
        // between frames, and as much again from weights and sum.
        let tolerance = Tolerance::absolute(if name == "nearest" { 0.0 } else { 6e-6 });
        let golden = Golden::open("resample");
        // Sorted: an archive lists its arrays in any order.
        let outputs: BTreeSet<String> = golden.outputs().collect();
        for output in outputs {
            let case = output.trim_end_matches(".y");
            let parts: Vec<&str> = case.split('_').collect();
            let [input, method, n_out, end] = parts[..] else { continue };
            if method != name {
                continue;
            }
            let (x, shape) = Golden::open("resample").array(&format!("{input}.in.x"));
            let end = if end == "ep" { Endpoint::Held } else { Endpoint::Last };
            let n_out: usize = n_out.parse().expect("a number");
            let case = format!("resample/{case}");
            if how == Interpolation::Cubic {
                let plan = Resample::with_fraction(shape[1], n_out, how, end, table_fraction);
                let y = resample_clips(&plan, &x, shape[2]);
                let quirk = "Fractions rounded to 1/1024 as in TensorFlow's table; exact here.";
                operation.golden_with_quirk(&case, "y", &y, tolerance, quirk);
            } else {
                let plan = Resample::new(shape[1], n_out, how, end);
                operation.golden(&case, "y", &resample_clips(&plan, &x, shape[2]), tolerance);
            }
        }
        for (case, method, n_out, every) in [
            ("d1", "linear", 36, 1),
            ("d2", "window", 36, 1),
            ("d4", "linear", 36, 1),
            ("big", "linear", 64_000, 97),
            ("bigw", "window", 64_000, 97),
            ("big125", "linear", 1000, 1),
            ("f1001", "linear", 1000, 1),
        ] {
            if method != name {
                continue;
            }
            let (x, shape) = Golden::open("resample").array(&format!("{case}.in.x"));
            let (n_in, n_channels) = match shape[..] {
                [n_in] | [_, n_in] => (n_in, 1),
                _ => (shape[1], shape[2..].iter().product()),
            };
            let plan = Resample::new(n_in, n_out, how, Endpoint::Held);
            let y = resample_clips(&plan, &x, n_channels);
            let y: Vec<f32> = y.chunks(n_channels).step_by(every).flatten().copied().collect();
            // The step 1001 / 1000 has no short binary form: in f32 it puts the last of a thousand
            // positions off by 1e-4 of the way between two frames, which are up to 5 apart. The other
            // steps are powers of two.
            let tolerance = Tolerance::absolute(if case == "f1001" { 5e-4 } else { 6e-6 });
            operation.golden(&format!("resample/{case}"), "y", &y, tolerance);
        }
        for end in [Endpoint::Held, Endpoint::Last] {
            for (n_in, n_out, n_channels) in
                [(4, 20, 3), (5, 13, 1), (9, 4, 2), (1, 7, 2), (3, 1, 1)]
            {
                let x = pseudo_random(3, n_in * n_channels);
                let plan = Resample::new(n_in, n_out, how, end);
                let mut expected = vec![0.0; n_out * n_channels];
                oracle(&widen(&x), n_channels, (how, end), &mut expected);
                let mut y = vec![f32::NAN; expected.len()];
                plan.forward(&x, n_channels, &mut y);
                // Four weights of up to 1.1 and their products round at 2^-24.
                operation.oracle("values", &y, &expected, Tolerance::absolute(1e-6));
                for scale in [1.0, 1e-9, 1e9, 0.0] {
                    let x: Vec<f32> = x.iter().map(|x| scale * x).collect();
                    operation.gradient(
                        "frames",
                        &x,
                        y.len(),
                        1e-2 * f64::from(scale).max(1e-9),
                        |x, y| oracle(x, n_channels, (how, end), y),
                        |_, grad_y, grad_x| plan.backward(grad_y, n_channels, grad_x),
                    );
                }
            }
        }
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn the_synthesizers_weights_are_those_of_the_plan() {
    for (how, weight) in [
        (Interpolation::Linear, linear_weight as fn(usize, usize) -> f32),
        (Interpolation::Window, window_weight),
    ] {
        let plan = Resample::new(2, 20, how, Endpoint::Held);
        let mut y = vec![f32::NAN; 20];
        plan.forward(&[0.0, 1.0], 1, &mut y);
        let expected: Vec<f64> =
            (0..20).map(|i| if i < 10 { f64::from(weight(i, 10)) } else { 1.0 }).collect();
        assert_close("weights", &y, &expected, 6e-8);
    }
}

#[test]
fn nan_stays_where_it_counts_and_nothing_else_suffers() {
    let x = [1.0, f32::NAN, 3.0, f32::INFINITY];
    for (_, how) in METHODS {
        let mut y = [0.0; 16];
        Resample::new(4, 16, how, Endpoint::Held).forward(&x, 1, &mut y);
        assert!(y[4].is_nan(), "{how:?}: the frame itself: {y:?}");
        assert_eq!(y[0], 1.0, "{how:?}: the frame before: {y:?}");
    }
}

#[test]
#[should_panic(expected = "Resample: 31 values out for 30 frames of 1 channels")]
fn a_wrong_length_names_both() {
    Resample::new(10, 30, Interpolation::Linear, Endpoint::Held).forward(
        &[0.0; 10],
        1,
        &mut [0.0; 31],
    );
}

#[test]
#[should_panic(expected = "no frame for 3 values")]
fn nothing_cannot_become_something() {
    Resample::new(0, 3, Interpolation::Linear, Endpoint::Held);
}
