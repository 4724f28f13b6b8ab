//! Maps into a range.

use crate::elementary::{sigmoid_and_complement, softplus};
use crate::simd::{Kernel, Simd};

/// Soft limits: about `x + min` in the middle, `min` and `max` far below and above.
///
/// `y = softplus(x) + min - softplus(x - (max - min))`, with `softplus(x) = ln(1 + e^x)`. As in
/// magenta/ddsp 3.7, where it is the identity only for `min = 0`: elsewhere the middle is shifted by
/// `min`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftLimit {
    /// Approached as `x` falls.
    pub min: f32,
    /// Approached as `x` grows.
    pub max: f32,
}

impl SoftLimit {
    /// Writes the limited values of `x` to `y`; both have the same length.
    ///
    /// # Panics
    ///
    /// If `x.len() != y.len()`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (n, n_y) = (x.len(), y.len());
        assert_eq!(n_y, n, "SoftLimit: {n_y} values of y for {n} of x");
        Simd::widest().run(LimitForward { limit: *self, x, y });
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward):
    /// `dy/dx = sigmoid(x) - sigmoid(x - (max - min))`.
    ///
    /// # Panics
    ///
    /// If the three slices differ in length.
    pub fn backward(&self, x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        let (n, n_y, n_x) = (x.len(), grad_y.len(), grad_x.len());
        assert_eq!(n_y, n, "SoftLimit: {n_y} values of grad_y for {n} of x");
        assert_eq!(n_x, n, "SoftLimit: {n_x} values of grad_x for {n} of x");
        Simd::widest().run(LimitBackward { limit: *self, x, grad_y, grad_x });
    }

    /// One value; `above` is `x - (max - min)`, which a caller may know with less rounding.
    #[inline(always)]
    pub(crate) fn at<const FMA: bool>(self, x: f32, above: f32) -> f32 {
        // Far above, both are as large as `x`, and their difference would lose its bits.
        if above > self.max - self.min + 100.0 {
            return self.max;
        }
        softplus::<FMA>(x) + self.min - softplus::<FMA>(above)
    }

    /// The slope at one value.
    #[inline(always)]
    pub(crate) fn slope<const FMA: bool>(x: f32, above: f32) -> f32 {
        let (low, below_low) = sigmoid_and_complement::<FMA>(x);
        let (high, below_high) = sigmoid_and_complement::<FMA>(above);
        // Whichever of the two forms has the smaller terms.
        if x > 0.0 { below_high - below_low } else { low - high }
    }
}

struct LimitForward<'a> {
    limit: SoftLimit,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for LimitForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = self.limit.at::<FMA>(*x, x - (self.limit.max - self.limit.min));
        }
    }
}

struct LimitBackward<'a> {
    limit: SoftLimit,
    x: &'a [f32],
    grad_y: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for LimitBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((grad_x, x), grad_y) in self.grad_x.iter_mut().zip(self.x).zip(self.grad_y) {
            let above = x - (self.limit.max - self.limit.min);
            *grad_x += grad_y * SoftLimit::slope::<FMA>(*x, above);
        }
    }
}

/// `[-1, 1]` to `[min, max]`, evenly on a logarithmic scale: `y = min^((1 - x) / 2) max^((1 + x) / 2)`.
///
/// From magenta/ddsp 3.7; beyond ±1 it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogScale {
    /// The value at -1; above 0.
    pub min: f32,
    /// The value at 1; above 0.
    pub max: f32,
}

impl LogScale {
    /// Writes the scaled values of `x` to `y`; both have the same length.
    ///
    /// # Panics
    ///
    /// If `x.len() != y.len()`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (n, n_y) = (x.len(), y.len());
        assert_eq!(n_y, n, "LogScale: {n_y} values of y for {n} of x");
        for (y, x) in y.iter_mut().zip(x) {
            *y = self.at(*x);
        }
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward):
    /// `dy/dx = y ln(max / min) / 2`.
    ///
    /// # Panics
    ///
    /// If the three slices differ in length.
    pub fn backward(&self, x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        let (n, n_y, n_x) = (x.len(), grad_y.len(), grad_x.len());
        assert_eq!(n_y, n, "LogScale: {n_y} values of grad_y for {n} of x");
        assert_eq!(n_x, n, "LogScale: {n_x} values of grad_x for {n} of x");
        let rate = 0.5 * (self.max.ln() - self.min.ln());
        for ((grad_x, x), grad_y) in grad_x.iter_mut().zip(x).zip(grad_y) {
            *grad_x += grad_y * rate * self.at(*x);
        }
    }

    /// In f64, where an exponent of 9 costs no bits of the result.
    #[expect(clippy::cast_possible_truncation, reason = "the value itself is f32")]
    fn at(&self, x: f32) -> f32 {
        let share = 0.5 * (1.0 + f64::from(x));
        ((1.0 - share) * f64::from(self.min).ln() + share * f64::from(self.max).ln()).exp() as f32
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::agreement::{Report, Tolerance};
    use crate::golden::Golden;

    fn soft_limit(limit: SoftLimit, x: f64) -> f64 {
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let (min, max) = (f64::from(limit.min), f64::from(limit.max));
        softplus(x) + min - softplus(x - (max - min))
    }

    pub(crate) fn agreement(report: &mut Report) {
        let operation = report.operation("soft_limit");
        let limit = SoftLimit { min: 0.2, max: 3.0 };
        let x = Golden::open("scaling").values("soft_limit.in.x");
        for simd in Simd::all() {
            let mut y = vec![f32::NAN; x.len()];
            simd.run(LimitForward { limit, x: &x, y: &mut y });
            // The reference takes the difference of two numbers as large as x: up to 30, at 2^-24.
            let peak = f64::from(x.iter().fold(0.0_f32, |m, x| m.max(x.abs())));
            let tolerance = Tolerance::absolute(1.2e-7 * peak + 1e-6);
            operation.golden("scaling/soft_limit", "y", &y, tolerance);
            for x in [vec![-8.0, -0.3, 0.0, 1.4, 2.8, 5.0], vec![0.5], vec![1e-40, -30.0]] {
                operation.gradient(
                    "x",
                    &x,
                    x.len(),
                    1e-3,
                    |x, y| y.iter_mut().zip(x).for_each(|(y, x)| *y = soft_limit(limit, *x)),
                    |x, grad_y, grad_x| simd.run(LimitBackward { limit, x, grad_y, grad_x }),
                );
            }
        }
        let operation = report.operation("log_scale");
        let scale = LogScale { min: 20.0, max: 8000.0 };
        let x = Golden::open("scaling").values("log_scale.in.x");
        let mut y = vec![f32::NAN; x.len()];
        scale.forward(&x, &mut y);
        // The reference's exponent of up to 9 rounds at 2^-24.
        operation.golden("scaling/log_scale", "y", &y, Tolerance::relative(2e-6));
        let formula = |x: f64| 20.0_f64.powf((1.0 - x) / 2.0) * 8000.0_f64.powf((1.0 + x) / 2.0);
        for x in [vec![-1.0, -0.2, 0.0, 0.7, 1.0], vec![0.1], vec![1e-40]] {
            operation.gradient(
                "x",
                &x,
                x.len(),
                1e-4,
                |x, y| y.iter_mut().zip(x).for_each(|(y, x)| *y = formula(*x)),
                |x, grad_y, grad_x| scale.backward(x, grad_y, grad_x),
            );
        }
    }

    #[test]
    fn the_ends_of_a_soft_limit_are_its_limits_and_nan_stays() {
        let limit = SoftLimit { min: 20.0, max: 8000.0 };
        let mut y = [0.0; 4];
        limit.forward(&[-1e9, 1e9, f32::INFINITY, f32::NAN], &mut y);
        assert_eq!(y[..3], [20.0, 8000.0, 8000.0]);
        assert!(y[3].is_nan(), "{}", y[3]);
        LogScale { min: 20.0, max: 8000.0 }.forward(&[f32::NAN], &mut y[..1]);
        assert!(y[0].is_nan(), "{}", y[0]);
    }

    #[test]
    #[should_panic(expected = "SoftLimit: 2 values of y for 3 of x")]
    fn a_wrong_length_names_both() {
        SoftLimit { min: 0.0, max: 1.0 }.forward(&[0.0; 3], &mut [0.0; 2]);
    }
}
