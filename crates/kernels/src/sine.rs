//! Sine of an integer phase, for oscillator banks.

use std::f32::consts::TAU;

use crate::simd::mul_add;

/// Turns to phase units: one turn is 2^32, so that `k * phase` wraps exactly in `i32`.
const TURN: f32 = 4_294_967_296.0;

/// A quarter turn; `sine(phase.wrapping_add(QUARTER_TURN))` is the cosine.
pub(crate) const QUARTER_TURN: i32 = 1 << 30;

/// Coefficients of `sin(2 pi m) / m` in powers of `m^2` for `m` in `[0, 1/4]`, highest first.
///
/// With the last one fixed at `2 pi` (small phases exact), the others have the least largest error
/// of `sin`: 8e-9 in exact arithmetic. `sine` is off by up to 1.6e-7, about a unit in the last
/// place of full scale, from the rounding of the phase and of the sums to f32.
const COEFFICIENTS: [f32; 5] = [39.942_31, -76.609_61, 81.604, -41.341_713, TAU];

/// `sin(2 pi phase / 2^32)`, off by at most 2e-7 (1.6e-7 was seen).
///
/// The phase is folded to a quarter turn, where an odd polynomial of degree 9 is enough.
#[inline(always)]
pub(crate) fn sine<const FMA: bool>(phase: i32) -> f32 {
    let turns = phase as f32 * (1.0 / TURN);
    let rising = turns.abs();
    let falling = 0.5 - rising;
    let folded = if rising < falling { rising } else { falling };
    odd_polynomial::<FMA>(folded).copysign(turns)
}

/// The sine and the cosine of `2 pi phase / 2^32`, each off by at most 2e-7.
///
/// Cheaper than two sines: the cosine of `r` turns is the sine of `1/4 - |r|`, which needs no folding.
#[inline(always)]
pub(crate) fn sine_cosine<const FMA: bool>(phase: i32) -> (f32, f32) {
    let turns = phase as f32 * (1.0 / TURN);
    let rising = turns.abs();
    let falling = 0.5 - rising;
    let folded = if rising < falling { rising } else { falling };
    let sine = odd_polynomial::<FMA>(folded).copysign(turns);
    (sine, odd_polynomial::<FMA>(0.25 - rising))
}

/// `sin(2 pi m)` for `m` in `[-1/4, 1/4]`.
#[inline(always)]
fn odd_polynomial<const FMA: bool>(m: f32) -> f32 {
    let square = m * m;
    let mut p = COEFFICIENTS[0];
    for c in &COEFFICIENTS[1..] {
        p = mul_add::<FMA>(p, square, *c);
    }
    p * m
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error over a stride of phases that hits every sign, fold and rounding.
    fn worst<const FMA: bool>(shift: i32) -> f64 {
        (0..200_000_u32)
            .map(|i| {
                let phase = i.wrapping_mul(21_475) as i32;
                let exact = (f64::from(phase.wrapping_add(shift)) / f64::from(TURN)
                    * std::f64::consts::TAU)
                    .sin();
                (f64::from(sine::<FMA>(phase.wrapping_add(shift))) - exact).abs()
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn error_is_below_2e_7_everywhere() {
        for shift in [0, QUARTER_TURN] {
            assert!(worst::<false>(shift) <= 2e-7, "plain: {:e}", worst::<false>(shift));
            assert!(worst::<true>(shift) <= 2e-7, "fused: {:e}", worst::<true>(shift));
        }
    }

    #[test]
    fn sine_and_cosine_together_are_as_good() {
        let check = |sine_cosine: fn(i32) -> (f32, f32), sine: fn(i32) -> f32| {
            for i in 0..200_000_u32 {
                let phase = i.wrapping_mul(21_475) as i32;
                let (s, c) = sine_cosine(phase);
                let exact = (f64::from(phase) / f64::from(TURN) * std::f64::consts::TAU).cos();
                assert_eq!(s, sine(phase), "sine of {phase}");
                assert!(
                    (f64::from(c) - exact).abs() <= 2e-7,
                    "cosine of {phase}: {c}, not {exact}"
                );
            }
        };
        check(sine_cosine::<false>, sine::<false>);
        check(sine_cosine::<true>, sine::<true>);
    }

    #[test]
    fn the_ends_of_the_range_are_right() {
        // Half a turn is the most negative phase; its sine is 0, not a fold error.
        assert_eq!(sine::<false>(i32::MIN), -0.0);
        assert_eq!(sine::<false>(0), 0.0);
        assert!((sine::<false>(QUARTER_TURN) - 1.0).abs() <= 1.2e-7, "crest");
        assert!((sine::<false>(-QUARTER_TURN) + 1.0).abs() <= 1.2e-7, "trough");
    }
}
