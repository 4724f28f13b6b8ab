//! Where the parameters of a recurrent layer lie.

use std::ops::Range;

use ddsp_kernels::nn::{GruGradients, GruWeights};

use crate::parameters::{Initial, ParameterTable};

/// The parameters of a GRU among those of a model; the three ranges follow each other.
#[derive(Clone, Debug)]
pub(crate) struct GruRanges {
    /// `[n_in, 3 n_units]`
    pub(crate) kernel: Range<usize>,
    /// `[n_units, 3 n_units]`
    recurrent_kernel: Range<usize>,
    /// `[2, 3 n_units]`
    bias: Range<usize>,
}

impl GruRanges {
    /// Enters the parameters of a layer of `n_units` into `table`.
    pub(crate) fn new(table: &mut ParameterTable, name: &str, n_in: usize, n_units: usize) -> Self {
        let mut push = |tensor: &str, shape: [usize; 2], initial: Initial| {
            table.push(format!("{name}/{tensor}"), &shape, initial)
        };
        Self {
            kernel: push("kernel", [n_in, 3 * n_units], Initial::GlorotUniform),
            recurrent_kernel: push("recurrent_kernel", [n_units, 3 * n_units], Initial::Orthogonal),
            bias: push("bias", [2, 3 * n_units], Initial::Zeros),
        }
    }

    /// The layer's part of `parameters`.
    pub(crate) fn weights<'a>(&self, parameters: &'a [f32]) -> GruWeights<'a> {
        GruWeights {
            kernel: &parameters[self.kernel.clone()],
            recurrent_kernel: &parameters[self.recurrent_kernel.clone()],
            bias: &parameters[self.bias.clone()],
        }
    }

    /// The part of the gradients that the recurrence accumulates.
    pub(crate) fn gradients<'a>(&self, grad_parameters: &'a mut [f32]) -> GruGradients<'a> {
        let grads = &mut grad_parameters[self.recurrent_kernel.start..self.bias.end];
        let (recurrent_kernel, bias) = grads.split_at_mut(self.recurrent_kernel.len());
        GruGradients { recurrent_kernel, bias }
    }
}
