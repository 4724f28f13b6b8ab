//! The pitched part of an autoencoder, whichever synthesizer makes it.

use super::ToneControls;
use super::harmonic_branch::HarmonicBranch;
use super::sinusoidal_branch::SinusoidalBranch;
use super::wavetable_branch::WavetableBranch;
use crate::architecture::Architecture;
use crate::config::Config;

/// The synthesizer of the pitched part with its scaling, for one example of fixed length: raw
/// network outputs and f0 to sound, and back.
pub struct ToneBranch {
    synth: Synth,
    n_outputs: usize,
}

enum Synth {
    Harmonic(HarmonicBranch),
    Sinusoidal(SinusoidalBranch),
    Wavetable(WavetableBranch),
}

impl ToneBranch {
    /// Allocates for examples of `n_frames`.
    pub(crate) fn new(config: &Config, n_frames: usize) -> Self {
        let synth = if let Some(harmonic) = &config.harmonic {
            Synth::Harmonic(HarmonicBranch::new(config, harmonic, n_frames))
        } else if let Some(sinusoidal) = &config.sinusoidal {
            Synth::Sinusoidal(SinusoidalBranch::new(config, sinusoidal, n_frames))
        } else {
            let wavetable = config.wavetable.as_ref().expect("validated: there is a synthesizer");
            Synth::Wavetable(WavetableBranch::new(config, wavetable, n_frames))
        };
        Self { synth, n_outputs: config.n_tone_outputs() }
    }

    /// Takes what is learned apart from the network.
    pub(crate) fn set_parameters(&mut self, architecture: &Architecture, parameters: &[f32]) {
        if let (Synth::Wavetable(branch), Some(tables)) = (&mut self.synth, &architecture.tables) {
            branch.set_tables(&parameters[tables.clone()]);
        }
    }

    /// Adds the gradient of that over all examples since the last of this.
    pub(crate) fn take_gradient(&mut self, architecture: &Architecture, grads: &mut [f32]) {
        if let (Synth::Wavetable(branch), Some(tables)) = (&mut self.synth, &architecture.tables) {
            branch.take_table_gradient(&mut grads[tables.clone()]);
        }
    }

    /// Takes the raw outputs of one frame.
    pub(crate) fn load(&mut self, frame: usize, raw: &[f32]) {
        match &mut self.synth {
            Synth::Harmonic(branch) => branch.load(frame, raw),
            Synth::Sinusoidal(branch) => branch.load(frame, raw),
            Synth::Wavetable(branch) => branch.load(frame, raw),
        }
    }

    /// Writes the gradient with respect to what [`load`](Self::load) took.
    pub(crate) fn store_gradient(&self, frame: usize, grad_raw: &mut [f32]) {
        match &self.synth {
            Synth::Harmonic(branch) => branch.store_gradient(frame, grad_raw),
            Synth::Sinusoidal(branch) => branch.store_gradient(frame, grad_raw),
            Synth::Wavetable(branch) => branch.store_gradient(frame, grad_raw),
        }
    }

    /// Raw outputs of a frame.
    pub(crate) fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// The controls that the last [`forward`](Self::forward) made.
    pub(crate) fn into_controls(self) -> ToneControls {
        match self.synth {
            Synth::Harmonic(branch) => branch.into_controls(),
            Synth::Sinusoidal(branch) => branch.into_controls(),
            Synth::Wavetable(branch) => branch.into_controls(),
        }
    }

    /// Overwrites `audio` with the pitched part of the example, whose fundamental is `f0_hz`.
    ///
    /// # Panics
    ///
    /// If a length is not that given to `new`.
    pub fn forward(&mut self, f0_hz: &[f32], audio: &mut [f32]) {
        match &mut self.synth {
            Synth::Harmonic(branch) => branch.forward(f0_hz, audio),
            Synth::Sinusoidal(branch) => branch.forward(f0_hz, audio),
            Synth::Wavetable(branch) => branch.forward(f0_hz, audio),
        }
    }

    /// Finds the gradient with respect to the raw outputs, of the last [`forward`](Self::forward).
    ///
    /// # Panics
    ///
    /// If a length is not that given to `new`.
    pub fn backward(&mut self, f0_hz: &[f32], grad_audio: &[f32]) {
        match &mut self.synth {
            Synth::Harmonic(branch) => branch.backward(f0_hz, grad_audio),
            Synth::Sinusoidal(branch) => branch.backward(grad_audio),
            Synth::Wavetable(branch) => branch.backward(f0_hz, grad_audio),
        }
    }
}
