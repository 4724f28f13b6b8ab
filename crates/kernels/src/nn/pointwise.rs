//! Maps of single values between layers.

#[cfg(test)]
pub(crate) mod tests;

use super::activation::{sigmoid, tanh};
use crate::simd::{Kernel, Simd, mul_add};

/// Slope of the leaky ReLU below zero, as in TensorFlow.
const LEAK: f32 = 0.2;

/// A map of single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`; its slope at 0 is 0.
    Relu,
    /// `x` above zero and `0.2 x` below; its slope at 0 is 0.2.
    LeakyRelu,
    /// `1 / (1 + e^-x)`, within 1.2e-7.
    Sigmoid,
    /// `tanh(x)`, within 1.8e-7 (absolute, near zero too).
    Tanh,
}

impl Activation {
    /// Writes the map of `x` to `y`; both have the same length.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If `x.len() != y.len()`.
    pub fn forward(self, x: &[f32], y: &mut [f32]) {
        check_len("y", y.len(), x.len());
        self.forward_with(Simd::widest(), x, y);
    }

    fn forward_with(self, simd: Simd, x: &[f32], y: &mut [f32]) {
        simd.run(Forward { activation: self, x, y });
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If the three slices differ in length.
    pub fn backward(self, x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        check_len("grad_y", grad_y.len(), x.len());
        check_len("grad_x", grad_x.len(), x.len());
        self.backward_with(Simd::widest(), x, grad_y, grad_x);
    }

    fn backward_with(self, simd: Simd, x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
        simd.run(Backward { activation: self, x, grad_y, grad_x });
    }
}

struct Forward<'a> {
    activation: Activation,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { activation, x, y } = self;
        match activation {
            // Comparisons are so that NaN stays.
            Activation::Relu => map(x, y, |x| if x < 0.0 { 0.0 } else { x }),
            Activation::LeakyRelu => map(x, y, |x| if x > 0.0 { x } else { LEAK * x }),
            Activation::Sigmoid => map(x, y, sigmoid::<FMA>),
            Activation::Tanh => map(x, y, tanh::<FMA>),
        }
    }
}

#[inline(always)]
fn map(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
}

struct Backward<'a> {
    activation: Activation,
    x: &'a [f32],
    grad_y: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Self { activation, x, grad_y, grad_x } = self;
        let grads = grad_y.iter().zip(grad_x);
        match activation {
            // Of a NaN there is no slope: its gradient must not look like a number.
            Activation::Relu => add(x, grads, |x| {
                let below = if x <= 0.0 { 0.0 } else { x };
                if x > 0.0 { 1.0 } else { below }
            }),
            Activation::LeakyRelu => add(x, grads, |x| if x > 0.0 { 1.0 } else { LEAK }),
            Activation::Sigmoid => add(x, grads, |x| {
                let y = sigmoid::<FMA>(x);
                y * (1.0 - y)
            }),
            Activation::Tanh => add(x, grads, |x| {
                let y = tanh::<FMA>(x);
                mul_add::<FMA>(-y, y, 1.0)
            }),
        }
    }
}

/// Adds `slope(x) * grad_y` to `grad_x`.
#[inline(always)]
fn add<'a>(
    x: &[f32],
    grads: impl Iterator<Item = (&'a f32, &'a mut f32)>,
    slope: impl Fn(f32) -> f32,
) {
    x.iter().zip(grads).for_each(|(&x, (grad_y, grad_x))| *grad_x += slope(x) * grad_y);
}

/// Writes `scale * x + shift` to `y`, for each value alone: a condition of what was normalized.
///
/// # Realtime Safety
///
/// Does not allocate, lock or do I/O.
///
/// # Panics
///
/// If the four slices differ in length.
pub fn scale_and_shift(x: &[f32], scale: &[f32], shift: &[f32], y: &mut [f32]) {
    check_len("scale", scale.len(), x.len());
    check_len("shift", shift.len(), x.len());
    check_len("y", y.len(), x.len());
    for (((y, x), scale), shift) in y.iter_mut().zip(x).zip(scale).zip(shift) {
        *y = scale * x + shift;
    }
}

/// Accumulates the vector-Jacobian product of [`scale_and_shift`] into `[grad_x, grad_scale,
/// grad_shift]`.
///
/// # Realtime Safety
///
/// Does not allocate, lock or do I/O.
///
/// # Panics
///
/// If the slices differ in length.
pub fn scale_and_shift_backward(x: &[f32], scale: &[f32], grad_y: &[f32], grads: [&mut [f32]; 3]) {
    let [grad_x, grad_scale, grad_shift] = grads;
    for (name, len) in [
        ("scale", scale.len()),
        ("grad_y", grad_y.len()),
        ("grad_x", grad_x.len()),
        ("grad_scale", grad_scale.len()),
        ("grad_shift", grad_shift.len()),
    ] {
        check_len(name, len, x.len());
    }
    for (i, grad_y) in grad_y.iter().enumerate() {
        grad_x[i] += scale[i] * grad_y;
        grad_scale[i] += x[i] * grad_y;
        grad_shift[i] += grad_y;
    }
}

fn check_len(name: &str, len: usize, n: usize) {
    assert_eq!(len, n, "pointwise: {len} values of {name} for {n} of x");
}
