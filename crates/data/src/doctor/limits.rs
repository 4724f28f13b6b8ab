//! The measures: where each is no longer ok, where it is bad, and what it says in words.
//!
//! docs/doctor.md gives the reasons for the limits; a test compares the two.

use super::measure::Verdict;

/// One measure's limits and words.
pub(super) struct Limits {
    pub name: &'static str,
    pub unit: &'static str,
    pub warn: f64,
    /// Infinite (or its negative) where nothing is hopeless.
    pub bad: f64,
    /// Whether small values are the wrong ones.
    pub is_floor: bool,
    /// Digits after the point of the value in words.
    pub decimals: usize,
    /// What was found: `{}` stands for the value, `{place}` for where.
    pub found: &'static str,
    /// Why it matters, and what to do.
    pub advice: &'static str,
    /// Why there is no value.
    pub absent: &'static str,
}

const NEVER: f64 = f64::INFINITY;

const NO_NOTES: &str = "Not measured: there are no notes.";

const NO_LONG_NOTES: &str = "Not measured: no note is half a second long.";

/// What most have in common: too much is wrong, nothing is hopeless, notes are needed.
const COMMON: Limits = Limits {
    name: "",
    unit: "percent",
    warn: 0.0,
    bad: NEVER,
    is_floor: false,
    decimals: 0,
    found: "",
    advice: "",
    absent: NO_NOTES,
};

pub(super) const VOICED: Limits = Limits {
    name: "voiced",
    unit: "minutes",
    warn: 5.0,
    bad: 1.0 / 60.0,
    is_floor: true,
    decimals: 2,
    found: "{} minutes of notes with a pitch",
    advice: "a model needs about ten to sound like the instrument, and without any there is nothing \
             to learn; add recordings",
    ..COMMON
};

pub(super) const PITCHED: Limits = Limits {
    name: "pitched",
    warn: 60.0,
    bad: 10.0,
    is_floor: true,
    found: "{} % of what is loud has one clear pitch",
    advice: "the rest is noise, speech, drums or chords, which the model would take for the \
             instrument; leave such sounds out",
    absent: "Not measured: everything is silent.",
    ..COMMON
};

pub(super) const PITCH_RANGE: Limits = Limits {
    name: "pitch_range",
    unit: "semitones",
    warn: 5.0,
    bad: -NEVER,
    is_floor: true,
    found: "Notes over {} semitones, MIDI {place}",
    advice: "the model cannot guess how other pitches sound; record the whole range",
    absent: NO_LONG_NOTES,
    ..COMMON
};

pub(super) const PITCH_GAP: Limits = Limits {
    name: "pitch_gap",
    unit: "semitones",
    warn: 7.0,
    found: "At most {} semitones in a row, from MIDI {place}, without a note",
    advice: "the timbre in the gap is a guess between its ends; record notes there",
    absent: NO_LONG_NOTES,
    ..COMMON
};

pub(super) const OCTAVES: Limits = Limits {
    name: "octave_errors",
    warn: 2.0,
    bad: 30.0,
    decimals: 1,
    found: "{} % of the pitches may be an octave off",
    advice: "the model would learn to play the wrong octave; look at them with `ddsp analyze`, leave \
             such sounds out, or train with pitches tracked anew",
    ..COMMON
};

pub(super) const POLYPHONY: Limits = Limits {
    name: "polyphony",
    warn: 10.0,
    bad: 50.0,
    found: "{} % of the notes have another note beside them",
    advice: "the model plays one note at a time and would learn chords as a timbre; record single \
             notes, and let none ring into the next",
    absent: "Not measured: no notes are steady for long enough.",
    ..COMMON
};

pub(super) const CLIPPING: Limits = Limits {
    name: "clipping",
    warn: 0.1,
    bad: 20.0,
    decimals: 2,
    found: "{} % of the samples are clipped",
    advice: "the distortion would be learned as part of the timbre; record at a lower level, or \
             leave the loudest takes out",
    absent: "Not measured: there are no sounds.",
    ..COMMON
};

pub(super) const NOISE_FLOOR: Limits = Limits {
    name: "noise_floor",
    unit: "dB",
    warn: 35.0,
    bad: 10.0,
    is_floor: true,
    found: "Pauses are {} dB below the notes",
    advice: "the hiss or hum of the room would be learned as the instrument's breath; record nearer, \
             or take the noise away first",
    absent: "Not measured: there are no pauses.",
    ..COMMON
};

pub(super) const REVERBERATION: Limits = Limits {
    name: "reverberation",
    unit: "seconds",
    warn: 0.8,
    decimals: 2,
    found: "A note's end takes {} s to fall by 60 dB",
    advice: "the room would smear every note that the model plays; record dry",
    absent: "Not measured: no note ends from a steady level.",
    ..COMMON
};

pub(super) const LEVEL: Limits = Limits {
    name: "level",
    unit: "dBFS",
    warn: -45.0,
    bad: -65.0,
    is_floor: true,
    found: "Notes have {} dBFS in the middle",
    advice: "so quiet that rounding and noise are near, and that soft notes count as silence; raise \
             all recordings by one gain",
    ..COMMON
};

pub(super) const LEVEL_SPREAD: Limits = Limits {
    name: "level_spread",
    unit: "dB",
    warn: 30.0,
    found: "Sounds lie within {} dB of each other",
    advice: "a wider spread than playing has: recordings with different gains teach the model a \
             wrong relation of loudness to timbre; level the recordings",
    ..COMMON
};

pub(super) const OFFSET: Limits = Limits {
    name: "dc_offset",
    warn: 1.0,
    found: "{} % of the sounds have a constant offset of 1 % of full scale or more",
    advice: "it clicks at every cut and is loss that no synthesizer can reduce; filter out what is \
             below 20 Hz",
    absent: "Not measured: there are no sounds.",
    ..COMMON
};

pub(super) const SILENCE: Limits = Limits {
    name: "silence",
    warn: 70.0,
    found: "{} % of the time is silent",
    advice: "the model would spend its training on nothing; cut the silence away, as `ddsp data \
             prepare` does with whole windows",
    absent: "Not measured: there are no sounds.",
    ..COMMON
};

impl Limits {
    pub(super) fn verdict(&self, value: f64) -> Verdict {
        let is_past = |limit: f64| if self.is_floor { value < limit } else { value > limit };
        match (is_past(self.bad), is_past(self.warn)) {
            (true, _) => Verdict::Bad,
            (false, true) => Verdict::Warn,
            (false, false) => Verdict::Ok,
        }
    }
}
