//! Cubic B-splines through a table: how the synthesizer reads between values.
//!
//! A B-spline of degree 3 weighs four values with polynomials of the place between them. Seen as a
//! filter it has the gain `sinc(k / n)^4` for harmonic `k` of a table of `n` values, and lets
//! `sinc(k / n + m)^4` of its images at `k + m n` pass: at most `(k / (n - k))^4` of the harmonic. The
//! gain is divided out when a table is made, so only the images are left, which [`OVERSAMPLING`]
//! makes small.

use std::f64::consts::PI;

use crate::simd::mul_add;

/// Values for each harmonic of a table, at least.
///
/// An image of the highest harmonic has at most `15^-4`, -94 dB of it, and others have less. Half as
/// many values would leave -68 dB; twice as many cost twice the memory, for images that drown in the
/// rounding of f32.
const OVERSAMPLING: usize = 16;

/// Values of a table, at least. So short a table costs nothing, and where a few harmonics are all there
/// is, nothing masks an image: those of a sine are at -192 dB in it.
const LEAST_LEN: usize = 256;

/// Values of a table of `n_harmonics`.
pub(super) fn len(n_harmonics: usize) -> usize {
    (OVERSAMPLING * n_harmonics).next_power_of_two().max(LEAST_LEN)
}

/// Values on which a sample depends.
pub(super) const TAPS: usize = 4;

/// The gain for `harmonic` of a table of `len` values, which its maker divides by.
pub(super) fn gain(harmonic: usize, len: usize) -> f64 {
    let x = PI * harmonic as f64 / len as f64;
    (x.sin() / x).powi(4)
}

/// Weights of the values around the place `t` in `[0, 1)` between the second and the third of four.
#[inline(always)]
pub(super) fn weights<const FMA: bool>(t: f32) -> [f32; TAPS] {
    let s = 1.0 - t;
    // (4 - 6 t^2 + 3 t^3) / 6, and the same from the other side.
    let inner = |t: f32| mul_add::<FMA>(t * t, mul_add::<FMA>(0.5, t, -1.0), 2.0 / 3.0);
    [s * s * s * (1.0 / 6.0), inner(t), inner(s), t * t * t * (1.0 / 6.0)]
}

/// Derivatives of [`weights`] with respect to `t`.
#[inline(always)]
pub(super) fn slopes<const FMA: bool>(t: f32) -> [f32; TAPS] {
    let s = 1.0 - t;
    let inner = |t: f32| t * mul_add::<FMA>(1.5, t, -2.0);
    [-0.5 * s * s, inner(t), -inner(s), 0.5 * t * t]
}

/// A place in a table of `2^bits` values.
#[inline(always)]
pub(super) fn place(phase: u32, bits: u32) -> (u32, f32) {
    // 24 bits of the way between two values, which an f32 holds; as an i32, for which AVX2 has a
    // conversion.
    let way = (phase << bits) >> 8;
    (phase >> (u32::BITS - bits), way.cast_signed() as f32 * (1.0 / 16_777_216.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_b_spline_and_slopes_its_derivative() {
        // The definition: four-fold differences of truncated powers.
        let spline = |x: f64| {
            let power = |a: f64| (x + a).max(0.0).powi(3);
            (power(2.0) - 4.0 * power(1.0) + 6.0 * power(0.0) - 4.0 * power(-1.0) + power(-2.0))
                / 6.0
        };
        for i in 0..=64_u8 {
            let t = f32::from(i) / 64.0;
            let (weights, slopes) = (weights::<false>(t), slopes::<false>(t));
            for tap in 0..TAPS {
                let x = f64::from(t) + 1.0 - tap as f64;
                assert!((f64::from(weights[tap]) - spline(x)).abs() <= 1e-7, "{tap} at {t}");
                let slope = (spline(x + 1e-5) - spline(x - 1e-5)) / 2e-5;
                assert!((f64::from(slopes[tap]) - slope).abs() <= 1e-6, "slope {tap} at {t}");
            }
        }
    }

    #[test]
    fn a_place_is_the_phase() {
        assert_eq!(place(0, 4), (0, 0.0));
        assert_eq!(place(u32::MAX, 4), (15, 1.0 - 1.0 / 16_777_216.0));
        assert_eq!(place((5 << 28) + (3 << 26), 4), (5, 0.75));
    }
}
