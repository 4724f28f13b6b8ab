//! Inputs of one example, and their gradients.

use super::Glide;
use crate::FrameGrid;

/// The inputs of one example.
#[derive(Clone, Copy)]
pub(super) struct Controls<'a> {
    pub(super) f0_hz: &'a [f32],
    pub(super) amplitudes: &'a [f32],
    pub(super) harmonic_distribution: &'a [f32],
}

/// Where [`Harmonic::backward`](super::Harmonic::backward) accumulates; shapes as the inputs of the
/// same name.
#[derive(Debug)]
pub struct HarmonicGradients<'a> {
    /// With respect to `f0_hz`, `[n_frames]`; doubles the work, so `None` where it is not needed.
    pub f0_hz: Option<&'a mut [f32]>,
    /// With respect to `initial_phase`, per turn; doubles the work unless `f0_hz` does so already.
    pub initial_phase: Option<&'a mut f64>,
    /// With respect to `amplitudes`, `[n_frames]`.
    pub amplitudes: &'a mut [f32],
    /// With respect to `harmonic_distribution`, `[n_frames, n_harmonics]`.
    pub harmonic_distribution: &'a mut [f32],
}

impl Controls<'_> {
    /// Panics unless all lengths fit each other and `n_samples`.
    pub(super) fn check(self, grid: FrameGrid, n_harmonics: usize, n_samples: usize) {
        let (n_frames, hop) = (self.f0_hz.len(), grid.hop);
        let n_amplitudes = self.amplitudes.len();
        assert_eq!(n_amplitudes, n_frames, "Harmonic: {n_amplitudes} amplitudes, {n_frames} f0_hz");
        let n_distribution = self.harmonic_distribution.len();
        assert_eq!(
            n_distribution,
            n_frames * n_harmonics,
            "Harmonic: harmonic_distribution has {n_distribution} values for {n_frames} frames of \
             {n_harmonics} harmonics"
        );
        assert!(
            n_samples == n_frames * hop || n_samples + hop == n_frames * hop,
            "Harmonic: {n_samples} samples for {n_frames} frames at hop {hop}"
        );
    }

    /// f0 over the hop after frame `i`; the last frame is held.
    pub(super) fn glide(self, i: usize, sample_rate: u32) -> Glide {
        let next = (i + 1).min(self.f0_hz.len() - 1);
        let turns = |i: usize| f64::from(self.f0_hz[i]) / f64::from(sample_rate);
        Glide { start: turns(i), end: turns(next) }
    }

    /// Writes the products `a_k` of frame `i`, and what those of the next frame have more.
    pub(super) fn write_amplitudes(self, i: usize, products: &mut [f32], steps: &mut [f32]) {
        let n_harmonics = products.len();
        let next = (i + 1).min(self.f0_hz.len() - 1);
        let here = &self.harmonic_distribution[i * n_harmonics..][..n_harmonics];
        let there = &self.harmonic_distribution[next * n_harmonics..][..n_harmonics];
        let (a_here, a_there) = (self.amplitudes[i], self.amplitudes[next]);
        for k in 0..n_harmonics {
            products[k] = a_here * here[k];
            steps[k] = a_there * there[k] - a_here * here[k];
        }
    }
}

impl HarmonicGradients<'_> {
    /// Panics unless every gradient has the length of its input.
    pub(super) fn check(&self, controls: Controls<'_>) {
        let n_frames = controls.f0_hz.len();
        let n_amplitudes = self.amplitudes.len();
        assert_eq!(
            n_amplitudes, n_frames,
            "Harmonic: grad of {n_amplitudes} of {n_frames} amplitudes"
        );
        let (n_grad, n) = (self.harmonic_distribution.len(), controls.harmonic_distribution.len());
        assert_eq!(n_grad, n, "Harmonic: grad of {n_grad} of {n} harmonic_distribution values");
        if let Some(grad_f0_hz) = &self.f0_hz {
            let n_f0 = grad_f0_hz.len();
            assert_eq!(n_f0, n_frames, "Harmonic: grad of {n_f0} of {n_frames} f0_hz");
        }
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
