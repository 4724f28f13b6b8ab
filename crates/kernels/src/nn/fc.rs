//! The fully connected layer: dense, layer norm and leaky ReLU in one operation.
//!
//! `Fc` of DDSP (Engel et al. 2020). Beside its product the layer takes one pass over the rows
//! forward and one backward, both while a chunk of rows is in cache.

mod rows;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;

use self::rows::{Backward, Forward};
use super::dense::{check_grad_x, linear, linear_backward};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

/// Added to the variance before the root, as keras does.
const EPSILON: f32 = 1e-3;

/// Slope of the leaky ReLU below zero, as in TensorFlow.
const LEAK: f32 = 0.2;

/// Rows that are multiplied, then normalized: few enough that they are still in the second-level
/// cache, enough that the product pays for packing the kernel anew.
const CHUNK: usize = 512;

/// Weights of a fully connected layer.
#[derive(Clone, Copy, Debug)]
pub struct Fc<'a> {
    /// `[n_in, n_out]`
    pub kernel: &'a [f32],
    /// `[n_out]`
    pub bias: &'a [f32],
    /// `[n_out]`: factor of the normalized values.
    pub gain: &'a [f32],
    /// `[n_out]`: added to them then.
    pub shift: &'a [f32],
}

/// Gradients of [`Fc`], of the same shapes.
#[derive(Debug)]
pub struct FcGradients<'a> {
    /// `[n_in, n_out]`
    pub kernel: &'a mut [f32],
    /// `[n_out]`
    pub bias: &'a mut [f32],
    /// `[n_out]`
    pub gain: &'a mut [f32],
    /// `[n_out]`
    pub shift: &'a mut [f32],
}

/// What the backward pass of a layer needs to know of the forward pass.
#[derive(Debug)]
pub struct FcCache<'a> {
    /// `[n_rows, n_out]`: the rows at mean 0 and variance 1.
    pub normalized: MatrixMut<'a>,
    /// `[n_rows]`: `1 / sqrt(variance + 1e-3)`.
    pub inverse_std: &'a mut [f32],
}

/// Writes `leaky_relu(gain * n + shift)` to `y`, `n` being the rows of `x kernel + bias` at mean 0 and
/// variance 1.
///
/// With `l = x kernel + bias`, `[n_rows, n_out]`, and mean and variance over the columns of a row,
/// `n = (l - mean) / sqrt(variance + 1e-3)`; the slope below zero, and at it, is 0.2. `x` is `[n_rows, n_in]` and
/// `y` `[n_rows, n_out]`. For the backward pass `cache` is filled.
///
/// # Realtime Safety
///
/// For up to 4 rows nothing is allocated.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn fc(weights: Fc<'_>, x: Matrix<'_>, cache: FcCache<'_>, y: MatrixMut<'_>) {
    check_shapes(weights, x, &cache, y.as_ref());
    forward(Simd::widest(), weights, x, cache, y);
}

fn forward(
    simd: Simd,
    weights: Fc<'_>,
    x: Matrix<'_>,
    mut cache: FcCache<'_>,
    mut y: MatrixMut<'_>,
) {
    for rows in chunks(x.n_rows()) {
        let mut product = cache.normalized.reborrow().rows(rows.clone());
        linear(simd, weights.kernel, x.rows(rows.clone()), product.reborrow());
        let inverse_std = &mut cache.inverse_std[rows.clone()];
        let y = y.reborrow().rows(rows);
        simd.run(Forward { weights, linear: product, inverse_std, y });
    }
}

/// Accumulates the vector-Jacobian product of [`fc`] into `grads` and, if given, `grad_x`.
///
/// `cache` is what `fc` left and is used up: the gradient of the product takes the place of the
/// normalized rows. With `g` the gradient before the leaky ReLU and `h = g * gain`, that gradient is
/// `inverse_std * (h - mean(h) - n * mean(h * n))` for each row. It goes on into kernel, bias and `x`
/// as in a [`Dense`](super::Dense) layer.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn fc_backward(
    weights: Fc<'_>,
    x: Matrix<'_>,
    cache: FcCache<'_>,
    grad_y: Matrix<'_>,
    grads: FcGradients<'_>,
    grad_x: Option<MatrixMut<'_>>,
) {
    check_shapes(weights, x, &cache, grad_y);
    check_gradients(weights, x, &grads, grad_x.as_ref());
    backward(Simd::widest(), Pass { weights, x, cache, grad_y }, grads, grad_x);
}

/// What the backward pass reads, and uses up.
struct Pass<'a> {
    weights: Fc<'a>,
    x: Matrix<'a>,
    cache: FcCache<'a>,
    grad_y: Matrix<'a>,
}

fn backward(simd: Simd, pass: Pass<'_>, grads: FcGradients<'_>, mut grad_x: Option<MatrixMut<'_>>) {
    let Pass { weights, x, mut cache, grad_y } = pass;
    for rows in chunks(x.n_rows()) {
        let mut normalized = cache.normalized.reborrow().rows(rows.clone());
        simd.run(Backward {
            weights,
            normalized: normalized.reborrow(),
            inverse_std: &cache.inverse_std[rows.clone()],
            grad_y: grad_y.rows(rows.clone()),
            grad_bias: grads.bias,
            grad_gain: grads.gain,
            grad_shift: grads.shift,
        });
        let grad_x = grad_x.as_mut().map(|grad_x| grad_x.reborrow().rows(rows.clone()));
        let operands = (x.rows(rows), normalized.as_ref());
        linear_backward(simd, weights.kernel, operands, grads.kernel, grad_x);
    }
}

/// Ranges of at most [`CHUNK`] rows that make up `n_rows`.
fn chunks(n_rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n_rows).step_by(CHUNK).map(move |start| start..(start + CHUNK).min(n_rows))
}

fn check_shapes(weights: Fc<'_>, x: Matrix<'_>, cache: &FcCache<'_>, y: Matrix<'_>) {
    let (n_rows, n_in, n_out) = (x.n_rows(), x.n_columns(), weights.bias.len());
    let (len, n_normalized) = (weights.kernel.len(), cache.normalized.n_columns());
    assert_eq!(
        len,
        n_in * n_out,
        "Fc: a kernel of {len} values for {n_in} inputs and {n_out} outputs"
    );
    for (name, len) in [
        ("gain", weights.gain.len()),
        ("shift", weights.shift.len()),
        ("columns of normalized", n_normalized),
        ("columns of y", y.n_columns()),
    ] {
        assert_eq!(len, n_out, "Fc: {len} {name} for {n_out} outputs");
    }
    for (name, len) in [
        ("normalized", cache.normalized.n_rows()),
        ("inverse_std", cache.inverse_std.len()),
        ("y", y.n_rows()),
    ] {
        assert_eq!(len, n_rows, "Fc: {len} rows of {name} for {n_rows} of x");
    }
}

fn check_gradients(
    weights: Fc<'_>,
    x: Matrix<'_>,
    grads: &FcGradients<'_>,
    grad_x: Option<&MatrixMut<'_>>,
) {
    for (name, len, expected) in [
        ("kernel", grads.kernel.len(), weights.kernel.len()),
        ("bias", grads.bias.len(), weights.bias.len()),
        ("gain", grads.gain.len(), weights.gain.len()),
        ("shift", grads.shift.len(), weights.shift.len()),
    ] {
        assert_eq!(len, expected, "Fc: {len} values of grad_{name} for {expected} of {name}");
    }
    if let Some(grad_x) = grad_x {
        check_grad_x("Fc", x, grad_x);
    }
}
