//! Stretched partials in place of harmonics: a raw network output to inharmonicity to sound, and back.

use ddsp_kernels::{
    Inharmonic, InharmonicGradients, StretchedPartials, StretchedPartialsGradients,
    normalize_partials, normalize_partials_backward,
};

use super::harmonic_branch::HarmonicControls;
use super::sample_rate;
use crate::config::{Config, HarmonicConfig, InharmonicityConfig};

/// `B = highest sigmoid(raw + initial_bias)`, then the inharmonic synthesizer on a string of
/// `f0 / sqrt(1 + B)`, whose lowest partial sounds at f0, for one example of fixed length.
///
/// A spectral loss shows the way to the right `B` from afar: under its short windows a bin is wide
/// enough for the stretched and the harmonic place of a partial.
pub(super) struct Stretch {
    synth: Inharmonic,
    sample_rate: f32,
    highest: f32,
    initial_bias: f32,
    /// `B / highest`, `[n_frames]`, as all that follow.
    shares: Vec<f32>,
    inharmonicity: Vec<f32>,
    /// f0 of the string without stiffness.
    string_hz: Vec<f32>,
    grad_inharmonicity: Vec<f32>,
    grad_string_hz: Vec<f32>,
    /// `[n_partials]`
    phases: Vec<f64>,
}

impl Stretch {
    /// Allocates for examples of `n_frames`.
    pub(super) fn new(
        config: &Config,
        harmonic: &HarmonicConfig,
        inharmonicity: &InharmonicityConfig,
        n_frames: usize,
    ) -> Self {
        let n_partials = harmonic.n_harmonics;
        let zeros = || vec![0.0; n_frames];
        #[expect(clippy::cast_possible_truncation, reason = "validated: within 50")]
        let single = |value: f64| value as f32;
        Self {
            synth: Inharmonic::new(config.grid(), n_partials, harmonic.interpolation.into()),
            sample_rate: sample_rate(config),
            highest: single(inharmonicity.highest),
            initial_bias: single(inharmonicity.initial_bias),
            shares: zeros(),
            inharmonicity: zeros(),
            string_hz: zeros(),
            grad_inharmonicity: zeros(),
            grad_string_hz: zeros(),
            phases: vec![0.0; n_partials],
        }
    }

    /// Takes the raw output of one frame.
    pub(super) fn load(&mut self, frame: usize, raw: f32) {
        let share = 1.0 / (1.0 + (-(raw + self.initial_bias)).exp());
        self.shares[frame] = share;
        self.inharmonicity[frame] = self.highest * share;
    }

    /// The gradient with respect to what [`load`](Self::load) took.
    ///
    /// `string_hz = f0 (1 + B)^(-1/2)`, so that `d string_hz / d B = -string_hz / (2 (1 + B))`;
    /// `d B / d raw = B (1 - B / highest)`.
    pub(super) fn gradient(&self, frame: usize) -> f32 {
        let inharmonicity = self.inharmonicity[frame];
        let by_string = self.string_hz[frame] / (2.0 * (1.0 + inharmonicity));
        let grad = self.grad_inharmonicity[frame] - by_string * self.grad_string_hz[frame];
        grad * inharmonicity * (1.0 - self.shares[frame])
    }

    /// `B` of each frame.
    pub(super) fn into_inharmonicity(self) -> Vec<f32> {
        self.inharmonicity
    }

    /// Overwrites `audio` with the tone, and `controls.harmonic_distribution` with the normalised
    /// `distribution`.
    pub(super) fn forward(
        &mut self,
        f0_hz: &[f32],
        distribution: &[f32],
        controls: &mut HarmonicControls,
        audio: &mut [f32],
    ) {
        for ((string_hz, f0_hz), b) in self.string_hz.iter_mut().zip(f0_hz).zip(&self.inharmonicity)
        {
            *string_hz = f0_hz / (1.0 + b).sqrt();
        }
        self.phases.fill(0.0);
        let Self { synth, string_hz, inharmonicity, phases, .. } = self;
        let partials = partials(string_hz, inharmonicity);
        let HarmonicControls { amplitudes, harmonic_distribution } = controls;
        normalize_partials(distribution, partials, self.sample_rate, harmonic_distribution);
        synth.forward(partials, amplitudes, harmonic_distribution, phases, audio);
    }

    /// Overwrites what [`gradient`](Self::gradient) tells, and adds to the gradients of `controls`.
    pub(super) fn backward(
        &mut self,
        controls: &HarmonicControls,
        grad_audio: &[f32],
        grad_controls: &mut HarmonicControls,
    ) {
        self.grad_inharmonicity.fill(0.0);
        self.grad_string_hz.fill(0.0);
        self.phases.fill(0.0);
        let grads = InharmonicGradients {
            partials: Some(StretchedPartialsGradients {
                f0_hz: &mut self.grad_string_hz,
                inharmonicity: &mut self.grad_inharmonicity,
                harmonic_shifts: None,
            }),
            amplitudes: &mut grad_controls.amplitudes,
            harmonic_distribution: &mut grad_controls.harmonic_distribution,
            phases: None,
        };
        let Self { synth, string_hz, inharmonicity, phases, .. } = self;
        let HarmonicControls { amplitudes, harmonic_distribution } = controls;
        let partials = partials(string_hz, inharmonicity);
        synth.backward(partials, amplitudes, harmonic_distribution, phases, grad_audio, grads);
    }

    /// Adds to `grad_distribution` the gradient with respect to the distribution before it was
    /// normalised.
    pub(super) fn normalize_backward(
        &self,
        distribution: &[f32],
        grad_normalized: &[f32],
        grad_distribution: &mut [f32],
    ) {
        let partials = partials(&self.string_hz, &self.inharmonicity);
        let rate = self.sample_rate;
        normalize_partials_backward(
            distribution,
            partials,
            rate,
            grad_normalized,
            grad_distribution,
        );
    }
}

fn partials<'a>(f0_hz: &'a [f32], inharmonicity: &'a [f32]) -> StretchedPartials<'a> {
    StretchedPartials { f0_hz, inharmonicity, harmonic_shifts: None }
}
