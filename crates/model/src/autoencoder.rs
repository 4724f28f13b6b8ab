//! The autoencoder in training: features to controls to sound, and back.
//!
//! `decoder(level, f0, encoder(sound)) -> raw -> scaled controls -> tone + noise -> room`. The steps
//! are apart, so that a trainer can spread them over its threads: the networks take all examples at
//! once as rows (frame, example), the synthesizers take one example after another.

mod harmonic_branch;
mod noise_branch;
mod reverb_branch;
mod sinusoidal_branch;
mod stretch;
mod tone_branch;
mod wavetable_branch;

pub use noise_branch::NoiseBranch;
pub use reverb_branch::ReverbBranch;
pub use tone_branch::ToneBranch;

use crate::architecture::Architecture;
use crate::config::Config;
use crate::decoder::{DecoderCache, DecoderGradients};
use crate::encoder::EncoderCache;
use crate::features::{Features, scale_f0};

/// What drives the synthesizer of the pitched part.
#[derive(Clone, Debug, PartialEq)]
pub enum ToneControls {
    /// Of the harmonic synthesizer.
    Harmonic {
        /// Overall linear amplitude, `[n_frames]`.
        amplitudes: Vec<f32>,
        /// Shares of the harmonics, `[n_frames, n_harmonics]`; a frame sums to 1, or to 0 where all
        /// are above the Nyquist frequency.
        harmonic_distribution: Vec<f32>,
        /// `B` of the stretched partials, `[n_frames]`, of models that have it.
        inharmonicity: Option<Vec<f32>>,
    },
    /// Of the sinusoidal synthesizer.
    Sinusoidal {
        /// Linear amplitude of each sinusoid, `[n_frames, n_sinusoids]`.
        amplitudes: Vec<f32>,
        /// `[n_frames, n_sinusoids]`; at or above the Nyquist frequency they are silent.
        frequencies_hz: Vec<f32>,
    },
    /// Of the wavetable synthesizer.
    Wavetable {
        /// Overall linear amplitude, `[n_frames]`.
        amplitudes: Vec<f32>,
        /// Shares of the tables, `[n_frames, n_tables]`; a frame sums to 1.
        table_weights: Vec<f32>,
    },
}

impl ToneControls {
    /// Linear amplitudes, one or several in a frame.
    pub fn amplitudes_mut(&mut self) -> &mut [f32] {
        match self {
            Self::Harmonic { amplitudes, .. }
            | Self::Sinusoidal { amplitudes, .. }
            | Self::Wavetable { amplitudes, .. } => amplitudes,
        }
    }
}

/// The parts that make the sound of one example.
pub struct Branches<'a> {
    /// The pitched part.
    pub tone: &'a mut ToneBranch,
    /// The noise part, independent of the pitched one: they may run on two threads.
    pub noise: &'a mut NoiseBranch,
    /// The room for the sum of both, if there is one.
    pub reverb: Option<&'a mut ReverbBranch>,
}

/// The working memory of one autoencoder for a group of examples of equal length.
///
/// Training calls, in this order: [`decode`](Self::decode); for each example
/// [`branches`](Self::branches), the branches' `forward` and `backward`, and
/// [`store_gradient`](Self::store_gradient); then [`backward`](Self::backward).
pub struct Autoencoder {
    config: Config,
    architecture: Architecture,
    cache: DecoderCache,
    encoder: Option<Encoding>,
    n_frames: usize,
    n_rows: usize,
    /// `[n_frames, n_rows]`
    level_scaled: Vec<f32>,
    /// `[n_frames, n_rows]`
    f0_scaled: Vec<f32>,
    /// Raw outputs: tone, magnitudes; `[n_frames, n_rows, n_outputs]`.
    raw: Vec<f32>,
    grad_raw: Vec<f32>,
    tone: ToneBranch,
    noise: NoiseBranch,
    reverb: Option<ReverbBranch>,
}

/// What the encoder needs.
struct Encoding {
    cache: EncoderCache,
    grad_z: Vec<f32>,
}

impl Autoencoder {
    /// Allocates for `n_rows` examples of `n_frames`.
    pub fn new(config: &Config, n_frames: usize, n_rows: usize) -> Self {
        let architecture = Architecture::new(config);
        let n_outputs = architecture.decoder.n_outputs();
        let n_samples = n_frames * config.grid().hop;
        let encoder = architecture.encoder.as_ref().map(|encoder| {
            let cache = EncoderCache::new(encoder, n_samples, n_frames, n_rows);
            Encoding { grad_z: vec![0.0; cache.z().len()], cache }
        });
        Self {
            config: config.clone(),
            cache: DecoderCache::new(&architecture.decoder, n_frames, n_rows),
            encoder,
            n_frames,
            n_rows,
            level_scaled: vec![0.0; n_frames * n_rows],
            f0_scaled: vec![0.0; n_frames * n_rows],
            raw: vec![0.0; n_frames * n_rows * n_outputs],
            grad_raw: vec![0.0; n_frames * n_rows * n_outputs],
            tone: ToneBranch::new(config, n_frames),
            noise: NoiseBranch::new(config, n_frames),
            reverb: ReverbBranch::new(config, n_samples),
            architecture,
        }
    }

    /// Runs the networks on the features of all examples, and takes `parameters` for what follows.
    ///
    /// # Panics
    ///
    /// If there are not as many examples, of as many frames, as [`new`](Self::new) was told, or
    /// features are missing that the configuration needs.
    pub fn decode(&mut self, parameters: &[f32], examples: &[Features<'_>]) {
        let (n_frames, n_rows) = (self.n_frames, self.n_rows);
        assert_eq!(examples.len(), n_rows, "Autoencoder: examples given and allocated for");
        for (row, features) in examples.iter().enumerate() {
            assert_eq!(features.f0_hz.len(), n_frames, "Autoencoder: frames of f0");
            for (frame, level_scaled) in features.level_scaled(&self.config).enumerate() {
                self.level_scaled[frame * n_rows + row] = level_scaled;
            }
            for (frame, &f0_hz) in features.f0_hz.iter().enumerate() {
                self.f0_scaled[frame * n_rows + row] = scale_f0(f0_hz);
            }
        }
        if let (Some(Encoding { cache, .. }), Some(encoder)) =
            (&mut self.encoder, &self.architecture.encoder)
        {
            let sounds: Vec<&[f32]> = examples.iter().map(|features| features.audio).collect();
            encoder.forward(parameters, &sounds, cache);
        }
        let inputs = inputs(&self.level_scaled, &self.f0_scaled, self.encoder.as_ref());
        self.architecture.decoder.forward(parameters, &inputs, &mut self.cache, &mut self.raw);
        self.tone.set_parameters(&self.architecture, parameters);
        if let Some(reverb) = &mut self.reverb {
            reverb.set_parameters(&self.architecture, parameters);
        }
    }

    /// The synthesizers, loaded with the networks' outputs for example `row`, and the room.
    ///
    /// # Panics
    ///
    /// If there is no such example.
    pub fn branches(&mut self, row: usize) -> Branches<'_> {
        assert!(row < self.n_rows, "Autoencoder: no example {row} of {}", self.n_rows);
        let n_outputs = self.architecture.decoder.n_outputs();
        for frame in 0..self.n_frames {
            let raw = &self.raw[(frame * self.n_rows + row) * n_outputs..][..n_outputs];
            let (tone, noise) = raw.split_at(self.tone.n_outputs());
            self.tone.load(frame, tone);
            self.noise.load(frame, noise);
        }
        Branches { tone: &mut self.tone, noise: &mut self.noise, reverb: self.reverb.as_mut() }
    }

    /// Keeps the gradients that the branches found as those of example `row`.
    ///
    /// # Panics
    ///
    /// If there is no such example.
    pub fn store_gradient(&mut self, row: usize) {
        assert!(row < self.n_rows, "Autoencoder: no example {row} of {}", self.n_rows);
        let n_outputs = self.architecture.decoder.n_outputs();
        for frame in 0..self.n_frames {
            let at = (frame * self.n_rows + row) * n_outputs;
            let grad_raw = &mut self.grad_raw[at..at + n_outputs];
            let (tone, noise) = grad_raw.split_at_mut(self.tone.n_outputs());
            self.tone.store_gradient(frame, tone);
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
        let Self { architecture, encoder, tone, reverb, .. } = self;
        tone.take_gradient(architecture, grad_parameters);
        if let Some(reverb) = reverb {
            reverb.take_gradient(architecture, grad_parameters);
        }
        let mut grad_z = encoder.as_mut().map(|encoding| std::mem::take(&mut encoding.grad_z));
        if let Some(grad_z) = &mut grad_z {
            grad_z.fill(0.0);
        }
        let inputs = inputs(&self.level_scaled, &self.f0_scaled, encoder.as_ref());
        let grads = DecoderGradients { parameters: grad_parameters, z: grad_z.as_deref_mut() };
        let (cache, grad_raw) = (&mut self.cache, &self.grad_raw);
        architecture.decoder.backward(parameters, &inputs, cache, grad_raw, grads);
        if let (Some(encoding), Some(encoder), Some(grad_z)) =
            (&mut self.encoder, &architecture.encoder, grad_z)
        {
            encoder.backward(parameters, &mut encoding.cache, &grad_z, grad_parameters);
            encoding.grad_z = grad_z;
        }
    }
}

/// What the decoder takes, in its order.
fn inputs<'a>(
    level_scaled: &'a [f32],
    f0_scaled: &'a [f32],
    encoding: Option<&'a Encoding>,
) -> Vec<&'a [f32]> {
    let mut inputs = vec![level_scaled, f0_scaled];
    inputs.extend(encoding.map(|encoding| encoding.cache.z()));
    inputs
}

/// Sample rate in Hz as the kernels take it.
#[expect(clippy::cast_precision_loss, reason = "validated: at most 192,000")]
fn sample_rate(config: &Config) -> f32 {
    config.audio.sample_rate as f32
}

#[cfg(test)]
mod tests;
