//! Reverberation by convolution with one response for a whole batch of clips.

mod exp_decay;
mod filtered_noise;

use crate::fft_convolve::FftConvolve;
use crate::partitioned_convolve::PartitionedConvolve;

pub use exp_decay::{ExpDecay, ExpDecayReverb};
pub use filtered_noise::FilteredNoiseReverb;

/// Convolution of clips with an impulse response that is learned or given, and back.
///
/// `output[n] = dry audio[n] + sum_{t >= 1} h[t] audio[n - t]`, with `dry` 1 or 0: tap 0 of the
/// response is taken as 0 in any case, since it would only be the dry signal again. From DDSP (Engel
/// et al. 2020, <https://arxiv.org/abs/2001.04643>).
///
/// The response is set once and transformed once for all clips that follow; its gradient is summed
/// over clips as a spectrum, and transformed back once.
#[derive(Debug)]
pub struct Reverb {
    convolve: FftConvolve,
    add_dry: bool,
    /// The response with tap 0 as it sounds: 0.
    response: Vec<f32>,
}

impl Reverb {
    /// A reverb with `ir_len` taps, the response still silent. Audio may have any length, but clips
    /// of `n_samples` take the least time. `add_dry` tells whether the output holds the audio too.
    ///
    /// # Panics
    ///
    /// If `n_samples` or `ir_len` is 0.
    pub fn new(n_samples: usize, ir_len: usize, add_dry: bool) -> Self {
        let convolve = FftConvolve::for_one_response(n_samples, ir_len, 0);
        Self { convolve, add_dry, response: vec![0.0; ir_len] }
    }

    /// Taps of a response.
    pub fn ir_len(&self) -> usize {
        self.response.len()
    }

    /// The response of the clips that follow, `[ir_len]`; tap 0 is not used.
    ///
    /// # Panics
    ///
    /// If it does not have `ir_len` taps.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn set_impulse_response(&mut self, impulse_response: &[f32]) {
        self.check_response(impulse_response.len());
        self.response[1..].copy_from_slice(&impulse_response[1..]);
        self.convolve.set_impulse_response(&self.response);
    }

    /// Overwrites `output` with the reverberation of `audio`, equally long: what still sounds at the
    /// end is cut off.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values; a stream is for [`live`](Self::live).
    pub fn forward(&mut self, audio: &[f32], output: &mut [f32]) {
        let (n, n_output) = (audio.len(), output.len());
        assert_eq!(n_output, n, "Reverb: {n_output} samples of output for {n}");
        self.convolve.forward_blocks(audio, output);
        if self.add_dry {
            output.iter_mut().zip(audio).for_each(|(y, x)| *y += x);
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_output` into
    /// `grad_audio`, if that is wanted, and keeps that of the response for
    /// [`take_impulse_response_gradient`](Self::take_impulse_response_gradient).
    ///
    /// The response is the one that was set last.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(
        &mut self,
        audio: &[f32],
        grad_output: &[f32],
        mut grad_audio: Option<&mut [f32]>,
    ) {
        self.check_gradients(audio.len(), grad_output.len(), grad_audio.as_deref());
        self.convolve.backward_blocks(audio, grad_output, grad_audio.as_deref_mut(), true);
        self.backward_dry(grad_output, grad_audio);
    }

    /// [`backward`](Self::backward) for the audio alone, where the response is not learned: saves
    /// one transform of three.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward_audio(&mut self, grad_output: &[f32], grad_audio: &mut [f32]) {
        let n = grad_audio.len();
        self.check_gradients(n, grad_output.len(), None);
        // Without the response's gradient only the length of the audio matters.
        self.convolve.backward_blocks(grad_output, grad_output, Some(grad_audio), false);
        self.backward_dry(grad_output, Some(grad_audio));
    }

    fn backward_dry(&self, grad_output: &[f32], grad_audio: Option<&mut [f32]>) {
        if let Some(grad) = grad_audio.filter(|_| self.add_dry) {
            grad.iter_mut().zip(grad_output).for_each(|(x, g)| *x += g);
        }
    }

    /// Adds to `grad_impulse_response` the gradient of the response over all calls of
    /// [`backward`](Self::backward) since the last of this. That of tap 0, which is not used, is 0.
    ///
    /// # Panics
    ///
    /// If it does not have `ir_len` taps.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn take_impulse_response_gradient(&mut self, grad_impulse_response: &mut [f32]) {
        self.check_response(grad_impulse_response.len());
        self.convolve.take_response_gradient(1, &mut grad_impulse_response[1..]);
    }

    /// The same reverb for live playing, with the response that was set: what it makes of a stream
    /// is what [`forward`](Self::forward) makes of the whole, to rounding, the stream's latency
    /// later. The dry signal is tap 0.
    pub fn live(&self, block_len: usize) -> PartitionedConvolve {
        let mut response = self.response.clone();
        response[0] = if self.add_dry { 1.0 } else { 0.0 };
        let mut convolve = PartitionedConvolve::new(block_len, response.len());
        convolve.set_impulse_response(&response);
        convolve
    }

    fn check_response(&self, n: usize) {
        let ir_len = self.ir_len();
        assert_eq!(n, ir_len, "Reverb: a response of {n} taps, not {ir_len}");
    }

    fn check_gradients(&self, n_audio: usize, n_output: usize, grad_audio: Option<&[f32]>) {
        assert_eq!(n_output, n_audio, "Reverb: grad of {n_output} samples of output for {n_audio}");
        if let Some(grad) = grad_audio {
            let n_grad = grad.len();
            assert_eq!(n_grad, n_audio, "Reverb: grad of {n_grad} of {n_audio} audio samples");
        }
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;
