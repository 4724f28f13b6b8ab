//! Multi-scale spectral loss: how unlike two sounds are, whatever their phases.

mod bins;
mod distance;
mod every_term;
mod features;
#[cfg(test)]
mod laws;
mod loudness;
mod scale;
#[cfg(test)]
pub(crate) mod tests;

pub use distance::SpectralDistance;
pub use loudness::LoudnessDistance;
pub use scale::SpectralScale;

use crate::framing::{FrameAlignment, Framing};
use crate::loudness::LoudnessConfig;

/// What [`SpectralLoss`] compares. A term whose weight is 0 is not computed.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectralLossConfig {
    /// Frame lengths in samples, each a multiple of 4; frames overlap by 75%.
    pub fft_lens: Vec<usize>,
    /// What every term's difference is measured by.
    pub distance: SpectralDistance,
    /// Factor of the mean difference of magnitudes.
    pub magnitude_weight: f32,
    /// Factor of the mean difference of natural logarithms of magnitudes.
    pub log_magnitude_weight: f32,
    /// Factor of the mean difference of the changes of magnitude from frame to frame: transients.
    pub delta_time_weight: f32,
    /// Factor of the mean difference of the changes of magnitude from bin to bin: the flanks of
    /// partials.
    pub delta_freq_weight: f32,
    /// Factor of the mean difference of the sums of magnitudes from 0 Hz to each bin, which draws
    /// partials to each other that do not overlap yet. Not normalised: it outweighs the others a
    /// hundredfold.
    pub cumsum_freq_weight: f32,
    /// Factor of the mean difference of loudness in dB; it does not depend on the frame lengths.
    pub loudness_weight: f32,
    /// How that loudness is measured.
    pub loudness: LoudnessConfig,
}

impl Default for SpectralLossConfig {
    /// The one every model of the DDSP paper was trained with: absolute differences of magnitudes
    /// and of their logarithms. Loudness, if given a weight, has windows of 2048 samples at 16 kHz,
    /// as in the reference.
    fn default() -> Self {
        let alignment = FrameAlignment::CentreToEnd;
        let framing = Framing { window_len: 2048, hop: 64, alignment };
        Self {
            fft_lens: vec![2048, 1024, 512, 256, 128, 64],
            distance: SpectralDistance::L1,
            magnitude_weight: 1.0,
            log_magnitude_weight: 1.0,
            delta_time_weight: 0.0,
            delta_freq_weight: 0.0,
            cumsum_freq_weight: 0.0,
            loudness_weight: 0.0,
            loudness: LoudnessConfig { framing, ..LoudnessConfig::default() },
        }
    }
}

/// The loss in its parts, weights applied.
///
/// They tell different things: magnitudes follow the loud partials, their logarithms the floor
/// between them, which is why silence in a target dominates the second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpectralLossTerms {
    /// Difference of magnitudes.
    pub magnitude: f64,
    /// Difference of natural logarithms of magnitudes.
    pub log_magnitude: f64,
    /// Difference of the changes of magnitude in time.
    pub delta_time: f64,
    /// Difference of the changes of magnitude along frequency.
    pub delta_freq: f64,
    /// Difference of the sums of magnitudes along frequency.
    pub cumsum_freq: f64,
    /// Difference of loudness.
    pub loudness: f64,
}

impl SpectralLossTerms {
    /// The loss: the sum of its parts.
    pub fn total(self) -> f64 {
        self.magnitude
            + self.log_magnitude
            + self.delta_time
            + self.delta_freq
            + self.cumsum_freq
            + self.loudness
    }

    /// Each term of both.
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            magnitude: f(self.magnitude, other.magnitude),
            log_magnitude: f(self.log_magnitude, other.log_magnitude),
            delta_time: f(self.delta_time, other.delta_time),
            delta_freq: f(self.delta_freq, other.delta_freq),
            cumsum_freq: f(self.cumsum_freq, other.cumsum_freq),
            loudness: f(self.loudness, other.loudness),
        }
    }
}

impl std::ops::AddAssign for SpectralLossTerms {
    fn add_assign(&mut self, other: Self) {
        *self = self.zip(other, |a, b| a + b);
    }
}

/// Every term divided, as for a mean.
impl std::ops::Div<f64> for SpectralLossTerms {
    type Output = Self;

    fn div(self, divisor: f64) -> Self {
        self.zip(self, |term, _| term / divisor)
    }
}

/// Distance of short-time spectra at several time-frequency resolutions, and of loudness.
///
/// The sum over FFT sizes of [`SpectralScale`], and [`LoudnessDistance`] if it has a weight: equal
/// to `SpectralLoss` of magenta/ddsp 3.7 (Engel et al. 2020, <https://arxiv.org/abs/2001.04643>)
/// for a batch of one; the loss of a batch is the mean over its clips. It says little alone: white
/// noise against itself 6 dB lower scores above 4 in log magnitude, and one digital zero in the
/// target is a distance of ten nepers. Show its terms apart, beside baselines.
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct SpectralLoss {
    scales: Vec<SpectralScale>,
    loudness: Option<LoudnessDistance>,
}

impl SpectralLoss {
    /// Allocates everything to compare clips of `n_samples`.
    ///
    /// # Panics
    ///
    /// If an FFT size is 0 or not a multiple of 4, or loudness has a weight and
    /// [`Loudness::with_config`](crate::Loudness::with_config) refuses its configuration.
    pub fn new(config: &SpectralLossConfig, n_samples: usize) -> Self {
        let scales = config.fft_lens.iter();
        Self {
            scales: scales.map(|&len| SpectralScale::new(len, n_samples, config)).collect(),
            loudness: LoudnessDistance::new(n_samples, config),
        }
    }

    /// The loss between two clips; accumulates its gradient into `grad_audio` if there is one.
    ///
    /// # Panics
    ///
    /// If a slice does not have the `n_samples` given to [`new`](Self::new).
    pub fn evaluate(
        &mut self,
        target: &[f32],
        audio: &[f32],
        mut grad_audio: Option<&mut [f32]>,
    ) -> SpectralLossTerms {
        let mut terms = SpectralLossTerms::default();
        for scale in &mut self.scales {
            terms += scale.evaluate(target, audio, grad_audio.as_deref_mut());
        }
        if let Some(loudness) = &mut self.loudness {
            terms += loudness.evaluate(target, audio, grad_audio);
        }
        terms
    }
}
