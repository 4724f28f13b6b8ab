//! Convolution over frames, dilated or strided, and its transpose.
//!
//! As it is usual in networks the kernel is not reversed: this is a correlation. For each tap of the
//! kernel the frames that it meets go through a dense layer, and the results add up; nothing is
//! unfolded.

mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod transposed;

pub use transposed::Conv1dTransposed;

use std::ops::Range;

use super::dense::{
    Dense, DenseGradients, add_linear, add_rows_with, check_grad_x, check_gradients, fill_rows,
    linear_backward,
};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

/// Output frames computed together: few enough that they stay in the second-level cache from one
/// tap to the next, enough that a matrix product pays for its packing.
const CHUNK: usize = 512;

/// Where the kernel lies about a frame; what it meets outside is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The last tap at the frame itself: no output depends on later frames.
    Causal,
    /// As many frames before as after, or one more after: TensorFlow's `SAME`.
    Same,
}

/// The geometry of a convolution over frames.
///
/// `y[t] = bias + sum_k x[t * stride + k * dilation - before] kernel[k]` for `kernel_len` taps `k`
/// and `ceil(n_frames / stride)` frames `t`, with `x` `[n_frames, n_in]`, `y` `[.., n_out]` and a
/// kernel `[kernel_len, n_in, n_out]`; `before` is that of the padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1d {
    /// Number of taps.
    pub kernel_len: usize,
    /// Frames from one tap to the next.
    pub dilation: usize,
    /// Input frames from one output frame to the next.
    pub stride: usize,
    /// Where the kernel lies about a frame.
    pub padding: Padding,
}

impl Conv1d {
    /// Number of output frames for `n_frames`: `ceil(n_frames / stride)`.
    pub fn n_out_frames(&self, n_frames: usize) -> usize {
        n_frames.div_ceil(self.stride)
    }

    /// Writes the convolution of `x`, `[n_frames, n_in]`, to `y`, `[n_out_frames, n_out]`.
    ///
    /// # Realtime Safety
    ///
    /// For up to 4 frames nothing is allocated.
    ///
    /// # Panics
    ///
    /// If a size of the geometry is 0, or the shapes do not fit.
    pub fn forward(&self, weights: Dense<'_>, x: Matrix<'_>, y: MatrixMut<'_>) {
        self.check_shapes(weights, x, y.as_ref());
        self.forward_with(Simd::widest(), weights, x, y);
    }

    fn forward_with(&self, simd: Simd, weights: Dense<'_>, x: Matrix<'_>, mut y: MatrixMut<'_>) {
        for begin in (0..y.n_rows()).step_by(CHUNK) {
            let chunk = begin..(begin + CHUNK).min(y.n_rows());
            fill_rows(weights.bias, &mut y.reborrow().rows(chunk.clone()));
            for (tap, kernel) in self.taps(weights.kernel) {
                let Some((frames, inputs)) = self.meeting(tap, &chunk, x.n_rows()) else {
                    continue;
                };
                let x = x.rows(inputs).every(self.stride);
                add_linear(simd, kernel, x, y.reborrow().rows(frames));
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
        grad_x: Option<MatrixMut<'_>>,
    ) {
        self.check_shapes(weights, x, grad_y);
        check_gradients("Conv1d", weights, &grads);
        if let Some(grad_x) = &grad_x {
            check_grad_x("Conv1d", x, grad_x);
        }
        self.backward_with(Simd::widest(), weights, (x, grad_y), grads, grad_x);
    }

    fn backward_with(
        &self,
        simd: Simd,
        weights: Dense<'_>,
        (x, grad_y): (Matrix<'_>, Matrix<'_>),
        grads: DenseGradients<'_>,
        mut grad_x: Option<MatrixMut<'_>>,
    ) {
        add_rows_with(simd, grad_y, grads.bias);
        let tap_len = x.n_columns() * grad_y.n_columns();
        for begin in (0..grad_y.n_rows()).step_by(CHUNK) {
            let chunk = begin..(begin + CHUNK).min(grad_y.n_rows());
            for (tap, kernel) in self.taps(weights.kernel) {
                let Some((frames, inputs)) = self.meeting(tap, &chunk, x.n_rows()) else {
                    continue;
                };
                let grad_kernel = &mut grads.kernel[tap * tap_len..(tap + 1) * tap_len];
                let grad_x = grad_x
                    .as_mut()
                    .map(|grad_x| grad_x.reborrow().rows(inputs.clone()).every(self.stride));
                let operands = (x.rows(inputs).every(self.stride), grad_y.rows(frames));
                linear_backward(simd, kernel, operands, grad_kernel, grad_x);
            }
        }
    }

    /// The taps with their part of a kernel.
    fn taps<'a>(&self, kernel: &'a [f32]) -> impl Iterator<Item = (usize, &'a [f32])> + use<'a> {
        kernel.chunks_exact((kernel.len() / self.kernel_len).max(1)).enumerate()
    }

    /// Which of the output frames `chunk` tap `tap` meets an input in, and from which to which
    /// input, in steps of the stride.
    fn meeting(
        &self,
        tap: usize,
        chunk: &Range<usize>,
        n_frames: usize,
    ) -> Option<(Range<usize>, Range<usize>)> {
        let (offset, before) = (tap * self.dilation, self.before(n_frames));
        // t * stride + offset >= before and < before + n_frames.
        let start = chunk.start.max(before.saturating_sub(offset).div_ceil(self.stride));
        let end = chunk.end.min((before + n_frames).saturating_sub(offset).div_ceil(self.stride));
        (start < end).then(|| {
            let first = start * self.stride + offset - before;
            (start..end, first..first + (end - 1 - start) * self.stride + 1)
        })
    }

    /// Zeros before the first frame.
    fn before(&self, n_frames: usize) -> usize {
        let reach = (self.kernel_len - 1) * self.dilation;
        match self.padding {
            Padding::Causal => reach,
            Padding::Same => {
                let last = (self.n_out_frames(n_frames).max(1) - 1) * self.stride;
                (last + reach + 1).saturating_sub(n_frames) / 2
            }
        }
    }

    fn check_geometry(&self) {
        for (name, size) in
            [("kernel_len", self.kernel_len), ("dilation", self.dilation), ("stride", self.stride)]
        {
            assert!(size > 0, "Conv1d: {name} of 0");
        }
    }

    fn check_shapes(&self, weights: Dense<'_>, x: Matrix<'_>, y: Matrix<'_>) {
        self.check_geometry();
        let (n_in, n_out) = (x.n_columns(), weights.bias.len());
        check_kernel(self.kernel_len, weights.kernel.len(), [n_in, n_out]);
        let n_columns = y.n_columns();
        assert_eq!(n_columns, n_out, "Conv1d: {n_columns} columns of y for {n_out} outputs");
        let (n_y, expected) = (y.n_rows(), self.n_out_frames(x.n_rows()));
        assert_eq!(n_y, expected, "Conv1d: {n_y} frames of y for {expected} of the output");
    }
}

fn check_kernel(kernel_len: usize, len: usize, [n_in, n_out]: [usize; 2]) {
    assert_eq!(
        len,
        kernel_len * n_in * n_out,
        "Conv1d: a kernel of {len} values for {kernel_len} taps, {n_in} inputs and {n_out} outputs"
    );
}
