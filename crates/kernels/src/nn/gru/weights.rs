//! Weights of the GRU, as they are stored and as the recurrence reads them.

use std::ops::Range;

use crate::nn::lanes::LANES;
use crate::nn::packed::pack;

/// Weights of a GRU; the gates are in the order z, r, candidate.
#[derive(Clone, Copy, Debug)]
pub struct GruWeights<'a> {
    /// `[n_in, 3 n_units]`
    pub kernel: &'a [f32],
    /// `[n_units, 3 n_units]`
    pub recurrent_kernel: &'a [f32],
    /// `[2, 3 n_units]`: of the input's part, then of the recurrent part.
    pub bias: &'a [f32],
}

/// Gradients of [`GruWeights`] that the recurrence leaves; `kernel` has its own in
/// [`Gru::project_backward`](super::Gru::project_backward).
#[derive(Debug)]
pub struct GruGradients<'a> {
    /// `[n_units, 3 n_units]`
    pub recurrent_kernel: &'a mut [f32],
    /// `[2, 3 n_units]`
    pub bias: &'a mut [f32],
}

/// Recurrent weights of all units, or of some, in the order in which the recurrence reads them.
///
/// Packing takes as long as a frame or two: once for each change of the weights.
#[derive(Clone, Debug, Default)]
pub struct GruRecurrence {
    pub(super) n_units: usize,
    /// The units whose gates are computed.
    pub(super) units: Range<usize>,
    /// `[units / 16][n_units][3][16]`
    pub(super) forward: Vec<f32>,
    /// The transposed kernel, `[units / 32][3 n_units][32]`; empty unless asked for.
    pub(super) backward: Vec<f32>,
    /// `[3, units]`
    pub(super) bias: Vec<f32>,
}

impl GruRecurrence {
    /// Packs `weights`, over what was packed before.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other.
    pub fn pack(&mut self, weights: GruWeights<'_>) {
        self.pack_units(weights, 0..weights.bias.len() / 6);
    }

    /// Packs what [`Gru::with_units`](super::Gru::with_units) needs of `weights`.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other or have fewer units.
    pub fn pack_units(&mut self, weights: GruWeights<'_>, units: Range<usize>) {
        let n_units = weights.bias.len() / 6;
        let (n_bias, n_kernel) = (weights.bias.len(), weights.recurrent_kernel.len());
        assert_eq!(n_bias, 6 * n_units, "GRU: {n_bias} values of two biases of three gates");
        assert_eq!(
            n_kernel,
            3 * n_units * n_units,
            "GRU: a recurrent kernel of {n_kernel} values for {n_units} units"
        );
        assert!(
            units.start <= units.end && units.end <= n_units,
            "GRU: units {units:?} of {n_units}"
        );
        let of_gate = |gate: usize| 3 * n_units + gate * n_units;
        self.bias.clear();
        self.bias
            .extend((0..3).flat_map(|gate| &weights.bias[of_gate(gate)..][units.start..units.end]));
        self.backward.clear();
        let end = units.end;
        let gates_of_block = units.clone().step_by(LANES).flat_map(|first| {
            (0..3 * LANES).map(move |place| {
                let (gate, unit) = (place / LANES, first + place % LANES);
                (unit < end).then_some(gate * n_units + unit)
            })
        });
        let kernel = weights.recurrent_kernel;
        let forward = |unit: usize, column: usize| kernel[unit * 3 * n_units + column];
        pack(n_units, gates_of_block, 3 * LANES, forward, &mut self.forward);
        (self.n_units, self.units) = (n_units, units);
    }

    /// Packs `weights` for the backward pass too.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other.
    pub fn pack_for_training(&mut self, weights: GruWeights<'_>) {
        self.pack_units_for_training(weights, 0..weights.bias.len() / 6);
    }

    /// Packs what [`Gru::with_units`](super::Gru::with_units) needs of `weights` for the backward
    /// pass too.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other or have fewer units.
    pub fn pack_units_for_training(&mut self, weights: GruWeights<'_>, units: Range<usize>) {
        self.pack_units(weights, units.clone());
        let n_units = self.n_units;
        let columns = (0..units.len().next_multiple_of(2 * LANES))
            .map(|i| (i < units.len()).then_some(units.start + i));
        let transposed = |k: usize, unit: usize| weights.recurrent_kernel[unit * 3 * n_units + k];
        pack(3 * n_units, columns, 2 * LANES, transposed, &mut self.backward);
    }
}
