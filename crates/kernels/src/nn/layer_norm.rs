//! Layer norm followed by a leaky ReLU, in one pass over each row.

use crate::simd::{Kernel, Simd, mul_add, sum_lanes};
use crate::{Matrix, MatrixMut};

/// Added to the variance before the root, as in DDSP's layers.
const EPSILON: f32 = 1e-3;

/// Slope of the leaky ReLU below zero.
const LEAK: f32 = 0.2;

/// Partial sums of a row; one AVX-512 register.
const LANES: usize = 16;

/// Weights of a layer norm.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// `[n_columns]`
    pub gain: &'a [f32],
    /// `[n_columns]`
    pub shift: &'a [f32],
}

/// Gradients of [`LayerNorm`], of the same shapes.
#[derive(Debug)]
pub struct LayerNormGradients<'a> {
    /// `[n_columns]`
    pub gain: &'a mut [f32],
    /// `[n_columns]`
    pub shift: &'a mut [f32],
}

/// Writes `leaky_relu(gain * n + shift)` to `y`, where `n` is each row of `x` at mean 0 and variance 1.
///
/// `n = (x - mean) / sqrt(variance + 1e-3)`, and the slope below zero is 0.2. `x`,
/// `[n_rows, n_columns]`, is replaced by `n`, and `inverse_std`, `[n_rows]`, is filled with
/// `1 / sqrt(variance + 1e-3)`: what the backward pass needs.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn layer_norm_leaky_relu(
    weights: LayerNorm<'_>,
    x: MatrixMut<'_>,
    inverse_std: &mut [f32],
    y: MatrixMut<'_>,
) {
    check_shapes(weights, x.as_ref(), inverse_std.len(), y.as_ref());
    Simd::widest().run(Forward { weights, x, inverse_std, y });
}

/// Accumulates the vector-Jacobian product of [`layer_norm_leaky_relu`] into `grads` and `grad_x`.
///
/// `normalized` and `inverse_std` are what the forward pass left. With `g` the gradient before the
/// leaky ReLU and `h = g * gain`, for each row:
/// `grad_x += inverse_std * (h - mean(h) - normalized * mean(h * normalized))`.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn layer_norm_leaky_relu_backward(
    weights: LayerNorm<'_>,
    normalized: Matrix<'_>,
    inverse_std: &[f32],
    grad_y: Matrix<'_>,
    grads: LayerNormGradients<'_>,
    grad_x: MatrixMut<'_>,
) {
    check_shapes(weights, normalized, inverse_std.len(), grad_y);
    check_shapes(weights, normalized, inverse_std.len(), grad_x.as_ref());
    assert_eq!(grads.gain.len(), weights.gain.len(), "layer norm: grad_gain");
    assert_eq!(grads.shift.len(), weights.shift.len(), "layer norm: grad_shift");
    let kernel = Backward { weights, normalized, inverse_std, grad_y, grads, grad_x };
    Simd::widest().run(kernel);
}

fn check_shapes(weights: LayerNorm<'_>, x: Matrix<'_>, n_inverse_std: usize, y: Matrix<'_>) {
    assert_eq!(weights.gain.len(), x.n_columns(), "layer norm: gain for the columns of x");
    assert_eq!(weights.shift.len(), x.n_columns(), "layer norm: shift for the columns of x");
    assert_eq!(n_inverse_std, x.n_rows(), "layer norm: inverse_std for the rows of x");
    assert_eq!((y.n_rows(), y.n_columns()), (x.n_rows(), x.n_columns()), "layer norm: x and y");
}

/// The sum of `term` over all indices below `len`, in `LANES` partial sums.
#[inline(always)]
fn sum_terms(len: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let whole = len / LANES * LANES;
    for begin in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(begin + lane);
        }
    }
    sum_lanes(lanes) + (whole..len).map(term).sum::<f32>()
}

struct Forward<'a> {
    weights: LayerNorm<'a>,
    x: MatrixMut<'a>,
    inverse_std: &'a mut [f32],
    y: MatrixMut<'a>,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let len = self.weights.gain.len();
        let (gain, shift) = (&self.weights.gain[..len], &self.weights.shift[..len]);
        let scale = 1.0 / len as f32;
        for (row, inverse_std) in self.inverse_std.iter_mut().enumerate() {
            let x = &mut self.x.row_mut(row)[..len];
            let mean = scale * sum_terms(len, |i| x[i]);
            let variance = scale
                * sum_terms(len, |i| {
                    let centred = x[i] - mean;
                    centred * centred
                });
            *inverse_std = 1.0 / (variance + EPSILON).sqrt();
            let y = &mut self.y.row_mut(row)[..len];
            for i in 0..len {
                x[i] = (x[i] - mean) * *inverse_std;
                let linear = mul_add::<FMA>(gain[i], x[i], shift[i]);
                y[i] = if linear < 0.0 { LEAK * linear } else { linear };
            }
        }
    }
}

struct Backward<'a> {
    weights: LayerNorm<'a>,
    normalized: Matrix<'a>,
    inverse_std: &'a [f32],
    grad_y: Matrix<'a>,
    grads: LayerNormGradients<'a>,
    grad_x: MatrixMut<'a>,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let len = self.weights.gain.len();
        let (gain, shift) = (&self.weights.gain[..len], &self.weights.shift[..len]);
        let (grad_gain, grad_shift) = (&mut self.grads.gain[..len], &mut self.grads.shift[..len]);
        let scale = 1.0 / len as f32;
        for (row, &inverse_std) in self.inverse_std.iter().enumerate() {
            let n = &self.normalized.row(row)[..len];
            let grad_y = &self.grad_y.row(row)[..len];
            // The gradient before the leaky ReLU, whose side is known from its argument's sign.
            let grad_linear = |i: usize| {
                let linear = mul_add::<FMA>(gain[i], n[i], shift[i]);
                if linear < 0.0 { LEAK * grad_y[i] } else { grad_y[i] }
            };
            for i in 0..len {
                let g = grad_linear(i);
                grad_gain[i] = mul_add::<FMA>(g, n[i], grad_gain[i]);
                grad_shift[i] += g;
            }
            let mean = scale * sum_terms(len, |i| gain[i] * grad_linear(i));
            let slope = scale * sum_terms(len, |i| gain[i] * grad_linear(i) * n[i]);
            let grad_x = &mut self.grad_x.row_mut(row)[..len];
            for i in 0..len {
                let centred = mul_add::<FMA>(-slope, n[i], gain[i] * grad_linear(i) - mean);
                grad_x[i] = mul_add::<FMA>(inverse_std, centred, grad_x[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::check_vjp;
    use crate::testing::{assert_close, pseudo_random};

    /// One pass in double precision, straight from the formulas.
    fn reference(x: &[f64], gain: &[f64], shift: &[f64], y: &mut [f64]) {
        let len = gain.len();
        for (x, y) in x.chunks(len).zip(y.chunks_mut(len)) {
            let mean = x.iter().sum::<f64>() / len as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / len as f64;
            for i in 0..len {
                let linear = gain[i] * (x[i] - mean) / (variance + 1e-3).sqrt() + shift[i];
                y[i] = linear.max(0.2 * linear);
            }
        }
    }

    /// Columns around a multiple of the lanes, and so small that there is no whole vector.
    const COLUMNS: [usize; 4] = [3, 16, 39, 64];
    const N_ROWS: usize = 5;

    #[test]
    fn forward_matches_the_formula_with_every_instruction_set() {
        for n in COLUMNS {
            let x = pseudo_random(1, N_ROWS * n);
            let (gain, shift) = (pseudo_random(2, n), pseudo_random(3, n));
            let [x64, gain64, shift64] =
                [&x, &gain, &shift].map(|v| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
            let mut expected = vec![0.0; x.len()];
            reference(&x64, &gain64, &shift64, &mut expected);
            for simd in Simd::all() {
                let (mut x, mut y, mut inverse_std) =
                    (x.clone(), vec![f32::NAN; x.len()], [0.0; N_ROWS]);
                simd.run(Forward {
                    weights: LayerNorm { gain: &gain, shift: &shift },
                    x: MatrixMut::new(&mut x, N_ROWS, n),
                    inverse_std: &mut inverse_std,
                    y: MatrixMut::new(&mut y, N_ROWS, n),
                });
                // A few roundings of values up to 4.
                assert_close("y", &y, &expected, 2e-6);
            }
        }
    }

    #[test]
    fn a_constant_row_becomes_the_shift() {
        let (mut x, mut y, mut inverse_std) = (vec![3.0; 32], vec![0.0; 32], [0.0]);
        layer_norm_leaky_relu(
            LayerNorm { gain: &[1.0; 32], shift: &[0.5; 32] },
            MatrixMut::new(&mut x, 1, 32),
            &mut inverse_std,
            MatrixMut::new(&mut y, 1, 32),
        );
        assert_eq!(y, [0.5; 32], "nothing is left of a row without variance");
    }

    /// Checks the gradient of `x`, gain and shift, which are one vector here.
    fn check_backward(n: usize, simd: Simd) {
        let x_len = N_ROWS * n;
        let all = pseudo_random(7, x_len + 2 * n);
        let forward = |all: &[f64], y: &mut [f64]| {
            let (x, weights) = all.split_at(x_len);
            reference(x, &weights[..n], &weights[n..], y);
        };
        // The step is short: a wider one crosses the corner of the leaky ReLU.
        check_vjp(&all, x_len, 1e-6, forward, |all, grad_y, grad| {
            let (x, weights) = all.split_at(x_len);
            let weights = LayerNorm { gain: &weights[..n], shift: &weights[n..] };
            let (mut normalized, mut y, mut inverse_std) =
                (x.to_vec(), vec![0.0; x_len], [0.0; N_ROWS]);
            layer_norm_leaky_relu(
                weights,
                MatrixMut::new(&mut normalized, N_ROWS, n),
                &mut inverse_std,
                MatrixMut::new(&mut y, N_ROWS, n),
            );
            let (grad_x, grad) = grad.split_at_mut(x_len);
            let (gain, shift) = grad.split_at_mut(n);
            simd.run(Backward {
                weights,
                normalized: Matrix::new(&normalized, N_ROWS, n),
                inverse_std: &inverse_std,
                grad_y: Matrix::new(grad_y, N_ROWS, n),
                grads: LayerNormGradients { gain, shift },
                grad_x: MatrixMut::new(grad_x, N_ROWS, n),
            });
        });
    }

    #[test]
    fn backward_is_the_transposed_jacobian_with_every_instruction_set() {
        for simd in Simd::all() {
            COLUMNS.iter().for_each(|&n| check_backward(n, simd));
        }
    }
}
