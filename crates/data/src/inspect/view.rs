//! One record as it is shown.

use std::path::{Path, PathBuf};

use base64::Engine;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::example::{Example, Feature};
use crate::tfrecord::Record;

/// Values that are shown of a long list, and a few more are shown rather than told.
const N_SHOWN: usize = 8;
/// Bytes that are shown of a long string.
const N_SHOWN_BYTES: usize = 120;

/// A record with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordView<'a> {
    /// The file that holds it.
    pub file: &'a Path,
    /// Its number in the file, from 0.
    pub index: u64,
    /// Where its frame begins in the file, in bytes.
    pub offset: u64,
    /// Its features.
    pub example: Example<'a>,
}

/// A record that was read by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRecord {
    file: PathBuf,
    index: u64,
    offset: u64,
    data: Vec<u8>,
}

impl FoundRecord {
    pub(super) fn new(file: &Path, index: u64, record: &Record) -> Self {
        let data = record.data().to_vec();
        Self { file: file.to_owned(), index, offset: record.offset, data }
    }

    /// The record to look at.
    ///
    /// # Panics
    ///
    /// Never: its data were parsed when it was found.
    pub fn view(&self) -> RecordView<'_> {
        let example = Example::parse(&self.data).expect("parsed when it was found");
        RecordView { file: &self.file, index: self.index, offset: self.offset, example }
    }
}

impl<'a> RecordView<'a> {
    /// The record for JSON: its place, and each feature with kind, length and values; long lists
    /// with the first values only unless `full`.
    pub fn json(&self, full: bool) -> impl Serialize + use<'_, 'a> {
        JsonRecord { record: self, full }
    }

    /// One line for each feature: name, kind and length, the first values.
    pub fn lines(&self) -> Vec<String> {
        let features = self.example.features();
        let width = features.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let line = |&(name, feature): &(&str, Feature)| {
            let (kind, len) = (feature.kind(), feature.len());
            let mut values = values_as_text(feature);
            if len > values.len() {
                values.push("…".to_owned());
            }
            let line = format!("  {name:width$}  {kind:6} × {len:<7} {}", values.join(" "));
            line.trim_end().to_owned()
        };
        features.iter().map(line).collect()
    }
}

/// The first values as words.
fn values_as_text(feature: Feature) -> Vec<String> {
    let mut values = Vec::new();
    let floats = feature.floats().unwrap_or_default();
    values.extend(floats.iter().take(N_SHOWN).map(|&value| float_as_text(value)));
    let int64s = feature.int64s().unwrap_or_default();
    values.extend(int64s.iter().take(N_SHOWN).map(ToString::to_string));
    for bytes in feature.bytes().unwrap_or_default().iter().take(N_SHOWN) {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(N_SHOWN_BYTES)]);
        let more = if bytes.len() > N_SHOWN_BYTES { "…" } else { "" };
        values.push(format!("{text:?}{more}"));
    }
    values
}

/// Six digits: more than anyone reads, and few enough to hide that 0.1 is none of a float's values.
fn float_as_text(value: f32) -> String {
    if value != 0.0 && value.abs() < 1e-4 {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.6}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

struct JsonRecord<'a, 'b> {
    record: &'a RecordView<'b>,
    full: bool,
}

impl Serialize for JsonRecord<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let RecordView { file, index, offset, example } = self.record;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("file", &file.display().to_string())?;
        map.serialize_entry("record", index)?;
        map.serialize_entry("offset", offset)?;
        map.serialize_entry("features", &JsonFeatures { example, full: self.full })?;
        map.end()
    }
}

struct JsonFeatures<'a, 'b> {
    example: &'a Example<'b>,
    full: bool,
}

impl Serialize for JsonFeatures<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let limit = if self.full { usize::MAX } else { N_SHOWN };
        let mut map = serializer.serialize_map(Some(self.example.features().len()))?;
        for &(name, feature) in self.example.features() {
            map.serialize_entry(name, &JsonFeature { feature: ByLimit { feature, limit } })?;
        }
        map.end()
    }
}

struct JsonFeature<'a> {
    feature: ByLimit<'a>,
}

impl Serialize for JsonFeature<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let feature = self.feature.feature;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("kind", feature.kind())?;
        map.serialize_entry("len", &feature.len())?;
        map.serialize_entry("values", &self.feature)?;
        map.end()
    }
}

/// The first values of a list.
struct ByLimit<'a> {
    feature: Feature<'a>,
    limit: usize,
}

impl Serialize for ByLimit<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serializer.serialize_seq(Some(self.feature.len().min(self.limit)))?;
        let (mut n_left, mut result) = (self.limit, Ok(()));
        self.feature.for_each_floats(|stretch| {
            for &le in stretch.iter().take(n_left) {
                if result.is_ok() {
                    result = values.serialize_element(&JsonFloat(f32::from_le_bytes(le)));
                }
            }
            n_left = n_left.saturating_sub(stretch.len());
        });
        self.feature.for_each_int64(|value| {
            if n_left > 0 && result.is_ok() {
                result = values.serialize_element(&value);
                n_left -= 1;
            }
        });
        result?;
        for bytes in self.feature.bytes().unwrap_or_default().iter().take(self.limit) {
            values.serialize_element(&JsonBytes { bytes, limit: self.limit })?;
        }
        values.end()
    }
}

/// JSON has no infinity and no NaN: they become words.
struct JsonFloat(f32);

impl Serialize for JsonFloat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f32(self.0)
        } else {
            serializer.serialize_str(&self.0.to_string())
        }
    }
}

/// Text as a string, other bytes as `{"base64": …}`.
struct JsonBytes<'a> {
    bytes: &'a [u8],
    limit: usize,
}

impl Serialize for JsonBytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_long = self.limit < usize::MAX && self.bytes.len() > N_SHOWN_BYTES;
        let shown = if is_long { &self.bytes[..N_SHOWN_BYTES] } else { self.bytes };
        let more = if is_long { "…" } else { "" };
        let text = match std::str::from_utf8(shown) {
            Ok(text) => Some(text),
            // A long text may be cut within a character.
            Err(e) if is_long && e.error_len().is_none() => {
                std::str::from_utf8(&shown[..e.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        if let Some(text) = text {
            return serializer.collect_str(&format_args!("{text}{more}"));
        }
        let mut map = serializer.serialize_map(Some(1))?;
        let encoded = base64::engine::general_purpose::STANDARD.encode(shown);
        map.serialize_entry("base64", &format!("{encoded}{more}"))?;
        map.end()
    }
}
