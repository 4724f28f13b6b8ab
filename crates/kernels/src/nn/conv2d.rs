//! Convolution and pooling over frames and frequencies, as the ResNet encoders need them.
//!
//! Tensors are `[n_frames, n_freq, n_channels]` and paddings TensorFlow's `SAME`: `ceil(size /
//! stride)` places come out, and the zeros that the window needs are put half before and half after,
//! one more after if they are odd.

mod patches;
mod pool;
#[cfg(test)]
pub(crate) mod tests;

pub use pool::MaxPool;

use self::patches::{Patches, Window};
use super::dense::{
    Dense, DenseGradients, add_linear, add_rows_with, check_gradients, fill_rows, linear_backward,
};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

/// Values of the patches that are multiplied together: as many as stay in the second-level cache.
const SCRATCH_LEN: usize = 1 << 17;

/// The geometry of a convolution over frames and frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Frames and frequencies of the input.
    pub size: [usize; 2],
    /// Channels of the input.
    pub n_in: usize,
    /// Channels of the output.
    pub n_out: usize,
    /// Frames and frequencies of the kernel.
    pub kernel: [usize; 2],
    /// Frames and frequencies of the input from one output to the next.
    pub stride: [usize; 2],
}

/// A convolution over frames and frequencies, with its scratch.
///
/// `y[t, f] = bias + sum_ij x[t stride_t + i - before_t, f stride_f + j - before_f] kernel[i, j]`
/// with `x` `[n_frames, n_freq, n_in]`, `y` `[ceil(n_frames / stride_t), ceil(n_freq / stride_f),
/// n_out]` and a kernel `[kernel_t, kernel_f, n_in, n_out]`; not reversed, as usual in networks.
/// Patches of the input are unfolded, some at a time, and go through a dense layer; a kernel of one
/// place that misses none is such a layer itself.
#[derive(Clone, Debug)]
pub struct Conv2d {
    config: Conv2dConfig,
    window: Window,
    /// `[chunk, patch]`
    patches: Vec<f32>,
    /// `[chunk, patch]`; empty until a gradient of the input is asked for.
    grad_patches: Vec<f32>,
}

impl Conv2d {
    /// Allocates for tensors of this geometry.
    ///
    /// # Panics
    ///
    /// If a size of the kernel or a stride is 0.
    pub fn new(config: Conv2dConfig) -> Self {
        let Conv2dConfig { size, n_in, kernel, stride, .. } = config;
        let window = Window::new(size, kernel, stride);
        let patch_len = kernel[0] * kernel[1] * n_in;
        let chunk = (SCRATCH_LEN / patch_len.max(1)).clamp(1, window.n_places().max(1));
        Self { config, window, patches: vec![0.0; chunk * patch_len], grad_patches: Vec::new() }
    }

    /// Frames and frequencies of the output.
    pub fn output_size(&self) -> [usize; 2] {
        self.window.output_size()
    }

    /// Writes the convolution of `x`, `[n_frames, n_freq, n_in]`, to `y`, `[.., .., n_out]`.
    ///
    /// # Panics
    ///
    /// If a length is not that of the geometry.
    pub fn forward(&mut self, weights: Dense<'_>, x: &[f32], y: &mut [f32]) {
        self.check_lens(weights, x.len(), y.len());
        self.forward_with(Simd::widest(), weights, x, y);
    }

    fn forward_with(&mut self, simd: Simd, weights: Dense<'_>, x: &[f32], y: &mut [f32]) {
        let Self { config: Conv2dConfig { n_in, n_out, .. }, window, patches, .. } = self;
        if window.is_one_place() {
            let n_places = window.n_places();
            let mut y = MatrixMut::new(y, n_places, *n_out);
            fill_rows(weights.bias, &mut y);
            add_linear(simd, weights.kernel, Matrix::new(x, n_places, *n_in), y);
            return;
        }
        let chunks = Patches::new(window, *n_in, patches.len());
        for (places, y) in chunks.places().zip(y.chunks_mut((chunks.n_together() * *n_out).max(1)))
        {
            let n_places = places.len();
            let patches = &mut patches[..n_places * chunks.patch_len()];
            chunks.gather(places, x, patches);
            let patches = Matrix::new(patches, n_places, chunks.patch_len());
            let mut y = MatrixMut::new(y, n_places, *n_out);
            fill_rows(weights.bias, &mut y);
            add_linear(simd, weights.kernel, patches, y);
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) into `grads` and, if
    /// given, `grad_x`.
    ///
    /// The first gradient of an input allocates its scratch.
    ///
    /// # Panics
    ///
    /// If a length is not that of the geometry.
    pub fn backward(
        &mut self,
        weights: Dense<'_>,
        x: &[f32],
        grad_y: &[f32],
        grads: DenseGradients<'_>,
        grad_x: Option<&mut [f32]>,
    ) {
        self.check_lens(weights, x.len(), grad_y.len());
        check_gradients("Conv2d", weights, &grads);
        if let Some(grad_x) = &grad_x {
            let (n_grad, n_x) = (grad_x.len(), x.len());
            assert_eq!(n_grad, n_x, "Conv2d: {n_grad} values of grad_x for {n_x} of x");
        }
        self.backward_with(Simd::widest(), weights, (x, grad_y), grads, grad_x);
    }

    fn backward_with(
        &mut self,
        simd: Simd,
        weights: Dense<'_>,
        (x, grad_y): (&[f32], &[f32]),
        grads: DenseGradients<'_>,
        mut grad_x: Option<&mut [f32]>,
    ) {
        let Self { config: Conv2dConfig { n_in, n_out, .. }, window, patches, grad_patches } = self;
        let rows = Matrix::new(grad_y, window.n_places(), *n_out);
        add_rows_with(simd, rows, grads.bias);
        if window.is_one_place() {
            let operands = (Matrix::new(x, rows.n_rows(), *n_in), rows);
            let grad_x = grad_x.map(|grad_x| MatrixMut::new(grad_x, rows.n_rows(), *n_in));
            linear_backward(simd, weights.kernel, operands, grads.kernel, grad_x);
            return;
        }
        let chunks = Patches::new(window, *n_in, patches.len());
        if grad_x.is_some() {
            grad_patches.resize(patches.len(), 0.0);
        }
        for places in chunks.places() {
            let (n_places, patch_len) = (places.len(), chunks.patch_len());
            let patches = &mut patches[..n_places * patch_len];
            chunks.gather(places.clone(), x, patches);
            let operands = (Matrix::new(patches, n_places, patch_len), rows.rows(places.clone()));
            let Some(grad_x) = &mut grad_x else {
                linear_backward(simd, weights.kernel, operands, grads.kernel, None);
                continue;
            };
            let grad_patches = &mut grad_patches[..n_places * patch_len];
            grad_patches.fill(0.0);
            let of_patches = MatrixMut::new(grad_patches, n_places, patch_len);
            linear_backward(simd, weights.kernel, operands, grads.kernel, Some(of_patches));
            chunks.scatter(places, grad_patches, grad_x);
        }
    }

    fn check_lens(&self, weights: Dense<'_>, x_len: usize, y_len: usize) {
        let Conv2dConfig { size, n_in, n_out, kernel, .. } = self.config;
        let (n_kernel, n_bias) = (weights.kernel.len(), weights.bias.len());
        assert_eq!(
            n_kernel,
            kernel[0] * kernel[1] * n_in * n_out,
            "Conv2d: a kernel of {n_kernel} values for {kernel:?} places, {n_in} inputs and {n_out} \
             outputs"
        );
        assert_eq!(n_bias, n_out, "Conv2d: {n_bias} values of bias for {n_out} outputs");
        let expected = size[0] * size[1] * n_in;
        assert_eq!(x_len, expected, "Conv2d: {x_len} values of x for {size:?} of {n_in} channels");
        let [n_frames, n_freq] = self.output_size();
        assert_eq!(
            y_len,
            n_frames * n_freq * n_out,
            "Conv2d: {y_len} values of y for [{n_frames}, {n_freq}] of {n_out} channels"
        );
    }
}
