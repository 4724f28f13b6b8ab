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
mod tests {
    use super::*;
    use crate::golden::Golden;
    use crate::gradcheck::check_vjp;

    /// The definition, in f64.
    fn oracle(audio: &[f64], responses: &[f64], ir_len: usize, hop: usize, full: &mut [f64]) {
        full.fill(0.0);
        for (n, x) in audio.iter().enumerate() {
            let b = if responses.len() == ir_len { 0 } else { n / hop };
            for t in 0..ir_len {
                full[n + t] += x * responses[b * ir_len + t];
            }
        }
    }

    fn wave(n: usize, speed: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * speed).sin()).collect()
    }

    #[test]
    fn matches_the_oracle_at_every_size() {
        // The last case has audio shorter than the delay, and output longer than everything.
        for (n, hop, ir_len, delay, n_out) in [
            (100, 100, 33, 16, 100),
            (100, 8, 33, 16, 100),
            (95, 10, 7, 0, 101),
            (50, 64, 1, 0, 50),
            (1, 1, 1, 0, 1),
            (10, 3, 40, 45, 70),
        ] {
            let audio = wave(n, 0.7);
            for n_responses in [1, n.div_ceil(hop)] {
                let responses = wave(n_responses * ir_len, 1.9);
                let mut full = vec![0.0; n + ir_len - 1];
                let (audio_64, responses_64): (Vec<f64>, Vec<f64>) = (
                    audio.iter().map(|&x| x.into()).collect(),
                    responses.iter().map(|&x| x.into()).collect(),
                );
                oracle(&audio_64, &responses_64, ir_len, hop, &mut full);
                let mut output = vec![f32::NAN; n_out];
                FftConvolve::new(hop, ir_len, delay).forward(&audio, &responses, &mut output);
                for (i, y) in output.iter().enumerate() {
                    let expected = full.get(i + delay).copied().unwrap_or(0.0);
                    // Each of about 3 log2(128) stages rounds at 2^-24 of a spectrum's rms.
                    let error = (f64::from(*y) - expected).abs();
                    assert!(error <= 1e-5, "{n}/{hop}/{ir_len}/{delay}[{i}]: {y}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn backward_is_the_transposed_jacobian() {
        for (n, hop, ir_len, delay, n_out, n_responses) in
            [(40, 16, 9, 4, 40, 3), (40, 16, 9, 0, 48, 1), (20, 20, 30, 25, 20, 1)]
        {
            let audio = wave(n, 0.7);
            let responses = wave(n_responses * ir_len, 1.9);
            let packed: Vec<f32> = audio.iter().chain(&responses).copied().collect();
            let forward = |x: &[f64], y: &mut [f64]| {
                let mut full = vec![0.0; n + ir_len - 1];
                oracle(&x[..n], &x[n..], ir_len, hop, &mut full);
                for (i, y) in y.iter_mut().enumerate() {
                    *y = full.get(i + delay).copied().unwrap_or(0.0);
                }
            };
            check_vjp(&packed, n_out, 1e-2, forward, |x, grad_y, grad_x| {
                let (grad_audio, grad_responses) = grad_x.split_at_mut(n);
                FftConvolve::new(hop, ir_len, delay).backward(
                    &x[..n],
                    &x[n..],
                    grad_y,
                    Some(grad_audio),
                    Some(grad_responses),
                );
            });
        }
    }

    #[test]
    fn matches_the_reference() {
        let mut golden = Golden::open("filters");
        let audio = golden.values("audio.in.x");
        for ir_len in [1_usize, 2, 3, 16, 17, 100, 257, 1500] {
            let responses = golden.values(&format!("ir{ir_len}.in.x"));
            for (padding, n_out) in [("same", 1000), ("valid", 1000 + ir_len - 1)] {
                for (name, delay) in
                    [("-1", ((ir_len - 1) / 2).wrapping_sub(1)), ("0", 0), ("5", 5)]
                {
                    let case = format!("fft_convolve_{ir_len}_{padding}_{name}.out.y");
                    let expected = golden.values(&case);
                    // With one or two taps the reference's default delay gives an empty answer.
                    if !expected.is_empty() {
                        compare_golden(&case, &audio, &responses, (1000, delay, n_out), &expected);
                        assert_eq!(expected.len(), 2 * n_out, "{case}");
                    }
                }
            }
        }
    }

    #[test]
    fn time_varying_matches_the_reference() {
        let mut golden = Golden::open("filters");
        let audio = golden.values("audio.in.x");
        for (n_blocks, ir_len) in [(10, 64), (7, 33), (50, 128), (1000, 8)] {
            let case = format!("fft_convolve_ltv_{n_blocks}x{ir_len}");
            let responses = golden.values(&format!("{case}.in.ir"));
            let delay = (ir_len - 1) / 2 - 1;
            for (padding, n_out) in [("same", 1000), ("valid", 1000 + ir_len - 1)] {
                let expected = golden.values(&format!("{case}.out.{padding}"));
                let hop = 1000_usize.div_ceil(n_blocks);
                if !expected.is_empty() {
                    compare_golden(&case, &audio, &responses, (hop, delay, n_out), &expected);
                }
            }
        }
    }

    /// Compares both rows of a batch; `(hop, delay, n_out)`.
    fn compare_golden(
        case: &str,
        audio: &[f32],
        responses: &[f32],
        (hop, delay, n_out): (usize, usize, usize),
        expected: &[f32],
    ) {
        let n_blocks = 1000_usize.div_ceil(hop);
        let ir_len = responses.len() / 2 / n_blocks;
        let mut convolve = FftConvolve::new(hop, ir_len, delay);
        let norm = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
        for row in 0..2 {
            let (audio, responses) =
                (&audio[row * 1000..][..1000], &responses[row * responses.len() / 2..]);
            let responses = &responses[..n_blocks * ir_len];
            let mut output = vec![f32::NAN; n_out];
            convolve.forward(audio, responses, &mut output);
            // An FFT's error is a few 2^-24 for each stage of the norm of what it transforms,
            // and as many blocks overlap as fit in a response.
            let tolerance = 1e-6
                * norm(&audio[..hop.max(ir_len).min(1000)])
                * norm(&responses[..ir_len]).max(1.0);
            for (i, (y, e)) in output.iter().zip(&expected[row * n_out..]).enumerate() {
                assert!((y - e).abs() <= tolerance, "{case}[{i}]: {y}, not {e} ({tolerance:e})");
            }
        }
    }

    #[test]
    fn dirty_buffers_do_not_matter() {
        let mut convolve = FftConvolve::new(10, 5, 2);
        let (audio, response) = (wave(30, 0.4), wave(5, 1.0));
        let mut first = vec![0.0; 30];
        convolve.forward(&audio, &response, &mut first);
        convolve.forward(&wave(30, 3.0), &wave(15, 2.0), &mut [1e9; 30]);
        let mut second = vec![f32::NAN; 30];
        convolve.forward(&audio, &response, &mut second);
        assert_eq!(first, second);
    }

    #[test]
    #[should_panic(expected = "11 values for 3 impulse responses of 5 samples")]
    fn a_wrong_length_names_both() {
        FftConvolve::new(10, 5, 0).forward(&[0.0; 30], &[0.0; 11], &mut [0.0; 30]);
    }

    #[test]
    fn a_number_that_is_none_is_passed_on() {
        let mut output = [0.0; 8];
        let mut convolve = FftConvolve::new(4, 3, 0);
        convolve.forward(&[0.0, f32::NAN, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], &[1.0; 3], &mut output);
        assert!(output[1].is_nan(), "{output:?}");
    }
}
