//! Exponential and logarithm as polynomials, so that loops over them vectorise: the C library's take
//! tens of nanoseconds a value.

use crate::simd::mul_add;

/// Coefficients of the exponential in `[-ln(2) / 2, ln(2) / 2]`, highest power first: its series.
///
/// The next term is below 5e-9 there.
const EXP: [f32; 8] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

/// Added to a small float, leaves its nearest integer in the lowest bits (1.5 * 2^23).
const ROUND: f32 = 12_582_912.0;

/// `ln(2)` in two parts, the first with so few bits that its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `exp(x)` for `x <= 0`; below -87, where f32 loses bits, `exp(-87)`.
#[inline(always)]
pub(crate) fn exp_of_negative<const FMA: bool>(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    // x = n ln 2 + r; exp(x) = 2^n exp(r).
    let rounded = mul_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = mul_add::<FMA>(n, -LN_2[1], mul_add::<FMA>(n, -LN_2[0], x));
    let mut p = EXP[0];
    for c in &EXP[1..] {
        p = mul_add::<FMA>(p, r, *c);
    }
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

/// Coefficients of `ln((1 + s) / (1 - s)) / (2 s)` in powers of `s^2`, highest first: its series.
///
/// The next term is below 2e-8 for `s <= 1/3`.
const ATANH: [f32; 7] = [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 0.2, 1.0 / 3.0, 1.0];

/// `ln(1 + u)` for `u` in `[0, 1]`, with a small relative error for small `u` too.
#[inline(always)]
pub(crate) fn log_1p<const FMA: bool>(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let square = s * s;
    let mut p = ATANH[0];
    for c in &ATANH[1..] {
        p = mul_add::<FMA>(p, square, *c);
    }
    2.0 * s * p
}

/// Natural logarithm of a normal positive `x`.
///
/// `x = 2^e m` with `m` in `[sqrt(1/2), sqrt(2))`, and with `t = m - 1`,
/// `ln m = t - t^2 / 2 + t^3 P(t)`, where the polynomial `P` has the least largest relative error
/// of `ln m` that seven coefficients can have (Remez' exchange): 4e-8, less than a rounding. The
/// whole is good to 2e-7 of the result.
#[inline(always)]
pub(crate) fn ln<const FMA: bool>(x: f32) -> f32 {
    // The bits of sqrt(1/2): subtracting them rounds the exponent to the nearest power of two.
    const HALF_ROOT: u32 = 0x3f35_04f3;
    const P: [f32; 7] = [
        0.089_178_71,
        -0.143_502_02,
        0.148_769_6,
        -0.165_656_34,
        0.199_653_98,
        -0.250_017_47,
        0.333_338_6,
    ];
    let exponent = x.to_bits().wrapping_sub(HALF_ROOT).cast_signed() >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23).cast_unsigned()));
    let t = m - 1.0;
    let mut p = P[0];
    for coefficient in &P[1..] {
        p = mul_add::<FMA>(p, t, *coefficient);
    }
    let ln_m = mul_add::<FMA>(mul_add::<FMA>(p, t, -0.5), t * t, t);
    mul_add::<FMA>(exponent as f32, std::f32::consts::LN_2, ln_m)
}

/// `1 / (1 + exp(-x))`, and 1 less it, neither with cancellation.
#[inline(always)]
pub(crate) fn sigmoid_and_complement<const FMA: bool>(x: f32) -> (f32, f32) {
    let u = exp_of_negative::<FMA>(-x.abs());
    let (small, large) = (u / (1.0 + u), 1.0 / (1.0 + u));
    if x > 0.0 { (large, small) } else { (small, large) }
}

/// `ln(1 + exp(x))`; NaN stays NaN.
#[inline(always)]
pub(crate) fn softplus<const FMA: bool>(x: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + log_1p::<FMA>(exp_of_negative::<FMA>(-x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, Simd};

    /// All functions at one value.
    struct All(f32);

    impl Kernel for All {
        type Output = [f32; 4];

        #[inline(always)]
        fn run<const FMA: bool>(self) -> [f32; 4] {
            let (s, c) = sigmoid_and_complement::<FMA>(self.0);
            [exp_of_negative::<FMA>(-self.0.abs()), s, c, softplus::<FMA>(self.0)]
        }
    }

    #[test]
    fn relative_errors_stay_below_the_promise() {
        for simd in Simd::all() {
            for i in -8000..=8000_i16 {
                let x = f32::from(i) * 0.01;
                let exact = f64::from(x);
                let expected = [
                    (-exact.abs()).exp(),
                    1.0 / (1.0 + (-exact).exp()),
                    1.0 / (1.0 + exact.exp()),
                    exact.exp().ln_1p(),
                ];
                for (y, e) in simd.run(All(x)).into_iter().zip(expected) {
                    // The argument of the exponential rounds at 2^-24 of up to 80.
                    assert!((f64::from(y) - e).abs() <= 6e-6 * e, "{simd:?} at {x}: {y} != {e}");
                }
            }
        }
    }

    #[test]
    fn nan_stays_and_infinities_saturate() {
        for simd in Simd::all() {
            assert!(simd.run(All(f32::NAN)).iter().all(|y| y.is_nan()), "{simd:?}");
            let [_, s, c, plus] = simd.run(All(f32::INFINITY));
            assert!(
                s == 1.0 && (0.0..1e-30).contains(&c) && plus == f32::INFINITY,
                "{s} {c} {plus}"
            );
            let [_, s, c, plus] = simd.run(All(f32::NEG_INFINITY));
            assert!(
                (0.0..1e-30).contains(&s) && c == 1.0 && (0.0..1e-30).contains(&plus),
                "{s} {c} {plus}"
            );
        }
    }

    #[test]
    fn ln_is_accurate_over_all_magnitudes() {
        // 4000 values a factor apart over the whole normal range, and the neighbourhood of 1.
        let range = (0..4000).map(|i| f32::MIN_POSITIVE * 1.0445_f32.powi(i));
        let near_one = (0..4000).map(|i| 0.5 + i as f32 * 2.5e-4);
        for x in range.chain(near_one).filter(|x| x.is_finite()) {
            let (actual, exact) = (f64::from(ln::<false>(x)), f64::from(x).ln());
            let bound = 2e-7 * exact.abs();
            assert!((actual - exact).abs() <= bound, "ln({x}) = {actual}, not {exact}");
        }
        assert_eq!(ln::<false>(1.0), 0.0, "equal magnitudes have no distance");
    }
}
