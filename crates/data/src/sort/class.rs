//! How a value becomes a class's name.

use crate::example::Feature;
use crate::record::label_values;

/// Longest name of a class, so that shards fit any file system's 255 bytes.
const MAX_NAME_LEN: usize = 200;

/// The class that the values of the features `by` name, `None` if the record lacks one of them.
///
/// Families and sources have NSynth's names, other integers the feature's last word and the number,
/// byte strings themselves, with what does not belong in a file name as `%` and two digits. Names of
/// several values are joined by `+`, which no value holds, so that no two classes have one name.
pub(crate) fn class_name(
    by: &[String],
    features: &[Option<Feature>],
) -> Result<Option<String>, String> {
    let mut class = String::new();
    for (name, feature) in by.iter().zip(features) {
        let value = feature.map(|feature| value_name(name, feature)).transpose()?.flatten();
        let Some(value) = value else { return Ok(None) };
        if !class.is_empty() {
            class.push('+');
        }
        class += &value;
    }
    match class.len() {
        0..=MAX_NAME_LEN => Ok(Some(class)),
        len => Err(format!("the name of a class by {} has {len} bytes: too long", by.join(", "))),
    }
}

/// The name of one value, `None` for an empty list or an empty string.
fn value_name(name: &str, feature: Feature) -> Result<Option<String>, String> {
    if feature.is_empty() {
        return Ok(None);
    }
    if let Some(value) = feature.int64() {
        return Ok(Some(label_name(name, value)));
    }
    let Some(string) = feature.byte_string() else {
        let (kind, len) = (feature.kind(), feature.len());
        return Err(format!("feature `{name}` is a {kind} list of {len}: it names no class"));
    };
    let class: String = string.iter().take(MAX_NAME_LEN + 1).map(|&b| file_name_part(b)).collect();
    Ok(Some(class).filter(|class| !class.is_empty()))
}

/// The name of a label's value: `string` for family 8, `pitch-60` for pitch 60.
pub(crate) fn label_name(feature: &str, value: i64) -> String {
    let names = label_values(feature);
    let known = usize::try_from(value).ok().and_then(|value| names.get(value));
    let last_word = feature.rsplit('/').next().unwrap_or(feature);
    known.map_or_else(|| format!("{last_word}-{value}"), |&name| name.to_owned())
}

fn file_name_part(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    }
}
