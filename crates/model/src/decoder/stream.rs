//! The decoder on an endless sequence, a few frames at a time.

use super::{DecoderCache, RnnFcDecoder};

/// Frames computed together: as many as the dense layers take without allocating.
const FRAMES: usize = 4;

/// A decoder with its parameters and its state between blocks, for one example.
///
/// Any split of a sequence into blocks gives the outputs of [`RnnFcDecoder::forward`], to the
/// rounding of sums in another order.
#[derive(Clone, Debug)]
pub struct DecoderStream {
    decoder: RnnFcDecoder,
    parameters: Vec<f32>,
    cache: DecoderCache,
}

impl DecoderStream {
    /// A stream that begins in silence.
    ///
    /// # Panics
    ///
    /// If `parameters` are not as many as `decoder` has.
    pub fn new(decoder: RnnFcDecoder, parameters: Vec<f32>) -> Self {
        assert_eq!(parameters.len(), decoder.table.n_values(), "decoder: parameters");
        let mut cache = DecoderCache::new(&decoder, FRAMES, 1);
        cache.recurrence.pack(decoder.gru_weights(&parameters));
        Self { decoder, parameters, cache }
    }

    /// Returns to the silent state.
    pub fn reset(&mut self) {
        self.cache.state.fill(0.0);
    }

    /// Decodes any number of frames: scaled loudness and scaled f0, each `[n_frames]`, to
    /// `outputs`, `[n_frames, n_outputs]`.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit each other.
    pub fn process(&mut self, inputs: [&[f32]; 2], outputs: &mut [f32]) {
        let n_outputs = self.decoder.n_outputs();
        assert_eq!(inputs[0].len(), inputs[1].len(), "decoder: frames of the inputs");
        assert_eq!(outputs.len(), inputs[0].len() * n_outputs, "decoder: length of the outputs");
        let blocks = inputs[0].chunks(FRAMES).zip(inputs[1].chunks(FRAMES));
        for ((loudness, f0), outputs) in blocks.zip(outputs.chunks_mut(FRAMES * n_outputs)) {
            let inputs = [loudness, f0];
            self.decoder.forward_rows(&self.parameters, inputs, &mut self.cache, outputs);
        }
    }
}
