//! The Nyquist mask and normalisation of the distribution of stretched partials.

use super::partials::{StretchedFrame, StretchedPartials};

/// Writes to `normalized` the `harmonic_distribution` `[n_frames, n_partials]` without the partials
/// whose stretched frequency is at or beyond `sample_rate / 2`, each frame scaled to a sum of 1.
///
/// A frame of which nothing is left, or whose sum is 0, becomes 0. A partial without a frequency
/// (not a number) is cut. The same for
/// harmonics is [`normalize_harmonics`](crate::normalize_harmonics), which keeps partials that
/// stretching takes beyond the Nyquist frequency.
///
/// # Panics
///
/// If `partials` have not as many frames each, if `harmonic_distribution` is not a whole number of
/// partials for each, or if `normalized` differs from it in length.
pub fn normalize_partials(
    harmonic_distribution: &[f32],
    partials: StretchedPartials<'_>,
    sample_rate: f32,
    normalized: &mut [f32],
) {
    let (n, n_out) = (harmonic_distribution.len(), normalized.len());
    assert_eq!(n_out, n, "normalize_partials: {n_out} outputs for {n} inputs");
    let n_partials = partials_per_frame(n, partials);
    for i in 0..partials.f0_hz.len() {
        let row = i * n_partials..(i + 1) * n_partials;
        let mask = Mask::new(partials.frame(i, n_partials), sample_rate);
        let mut sum = 0.0;
        let kept = normalized[row.clone()].iter_mut().zip(&harmonic_distribution[row.clone()]);
        for (k, (y, x)) in kept.enumerate() {
            *y = if mask.keeps(k) { *x } else { 0.0 };
            sum += f64::from(*y);
        }
        let scale = inverse(sum);
        for y in &mut normalized[row] {
            *y = (f64::from(*y) * scale) as f32;
        }
    }
}

/// Accumulates into `grad_harmonic_distribution` the vector-Jacobian product of
/// [`normalize_partials`].
///
/// With `y = x / s`, `s = sum x` over the partials kept:
/// `grad x_k = (grad y_k - sum_j grad y_j y_j) / s`. The others, and frames whose sum is 0, get
/// nothing; nor do the frequencies, whose cut is held fixed.
///
/// # Panics
///
/// As [`normalize_partials`], of all three arrays.
pub fn normalize_partials_backward(
    harmonic_distribution: &[f32],
    partials: StretchedPartials<'_>,
    sample_rate: f32,
    grad_normalized: &[f32],
    grad_harmonic_distribution: &mut [f32],
) {
    let n = harmonic_distribution.len();
    let (n_out, n_grad) = (grad_normalized.len(), grad_harmonic_distribution.len());
    assert_eq!(n_out, n, "normalize_partials_backward: {n_out} output gradients for {n} inputs");
    assert_eq!(n_grad, n, "normalize_partials_backward: {n_grad} input gradients for {n} inputs");
    let n_partials = partials_per_frame(n, partials);
    for i in 0..partials.f0_hz.len() {
        let row = i * n_partials..(i + 1) * n_partials;
        let mask = Mask::new(partials.frame(i, n_partials), sample_rate);
        let grad_out = &grad_normalized[row.clone()];
        let (mut sum, mut products) = (0.0, 0.0);
        for (k, (x, g)) in harmonic_distribution[row.clone()].iter().zip(grad_out).enumerate() {
            if mask.keeps(k) {
                sum += f64::from(*x);
                products += f64::from(*x) * f64::from(*g);
            }
        }
        let scale = inverse(sum);
        let grads = grad_harmonic_distribution[row].iter_mut().zip(grad_out).enumerate();
        for (_, (grad, g)) in grads.filter(|(k, _)| mask.keeps(*k)) {
            *grad += ((f64::from(*g) - products * scale) * scale) as f32;
        }
    }
}

/// Which partials of a frame are below the Nyquist frequency.
#[derive(Clone, Copy)]
struct Mask<'a> {
    frame: StretchedFrame<'a>,
    nyquist_hz: f64,
}

impl<'a> Mask<'a> {
    fn new(frame: StretchedFrame<'a>, sample_rate: f32) -> Self {
        Self { frame, nyquist_hz: 0.5 * f64::from(sample_rate) }
    }

    /// Whether it is so for partial `k + 1`.
    fn keeps(self, k: usize) -> bool {
        self.frame.frequency(k).abs() < self.nyquist_hz
    }
}

fn partials_per_frame(n: usize, partials: StretchedPartials<'_>) -> usize {
    let n_frames = partials.f0_hz.len();
    let n_partials = n.checked_div(n_frames).unwrap_or(0);
    assert_eq!(
        n,
        n_partials * n_frames,
        "normalize_partials: {n} harmonic_distribution values for {n_frames} frames of f0_hz"
    );
    partials.check(n_partials);
    n_partials
}

/// One over a sum; 0 where that is 0, so that nothing stays nothing.
fn inverse(sum: f64) -> f64 {
    if sum == 0.0 { 0.0 } else { 1.0 / sum }
}
