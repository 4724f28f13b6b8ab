//! The term of the loss that compares loudness.

#![expect(clippy::cast_possible_truncation, reason = "weights are f64, levels f32")]

use super::distance::SpectralDistance;
use super::{SpectralLossConfig, SpectralLossTerms};
use crate::loudness::Loudness;

/// Distance of loudness in dB: the term of the loss that has no FFT size of its own.
///
/// `loudness_weight d(loudness_db(target), loudness_db(audio))`, with `d` the mean of the
/// [`SpectralDistance`] over frames, which are one row. A frame at the floor has no gradient.
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct LoudnessDistance {
    loudness: Loudness,
    distance: SpectralDistance,
    n_samples: usize,
    /// What one distance counts.
    weight: f64,
    /// One row of levels.
    rows: [Vec<f32>; 2],
    grad_row: Vec<f32>,
}

impl LoudnessDistance {
    /// Allocates everything to compare clips of `n_samples`; `None` if loudness has no weight.
    ///
    /// # Panics
    ///
    /// If loudness has a weight and [`Loudness::with_config`] refuses its configuration.
    pub fn new(n_samples: usize, config: &SpectralLossConfig) -> Option<Self> {
        (config.loudness_weight != 0.0).then(|| {
            let loudness = Loudness::with_config(&config.loudness);
            let n_frames = loudness.n_frames(n_samples);
            let count = config.distance.count(1, n_frames).max(1) as f64;
            let row = || vec![0.0; n_frames];
            Self {
                loudness,
                distance: config.distance,
                n_samples,
                weight: f64::from(config.loudness_weight) / count,
                rows: [row(), row()],
                grad_row: row(),
            }
        })
    }

    /// The term; accumulates its gradient into `grad_audio` if there is one.
    ///
    /// # Panics
    ///
    /// If a slice does not have the `n_samples` given to [`new`](Self::new).
    pub fn evaluate(
        &mut self,
        target: &[f32],
        audio: &[f32],
        grad_audio: Option<&mut [f32]>,
    ) -> SpectralLossTerms {
        self.assert_len("target", target.len());
        self.assert_len("audio", audio.len());
        if let Some(grad_audio) = &grad_audio {
            self.assert_len("grad_audio", grad_audio.len());
        }
        let [target_row, audio_row] = &mut self.rows;
        self.loudness.forward(target, target_row);
        self.loudness.forward(audio, audio_row);
        self.grad_row.fill(0.0);
        let grad_row = grad_audio.is_some().then_some(&mut *self.grad_row);
        let (simd, weight) = (self.loudness.simd(), self.weight as f32);
        let sum = self.distance.compare(simd, [target_row, audio_row], weight, grad_row);
        if let Some(grad_audio) = grad_audio {
            self.loudness.backward(audio, &self.grad_row, grad_audio);
        }
        SpectralLossTerms { loudness: self.weight * sum, ..SpectralLossTerms::default() }
    }

    fn assert_len(&self, name: &str, len: usize) {
        let n_samples = self.n_samples;
        assert_eq!(
            len, n_samples,
            "LoudnessDistance: {name} has {len} samples, made for {n_samples}"
        );
    }
}
