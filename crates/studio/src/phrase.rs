//! The tune that instruments are heard with, in a register of each.

use std::ops::RangeInclusive;

use ddsp_data::instruments::{Family, PhraseNote, pitch_range, render_phrase};
use ddsp_kernels::FrameGrid;

/// Length of the phrase.
const SECS: f64 = 8.0;

/// Seconds of a beat.
const BEAT_SECS: f64 = 0.5;

/// Held-out notes this far outside the tune, in semitones, tell what it should sound like.
const MARGIN: u8 = 5;

/// Pitch, velocity, and beats from the onset to the next: a rise, a turn and a close in D minor, soft
/// and loud, short and long, with a rest.
const TUNE: [(u8, u8, f64); 13] = [
    (62, 70, 1.0),
    (65, 78, 1.0),
    (69, 90, 1.5),
    (67, 74, 0.5),
    (65, 70, 1.0),
    (64, 66, 1.0),
    (65, 72, 2.0),
    (57, 60, 1.0),
    (62, 76, 1.0),
    (70, 100, 1.5),
    (69, 84, 0.5),
    (64, 70, 1.0),
    (62, 64, 2.0),
];

/// The tune, played by a built-in instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Phrase {
    /// Its family.
    pub(crate) family: Family,
    /// Which of the family.
    pub(crate) instrument: u32,
    /// Octaves that the tune is moved up.
    pub(crate) octaves: i8,
}

impl Phrase {
    /// The tune on an instrument in the octave nearest to the middle of its family's range.
    pub(crate) fn in_range(family: Family, instrument: u32) -> Self {
        let at = |octaves| Self { family, instrument, octaves };
        let middle =
            |range: RangeInclusive<u8>| i16::from(*range.start()) + i16::from(*range.end());
        let wanted = middle(pitch_range(family));
        let octaves =
            (-4..=4).min_by_key(|&octaves| (middle(at(octaves).pitches()) - wanted).abs());
        at(octaves.expect("nine octaves"))
    }

    /// Lowest and highest pitch, MIDI.
    pub(crate) fn pitches(&self) -> RangeInclusive<u8> {
        let pitches = || TUNE.iter().map(|(pitch, ..)| *pitch);
        let (low, high) = (pitches().min().expect("notes"), pitches().max().expect("notes"));
        moved(low, self.octaves)..=moved(high, self.octaves)
    }

    /// Pitches of the tune and those near it, MIDI, when it is moved by some more octaves.
    pub(crate) fn register(&self, octaves: i8) -> RangeInclusive<u8> {
        let pitches = self.pitches();
        let (low, high) = (moved(*pitches.start(), octaves), moved(*pitches.end(), octaves));
        low.saturating_sub(MARGIN)..=high.saturating_add(MARGIN).min(127)
    }

    /// The sound on `grid`, `[n_samples]`.
    pub(crate) fn audio(&self, grid: FrameGrid) -> Vec<f32> {
        let mut start_secs = 0.1;
        let notes: Vec<PhraseNote> = TUNE
            .into_iter()
            .map(|(pitch, velocity, beats)| {
                let secs = BEAT_SECS * beats;
                // A hand lifts before the next key: an eighth of a beat of silence.
                let end_secs = start_secs + secs - 0.125 * BEAT_SECS;
                let pitch = f32::from(moved(pitch, self.octaves));
                let note = PhraseNote { pitch, velocity, start_secs, end_secs };
                start_secs += secs;
                note
            })
            .collect();
        let n_frames = (SECS * grid.frame_rate()).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "some thousand frames")]
        #[expect(clippy::cast_sign_loss, reason = "a positive length")]
        let n_samples = n_frames as usize * grid.hop;
        render_phrase(self.family, self.instrument, &notes, n_samples, 0, grid).audio
    }
}

/// A MIDI pitch so many octaves higher, kept within MIDI.
fn moved(pitch: u8, octaves: i8) -> u8 {
    let moved = (i16::from(pitch) + 12 * i16::from(octaves)).clamp(0, 127);
    u8::try_from(moved).expect("clamped")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

    #[test]
    fn the_tune_ends_before_the_phrase() {
        let beats: f64 = TUNE.iter().map(|(.., beats)| beats).sum();
        assert!(0.1 + BEAT_SECS * beats <= SECS, "{beats} beats");
        let phrase = Phrase { family: Family::Keyboard, instrument: 2, octaves: 0 };
        assert_eq!(phrase.audio(GRID).len(), 128_000);
        assert_eq!(phrase.register(0), 52..=75, "a fourth beyond A3 and B flat 4");
        assert_eq!(phrase.register(-1), 40..=63, "an octave lower");
    }

    #[test]
    fn every_family_plays_within_its_range() {
        let octaves = Family::ALL.map(|family| {
            let phrase = Phrase::in_range(family, 0);
            let (pitches, range) = (phrase.pitches(), pitch_range(family));
            let is_inside = range.contains(pitches.start()) && range.contains(pitches.end());
            assert!(is_inside, "{}: {pitches:?} of {range:?}", family.name());
            phrase.octaves
        });
        assert_eq!(octaves, [-2, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0], "bass, flute and mallet move");
    }
}
