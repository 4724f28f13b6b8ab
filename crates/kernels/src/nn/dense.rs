//! The dense layer `y = x kernel + bias`.

use crate::gemm::{add_product, add_product_transposed_a, add_product_transposed_b};
use crate::simd::{Kernel, Simd, mul_add};
use crate::{Matrix, MatrixMut};

/// Up to so many rows, or inputs, plain loops over the kernel's rows are used: the matrix product
/// would spend its time on packing, and it allocates.
const FEW: usize = 4;

/// Weights of a dense layer.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    /// `[n_in, n_out]`
    pub kernel: &'a [f32],
    /// `[n_out]`
    pub bias: &'a [f32],
}

/// Gradients of [`Dense`], of the same shapes.
#[derive(Debug)]
pub struct DenseGradients<'a> {
    /// `[n_in, n_out]`
    pub kernel: &'a mut [f32],
    /// `[n_out]`
    pub bias: &'a mut [f32],
}

/// Writes `x kernel + bias` to `y`: `[n_rows, n_in]` to `[n_rows, n_out]`.
///
/// For up to 4 rows nothing is allocated.
///
/// # Panics
///
/// If the shapes of `x`, `y` and the weights do not fit.
pub fn dense(weights: Dense<'_>, x: Matrix<'_>, mut y: MatrixMut<'_>) {
    let (n_in, n_out) = check_shapes(weights.kernel.len(), weights.bias.len(), x, y.as_ref());
    if n_in <= FEW || x.n_rows() <= FEW {
        Simd::widest().run(FewForward { weights, x, y });
        return;
    }
    for row in 0..y.n_rows() {
        y.row_mut(row).copy_from_slice(weights.bias);
    }
    add_product(x, Matrix::new(weights.kernel, n_in, n_out), y);
}

/// Accumulates the vector-Jacobian product of [`dense`] into `grads` and, if given, `grad_x`.
///
/// `grad_kernel += x^T grad_y`, `grad_bias += ` the sum of `grad_y`'s rows,
/// `grad_x += grad_y kernel^T`.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn dense_backward(
    weights: Dense<'_>,
    x: Matrix<'_>,
    grad_y: Matrix<'_>,
    grads: DenseGradients<'_>,
    grad_x: Option<MatrixMut<'_>>,
) {
    let (n_in, n_out) = check_shapes(weights.kernel.len(), weights.bias.len(), x, grad_y);
    assert_eq!(grads.kernel.len(), n_in * n_out, "dense: grad_kernel");
    add_rows(grad_y, grads.bias);
    if n_in <= FEW {
        Simd::widest().run(FewBackward { x, grad_y, grad_kernel: grads.kernel });
    } else {
        add_product_transposed_a(x, grad_y, MatrixMut::new(grads.kernel, n_in, n_out));
    }
    if let Some(grad_x) = grad_x {
        add_product_transposed_b(grad_y, Matrix::new(weights.kernel, n_in, n_out), grad_x);
    }
}

/// Adds the sum of the rows of `rows` to `sum`, `[n_columns]`.
pub(super) fn add_rows(rows: Matrix<'_>, sum: &mut [f32]) {
    assert_eq!(rows.n_columns(), sum.len(), "sum of rows: columns and sums");
    Simd::widest().run(AddRows { rows, sum });
}

/// Asserts that the shapes fit and returns `(n_in, n_out)`.
fn check_shapes(kernel_len: usize, n_out: usize, x: Matrix<'_>, y: Matrix<'_>) -> (usize, usize) {
    let n_in = x.n_columns();
    assert_eq!(kernel_len, n_in * n_out, "dense: a kernel for {n_in} inputs and {n_out} outputs");
    assert_eq!(y.n_columns(), n_out, "dense: columns of y");
    assert_eq!(y.n_rows(), x.n_rows(), "dense: rows of x and y");
    (n_in, n_out)
}

/// The forward pass as sums of the kernel's rows, four at a time to spare loads and stores of `y`.
struct FewForward<'a> {
    weights: Dense<'a>,
    x: Matrix<'a>,
    y: MatrixMut<'a>,
}

impl Kernel for FewForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let n_out = self.weights.bias.len();
        for row in 0..self.x.n_rows() {
            let y = self.y.row_mut(row);
            y.copy_from_slice(self.weights.bias);
            let (fours, rest) = self.x.row(row).as_chunks::<4>();
            let (kernel_fours, kernel_rest) = self.weights.kernel.split_at(fours.len() * 4 * n_out);
            for (x, kernel) in fours.iter().zip(kernel_fours.chunks_exact(4 * n_out)) {
                let (k0, kernel) = kernel.split_at(n_out);
                let (k1, kernel) = kernel.split_at(n_out);
                let (k2, k3) = kernel.split_at(n_out);
                for ((((y, k0), k1), k2), k3) in y.iter_mut().zip(k0).zip(k1).zip(k2).zip(k3) {
                    let sum = mul_add::<FMA>(x[1], *k1, mul_add::<FMA>(x[0], *k0, *y));
                    *y = mul_add::<FMA>(x[3], *k3, mul_add::<FMA>(x[2], *k2, sum));
                }
            }
            for (x, kernel) in rest.iter().zip(kernel_rest.chunks_exact(n_out)) {
                for (y, k) in y.iter_mut().zip(kernel) {
                    *y = mul_add::<FMA>(*x, *k, *y);
                }
            }
        }
    }
}

/// The kernel's gradient for few inputs: a multiple of each row of `grad_y` for each.
struct FewBackward<'a> {
    x: Matrix<'a>,
    grad_y: Matrix<'a>,
    grad_kernel: &'a mut [f32],
}

impl Kernel for FewBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n_out = self.grad_y.n_columns().max(1);
        for row in 0..self.x.n_rows() {
            let grad_y = self.grad_y.row(row);
            for (x, grad) in self.x.row(row).iter().zip(self.grad_kernel.chunks_exact_mut(n_out)) {
                for (grad, grad_y) in grad.iter_mut().zip(grad_y) {
                    *grad = mul_add::<FMA>(*x, *grad_y, *grad);
                }
            }
        }
    }
}

struct AddRows<'a> {
    rows: Matrix<'a>,
    sum: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for row in 0..self.rows.n_rows() {
            for (sum, x) in self.sum.iter_mut().zip(self.rows.row(row)) {
                *sum += x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck::check_vjp;
    use crate::testing::{assert_close, pseudo_random};

    /// `y = x kernel + bias` in double precision.
    fn reference(x: &[f64], kernel: &[f64], bias: &[f64], y: &mut [f64]) {
        let (n_out, n_in) = (bias.len(), kernel.len() / bias.len());
        for (i, y) in y.iter_mut().enumerate() {
            let (row, column) = (i / n_out, i % n_out);
            *y = bias[column];
            for l in 0..n_in {
                *y += x[row * n_in + l] * kernel[l * n_out + column];
            }
        }
    }

    fn to_f64(values: &[f32]) -> Vec<f64> {
        values.iter().map(|&v| f64::from(v)).collect()
    }

    /// Rows, inputs and outputs on both sides of every special case.
    const SHAPES: [(usize, usize, usize); 6] =
        [(1, 9, 7), (4, 5, 40), (5, 9, 33), (30, 1, 20), (30, 4, 20), (30, 17, 3)];

    #[test]
    fn forward_matches_the_formula() {
        for (n_rows, n_in, n_out) in SHAPES {
            let x = pseudo_random(1, n_rows * n_in);
            let (kernel, bias) = (pseudo_random(2, n_in * n_out), pseudo_random(3, n_out));
            let mut y = vec![f32::NAN; n_rows * n_out];
            let weights = Dense { kernel: &kernel, bias: &bias };
            dense(weights, Matrix::new(&x, n_rows, n_in), MatrixMut::new(&mut y, n_rows, n_out));
            let mut expected = vec![0.0; y.len()];
            reference(&to_f64(&x), &to_f64(&kernel), &to_f64(&bias), &mut expected);
            // n_in products and a bias, each at most 1, rounded to 2^-24.
            assert_close("y", &y, &expected, 6e-8 * (n_in + 2) as f64);
        }
    }

    #[test]
    fn every_instruction_set_computes_the_same() {
        let (n_rows, n_in, n_out) = (3, 11, 37);
        let x = pseudo_random(1, n_rows * n_in);
        let (kernel, bias) = (pseudo_random(2, n_in * n_out), pseudo_random(3, n_out));
        let mut expected = vec![0.0; n_rows * n_out];
        reference(&to_f64(&x), &to_f64(&kernel), &to_f64(&bias), &mut expected);
        for simd in Simd::all() {
            let mut y = vec![f32::NAN; n_rows * n_out];
            let weights = Dense { kernel: &kernel, bias: &bias };
            let (x, y_rows) =
                (Matrix::new(&x, n_rows, n_in), MatrixMut::new(&mut y, n_rows, n_out));
            simd.run(FewForward { weights, x, y: y_rows });
            assert_close("y", &y, &expected, 6e-8 * (n_in + 2) as f64);
        }
    }

    /// Checks the gradient of `x`, kernel and bias, which are one vector here.
    fn check_backward(n_rows: usize, n_in: usize, n_out: usize) {
        let (x_len, kernel_len) = (n_rows * n_in, n_in * n_out);
        let all = pseudo_random(4, x_len + kernel_len + n_out);
        let forward = |all: &[f64], y: &mut [f64]| {
            let (x, weights) = all.split_at(x_len);
            let (kernel, bias) = weights.split_at(kernel_len);
            reference(x, kernel, bias, y);
        };
        check_vjp(&all, n_rows * n_out, 1e-3, forward, |all, grad_y, grad| {
            let (x, weights) = all.split_at(x_len);
            let (kernel, bias) = weights.split_at(kernel_len);
            let (grad_x, grad) = grad.split_at_mut(x_len);
            let (grad_kernel, grad_bias) = grad.split_at_mut(kernel_len);
            dense_backward(
                Dense { kernel, bias },
                Matrix::new(x, n_rows, n_in),
                Matrix::new(grad_y, n_rows, n_out),
                DenseGradients { kernel: grad_kernel, bias: grad_bias },
                Some(MatrixMut::new(grad_x, n_rows, n_in)),
            );
        });
    }

    #[test]
    fn backward_is_the_transposed_jacobian() {
        for (n_rows, n_in, n_out) in SHAPES {
            check_backward(n_rows, n_in, n_out);
        }
    }
}
