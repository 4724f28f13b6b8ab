//! Changing the sample rate of a whole recording, without delay.
//!
//! A polyphase windowed sinc in plain loops. An FFT resampler is faster still, but instantiates a
//! generic FFT in this crate (2,500 functions, over half of its compile time), and decoding and pitch
//! tracking take far longer than these 10 ms for 4 s at 48 kHz.

#![expect(
    clippy::cast_possible_truncation,
    reason = "filter taps are computed in f64, kept in f32"
)]

use std::f64::consts::TAU;

/// Rates that are believed; anything else is a broken header.
pub(crate) const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Half the filter's length in samples of the lower rate. With the window below, the transition band
/// is 5% of the lower rate wide: at 16 kHz from 7.2 to 8 kHz.
const HALF_LEN: usize = 64;
/// Middle of the transition band, as a share of the lower rate: the stop band begins at its half.
const CUTOFF: f64 = 0.475;
/// Kaiser window: 100 dB of attenuation.
const KAISER_BETA: f64 = 10.06;
/// Most filter phases that are tabulated; the error of interpolating between so many is below
/// `(TAU * CUTOFF / 4096)^2 / 8 = 7e-8` of full scale, less than rounding.
const MAX_PHASES: usize = 4096;
/// Most taps that are tabulated (16 MiB): reached only by extreme ratios, whose filters are smooth.
const MAX_TAPS: usize = 1 << 22;

/// Brings audio from one rate to another: `ceil(n * to / from)` samples, sample 0 at the same time.
///
/// # Errors
///
/// If a rate is outside 1 to 768 kHz.
pub fn resample(audio: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, String> {
    if let Some(rate) = [from, to].iter().find(|rate| !RATES_HZ.contains(rate)) {
        return Err(format!("{rate} Hz is no sample rate between 1 and 768 kHz"));
    }
    if from == to || audio.is_empty() {
        return Ok(audio);
    }
    let divisor = greatest_common_divisor(from as usize, to as usize);
    let (step, n_phases) = (from as usize / divisor, to as usize / divisor);
    let bank = FilterBank::new(step, n_phases);
    let n_out = (audio.len() * n_phases).div_ceil(step);
    let mut padded = vec![0.0; bank.half_len];
    padded.extend_from_slice(&audio);
    padded.resize(padded.len() + bank.half_len + 1, 0.0);
    drop(audio);
    let sample = |i: usize| {
        let (base, phase) = (i * step / n_phases, i * step % n_phases);
        // The first tap lies on sample `base + 1 - half_len` of the audio.
        bank.apply(&padded[base + 1..], phase, n_phases)
    };
    Ok((0..n_out).map(sample).collect())
}

/// The filter at each of a number of offsets between two input samples.
struct FilterBank {
    /// Input samples on either side that count.
    half_len: usize,
    /// Rows of `2 * half_len` taps; row `r` of `n` is for the offset `r / n`, with one row more for 1.
    taps: Vec<f32>,
    n_rows: usize,
}

impl FilterBank {
    fn new(step: usize, n_phases: usize) -> Self {
        // Input samples to a sample of the lower rate.
        let stretch = (step as f64 / n_phases as f64).max(1.0);
        let half_len = (HALF_LEN as f64 * stretch).ceil() as usize;
        let n_rows = n_phases.min(MAX_PHASES).min(MAX_TAPS / (2 * half_len)).max(1);
        let mut taps = Vec::with_capacity((n_rows + 1) * 2 * half_len);
        for row in 0..=n_rows {
            let offset = row as f64 / n_rows as f64;
            let at = |tap: usize| tap as f64 + 1.0 - half_len as f64 - offset;
            let values: Vec<f64> =
                (0..2 * half_len).map(|tap| kernel(at(tap), half_len as f64, stretch)).collect();
            // Unit gain at 0 Hz for every offset, so that a constant stays one.
            let gain: f64 = values.iter().sum();
            taps.extend(values.iter().map(|value| (value / gain) as f32));
        }
        Self { half_len, taps, n_rows }
    }

    /// The filter at the offset `phase / n_phases` on the samples at the start of `audio`.
    fn apply(&self, audio: &[f32], phase: usize, n_phases: usize) -> f32 {
        let len = 2 * self.half_len;
        let (row, rest) = (phase * self.n_rows / n_phases, phase * self.n_rows % n_phases);
        let dot_row = |row: usize| dot(&self.taps[row * len..(row + 1) * len], &audio[..len]);
        if rest == 0 {
            return dot_row(row);
        }
        let weight = rest as f32 / n_phases as f32;
        dot_row(row) * (1.0 - weight) + dot_row(row + 1) * weight
    }
}

/// The windowed sinc at `x` input samples from its centre, but for its gain.
fn kernel(x: f64, half_len: f64, stretch: f64) -> f64 {
    let phase = TAU * CUTOFF * x / stretch;
    let sinc = if phase.abs() < 1e-9 { 1.0 } else { phase.sin() / phase };
    let t = x / half_len;
    // The window's ends are not quite 0: they are left out, so that the filter is symmetric.
    if t.abs() < 1.0 { sinc * bessel_i0(KAISER_BETA * (1.0 - t * t).sqrt()) } else { 0.0 }
}

/// The modified Bessel function of order 0, by its series `sum((x / 2)^(2 k) / k!^2)`.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    let mut k = 1.0;
    while term > 1e-12 * sum {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

/// The inner product in sixteen lanes, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A tone of amplitude 0.5, for the tests here and of audio files.
#[cfg(test)]
pub(crate) fn tone(hz: f64, rate: u32, n_samples: usize) -> Vec<f32> {
    let omega = TAU * hz / f64::from(rate);
    (0..n_samples).map(|i| (0.5 * (omega * i as f64 + 0.3).sin()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_length_and_level_are_kept() {
        // 22,051 Hz shares no divisor with 16 kHz: its 16,000 phases are interpolated.
        let pairs = [
            (48_000, 16_000),
            (44_100, 16_000),
            (22_051, 16_000),
            (16_000, 48_000),
            (8_000, 16_000),
        ];
        for (from, to) in pairs {
            let n = from as usize / 4 + 7;
            // Up to the edge of the passband at the lower rate, 0.45 of it.
            for hz in [100.0, 1000.0, 0.45 * f64::from(from.min(to))] {
                let out = resample(tone(hz, from, n), from, to).expect("sane rates");
                assert_eq!(out.len(), (n * to as usize).div_ceil(from as usize), "{from} to {to}");
                let expected = tone(hz, to, out.len());
                // Away from the ends, where the tone's sudden start rings. 1e-5 is the window's
                // 100 dB; a delay of 1e-3 samples at 1 kHz would already show as 2e-4.
                let ends = 2 * HALF_LEN * to as usize / from.min(to) as usize;
                for i in ends..out.len() - ends {
                    let difference = (out[i] - expected[i]).abs();
                    assert!(difference < 1e-5, "{from} to {to}, {hz} Hz at {i}: {difference:e}");
                }
            }
        }
    }

    #[test]
    fn what_lies_above_the_new_range_does_not_fold_back() {
        for hz in [8_000.0, 9_000.0, 15_000.0, 23_000.0] {
            let out = resample(tone(hz, 48_000, 48_000), 48_000, 16_000).expect("sane rates");
            let worst = out[200..15_800].iter().fold(0.0_f32, |worst, s| worst.max(s.abs()));
            // 100 dB under the tone's 0.5, doubled for the sum over ripples.
            assert!(worst < 1e-5, "{hz} Hz comes back as {worst:e}");
        }
    }

    #[test]
    fn an_impulse_stays_where_it_was() {
        let mut audio = vec![0.0; 3000];
        audio[1500] = 1.0;
        let out = resample(audio, 48_000, 16_000).expect("sane rates");
        let peak = (0..out.len()).max_by(|&a, &b| out[a].total_cmp(&out[b]));
        assert_eq!(peak, Some(500));
        for k in 1..400 {
            assert_eq!(out[500 - k], out[500 + k], "symmetric, sample {k}");
        }
    }

    #[test]
    fn extreme_and_senseless_rates() {
        for (from, to) in [(767_999, 1_000), (1_000, 767_999)] {
            let out = resample(vec![1.0; 3000], from, to).expect("allowed");
            assert_eq!(out.len(), (3000 * to as usize).div_ceil(from as usize));
            assert!(out.iter().all(|s| s.is_finite()), "{from} to {to}");
        }
        assert_eq!(resample(vec![0.5; 3], 16_000, 16_000).expect("the same"), [0.5; 3]);
        assert!(resample(vec![0.5; 3], 0, 16_000).is_err(), "no rate");
        assert!(resample(Vec::new(), 48_000, 16_000).expect("nothing").is_empty(), "nothing");
    }
}
