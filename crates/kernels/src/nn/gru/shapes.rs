//! What the passes of a GRU ask of their arguments.

use super::{Gru, GruGradients, GruRecurrence, GruSequence, GruWeights};
use crate::Matrix;

impl Gru {
    /// Asserts that nobody else computes a part of the states.
    pub(super) fn check_alone(&self) {
        let (here, all) = (self.units.len(), self.n_units);
        assert_eq!(
            here, all,
            "GRU: {here} of {all} units are here, and no exchange with the others"
        );
    }

    pub(super) fn check_projection(
        &self,
        weights: GruWeights<'_>,
        first_row: usize,
        x: Matrix<'_>,
    ) {
        let (n_in, width) = (x.n_columns(), 3 * self.n_units);
        let (n_kernel, n_bias) = (weights.kernel.len(), weights.bias.len());
        assert_eq!(
            n_kernel,
            n_in * width,
            "GRU: a kernel of {n_kernel} values for {n_in} inputs and {} units",
            self.n_units
        );
        assert_eq!(n_bias, 2 * width, "GRU: {n_bias} values of bias for {} units", self.n_units);
        let (end, n_rows) = (first_row + x.n_rows(), self.n_rows);
        assert!(end <= n_rows, "GRU: rows {first_row}..{end}, room for {n_rows}");
    }

    pub(super) fn check_sizes(
        &self,
        recurrence: &GruRecurrence,
        state_len: usize,
        y: Matrix<'_>,
        y_columns: usize,
    ) {
        let (n_units, packed) = (self.n_units, recurrence.n_units);
        assert_eq!(packed, n_units, "GRU: weights for {packed} units, {n_units} here");
        let (packed, units) = (&recurrence.units, &self.units);
        assert_eq!(packed, units, "GRU: weights of the units {packed:?}, {units:?} here");
        let (n_columns, n_y, n_rows) = (y.n_columns(), y.n_rows(), self.n_rows);
        assert_eq!(n_columns, y_columns, "GRU: {n_columns} columns of y for {y_columns} units");
        assert_eq!(n_y, n_rows, "GRU: {n_y} rows of y for {n_rows} that were projected");
        let n_examples = state_len / n_units.max(1);
        assert_eq!(
            n_examples * n_units,
            state_len,
            "GRU: a state of {state_len} values for {n_units} units"
        );
        assert!(
            n_examples > 0 && n_rows.is_multiple_of(n_examples),
            "GRU: {n_rows} rows for {n_examples} in a frame"
        );
    }

    pub(super) fn check_backward(
        &self,
        recurrence: &GruRecurrence,
        sequence: GruSequence<'_>,
        grad_state: &[f32],
        grads: &GruGradients<'_>,
    ) {
        let GruSequence { initial_state, y, grad_y } = sequence;
        let (n_units, n_own) = (self.n_units, self.units.len());
        self.check_sizes(recurrence, initial_state.len(), y, n_units);
        self.check_sizes(recurrence, initial_state.len(), grad_y, n_own);
        let (n_grad, expected) = (grad_state.len(), initial_state.len() / n_units * n_own);
        assert_eq!(n_grad, expected, "GRU: {n_grad} values of grad_state for {expected} of state");
        let (n_kernel, n_bias) = (grads.recurrent_kernel.len(), grads.bias.len());
        let expected = 3 * n_units * n_units;
        assert_eq!(
            n_kernel, expected,
            "GRU: {n_kernel} values of grad_recurrent_kernel for {expected} of recurrent_kernel"
        );
        let expected = 6 * n_units;
        assert_eq!(n_bias, expected, "GRU: {n_bias} values of grad_bias for {expected} of bias");
        assert!(
            n_own == 0 || !recurrence.backward.is_empty(),
            "GRU: weights were not packed for training"
        );
    }
}
