use proptest::prelude::*;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::simd::Simd;
use crate::testing::{pseudo_random, widen};

const ALIGNMENTS: [FrameAlignment; 5] = [
    FrameAlignment::Start,
    FrameAlignment::Within,
    FrameAlignment::Centre,
    FrameAlignment::Grid,
    FrameAlignment::CentreToEnd,
];

/// The two clips of 4000 samples that the spectral golden cases are made of.
pub(crate) fn golden_clips() -> [Vec<f32>; 2] {
    let audio = Golden::open("spectral").values("audio.in.x");
    [audio[..4000].to_vec(), audio[4000..].to_vec()]
}

/// `e^(-2 pi j n / len)` for all `n`.
fn turns(len: usize) -> Vec<[f64; 2]> {
    let turn = -std::f64::consts::TAU / len as f64;
    (0..len).map(|n| [(turn * n as f64).cos(), (turn * n as f64).sin()]).collect()
}

/// The periodic Hann window in `f64`.
fn exact_hann(len: usize) -> Vec<f64> {
    turns(len).iter().map(|[cos, _]| 0.5 - 0.5 * cos).collect()
}

/// The transform by its definition in `f64`: real and imaginary part of each bin in turn.
pub(crate) fn reference_stft(audio: &[f64], framing: Framing, fft_len: usize) -> Vec<f64> {
    let (turns, window) = (turns(fft_len), exact_hann(framing.window_len));
    let mut spectrum = Vec::new();
    for i in 0..framing.n_frames(audio.len()) {
        let sample = |n: usize| {
            let at = (i * framing.hop + n).checked_sub(framing.lead());
            at.and_then(|t| audio.get(t)).copied().unwrap_or(0.0)
        };
        let frame: Vec<f64> = window.iter().enumerate().map(|(n, w)| w * sample(n)).collect();
        for k in 0..=fft_len / 2 {
            let term = |(n, x): (usize, &f64)| turns[k * n % fft_len].map(|part| x * part);
            let sum = frame.iter().enumerate().map(term);
            spectrum.extend(sum.fold([0.0, 0.0], |[re, im], x| [re + x[0], im + x[1]]));
        }
    }
    spectrum
}

/// The overlap-add of [`InverseStft`] by its definition in `f64`, with its floor of coverage.
fn reference_inverse(
    spectrum: &[f64],
    framing: Framing,
    fft_len: usize,
    n_samples: usize,
) -> Vec<f64> {
    let (turns, window) = (turns(fft_len), exact_hann(framing.window_len));
    let n_bins = fft_len / 2 + 1;
    let (mut sums, mut coverage) = (vec![0.0; n_samples], vec![0.0_f64; n_samples]);
    for i in 0..framing.n_frames(n_samples) {
        let row = &spectrum[2 * n_bins * i..2 * n_bins * (i + 1)];
        for (n, w) in window.iter().enumerate() {
            let Some(t) = (i * framing.hop + n).checked_sub(framing.lead()) else { continue };
            let Some(sum) = sums.get_mut(t) else { continue };
            for k in 0..n_bins {
                let [cos, minus_sin] = turns[k * n % fft_len];
                let both = if k == 0 || k == n_bins - 1 { 1.0 } else { 2.0 };
                let (re, im) = (row[2 * k], row[2 * k + 1]);
                // The sine of bin 0 is 0 everywhere, that of Nyquist too but for rounding.
                let im = if both == 1.0 { 0.0 } else { im };
                *sum += w * both / fft_len as f64 * (re * cos + im * minus_sin);
            }
            coverage[t] += w * w;
        }
    }
    let least = 1e-6 * coverage.iter().copied().fold(0.0, f64::max);
    let normed = |(sum, c): (&f64, &f64)| if *c == 0.0 { 0.0 } else { sum / c.max(least) };
    sums.iter().zip(&coverage).map(normed).collect()
}

fn flatten(spectrum: &[Complex32]) -> Vec<f32> {
    spectrum.iter().flat_map(|x| [x.re, x.im]).collect()
}

fn unflatten(parts: &[f32]) -> Vec<Complex32> {
    parts.chunks(2).map(|x| Complex32::new(x[0], x[1])).collect()
}

fn forward(stft: &mut Stft, audio: &[f32]) -> Vec<Complex32> {
    let n_values = stft.n_frames(audio.len()) * stft.n_bins();
    let mut spectrum = vec![Complex32::new(f32::NAN, 7.0); n_values];
    stft.forward(audio, &mut spectrum);
    spectrum
}

fn with_simd(framing: Framing, fft_len: usize, simd: Simd) -> Stft {
    let Framing { window_len, hop, alignment } = framing;
    let mut stft = Stft::new(window_len, fft_len, hop, alignment);
    stft.frames.set_simd(simd);
    stft
}

/// Rounding of an FFT grows with the root of the number of passes, at most eleven here: 4e-7 of the
/// loudest bin for both sides is a factor of two above what was seen.
const ROUNDING: f64 = 4e-7;

/// Windows, transforms and hops of all kinds, with lengths of one frame, an odd number, none whole.
const SIZES: [([usize; 3], usize); 6] = [
    ([16, 16, 4], 50),
    ([12, 16, 5], 31),
    ([32, 32, 3], 7),
    ([7, 10, 7], 64),
    ([16, 16, 16], 16),
    ([9, 32, 20], 90),
];

fn golden(operation: &mut Operation) {
    for (case, [window_len, fft_len, hop], alignment, stride) in [
        ("stft_64", [64, 64, 16], FrameAlignment::Start, 8),
        ("stft_512", [512, 512, 128], FrameAlignment::Start, 1),
        ("stft_2048", [2048, 2048, 512], FrameAlignment::Start, 1),
        ("stft_500", [500, 512, 125], FrameAlignment::Within, 1),
        ("stft_np_512", [512, 512, 128], FrameAlignment::Start, 1),
    ] {
        let mut stft = Stft::new(window_len, fft_len, hop, alignment);
        let mut rows = Vec::new();
        for clip in golden_clips() {
            let spectrum = forward(&mut stft, &clip);
            rows.extend(spectrum.chunks(stft.n_bins()).step_by(stride).flatten().copied());
        }
        let part = |f: fn(&Complex32) -> f32| rows.iter().map(f).collect::<Vec<f32>>();
        for (output, values) in [("re", part(|x| x.re)), ("im", part(|x| x.im))] {
            let tolerance = Tolerance::of_peak(ROUNDING);
            operation.golden(&format!("spectral/{case}"), output, &values, tolerance);
        }
    }
}

/// Calls `check` with all sizes, alignments and instruction sets: framing, `fft_len`, `n_samples`.
fn for_all_shapes(mut check: impl FnMut(Framing, usize, usize, Simd)) {
    for simd in Simd::all() {
        for ([window_len, fft_len, hop], n_samples) in SIZES {
            for alignment in ALIGNMENTS {
                let framing = Framing { window_len, hop, alignment };
                if framing.n_frames(n_samples) > 0 {
                    check(framing, fft_len, n_samples, simd);
                }
            }
        }
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("stft");
    golden(operation);
    for_all_shapes(|framing, fft_len, n_samples, simd| {
        let audio = pseudo_random(1, n_samples);
        let stft = || with_simd(framing, fft_len, simd);
        let actual = flatten(&forward(&mut stft(), &audio));
        let expected = reference_stft(&widen(&audio), framing, fft_len);
        operation.oracle("spectrum", &actual, &expected, Tolerance::of_peak(ROUNDING));
        // Linear: any step tells the same, at any scale.
        operation.gradient(
            "audio",
            &audio,
            expected.len(),
            1e-2,
            |x, y| y.copy_from_slice(&reference_stft(x, framing, fft_len)),
            |_, grad_y, grad_x| stft().backward(&unflatten(grad_y), grad_x),
        );
    });
    inverse_agreement(report.operation("istft"));
}

fn inverse_agreement(operation: &mut Operation) {
    for_all_shapes(|framing, fft_len, n_samples, simd| {
        let inverse = || {
            let mut inverse = InverseStft::new(framing, fft_len, n_samples);
            inverse.frames.set_simd(simd);
            inverse
        };
        let n_values = 2 * inverse().n_frames() * inverse().n_bins();
        let spectrum = pseudo_random(2, n_values);
        let mut audio = vec![f32::NAN; n_samples];
        inverse().forward(&unflatten(&spectrum), &mut audio);
        let expected = reference_inverse(&widen(&spectrum), framing, fft_len, n_samples);
        // The norm is up to a thousand times larger where a window just begins than in its middle,
        // and so is the rounding of the frame it multiplies: relative to the largest sample, which
        // is there, the usual.
        operation.oracle("audio", &audio, &expected, Tolerance::of_peak(ROUNDING));
        operation.gradient(
            "spectrum",
            &spectrum,
            n_samples,
            1e-2,
            |x, y| y.copy_from_slice(&reference_inverse(x, framing, fft_len, n_samples)),
            |_, grad_y, grad_x| {
                let mut grad = unflatten(grad_x);
                inverse().backward(grad_y, &mut grad);
                grad_x.copy_from_slice(&flatten(&grad));
            },
        );
    });
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

/// The golden transforms return to the golden audio where windows cover it.
#[test]
fn the_inverse_of_the_reference_s_spectra_is_its_audio() {
    for (case, [window_len, fft_len, hop], alignment, whole) in [
        ("stft_512", [512, 512, 128], FrameAlignment::Start, 16..4000),
        // The last frame ends at sample 4000: 28 * 125 + 500.
        ("stft_500", [500, 512, 125], FrameAlignment::Within, 16..3984),
    ] {
        let mut golden = Golden::open("spectral");
        let [re, im] = ["re", "im"].map(|part| golden.values(&format!("{case}.out.{part}")));
        let spectrum: Vec<Complex32> =
            re.iter().zip(&im).map(|(&re, &im)| Complex32::new(re, im)).collect();
        let framing = Framing { window_len, hop, alignment };
        let mut inverse = InverseStft::new(framing, fft_len, 4000);
        for (clip, spectrum) in golden_clips().iter().zip(spectrum.chunks(spectrum.len() / 2)) {
            let mut audio = vec![f32::NAN; 4000];
            inverse.forward(spectrum, &mut audio);
            for t in whole.clone() {
                // A thirtieth of the window from the edge, the window is 0.01: the rounding of a
                // frame's samples (of 257 bins, each to 2e-7 of 38, over 512) grows by 100.
                let error = (audio[t] - clip[t]).abs();
                assert!(error <= 4e-5, "{case}, sample {t}: {} != {}", audio[t], clip[t]);
            }
            assert_eq!(audio[0], 0.0, "no window reaches the first sample");
        }
    }
}

/// Where the first window just begins, the sound fades in as documented, whatever the rounding.
#[test]
fn the_inverse_fades_in_where_coverage_begins() {
    let framing = Framing { window_len: 2048, hop: 512, alignment: FrameAlignment::Start };
    let audio = pseudo_random(1, 4096);
    let spectrum = forward(&mut Stft::with_quarter_hop(2048), &audio);
    let mut back = vec![f32::NAN; 4096];
    InverseStft::new(framing, 2048, 4096).forward(&spectrum, &mut back);
    let window = exact_hann(2048);
    for t in 0..40 {
        // Four windows overlap in the middle: the sum of their squares is 3/2.
        let coverage = window[t] * window[t] / 1.5e-6;
        let expected = f64::from(audio[t]) * coverage.min(1.0);
        let error = (f64::from(back[t]) - expected).abs();
        // The rounding of a frame over the root of the least coverage.
        assert!(error <= 2e-4, "sample {t}: {} != {expected}", back[t]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// Whatever was transformed before, the same audio has the same spectrum, and the inverse
    /// returns to it wherever it is covered.
    #[test]
    fn a_transform_returns_to_its_audio(
        window_len in 6_usize..60,
        padding in 0_usize..20,
        overlap in 3_usize..6,
        n_samples in 1_usize..200,
        seed in 0_u64..1000,
    ) {
        let hop = window_len / overlap;
        let fft_len = (window_len + padding).next_multiple_of(2);
        let audio = pseudo_random(seed, n_samples);
        for alignment in [FrameAlignment::Centre, FrameAlignment::CentreToEnd] {
            let framing = Framing { window_len, hop, alignment };
            let mut stft = Stft::new(window_len, fft_len, hop, alignment);
            let once = forward(&mut stft, &audio);
            forward(&mut stft, &pseudo_random(seed + 1, 2 * n_samples + 7));
            let spectrum = forward(&mut stft, &audio);
            prop_assert_eq!(&spectrum, &once);
            let mut inverse = InverseStft::new(framing, fft_len, n_samples);
            let mut back = vec![f32::NAN; n_samples];
            inverse.forward(&spectrum, &mut back);
            // A third of a window from its centre the window is 1/4.
            for (t, (a, b)) in audio.iter().zip(&back).enumerate() {
                prop_assert!((a - b).abs() <= 2e-6, "{:?}, sample {}: {} != {}", framing, t, a, b);
            }
        }
    }

    /// Twice the audio has twice the spectrum bit for bit, silence none; and the same way back.
    #[test]
    fn both_ways_are_linear(n_samples in 1_usize..200, seed in 0_u64..1000) {
        let framing = Framing { window_len: 20, hop: 7, alignment: FrameAlignment::Centre };
        let mut stft = Stft::new(20, 24, 7, FrameAlignment::Centre);
        let audio = pseudo_random(seed, n_samples);
        let twice: Vec<f32> = audio.iter().map(|x| 2.0 * x).collect();
        let (once, twice) = (forward(&mut stft, &audio), forward(&mut stft, &twice));
        for (a, b) in once.iter().zip(&twice) {
            prop_assert_eq!(2.0 * a, *b);
        }
        let silence = forward(&mut stft, &vec![0.0; n_samples]);
        prop_assert!(silence.iter().all(|x| *x == Complex32::ZERO), "silence in, silence out");
        let mut inverse = InverseStft::new(framing, 24, n_samples);
        let mut back = [vec![f32::NAN; n_samples], vec![f32::NAN; n_samples]];
        inverse.forward(&once, &mut back[0]);
        inverse.forward(&twice, &mut back[1]);
        for (a, b) in back[0].iter().zip(&back[1]) {
            prop_assert_eq!(2.0 * a, *b);
        }
    }
}

#[test]
fn no_value_is_refused_and_nan_stays() {
    for value in [f32::NAN, f32::INFINITY, 1e-42] {
        let mut audio = pseudo_random(1, 64);
        audio[20] = value;
        let mut stft = Stft::with_quarter_hop(16);
        let spectrum = forward(&mut stft, &audio);
        let is_finite = spectrum.iter().all(|x| x.re.is_finite() && x.im.is_finite());
        assert_eq!(is_finite, value == 1e-42, "{value}");
        if value.is_nan() {
            assert!(spectrum[9 * 4].re.is_nan(), "the frame around a NaN");
        }
        let framing = Framing { window_len: 16, hop: 4, alignment: FrameAlignment::Start };
        let mut back = vec![0.0; 64];
        InverseStft::new(framing, 16, 64).forward(&spectrum, &mut back);
        assert_eq!(back[20].is_finite(), is_finite, "{value} returns as {}", back[20]);
    }
}

#[test]
#[should_panic(expected = "spectrum has 9 values where 20 samples of audio need [5, 9]")]
fn a_wrong_length_is_named() {
    Stft::with_quarter_hop(16).forward(&[0.0; 20], &mut [Complex32::ZERO; 9]);
}

#[test]
#[should_panic(expected = "grad_audio has 19 samples, made for 20")]
fn a_wrong_length_of_the_inverse_is_named() {
    let framing = Framing { window_len: 16, hop: 4, alignment: FrameAlignment::Start };
    InverseStft::new(framing, 16, 20).backward(&[0.0; 19], &mut [Complex32::ZERO; 45]);
}
