//! What the examples say together.

use serde::Serialize;

/// A measure over examples; those in which it is not defined (NaN) are left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Examples in which it is defined.
    pub n: usize,
    /// Mean over these; NaN (`null` in JSON) if there are none.
    pub mean: f64,
    /// Standard deviation over these, with `n - 1`; NaN if there are fewer than two.
    pub std: f64,
    /// Least.
    pub min: f64,
    /// Middle value, the mean of the middle two of an even number.
    pub median: f64,
    /// Greatest.
    pub max: f64,
}

impl Summary {
    /// Of `values`, in any order.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        Self {
            n,
            mean,
            std: if n < 2 { f64::NAN } else { (squares / (n - 1) as f64).sqrt() },
            min: at(0),
            median: 0.5 * (at(n.saturating_sub(1) / 2) + at(n / 2)),
            max: at(n.wrapping_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_undefined_is_left_out() {
        let summary = Summary::new([4.0, f64::NAN, 1.0, 3.0, 2.0]);
        let std = (5.0_f64 / 3.0).sqrt();
        let expected = Summary { n: 4, mean: 2.5, std, min: 1.0, median: 2.5, max: 4.0 };
        assert_eq!(summary, expected);
        let one = Summary::new([7.0]);
        assert_eq!((one.mean, one.median), (7.0, 7.0));
        assert!(one.std.is_nan(), "one value has no spread");
        let none = Summary::new([f64::NAN]);
        assert!(none.n == 0 && none.mean.is_nan() && none.max.is_nan(), "{none:?}");
    }
}
