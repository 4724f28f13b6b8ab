//! Renaming features without touching their values.

use std::ops::Range;

use super::wire::{Field, Fields, push_varint};
use super::{Entry, ExampleError, MAX_FEATURES};

/// A change to a record's data: what stands in `range` becomes `bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Bytes of the record's data.
    pub range: Range<usize>,
    /// What takes their place.
    pub bytes: Vec<u8>,
}

/// The edits, in order, that give features new names (pairs of old and new); none if the record has
/// no such feature. Everything else stays as it is, encoded as it was.
///
/// # Errors
///
/// If the data are no Example, or two features would have one name.
pub(crate) fn renamed(data: &[u8], names: &[(String, String)]) -> Result<Vec<Edit>, String> {
    let mut edits = Vec::new();
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let text = |error: ExampleError| error.to_string();
    let mut top = Fields::new(data, 0);
    while let Some((number, field, at)) = top.next_field().map_err(text)? {
        let (1, Field::Bytes(features)) = (number, field) else { continue };
        let length = top.value_offset()..at;
        let (mut in_features, mut growth) = (Vec::new(), 0);
        let mut entries = Fields::new(features, at);
        while let Some((number, field, at)) = entries.next_field().map_err(text)? {
            let (1, Field::Bytes(entry)) = (number, field) else { continue };
            let length = entries.value_offset()..at;
            let old = Entry::parse(entry, at).map_err(text)?.name;
            let new = names.iter().find(|(from, _)| from == old).map_or(old, |(_, to)| to);
            if let Some((clash, _)) = seen.iter().find(|(from, to)| *to == new && *from != old) {
                return Err(format!("`{old}` and `{clash}` would both be `{new}`"));
            }
            if seen.len() == MAX_FEATURES {
                return Err(format!("more than {MAX_FEATURES} features"));
            }
            seen.push((old, new));
            if new != old {
                growth += rename_entry(entry, length, new, &mut in_features).map_err(text)?;
            }
        }
        if !in_features.is_empty() {
            resize(length, features.len(), growth, &mut edits);
            edits.append(&mut in_features);
        }
    }
    Ok(edits)
}

/// Renames the entry whose length stands in `length`; gives the growth of all together.
fn rename_entry(
    entry: &[u8],
    length: Range<usize>,
    name: &str,
    edits: &mut Vec<Edit>,
) -> Result<isize, ExampleError> {
    let mut key = None;
    let mut fields = Fields::new(entry, length.end);
    while let Some((number, field, at)) = fields.next_field()? {
        if let (1, Field::Bytes(bytes)) = (number, field) {
            // Of several, the last counts.
            key = Some(fields.value_offset()..at + bytes.len());
        }
    }
    // An entry without a key has the empty name, and gets one in front.
    let mut bytes = Vec::new();
    let range = key.unwrap_or_else(|| {
        bytes.push(0x0a);
        length.end..length.end
    });
    push_varint(&mut bytes, name.len() as u64);
    bytes.extend_from_slice(name.as_bytes());
    let inside = growth(&range, bytes.len());
    let outside = resize(length, entry.len(), inside, edits);
    edits.push(Edit { range, bytes });
    Ok(inside + outside)
}

/// Changes a length by `growth`; gives the growth of the length itself.
fn resize(place: Range<usize>, len: usize, by: isize, edits: &mut Vec<Edit>) -> isize {
    let mut bytes = Vec::new();
    push_varint(&mut bytes, len.saturating_add_signed(by) as u64);
    let outside = growth(&place, bytes.len());
    edits.push(Edit { range: place, bytes });
    outside
}

/// The growth where so many bytes take the place of a range; lengths of memory fit.
fn growth(range: &Range<usize>, new_len: usize) -> isize {
    new_len.cast_signed() - range.len().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Example, ExampleBuilder, Feature};
    use crate::mutation::mutants;
    use proptest::prelude::*;

    fn apply(data: &[u8], edits: &[Edit]) -> Vec<u8> {
        let (mut new, mut at) = (Vec::new(), 0);
        for edit in edits {
            new.extend_from_slice(&data[at..edit.range.start]);
            new.extend_from_slice(&edit.bytes);
            at = edit.range.end;
        }
        new.extend_from_slice(&data[at..]);
        new
    }

    fn pairs(names: &[(&str, &str)]) -> Vec<(String, String)> {
        names.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    /// The features of a record by name.
    fn features(data: &[u8]) -> Vec<(String, Feature<'_>)> {
        let example = Example::parse(data).expect("an Example");
        example.features().iter().map(|&(name, feature)| (name.to_owned(), feature)).collect()
    }

    fn sample() -> Vec<u8> {
        let mut builder = ExampleBuilder::default();
        builder.floats("audio", &[0.5; 3000]);
        builder.floats("f0/hz", &[440.0; 30]);
        builder.bytes("id", b"x");
        builder.int64s("", &[7]);
        builder.finish()
    }

    #[test]
    fn names_change_and_values_do_not() {
        let data = sample();
        // Lengths that grow and shrink by a byte of their own, too.
        let long = "a".repeat(300);
        for (from, to) in [("f0/hz", "f0_hz"), ("audio", "a"), ("id", &long), ("", "empty")] {
            let edits = renamed(&data, &pairs(&[(from, to)])).expect("renamed");
            let new = apply(&data, &edits);
            let mut expected = features(&data);
            for (name, _) in &mut expected {
                if name == from {
                    *name = to.to_owned();
                }
            }
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(features(&new), expected, "{from} to {to}");
        }
        assert_eq!(renamed(&data, &pairs(&[("pitch", "x")])), Ok(vec![]), "nothing to do");
        let swapped = renamed(&data, &pairs(&[("id", "audio"), ("audio", "id")])).expect("swapped");
        let swapped = apply(&data, &swapped);
        assert_eq!(
            Example::parse(&swapped).expect("an Example").get("id").map(|f| f.len()),
            Some(3000)
        );
    }

    #[test]
    fn two_features_never_get_one_name() {
        let error = renamed(&sample(), &pairs(&[("f0/hz", "audio")])).expect_err("taken");
        assert_eq!(error, "`f0/hz` and `audio` would both be `audio`");
        let error = renamed(&sample(), &pairs(&[("audio", "x"), ("id", "x")])).expect_err("taken");
        assert!(error.ends_with("would both be `x`"), "{error}");
    }

    #[test]
    fn any_bytes_are_renamed_rightly_or_refused() {
        let data = sample();
        let names = pairs(&[("f0/hz", "f0_hz_in_a_longer_spelling"), ("id", "i")]);
        for mutant in mutants(&data, 3000) {
            let Ok(edits) = renamed(&mutant, &names) else { continue };
            let Ok(example) = Example::parse(&mutant) else { continue };
            let new = apply(&mutant, &edits);
            let new = Example::parse(&new).expect("as much an Example as before");
            assert_eq!(new.features().len(), example.features().len());
            for &(name, feature) in example.features() {
                let to = names.iter().find(|(from, _)| from == name).map_or(name, |(_, to)| to);
                assert_eq!(new.get(to), Some(feature), "{name}");
            }
        }
    }

    proptest! {
        #[test]
        fn lengths_of_any_size_are_mended(len in 0_usize..40_000, from in 1_usize..200, to in 1_usize..200) {
            let (from, to) = ("f".repeat(from), "t".repeat(to));
            let mut builder = ExampleBuilder::default();
            builder.bytes(&from, &vec![1; len]);
            builder.int64s("pitch", &[3]);
            let data = builder.finish();
            let edits = renamed(&data, &pairs(&[(&from, &to)])).expect("renamed");
            let mut builder = ExampleBuilder::default();
            builder.bytes(&to, &vec![1; len]);
            builder.int64s("pitch", &[3]);
            prop_assert_eq!(apply(&data, &edits), builder.finish());
        }
    }
}
