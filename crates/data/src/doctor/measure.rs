//! From counts to verdicts and sentences.

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::limits::{
    CLIPPING, LEVEL, LEVEL_SPREAD, Limits, NOISE_FLOOR, OCTAVES, OFFSET, PITCH_GAP, PITCH_RANGE,
    PITCHED, POLYPHONY, REVERBERATION, SILENCE, VOICED,
};
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

/// A note has material if at least this much of it is there, in frames: half a second.
const MIN_NOTE_FRAMES: u64 = 125;

/// Fewer looks for a second note say nothing: half a second.
const MIN_SEARCHED: u64 = 8;

/// Number of measures.
const N_MEASURES: usize = 13;

impl Limits {
    /// The measure of `value`, found at `place`.
    fn measure(&self, value: Option<f64>, place: &str) -> Measure {
        let verdict = value.map_or(Verdict::Ok, |value| self.verdict(value));
        let sentence = value.map_or_else(
            || self.absent.to_owned(),
            |value| {
                let decimals = self.decimals;
                let found = self.found.replace("{}", &format!("{value:.decimals$}"));
                let found = found.replace("{place}", place);
                match verdict {
                    Verdict::Ok => format!("{found}."),
                    Verdict::Warn | Verdict::Bad => format!("{found}: {}.", self.advice),
                }
            },
        );
        let (name, unit) = (self.name.to_owned(), self.unit.to_owned());
        Measure { name, value, unit, verdict, sentence }
    }
}

fn percent(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| 100.0 * part as f64 / all as f64)
}

impl Findings {
    /// Every measure, in the order in which they are told.
    pub(super) fn measures(&self) -> Vec<Measure> {
        let range = self.pitch_range();
        let gap = range.map(|range| self.widest_gap(range));
        let ends = range.map_or_else(String::new, |(low, high)| format!("{low} to {high}"));
        let gap_begin = gap.map_or_else(String::new, |(begin, _)| begin.to_string());
        let measure = |(limits, value): (&Limits, Option<f64>)| {
            let is_range = limits.name == PITCH_RANGE.name;
            limits.measure(value, if is_range { &ends } else { &gap_begin })
        };
        self.values(range, gap).into_iter().map(measure).collect()
    }

    fn values(
        &self,
        range: Option<(usize, usize)>,
        gap: Option<(usize, usize)>,
    ) -> [(&'static Limits, Option<f64>); N_MEASURES] {
        let minutes = self.note_frames as f64 / GRID.frame_rate() / 60.0;
        let chords = percent(self.chord_frames, self.searched_frames)
            .filter(|_| self.searched_frames >= MIN_SEARCHED);
        let loudest = self.levels.quantile(0.95);
        let spread = loudest.zip(self.levels.quantile(0.05)).map(|(high, low)| high - low);
        [
            (&VOICED, Some(minutes)),
            (&PITCHED, percent(self.note_frames, self.loud_frames)),
            (&PITCH_RANGE, range.map(|(low, high)| (high - low) as f64)),
            (&PITCH_GAP, gap.map(|(_, n)| n as f64)),
            (&OCTAVES, percent(self.octave_suspects, self.note_frames)),
            (&POLYPHONY, chords),
            (&CLIPPING, percent(self.clipped, self.samples)),
            (&NOISE_FLOOR, self.floors.quantile(0.5)),
            (&REVERBERATION, self.decays.quantile(0.5)),
            (&LEVEL, self.levels.quantile(0.5)),
            (&LEVEL_SPREAD, spread),
            (&OFFSET, percent(self.offset_sounds, self.sounds)),
            (&SILENCE, percent(self.silent_frames, self.frames)),
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
    fn sentences_say_what_to_do_where_something_is_wrong() {
        let measures = Findings::default().measures();
        for measure in measures {
            assert!(measure.sentence.ends_with('.'), "{measure:?}");
        }
        let mut findings = Findings { sounds: 1, frames: 9, samples: 9, ..Findings::default() };
        findings.decays.add(2.0);
        for measure in findings.measures() {
            let is_whole = !measure.sentence.contains(['{', '}']) && !measure.sentence.is_empty();
            assert!(is_whole, "{measure:?}");
            let says_what_to_do = measure.sentence.contains("; ");
            assert_eq!(says_what_to_do, measure.verdict > Verdict::Ok, "{measure:?}");
        }
    }

    #[test]
    fn the_page_on_the_doctor_knows_every_limit() {
        let page = include_str!("../../../../docs/doctor.md");
        for (limits, _) in Findings::default().values(None, None) {
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
