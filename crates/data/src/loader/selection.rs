//! Choosing among the examples of an index: by label, and by holding out.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::ExampleIndex;
use crate::error::{Error, Result};
use crate::record::Labels;
use crate::sort::label_name;

/// Which examples to take: those whose labels are among the wanted ones. An empty list wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Indices into [`FAMILIES`](crate::FAMILIES).
    pub families: Vec<i64>,
    /// Numbers of instruments.
    pub instruments: Vec<i64>,
    /// MIDI note numbers.
    pub pitches: Vec<i64>,
}

/// What to keep from training, to see later how well the model does on what it has not heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HoldOut {
    /// So many whole instruments and whole pitches, drawn by `seed`: every note of such an instrument
    /// or pitch is held out.
    Labels {
        /// Instruments held out.
        n_instruments: usize,
        /// Pitches held out; never the lowest or the highest, so that no extrapolation is asked.
        n_pitches: usize,
        /// Which ones.
        seed: u64,
    },
    /// This share of the records, drawn by `seed`; for data without labels. Records cut from one
    /// recording end up on both sides, so the figure flatters.
    Share {
        /// Share in (0, 1).
        share: f64,
        /// Which ones.
        seed: u64,
    },
}

impl ExampleIndex {
    /// The examples that `filter` wants.
    ///
    /// # Errors
    ///
    /// If there is none; the message says what there is instead.
    pub fn filter(&self, filter: &Filter) -> Result<Self> {
        let has = |wanted: &[i64], value: Option<i64>| {
            wanted.is_empty() || value.is_some_and(|value| wanted.contains(&value))
        };
        let is_wanted = |labels: &Labels| {
            has(&filter.families, labels.family)
                && has(&filter.instruments, labels.instrument)
                && has(&filter.pitches, labels.pitch)
        };
        let selection = self.select((0..self.len()).filter(|&i| is_wanted(self.labels(i))));
        match selection.is_empty() {
            false => Ok(selection),
            true => Err(Error::Data(self.nothing_wanted(filter))),
        }
    }

    fn nothing_wanted(&self, filter: &Filter) -> String {
        let mut wanted = Vec::new();
        let lists = [
            ("family", &filter.families),
            ("instrument", &filter.instruments),
            ("pitch", &filter.pitches),
        ];
        for (name, values) in lists {
            let names: Vec<_> = values.iter().map(|&value| label_name(name, value)).collect();
            if !names.is_empty() {
                wanted.push(names.join(" or "));
            }
        }
        let mut counts = BTreeMap::<String, usize>::new();
        for entry in &self.entries {
            let family = entry.labels.family.map(|family| label_name("family", family));
            *counts.entry(family.unwrap_or_else(|| "no family".to_owned())).or_default() += 1;
        }
        let there: Vec<_> = counts.iter().map(|(name, n)| format!("{name} ({n})")).collect();
        let (wanted, there) = (wanted.join(" with "), there.join(", "));
        format!("none of {} records is {wanted}; there are {there}", self.len())
    }

    /// Splits into what to train on and what to hold out; both keep their order.
    ///
    /// # Errors
    ///
    /// If labels are missing, there are too few instruments or pitches, or either side is empty.
    pub fn hold_out(&self, hold_out: &HoldOut) -> Result<(Self, Self)> {
        let held = match *hold_out {
            HoldOut::Labels { n_instruments, n_pitches, seed } => {
                self.held_by_label(n_instruments, n_pitches, seed)?
            }
            HoldOut::Share { share, seed } => self.held_by_share(share, seed)?,
        };
        let (held_out, kept): (Vec<_>, Vec<_>) = (0..self.len()).partition(|i| held.contains(i));
        if kept.is_empty() || held_out.is_empty() {
            let (kept, held_out) = (kept.len(), held_out.len());
            let reason = format!("{kept} records to train on and {held_out} held out: too few");
            return Err(Error::Data(reason));
        }
        Ok((self.select(kept), self.select(held_out)))
    }

    fn held_by_label(
        &self,
        n_instruments: usize,
        n_pitches: usize,
        seed: u64,
    ) -> Result<BTreeSet<usize>> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let instrument = |l: &Labels| Some((l.family.unwrap_or(-1), l.instrument?));
        let instruments = self.distinct("instrument", instrument, n_instruments)?;
        let pitches = self.distinct("pitch", |l| l.pitch, n_pitches)?;
        let inner = &pitches[1.min(pitches.len())..pitches.len().saturating_sub(1)];
        let instruments = draw(&instruments, n_instruments, "instruments", &mut rng)?;
        let pitches =
            draw(inner, n_pitches, "pitches between the lowest and the highest", &mut rng)?;
        let is_held = |&i: &usize| {
            let labels = self.labels(i);
            instrument(labels).is_some_and(|instrument| instruments.contains(&instrument))
                || labels.pitch.is_some_and(|pitch| pitches.contains(&pitch))
        };
        Ok((0..self.len()).filter(is_held).collect())
    }

    /// The different values of a label, sorted; every record must have it if any is wanted.
    fn distinct<T: Ord>(
        &self,
        name: &str,
        label: impl Fn(&Labels) -> Option<T>,
        n_wanted: usize,
    ) -> Result<Vec<T>> {
        if n_wanted == 0 {
            return Ok(Vec::new());
        }
        let mut values = BTreeSet::new();
        for i in 0..self.len() {
            let (path, offset) = self.place(i);
            let hint = "hold out a share of the records instead";
            let missing = || Error::record(path, offset, format!("no {name} label: {hint}"));
            values.insert(label(self.labels(i)).ok_or_else(missing)?);
        }
        Ok(values.into_iter().collect())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is between 0 and the length"
    )]
    fn held_by_share(&self, share: f64, seed: u64) -> Result<BTreeSet<usize>> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::Data(format!("a held-out share of {share} is not between 0 and 1")));
        }
        let n_held = ((self.len() as f64 * share).round() as usize).max(1);
        let all: Vec<usize> = (0..self.len()).collect();
        draw(&all, n_held, "records", &mut Pcg64Mcg::seed_from_u64(seed))
    }
}

/// `n` of `values`, which must leave at least one.
fn draw<T: Ord + Copy>(
    values: &[T],
    n: usize,
    what: &str,
    rng: &mut Pcg64Mcg,
) -> Result<BTreeSet<T>> {
    if n > 0 && n >= values.len() {
        let there = values.len();
        return Err(Error::Data(format!("cannot hold out {n} of {there} {what}")));
    }
    let mut shuffled = values.to_vec();
    shuffled.shuffle(rng);
    Ok(shuffled.into_iter().take(n).collect())
}
