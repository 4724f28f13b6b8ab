//! Pointwise maps from unbounded network outputs to synthesizer controls.

mod range;

pub use range::{LogScale, SoftLimit};

use crate::elementary::{exp_of_negative, log_1p};
use crate::simd::{Kernel, Simd};

/// Exponentiated sigmoid: maps any real `x` into `(threshold, max_value + threshold)`.
///
/// `y = max_value * sigmoid(x)^ln(exponent) + threshold`, from DDSP (Engel et al. 2020,
/// <https://arxiv.org/abs/2001.04643>). `y` is an amplitude (linear, not dB).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpSigmoid {
    /// Factor by which `y` falls per unit of `x`, far below `x = 0`.
    pub exponent: f32,
    /// Supremum of `y - threshold`, approached as `x` grows.
    pub max_value: f32,
    /// Infimum of `y`; keeps a following `log` finite.
    pub threshold: f32,
}

impl Default for ExpSigmoid {
    fn default() -> Self {
        Self { exponent: 10.0, max_value: 2.0, threshold: 1e-7 }
    }
}

impl ExpSigmoid {
    /// Writes the scaled values of `x` to `y`; both have the same length.
    ///
    /// `y` is off by at most `4e-6 y`: a rounding of the logarithm, which is -18 at the threshold.
    ///
    /// # Panics
    ///
    /// If `x.len() != y.len()`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (n, n_y) = (x.len(), y.len());
        assert_eq!(n_y, n, "ExpSigmoid: {n_y} values of y for {n} of x");
        Simd::widest().run(Forward { scale: *self, x, y });
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// With `s = sigmoid(x)` and `p = ln(exponent)`, `dy/dx = p (y - threshold) (1 - s)`.
    /// The value is recomputed from `x`, so no cache is needed.
    ///
    /// # Panics
    ///
    /// If the three slices differ in length.
    pub fn backward(&self, x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        let (n, n_y, n_x) = (x.len(), grad_y.len(), grad_x.len());
        assert_eq!(n_y, n, "ExpSigmoid: {n_y} values of grad_y for {n} of x");
        assert_eq!(n_x, n, "ExpSigmoid: {n_x} values of grad_x for {n} of x");
        Simd::widest().run(Backward { scale: *self, x, grad_y, grad_x });
    }
}

/// Symmetric exponentiated sigmoid: least at 0, and as [`ExpSigmoid`] on both sides of it.
///
/// `y = exp_sigmoid(width (|x| / 2 - 1))`: at `|x| = 2` the middle of its rise. From magenta/ddsp
/// 3.7. The slope at 0, which has two, is 0 here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SymExpSigmoid {
    /// Steepness.
    pub width: f32,
    /// The map on each side.
    pub side: ExpSigmoid,
}

impl Default for SymExpSigmoid {
    fn default() -> Self {
        Self { width: 8.0, side: ExpSigmoid::default() }
    }
}

impl SymExpSigmoid {
    /// Writes the scaled values of `x` to `y`; both have the same length.
    ///
    /// # Panics
    ///
    /// If `x.len() != y.len()`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (n, n_y) = (x.len(), y.len());
        assert_eq!(n_y, n, "SymExpSigmoid: {n_y} values of y for {n} of x");
        for (y, x) in y.iter_mut().zip(x) {
            *y = self.side_argument(*x);
        }
        Simd::widest().run(InPlace { scale: self.side, y });
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward): that of
    /// [`ExpSigmoid::backward`] times `sign(x) width / 2`.
    ///
    /// # Panics
    ///
    /// If the three slices differ in length.
    pub fn backward(&self, x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        let (n, n_y, n_x) = (x.len(), grad_y.len(), grad_x.len());
        assert_eq!(n_y, n, "SymExpSigmoid: {n_y} values of grad_y for {n} of x");
        assert_eq!(n_x, n, "SymExpSigmoid: {n_x} values of grad_x for {n} of x");
        const BLOCK: usize = 64;
        let (mut side, mut grad) = ([0.0; BLOCK], [0.0; BLOCK]);
        let blocks = x.chunks(BLOCK).zip(grad_y.chunks(BLOCK)).zip(grad_x.chunks_mut(BLOCK));
        for ((x, grad_y), grad_x) in blocks {
            let (side, grad) = (&mut side[..x.len()], &mut grad[..x.len()]);
            for (side, x) in side.iter_mut().zip(x) {
                *side = self.side_argument(*x);
            }
            grad.fill(0.0);
            self.side.backward(side, grad_y, grad);
            for ((sum, grad), x) in grad_x.iter_mut().zip(grad).zip(x) {
                let sign = if *x == 0.0 { 0.0 } else { 1.0_f32.copysign(*x) };
                *sum += 0.5 * self.width * sign * *grad;
            }
        }
    }

    fn side_argument(&self, x: f32) -> f32 {
        self.width * (0.5 * x.abs() - 1.0)
    }
}

struct InPlace<'a> {
    scale: ExpSigmoid,
    y: &'a mut [f32],
}

impl Kernel for InPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let ExpSigmoid { exponent, max_value, threshold } = self.scale;
        let power = exponent.ln();
        for y in self.y {
            *y = max_value * sigmoid_power::<FMA>(*y, power).0 + threshold;
        }
    }
}

struct Forward<'a> {
    scale: ExpSigmoid,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let ExpSigmoid { exponent, max_value, threshold } = self.scale;
        let power = exponent.ln();
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = max_value * sigmoid_power::<FMA>(x, power).0 + threshold;
        }
    }
}

struct Backward<'a> {
    scale: ExpSigmoid,
    x: &'a [f32],
    grad_y: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let power = self.scale.exponent.ln();
        let factor = power * self.scale.max_value;
        for ((grad_x, &x), &grad_y) in self.grad_x.iter_mut().zip(self.x).zip(self.grad_y) {
            let (y, complement) = sigmoid_power::<FMA>(x, power);
            *grad_x += grad_y * factor * y * complement;
        }
    }
}

/// `sigmoid(x)^power` and `1 - sigmoid(x)`, neither with cancellation.
///
/// With `u = exp(-|x|)`: `ln sigmoid(x) = min(x, 0) - ln(1 + u)`.
#[inline(always)]
fn sigmoid_power<const FMA: bool>(x: f32, power: f32) -> (f32, f32) {
    let u = exp_of_negative::<FMA>(-x.abs());
    // A comparison, not `min`: a NaN must stay one for the trainer to see.
    let negative = if x > 0.0 { 0.0 } else { x };
    let log = negative - log_1p::<FMA>(u);
    let complement = if x > 0.0 { u } else { 1.0 } / (1.0 + u);
    (exp_of_negative::<FMA>(power * log), complement)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::agreement::{Report, Tolerance};
    use crate::golden::Golden;

    const X: [f32; 5] = [-8.0, -1.5, 0.0, 0.3, 4.0];

    /// The default map in double precision, straight from the formula.
    fn reference(x: &[f64], y: &mut [f64]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = 2.0 * (1.0 + (-x).exp()).powf(-10_f64.ln()) + 1e-7;
        }
    }

    #[test]
    fn forward_matches_the_formula() {
        let x: Vec<f32> = (-3000..=3000_i16).map(|i| f32::from(i) * 0.01).collect();
        let mut expected = vec![0.0; x.len()];
        let exact: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        reference(&exact, &mut expected);
        for simd in Simd::all() {
            let mut y = vec![f32::NAN; x.len()];
            simd.run(Forward { scale: ExpSigmoid::default(), x: &x, y: &mut y });
            for ((y, expected), x) in y.iter().zip(&expected).zip(&x) {
                // Relative: amplitudes near the threshold matter as much as loud ones.
                let error = (f64::from(*y) - expected).abs();
                assert!(error <= 4e-6 * expected, "{simd:?} at {x}: {y} != {expected}");
            }
        }
    }

    pub(crate) fn agreement(report: &mut Report) {
        let operation = report.operation("exp_sigmoid");
        let x = Golden::open("scaling").values("exp_sigmoid.in.x");
        let other = ExpSigmoid { exponent: 5.0, max_value: 1.5, threshold: 1e-4 };
        // Both sides round a logarithm of up to 18.
        let tolerance = Tolerance::relative(4e-6);
        for (case, scale) in [("exp_sigmoid", ExpSigmoid::default()), ("exp_sigmoid_b", other)] {
            let mut y = vec![f32::NAN; x.len()];
            scale.forward(&x, &mut y);
            operation.golden(&format!("scaling/{case}"), "y", &y, tolerance);
        }
        for simd in Simd::all() {
            for x in [&X as &[f32], &[0.0], &[-60.0, 60.0, 1e-40]] {
                operation.gradient("x", x, x.len(), 1e-3, reference, |x, grad_y, grad_x| {
                    simd.run(Backward { scale: ExpSigmoid::default(), x, grad_y, grad_x });
                });
            }
        }
        range::tests::agreement(report);
        let operation = report.operation("sym_exp_sigmoid");
        let x = Golden::open("scaling").values("sym_exp_sigmoid.in.x");
        let mut y = vec![f32::NAN; x.len()];
        SymExpSigmoid::default().forward(&x, &mut y);
        operation.golden("scaling/sym_exp_sigmoid", "y", &y, tolerance);
        for x in
            [vec![-1.0, 0.5, 2.0, -3.0], vec![1.7], (1..200).map(|i| i as f32 * 0.02).collect()]
        {
            let side = |x: &[f64], y: &mut [f64]| {
                let sides: Vec<f64> = x.iter().map(|x| 8.0 * (x.abs() / 2.0 - 1.0)).collect();
                reference(&sides, y);
            };
            operation.gradient("x", &x, x.len(), 1e-4, side, |x, grad_y, grad_x| {
                SymExpSigmoid::default().backward(x, grad_y, grad_x);
            });
        }
    }

    #[test]
    fn it_agrees_with_the_reference_and_its_gradient() {
        agreement(&mut Report::default());
    }

    #[test]
    fn ends_are_finite_and_nan_stays() {
        let mut y = [0.0; 3];
        ExpSigmoid::default().forward(&[f32::NEG_INFINITY, f32::INFINITY, f32::NAN], &mut y);
        assert_eq!(y[..2], [1e-7, 2.0]);
        assert!(y[2].is_nan(), "{}", y[2]);
    }

    #[test]
    #[should_panic(expected = "ExpSigmoid: 2 values of y for 3 of x")]
    fn a_wrong_length_names_both() {
        ExpSigmoid::default().forward(&[0.0; 3], &mut [0.0; 2]);
    }
}
