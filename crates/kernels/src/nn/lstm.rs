//! The long short-term memory over whole sequences of rows.
//!
//! keras' form, with gates in the order i, f, g, o (keras calls g the candidate, c):
//!
//! ```text
//! i  = sigmoid(x W_i + h U_i + b_i)
//! f  = sigmoid(x W_f + h U_f + b_f)
//! g  = tanh(x W_g + h U_g + b_g)
//! o  = sigmoid(x W_o + h U_o + b_o)
//! c' = f * c + i * g
//! h' = o * tanh(c')
//! ```
//!
//! As for the [`Gru`](super::Gru), the input's part is a dense layer over all rows
//! ([`Lstm::project`]) and the recurrence ([`Lstm::recur`]) walks the frames with its weights packed
//! ([`LstmRecurrence`]); streaming is both of them with the state kept. keras begins training with a
//! bias of 1 for f: that is the caller's. There are no peepholes, one direction and no masking.

mod backward;
mod forward;
#[cfg(test)]
pub(crate) mod tests;

use self::backward::Backward;
use self::forward::Forward;
use super::dense::{Dense, add_rows, check_grad_x, dense};
use super::lanes::LANES;
use super::packed::{MOST_ROWS, pack};
use crate::gemm::{add_product_transposed_a, add_product_transposed_b};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

/// Weights of an LSTM; the gates are in the order i, f, g, o.
#[derive(Clone, Copy, Debug)]
pub struct LstmWeights<'a> {
    /// `[n_in, 4 n_units]`
    pub kernel: &'a [f32],
    /// `[n_units, 4 n_units]`
    pub recurrent_kernel: &'a [f32],
    /// `[4 n_units]`
    pub bias: &'a [f32],
}

/// Gradients of [`LstmWeights`] that the recurrence leaves; `kernel` has its own in
/// [`Lstm::project_backward`].
#[derive(Debug)]
pub struct LstmGradients<'a> {
    /// `[n_units, 4 n_units]`
    pub recurrent_kernel: &'a mut [f32],
    /// `[4 n_units]`
    pub bias: &'a mut [f32],
}

/// What an LSTM remembers from frame to frame, or the gradients of that.
#[derive(Debug)]
pub struct LstmState<'a> {
    /// `[n_examples, n_units]`: the output of the frame before.
    pub h: &'a mut [f32],
    /// `[n_examples, n_units]`: the memory cells.
    pub c: &'a mut [f32],
}

/// Recurrent weights in the order in which the recurrence reads them.
///
/// Packing takes as long as a frame or two: once for each change of the weights.
#[derive(Clone, Debug, Default)]
pub struct LstmRecurrence {
    n_units: usize,
    /// `[n_units / 16][2][n_units][2][16]`: the gates of a block of units in two pairs, whose sums
    /// for 8 rows fit the registers.
    forward: Vec<f32>,
    /// The transposed kernel, `[n_units / 32][4 n_units][32]`; empty unless asked for.
    backward: Vec<f32>,
}

impl LstmRecurrence {
    /// Packs `weights`, over what was packed before.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other.
    pub fn pack(&mut self, weights: LstmWeights<'_>) {
        let (n_bias, n_kernel) = (weights.bias.len(), weights.recurrent_kernel.len());
        let n_units = n_bias / 4;
        assert_eq!(n_bias, 4 * n_units, "LSTM: {n_bias} values of the bias of four gates");
        assert_eq!(
            n_kernel,
            4 * n_units * n_units,
            "LSTM: a recurrent kernel of {n_kernel} values for {n_units} units"
        );
        self.n_units = n_units;
        self.backward.clear();
        let gates_of_block = (0..n_units).step_by(LANES).flat_map(|first| {
            (0..4 * LANES).map(move |place| {
                let (gate, unit) = (place / LANES, first + place % LANES);
                (unit < n_units).then_some(gate * n_units + unit)
            })
        });
        let kernel = weights.recurrent_kernel;
        let forward = |unit: usize, column: usize| kernel[unit * 4 * n_units + column];
        pack(n_units, gates_of_block, 2 * LANES, forward, &mut self.forward);
    }

    /// Packs `weights` for the backward pass too.
    ///
    /// # Panics
    ///
    /// If the weights' sizes contradict each other.
    pub fn pack_for_training(&mut self, weights: LstmWeights<'_>) {
        self.pack(weights);
        let n_units = self.n_units;
        let units = (0..n_units.next_multiple_of(2 * LANES)).map(|u| (u < n_units).then_some(u));
        let transposed = |k: usize, unit: usize| weights.recurrent_kernel[unit * 4 * n_units + k];
        pack(4 * n_units, units, 2 * LANES, transposed, &mut self.backward);
    }
}

/// One LSTM's memory between the passes over a sequence.
///
/// The passes are to be called in this order, each over all rows: [`project`](Self::project),
/// [`recur`](Self::recur), and for training [`recur_backward`](Self::recur_backward),
/// [`project_backward`](Self::project_backward).
#[derive(Clone, Debug, Default)]
pub struct Lstm {
    n_units: usize,
    /// Number of rows that there is room for.
    n_rows: usize,
    /// `[n_rows, 4, n_units]`: the input's part, then i, f, g and o, then the gradients of their
    /// arguments.
    gates: Vec<f32>,
    /// `[n_rows, n_units]`: the memory cells after each frame.
    cells: Vec<f32>,
    /// Scratch of one frame: the transposed operand of the product.
    columns: Vec<f32>,
    /// Scratch of one frame: the product.
    sums: Vec<f32>,
}

impl Lstm {
    /// An LSTM of `n_units` with room for `n_rows` rows, counting every frame of every example.
    pub fn new(n_units: usize, n_rows: usize) -> Self {
        let columns = vec![0.0; 4 * n_units * MOST_ROWS];
        // Room for one example from the start: playing must not allocate.
        let sums = vec![0.0; 4 * n_units.next_multiple_of(LANES)];
        let mut lstm = Self { n_units, columns, sums, ..Self::default() };
        lstm.resize(n_rows);
        lstm
    }

    /// Changes the number of rows; allocates only for more rows than ever before.
    pub fn resize(&mut self, n_rows: usize) {
        self.n_rows = n_rows;
        self.gates.resize(n_rows * 4 * self.n_units, 0.0);
        self.cells.resize(n_rows * self.n_units, 0.0);
    }

    /// Computes the input's part of the gates for the rows from `first_row` on: `x kernel + bias`.
    ///
    /// # Realtime Safety
    ///
    /// For up to 4 rows nothing is allocated.
    ///
    /// # Panics
    ///
    /// If there is no room for the rows or the weights do not fit `x`.
    pub fn project(&mut self, weights: LstmWeights<'_>, first_row: usize, x: Matrix<'_>) {
        self.check_projection(weights, first_row, x);
        let width = 4 * self.n_units;
        let rows = first_row * width..(first_row + x.n_rows()) * width;
        let gates = MatrixMut::new(&mut self.gates[rows], x.n_rows(), width);
        dense(Dense { kernel: weights.kernel, bias: weights.bias }, x, gates);
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
        weights: LstmWeights<'_>,
        first_row: usize,
        x: Matrix<'_>,
        grad_kernel: &mut [f32],
        grad_x: Option<MatrixMut<'_>>,
    ) {
        self.check_projection(weights, first_row, x);
        let (n_grad, n_kernel) = (grad_kernel.len(), weights.kernel.len());
        assert_eq!(
            n_grad, n_kernel,
            "LSTM: {n_grad} values of grad_kernel for {n_kernel} of kernel"
        );
        if let Some(grad_x) = &grad_x {
            check_grad_x("LSTM", x, grad_x);
        }
        let (n_in, width) = (x.n_columns(), 4 * self.n_units);
        let rows = first_row * width..(first_row + x.n_rows()) * width;
        let grad_gates = Matrix::new(&self.gates[rows], x.n_rows(), width);
        add_product_transposed_a(x, grad_gates, MatrixMut::new(grad_kernel, n_in, width));
        if let Some(grad_x) = grad_x {
            add_product_transposed_b(grad_gates, Matrix::new(weights.kernel, n_in, width), grad_x);
        }
    }

    /// Runs the recurrence over all frames of the projected rows; writes the outputs to `y`.
    ///
    /// `state` is that before the first frame and after the call the one after the last. `y`,
    /// `[n_frames * n_examples, n_units]`, has time-major rows.
    ///
    /// # Realtime Safety
    ///
    /// For one example nothing is allocated.
    ///
    /// # Panics
    ///
    /// If the sizes of `recurrence`, `state` and `y` do not fit the projected rows.
    pub fn recur(&mut self, recurrence: &LstmRecurrence, state: LstmState<'_>, y: MatrixMut<'_>) {
        self.check_sizes(recurrence, [state.h.len(), state.c.len()], y.as_ref());
        self.recur_with(Simd::widest(), recurrence, state, y);
    }

    fn recur_with(
        &mut self,
        simd: Simd,
        recurrence: &LstmRecurrence,
        state: LstmState<'_>,
        y: MatrixMut<'_>,
    ) {
        let n_examples = state.h.len() / self.n_units;
        self.sums.resize(n_examples * 4 * self.n_units.next_multiple_of(LANES), 0.0);
        let Self { gates, cells, columns, sums, .. } = self;
        simd.run(Forward { recurrence, gates, cells, state, y, columns, sums });
    }

    /// Accumulates the vector-Jacobian product of [`recur`](Self::recur) into `grads`.
    ///
    /// `grad_state` holds the gradient of the final state and after the call that of the initial
    /// state. What `recur` kept is replaced by the gradients of the projected rows: the pass cannot
    /// be repeated.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit the projected rows, or if `recurrence` was not packed for training.
    pub fn recur_backward(
        &mut self,
        recurrence: &LstmRecurrence,
        sequence: LstmSequence<'_>,
        grad_state: LstmState<'_>,
        grads: LstmGradients<'_>,
    ) {
        let LstmSequence { initial_h, initial_c, y, grad_y } = sequence;
        self.check_sizes(recurrence, [initial_h.len(), initial_c.len()], y);
        self.check_sizes(recurrence, [grad_state.h.len(), grad_state.c.len()], grad_y);
        let (n_grads, n_states) = (grad_state.h.len(), initial_h.len());
        assert_eq!(
            n_grads, n_states,
            "LSTM: {n_grads} values of grad_state for {n_states} of state"
        );
        let (n_units, n_kernel, n_bias) =
            (self.n_units, grads.recurrent_kernel.len(), grads.bias.len());
        let expected = 4 * n_units * n_units;
        assert_eq!(
            n_kernel, expected,
            "LSTM: {n_kernel} values of grad_recurrent_kernel for {expected} of recurrent_kernel"
        );
        let expected = 4 * n_units;
        assert_eq!(n_bias, expected, "LSTM: {n_bias} values of grad_bias for {expected} of bias");
        assert!(!recurrence.backward.is_empty(), "LSTM: weights were not packed for training");
        self.walk_back(Simd::widest(), recurrence, sequence, grad_state);
        self.accumulate(sequence, grads);
    }

    /// Replaces gates by their gradients, from the last frame to the first.
    fn walk_back(
        &mut self,
        simd: Simd,
        recurrence: &LstmRecurrence,
        sequence: LstmSequence<'_>,
        grad_state: LstmState<'_>,
    ) {
        let n_examples = grad_state.h.len() / self.n_units;
        self.sums.resize(n_examples * self.n_units.next_multiple_of(2 * LANES), 0.0);
        let Self { gates, cells, columns, sums, .. } = self;
        simd.run(Backward { recurrence, gates, cells, sequence, grad_state, columns, sums });
    }

    /// Gradients of the weights, from those of the gates.
    fn accumulate(&self, sequence: LstmSequence<'_>, grads: LstmGradients<'_>) {
        let LstmSequence { initial_h, y, .. } = sequence;
        let (n_units, width) = (self.n_units, 4 * self.n_units);
        let (n_rows, n_examples) = (y.n_rows(), initial_h.len() / n_units);
        if n_rows == 0 {
            return;
        }
        let gates = Matrix::new(&self.gates, n_rows, width);
        add_rows(gates, grads.bias);
        let mut kernel = MatrixMut::new(grads.recurrent_kernel, n_units, width);
        let initial = Matrix::new(initial_h, n_examples, n_units);
        for (previous, rows) in
            [(initial, 0..n_examples), (y.rows(0..n_rows - n_examples), n_examples..n_rows)]
        {
            add_product_transposed_a(previous, gates.rows(rows), kernel.reborrow());
        }
    }

    fn check_projection(&self, weights: LstmWeights<'_>, first_row: usize, x: Matrix<'_>) {
        let (n_in, n_units, n_rows) = (x.n_columns(), self.n_units, self.n_rows);
        let (n_kernel, n_bias) = (weights.kernel.len(), weights.bias.len());
        assert_eq!(
            n_kernel,
            n_in * 4 * n_units,
            "LSTM: a kernel of {n_kernel} values for {n_in} inputs and {n_units} units"
        );
        assert_eq!(n_bias, 4 * n_units, "LSTM: {n_bias} values of bias for {n_units} units");
        let end = first_row + x.n_rows();
        assert!(end <= n_rows, "LSTM: rows {first_row}..{end}, room for {n_rows}");
    }

    fn check_sizes(&self, recurrence: &LstmRecurrence, state_lens: [usize; 2], y: Matrix<'_>) {
        let (n_units, n_rows, packed) = (self.n_units, self.n_rows, recurrence.n_units);
        assert_eq!(packed, n_units, "LSTM: weights for {packed} units, {n_units} here");
        let (n_columns, n_y, [n_h, n_c]) = (y.n_columns(), y.n_rows(), state_lens);
        assert_eq!(n_columns, n_units, "LSTM: {n_columns} columns of y for {n_units} units");
        assert_eq!(n_y, n_rows, "LSTM: {n_y} rows of y for {n_rows} that were projected");
        assert_eq!(n_c, n_h, "LSTM: {n_c} values of c for {n_h} of h");
        let n_examples = n_h / n_units.max(1);
        assert_eq!(n_examples * n_units, n_h, "LSTM: a state of {n_h} values for {n_units} units");
        assert!(
            n_examples > 0 && n_rows.is_multiple_of(n_examples),
            "LSTM: {n_rows} rows for {n_examples} in a frame"
        );
    }
}

/// What the backward pass of the recurrence reads.
#[derive(Clone, Copy, Debug)]
pub struct LstmSequence<'a> {
    /// `[n_examples, n_units]`, as it was before [`Lstm::recur`].
    pub initial_h: &'a [f32],
    /// `[n_examples, n_units]`, as it was before.
    pub initial_c: &'a [f32],
    /// `[n_frames * n_examples, n_units]`: what it wrote.
    pub y: Matrix<'a>,
    /// `[n_frames * n_examples, n_units]`
    pub grad_y: Matrix<'a>,
}
