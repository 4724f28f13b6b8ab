//! Noise through a filter that changes from frame to frame.

use crate::fft_convolve::{ConvolveStream, StreamSplit};
use crate::fir_filter::FirFilter;
use crate::frames::FrameGrid;
use crate::frequency_filter::FilterAlignment;

/// Subtractive synthesizer: noise filtered by frame-rate magnitudes, and back.
///
/// A [`FirFilter`] whose audio is noise. From DDSP (Engel et al. 2020,
/// <https://arxiv.org/abs/2001.04643>), whose filter is two samples late where ours is not.
#[derive(Debug)]
pub struct FilteredNoise {
    filter: FirFilter,
}

impl FilteredNoise {
    /// A synthesizer of `n_bands` magnitudes on `grid`; `window_len` as in
    /// [`FrequencyFilter`](crate::FrequencyFilter), 0 for the whole response of `2 (n_bands - 1)`
    /// taps.
    ///
    /// # Panics
    ///
    /// If `n_bands` is below 2, or the hop is 0.
    pub fn new(grid: FrameGrid, n_bands: usize, window_len: usize) -> Self {
        Self::with_alignment(grid, n_bands, window_len, FilterAlignment::Centred)
    }

    /// As [`new`](Self::new), with the taps placed as `alignment` says:
    /// [`FilterAlignment::Reference`] reproduces magenta/ddsp sample by sample.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn with_alignment(
        grid: FrameGrid,
        n_bands: usize,
        window_len: usize,
        alignment: FilterAlignment,
    ) -> Self {
        Self { filter: FirFilter::new(grid.hop, n_bands, window_len, alignment) }
    }

    /// Samples between frames.
    pub(crate) fn hop(&self) -> usize {
        self.filter.hop()
    }

    /// Overwrites `audio` with filtered `noise`, both `n_frames` hops long.
    ///
    /// `noise` is uniform in `[-1, 1)`, `magnitudes` `[n_frames, n_bands]` linear.
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&mut self, noise: &[f32], magnitudes: &[f32], audio: &mut [f32]) {
        self.check(noise.len(), magnitudes.len(), audio.len());
        self.filter.forward(noise, magnitudes, audio);
    }

    /// Accumulates into `grad_magnitudes` the vector-Jacobian product of [`forward`](Self::forward)
    /// with `grad_audio`.
    ///
    /// The output is linear in the magnitudes, so their values do not matter, only their number.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gradients differ in length from their values.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(
        &mut self,
        noise: &[f32],
        magnitudes: &[f32],
        grad_audio: &[f32],
        grad_magnitudes: &mut [f32],
    ) {
        self.check(noise.len(), magnitudes.len(), grad_audio.len());
        let (n_grad, n) = (grad_magnitudes.len(), magnitudes.len());
        assert_eq!(n_grad, n, "FilteredNoise: grad of {n_grad} of {n} magnitudes");
        self.filter.backward(noise, magnitudes, grad_audio, None, Some(grad_magnitudes));
    }

    /// What a stream of noise needs to be filtered piece by piece with [`process`](Self::process).
    pub fn new_stream(&self, split: StreamSplit) -> ConvolveStream {
        self.filter.new_stream(split)
    }

    /// Overwrites `audio` with the next piece of a stream's `noise`, filtered, equally long.
    ///
    /// As [`FirFilter::process`]: what [`forward`](Self::forward) makes of all the noise,
    /// [`latency`](ConvolveStream::latency) samples later.
    ///
    /// # Panics
    ///
    /// As [`FirFilter::process`].
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn process(
        &mut self,
        stream: &mut ConvolveStream,
        noise: &[f32],
        magnitudes: &[f32],
        audio: &mut [f32],
    ) {
        self.filter.process(stream, noise, magnitudes, audio);
    }

    fn check(&self, n_noise: usize, n_magnitudes: usize, n_samples: usize) {
        let (hop, n_bands) = (self.filter.hop(), self.filter.n_bands());
        assert_eq!(n_samples, n_noise, "FilteredNoise: {n_samples} samples, {n_noise} of noise");
        assert!(
            n_noise.is_multiple_of(hop) && n_magnitudes == n_noise / hop * n_bands,
            "FilteredNoise: {n_magnitudes} magnitudes of {n_bands} bands for {n_noise} samples at \
             hop {hop}"
        );
    }
}

#[cfg(test)]
pub(crate) mod tests;
