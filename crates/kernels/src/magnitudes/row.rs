//! One row of bins to magnitudes and their logarithms, and back.
//!
//! Rows of ordinary values take plain arithmetic that the compiler vectorises; rows that hold a
//! value whose square or reciprocal would overflow or lose bits (or no number at all) take a path
//! in `f64` that nothing of the kind touches.

#![expect(clippy::cast_possible_truncation, reason = "the exact paths compute in f64")]

use crate::elementary::ln;
use crate::simd::{Kernel, Simd, mul_add};
use crate::stft::frame_pairs::SplitSpectrum;
use crate::units::level::LOG_EPSILON;

/// Squared magnitudes that kept their bits: the smaller part of a bin may be lost, not the larger.
const ORDINARY_POWER: [f32; 2] = [1e-30, 1e38];

/// Magnitudes whose reciprocals are normal numbers.
const ORDINARY_MAGNITUDE: [f32; 2] = [1e-37, 1e37];

/// Magnitudes below this have the reciprocal of this, so that sums of thousands stay finite.
pub(crate) const LEAST_DIVISOR: f32 = 1e-34;

/// Writes `|X|` of each bin; `magnitudes` has one value for each.
pub(crate) fn magnitudes(simd: Simd, spectrum: &SplitSpectrum, magnitudes: &mut [f32]) {
    let n_bins = magnitudes.len();
    let (re, im) = (&spectrum.re[..n_bins], &spectrum.im[..n_bins]);
    if !simd.run(Roots { re, im, magnitudes }) {
        for ((magnitude, re), im) in magnitudes.iter_mut().zip(re).zip(im) {
            let (re, im) = (f64::from(*re), f64::from(*im));
            *magnitude = (re * re + im * im).sqrt() as f32;
        }
    }
}

/// Turns bins into the gradient of what their magnitudes have the gradient `grad_magnitudes` of.
///
/// The gradient of a magnitude is the bin over the magnitude; that of an exact 0 is 0, as in the
/// reference.
pub(crate) fn magnitudes_backward(
    simd: Simd,
    magnitudes: &[f32],
    grad_magnitudes: &[f32],
    spectrum: &mut SplitSpectrum,
) {
    let n_bins = magnitudes.len();
    let (re, im) = (&mut spectrum.re[..n_bins], &mut spectrum.im[..n_bins]);
    if !simd.run(Directions { magnitudes, grad_magnitudes, re, im }) {
        let bins = re.iter_mut().zip(im).zip(magnitudes.iter().zip(grad_magnitudes));
        for ((re, im), (&magnitude, &grad)) in bins {
            let part =
                |part: f32| (f64::from(part) / f64::from(magnitude) * f64::from(grad)) as f32;
            (*re, *im) = if magnitude == 0.0 { (0.0, 0.0) } else { (part(*re), part(*im)) };
        }
    }
}

/// Writes `ln x`, or the logarithm of 1e-5 where `x` is 0 or less (`safe_log` of the reference).
pub(crate) fn safe_log(simd: Simd, x: &[f32], logs: &mut [f32]) {
    if !simd.run(Logarithms { x, logs }) {
        let stand_in = |x: f32| if x <= 0.0 { LOG_EPSILON } else { x };
        for (log, &x) in logs.iter_mut().zip(x) {
            *log = f64::from(stand_in(x)).ln() as f32;
        }
    }
}

/// Accumulates the gradient of [`safe_log`]: `grad_log / x`, 0 where `x` is 0 or less.
///
/// Below [`LEAST_DIVISOR`] it is that of it.
pub(crate) fn safe_log_backward(simd: Simd, x: &[f32], grad_log: &[f32], grad_x: &mut [f32]) {
    simd.run(Reciprocals { x, grad_log, grad_x });
}

/// [`magnitudes`]; returns whether all bins were ordinary.
struct Roots<'a> {
    re: &'a [f32],
    im: &'a [f32],
    magnitudes: &'a mut [f32],
}

impl Kernel for Roots<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let n = self.magnitudes.len();
        let (re, im, magnitudes) = (&self.re[..n], &self.im[..n], &mut self.magnitudes[..n]);
        let [low, high] = ORDINARY_POWER;
        let mut is_ordinary = true;
        for i in 0..n {
            let power = mul_add::<FMA>(re[i], re[i], im[i] * im[i]);
            let is_zero = (re[i] == 0.0) & (im[i] == 0.0);
            is_ordinary &= is_zero | ((power >= low) & (power <= high));
            magnitudes[i] = power.sqrt();
        }
        is_ordinary
    }
}

/// [`magnitudes_backward`]; returns whether all magnitudes were ordinary, and otherwise changes
/// nothing.
struct Directions<'a> {
    magnitudes: &'a [f32],
    grad_magnitudes: &'a [f32],
    re: &'a mut [f32],
    im: &'a mut [f32],
}

impl Kernel for Directions<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let n = self.magnitudes.len();
        let (magnitudes, grads) = (&self.magnitudes[..n], &self.grad_magnitudes[..n]);
        let (re, im) = (&mut self.re[..n], &mut self.im[..n]);
        let [low, high] = ORDINARY_MAGNITUDE;
        let mut is_ordinary = true;
        for &magnitude in magnitudes {
            is_ordinary &= (magnitude == 0.0) | ((magnitude >= low) & (magnitude <= high));
        }
        if is_ordinary {
            for i in 0..n {
                let divisor = if magnitudes[i] == 0.0 { 1.0 } else { magnitudes[i] };
                let inverse = 1.0 / divisor;
                // A bin of magnitude 0 is 0 itself. In this order nothing overflows on the way.
                re[i] = re[i] * inverse * grads[i];
                im[i] = im[i] * inverse * grads[i];
            }
        }
        is_ordinary
    }
}

/// [`safe_log`]; returns whether all values were ordinary.
struct Logarithms<'a> {
    x: &'a [f32],
    logs: &'a mut [f32],
}

impl Kernel for Logarithms<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let n = self.logs.len();
        let (x, logs) = (&self.x[..n], &mut self.logs[..n]);
        let mut is_ordinary = true;
        for i in 0..n {
            let safe = if x[i] <= 0.0 { LOG_EPSILON } else { x[i] };
            is_ordinary &= safe >= f32::MIN_POSITIVE;
            is_ordinary &= safe <= f32::MAX;
            logs[i] = ln::<FMA>(safe);
        }
        is_ordinary
    }
}

/// [`safe_log_backward`].
struct Reciprocals<'a> {
    x: &'a [f32],
    grad_log: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for Reciprocals<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((grad_x, &x), &grad_log) in self.grad_x.iter_mut().zip(self.x).zip(self.grad_log) {
            // A comparison, not `max`: a NaN must stay one for the trainer to see.
            let divisor = if x < LEAST_DIVISOR { LEAST_DIVISOR } else { x };
            *grad_x += if x <= 0.0 { 0.0 } else { grad_log / divisor };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bins of 3 and 4 parts, and a 0.
    fn spectrum(part: f32) -> SplitSpectrum {
        SplitSpectrum { re: vec![3.0 * part, 0.0], im: vec![-4.0 * part, -0.0] }
    }

    #[test]
    fn rows_of_any_magnitude_go_both_ways() {
        for simd in Simd::all() {
            for part in [1.0, 1e-20, 1e-42, 1e20, 2e37] {
                let mut spectrum = spectrum(part);
                let mut y = [f32::NAN; 2];
                magnitudes(simd, &spectrum, &mut y);
                // A part of 1e-42 has ten bits.
                let tolerance = if part == 1e-42 { 1e-3 } else { 1e-6 };
                assert!((y[0] / part - 5.0).abs() <= 5.0 * tolerance, "{part}: {y:?}");
                assert_eq!(y[1], 0.0, "{part}");
                magnitudes_backward(simd, &y, &[10.0, 10.0], &mut spectrum);
                let [re, im] = [spectrum.re, spectrum.im];
                assert!((re[0] - 6.0).abs() <= 8.0 * tolerance, "{part}: {re:?}");
                assert!((im[0] + 8.0).abs() <= 8.0 * tolerance, "{part}: {im:?}");
                assert_eq!([re[1], im[1]], [0.0; 2], "an exact 0 has no slope: {part}");
            }
        }
    }

    #[test]
    fn logarithms_of_any_value_go_both_ways() {
        for simd in Simd::all() {
            for x in [1.0, 1e-33, 1e-42, 3e38] {
                let mut logs = [f32::NAN; 3];
                safe_log(simd, &[x, 0.0, -x], &mut logs);
                let expected = [f64::from(x).ln(), 1e-5_f64.ln(), 1e-5_f64.ln()];
                for (log, expected) in logs.iter().zip(expected) {
                    let error = (f64::from(*log) - expected).abs();
                    assert!(error <= 4e-7 * expected.abs(), "{x}: {log} != {expected}");
                }
                let mut grad = [1.0; 3];
                safe_log_backward(simd, &[x, 0.0, -x], &[3.0, 3.0, 3.0], &mut grad);
                let expected = 1.0 + 3.0 / x.max(1e-34);
                assert!((grad[0] - expected).abs() <= 1e-6 * expected, "{x}: {grad:?}");
                assert_eq!(grad[1..], [1.0; 2], "what stands for 0 has no slope: {x}");
            }
        }
    }

    #[test]
    fn nan_stays() {
        let simd = Simd::widest();
        let mut spectrum = spectrum(1.0);
        spectrum.re[0] = f32::NAN;
        let (mut y, mut logs, mut grad) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        magnitudes(simd, &spectrum, &mut y);
        safe_log(simd, &y, &mut logs);
        safe_log_backward(simd, &y, &[1.0; 2], &mut grad);
        magnitudes_backward(simd, &y, &[1.0; 2], &mut spectrum);
        let both = [spectrum.re[0], spectrum.im[0]];
        for value in [y[0], logs[0], grad[0], both[0], both[1]] {
            assert!(value.is_nan(), "{value}");
        }
        assert_eq!((y[1], grad[1], spectrum.re[1]), (0.0, 0.0, 0.0), "and only there");
    }
}
