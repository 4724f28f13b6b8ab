//! The passes over rows that stand beside the product of a fully connected layer.
//!
//! How a loop is written decides whether the compiler vectorises it well, and by what factor not.
//! A pass that only maps is one flat loop: in blocks it would be vectorised across the blocks, with
//! gathers (7 times slower). A pass that sums goes block by block, each lane a sum of its own, since
//! the order of a sum is not the compiler's to change; its loops over a block are short, so that
//! they are unrolled before arrays are given registers (else 2 times slower), and read whole blocks
//! before they write one, since two slices might overlap for all it knows (2 times). The lanes are
//! added up out of line: in line, the compiler pairs the lanes of two sums and leaves the rest of
//! the registers empty (3 times).

use std::array::from_fn;

use super::{EPSILON, Fc, LEAK};
use crate::nn::lanes::{LANES, Lanes, load, store};
use crate::simd::{Kernel, mul_add, sum_lanes};
use crate::{Matrix, MatrixMut};

/// Partial sums of a row in the forward pass: two registers, since an addition takes several clock
/// cycles and the next to the same sum waits for it.
const WIDE: usize = 2 * LANES;

/// Bias, layer norm and leaky ReLU.
pub(super) struct Forward<'a> {
    pub(super) weights: Fc<'a>,
    /// `[n_rows, n_out]`: in, the product; out, normalized.
    pub(super) linear: MatrixMut<'a>,
    /// `[n_rows]`
    pub(super) inverse_std: &'a mut [f32],
    /// `[n_rows, n_out]`
    pub(super) y: MatrixMut<'a>,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let Fc { bias, gain, shift, .. } = self.weights;
        let scale = 1.0 / bias.len() as f32;
        for (row, inverse_std) in self.inverse_std.iter_mut().enumerate() {
            let x = self.linear.row_mut(row);
            let mean = scale * add_and_sum(x, bias);
            // From the centred values: a difference of mean squares would lose what is small
            // beside the mean.
            let variance = scale * sum_of_squares::<FMA>(x, mean);
            let inverse = 1.0 / (variance + EPSILON).sqrt();
            *inverse_std = inverse;
            let y = self.y.row_mut(row);
            for (((x, y), gain), shift) in x.iter_mut().zip(y).zip(gain).zip(shift) {
                let normalized = (*x - mean) * inverse;
                let linear = mul_add::<FMA>(*gain, normalized, *shift);
                *x = normalized;
                *y = if linear > 0.0 { linear } else { LEAK * linear };
            }
        }
    }
}

/// Adds `bias` to `x` and returns the sum.
#[inline(always)]
fn add_and_sum(x: &mut [f32], bias: &[f32]) -> f32 {
    let (x, x_rest) = x.as_chunks_mut::<WIDE>();
    let (bias, bias_rest) = bias.as_chunks::<WIDE>();
    let mut sums = [0.0; WIDE];
    for (x, bias) in x.iter_mut().zip(bias) {
        *x = from_fn(|i| x[i] + bias[i]);
        for i in 0..WIDE {
            sums[i] += x[i];
        }
    }
    let mut rest = 0.0;
    for (x, bias) in x_rest.iter_mut().zip(bias_rest) {
        *x += bias;
        rest += *x;
    }
    total(sums) + rest
}

/// The sum of `(x - mean)^2`.
#[inline(always)]
fn sum_of_squares<const FMA: bool>(x: &[f32], mean: f32) -> f32 {
    let (x, rest) = x.as_chunks::<WIDE>();
    let mut sums = [0.0; WIDE];
    for x in x {
        let centred: [f32; WIDE] = from_fn(|i| x[i] - mean);
        for i in 0..WIDE {
            sums[i] = mul_add::<FMA>(centred[i], centred[i], sums[i]);
        }
    }
    total(sums) + rest.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>()
}

/// The sum of all lanes.
#[inline(never)]
fn total<const N: usize>(lanes: [f32; N]) -> f32 {
    sum_lanes(lanes)
}

/// The vector-Jacobian product of [`Forward`].
pub(super) struct Backward<'a> {
    pub(super) weights: Fc<'a>,
    /// `[n_rows, n_out]`: in, normalized; out, the gradient of the product.
    pub(super) normalized: MatrixMut<'a>,
    /// `[n_rows]`
    pub(super) inverse_std: &'a [f32],
    /// `[n_rows, n_out]`
    pub(super) grad_y: Matrix<'a>,
    /// `[n_out]`
    pub(super) grad_bias: &'a mut [f32],
    /// `[n_out]`
    pub(super) grad_gain: &'a mut [f32],
    /// `[n_out]`
    pub(super) grad_shift: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let Fc { gain, shift, .. } = self.weights;
        let scale = 1.0 / gain.len() as f32;
        for (row, &inverse_std) in self.inverse_std.iter().enumerate() {
            let normalized = self.normalized.row_mut(row);
            let grad_y = self.grad_y.row(row);
            let grads = [&mut *self.grad_gain, &mut *self.grad_shift];
            let [sum, product] = row_sums::<FMA>(self.weights, normalized, grad_y, grads);
            let (mean, slope) = (scale * sum, scale * product);
            let streams = normalized.iter_mut().zip(grad_y).zip(gain).zip(shift);
            for ((((n, grad_y), gain), shift), grad_bias) in streams.zip(&mut *self.grad_bias) {
                let linear = mul_add::<FMA>(*gain, *n, *shift);
                let g = if linear > 0.0 { 1.0 } else { LEAK } * grad_y;
                let centred = mul_add::<FMA>(*gain, g, -mean);
                let grad = inverse_std * mul_add::<FMA>(-slope, *n, centred);
                *n = grad;
                *grad_bias += grad;
            }
        }
    }
}

/// Accumulates the gradients of gain and shift, `grads`, from one row; returns the sums of `h` and
/// of `h * normalized`, `h` being the gradient of the normalized row.
#[inline(always)]
fn row_sums<const FMA: bool>(
    weights: Fc<'_>,
    normalized: &[f32],
    grad_y: &[f32],
    grads: [&mut [f32]; 2],
) -> [f32; 2] {
    let [(n, n_rest), (grad_y, grad_y_rest), (gain, gain_rest), (shift, shift_rest)] =
        [normalized, grad_y, weights.gain, weights.shift].map(<[f32]>::as_chunks::<LANES>);
    let [(gains, gains_rest), (shifts, shifts_rest)] = grads.map(<[f32]>::as_chunks_mut::<LANES>);
    let mut sums = [[0.0; LANES]; 2];
    let inputs = n.iter().zip(grad_y).zip(gain).zip(shift);
    for ((((n, grad_y), gain), shift), (gains, shifts)) in inputs.zip(gains.iter_mut().zip(shifts))
    {
        add_terms::<FMA>([n, grad_y, gain, shift], gains, shifts, &mut sums);
    }
    if !n_rest.is_empty() {
        let [n, grad_y, gain, shift, mut gains, mut shifts] =
            [n_rest, grad_y_rest, gain_rest, shift_rest, gains_rest, shifts_rest].map(load);
        add_terms::<FMA>([&n, &grad_y, &gain, &shift], &mut gains, &mut shifts, &mut sums);
        store(&gains, gains_rest);
        store(&shifts, shifts_rest);
    }
    [total(sums[0]), total(sums[1])]
}

/// The terms of one block of columns; `inputs` are normalized, grad_y, gain and shift.
#[inline(always)]
fn add_terms<const FMA: bool>(
    inputs: [&Lanes; 4],
    gains: &mut Lanes,
    shifts: &mut Lanes,
    sums: &mut [Lanes; 2],
) {
    let [n, grad_y, gain, shift] = inputs;
    // 1. The side of the leaky ReLU is known from its argument's sign.
    let linear: Lanes = from_fn(|i| mul_add::<FMA>(gain[i], n[i], shift[i]));
    let slope: Lanes = from_fn(|i| if linear[i] > 0.0 { 1.0 } else { LEAK });
    let g: Lanes = from_fn(|i| slope[i] * grad_y[i]);
    // 2. The argument is gain * n + shift.
    let h: Lanes = from_fn(|i| gain[i] * g[i]);
    *gains = from_fn(|i| mul_add::<FMA>(g[i], n[i], gains[i]));
    *shifts = from_fn(|i| shifts[i] + g[i]);
    // 3. What mean and variance pass on to every column.
    for i in 0..LANES {
        sums[0][i] += h[i];
    }
    for i in 0..LANES {
        sums[1][i] = mul_add::<FMA>(h[i], n[i], sums[1][i]);
    }
}
