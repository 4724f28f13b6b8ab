//! The wavetable part of an autoencoder: raw network outputs to controls to sound, and back.

use ddsp_kernels::{
    ExpSigmoid, Wavetable, WavetableGradients, normalize_distribution,
    normalize_distribution_backward,
};

use super::ToneControls;
use crate::config::{Config, WavetableConfig};

/// `amplitudes = exp_sigmoid(raw)`, `table_weights = normalize_distribution(exp_sigmoid(raw))`, then
/// the wavetable synthesizer with learned tables, for one example of fixed length.
pub(super) struct WavetableBranch {
    scale: ExpSigmoid,
    synth: Wavetable,
    n_tables: usize,
    raw: TableControls,
    grad_raw: TableControls,
    /// `exp_sigmoid` of the raw weights, before normalisation.
    scaled_weights: Vec<f32>,
    grad_scaled_weights: Vec<f32>,
    controls: TableControls,
    grad_controls: TableControls,
    /// Of all examples since it was taken, `[n_tables, table_len]`.
    grad_tables: Vec<f32>,
}

/// What drives the wavetable synthesizer, raw or scaled.
struct TableControls {
    /// Overall linear amplitude, `[n_frames]`.
    amplitudes: Vec<f32>,
    /// `[n_frames, n_tables]`.
    table_weights: Vec<f32>,
}

impl TableControls {
    fn zeros(n_frames: usize, n_tables: usize) -> Self {
        Self { amplitudes: vec![0.0; n_frames], table_weights: vec![0.0; n_frames * n_tables] }
    }

    fn clear(&mut self) {
        self.amplitudes.fill(0.0);
        self.table_weights.fill(0.0);
    }
}

impl WavetableBranch {
    /// Allocates for examples of `n_frames`.
    pub(super) fn new(config: &Config, wavetable: &WavetableConfig, n_frames: usize) -> Self {
        let WavetableConfig { n_tables, table_len, interpolation } = *wavetable;
        let zeros = || TableControls::zeros(n_frames, n_tables);
        Self {
            scale: ExpSigmoid::default(),
            synth: Wavetable::new(config.grid(), n_tables, table_len, interpolation.into()),
            n_tables,
            raw: zeros(),
            grad_raw: zeros(),
            scaled_weights: vec![0.0; n_frames * n_tables],
            grad_scaled_weights: vec![0.0; n_frames * n_tables],
            controls: zeros(),
            grad_controls: zeros(),
            grad_tables: vec![0.0; n_tables * table_len],
        }
    }

    /// Takes the tables of the examples that follow, `[n_tables, table_len]`.
    pub(super) fn set_tables(&mut self, tables: &[f32]) {
        self.synth.set_tables(tables);
    }

    /// Adds the tables' gradient over all examples since the last of this.
    pub(super) fn take_table_gradient(&mut self, grad_tables: &mut [f32]) {
        for (sum, grad) in grad_tables.iter_mut().zip(&mut self.grad_tables) {
            *sum += std::mem::take(grad);
        }
    }

    /// Takes the raw outputs of one frame: amplitude, then weights.
    pub(super) fn load(&mut self, frame: usize, raw: &[f32]) {
        let n_tables = self.n_tables;
        self.raw.amplitudes[frame] = raw[0];
        let row = frame * n_tables..(frame + 1) * n_tables;
        self.raw.table_weights[row].copy_from_slice(&raw[1..]);
    }

    /// Writes the gradient with respect to what [`load`](Self::load) took.
    pub(super) fn store_gradient(&self, frame: usize, grad_raw: &mut [f32]) {
        let n_tables = self.n_tables;
        grad_raw[0] = self.grad_raw.amplitudes[frame];
        let row = frame * n_tables..(frame + 1) * n_tables;
        grad_raw[1..].copy_from_slice(&self.grad_raw.table_weights[row]);
    }

    /// The controls that the last [`forward`](Self::forward) made.
    pub(super) fn into_controls(self) -> ToneControls {
        let TableControls { amplitudes, table_weights } = self.controls;
        ToneControls::Wavetable { amplitudes, table_weights }
    }

    /// Overwrites `audio` with the tone of the example, whose fundamental is `f0_hz`.
    pub(super) fn forward(&mut self, f0_hz: &[f32], audio: &mut [f32]) {
        let controls = &mut self.controls;
        self.scale.forward(&self.raw.amplitudes, &mut controls.amplitudes);
        self.scale.forward(&self.raw.table_weights, &mut self.scaled_weights);
        let weights = &mut controls.table_weights;
        normalize_distribution(&self.scaled_weights, self.n_tables, weights);
        self.synth.forward(f0_hz, &controls.amplitudes, weights, 0.0, audio);
    }

    /// Finds the gradient with respect to the raw outputs, of the last [`forward`](Self::forward),
    /// and adds that of the tables to those of other examples.
    pub(super) fn backward(&mut self, f0_hz: &[f32], grad_audio: &[f32]) {
        self.grad_controls.clear();
        self.grad_scaled_weights.fill(0.0);
        self.grad_raw.clear();
        let (controls, grad_controls) = (&self.controls, &mut self.grad_controls);
        self.synth.backward(
            f0_hz,
            &controls.amplitudes,
            &controls.table_weights,
            0.0,
            grad_audio,
            WavetableGradients {
                f0_hz: None,
                initial_phase: None,
                amplitudes: &mut grad_controls.amplitudes,
                table_weights: &mut grad_controls.table_weights,
                tables: Some(&mut self.grad_tables),
            },
        );
        normalize_distribution_backward(
            &self.scaled_weights,
            self.n_tables,
            &grad_controls.table_weights,
            &mut self.grad_scaled_weights,
        );
        let (raw, grad_raw, scale) = (&self.raw, &mut self.grad_raw, self.scale);
        scale.backward(&raw.amplitudes, &grad_controls.amplitudes, &mut grad_raw.amplitudes);
        let (grads, grad_raw) = (&self.grad_scaled_weights, &mut grad_raw.table_weights);
        scale.backward(&raw.table_weights, grads, grad_raw);
    }
}
