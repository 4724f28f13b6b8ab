//! One resolution of the spectral loss.

use super::bins::{self, BinWeights};
use super::distance::SpectralDistance;
use super::every_term::EveryTerm;
use super::{SpectralLossConfig, SpectralLossTerms};
use crate::framing::{FrameAlignment, Framing};
use crate::stft::frame_pairs;
use crate::stft::frame_pairs::{FramePairs, SplitSpectrum};

/// Distance of spectra at one FFT size: every term of the loss but loudness.
///
/// With `X = |STFT(target)|`, `Y = |STFT(audio)|` (periodic Hann window, hop of a quarter frame,
/// the end padded with zeros, `n_samples / hop` frames rounded up) and `d` the mean of the
/// [`SpectralDistance`] over frames and bins:
///
/// - `magnitude_weight d(X, Y)`,
/// - `log_magnitude_weight d(ln X', ln Y')`, where `'` replaces an exact 0 by 1e-5. Anything above
///   0 stays: a magnitude of 1e-20 is 46 nepers below 1,
/// - `delta_time_weight d(X[i + 1, k] - X[i, k], ..)`, 0 for a single frame,
/// - `delta_freq_weight d(X[i, k + 1] - X[i, k], ..)`,
/// - `cumsum_freq_weight d(sum_{m <= k} X[i, m], ..)`.
///
/// Gradients are those of the reference: 0 where `Y` is exactly 0, and of an absolute difference
/// where the two are equal. The logarithm of an `audio` magnitude below 1e-34 has the slope of
/// that of 1e-34, so that sums over bins stay finite.
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct SpectralScale {
    frames: FramePairs,
    n_samples: usize,
    method: Method,
}

/// How the terms are computed.
enum Method {
    /// L1 of magnitudes and their logarithms, in one loop.
    Usual(Box<Usual>),
    /// Anything, term by term.
    General(Box<EveryTerm>),
}

/// Working memory of the usual loss.
struct Usual {
    weights: BinWeights,
    target: [SplitSpectrum; 2],
    audio: [SplitSpectrum; 2],
    grad: [SplitSpectrum; 2],
}

impl SpectralScale {
    /// Allocates everything to compare clips of `n_samples` in frames of `fft_len`.
    ///
    /// Of `config` only the distance and the weights count, but for that of loudness.
    ///
    /// # Panics
    ///
    /// If `fft_len` is 0 or not a multiple of 4.
    pub fn new(fft_len: usize, n_samples: usize, config: &SpectralLossConfig) -> Self {
        let is_valid = fft_len > 0 && fft_len.is_multiple_of(4);
        assert!(is_valid, "SpectralScale: fft_len {fft_len} is 0 or not a multiple of 4");
        let alignment = FrameAlignment::Start;
        let framing = Framing { window_len: fft_len, hop: fft_len / 4, alignment };
        let frames = frame_pairs("SpectralScale", framing, fft_len);
        let (n_frames, n_bins) = (framing.n_frames(n_samples), frames.n_bins());
        let method = if is_usual(config) {
            Method::Usual(Box::new(Usual::new(config, n_frames, n_bins)))
        } else {
            Method::General(Box::new(EveryTerm::new(config, n_frames, n_bins)))
        };
        Self { frames, n_samples, method }
    }

    /// The loss at this size; accumulates its gradient into `grad_audio` if there is one.
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
        match &mut self.method {
            Method::Usual(usual) => usual.evaluate(&mut self.frames, target, audio, grad_audio),
            Method::General(terms) => terms.evaluate(&mut self.frames, target, audio, grad_audio),
        }
    }

    fn assert_len(&self, name: &str, len: usize) {
        let n_samples = self.n_samples;
        assert_eq!(len, n_samples, "SpectralScale: {name} has {len} samples, made for {n_samples}");
    }

    #[cfg(test)]
    pub(super) fn with_simd(mut self, simd: crate::simd::Simd) -> Self {
        self.frames.set_simd(simd);
        self
    }
}

/// Whether the terms of `config` are absolute differences of magnitudes and their logarithms alone.
fn is_usual(config: &SpectralLossConfig) -> bool {
    let others = [config.delta_time_weight, config.delta_freq_weight, config.cumsum_freq_weight];
    config.distance == SpectralDistance::L1 && others == [0.0; 3]
}

impl Usual {
    fn new(config: &SpectralLossConfig, n_frames: usize, n_bins: usize) -> Self {
        let count = (n_frames * n_bins).max(1) as f64;
        let weights = BinWeights {
            magnitude: f64::from(config.magnitude_weight) / count,
            log_magnitude: f64::from(config.log_magnitude_weight) / count,
        };
        let pair = || [SplitSpectrum::new(n_bins), SplitSpectrum::new(n_bins)];
        Self { weights, target: pair(), audio: pair(), grad: pair() }
    }

    fn evaluate(
        &mut self,
        frames: &mut FramePairs,
        target: &[f32],
        audio: &[f32],
        mut grad_audio: Option<&mut [f32]>,
    ) -> SpectralLossTerms {
        let (simd, weights) = (frames.simd(), self.weights);
        let mut sums = SpectralLossTerms::default();
        // A frame beyond the last, if their number is odd, holds only zeros and adds nothing.
        for i in (0..target.len().div_ceil(frames.hop())).step_by(2) {
            frames.forward(target, i, &mut self.target);
            frames.forward(audio, i, &mut self.audio);
            let rows = self.target.iter().zip(&self.audio);
            if let Some(grad_audio) = grad_audio.as_deref_mut() {
                for ((target, audio), grad) in rows.zip(&mut self.grad) {
                    sums += bins::distances_and_gradient(simd, target, audio, weights, grad);
                }
                frames.backward(&self.grad, i, grad_audio);
            } else {
                rows.for_each(|(target, audio)| sums += bins::distances(simd, target, audio));
            }
        }
        SpectralLossTerms {
            magnitude: weights.magnitude * sums.magnitude,
            log_magnitude: weights.log_magnitude * sums.log_magnitude,
            ..SpectralLossTerms::default()
        }
    }
}
