//! Values and comparisons that the tests of several kernels share.

use crate::{Endpoint, Interpolation, Resample};

/// `len` values in `[-1, 1)` that depend on nothing but `seed`.
pub(crate) fn pseudo_random(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = u16::try_from(state >> 48).expect("16 bits remain");
        f32::from(bits) / 32_768.0 - 1.0
    })
    .take(len)
    .collect()
}

/// The same values, for an `f64` oracle.
#[allow(dead_code, reason = "for the oracles of operations to come")]
pub(crate) fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Asserts that all values agree with `expected` to `tolerance`, absolute.
pub(crate) fn assert_close(what: &str, actual: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*a) - e).abs() <= tolerance,
            "{what}[{i}]: {a} != {e}, tolerance {tolerance:e}"
        );
    }
}

/// Writes `frames` `[n_frames, n_channels]` to `out` at `hop` samples a frame, in straight lines.
pub(crate) fn upsample_linear(frames: &[f32], n_channels: usize, hop: usize, out: &mut [f32]) {
    plan(frames.len() / n_channels, hop, Interpolation::Linear).forward(frames, n_channels, out);
}

/// Accumulates the transpose of [`upsample_linear`].
pub(crate) fn upsample_linear_backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
) {
    let plan = plan(grad_frames.len() / n_channels, hop, Interpolation::Linear);
    plan.backward(grad_out, n_channels, grad_frames);
}

/// [`upsample_linear`] in raised-cosine crossfades.
pub(crate) fn upsample_window(frames: &[f32], n_channels: usize, hop: usize, out: &mut [f32]) {
    plan(frames.len() / n_channels, hop, Interpolation::Window).forward(frames, n_channels, out);
}

/// Accumulates the transpose of [`upsample_window`].
pub(crate) fn upsample_window_backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
) {
    let plan = plan(grad_frames.len() / n_channels, hop, Interpolation::Window);
    plan.backward(grad_out, n_channels, grad_frames);
}

fn plan(n_frames: usize, hop: usize, interpolation: Interpolation) -> Resample {
    Resample::new(n_frames, n_frames * hop, interpolation, Endpoint::Held)
}
