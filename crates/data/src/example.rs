//! `tf.train.Example`: named lists of bytes, floats or integers in protocol buffer wire format.
//!
//! ```text
//! Example  { Features features = 1; }
//! Features { map<string, Feature> feature = 1; }
//! Feature  { oneof { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
//! …List    { repeated value = 1; }   floats and integers packed or not
//! ```
//!
//! Parsing borrows: lists stay encoded until they are asked for, so finding a label does not touch
//! the audio. A `SequenceExample` parses too, as its context has the place of `features`. Unknown
//! fields are skipped. Two things that the wire format allows and no writer does are refused rather
//! than guessed at: a feature whose value comes in two pieces, and one that has two kinds of list.

mod rename;
mod wire;

use wire::{Field, Fields};

pub(crate) use rename::{Edit, renamed};

/// More features in one record than any data set has; keeps a hostile record's table small.
const MAX_FEATURES: usize = 4096;

/// Bytes that are not an Example: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Example: byte {offset} of the record: {reason}")]
pub struct ExampleError {
    /// Offset of the fault in the record's data, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// The value of one feature, still encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feature<'a> {
    /// Byte strings.
    Bytes(List<'a>),
    /// 32-bit floats.
    Floats(List<'a>),
    /// 64-bit integers.
    Int64s(List<'a>),
    /// No list at all.
    Empty,
}

/// The encoded elements of one list, checked on parsing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct List<'a> {
    /// A `…List` message.
    message: &'a [u8],
    n_values: usize,
}

impl<'a> Feature<'a> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(list) | Self::Floats(list) | Self::Int64s(list) => list.n_values,
            Self::Empty => 0,
        }
    }

    /// Whether the list has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of list, in TensorFlow's words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
            Self::Floats(_) => "float",
            Self::Int64s(_) => "int64",
            Self::Empty => "empty",
        }
    }

    /// The floats, or `None` for another kind of list.
    pub fn floats(&self) -> Option<Vec<f32>> {
        let Self::Floats(list) = self else { return None };
        let mut values = Vec::with_capacity(list.n_values);
        self.for_each_floats(|packed| {
            values.extend(packed.iter().map(|&le| f32::from_le_bytes(le)))
        });
        Some(values)
    }

    /// The integers, or `None` for another kind of list.
    pub fn int64s(&self) -> Option<Vec<i64>> {
        let Self::Int64s(list) = self else { return None };
        let mut values = Vec::with_capacity(list.n_values);
        self.for_each_int64(|value| values.push(value));
        Some(values)
    }

    /// Shows the floats, stretch by stretch as they are encoded (little-endian); none of other kinds.
    pub(crate) fn for_each_floats(&self, mut visit: impl FnMut(&[[u8; 4]])) {
        let Self::Floats(list) = self else { return };
        for field in list.values() {
            match field {
                Field::Bytes(packed) => visit(packed.as_chunks().0),
                Field::Fixed32(bits) => visit(&[bits.to_le_bytes()]),
                _ => {}
            }
        }
    }

    /// Shows the integers one by one; none of other kinds.
    pub(crate) fn for_each_int64(&self, mut visit: impl FnMut(i64)) {
        let Self::Int64s(list) = self else { return };
        for field in list.values() {
            match field {
                Field::Bytes(packed) => wire::varints(packed).for_each(|v| visit(v.cast_signed())),
                Field::Varint(value) => visit(value.cast_signed()),
                _ => {}
            }
        }
    }

    /// The byte strings, or `None` for another kind of list.
    pub fn bytes(&self) -> Option<Vec<&'a [u8]>> {
        let Self::Bytes(list) = self else { return None };
        let strings = list.values().filter_map(|field| match field {
            Field::Bytes(bytes) => Some(bytes),
            _ => None,
        });
        Some(strings.collect())
    }

    /// The integer of a list that holds exactly one, else `None`.
    pub fn int64(&self) -> Option<i64> {
        let mut single = None;
        if self.len() == 1 {
            self.for_each_int64(|value| single = Some(value));
        }
        single
    }

    /// The float of a list that holds exactly one, else `None`.
    pub fn float(&self) -> Option<f32> {
        let mut single = None;
        if self.len() == 1 {
            self.for_each_floats(|stretch| single = stretch.last().copied().or(single));
        }
        single.map(f32::from_le_bytes)
    }

    /// The byte string of a list that holds exactly one, else `None`.
    pub fn byte_string(&self) -> Option<&'a [u8]> {
        let Self::Bytes(list) = self else { return None };
        let mut strings = list.values().filter_map(|field| match field {
            Field::Bytes(bytes) => Some(bytes),
            _ => None,
        });
        strings.next().filter(|_| list.n_values == 1)
    }

    /// Parses a `Feature` message that begins at `offset` of the record.
    fn parse(message: &'a [u8], offset: usize) -> Result<Self, ExampleError> {
        let mut feature = Self::Empty;
        let mut fields = Fields::new(message, offset);
        while let Some((number, field, at)) = fields.next_field()? {
            let (1..=3, Field::Bytes(message)) = (number, field) else { continue };
            if feature != Self::Empty {
                return Err(ExampleError { offset: at, reason: "a feature with two lists" });
            }
            let list = List { message, n_values: count_values(number, message, at)? };
            feature = match number {
                1 => Self::Bytes(list),
                2 => Self::Floats(list),
                _ => Self::Int64s(list),
            };
        }
        Ok(feature)
    }
}

impl<'a> List<'a> {
    /// The fields that hold values. The message was walked on parsing, so no error can come.
    fn values(self) -> impl Iterator<Item = Field<'a>> {
        let mut fields = Fields::new(self.message, 0);
        std::iter::from_fn(move || fields.next_field().ok().flatten())
            .filter(|&(number, ..)| number == 1)
            .map(|(_, field, _)| field)
    }
}

/// Counts the elements of a list of the kind that has `number` in `Feature`, checking each.
fn count_values(number: u64, message: &[u8], offset: usize) -> Result<usize, ExampleError> {
    let mut n_values = 0;
    let mut fields = Fields::new(message, offset);
    while let Some((field_number, field, at)) = fields.next_field()? {
        if field_number != 1 {
            continue;
        }
        n_values += match (number, field) {
            (1, Field::Bytes(_)) | (2, Field::Fixed32(_)) | (3, Field::Varint(_)) => 1,
            (2, Field::Bytes(packed)) if packed.len() % 4 == 0 => packed.len() / 4,
            (2, Field::Bytes(_)) => {
                return Err(ExampleError { offset: at, reason: "packed floats are cut off" });
            }
            (3, Field::Bytes(packed)) => wire::count_varints(packed, at)?,
            _ => return Err(ExampleError { offset: at, reason: "a list element of another type" }),
        };
    }
    Ok(n_values)
}

/// The features of one record, sorted by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Example<'a> {
    features: Vec<(&'a str, Feature<'a>)>,
}

impl<'a> Example<'a> {
    /// Parses a record's data.
    ///
    /// # Errors
    ///
    /// If the bytes are not an Example, or hold more than 4096 features.
    pub fn parse(data: &'a [u8]) -> Result<Self, ExampleError> {
        let mut features = Vec::new();
        for_each_entry(data, |entry, offset| {
            let entry = Entry::parse(entry, offset)?;
            if features.len() == MAX_FEATURES {
                return Err(ExampleError { offset, reason: "more than 4096 features" });
            }
            features.push((entry.name, entry.feature()?));
            Ok(())
        })?;
        // Of a key given twice, a protocol buffer's map keeps the last: a stable sort, read backwards.
        features.reverse();
        features.sort_by_key(|&(name, _)| name);
        features.dedup_by_key(|&mut (name, _)| name);
        Ok(Self { features })
    }

    /// The feature `name`.
    pub fn get(&self, name: &str) -> Option<Feature<'a>> {
        let at = self.features.binary_search_by_key(&name, |&(name, _)| name).ok()?;
        Some(self.features[at].1)
    }

    /// All features by name.
    pub fn features(&self) -> &[(&'a str, Feature<'a>)] {
        &self.features
    }
}

/// Finds one feature without looking into the others: the way to a label past the audio.
///
/// # Errors
///
/// If the way through the record, or the feature itself, is not an Example's.
pub fn find_feature<'a>(data: &'a [u8], name: &str) -> Result<Option<Feature<'a>>, ExampleError> {
    let mut found = None;
    for_each_entry(data, |entry, offset| {
        let entry = Entry::parse(entry, offset)?;
        if entry.name == name {
            found = Some(entry);
        }
        Ok(())
    })?;
    found.map(|entry| entry.feature()).transpose()
}

/// Finds several features in one walk, in the order of `names`; see [`find_feature`].
///
/// # Errors
///
/// As [`find_feature`].
pub fn find_features<'a>(
    data: &'a [u8],
    names: &[impl AsRef<str>],
) -> Result<Vec<Option<Feature<'a>>>, ExampleError> {
    let mut found: Vec<Option<Entry>> = names.iter().map(|_| None).collect();
    for_each_entry(data, |entry, offset| {
        let entry = Entry::parse(entry, offset)?;
        if let Some(i) = names.iter().position(|name| name.as_ref() == entry.name) {
            found[i] = Some(entry);
        }
        Ok(())
    })?;
    found.into_iter().map(|entry| entry.map(|entry| entry.feature()).transpose()).collect()
}

/// One pair of the map, its value not yet parsed.
struct Entry<'a> {
    name: &'a str,
    value: &'a [u8],
    value_offset: usize,
}

impl<'a> Entry<'a> {
    fn parse(entry: &'a [u8], offset: usize) -> Result<Self, ExampleError> {
        let (mut name, mut value) = ("", None);
        let mut fields = Fields::new(entry, offset);
        while let Some((number, field, at)) = fields.next_field()? {
            match (number, field) {
                (1, Field::Bytes(key)) => {
                    name = std::str::from_utf8(key).map_err(|_| ExampleError {
                        offset: at,
                        reason: "a feature's name is not UTF-8",
                    })?;
                }
                (2, Field::Bytes(_)) if value.is_some() => {
                    return Err(ExampleError { offset: at, reason: "a feature in two pieces" });
                }
                (2, Field::Bytes(feature)) => value = Some((feature, at)),
                _ => {}
            }
        }
        let (value, value_offset) = value.unwrap_or((&[], offset));
        Ok(Self { name, value, value_offset })
    }

    fn feature(&self) -> Result<Feature<'a>, ExampleError> {
        Feature::parse(self.value, self.value_offset)
    }
}

/// Calls `visit` with each map entry and its offset.
fn for_each_entry<'a>(
    data: &'a [u8],
    mut visit: impl FnMut(&'a [u8], usize) -> Result<(), ExampleError>,
) -> Result<(), ExampleError> {
    let mut top = Fields::new(data, 0);
    while let Some((number, field, at)) = top.next_field()? {
        let (1, Field::Bytes(features)) = (number, field) else { continue };
        let mut entries = Fields::new(features, at);
        while let Some((number, field, at)) = entries.next_field()? {
            if let (1, Field::Bytes(entry)) = (number, field) {
                visit(entry, at)?;
            }
        }
    }
    Ok(())
}

/// Builds an Example, features in the order in which they are added.
#[derive(Clone, Debug, Default)]
pub struct ExampleBuilder {
    features: Vec<u8>,
}

impl ExampleBuilder {
    /// Adds a list of floats, packed.
    pub fn floats(&mut self, name: &str, values: &[f32]) {
        let mut packed = Vec::with_capacity(4 * values.len());
        packed.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self.add(name, 2, &list_of([&packed[..]]));
    }

    /// Adds a list of integers, packed.
    pub fn int64s(&mut self, name: &str, values: &[i64]) {
        let mut packed = Vec::new();
        for value in values {
            wire::push_varint(&mut packed, value.cast_unsigned());
        }
        self.add(name, 3, &list_of([&packed[..]]));
    }

    /// Adds a list of one byte string.
    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        self.add(name, 1, &list_of([value]));
    }

    /// The encoded Example.
    pub fn finish(self) -> Vec<u8> {
        let mut example = Vec::with_capacity(self.features.len() + 8);
        wire::push_bytes(&mut example, 1, &self.features);
        example
    }

    fn add(&mut self, name: &str, kind: u32, list: &[u8]) {
        let mut feature = Vec::with_capacity(list.len() + 8);
        wire::push_bytes(&mut feature, kind, list);
        let mut entry = Vec::with_capacity(feature.len() + name.len() + 16);
        wire::push_bytes(&mut entry, 1, name.as_bytes());
        wire::push_bytes(&mut entry, 2, &feature);
        wire::push_bytes(&mut self.features, 1, &entry);
    }
}

/// A `…List` message of byte strings, or of one packed chunk.
fn list_of<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut list = Vec::new();
    for value in values {
        wire::push_bytes(&mut list, 1, value);
    }
    list
}

#[cfg(test)]
mod tests;
