use std::f64::consts::{PI, TAU};

use proptest::prelude::*;

use super::*;
use crate::FilterAlignment::{Centred, Reference};
use crate::agreement::{Operation, Report, Tolerance};
use crate::fft_convolve::laws::{assert_late, feed, pieces};
use crate::fft_convolve::tests as fft_convolve;
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

const QUIRK: &str = "Filters are a sample late, as the reference's: `FilterAlignment::Reference`";

fn naive_sinc(x: f64) -> f64 {
    match x {
        0.0 => 1.0,
        // The sine of a rounded multiple of pi is not quite 0.
        _ if x.fract() == 0.0 => 0.0,
        _ => (PI * x).sin() / (PI * x),
    }
}

/// The definition of [`SincResponse`], in f64, for a ratio.
fn naive_response(ratio: f64, high_pass: bool, h: &mut [f64]) {
    let half = h.len() / 2;
    for (t, h) in h.iter_mut().enumerate() {
        let d = t as f64 - half as f64;
        let window = 0.54 + 0.46 * (TAU * d / (2 * half).max(1) as f64).cos();
        *h = window * naive_sinc(ratio * d);
    }
    let sum: f64 = h.iter().sum();
    for (t, h) in h.iter_mut().enumerate() {
        let low = *h / sum.abs();
        *h = if high_pass { f64::from(u8::from(t == half)) - low } else { low };
    }
}

pub(crate) fn agreement(report: &mut Report) {
    compare_sinc(report.operation("sinc"));
    compare_response(report.operation("SincResponse"));
    compare_filter(report.operation("SincFilter"));
}

fn compare_sinc(operation: &mut Operation) {
    let x = Golden::open("filters").values("sinc.in.x");
    let mut y = vec![f32::NAN; x.len()];
    sinc(&x, &mut y);
    // The reference's sine of an f32 argument of up to a few turns.
    operation.golden("filters/sinc", "y", &y, Tolerance::absolute(3e-7));
    let points = [0.0, 1e-9, -1e-4, 0.019, -0.021, 0.5, 1.0, -2.0, 2.7, 1000.25, -1e-40];
    let mut y = [f32::NAN; 11];
    sinc(&points, &mut y);
    let expected = widen(&points).into_iter().map(naive_sinc).collect::<Vec<f64>>();
    operation.oracle("points", &y, &expected, Tolerance::relative(1e-7));
    for x in points.into_iter().chain([1e9]) {
        let naive = |x: &[f64], y: &mut [f64]| y[0] = naive_sinc(x[0]);
        if x.abs() > 1e-5 && x < 1e3 {
            operation.gradient("x", &[x], 1, 1e-4, naive, sinc_backward);
        }
    }
    // Next to 0 the derivative is -pi^2 x / 3; further on the difference that defines it is exact
    // enough.
    let points = [0.0, 1e-9, -1e-6, 0.011, -0.0199, 0.0201, 0.5];
    let mut grad = [0.0; 7];
    sinc_backward(&points, &[1.0; 7], &mut grad);
    let slope = |x: f64| match x {
        _ if x.abs() < 1e-5 => -PI * PI * x / 3.0,
        _ => ((PI * x).cos() - naive_sinc(x)) / x,
    };
    let expected = widen(&points).into_iter().map(slope).collect::<Vec<f64>>();
    operation.oracle("slope", &grad, &expected, Tolerance::relative(1e-7));
}

/// The cutoffs of the golden cases, `[2, 5]`.
fn cutoffs(golden: &mut Golden) -> Vec<f32> {
    golden.values("sinc_impulse_response_32_0.in.cutoff")
}

/// Of the largest tap: the reference's sines are of f32 arguments of up to 128 turns, rounded to
/// 5e-5 of a radian, where the response is a 400th of its peak.
fn tolerance() -> Tolerance {
    Tolerance::of_peak(1e-6)
}

fn compare_response(operation: &mut Operation) {
    let mut golden = Golden::open("filters");
    let ratio = CutoffUnit::NyquistRatio;
    let respond = |cutoff: &[f32], design: &mut SincResponse| {
        let mut taps = vec![f32::NAN; cutoff.len() * design.ir_len()];
        for (cutoff, taps) in cutoff.iter().zip(taps.chunks_mut(design.ir_len())) {
            design.forward(*cutoff, taps);
        }
        taps
    };
    let cutoff = cutoffs(&mut golden);
    for window_len in [32, 33, 512] {
        for (name, high_pass) in [("0", false), ("1", true)] {
            let case = format!("filters/sinc_impulse_response_{window_len}_{name}");
            let taps = respond(&cutoff, &mut SincResponse::new(window_len, ratio, high_pass));
            operation.golden(&case, "y", &taps, tolerance());
        }
    }
    let hz = golden.values("sinc_impulse_response_hz.in.cutoff");
    let unit = CutoffUnit::Hz { sample_rate: 16_000 };
    let taps = respond(&hz, &mut SincResponse::new(64, unit, false));
    operation.golden("filters/sinc_impulse_response_hz", "y", &taps, tolerance());
    for window_len in [0, 1, 2, 33, 512] {
        for high_pass in [false, true] {
            for cutoff in [0.0, 1e-9, 1e-4, 0.1, 0.5, 0.77, 1.0, 1.3, -0.2, 1e-40] {
                compare_one_response(operation, cutoff, window_len, high_pass);
            }
        }
    }
    compare_hz(operation);
    compare_low_cutoff(operation);
}

fn compare_one_response(operation: &mut Operation, cutoff: f32, window_len: usize, high: bool) {
    let mut design = SincResponse::new(window_len, CutoffUnit::NyquistRatio, high);
    let ir_len = design.ir_len();
    let (mut taps, mut expected) = (vec![f32::NAN; ir_len], vec![0.0; ir_len]);
    design.forward(cutoff, &mut taps);
    naive_response(f64::from(cutoff), high, &mut expected);
    let what = format!("{window_len} taps, cutoff {cutoff}, {high}");
    // One rounding.
    operation.oracle(&what, &taps, &expected, Tolerance::of_peak(1e-7));
    // Next to 0 the differences of the oracle are lost in rounding; at 0 they are exactly none.
    if cutoff == 0.0 || cutoff.abs() > 1e-5 {
        let naive = |x: &[f64], y: &mut [f64]| naive_response(x[0], high, y);
        let step = 1e-3 / ir_len as f64;
        operation.gradient("cutoff", &[cutoff], ir_len, step, naive, |x, g, grad| {
            let mut design = SincResponse::new(window_len, CutoffUnit::NyquistRatio, high);
            design.backward(x[0], g, &mut grad[0]);
        });
    }
}

fn compare_hz(operation: &mut Operation) {
    let unit = CutoffUnit::Hz { sample_rate: 48_000 };
    let naive = |x: &[f64], y: &mut [f64]| naive_response(x[0] / 24_000.0, false, y);
    operation.gradient("cutoff", &[1234.5], 65, 0.1, naive, |x, g, grad| {
        SincResponse::new(64, unit, false).backward(x[0], g, &mut grad[0]);
    });
}

/// With `s` the sum of the window, `dh(d)/dc = -pi^2 c / 3 w(d) (d^2 - sum_d w(d) d^2 / s) / s` for
/// small `c`.
fn compare_low_cutoff(operation: &mut Operation) {
    let window = |d: f64| 0.54 + 0.46 * (TAU * d / 64.0).cos();
    let ds = || (-32..=32).map(f64::from);
    let (sum, moment) = ds()
        .map(|d| (window(d), window(d) * d * d))
        .fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    for cutoff in [1e-9, 1e-6] {
        let expected: Vec<f64> = ds()
            .map(|d| -PI * PI * f64::from(cutoff) / 3.0 * window(d) * (d * d - moment / sum) / sum)
            .collect();
        let mut grad = vec![0.0; 65];
        for (t, grad) in grad.iter_mut().enumerate() {
            let mut g = [0.0; 65];
            g[t] = 1.0;
            let mut design = SincResponse::new(64, CutoffUnit::NyquistRatio, false);
            design.backward(cutoff, &g, grad);
        }
        operation.oracle("low cutoff", &grad, &expected, Tolerance::of_peak(1e-6));
    }
}

fn compare_filter(operation: &mut Operation) {
    let mut golden = Golden::open("filters");
    let (audio, cutoff) = (golden.values("audio.in.x"), cutoffs(&mut golden));
    for window_len in [32, 33, 512] {
        for (name, high_pass) in [("0", false), ("1", true)] {
            let design = SincResponse::new(window_len, CutoffUnit::NyquistRatio, high_pass);
            let mut filter = SincFilter::new(200, design, Reference);
            let mut output = vec![f32::NAN; 2000];
            for row in 0..2 {
                let samples = row * 1000..(row + 1) * 1000;
                let cutoff = &cutoff[row * 5..][..5];
                filter.forward(&audio[samples.clone()], cutoff, &mut output[samples]);
            }
            let case = format!("filters/sinc_filter_{window_len}_{name}");
            operation.golden_with_quirk(&case, "y", &output, Tolerance::of_peak(2e-6), QUIRK);
        }
    }
    // Whole frames and a part of one, one frame, one tap, a hop of one sample.
    for (n, hop, window_len) in [(95, 10, 32), (20, 20, 16), (20, 7, 0), (8, 1, 5)] {
        for high_pass in [false, true] {
            check_filter(operation, [n, hop, window_len], high_pass);
        }
    }
}

fn check_filter(operation: &mut Operation, [n, hop, window_len]: [usize; 3], high_pass: bool) {
    let design = SincResponse::new(window_len, CutoffUnit::NyquistRatio, high_pass);
    let ir_len = design.ir_len();
    let filter = || SincFilter::new(hop, design.clone(), Centred);
    let oracle = |audio: &[f64], cutoff: &[f64], output: &mut [f64]| {
        let mut responses = vec![0.0; cutoff.len() * ir_len];
        for (cutoff, response) in cutoff.iter().zip(responses.chunks_mut(ir_len)) {
            naive_response(*cutoff, high_pass, response);
        }
        fft_convolve::oracle(audio, &responses, [hop, ir_len, ir_len / 2], output);
    };
    let cutoff: Vec<f32> =
        pseudo_random(1, n.div_ceil(hop)).iter().map(|c| 0.5 + 0.4 * c).collect();
    for scale in [1.0, 0.0, 1e-40, 1e-9, 1e9] {
        let plain = pseudo_random(2, n);
        let audio: Vec<f32> = plain.iter().map(|x| scale * x).collect();
        if scale != 1e-40 {
            let (mut output, mut expected) = (vec![f32::NAN; n], vec![0.0; n]);
            filter().forward(&audio, &cutoff, &mut output);
            oracle(&widen(&audio), &widen(&cutoff), &mut expected);
            operation.oracle("filter", &output, &expected, fft_convolve::tolerance());
            let wide = widen(&audio);
            let of_cutoff = |x: &[f64], y: &mut [f64]| oracle(&wide, x, y);
            let step = 1e-3 / ir_len as f64;
            operation.gradient("cutoff", &cutoff, n, step, of_cutoff, |x, g, grad| {
                filter().backward(&audio, x, g, None, Some(grad));
            });
        }
        let wide = widen(&cutoff);
        let of_audio = |x: &[f64], y: &mut [f64]| oracle(x, &wide, y);
        let step = if scale < 1e-20 { 1e-2 } else { 1e-2 * f64::from(scale) };
        operation.gradient("audio", &audio, n, step, of_audio, |x, g, grad| {
            filter().backward(x, &cutoff, g, Some(grad), None);
        });
    }
}

#[test]
fn they_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// Any split gives the offline output, late by the latency, whatever was computed before.
    #[test]
    fn any_split_is_the_offline_output(
        hop in 1_usize..40,
        window_len in 0_usize..30,
        n_frames in 1_usize..12,
        lengths in prop::collection::vec(0_usize..60, 1..8),
        at_hops: bool,
    ) {
        prop_assume!(lengths.iter().any(|n| *n > 0));
        let n = n_frames * hop;
        let design = SincResponse::new(window_len, CutoffUnit::NyquistRatio, false);
        let mut filter = SincFilter::new(hop, design, Centred);
        let audio = pseudo_random(1, n);
        let cutoff: Vec<f32> = pseudo_random(2, n_frames).iter().map(|c| c.abs()).collect();
        let mut offline = vec![f32::NAN; n];
        filter.forward(&audio, &cutoff, &mut offline);
        let split = if at_hops { StreamSplit::AtHops } else { StreamSplit::Anywhere };
        let mut stream = filter.new_stream(split);
        let pieces = pieces(n, &lengths, if at_hops { hop } else { 1 });
        let output = feed(&mut stream, &audio, (&cutoff, 1), &pieces, |s, x, c, y| {
            filter.process(s, x, c, y);
        });
        assert_late(&output, &offline, stream.latency());
        let mut again = offline.clone();
        filter.forward(&audio, &cutoff, &mut again);
        prop_assert_eq!(offline, again);
    }
}

#[test]
fn a_low_pass_keeps_a_constant_and_a_high_pass_takes_it() {
    for (high_pass, expected) in [(false, 1.0), (true, 0.0)] {
        let design = SincResponse::new(32, CutoffUnit::Hz { sample_rate: 16_000 }, high_pass);
        let mut output = vec![f32::NAN; 200];
        let mut filter = SincFilter::new(20, design, Centred);
        filter.forward(&[1.0; 200], &[1000.0; 10], &mut output);
        for y in &output[16..184] {
            assert!((y - expected).abs() <= 1e-6, "high pass {high_pass}: {y}");
        }
    }
}

#[test]
fn silence_stays_silent_and_a_number_that_is_none_is_passed_on() {
    let design = SincResponse::new(8, CutoffUnit::NyquistRatio, false);
    let mut filter = SincFilter::new(10, design.clone(), Centred);
    let mut output = [f32::NAN; 40];
    filter.forward(&[0.0; 40], &[0.3; 4], &mut output);
    assert_eq!(output, [0.0; 40], "silence");
    for bad in [f32::NAN, f32::INFINITY] {
        filter.forward(&[1.0; 40], &[0.3, bad, 0.3, 0.3], &mut output);
        assert!(output[10..20].iter().all(|y| y.is_nan()), "{output:?}");
        assert!(output[..6].iter().chain(&output[24..]).all(|y| y.is_finite()), "{output:?}");
        let mut grad = [0.0; 4];
        filter.backward(&[1.0; 40], &[0.3, bad, 0.3, 0.3], &output, None, Some(&mut grad));
        assert!(grad[1].is_nan() && grad[3].is_finite(), "{grad:?}");
    }
    let mut y = [0.0; 3];
    sinc(&[f32::NAN, f32::INFINITY, f32::MAX], &mut y);
    assert!(y[0].is_nan(), "{y:?}");
    assert_eq!(y[1..], [0.0; 2], "the limit");
}

#[test]
#[should_panic(expected = "3 cutoffs for 40 samples at hop 10")]
fn a_wrong_length_names_both() {
    let design = SincResponse::new(8, CutoffUnit::NyquistRatio, false);
    SincFilter::new(10, design, Centred).forward(&[0.0; 40], &[0.5; 3], &mut [0.0; 40]);
}

#[test]
#[should_panic(expected = "SincResponse: 10 taps, not 9")]
fn a_response_of_another_length_is_refused() {
    SincResponse::new(8, CutoffUnit::NyquistRatio, false).forward(0.5, &mut [0.0; 10]);
}
