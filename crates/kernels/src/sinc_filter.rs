//! Low-pass and high-pass filters with one cutoff a frame.

mod response;
mod sinc;

use crate::fft_convolve::{ConvolveStream, FftConvolve, StreamSplit};
use crate::frequency_filter::FilterAlignment;

pub use response::{CutoffUnit, SincResponse};
pub use sinc::{sinc, sinc_backward};

/// Filters audio with a windowed-sinc response for the cutoff of each frame, and back.
///
/// Each hop of audio is convolved with the [`SincResponse`] of its frame, the tails overlap, and the
/// filters' delay is compensated: a linear time-varying filter with zero phase.
#[derive(Debug)]
pub struct SincFilter {
    hop: usize,
    design: SincResponse,
    convolve: FftConvolve,
    /// One frame's response, or its gradient.
    response: Vec<f32>,
}

impl SincFilter {
    /// A filter with the responses of `design` and a cutoff every `hop` samples.
    ///
    /// # Panics
    ///
    /// If `hop` is 0.
    pub fn new(hop: usize, design: SincResponse, alignment: FilterAlignment) -> Self {
        let ir_len = design.ir_len();
        let delay = match alignment {
            FilterAlignment::Centred => ir_len / 2,
            FilterAlignment::Reference => FftConvolve::reference_delay(ir_len),
        };
        let convolve = FftConvolve::new(hop, ir_len, delay);
        Self { hop, design, convolve, response: vec![0.0; ir_len] }
    }

    /// Overwrites `output` with filtered `audio`, equally long; `cutoff` is `[n_frames]` for
    /// `n_frames = ceil(audio.len() / hop)`.
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&mut self, audio: &[f32], cutoff: &[f32], output: &mut [f32]) {
        self.check(audio.len(), cutoff.len(), output.len());
        output.fill(0.0);
        for (i, (block, cutoff)) in audio.chunks(self.hop).zip(cutoff).enumerate() {
            self.design.forward(*cutoff, &mut self.response);
            self.convolve.set_impulse_response(&self.response);
            self.convolve.add_block(i * self.hop, block, output);
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_output`
    /// into the gradients that are wanted; their shapes are those of their inputs.
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
        cutoff: &[f32],
        grad_output: &[f32],
        mut grad_audio: Option<&mut [f32]>,
        mut grad_cutoff: Option<&mut [f32]>,
    ) {
        self.check(audio.len(), cutoff.len(), grad_output.len());
        if let Some(grad) = &grad_audio {
            let (n_grad, n) = (grad.len(), audio.len());
            assert_eq!(n_grad, n, "SincFilter: grad of {n_grad} of {n} audio samples");
        }
        if let Some(grad) = &grad_cutoff {
            let (n_grad, n) = (grad.len(), cutoff.len());
            assert_eq!(n_grad, n, "SincFilter: grad of {n_grad} of {n} cutoffs");
        }
        for (i, (block, cutoff)) in audio.chunks(self.hop).zip(cutoff).enumerate() {
            let start = i * self.hop;
            self.convolve.load_output_gradient(start, block.len(), grad_output);
            if let Some(grad) = grad_audio.as_deref_mut() {
                self.design.forward(*cutoff, &mut self.response);
                self.convolve.set_impulse_response(&self.response);
                self.convolve.backward_block_audio(&mut grad[start..][..block.len()]);
            }
            if let Some(grad) = grad_cutoff.as_deref_mut() {
                self.response.fill(0.0);
                self.convolve.backward_block_response(block, &mut self.response);
                self.design.backward(*cutoff, &self.response, &mut grad[i]);
            }
        }
    }

    /// What a stream of audio needs to be filtered piece by piece with [`process`](Self::process).
    pub fn new_stream(&self, split: StreamSplit) -> ConvolveStream {
        self.convolve.new_stream(split)
    }

    /// Overwrites `output` with the next piece of a stream's `audio`, filtered, equally long.
    ///
    /// However the audio is cut, the outputs one after the other are what [`forward`](Self::forward)
    /// makes of it, to rounding, [`latency`](ConvolveStream::latency) samples later. `cutoff` is `[n]`
    /// for the frames that begin in this piece, `n =`
    /// [`stream.n_frames(audio.len())`](ConvolveStream::n_frames), or empty to go on with the last.
    ///
    /// # Panics
    ///
    /// If `output` is not as long as `audio`, `cutoff` is not as said, `stream` was made for another
    /// hop or length, or `audio` is not whole hops where that was promised.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn process(
        &mut self,
        stream: &mut ConvolveStream,
        audio: &[f32],
        cutoff: &[f32],
        output: &mut [f32],
    ) {
        let (n, n_frames) = (cutoff.len(), stream.n_frames(audio.len()));
        assert!(n == 0 || n == n_frames, "SincFilter: {n} cutoffs for {n_frames} frames");
        let Self { design, convolve, response, .. } = self;
        let mut frames = cutoff.iter();
        convolve.process_blocks(stream, audio, output, |convolve| {
            let frame = frames.next();
            if let Some(cutoff) = frame {
                design.forward(*cutoff, response);
                convolve.set_impulse_response(response);
            }
            frame.is_some()
        });
    }

    fn check(&self, n_audio: usize, n_cutoff: usize, n_output: usize) {
        let hop = self.hop;
        assert_eq!(n_output, n_audio, "SincFilter: {n_output} samples of output for {n_audio}");
        let n_frames = n_audio.div_ceil(hop);
        assert_eq!(
            n_cutoff, n_frames,
            "SincFilter: {n_cutoff} cutoffs for {n_audio} samples at hop {hop}"
        );
    }
}

#[cfg(test)]
pub(crate) mod tests;
