//! The autoencoder: features to controls to sound, and back.
//!
//! `decoder(loudness, f0) -> raw -> exp_sigmoid, normalize_harmonics -> Harmonic + FilteredNoise`.
//! The steps are apart, so that a trainer can spread them over its threads: the network takes all
//! examples at once as rows (frame, example), the synthesizers take one example after another.

mod harmonic_branch;
mod noise_branch;

pub use harmonic_branch::HarmonicBranch;
pub use noise_branch::NoiseBranch;

use crate::decoder::{DecoderCache, DecoderStream, RnnFcDecoder};
use crate::features::{Features, scale_f0, scale_loudness};
use crate::random::uniform_noise;
use crate::{Config, Model};
use harmonic_branch::HarmonicControls;

/// Frames that the network renders in one go, 16 s at 250 a second: faster than a stream, but its
/// memory grows with the length, by 20 kB a frame.
const MOST_FRAMES_AT_ONCE: usize = 4000;

/// What drives the synthesizers.
#[derive(Clone, Debug, PartialEq)]
pub struct Controls {
    /// Overall linear amplitude of the harmonics, `[n_frames]`.
    pub amplitudes: Vec<f32>,
    /// Shares of the harmonics, `[n_frames, n_harmonics]`; a frame sums to 1, or to 0 where all
    /// are above the Nyquist frequency.
    pub harmonic_distribution: Vec<f32>,
    /// Linear magnitudes of the noise filter from DC to Nyquist, `[n_frames, n_bands]`.
    pub magnitudes: Vec<f32>,
}

/// A rendered sound, its two parts and what drove them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendering {
    /// The sum of both parts, `[n_frames * hop]`.
    pub audio: Vec<f32>,
    /// The harmonic part.
    pub harmonic: Vec<f32>,
    /// The noise part.
    pub noise: Vec<f32>,
    /// What drove them.
    pub controls: Controls,
}

impl Model {
    /// Plays `features`; `noise_seed` determines the noise.
    ///
    /// # Panics
    ///
    /// If the features differ in length.
    pub fn render(&self, features: Features<'_>, noise_seed: u64) -> Rendering {
        let n_frames = features.f0_hz.len();
        let n_samples = n_frames * self.config.grid().hop;
        let mut harmonic_branch = HarmonicBranch::new(&self.config, n_frames);
        let mut noise_branch = NoiseBranch::new(&self.config, n_frames);
        let width = harmonic_branch.width() + noise_branch.width();
        for (frame, raw) in self.decode(features).chunks_exact(width).enumerate() {
            let (harmonic, noise) = raw.split_at(harmonic_branch.width());
            harmonic_branch.load(frame, harmonic);
            noise_branch.load(frame, noise);
        }
        let [mut harmonic, mut noise, mut input] = [(); 3].map(|()| vec![0.0; n_samples]);
        uniform_noise(noise_seed, &mut input);
        harmonic_branch.forward(features.f0_hz, &mut harmonic);
        noise_branch.forward(&input, &mut noise);
        let audio = harmonic.iter().zip(&noise).map(|(harmonic, noise)| harmonic + noise).collect();
        let HarmonicControls { amplitudes, harmonic_distribution } =
            harmonic_branch.into_controls();
        let magnitudes = noise_branch.into_magnitudes();
        let controls = Controls { amplitudes, harmonic_distribution, magnitudes };
        Rendering { audio, harmonic, noise, controls }
    }

    /// The network's raw outputs, `[n_frames, n_outputs]`.
    fn decode(&self, features: Features<'_>) -> Vec<f32> {
        let n_frames = features.f0_hz.len();
        assert_eq!(features.loudness_db.len(), n_frames, "render: frames of loudness and of f0");
        let loudness_scaled: Vec<f32> =
            features.loudness_db.iter().copied().map(scale_loudness).collect();
        let f0_scaled: Vec<f32> = features.f0_hz.iter().copied().map(scale_f0).collect();
        let inputs = [loudness_scaled.as_slice(), &f0_scaled];
        let decoder = RnnFcDecoder::new(&self.config);
        let mut raw = vec![0.0; n_frames * decoder.n_outputs()];
        let parameters = &self.parameters.values;
        if n_frames > MOST_FRAMES_AT_ONCE {
            DecoderStream::new(decoder, parameters.clone()).process(inputs, &mut raw);
        } else {
            let mut cache = DecoderCache::new(&decoder, n_frames, 1);
            decoder.forward(parameters, inputs, &mut cache, &mut raw);
        }
        raw
    }
}

/// The working memory of one autoencoder for a group of examples of equal length.
///
/// Training calls, in this order: [`decode`](Self::decode); for each example
/// [`branches`](Self::branches), the branches' `forward` and `backward`, and
/// [`store_gradient`](Self::store_gradient); then [`backward`](Self::backward).
pub struct Autoencoder {
    decoder: RnnFcDecoder,
    cache: DecoderCache,
    n_frames: usize,
    n_rows: usize,
    /// Raw outputs of one row: amplitude, distribution, magnitudes.
    width: usize,
    /// Outputs of one row that the harmonic branch takes.
    harmonic_width: usize,
    /// `[n_frames, n_rows]`
    loudness_scaled: Vec<f32>,
    /// `[n_frames, n_rows]`
    f0_scaled: Vec<f32>,
    /// `[n_frames, n_rows, width]`
    raw: Vec<f32>,
    grad_raw: Vec<f32>,
    harmonic: HarmonicBranch,
    noise: NoiseBranch,
}

impl Autoencoder {
    /// Allocates for `n_rows` examples of `n_frames`.
    pub fn new(config: &Config, n_frames: usize, n_rows: usize) -> Self {
        let decoder = RnnFcDecoder::new(config);
        let harmonic_width = 1 + config.harmonic.n_harmonics;
        let width = harmonic_width + config.noise.n_bands;
        Self {
            cache: DecoderCache::new(&decoder, n_frames, n_rows),
            decoder,
            n_frames,
            n_rows,
            width,
            harmonic_width,
            loudness_scaled: vec![0.0; n_frames * n_rows],
            f0_scaled: vec![0.0; n_frames * n_rows],
            raw: vec![0.0; n_frames * n_rows * width],
            grad_raw: vec![0.0; n_frames * n_rows * width],
            harmonic: HarmonicBranch::new(config, n_frames),
            noise: NoiseBranch::new(config, n_frames),
        }
    }

    /// Runs the network on the features of all examples.
    ///
    /// # Panics
    ///
    /// If there are not as many examples, of as many frames, as [`new`](Self::new) was told.
    pub fn decode(&mut self, parameters: &[f32], examples: &[Features<'_>]) {
        let (n_frames, n_rows) = (self.n_frames, self.n_rows);
        assert_eq!(examples.len(), n_rows, "Autoencoder: examples given and allocated for");
        for (row, features) in examples.iter().enumerate() {
            let lens = (features.f0_hz.len(), features.loudness_db.len());
            assert_eq!(lens, (n_frames, n_frames), "Autoencoder: frames of f0 and loudness");
            for (frame, &loudness_db) in features.loudness_db.iter().enumerate() {
                self.loudness_scaled[frame * n_rows + row] = scale_loudness(loudness_db);
            }
            for (frame, &f0_hz) in features.f0_hz.iter().enumerate() {
                self.f0_scaled[frame * n_rows + row] = scale_f0(f0_hz);
            }
        }
        let inputs = [self.loudness_scaled.as_slice(), &self.f0_scaled];
        self.decoder.forward(parameters, inputs, &mut self.cache, &mut self.raw);
    }

    /// The two synthesizers, loaded with the network's outputs for example `row`.
    ///
    /// They are independent of each other, and may run on two threads.
    ///
    /// # Panics
    ///
    /// If there is no such example.
    pub fn branches(&mut self, row: usize) -> (&mut HarmonicBranch, &mut NoiseBranch) {
        assert!(row < self.n_rows, "Autoencoder: no example {row} of {}", self.n_rows);
        for frame in 0..self.n_frames {
            let raw = &self.raw[(frame * self.n_rows + row) * self.width..][..self.width];
            let (harmonic, noise) = raw.split_at(self.harmonic_width);
            self.harmonic.load(frame, harmonic);
            self.noise.load(frame, noise);
        }
        (&mut self.harmonic, &mut self.noise)
    }

    /// Keeps the gradients that the branches found as those of example `row`.
    ///
    /// # Panics
    ///
    /// If there is no such example.
    pub fn store_gradient(&mut self, row: usize) {
        assert!(row < self.n_rows, "Autoencoder: no example {row} of {}", self.n_rows);
        for frame in 0..self.n_frames {
            let grad_raw =
                &mut self.grad_raw[(frame * self.n_rows + row) * self.width..][..self.width];
            let (harmonic, noise) = grad_raw.split_at_mut(self.harmonic_width);
            self.harmonic.store_gradient(frame, harmonic);
            self.noise.store_gradient(frame, noise);
        }
    }

    /// Accumulates into `grad_parameters` the gradient of the loss whose gradient with respect to
    /// the raw outputs was stored for every example.
    ///
    /// # Panics
    ///
    /// If a length is not the number of parameters.
    pub fn backward(&mut self, parameters: &[f32], grad_parameters: &mut [f32]) {
        let inputs = [self.loudness_scaled.as_slice(), &self.f0_scaled];
        self.decoder.backward(parameters, inputs, &mut self.cache, &self.grad_raw, grad_parameters);
    }
}

#[cfg(test)]
mod tests;
