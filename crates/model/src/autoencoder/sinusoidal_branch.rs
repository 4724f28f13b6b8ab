//! The sinusoidal part of an autoencoder: raw network outputs to controls to sound, and back.

use ddsp_kernels::{ExpSigmoid, Sinusoidal, SinusoidalGradients};

use super::ToneControls;
use crate::config::{Config, SinusoidalConfig};

/// `amplitudes = exp_sigmoid(raw + initial_bias)` and
/// `frequencies_hz[k] = k f0 2^(detune / 12 tanh(raw))`, `k` from 1, then the sinusoidal
/// synthesizer, for one example of fixed length.
///
/// Frequencies are predicted as departures from the harmonics: the slope of a spectral loss points
/// the right way only within about a bin of the partial that is meant, so that frequencies free to
/// begin anywhere do not find their places.
pub(super) struct SinusoidalBranch {
    scale: ExpSigmoid,
    synth: Sinusoidal,
    n_sinusoids: usize,
    initial_bias: f32,
    /// `ln(2) / 12` times the semitones.
    detune: f32,
    /// Raw outputs plus bias, `[n_frames, n_sinusoids]`.
    biased: Vec<f32>,
    grad_biased: Vec<f32>,
    /// `tanh` of the raw detunings, `[n_frames, n_sinusoids]`.
    tilt: Vec<f32>,
    grad_detuning: Vec<f32>,
    amplitudes: Vec<f32>,
    grad_amplitudes: Vec<f32>,
    frequencies_hz: Vec<f32>,
    grad_frequencies_hz: Vec<f32>,
    phases: Vec<f64>,
}

impl SinusoidalBranch {
    /// Allocates for examples of `n_frames`.
    pub(super) fn new(config: &Config, sinusoidal: &SinusoidalConfig, n_frames: usize) -> Self {
        let n_sinusoids = sinusoidal.n_sinusoids;
        let zeros = || vec![0.0; n_frames * n_sinusoids];
        #[expect(clippy::cast_possible_truncation, reason = "validated: within 50")]
        let single = |value: f64| value as f32;
        Self {
            scale: ExpSigmoid::default(),
            synth: Sinusoidal::new(config.grid(), n_sinusoids, sinusoidal.interpolation.into()),
            n_sinusoids,
            initial_bias: single(sinusoidal.initial_bias),
            detune: single(sinusoidal.detune_semitones * std::f64::consts::LN_2 / 12.0),
            biased: zeros(),
            grad_biased: zeros(),
            tilt: zeros(),
            grad_detuning: zeros(),
            amplitudes: zeros(),
            grad_amplitudes: zeros(),
            frequencies_hz: zeros(),
            grad_frequencies_hz: zeros(),
            phases: vec![0.0; n_sinusoids],
        }
    }

    /// Takes the raw outputs of one frame: amplitudes, then detunings.
    pub(super) fn load(&mut self, frame: usize, raw: &[f32]) {
        let row = self.row(frame);
        let (amplitudes, detunings) = raw.split_at(self.n_sinusoids);
        for (biased, raw) in self.biased[row.clone()].iter_mut().zip(amplitudes) {
            *biased = raw + self.initial_bias;
        }
        for (tilt, raw) in self.tilt[row].iter_mut().zip(detunings) {
            *tilt = raw.tanh();
        }
    }

    /// Writes the gradient with respect to what [`load`](Self::load) took.
    pub(super) fn store_gradient(&self, frame: usize, grad_raw: &mut [f32]) {
        let row = self.row(frame);
        let (amplitudes, detunings) = grad_raw.split_at_mut(self.n_sinusoids);
        amplitudes.copy_from_slice(&self.grad_biased[row.clone()]);
        detunings.copy_from_slice(&self.grad_detuning[row]);
    }

    fn row(&self, frame: usize) -> std::ops::Range<usize> {
        frame * self.n_sinusoids..(frame + 1) * self.n_sinusoids
    }

    /// The controls that the last [`forward`](Self::forward) made.
    pub(super) fn into_controls(self) -> ToneControls {
        let Self { amplitudes, frequencies_hz, .. } = self;
        ToneControls::Sinusoidal { amplitudes, frequencies_hz }
    }

    /// Overwrites `audio` with the tone of the example, whose fundamental is `f0_hz`.
    pub(super) fn forward(&mut self, f0_hz: &[f32], audio: &mut [f32]) {
        self.scale.forward(&self.biased, &mut self.amplitudes);
        let rows = self.frequencies_hz.chunks_exact_mut(self.n_sinusoids);
        let tilts = self.tilt.chunks_exact(self.n_sinusoids);
        for ((frequencies_hz, tilts), f0_hz) in rows.zip(tilts).zip(f0_hz) {
            for (k, (frequency_hz, tilt)) in frequencies_hz.iter_mut().zip(tilts).enumerate() {
                *frequency_hz = (k + 1) as f32 * f0_hz * (self.detune * tilt).exp();
            }
        }
        self.phases.fill(0.0);
        let Self { synth, frequencies_hz, amplitudes, phases, .. } = self;
        synth.forward(frequencies_hz, amplitudes, phases, audio);
    }

    /// Finds the gradient with respect to the raw outputs, of the last [`forward`](Self::forward).
    pub(super) fn backward(&mut self, grad_audio: &[f32]) {
        let buffers = [
            &mut self.grad_frequencies_hz,
            &mut self.grad_amplitudes,
            &mut self.grad_biased,
            &mut self.grad_detuning,
        ];
        buffers.into_iter().for_each(|buffer| buffer.fill(0.0));
        self.phases.fill(0.0);
        self.synth.backward(
            &self.frequencies_hz,
            &self.amplitudes,
            &self.phases,
            grad_audio,
            SinusoidalGradients {
                frequencies_hz: Some(&mut self.grad_frequencies_hz),
                amplitudes: &mut self.grad_amplitudes,
                phases: None,
            },
        );
        self.scale.backward(&self.biased, &self.grad_amplitudes, &mut self.grad_biased);
        // d frequency / d raw = frequency detune (1 - tanh^2).
        let frequencies = self.frequencies_hz.iter().zip(&self.grad_frequencies_hz);
        for ((grad, tilt), (hz, grad_hz)) in
            self.grad_detuning.iter_mut().zip(&self.tilt).zip(frequencies)
        {
            *grad = grad_hz * hz * self.detune * (1.0 - tilt * tilt);
        }
    }
}
