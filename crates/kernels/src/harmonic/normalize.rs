//! The Nyquist mask and normalisation of a harmonic distribution.

/// Writes to `normalized` the `harmonic_distribution` `[n_frames, n_harmonics]` without the
/// harmonics at or above `sample_rate / 2`, each frame scaled to a sum of 1.
///
/// `f0_hz` is `[n_frames]`. A frame of which nothing is left, or whose sum is 0, becomes 0.
///
/// # Panics
///
/// If `harmonic_distribution` is not a whole number of harmonics for each frame, or `normalized`
/// differs from it in length.
pub fn normalize_harmonics(
    harmonic_distribution: &[f32],
    f0_hz: &[f32],
    sample_rate: f32,
    normalized: &mut [f32],
) {
    let (n, n_frames, n_out) = (harmonic_distribution.len(), f0_hz.len(), normalized.len());
    assert_eq!(n_out, n, "normalize_harmonics: {n_out} outputs for {n} inputs");
    let n_harmonics = harmonics_per_frame(n, n_frames);
    for (i, &f0_hz) in f0_hz.iter().enumerate() {
        let row = i * n_harmonics..(i + 1) * n_harmonics;
        let audible = audible(n_harmonics, f0_hz, sample_rate);
        let (kept, cut) = normalized[row.clone()].split_at_mut(audible);
        let distribution = &harmonic_distribution[row][..audible];
        let scale = inverse_sum(distribution);
        for (y, x) in kept.iter_mut().zip(distribution) {
            *y = x * scale;
        }
        cut.fill(0.0);
    }
}

/// Accumulates into `grad_harmonic_distribution` the vector-Jacobian product of
/// [`normalize_harmonics`].
///
/// With `y = x / s`, `s = sum x` over the harmonics kept: `grad x_k = (grad y_k - sum_j grad y_j y_j) / s`.
/// The others, and frames whose sum is 0, get nothing.
///
/// # Panics
///
/// As [`normalize_harmonics`], of all three arrays.
pub fn normalize_harmonics_backward(
    harmonic_distribution: &[f32],
    f0_hz: &[f32],
    sample_rate: f32,
    grad_normalized: &[f32],
    grad_harmonic_distribution: &mut [f32],
) {
    let (n, n_frames) = (harmonic_distribution.len(), f0_hz.len());
    let (n_out, n_grad) = (grad_normalized.len(), grad_harmonic_distribution.len());
    assert_eq!(n_out, n, "normalize_harmonics_backward: {n_out} output gradients for {n} inputs");
    assert_eq!(n_grad, n, "normalize_harmonics_backward: {n_grad} input gradients for {n} inputs");
    let n_harmonics = harmonics_per_frame(n, n_frames);
    for (i, &f0_hz) in f0_hz.iter().enumerate() {
        let audible = audible(n_harmonics, f0_hz, sample_rate);
        let row = i * n_harmonics..i * n_harmonics + audible;
        let distribution = &harmonic_distribution[row.clone()];
        let grad_out = &grad_normalized[row.clone()];
        let scale = inverse_sum(distribution);
        let mean = sum(distribution.iter().zip(grad_out).map(|(x, g)| x * scale * g));
        for (grad, g) in grad_harmonic_distribution[row].iter_mut().zip(grad_out) {
            *grad += (g - mean) * scale;
        }
    }
}

fn harmonics_per_frame(n: usize, n_frames: usize) -> usize {
    let n_harmonics = n.checked_div(n_frames).unwrap_or(0);
    assert_eq!(
        n,
        n_harmonics * n_frames,
        "normalize_harmonics: {n} harmonic_distribution values for {n_frames} frames of f0_hz"
    );
    n_harmonics
}

/// Number of harmonics of `f0_hz` below the Nyquist frequency; none for a NaN.
fn audible(n_harmonics: usize, f0_hz: f32, sample_rate: f32) -> usize {
    let nyquist = f64::from(sample_rate) / 2.0;
    let below = |k: usize| k as f64 * f64::from(f0_hz) < nyquist;
    (1..=n_harmonics).rev().find(|&k| below(k)).unwrap_or(0)
}

/// One over the sum; 0 where the sum is 0, so that nothing stays nothing.
fn inverse_sum(values: &[f32]) -> f32 {
    let sum = sum(values.iter().copied());
    if sum == 0.0 { 0.0 } else { 1.0 / sum }
}

/// Sum in f64, rounded once.
fn sum(values: impl Iterator<Item = f32>) -> f32 {
    values.map(f64::from).sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;
    use crate::gradcheck::check_vjp;

    #[test]
    fn matches_the_reference() {
        let mut golden = Golden::open("oscillators");
        let hd = golden.values("base.in.hd");
        let f0_hz = golden.values("base.in.f0");
        let expected = golden.values("normalize_harmonics.out.y");
        let mut y = vec![f32::NAN; hd.len()];
        normalize_harmonics(&hd, &f0_hz, 16_000.0, &mut y);
        // A sum of 30 terms in f32 on the other side: 30 half units in the last place at worst.
        for (i, (y, e)) in y.iter().zip(&expected).enumerate() {
            assert!((y - e).abs() <= 2e-6 * e.abs(), "[{i}]: {y}, not {e}");
        }
    }

    #[test]
    fn nothing_left_is_nothing() {
        let mut golden = Golden::open("oscillators");
        let hd = golden.values("normalize_harmonics_zero.in.hd");
        let f0_hz = golden.values("normalize_harmonics_zero.in.f0");
        let expected = golden.values("normalize_harmonics_zero.out.y");
        let mut y = vec![f32::NAN; hd.len()];
        normalize_harmonics(&hd, &f0_hz, 16_000.0, &mut y);
        for (i, (y, e)) in y.iter().zip(&expected).enumerate() {
            assert!((y - e).abs() <= 2e-6 * e.abs(), "[{i}]: {y}, not {e}");
        }
        let mut zero = [1.0; 2];
        normalize_harmonics(&[0.0; 2], &[100.0], 16_000.0, &mut zero);
        assert_eq!(zero, [0.0; 2]);
        normalize_harmonics(&[0.5; 2], &[f32::NAN], 16_000.0, &mut zero);
        assert_eq!(zero, [0.0; 2]);
    }

    #[test]
    fn the_harmonic_at_the_nyquist_frequency_is_cut() {
        let mut y = [1.0; 4];
        normalize_harmonics(&[1.0; 4], &[2000.0], 12_000.0, &mut y);
        assert_eq!(y, [0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn backward_is_the_transposed_jacobian() {
        // 3000 Hz keeps 2 of 5, 8100 Hz none, 100 Hz all.
        let f0_hz = [3000.0, 8100.0, 100.0];
        let kept = [2, 0, 5];
        let x: Vec<f32> = (0..15_u8).map(|i| 0.1 + f32::from(i % 4)).collect();
        let oracle = |x: &[f64], y: &mut [f64]| {
            for (i, kept) in kept.into_iter().enumerate() {
                let sum: f64 = x[i * 5..][..kept].iter().sum();
                for k in 0..5 {
                    y[i * 5 + k] = if k < kept { x[i * 5 + k] / sum } else { 0.0 };
                }
            }
        };
        check_vjp(&x, 15, 1e-3, oracle, |x, grad_y, grad_x| {
            normalize_harmonics_backward(x, &f0_hz, 16_000.0, grad_y, grad_x);
        });
    }
}
