//! The room of an autoencoder: a response that is learned, or that learned magnitudes make of noise.

use ddsp_kernels::{ExpSigmoid, FilteredNoise, FilteredNoiseReverb, FrameGrid, Reverb};

use crate::architecture::Architecture;
use crate::config::{Config, NoiseReverbConfig};
use crate::random::uniform_noise;

/// Seeds the noise of a room, which is part of the model: a room is the same from note to note (the
/// reference draws another one for every batch).
const ROOM_NOISE_SEED: u64 = 0x726f_6f6d;

/// A reverb with its learned response, dry sound included.
pub struct ReverbBranch {
    room: Room,
}

enum Room {
    Response(Box<Reverb>),
    Noise(Box<NoiseRoom>),
}

struct NoiseRoom {
    scale: ExpSigmoid,
    reverb: FilteredNoiseReverb,
    initial_bias: f32,
    noise: Vec<f32>,
    /// Learned values plus bias, `[n_frames, n_bands]`.
    biased: Vec<f32>,
    grad_biased: Vec<f32>,
    magnitudes: Vec<f32>,
    grad_magnitudes: Vec<f32>,
}

impl ReverbBranch {
    /// The reverb that `config` asks for, if it does, for sounds of `n_samples`.
    pub(crate) fn new(config: &Config, n_samples: usize) -> Option<Self> {
        let response = config
            .reverb
            .as_ref()
            .map(|reverb| Room::Response(Box::new(Reverb::new(n_samples, reverb.ir_len, true))));
        let noise = || {
            let reverb = config.noise_reverb.as_ref()?;
            let room = NoiseRoom::new(config.audio.sample_rate, reverb, n_samples);
            Some(Room::Noise(Box::new(room)))
        };
        response.or_else(noise).map(|room| Self { room })
    }

    /// Takes the response of the sounds that follow.
    pub(crate) fn set_parameters(&mut self, architecture: &Architecture, parameters: &[f32]) {
        let range = architecture.reverb.clone().expect("a model with a reverb learns it");
        match &mut self.room {
            Room::Response(reverb) => reverb.set_impulse_response(&parameters[range]),
            Room::Noise(room) => room.set(&parameters[range]),
        }
    }

    /// Adds the response's gradient over all sounds since the last of this.
    pub(crate) fn take_gradient(&mut self, architecture: &Architecture, grads: &mut [f32]) {
        let range = architecture.reverb.clone().expect("a model with a reverb learns it");
        match &mut self.room {
            Room::Response(reverb) => reverb.take_impulse_response_gradient(&mut grads[range]),
            Room::Noise(room) => room.take_gradient(&mut grads[range]),
        }
    }

    /// Overwrites `output` with `audio` in the room.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn forward(&mut self, audio: &[f32], output: &mut [f32]) {
        match &mut self.room {
            Room::Response(reverb) => reverb.forward(audio, output),
            Room::Noise(room) => room.reverb.forward(audio, output),
        }
    }

    /// Overwrites `grad_audio`, and adds to the gradient of the response.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn backward(&mut self, audio: &[f32], grad_output: &[f32], grad_audio: &mut [f32]) {
        grad_audio.fill(0.0);
        match &mut self.room {
            Room::Response(reverb) => reverb.backward(audio, grad_output, Some(grad_audio)),
            Room::Noise(room) => room.reverb.backward(audio, grad_output, Some(grad_audio)),
        }
    }
}

impl NoiseRoom {
    fn new(sample_rate: u32, config: &NoiseReverbConfig, n_samples: usize) -> Self {
        let NoiseReverbConfig { ir_len, n_frames, n_bands, window_len, initial_bias } = *config;
        let grid = FrameGrid { sample_rate, hop: ir_len / n_frames };
        let synth = FilteredNoise::new(grid, n_bands, window_len);
        let mut noise = vec![0.0; ir_len];
        uniform_noise(ROOM_NOISE_SEED, &mut noise);
        let zeros = || vec![0.0; n_frames * n_bands];
        #[expect(clippy::cast_possible_truncation, reason = "validated: within 50 of 0")]
        let initial_bias = initial_bias as f32;
        Self {
            scale: ExpSigmoid::default(),
            reverb: FilteredNoiseReverb::new(Reverb::new(n_samples, ir_len, true), synth),
            initial_bias,
            noise,
            biased: zeros(),
            grad_biased: zeros(),
            magnitudes: zeros(),
            grad_magnitudes: zeros(),
        }
    }

    fn set(&mut self, raw: &[f32]) {
        for (biased, raw) in self.biased.iter_mut().zip(raw) {
            *biased = raw + self.initial_bias;
        }
        self.scale.forward(&self.biased, &mut self.magnitudes);
        self.reverb.set_controls(&self.noise, &self.magnitudes);
    }

    fn take_gradient(&mut self, grad_raw: &mut [f32]) {
        self.grad_magnitudes.fill(0.0);
        self.grad_biased.fill(0.0);
        let grad_magnitudes = &mut self.grad_magnitudes;
        self.reverb.take_control_gradient(&self.noise, &self.magnitudes, grad_magnitudes);
        self.scale.backward(&self.biased, grad_magnitudes, &mut self.grad_biased);
        for (sum, grad) in grad_raw.iter_mut().zip(&self.grad_biased) {
            *sum += grad;
        }
    }
}
