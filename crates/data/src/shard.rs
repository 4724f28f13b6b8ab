//! One process's share of work that several processes do together.
//!
//! # Contract
//!
//! A command that walks files splits its work into *parts*: what the parts are depends on the inputs
//! and the options alone, never on the number of processes or threads, and neither does what a part
//! yields. `--shard i/n` gives part `k` to the process with `k % n == i`. Hence
//!
//! - the shards `0/n` to `(n-1)/n` cover every part exactly once, in any order, at once or one after
//!   another, on one machine or on many that share a folder;
//! - the files and the manifest of `n` processes are those of one, byte for byte;
//! - a shard that failed or was killed is simply run again, and any process may finish the work of
//!   another by running with that one's shard, or without any;
//! - the shard is never among the options that a folder remembers.
//!
//! Commands that print a result print that of their own parts. Commands that fill a folder keep
//! finished parts in it under a hidden name ([`Parts`](crate::Parts)); whichever process finds all
//! of them done gives the files their names and writes the manifest.

use std::fmt;
use std::str::FromStr;

/// Shard `index` of `count`: which part of the work a process does. Written `0/4` to `3/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// All of the work: `0/1`.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Shard `index` of `count`, or `None` if there is no such shard.
    pub fn new(index: usize, count: usize) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Whether part `part` (counted from 0 over all of the work) is this shard's.
    pub fn owns(self, part: usize) -> bool {
        part % self.count == self.index
    }

    /// Whether this shard is all of the work.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| {
            Some((index.trim().parse().ok()?, count.trim().parse().ok()?))
        });
        let Some((index, count)) = parts else {
            return Err("not a shard such as 0/4 (the first of four)".to_owned());
        };
        Self::new(index, count).ok_or_else(|| match count {
            0 => "no shards at all: the second number is how many there are".to_owned(),
            _ => format!("there is no shard {index} of {count}: they are 0 to {}", count - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_belongs_to_exactly_one_shard() {
        for count in 1..7 {
            for part in 0..40 {
                let owners = (0..count).filter(|&i| {
                    let shard = Shard::new(i, count).expect("below the count");
                    shard.owns(part)
                });
                assert_eq!(owners.count(), 1, "part {part} of {count} shards");
            }
        }
        assert!((0..9).all(|part| Shard::WHOLE.owns(part)), "the whole is everything");
    }

    #[test]
    fn shards_are_read_as_they_are_written() {
        let shard = Shard::new(3, 12).expect("a shard");
        assert_eq!(shard.to_string(), "3/12");
        assert_eq!("3/12".parse(), Ok(shard));
        assert_eq!("0/1".parse(), Ok(Shard::WHOLE));
        assert!("0/1".parse::<Shard>().is_ok_and(Shard::is_whole), "all of it");
    }

    #[test]
    fn what_is_no_shard_is_told() {
        let error = |text: &str| text.parse::<Shard>().expect_err("no shard");
        assert_eq!(error("4/4"), "there is no shard 4 of 4: they are 0 to 3");
        assert!(error("0/0").contains("no shards at all"), "none");
        for text in ["", "3", "a/b", "-1/4", "1/4/2", "1.0/2"] {
            assert!(error(text).contains("such as 0/4"), "{text}");
        }
    }
}
