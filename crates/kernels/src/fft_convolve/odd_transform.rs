//! The Fourier transform of real samples at odd frequencies: half as many complex values, no more.
//!
//! `X[k] = sum_n x[n] e^(-j pi (4 k + 1) n / (2 m))` for `2 m` samples and `k < m`: every second of
//! the frequencies half-way between those of an ordinary transform; the others hold the conjugates.
//! Since `e^(-j pi (4 k + 1) / 2)` is `-j`, that is an ordinary complex transform of the `m` values
//! `(x[n] - j x[n + m]) e^(-j pi n / (2 m))`. So a real signal costs one complex transform of half
//! its length between two passes that vectorise, there are no bins of another kind at the ends, and
//! no signal shares a transform with another: what is silent stays silent, and what is no number
//! stays where it is.
//!
//! A product of two transforms is the convolution of length `2 m` that wraps around with its sign
//! changed. It is an ordinary convolution while the result fits.

use std::f64::consts::FRAC_PI_2;
use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use crate::simd::{Kernel, Simd, mul_add};

/// Transforms of `2 m` samples to `m` complex values, and back.
pub(crate) struct OddTransform {
    /// `e^(-j pi n / (2 m))`, real and imaginary parts apart.
    twist: [Vec<f32>; 2],
    fft: Arc<dyn Fft<f32>>,
    inverse_fft: Arc<dyn Fft<f32>>,
    scratch: Vec<Complex32>,
    pub(super) simd: Simd,
}

impl OddTransform {
    /// A transform to `n_bins` complex values, at least 1.
    pub(crate) fn new(n_bins: usize) -> Self {
        let mut planner = FftPlanner::new();
        let fft = planner.plan_fft_forward(n_bins);
        let inverse_fft = planner.plan_fft_inverse(n_bins);
        let scratch_len = fft.get_inplace_scratch_len().max(inverse_fft.get_inplace_scratch_len());
        let angle = |n: usize| -FRAC_PI_2 * n as f64 / n_bins as f64;
        Self {
            twist: [
                (0..n_bins).map(|n| round(angle(n).cos())).collect(),
                (0..n_bins).map(|n| round(angle(n).sin())).collect(),
            ],
            fft,
            inverse_fft,
            scratch: vec![Complex32::ZERO; scratch_len],
            simd: Simd::widest(),
        }
    }

    /// Overwrites `spectrum` with the transform of `samples`, twice as many.
    pub(crate) fn forward(&mut self, samples: &[f32], spectrum: &mut [Complex32]) {
        self.simd.run(Twist { twist: &self.twist, samples, spectrum });
        self.fft.process_with_scratch(spectrum, &mut self.scratch);
    }

    /// Overwrites `samples` with what `spectrum` is the transform of; `spectrum` is used up.
    pub(crate) fn inverse(&mut self, spectrum: &mut [Complex32], samples: &mut [f32]) {
        self.inverse_fft.process_with_scratch(spectrum, &mut self.scratch);
        self.simd.run(Untwist { twist: &self.twist, spectrum, samples });
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds a cosine to f32")]
fn round(x: f64) -> f32 {
    x as f32
}

struct Twist<'a> {
    twist: &'a [Vec<f32>; 2],
    samples: &'a [f32],
    spectrum: &'a mut [Complex32],
}

impl Kernel for Twist<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let m = self.spectrum.len();
        let [re, im] = [&self.twist[0][..m], &self.twist[1][..m]];
        let (low, high) = self.samples.split_at(m);
        let (low, high, spectrum) = (&low[..m], &high[..m], &mut self.spectrum[..m]);
        for n in 0..m {
            // (low - j high) (re + j im)
            spectrum[n] = Complex32::new(
                mul_add::<FMA>(low[n], re[n], high[n] * im[n]),
                mul_add::<FMA>(low[n], im[n], -(high[n] * re[n])),
            );
        }
    }
}

struct Untwist<'a> {
    twist: &'a [Vec<f32>; 2],
    spectrum: &'a [Complex32],
    samples: &'a mut [f32],
}

impl Kernel for Untwist<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let m = self.spectrum.len();
        let scale = 1.0 / m as f32;
        let [re, im] = [&self.twist[0][..m], &self.twist[1][..m]];
        let (low, high) = self.samples.split_at_mut(m);
        let (low, high, spectrum) = (&mut low[..m], &mut high[..m], &self.spectrum[..m]);
        for n in 0..m {
            // low - j high = spectrum (re - j im)
            let v = spectrum[n];
            low[n] = scale * mul_add::<FMA>(v.re, re[n], v.im * im[n]);
            high[n] = scale * mul_add::<FMA>(v.re, im[n], -(v.im * re[n]));
        }
    }
}

/// The product of two spectra: that of a convolution.
pub(crate) struct Multiply<'a> {
    pub(crate) a: &'a [Complex32],
    pub(crate) b: &'a [Complex32],
    pub(crate) product: &'a mut [Complex32],
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.product.len();
        let (a, b, product) = (&self.a[..n], &self.b[..n], &mut self.product[..n]);
        for k in 0..n {
            product[k] = Complex32::new(
                mul_add::<FMA>(a[k].re, b[k].re, -(a[k].im * b[k].im)),
                mul_add::<FMA>(a[k].re, b[k].im, a[k].im * b[k].re),
            );
        }
    }
}

/// The product of a spectrum with another's conjugate, `sum_n signal[n] other[n - lag]` at each
/// lag; added to what `product` holds if `ADD`.
pub(crate) struct Correlate<'a, const ADD: bool> {
    pub(crate) signal: &'a [Complex32],
    pub(crate) other: &'a [Complex32],
    pub(crate) product: &'a mut [Complex32],
}

impl<const ADD: bool> Kernel for Correlate<'_, ADD> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.product.len();
        let (a, b, product) = (&self.signal[..n], &self.other[..n], &mut self.product[..n]);
        for k in 0..n {
            let re = mul_add::<FMA>(a[k].re, b[k].re, a[k].im * b[k].im);
            let im = mul_add::<FMA>(a[k].im, b[k].re, -(a[k].re * b[k].im));
            product[k] =
                if ADD { product[k] + Complex32::new(re, im) } else { Complex32::new(re, im) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, pseudo_random, widen};
    use std::f64::consts::PI;

    /// The definition: the real parts and the imaginary parts.
    fn oracle(samples: &[f64]) -> [Vec<f64>; 2] {
        let m = samples.len() / 2;
        let sum = |k: usize, wave: fn(f64) -> f64| {
            let angle = |n: usize| -PI * ((4 * k + 1) * n) as f64 / (2 * m) as f64;
            samples.iter().enumerate().map(|(n, x)| x * wave(angle(n))).sum()
        };
        [(0..m).map(|k| sum(k, f64::cos)).collect(), (0..m).map(|k| sum(k, f64::sin)).collect()]
    }

    #[test]
    fn it_is_the_sum_of_its_definition_and_its_inverse_takes_it_back() {
        for n_bins in [1, 2, 3, 8, 17, 96, 320] {
            let samples = pseudo_random(1, 2 * n_bins);
            let [re, im] = oracle(&widen(&samples));
            for simd in Simd::all() {
                let mut transform = OddTransform::new(n_bins);
                transform.simd = simd;
                let mut spectrum = vec![Complex32::new(f32::NAN, f32::NAN); n_bins];
                transform.forward(&samples, &mut spectrum);
                // About ten passes round at 2^-24 of a rms of sqrt(2 n_bins / 3).
                let tolerance = 1e-6 * (n_bins as f64).sqrt();
                let parts = |part: fn(&Complex32) -> f32| spectrum.iter().map(part).collect();
                let [real, imaginary]: [Vec<f32>; 2] = [parts(|z| z.re), parts(|z| z.im)];
                assert_close(&format!("{n_bins}, {simd:?}, re"), &real, &re, tolerance);
                assert_close(&format!("{n_bins}, {simd:?}, im"), &imaginary, &im, tolerance);
                let mut back = vec![f32::NAN; 2 * n_bins];
                transform.inverse(&mut spectrum, &mut back);
                assert_close(&format!("{n_bins}, {simd:?}"), &back, &widen(&samples), 1e-6);
            }
        }
    }
}
