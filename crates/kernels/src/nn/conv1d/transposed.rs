//! The transposed convolution over frames, which raises their rate.

use super::{CHUNK, Conv1d, Padding, check_kernel};
use crate::gemm::add_product_transposed_b;
use crate::nn::dense::{
    Dense, DenseGradients, add_linear, add_rows, check_grad_x, check_gradients, fill_rows,
    linear_backward,
};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

/// A transposed convolution with `SAME` padding, as keras' `Conv2DTranspose` of a single column.
///
/// It is the adjoint of the [`Conv1d`] with this stride and [`Padding::Same`] that takes
/// `n_frames * stride` frames of `n_out` channels to `n_frames` of `n_in`: each input frame adds
/// itself times the kernel to the output frames that the convolution would have gathered it from.
/// `x` is `[n_frames, n_in]`, `y` `[n_frames * stride, n_out]`, the kernel
/// `[kernel_len, n_out, n_in]` (keras' order) and the bias `[n_out]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1dTransposed {
    /// Number of taps.
    pub kernel_len: usize,
    /// Output frames for each input frame.
    pub stride: usize,
}

impl Conv1dTransposed {
    fn adjoint(&self) -> Conv1d {
        let Self { kernel_len, stride } = *self;
        Conv1d { kernel_len, dilation: 1, stride, padding: Padding::Same }
    }

    /// Writes the transposed convolution of `x`, `[n_frames, n_in]`, to `y`,
    /// `[n_frames * stride, n_out]`.
    ///
    /// # Panics
    ///
    /// If a size of the geometry is 0, or the shapes do not fit.
    pub fn forward(&self, weights: Dense<'_>, x: Matrix<'_>, mut y: MatrixMut<'_>) {
        self.check_shapes(weights, x, y.as_ref());
        let (adjoint, n_frames) = (self.adjoint(), y.n_rows());
        fill_rows(weights.bias, &mut y);
        let kernel_shape = (weights.bias.len(), x.n_columns());
        for begin in (0..x.n_rows()).step_by(CHUNK) {
            let chunk = begin..(begin + CHUNK).min(x.n_rows());
            for (tap, kernel) in adjoint.taps(weights.kernel) {
                if let Some((frames, outputs)) = adjoint.meeting(tap, &chunk, n_frames) {
                    let kernel = Matrix::new(kernel, kernel_shape.0, kernel_shape.1);
                    let y = y.reborrow().rows(outputs).every(self.stride);
                    add_product_transposed_b(x.rows(frames), kernel, y);
                }
            }
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) into `grads` and, if
    /// given, `grad_x`.
    ///
    /// # Panics
    ///
    /// If a size of the geometry is 0, or the shapes do not fit.
    pub fn backward(
        &self,
        weights: Dense<'_>,
        x: Matrix<'_>,
        grad_y: Matrix<'_>,
        grads: DenseGradients<'_>,
        mut grad_x: Option<MatrixMut<'_>>,
    ) {
        self.check_shapes(weights, x, grad_y);
        check_gradients("Conv1dTransposed", weights, &grads);
        if let Some(grad_x) = &grad_x {
            check_grad_x("Conv1dTransposed", x, grad_x);
        }
        add_rows(grad_y, grads.bias);
        let (adjoint, n_frames, simd) = (self.adjoint(), grad_y.n_rows(), Simd::widest());
        let tap_len = x.n_columns() * grad_y.n_columns();
        for begin in (0..x.n_rows()).step_by(CHUNK) {
            let chunk = begin..(begin + CHUNK).min(x.n_rows());
            for (tap, kernel) in adjoint.taps(weights.kernel) {
                let Some((frames, outputs)) = adjoint.meeting(tap, &chunk, n_frames) else {
                    continue;
                };
                let grad_y = grad_y.rows(outputs).every(self.stride);
                let grad_kernel = &mut grads.kernel[tap * tap_len..(tap + 1) * tap_len];
                linear_backward(simd, kernel, (grad_y, x.rows(frames.clone())), grad_kernel, None);
                if let Some(grad_x) = &mut grad_x {
                    add_linear(simd, kernel, grad_y, grad_x.reborrow().rows(frames));
                }
            }
        }
    }

    fn check_shapes(&self, weights: Dense<'_>, x: Matrix<'_>, y: Matrix<'_>) {
        self.adjoint().check_geometry();
        let n_out = weights.bias.len();
        check_kernel(self.kernel_len, weights.kernel.len(), [x.n_columns(), n_out]);
        let (n_columns, n_y, expected) = (y.n_columns(), y.n_rows(), x.n_rows() * self.stride);
        assert_eq!(
            n_columns, n_out,
            "Conv1dTransposed: {n_columns} columns of y for {n_out} outputs"
        );
        assert_eq!(
            n_y, expected,
            "Conv1dTransposed: {n_y} frames of y for {expected} of the output"
        );
    }
}
