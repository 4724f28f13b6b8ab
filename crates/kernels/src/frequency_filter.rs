//! Finite impulse responses from magnitudes on a frequency grid.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Where the taps of a designed response lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterAlignment {
    /// The window is centred on the peak and the whole delay is compensated: flat magnitudes give
    /// the identity, every filter has zero phase.
    Centred,
    /// As magenta/ddsp 3.7, for comparison with it: responses of even length are compensated two
    /// samples short, and a window of an odd length is one sample off the peak.
    Reference,
}

/// Frequency-sampled design of linear-phase FIR filters, and back.
///
/// From `n_bands` linear magnitudes, evenly spaced from 0 Hz to the Nyquist frequency, the inverse
/// Fourier transform makes a symmetric response of `2 (n_bands - 1)` samples, which a Hann window of
/// `window_len` tapers and shortens:
///
/// `h(d) = (0.5 + 0.5 cos(2 pi d / window_len)) / n * (H_0 + 2 sum_m H_m cos(2 pi m d / n) +
/// H_{n/2} cos(pi d))`, for `|d| < window_len / 2` samples from the peak, `n = 2 (n_bands - 1)`.
///
/// The window smooths the magnitudes by about `sample_rate / window_len`. A `window_len` of 0, or
/// longer than the response, is the whole response.
pub struct FrequencyFilter {
    n_bands: usize,
    /// Tap at which the peak lies.
    centre: usize,
    /// Samples of the convolution to drop for an output in step with the input.
    delay: usize,
    /// Window over the inverse transform's length, for each tap.
    window: Vec<f32>,
    to_samples: Arc<dyn ComplexToReal<f32>>,
    to_spectrum: Arc<dyn RealToComplex<f32>>,
    /// Peak at 0, negative times at the end.
    samples: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl fmt::Debug for FrequencyFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrequencyFilter")
            .field("n_bands", &self.n_bands)
            .field("ir_len", &self.window.len())
            .field("delay", &self.delay)
            .finish_non_exhaustive()
    }
}

impl FrequencyFilter {
    /// A design from `n_bands` magnitudes with a window of `window_len` samples.
    ///
    /// A window shorter than the response leaves an odd number of taps: `window_len`, or one less.
    ///
    /// # Panics
    ///
    /// If `n_bands` is below 2, or for [`FilterAlignment::Reference`] with a window of 1 or 2.
    pub fn new(n_bands: usize, window_len: usize, alignment: FilterAlignment) -> Self {
        assert!(n_bands >= 2, "FrequencyFilter: {n_bands} bands, 2 at least");
        let n = 2 * (n_bands - 1);
        let mut planner = RealFftPlanner::new();
        let to_samples = planner.plan_fft_inverse(n);
        let to_spectrum = planner.plan_fft_forward(n);
        let taps = Taps::new(n, window_len, alignment);
        Self {
            n_bands,
            centre: taps.centre,
            delay: taps.delay,
            window: taps.window.iter().map(|w| round(w / n as f64)).collect(),
            samples: to_samples.make_output_vec(),
            spectrum: to_samples.make_input_vec(),
            scratch: vec![
                Complex::default();
                to_samples.get_scratch_len().max(to_spectrum.get_scratch_len())
            ],
            to_samples,
            to_spectrum,
        }
    }

    /// Number of magnitudes.
    pub fn n_bands(&self) -> usize {
        self.n_bands
    }

    /// Taps of a response.
    pub fn ir_len(&self) -> usize {
        self.window.len()
    }

    /// Samples of a convolution with the response to drop, so that its output is in step with its
    /// input: the tap of the peak, for [`FilterAlignment::Centred`].
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// Overwrites `impulse_responses` `[n_frames, ir_len]` from `magnitudes` `[n_frames, n_bands]`,
    /// linear.
    ///
    /// # Panics
    ///
    /// If either is not whole frames, or they are not equally many.
    pub fn forward(&mut self, magnitudes: &[f32], impulse_responses: &mut [f32]) {
        self.check(magnitudes.len(), impulse_responses.len());
        let ir_len = self.ir_len();
        for (magnitudes, response) in
            magnitudes.chunks(self.n_bands).zip(impulse_responses.chunks_mut(ir_len))
        {
            for (s, m) in self.spectrum.iter_mut().zip(magnitudes) {
                *s = Complex::new(*m, 0.0);
            }
            self.to_samples
                .process_with_scratch(&mut self.spectrum, &mut self.samples, &mut self.scratch)
                .expect("buffers were made for this plan");
            let (past, future) = response.split_at_mut(self.centre);
            let (past_window, future_window) = self.window.split_at(self.centre);
            let wrap = self.samples.len() - self.centre;
            for ((h, w), x) in past.iter_mut().zip(past_window).zip(&self.samples[wrap..]) {
                *h = w * x;
            }
            for ((h, w), x) in future.iter_mut().zip(future_window).zip(&self.samples) {
                *h = w * x;
            }
        }
    }

    /// Accumulates into `grad_magnitudes` the transpose of [`forward`](Self::forward), a linear map.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&mut self, grad_impulse_responses: &[f32], grad_magnitudes: &mut [f32]) {
        self.check(grad_magnitudes.len(), grad_impulse_responses.len());
        let ir_len = self.ir_len();
        for (grad_response, grad_magnitudes) in
            grad_impulse_responses.chunks(ir_len).zip(grad_magnitudes.chunks_mut(self.n_bands))
        {
            let (past, future) = grad_response.split_at(self.centre);
            let (past_window, future_window) = self.window.split_at(self.centre);
            let wrap = self.samples.len() - self.centre;
            self.samples.fill(0.0);
            for ((x, w), g) in self.samples[wrap..].iter_mut().zip(past_window).zip(past) {
                *x += w * g;
            }
            for ((x, w), g) in self.samples.iter_mut().zip(future_window).zip(future) {
                *x += w * g;
            }
            self.to_spectrum
                .process_with_scratch(&mut self.samples, &mut self.spectrum, &mut self.scratch)
                .expect("buffers were made for this plan");
            // Every band but the two at the ends stands for a pair of conjugate frequencies.
            let last = self.n_bands - 1;
            for (m, (grad, s)) in grad_magnitudes.iter_mut().zip(&self.spectrum).enumerate() {
                *grad += if m == 0 || m == last { s.re } else { 2.0 * s.re };
            }
        }
    }

    fn check(&self, n_magnitudes: usize, n_taps: usize) {
        let (n_bands, ir_len) = (self.n_bands, self.ir_len());
        assert!(
            n_magnitudes.is_multiple_of(n_bands) && n_magnitudes / n_bands * ir_len == n_taps,
            "FrequencyFilter: {n_magnitudes} magnitudes of {n_bands} bands for {n_taps} taps of \
             responses of {ir_len}"
        );
    }
}

/// The window of a response of `n` samples, and where its peak lies.
struct Taps {
    window: Vec<f64>,
    centre: usize,
    delay: usize,
}

impl Taps {
    fn new(n: usize, window_len: usize, alignment: FilterAlignment) -> Self {
        let hann = |d: f64, len: usize| 0.5 + 0.5 * (TAU * d / len as f64).cos();
        let window = |ir_len: usize, centre: usize, len: usize, offset: f64| {
            (0..ir_len).map(|t| hann(t as f64 - centre as f64 + offset, len)).collect::<Vec<f64>>()
        };
        let whole = window_len == 0 || window_len >= n;
        match alignment {
            // The first tap of an even response is the far end of the window, 0.
            FilterAlignment::Centred if whole => {
                Self { window: window(n, n / 2, n, 0.0), centre: n / 2, delay: n / 2 }
            }
            FilterAlignment::Centred => {
                let centre = (window_len - 1) / 2;
                let window = window(2 * centre + 1, centre, window_len, 0.0);
                Self { window, centre, delay: centre }
            }
            FilterAlignment::Reference if whole => {
                let window = window(n, n / 2, n, 0.0);
                Self { window, centre: n / 2, delay: ((n - 1) / 2).saturating_sub(1) }
            }
            FilterAlignment::Reference => {
                assert!(window_len > 2, "FrequencyFilter: no reference window of {window_len}");
                // An odd window of TensorFlow's is symmetric, not periodic, and its halves are put
                // together one sample off. The last taps, past the window's end, are empty.
                let half = window_len.div_ceil(2);
                let odd = window_len % 2;
                let (ir_len, centre) = (2 * half - 1, half - 2);
                let mut window = window(ir_len, centre, window_len - odd, odd as f64);
                window[centre + window_len - half..].fill(0.0);
                Self { window, centre, delay: (ir_len - 1) / 2 - 1 }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds a window value in [0, 1] to f32")]
fn round(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;
    use crate::gradcheck::check_vjp;

    #[test]
    fn design_matches_the_reference() {
        let mut golden = Golden::open("filters");
        for n_bands in [5, 16, 65] {
            let magnitudes = golden.values(&format!("mag{n_bands}.in.x"));
            for window_len in [0, 7, 8, 33, 64, 129, 257] {
                let case = format!("frequency_impulse_response_{n_bands}_w{window_len}");
                let expected = golden.values(&format!("{case}.out.y"));
                let mut filter =
                    FrequencyFilter::new(n_bands, window_len, FilterAlignment::Reference);
                assert_eq!(filter.ir_len(), expected.len() / 8, "{case}");
                let mut responses = vec![f32::NAN; expected.len()];
                filter.forward(&magnitudes, &mut responses);
                // A few roundings of an average of magnitudes up to 2.
                for (i, (h, e)) in responses.iter().zip(&expected).enumerate() {
                    assert!((h - e).abs() <= 5e-7, "{case}[{i}]: {h}, not {e}");
                }
            }
        }
    }

    /// The formula of the type's documentation, in f64, centred.
    fn oracle(magnitudes: &[f64], n_bands: usize, window_len: usize, h: &mut [f64]) {
        let n = 2 * (n_bands - 1);
        let (ir_len, centre, len) = if window_len == 0 || window_len >= n {
            (n, n / 2, n)
        } else {
            (2 * ((window_len - 1) / 2) + 1, (window_len - 1) / 2, window_len)
        };
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

    #[test]
    fn forward_and_backward_match_the_formula() {
        for (n_bands, window_len) in [(45, 0), (9, 7), (9, 8), (9, 1), (2, 0), (6, 10)] {
            let mut filter = FrequencyFilter::new(n_bands, window_len, FilterAlignment::Centred);
            let ir_len = filter.ir_len();
            let magnitudes: Vec<f32> =
                (0..3 * n_bands).map(|i| 1.0 + (i as f32 * 0.9).sin()).collect();
            let mut responses = vec![f32::NAN; 3 * ir_len];
            filter.forward(&magnitudes, &mut responses);
            let exact: Vec<f64> = magnitudes.iter().map(|&m| m.into()).collect();
            let mut expected = vec![0.0; 3 * ir_len];
            oracle(&exact, n_bands, window_len, &mut expected);
            for (h, e) in responses.iter().zip(&expected) {
                assert!((f64::from(*h) - e).abs() <= 5e-7, "{n_bands} {window_len}: {h}, not {e}");
            }
            let forward = |x: &[f64], y: &mut [f64]| oracle(x, n_bands, window_len, y);
            check_vjp(&magnitudes, 3 * ir_len, 1e-2, forward, |_, grad_h, grad_m| {
                FrequencyFilter::new(n_bands, window_len, FilterAlignment::Centred)
                    .backward(grad_h, grad_m);
            });
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
    #[should_panic(expected = "11 magnitudes of 5 bands for 16 taps of responses of 8")]
    fn a_wrong_length_names_both() {
        FrequencyFilter::new(5, 0, FilterAlignment::Centred).forward(&[0.0; 11], &mut [0.0; 16]);
    }
}
