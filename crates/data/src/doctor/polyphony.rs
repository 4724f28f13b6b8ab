//! Whether a second note sounds beside the one that was tracked.
//!
//! The peaks of a spectrum are compared with the harmonics of the tracked pitch. A second note shows
//! in one of two ways: peaks between the harmonics that form a series of their own; or, where the
//! tracker has taken the pitch that both have as harmonics (110 Hz for 220 and 330), by the harmonics
//! of that pitch which neither has. Two notes an octave, or an octave and a fifth, apart sound and
//! look like one.

use std::collections::BTreeSet;

use ddsp_kernels::{Complex32, FrameAlignment, Stft};

/// Samples of a spectrum at 16 kHz: 128 ms, so that notes above 30 Hz have their harmonics apart.
const WINDOW_LEN: usize = 2048;

/// Peaks further below the strongest are noise, in dB.
const RANGE_DB: f32 = 35.0;

/// Peaks above, in Hz, are smeared by vibrato.
const MAX_HZ: f32 = 4000.0;

/// Harmonics of a second note that must be there, and how many of them between those of the first: a
/// fourth shares every third.
const N_HARMONICS: usize = 3;
const N_ALONE: usize = 2;

/// Least power of a second note relative to all: a ninth of the amplitude, so that sympathetic
/// strings and a chance fit do not count.
const MIN_SHARE: f32 = 0.0125;

/// A peak: frequency and power.
type Peak = (f32, f32);

pub(super) struct SecondNote {
    stft: Stft,
    spectrum: Vec<Complex32>,
    peaks: Vec<Peak>,
}

impl SecondNote {
    pub(super) fn new() -> Self {
        let stft = Stft::new(WINDOW_LEN, WINDOW_LEN, WINDOW_LEN, FrameAlignment::Within);
        let spectrum = vec![Complex32::default(); stft.n_bins()];
        Self { stft, spectrum, peaks: Vec::new() }
    }

    /// Whether there is one around sample `centre` of `audio` at 16 kHz, beside `f0_hz`; `None` near
    /// the ends, where no window fits.
    pub(super) fn is_heard(&mut self, audio: &[f32], centre: usize, f0_hz: f32) -> Option<bool> {
        let begin = centre.checked_sub(WINDOW_LEN / 2)?;
        self.stft.forward(audio.get(begin..begin + WINDOW_LEN)?, &mut self.spectrum);
        self.find_peaks();
        Some(self.has_foreign_series(f0_hz) || self.is_common_divisor(f0_hz))
    }

    fn find_peaks(&mut self) {
        let bin_hz = 16_000.0 / WINDOW_LEN as f32;
        let power: Vec<f32> = self.spectrum.iter().map(Complex32::norm_sqr).collect();
        let max = power.iter().copied().fold(0.0, f32::max);
        let floor = (max * 10_f32.powf(-RANGE_DB / 10.0)).max(1e-9);
        self.peaks.clear();
        for (i, around) in power.windows(3).enumerate() {
            let &[left, here, right] = around else { continue };
            if here < floor || here < left || here <= right {
                continue;
            }
            let [a, b, c] = [left, here, right].map(|p| p.max(1e-20).ln());
            let shift = 0.5 * (a - c) / (a - 2.0 * b + c).min(-1e-6);
            let hz = bin_hz * (i as f32 + 1.0 + shift);
            if hz <= MAX_HZ {
                self.peaks.push((hz, here));
            }
        }
    }

    /// Peaks between the harmonics of `f0_hz` that are harmonics of one other pitch.
    fn has_foreign_series(&self, f0_hz: f32) -> bool {
        let total: f32 = self.peaks.iter().map(|peak| peak.1).sum();
        let foreign: Vec<Peak> =
            self.peaks.iter().copied().filter(|peak| harmonic(peak.0, f0_hz).is_none()).collect();
        let candidates = foreign.iter().flat_map(|peak| [peak.0, peak.0 / 2.0]).filter(|&hz| {
            let ratio = hz / f0_hz;
            hz >= 40.0 && ratio <= 6.0 && (1.0 / ratio - (1.0 / ratio).round()).abs() > 0.03
        });
        candidates.into_iter().any(|other_hz| {
            let mut power = 0.0;
            let mut alone = BTreeSet::new();
            let mut all = BTreeSet::new();
            for &(hz, peak_power) in &self.peaks {
                let (number, distance) = nearest_harmonic(hz, other_hz);
                if !(1..=8).contains(&number) || distance > 0.007 * number as f32 {
                    continue;
                }
                all.insert(number);
                if harmonic(hz, f0_hz).is_none() {
                    alone.insert(number);
                    power += peak_power;
                }
            }
            alone.len() >= N_ALONE && all.len() >= N_HARMONICS && power >= MIN_SHARE * total
        })
    }

    /// Whether the peaks are the harmonics of two multiples of `f0_hz`, and no others are there.
    fn is_common_divisor(&self, f0_hz: f32) -> bool {
        let there: BTreeSet<usize> =
            self.peaks.iter().filter_map(|peak| harmonic(peak.0, f0_hz)).collect();
        let last = there.last().copied().unwrap_or(0).min(16);
        let is_series = |n: usize| there.contains(&n) && there.contains(&(2 * n));
        (2..=7).any(|m| {
            (m + 1..=8).any(|n| {
                let is_either = |k: usize| k.is_multiple_of(m) || k.is_multiple_of(n);
                let n_absent = (1..=last).filter(|&k| !is_either(k)).count();
                !n.is_multiple_of(m)
                    && is_series(m)
                    && is_series(n)
                    && n_absent >= 3
                    && (1..=last).all(|k| is_either(k) || !there.contains(&k))
            })
        })
    }
}

/// The number of the harmonic nearest to `hz`, and the distance from it as a share of `f0_hz`.
fn nearest_harmonic(hz: f32, f0_hz: f32) -> (usize, f32) {
    let ratio = hz / f0_hz;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred")]
    let number = ratio.round() as usize;
    (number, (ratio - ratio.round()).abs())
}

/// The harmonic of `f0_hz` that a peak at `hz` is, if it is one; stiff strings and vibrato widen the
/// place of the higher ones.
fn harmonic(hz: f32, f0_hz: f32) -> Option<usize> {
    let (number, distance) = nearest_harmonic(hz, f0_hz);
    (number > 0 && distance <= 0.12 + 0.02 * number as f32).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tones(f0_hz: &[f32]) -> Vec<f32> {
        let sample = |i: usize| {
            let partial = |hz: f32, k: u8| {
                let turns = f64::from(hz) * f64::from(k) * i as f64 / 16_000.0;
                #[expect(clippy::cast_possible_truncation, reason = "a sample")]
                let sine = (std::f64::consts::TAU * turns).sin() as f32;
                sine / f32::from(k)
            };
            f0_hz.iter().map(|&hz| (1..9).map(|k| partial(hz, k)).sum::<f32>()).sum()
        };
        (0..4096).map(sample).collect()
    }

    fn is_heard(f0_hz: &[f32], tracked_hz: f32) -> bool {
        SecondNote::new().is_heard(&tones(f0_hz), 2048, tracked_hz).expect("a window fits")
    }

    #[test]
    fn one_note_is_one() {
        for hz in [41.2, 55.0, 110.0, 261.6, 880.0, 1500.0] {
            assert!(!is_heard(&[hz], hz), "{hz} Hz");
            assert!(!is_heard(&[hz], hz / 2.0), "{hz} Hz taken an octave too low");
        }
    }

    #[test]
    fn two_notes_are_two_whichever_was_tracked() {
        for (low, ratio) in [(220.0, 1.26), (220.0, 1.4983), (110.0, 1.335), (300.0, 1.78)] {
            let high = low * ratio;
            assert!(is_heard(&[low, high], low), "{low} and {high}, the lower tracked");
            assert!(is_heard(&[low, high], high), "{low} and {high}, the higher tracked");
        }
        assert!(is_heard(&[220.0, 330.0], 110.0), "their common divisor tracked");
        assert!(is_heard(&[220.0, 275.0], 55.0), "their common divisor tracked");
    }

    #[test]
    fn nothing_is_heard_beyond_the_ends() {
        assert_eq!(SecondNote::new().is_heard(&[0.1; 4096], 1023, 100.0), None);
        assert_eq!(SecondNote::new().is_heard(&[0.1; 4096], 3073, 100.0), None);
    }
}
