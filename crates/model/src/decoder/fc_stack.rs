//! A stack of layers: dense, layer norm, leaky ReLU. Without a layer it hands its input on.

use std::ops::Range;

use ddsp_kernels::nn::{Fc, FcCache, FcGradients, fc, fc_backward};
use ddsp_kernels::{Matrix, MatrixMut};

use crate::parameters::{Initial, ParameterTable};

/// Where the parameters of each layer lie, from the first layer to the last.
#[derive(Clone, Debug)]
pub(super) struct FcStack {
    layers: Vec<FcLayer>,
    /// Columns of the output: those of the input, if there is no layer.
    n_units: usize,
}

/// Where the parameters of one layer lie; the four ranges follow each other.
#[derive(Clone, Debug)]
struct FcLayer {
    kernel: Range<usize>,
    bias: Range<usize>,
    gain: Range<usize>,
    shift: Range<usize>,
}

/// What the backward pass of a stack needs, for every row.
#[derive(Clone, Debug)]
pub(super) struct FcStackCache {
    layers: Vec<FcLayerCache>,
}

#[derive(Clone, Debug)]
struct FcLayerCache {
    /// `[n_rows, n_units]`, see [`FcCache`].
    normalized: Vec<f32>,
    /// `[n_rows]`, see [`FcCache`].
    inverse_std: Vec<f32>,
    /// `[n_rows, n_units]`: the input of the next layer; empty for the last, whose output is the
    /// caller's.
    y: Vec<f32>,
}

/// Gradients between the layers of a stack, for the rows of one chunk.
#[derive(Clone, Debug)]
pub(super) struct FcScratch {
    /// `[n_rows, n_units]`, after a layer.
    grad_y: Vec<f32>,
    /// `[n_rows, n_units]`, before it.
    grad_x: Vec<f32>,
}

impl FcScratch {
    pub(super) fn new(n_rows: usize, n_units: usize) -> Self {
        Self { grad_y: vec![0.0; n_rows * n_units], grad_x: vec![0.0; n_rows * n_units] }
    }
}

impl FcStackCache {
    pub(super) fn new(stack: &FcStack, n_rows: usize) -> Self {
        let n_units = stack.n_units;
        let layer = |has_next: bool| FcLayerCache {
            normalized: vec![0.0; n_rows * n_units],
            inverse_std: vec![0.0; n_rows],
            y: vec![0.0; if has_next { n_rows * n_units } else { 0 }],
        };
        let n_layers = stack.layers.len();
        Self { layers: (1..=n_layers).map(|i| layer(i < n_layers)).collect() }
    }
}

/// Rows of a buffer of rows of `n_columns`.
fn matrix<'a>(values: &'a [f32], rows: &Range<usize>, n_columns: usize) -> Matrix<'a> {
    Matrix::new(&values[rows.start * n_columns..rows.end * n_columns], rows.len(), n_columns)
}

fn matrix_mut<'a>(values: &'a mut [f32], rows: &Range<usize>, n_columns: usize) -> MatrixMut<'a> {
    let values = &mut values[rows.start * n_columns..rows.end * n_columns];
    MatrixMut::new(values, rows.len(), n_columns)
}

impl FcStack {
    /// Enters the parameters of `n_layers` layers of `n_units` into `table`.
    pub(super) fn new(
        table: &mut ParameterTable,
        name: &str,
        n_in: usize,
        n_units: usize,
        n_layers: usize,
    ) -> Self {
        let mut push = |layer: usize, tensor: &str, shape: &[usize], initial: Initial| {
            table.push(format!("{name}/{layer}/{tensor}"), shape, initial)
        };
        let layers = (0..n_layers)
            .map(|layer| {
                let n_in = if layer == 0 { n_in } else { n_units };
                FcLayer {
                    kernel: push(layer, "kernel", &[n_in, n_units], Initial::GlorotUniform),
                    bias: push(layer, "bias", &[n_units], Initial::Zeros),
                    gain: push(layer, "gain", &[n_units], Initial::Ones),
                    shift: push(layer, "shift", &[n_units], Initial::Zeros),
                }
            })
            .collect();
        Self { layers, n_units: if n_layers == 0 { n_in } else { n_units } }
    }

    /// Columns of the output.
    pub(super) fn n_out(&self) -> usize {
        self.n_units
    }

    /// Runs the stack on the rows `rows`: `x`, `[rows, n_in]`, to `y`, `[rows, n_units]`.
    pub(super) fn forward(
        &self,
        parameters: &[f32],
        rows: Range<usize>,
        x: Matrix<'_>,
        cache: &mut FcStackCache,
        mut y: MatrixMut<'_>,
    ) {
        if self.layers.is_empty() {
            (0..rows.len()).for_each(|row| y.row_mut(row).copy_from_slice(x.row(row)));
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let (before, current) = cache.layers.split_at_mut(i);
            let FcLayerCache { normalized, inverse_std, y: between } = &mut current[0];
            let x = before.last().map_or(x, |previous| matrix(&previous.y, &rows, self.n_units));
            let y = if i + 1 == self.layers.len() {
                y.reborrow()
            } else {
                matrix_mut(between, &rows, self.n_units)
            };
            let kept = FcCache {
                normalized: matrix_mut(normalized, &rows, self.n_units),
                inverse_std: &mut inverse_std[rows.clone()],
            };
            fc(layer.weights(parameters), x, kept, y);
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) for the same rows.
    pub(super) fn backward(
        &self,
        parameters: &[f32],
        pass: FcBackward<'_>,
        scratch: &mut FcScratch,
        grad_parameters: &mut [f32],
        mut grad_x: Option<MatrixMut<'_>>,
    ) {
        let FcBackward { rows, x, cache, grad_y } = pass;
        if let (true, Some(grad_x)) = (self.layers.is_empty(), &mut grad_x) {
            for row in 0..rows.len() {
                let grads = grad_x.row_mut(row).iter_mut().zip(grad_y.row(row));
                grads.for_each(|(grad_x, grad_y)| *grad_x += grad_y);
            }
        }
        let chunk = 0..rows.len();
        for (i, layer) in self.layers.iter().enumerate().rev() {
            let (before, current) = cache.layers.split_at_mut(i);
            let FcLayerCache { normalized, inverse_std, .. } = &mut current[0];
            let kept = FcCache {
                normalized: matrix_mut(normalized, &rows, self.n_units),
                inverse_std: &mut inverse_std[rows.clone()],
            };
            let FcScratch { grad_y: grad_after, grad_x: grad_before } = &mut *scratch;
            let is_last = i + 1 == self.layers.len();
            let grad_y = if is_last { grad_y } else { matrix(grad_after, &chunk, self.n_units) };
            let (x, grad_x) = match before.last() {
                Some(previous) => {
                    grad_before.fill(0.0);
                    let grad_before = matrix_mut(grad_before, &chunk, self.n_units);
                    (matrix(&previous.y, &rows, self.n_units), Some(grad_before))
                }
                None => (x, grad_x.take()),
            };
            let grads = layer.gradients(grad_parameters);
            fc_backward(layer.weights(parameters), x, kept, grad_y, grads, grad_x);
            std::mem::swap(&mut scratch.grad_y, &mut scratch.grad_x);
        }
    }
}

/// What the backward pass of a stack needs.
pub(super) struct FcBackward<'a> {
    pub(super) rows: Range<usize>,
    /// `[rows, n_in]`
    pub(super) x: Matrix<'a>,
    /// What the forward pass left; it is used up.
    pub(super) cache: &'a mut FcStackCache,
    /// `[rows, n_units]`
    pub(super) grad_y: Matrix<'a>,
}

impl FcLayer {
    fn weights<'a>(&self, parameters: &'a [f32]) -> Fc<'a> {
        let [kernel, bias, gain, shift] = [&self.kernel, &self.bias, &self.gain, &self.shift]
            .map(|range| &parameters[range.clone()]);
        Fc { kernel, bias, gain, shift }
    }

    fn gradients<'a>(&self, gradients: &'a mut [f32]) -> FcGradients<'a> {
        let gradients = &mut gradients[self.kernel.start..self.shift.end];
        let (kernel, rest) = gradients.split_at_mut(self.kernel.len());
        let (bias, rest) = rest.split_at_mut(self.bias.len());
        let (gain, shift) = rest.split_at_mut(self.gain.len());
        FcGradients { kernel, bias, gain, shift }
    }
}
