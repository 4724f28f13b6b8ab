//! Distances between two rows of spectral bins, with their gradients.
//!
//! Rows of ordinary values take a path of plain arithmetic in fixed-size lanes, which the compiler
//! vectorises; rows that hold a magnitude outside `[1e-15, 1e4]` other than an exact 0 (or no
//! number at all) take a path in `f64` that no underflow or overflow touches.

#![expect(clippy::cast_possible_truncation, reason = "sums and weights are f64, bins f32")]

use super::SpectralLossTerms;
use crate::elementary::ln;
use crate::magnitudes::row::LEAST_DIVISOR;
use crate::simd::{Kernel, Simd, mul_add};
use crate::stft::frame_pairs::{LANES, SplitSpectrum};
use crate::units::level::LOG_EPSILON;

/// Squared magnitudes whose quotients neither overflow nor lose bits.
const ORDINARY_POWER: [f32; 2] = [1e-30, 1e8];

/// The magnitude whose logarithm stands for that of an exact 0, squared.
const ZERO_POWER: f64 = LOG_EPSILON as f64 * LOG_EPSILON as f64;

/// What one bin adds to the loss for each unit of distance.
#[derive(Clone, Copy)]
pub(super) struct BinWeights {
    pub(super) magnitude: f64,
    pub(super) log_magnitude: f64,
}

/// Sums over the bins of a row of the distances that [`SpectralScale`](super::SpectralScale)
/// averages.
pub(super) fn distances(
    simd: Simd,
    target: &SplitSpectrum,
    audio: &SplitSpectrum,
) -> SpectralLossTerms {
    let weights = BinWeights { magnitude: 0.0, log_magnitude: 0.0 };
    let mut nowhere = SplitSpectrum::default();
    let row = Row::<false> { target, audio, weights, grad: &mut nowhere };
    simd.run(row).unwrap_or_else(|| exact_distances(target, audio))
}

/// [`distances`], and the gradient of their weighted sum with respect to `audio` in `grad`.
///
/// With magnitudes `x` (target) and `y` (audio), `d|y - x|/dy = sign(y - x)` and
/// `d|ln y - ln x|/dy = sign(y - x) / y`; the gradient of the magnitude itself is the bin over `y`.
pub(super) fn distances_and_gradient(
    simd: Simd,
    target: &SplitSpectrum,
    audio: &SplitSpectrum,
    weights: BinWeights,
    grad: &mut SplitSpectrum,
) -> SpectralLossTerms {
    let row = Row::<true> { target, audio, weights, grad };
    simd.run(row).unwrap_or_else(|| {
        exact_gradient(target, audio, weights, grad);
        exact_distances(target, audio)
    })
}

/// Compares a row of bins; `None` if one of them is out of the ordinary.
struct Row<'a, const GRADIENT: bool> {
    target: &'a SplitSpectrum,
    audio: &'a SplitSpectrum,
    weights: BinWeights,
    /// Not touched without `GRADIENT`.
    grad: &'a mut SplitSpectrum,
}

impl<const GRADIENT: bool> Kernel for Row<'_, GRADIENT> {
    type Output = Option<SpectralLossTerms>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let mut sums = LaneSums { magnitude: [0.0; LANES], log_magnitude: [0.0; LANES] };
        let mut ordinary = [true; LANES];
        let weights = [self.weights.magnitude as f32, self.weights.log_magnitude as f32];
        let (target_re, target_im) = (chunks(&self.target.re), chunks(&self.target.im));
        let (audio_re, audio_im) = (chunks(&self.audio.re), chunks(&self.audio.im));
        let (grad_re, _) = self.grad.re.as_chunks_mut::<LANES>();
        let (grad_im, _) = self.grad.im.as_chunks_mut::<LANES>();
        for c in 0..audio_re.len() {
            let target = powers::<FMA>(&target_re[c], &target_im[c], &mut ordinary);
            let audio = powers::<FMA>(&audio_re[c], &audio_im[c], &mut ordinary);
            let factors = sums.add::<FMA>(&target, &audio, weights);
            if GRADIENT {
                // Whole arrays: a store of one lane might, for all the compiler knows, change the
                // rest.
                grad_re[c] = std::array::from_fn(|i| factors[i] * audio_re[c][i]);
                grad_im[c] = std::array::from_fn(|i| factors[i] * audio_im[c][i]);
            }
        }
        // The logarithm of a power is twice that of its magnitude.
        let total = |lanes: [f32; LANES]| lanes.into_iter().map(f64::from).sum::<f64>();
        ordinary.into_iter().all(|ordinary| ordinary).then(|| SpectralLossTerms {
            magnitude: total(sums.magnitude),
            log_magnitude: 0.5 * total(sums.log_magnitude),
            ..SpectralLossTerms::default()
        })
    }
}

#[inline(always)]
fn chunks(values: &[f32]) -> &[[f32; LANES]] {
    values.as_chunks::<LANES>().0
}

/// Squared magnitudes; clears `ordinary` where one is neither 0 nor in the ordinary range.
#[inline(always)]
fn powers<const FMA: bool>(
    re: &[f32; LANES],
    im: &[f32; LANES],
    ordinary: &mut [bool; LANES],
) -> [f32; LANES] {
    let [low, high] = ORDINARY_POWER;
    let mut powers = [0.0; LANES];
    for i in 0..LANES {
        let power = mul_add::<FMA>(re[i], re[i], im[i] * im[i]);
        let zero = (re[i] == 0.0) & (im[i] == 0.0);
        ordinary[i] &= zero | ((power >= low) & (power <= high));
        powers[i] = power;
    }
    powers
}

/// Running sums of the two distances.
struct LaneSums {
    magnitude: [f32; LANES],
    log_magnitude: [f32; LANES],
}

impl LaneSums {
    /// Adds bins of the given powers; returns the factors that turn bins of the audio into their
    /// gradients.
    #[inline(always)]
    fn add<const FMA: bool>(
        &mut self,
        target: &[f32; LANES],
        audio: &[f32; LANES],
        [magnitude_weight, log_weight]: [f32; 2],
    ) -> [f32; LANES] {
        let mut factors = [0.0; LANES];
        for i in 0..LANES {
            let (x, y) = (target[i], audio[i]);
            let (safe_x, safe_y) = (without_zero(x), without_zero(y));
            let root = safe_y.sqrt();
            let inverse = 1.0 / root;
            let magnitude = if y == 0.0 { 0.0 } else { root };
            self.magnitude[i] += (x.sqrt() - magnitude).abs();
            // Equal powers have no distance, though the product may round to a neighbour of 1.
            let log_ratio = ln::<FMA>(safe_x * (inverse * inverse)).abs();
            self.log_magnitude[i] += if safe_x == safe_y { 0.0 } else { log_ratio };
            let log_slope = log_weight * sign(safe_y, safe_x) * inverse;
            let slope = mul_add::<FMA>(magnitude_weight, sign(y, x), log_slope);
            // Finite for a bin of exactly 0 as well, whose gradient is 0 by the factor it stands
            // for.
            factors[i] = slope * inverse;
        }
        factors
    }
}

#[inline(always)]
fn without_zero(power: f32) -> f32 {
    if power == 0.0 { ZERO_POWER as f32 } else { power }
}

/// The sign of `a - b`, 0 where they are equal.
#[inline(always)]
fn sign(a: f32, b: f32) -> f32 {
    let above = if a > b { 1.0 } else { 0.0 };
    if a < b { -1.0 } else { above }
}

/// [`distances`] in `f64`, for bins of any magnitude.
fn exact_distances(target: &SplitSpectrum, audio: &SplitSpectrum) -> SpectralLossTerms {
    let mut sums = SpectralLossTerms::default();
    for i in 0..audio.re.len() {
        let (x, y) = (exact_power(target, i), exact_power(audio, i));
        sums.magnitude += (x.sqrt() - y.sqrt()).abs();
        sums.log_magnitude += 0.5 * (exact_without_zero(x) / exact_without_zero(y)).ln().abs();
    }
    sums
}

/// The gradient of [`distances_and_gradient`] in `f64`, for bins of any magnitude.
fn exact_gradient(
    target: &SplitSpectrum,
    audio: &SplitSpectrum,
    weights: BinWeights,
    grad: &mut SplitSpectrum,
) {
    for i in 0..audio.re.len() {
        let (x, y) = (exact_power(target, i), exact_power(audio, i));
        let slope = weights.magnitude * exact_sign(y - x);
        let log_slope =
            weights.log_magnitude * exact_sign(exact_without_zero(y) - exact_without_zero(x));
        let magnitude = y.sqrt();
        let factor = (slope + log_slope / magnitude.max(f64::from(LEAST_DIVISOR))) / magnitude;
        let scaled = |bin: f32| if y == 0.0 { 0.0 } else { (f64::from(bin) * factor) as f32 };
        (grad.re[i], grad.im[i]) = (scaled(audio.re[i]), scaled(audio.im[i]));
    }
}

fn exact_power(spectrum: &SplitSpectrum, i: usize) -> f64 {
    f64::from(spectrum.re[i]).powi(2) + f64::from(spectrum.im[i]).powi(2)
}

fn exact_without_zero(power: f64) -> f64 {
    if power == 0.0 { ZERO_POWER } else { power }
}

/// The sign of `x`, 0 at 0 and NaN for NaN.
fn exact_sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}
