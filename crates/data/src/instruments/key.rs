//! What a model is given: one key press, and the buffers it sounds into.

use super::pitch_motion::PitchMotion;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// RMS of the loudest tone: peaks of several times this stay within full scale.
pub(super) const LOUDEST_RMS: f64 = 0.25;

/// One key pressed and released.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Nominal pitch.
    pub f0_hz: f64,
    /// Touch, from above 0 (softest) to 1.
    pub velocity: f64,
    /// Seconds from the onset to the release.
    pub held_secs: f64,
    /// Samples a second.
    pub sample_rate: f64,
    /// Which of all possible performances this is.
    pub seed: u64,
    /// What the player does to the pitch.
    pub motion: PitchMotion,
}

impl Key {
    /// The key's own random numbers.
    pub(super) fn rng(&self) -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(self.seed)
    }
}

/// Buffers that begin at the onset; models add to them.
pub(super) struct Stems<'a> {
    /// The sinusoidal part.
    pub tone: &'a mut [f32],
    /// The noise part, of equal length.
    pub noise: &'a mut [f32],
}
