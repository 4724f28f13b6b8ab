//! The noise part of an autoencoder: raw network outputs to filter magnitudes to sound, and back.

use ddsp_kernels::{ExpSigmoid, FilteredNoise};

use crate::Config;

/// `magnitudes = exp_sigmoid(raw + initial_bias)`, then the noise synthesizer, for one example of
/// fixed length.
pub struct NoiseBranch {
    scale: ExpSigmoid,
    synth: FilteredNoise,
    n_bands: usize,
    initial_bias: f32,
    /// Raw outputs plus bias, `[n_frames, n_bands]`.
    biased: Vec<f32>,
    grad_raw: Vec<f32>,
    magnitudes: Vec<f32>,
    grad_magnitudes: Vec<f32>,
}

impl NoiseBranch {
    /// Allocates for examples of `n_frames`.
    pub(crate) fn new(config: &Config, n_frames: usize) -> Self {
        let n_bands = config.noise.n_bands;
        let zeros = || vec![0.0; n_frames * n_bands];
        Self {
            scale: ExpSigmoid::default(),
            synth: FilteredNoise::new(config.grid(), n_bands, config.noise.window_len),
            n_bands,
            initial_bias: initial_bias(config),
            biased: zeros(),
            grad_raw: zeros(),
            magnitudes: zeros(),
            grad_magnitudes: zeros(),
        }
    }

    /// Takes the raw outputs of one frame.
    pub(crate) fn load(&mut self, frame: usize, raw: &[f32]) {
        let row = frame * self.n_bands..(frame + 1) * self.n_bands;
        for (biased, raw) in self.biased[row].iter_mut().zip(raw) {
            *biased = raw + self.initial_bias;
        }
    }

    /// Writes the gradient with respect to what [`load`](Self::load) took.
    pub(crate) fn store_gradient(&self, frame: usize, grad_raw: &mut [f32]) {
        grad_raw.copy_from_slice(&self.grad_raw[frame * self.n_bands..(frame + 1) * self.n_bands]);
    }

    /// The magnitudes that the last [`forward`](Self::forward) made, `[n_frames, n_bands]`.
    pub(crate) fn into_magnitudes(self) -> Vec<f32> {
        self.magnitudes
    }

    /// Overwrites `audio` with `noise`, uniform in `[-1, 1)`, filtered.
    ///
    /// # Panics
    ///
    /// If a length is not that given to `new`.
    pub fn forward(&mut self, noise: &[f32], audio: &mut [f32]) {
        self.scale.forward(&self.biased, &mut self.magnitudes);
        self.synth.forward(noise, &self.magnitudes, audio);
    }

    /// Finds the gradient with respect to the raw outputs, of the last [`forward`](Self::forward).
    ///
    /// # Panics
    ///
    /// If a length is not that given to `new`.
    pub fn backward(&mut self, noise: &[f32], grad_audio: &[f32]) {
        self.grad_magnitudes.fill(0.0);
        self.grad_raw.fill(0.0);
        self.synth.backward(noise, &self.magnitudes, grad_audio, &mut self.grad_magnitudes);
        self.scale.backward(&self.biased, &self.grad_magnitudes, &mut self.grad_raw);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "validated: within 50 of 0")]
fn initial_bias(config: &Config) -> f32 {
    config.noise.initial_bias as f32
}
