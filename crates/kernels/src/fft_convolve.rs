//! Convolution by overlapped FFT blocks, with one impulse response or one for each block.

mod blocks;
mod fft_len;
mod odd_transform;
mod stream;

use std::fmt;

use rustfft::num_complex::Complex32;

use fft_len::{block_cost, fast_n_bins};
pub(crate) use odd_transform::OddTransform;
pub use stream::{ConvolveStream, StreamSplit};

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
///
/// A block's result is off by a few roundings of its largest samples, everywhere: where a block is
/// loud in one place, what lies 140 dB below that is lost in the others.
pub struct FftConvolve {
    hop: usize,
    ir_len: usize,
    delay: usize,
    /// Samples of a transform before a block of audio, for responses that begin before their time 0.
    lead: usize,
    transform: OddTransform,
    /// As many as a transform takes.
    samples: Vec<f32>,
    audio: Vec<Complex32>,
    response: Vec<Complex32>,
    grad_output: Vec<Complex32>,
    /// The sum over blocks that have one response.
    grad_response: Vec<Complex32>,
    product: Vec<Complex32>,
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
    /// # Panics
    ///
    /// If `hop` or `ir_len` is 0.
    pub fn new(hop: usize, ir_len: usize, delay: usize) -> Self {
        assert!(hop > 0 && ir_len > 0, "FftConvolve: hop {hop}, ir_len {ir_len}");
        let n_bins = fast_n_bins(hop + ir_len - 1);
        let spectrum = vec![Complex32::ZERO; n_bins];
        Self {
            hop,
            ir_len,
            delay,
            lead: 0,
            transform: OddTransform::new(n_bins),
            samples: vec![0.0; 2 * n_bins],
            audio: spectrum.clone(),
            response: spectrum.clone(),
            grad_output: spectrum.clone(),
            grad_response: spectrum.clone(),
            product: spectrum,
        }
    }

    /// A convolution of `n_samples` of audio with one response, in the blocks that take the least
    /// time.
    ///
    /// # Panics
    ///
    /// If `n_samples` or `ir_len` is 0.
    pub fn for_one_response(n_samples: usize, ir_len: usize, delay: usize) -> Self {
        assert!(n_samples > 0, "FftConvolve: {n_samples} samples of audio");
        let mut best = (f64::INFINITY, n_samples);
        let mut n_bins = fast_n_bins(ir_len);
        loop {
            let hop = (2 * n_bins + 1).saturating_sub(ir_len).min(n_samples);
            let n_blocks = n_samples.div_ceil(hop);
            let cost = n_blocks as f64 * block_cost(n_bins);
            if cost < best.0 {
                best = (cost, n_samples.div_ceil(n_blocks));
            }
            if hop == n_samples {
                return Self::new(best.1, ir_len, delay);
            }
            n_bins = fast_n_bins(2 * n_bins + 1);
        }
    }

    /// The delay that magenta/ddsp 3.7 compensates unless told otherwise, `(ir_len - 1) / 2 - 1`:
    /// one sample short of the centre of an odd response, one and a half of an even one.
    ///
    /// For responses of 1 or 2 samples that is -1, and the reference returns no audio; here it is 0.
    pub fn reference_delay(ir_len: usize) -> usize {
        (ir_len.saturating_sub(1) / 2).saturating_sub(1)
    }

    /// Overwrites `output` with the convolution of `audio`.
    ///
    /// `impulse_responses` is `[n_blocks, ir_len]` for `n_blocks = ceil(audio.len() / hop)`, or
    /// `[ir_len]`, the same for all blocks.
    ///
    /// # Panics
    ///
    /// If `impulse_responses` has neither of these lengths.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
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
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
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
        if shared {
            self.set_impulse_response(impulse_responses);
            let with_response = grad_impulse_responses.is_some();
            self.backward_blocks(audio, grad_output, grad_audio, with_response);
            if let Some(grad) = grad_impulse_responses {
                self.take_response_gradient(0, grad);
            }
            return;
        }
        for (b, block) in audio.chunks(self.hop).enumerate() {
            let (start, row) = (b * self.hop, b * self.ir_len);
            self.load_output_gradient(start, block.len(), grad_output);
            if let Some(grad) = grad_audio.as_deref_mut() {
                self.set_impulse_response(&impulse_responses[row..][..self.ir_len]);
                self.backward_block_audio(&mut grad[start..][..block.len()]);
            }
            if let Some(grad) = grad_impulse_responses.as_deref_mut() {
                self.backward_block_response(block, &mut grad[row..][..self.ir_len]);
            }
        }
    }

    /// What a stream of audio needs to be convolved piece by piece with [`process`](Self::process).
    pub fn new_stream(&self, split: StreamSplit) -> ConvolveStream {
        ConvolveStream::new(split, self.delay, [self.hop, self.ir_len, self.response.len()])
    }

    /// Overwrites `output` with the convolution of the next piece of a stream's audio, as long.
    ///
    /// However the audio is cut, the outputs one after the other are what [`forward`](Self::forward)
    /// makes of it, to rounding, [`latency`](ConvolveStream::latency) samples later.
    ///
    /// `impulse_responses` is `[n, ir_len]` for the blocks that begin in this piece, `n =`
    /// [`stream.n_frames(audio.len())`](ConvolveStream::n_frames), or empty to go on with the last
    /// one. A long response that never changes is cheaper with
    /// [`PartitionedConvolve`](crate::PartitionedConvolve).
    ///
    /// # Panics
    ///
    /// If `output` is not as long as `audio`, `impulse_responses` is not as said, `stream` was made
    /// for another hop or length, or `audio` is not whole hops where that was promised.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn process(
        &mut self,
        stream: &mut ConvolveStream,
        audio: &[f32],
        impulse_responses: &[f32],
        output: &mut [f32],
    ) {
        let (n, n_frames) = (impulse_responses.len(), stream.n_frames(audio.len()));
        let ir_len = self.ir_len;
        assert!(
            n == 0 || n == n_frames * ir_len,
            "FftConvolve: {n} values for {n_frames} impulse responses of {ir_len} samples"
        );
        let mut rows = impulse_responses.chunks(ir_len);
        self.process_blocks(stream, audio, output, |convolve| {
            rows.next().map(|row| convolve.set_impulse_response(row)).is_some()
        });
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

#[cfg(test)]
pub(crate) mod laws;
#[cfg(test)]
pub(crate) mod tests;
