//! The natural logarithm in arithmetic that vectorises.

use crate::simd::mul_add;

/// The value whose logarithm stands for that of 0, as in `safe_log` of magenta/ddsp 3.7.
pub(crate) const ZERO_STAND_IN: f32 = 1e-5;

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

#[cfg(test)]
mod tests {
    use super::*;

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
