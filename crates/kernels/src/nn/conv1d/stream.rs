//! The causal convolution on an endless sequence, a few frames at a time.

use super::{Conv1d, Padding};
use crate::nn::dense::{Dense, add_linear, fill_rows};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

impl Conv1d {
    /// Number of frames that [`stream`](Self::stream) remembers: `(kernel_len - 1) * dilation`.
    pub fn n_history_frames(&self) -> usize {
        (self.kernel_len - 1) * self.dilation
    }

    /// Writes the causal convolution of `x` after what came before: `[n_frames, n_in]` to
    /// `[n_frames, n_out]`.
    ///
    /// `history`, `[n_history_frames, n_in]`, are the last frames before `x` (zeros before the first)
    /// and after the call the last before the next. Any split of a sequence into blocks gives the
    /// frames of [`forward`](Self::forward), to the rounding of sums in another order. There is no
    /// latency.
    ///
    /// # Realtime Safety
    ///
    /// For up to 4 frames nothing is allocated.
    ///
    /// # Panics
    ///
    /// If the padding is not causal, the stride is not 1, or the shapes do not fit.
    pub fn stream(&self, weights: Dense<'_>, history: &mut [f32], x: Matrix<'_>, y: MatrixMut<'_>) {
        assert_eq!(self.padding, Padding::Causal, "Conv1d: a stream's padding is causal");
        assert_eq!(self.stride, 1, "Conv1d: a stride of {} in a stream, not 1", self.stride);
        self.check_shapes(weights, x, y.as_ref());
        let (n_history, expected) = (history.len(), self.n_history_frames() * x.n_columns());
        assert_eq!(
            n_history,
            expected,
            "Conv1d: {n_history} values of history for {} frames of {} inputs",
            self.n_history_frames(),
            x.n_columns()
        );
        self.stream_with(Simd::widest(), weights, history, x, y);
    }

    pub(super) fn stream_with(
        &self,
        simd: Simd,
        weights: Dense<'_>,
        history: &mut [f32],
        x: Matrix<'_>,
        mut y: MatrixMut<'_>,
    ) {
        let (n_frames, n_history) = (x.n_rows(), self.n_history_frames());
        let before = Matrix::new(history, n_history, x.n_columns());
        fill_rows(weights.bias, &mut y);
        for (tap, kernel) in self.taps(weights.kernel) {
            // Frame t meets frame t + offset of the history, and of x after it.
            let offset = tap * self.dilation;
            let n_before = (n_history - offset).min(n_frames);
            let old = before.rows(offset..offset + n_before);
            add_linear(simd, kernel, old, y.reborrow().rows(0..n_before));
            let new = x.rows(0..n_frames - n_before);
            add_linear(simd, kernel, new, y.reborrow().rows(n_before..n_frames));
        }
        remember(history, x);
    }
}

/// Appends the frames `x` to `history`, of which the first go.
fn remember(history: &mut [f32], x: Matrix<'_>) {
    let n_in = x.n_columns().max(1);
    let n_history = history.len() / n_in;
    let n_new = x.n_rows().min(n_history);
    history.copy_within(n_new * n_in.., 0);
    let frames = history[(n_history - n_new) * n_in..].chunks_exact_mut(n_in);
    for (frame, row) in frames.zip(x.n_rows() - n_new..) {
        frame.copy_from_slice(x.row(row));
    }
}
