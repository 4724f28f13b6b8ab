//! The gated recurrent unit over whole sequences of rows.
//!
//! keras' form (`reset_after`), whose recurrent part has a bias of its own, `d`:
//!
//! ```text
//! z  = sigmoid(x W_z + b_z + h U_z + d_z)
//! r  = sigmoid(x W_r + b_r + h U_r + d_r)
//! c  = tanh(x W_c + b_c + r * (h U_c + d_c))
//! h' = z * h + (1 - z) * c
//! ```
//!
//! The input's part is a dense layer over all rows ([`Gru::project`]), to be run on any ranges of
//! them; the recurrence ([`Gru::recur`]) walks the frames with its weights packed
//! ([`GruRecurrence`]). There is one direction and no masking. A sequence for one example, or one
//! frame of it, is a batch of one row: streaming is `project` and `recur` with the state kept.

mod backward;
mod forward;
mod product;
#[cfg(test)]
mod tests;

use self::backward::Backward;
use self::forward::Forward;
use self::product::{LANES, MOST_ROWS, pack};
use super::dense::{Dense, add_rows, dense};
use crate::gemm::{add_product_transposed_a, add_product_transposed_b};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

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
/// [`Gru::project_backward`].
#[derive(Debug)]
pub struct GruGradients<'a> {
    /// `[n_units, 3 n_units]`
    pub recurrent_kernel: &'a mut [f32],
    /// `[2, 3 n_units]`
    pub bias: &'a mut [f32],
}

/// Recurrent weights in the order in which the recurrence reads them.
///
/// Packing takes as long as a frame or two: once for each change of the weights.
#[derive(Clone, Debug, Default)]
pub struct GruRecurrence {
    n_units: usize,
    /// `[n_units / 16][n_units][3][16]`
    forward: Vec<f32>,
    /// The transposed kernel, `[n_units / 32][3 n_units][32]`; empty unless asked for.
    backward: Vec<f32>,
    /// `[3 n_units]`
    bias: Vec<f32>,
}

impl GruRecurrence {
    /// Packs `weights`, over what was packed before.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other.
    pub fn pack(&mut self, weights: GruWeights<'_>) {
        let n_units = weights.bias.len() / 6;
        let kernel = weights.recurrent_kernel;
        assert_eq!(weights.bias.len(), 6 * n_units, "GRU: bias of two times three gates");
        assert_eq!(kernel.len(), 3 * n_units * n_units, "GRU: recurrent kernel of {n_units} units");
        self.n_units = n_units;
        self.bias.clear();
        self.bias.extend_from_slice(&weights.bias[3 * n_units..]);
        self.backward.clear();
        let gates_of_block = (0..n_units).step_by(LANES).flat_map(|first| {
            (0..3 * LANES).map(move |place| {
                let (gate, unit) = (place / LANES, first + place % LANES);
                (unit < n_units).then_some(gate * n_units + unit)
            })
        });
        let forward = |unit: usize, column: usize| kernel[unit * 3 * n_units + column];
        pack(n_units, gates_of_block, 3 * LANES, forward, &mut self.forward);
    }

    /// Packs `weights` for the backward pass too.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other.
    pub fn pack_for_training(&mut self, weights: GruWeights<'_>) {
        self.pack(weights);
        let n_units = self.n_units;
        let units = (0..n_units.next_multiple_of(2 * LANES)).map(|u| (u < n_units).then_some(u));
        let transposed = |k: usize, unit: usize| weights.recurrent_kernel[unit * 3 * n_units + k];
        pack(3 * n_units, units, 2 * LANES, transposed, &mut self.backward);
    }
}

/// One GRU's memory between the passes over a sequence.
///
/// The passes are to be called in this order, each over all rows: [`project`](Self::project),
/// [`recur`](Self::recur), and for training [`recur_backward`](Self::recur_backward),
/// [`project_backward`](Self::project_backward).
#[derive(Clone, Debug, Default)]
pub struct Gru {
    n_units: usize,
    /// `[n_rows, 3 n_units]`: the input's part, then z, r and c, then the gradients of their arguments.
    gates: Vec<f32>,
    /// `[n_rows, n_units]`: the recurrent part of c, then its gradient.
    recurrent: Vec<f32>,
    /// Scratch of one frame: the transposed operand of the product.
    columns: Vec<f32>,
    /// Scratch of one frame: the product.
    sums: Vec<f32>,
    /// Scratch of one frame: the gradients that go into the product.
    grad_recurrent: Vec<f32>,
}

impl Gru {
    /// A GRU of `n_units` with room for `n_rows` rows, counting every frame of every example.
    pub fn new(n_units: usize, n_rows: usize) -> Self {
        let columns = vec![0.0; 3 * n_units * MOST_ROWS];
        // Room for one example from the start: playing must not allocate.
        let sums = vec![0.0; 3 * n_units.next_multiple_of(LANES)];
        let mut gru = Self { n_units, columns, sums, ..Self::default() };
        gru.resize(n_rows);
        gru
    }

    /// Changes the number of rows; allocates only for more rows than ever before.
    pub fn resize(&mut self, n_rows: usize) {
        self.gates.resize(n_rows * 3 * self.n_units, 0.0);
        self.recurrent.resize(n_rows * self.n_units, 0.0);
    }

    /// Computes the input's part of the gates for the rows from `first_row` on: `x kernel + bias`.
    ///
    /// # Panics
    ///
    /// If there is no room for the rows or the weights do not fit `x`.
    pub fn project(&mut self, weights: GruWeights<'_>, first_row: usize, x: Matrix<'_>) {
        let width = 3 * self.n_units;
        let rows = first_row * width..(first_row + x.n_rows()) * width;
        let gates = MatrixMut::new(&mut self.gates[rows], x.n_rows(), width);
        dense(Dense { kernel: weights.kernel, bias: &weights.bias[..width] }, x, gates);
    }

    /// Accumulates the vector-Jacobian product of [`project`](Self::project) for the same rows.
    ///
    /// The bias is [`recur_backward`](Self::recur_backward)'s.
    ///
    /// # Panics
    ///
    /// If there is no room for the rows or the weights do not fit `x`.
    pub fn project_backward(
        &self,
        weights: GruWeights<'_>,
        first_row: usize,
        x: Matrix<'_>,
        grad_kernel: &mut [f32],
        grad_x: Option<MatrixMut<'_>>,
    ) {
        let (n_in, width) = (x.n_columns(), 3 * self.n_units);
        let rows = first_row * width..(first_row + x.n_rows()) * width;
        let grad_gates = Matrix::new(&self.gates[rows], x.n_rows(), width);
        add_product_transposed_a(x, grad_gates, MatrixMut::new(grad_kernel, n_in, width));
        if let Some(grad_x) = grad_x {
            add_product_transposed_b(grad_gates, Matrix::new(weights.kernel, n_in, width), grad_x);
        }
    }

    /// Runs the recurrence over all frames of the projected rows; writes the states to `y`.
    ///
    /// `state`, `[n_examples, n_units]`, holds the state before the first frame and after the call
    /// the one after the last. `y`, `[n_frames * n_examples, n_units]`, has time-major rows.
    ///
    /// # Panics
    ///
    /// If the sizes of `recurrence`, `state` and `y` do not fit the projected rows.
    pub fn recur(&mut self, recurrence: &GruRecurrence, state: &mut [f32], y: MatrixMut<'_>) {
        self.check_sizes(recurrence, state.len(), y.as_ref());
        self.recur_with(Simd::widest(), recurrence, state, y);
    }

    fn recur_with(
        &mut self,
        simd: Simd,
        recurrence: &GruRecurrence,
        state: &mut [f32],
        y: MatrixMut<'_>,
    ) {
        let n_examples = state.len() / self.n_units;
        self.sums.resize(n_examples * 3 * self.n_units.next_multiple_of(LANES), 0.0);
        let Self { gates, recurrent, columns, sums, .. } = self;
        simd.run(Forward { recurrence, gates, recurrent, state, y, columns, sums });
    }

    /// Accumulates the vector-Jacobian product of [`recur`](Self::recur) into `grads`.
    ///
    /// `y` is what `recur` wrote. `grad_state` holds the gradient of the final state and after the
    /// call that of the initial state. What `recur` kept is replaced by the gradients of the
    /// projected rows: the pass cannot be repeated.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit the projected rows, or if `recurrence` was not packed for training.
    pub fn recur_backward(
        &mut self,
        recurrence: &GruRecurrence,
        sequence: GruSequence<'_>,
        grad_state: &mut [f32],
        grads: GruGradients<'_>,
    ) {
        let GruSequence { initial_state, y, grad_y } = sequence;
        self.check_sizes(recurrence, grad_state.len(), y);
        self.check_sizes(recurrence, initial_state.len(), grad_y);
        assert!(!recurrence.backward.is_empty(), "GRU: weights were not packed for training");
        self.walk_back(Simd::widest(), recurrence, sequence, grad_state);
        self.accumulate(initial_state, y, grads);
    }

    /// Replaces gates by their gradients, from the last frame to the first.
    fn walk_back(
        &mut self,
        simd: Simd,
        recurrence: &GruRecurrence,
        sequence: GruSequence<'_>,
        grad_state: &mut [f32],
    ) {
        let n_examples = grad_state.len() / self.n_units;
        self.sums.resize(n_examples * self.n_units.next_multiple_of(2 * LANES), 0.0);
        self.grad_recurrent.resize(n_examples * 3 * self.n_units, 0.0);
        let GruSequence { initial_state, y, grad_y } = sequence;
        let Self { gates, recurrent, columns, sums, grad_recurrent, .. } = self;
        simd.run(Backward {
            recurrence,
            gates,
            recurrent,
            initial_state,
            y,
            grad_y,
            grad_state,
            grad_recurrent,
            columns,
            sums,
        });
    }

    /// Gradients of the weights, from those of the gates.
    fn accumulate(&self, initial_state: &[f32], y: Matrix<'_>, grads: GruGradients<'_>) {
        let n_units = self.n_units;
        let (n_rows, n_examples) = (y.n_rows(), initial_state.len() / n_units);
        if n_rows == 0 {
            return;
        }
        let gates = Matrix::new(&self.gates, n_rows, 3 * n_units);
        let recurrent = Matrix::new(&self.recurrent, n_rows, n_units);
        let (bias, recurrent_bias) = grads.bias.split_at_mut(3 * n_units);
        add_rows(gates, bias);
        add_rows(gates.columns(0..2 * n_units), &mut recurrent_bias[..2 * n_units]);
        add_rows(recurrent, &mut recurrent_bias[2 * n_units..]);

        let mut kernel = MatrixMut::new(grads.recurrent_kernel, n_units, 3 * n_units);
        let initial = Matrix::new(initial_state, n_examples, n_units);
        for (previous, rows) in
            [(initial, 0..n_examples), (y.rows(0..n_rows - n_examples), n_examples..n_rows)]
        {
            let z_and_r = gates.rows(rows.clone()).columns(0..2 * n_units);
            add_product_transposed_a(previous, z_and_r, kernel.reborrow().columns(0..2 * n_units));
            let candidate = kernel.reborrow().columns(2 * n_units..3 * n_units);
            add_product_transposed_a(previous, recurrent.rows(rows), candidate);
        }
    }

    fn check_sizes(&self, recurrence: &GruRecurrence, state_len: usize, y: Matrix<'_>) {
        let n_units = self.n_units;
        assert_eq!(recurrence.n_units, n_units, "GRU: units of the packed weights");
        assert_eq!(y.n_columns(), n_units, "GRU: columns of y");
        assert_eq!(y.n_rows() * n_units, self.recurrent.len(), "GRU: rows of y");
        let n_examples = state_len / n_units.max(1);
        assert_eq!(n_examples * n_units, state_len, "GRU: length of the state");
        assert!(
            n_examples > 0 && y.n_rows().is_multiple_of(n_examples),
            "GRU: {n_examples} rows in a frame"
        );
    }
}

/// What the backward pass of the recurrence reads.
#[derive(Clone, Copy, Debug)]
pub struct GruSequence<'a> {
    /// `[n_examples, n_units]`, as it was before [`Gru::recur`].
    pub initial_state: &'a [f32],
    /// `[n_frames * n_examples, n_units]`
    pub y: Matrix<'a>,
    /// `[n_frames * n_examples, n_units]`
    pub grad_y: Matrix<'a>,
}
