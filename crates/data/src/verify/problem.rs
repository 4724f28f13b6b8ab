//! What can be wrong with a record, and how much that matters.

use serde::{Deserialize, Serialize};

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// The record can be used, but something about it is unusual: a repair keeps it.
    Doubt,
    /// The record is whole, but nothing can be done with it: a repair leaves it out.
    Unusable,
    /// The bytes are not what was written: a repair leaves them out.
    Damaged,
}

/// Something that is wrong with a record, or with bytes where one should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Where the record begins in the file, in bytes.
    pub offset: u64,
    /// How many bytes are concerned.
    pub bytes: u64,
    /// How much it matters.
    pub gravity: Gravity,
    /// What is wrong.
    pub reason: String,
}
