//! How a player moves the pitch of a note, beside what the instrument does by itself.

use super::motion::smooth_step;
use std::f64::consts::TAU;

/// Seconds until a player's vibrato is in full swing.
const VIBRATO_RISE_SECS: f64 = 0.3;

/// Vibrato and a glide; the default is neither. The frames' f0 include both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PitchMotion {
    /// In place of the instrument's own vibrato, if it has one.
    pub vibrato: Option<PitchVibrato>,
    /// Semitones from its pitch, up or down, at which the note begins.
    pub glide_semitones: f64,
    /// Seconds until the pitch is reached; a half cosine.
    pub glide_secs: f64,
}

/// A vibrato that begins with the note.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PitchVibrato {
    /// Cycles a second.
    pub rate_hz: f64,
    /// Half the range of pitch, in cents.
    pub depth_cents: f64,
    /// Where in its cycle it begins, in turns.
    pub turns: f64,
}

impl PitchMotion {
    /// Cents from the nominal pitch, `secs` after the onset, where the instrument's own vibrato would
    /// be at `own_cents`.
    pub(super) fn cents(&self, secs: f64, own_cents: f64) -> f64 {
        let vibrato = self.vibrato.map_or(own_cents, |vibrato| {
            let rise = smooth_step(secs / VIBRATO_RISE_SECS);
            rise * vibrato.depth_cents * (TAU * (vibrato.rate_hz * secs + vibrato.turns)).sin()
        });
        let left = 1.0 - smooth_step(secs / self.glide_secs.max(1e-3));
        vibrato + 100.0 * self.glide_semitones * left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glide_ends_where_the_note_is() {
        let glide = PitchMotion { glide_semitones: -3.0, glide_secs: 0.2, ..Default::default() };
        let at = |secs| glide.cents(secs, 7.0);
        assert_eq!((at(0.0), at(0.2), at(1.0)), (-293.0, 7.0, 7.0));
        assert!((at(0.1) - (-143.0)).abs() < 1e-9, "half of the way at half of the time");
        assert_eq!(PitchMotion::default().cents(0.0, 5.5), 5.5, "nothing is nothing");
    }

    #[test]
    fn a_vibrato_replaces_the_instruments_own() {
        let vibrato = PitchVibrato { rate_hz: 5.0, depth_cents: 30.0, turns: 0.25 };
        let motion = PitchMotion { vibrato: Some(vibrato), ..Default::default() };
        assert_eq!(motion.cents(0.0, 99.0), 0.0);
        assert!((motion.cents(1.0, 99.0) - 30.0).abs() < 1e-9);
        assert!((motion.cents(1.1, 99.0) + 30.0).abs() < 1e-9);
    }
}
