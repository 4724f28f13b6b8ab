//! What a sound's spectrum looks like on average, apart from its level and, roughly, its pitch.

#![expect(clippy::cast_possible_truncation, reason = "sums are f64; rates and bands are small")]

use crate::stft::frame_pairs::{FramePairs, SplitSpectrum};
use crate::stft::hann;

/// Seconds of audio under one window: fine enough to part the partials of a bass.
const WINDOW_SECS: f64 = 0.128;

/// A frame counts if its power is within this of the loudest frame of its sound: the tail of a
/// release would show the room and the hiss instead of the instrument.
const FRAME_RANGE_DB: f64 = 30.0;

/// Rumble and constants below this are no part of a tone.
const LOWEST_HZ: f64 = 40.0;

/// Centre of the first band; each next one is a third of an octave higher.
const FIRST_BAND_HZ: f64 = 100.0;

/// Band levels this far below a sound's power are taken as absent: noise floors differ there.
const FLOOR_DB: f64 = -60.0;

/// Mean power spectrum over the loud frames of one sound or many, each frame scaled to power 1.
///
/// So a loud note counts no more than a soft one. Frames of 128 ms, a quarter of that apart, count
/// if they are within 30 dB of the loudest frame of the sound they belong to.
pub struct AverageSpectrum {
    sample_rate: u32,
    frames: FramePairs,
    pair: [SplitSpectrum; 2],
    /// Power of one frame at each bin, 0 below [`LOWEST_HZ`].
    frame_power: Vec<f32>,
    /// Sum over frames of the power at each bin.
    power: Vec<f64>,
    n_frames: u64,
}

impl AverageSpectrum {
    /// Of sounds at `sample_rate`, none yet.
    ///
    /// # Panics
    ///
    /// If the sample rate is below 1 kHz.
    pub fn new(sample_rate: u32) -> Self {
        assert!(sample_rate >= 1000, "AverageSpectrum: sample rate {sample_rate} Hz");
        let window_len = 64 * (f64::from(sample_rate) * WINDOW_SECS / 64.0).round() as usize;
        let (hop, lead) = (window_len / 4, window_len / 2);
        let frames = FramePairs::new(&hann(window_len), window_len, hop, lead);
        let spectrum = SplitSpectrum::new(frames.n_bins());
        Self {
            sample_rate,
            pair: [spectrum.clone(), spectrum],
            frame_power: vec![0.0; frames.n_bins()],
            power: vec![0.0; frames.n_bins()],
            frames,
            n_frames: 0,
        }
    }

    /// Adds the loud frames of one sound; silence has none.
    pub fn add(&mut self, audio: &[f32]) {
        let n_frames = audio.len().div_ceil(self.frames.hop());
        let mut loudest = 0.0_f64;
        for i in 0..n_frames {
            loudest = loudest.max(self.measure_frame(audio, i));
        }
        // A frame of less power than this is silence, whatever the range.
        let floor = (loudest * 10_f64.powf(-FRAME_RANGE_DB / 10.0)).max(1e-20);
        for i in 0..n_frames {
            let total = self.measure_frame(audio, i);
            if total >= floor {
                for (sum, power) in self.power.iter_mut().zip(&self.frame_power) {
                    *sum += f64::from(*power) / total;
                }
                self.n_frames += 1;
            }
        }
    }

    /// Loud frames added so far.
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Magnitudes of a filter that gives white noise this spectrum: `n_bands` from 0 Hz to Nyquist,
    /// the largest 1; all 0 if there were no loud frames.
    ///
    /// Each is the root of the mean power of the bins nearer to it than to its neighbours.
    ///
    /// # Panics
    ///
    /// If `n_bands < 2`.
    pub fn magnitudes(&self, n_bands: usize) -> Vec<f32> {
        assert!(n_bands >= 2, "AverageSpectrum: {n_bands} bands do not reach from 0 to Nyquist");
        let bins_per_band = (self.power.len() - 1) as f64 / (n_bands - 1) as f64;
        let mean_power = |band: usize| {
            let edge = |at: f64| (at * bins_per_band).round().max(0.0) as usize;
            let begin = edge(band as f64 - 0.5).min(self.power.len() - 1);
            let end = edge(band as f64 + 0.5).clamp(begin + 1, self.power.len());
            self.power[begin..end].iter().sum::<f64>() / (end - begin) as f64
        };
        let magnitudes: Vec<f64> = (0..n_bands).map(|band| mean_power(band).sqrt()).collect();
        let largest = magnitudes.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        magnitudes.iter().map(|magnitude| (magnitude / largest) as f32).collect()
    }

    /// The envelope of this spectrum, or `None` if there were no loud frames.
    pub fn envelope(&self) -> Option<SpectralEnvelope> {
        if self.n_frames == 0 {
            return None;
        }
        let highest = 0.4 * f64::from(self.sample_rate);
        let band_hz = (0..)
            .map(|i| FIRST_BAND_HZ * 2_f64.powf(f64::from(i) / 3.0))
            .take_while(|&hz| hz <= highest);
        let (band_hz, bands_db) = band_hz
            .map(|hz| {
                let level = 10.0 * (self.band_power(hz) / self.n_frames as f64).log10();
                (hz as f32, level.max(FLOOR_DB) as f32)
            })
            .unzip();
        Some(SpectralEnvelope { band_hz, bands_db })
    }

    /// Power around `centre_hz`, weighted by a Hann window over the octaves below and above.
    fn band_power(&self, centre_hz: f64) -> f64 {
        let bin_hz = f64::from(self.sample_rate) / (2 * (self.power.len() - 1)) as f64;
        let bins = self.power.iter().enumerate().skip(self.first_bin());
        bins.map(|(bin, power)| {
            let octaves = (bin as f64 * bin_hz / centre_hz).log2().clamp(-1.0, 1.0);
            power * (std::f64::consts::FRAC_PI_2 * octaves).cos().powi(2)
        })
        .sum()
    }

    /// Measures the power of a frame's audible bins; returns their sum.
    fn measure_frame(&mut self, audio: &[f32], i: usize) -> f64 {
        if i.is_multiple_of(2) {
            self.frames.forward(audio, i, &mut self.pair);
        }
        let first = self.first_bin();
        let spectrum = &self.pair[i % 2];
        let bins = spectrum.re.iter().zip(&spectrum.im).skip(first);
        for (power, (re, im)) in self.frame_power.iter_mut().skip(first).zip(bins) {
            *power = re * re + im * im;
        }
        self.frame_power.iter().copied().map(f64::from).sum()
    }

    fn first_bin(&self) -> usize {
        (LOWEST_HZ * 2.0 * (self.power.len() - 1) as f64 / f64::from(self.sample_rate)) as usize + 1
    }
}

/// Levels of octave-wide bands a third of an octave apart, relative to the power of the sound.
///
/// It tells how bright or hollow a sound is and where it resonates. Bands as wide as two octaves
/// from end to end (a Hann window) always hold a partial from the fundamental up, so two notes of
/// one instrument have similar envelopes at different pitches. It does not tell apart sounds that
/// differ in how partials alternate (a clarinet's missing even ones), in attack, in noisiness or in
/// vibrato, nor resonances much narrower than an octave, and an instrument whose timbre changes
/// with pitch or loudness has no single one.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectralEnvelope {
    /// Centre of each band.
    pub band_hz: Vec<f32>,
    /// Level of each band, no lower than -60 dB.
    pub bands_db: Vec<f32>,
}

impl SpectralEnvelope {
    /// Difference in shape from `other` over the bands from `lowest_hz` up, in dB.
    ///
    /// The root mean square of the difference in level less its mean, so that a gain does not
    /// count; bands where both are at the floor do not count either. Below the fundamental of either
    /// sound a band shows pitch, not timbre: give the higher of the two as `lowest_hz`. 0 if no band
    /// is left.
    ///
    /// # Panics
    ///
    /// If the two have different bands, as sounds of different sample rates have.
    pub fn distance_db(&self, other: &Self, lowest_hz: f32) -> f32 {
        assert_eq!(self.band_hz, other.band_hz, "SpectralEnvelope: bands of two sample rates");
        let floor = FLOOR_DB as f32;
        let levels = self.bands_db.iter().zip(&other.bands_db);
        let differences: Vec<f32> = levels
            .zip(&self.band_hz)
            .filter(|&((&a, &b), &hz)| hz >= lowest_hz && (a > floor || b > floor))
            .map(|((a, b), _)| a - b)
            .collect();
        if differences.is_empty() {
            return 0.0;
        }
        let n = differences.len() as f32;
        let mean = differences.iter().sum::<f32>() / n;
        (differences.iter().map(|d| (d - mean).powi(2)).sum::<f32>() / n).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pseudo_random;

    const SAMPLE_RATE: u32 = 16_000;

    /// One second of a tone whose partials follow `level_db` of their frequency.
    fn tone(f0_hz: f64, gain: f64, level_db: impl Fn(f64) -> f64) -> Vec<f32> {
        let n_harmonics = (7800.0 / f0_hz) as usize;
        let partials: Vec<(f64, f64)> = (1..=n_harmonics)
            .map(|k| k as f64 * f0_hz)
            .map(|hz| (std::f64::consts::TAU * hz / 16_000.0, 10_f64.powf(level_db(hz) / 20.0)))
            .collect();
        let sample = |t: f64| -> f64 { partials.iter().map(|(w, a)| a * (w * t).sin()).sum() };
        (0..SAMPLE_RATE).map(|t| (gain * sample(f64::from(t))) as f32).collect()
    }

    fn envelope(audio: &[f32]) -> SpectralEnvelope {
        let mut average = AverageSpectrum::new(SAMPLE_RATE);
        average.add(audio);
        average.envelope().expect("the sound is not silent")
    }

    /// 6 dB down for each octave, with a resonance two octaves wide.
    fn bright(hz: f64) -> f64 {
        let octaves = (hz / 1500.0).log2().clamp(-1.0, 1.0);
        -6.0 * (hz / 100.0).log2() + 6.0 * (1.0 + (std::f64::consts::PI * octaves).cos())
    }

    fn dull(hz: f64) -> f64 {
        -12.0 * (hz / 100.0).log2()
    }

    #[test]
    fn the_same_timbre_at_another_pitch_is_nearer_than_another_timbre() {
        for (f0_a, f0_b) in [(110.0, 164.8), (220.0, 329.6), (196.0, 466.2)] {
            let (a, b) = (envelope(&tone(f0_a, 1.0, bright)), envelope(&tone(f0_b, 0.1, bright)));
            let other = envelope(&tone(f0_a, 1.0, dull));
            let lowest = f0_b as f32;
            let (same, different) = (a.distance_db(&b, lowest), a.distance_db(&other, lowest));
            assert!(same <= 3.0, "{f0_a} and {f0_b} Hz: {same} dB apart in one timbre");
            assert!(different >= 6.0, "{f0_a} Hz: {different} dB apart in two timbres");
        }
    }

    #[test]
    fn level_and_silence_around_a_sound_do_not_count() {
        let loud = tone(220.0, 1.0, bright);
        let mut soft: Vec<f32> = loud.iter().map(|x| 0.01 * x).collect();
        let alone = envelope(&soft);
        assert!(envelope(&loud).distance_db(&alone, 0.0) <= 1e-3, "a gain changed the shape");
        soft.resize(64_000, 0.0);
        // The frame at the end of the sound is cut in half, one of 32.
        let distance = alone.distance_db(&envelope(&soft), 220.0);
        assert!(distance <= 0.5, "silence after the sound moved it by {distance} dB");
    }

    #[test]
    fn a_gain_is_no_distance_and_absent_bands_do_not_count() {
        let with = |bands_db: [f32; 4]| SpectralEnvelope {
            band_hz: vec![100.0, 200.0, 400.0, 800.0],
            bands_db: bands_db.to_vec(),
        };
        let a = with([-10.0, -20.0, -30.0, -60.0]);
        assert_eq!(a.distance_db(&with([-7.0, -17.0, -27.0, -60.0]), 0.0), 0.0);
        // Differences 1, -1 and 0.
        let distance = a.distance_db(&with([-11.0, -19.0, -30.0, -60.0]), 0.0);
        assert!((distance - (2.0_f32 / 3.0).sqrt()).abs() <= 1e-6, "{distance}");
        assert_eq!(a.distance_db(&with([0.0; 4]), 900.0), 0.0, "no band is left");
    }

    #[test]
    fn a_partial_is_found_in_its_band() {
        let envelope = envelope(&tone(1007.9, 1.0, |hz| if hz < 1100.0 { 0.0 } else { -200.0 }));
        let level = |hz: f32| {
            let nearest = |x: &&(&f32, &f32)| (1e3 * (x.0 / hz).ln().abs()) as i32;
            let bands: Vec<_> = envelope.band_hz.iter().zip(&envelope.bands_db).collect();
            *bands.iter().min_by_key(nearest).expect("bands").1
        };
        // 100 Hz * 2^(10/3) = 1007.9: the whole power there, cos^2(60 degrees) of it at +- 2/3.
        assert!(level(1007.9).abs() <= 0.01, "{}", level(1007.9));
        for hz in [635.0, 1600.0] {
            assert!((level(hz) + 6.02).abs() <= 0.1, "{hz} Hz: {}", level(hz));
        }
        // The frames that the abrupt ends cut in half leak this much.
        assert!(level(200.0) <= -40.0 && level(5000.0) <= -40.0, "{envelope:?}");
    }

    #[test]
    fn magnitudes_are_flat_for_white_noise_and_follow_a_slope() {
        let mut average = AverageSpectrum::new(SAMPLE_RATE);
        average.add(&pseudo_random(1, 64_000));
        let magnitudes = average.magnitudes(9);
        // Each inner band averages 128 bins of 120 frames, every fourth of them independent.
        for magnitude in &magnitudes[1..8] {
            assert!((0.93..=1.0).contains(magnitude), "{magnitudes:?}");
        }
        let mut average = AverageSpectrum::new(SAMPLE_RATE);
        average.add(&tone(100.0, 1.0, dull));
        let magnitudes = average.magnitudes(9);
        let slope_db = 20.0 * (magnitudes[2] / magnitudes[4]).log10();
        assert!((slope_db - 12.0).abs() <= 1.0, "an octave is {slope_db} dB: {magnitudes:?}");
    }

    #[test]
    fn silence_has_no_envelope() {
        let mut average = AverageSpectrum::new(SAMPLE_RATE);
        average.add(&[0.0; 16_000]);
        average.add(&[]);
        assert_eq!((average.n_frames(), average.envelope()), (0, None));
        assert_eq!(average.magnitudes(3), [0.0; 3]);
    }
}
