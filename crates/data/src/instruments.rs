//! Built-in instruments: spectral models of NSynth's eleven families, with the truth about every note.
//!
//! Each family is either *sustained* (a source spectrum that follows touch and level, seen through a body's
//! resonances, with breath or bow noise) or *struck* (modes that decay after one stroke, with a knock). What makes a
//! family (inharmonicity, formants, vibrato, noise) is stated with its source in the family's file and measured from
//! the audio in the tests. The sounds are deterministic: equal specs give equal samples.
//!
//! This is test and teaching material, not a sample library.

mod bass;
mod body;
mod brass;
#[cfg(test)]
mod classifier;
mod flute;
mod guitar;
mod key;
mod keyboard;
mod mallet;
#[cfg(test)]
mod measure;
mod motion;
mod noise;
mod organ;
mod partials;
mod pitch_motion;
mod pluck;
mod recording;
mod reed;
mod string;
mod struck;
mod sustained;
mod synth_lead;
#[cfg(test)]
mod traits;
mod vocal;

use ddsp_kernels::FrameGrid;
use key::{Key, Stems};
pub use pitch_motion::{PitchMotion, PitchVibrato};
use recording::Recording;
use std::ops::RangeInclusive;
use struck::Struck;
use sustained::Sustained;

/// NSynth's instrument families; the discriminants are NSynth's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Plucked low strings, acoustic and electric.
    Bass = 0,
    /// Lip-reed instruments.
    Brass = 1,
    /// Air-jet instruments.
    Flute = 2,
    /// Plucked strings, acoustic and electric.
    Guitar = 3,
    /// Pianos, electric pianos, harpsichords.
    Keyboard = 4,
    /// Bars and tines struck with a mallet.
    Mallet = 5,
    /// Pipes, tone wheels, free reeds.
    Organ = 6,
    /// Single and double reeds.
    Reed = 7,
    /// Bowed strings.
    String = 8,
    /// Bright sustained synthesizers.
    SynthLead = 9,
    /// Sung vowels.
    Vocal = 10,
}

impl Family {
    /// All families, in the order of their ids.
    pub const ALL: [Self; 11] = [
        Self::Bass,
        Self::Brass,
        Self::Flute,
        Self::Guitar,
        Self::Keyboard,
        Self::Mallet,
        Self::Organ,
        Self::Reed,
        Self::String,
        Self::SynthLead,
        Self::Vocal,
    ];

    /// NSynth's name: `bass`, ..., `synth_lead`, `vocal`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bass => "bass",
            Self::Brass => "brass",
            Self::Flute => "flute",
            Self::Guitar => "guitar",
            Self::Keyboard => "keyboard",
            Self::Mallet => "mallet",
            Self::Organ => "organ",
            Self::Reed => "reed",
            Self::String => "string",
            Self::SynthLead => "synth_lead",
            Self::Vocal => "vocal",
        }
    }

    /// NSynth's id, 0 to 10.
    pub fn id(self) -> i64 {
        self as i64
    }

    /// The family of an NSynth name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// The family of an NSynth id.
    pub fn from_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.id() == id)
    }
}

/// One note to render.
#[derive(Clone, Debug, PartialEq)]
pub struct NoteSpec {
    /// Family.
    pub family: Family,
    /// Which instrument of the family, below [`n_instruments`].
    pub instrument: u32,
    /// MIDI pitch; fractions are quarter tones and the like.
    pub pitch: f32,
    /// MIDI velocity, 1 to 127: level and brightness.
    pub velocity: u8,
    /// Which performance: phases, vibrato, drift and noise.
    pub seed: u64,
    /// Length of the audio.
    pub n_samples: usize,
    /// Seconds to the onset.
    pub onset_secs: f64,
    /// Seconds to the release of the key.
    pub release_secs: f64,
    /// What the player does to the pitch.
    pub motion: PitchMotion,
}

impl NoteSpec {
    /// A note of NSynth's form at 16 kHz: 4 s long, key down 10 ms after the start, released at 3 s.
    pub fn new(family: Family, instrument: u32, pitch: f32, velocity: u8, seed: u64) -> Self {
        Self {
            family,
            instrument,
            pitch,
            velocity,
            seed,
            n_samples: 64_000,
            onset_secs: 0.01,
            release_secs: 3.0,
            motion: PitchMotion::default(),
        }
    }
}

/// One note of a phrase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhraseNote {
    /// MIDI pitch.
    pub pitch: f32,
    /// MIDI velocity, 1 to 127.
    pub velocity: u8,
    /// Seconds to the onset.
    pub start_secs: f64,
    /// Seconds to the release.
    pub end_secs: f64,
}

/// Audio with the truth about it.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedNote {
    /// Samples; the peak is at most 0.9.
    pub audio: Vec<f32>,
    /// Frequency of the first partial at each frame's centre (`i * hop`); before the first and after the last
    /// voiced frame of a note, that of the nearest.
    ///
    /// For a stiff string (`f_k = k f0 sqrt(1 + B k^2)`) it is `f0 sqrt(1 + B)`, which is what a tuner sets;
    /// for a bar it is the fundamental mode. Always above 0.
    pub f0_hz: Vec<f32>,
    /// Whether a tone is audible in the frame: the power of the sinusoids over 32 ms is at least 6 dB above that of the noise
    /// there and at most 60 dB under the note's strongest frame.
    pub voiced: Vec<bool>,
}

/// Instruments in a family.
pub fn n_instruments(family: Family) -> u32 {
    let n = match family {
        Family::Bass => bass::N,
        Family::Brass => brass::N,
        Family::Flute => flute::N,
        Family::Guitar => guitar::N,
        Family::Keyboard => keyboard::N,
        Family::Mallet => mallet::N,
        Family::Organ => organ::N,
        Family::Reed => reed::N,
        Family::String => string::N,
        Family::SynthLead => synth_lead::N,
        Family::Vocal => vocal::N,
    };
    u32::try_from(n).expect("a handful")
}

/// The number of an instrument among all built-in ones: its label in records.
pub fn instrument_label(family: Family, instrument: u32) -> i64 {
    let before = Family::ALL.into_iter().take_while(|&other| other != family);
    before.map(n_instruments).map(i64::from).sum::<i64>() + i64::from(instrument)
}

/// What an instrument is called: `violin`, `grand piano`.
///
/// # Panics
///
/// If `instrument` is not below [`n_instruments`].
pub fn instrument_name(family: Family, instrument: u32) -> &'static str {
    let i = checked(family, instrument);
    match family {
        Family::Bass => bass::name(i),
        Family::Brass => brass::name(i),
        Family::Flute => flute::name(i),
        Family::Guitar => guitar::name(i),
        Family::Keyboard => keyboard::name(i),
        Family::Mallet => mallet::name(i),
        Family::Organ => organ::name(i),
        Family::Reed => reed::name(i),
        Family::String => string::name(i),
        Family::SynthLead => synth_lead::name(i),
        Family::Vocal => vocal::name(i),
    }
}

/// MIDI pitches natural to a family; all its instruments play all of them.
pub fn pitch_range(family: Family) -> RangeInclusive<u8> {
    match family {
        Family::Bass => 28..=55,
        Family::Brass => 40..=80,
        Family::Flute => 60..=93,
        Family::Guitar => 40..=81,
        Family::Keyboard => 30..=92,
        Family::Mallet => 55..=91,
        Family::Organ => 36..=90,
        Family::Reed => 46..=82,
        Family::String => 40..=86,
        Family::SynthLead => 40..=88,
        Family::Vocal => 45..=79,
    }
}

/// Renders one note.
///
/// # Panics
///
/// If the instrument does not exist, the velocity is not in 1..=127, or the pitch is not in 0..=127.
pub fn render_note(spec: &NoteSpec, grid: FrameGrid) -> RenderedNote {
    let note = PhraseNote {
        pitch: spec.pitch,
        velocity: spec.velocity,
        start_secs: spec.onset_secs,
        end_secs: spec.release_secs,
    };
    let instrument = checked(spec.family, spec.instrument);
    let mut recording = Recording::new(spec.family, instrument, spec.n_samples, spec.seed, grid);
    recording.add(&note, spec.motion);
    recording.finish()
}

/// Renders notes, in order of their onsets, into one recording.
///
/// Notes ring into each other; the truth in a frame is that of the last note begun that is audible there.
///
/// # Panics
///
/// If the instrument does not exist, a velocity is not in 1..=127, a pitch is not in 0..=127, or
/// the onsets fall.
pub fn render_phrase(
    family: Family,
    instrument: u32,
    notes: &[PhraseNote],
    n_samples: usize,
    seed: u64,
    grid: FrameGrid,
) -> RenderedNote {
    let instrument = checked(family, instrument);
    let sorted = notes.is_sorted_by(|a, b| a.start_secs <= b.start_secs);
    assert!(sorted, "render_phrase: notes are not in order of their onsets");
    let mut recording = Recording::new(family, instrument, n_samples, seed, grid);
    for note in notes {
        recording.add(note, PitchMotion::default());
    }
    recording.finish()
}

fn checked(family: Family, instrument: u32) -> usize {
    let n = n_instruments(family);
    assert!(instrument < n, "{} has {n} instruments, not a number {instrument}", family.name());
    instrument as usize
}

/// A family's model of one instrument, for one key.
enum Tone {
    Sustained(Sustained),
    Struck(Struck),
}

impl Tone {
    fn new(family: Family, instrument: usize, key: &Key) -> Self {
        match family {
            Family::Bass => Self::Struck(bass::tone(instrument, key)),
            Family::Brass => Self::Sustained(brass::tone(instrument, key)),
            Family::Flute => Self::Sustained(flute::tone(instrument, key)),
            Family::Guitar => Self::Struck(guitar::tone(instrument, key)),
            Family::Keyboard => Self::Struck(keyboard::tone(instrument, key)),
            Family::Mallet => Self::Struck(mallet::tone(instrument, key)),
            Family::Organ => Self::Sustained(organ::tone(instrument, key)),
            Family::Reed => Self::Sustained(reed::tone(instrument, key)),
            Family::String => Self::Sustained(string::tone(instrument, key)),
            Family::SynthLead => Self::Sustained(synth_lead::tone(instrument, key)),
            Family::Vocal => Self::Sustained(vocal::tone(instrument, key)),
        }
    }

    fn sound(&self, key: &Key, stems: &mut Stems<'_>) -> Vec<f64> {
        match self {
            Self::Sustained(tone) => tone.sound(key, stems),
            Self::Struck(tone) => tone.sound(key, stems),
        }
    }
}
