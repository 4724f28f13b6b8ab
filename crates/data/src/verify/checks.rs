//! What a record has to be beyond whole: finite, within the range of each feature, of one length.

use crate::example::{Example, Feature};
use crate::inspect::FloatValues;

/// What a float may exceed a range by: rounding of whoever wrote it.
const SLACK: f64 = 1e-3;

/// Ranges of features with a meaning of their own, by either spelling.
const RANGES: [(&[&str], f64, f64); 11] = [
    (&["audio", "audio_16k"], -1.0, 1.0),
    // The highest that 48 kHz can hold.
    (&["f0_hz", "f0/hz"], 0.0, 24_000.0),
    (&["f0_confidence", "f0/confidence"], 0.0, 1.0),
    // 24 kHz as a note.
    (&["f0_midi", "f0/midi"], 0.0, 139.1),
    // From the silence of any tool's scale to a full-scale square wave.
    (&["loudness_db", "loudness/db"], -200.0, 60.0),
    // Labels may be -1: unknown.
    (&["pitch", "velocity"], -1.0, 127.0),
    (&["instrument/family", "family"], -1.0, 10.0),
    (&["instrument/source", "source"], -1.0, 2.0),
    (&["instrument/label", "instrument"], -1.0, u32::MAX as f64),
    (&["sample_rate"], 1.0, 1e6),
    (&["frame_rate"], 1.0, 1e5),
];

/// Features with one value for each frame.
const FRAMES: [&str; 6] =
    ["f0_hz", "f0/hz", "f0_confidence", "f0/confidence", "loudness_db", "loudness/db"];

/// Why a record cannot be used, if it cannot.
pub(super) fn unusable(example: &Example) -> Option<String> {
    if example.features().is_empty() {
        return Some("an Example without features".to_owned());
    }
    example.features().iter().find_map(|&(name, feature)| {
        let values = float_values(feature);
        let n = values.not_finite;
        (n > 0).then(|| format!("`{name}`: {n} of {} values are not finite", feature.len()))
    })
}

/// What is unusual about a record.
pub(super) fn doubts(example: &Example) -> Vec<String> {
    let mut doubts: Vec<String> = example
        .features()
        .iter()
        .filter_map(|&(name, feature)| out_of_range(name, feature))
        .collect();
    let mut frames = FRAMES.iter().filter_map(|&name| {
        // TensorFlow writes an absent optional value as an empty list.
        example.get(name).filter(|feature| !feature.is_empty()).map(|f| (name, f.len()))
    });
    if let Some((first, len)) = frames.next() {
        // The reference's centred loudness has one frame more than its f0.
        for (name, other) in frames.filter(|&(_, other)| other.abs_diff(len) > 1) {
            doubts.push(format!("`{first}` has {len} values, `{name}` {other}"));
        }
    }
    doubts
}

fn out_of_range(name: &str, feature: Feature) -> Option<String> {
    let quality = [0.0, 1.0];
    let [low, high] = match RANGES.iter().find(|(names, ..)| names.contains(&name)) {
        Some(&(_, low, high)) => [low, high],
        None if name.starts_with("qualities/") => quality,
        None => return None,
    };
    let mut values = float_values(feature);
    feature.for_each_int64(|value| values.add(value as f64));
    let value = if values.min < low - SLACK {
        values.min
    } else if values.max > high + SLACK {
        values.max
    } else {
        return None;
    };
    Some(format!("`{name}` holds {value}, outside {low} to {high}"))
}

/// The least and greatest of the floats, and how many are not finite.
fn float_values(feature: Feature) -> FloatValues {
    let mut all = FloatValues::default();
    feature.for_each_floats(|stretch| all.join(&FloatValues::of(stretch)));
    all
}

/// The features that a record has, with their kinds, by name.
pub(super) type Shape = Vec<(String, &'static str)>;

/// The shape of a record.
pub(super) fn shape(example: &Example) -> Shape {
    let named = |&(name, feature): &(&str, Feature)| (name.to_owned(), feature.kind());
    example.features().iter().map(named).collect()
}

/// How a shape differs from that of the first record.
pub(super) fn difference(shape: &Shape, first: &Shape) -> Option<String> {
    let find = |shape: &Shape, name: &str| shape.iter().find(|(n, _)| n == name).map(|(_, k)| *k);
    for (name, kind) in first {
        match find(shape, name) {
            None => return Some(format!("no `{name}`, which the first record has")),
            Some(other) if other != *kind => {
                return Some(format!("`{name}` is {other}, {kind} in the first record"));
            }
            Some(_) => {}
        }
    }
    let new = shape.iter().find(|(name, _)| find(first, name).is_none())?;
    Some(format!("`{}`, which the first record lacks", new.0))
}
