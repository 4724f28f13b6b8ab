//! What examples can be grouped by.

use ddsp_data::{FAMILIES, Labels, SOURCES};
use serde::Serialize;

/// A label of examples, by NSynth's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Label {
    /// `instrument/family`.
    #[serde(rename = "instrument/family")]
    Family,
    /// `instrument/label`: the instrument's number.
    #[serde(rename = "instrument/label")]
    Instrument,
    /// `instrument/source`.
    #[serde(rename = "instrument/source")]
    Source,
    /// `pitch`, MIDI.
    #[serde(rename = "pitch")]
    Pitch,
    /// `velocity`, MIDI.
    #[serde(rename = "velocity")]
    Velocity,
}

/// The group of an example: its label's value, and what that is called.
pub(super) type Group = (i64, String);

impl Label {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Family, Self::Instrument, Self::Source, Self::Pitch, Self::Velocity];

    /// NSynth's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Family => "instrument/family",
            Self::Instrument => "instrument/label",
            Self::Source => "instrument/source",
            Self::Pitch => "pitch",
            Self::Velocity => "velocity",
        }
    }

    /// The group that `labels` belong to, if they say so.
    pub(super) fn group(self, labels: &Labels) -> Option<Group> {
        let (value, names): (Option<i64>, &[&str]) = match self {
            Self::Family => (labels.family, &FAMILIES),
            Self::Instrument => (labels.instrument, &[]),
            Self::Source => (labels.source, &SOURCES),
            Self::Pitch => (labels.pitch, &[]),
            Self::Velocity => (labels.velocity, &[]),
        };
        let value = value?;
        let name = usize::try_from(value).ok().and_then(|index| names.get(index));
        Some((value, name.map_or_else(|| value.to_string(), |name| (*name).to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names_where_there_are_any() {
        let labels = Labels { family: Some(8), pitch: Some(60), ..Labels::default() };
        assert_eq!(Label::Family.group(&labels), Some((8, "string".to_owned())));
        assert_eq!(Label::Pitch.group(&labels), Some((60, "60".to_owned())));
        assert_eq!(Label::Velocity.group(&labels), None);
        let unknown = Labels { family: Some(99), ..Labels::default() };
        assert_eq!(Label::Family.group(&unknown), Some((99, "99".to_owned())));
    }
}
