//! Convolution by overlapped FFT blocks, with one impulse response or one for each block.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Convolves audio with an impulse response, and back.
///
/// The audio is cut into blocks of `hop` samples; block `b` is convolved with its own impulse
/// response and the results, `hop + ir_len - 1` samples long, are added where they overlap:
/// `full[n] = sum_t audio[n - t] h_b[t]`, with `b` the block that holds sample `n - t`. With the
/// same response for all blocks that is an ordinary convolution, whatever the hop.
///
/// The first `delay` samples of `full` are dropped: `output[n] = full[n + delay]`, and zeros where
/// `full` has ended. So the output has the length that the caller gives it, always: as the audio's
/// with `delay` the position of the response's centre (a filter without delay), or
/// `audio.len() + ir_len - 1` with `delay` 0 (everything).
pub struct FftConvolve {
    hop: usize,
    ir_len: usize,
    delay: usize,
    to_spectrum: Arc<dyn RealToComplex<f32>>,
    to_samples: Arc<dyn ComplexToReal<f32>>,
    /// `fft_len` samples.
    samples: Vec<f32>,
    audio_spectrum: Vec<Complex<f32>>,
    ir_spectrum: Vec<Complex<f32>>,
    grad_spectrum: Vec<Complex<f32>>,
    product: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl fmt::Debug for FftConvolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FftConvolve")
            .field("hop", &self.hop)
            .field("ir_len", &self.ir_len)
            .field("delay", &self.delay)
            .field("fft_len", &self.samples.len())
            .finish_non_exhaustive()
    }
}

impl FftConvolve {
    /// A convolution of blocks of `hop` samples with responses of `ir_len` samples.
    ///
    /// The FFT has `(hop + ir_len - 1).next_power_of_two()` samples. For one response and audio
    /// much longer than it, a hop of one to four times `ir_len` is fastest.
    ///
    /// # Panics
    ///
    /// If `hop` or `ir_len` is 0.
    pub fn new(hop: usize, ir_len: usize, delay: usize) -> Self {
        assert!(hop > 0 && ir_len > 0, "FftConvolve: hop {hop}, ir_len {ir_len}");
        // Two at least: a real FFT has an even length.
        let fft_len = (hop + ir_len - 1).next_power_of_two().max(2);
        let mut planner = RealFftPlanner::new();
        let to_spectrum = planner.plan_fft_forward(fft_len);
        let to_samples = planner.plan_fft_inverse(fft_len);
        let scratch_len = to_spectrum.get_scratch_len().max(to_samples.get_scratch_len());
        Self {
            hop,
            ir_len,
            delay,
            samples: vec![0.0; fft_len],
            audio_spectrum: to_spectrum.make_output_vec(),
            ir_spectrum: to_spectrum.make_output_vec(),
            grad_spectrum: to_spectrum.make_output_vec(),
            product: to_spectrum.make_output_vec(),
            scratch: vec![Complex::default(); scratch_len],
            to_spectrum,
            to_samples,
        }
    }

    /// Overwrites `output` with the convolution of `audio`.
    ///
    /// `impulse_responses` is `[n_blocks, ir_len]` for `n_blocks = ceil(audio.len() / hop)`, or
    /// `[ir_len]`, the same for all blocks.
    ///
    /// # Panics
    ///
    /// If `impulse_responses` has neither of these lengths.
    pub fn forward(&mut self, audio: &[f32], impulse_responses: &[f32], output: &mut [f32]) {
        let shared = self.is_shared(audio.len(), impulse_responses.len());
        output.fill(0.0);
        for (b, block) in audio.chunks(self.hop).enumerate() {
            if b == 0 || !shared {
                self.set_impulse_response(&impulse_responses[b * self.ir_len..][..self.ir_len]);
            }
            self.add_block(b * self.hop, block, output);
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_output`
    /// into the gradients that are wanted; their shapes are those of their inputs.
    ///
    /// Both are correlations with the output's gradient: `grad audio[n] = sum_t h_b[t] g[n + t]`
    /// and `grad h_b[t] = sum over n in block b of audio[n] g[n + t]`, with `g[n] =
    /// grad_output[n - delay]`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if a gradient's length is not its input's.
    pub fn backward(
        &mut self,
        audio: &[f32],
        impulse_responses: &[f32],
        grad_output: &[f32],
        mut grad_audio: Option<&mut [f32]>,
        mut grad_impulse_responses: Option<&mut [f32]>,
    ) {
        let shared = self.is_shared(audio.len(), impulse_responses.len());
        if let Some(grad) = &grad_audio {
            let (n_grad, n) = (grad.len(), audio.len());
            assert_eq!(n_grad, n, "FftConvolve: grad of {n_grad} of {n} audio samples");
        }
        if let Some(grad) = &grad_impulse_responses {
            let (n_grad, n) = (grad.len(), impulse_responses.len());
            assert_eq!(n_grad, n, "FftConvolve: grad of {n_grad} of {n} response samples");
        }
        for (b, block) in audio.chunks(self.hop).enumerate() {
            let start = b * self.hop;
            let row = if shared { 0 } else { b * self.ir_len };
            self.load_output_gradient(start, block.len(), grad_output);
            if let Some(grad) = grad_audio.as_deref_mut() {
                if b == 0 || !shared {
                    self.set_impulse_response(&impulse_responses[row..][..self.ir_len]);
                }
                correlate(&self.grad_spectrum, &self.ir_spectrum, &mut self.product);
                self.accumulate_product(0, &mut grad[start..][..block.len()]);
            }
            if let Some(grad) = grad_impulse_responses.as_deref_mut() {
                self.set_audio(block);
                correlate(&self.grad_spectrum, &self.audio_spectrum, &mut self.product);
                self.accumulate_product(0, &mut grad[row..][..self.ir_len]);
            }
        }
    }

    /// The response of the blocks that follow.
    pub(crate) fn set_impulse_response(&mut self, impulse_response: &[f32]) {
        transform(
            &*self.to_spectrum,
            impulse_response,
            &mut self.samples,
            &mut self.ir_spectrum,
            &mut self.scratch,
        );
    }

    /// Adds to `output` the block of audio that starts at sample `start`, convolved.
    pub(crate) fn add_block(&mut self, start: usize, block: &[f32], output: &mut [f32]) {
        self.set_audio(block);
        for ((p, x), h) in self.product.iter_mut().zip(&self.audio_spectrum).zip(&self.ir_spectrum)
        {
            *p = x * h;
        }
        let (skip, place) = self.place(start, block.len(), output.len());
        let n = (block.len() + self.ir_len - 1 - skip).min(output.len() - place);
        self.accumulate_product(skip, &mut output[place..][..n]);
    }

    /// Accumulates the gradient of one block's response, given the output's gradient.
    pub(crate) fn backward_block_response(
        &mut self,
        start: usize,
        block: &[f32],
        grad_output: &[f32],
        grad_impulse_response: &mut [f32],
    ) {
        self.load_output_gradient(start, block.len(), grad_output);
        self.set_audio(block);
        correlate(&self.grad_spectrum, &self.audio_spectrum, &mut self.product);
        self.accumulate_product(0, grad_impulse_response);
    }

    fn set_audio(&mut self, block: &[f32]) {
        transform(
            &*self.to_spectrum,
            block,
            &mut self.samples,
            &mut self.audio_spectrum,
            &mut self.scratch,
        );
    }

    /// Transforms what a block's outputs get as gradient.
    fn load_output_gradient(&mut self, start: usize, block_len: usize, grad_output: &[f32]) {
        let (skip, place) = self.place(start, block_len, grad_output.len());
        let n = (block_len + self.ir_len - 1 - skip).min(grad_output.len() - place);
        self.samples.fill(0.0);
        self.samples[skip..][..n].copy_from_slice(&grad_output[place..][..n]);
        self.to_spectrum
            .process_with_scratch(&mut self.samples, &mut self.grad_spectrum, &mut self.scratch)
            .expect("buffers were made for this plan");
    }

    /// How many samples of a block's convolution lie before the output begins, and where the rest
    /// begins in the output.
    fn place(&self, start: usize, block_len: usize, output_len: usize) -> (usize, usize) {
        let skip = self.delay.saturating_sub(start).min(block_len + self.ir_len - 1);
        (skip, (start + skip).saturating_sub(self.delay).min(output_len))
    }

    /// Adds to `out` the samples of `product`, from sample `first`.
    fn accumulate_product(&mut self, first: usize, out: &mut [f32]) {
        // Products of real signals' spectra: the imaginary parts at both ends are exactly 0, unless
        // the signals are not numbers, which is no reason to panic.
        let last = self.product.len() - 1;
        self.product[0].im = 0.0;
        self.product[last].im = 0.0;
        self.to_samples
            .process_with_scratch(&mut self.product, &mut self.samples, &mut self.scratch)
            .expect("buffers were made for this plan");
        let scale = 1.0 / self.samples.len() as f32;
        for (y, sample) in out.iter_mut().zip(&self.samples[first..]) {
            *y += scale * sample;
        }
    }

    fn is_shared(&self, n_samples: usize, n_responses: usize) -> bool {
        let n_blocks = n_samples.div_ceil(self.hop);
        let shared = n_responses == self.ir_len;
        assert!(
            shared || n_responses == n_blocks * self.ir_len,
            "FftConvolve: {n_responses} values for {n_blocks} impulse responses of {} samples",
            self.ir_len
        );
        shared
    }
}

/// Spectrum of `signal`, padded with zeros.
fn transform(
    plan: &dyn RealToComplex<f32>,
    signal: &[f32],
    samples: &mut [f32],
    spectrum: &mut [Complex<f32>],
    scratch: &mut [Complex<f32>],
) {
    samples[..signal.len()].copy_from_slice(signal);
    samples[signal.len()..].fill(0.0);
    plan.process_with_scratch(samples, spectrum, scratch).expect("buffers were made for this plan");
}

/// The spectrum of `sum_n signal[n] other[n - lag]`.
fn correlate(signal: &[Complex<f32>], other: &[Complex<f32>], product: &mut [Complex<f32>]) {
    for ((p, s), o) in product.iter_mut().zip(signal).zip(other) {
        *p = s * o.conj();
    }
}

#[cfg(test)]
mod tests;
