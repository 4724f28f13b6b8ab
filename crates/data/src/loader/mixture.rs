//! Several data sets as one index, each with a weight of its own.

use std::path::Path;
use std::sync::Arc;

use super::{ExampleIndex, F0Source};
use crate::error::{Error, Result};

/// Examples that belong together, and how often they are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// How many draws go to these examples, in proportion to the other weights; above 0.
    pub weight: f64,
    /// Which examples of the whole.
    pub indices: Vec<usize>,
}

impl ExampleIndex {
    /// Scans several data sets, each a pattern with its weight, as [`open`](Self::open) does one.
    ///
    /// Filtering and holding out see the examples of all; [`shares`](Self::shares) tells which are
    /// whose.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and if a weight is not a number above 0.
    pub fn open_mixed(sets: &[(impl AsRef<Path>, f64)], f0: F0Source) -> Result<Self> {
        let (mut files, mut entries) = (Vec::new(), Vec::new());
        for (set, (pattern, weight)) in sets.iter().enumerate() {
            if !(*weight > 0.0 && weight.is_finite()) {
                let pattern = pattern.as_ref().display();
                return Err(Error::Data(format!("{pattern}: a weight of {weight} is not above 0")));
            }
            let index = Self::open(&[pattern], f0)?;
            entries.extend(index.entries.into_iter().map(|mut entry| {
                entry.file += files.len();
                entry.set = set;
                entry
            }));
            files.extend_from_slice(&index.files);
        }
        let weights = sets.iter().map(|&(_, weight)| weight).collect();
        Ok(Self { files: files.into(), entries, f0, weights, tracked: Arc::default() })
    }

    /// The data sets of this index that have examples in it.
    pub fn shares(&self) -> Vec<Share> {
        let share = |(set, &weight): (usize, &f64)| {
            let indices = (0..self.len()).filter(|&i| self.entries[i].set == set).collect();
            Share { weight, indices }
        };
        let shares = self.weights.iter().enumerate().map(share);
        shares.filter(|share| !share.indices.is_empty()).collect()
    }
}
