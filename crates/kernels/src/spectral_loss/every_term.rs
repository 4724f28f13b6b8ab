//! Any choice of terms and distances at one FFT size, row by row.
//!
//! The usual loss, absolute differences of magnitudes and their logarithms, has one fused loop in
//! `bins`; this is everything else. Each term is a map from rows of magnitudes to rows of a
//! feature, a distance between those of the target and the audio, and the transposed map. Changes
//! in time need the previous row, so a pair of frames goes back to audio when the next one is
//! compared.

#![expect(clippy::cast_possible_truncation, reason = "weights are f64, rows f32")]

use super::distance::SpectralDistance;
use super::{SpectralLossConfig, SpectralLossTerms, features};
use crate::magnitudes::row;
use crate::simd::Simd;
use crate::stft::frame_pairs::{FramePairs, SplitSpectrum};

/// Working memory for all terms at one FFT size.
pub(super) struct EveryTerm {
    comparison: Comparison,
    n_frames: usize,
    target_spectra: [SplitSpectrum; 2],
    pair: Pair,
    previous: Pair,
    scratch: Row,
}

/// Two neighbouring frames.
struct Pair {
    /// Bins of the audio, in the end their gradients.
    spectra: [SplitSpectrum; 2],
    rows: [Row; 2],
}

/// Magnitudes or a feature of them in one frame of the target and of the audio, and the gradient
/// with respect to the latter.
struct Row {
    target: Vec<f32>,
    audio: Vec<f32>,
    grad: Vec<f32>,
}

/// How rows are compared.
#[derive(Clone, Copy)]
struct Comparison {
    distance: SpectralDistance,
    /// What one distance counts in each term: its weight over the number of distances.
    weights: SpectralLossTerms,
    simd: Simd,
    wants_gradient: bool,
}

impl EveryTerm {
    pub(super) fn new(config: &SpectralLossConfig, n_frames: usize, n_bins: usize) -> Self {
        let count = |n_rows, row_len| config.distance.count(n_rows, row_len).max(1) as f64;
        let mean = |weight: f32| f64::from(weight) / count(n_frames, n_bins);
        let weights = SpectralLossTerms {
            magnitude: mean(config.magnitude_weight),
            log_magnitude: mean(config.log_magnitude_weight),
            delta_time: f64::from(config.delta_time_weight)
                / count(n_frames.saturating_sub(1), n_bins),
            delta_freq: f64::from(config.delta_freq_weight) / count(n_frames, n_bins - 1),
            cumsum_freq: mean(config.cumsum_freq_weight),
            loudness: 0.0,
        };
        let distance = config.distance;
        let simd = Simd::widest();
        Self {
            comparison: Comparison { distance, weights, simd, wants_gradient: false },
            n_frames,
            target_spectra: [SplitSpectrum::new(n_bins), SplitSpectrum::new(n_bins)],
            pair: Pair::new(n_bins),
            previous: Pair::new(n_bins),
            scratch: Row::new(n_bins),
        }
    }

    /// The terms; accumulates the gradient of their sum into `grad_audio` if there is one.
    pub(super) fn evaluate(
        &mut self,
        frames: &mut FramePairs,
        target: &[f32],
        audio: &[f32],
        mut grad_audio: Option<&mut [f32]>,
    ) -> SpectralLossTerms {
        let (simd, wants_gradient) = (frames.simd(), grad_audio.is_some());
        let comparison = Comparison { simd, wants_gradient, ..self.comparison };
        let mut sums = SpectralLossTerms::default();
        for first in (0..self.n_frames).step_by(2) {
            std::mem::swap(&mut self.pair, &mut self.previous);
            frames.forward(target, first, &mut self.target_spectra);
            frames.forward(audio, first, &mut self.pair.spectra);
            self.pair.measure(simd, &self.target_spectra);
            let [_, before] = &mut self.previous.rows;
            let [row, next] = &mut self.pair.rows;
            let scratch = &mut self.scratch;
            comparison.row(row, scratch, &mut sums);
            if first > 0 {
                comparison.change(before, row, scratch, &mut sums);
            }
            if first + 1 < self.n_frames {
                comparison.row(next, scratch, &mut sums);
                comparison.change(row, next, scratch, &mut sums);
            }
            if let Some(grad_audio) = grad_audio.as_deref_mut().filter(|_| first > 0) {
                self.previous.backward(frames, first - 2, grad_audio);
            }
        }
        if let Some(grad_audio) = grad_audio.filter(|_| self.n_frames > 0) {
            // A frame beyond the last, if their number is odd, was not compared: no gradient.
            self.pair.backward(frames, (self.n_frames - 1) / 2 * 2, grad_audio);
        }
        comparison.weights.zip(sums, |weight, sum| weight * sum)
    }
}

impl Pair {
    fn new(n_bins: usize) -> Self {
        Self {
            spectra: [SplitSpectrum::new(n_bins), SplitSpectrum::new(n_bins)],
            rows: [Row::new(n_bins), Row::new(n_bins)],
        }
    }

    /// Magnitudes of both frames; gradients of 0.
    fn measure(&mut self, simd: Simd, target_spectra: &[SplitSpectrum; 2]) {
        for (row, (target, audio)) in
            self.rows.iter_mut().zip(target_spectra.iter().zip(&self.spectra))
        {
            row::magnitudes(simd, target, &mut row.target);
            row::magnitudes(simd, audio, &mut row.audio);
            row.grad.fill(0.0);
        }
    }

    /// From gradients of magnitudes to that of the audio.
    fn backward(&mut self, frames: &mut FramePairs, first: usize, grad_audio: &mut [f32]) {
        for (row, spectrum) in self.rows.iter().zip(&mut self.spectra) {
            row::magnitudes_backward(frames.simd(), &row.audio, &row.grad, spectrum);
        }
        frames.backward(&self.spectra, first, grad_audio);
    }
}

impl Row {
    fn new(n_bins: usize) -> Self {
        let row = || vec![0.0; n_bins];
        Self { target: row(), audio: row(), grad: row() }
    }
}

impl Comparison {
    /// Adds the distances of one frame to `sums`, and their gradient to that of its magnitudes.
    fn row(self, row: &mut Row, scratch: &mut Row, sums: &mut SpectralLossTerms) {
        let Self { weights, simd, wants_gradient, .. } = self;
        let n_bins = row.audio.len();
        if weights.magnitude != 0.0 {
            let grad = wants_gradient.then_some(&mut *row.grad);
            let weight = weights.magnitude as f32;
            sums.magnitude += self.distance.compare(simd, [&row.target, &row.audio], weight, grad);
        }
        if weights.log_magnitude != 0.0 {
            let log = |x: &[f32], y: &mut [f32]| row::safe_log(simd, x, y);
            sums.log_magnitude += self.feature(row, scratch, n_bins, weights.log_magnitude, log);
            if wants_gradient {
                row::safe_log_backward(simd, &row.audio, &scratch.grad, &mut row.grad);
            }
        }
        if weights.delta_freq != 0.0 {
            let delta = |x: &[f32], y: &mut [f32]| features::delta(simd, x, y);
            sums.delta_freq += self.feature(row, scratch, n_bins - 1, weights.delta_freq, delta);
            if wants_gradient {
                features::delta_backward(simd, &scratch.grad[..n_bins - 1], &mut row.grad);
            }
        }
        if weights.cumsum_freq != 0.0 {
            let sum = |x: &[f32], y: &mut [f32]| features::running_sum(simd, x, y);
            sums.cumsum_freq += self.feature(row, scratch, n_bins, weights.cumsum_freq, sum);
            if wants_gradient {
                let Row { target: reversed, grad, .. } = scratch;
                features::running_sum_backward(simd, grad, reversed, &mut row.grad);
            }
        }
    }

    /// Adds the distance of the changes between two neighbouring frames.
    fn change(
        self,
        before: &mut Row,
        after: &mut Row,
        scratch: &mut Row,
        sums: &mut SpectralLossTerms,
    ) {
        let Self { weights, simd, .. } = self;
        if weights.delta_time == 0.0 {
            return;
        }
        features::change(simd, &before.target, &after.target, &mut scratch.target);
        features::change(simd, &before.audio, &after.audio, &mut scratch.audio);
        sums.delta_time += self.compare(scratch, after.audio.len(), weights.delta_time);
        if self.wants_gradient {
            let (grad_before, grad_after) = (&mut before.grad, &mut after.grad);
            features::change_backward(simd, &scratch.grad, grad_before, grad_after);
        }
    }

    /// The distance of a feature of `len` values, which `map` makes of magnitudes; its gradient in
    /// that of `scratch`.
    fn feature(
        self,
        row: &Row,
        scratch: &mut Row,
        len: usize,
        weight: f64,
        map: impl Fn(&[f32], &mut [f32]),
    ) -> f64 {
        map(&row.target, &mut scratch.target[..len]);
        map(&row.audio, &mut scratch.audio[..len]);
        self.compare(scratch, len, weight)
    }

    /// The distance of the first `len` values of a feature, its gradient written beside them.
    fn compare(self, feature: &mut Row, len: usize, weight: f64) -> f64 {
        let Row { target, audio, grad } = feature;
        grad.fill(0.0);
        let grad = self.wants_gradient.then_some(&mut grad[..len]);
        let rows: [&[f32]; 2] = [&target[..len], &audio[..len]];
        self.distance.compare(self.simd, rows, weight as f32, grad)
    }
}
