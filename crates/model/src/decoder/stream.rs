//! The decoder on an endless sequence, a few frames at a time.

use super::{DecoderCache, RnnFcDecoder, scale};

/// Frames computed together: as many as the dense layers take without allocating.
const FRAMES: usize = 4;

/// Inputs that a decoder has at most: level, f0 and `z`.
const MOST_INPUTS: usize = 3;

/// A decoder with its parameters and its state between blocks, for one example.
///
/// Any split of a sequence into blocks gives the outputs of [`RnnFcDecoder::forward`], to the
/// rounding of sums in another order.
#[derive(Clone, Debug)]
pub struct DecoderStream {
    decoder: RnnFcDecoder,
    parameters: Vec<f32>,
    cache: DecoderCache,
    /// Frames computed together, at most.
    block: usize,
}

impl DecoderStream {
    /// A stream that begins in silence.
    ///
    /// # Panics
    ///
    /// If `parameters` are not as many as `decoder` has.
    pub fn new(decoder: RnnFcDecoder, parameters: Vec<f32>) -> Self {
        Self::in_blocks(decoder, parameters, FRAMES)
    }

    /// The same for playing offline, `block` frames at a time: weights are read once for each
    /// block, not once for every four frames, but [`process`](Self::process) allocates.
    pub(crate) fn in_blocks(decoder: RnnFcDecoder, parameters: Vec<f32>, block: usize) -> Self {
        assert_eq!(parameters.len(), decoder.n_parameters, "decoder: parameters");
        let mut cache = DecoderCache::new(&decoder, block, 1);
        cache.recurrence.pack(decoder.gru.weights(&parameters));
        Self { decoder, parameters, cache, block }
    }

    /// Returns to the silent state.
    pub fn reset(&mut self) {
        self.cache.state.fill(0.0);
    }

    /// Decodes any number of frames: `inputs`, those of [`DecoderInput::all`](super::DecoderInput::all), each
    /// `[n_frames, n_columns]`, to `outputs`, `[n_frames, n_outputs]`.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit each other.
    pub fn process(&mut self, inputs: &[&[f32]], outputs: &mut [f32]) {
        let (n_inputs, n_outputs) = (self.decoder.inputs.len(), self.decoder.n_outputs());
        let n_frames = inputs[0].len() / self.decoder.inputs[0].n_columns;
        self.decoder.check_inputs(inputs, n_frames);
        assert_eq!(outputs.len(), n_frames * n_outputs, "decoder: length of the outputs");
        for (i, outputs) in outputs.chunks_mut(self.block * n_outputs).enumerate() {
            let frames = i * self.block..i * self.block + outputs.len() / n_outputs;
            let mut of_block: [&[f32]; MOST_INPUTS] = [&[]; MOST_INPUTS];
            for (i, of_block) in of_block[..n_inputs].iter_mut().enumerate() {
                *of_block = &inputs[i][scale(&frames, self.decoder.inputs[i].n_columns)];
            }
            let inputs = &of_block[..n_inputs];
            self.decoder.forward_rows(&self.parameters, inputs, &mut self.cache, outputs);
        }
    }
}
