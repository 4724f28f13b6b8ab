//! Playing: features to controls to sound.

use crate::architecture::Architecture;
use crate::autoencoder::{NoiseBranch, ReverbBranch, ToneBranch, ToneControls};
use crate::decoder::{DecoderCache, DecoderStream};
use crate::encoder::EncoderCache;
use crate::features::{Features, scale_f0};
use crate::model::Model;
use crate::random::uniform_noise;

/// Frames that the network renders in one go, 16 s at 250 a second. Its memory grows with the length,
/// by 20 kB a frame, so that longer sounds go through a stream.
const MOST_FRAMES_AT_ONCE: usize = 4000;

/// Frames of that stream's blocks: matrix products of so many rows are nearly as fast as of more.
const BLOCK: usize = 256;

/// What drives the synthesizers.
#[derive(Clone, Debug, PartialEq)]
pub struct Controls {
    /// What drives the one of the pitched part.
    pub tone: ToneControls,
    /// Linear magnitudes of the noise filter from DC to Nyquist, `[n_frames, n_bands]`.
    pub magnitudes: Vec<f32>,
}

/// A rendered sound, its parts and what drove them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendering {
    /// The sum of both parts, in the room if there is one, `[n_frames * hop]`.
    pub audio: Vec<f32>,
    /// The pitched part, dry.
    pub tone: Vec<f32>,
    /// The noise part, dry.
    pub noise: Vec<f32>,
    /// What drove them.
    pub controls: Controls,
}

impl Model {
    /// Plays `features`; `noise_seed` determines the noise.
    ///
    /// # Panics
    ///
    /// If the features differ in length, or those are missing that the configuration needs.
    pub fn render(&self, features: Features<'_>, noise_seed: u64) -> Rendering {
        let architecture = Architecture::new(&self.config);
        let parameters = &self.parameters.values;
        let n_frames = features.f0_hz.len();
        let n_samples = n_frames * self.config.grid().hop;
        let mut tone_branch = ToneBranch::new(&self.config, n_frames);
        let mut noise_branch = NoiseBranch::new(&self.config, n_frames);
        let raw = self.decode(&architecture, features);
        for (frame, raw) in raw.chunks_exact(architecture.decoder.n_outputs()).enumerate() {
            let (tone, noise) = raw.split_at(tone_branch.n_outputs());
            tone_branch.load(frame, tone);
            noise_branch.load(frame, noise);
        }
        tone_branch.set_parameters(&architecture, parameters);
        let [mut tone, mut noise, mut input] = [(); 3].map(|()| vec![0.0; n_samples]);
        uniform_noise(noise_seed, &mut input);
        tone_branch.forward(features.f0_hz, &mut tone);
        noise_branch.forward(&input, &mut noise);
        let mut audio: Vec<f32> =
            tone.iter().zip(&noise).map(|(tone, noise)| tone + noise).collect();
        if let Some(mut reverb) = ReverbBranch::new(&self.config, n_samples.max(1)) {
            reverb.set_parameters(&architecture, parameters);
            let dry = std::mem::replace(&mut audio, vec![0.0; n_samples]);
            reverb.forward(&dry, &mut audio);
        }
        let (tone_controls, magnitudes) =
            (tone_branch.into_controls(), noise_branch.into_magnitudes());
        Rendering { audio, tone, noise, controls: Controls { tone: tone_controls, magnitudes } }
    }

    /// The network's raw outputs, `[n_frames, n_outputs]`.
    fn decode(&self, architecture: &Architecture, features: Features<'_>) -> Vec<f32> {
        let n_frames = features.f0_hz.len();
        let parameters = &self.parameters.values;
        let level_scaled: Vec<f32> = features.level_scaled(&self.config).collect();
        let f0_scaled: Vec<f32> = features.f0_hz.iter().copied().map(scale_f0).collect();
        let mut inputs = vec![level_scaled.as_slice(), &f0_scaled];
        let encoder = architecture.encoder.as_ref().filter(|_| n_frames > 0).map(|encoder| {
            let n_samples = n_frames * self.config.grid().hop;
            let n_audio = features.audio.len();
            assert_eq!(n_audio, n_samples, "features: samples of the sound itself");
            let mut cache = EncoderCache::new(encoder, n_samples, n_frames, 1);
            encoder.forward(parameters, &[features.audio], &mut cache);
            cache
        });
        let z = encoder.as_ref().map_or(&[][..], EncoderCache::z);
        if architecture.encoder.is_some() {
            inputs.push(z);
        }
        let decoder = &architecture.decoder;
        let mut raw = vec![0.0; n_frames * decoder.n_outputs()];
        if n_frames > MOST_FRAMES_AT_ONCE {
            let (decoder, parameters) = (decoder.clone(), parameters.clone());
            DecoderStream::in_blocks(decoder, parameters, BLOCK).process(&inputs, &mut raw);
        } else {
            let mut cache = DecoderCache::new(decoder, n_frames, 1);
            decoder.forward(parameters, &inputs, &mut cache, &mut raw);
        }
        raw
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
