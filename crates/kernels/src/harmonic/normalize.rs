//! Harmonic distributions that sum to 1, with or without the harmonics that cannot sound.

/// Writes to `normalized` the `harmonic_distribution` `[n_frames, n_harmonics]` without the
/// harmonics at or above `sample_rate / 2`, each frame scaled to a sum of 1.
///
/// `f0_hz` is `[n_frames]`. A frame of which nothing is left, or whose sum is 0, becomes 0; one whose
/// f0 is NaN becomes NaN (the reference then keeps all harmonics).
///
/// # Panics
///
/// If `harmonic_distribution` is not a whole number of harmonics for each frame, or `normalized`
/// differs from it in length.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
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
        let Some(n_audible) = count_audible(n_harmonics, f0_hz, sample_rate) else {
            normalized[row].fill(f32::NAN);
            continue;
        };
        let (kept, cut) = normalized[row.clone()].split_at_mut(n_audible);
        normalize(&harmonic_distribution[row][..n_audible], kept);
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
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
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
        let row = i * n_harmonics..(i + 1) * n_harmonics;
        let grad = &mut grad_harmonic_distribution[row.clone()];
        let Some(n_audible) = count_audible(n_harmonics, f0_hz, sample_rate) else {
            grad.fill(f32::NAN);
            continue;
        };
        let row = row.start..row.start + n_audible;
        let grad_out = &grad_normalized[row.clone()];
        normalize_backward(&harmonic_distribution[row], grad_out, &mut grad[..n_audible]);
    }
}

/// Writes to `normalized` the `harmonic_distribution` `[n_frames, n_harmonics]`, each frame scaled to
/// a sum of 1, whether its harmonics can sound or not: a harmonic above the Nyquist frequency, which
/// the synthesizer leaves out, then makes the rest quieter.
///
/// A frame whose sum is 0 becomes 0.
///
/// # Panics
///
/// If `n_harmonics` is 0, if `harmonic_distribution` is not whole frames, or if `normalized` differs
/// from it in length.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn normalize_distribution(
    harmonic_distribution: &[f32],
    n_harmonics: usize,
    normalized: &mut [f32],
) {
    check_whole_frames(harmonic_distribution.len(), n_harmonics, normalized.len());
    let rows = harmonic_distribution.chunks_exact(n_harmonics);
    for (row, normalized) in rows.zip(normalized.chunks_exact_mut(n_harmonics)) {
        normalize(row, normalized);
    }
}

/// Accumulates into `grad_harmonic_distribution` the vector-Jacobian product of
/// [`normalize_distribution`]: that of [`normalize_harmonics_backward`], all harmonics being kept.
///
/// # Panics
///
/// As [`normalize_distribution`], of all three arrays.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn normalize_distribution_backward(
    harmonic_distribution: &[f32],
    n_harmonics: usize,
    grad_normalized: &[f32],
    grad_harmonic_distribution: &mut [f32],
) {
    let n = harmonic_distribution.len();
    check_whole_frames(n, n_harmonics, grad_normalized.len());
    check_whole_frames(n, n_harmonics, grad_harmonic_distribution.len());
    let rows = harmonic_distribution.chunks_exact(n_harmonics);
    let grads = grad_normalized.chunks_exact(n_harmonics);
    let grad_rows = grad_harmonic_distribution.chunks_exact_mut(n_harmonics);
    for ((row, grad_out), grad) in rows.zip(grads).zip(grad_rows) {
        normalize_backward(row, grad_out, grad);
    }
}

fn check_whole_frames(n: usize, n_harmonics: usize, n_out: usize) {
    assert!(
        n_harmonics > 0 && n.is_multiple_of(n_harmonics),
        "normalize_distribution: {n} values are not whole frames of {n_harmonics} harmonics"
    );
    assert_eq!(n_out, n, "normalize_distribution: {n_out} outputs or gradients for {n} inputs");
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

/// Number of harmonics of `f0_hz` below the Nyquist frequency; nothing for a NaN.
pub(crate) fn count_audible(n_harmonics: usize, f0_hz: f32, sample_rate: f32) -> Option<usize> {
    let nyquist = f64::from(sample_rate) / 2.0;
    let below = |k: usize| k as f64 * f64::from(f0_hz) < nyquist;
    (!f0_hz.is_nan()).then(|| (1..=n_harmonics).rev().find(|&k| below(k)).unwrap_or(0))
}

fn normalize(values: &[f32], normalized: &mut [f32]) {
    let scale = inverse(sum(values));
    for (y, x) in normalized.iter_mut().zip(values) {
        *y = (f64::from(*x) * scale) as f32;
    }
}

fn normalize_backward(values: &[f32], grad_normalized: &[f32], grad_values: &mut [f32]) {
    let sum = sum(values);
    let scale = inverse(sum);
    let products = values.iter().zip(grad_normalized).map(|(x, g)| f64::from(*x) * f64::from(*g));
    // A quotient, so that a lone harmonic, whose output never moves, has a gradient of exactly 0.
    let mean = if sum == 0.0 { 0.0 } else { products.sum::<f64>() / sum };
    for (grad, g) in grad_values.iter_mut().zip(grad_normalized) {
        *grad += ((f64::from(*g) - mean) * scale) as f32;
    }
}

/// Sum in f64, because one over a denormal f32 is too large for f32.
pub(crate) fn sum(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum()
}

/// One over the sum; 0 where the sum is 0, so that nothing stays nothing.
pub(crate) fn inverse(sum: f64) -> f64 {
    if sum == 0.0 { 0.0 } else { 1.0 / sum }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::agreement::{Operation, Report, Tolerance};
    use crate::golden::Golden;
    use crate::testing::pseudo_random;

    const SAMPLE_RATE: f32 = 16_000.0;

    /// The definition in f64; `kept` harmonics of each frame.
    fn oracle(x: &[f64], kept: &[usize], y: &mut [f64]) {
        let n_harmonics = x.len() / kept.len();
        for (i, &kept) in kept.iter().enumerate() {
            let sum: f64 = x[i * n_harmonics..][..kept].iter().sum();
            for k in 0..n_harmonics {
                let part = if k < kept { x[i * n_harmonics + k] } else { 0.0 };
                y[i * n_harmonics + k] = if sum == 0.0 { 0.0 } else { part / sum };
            }
        }
    }

    pub(crate) fn agreement(report: &mut Report) {
        let mut golden = Golden::open("oscillators");
        let operation = report.operation("normalize_harmonics");
        // A sum of 30 terms in f32 on the other side: 30 half units in the last place at worst.
        let tolerance = Tolerance::relative(2e-6);
        for (case, inputs) in [
            ("normalize_harmonics", "base"),
            ("normalize_harmonics_zero", "normalize_harmonics_zero"),
        ] {
            let hd = golden.values(&format!("{inputs}.in.hd"));
            let f0_hz = golden.values(&format!("{inputs}.in.f0"));
            let mut y = vec![f32::NAN; hd.len()];
            normalize_harmonics(&hd, &f0_hz, SAMPLE_RATE, &mut y);
            operation.golden(&format!("oscillators/{case}"), "y", &y, tolerance);
        }
        // 3000 Hz keeps 2 of 5, 8100 Hz none, 100 Hz all.
        check_gradients(operation, &[3000.0, 8100.0, 100.0], 5, &[2, 0, 5]);
        check_gradients(operation, &[440.0], 7, &[7]);
        check_gradients(operation, &[8000.0, 7999.0], 1, &[0, 1]);

        let operation = report.operation("normalize_distribution");
        let hd = golden.values("base.in.hd");
        let mut y = vec![f32::NAN; hd.len()];
        normalize_distribution(&hd, 30, &mut y);
        operation.golden("oscillators/normalize_harmonics_plain", "y", &y, tolerance);
        for (n_frames, n_harmonics) in [(3, 5), (1, 9), (4, 1)] {
            let kept = vec![n_harmonics; n_frames];
            for x in inputs(n_frames * n_harmonics) {
                let step = 1e-4 * f64::from(x.iter().fold(0.0_f32, |m, x| m.max(x.abs())));
                let oracle = |x: &[f64], y: &mut [f64]| oracle(x, &kept, y);
                operation.gradient(
                    "harmonic_distribution",
                    &x,
                    x.len(),
                    step,
                    oracle,
                    |x, gy, gx| {
                        normalize_distribution_backward(x, n_harmonics, gy, gx);
                    },
                );
            }
        }
    }

    /// Positive values around several scales; the gradient of the smallest still fits in f32.
    fn inputs(n: usize) -> impl Iterator<Item = Vec<f32>> {
        [1.0, 1e-9, 1e9, 1e-37]
            .into_iter()
            .map(move |scale| pseudo_random(7, n).into_iter().map(|x| scale * (1.5 + x)).collect())
    }

    fn check_gradients(
        operation: &mut Operation,
        f0_hz: &[f32],
        n_harmonics: usize,
        kept: &[usize],
    ) {
        for x in inputs(f0_hz.len() * n_harmonics) {
            let step = 1e-4 * f64::from(x.iter().fold(0.0_f32, |m, x| m.max(x.abs())));
            let oracle = |x: &[f64], y: &mut [f64]| oracle(x, kept, y);
            operation.gradient("harmonic_distribution", &x, x.len(), step, oracle, |x, gy, gx| {
                normalize_harmonics_backward(x, f0_hz, SAMPLE_RATE, gy, gx);
            });
        }
    }

    #[test]
    fn it_agrees_with_the_reference_and_its_gradient() {
        agreement(&mut Report::default());
    }

    #[test]
    fn nothing_left_is_nothing() {
        let mut zero = [1.0; 2];
        normalize_harmonics(&[0.0; 2], &[100.0], SAMPLE_RATE, &mut zero);
        assert_eq!(zero, [0.0; 2]);
        normalize_distribution(&[0.0; 2], 2, &mut zero);
        assert_eq!(zero, [0.0; 2]);
        normalize_harmonics(&[0.5; 2], &[f32::INFINITY], SAMPLE_RATE, &mut zero);
        assert_eq!(zero, [0.0; 2]);
        normalize_harmonics_backward(&[0.0; 2], &[100.0], SAMPLE_RATE, &[1.0; 2], &mut zero);
        assert_eq!(zero, [0.0; 2], "no gradient where there is no direction");
    }

    #[test]
    fn a_denormal_frame_is_normalized_too() {
        let mut y = [0.0; 2];
        normalize_harmonics(&[1e-44; 2], &[100.0], SAMPLE_RATE, &mut y);
        assert_eq!(y, [0.5; 2]);
    }

    #[test]
    fn what_is_no_number_stays_so_in_its_frame() {
        let (nan, mut y) = (f32::NAN, [0.0; 6]);
        normalize_harmonics(&[nan, 1.0, 1.0, 1.0, 1.0, nan], &[1.0, nan, 5e3], SAMPLE_RATE, &mut y);
        assert!(y[..4].iter().all(|y| y.is_nan()), "{y:?}");
        assert_eq!(y[4..], [1.0, 0.0], "a NaN that is cut has no influence");
        let mut grad = [0.0; 4];
        normalize_harmonics_backward(&[1.0; 4], &[nan, 1.0], SAMPLE_RATE, &[1.0; 4], &mut grad);
        assert!(grad[..2].iter().all(|g| g.is_nan()), "{grad:?}");
        assert_eq!(grad[2..], [0.0; 2]);
    }

    #[test]
    fn the_harmonic_at_the_nyquist_frequency_is_cut() {
        let mut y = [1.0; 4];
        normalize_harmonics(&[1.0; 4], &[2000.0], 12_000.0, &mut y);
        assert_eq!(y, [0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    #[should_panic(
        expected = "normalize_distribution: 5 values are not whole frames of 2 harmonics"
    )]
    fn a_wrong_length_names_both() {
        normalize_distribution(&[0.0; 5], 2, &mut [0.0; 5]);
    }
}
