//! Inputs of one example, and their gradients.

use super::HarmonicGradients;

/// The inputs of one example, checked.
#[derive(Clone, Copy)]
pub(super) struct Controls<'a> {
    pub(super) f0_hz: &'a [f32],
    pub(super) amplitudes: &'a [f32],
    pub(super) harmonic_distribution: &'a [f32],
}

/// Panics unless every gradient has the length of its input.
pub(super) fn check_gradients(controls: Controls<'_>, grads: &HarmonicGradients<'_>) {
    let n_frames = controls.f0_hz.len();
    let n_amplitudes = grads.amplitudes.len();
    assert_eq!(n_amplitudes, n_frames, "Harmonic: grad of {n_amplitudes} of {n_frames} amplitudes");
    let (n_grad, n) = (grads.harmonic_distribution.len(), controls.harmonic_distribution.len());
    assert_eq!(n_grad, n, "Harmonic: grad of {n_grad} of {n} harmonic_distribution values");
    if let Some(grad_f0_hz) = &grads.f0_hz {
        let n_f0 = grad_f0_hz.len();
        assert_eq!(n_f0, n_frames, "Harmonic: grad of {n_f0} of {n_frames} f0_hz");
    }
}

/// From the gradient of the products `a_k` of frame `i` (first in `grad_products`) to those of
/// their factors.
pub(super) fn finish_frame(
    controls: Controls<'_>,
    i: usize,
    grad_products: &[f32],
    grads: &mut HarmonicGradients<'_>,
) {
    let n_harmonics = controls.harmonic_distribution.len() / controls.f0_hz.len();
    let row = i * n_harmonics..(i + 1) * n_harmonics;
    let distribution = &controls.harmonic_distribution[row.clone()];
    let sum: f64 =
        distribution.iter().zip(grad_products).map(|(d, g)| f64::from(*d) * f64::from(*g)).sum();
    grads.amplitudes[i] += sum as f32;
    for (grad, g) in grads.harmonic_distribution[row].iter_mut().zip(grad_products) {
        *grad += controls.amplitudes[i] * g;
    }
}
