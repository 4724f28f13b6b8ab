use std::f64::consts::TAU;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

/// A few roundings of an average of magnitudes, here and in the reference.
fn tolerance() -> Tolerance {
    Tolerance::of_peak(5e-7)
}

const QUIRK: &str = "A window shorter than the response has its halves out of place, as the \
                     reference's: `FilterAlignment::Reference`";

/// The formula of [`FrequencyFilter`]'s documentation, in f64, centred.
pub(crate) fn oracle(magnitudes: &[f64], n_bands: usize, window_len: usize, h: &mut [f64]) {
    let n = 2 * (n_bands - 1);
    let (ir_len, centre, len) = centred(n, window_len);
    for (h, magnitudes) in h.chunks_mut(ir_len).zip(magnitudes.chunks(n_bands)) {
        for (t, h) in h.iter_mut().enumerate() {
            let d = t as f64 - centre as f64;
            let window = 0.5 + 0.5 * (TAU * d / len as f64).cos();
            let sum: f64 = (0..n_bands)
                .map(|m| {
                    let pair = if m == 0 || m == n_bands - 1 { 1.0 } else { 2.0 };
                    pair * magnitudes[m] * (TAU * m as f64 * d / n as f64).cos()
                })
                .sum();
            *h = window / n as f64 * sum;
        }
    }
}

/// Taps, centre and length of a centred window on a response of `n` samples.
pub(crate) fn centred(n: usize, window_len: usize) -> (usize, usize, usize) {
    if window_len == 0 || window_len >= n {
        (n, n / 2, n)
    } else {
        (2 * ((window_len - 1) / 2) + 1, (window_len - 1) / 2, window_len)
    }
}

/// Whole and shortened responses, of odd and of even windows; the shortest of all.
const DESIGNS: [(usize, usize); 7] = [(45, 0), (9, 7), (9, 8), (9, 1), (2, 0), (3, 2), (6, 10)];

pub(crate) fn agreement(report: &mut Report) {
    compare_windows(report);
    let operation = report.operation("FrequencyFilter");
    let mut golden = Golden::open("filters");
    for n_bands in [5, 16, 65] {
        let magnitudes = golden.values(&format!("mag{n_bands}.in.x"));
        for window_len in [0, 1, 7, 8, 33, 64, 129, 257] {
            let case = format!("filters/frequency_impulse_response_{n_bands}_w{window_len}");
            let alignment = alignment(2 * (n_bands - 1), window_len);
            let mut filter = FrequencyFilter::new(n_bands, window_len, alignment);
            let mut responses = vec![f32::NAN; magnitudes.len() / n_bands * filter.ir_len()];
            filter.forward(&magnitudes, &mut responses);
            compare(operation, &case, &responses, tolerance(), alignment);
        }
    }
    for (n_bands, window_len) in DESIGNS {
        for (n_frames, scale) in [(3, 1.0), (1, 1.0), (2, 0.0), (2, 1e-40), (2, 1e-9), (2, 1e9)] {
            let plain = pseudo_random(1, n_frames * n_bands);
            let magnitudes: Vec<f32> = plain.iter().map(|m| scale * m).collect();
            let mut filter = FrequencyFilter::new(n_bands, window_len, FilterAlignment::Centred);
            let n_taps = n_frames * filter.ir_len();
            let (mut responses, mut expected) = (vec![f32::NAN; n_taps], vec![0.0; n_taps]);
            filter.forward(&magnitudes, &mut responses);
            oracle(&widen(&magnitudes), n_bands, window_len, &mut expected);
            let what = format!("{n_bands} bands, window {window_len}, scale {scale:e}");
            // Numbers below the normal ones keep few digits.
            if scale != 1e-40 {
                operation.oracle(&what, &responses, &expected, tolerance());
            }
            let step = if scale < 1e-20 { 1e-2 } else { 1e-2 * f64::from(scale) };
            let forward = |x: &[f64], y: &mut [f64]| oracle(x, n_bands, window_len, y);
            operation.gradient("magnitudes", &magnitudes, n_taps, step, forward, |_, g, grad| {
                FrequencyFilter::new(n_bands, window_len, FilterAlignment::Centred)
                    .backward(g, grad);
            });
        }
    }
}

/// The whole of a response is the reference's as it is; a shorter window is put together otherwise
/// there.
fn alignment(n: usize, window_len: usize) -> FilterAlignment {
    if window_len == 0 || window_len >= n {
        FilterAlignment::Centred
    } else {
        FilterAlignment::Reference
    }
}

fn compare(
    operation: &mut Operation,
    case: &str,
    actual: &[f32],
    tolerance: Tolerance,
    alignment: FilterAlignment,
) {
    match alignment {
        FilterAlignment::Centred => operation.golden(case, "y", actual, tolerance),
        FilterAlignment::Reference => {
            operation.golden_with_quirk(case, "y", actual, tolerance, QUIRK);
        }
    }
}

fn compare_windows(report: &mut Report) {
    let operation = report.operation("ResponseWindow");
    let responses = Golden::open("filters").values("window_ir.in.x");
    for window_len in [0, 16, 17, 63, 64, 100] {
        for (name, form) in [("0", ResponseForm::ZeroPhase), ("1", ResponseForm::Causal)] {
            let case = format!("filters/apply_window_{window_len}_{name}");
            let alignment = alignment(64, window_len);
            let window = ResponseWindow::new(64, window_len, alignment);
            let mut windowed = vec![f32::NAN; responses.len() / 64 * window.ir_len()];
            for (x, h) in responses.chunks(64).zip(windowed.chunks_mut(window.ir_len())) {
                window.forward(x, form, h);
            }
            // The window's rounding, relative to its crest, and that of a product.
            compare(operation, &case, &windowed, Tolerance::of_peak(3e-7), alignment);
        }
    }
    for (n, window_len, alignment) in [
        (64, 17, FilterAlignment::Centred),
        (64, 16, FilterAlignment::Centred),
        (64, 0, FilterAlignment::Centred),
        (9, 0, FilterAlignment::Centred),
        (9, 5, FilterAlignment::Centred),
        (1, 0, FilterAlignment::Centred),
        (64, 17, FilterAlignment::Reference),
        (64, 63, FilterAlignment::Reference),
    ] {
        let window = ResponseWindow::new(n, window_len, alignment);
        for form in [ResponseForm::ZeroPhase, ResponseForm::Causal] {
            let x = pseudo_random(2, n);
            let mut windowed = vec![f32::NAN; window.ir_len()];
            window.forward(&x, form, &mut windowed);
            let mut expected = vec![0.0; window.ir_len()];
            let apply = |x: &[f64], y: &mut [f64]| apply_window(x, window_len, alignment, form, y);
            apply(&widen(&x), &mut expected);
            let what = format!("{n}, window {window_len}, {alignment:?}, {form:?}");
            operation.oracle(&what, &windowed, &expected, Tolerance::of_peak(2e-7));
            operation.gradient("response", &x, window.ir_len(), 1e-2, apply, |_, g, grad| {
                window.backward(g, form, grad);
            });
        }
    }
}

/// The definition of [`ResponseWindow`] in f64. The reference's: the second half of the window is put
/// at the beginning of zeros and the first at the end, that is multiplied with the response whose
/// peak is first, and two pieces are read of the product.
fn apply_window(
    x: &[f64],
    window_len: usize,
    alignment: FilterAlignment,
    form: ResponseForm,
    y: &mut [f64],
) {
    let n = x.len();
    let zero_phase = |i: usize| match form {
        ResponseForm::ZeroPhase => x[i % n],
        ResponseForm::Causal => x[(i + n / 2) % n],
    };
    let (ir_len, centre, len) = centred(n, window_len);
    if alignment == FilterAlignment::Centred || len == n {
        assert_eq!(y.len(), ir_len, "taps");
        for (t, y) in y.iter_mut().enumerate() {
            let d = t as f64 - centre as f64;
            *y = (0.5 + 0.5 * (TAU * d / len as f64).cos()) * zero_phase(t + n - centre);
        }
        return;
    }
    let half = window_len.div_ceil(2);
    let hann = |i: usize| {
        let period = (window_len - window_len % 2) as f64;
        if window_len == 1 { 1.0 } else { 0.5 - 0.5 * (TAU * i as f64 / period).cos() }
    };
    let mut window: Vec<f64> = (half..window_len).map(hann).collect();
    window.resize(n - half, 0.0);
    window.extend((0..half).map(hann));
    let product: Vec<f64> = (0..n).map(|i| window[i] * zero_phase(i)).collect();
    let pieces = product.iter().skip(n - half + 2).chain(&product[..half + 1]);
    assert_eq!(pieces.clone().count(), y.len(), "taps");
    y.iter_mut().zip(pieces).for_each(|(y, p)| *y = *p);
}

#[test]
fn they_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}

#[test]
fn every_window_of_the_reference_is_reproduced() {
    for n in [8, 30] {
        for window_len in 1..=n + 1 {
            let window = ResponseWindow::new(n, window_len, FilterAlignment::Reference);
            let x = pseudo_random(3, n);
            let (mut y, mut expected) =
                (vec![f32::NAN; window.ir_len()], vec![0.0; window.ir_len()]);
            for form in [ResponseForm::ZeroPhase, ResponseForm::Causal] {
                window.forward(&x, form, &mut y);
                let alignment = FilterAlignment::Reference;
                apply_window(&widen(&x), window_len, alignment, form, &mut expected);
                for (t, (y, e)) in y.iter().zip(&expected).enumerate() {
                    let error = (f64::from(*y) - e).abs();
                    assert!(error <= 2e-7, "{n}, window {window_len}, {form:?}[{t}]: {y}, not {e}");
                }
            }
        }
    }
}

#[test]
fn flat_magnitudes_are_the_identity() {
    for (n_bands, window_len, ir_len) in
        [(65, 0, 128), (45, 0, 88), (65, 257, 128), (65, 33, 33), (65, 64, 63), (65, 1, 1)]
    {
        let mut filter = FrequencyFilter::new(n_bands, window_len, FilterAlignment::Centred);
        assert_eq!(filter.ir_len(), ir_len, "{n_bands} bands, window {window_len}");
        let mut response = vec![f32::NAN; ir_len];
        filter.forward(&vec![1.0; n_bands], &mut response);
        for (t, h) in response.iter().enumerate() {
            let expected = if t == filter.delay() { 1.0 } else { 0.0 };
            assert!((h - expected).abs() <= 2e-7, "{window_len} [{t}]: {h}");
        }
    }
}

#[test]
fn scratch_does_not_matter_and_it_is_linear() {
    for (n_bands, window_len) in DESIGNS {
        let mut filter = FrequencyFilter::new(n_bands, window_len, FilterAlignment::Centred);
        let magnitudes = pseudo_random(4, n_bands);
        let twice: Vec<f32> = magnitudes.iter().map(|m| 2.0 * m).collect();
        let mut once = vec![f32::NAN; filter.ir_len()];
        let mut other = once.clone();
        filter.forward(&magnitudes, &mut once);
        filter.backward(&once, &mut vec![0.0; n_bands]);
        filter.forward(&twice, &mut other);
        let expected: Vec<f32> = once.iter().map(|h| 2.0 * h).collect();
        assert_eq!(other, expected, "{n_bands} bands, window {window_len}");
    }
}

#[test]
fn a_number_that_is_none_is_passed_on() {
    let mut filter = FrequencyFilter::new(5, 0, FilterAlignment::Centred);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut responses = [0.0; 16];
        let mut magnitudes = [1.0; 10];
        magnitudes[2] = bad;
        filter.forward(&magnitudes, &mut responses);
        assert!(responses[4].is_nan() || responses[4].is_infinite(), "{responses:?}");
        assert!(responses[8..].iter().all(|h| h.is_finite()), "another frame: {responses:?}");
    }
}

#[test]
#[should_panic(expected = "11 magnitudes of 5 bands for 16 taps of responses of 8")]
fn a_wrong_length_names_both() {
    FrequencyFilter::new(5, 0, FilterAlignment::Centred).forward(&[0.0; 11], &mut [0.0; 16]);
}

#[test]
#[should_panic(expected = "a response of 63 samples for 17 taps, not 64 for 17")]
fn a_response_of_another_length_is_refused() {
    let window = ResponseWindow::new(64, 17, FilterAlignment::Centred);
    window.forward(&[0.0; 63], ResponseForm::Causal, &mut [0.0; 17]);
}

#[test]
#[should_panic(expected = "no reference for 9 samples")]
fn the_reference_has_no_odd_responses() {
    let _ = ResponseWindow::new(9, 5, FilterAlignment::Reference);
}
