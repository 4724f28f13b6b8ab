//! The network from scaled features to raw controls.
//!
//! `RnnFcDecoder` of DDSP (Engel et al. 2020): each input has a stack of layers of its own; their
//! outputs, side by side, go through a GRU; its outputs, beside the stacks' again, go through one
//! more stack and a dense layer. Stacks may have no layer, as in the paper's `tiny` model: then the
//! inputs themselves go there. Rows are time-major, `(frame, example)`.

mod cache;
mod fc_stack;
mod stream;
#[cfg(test)]
mod tests;

pub use cache::DecoderCache;
pub use stream::DecoderStream;

use std::ops::Range;

use ddsp_kernels::nn::{Dense, DenseGradients, GruSequence, dense, dense_backward};
use ddsp_kernels::{Matrix, MatrixMut};

use self::fc_stack::{FcBackward, FcStack};
use crate::config::{Config, Level};
use crate::gru_ranges::GruRanges;
use crate::parameters::{Initial, ParameterTable};

/// What a decoder takes, in the order in which its stacks' outputs lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderInput {
    /// Name of its stack among the parameters.
    pub name: &'static str,
    /// Columns of a row.
    pub n_columns: usize,
}

impl DecoderInput {
    /// The inputs that `config` asks for: level, f0 and, with an encoder, its `z`.
    pub fn all(config: &Config) -> Vec<Self> {
        let level = match config.decoder.level {
            Level::Loudness => "loudness_scaled",
            Level::Power => "power_scaled",
        };
        let mut inputs: Vec<Self> =
            [level, "f0_scaled"].map(|name| Self { name, n_columns: 1 }).into();
        let z = config.encoder.as_ref().map(|encoder| encoder.z_len);
        inputs.extend(z.map(|n_columns| Self { name: "z", n_columns }));
        inputs
    }
}

/// Rows that go through a stack together: few enough that they stay in the second-level cache from
/// one layer to the next, enough that a matrix product pays for its packing.
const CHUNK: usize = 256;

/// The layers of a decoder, and where their parameters lie.
#[derive(Clone, Debug)]
pub struct RnnFcDecoder {
    inputs: Vec<DecoderInput>,
    input_stacks: Vec<FcStack>,
    gru: GruRanges,
    output_stack: FcStack,
    output: OutputRanges,
    gru_units: usize,
    fc_units: usize,
    n_outputs: usize,
    /// Parameters of the whole model.
    n_parameters: usize,
}

#[derive(Clone, Debug)]
struct OutputRanges {
    kernel: Range<usize>,
    bias: Range<usize>,
}

impl RnnFcDecoder {
    /// The decoder that `config` describes, with `n_outputs` for each row; enters its parameters
    /// into `table`.
    pub(crate) fn new(config: &Config, n_outputs: usize, table: &mut ParameterTable) -> Self {
        let (gru_units, fc_units) = (config.decoder.gru_units, config.decoder.fc_units);
        let fc_layers = config.decoder.fc_layers;
        let inputs = DecoderInput::all(config);
        let stack = |input: &DecoderInput| {
            FcStack::new(table, input.name, input.n_columns, fc_units, fc_layers)
        };
        let input_stacks: Vec<FcStack> = inputs.iter().map(stack).collect();
        let n_in = input_stacks.iter().map(FcStack::n_out).sum::<usize>();
        let gru = GruRanges::new(table, "gru", n_in, gru_units);
        let output_stack =
            FcStack::new(table, "output_stack", n_in + gru_units, fc_units, fc_layers);
        let shape = [output_stack.n_out(), n_outputs];
        let kernel = table.push("output/kernel".to_owned(), &shape, Initial::GlorotUniform);
        let bias = table.push("output/bias".to_owned(), &[n_outputs], Initial::Zeros);
        Self {
            inputs,
            input_stacks,
            gru,
            output_stack,
            output: OutputRanges { kernel, bias },
            gru_units,
            fc_units,
            n_outputs,
            n_parameters: table.n_values(),
        }
    }

    /// Tells how many parameters the model has in all, of which the decoder's are the first.
    pub(crate) fn set_n_parameters(&mut self, n_parameters: usize) {
        self.n_parameters = n_parameters;
    }

    /// Number of outputs of a row.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Columns of the input stacks' outputs.
    fn inputs_width(&self) -> usize {
        self.input_stacks.iter().map(FcStack::n_out).sum()
    }

    /// Columns of all that the output stack sees.
    fn joined_width(&self) -> usize {
        self.inputs_width() + self.gru_units
    }

    /// Columns of what the output stack makes of it.
    fn hidden_width(&self) -> usize {
        self.output_stack.n_out()
    }

    /// Columns of the outputs of input stack `i` among the joined.
    fn input_columns(&self, i: usize) -> Range<usize> {
        let start = self.input_stacks[..i].iter().map(FcStack::n_out).sum();
        start..start + self.input_stacks[i].n_out()
    }

    /// Columns that the GRU reads among the joined.
    fn gru_inputs(&self) -> Range<usize> {
        0..self.inputs_width()
    }

    /// Columns that the GRU writes among the joined.
    fn gru_outputs(&self) -> Range<usize> {
        self.inputs_width()..self.joined_width()
    }

    fn output_weights<'a>(&self, parameters: &'a [f32]) -> Dense<'a> {
        let OutputRanges { kernel, bias } = &self.output;
        Dense { kernel: &parameters[kernel.clone()], bias: &parameters[bias.clone()] }
    }

    /// Runs whole sequences from a silent state: `inputs`, those of [`DecoderInput::all`], each
    /// `[n_frames, n_examples, n_columns]`, to `outputs`, `[n_frames, n_examples, n_outputs]`.
    ///
    /// # Panics
    ///
    /// If a length is not that of `cache` or of the parameters.
    pub fn forward(
        &self,
        parameters: &[f32],
        inputs: &[&[f32]],
        cache: &mut DecoderCache,
        outputs: &mut [f32],
    ) {
        assert_eq!(parameters.len(), self.n_parameters, "decoder: parameters");
        assert_eq!(inputs[0].len(), cache.max_rows, "decoder: rows of the cache");
        cache.recurrence.pack_for_training(self.gru.weights(parameters));
        cache.state.fill(0.0);
        self.forward_rows(parameters, inputs, cache, outputs);
    }

    /// Runs as many rows as there are inputs, from the state in `cache`.
    fn forward_rows(
        &self,
        parameters: &[f32],
        inputs: &[&[f32]],
        cache: &mut DecoderCache,
        outputs: &mut [f32],
    ) {
        let n_rows = inputs[0].len();
        self.check_inputs(inputs, n_rows);
        assert!(n_rows <= cache.max_rows, "decoder: {n_rows} rows, room for {}", cache.max_rows);
        assert_eq!(outputs.len(), n_rows * self.n_outputs, "decoder: length of the outputs");
        let width = self.joined_width();
        let mut joined = MatrixMut::new(&mut cache.joined[..n_rows * width], n_rows, width);
        cache.gru.resize(n_rows);
        for rows in chunks(n_rows) {
            let mut joined = joined.reborrow().rows(rows.clone());
            for (i, stack) in self.input_stacks.iter().enumerate() {
                let x = self.input(inputs, i, &rows);
                let y = joined.reborrow().columns(self.input_columns(i));
                stack.forward(parameters, rows.clone(), x, &mut cache.input_stacks[i], y);
            }
            let x = joined.as_ref().columns(self.gru_inputs());
            cache.gru.project(self.gru.weights(parameters), rows.start, x);
        }
        let states = joined.reborrow().columns(self.gru_outputs());
        cache.gru.recur(&cache.recurrence, &mut cache.state, states);
        for rows in chunks(n_rows) {
            let (hidden_rows, output_rows) =
                (scale(&rows, self.hidden_width()), scale(&rows, self.n_outputs));
            let hidden = &mut cache.hidden[hidden_rows];
            let mut hidden = MatrixMut::new(hidden, rows.len(), self.hidden_width());
            let x = joined.as_ref().rows(rows.clone());
            let y = hidden.reborrow();
            self.output_stack.forward(parameters, rows.clone(), x, &mut cache.output_stack, y);
            let y = MatrixMut::new(&mut outputs[output_rows], rows.len(), self.n_outputs);
            dense(self.output_weights(parameters), hidden.as_ref(), y);
        }
    }

    /// Accumulates into `grad_parameters` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// `inputs` are those of the forward pass and `cache` what it left, which is used up. `grad_z`,
    /// if it is wanted, is that of the last input.
    ///
    /// # Panics
    ///
    /// If a length is not that of `cache` or of the parameters.
    pub fn backward(
        &self,
        parameters: &[f32],
        inputs: &[&[f32]],
        cache: &mut DecoderCache,
        grad_outputs: &[f32],
        grads: DecoderGradients<'_>,
    ) {
        let n_rows = cache.max_rows;
        let DecoderGradients { parameters: grad_parameters, mut z } = grads;
        assert_eq!(parameters.len(), self.n_parameters, "decoder: parameters");
        assert_eq!(grad_parameters.len(), parameters.len(), "decoder: gradients of the parameters");
        assert_eq!(
            grad_outputs.len(),
            n_rows * self.n_outputs,
            "decoder: gradients of the outputs"
        );
        self.check_inputs(inputs, n_rows);
        cache.grad_joined.clear();
        cache.grad_joined.resize(n_rows * self.joined_width(), 0.0);
        for rows in chunks(n_rows) {
            self.backward_output(parameters, rows, cache, grad_outputs, grad_parameters);
        }
        self.backward_recurrence(cache, grad_parameters);
        for rows in chunks(n_rows) {
            let z = z.as_deref_mut();
            self.backward_inputs(
                parameters,
                rows,
                inputs,
                cache,
                DecoderGradients { parameters: grad_parameters, z },
            );
        }
    }

    /// Input `i` of some rows.
    fn input<'a>(&self, inputs: &[&'a [f32]], i: usize, rows: &Range<usize>) -> Matrix<'a> {
        let n_columns = self.inputs[i].n_columns;
        Matrix::new(&inputs[i][scale(rows, n_columns)], rows.len(), n_columns)
    }

    fn check_inputs(&self, inputs: &[&[f32]], n_rows: usize) {
        assert_eq!(inputs.len(), self.inputs.len(), "decoder: number of inputs");
        for (DecoderInput { name, n_columns }, input) in self.inputs.iter().zip(inputs) {
            assert_eq!(input.len(), n_rows * n_columns, "decoder: length of {name}");
        }
    }

    /// From the outputs of some rows to what the output stack saw.
    fn backward_output(
        &self,
        parameters: &[f32],
        rows: Range<usize>,
        cache: &mut DecoderCache,
        grad_outputs: &[f32],
        grad_parameters: &mut [f32],
    ) {
        let (n_rows, n_outputs, width) = (rows.len(), self.n_outputs, self.hidden_width());
        let grad_outputs = Matrix::new(&grad_outputs[scale(&rows, n_outputs)], n_rows, n_outputs);
        let hidden = Matrix::new(&cache.hidden[scale(&rows, width)], n_rows, width);
        let grad_hidden = &mut cache.grad_hidden[..n_rows * width];
        grad_hidden.fill(0.0);
        let grads = &mut grad_parameters[self.output.kernel.start..self.output.bias.end];
        let (kernel, bias) = grads.split_at_mut(self.output.kernel.len());
        dense_backward(
            self.output_weights(parameters),
            hidden,
            grad_outputs,
            DenseGradients { kernel, bias },
            Some(MatrixMut::new(grad_hidden, n_rows, width)),
        );
        let joined_width = self.joined_width();
        let joined_rows = scale(&rows, joined_width);
        let pass = FcBackward {
            x: Matrix::new(&cache.joined[joined_rows.clone()], n_rows, joined_width),
            cache: &mut cache.output_stack,
            grad_y: Matrix::new(grad_hidden, n_rows, width),
            rows,
        };
        let grad_x = MatrixMut::new(&mut cache.grad_joined[joined_rows], n_rows, joined_width);
        let scratch = &mut cache.scratch;
        self.output_stack.backward(parameters, pass, scratch, grad_parameters, Some(grad_x));
    }

    /// From the GRU's outputs to its projected inputs.
    fn backward_recurrence(&self, cache: &mut DecoderCache, grad_parameters: &mut [f32]) {
        let (n_rows, width) = (cache.max_rows, self.joined_width());
        let joined = Matrix::new(&cache.joined, n_rows, width);
        let grad_joined = Matrix::new(&cache.grad_joined, n_rows, width);
        // Sequences begin in silence, and nothing follows the last frame.
        let initial_state = vec![0.0; cache.n_examples * self.gru_units];
        cache.state.fill(0.0);
        let sequence = GruSequence {
            initial_state: &initial_state,
            y: joined.columns(self.gru_outputs()),
            grad_y: grad_joined.columns(self.gru_outputs()),
        };
        let grads = self.gru.gradients(grad_parameters);
        cache.gru.recur_backward(&cache.recurrence, sequence, &mut cache.state, grads);
    }

    /// From the GRU's projected inputs of some rows to the input stacks.
    fn backward_inputs(
        &self,
        parameters: &[f32],
        rows: Range<usize>,
        inputs: &[&[f32]],
        cache: &mut DecoderCache,
        mut grads: DecoderGradients<'_>,
    ) {
        let (n_rows, width) = (rows.len(), self.joined_width());
        let joined_rows = scale(&rows, width);
        let joined = Matrix::new(&cache.joined[joined_rows.clone()], n_rows, width);
        let mut grad_joined = MatrixMut::new(&mut cache.grad_joined[joined_rows], n_rows, width);
        cache.gru.project_backward(
            self.gru.weights(parameters),
            rows.start,
            joined.columns(self.gru_inputs()),
            &mut grads.parameters[self.gru.kernel.clone()],
            Some(grad_joined.reborrow().columns(self.gru_inputs())),
        );
        for (i, stack) in self.input_stacks.iter().enumerate() {
            let n_columns = self.inputs[i].n_columns;
            let is_z = i + 1 == self.inputs.len();
            let grad_x = grads.z.as_deref_mut().filter(|_| is_z).map(|grad_z| {
                MatrixMut::new(&mut grad_z[scale(&rows, n_columns)], n_rows, n_columns)
            });
            let pass = FcBackward {
                x: self.input(inputs, i, &rows),
                cache: &mut cache.input_stacks[i],
                grad_y: grad_joined.as_ref().columns(self.input_columns(i)),
                rows: rows.clone(),
            };
            stack.backward(parameters, pass, &mut cache.scratch, grads.parameters, grad_x);
        }
    }
}

/// Where [`RnnFcDecoder::backward`] accumulates.
#[derive(Debug)]
pub struct DecoderGradients<'a> {
    /// With respect to the parameters of the whole model.
    pub parameters: &'a mut [f32],
    /// With respect to the last input, `[n_rows, n_columns]`, if it is wanted.
    pub z: Option<&'a mut [f32]>,
}

impl<'a> From<&'a mut [f32]> for DecoderGradients<'a> {
    /// Those of the parameters alone.
    fn from(parameters: &'a mut [f32]) -> Self {
        Self { parameters, z: None }
    }
}

/// Ranges of at most [`CHUNK`] rows that make up `n_rows`.
fn chunks(n_rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n_rows).step_by(CHUNK).map(move |start| start..(start + CHUNK).min(n_rows))
}

/// Where some rows of `n_columns` lie in a buffer.
fn scale(rows: &Range<usize>, n_columns: usize) -> Range<usize> {
    rows.start * n_columns..rows.end * n_columns
}
