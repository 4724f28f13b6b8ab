//! Multi-scale spectral loss: how unlike two sounds are, whatever their phases.

mod bins;
mod scale;

pub use scale::SpectralScale;

/// What [`SpectralLoss`] compares.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectralLossConfig {
    /// Frame lengths in samples, each a multiple of 4; frames overlap by 75%.
    pub fft_lens: Vec<usize>,
    /// Factor of the mean difference of magnitudes.
    pub magnitude_weight: f32,
    /// Factor of the mean difference of natural logarithms of magnitudes.
    pub log_magnitude_weight: f32,
}

impl Default for SpectralLossConfig {
    /// The one every model of the DDSP paper was trained with.
    fn default() -> Self {
        Self {
            fft_lens: vec![2048, 1024, 512, 256, 128, 64],
            magnitude_weight: 1.0,
            log_magnitude_weight: 1.0,
        }
    }
}

/// The loss in its two parts, weights applied.
///
/// They tell different things: magnitudes follow the loud partials, their logarithms the floor
/// between them, which is why silence in a target dominates the second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpectralLossTerms {
    /// Mean absolute difference of magnitudes.
    pub magnitude: f64,
    /// Mean absolute difference of natural logarithms of magnitudes.
    pub log_magnitude: f64,
}

impl SpectralLossTerms {
    /// The loss: the sum of its parts.
    pub fn total(self) -> f64 {
        self.magnitude + self.log_magnitude
    }
}

impl std::ops::AddAssign for SpectralLossTerms {
    fn add_assign(&mut self, other: Self) {
        self.magnitude += other.magnitude;
        self.log_magnitude += other.log_magnitude;
    }
}

/// L1 distance of magnitudes and of log magnitudes at several time-frequency resolutions.
///
/// The sum over FFT sizes of [`SpectralScale`], equal to `SpectralLoss(loss_type='L1')` of
/// magenta/ddsp (Engel et al. 2020, <https://arxiv.org/abs/2001.04643>) for a batch of one; the
/// loss of a batch is the mean over its clips. It says little alone: white noise against itself
/// 6 dB lower scores above 4 in log magnitude, and one digital zero in the target is a distance of
/// ten nepers. Show its terms apart, beside baselines.
pub struct SpectralLoss {
    scales: Vec<SpectralScale>,
}

impl SpectralLoss {
    /// Allocates everything to compare clips of `n_samples`.
    ///
    /// # Panics
    ///
    /// If an FFT size is 0 or not a multiple of 4.
    pub fn new(config: &SpectralLossConfig, n_samples: usize) -> Self {
        let scales = config.fft_lens.iter();
        Self { scales: scales.map(|&len| SpectralScale::new(len, n_samples, config)).collect() }
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
        terms
    }
}
