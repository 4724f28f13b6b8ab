//! The windowed-sinc response of one cutoff.

use std::f64::consts::TAU;

use super::sinc::{derivative, quotient, sin_cos_pi};

/// In what a cutoff is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutoffUnit {
    /// The ratio to the Nyquist frequency, in `[0, 1]`.
    NyquistRatio,
    /// Hertz, at a sample rate of so many.
    Hz {
        /// Samples a second.
        sample_rate: u32,
    },
}

/// Design of windowed-sinc filters, and back.
///
/// With `c` the cutoff as a ratio to the Nyquist frequency and `d` samples from the centre, the
/// low-pass is `h(d) = w(d) sinc(c d) / |sum_d w(d) sinc(c d)|`: its gain is 1 at 0 Hz, half at the
/// cutoff, and the transition is about `2 / ir_len` of the Nyquist frequency to either side. `w(d) =
/// 0.54 + 0.46 cos(2 pi d / (ir_len - 1))` is the Hamming window, whose side lobes stay 53 dB below.
/// The high-pass is the unit sample less the low-pass.
///
/// From magenta/ddsp 3.7; see also Smith, "The Scientist and Engineer's Guide to Digital Signal
/// Processing", chapter 16. A cutoff outside `[0, 1]` mirrors.
#[derive(Clone, Debug)]
pub struct SincResponse {
    high_pass: bool,
    /// Ratio for a cutoff of 1.
    unit: f64,
    /// The window from its crest outwards: all taps are symmetric.
    window: Vec<f64>,
    /// Sine and cosine for each tap of that half.
    waves: Vec<(f64, f64)>,
}

impl SincResponse {
    /// A design of `2 (window_len / 2) + 1` taps: the reference's default `window_len` is 512.
    ///
    /// # Panics
    ///
    /// If the sample rate is 0.
    pub fn new(window_len: usize, unit: CutoffUnit, high_pass: bool) -> Self {
        let half = window_len / 2;
        let unit = match unit {
            CutoffUnit::NyquistRatio => 1.0,
            CutoffUnit::Hz { sample_rate } => {
                assert!(sample_rate > 0, "SincResponse: sample rate {sample_rate}");
                2.0 / f64::from(sample_rate)
            }
        };
        let angle = |d: usize| TAU * d as f64 / (2 * half).max(1) as f64;
        let window = (0..=half).map(|d| 0.54 + 0.46 * angle(d).cos()).collect();
        Self { high_pass, unit, window, waves: vec![(0.0, 1.0); half + 1] }
    }

    /// Taps of a response, an odd number; the centre is `ir_len / 2`.
    pub fn ir_len(&self) -> usize {
        2 * self.window.len() - 1
    }

    /// Overwrites `impulse_response` `[ir_len]` for a `cutoff`.
    ///
    /// # Panics
    ///
    /// If it does not have `ir_len` taps.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&mut self, cutoff: f32, impulse_response: &mut [f32]) {
        self.check(impulse_response.len());
        let ratio = self.unit * f64::from(cutoff);
        self.turn(ratio);
        let (norm, half) = (1.0 / self.sum(ratio).abs(), self.window.len() - 1);
        for (d, (w, (sine, _))) in self.window.iter().zip(&self.waves).enumerate() {
            let low = norm * w * quotient(ratio * d as f64, *sine);
            let unit = if d == 0 { 1.0 } else { 0.0 };
            let tap = round(if self.high_pass { unit - low } else { low });
            impulse_response[half - d] = tap;
            impulse_response[half + d] = tap;
        }
    }

    /// Adds to `grad_cutoff` the inner product of `grad_impulse_response` with the derivative of
    /// [`forward`](Self::forward).
    ///
    /// With `a(d) = w(d) sinc(c d)`, `A` their sum and a dash for the derivative with respect to `c`,
    /// the low-pass changes by `(a'(d) - a(d) A' / A) / |A|`, the high-pass by the opposite.
    ///
    /// # Panics
    ///
    /// If there are not `ir_len` taps.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&mut self, cutoff: f32, grad_impulse_response: &[f32], grad_cutoff: &mut f32) {
        self.check(grad_impulse_response.len());
        let ratio = self.unit * f64::from(cutoff);
        self.turn(ratio);
        let half = self.window.len() - 1;
        // The sums of a and a', and both weighted by the gradient.
        let (mut sum, mut slope, mut grad_sum, mut grad_slope) = (0.0, 0.0, 0.0, 0.0);
        for (d, (w, (sine, cosine))) in self.window.iter().zip(&self.waves).enumerate() {
            let (n, x) = (d as f64, ratio * d as f64);
            let a = w * quotient(x, *sine);
            let da = w * n * derivative(x, *sine, *cosine);
            let before = if d == 0 { 0.0 } else { f64::from(grad_impulse_response[half - d]) };
            let g = before + f64::from(grad_impulse_response[half + d]);
            let n_taps = if d == 0 { 1.0 } else { 2.0 };
            sum += n_taps * a;
            slope += n_taps * da;
            grad_sum += g * a;
            grad_slope += g * da;
        }
        let low = (grad_slope - grad_sum * slope / sum) / sum.abs();
        let grad_ratio = if self.high_pass { -low } else { low };
        *grad_cutoff += round(self.unit * grad_ratio);
    }

    /// Sum of all taps before they are normalised.
    fn sum(&self, ratio: f64) -> f64 {
        let taps = self.window.iter().zip(&self.waves).enumerate();
        let half: f64 = taps.map(|(d, (w, (sine, _)))| w * quotient(ratio * d as f64, *sine)).sum();
        2.0 * half - self.window[0]
    }

    /// Sine and cosine of `pi ratio d` for every `d`, each from the one before by a rotation: 256
    /// of them lose less than 1e-13.
    fn turn(&mut self, ratio: f64) {
        let (sine, cosine) = sin_cos_pi(ratio);
        let mut wave = (0.0, 1.0);
        for slot in &mut self.waves {
            *slot = wave;
            let (s, c) = wave;
            wave = (s * cosine + c * sine, c * cosine - s * sine);
        }
    }

    fn check(&self, n: usize) {
        let ir_len = self.ir_len();
        assert_eq!(n, ir_len, "SincResponse: {n} taps, not {ir_len}");
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to f32")]
fn round(x: f64) -> f32 {
    x as f32
}
