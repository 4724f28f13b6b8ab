//! A filter whose magnitudes change from frame to frame.

mod gains;

use crate::fft_convolve::{ConvolveStream, FftConvolve, StreamSplit};
use crate::frequency_filter::{FilterAlignment, FrequencyFilter};
use gains::GainMatrix;

/// Frames that are designed together.
const CHUNK: usize = 8;

/// Filters audio with frame-rate magnitudes, and back.
///
/// Each hop of audio is convolved with the response of its frame (see [`FrequencyFilter`]), the
/// tails overlap, and the filters' delay is compensated: a linear time-varying filter with zero
/// phase. The response that a sample of audio is given is that of the frame it lies in, all through
/// its tail. From DDSP (Engel et al. 2020, <https://arxiv.org/abs/2001.04643>), whose filter is two
/// samples late where ours is not.
pub struct FirFilter {
    hop: usize,
    n_bands: usize,
    design: Design,
    convolve: FftConvolve,
    /// Designs of `CHUNK` frames.
    rows: Vec<f32>,
    grad_rows: Vec<f32>,
}

/// How magnitudes become the spectrum of a response.
enum Design {
    /// Straight, for responses around time 0.
    Gains(GainMatrix),
    /// By way of its taps.
    Taps(FrequencyFilter),
}

impl std::fmt::Debug for FirFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirFilter")
            .field("hop", &self.hop)
            .field("n_bands", &self.n_bands)
            .field("convolve", &self.convolve)
            .finish_non_exhaustive()
    }
}

impl FirFilter {
    /// A filter of `n_bands` magnitudes every `hop` samples; `window_len` as in [`FrequencyFilter`],
    /// 0 for the whole response of `2 (n_bands - 1)` taps.
    ///
    /// # Panics
    ///
    /// If `n_bands` is below 2, or `hop` is 0.
    pub fn new(hop: usize, n_bands: usize, window_len: usize, alignment: FilterAlignment) -> Self {
        let filter = FrequencyFilter::new(n_bands, window_len, alignment);
        let (ir_len, delay) = (filter.ir_len(), filter.delay());
        let convolve = FftConvolve::new(hop, ir_len, delay);
        let matrix = match alignment {
            FilterAlignment::Centred => {
                GainMatrix::new(n_bands, filter.window(), convolve.n_bins())
            }
            FilterAlignment::Reference => None,
        };
        match matrix {
            Some(matrix) => {
                let (_, lead) = filter.window().taps();
                Self::with_design(convolve.with_lead(lead), n_bands, Design::Gains(matrix))
            }
            None => Self::with_design(convolve, n_bands, Design::Taps(filter)),
        }
    }

    fn with_design(convolve: FftConvolve, n_bands: usize, design: Design) -> Self {
        let rows = vec![0.0; CHUNK * design.width()];
        Self { hop: convolve.hop(), n_bands, design, convolve, grad_rows: rows.clone(), rows }
    }

    /// Samples between frames.
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// Number of magnitudes.
    pub fn n_bands(&self) -> usize {
        self.n_bands
    }

    /// Overwrites `output` with filtered `audio`, equally long.
    ///
    /// `magnitudes` are `[n_frames, n_bands]`, linear, for `n_frames = ceil(audio.len() / hop)`.
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&mut self, audio: &[f32], magnitudes: &[f32], output: &mut [f32]) {
        self.check(audio.len(), magnitudes.len(), output.len());
        output.fill(0.0);
        let (hop, width) = (self.hop, self.design.width());
        let chunks = audio.chunks(CHUNK * hop).zip(magnitudes.chunks(CHUNK * self.n_bands));
        for (i, (audio, magnitudes)) in chunks.enumerate() {
            let rows = &mut self.rows[..magnitudes.len() / self.n_bands * width];
            self.design.forward(magnitudes, rows);
            for (j, (block, row)) in audio.chunks(hop).zip(rows.chunks(width)).enumerate() {
                self.design.set_response(row, &mut self.convolve);
                self.convolve.add_block((i * CHUNK + j) * hop, block, output);
            }
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_output`
    /// into the gradients that are wanted; their shapes are those of their inputs.
    ///
    /// The output is linear in the audio and in the magnitudes: the gradient of the audio is the
    /// output's, filtered back to front with the response of each sample's frame, and that of a
    /// frame's magnitudes is the design's transpose of the correlation of its audio with it.
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
        magnitudes: &[f32],
        grad_output: &[f32],
        mut grad_audio: Option<&mut [f32]>,
        mut grad_magnitudes: Option<&mut [f32]>,
    ) {
        self.check(audio.len(), magnitudes.len(), grad_output.len());
        if let Some(grad) = &grad_audio {
            let (n_grad, n) = (grad.len(), audio.len());
            assert_eq!(n_grad, n, "FirFilter: grad of {n_grad} of {n} audio samples");
        }
        if let Some(grad) = &grad_magnitudes {
            let (n_grad, n) = (grad.len(), magnitudes.len());
            assert_eq!(n_grad, n, "FirFilter: grad of {n_grad} of {n} magnitudes");
        }
        let chunks = audio.chunks(CHUNK * self.hop).zip(magnitudes.chunks(CHUNK * self.n_bands));
        for (i, chunk) in chunks.enumerate() {
            let first = [i * CHUNK * self.hop, i * CHUNK * self.n_bands];
            let grad_audio = grad_audio.as_deref_mut().map(|g| &mut g[first[0]..]);
            let grad_magnitudes = grad_magnitudes.as_deref_mut().map(|g| &mut g[first[1]..]);
            self.backward_chunk(first[0], chunk, grad_output, grad_audio, grad_magnitudes);
        }
    }

    /// [`backward`](Self::backward) for the audio and the magnitudes of up to `CHUNK` frames, from
    /// sample `first` on; the gradients begin there and go on.
    fn backward_chunk(
        &mut self,
        first: usize,
        (audio, magnitudes): (&[f32], &[f32]),
        grad_output: &[f32],
        mut grad_audio: Option<&mut [f32]>,
        grad_magnitudes: Option<&mut [f32]>,
    ) {
        let (hop, width) = (self.hop, self.design.width());
        let used = magnitudes.len() / self.n_bands * width;
        if grad_audio.is_some() {
            self.design.forward(magnitudes, &mut self.rows[..used]);
        }
        self.grad_rows[..used].fill(0.0);
        for (j, block) in audio.chunks(hop).enumerate() {
            let row = j * width..(j + 1) * width;
            self.convolve.load_output_gradient(first + j * hop, block.len(), grad_output);
            if let Some(grad) = grad_audio.as_deref_mut() {
                self.design.set_response(&self.rows[row.clone()], &mut self.convolve);
                self.convolve.backward_block_audio(&mut grad[j * hop..][..block.len()]);
            }
            if grad_magnitudes.is_some() {
                let grad_row = &mut self.grad_rows[row];
                self.design.backward_response(block, &mut self.convolve, grad_row);
            }
        }
        if let Some(grad) = grad_magnitudes {
            self.design.backward(&self.grad_rows[..used], &mut grad[..magnitudes.len()]);
        }
    }

    /// What a stream of audio needs to be filtered piece by piece with [`process`](Self::process).
    pub fn new_stream(&self, split: StreamSplit) -> ConvolveStream {
        self.convolve.new_stream(split)
    }

    /// Overwrites `output` with the next piece of a stream's `audio`, filtered, equally long.
    ///
    /// However the audio is cut, the outputs one after the other are what [`forward`](Self::forward)
    /// makes of it, to rounding, [`latency`](ConvolveStream::latency) samples later: half a response
    /// that a filter without delay looks ahead, and a hop if the pieces are not whole hops.
    ///
    /// `magnitudes` are `[n, n_bands]` for the frames that begin in this piece, `n =`
    /// [`stream.n_frames(audio.len())`](ConvolveStream::n_frames), or empty to go on with the last
    /// frame's.
    ///
    /// # Panics
    ///
    /// If `output` is not as long as `audio`, `magnitudes` is not as said, `stream` was made for
    /// another hop or length, or `audio` is not whole hops where that was promised.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn process(
        &mut self,
        stream: &mut ConvolveStream,
        audio: &[f32],
        magnitudes: &[f32],
        output: &mut [f32],
    ) {
        let (n, n_bands) = (magnitudes.len(), self.n_bands);
        let n_frames = stream.n_frames(audio.len());
        assert!(
            n == 0 || n == n_frames * n_bands,
            "FirFilter: {n} magnitudes of {n_bands} bands for {n_frames} frames"
        );
        let Self { design, convolve, rows, .. } = self;
        let row = &mut rows[..design.width()];
        let mut frames = magnitudes.chunks(n_bands);
        convolve.process_blocks(stream, audio, output, |convolve| {
            let frame = frames.next();
            if let Some(magnitudes) = frame {
                design.forward(magnitudes, row);
                design.set_response(row, convolve);
            }
            frame.is_some()
        });
    }

    fn check(&self, n_audio: usize, n_magnitudes: usize, n_output: usize) {
        let (hop, n_bands) = (self.hop, self.n_bands);
        assert_eq!(n_output, n_audio, "FirFilter: {n_output} samples of output for {n_audio}");
        assert!(
            n_magnitudes == n_audio.div_ceil(hop) * n_bands,
            "FirFilter: {n_magnitudes} magnitudes of {n_bands} bands for {n_audio} samples at hop \
             {hop}"
        );
    }
}

impl Design {
    /// Values of one frame's design.
    fn width(&self) -> usize {
        match self {
            Self::Gains(matrix) => matrix.n_bins(),
            Self::Taps(filter) => filter.ir_len(),
        }
    }

    /// Overwrites `rows` with the designs of some frames.
    fn forward(&mut self, magnitudes: &[f32], rows: &mut [f32]) {
        match self {
            Self::Gains(matrix) => matrix.forward(magnitudes, rows),
            Self::Taps(filter) => filter.forward(magnitudes, rows),
        }
    }

    /// Accumulates the transpose of [`forward`](Self::forward).
    fn backward(&mut self, grad_rows: &[f32], grad_magnitudes: &mut [f32]) {
        match self {
            Self::Gains(matrix) => matrix.backward(grad_rows, grad_magnitudes),
            Self::Taps(filter) => filter.backward(grad_rows, grad_magnitudes),
        }
    }

    fn set_response(&self, row: &[f32], convolve: &mut FftConvolve) {
        match self {
            Self::Gains(_) => convolve.set_gains(row),
            Self::Taps(_) => convolve.set_impulse_response(row),
        }
    }

    /// Accumulates the gradient of the design of a block, from the output's that was loaded.
    fn backward_response(&self, block: &[f32], convolve: &mut FftConvolve, grad_row: &mut [f32]) {
        match self {
            Self::Gains(_) => convolve.backward_block_gains(block, grad_row),
            Self::Taps(_) => convolve.backward_block_response(block, grad_row),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
