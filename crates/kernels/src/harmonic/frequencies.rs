//! Frequencies of harmonics, and the cut at the Nyquist frequency.

/// Writes to `frequencies_hz` `[n_frames, n_harmonics]` the multiples `1..=n_harmonics` of each
/// `f0_hz` `[n_frames]`.
///
/// # Panics
///
/// If `frequencies_hz` does not hold `n_harmonics` values for each frame.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn harmonic_frequencies(f0_hz: &[f32], n_harmonics: usize, frequencies_hz: &mut [f32]) {
    check_frequencies(f0_hz.len(), n_harmonics, frequencies_hz.len());
    if n_harmonics == 0 {
        return;
    }
    for (row, f0_hz) in frequencies_hz.chunks_exact_mut(n_harmonics).zip(f0_hz) {
        for (k, hz) in row.iter_mut().enumerate() {
            *hz = (k + 1) as f32 * f0_hz;
        }
    }
}

/// Accumulates into `grad_f0_hz` the vector-Jacobian product of [`harmonic_frequencies`]:
/// `sum_k k grad_frequencies_hz[k]`.
///
/// # Panics
///
/// As [`harmonic_frequencies`], of the gradients.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn harmonic_frequencies_backward(
    n_harmonics: usize,
    grad_frequencies_hz: &[f32],
    grad_f0_hz: &mut [f32],
) {
    check_frequencies(grad_f0_hz.len(), n_harmonics, grad_frequencies_hz.len());
    if n_harmonics == 0 {
        return;
    }
    for (row, grad) in grad_frequencies_hz.chunks_exact(n_harmonics).zip(grad_f0_hz) {
        *grad += sum_of_multiples(row);
    }
}

/// `sum_k k grad_frequencies_hz[k]` of one frame.
pub(crate) fn sum_of_multiples(grad_frequencies_hz: &[f32]) -> f32 {
    let products = grad_frequencies_hz.iter().enumerate();
    products.map(|(k, grad)| (k + 1) as f64 * f64::from(*grad)).sum::<f64>() as f32
}

fn check_frequencies(n_frames: usize, n_harmonics: usize, n: usize) {
    assert_eq!(
        n,
        n_frames * n_harmonics,
        "harmonic_frequencies: {n} values for {n_frames} frames of {n_harmonics} harmonics"
    );
}

/// Writes to `audible` the `amplitudes` whose frequency is below `sample_rate / 2`, and 0 for the
/// others; all three are of the same length and any shape.
///
/// An amplitude whose frequency is NaN becomes NaN (the reference keeps it).
///
/// # Panics
///
/// If the lengths differ.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn remove_above_nyquist(
    amplitudes: &[f32],
    frequencies_hz: &[f32],
    sample_rate: f32,
    audible: &mut [f32],
) {
    check_cut(amplitudes.len(), frequencies_hz.len(), audible.len());
    let nyquist_hz = sample_rate / 2.0;
    for ((y, x), hz) in audible.iter_mut().zip(amplitudes).zip(frequencies_hz) {
        *y = below_nyquist(*x, *hz, nyquist_hz);
    }
}

/// Accumulates into `grad_amplitudes` the vector-Jacobian product of [`remove_above_nyquist`]: what
/// is removed gets nothing, and the frequencies have no gradient.
///
/// # Panics
///
/// If the lengths differ.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn remove_above_nyquist_backward(
    frequencies_hz: &[f32],
    sample_rate: f32,
    grad_audible: &[f32],
    grad_amplitudes: &mut [f32],
) {
    check_cut(grad_amplitudes.len(), frequencies_hz.len(), grad_audible.len());
    let nyquist_hz = sample_rate / 2.0;
    for ((grad, g), hz) in grad_amplitudes.iter_mut().zip(grad_audible).zip(frequencies_hz) {
        *grad += below_nyquist(*g, *hz, nyquist_hz);
    }
}

/// `value` if `frequency_hz` is below `nyquist_hz`, 0 if it is not, NaN if nobody knows.
#[inline(always)]
pub(crate) fn below_nyquist(value: f32, frequency_hz: f32, nyquist_hz: f32) -> f32 {
    let unknown = if frequency_hz >= nyquist_hz { 0.0 } else { f32::NAN };
    if frequency_hz < nyquist_hz { value } else { unknown }
}

fn check_cut(n: usize, n_frequencies: usize, n_audible: usize) {
    assert_eq!(
        n_frequencies, n,
        "remove_above_nyquist: {n_frequencies} frequencies for {n} amplitudes"
    );
    assert_eq!(n_audible, n, "remove_above_nyquist: {n_audible} outputs for {n} amplitudes");
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::agreement::{Report, Tolerance};
    use crate::golden::Golden;
    use crate::testing::pseudo_random;

    pub(crate) fn agreement(report: &mut Report) {
        let mut golden = Golden::open("oscillators");
        let (f0_hz, hd) = (golden.values("base.in.f0"), golden.values("base.in.hd"));
        let mut frequencies_hz = vec![f32::NAN; hd.len()];
        harmonic_frequencies(&f0_hz, 30, &mut frequencies_hz);
        // One product, the same on both sides; and values that are kept or not.
        let exact = Tolerance::absolute(0.0);
        let operation = report.operation("harmonic_frequencies");
        operation.golden("oscillators/get_harmonic_frequencies", "y", &frequencies_hz, exact);
        for (f0_hz, n_harmonics) in
            [(&[110.0, 0.0, 9e3, -1e-39][..], 5), (&[1e9, 1e-9], 1), (&[3.0], 100)]
        {
            let reference = |x: &[f64], y: &mut [f64]| {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = x[i / n_harmonics] * (i % n_harmonics + 1) as f64;
                }
            };
            let n = f0_hz.len() * n_harmonics;
            operation.gradient("f0_hz", f0_hz, n, 1.0, reference, |_, grad, grad_f0_hz| {
                harmonic_frequencies_backward(n_harmonics, grad, grad_f0_hz);
            });
        }

        let operation = report.operation("remove_above_nyquist");
        let mut audible = vec![f32::NAN; hd.len()];
        remove_above_nyquist(&hd, &frequencies_hz, 16_000.0, &mut audible);
        operation.golden("oscillators/remove_above_nyquist", "y", &audible, exact);
        let frequencies_hz = [0.0, 7999.9, 8000.0, 8000.1, -9000.0, 1e30];
        for scale in [1.0, 0.0, 1e-40, 1e9] {
            let x: Vec<f32> = pseudo_random(1, 6).into_iter().map(|x| scale * x).collect();
            let reference = |x: &[f64], y: &mut [f64]| {
                for ((y, x), hz) in y.iter_mut().zip(x).zip(frequencies_hz) {
                    *y = if hz < 8000.0 { *x } else { 0.0 };
                }
            };
            operation.gradient("amplitudes", &x, 6, 1.0, reference, |_, grad_y, grad_x| {
                remove_above_nyquist_backward(&frequencies_hz, 16_000.0, grad_y, grad_x);
            });
        }
    }

    #[test]
    fn what_is_no_number_stays_so_unless_it_is_removed() {
        let mut y = [0.0; 4];
        let x = [f32::NAN, f32::NAN, 1.0, f32::INFINITY];
        remove_above_nyquist(&x, &[1.0, f32::INFINITY, f32::NAN, 1.0], 16_000.0, &mut y);
        assert!(y[0].is_nan() && y[2].is_nan(), "{y:?}");
        assert_eq!((y[1], y[3]), (0.0, f32::INFINITY), "{y:?}");
    }

    #[test]
    fn no_harmonics_are_no_values() {
        harmonic_frequencies(&[1.0, 2.0], 0, &mut []);
        harmonic_frequencies_backward(0, &[], &mut [1.0]);
    }

    #[test]
    #[should_panic(expected = "harmonic_frequencies: 5 values for 2 frames of 3 harmonics")]
    fn a_wrong_number_of_frequencies_names_both() {
        harmonic_frequencies(&[1.0; 2], 3, &mut [0.0; 5]);
    }

    #[test]
    #[should_panic(expected = "remove_above_nyquist: 3 frequencies for 2 amplitudes")]
    fn a_wrong_number_of_amplitudes_names_both() {
        remove_above_nyquist_backward(&[1.0; 3], 16_000.0, &[0.0; 2], &mut [0.0; 2]);
    }
}
