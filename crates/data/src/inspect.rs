//! What record files hold: features, types, lengths, ranges of values, and counts of each label.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::error::{Error, Progress, Result};
use crate::example::{Example, Feature};
use crate::sort::label_name;
use crate::tfrecord::Reader;

/// More different names than any data set has; keeps the summary of hostile files small.
const MAX_FEATURES: usize = 4096;
/// Values that are counted one by one (NSynth has 1006 instruments); beyond, only the range is told.
const MAX_VALUES: usize = 1024;

/// A summary of record files.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inspection {
    /// The files in the order given.
    pub files: Vec<FileSummary>,
    /// Records in all files.
    pub records: u64,
    /// Length of all files.
    pub bytes: u64,
    /// Features by name.
    pub features: BTreeMap<String, FeatureSummary>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileSummary {
    /// Its path as given.
    pub file: PathBuf,
    /// Its records.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
}

/// One feature over all records.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FeatureSummary {
    /// Records with each kind of list: `bytes`, `float`, `int64` or `empty`; one, if all is well.
    pub kinds: BTreeMap<&'static str, u64>,
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
    #[serde(skip)]
    sum: f64,
    #[serde(skip)]
    n_finite: u64,
    #[serde(skip)]
    is_uncountable: bool,
}

/// Reads every record of `files`; `progress` is told the bytes read.
///
/// # Errors
///
/// If a file cannot be read, is damaged, holds something else than Examples, or all are empty.
pub fn inspect(files: &[PathBuf], progress: &mut dyn FnMut(Progress)) -> Result<Inspection> {
    let mut inspection = Inspection::default();
    let mut total = 0;
    for file in files {
        total += std::fs::metadata(file).map_err(Error::io("read", file))?.len();
    }
    for file in files {
        let mut reader = Reader::open(file)?;
        let mut records = 0;
        while let Some(record) = reader.next_record()? {
            let error = |reason: String| Error::record(file, record.offset, reason);
            let example = Example::parse(record.data()).map_err(|e| error(e.to_string()))?;
            inspection.add(&example).map_err(error)?;
            records += 1;
            if records % 64 == 0 {
                progress(Progress { done: inspection.bytes + reader.offset(), total });
            }
        }
        inspection.records += records;
        inspection.bytes += reader.offset();
        inspection.files.push(FileSummary { file: file.clone(), records, bytes: reader.offset() });
        progress(Progress { done: inspection.bytes, total });
    }
    if inspection.records == 0 {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        return Err(Error::Data(format!("{}: no records", names.join(", "))));
    }
    Ok(inspection)
}

impl Inspection {
    fn add(&mut self, example: &Example) -> Result<(), String> {
        for &(name, feature) in example.features() {
            if !self.features.contains_key(name) {
                if self.features.len() == MAX_FEATURES {
                    return Err(format!("more than {MAX_FEATURES} different features"));
                }
                let min_len = feature.len();
                let summary = FeatureSummary { min_len, ..FeatureSummary::default() };
                self.features.insert(name.to_owned(), summary);
            }
            if let Some(summary) = self.features.get_mut(name) {
                summary.add(name, feature);
            }
        }
        Ok(())
    }
}

impl FeatureSummary {
    fn add(&mut self, name: &str, feature: Feature) {
        self.records += 1;
        *self.kinds.entry(feature.kind()).or_default() += 1;
        self.min_len = self.min_len.min(feature.len());
        self.max_len = self.max_len.max(feature.len());
        if let Some(values) = feature.floats() {
            self.add_values(values.into_iter().map(f64::from));
        } else if let Some(values) = feature.int64s() {
            self.add_values(values.iter().map(|&value| value as f64));
            match values[..] {
                [value] => self.count(label_name(name, value)),
                _ => self.stop_counting(),
            }
        } else if let (None, Some(strings)) = (&self.first, feature.bytes()) {
            let text = strings.first().map(|bytes| String::from_utf8_lossy(bytes));
            // A long string says no more than its beginning, and may be anything.
            self.first = text.map(|text| text.chars().take(80).collect());
        }
        self.mean = (self.n_finite > 0).then(|| self.sum / self.n_finite as f64);
    }

    fn add_values(&mut self, values: impl Iterator<Item = f64>) {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            if value.is_finite() {
                min = min.min(value);
                max = max.max(value);
                self.sum += value;
                self.n_finite += 1;
            } else {
                self.not_finite += 1;
            }
        }
        if min <= max {
            self.min = Some(self.min.map_or(min, |least| least.min(min)));
            self.max = Some(self.max.map_or(max, |greatest| greatest.max(max)));
        }
    }

    fn count(&mut self, value: String) {
        if self.is_uncountable {
            return;
        }
        let counts = self.counts.get_or_insert_default();
        *counts.entry(value).or_default() += 1;
        if counts.len() > MAX_VALUES {
            self.stop_counting();
        }
    }

    fn stop_counting(&mut self) {
        self.is_uncountable = true;
        self.counts = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Keys, Labels, NoteRecord};
    use crate::tfrecord::write_record;

    fn note(family: i64, level: f32) -> Vec<u8> {
        let labels = Labels { family: Some(family), pitch: Some(60), ..Labels::default() };
        let audio = vec![level, -level, 0.0];
        let id = format!("note-{family}");
        NoteRecord { id, audio, labels, ..NoteRecord::default() }.encode(Keys::Nsynth)
    }

    fn inspect_records(records: &[Vec<u8>]) -> Result<Inspection> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.tfrecord");
        let mut file = Vec::new();
        for record in records {
            write_record(&mut file, record).expect("a Vec takes everything");
        }
        std::fs::write(&path, file).expect("writable");
        inspect(&[path], &mut |_| ())
    }

    #[test]
    fn features_are_summed_up() {
        let inspection = inspect_records(&[note(8, 0.5), note(8, 0.25), note(4, 0.75)]);
        let inspection = inspection.expect("intact");
        assert_eq!((inspection.records, inspection.files.len()), (3, 1));
        let audio = &inspection.features["audio"];
        assert_eq!((audio.records, audio.min_len, audio.max_len), (3, 3, 3));
        assert_eq!((audio.min, audio.max, audio.mean), (Some(-0.75), Some(0.75), Some(0.0)));
        assert_eq!(audio.kinds, BTreeMap::from([("float", 3)]));
        let families = inspection.features["instrument/family"].counts.clone();
        let expected = BTreeMap::from([("string".to_owned(), 2), ("keyboard".to_owned(), 1)]);
        assert_eq!(families, Some(expected));
        assert_eq!(inspection.features["id"].first.as_deref(), Some("note-8"));
    }

    #[test]
    fn faults_in_values_are_counted() {
        let inspection = inspect_records(&[note(8, f32::NAN), note(8, 0.5)]).expect("intact");
        let audio = &inspection.features["audio"];
        assert_eq!((audio.not_finite, audio.max), (2, Some(0.5)));
    }

    #[test]
    fn files_without_records_are_told() {
        let error = inspect_records(&[]).expect_err("empty").to_string();
        assert!(error.ends_with("a.tfrecord: no records"), "{error}");
        let error = inspect_records(&[b"text".to_vec()]).expect_err("no Example").to_string();
        assert!(error.contains("record at byte 0: not an Example"), "{error}");
    }
}
