//! What a network sees of a sound: pitch and loudness, scaled to about `[0, 1]`.

use ddsp_kernels::{DB_RANGE, FrameGrid, hz_to_midi};

use crate::config::{Config, Level};

/// What is known of one sound on the frame grid.
///
/// Every model takes f0 and one measure of level; see [`Config::needs_power`] and
/// [`Config::needs_audio`] for the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features<'a> {
    /// Fundamental frequency, Hz, `[n_frames]`.
    pub f0_hz: &'a [f32],
    /// A-weighted loudness, dB, `[n_frames]`.
    pub loudness_db: &'a [f32],
    /// Power under a window of 64 ms, dB, `[n_frames]` ([`power_db`]); empty where no one needs it.
    pub power_db: &'a [f32],
    /// The sound itself, `[n_frames * hop]`; empty where no one needs it.
    pub audio: &'a [f32],
}

impl<'a> Features<'a> {
    /// Pitch and loudness, for the models that need no more.
    pub fn new(f0_hz: &'a [f32], loudness_db: &'a [f32]) -> Self {
        Self { f0_hz, loudness_db, ..Self::default() }
    }

    /// The level that a decoder of `config` takes, scaled.
    pub(crate) fn level_scaled(&self, config: &Config) -> impl Iterator<Item = f32> + use<'a> {
        let level = match config.decoder.level {
            Level::Loudness => self.loudness_db,
            Level::Power => self.power_db,
        };
        assert_eq!(level.len(), self.f0_hz.len(), "features: frames of level and of f0");
        level.iter().copied().map(scale_loudness)
    }
}

impl Config {
    /// Whether models of this configuration take power where others take loudness.
    pub fn needs_power(&self) -> bool {
        self.decoder.level == Level::Power
    }

    /// Whether models of this configuration listen to the sound itself.
    pub fn needs_audio(&self) -> bool {
        self.encoder.is_some()
    }
}

/// The power of `audio` on `grid` as models take it, dB, `[n_frames]`: from -80 up, -3 for a
/// full-scale sine, under a window of 64 ms (1024 samples at 16 kHz, as the reference's plugin).
pub fn power_db(audio: &[f32], grid: FrameGrid) -> Vec<f32> {
    let window_len = (grid.sample_rate as usize * 8).div_ceil(125);
    let mut power_db = vec![0.0; grid.n_frames(audio.len())];
    let whole = &audio[..power_db.len() * grid.hop];
    ddsp_kernels::power_db(whole, grid, window_len, &mut power_db);
    power_db
}

/// MIDI number over 127: 0 at 0 Hz, 69 / 127 at 440 Hz.
pub fn scale_f0(f0_hz: f32) -> f32 {
    hz_to_midi(f0_hz) / 127.0
}

/// Level that stands for all below it, dB: no recording comes near, and minus infinity, which is what
/// digital silence is without a floor, does not make NaN of a network.
const LOWEST_DB: f32 = -200.0;

/// Loudness or power over its range: 0 at -80 dB, 1 at 0 dB; nothing falls below -1.5.
pub fn scale_loudness(loudness_db: f32) -> f32 {
    loudness_db.max(LOWEST_DB) / DB_RANGE + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_map_to_the_unit_interval() {
        assert_eq!([0.0, 440.0].map(scale_f0), [0.0, 69.0 / 127.0], "silence and A4");
        assert_eq!([-80.0, -40.0, 0.0].map(scale_loudness), [0.0, 0.5, 1.0], "the range of dB");
        let floor = [f32::NEG_INFINITY, -1e9, -200.0].map(scale_loudness);
        assert_eq!(floor, [-1.5; 3], "below all recordings");
    }
}
