//! Which notes are made: pitches, lengths, and how they move.

use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::GRID;
use crate::error::{Error, Result};
use crate::instruments::{Family, NoteSpec, PitchMotion, PitchVibrato, n_instruments, pitch_range};
use crate::numbers::{Between, MidiNumbers};
use crate::record::Keys;
use crate::shard::Shard;

/// The motion of a note is drawn apart from its performance: asking for vibrato changes nothing else.
const MOTION_SEED: u64 = 0x6d6f_7469_6f6e;

/// Lengths of a note that make sense, seconds.
const SECS: Between = Between { low: 0.1, high: 60.0 };

/// Which notes to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SynthOptions {
    /// Families by name, `string` for example; those without built-in instruments are refused.
    pub families: Vec<String>,
    /// Instruments of each family, or fewer where it has fewer.
    pub n_instruments: u32,
    /// Pitches of each instrument.
    pub pitches: Pitches,
    /// MIDI velocities of each pitch.
    pub velocities: Vec<u8>,
    /// Length of a note with its end: the key is released a second before, or after three quarters if
    /// that is later.
    pub secs: f64,
    /// Vibrato of every note, in place of the instrument's own.
    pub vibrato: Option<VibratoRange>,
    /// A glide into every note.
    pub glide: Option<GlideRange>,
    /// Spelling of the features.
    pub keys: Keys,
    /// Decides every performance and the order of the notes.
    pub seed: u64,
    /// Files to deal the notes out to.
    pub n_shards: usize,
    /// Which of the files to make.
    #[serde(skip)]
    pub shard: Shard,
    /// Whether an output folder of an earlier run is started over. Only without a shard.
    #[serde(skip)]
    pub force: bool,
}

/// The pitches of an instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pitches {
    /// Up to so many, evenly over the range of the family, both ends included.
    Count(u8),
    /// Those of these MIDI numbers that are in the range of the family.
    These(Vec<u8>),
}

/// Vibratos to draw from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VibratoRange {
    /// Cycles a second.
    pub rate_hz: Between,
    /// Half the range of pitch, in cents.
    pub depth_cents: Between,
}

/// Glides to draw from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlideRange {
    /// How far from its pitch a note begins; above or below is drawn, too.
    pub semitones: Between,
    /// Seconds until the pitch is reached.
    pub secs: Between,
}

impl Default for SynthOptions {
    fn default() -> Self {
        let families = Family::ALL.into_iter().filter(|&family| n_instruments(family) > 0);
        Self {
            families: families.map(|family| family.name().to_owned()).collect(),
            n_instruments: u32::MAX,
            pitches: Pitches::Count(10),
            velocities: vec![50, 100],
            secs: 4.0,
            vibrato: None,
            glide: None,
            keys: Keys::Nsynth,
            seed: 0,
            n_shards: 4,
            shard: Shard::WHOLE,
            force: false,
        }
    }
}

impl SynthOptions {
    /// Refuses what cannot be played.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(Error::Data(reason));
        if let Some(velocity) = self.velocities.iter().find(|v| !(1..=127).contains(*v)) {
            return refuse(format!("velocity {velocity} is not in 1 to 127"));
        }
        within("the length of a note, seconds", Between { low: self.secs, high: self.secs }, SECS)?;
        if let Some(VibratoRange { rate_hz, depth_cents }) = self.vibrato {
            // Faster is no vibrato: the tracker and the ear hear side bands.
            within("the rate of a vibrato, Hz", rate_hz, Between { low: 0.1, high: 15.0 })?;
            within(
                "the depth of a vibrato, cents",
                depth_cents,
                Between { low: 0.0, high: 300.0 },
            )?;
        }
        if let Some(GlideRange { semitones, secs }) = self.glide {
            within("a glide, semitones", semitones, Between { low: 0.0, high: 24.0 })?;
            within("the length of a glide, seconds", secs, Between { low: 0.001, high: 60.0 })?;
        }
        Ok(())
    }

    /// A note, its motion drawn from its seed.
    pub(super) fn note(
        &self,
        family: Family,
        instrument: u32,
        pitch: u8,
        velocity: u8,
        seed: u64,
    ) -> NoteSpec {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a minute of frames at most"
        )]
        let n_frames = (self.secs * f64::from(GRID.sample_rate) / GRID.hop as f64).round() as usize;
        NoteSpec {
            n_samples: n_frames * GRID.hop,
            release_secs: self.secs - (0.25 * self.secs).min(1.0),
            motion: self.motion(seed),
            ..NoteSpec::new(family, instrument, f32::from(pitch), velocity, seed)
        }
    }

    fn motion(&self, seed: u64) -> PitchMotion {
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ MOTION_SEED);
        let [rate, depth, turns, sign, offset, secs] = std::array::from_fn(|_| rng.random::<f64>());
        let vibrato = self.vibrato.map(|range| PitchVibrato {
            rate_hz: range.rate_hz.at(rate),
            depth_cents: range.depth_cents.at(depth),
            turns,
        });
        let (glide_semitones, glide_secs) = self.glide.map_or((0.0, 0.0), |range| {
            let semitones = range.semitones.at(offset);
            (if sign < 0.5 { -semitones } else { semitones }, range.secs.at(secs))
        });
        PitchMotion { vibrato, glide_semitones, glide_secs }
    }
}

fn within(what: &str, asked: Between, allowed: Between) -> Result<()> {
    if asked.low >= allowed.low && asked.low <= asked.high && asked.high <= allowed.high {
        return Ok(());
    }
    Err(Error::Data(format!("{what}: {asked} is not within {allowed}")))
}

impl Pitches {
    /// The pitches of a family's instruments.
    pub(super) fn of(&self, family: Family) -> Result<Vec<u8>> {
        let range = pitch_range(family);
        let (low, high) = (*range.start(), *range.end());
        let these = match self {
            Self::Count(n) => return Ok(evenly(low, high, *n)),
            Self::These(these) => these.iter().copied().filter(|pitch| range.contains(pitch)),
        };
        let mut pitches: Vec<u8> = these.collect();
        pitches.sort_unstable();
        pitches.dedup();
        if pitches.is_empty() {
            let name = family.name();
            let reason = format!("none of the pitches is {name}'s, which are {low} to {high}");
            return Err(Error::Data(reason));
        }
        Ok(pitches)
    }
}

/// Up to `n` pitches evenly over a range, both ends included.
fn evenly(low: u8, high: u8, n: u8) -> Vec<u8> {
    let steps = u16::from(n.max(2) - 1);
    let at = |i: u8| {
        let above = (u16::from(i) * u16::from(high - low) + steps / 2) / steps;
        low + u8::try_from(above).unwrap_or(high - low)
    };
    let mut pitches: Vec<u8> = (0..n).map(at).collect();
    pitches.dedup();
    pitches
}

impl FromStr for Pitches {
    type Err = String;

    /// A number alone is a count, anything longer are [`MidiNumbers`].
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().parse() {
            Ok(count) => Ok(Self::Count(count)),
            Err(_) => text.parse().map(|MidiNumbers(numbers)| Self::These(numbers)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pitches_cover_the_range() {
        let range = pitch_range(Family::String);
        let pitches = |n| Pitches::Count(n).of(Family::String).expect("pitches");
        assert_eq!((pitches(5)[0], pitches(5)[4]), (*range.start(), *range.end()));
        assert!(pitches(5).is_sorted(), "{:?}", pitches(5));
        assert_eq!(pitches(127).len(), range.count(), "each once");
    }

    #[test]
    fn pitches_that_are_named_are_those_of_the_family() {
        let pitches = |text: &str| text.parse::<Pitches>().expect("pitches");
        assert_eq!(pitches("12"), Pitches::Count(12));
        assert_eq!(pitches("84..89,60").of(Family::String).ok(), Some(vec![60, 84, 85, 86]));
        let error = pitches("20..27").of(Family::Bass).expect_err("too low").to_string();
        assert!(error.contains("bass's, which are 28 to 55"), "{error}");
    }

    #[test]
    fn motion_is_drawn_within_its_ranges_and_changes_nothing_else() {
        let between = |low, high| Between { low, high };
        let still = SynthOptions::default();
        let vibrato = VibratoRange { rate_hz: between(4.0, 7.0), depth_cents: between(10.0, 40.0) };
        let glide = GlideRange { semitones: between(1.0, 5.0), secs: between(0.05, 0.3) };
        let moving =
            SynthOptions { vibrato: Some(vibrato), glide: Some(glide), ..SynthOptions::default() };
        let mut below = 0;
        for seed in 0..200 {
            let note = |options: &SynthOptions| options.note(Family::String, 0, 60, 80, seed);
            let motion = note(&moving).motion;
            assert_eq!(NoteSpec { motion: PitchMotion::default(), ..note(&moving) }, note(&still));
            let drawn = motion.vibrato.expect("vibrato");
            assert!((4.0..=7.0).contains(&drawn.rate_hz), "{drawn:?}");
            assert!((10.0..=40.0).contains(&drawn.depth_cents), "{drawn:?}");
            assert!((1.0..=5.0).contains(&motion.glide_semitones.abs()), "{motion:?}");
            assert!((0.05..=0.3).contains(&motion.glide_secs), "{motion:?}");
            below += u32::from(motion.glide_semitones < 0.0);
        }
        assert!((70..130).contains(&below), "half of 200 begin below: {below}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let between = |low, high| Between { low, high };
        let text = |options: SynthOptions| options.check().expect_err("refused").to_string();
        let default = SynthOptions::default;
        assert!(
            text(SynthOptions { secs: f64::NAN, ..default() }).contains("the length of a note")
        );
        let rate = VibratoRange { rate_hz: between(4.0, 99.0), depth_cents: between(1.0, 2.0) };
        assert!(text(SynthOptions { vibrato: Some(rate), ..default() }).contains("4..99 is not"));
        let far = GlideRange { semitones: between(-2.0, 2.0), secs: between(0.1, 0.2) };
        assert!(
            text(SynthOptions { glide: Some(far), ..default() }).contains("a glide, semitones")
        );
    }
}
