use proptest::prelude::*;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::stft::tests::{golden_clips, reference_stft};
use crate::testing::{pseudo_random, widen};

/// Magnitudes by their definition in `f64`.
pub(crate) fn reference_magnitudes(audio: &[f64], framing: Framing, fft_len: usize) -> Vec<f64> {
    let spectrum = reference_stft(audio, framing, fft_len);
    spectrum.chunks(2).map(|x| x[0].hypot(x[1])).collect()
}

/// `safe_log` in `f64`.
pub(crate) fn reference_log(x: f64) -> f64 {
    if x <= 0.0 { 1e-5_f64.ln() } else { x.ln() }
}

/// Shapes: window, transform and hop, samples, alignment; among them one frame and an odd number.
pub(crate) const SHAPES: [([usize; 3], usize, FrameAlignment); 4] = [
    ([16, 16, 4], 50, FrameAlignment::Start),
    ([16, 16, 16], 16, FrameAlignment::Start),
    ([24, 32, 10], 64, FrameAlignment::Within),
    ([9, 20, 7], 33, FrameAlignment::CentreToEnd),
];

/// Repeatable noise, the beginning of which is silent: some frames are, some in part.
pub(crate) fn half_silent(n_samples: usize) -> Vec<f32> {
    let mut audio = pseudo_random(5, n_samples);
    audio[..n_samples / 2].fill(0.0);
    audio
}

/// Scales of audio: ordinary ones, and those whose squares `f32` does not hold.
pub(crate) const GAINS: [f32; 5] = [1.0, 1e-9, 1e9, 1e-25, 1e25];

/// In logarithms of rows of magnitudes, takes from `expected` those that are rounding.
///
/// The rounding of a transform is up to 4e-7 of the loudest bin of its frame. Where both sides are
/// below 1e-4 of that (1e-5 stands for 0 and may be above), they say nothing of each other; above,
/// the logarithms agree to 4e-3.
pub(crate) fn without_rounding(actual: &mut [f32], expected: &[f32], row_len: usize) {
    for (actual, expected) in actual.chunks_mut(row_len).zip(expected.chunks(row_len)) {
        let peak = expected.iter().copied().fold(f32::MIN, f32::max);
        let least = (peak - 1e4_f32.ln()).max(1.01e-5_f32.ln());
        for (actual, expected) in actual.iter_mut().zip(expected) {
            if *actual < least && *expected < least {
                *actual = *expected;
            }
        }
    }
}

pub(crate) const ROUNDING_QUIRK: &str = "The first clip is a clean sum of sines. Between its \
    partials there is nothing but the rounding of the transform at hand, down to exact zeros, and \
    the logarithm shows it: values below 1e-4 of their frame's largest are taken from the reference";

fn forward(measure: &mut Magnitudes, audio: &[f32]) -> Vec<f32> {
    let mut magnitudes = vec![f32::NAN; measure.n_frames(audio.len()) * measure.n_bins()];
    measure.forward(audio, &mut magnitudes);
    magnitudes
}

fn forward_log(measure: &mut Magnitudes, audio: &[f32]) -> Vec<f32> {
    let mut logs = vec![f32::NAN; measure.n_frames(audio.len()) * measure.n_bins()];
    measure.forward_log(audio, &mut logs);
    logs
}

fn golden(magnitudes: &mut Operation) {
    for (case, fft_len) in [("mag_2048", 2048), ("mag_256", 256)] {
        let mut measure = Magnitudes::with_quarter_hop(fft_len);
        let actual: Vec<f32> =
            golden_clips().iter().flat_map(|audio| forward(&mut measure, audio)).collect();
        // As the spectrum they are made of.
        let tolerance = Tolerance::of_peak(4e-7);
        magnitudes.golden(&format!("spectral/{case}"), "y", &actual, tolerance);
    }
}

fn golden_log(logs: &mut Operation) {
    let mut measure = Magnitudes::with_quarter_hop(512);
    let [sines, noise] = golden_clips().map(|audio| forward_log(&mut measure, &audio));
    let expected = Golden::open("spectral").values("logmag.out.y");
    // Noise has no bin below 1e-3 of its frame's loudest: a rounding of 4e-7 of that.
    let tolerance = Tolerance::absolute(4e-4);
    logs.oracle("noise", &noise, &widen(&expected[sines.len()..]), tolerance);
    let mut actual = [sines, noise].concat();
    without_rounding(&mut actual, &expected, measure.n_bins());
    let tolerance = Tolerance::absolute(4e-3);
    logs.golden_with_quirk("spectral/logmag", "y", &actual, tolerance, ROUNDING_QUIRK);
}

/// Calls `check` with every shape, gain and instruction set, for noise and for half silence.
pub(crate) fn for_all_audio(mut check: impl FnMut(Framing, usize, Simd, &[f32], f32)) {
    for simd in Simd::all() {
        for ([window_len, fft_len, hop], n_samples, alignment) in SHAPES {
            let framing = Framing { window_len, hop, alignment };
            for gain in GAINS {
                for audio in [pseudo_random(3, n_samples), half_silent(n_samples)] {
                    let audio: Vec<f32> = audio.iter().map(|x| x * gain).collect();
                    check(framing, fft_len, simd, &audio, gain);
                }
            }
        }
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("magnitudes");
    golden(operation);
    for_all_audio(|framing, fft_len, simd, audio, gain| {
        let measure = || Magnitudes::new(framing, fft_len).with_simd(simd);
        let expected = reference_magnitudes(&widen(audio), framing, fft_len);
        let actual = forward(&mut measure(), audio);
        operation.oracle("magnitudes", &actual, &expected, Tolerance::of_peak(4e-7));
        operation.gradient(
            "audio",
            audio,
            expected.len(),
            1e-4 * f64::from(gain),
            |x, y| y.copy_from_slice(&reference_magnitudes(x, framing, fft_len)),
            |x, grad_y, grad_x| measure().backward(x, grad_y, grad_x),
        );
    });
    let operation = report.operation("log magnitudes");
    golden_log(operation);
    for_all_audio(|framing, fft_len, simd, audio, gain| {
        let measure = || Magnitudes::new(framing, fft_len).with_simd(simd);
        let reference = |x: &[f64]| {
            let magnitudes = reference_magnitudes(x, framing, fft_len);
            magnitudes.into_iter().map(reference_log).collect::<Vec<f64>>()
        };
        let expected = reference(&widen(audio));
        let actual = forward_log(&mut measure(), audio);
        // The faintest bin of this noise is 1e-3 of the loudest.
        operation.oracle("logarithms", &actual, &expected, Tolerance::absolute(4e-4));
        operation.gradient(
            "audio",
            audio,
            expected.len(),
            1e-5 * f64::from(gain),
            |x, y| y.copy_from_slice(&reference(x)),
            |x, grad_y, grad_x| measure().backward_log(x, grad_y, grad_x),
        );
    });
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    /// Any sizes; twice the audio has twice the magnitudes, bit for bit, and the same directions.
    #[test]
    fn magnitudes_are_the_definition_at_any_size_and_follow_the_level(
        window_len in 1_usize..40,
        padding in 0_usize..20,
        hop in 1_usize..50,
        n_samples in 0_usize..120,
        seed in 0_u64..1000,
    ) {
        let fft_len = (window_len + padding).next_multiple_of(2);
        let framing = Framing { window_len, hop, alignment: FrameAlignment::Centre };
        let audio = pseudo_random(seed, n_samples);
        let twice: Vec<f32> = audio.iter().map(|x| 2.0 * x).collect();
        let mut measure = Magnitudes::new(framing, fft_len);
        let [once, double] = [&audio, &twice].map(|x| forward(&mut measure, x));
        let expected = reference_magnitudes(&widen(&audio), framing, fft_len);
        for ((a, b), e) in once.iter().zip(&double).zip(expected) {
            prop_assert_eq!(2.0 * a, *b);
            // Of the loudest that a window of 40 samples can have.
            prop_assert!((f64::from(*a) - e).abs() <= 4e-7 * 20.0, "{} != {}", a, e);
        }
        let grad = pseudo_random(seed + 1, once.len());
        let [mut by_once, mut by_twice] = [vec![0.0; n_samples], vec![0.0; n_samples]];
        measure.backward(&audio, &grad, &mut by_once);
        measure.backward(&twice, &grad, &mut by_twice);
        for (a, b) in by_once.iter().zip(&by_twice) {
            prop_assert!((a - b).abs() <= 1e-5 * fft_len as f32, "{} != {}", a, b);
        }
    }
}

#[test]
fn no_value_is_refused_and_nan_stays() {
    for (value, is_finite) in [(f32::NAN, false), (f32::INFINITY, false), (1e-42, true)] {
        let mut audio = vec![0.0; 64];
        audio[20] = value;
        let mut measure = Magnitudes::with_quarter_hop(16);
        let all_finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
        assert_eq!(all_finite(&forward(&mut measure, &audio)), is_finite, "{value}");
        assert_eq!(all_finite(&forward_log(&mut measure, &audio)), is_finite, "ln {value}");
        let grad = vec![1.0; measure.n_frames(64) * measure.n_bins()];
        let [mut by_magnitudes, mut by_logs] = [vec![0.0; 64], vec![0.0; 64]];
        measure.backward(&audio, &grad, &mut by_magnitudes);
        measure.backward_log(&audio, &grad, &mut by_logs);
        assert_eq!(all_finite(&by_magnitudes), is_finite, "gradient at {value}");
        assert_eq!(all_finite(&by_logs), is_finite, "gradient of ln {value}");
    }
}

#[test]
fn silence_has_no_magnitude_and_no_gradient() {
    let mut measure = Magnitudes::with_quarter_hop(16);
    assert!(forward(&mut measure, &[0.0; 64]).iter().all(|&x| x == 0.0), "magnitudes");
    let floor = 1e-5_f32.ln();
    let logs = forward_log(&mut measure, &[0.0; 64]);
    assert!(logs.iter().all(|&x| (x - floor).abs() <= 1e-6), "their logarithms");
    let mut grad_audio = vec![0.0; 64];
    let grad = vec![1.0; logs.len()];
    measure.backward(&[0.0; 64], &grad, &mut grad_audio);
    measure.backward_log(&[0.0; 64], &grad, &mut grad_audio);
    assert_eq!(grad_audio, [0.0; 64], "an exact 0 has no slope");
}

#[test]
fn what_was_measured_before_does_not_matter() {
    let audio = pseudo_random(1, 75);
    let mut measure = Magnitudes::with_quarter_hop(16);
    let grad = pseudo_random(2, measure.n_frames(75) * measure.n_bins());
    let mut fresh = vec![0.0; 75];
    let once = forward(&mut measure, &audio);
    measure.backward(&audio, &grad, &mut fresh);
    let louder: Vec<f32> = audio.iter().map(|x| 1e9 * x).collect();
    measure.backward(&louder, &grad, &mut [0.0; 75]);
    let mut again = vec![0.0; 75];
    measure.backward(&audio, &grad, &mut again);
    assert_eq!((once, fresh), (forward(&mut measure, &audio), again), "dirty scratch");
}

#[test]
#[should_panic(expected = "magnitudes: 9 values where 20 samples of audio need [5, 9]")]
fn a_wrong_length_is_named() {
    Magnitudes::with_quarter_hop(16).forward(&[0.0; 20], &mut [0.0; 9]);
}

#[test]
#[should_panic(expected = "19 samples of grad_audio for 20")]
fn a_wrong_gradient_is_named() {
    Magnitudes::with_quarter_hop(16).backward(&[0.0; 20], &[0.0; 45], &mut [0.0; 19]);
}
