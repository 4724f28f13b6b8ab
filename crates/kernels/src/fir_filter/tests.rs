use proptest::prelude::*;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::fft_convolve::laws::{assert_late, feed, pieces};
use crate::fft_convolve::tests as fft_convolve;
use crate::frequency_filter::tests as frequency_filter;
use crate::golden::Golden;
use crate::simd::Simd;
use crate::testing::{pseudo_random, widen};
use crate::{ExpSigmoid, FilterAlignment::*};

/// Of the largest sample: the convolution's, and a rounding or two of the magnitudes.
fn tolerance() -> Tolerance {
    Tolerance::of_peak(2e-6)
}

pub(crate) const QUIRK: &str = "Filters are late, or their windows out of place, as the reference's: \
     `FilterAlignment::Reference`";

/// Sizes of one filter and its audio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) n: usize,
    pub(crate) hop: usize,
    pub(crate) n_bands: usize,
    pub(crate) window_len: usize,
}

/// Frames for a whole chunk and more, one, a part of one; the fewest bands; short windows, odd and
/// even; a hop of one sample; more bands than a matrix is made for.
pub(crate) const SIZES: [Sizes; 8] = [
    Sizes { n: 220, hop: 10, n_bands: 7, window_len: 0 },
    Sizes { n: 10, hop: 10, n_bands: 7, window_len: 0 },
    Sizes { n: 95, hop: 10, n_bands: 17, window_len: 9 },
    Sizes { n: 60, hop: 20, n_bands: 9, window_len: 8 },
    Sizes { n: 5, hop: 8, n_bands: 2, window_len: 0 },
    Sizes { n: 13, hop: 1, n_bands: 3, window_len: 1 },
    Sizes { n: 300, hop: 100, n_bands: 129, window_len: 0 },
    Sizes { n: 300, hop: 100, n_bands: 129, window_len: 31 },
];

impl Sizes {
    pub(crate) fn n_frames(self) -> usize {
        self.n.div_ceil(self.hop)
    }

    fn filter(self) -> FirFilter {
        FirFilter::new(self.hop, self.n_bands, self.window_len, Centred)
    }

    /// Every way to the same output: on each instruction set, and by way of taps.
    fn filters(self) -> impl Iterator<Item = FirFilter> {
        let plain = FrequencyFilter::new(self.n_bands, self.window_len, Centred);
        let convolve = FftConvolve::new(self.hop, plain.ir_len(), plain.delay());
        let by_taps = FirFilter::with_design(convolve, self.n_bands, Design::Taps(plain));
        let each = Simd::all().into_iter().map(move |simd| {
            let mut filter = self.filter();
            filter.convolve.set_simd(simd);
            if let Design::Gains(matrix) = &mut filter.design {
                matrix.set_simd(simd);
            }
            filter
        });
        each.chain([by_taps])
    }

    /// The definition in f64: designed taps, convolved directly, with the peak in place.
    pub(crate) fn oracle(self, audio: &[f64], magnitudes: &[f64], output: &mut [f64]) {
        let Self { hop, n_bands, window_len, .. } = self;
        let (ir_len, centre, _) = frequency_filter::centred(2 * (n_bands - 1), window_len);
        let mut responses = vec![0.0; self.n_frames() * ir_len];
        frequency_filter::oracle(magnitudes, n_bands, window_len, &mut responses);
        fft_convolve::oracle(audio, &responses, [hop, ir_len, centre], output);
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("FirFilter");
    compare_frequency_filter(operation);
    compare_effect(operation);
    compare_oracle(operation);
    for scale in [1.0, 0.0, 1e-40, 1e-9, 1e9] {
        SIZES.iter().for_each(|sizes| check_gradient(operation, *sizes, scale));
    }
}

fn compare_frequency_filter(operation: &mut Operation) {
    let mut golden = Golden::open("filters");
    let audio = golden.values("audio.in.x");
    for n_bands in [5, 16, 65] {
        let magnitudes = golden.values(&format!("mag{n_bands}.in.x"));
        for window_len in [0, 33, 257] {
            let case = format!("filters/frequency_filter_{n_bands}_w{window_len}");
            let mut filter = FirFilter::new(250, n_bands, window_len, Reference);
            let mut same = vec![f32::NAN; 2000];
            let mut design = FrequencyFilter::new(n_bands, window_len, Reference);
            let ir_len = design.ir_len();
            // The tails that `valid` does not cut off: the same design and convolution.
            let mut valid = vec![f32::NAN; 2 * (1000 + ir_len - 1)];
            let mut convolve = FftConvolve::new(250, ir_len, design.delay());
            let mut responses = vec![f32::NAN; 4 * ir_len];
            for row in 0..2 {
                let audio = &audio[row * 1000..][..1000];
                let magnitudes = &magnitudes[row * 4 * n_bands..][..4 * n_bands];
                filter.forward(audio, magnitudes, &mut same[row * 1000..][..1000]);
                design.forward(magnitudes, &mut responses);
                let n = 1000 + ir_len - 1;
                convolve.forward(audio, &responses, &mut valid[row * n..][..n]);
            }
            let tolerance = tolerance();
            operation.golden_with_quirk(&format!("{case}_same"), "y", &same, tolerance, QUIRK);
            operation.golden_with_quirk(&format!("{case}_valid"), "y", &valid, tolerance, QUIRK);
        }
    }
}

fn compare_effect(operation: &mut Operation) {
    let mut golden = Golden::open("effects");
    let audio = golden.values("audio.in.x");
    let raw = golden.values("fir_filter_w257.in.magnitudes");
    let mut magnitudes = vec![f32::NAN; raw.len()];
    ExpSigmoid::default().forward(&raw, &mut magnitudes);
    for (window_len, name) in [(257, "w257"), (0, "w0")] {
        let mut filter = FirFilter::new(100, 33, window_len, Reference);
        let mut output = vec![f32::NAN; 4000];
        for row in 0..2 {
            let magnitudes = &magnitudes[row * 20 * 33..][..20 * 33];
            let samples = row * 2000..(row + 1) * 2000;
            filter.forward(&audio[samples.clone()], magnitudes, &mut output[samples]);
        }
        let case = format!("effects/fir_filter_{name}");
        operation.golden_with_quirk(&case, "y", &output, tolerance(), QUIRK);
    }
}

fn compare_oracle(operation: &mut Operation) {
    for sizes in SIZES {
        let audio = pseudo_random(1, sizes.n);
        let magnitudes = pseudo_random(2, sizes.n_frames() * sizes.n_bands);
        let mut expected = vec![0.0; sizes.n];
        sizes.oracle(&widen(&audio), &widen(&magnitudes), &mut expected);
        for (i, mut filter) in sizes.filters().enumerate() {
            let mut output = vec![f32::NAN; sizes.n];
            filter.forward(&audio, &magnitudes, &mut output);
            operation.oracle(&format!("{sizes:?}, way {i}"), &output, &expected, tolerance());
        }
    }
}

/// Checks one input's gradient while the other is of ordinary size.
fn check_gradient(operation: &mut Operation, sizes: Sizes, scale: f32) {
    let plain = [pseudo_random(3, sizes.n), pseudo_random(4, sizes.n_frames() * sizes.n_bands)];
    let [audio, magnitudes] =
        plain.each_ref().map(|values| values.iter().map(|x| scale * x).collect::<Vec<f32>>());
    let wide = plain.each_ref().map(|values| widen(values));
    let step = if scale < 1e-20 { 1e-2 } else { 1e-2 * f64::from(scale) };
    for way in 0..sizes.filters().count() {
        let filter = || sizes.filters().nth(way).expect("a way");
        operation.gradient(
            "audio",
            &audio,
            sizes.n,
            step,
            |x, y| sizes.oracle(x, &wide[1], y),
            |x, g, grad| filter().backward(x, &plain[1], g, Some(grad), None),
        );
        operation.gradient(
            "magnitudes",
            &magnitudes,
            sizes.n,
            step,
            |x, y| sizes.oracle(&wide[0], x, y),
            |x, g, grad| filter().backward(&plain[0], x, g, None, Some(grad)),
        );
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn a_matrix_is_made_for_few_bands_and_taps_for_many() {
    let is_matrix =
        |hop, n_bands| matches!(FirFilter::new(hop, n_bands, 0, Centred).design, Design::Gains(_));
    assert!(is_matrix(64, 65), "the usual size");
    assert!(!is_matrix(100, 129), "too large");
    let reference = FirFilter::new(64, 65, 0, Reference);
    assert!(matches!(reference.design, Design::Taps(_)), "not around time 0");
}

#[test]
fn both_gradients_at_once_are_the_same() {
    for sizes in SIZES {
        let (audio, g) = (pseudo_random(5, sizes.n), pseudo_random(6, sizes.n));
        let magnitudes = pseudo_random(7, sizes.n_frames() * sizes.n_bands);
        let mut filter = sizes.filter();
        let mut apart = [vec![0.0; audio.len()], vec![0.0; magnitudes.len()]];
        let mut both = apart.clone();
        filter.backward(&audio, &magnitudes, &g, Some(&mut apart[0]), None);
        filter.backward(&audio, &magnitudes, &g, None, Some(&mut apart[1]));
        let [grad_audio, grad_magnitudes] = &mut both;
        filter.backward(&audio, &magnitudes, &g, Some(grad_audio), Some(grad_magnitudes));
        assert_eq!(both, apart, "{sizes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// Any split gives the offline output, late by the latency, whatever was computed before.
    #[test]
    fn any_split_is_the_offline_output(
        hop in 1_usize..40,
        n_bands in 2_usize..20,
        window_len in 0_usize..30,
        n_frames in 1_usize..20,
        lengths in prop::collection::vec(0_usize..60, 1..8),
        at_hops: bool,
        reference: bool,
    ) {
        prop_assume!(lengths.iter().any(|n| *n > 0));
        let n = n_frames * hop;
        let alignment = if reference { Reference } else { Centred };
        let mut filter = FirFilter::new(hop, n_bands, window_len, alignment);
        let (audio, rows) = (pseudo_random(1, n), pseudo_random(2, n_frames * n_bands));
        let mut offline = vec![f32::NAN; n];
        filter.forward(&audio, &rows, &mut offline);
        let split = if at_hops { StreamSplit::AtHops } else { StreamSplit::Anywhere };
        let mut stream = filter.new_stream(split);
        let pieces = pieces(n, &lengths, if at_hops { hop } else { 1 });
        let output = feed(&mut stream, &audio, (&rows, n_bands), &pieces, |s, x, m, y| {
            filter.process(s, x, m, y);
        });
        assert_late(&output, &offline, stream.latency());
        let mut again = offline.clone();
        filter.forward(&audio, &rows, &mut again);
        prop_assert_eq!(offline, again);
    }

    /// Twice the magnitudes are twice the output, bit for bit, and silence stays silent.
    #[test]
    fn it_is_linear_and_silence_stays_silent(
        hop in 1_usize..40,
        n_bands in 2_usize..20,
        n_frames in 1_usize..20,
    ) {
        let n = n_frames * hop;
        let mut filter = FirFilter::new(hop, n_bands, 0, Centred);
        let (audio, rows) = (pseudo_random(3, n), pseudo_random(4, n_frames * n_bands));
        let (mut once, mut twice) = (vec![f32::NAN; n], vec![f32::NAN; n]);
        filter.forward(&audio, &rows, &mut once);
        let doubled: Vec<f32> = rows.iter().map(|m| 2.0 * m).collect();
        filter.forward(&audio, &doubled, &mut twice);
        for (a, b) in twice.iter().zip(&once) {
            prop_assert_eq!(*a, 2.0 * b);
        }
        filter.forward(&vec![0.0; n], &rows, &mut once);
        prop_assert!(once.iter().all(|y| *y == 0.0));
        filter.forward(&audio, &vec![0.0; rows.len()], &mut once);
        prop_assert!(once.iter().all(|y| *y == 0.0));
    }
}

#[test]
fn flat_magnitudes_are_the_identity() {
    let audio = pseudo_random(8, 640);
    for window_len in [0, 33, 64] {
        let mut output = vec![f32::NAN; 640];
        FirFilter::new(64, 65, window_len, Centred).forward(&audio, &[1.0; 650], &mut output);
        for (y, x) in output.iter().zip(&audio) {
            assert!((y - x).abs() <= 1e-6, "window {window_len}: {y}, not {x}");
        }
    }
}

#[test]
fn a_number_that_is_none_is_passed_on_and_stays_in_reach() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut filter = FirFilter::new(10, 6, 0, Centred);
        let (mut magnitudes, mut output) = ([1.0; 120], [0.0; 200]);
        // Frame 9: samples 90 to 99, and five to either side.
        magnitudes[9 * 6 + 2] = bad;
        let audio = pseudo_random(9, 200);
        filter.forward(&audio, &magnitudes, &mut output);
        assert!(output[90..100].iter().all(|y| !y.is_finite()), "{output:?}");
        assert!(output[..85].iter().chain(&output[105..]).all(|y| y.is_finite()), "{output:?}");
        let (mut grad_audio, mut grad_magnitudes) = ([0.0; 200], [0.0; 120]);
        let grads = (Some(&mut grad_audio[..]), Some(&mut grad_magnitudes[..]));
        filter.backward(&audio, &magnitudes, &[1.0; 200], grads.0, grads.1);
        assert!(grad_audio[90..100].iter().all(|g| !g.is_finite()), "{grad_audio:?}");
        assert!(grad_audio[..90].iter().all(|g| g.is_finite()), "{grad_audio:?}");
        assert!(grad_magnitudes.iter().all(|g| g.is_finite()), "linear: {grad_magnitudes:?}");
    }
}

#[test]
#[should_panic(expected = "14 magnitudes of 7 bands for 30 samples at hop 10")]
fn a_wrong_length_names_both() {
    FirFilter::new(10, 7, 0, Centred).forward(&[0.0; 30], &[0.0; 14], &mut [0.0; 30]);
}

#[test]
#[should_panic(expected = "7 magnitudes of 7 bands for 2 frames")]
fn a_piece_with_too_few_frames_is_refused() {
    let mut filter = FirFilter::new(10, 7, 0, Centred);
    let mut stream = filter.new_stream(StreamSplit::Anywhere);
    filter.process(&mut stream, &[0.0; 11], &[0.0; 7], &mut [0.0; 11]);
}
