//! Finite impulse responses from magnitudes on a frequency grid.

mod response_window;

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

pub use response_window::{FilterAlignment, ResponseForm, ResponseWindow};

/// Frequency-sampled design of linear-phase FIR filters, and back.
///
/// From `n_bands` linear magnitudes, evenly spaced from 0 Hz to the Nyquist frequency, the inverse
/// Fourier transform makes a symmetric response of `2 (n_bands - 1)` samples, which a Hann window of
/// `window_len` tapers and shortens (see [`ResponseWindow`]):
///
/// `h(d) = (0.5 + 0.5 cos(2 pi d / window_len)) / n * (H_0 + 2 sum_m H_m cos(2 pi m d / n) +
/// H_{n/2} cos(pi d))`, for `|d| < window_len / 2` samples from the peak, `n = 2 (n_bands - 1)`.
///
/// The window smooths the magnitudes by about `sample_rate / window_len`. A `window_len` of 0, or
/// longer than the response, is the whole response.
pub struct FrequencyFilter {
    n_bands: usize,
    window: ResponseWindow,
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
            .field("ir_len", &self.ir_len())
            .field("delay", &self.delay())
            .finish_non_exhaustive()
    }
}

impl FrequencyFilter {
    /// A design from `n_bands` magnitudes with a window of `window_len` samples.
    ///
    /// # Panics
    ///
    /// If `n_bands` is below 2.
    pub fn new(n_bands: usize, window_len: usize, alignment: FilterAlignment) -> Self {
        assert!(n_bands >= 2, "FrequencyFilter: {n_bands} bands, 2 at least");
        let n = 2 * (n_bands - 1);
        let mut planner = RealFftPlanner::new();
        let to_samples = planner.plan_fft_inverse(n);
        let to_spectrum = planner.plan_fft_forward(n);
        let scratch_len = to_samples.get_scratch_len().max(to_spectrum.get_scratch_len());
        Self {
            n_bands,
            window: ResponseWindow::new(n, window_len, alignment),
            samples: to_samples.make_output_vec(),
            spectrum: to_samples.make_input_vec(),
            scratch: vec![Complex::default(); scratch_len],
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
        self.window.ir_len()
    }

    /// Samples of a convolution with the response to drop, so that its output is in step with its
    /// input: the tap of the peak, for [`FilterAlignment::Centred`].
    pub fn delay(&self) -> usize {
        self.window.delay()
    }

    /// The window of the responses.
    pub(crate) fn window(&self) -> &ResponseWindow {
        &self.window
    }

    /// Overwrites `impulse_responses` `[n_frames, ir_len]` from `magnitudes` `[n_frames, n_bands]`,
    /// linear.
    ///
    /// # Panics
    ///
    /// If either is not whole frames, or they are not equally many.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&mut self, magnitudes: &[f32], impulse_responses: &mut [f32]) {
        self.check(magnitudes.len(), impulse_responses.len());
        let scale = 1.0 / self.samples.len() as f32;
        let responses = impulse_responses.chunks_mut(self.window.ir_len());
        for (magnitudes, response) in magnitudes.chunks(self.n_bands).zip(responses) {
            for (s, m) in self.spectrum.iter_mut().zip(magnitudes) {
                *s = Complex::new(scale * m, 0.0);
            }
            self.to_samples
                .process_with_scratch(&mut self.spectrum, &mut self.samples, &mut self.scratch)
                .expect("buffers were made for this plan");
            self.window.forward(&self.samples, ResponseForm::ZeroPhase, response);
        }
    }

    /// Accumulates into `grad_magnitudes` the transpose of [`forward`](Self::forward), a linear map.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&mut self, grad_impulse_responses: &[f32], grad_magnitudes: &mut [f32]) {
        self.check(grad_magnitudes.len(), grad_impulse_responses.len());
        let scale = 1.0 / self.samples.len() as f32;
        let responses = grad_impulse_responses.chunks(self.window.ir_len());
        for (response, grad_magnitudes) in responses.zip(grad_magnitudes.chunks_mut(self.n_bands)) {
            self.samples.fill(0.0);
            self.window.backward(response, ResponseForm::ZeroPhase, &mut self.samples);
            self.to_spectrum
                .process_with_scratch(&mut self.samples, &mut self.spectrum, &mut self.scratch)
                .expect("buffers were made for this plan");
            // Every band but the two at the ends stands for a pair of conjugate frequencies.
            let last = self.n_bands - 1;
            for (m, (grad, s)) in grad_magnitudes.iter_mut().zip(&self.spectrum).enumerate() {
                *grad += scale * if m == 0 || m == last { s.re } else { 2.0 * s.re };
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

#[cfg(test)]
pub(crate) mod tests;
