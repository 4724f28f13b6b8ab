//! The tune that the demo plays.

use std::ops::RangeInclusive;

use ddsp_data::instruments::{Family, PhraseNote, render_phrase};
use ddsp_kernels::FrameGrid;

/// Length of the phrase.
const SECS: f64 = 8.0;

/// Seconds of a beat.
const BEAT_SECS: f64 = 0.5;

/// The tine piano, a keyboard with a spectrum unlike that of strings (8 dB from it; the nearest is at 1): whether the
/// output is nearer to the strings than to the input must not be a matter of tenths.
const INSTRUMENT: u32 = 2;

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

/// Pitches of the tune and those near it, MIDI.
pub(super) fn pitches() -> RangeInclusive<u8> {
    let (low, high) = TUNE
        .iter()
        .fold((127, 0), |(low, high), (pitch, ..)| (*pitch.min(&low), *pitch.max(&high)));
    low - MARGIN..=high + MARGIN
}

/// The tune on a built-in keyboard, as audio on `grid`.
pub(super) fn keyboard_phrase(grid: FrameGrid) -> Vec<f32> {
    let mut start_secs = 0.1;
    let notes: Vec<PhraseNote> = TUNE
        .into_iter()
        .map(|(pitch, velocity, beats)| {
            let secs = BEAT_SECS * beats;
            // A hand lifts before the next key: an eighth of a beat of silence.
            let end_secs = start_secs + secs - 0.125 * BEAT_SECS;
            let note = PhraseNote { pitch: f32::from(pitch), velocity, start_secs, end_secs };
            start_secs += secs;
            note
        })
        .collect();
    let n_frames = (SECS * grid.frame_rate()).ceil();
    #[expect(clippy::cast_possible_truncation, reason = "some thousand frames")]
    #[expect(clippy::cast_sign_loss, reason = "a positive length")]
    let n_samples = n_frames as usize * grid.hop;
    render_phrase(Family::Keyboard, INSTRUMENT, &notes, n_samples, 0, grid).audio
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tune_ends_before_the_phrase() {
        let beats: f64 = TUNE.iter().map(|(.., beats)| beats).sum();
        assert!(0.1 + BEAT_SECS * beats <= SECS, "{beats} beats");
        let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
        assert_eq!(keyboard_phrase(grid).len(), 128_000);
        assert_eq!(pitches(), 52..=75, "a fourth beyond A3 and B flat 4");
    }
}
