//! The summary of one feature over many records, and of many features.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::example::{Example, Feature};
use crate::sort::label_name;

/// More different names than any data set has; keeps the summary of hostile files small.
const MAX_FEATURES: usize = 4096;
/// Values that are counted one by one (NSynth has 1006 instruments); beyond, only the range is told.
const MAX_VALUES: usize = 1024;
/// Values that are looked at side by side, for the processor's wide registers.
const N_LANES: usize = 8;

/// One feature over all records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureSummary {
    /// Records with each kind of list: `bytes`, `float`, `int64` or `empty`; one, if all is well.
    pub kinds: BTreeMap<String, u64>,
    /// Records that have it.
    pub records: u64,
    /// Shortest list.
    pub min_len: usize,
    /// Longest list.
    pub max_len: usize,
    /// Least finite value, of numbers.
    pub min: Option<f64>,
    /// Greatest finite value, of numbers.
    pub max: Option<f64>,
    /// Mean of the finite values, of numbers.
    pub mean: Option<f64>,
    /// Values that are infinite or no number.
    pub not_finite: u64,
    /// The first record's value, of byte strings.
    pub first: Option<String>,
    /// Records with each value of a label (one integer, up to 1024 different ones), families and
    /// sources by name.
    pub counts: Option<BTreeMap<String, u64>>,
    /// Sum of the finite values, of numbers.
    pub sum: f64,
    /// How many they are.
    pub n_finite: u64,
    /// Whether it is no label: a list, or of very many values.
    pub is_uncountable: bool,
}

/// Summaries by name.
#[derive(Debug, Default)]
pub(super) struct Features {
    by_name: BTreeMap<String, FeatureSummary>,
}

impl From<BTreeMap<String, FeatureSummary>> for Features {
    fn from(by_name: BTreeMap<String, FeatureSummary>) -> Self {
        Self { by_name }
    }
}

impl Features {
    pub(super) fn into_map(self) -> BTreeMap<String, FeatureSummary> {
        self.by_name
    }

    /// Adds a record.
    pub(super) fn add(&mut self, example: &Example) -> Result<(), String> {
        for &(name, feature) in example.features() {
            if !self.by_name.contains_key(name) {
                self.make_room()?;
                self.by_name.insert(name.to_owned(), FeatureSummary::default());
            }
            if let Some(summary) = self.by_name.get_mut(name) {
                summary.add(name, feature);
            }
        }
        Ok(())
    }

    /// Adds the records behind those that are there.
    pub(super) fn append(&mut self, other: Self) -> Result<(), String> {
        for (name, summary) in other.by_name {
            match self.by_name.get_mut(&name) {
                Some(known) => known.append(summary),
                None => {
                    self.make_room()?;
                    self.by_name.insert(name, summary);
                }
            }
        }
        Ok(())
    }

    fn make_room(&self) -> Result<(), String> {
        if self.by_name.len() < MAX_FEATURES {
            return Ok(());
        }
        Err(format!("more than {MAX_FEATURES} different features"))
    }
}

impl FeatureSummary {
    fn add(&mut self, name: &str, feature: Feature) {
        let n_values = feature.len();
        self.min_len = if self.records == 0 { n_values } else { self.min_len.min(n_values) };
        self.max_len = self.max_len.max(n_values);
        self.records += 1;
        match self.kinds.get_mut(feature.kind()) {
            Some(n) => *n += 1,
            None => drop(self.kinds.insert(feature.kind().to_owned(), 1)),
        }
        match feature {
            Feature::Floats(_) => {
                feature.for_each_floats(|values| self.add_values(&FloatValues::of(values)));
            }
            Feature::Int64s(_) => {
                let mut values = FloatValues::default();
                feature.for_each_int64(|value| values.add(value as f64));
                self.add_values(&values);
                match feature.int64() {
                    Some(value) => self.count(label_name(name, value)),
                    None => self.stop_counting(),
                }
            }
            Feature::Bytes(_) if self.first.is_none() => {
                let first = feature.bytes().and_then(|strings| strings.first().copied());
                // A long string says no more than its beginning, and may be anything.
                let text =
                    first.map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(400)]));
                self.first = text.map(|text| text.chars().take(80).collect());
            }
            Feature::Bytes(_) | Feature::Empty => {}
        }
        self.mean = (self.n_finite > 0).then(|| self.sum / self.n_finite as f64);
    }

    fn append(&mut self, other: Self) {
        for (kind, n) in other.kinds {
            *self.kinds.entry(kind).or_default() += n;
        }
        self.records += other.records;
        self.min_len = self.min_len.min(other.min_len);
        self.max_len = self.max_len.max(other.max_len);
        self.min = self.min.into_iter().chain(other.min).reduce(f64::min);
        self.max = self.max.into_iter().chain(other.max).reduce(f64::max);
        self.not_finite += other.not_finite;
        self.sum += other.sum;
        self.n_finite += other.n_finite;
        self.mean = (self.n_finite > 0).then(|| self.sum / self.n_finite as f64);
        self.first = self.first.take().or(other.first);
        if other.is_uncountable {
            self.stop_counting();
        }
        for (value, n) in other.counts.into_iter().flatten() {
            self.count_many(value, n);
        }
    }

    fn add_values(&mut self, values: &FloatValues) {
        self.sum += values.sum;
        self.n_finite += values.n_finite;
        self.not_finite += values.not_finite;
        if values.n_finite > 0 {
            self.min = Some(self.min.map_or(values.min, |least| least.min(values.min)));
            self.max = Some(self.max.map_or(values.max, |greatest| greatest.max(values.max)));
        }
    }

    fn count(&mut self, value: String) {
        self.count_many(value, 1);
    }

    fn count_many(&mut self, value: String, n: u64) {
        if self.is_uncountable {
            return;
        }
        let counts = self.counts.get_or_insert_default();
        *counts.entry(value).or_default() += n;
        if counts.len() > MAX_VALUES {
            self.stop_counting();
        }
    }

    fn stop_counting(&mut self) {
        self.is_uncountable = true;
        self.counts = None;
    }
}

/// What is kept of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FloatValues {
    /// Least and greatest finite value; the wrong way round if there is none.
    pub min: f64,
    pub max: f64,
    pub sum: f64,
    pub n_finite: u64,
    pub not_finite: u64,
}

impl Default for FloatValues {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { min, max, sum: 0.0, n_finite: 0, not_finite: 0 }
    }
}

impl FloatValues {
    /// Of floats as they are encoded.
    pub(crate) fn of(values: &[[u8; 4]]) -> Self {
        let (mut min, mut max) = ([f32::INFINITY; N_LANES], [f32::NEG_INFINITY; N_LANES]);
        let (mut sum, mut not_finite) = ([0.0_f64; N_LANES], [0_u32; N_LANES]);
        let (blocks, rest) = values.as_chunks::<N_LANES>();
        for block in blocks {
            for i in 0..N_LANES {
                let value = f32::from_le_bytes(block[i]);
                let is_finite = value.abs() < f32::INFINITY;
                let kept = if is_finite { value } else { 0.0 };
                sum[i] += f64::from(kept);
                not_finite[i] += u32::from(!is_finite);
                min[i] = if is_finite && value < min[i] { value } else { min[i] };
                max[i] = if is_finite && value > max[i] { value } else { max[i] };
            }
        }
        let mut all = Self::default();
        all.min = min.into_iter().map(f64::from).fold(all.min, f64::min);
        all.max = max.into_iter().map(f64::from).fold(all.max, f64::max);
        all.sum = sum.into_iter().sum();
        all.not_finite = not_finite.into_iter().map(u64::from).sum();
        all.n_finite = (blocks.len() * N_LANES) as u64 - all.not_finite;
        rest.iter().for_each(|&le| all.add(f64::from(f32::from_le_bytes(le))));
        all
    }

    /// Adds those of other numbers.
    pub(crate) fn join(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.n_finite += other.n_finite;
        self.not_finite += other.not_finite;
    }

    /// Adds one number.
    pub(crate) fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
            self.sum += value;
            self.n_finite += 1;
        } else {
            self.not_finite += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wide_loops_see_what_a_plain_one_sees(values in prop::collection::vec(prop_oneof![
            8 => -1e3_f32..1e3,
            1 => Just(f32::NAN),
            1 => Just(f32::INFINITY),
            1 => any::<f32>(),
        ], 0..60)) {
            let encoded: Vec<[u8; 4]> = values.iter().map(|value| value.to_le_bytes()).collect();
            let wide = FloatValues::of(&encoded);
            let mut plain = FloatValues::default();
            values.iter().for_each(|&value| plain.add(f64::from(value)));
            prop_assert_eq!((wide.min, wide.max), (plain.min, plain.max));
            prop_assert_eq!((wide.n_finite, wide.not_finite), (plain.n_finite, plain.not_finite));
            // Only the order of the additions differs.
            let size: f64 = values.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v).abs()).sum();
            prop_assert!((wide.sum - plain.sum).abs() <= 1e-14 * size, "{} {}", wide.sum, plain.sum);
        }
    }
}
