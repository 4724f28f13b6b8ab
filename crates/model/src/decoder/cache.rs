//! What a decoder keeps between its forward and backward pass.

use ddsp_kernels::nn::{Gru, GruRecurrence};

use super::fc_stack::{FcScratch, FcStackCache};
use super::{CHUNK, RnnFcDecoder};

/// A decoder's memory between forward and backward pass, and its scratch.
///
/// One thread needs one; examples may be split over several caches.
#[derive(Clone, Debug)]
pub struct DecoderCache {
    pub(super) n_examples: usize,
    /// Rows that there is room for.
    pub(super) max_rows: usize,
    pub(super) input_stacks: Vec<FcStackCache>,
    /// `[n_rows, joined_width]`: the outputs of the input stacks, then the GRU's.
    pub(super) joined: Vec<f32>,
    pub(super) grad_joined: Vec<f32>,
    pub(super) gru: Gru,
    pub(super) recurrence: GruRecurrence,
    /// `[n_examples, gru_units]`: the GRU's state after the last frame.
    pub(super) state: Vec<f32>,
    pub(super) output_stack: FcStackCache,
    /// `[n_rows, hidden_width]`: the output of the output stack.
    pub(super) hidden: Vec<f32>,
    /// `[CHUNK, hidden_width]`
    pub(super) grad_hidden: Vec<f32>,
    pub(super) scratch: FcScratch,
}

impl DecoderCache {
    /// Allocates for `n_examples` examples of `n_frames`.
    ///
    /// The gradients' part is as large as needed for training; see [`DecoderStream`](super::DecoderStream) for playing.
    pub fn new(decoder: &RnnFcDecoder, n_frames: usize, n_examples: usize) -> Self {
        let max_rows = n_frames * n_examples;
        let chunk = CHUNK.min(max_rows);
        let width = decoder.joined_width();
        Self {
            n_examples,
            max_rows,
            input_stacks: (decoder.input_stacks.iter())
                .map(|stack| FcStackCache::new(stack, max_rows))
                .collect(),
            joined: vec![0.0; max_rows * width],
            grad_joined: Vec::new(),
            gru: Gru::new(decoder.gru_units, max_rows),
            recurrence: GruRecurrence::default(),
            state: vec![0.0; n_examples * decoder.gru_units],
            output_stack: FcStackCache::new(&decoder.output_stack, max_rows),
            hidden: vec![0.0; max_rows * decoder.hidden_width()],
            grad_hidden: vec![0.0; chunk * decoder.hidden_width()],
            scratch: FcScratch::new(chunk, decoder.fc_units),
        }
    }
}
