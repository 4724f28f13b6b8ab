//! How alike two neighbouring periods are, right at the centre of a frame.

#![expect(
    clippy::cast_possible_truncation,
    reason = "filter taps and sample indices that fit the smaller type by construction"
)]

use std::f64::consts::PI;

use super::stream::{Stream, bessel_i0, dot};

/// Taps of the filter that delays by a fraction of a sample.
const N_TAPS: usize = 8;

/// Fractions that are told apart; at 4 kHz a step is 6 degrees of the period.
const N_FRACTIONS: usize = 16;

/// Power of the smallest sound that counts: -100 dB re full scale, below 16-bit rounding.
const FLOOR: f32 = 1e-10;

/// Normalised correlation over one period of lag, with fractional lags.
pub(super) struct Correlation {
    taps: Vec<[f32; N_TAPS]>,
    shifted: Vec<f32>,
}

impl Correlation {
    pub(super) fn new(max_len: usize) -> Self {
        Self {
            taps: (0..=N_FRACTIONS).map(fractional_taps).collect(),
            shifted: Vec::with_capacity(max_len),
        }
    }

    /// Correlation coefficient of two stretches of `len` samples that lie `lag` apart, both
    /// together centred on sample `centre`; 0 if there is no sound.
    pub(super) fn at(&mut self, stream: &Stream, centre: i64, lag: f32, len: usize) -> f32 {
        let whole = lag as usize;
        let fraction = (lag.fract() * N_FRACTIONS as f32).round() as usize;
        let first = centre - ((len + whole) / 2) as i64;
        let before = stream.slice(first, len);
        let source = stream.slice(first + (whole - (N_TAPS / 2 - 1)) as i64, len + N_TAPS - 1);
        let taps = &self.taps[fraction];
        self.shifted.clear();
        self.shifted.extend(
            source.windows(N_TAPS).map(|x| x.iter().zip(taps).map(|(x, t)| x * t).sum::<f32>()),
        );
        let cross = dot(before, &self.shifted);
        // The geometric mean of the energies: a decay by half in each period is still periodic.
        let energy = (dot(before, before) * dot(&self.shifted, &self.shifted)).sqrt();
        cross / (energy + FLOOR * len as f32)
    }
}

/// Taps that read a signal `fraction / N_FRACTIONS` of a sample after tap `N_TAPS / 2 - 1`.
fn fractional_taps(fraction: usize) -> [f32; N_TAPS] {
    let fraction = fraction as f64 / N_FRACTIONS as f64;
    let mut taps = [0.0; N_TAPS];
    for (i, tap) in taps.iter_mut().enumerate() {
        let t = i as f64 - (N_TAPS / 2 - 1) as f64 - fraction;
        let sinc = if t.abs() < 1e-9 { 1.0 } else { (PI * t).sin() / (PI * t) };
        let edge = t / (N_TAPS / 2) as f64;
        *tap = sinc * bessel_i0(4.0 * (1.0 - edge * edge).max(0.0).sqrt()) / bessel_i0(4.0);
    }
    let sum: f64 = taps.iter().sum();
    taps.map(|t| (t / sum) as f32)
}
