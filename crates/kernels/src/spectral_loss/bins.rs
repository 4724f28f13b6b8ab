//! Distances between two rows of spectral bins, with their gradients.
//!
//! Rows of ordinary values take a path of plain arithmetic in fixed-size lanes, which the compiler
//! vectorises; rows that hold a magnitude outside `[1e-15, 1e4]` other than an exact 0 (or no number
//! at all) take a path in `f64` that no underflow or overflow touches.

#![expect(clippy::cast_possible_truncation, reason = "sums and weights are f64, bins f32")]

use super::SpectralLossTerms;
use crate::stft::Complex32;

/// Bins in one step of the fast path: two AVX registers, one of AVX-512.
pub(super) const LANES: usize = 16;

/// Squared magnitudes whose quotients neither overflow nor lose bits.
const ORDINARY_POWER: std::ops::RangeInclusive<f32> = 1e-30..=1e8;

/// The magnitude whose logarithm stands for that of an exact 0, squared.
const ZERO_POWER: f64 = 1e-10;

/// What one bin adds to the loss for each unit of distance.
#[derive(Clone, Copy)]
pub(super) struct BinWeights {
    pub(super) magnitude: f64,
    pub(super) log_magnitude: f64,
}

/// Squared magnitudes of a row of bins.
pub(super) struct Powers {
    /// `n_bins` values, then zeros up to a multiple of [`LANES`].
    values: Vec<f32>,
    ordinary: bool,
}

impl Powers {
    /// Holds the powers of `n_bins`.
    pub(super) fn new(n_bins: usize) -> Self {
        Self { values: vec![0.0; n_bins.next_multiple_of(LANES)], ordinary: true }
    }

    /// Takes the powers of `spectrum`, which has the `n_bins` of [`new`](Self::new).
    pub(super) fn measure(&mut self, spectrum: &[Complex32]) {
        let mut ordinary = true;
        for (power, x) in self.values.iter_mut().zip(spectrum) {
            *power = x.re * x.re + x.im * x.im;
            let zero = (x.re == 0.0) & (x.im == 0.0);
            ordinary &= zero | ORDINARY_POWER.contains(power);
        }
        self.ordinary = ordinary;
    }
}

/// Sums over the bins of a row of the distances that [`SpectralScale`](super::SpectralScale)
/// averages.
pub(super) fn distances(
    [target, audio]: [&[Complex32]; 2],
    [target_power, audio_power]: [&Powers; 2],
) -> SpectralLossTerms {
    if !(target_power.ordinary && audio_power.ordinary) {
        return exact_distances(target, audio);
    }
    let (mut magnitude, mut log_magnitude) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (targets, _) = target_power.values.as_chunks::<LANES>();
    let (audios, _) = audio_power.values.as_chunks::<LANES>();
    for (target, audio) in targets.iter().zip(audios) {
        for i in 0..LANES {
            magnitude[i] += (target[i].sqrt() - audio[i].sqrt()).abs();
            log_magnitude[i] += ln(without_zero(target[i]) / without_zero(audio[i])).abs();
        }
    }
    // The logarithm of a power is twice that of its magnitude.
    SpectralLossTerms { magnitude: sum(&magnitude), log_magnitude: 0.5 * sum(&log_magnitude) }
}

/// Turns each bin of `audio` into the gradient of the row's loss with respect to its real and
/// imaginary parts.
///
/// With magnitudes `x` (target) and `y` (audio), `d|y - x|/dy = sign(y - x)` and
/// `d|ln y - ln x|/dy = sign(y - x) / y`; the magnitude's own gradient is the bin over `y`.
pub(super) fn gradient(
    target: &[Complex32],
    audio: &mut [Complex32],
    [target_power, audio_power]: [&Powers; 2],
    weights: BinWeights,
    factors: &mut [f32],
) {
    if !(target_power.ordinary && audio_power.ordinary) {
        return exact_gradient(target, audio, weights);
    }
    let (magnitude, log_magnitude) = (weights.magnitude as f32, weights.log_magnitude as f32);
    let powers = target_power.values.iter().zip(&audio_power.values);
    for (factor, (&target, &audio)) in factors.iter_mut().zip(powers) {
        let slope = magnitude * sign(audio, target);
        let log_slope = log_magnitude * sign(without_zero(audio), without_zero(target));
        let inverse = 1.0 / without_zero(audio).sqrt();
        let factor_of_bin = (slope + log_slope * inverse) * inverse;
        *factor = if audio == 0.0 { 0.0 } else { factor_of_bin };
    }
    for (bin, &factor) in audio.iter_mut().zip(factors.iter()) {
        bin.re *= factor;
        bin.im *= factor;
    }
}

/// [`distances`] in `f64`, for bins of any magnitude.
fn exact_distances(target: &[Complex32], audio: &[Complex32]) -> SpectralLossTerms {
    let mut sums = SpectralLossTerms::default();
    for (target, audio) in target.iter().zip(audio) {
        let (target, audio) = (exact_power(*target), exact_power(*audio));
        sums.magnitude += (target.sqrt() - audio.sqrt()).abs();
        sums.log_magnitude += 0.5 * (safe(target) / safe(audio)).ln().abs();
    }
    sums
}

/// [`gradient`] in `f64`, for bins of any magnitude.
fn exact_gradient(target: &[Complex32], audio: &mut [Complex32], weights: BinWeights) {
    for (target, bin) in target.iter().zip(audio) {
        let (target, audio) = (exact_power(*target), exact_power(*bin));
        let slope = weights.magnitude * exact_sign(audio - target);
        let log_slope = weights.log_magnitude * exact_sign(safe(audio) - safe(target));
        let y = audio.sqrt();
        let factor = (slope + log_slope / y.max(f64::from(f32::MIN_POSITIVE))) / y;
        let scaled = |x: f32| if audio == 0.0 { 0.0 } else { (f64::from(x) * factor) as f32 };
        *bin = Complex32::new(scaled(bin.re), scaled(bin.im));
    }
}

fn exact_power(x: Complex32) -> f64 {
    f64::from(x.re).powi(2) + f64::from(x.im).powi(2)
}

fn safe(power: f64) -> f64 {
    if power == 0.0 { ZERO_POWER } else { power }
}

fn without_zero(power: f32) -> f32 {
    if power == 0.0 { ZERO_POWER as f32 } else { power }
}

/// The sign of `a - b`, 0 where they are equal.
fn sign(a: f32, b: f32) -> f32 {
    f32::from(i8::from(a > b) - i8::from(a < b))
}

/// The sign of `x`, 0 at 0 and NaN for NaN.
fn exact_sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

fn sum(lanes: &[f32; LANES]) -> f64 {
    lanes.iter().copied().map(f64::from).sum()
}

/// Natural logarithm of a normal positive `x` in arithmetic that vectorises.
///
/// `x = 2^e m` with `m` in `[sqrt(1/2), sqrt(2))`, then `ln m = 2 artanh(s)`,
/// `s = (m - 1) / (m + 1)`, in its power series up to `s^9`: the rest is below 1e-9. The error is
/// at most 1.5e-7 of the result near `x = 1` and one rounding of it elsewhere, as is std's.
fn ln(x: f32) -> f32 {
    // The bits of sqrt(1/2): subtracting them rounds the exponent to the nearest power of two.
    const HALF_ROOT: u32 = 0x3f35_04f3;
    let exponent = x.to_bits().wrapping_sub(HALF_ROOT).cast_signed() >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23).cast_unsigned()));
    let s = (m - 1.0) / (m + 1.0);
    let y = s * s;
    let series = 2.0 + y * (2.0 / 3.0 + y * (2.0 / 5.0 + y * (2.0 / 7.0 + y * (2.0 / 9.0))));
    exponent as f32 * std::f32::consts::LN_2 + s * series
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
            let (actual, exact) = (f64::from(ln(x)), f64::from(x).ln());
            // One half unit each for the two terms, their sum and the rounding of ln 2.
            let bound = 2.5e-7 * exact.abs();
            assert!((actual - exact).abs() <= bound, "ln({x}) = {actual}, not {exact}");
        }
        assert_eq!(ln(1.0), 0.0, "equal magnitudes have no distance");
    }
}
