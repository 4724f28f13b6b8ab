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

//!
//! Several workers may share one GRU, each with some of the units ([`Gru::with_units`]): a batch of
//! few rows is too little to be split by rows. After each frame they exchange the new states
//! ([`ColumnExchange`]). Each reads its part of the weights alone, so two are about twice as fast as
//! one. The sum of the workers' parts is the whole; the recurrence gives the same bits.

mod backward;
mod exchange;
mod forward;
mod shapes;
#[cfg(test)]
pub(crate) mod tests;
mod weights;

pub use exchange::ColumnExchange;
pub use weights::{GruGradients, GruRecurrence, GruWeights};

use std::ops::Range;

use self::backward::Backward;
use self::forward::Forward;
use super::dense::{Dense, add_rows, check_grad_x, dense};
use super::lanes::LANES;
use super::packed::MOST_ROWS;
use crate::gemm::{add_product, add_product_transposed_a, add_product_transposed_b};
use crate::simd::Simd;
use crate::{Matrix, MatrixMut};

/// Hands a worker's columns to the others and theirs to it: reads `[m, units]`, writes `[m, n_units]`.
pub(crate) type Exchange<'a> = dyn FnMut(Matrix<'_>, MatrixMut<'_>) + 'a;

/// One GRU's memory between the passes over a sequence.
///
/// The passes are to be called in this order, each over all rows: [`project`](Self::project),
/// [`recur`](Self::recur), and for training [`recur_backward`](Self::recur_backward),
/// [`project_backward`](Self::project_backward).
#[derive(Clone, Debug, Default)]
pub struct Gru {
    n_units: usize,
    /// The units whose gates are computed here.
    units: Range<usize>,
    /// Number of rows that there is room for.
    n_rows: usize,
    /// `[n_rows, 3, units]`: the input's part, then z, r and c, then the gradients of their arguments.
    gates: Vec<f32>,
    /// `[n_rows, units]`: the recurrent part of c, then its gradient.
    recurrent: Vec<f32>,
    scratch: Scratch,
}

/// Scratch of one frame.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// The transposed operand of the product.
    columns: Vec<f32>,
    /// The product.
    sums: Vec<f32>,
    /// `[n_examples, units]` forward, `[n_examples, 3, units]` backward: what was computed here, to
    /// be exchanged.
    mine: Vec<f32>,
    /// `[n_examples, 3, n_units]`: the gradients that go into the product.
    grad_recurrent: Vec<f32>,
}

impl Gru {
    /// A GRU of `n_units` with room for `n_rows` rows, counting every frame of every example.
    pub fn new(n_units: usize, n_rows: usize) -> Self {
        Self::with_units(n_units, 0..n_units, n_rows)
    }

    /// The part of a GRU of `n_units` that computes the gates of `units`; a multiple of 16 of them
    /// wastes no work.
    ///
    /// # Panics
    ///
    /// If there are not so many units.
    pub fn with_units(n_units: usize, units: Range<usize>, n_rows: usize) -> Self {
        assert!(
            units.start <= units.end && units.end <= n_units,
            "GRU: units {units:?} of {n_units}"
        );
        let scratch = Scratch {
            columns: vec![0.0; 3 * n_units * MOST_ROWS],
            // Room for one example from the start: playing must not allocate.
            sums: vec![0.0; 3 * units.len().next_multiple_of(LANES)],
            ..Scratch::default()
        };
        let mut gru = Self { n_units, units, scratch, ..Self::default() };
        gru.resize(n_rows);
        gru
    }

    /// Changes the number of rows; allocates only for more rows than ever before.
    pub fn resize(&mut self, n_rows: usize) {
        self.n_rows = n_rows;
        self.gates.resize(n_rows * 3 * self.units.len(), 0.0);
        self.recurrent.resize(n_rows * self.units.len(), 0.0);
    }

    /// Where gates lie here, and where among those of all units: all at once if all are here.
    fn gate_ranges(&self, gates: Range<usize>) -> impl Iterator<Item = [Range<usize>; 2]> + use<> {
        let (Range { start, end }, n_units, n_gates) =
            (self.units.clone(), self.n_units, gates.len());
        let at_once = if end - start == n_units { n_gates } else { 1 };
        let n = end - start;
        gates.step_by(at_once.max(1)).map(move |gate| {
            let mine = gate * n..(gate + at_once) * n;
            [mine, gate * n_units + start..(gate + at_once - 1) * n_units + end]
        })
    }

    /// Computes the input's part of the gates for the rows from `first_row` on: `x kernel + bias`.
    ///
    /// # Panics
    ///
    /// If there is no room for the rows or the weights do not fit `x`.
    pub fn project(&mut self, weights: GruWeights<'_>, first_row: usize, x: Matrix<'_>) {
        let (n_in, width) = (x.n_columns(), 3 * self.n_units);
        self.check_projection(weights, first_row, x);
        let (n_rows, own) = (x.n_rows(), 3 * self.units.len());
        let ranges = self.gate_ranges(0..3);
        let gates = &mut self.gates[first_row * own..(first_row + n_rows) * own];
        let mut gates = MatrixMut::new(gates, n_rows, own);
        if own == width {
            dense(Dense { kernel: weights.kernel, bias: &weights.bias[..width] }, x, gates);
            return;
        }
        let kernel = Matrix::new(weights.kernel, n_in, width);
        for [mine, of_all] in ranges {
            for row in 0..n_rows {
                gates.row_mut(row)[mine.clone()].copy_from_slice(&weights.bias[of_all.clone()]);
            }
            add_product(x, kernel.columns(of_all), gates.reborrow().columns(mine));
        }
    }

    /// Accumulates the vector-Jacobian product of [`project`](Self::project) for the same rows.
    ///
    /// The bias is [`recur_backward`](Self::recur_backward)'s. Workers with some of the units
    /// accumulate the columns of these in `grad_kernel`, and their part of the sum that is `grad_x`.
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
        mut grad_x: Option<MatrixMut<'_>>,
    ) {
        let (n_in, width) = (x.n_columns(), 3 * self.n_units);
        self.check_projection(weights, first_row, x);
        let (n_grad, n_kernel) = (grad_kernel.len(), weights.kernel.len());
        assert_eq!(
            n_grad, n_kernel,
            "GRU: {n_grad} values of grad_kernel for {n_kernel} of kernel"
        );
        if let Some(grad_x) = &grad_x {
            check_grad_x("GRU", x, grad_x);
        }
        let (n_rows, own) = (x.n_rows(), 3 * self.units.len());
        let gates = &self.gates[first_row * own..(first_row + n_rows) * own];
        let grad_gates = Matrix::new(gates, n_rows, own);
        let kernel = Matrix::new(weights.kernel, n_in, width);
        let mut grad_kernel = MatrixMut::new(grad_kernel, n_in, width);
        for [mine, of_all] in self.gate_ranges(0..3) {
            let grad_gates = grad_gates.columns(mine);
            let grad_kernel = grad_kernel.reborrow().columns(of_all.clone());
            add_product_transposed_a(x, grad_gates, grad_kernel);
            if let Some(grad_x) = &mut grad_x {
                let kernel = kernel.columns(of_all);
                add_product_transposed_b(grad_gates, kernel, grad_x.reborrow());
            }
        }
    }

    /// Runs the recurrence over all frames of the projected rows; writes the states to `y`.
    ///
    /// `state`, `[n_examples, n_units]`, holds the state before the first frame and after the call
    /// the one after the last. `y`, `[n_frames * n_examples, n_units]`, has time-major rows.
    ///
    /// # Realtime Safety
    ///
    /// For one example nothing is allocated.
    ///
    /// # Panics
    ///
    /// If the sizes of `recurrence`, `state` and `y` do not fit the projected rows, or if there are
    /// other units than those here.
    pub fn recur(&mut self, recurrence: &GruRecurrence, state: &mut [f32], y: MatrixMut<'_>) {
        self.check_alone();
        self.check_sizes(recurrence, state.len(), y.as_ref(), self.n_units);
        self.recur_with(Simd::widest(), recurrence, state, y, None);
    }

    /// Runs the recurrence together with other workers; `y` has the columns of the units here alone.
    ///
    /// After each frame `exchange` gets this worker's part of the new states, `[n_examples, units]`,
    /// and writes those of all, `[n_examples, n_units]`. The rest is as in [`recur`](Self::recur);
    /// every worker has a whole `state` of its own.
    ///
    /// # Panics
    ///
    /// If the sizes of `recurrence`, `state` and `y` do not fit the projected rows.
    pub fn recur_shared(
        &mut self,
        recurrence: &GruRecurrence,
        state: &mut [f32],
        y: MatrixMut<'_>,
        exchange: &mut Exchange<'_>,
    ) {
        self.check_sizes(recurrence, state.len(), y.as_ref(), self.units.len());
        self.recur_with(Simd::widest(), recurrence, state, y, Some(exchange));
    }

    fn recur_with(
        &mut self,
        simd: Simd,
        recurrence: &GruRecurrence,
        state: &mut [f32],
        y: MatrixMut<'_>,
        exchange: Option<&mut Exchange<'_>>,
    ) {
        let (n_examples, n_own) = (state.len() / self.n_units, self.units.len());
        let Self { gates, recurrent, scratch: Scratch { columns, sums, mine, .. }, .. } = self;
        sums.resize(n_examples * 3 * n_own.next_multiple_of(LANES), 0.0);
        mine.resize(if exchange.is_some() { n_examples * n_own } else { 0 }, 0.0);
        simd.run(Forward { recurrence, gates, recurrent, state, mine, y, columns, sums, exchange });
    }

    /// Accumulates the vector-Jacobian product of [`recur`](Self::recur) into `grads`.
    ///
    /// `y` is what `recur` wrote. `grad_state` holds the gradient of the final state and after the
    /// call that of the initial state. What `recur` kept is replaced by the gradients of the
    /// projected rows: the pass cannot be repeated.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit the projected rows, if `recurrence` was not packed for training, or if
    /// there are other units than those here.
    pub fn recur_backward(
        &mut self,
        recurrence: &GruRecurrence,
        sequence: GruSequence<'_>,
        grad_state: &mut [f32],
        grads: GruGradients<'_>,
    ) {
        self.check_alone();
        self.check_backward(recurrence, sequence, grad_state, &grads);
        self.walk_back(Simd::widest(), recurrence, sequence, grad_state, None);
        self.accumulate(sequence, grads);
    }

    /// Accumulates this worker's part of the vector-Jacobian product of
    /// [`recur_shared`](Self::recur_shared): the columns of the units here.
    ///
    /// `sequence` has whole states, joined from all workers' `y`, and of `grad_y` the columns of the
    /// units here, as `grad_state` has. In each frame `exchange` gets `[3 n_examples, units]` and
    /// writes `[3 n_examples, n_units]`.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit the projected rows, or if `recurrence` was not packed for training.
    pub fn recur_backward_shared(
        &mut self,
        recurrence: &GruRecurrence,
        sequence: GruSequence<'_>,
        grad_state: &mut [f32],
        grads: GruGradients<'_>,
        exchange: &mut Exchange<'_>,
    ) {
        self.check_backward(recurrence, sequence, grad_state, &grads);
        self.walk_back(Simd::widest(), recurrence, sequence, grad_state, Some(exchange));
        self.accumulate(sequence, grads);
    }

    /// Replaces gates by their gradients, from the last frame to the first.
    fn walk_back(
        &mut self,
        simd: Simd,
        recurrence: &GruRecurrence,
        sequence: GruSequence<'_>,
        grad_state: &mut [f32],
        exchange: Option<&mut Exchange<'_>>,
    ) {
        let (n_examples, n_own) = (sequence.initial_state.len() / self.n_units, self.units.len());
        let Self { gates, recurrent, scratch, .. } = self;
        scratch.sums.resize(n_examples * n_own.next_multiple_of(2 * LANES), 0.0);
        scratch.mine.resize(if exchange.is_some() { n_examples * 3 * n_own } else { 0 }, 0.0);
        scratch.grad_recurrent.resize(n_examples * 3 * self.n_units, 0.0);
        simd.run(Backward {
            recurrence,
            gates,
            recurrent,
            sequence,
            grad_state,
            scratch,
            exchange,
        });
    }

    /// Gradients of the weights, from those of the gates.
    fn accumulate(&self, sequence: GruSequence<'_>, grads: GruGradients<'_>) {
        let GruSequence { initial_state, y, .. } = sequence;
        let (n_units, n_own) = (self.n_units, self.units.len());
        let (n_rows, n_examples) = (y.n_rows(), initial_state.len() / n_units);
        if n_rows == 0 {
            return;
        }
        let gates = Matrix::new(&self.gates, n_rows, 3 * n_own);
        let recurrent = Matrix::new(&self.recurrent, n_rows, n_own);
        let (bias, recurrent_bias) = grads.bias.split_at_mut(3 * n_units);
        let mut kernel = MatrixMut::new(grads.recurrent_kernel, n_units, 3 * n_units);
        let initial = Matrix::new(initial_state, n_examples, n_units);
        let frames =
            [(initial, 0..n_examples), (y.rows(0..n_rows - n_examples), n_examples..n_rows)];
        let mut add_kernel = |grads: Matrix<'_>, of_all: Range<usize>| {
            for (previous, rows) in &frames {
                let kernel = kernel.reborrow().columns(of_all.clone());
                add_product_transposed_a(*previous, grads.rows(rows.clone()), kernel);
            }
        };
        for [mine, of_all] in self.gate_ranges(0..2) {
            add_rows(gates.columns(mine.clone()), &mut recurrent_bias[of_all.clone()]);
            add_kernel(gates.columns(mine), of_all);
        }
        for [_, of_all] in self.gate_ranges(2..3) {
            add_rows(recurrent, &mut recurrent_bias[of_all.clone()]);
            add_kernel(recurrent, of_all);
        }
        for [mine, of_all] in self.gate_ranges(0..3) {
            add_rows(gates.columns(mine), &mut bias[of_all]);
        }
    }
}

/// What the backward pass of the recurrence reads.
#[derive(Clone, Copy, Debug)]
pub struct GruSequence<'a> {
    /// `[n_examples, n_units]`, as it was before [`Gru::recur`].
    pub initial_state: &'a [f32],
    /// `[n_frames * n_examples, n_units]`: what it wrote.
    pub y: Matrix<'a>,
    /// `[n_frames * n_examples, n_units]`
    pub grad_y: Matrix<'a>,
}
