//! Numbers as they are given on a command line: lists and ranges.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// MIDI numbers, in the order given: `60`, `60,64,67`, `36..84` (both ends included) or `36..84:3`
/// (every third).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MidiNumbers(pub Vec<u8>);

impl FromStr for MidiNumbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(|part| {
            let part = part.trim();
            stretch(part).ok_or_else(|| {
                format!("`{part}`: not MIDI numbers up to 127, such as 60, 36..84 or 36..84:3")
            })
        });
        let stretches: Vec<Vec<u8>> = parts.collect::<Result<_, _>>()?;
        Ok(Self(stretches.concat()))
    }
}

/// The numbers of one part of a list.
fn stretch(part: &str) -> Option<Vec<u8>> {
    let Some((low, rest)) = part.split_once("..") else { return Some(vec![midi_number(part)?]) };
    let (high, step) = rest.split_once(':').unwrap_or((rest, "1"));
    let (low, high) = (midi_number(low)?, midi_number(high)?);
    let step = step.trim().parse().ok().filter(|&step| step > 0)?;
    (low <= high).then(|| (low..=high).step_by(step).collect())
}

fn midi_number(text: &str) -> Option<u8> {
    text.trim().parse().ok().filter(|&number| number <= 127)
}

/// A range that something is drawn from, both ends included: `0.1..0.4`, or `0.2` for one value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Between {
    /// The lower end.
    pub low: f64,
    /// The upper end, not below the lower.
    pub high: f64,
}

impl Between {
    /// The value at `x` of the way, in [0, 1], from the lower end to the upper.
    pub fn at(self, x: f64) -> f64 {
        self.low + (self.high - self.low) * x
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.low, self.high)
    }
}

impl FromStr for Between {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| text.trim().parse().ok().filter(|x: &f64| x.is_finite());
        match number(low).zip(number(high)) {
            Some((low, high)) if low <= high => Ok(Self { low, high }),
            Some((low, high)) => Err(format!("{low} is above {high}")),
            None => Err("not a number or a range such as 0.1..0.4".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_read() {
        let numbers = |text: &str| text.parse::<MidiNumbers>().expect("numbers").0;
        assert_eq!(numbers("60"), [60]);
        assert_eq!(numbers("0..2, 127"), [0, 1, 2, 127]);
        assert_eq!(numbers("36..41:2"), [36, 38, 40]);
        for text in ["", "128", "60..", "60:2", "36..41:0", "-1", "a", "1..2..3", "50..40", "1,,2"]
        {
            let error = text.parse::<MidiNumbers>().expect_err(text);
            assert!(error.contains('`'), "it names the part: {error}");
        }
    }

    #[test]
    fn ranges_of_any_numbers_are_read() {
        let between = |text: &str| text.parse::<Between>();
        assert_eq!(between("4..7.5"), Ok(Between { low: 4.0, high: 7.5 }));
        assert_eq!(between(" 5 ").map(|b| b.at(0.3)), Ok(5.0));
        assert_eq!(Between { low: 2.0, high: 4.0 }.at(0.25), 2.5);
        for text in ["", "7..4", "nan", "1..inf", "1..2..3"] {
            assert!(between(text).is_err(), "{text}");
        }
    }
}
