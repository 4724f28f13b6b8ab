//! Spectral distances that do not depend on the loss: what a listener calls tone colour.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "window lengths are small and not negative; gains are kept in f32"
)]

use ddsp_kernels::{FrameAlignment, Stft};

/// Seconds under one window: parts the partials of notes from 60 Hz on.
const WINDOW_SECS: f64 = 0.064;

/// Level of a bin that counts as silence, dB re a sine of amplitude 1: near the noise of 16-bit
/// audio in a window of this length, and inaudible beside any music.
pub const FLOOR_DB: f32 = -80.0;

/// Frames of the recording so far below its loudest one have a tone colour of their own: reverb and
/// hiss.
const CENTROID_RANGE_DB: f64 = 30.0;

/// Levels of all bins of a sound over time.
///
/// Hann windows of 64 ms a quarter apart, centred, zeros beyond the ends.
pub(crate) struct Levels {
    n_bins: usize,
    /// dB re a sine of amplitude 1, at least [`FLOOR_DB`], `[n_frames, n_bins]`.
    values: Vec<f32>,
}

impl Levels {
    /// Those of `audio` at `sample_rate`.
    pub(crate) fn new(audio: &[f32], sample_rate: u32) -> Self {
        let window_len =
            64 * (WINDOW_SECS * f64::from(sample_rate) / 64.0).round().max(1.0) as usize;
        let mut stft = Stft::new(window_len, window_len, window_len / 4, FrameAlignment::Centre);
        let n_bins = stft.n_bins();
        let mut values = vec![0.0; stft.n_frames(audio.len()) * n_bins];
        stft.magnitudes(audio, &mut values);
        // A sine of amplitude 1 peaks at half the sum of the window, which is half its length.
        let gain = 4.0 / window_len as f32;
        // `max` also takes the floor for the level of nothing, minus infinity.
        values.iter_mut().for_each(|value| *value = (20.0 * (gain * *value).log10()).max(FLOOR_DB));
        Self { n_bins, values }
    }

    fn frames(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.n_bins)
    }
}

/// Log-spectral distance in dB: the root of the mean over bins of the squared difference of their
/// levels, averaged over frames; 0 for equal magnitudes.
///
/// # Panics
///
/// If the sounds differ in length or rate.
pub(crate) fn log_spectral_distance_db(target: &Levels, audio: &Levels) -> f64 {
    assert_eq!(target.values.len(), audio.values.len(), "log-spectral distance: bins");
    let distances = target.frames().zip(audio.frames()).map(|(target, audio)| {
        let squares = target.iter().zip(audio).map(|(t, a)| f64::from(t - a).powi(2));
        (squares.sum::<f64>() / target.len() as f64).sqrt()
    });
    mean(distances)
}

/// Mean distance of the spectral centroids in semitones, over frames in which the recording is
/// within 30 dB of its loudest frame and both sounds are louder than the floor; NaN if none is.
///
/// The centroid is the mean frequency, weighted with the magnitudes of the bins above the floor. In
/// semitones, so that high and low notes count alike.
pub(crate) fn centroid_error_semitones(target: &Levels, audio: &Levels) -> f64 {
    assert_eq!(target.values.len(), audio.values.len(), "centroid error: bins");
    let powers: Vec<f64> = target.frames().map(power).collect();
    let least = powers.iter().copied().fold(0.0, f64::max) * 10_f64.powf(-CENTROID_RANGE_DB / 10.0);
    let errors =
        target.frames().zip(audio.frames()).zip(powers).filter_map(|((target, audio), power)| {
            let (target, audio) = (centroid(target)?, centroid(audio)?);
            (power >= least).then(|| 12.0 * (audio / target).log2().abs())
        });
    mean(errors)
}

/// Magnitude of a bin; 0 at the floor.
fn magnitude(level_db: f32) -> f64 {
    if level_db <= FLOOR_DB { 0.0 } else { 10_f64.powf(f64::from(level_db) / 20.0) }
}

fn power(levels: &[f32]) -> f64 {
    levels.iter().map(|&level| magnitude(level).powi(2)).sum()
}

/// In bins; none of silence or of nothing but a constant.
fn centroid(levels: &[f32]) -> Option<f64> {
    let (sum, moment) = levels.iter().enumerate().fold((0.0, 0.0), |(sum, moment), (k, &level)| {
        let magnitude = magnitude(level);
        (sum + magnitude, moment + k as f64 * magnitude)
    });
    (moment > 0.0).then(|| moment / sum)
}

/// NaN of none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(n)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use ddsp_model::uniform_noise;

    use super::*;

    fn noise() -> Vec<f32> {
        let mut noise = vec![0.0; 16_000];
        uniform_noise(4, &mut noise);
        noise
    }

    fn sine(hz: f64) -> Vec<f32> {
        (0..16_000).map(|n| (0.5 * (TAU * hz * f64::from(n) / 16_000.0).sin()) as f32).collect()
    }

    fn both(target: &[f32], audio: &[f32]) -> (f64, f64) {
        let (target, audio) = (Levels::new(target, 16_000), Levels::new(audio, 16_000));
        (log_spectral_distance_db(&target, &audio), centroid_error_semitones(&target, &audio))
    }

    #[test]
    fn a_sound_is_at_no_distance_from_itself() {
        assert_eq!(both(&noise(), &noise()), (0.0, 0.0));
    }

    #[test]
    fn half_the_amplitude_is_6_db_away_and_of_the_same_colour() {
        let half: Vec<f32> = noise().iter().map(|x| 0.5 * x).collect();
        let (distance_db, semitones) = both(&noise(), &half);
        // Of 32,000 bins one or two lie so near the floor that their difference is cut.
        assert!((distance_db - 6.0206).abs() < 1e-3, "{distance_db} dB");
        assert!(semitones < 1e-3, "{semitones} semitones");
    }

    #[test]
    fn silence_is_as_far_as_the_target_is_above_the_floor_and_has_no_colour() {
        // Noise in [-1, 1) has a power of 1/3, times the window's 0.375, times (4 / 1024)^2 * 1024.
        let (distance_db, semitones) = both(&noise(), &[0.0; 16_000]);
        let level_db = 10.0 * (1.0_f64 / 3.0 * 0.375 * 16.0 / 1024.0).log10();
        // The level of a bin of noise scatters by 5.6 dB about a mean 2.5 dB below its power's.
        let expected = ((level_db - 2.5 + 80.0).powi(2) + 5.6_f64.powi(2)).sqrt();
        assert!((distance_db - expected).abs() < 0.5, "{distance_db} dB, expected {expected}");
        assert!(semitones.is_nan(), "{semitones} semitones");
        assert_eq!(both(&[0.0; 16_000], &[0.0; 16_000]).0, 0.0, "silence is near silence");
    }

    #[test]
    fn a_tone_a_semitone_higher_has_its_centroid_a_semitone_higher() {
        let (low, high) = (sine(1000.0), sine(1000.0 * 2_f64.powf(1.0 / 12.0)));
        let (_, semitones) = both(&low, &high);
        // The first and the last frames are cut: their spectra reach from 0 to Nyquist.
        assert!((semitones - 1.0).abs() < 0.05, "{semitones} semitones");
        assert!(both(&low, &sine(2000.0)).1 > 11.0, "an octave");
    }

    #[test]
    fn frames_of_hiss_do_not_count_for_the_colour() {
        let (mut target, mut audio) = (sine(1000.0), sine(1000.0));
        for (n, x) in noise().iter().enumerate().skip(8000) {
            target[n] = 0.005 * x;
            audio[n] = 0.004 * sine(200.0)[n];
            if n > 12_000 {
                break;
            }
        }
        target.truncate(12_000);
        audio.truncate(12_000);
        let (_, semitones) = both(&target, &audio);
        assert!(semitones < 2.0, "{semitones} semitones");
    }
}
