//! Pointwise maps from unbounded network outputs to synthesizer controls.

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
    /// # Panics
    ///
    /// If `x.len() != y.len()`.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        assert_eq!(x.len(), y.len(), "ExpSigmoid: x and y differ in length");
        let power = self.exponent.ln();
        for (y, &x) in y.iter_mut().zip(x) {
            *y = self.max_value * sigmoid(x).powf(power) + self.threshold;
        }
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
        assert_eq!(x.len(), grad_y.len(), "ExpSigmoid: x and grad_y differ in length");
        assert_eq!(x.len(), grad_x.len(), "ExpSigmoid: x and grad_x differ in length");
        let power = self.exponent.ln();
        for ((grad_x, &x), &grad_y) in grad_x.iter_mut().zip(x).zip(grad_y) {
            let s = sigmoid(x);
            *grad_x += grad_y * power * self.max_value * s.powf(power) * (1.0 - s);
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::check_vjp;

    const X: [f32; 5] = [-8.0, -1.5, 0.0, 0.3, 4.0];

    /// The default map in double precision, straight from the formula.
    fn reference(x: &[f64], y: &mut [f64]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = 2.0 * (1.0 + (-x).exp()).powf(-10_f64.ln()) + 1e-7;
        }
    }

    #[test]
    fn forward_matches_the_formula() {
        let mut expected = [0.0; 5];
        reference(&X.map(f64::from), &mut expected);
        let mut y = [0.0; 5];
        ExpSigmoid::default().forward(&X, &mut y);
        for (y, expected) in y.iter().zip(expected) {
            // Relative: amplitudes near the threshold matter as much as loud ones.
            assert!((f64::from(*y) - expected).abs() <= 4e-6 * expected, "{y} != {expected}");
        }
    }

    #[test]
    fn backward_is_the_transposed_jacobian() {
        let scale = ExpSigmoid::default();
        check_vjp(&X, X.len(), 1e-3, reference, |x, grad_y, grad_x| {
            scale.backward(x, grad_y, grad_x)
        });
    }
}
