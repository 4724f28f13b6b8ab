//! From counts to verdicts: the measures, their limits, and what they say in words.

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::sound::GRID;

/// Whether something is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// A model will learn, and something with it that it should not.
    Warn,
    /// A model cannot learn from this.
    Bad,
}

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its name, such as `clipping`.
    pub name: String,
    /// What was measured; absent if the sounds do not allow it.
    pub value: Option<f64>,
    /// Unit of the value, such as `percent`.
    pub unit: String,
    /// Whether that is in order.
    pub verdict: Verdict,
    /// What it is, why it matters, and what to do.
    pub sentence: String,
}

/// Where a measure is no longer ok, and where it is bad; docs/doctor.md gives the reasons.
pub(super) struct Limits {
    pub name: &'static str,
    pub unit: &'static str,
    pub warn: f64,
    /// Infinite (or its negative) where nothing is hopeless.
    pub bad: f64,
    /// Whether small values are the wrong ones.
    pub is_floor: bool,
}

const fn at_least(name: &'static str, unit: &'static str, warn: f64, bad: f64) -> Limits {
    Limits { name, unit, warn, bad, is_floor: true }
}

const fn at_most(name: &'static str, unit: &'static str, warn: f64, bad: f64) -> Limits {
    Limits { name, unit, warn, bad, is_floor: false }
}

const NEVER: f64 = f64::INFINITY;

pub(super) const VOICED: Limits = at_least("voiced", "minutes", 5.0, 1.0 / 60.0);
pub(super) const PITCHED: Limits = at_least("pitched", "percent", 60.0, 10.0);
pub(super) const PITCH_RANGE: Limits = at_least("pitch_range", "semitones", 5.0, -NEVER);
pub(super) const PITCH_GAP: Limits = at_most("pitch_gap", "semitones", 7.0, NEVER);
pub(super) const OCTAVES: Limits = at_most("octave_errors", "percent", 2.0, 30.0);
pub(super) const POLYPHONY: Limits = at_most("polyphony", "percent", 10.0, 50.0);
pub(super) const CLIPPING: Limits = at_most("clipping", "percent", 0.1, 20.0);
pub(super) const NOISE_FLOOR: Limits = at_least("noise_floor", "dB", 40.0, 10.0);
pub(super) const REVERBERATION: Limits = at_most("reverberation", "seconds", 0.8, NEVER);
pub(super) const LEVEL: Limits = at_least("level", "dBFS", -45.0, -65.0);
pub(super) const LEVEL_SPREAD: Limits = at_most("level_spread", "dB", 30.0, NEVER);
pub(super) const OFFSET: Limits = at_most("dc_offset", "percent", 1.0, NEVER);
pub(super) const SILENCE: Limits = at_most("silence", "percent", 70.0, NEVER);

/// All of them, in the order in which they are told.
pub(super) const ALL: [&Limits; 13] = [
    &VOICED,
    &PITCHED,
    &PITCH_RANGE,
    &PITCH_GAP,
    &OCTAVES,
    &POLYPHONY,
    &CLIPPING,
    &NOISE_FLOOR,
    &REVERBERATION,
    &LEVEL,
    &LEVEL_SPREAD,
    &OFFSET,
    &SILENCE,
];

/// A note has material if at least this much of it is there, in frames: half a second.
const MIN_NOTE_FRAMES: u64 = 125;

impl Limits {
    pub(super) fn verdict(&self, value: f64) -> Verdict {
        let is_past = |limit: f64| if self.is_floor { value < limit } else { value > limit };
        match (is_past(self.bad), is_past(self.warn)) {
            (true, _) => Verdict::Bad,
            (false, true) => Verdict::Warn,
            (false, false) => Verdict::Ok,
        }
    }

    /// The measure; `absent` says in words why there is no value, `ok` and `else` what it means.
    fn measure(&self, value: Option<f64>, words: &Words) -> Measure {
        let verdict = value.map_or(Verdict::Ok, |value| self.verdict(value));
        let sentence = match (value, verdict) {
            (None, _) => words.absent.to_owned(),
            (_, Verdict::Ok) => words.found.clone() + ".",
            _ => format!("{}: {}.", words.found, words.advice),
        };
        let (name, unit) = (self.name.to_owned(), self.unit.to_owned());
        Measure { name, value, unit, verdict, sentence }
    }
}

/// What is said about a measure.
struct Words {
    found: String,
    advice: &'static str,
    absent: &'static str,
}

fn percent(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| 100.0 * part as f64 / all as f64)
}

/// `found` with the value in the place of `{}`, with some decimals.
fn words(
    value: Option<f64>,
    decimals: usize,
    found: &str,
    advice: &'static str,
    absent: &'static str,
) -> Words {
    let value = value.map_or_else(String::new, |value| format!("{value:.decimals$}"));
    Words { found: found.replace("{}", &value), advice, absent }
}

impl Findings {
    /// Every measure, in the order of [`ALL`].
    pub(super) fn measures(&self) -> Vec<Measure> {
        [self.pitch_measures(), self.tracking_measures(), self.recording_measures()].concat()
    }

    fn pitch_measures(&self) -> Vec<Measure> {
        let minutes = self.note_frames as f64 / GRID.frame_rate() / 60.0;
        let voiced = Some(minutes);
        let pitched = percent(self.note_frames, self.loud_frames);
        let range = self.pitch_range();
        let width = range.map(|(low, high)| (high - low) as f64);
        let ends = range.map_or_else(String::new, |(low, high)| format!("{low} to {high}"));
        let gap = range.map(|range| self.widest_gap(range));
        let place = gap.map_or(0, |(begin, _)| begin);
        let gap = gap.map(|(_, n)| n as f64);
        vec![
            VOICED.measure(voiced, &words(voiced, 2, "{} minutes of notes with a pitch",
                "a model needs about ten to sound like the instrument, and without any there is \
                 nothing to learn; add recordings", "")),
            PITCHED.measure(pitched, &words(pitched, 0, "{} % of what is loud has one clear pitch",
                "the rest is noise, speech, drums or chords, which the model would take for the \
                 instrument; leave such sounds out", "Not measured: everything is silent.")),
            PITCH_RANGE.measure(width, &words(width, 0,
                &format!("Notes over {{}} semitones, MIDI {ends}"),
                "the model cannot guess how other pitches sound; record the whole range",
                "Not measured: no note is half a second long.")),
            PITCH_GAP.measure(gap, &words(gap, 0,
                &format!("At most {{}} semitones in a row, from MIDI {place}, without a note"),
                "the timbre in the gap is a guess between its ends; record notes there",
                "Not measured: no note is half a second long.")),
        ]
    }

    fn tracking_measures(&self) -> Vec<Measure> {
        let octaves = percent(self.octave_suspects, self.note_frames);
        let chords = percent(self.chord_frames, self.searched_frames);
        let no_notes = "Not measured: there are no notes.";
        vec![
            OCTAVES.measure(octaves, &words(octaves, 1,
                "{} % of the pitches may be an octave off",
                "the model would learn to play the wrong octave; compare them with `ddsp analyze`, \
                 leave such sounds out, or track anew with --f0 tracker", no_notes)),
            POLYPHONY.measure(chords, &words(chords, 0,
                "{} % of the notes have another note beside them",
                "the model plays one note at a time and would learn chords as a timbre; record \
                 single notes, and let none ring into the next", no_notes)),
        ]
    }

    fn recording_measures(&self) -> Vec<Measure> {
        let clipping = percent(self.clipped, self.samples);
        let floor = self.floors.quantile(0.5);
        let decay = self.decays.quantile(0.5);
        let level = self.levels.quantile(0.5);
        let spread = self.levels.quantile(0.95).zip(self.levels.quantile(0.05));
        let spread = spread.map(|(high, low)| high - low);
        let offset = percent(self.offset_sounds, self.sounds);
        let silence = percent(self.silent_frames, self.frames);
        vec![
            CLIPPING.measure(clipping, &words(clipping, 2, "{} % of the samples are clipped",
                "the distortion would be learned as part of the timbre; record at a lower level, \
                 or leave the loudest takes out", "")),
            NOISE_FLOOR.measure(floor, &words(floor, 0, "Pauses are {} dB below the notes",
                "the hiss or hum of the room would be learned as the instrument's breath; record \
                 nearer, or take the noise away first", "Not measured: there are no pauses.")),
            REVERBERATION.measure(decay, &words(decay, 2,
                "A note's end takes {} s to fall by 60 dB",
                "the room would smear every note that the model plays; record dry, or train a preset \
                 with a reverb, which learns one room for all",
                "Not measured: no note ends from a steady level.")),
            LEVEL.measure(level, &words(level, 0, "Notes have {} dBFS in the middle",
                "so quiet that rounding and noise are near, and that soft notes count as silence; \
                 raise all recordings by one gain", "Not measured: there are no notes.")),
            LEVEL_SPREAD.measure(spread, &words(spread, 0, "Sounds lie within {} dB of each other",
                "a wider spread than playing has: recordings with different gains teach the model a \
                 wrong relation of loudness to timbre; level the recordings",
                "Not measured: there are no notes.")),
            OFFSET.measure(offset, &words(offset, 0,
                "{} % of the sounds have a constant offset of 1 % of full scale or more",
                "it clicks at every cut and is loss that no synthesizer can reduce; filter out what \
                 is below 20 Hz", "")),
            SILENCE.measure(silence, &words(silence, 0, "{} % of the time is silent",
                "the model would spend its training on nothing; cut the silence away, as \
                 `ddsp data prepare` does with whole windows", "")),
        ]
    }

    /// The lowest and highest MIDI number that has material.
    fn pitch_range(&self) -> Option<(usize, usize)> {
        let has = |n: &u64| *n >= MIN_NOTE_FRAMES;
        let counts = self.pitches.counts();
        Some((counts.iter().position(has)?, counts.iter().rposition(has)?))
    }

    /// The longest run of MIDI numbers without material within a range: its first, and its length.
    fn widest_gap(&self, (low, high): (usize, usize)) -> (usize, usize) {
        let (mut widest, mut begin) = ((low, 0), low);
        for (i, &n) in self.pitches.counts()[..=high].iter().enumerate().skip(low) {
            if n >= MIN_NOTE_FRAMES {
                begin = i + 1;
            } else if i + 1 - begin > widest.1 {
                widest = (begin, i + 1 - begin);
            }
        }
        widest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_where_they_are() {
        assert_eq!(VOICED.verdict(5.0), Verdict::Ok);
        assert_eq!(VOICED.verdict(4.9), Verdict::Warn);
        assert_eq!(VOICED.verdict(0.0), Verdict::Bad);
        assert_eq!(CLIPPING.verdict(0.1), Verdict::Ok);
        assert_eq!(CLIPPING.verdict(0.2), Verdict::Warn);
        assert_eq!(CLIPPING.verdict(21.0), Verdict::Bad);
        assert_eq!(PITCH_RANGE.verdict(0.0), Verdict::Warn);
        assert_eq!(REVERBERATION.verdict(1e9), Verdict::Warn);
    }

    #[test]
    fn gaps_and_ranges_are_counted_in_semitones() {
        let mut findings = Findings::default();
        for midi in [40.0, 43.2, 51.4, 52.0] {
            (0..MIN_NOTE_FRAMES).for_each(|_| findings.pitches.add(midi));
        }
        findings.pitches.add(90.0);
        let range = findings.pitch_range().expect("notes");
        assert_eq!((range, findings.widest_gap(range)), ((40, 52), (44, 7)));
        assert_eq!(Findings::default().pitch_range(), None);
    }

    #[test]
    fn measures_come_in_the_order_of_the_limits() {
        let measures = Findings::default().measures();
        let names: Vec<&str> = measures.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ALL.map(|limits| limits.name));
        for measure in measures {
            assert!(measure.sentence.ends_with('.') || measure.value.is_none(), "{measure:?}");
        }
    }

    #[test]
    fn the_page_on_the_doctor_knows_every_limit() {
        let page = include_str!("../../../../docs/doctor.md");
        for limits in ALL {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", limits.name)));
            let row = row.unwrap_or_else(|| panic!("no row of `{}`", limits.name));
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let number = |limit: f64| match limit {
                l if l.is_infinite() => "never".to_owned(),
                l if l == 1.0 / 60.0 => "0.0167".to_owned(),
                l => format!("{l}"),
            };
            assert_eq!(cells[3], limits.unit, "{row}");
            assert_eq!(cells[4].replace('−', "-"), number(limits.warn), "{row}");
            assert_eq!(cells[5].replace('−', "-"), number(limits.bad), "{row}");
        }
    }
}
