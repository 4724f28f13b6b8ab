//! The synthesizer in f64, from its definition.

#![expect(clippy::cast_possible_truncation, reason = "whole numbers in f64 to indices")]

use std::f64::consts::{PI, TAU};

use super::{Example, SAMPLE_RATE};
use crate::AmplitudeInterpolation;
use crate::testing::widen;

/// A semitone below the Nyquist frequency, as a part of it.
fn fade() -> f64 {
    1.0 - 2.0_f64.powf(-1.0 / 12.0)
}

/// The inputs of one example, and the spectra of its tables.
#[derive(Clone)]
pub(super) struct Exact {
    pub(super) f0_hz: Vec<f64>,
    pub(super) amplitudes: Vec<f64>,
    pub(super) table_weights: Vec<f64>,
    pub(super) initial_phase: f64,
    hop: usize,
    interpolation: AmplitudeInterpolation,
    /// Amplitudes of the cosine and the sine of each harmonic, for each table.
    harmonics: Vec<Vec<(f64, f64)>>,
    /// Harmonics in each bandwidth.
    bandwidths: Vec<usize>,
    /// The values of each table, for each bandwidth.
    values: Vec<Vec<Vec<f64>>>,
}

impl Exact {
    pub(super) fn new(example: &Example) -> Self {
        let table_len = example.tables.len() / example.n_tables;
        let mut bandwidths = vec![table_len / 2];
        while bandwidths[bandwidths.len() - 1] > 1 {
            // Four semitones.
            let next = bandwidths[bandwidths.len() - 1] as f64 / 2.0_f64.powf(4.0 / 12.0);
            bandwidths.push(next.floor() as usize);
        }
        let mut exact = Self {
            f0_hz: widen(&example.f0_hz),
            amplitudes: widen(&example.amplitudes),
            table_weights: widen(&example.table_weights),
            initial_phase: example.initial_phase.into(),
            hop: example.hop,
            interpolation: example.interpolation,
            harmonics: vec![Vec::new(); example.n_tables],
            bandwidths,
            values: Vec::new(),
        };
        exact.set_tables(&widen(&example.tables));
        exact
    }

    pub(super) fn set_tables(&mut self, tables: &[f64]) {
        let len = tables.len() / self.harmonics.len();
        for (harmonics, table) in self.harmonics.iter_mut().zip(tables.chunks(len)) {
            *harmonics = (1..=len / 2).map(|k| harmonic(table, k)).collect();
        }
        self.values = self
            .bandwidths
            .iter()
            .map(|&n| self.harmonics.iter().map(|harmonics| values(&harmonics[..n])).collect())
            .collect();
    }

    /// The definition as the documentation has it, with splines for the tables.
    pub(super) fn splines(&self, audio: &mut [f64]) {
        self.play(audio, |f0_nyquist, phase| {
            let mut wider = 0.0;
            let mut sums = vec![0.0; self.harmonics.len()];
            for (n_harmonics, values) in self.bandwidths.iter().zip(&self.values) {
                let allowed = allowed(*n_harmonics, f0_nyquist);
                for (sum, values) in sums.iter_mut().zip(values) {
                    *sum += (allowed - wider) * read(values, phase);
                }
                wider = allowed;
            }
            sums
        });
    }

    /// The same with sines and cosines, each as loud as the narrowest bandwidth that has it is allowed.
    pub(super) fn harmonics(&self, audio: &mut [f64]) {
        self.play(audio, |f0_nyquist, phase| {
            let gain = |k: usize| {
                let with_it = self.bandwidths.iter().filter(|&&n| n >= k).min();
                allowed(*with_it.expect("k is in the widest"), f0_nyquist)
            };
            let sum = |harmonics: &Vec<(f64, f64)>| {
                let harmonic = |(k, (a, b)): (usize, &(f64, f64))| {
                    let turn = TAU * k as f64 * phase;
                    gain(k) * (a * turn.cos() + b * turn.sin())
                };
                (1..).zip(harmonics).map(harmonic).sum()
            };
            self.harmonics.iter().map(sum).collect()
        });
    }

    /// Plays what `tables` reads at an f0, as a fraction of the Nyquist frequency, and a phase.
    fn play(&self, audio: &mut [f64], tables: impl Fn(f64, f64) -> Vec<f64>) {
        let (n_frames, n_tables) = (self.f0_hz.len(), self.harmonics.len());
        let mut phase = self.initial_phase;
        for (n, y) in audio.iter_mut().enumerate() {
            let (i, u) = (n / self.hop, (n % self.hop) as f64 / self.hop as f64);
            let next = (i + 1).min(n_frames - 1);
            let blend = |here: f64, next: f64, w: f64| (1.0 - w) * here + w * next;
            let w = match self.interpolation {
                AmplitudeInterpolation::Nearest => 0.0,
                AmplitudeInterpolation::Linear => u,
                AmplitudeInterpolation::Window => 0.5 - 0.5 * (PI * u).cos(),
            };
            let f0 = blend(self.f0_hz[i], self.f0_hz[next], u);
            let read = tables(f0.abs() / (0.5 * f64::from(SAMPLE_RATE)), phase);
            let weight = |t: usize| {
                let row = |i: usize| self.table_weights[i * n_tables + t];
                blend(row(i), row(next), u)
            };
            let mixed: f64 = read.iter().enumerate().map(|(t, read)| weight(t) * read).sum();
            *y = blend(self.amplitudes[i], self.amplitudes[next], w) * mixed;
            phase += f0 / f64::from(SAMPLE_RATE);
        }
    }
}

/// How much of a bandwidth is allowed.
fn allowed(n_harmonics: usize, f0_nyquist: f64) -> f64 {
    ((1.0 - n_harmonics as f64 * f0_nyquist) / fade()).clamp(0.0, 1.0)
}

/// Amplitudes of the cosine and the sine of harmonic `k` of a table.
fn harmonic(table: &[f64], k: usize) -> (f64, f64) {
    let len = table.len();
    // The highest one of an even length is its own mirror image.
    let scale = if 2 * k == len { 1.0 } else { 2.0 } / len as f64;
    let turn = |n: usize| TAU * ((k * n) % len) as f64 / len as f64;
    let sum = |wave: fn(f64) -> f64| {
        table.iter().enumerate().map(|(n, x)| x * wave(turn(n))).sum::<f64>()
    };
    let sine = if 2 * k == len { 0.0 } else { sum(f64::sin) };
    (scale * sum(f64::cos), scale * sine)
}

/// Coefficients of the spline through a bandwidth.
fn values(harmonics: &[(f64, f64)]) -> Vec<f64> {
    let len = (16 * harmonics.len()).next_power_of_two().max(256);
    let value = |m: usize| {
        let harmonic = |(k, (a, b)): (usize, &(f64, f64))| {
            let half = PI * k as f64 / len as f64;
            let turn = TAU * (k * m % len) as f64 / len as f64;
            (a * turn.cos() + b * turn.sin()) / (half.sin() / half).powi(4)
        };
        (1..).zip(harmonics).map(harmonic).sum()
    };
    (0..len).map(value).collect()
}

/// The cubic B-spline with coefficients `values` at `phase` turns.
fn read(values: &[f64], phase: f64) -> f64 {
    let position = phase.rem_euclid(1.0) * values.len() as f64;
    let here = position.floor();
    (-1..=2)
        .map(|tap| {
            let distance = (position - here - f64::from(tap)).abs();
            let weight = if distance < 1.0 {
                2.0 / 3.0 - distance.powi(2) + 0.5 * distance.powi(3)
            } else {
                (2.0 - distance).max(0.0).powi(3) / 6.0
            };
            let index = (here as i64 + i64::from(tap)).rem_euclid(values.len() as i64);
            weight * values[index as usize]
        })
        .sum()
}
