//! The harmonic part of an autoencoder: raw network outputs to controls to sound, and back.

use ddsp_kernels::{
    ExpSigmoid, Harmonic, HarmonicGradients, normalize_harmonics, normalize_harmonics_backward,
};

use super::stretch::Stretch;
use super::{ToneControls, sample_rate};
use crate::config::{Config, HarmonicConfig};

/// `amplitudes = exp_sigmoid(raw)`, `harmonic_distribution = normalize_harmonics(exp_sigmoid(raw))`,
/// then the harmonic synthesizer, for one example of fixed length; or, of a configuration with
/// inharmonicity, what [`Stretch`] makes of the same.
pub(super) struct HarmonicBranch {
    scale: ExpSigmoid,
    synth: Synth,
    sample_rate: f32,
    n_harmonics: usize,
    raw: HarmonicControls,
    grad_raw: HarmonicControls,
    /// `exp_sigmoid` of the raw distribution, before normalisation.
    scaled_distribution: Vec<f32>,
    grad_scaled_distribution: Vec<f32>,
    controls: HarmonicControls,
    grad_controls: HarmonicControls,
}

#[expect(clippy::large_enum_variant, reason = "there is one for each example at work")]
enum Synth {
    Harmonic(Harmonic),
    Stretched(Stretch),
}

/// What drives the harmonic synthesizer, raw or scaled.
pub(super) struct HarmonicControls {
    /// Overall linear amplitude, `[n_frames]`.
    pub(super) amplitudes: Vec<f32>,
    /// `[n_frames, n_harmonics]`.
    pub(super) harmonic_distribution: Vec<f32>,
}

impl HarmonicControls {
    fn zeros(n_frames: usize, n_harmonics: usize) -> Self {
        let harmonic_distribution = vec![0.0; n_frames * n_harmonics];
        Self { amplitudes: vec![0.0; n_frames], harmonic_distribution }
    }

    fn clear(&mut self) {
        self.amplitudes.fill(0.0);
        self.harmonic_distribution.fill(0.0);
    }
}

impl HarmonicBranch {
    /// Allocates for examples of `n_frames`.
    pub(super) fn new(config: &Config, harmonic: &HarmonicConfig, n_frames: usize) -> Self {
        let n_harmonics = harmonic.n_harmonics;
        let zeros = || HarmonicControls::zeros(n_frames, n_harmonics);
        let synth = match &config.inharmonicity {
            Some(stretch) => Synth::Stretched(Stretch::new(config, harmonic, stretch, n_frames)),
            None => Synth::Harmonic(Harmonic::new(
                config.grid(),
                n_harmonics,
                harmonic.interpolation.into(),
            )),
        };
        Self {
            scale: ExpSigmoid::default(),
            synth,
            sample_rate: sample_rate(config),
            n_harmonics,
            raw: zeros(),
            grad_raw: zeros(),
            scaled_distribution: vec![0.0; n_frames * n_harmonics],
            grad_scaled_distribution: vec![0.0; n_frames * n_harmonics],
            controls: zeros(),
            grad_controls: zeros(),
        }
    }

    /// Takes the raw outputs of one frame: amplitude, distribution, then inharmonicity if any.
    pub(super) fn load(&mut self, frame: usize, raw: &[f32]) {
        let n_harmonics = self.n_harmonics;
        self.raw.amplitudes[frame] = raw[0];
        let row = frame * n_harmonics..(frame + 1) * n_harmonics;
        self.raw.harmonic_distribution[row].copy_from_slice(&raw[1..=n_harmonics]);
        if let Synth::Stretched(stretch) = &mut self.synth {
            stretch.load(frame, raw[1 + n_harmonics]);
        }
    }

    /// Writes the gradient with respect to what [`load`](Self::load) took.
    pub(super) fn store_gradient(&self, frame: usize, grad_raw: &mut [f32]) {
        let n_harmonics = self.n_harmonics;
        grad_raw[0] = self.grad_raw.amplitudes[frame];
        let row = frame * n_harmonics..(frame + 1) * n_harmonics;
        grad_raw[1..=n_harmonics].copy_from_slice(&self.grad_raw.harmonic_distribution[row]);
        if let Synth::Stretched(stretch) = &self.synth {
            grad_raw[1 + n_harmonics] = stretch.gradient(frame);
        }
    }

    /// The controls that the last [`forward`](Self::forward) made.
    pub(super) fn into_controls(self) -> ToneControls {
        let HarmonicControls { amplitudes, harmonic_distribution } = self.controls;
        let inharmonicity = match self.synth {
            Synth::Harmonic(_) => None,
            Synth::Stretched(stretch) => Some(stretch.into_inharmonicity()),
        };
        ToneControls::Harmonic { amplitudes, harmonic_distribution, inharmonicity }
    }

    /// Overwrites `audio` with the tone of the example, whose fundamental is `f0_hz`.
    ///
    /// # Panics
    ///
    /// If a length is not that given to `new`.
    pub(super) fn forward(&mut self, f0_hz: &[f32], audio: &mut [f32]) {
        let controls = &mut self.controls;
        self.scale.forward(&self.raw.amplitudes, &mut controls.amplitudes);
        self.scale.forward(&self.raw.harmonic_distribution, &mut self.scaled_distribution);
        let scaled = &self.scaled_distribution;
        match &mut self.synth {
            Synth::Harmonic(synth) => {
                let distribution = &mut controls.harmonic_distribution;
                normalize_harmonics(scaled, f0_hz, self.sample_rate, distribution);
                synth.forward(f0_hz, &controls.amplitudes, distribution, 0.0, audio);
            }
            Synth::Stretched(stretch) => stretch.forward(f0_hz, scaled, controls, audio),
        }
    }

    /// Finds the gradient with respect to the raw outputs, of the last [`forward`](Self::forward).
    ///
    /// # Panics
    ///
    /// If a length is not that given to `new`.
    pub(super) fn backward(&mut self, f0_hz: &[f32], grad_audio: &[f32]) {
        self.grad_controls.clear();
        self.grad_scaled_distribution.fill(0.0);
        self.grad_raw.clear();
        let (controls, grad_controls) = (&self.controls, &mut self.grad_controls);
        let (scaled, grad_scaled) = (&self.scaled_distribution, &mut self.grad_scaled_distribution);
        match &mut self.synth {
            Synth::Harmonic(synth) => {
                synth.backward(
                    f0_hz,
                    &controls.amplitudes,
                    &controls.harmonic_distribution,
                    0.0,
                    grad_audio,
                    HarmonicGradients {
                        f0_hz: None,
                        initial_phase: None,
                        amplitudes: &mut grad_controls.amplitudes,
                        harmonic_distribution: &mut grad_controls.harmonic_distribution,
                    },
                );
                let grad_distribution = &grad_controls.harmonic_distribution;
                let sample_rate = self.sample_rate;
                normalize_harmonics_backward(
                    scaled,
                    f0_hz,
                    sample_rate,
                    grad_distribution,
                    grad_scaled,
                );
            }
            Synth::Stretched(stretch) => {
                stretch.backward(controls, grad_audio, grad_controls);
                stretch.normalize_backward(
                    scaled,
                    &grad_controls.harmonic_distribution,
                    grad_scaled,
                );
            }
        }
        let (raw, grad_raw) = (&self.raw, &mut self.grad_raw);
        let scale = self.scale;
        scale.backward(&raw.amplitudes, &grad_controls.amplitudes, &mut grad_raw.amplitudes);
        scale.backward(
            &raw.harmonic_distribution,
            &self.grad_scaled_distribution,
            &mut grad_raw.harmonic_distribution,
        );
    }
}
