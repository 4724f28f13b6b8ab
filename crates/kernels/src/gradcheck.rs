//! Checks a hand-written backward pass against a double-precision reference of the forward pass.

/// Rounding allowed to an `f32` kernel, relative to the sum of the magnitudes of its terms.
const TOLERANCE: f64 = 2e-5;

/// Random directions tried for each check; one rarely misses a wrong Jacobian, four never did.
const N_DIRECTIONS: u64 = 4;

/// Asserts `<grad_y, J v> == <J^T grad_y, v>` for pseudo-random `v` and `grad_y`.
///
/// `J v` is the central difference of `reference`, a naive `f64` form of the forward pass, at `step`
/// and `step / 2`, extrapolated; `J^T grad_y` is what `backward` writes into a zeroed buffer. `step`
/// has the unit of `x`: about 1e-4 of the distance over which the output changes its course (for the
/// frequency of harmonic `k` over `n` samples, of `sample_rate / (k n)`).
///
/// The two sides are compared relative to the magnitude of what they sum, so a gradient of any scale
/// is checked equally well, and a backward pass that returns zeros fails unless zero is right.
///
/// # Panics
///
/// If the sides differ by more than rounding, or if `backward` overwrites instead of accumulating.
pub fn check_vjp(
    x: &[f32],
    y_len: usize,
    step: f64,
    reference: impl Fn(&[f64], &mut [f64]),
    backward: impl Fn(&[f32], &[f32], &mut [f32]),
) {
    for seed in 0..N_DIRECTIONS {
        let mut rng = SplitMix(seed);
        let v: Vec<f32> = x.iter().map(|_| rng.next_signed()).collect();
        let grad_y: Vec<f32> = (0..y_len).map(|_| rng.next_signed()).collect();

        // Terms of <grad_y, J v>, from the difference over 2 h.
        let terms = |h: f64| -> Vec<f64> {
            let at = |t: f64| {
                let x: Vec<f64> =
                    x.iter().zip(&v).map(|(&x, &v)| f64::from(x) + t * f64::from(v)).collect();
                let mut y = vec![0.0; y_len];
                reference(&x, &mut y);
                y
            };
            let (plus, minus) = (at(h), at(-h));
            (0..y_len).map(|i| f64::from(grad_y[i]) * (plus[i] - minus[i]) / (2.0 * h)).collect()
        };
        let (coarse, fine) = (terms(step), terms(step / 2.0));
        let (d1, d2): (f64, f64) = (coarse.iter().sum(), fine.iter().sum());
        let numeric = d2 + (d2 - d1) / 3.0;

        let mut grad_x = vec![0.0; x.len()];
        backward(x, &grad_y, &mut grad_x);
        let products: Vec<f64> =
            grad_x.iter().zip(&v).map(|(&g, &v)| f64::from(g) * f64::from(v)).collect();
        let analytic: f64 = products.iter().sum();

        let magnitude = fine.iter().chain(&products).map(|t| t.abs()).sum::<f64>();
        let truncation = (d2 - d1).abs() / 3.0;
        assert!(
            (numeric - analytic).abs() <= TOLERANCE * magnitude + truncation,
            "backward disagrees with the reference: analytic {analytic:e}, numeric {numeric:e}, \
             truncation {truncation:e}, magnitude {magnitude:e}",
        );
        assert!(
            truncation <= 1e-3 * magnitude.max(f64::MIN_POSITIVE),
            "step {step:e} is too wide to tell: truncation {truncation:e} of {magnitude:e}",
        );
        check_accumulates(x, &grad_y, &grad_x, &backward);
    }
}

/// Asserts that `backward` adds `grad_x` to what the buffer held.
fn check_accumulates(
    x: &[f32],
    grad_y: &[f32],
    grad_x: &[f32],
    backward: impl Fn(&[f32], &[f32], &mut [f32]),
) {
    let scale = grad_x.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
    let mut buffer = vec![scale; x.len()];
    backward(x, grad_y, &mut buffer);
    for (sum, g) in buffer.iter().zip(grad_x) {
        assert!(
            (sum - scale - g).abs() <= 1e-5 * scale,
            "backward must accumulate: {scale} + {g} became {sum}",
        );
    }
}

/// SplitMix64, so that a failure repeats.
struct SplitMix(u64);

impl SplitMix {
    /// A value in `[-1, 1)`.
    fn next_signed(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u16::try_from((z ^ (z >> 31)) >> 48).expect("16 bits remain");
        f32::from(bits) / 32_768.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALES: [f32; 3] = [1e-9, 1.0, 1e9];

    /// `y = scale * x^2`, checked with a backward pass that multiplies the right answer by `factor`.
    fn check_square(scale: f32, factor: f32) {
        check_vjp(
            &[0.5, -2.0, 3.0],
            3,
            1e-3,
            |x, y| y.iter_mut().zip(x).for_each(|(y, x)| *y = f64::from(scale) * x * x),
            |x, grad_y, grad_x| {
                for ((g, &x), &d) in grad_x.iter_mut().zip(x).zip(grad_y) {
                    *g += factor * 2.0 * scale * x * d;
                }
            },
        );
    }

    #[test]
    fn a_right_gradient_passes_at_any_scale() {
        SCALES.iter().for_each(|&s| check_square(s, 1.0));
    }

    #[test]
    fn a_wrong_gradient_fails_at_any_scale() {
        for scale in SCALES {
            for factor in [0.0, 0.999, -1.0] {
                let wrong = std::panic::catch_unwind(|| check_square(scale, factor));
                assert!(wrong.is_err(), "factor {factor} passed at scale {scale}");
            }
        }
    }
}
