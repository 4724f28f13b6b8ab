//! The strongest instrument without a network: an average spectrum that follows pitch and loudness.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "band and bin numbers are small and not negative; spectra are kept in f32"
)]

use ddsp_kernels::{
    AmplitudeInterpolation, Complex32, FilteredNoise, FrameAlignment, FrameGrid, Harmonic,
    Loudness, Stft, normalize_harmonics,
};
use ddsp_model::{Features, uniform_noise};

/// Points of the envelopes from 0 to the Nyquist frequency.
const N_BANDS: usize = 65;

/// Window of the analysis, samples: resolves harmonics from 94 Hz on at 16 kHz.
const WINDOW_LEN: usize = 1024;

/// Frames of the grid from one analysed frame to the next; neighbours hold nearly the same samples.
const STRIDE: usize = 4;

/// Frames below this are silence, whose spectrum says nothing of the instrument.
const SILENCE_DB: f32 = -70.0;

/// Distance of two harmonics, in bins, from which there is noise to be seen between them: the main
/// lobe of a Hann window reaches two bins to either side.
const SEPARATE_BINS: f64 = 6.0;

/// Renderings whose loudness is measured and corrected; the second error is below 1 dB.
const N_CORRECTIONS: usize = 2;

/// Largest correction of a frame's gain, dB.
const MAX_CORRECTION_DB: f32 = 40.0;

/// `exp(E[ln |X|]) / sqrt(E[|X|^2])` of a Gaussian spectrum: `exp(-gamma / 2)` with Euler's gamma.
const GEOMETRIC_MEAN_OF_NOISE: f64 = 0.749_3;

/// The average spectrum of a training set, relative to loudness: one envelope of harmonics, one of
/// noise, both by absolute frequency.
///
/// In every frame that sounds, the magnitude at each multiple of f0 goes to the harmonics' envelope
/// and the magnitude half way between two multiples to the noise's, both divided by the amplitude
/// that the frame's loudness stands for; bands average their logarithms, as the loss compares them.
/// `render` plays the envelopes with the pitch of any features, scaled frame by
/// frame until the sound has the loudness of the features. What it lacks against a trained model is
/// all that depends on pitch, on loudness or on time.
pub struct MeanSpectrum {
    grid: FrameGrid,
    harmonics: Envelope,
    noise: Envelope,
}

/// Mean of log magnitudes in bands from 0 to the Nyquist frequency.
#[derive(Clone)]
struct Envelope {
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl Envelope {
    fn new() -> Self {
        Self { sums: vec![0.0; N_BANDS], counts: vec![0.0; N_BANDS] }
    }

    /// Adds one magnitude at `position`, 0 at 0 Hz and 1 at Nyquist.
    fn add(&mut self, position: f64, magnitude: f64) {
        let band = (position * (N_BANDS - 1) as f64).round() as usize;
        self.sums[band] += magnitude.max(1e-12).ln();
        self.counts[band] += 1.0;
    }

    fn merge(&mut self, other: &Self) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, other)| *sum += other);
    }

    /// The linear envelope; bands without a value take the nearest one's, or 0 if there is none.
    fn curve(&self) -> Vec<f32> {
        let filled: Vec<usize> = (0..N_BANDS).filter(|&b| self.counts[b] > 0.0).collect();
        let value = |b: usize| (self.sums[b] / self.counts[b]).exp() as f32;
        let nearest = |b: usize| filled.iter().copied().min_by_key(|&f| f.abs_diff(b));
        (0..N_BANDS).map(|b| nearest(b).map_or(0.0, value)).collect()
    }
}

/// The value of `curve` at `position`, 0 at 0 Hz and 1 at Nyquist, on the line between bands.
fn at(curve: &[f32], position: f32) -> f32 {
    let place = position.clamp(0.0, 1.0) * (N_BANDS - 1) as f32;
    let band = (place as usize).min(N_BANDS - 2);
    curve[band] + (curve[band + 1] - curve[band]) * (place - band as f32)
}

impl MeanSpectrum {
    /// Nothing learned yet.
    pub(crate) fn new(grid: FrameGrid) -> Self {
        Self { grid, harmonics: Envelope::new(), noise: Envelope::new() }
    }

    /// Adds what another has learned.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.harmonics.merge(&other.harmonics);
        self.noise.merge(&other.noise);
    }

    /// Learns from one recording and its features.
    pub(crate) fn learn(&mut self, audio: &[f32], features: Features<'_>) {
        let hop = STRIDE * self.grid.hop;
        let mut stft = Stft::new(WINDOW_LEN, WINDOW_LEN, hop, FrameAlignment::Centre);
        let n_bins = stft.n_bins();
        let mut spectrum = vec![Complex32::ZERO; stft.n_frames(audio.len()) * n_bins];
        stft.forward(audio, &mut spectrum);
        let frames = features.f0_hz.iter().zip(features.loudness_db).step_by(STRIDE);
        for ((&f0_hz, &loudness_db), bins) in frames.zip(spectrum.chunks_exact(n_bins)) {
            if f0_hz > 0.0 && loudness_db > SILENCE_DB {
                self.learn_frame(bins, f64::from(f0_hz), f64::from(loudness_db));
            }
        }
    }

    fn learn_frame(&mut self, bins: &[Complex32], f0_hz: f64, loudness_db: f64) {
        let last = bins.len() - 1;
        let f0_bins = f0_hz * WINDOW_LEN as f64 / f64::from(self.grid.sample_rate);
        let unit = 10_f64.powf(-loudness_db / 20.0);
        let magnitude = |bin: usize| f64::from(bins[bin].norm_sqr()).sqrt();
        // A sinusoid of amplitude 1 peaks at half the window's sum; noise of magnitude 1, uniform in
        // [-1, 1), has a power of a third of the sum of the window's squares.
        let sinusoid = 0.25 * WINDOW_LEN as f64;
        let noise = (0.375 * WINDOW_LEN as f64 / 3.0).sqrt() * GEOMETRIC_MEAN_OF_NOISE;
        for k in 1.. {
            let centre = k as f64 * f0_bins;
            if centre + 1.0 >= last as f64 {
                break;
            }
            let bin = centre.round() as usize;
            let peak = (bin.saturating_sub(1)..=bin + 1).map(magnitude).fold(0.0, f64::max);
            self.harmonics.add(centre / last as f64, unit * peak / sinusoid);
            if f0_bins >= SEPARATE_BINS {
                let valley = centre - 0.5 * f0_bins;
                let between = magnitude(valley.round() as usize);
                self.noise.add(valley / last as f64, unit * between / noise);
            }
        }
    }

    /// Plays the spectrum at the pitch and loudness of `features`.
    pub(crate) fn render(&self, features: Features<'_>, noise_seed: u64) -> Vec<f32> {
        let mut parts = Parts::new(self, features, noise_seed);
        let mut loudness = Loudness::new(self.grid);
        let mut measured_db = vec![0.0; features.f0_hz.len()];
        let mut gains_db = features.loudness_db.to_vec();
        for _ in 0..N_CORRECTIONS {
            loudness.forward(&parts.render(features.f0_hz, &gains_db), &mut measured_db);
            let wanted = features.loudness_db.iter().zip(&measured_db);
            for (gain_db, (wanted_db, measured_db)) in gains_db.iter_mut().zip(wanted) {
                let correction = wanted_db - measured_db;
                *gain_db += correction.clamp(-MAX_CORRECTION_DB, MAX_CORRECTION_DB);
            }
        }
        parts.render(features.f0_hz, &gains_db)
    }
}

/// The synthesizers of one rendering, and their controls at a gain of 0 dB.
struct Parts {
    harmonic: Harmonic,
    filtered_noise: FilteredNoise,
    noise: Vec<f32>,
    /// Sum of the harmonics' amplitudes, `[n_frames]`.
    amplitudes: Vec<f32>,
    harmonic_distribution: Vec<f32>,
    /// The same in every frame, `[N_BANDS]`.
    magnitudes: Vec<f32>,
}

impl Parts {
    fn new(spectrum: &MeanSpectrum, features: Features<'_>, noise_seed: u64) -> Self {
        let (grid, n_frames) = (spectrum.grid, features.f0_hz.len());
        let nyquist = grid.sample_rate as f32 / 2.0;
        let lowest = features.f0_hz.iter().copied().filter(|&f0| f0 > 20.0).fold(nyquist, f32::min);
        let n_harmonics = (nyquist / lowest) as usize;
        let curve = spectrum.harmonics.curve();
        let raw: Vec<f32> = features
            .f0_hz
            .iter()
            .flat_map(|f0| (1..=n_harmonics).map(move |k| k as f32 * f0 / nyquist))
            .map(|position| if position < 1.0 { at(&curve, position) } else { 0.0 })
            .collect();
        let mut harmonic_distribution = vec![0.0; raw.len()];
        let sample_rate = grid.sample_rate as f32;
        normalize_harmonics(&raw, features.f0_hz, sample_rate, &mut harmonic_distribution);
        let mut noise = vec![0.0; n_frames * grid.hop];
        uniform_noise(noise_seed, &mut noise);
        Self {
            harmonic: Harmonic::new(grid, n_harmonics, AmplitudeInterpolation::Window),
            filtered_noise: FilteredNoise::new(grid, N_BANDS, 0),
            noise,
            amplitudes: raw.chunks_exact(n_harmonics).map(|row| row.iter().sum()).collect(),
            harmonic_distribution,
            magnitudes: spectrum.noise.curve(),
        }
    }

    fn render(&mut self, f0_hz: &[f32], gains_db: &[f32]) -> Vec<f32> {
        let gains: Vec<f32> = gains_db.iter().map(|db| 10_f32.powf(db / 20.0)).collect();
        let amplitudes: Vec<f32> =
            self.amplitudes.iter().zip(&gains).map(|(amplitude, gain)| amplitude * gain).collect();
        let magnitudes: Vec<f32> = gains
            .iter()
            .flat_map(|gain| self.magnitudes.iter().map(move |magnitude| magnitude * gain))
            .collect();
        let mut audio = vec![0.0; self.noise.len()];
        let mut noise = vec![0.0; self.noise.len()];
        self.harmonic.forward(f0_hz, &amplitudes, &self.harmonic_distribution, 0.0, &mut audio);
        self.filtered_noise.forward(&self.noise, &magnitudes, &mut noise);
        audio.iter_mut().zip(&noise).for_each(|(sum, noise)| *sum += noise);
        audio
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

    /// Half a second of four harmonics of `f0_hz`, the `k`-th with amplitude `gain / k`, in noise
    /// 40 dB below; with its features.
    fn note(f0_hz: f32, gain: f32) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let mut audio = vec![0.0; 8000];
        uniform_noise(3, &mut audio);
        for (n, audio) in audio.iter_mut().enumerate() {
            let phase = TAU * f64::from(f0_hz) * n as f64 / 16_000.0;
            let tone: f64 = (1..=4).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum();
            *audio = gain * (0.01 * *audio + tone as f32);
        }
        let mut loudness_db = vec![0.0; 125];
        Loudness::new(GRID).forward(&audio, &mut loudness_db);
        (audio, vec![f0_hz; 125], loudness_db)
    }

    #[test]
    fn a_note_is_played_back_as_it_was_but_for_its_phases() {
        let (audio, f0_hz, loudness_db) = note(500.0, 0.1);
        let features = Features::new(&f0_hz, &loudness_db);
        let mut spectrum = MeanSpectrum::new(GRID);
        spectrum.learn(&audio, features);
        let played = spectrum.render(features, 1);
        let mut stft = Stft::new(1024, 1024, 1024, FrameAlignment::Start);
        let magnitudes = |stft: &mut Stft, audio: &[f32]| {
            let mut magnitudes = vec![0.0; stft.n_frames(audio.len()) * stft.n_bins()];
            stft.magnitudes(audio, &mut magnitudes);
            magnitudes[3 * stft.n_bins()..4 * stft.n_bins()].to_vec()
        };
        let [expected, actual] = [&audio, &played].map(|audio| magnitudes(&mut stft, audio));
        // 500 Hz is bin 32. A decibel: the gain follows the loudness of frames that hold noise.
        for bin in [32, 64, 96, 128] {
            let error_db = 20.0 * (actual[bin] / expected[bin]).log10();
            assert!(error_db.abs() < 1.0, "harmonic at bin {bin} is off by {error_db} dB");
        }
        let floor = |magnitudes: &[f32]| {
            let between = (200..480).map(|bin| magnitudes[bin].ln()).sum::<f32>() / 280.0;
            between / 10_f32.ln() * 20.0
        };
        let error_db = floor(&actual) - floor(&expected);
        // 280 bins of noise whose logarithms scatter by 5.6 dB: a mean good to 0.5 dB on each side.
        assert!(error_db.abs() < 2.0, "the noise floor is off by {error_db} dB");
    }

    #[test]
    fn loudness_follows_the_features_at_another_pitch() {
        let (audio, f0_hz, loudness_db) = note(500.0, 0.1);
        let mut spectrum = MeanSpectrum::new(GRID);
        spectrum.learn(&audio, Features::new(&f0_hz, &loudness_db));
        let wanted_db: Vec<f32> = (0..125_u8).map(|i| -50.0 + 0.2 * f32::from(i)).collect();
        let features = Features::new(&[250.0; 125], &wanted_db);
        let mut measured_db = vec![0.0; 125];
        Loudness::new(GRID).forward(&spectrum.render(features, 1), &mut measured_db);
        // But for the ends, where a frame reaches beyond the sound.
        for i in 8..117 {
            let error_db = measured_db[i] - wanted_db[i];
            assert!(error_db.abs() < 1.0, "frame {i} is off by {error_db} dB");
        }
    }
}
