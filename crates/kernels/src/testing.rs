//! Values and comparisons that the tests of several kernels share.

use crate::resample::{linear_weight, window_weight};

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
///
/// With the roundings of TensorFlow, `a + w (b - a)`: what imitates a running f32 sum needs them.
pub(crate) fn upsample_linear(frames: &[f32], n_channels: usize, hop: usize, out: &mut [f32]) {
    upsample(frames, n_channels, hop, out, linear_weight);
}

/// [`upsample_linear`] in raised-cosine crossfades.
pub(crate) fn upsample_window(frames: &[f32], n_channels: usize, hop: usize, out: &mut [f32]) {
    upsample(frames, n_channels, hop, out, window_weight);
}

fn upsample(
    frames: &[f32],
    n_channels: usize,
    hop: usize,
    out: &mut [f32],
    next_weight: fn(usize, usize) -> f32,
) {
    assert_eq!(out.len(), frames.len() * hop, "upsample: samples for frames at hop {hop}");
    for (i, block) in out.chunks_exact_mut(n_channels * hop).enumerate() {
        let frame = &frames[i * n_channels..][..n_channels];
        let next = frames.get((i + 1) * n_channels..(i + 2) * n_channels).unwrap_or(frame);
        for (offset, sample) in block.chunks_exact_mut(n_channels).enumerate() {
            let weight = next_weight(offset, hop);
            for ((y, a), b) in sample.iter_mut().zip(frame).zip(next) {
                *y = a + weight * (b - a);
            }
        }
    }
}

/// Accumulates the transpose of [`upsample_linear`].
pub(crate) fn upsample_linear_backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
) {
    upsample_backward(grad_out, n_channels, hop, grad_frames, linear_weight);
}

/// Accumulates the transpose of [`upsample_window`].
pub(crate) fn upsample_window_backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
) {
    upsample_backward(grad_out, n_channels, hop, grad_frames, window_weight);
}

fn upsample_backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
    next_weight: fn(usize, usize) -> f32,
) {
    let last = grad_frames.len().saturating_sub(n_channels);
    for (i, block) in grad_out.chunks_exact(n_channels * hop).enumerate() {
        let frame = i * n_channels;
        let next = (frame + n_channels).min(last);
        for (offset, sample) in block.chunks_exact(n_channels).enumerate() {
            let weight = next_weight(offset, hop);
            for (channel, g) in sample.iter().enumerate() {
                grad_frames[frame + channel] += (1.0 - weight) * g;
                grad_frames[next + channel] += weight * g;
            }
        }
    }
}
