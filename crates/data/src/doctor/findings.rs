//! What was counted in sounds: numbers that add up exactly, whoever counts which.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;

/// Counts over some sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Findings {
    pub sounds: u64,
    /// Samples at the sounds' own rates, and those that are clipped.
    pub samples: u64,
    pub clipped: u64,
    /// Frames of 4 ms.
    pub frames: u64,
    pub silent_frames: u64,
    /// Frames as loud as notes, and those of them that have a pitch: the notes.
    pub loud_frames: u64,
    pub note_frames: u64,
    /// Note frames whose pitch may be an octave off.
    pub octave_suspects: u64,
    /// Note frames in which a second note was looked for, and found.
    pub searched_frames: u64,
    pub chord_frames: u64,
    /// Sounds with a mean of more than a hundredth of full scale.
    pub offset_sounds: u64,
    /// Note frames by MIDI number.
    pub pitches: Histogram,
    /// Sounds by the level of their notes, dB below full scale.
    pub levels: Histogram,
    /// Sounds by the distance of their pauses below their notes, dB.
    pub floors: Histogram,
    /// Ends of notes by the time in which they fall by 60 dB, seconds.
    pub decays: Histogram,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            sounds: 0,
            samples: 0,
            clipped: 0,
            frames: 0,
            silent_frames: 0,
            loud_frames: 0,
            note_frames: 0,
            octave_suspects: 0,
            searched_frames: 0,
            chord_frames: 0,
            offset_sounds: 0,
            pitches: Histogram::new(-0.5, 1.0, 128),
            levels: Histogram::new(-80.0, 0.5, 180),
            floors: Histogram::new(0.0, 0.5, 180),
            decays: Histogram::new(0.0, 0.02, 400),
        }
    }
}

impl Findings {
    /// Adds the counts of other sounds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sounds += other.sounds;
        self.samples += other.samples;
        self.clipped += other.clipped;
        self.frames += other.frames;
        self.silent_frames += other.silent_frames;
        self.loud_frames += other.loud_frames;
        self.note_frames += other.note_frames;
        self.octave_suspects += other.octave_suspects;
        self.searched_frames += other.searched_frames;
        self.chord_frames += other.chord_frames;
        self.offset_sounds += other.offset_sounds;
        self.pitches.merge(&other.pitches);
        self.levels.merge(&other.levels);
        self.floors.merge(&other.floors);
        self.decays.merge(&other.decays);
    }
}
