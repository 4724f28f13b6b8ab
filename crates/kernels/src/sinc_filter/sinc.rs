//! The normalised sinc function.

use std::f64::consts::PI;

/// Below this, `sinc` and its derivative are summed as series, whose next terms are below 1e-10 of the
/// first; the differences that define them would lose more, and everything next to 0.
const SMALL: f64 = 0.02;

/// Overwrites `y` with `sin(pi x) / (pi x)`, 1 at 0: the samples of an ideal low-pass filter.
///
/// Exact to the rounding of the result, whole numbers give 0. For drawing and design; the responses
/// of [`SincFilter`](crate::SincFilter) take their sines from a rotation.
///
/// # Panics
///
/// If the lengths differ.
pub fn sinc(x: &[f32], y: &mut [f32]) {
    let (n, n_y) = (x.len(), y.len());
    assert_eq!(n_y, n, "sinc: {n_y} values of y for {n} of x");
    for (y, x) in y.iter_mut().zip(x) {
        let x = f64::from(*x);
        let (sine, _) = sin_cos_pi(x);
        *y = round(quotient(x, sine));
    }
}

/// Accumulates into `grad_x` the vector-Jacobian product of [`sinc`]: `dy/dx = (cos(pi x) - y) / x`.
///
/// # Panics
///
/// If the three slices differ in length.
pub fn sinc_backward(x: &[f32], grad_y: &[f32], grad_x: &mut [f32]) {
    let (n, n_y, n_x) = (x.len(), grad_y.len(), grad_x.len());
    assert_eq!(n_y, n, "sinc: {n_y} values of grad_y for {n} of x");
    assert_eq!(n_x, n, "sinc: {n_x} values of grad_x for {n} of x");
    for ((grad_x, x), grad_y) in grad_x.iter_mut().zip(x).zip(grad_y) {
        let x = f64::from(*x);
        let (sine, cosine) = sin_cos_pi(x);
        *grad_x += round(f64::from(*grad_y) * derivative(x, sine, cosine));
    }
}

/// `sin(pi x) / (pi x)`, given the sine.
#[inline(always)]
pub(super) fn quotient(x: f64, sine: f64) -> f64 {
    let square = (PI * x) * (PI * x);
    let series = 1.0 - square / 6.0 * (1.0 - square / 20.0);
    if x.abs() < SMALL { series } else { sine / (PI * x) }
}

/// The derivative of [`quotient`], given the sine and the cosine of `pi x`.
#[inline(always)]
pub(super) fn derivative(x: f64, sine: f64, cosine: f64) -> f64 {
    let square = (PI * x) * (PI * x);
    let factor = 1.0 - square / 10.0 * (1.0 - square / 28.0);
    let series = -PI * PI * x / 3.0 * factor;
    if x.abs() < SMALL { series } else { (cosine - sine / (PI * x)) / x }
}

/// Sine and cosine of `pi x`; exactly 0 and 1 at whole and even numbers.
pub(super) fn sin_cos_pi(x: f64) -> (f64, f64) {
    // All numbers from 2^53 on are even; an infinite one is taken for even too.
    let turn = if x.abs() >= 9.0e15 { 0.0 } else { x - 2.0 * (0.5 * x).round() };
    if turn.abs() == 1.0 { (0.0, -1.0) } else { (PI * turn).sin_cos() }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to f32")]
fn round(x: f64) -> f32 {
    x as f32
}
