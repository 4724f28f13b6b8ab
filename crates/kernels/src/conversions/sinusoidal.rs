//! Between harmonics of a fundamental and sinusoids at any frequencies.

#![expect(clippy::cast_possible_truncation, reason = "sums are f64, controls f32")]

use crate::harmonic::{harmonic_frequencies, harmonic_frequencies_backward, normalize_harmonics};

/// Controls of a [`Harmonic`](crate::Harmonic) synthesizer.
#[derive(Clone, Copy, Debug)]
pub struct HarmonicControls<'a> {
    /// `[n_frames]`
    pub f0_hz: &'a [f32],
    /// `[n_frames]`, linear.
    pub amplitudes: &'a [f32],
    /// `[n_frames, n_harmonics]`
    pub harmonic_distribution: &'a [f32],
}

/// The same to write to: values, or gradients.
#[derive(Debug)]
pub struct HarmonicControlsMut<'a> {
    /// `[n_frames]`; an input of both conversions, so only its gradient is ever written.
    pub f0_hz: &'a mut [f32],
    /// `[n_frames]`
    pub amplitudes: &'a mut [f32],
    /// `[n_frames, n_harmonics]`
    pub harmonic_distribution: &'a mut [f32],
}

/// Controls of a sinusoidal synthesizer.
#[derive(Clone, Copy, Debug)]
pub struct SinusoidalControls<'a> {
    /// `[n_frames, n_sinusoids]`
    pub frequencies_hz: &'a [f32],
    /// `[n_frames, n_sinusoids]`, linear.
    pub amplitudes: &'a [f32],
}

/// The same to write to: values, or gradients.
#[derive(Debug)]
pub struct SinusoidalControlsMut<'a> {
    /// `[n_frames, n_sinusoids]`
    pub frequencies_hz: &'a mut [f32],
    /// `[n_frames, n_sinusoids]`
    pub amplitudes: &'a mut [f32],
}

/// Overwrites `sinusoids` with one for each harmonic: `k f0` at `amplitude distribution[k]`, the
/// distribution cut at the Nyquist frequency and normalised.
///
/// # Panics
///
/// If the lengths are not of equally many frames and harmonics.
pub fn harmonic_to_sinusoidal(
    harmonics: HarmonicControls<'_>,
    sample_rate: f32,
    sinusoids: SinusoidalControlsMut<'_>,
) {
    let n_harmonics = check_harmonics(harmonics);
    let HarmonicControls { f0_hz, amplitudes, harmonic_distribution } = harmonics;
    check_len("frequencies_hz", sinusoids.frequencies_hz.len(), harmonic_distribution.len());
    harmonic_frequencies(f0_hz, n_harmonics, sinusoids.frequencies_hz);
    normalize_harmonics(harmonic_distribution, f0_hz, sample_rate, sinusoids.amplitudes);
    for (row, a) in sinusoids.amplitudes.chunks_mut(n_harmonics.max(1)).zip(amplitudes) {
        row.iter_mut().for_each(|y| *y *= a);
    }
}

/// Accumulates into `grads` the vector-Jacobian product of [`harmonic_to_sinusoidal`].
///
/// With the normalised distribution `d_k = x_k / s`: `grad amplitude = sum_k d_k grad a_k`,
/// `grad x_k = amplitude (grad a_k - grad amplitude) / s`, and `grad f0 = sum_k k grad f_k`.
///
/// # Panics
///
/// As [`harmonic_to_sinusoidal`], of controls and gradients.
pub fn harmonic_to_sinusoidal_backward(
    harmonics: HarmonicControls<'_>,
    sample_rate: f32,
    grad_sinusoids: SinusoidalControls<'_>,
    grads: HarmonicControlsMut<'_>,
) {
    let n_harmonics = check_harmonics(harmonics);
    let HarmonicControls { f0_hz, amplitudes, harmonic_distribution } = harmonics;
    let n = harmonic_distribution.len();
    check_len("gradient of frequencies_hz", grad_sinusoids.frequencies_hz.len(), n);
    check_len("gradient of amplitudes", grad_sinusoids.amplitudes.len(), n);
    check_len("gradient of f0_hz", grads.f0_hz.len(), f0_hz.len());
    check_len("gradient of amplitudes", grads.amplitudes.len(), f0_hz.len());
    check_len("gradient of harmonic_distribution", grads.harmonic_distribution.len(), n);
    harmonic_frequencies_backward(n_harmonics, grad_sinusoids.frequencies_hz, grads.f0_hz);
    for i in 0..f0_hz.len() {
        let row = i * n_harmonics..(i + 1) * n_harmonics;
        let is_audible = |k: usize| {
            (k + 1) as f64 * f64::from(f0_hz[i]) < f64::from(sample_rate) / 2.0 || f0_hz[i].is_nan()
        };
        let distribution = &harmonic_distribution[row.clone()];
        let grad = &grad_sinusoids.amplitudes[row.clone()];
        // Relative to the first, so that nothing is left where all are the same.
        let first = grad.first().copied().map_or(0.0, f64::from);
        let (mut sum, mut product) = (0.0, 0.0);
        for k in (0..n_harmonics).filter(|&k| is_audible(k)) {
            sum += f64::from(distribution[k]);
            product += f64::from(distribution[k]) * (f64::from(grad[k]) - first);
        }
        if sum == 0.0 {
            continue;
        }
        let scale = 1.0 / sum;
        let mean = first + product * scale;
        grads.amplitudes[i] += mean as f32;
        let amplitude = f64::from(amplitudes[i]);
        let grad_distribution = &mut grads.harmonic_distribution[row];
        for k in (0..n_harmonics).filter(|&k| is_audible(k)) {
            grad_distribution[k] += (amplitude * (f64::from(grad[k]) - mean) * scale) as f32;
        }
    }
}

/// Sinusoids to the harmonics of a fundamental that lie near them.
///
/// `h_k = sum_j a_j exp(-((f_j - k f0) / (f0 width))^2)`, 0 where `k f0` is at or above the Nyquist
/// frequency; the amplitude is `sum_k h_k` and the distribution `h_k` over it (0 where it is 0). From
/// magenta/ddsp 3.7.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinusoidalToHarmonic {
    /// Width of a harmonic's catchment, as a share of f0.
    pub harmonic_width: f32,
    /// How many harmonics come out.
    pub n_harmonics: usize,
    /// Of the synthesizers, Hz.
    pub sample_rate: f32,
    /// Whether a harmonic with several sinusoids shares a weight of 1 among them, so that it is no
    /// louder than the loudest.
    pub is_normalized: bool,
}

impl Default for SinusoidalToHarmonic {
    /// The reference's.
    fn default() -> Self {
        Self { harmonic_width: 0.1, n_harmonics: 100, sample_rate: 16_000.0, is_normalized: false }
    }
}

impl SinusoidalToHarmonic {
    /// Overwrites `amplitudes` `[n_frames]` and `harmonic_distribution` `[n_frames, n_harmonics]`.
    ///
    /// # Panics
    ///
    /// If the lengths are not of equally many frames.
    pub fn forward(
        &self,
        sinusoids: SinusoidalControls<'_>,
        f0_hz: &[f32],
        amplitudes: &mut [f32],
        harmonic_distribution: &mut [f32],
    ) {
        let n_sinusoids = self.check(sinusoids, f0_hz.len());
        check_len("amplitudes", amplitudes.len(), f0_hz.len());
        let n = f0_hz.len() * self.n_harmonics;
        check_len("harmonic_distribution", harmonic_distribution.len(), n);
        for (i, f0_hz) in f0_hz.iter().enumerate() {
            let frame = Frame::new(sinusoids, i, n_sinusoids, *f0_hz);
            let row = &mut harmonic_distribution[i * self.n_harmonics..][..self.n_harmonics];
            let mut sum = 0.0;
            for (k, y) in (1..).zip(row.iter_mut()) {
                let harmonic = self.harmonic(&frame, k);
                sum += harmonic;
                *y = harmonic as f32;
            }
            amplitudes[i] = sum as f32;
            let scale = if sum == 0.0 { 0.0 } else { 1.0 / sum };
            row.iter_mut().for_each(|y| *y = (f64::from(*y) * scale) as f32);
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) into `grads` and
    /// `grad_f0_hz`; of `grad_harmonics` the f0 does not count.
    ///
    /// With `r = f_j / f0 - k` and `w = exp(-(r / width)^2)`: `dw/dr = -2 r w / width^2`, `dr/df_j =
    /// 1 / f0` and `dr/df0 = -f_j / f0^2`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), of controls and gradients.
    pub fn backward(
        &self,
        sinusoids: SinusoidalControls<'_>,
        f0_hz: &[f32],
        grad_harmonics: HarmonicControls<'_>,
        grads: SinusoidalControlsMut<'_>,
        grad_f0_hz: &mut [f32],
    ) {
        let n_sinusoids = self.check(sinusoids, f0_hz.len());
        let n = sinusoids.amplitudes.len();
        let n_distribution = f0_hz.len() * self.n_harmonics;
        let grad_distribution = grad_harmonics.harmonic_distribution;
        check_len("gradient of amplitudes", grad_harmonics.amplitudes.len(), f0_hz.len());
        check_len("gradient of harmonic_distribution", grad_distribution.len(), n_distribution);
        check_len("gradient of frequencies_hz", grads.frequencies_hz.len(), n);
        check_len("gradient of amplitudes", grads.amplitudes.len(), n);
        check_len("gradient of f0_hz", grad_f0_hz.len(), f0_hz.len());
        for i in 0..f0_hz.len() {
            let frame = Frame::new(sinusoids, i, n_sinusoids, f0_hz[i]);
            let grad_row = &grad_distribution[i * self.n_harmonics..][..self.n_harmonics];
            let row = i * n_sinusoids..(i + 1) * n_sinusoids;
            let of_sinusoids = SinusoidalControlsMut {
                frequencies_hz: &mut grads.frequencies_hz[row.clone()],
                amplitudes: &mut grads.amplitudes[row],
            };
            let grad_amplitude = f64::from(grad_harmonics.amplitudes[i]);
            grad_f0_hz[i] += self.backward_frame(&frame, grad_amplitude, grad_row, of_sinusoids);
        }
    }

    /// Returns the gradient of the frame's f0.
    fn backward_frame(
        &self,
        frame: &Frame<'_>,
        grad_amplitude: f64,
        grad_distribution: &[f32],
        grads: SinusoidalControlsMut<'_>,
    ) -> f32 {
        let numbered = || (1..).zip(grad_distribution);
        let (mut sum, mut mean) = (0.0, 0.0);
        for (k, grad) in numbered() {
            let harmonic = self.harmonic(frame, k);
            sum += harmonic;
            mean += harmonic * f64::from(*grad);
        }
        let scale = if sum == 0.0 { 0.0 } else { 1.0 / sum };
        mean *= scale;
        let mut grad_f0 = 0.0;
        for (k, grad) in numbered() {
            if !self.is_audible(frame, k) {
                continue;
            }
            let grad_harmonic = grad_amplitude + (f64::from(*grad) - mean) * scale;
            let total = self.total_weight(frame, k);
            let share = self.harmonic(frame, k);
            for j in 0..frame.amplitudes.len() {
                let (ratio, weight) = self.weight(frame, k, j);
                let amplitude = f64::from(frame.amplitudes[j]);
                grads.amplitudes[j] += (grad_harmonic * weight / total) as f32;
                // Where weights are shared, one's rise is the others' loss.
                let loss = if total > 1.0 { share } else { 0.0 };
                let grad_weight = grad_harmonic * (amplitude - loss) / total;
                let width = f64::from(self.harmonic_width);
                let grad_ratio = grad_weight * -2.0 * ratio * weight / (width * width);
                grads.frequencies_hz[j] += (grad_ratio / frame.divisor) as f32;
                let hz = f64::from(frame.frequencies_hz[j]);
                grad_f0 -= grad_ratio * hz / (frame.divisor * frame.divisor);
            }
        }
        grad_f0 as f32
    }

    /// `h_k`.
    fn harmonic(&self, frame: &Frame<'_>, k: usize) -> f64 {
        if !self.is_audible(frame, k) {
            return 0.0;
        }
        let of = |j: usize| self.weight(frame, k, j).1 * f64::from(frame.amplitudes[j]);
        let sum: f64 = (0..frame.amplitudes.len()).map(of).sum();
        sum / self.total_weight(frame, k)
    }

    /// What the weights are divided by: 1 unless they are shared.
    fn total_weight(&self, frame: &Frame<'_>, k: usize) -> f64 {
        if !self.is_normalized {
            return 1.0;
        }
        let sum: f64 = (0..frame.amplitudes.len()).map(|j| self.weight(frame, k, j).1).sum();
        if sum > 1.0 { sum } else { 1.0 }
    }

    /// The distance of sinusoid `j` from harmonic `k` as a share of f0, and its weight there.
    fn weight(&self, frame: &Frame<'_>, k: usize, j: usize) -> (f64, f64) {
        let difference = f64::from(frame.frequencies_hz[j]) - k as f64 * f64::from(frame.f0_hz);
        let ratio = difference / frame.divisor;
        let widths = ratio / f64::from(self.harmonic_width);
        (ratio, (-widths * widths).exp())
    }

    /// Whether harmonic `k` is below the Nyquist frequency; a NaN is not above it.
    fn is_audible(&self, frame: &Frame<'_>, k: usize) -> bool {
        let hz = k as f64 * f64::from(frame.f0_hz);
        hz.is_nan() || hz < f64::from(self.sample_rate) / 2.0
    }

    /// Returns the number of sinusoids.
    fn check(&self, sinusoids: SinusoidalControls<'_>, n_frames: usize) -> usize {
        let (n, n_hz) = (sinusoids.amplitudes.len(), sinusoids.frequencies_hz.len());
        check_len("frequencies_hz", n_hz, n);
        let n_sinusoids = n.checked_div(n_frames).unwrap_or(0);
        assert_eq!(
            n,
            n_sinusoids * n_frames,
            "SinusoidalToHarmonic: {n} sinusoids for {n_frames} frames of f0_hz"
        );
        n_sinusoids
    }
}

/// The sinusoids of one frame.
struct Frame<'a> {
    frequencies_hz: &'a [f32],
    amplitudes: &'a [f32],
    f0_hz: f32,
    /// f0, or 1e-7 in place of 0, as in the reference.
    divisor: f64,
}

impl<'a> Frame<'a> {
    fn new(sinusoids: SinusoidalControls<'a>, i: usize, n_sinusoids: usize, f0_hz: f32) -> Self {
        let row = i * n_sinusoids..(i + 1) * n_sinusoids;
        Self {
            frequencies_hz: &sinusoids.frequencies_hz[row.clone()],
            amplitudes: &sinusoids.amplitudes[row],
            f0_hz,
            divisor: if f0_hz == 0.0 { 1e-7 } else { f64::from(f0_hz) },
        }
    }
}

/// Returns the number of harmonics.
fn check_harmonics(controls: HarmonicControls<'_>) -> usize {
    let (n, n_frames) = (controls.harmonic_distribution.len(), controls.f0_hz.len());
    check_len("amplitudes", controls.amplitudes.len(), n_frames);
    let n_harmonics = n.checked_div(n_frames).unwrap_or(0);
    assert_eq!(
        n,
        n_harmonics * n_frames,
        "conversion: {n} harmonic_distribution values for {n_frames} frames of f0_hz"
    );
    n_harmonics
}

fn check_len(name: &str, n: usize, expected: usize) {
    assert_eq!(n, expected, "conversion: {name} has {n} values where {expected} are needed");
}
