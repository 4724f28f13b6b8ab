//! Spectrograms to look at: dB over time and logarithmic frequency.

#![expect(clippy::cast_possible_truncation, reason = "window lengths and bins are far below 2^32")]
#![expect(clippy::cast_sign_loss, reason = "frequencies and bins are not negative")]

use ddsp_kernels::{FrameAlignment, Stft};

use crate::picture::Grid;

/// Lowest frequency shown, Hz: below a piano's lowest E.
pub const MIN_HZ: f64 = 40.0;

/// Length of the window, seconds: tells the partials of a note at 50 Hz apart, and smears an attack
/// by no more than a few pixels.
const WINDOW_SECS: f64 = 0.08;

/// Columns at most; the pictures are half as wide.
const MAX_COLUMNS: usize = 900;

/// Rows, from 40 Hz to the Nyquist frequency.
const N_ROWS: usize = 220;

/// What silence shows as, dB.
const FLOOR_DB: f32 = -200.0;

/// Level of `audio` in dB re a sine of amplitude 1, at logarithmic frequencies from 40 Hz to
/// the Nyquist frequency: a sine of amplitude 1 shows as 0 dB, whatever its frequency.
///
/// Between the bins of the transform the level is interpolated; where several bins fall into one
/// row, the loudest counts.
pub fn spectrogram_db(audio: &[f32], sample_rate: u32) -> Grid {
    let window_len = (WINDOW_SECS * f64::from(sample_rate)).round() as usize;
    let fft_len = (2 * window_len).next_power_of_two();
    let hop = audio.len().div_ceil(MAX_COLUMNS).max(64);
    let mut stft = Stft::new(window_len, fft_len, hop, FrameAlignment::Centre);
    let n_bins = stft.n_bins();
    let mut magnitudes = vec![0.0; stft.n_frames(audio.len()) * n_bins];
    stft.magnitudes(audio, &mut magnitudes);

    // A periodic Hann window sums to half its length; a sine has half its amplitude at +f.
    let gain = 4.0 / window_len as f32;
    let rows = row_bins(f64::from(sample_rate) / fft_len as f64, f64::from(sample_rate) / 2.0);
    let mut values = Vec::with_capacity(stft.n_frames(audio.len()) * N_ROWS);
    for magnitudes in magnitudes.chunks_exact(n_bins) {
        let db: Vec<f32> =
            magnitudes.iter().map(|m| (20.0 * (m * gain).log10()).max(FLOOR_DB)).collect();
        values.extend(rows.iter().map(|&(low, high)| level(&db, low, high)));
    }
    Grid::new(N_ROWS, values)
}

/// First and last bin of each row, fractional.
fn row_bins(bin_hz: f64, nyquist_hz: f64) -> Vec<(f64, f64)> {
    let edge =
        |row: usize| MIN_HZ * (nyquist_hz / MIN_HZ).powf(row as f64 / N_ROWS as f64) / bin_hz;
    (0..N_ROWS).map(|row| (edge(row), edge(row + 1))).collect()
}

/// Level between two fractional bins.
fn level(db: &[f32], low: f64, high: f64) -> f32 {
    let (first, last) = (low.ceil() as usize, (high.floor() as usize).min(db.len() - 1));
    let loudest = db.get(first..=last).into_iter().flatten().copied().reduce(f32::max);
    loudest.unwrap_or_else(|| {
        let centre = 0.5 * (low + high);
        let below = (centre.floor() as usize).min(db.len() - 2);
        let share = (centre - below as f64) as f32;
        db[below] + share.min(1.0) * (db[below + 1] - db[below])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sine of amplitude 1.
    fn sine(hz: f64) -> Vec<f32> {
        (0..16_000)
            .map(|i| (std::f64::consts::TAU * hz * f64::from(i) / 16_000.0).sin() as f32)
            .collect()
    }

    #[test]
    fn a_sine_peaks_at_its_frequency_with_0_db() {
        for hz in [61.0, 440.0, 5000.0] {
            let grid = spectrogram_db(&sine(hz), 16_000);
            let middle = grid.n_columns / 2;
            let column = &grid.values[middle * N_ROWS..(middle + 1) * N_ROWS];
            let row = (0..N_ROWS).max_by(|&a, &b| column[a].total_cmp(&column[b])).expect("rows");
            let expected = N_ROWS as f64 * (hz / MIN_HZ).ln() / (8000.0 / MIN_HZ).ln();
            // Half a row of rounding, and at 61 Hz a bin of 3.9 Hz is three rows wide.
            assert!(
                (row as f64 + 0.5 - expected).abs() <= 3.0,
                "{hz} Hz in row {row}, not {expected}"
            );
            // Between two bins of a transform padded to 3.2 windows a Hann peak loses 0.15 dB.
            assert!(column[row].abs() < 0.3, "{} dB at {hz} Hz", column[row]);
        }
    }

    #[test]
    fn silence_and_nothing_give_a_picture_too() {
        assert_eq!(spectrogram_db(&[0.0; 100], 16_000).max(), FLOOR_DB);
        assert_eq!(spectrogram_db(&[], 16_000).n_columns, 0);
    }
}
