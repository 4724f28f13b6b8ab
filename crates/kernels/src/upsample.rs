//! Controls from the frame rate to the sample rate.
//!
//! Frame `i` is reached at sample `i * hop`; the last frame is held for its whole hop (the
//! reference's `resample` with `add_endpoint=True`). These write every sample of every channel and
//! are for small controls and for tests: the synthesizers interpolate inside their own loops.

use std::f64::consts::PI;

/// Writes `frames` `[n_frames, n_channels]` to `out` `[n_frames * hop, n_channels]`, in straight
/// lines from frame to frame.
///
/// # Panics
///
/// If `hop` or `n_channels` is 0, if `frames` is not a whole number of frames, or if `out` is not
/// `hop` times as long as `frames`.
pub fn upsample_linear(frames: &[f32], n_channels: usize, hop: usize, out: &mut [f32]) {
    forward(frames, n_channels, hop, out, linear_weight);
}

/// Accumulates into `grad_frames` the transpose of [`upsample_linear`].
///
/// # Panics
///
/// As [`upsample_linear`], of `grad_frames` and `grad_out`.
pub fn upsample_linear_backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
) {
    backward(grad_out, n_channels, hop, grad_frames, linear_weight);
}

/// Writes `frames` `[n_frames, n_channels]` to `out` `[n_frames * hop, n_channels]`, each frame
/// weighted by a Hann window of `2 * hop` around it: a raised-cosine crossfade.
///
/// # Panics
///
/// As [`upsample_linear`].
pub fn upsample_window(frames: &[f32], n_channels: usize, hop: usize, out: &mut [f32]) {
    forward(frames, n_channels, hop, out, window_weight);
}

/// Accumulates into `grad_frames` the transpose of [`upsample_window`].
///
/// # Panics
///
/// As [`upsample_linear`], of `grad_frames` and `grad_out`.
pub fn upsample_window_backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
) {
    backward(grad_out, n_channels, hop, grad_frames, window_weight);
}

/// Weight of the next frame, `offset` samples after the present one: a straight line.
pub(crate) fn linear_weight(offset: usize, hop: usize) -> f32 {
    offset as f32 / hop as f32
}

/// Weight of the next frame, `offset` samples after the present one: half a period of a cosine.
pub(crate) fn window_weight(offset: usize, hop: usize) -> f32 {
    let weight = 0.5 - 0.5 * (PI * offset as f64 / hop as f64).cos();
    #[expect(clippy::cast_possible_truncation, reason = "rounds a weight in [0, 1] to f32")]
    {
        weight as f32
    }
}

fn forward(
    frames: &[f32],
    n_channels: usize,
    hop: usize,
    out: &mut [f32],
    next_weight: fn(usize, usize) -> f32,
) {
    check_lengths(frames.len(), n_channels, hop, out.len());
    for (i, block) in out.chunks_exact_mut(n_channels * hop).enumerate() {
        let frame = &frames[i * n_channels..][..n_channels];
        // The last frame is its own successor, that is, held.
        let next = frames.get((i + 1) * n_channels..(i + 2) * n_channels).unwrap_or(frame);
        for (offset, sample) in block.chunks_exact_mut(n_channels).enumerate() {
            let weight = next_weight(offset, hop);
            for ((y, a), b) in sample.iter_mut().zip(frame).zip(next) {
                *y = a + weight * (b - a);
            }
        }
    }
}

fn backward(
    grad_out: &[f32],
    n_channels: usize,
    hop: usize,
    grad_frames: &mut [f32],
    next_weight: fn(usize, usize) -> f32,
) {
    check_lengths(grad_frames.len(), n_channels, hop, grad_out.len());
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

fn check_lengths(frames: usize, n_channels: usize, hop: usize, out: usize) {
    assert!(n_channels > 0 && hop > 0, "upsample: {n_channels} channels, hop {hop}");
    assert_eq!(
        frames % n_channels,
        0,
        "upsample: {frames} values are not whole frames of {n_channels} channels"
    );
    assert_eq!(out, frames * hop, "upsample: {out} samples for {frames} frame values at hop {hop}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;
    use crate::gradcheck::check_vjp;

    /// Compares with `resample.npz`; a batch of `n_frames` frames at a time.
    fn check_golden(case: &str, input: &str, f: impl Fn(&[f32], usize, usize, &mut [f32])) {
        let mut golden = Golden::open("resample");
        let (x, x_shape) = golden.array(&format!("{input}.in.x"));
        let (y, y_shape) = golden.array(&format!("{case}.out.y"));
        let hop = y_shape[1] / x_shape[1];
        let mut out = vec![f32::NAN; y.len()];
        for (x, out) in x.chunks(x_shape[1] * x_shape[2]).zip(out.chunks_mut(y.len() / x_shape[0]))
        {
            f(x, x_shape[2], hop, out);
        }
        // Weights and blend round at 2^-24 each, of values up to 3.
        for (i, (got, y)) in out.iter().zip(&y).enumerate() {
            assert!((got - y).abs() <= 1e-6, "{case}[{i}]: {got}, not {y}");
        }
    }

    #[test]
    fn linear_matches_the_reference() {
        check_golden("f10_linear_80_ep", "f10", upsample_linear);
        check_golden("f25_linear_200_ep", "f25", upsample_linear);
    }

    #[test]
    fn window_matches_the_reference() {
        check_golden("f10_window_80_ep", "f10", upsample_window);
        check_golden("f10_window_50_ep", "f10", upsample_window);
    }

    #[test]
    fn backward_is_the_transpose() {
        let x: Vec<f32> = (0..12_u8).map(|i| f32::from(i % 5) - 2.0).collect();
        let oracle = |weight: fn(usize, usize) -> f32| {
            move |x: &[f64], y: &mut [f64]| {
                for (n, y) in y.chunks_mut(3).enumerate() {
                    let (i, u) = (n / 5, f64::from(weight(n % 5, 5)));
                    for (c, y) in y.iter_mut().enumerate() {
                        *y = (1.0 - u) * x[i * 3 + c] + u * x[(i + 1).min(3) * 3 + c];
                    }
                }
            }
        };
        check_vjp(&x, 60, 1e-2, oracle(linear_weight), |_, g, out| {
            upsample_linear_backward(g, 3, 5, out);
        });
        check_vjp(&x, 60, 1e-2, oracle(window_weight), |_, g, out| {
            upsample_window_backward(g, 3, 5, out);
        });
    }

    #[test]
    #[should_panic(expected = "31 samples for 10 frame values at hop 3")]
    fn a_wrong_length_names_both() {
        upsample_linear(&[0.0; 10], 1, 3, &mut [0.0; 31]);
    }
}
