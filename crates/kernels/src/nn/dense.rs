//! The dense layer `y = x kernel + bias`.

use crate::gemm::{add_product, add_product_transposed_a, add_product_transposed_b, product};
use crate::simd::{Kernel, Simd, mul_add};
use crate::{Matrix, MatrixMut};

/// Up to so many rows, or inputs, plain loops over the kernel's rows are used: the matrix product
/// would spend its time on packing, and it allocates.
const FEW: usize = 4;

/// Weights of a dense layer, or of a convolution, which is one for each place of its kernel.
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
/// # Realtime Safety
///
/// For up to 4 rows nothing is allocated.
///
/// # Panics
///
/// If the shapes of `x`, `y` and the weights do not fit.
pub fn dense(weights: Dense<'_>, x: Matrix<'_>, y: MatrixMut<'_>) {
    check_shapes(weights, x, y.as_ref());
    forward(Simd::widest(), weights, x, y);
}

fn forward(simd: Simd, weights: Dense<'_>, x: Matrix<'_>, mut y: MatrixMut<'_>) {
    let Dense { kernel, bias } = weights;
    let (n_in, n_out) = (x.n_columns(), bias.len());
    if n_in <= FEW || x.n_rows() <= FEW {
        simd.run(FewForward { kernel, start: Start::Bias(bias), x, y });
        return;
    }
    fill_rows(bias, &mut y);
    add_product(x, Matrix::new(kernel, n_in, n_out), y);
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
    check_shapes(weights, x, grad_y);
    check_gradients("dense", weights, &grads);
    if let Some(grad_x) = &grad_x {
        check_grad_x("dense", x, grad_x);
    }
    backward(Simd::widest(), weights, (x, grad_y), grads, grad_x);
}

/// [`dense_backward`] of `x` and `grad_y` whose shapes were checked.
fn backward(
    simd: Simd,
    weights: Dense<'_>,
    (x, grad_y): (Matrix<'_>, Matrix<'_>),
    grads: DenseGradients<'_>,
    grad_x: Option<MatrixMut<'_>>,
) {
    simd.run(AddRows { rows: grad_y, sum: grads.bias });
    linear_backward(simd, weights.kernel, (x, grad_y), grads.kernel, grad_x);
}

/// Writes `x kernel` to `y`, of shapes that were checked; for up to 4 rows nothing is allocated.
pub(super) fn linear(simd: Simd, kernel: &[f32], x: Matrix<'_>, y: MatrixMut<'_>) {
    let (n_in, n_out) = (x.n_columns(), y.n_columns());
    if n_in <= FEW || x.n_rows() <= FEW {
        simd.run(FewForward { kernel, start: Start::Zero, x, y });
    } else {
        product(x, Matrix::new(kernel, n_in, n_out), y);
    }
}

/// Adds `x kernel` to `y`, of shapes that were checked; for up to 4 rows nothing is allocated.
pub(super) fn add_linear(simd: Simd, kernel: &[f32], x: Matrix<'_>, y: MatrixMut<'_>) {
    let (n_in, n_out) = (x.n_columns(), y.n_columns());
    if n_in <= FEW || x.n_rows() <= FEW {
        simd.run(FewForward { kernel, start: Start::Kept, x, y });
    } else {
        add_product(x, Matrix::new(kernel, n_in, n_out), y);
    }
}

/// Accumulates the vector-Jacobian product of [`linear`] for `x` and `grad_y`, of shapes that were
/// checked.
pub(super) fn linear_backward(
    simd: Simd,
    kernel: &[f32],
    (x, grad_y): (Matrix<'_>, Matrix<'_>),
    grad_kernel: &mut [f32],
    grad_x: Option<MatrixMut<'_>>,
) {
    let (n_in, n_out) = (x.n_columns(), grad_y.n_columns());
    if n_in <= FEW {
        simd.run(FewBackward { x, grad_y, grad_kernel });
    } else {
        add_product_transposed_a(x, grad_y, MatrixMut::new(grad_kernel, n_in, n_out));
    }
    if let Some(grad_x) = grad_x {
        add_product_transposed_b(grad_y, Matrix::new(kernel, n_in, n_out), grad_x);
    }
}

/// Adds the sum of the rows of `rows` to `sum`, `[n_columns]`.
pub(super) fn add_rows(rows: Matrix<'_>, sum: &mut [f32]) {
    add_rows_with(Simd::widest(), rows, sum);
}

pub(super) fn add_rows_with(simd: Simd, rows: Matrix<'_>, sum: &mut [f32]) {
    assert_eq!(rows.n_columns(), sum.len(), "sum of rows: columns and sums");
    simd.run(AddRows { rows, sum });
}

fn check_shapes(weights: Dense<'_>, x: Matrix<'_>, y: Matrix<'_>) {
    let (n_in, n_out, len) = (x.n_columns(), weights.bias.len(), weights.kernel.len());
    let (n_rows, n_y_rows, n_columns) = (x.n_rows(), y.n_rows(), y.n_columns());
    assert_eq!(
        len,
        n_in * n_out,
        "dense: a kernel of {len} values for {n_in} inputs and {n_out} outputs"
    );
    assert_eq!(n_columns, n_out, "dense: {n_columns} columns of y for {n_out} outputs");
    assert_eq!(n_y_rows, n_rows, "dense: {n_y_rows} rows of y for {n_rows} of x");
}

/// Asserts that `grads` have the shapes of `weights`.
pub(super) fn check_gradients(layer: &str, weights: Dense<'_>, grads: &DenseGradients<'_>) {
    for (name, len, expected) in [
        ("kernel", grads.kernel.len(), weights.kernel.len()),
        ("bias", grads.bias.len(), weights.bias.len()),
    ] {
        assert_eq!(len, expected, "{layer}: {len} values of grad_{name} for {expected} of {name}");
    }
}

/// Writes `bias` to every row of `y`.
pub(super) fn fill_rows(bias: &[f32], y: &mut MatrixMut<'_>) {
    (0..y.n_rows()).for_each(|row| y.row_mut(row).copy_from_slice(bias));
}

/// Asserts that `grad_x` has the shape of `x`.
pub(super) fn check_grad_x(layer: &str, x: Matrix<'_>, grad_x: &MatrixMut<'_>) {
    let [shape, expected] = [(grad_x.n_rows(), grad_x.n_columns()), (x.n_rows(), x.n_columns())];
    assert_eq!(shape, expected, "{layer}: grad_x of shape {shape:?} for x of {expected:?}");
}

/// What the product is added to.
enum Start<'a> {
    Bias(&'a [f32]),
    Zero,
    /// What `y` holds.
    Kept,
}

/// The forward pass as sums of the kernel's rows, four at a time to spare loads and stores of `y`.
struct FewForward<'a> {
    kernel: &'a [f32],
    start: Start<'a>,
    x: Matrix<'a>,
    y: MatrixMut<'a>,
}

impl Kernel for FewForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let n_out = self.y.n_columns();
        if n_out == 0 {
            return;
        }
        for row in 0..self.x.n_rows() {
            let y = self.y.row_mut(row);
            match self.start {
                Start::Bias(bias) => y.copy_from_slice(bias),
                Start::Zero => y.fill(0.0),
                Start::Kept => {}
            }
            let (fours, rest) = self.x.row(row).as_chunks::<4>();
            let (kernel_fours, kernel_rest) = self.kernel.split_at(fours.len() * 4 * n_out);
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
pub(crate) mod tests;
