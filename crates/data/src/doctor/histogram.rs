//! Counts of values in bins of equal width, which merge exactly.

#![expect(clippy::cast_possible_truncation, reason = "a value's bin is clamped to the last one")]
#![expect(clippy::cast_sign_loss, reason = "a value below the first bin counts in the first")]

use serde::{Deserialize, Serialize};

/// How many values fell into each bin; values beyond the ends count in the outermost bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Histogram {
    /// Lower edge of the first bin.
    origin: f64,
    width: f64,
    counts: Vec<u64>,
}

impl Histogram {
    pub(super) fn new(origin: f64, width: f64, n_bins: usize) -> Self {
        Self { origin, width, counts: vec![0; n_bins] }
    }

    pub(super) fn add(&mut self, value: f64) {
        let bin = ((value - self.origin) / self.width).floor().max(0.0) as usize;
        let last = self.counts.len() - 1;
        self.counts[bin.min(last)] += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, n)| *sum += n);
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The middle of the bin that holds the value which the share `rank` of all does not exceed;
    /// `None` if there are no values.
    pub(super) fn quantile(&self, rank: f64) -> Option<f64> {
        let wanted = (rank * self.total() as f64).ceil().max(1.0) as u64;
        let mut n_below = 0;
        let bin = self.counts.iter().position(|n| {
            n_below += n;
            n_below >= wanted
        })?;
        Some(self.origin + self.width * (bin as f64 + 0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_good_to_half_a_bin() {
        let mut histogram = Histogram::new(-10.0, 0.5, 100);
        assert_eq!(histogram.quantile(0.5), None, "nothing there");
        (0..=100).for_each(|i| histogram.add(f64::from(i) / 5.0));
        for (rank, expected) in [(0.0, 0.0), (0.5, 10.0), (1.0, 20.0)] {
            let value = histogram.quantile(rank).expect("values");
            assert!((value - expected).abs() <= 0.45, "{rank}: {value}, not {expected}");
        }
        histogram.add(-1e9);
        histogram.add(1e9);
        assert_eq!((histogram.counts()[0], histogram.counts()[99]), (1, 1), "the ends take them");
        let mut sum = histogram.clone();
        sum.merge(&histogram);
        assert_eq!(sum.total(), 2 * histogram.total());
    }
}
