//! Mel-frequency cepstral coefficients.

#![expect(clippy::cast_possible_truncation, reason = "cosines are computed in f64, kept in f32")]

#[cfg(test)]
pub(crate) mod tests;

use crate::magnitudes::{Magnitudes, assert_shape, of_row, of_row_mut, row};
use crate::mel::{Mel, MelBands};

/// Mel-frequency cepstral coefficients: the cosine transform of log mel spectra.
///
/// With `l[i, b] = ln mel[i, b]` of [`Mel`] in `n_bands` bands,
///
/// `mfcc[i, c] = sqrt(2 / n_bands) sum_b l[i, b] cos(pi c (b + 1/2) / n_bands)`,
///
/// the DCT-II in the scale of HTK, where coefficient 0 has no factor of its own: `compute_mfcc` of
/// magenta/ddsp 3.7 (`tf.signal.mfccs_from_log_mel_spectrograms`, its first `n_coefficients`).
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct Mfcc {
    mel: Mel,
    /// The transform, `[n_coefficients, n_bands]`.
    cosines: Vec<f32>,
    /// A row of logarithms or of their gradients.
    log_row: Vec<f32>,
}

impl Mfcc {
    /// The first `n_coefficients` of the log spectra of `mel`.
    ///
    /// # Panics
    ///
    /// If there are more coefficients than bands, or none.
    pub fn new(mel: Mel, n_coefficients: usize) -> Self {
        let n_bands = mel.n_bands();
        let is_valid = (1..=n_bands).contains(&n_coefficients);
        assert!(is_valid, "Mfcc: {n_coefficients} coefficients of {n_bands} bands");
        let scale = (2.0 / n_bands as f64).sqrt();
        let cosine = |c: usize, b: usize| {
            let half_turns = c as f64 * (b as f64 + 0.5) / n_bands as f64;
            (scale * (std::f64::consts::PI * half_turns).cos()) as f32
        };
        let cosines =
            (0..n_coefficients).flat_map(|c| (0..n_bands).map(move |b| cosine(c, b))).collect();
        Self { mel, cosines, log_row: vec![0.0; n_bands] }
    }

    /// The settings of the reference's encoders: frames of 1024 samples a quarter of that apart,
    /// 128 bands from 20 Hz to 8 kHz, at 16 kHz.
    ///
    /// # Panics
    ///
    /// If `n_coefficients` is 0 or above 128.
    pub fn with_defaults(n_coefficients: usize) -> Self {
        let bands = MelBands { low_hz: 20.0, n_bands: 128, ..MelBands::default() };
        Self::new(Mel::new(Magnitudes::with_quarter_hop(1024), bands), n_coefficients)
    }

    /// Number of coefficients.
    pub fn n_coefficients(&self) -> usize {
        self.cosines.len() / self.log_row.len()
    }

    /// Frames of audio that is `n_samples` long.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        self.mel.n_frames(n_samples)
    }

    /// Writes the coefficients to `mfcc`, `[n_frames, n_coefficients]`.
    ///
    /// # Panics
    ///
    /// If `mfcc.len() != n_frames(audio.len()) * n_coefficients()`.
    pub fn forward(&mut self, audio: &[f32], mfcc: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_coefficients()];
        assert_shape("Mfcc: mfcc", mfcc.len(), shape, audio.len());
        let [_, n_coefficients] = shape;
        let Self { mel, cosines, log_row } = self;
        let simd = mel.simd();
        mel.for_rows(audio, |i, mel| {
            row::safe_log(simd, mel, log_row);
            let row = of_row_mut(mfcc, i, n_coefficients);
            for (coefficient, cosines) in row.iter_mut().zip(cosines.chunks_exact(mel.len())) {
                *coefficient = dot(cosines, log_row);
            }
        });
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// # Panics
    ///
    /// If `grad_audio.len() != audio.len()`, or
    /// `grad_mfcc.len() != n_frames(audio.len()) * n_coefficients()`.
    pub fn backward(&mut self, audio: &[f32], grad_mfcc: &[f32], grad_audio: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_coefficients()];
        assert_shape("Mfcc: grad_mfcc", grad_mfcc.len(), shape, audio.len());
        let [_, n_coefficients] = shape;
        let Self { mel, cosines, log_row } = self;
        let simd = mel.simd();
        mel.rows_backward(audio, grad_audio, |i, mel, grad_row| {
            log_row.fill(0.0);
            let grads = of_row(grad_mfcc, i, n_coefficients);
            for (grad, cosines) in grads.iter().zip(cosines.chunks_exact(mel.len())) {
                for (sum, cosine) in log_row.iter_mut().zip(cosines) {
                    *sum += grad * cosine;
                }
            }
            row::safe_log_backward(simd, mel, log_row, grad_row);
        });
    }
}

/// The sum of products, in lanes so that the additions vectorise.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f32 = last_a.iter().zip(last_b).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}
