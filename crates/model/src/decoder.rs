//! The network from scaled features to raw controls.
//!
//! `RnnFcDecoder` of DDSP (Engel et al. 2020): each input has a stack of layers of its own; their
//! outputs, side by side, go through a GRU; its outputs, beside the stacks' again, go through one
//! more stack and a dense layer. Rows are time-major, `(frame, example)`.

mod fc_stack;
mod stream;
#[cfg(test)]
mod tests;

pub use stream::DecoderStream;

use std::ops::Range;

use ddsp_kernels::nn::{
    Dense, DenseGradients, Gru, GruGradients, GruRecurrence, GruSequence, GruWeights, dense,
    dense_backward,
};
use ddsp_kernels::{Matrix, MatrixMut};

use self::fc_stack::{FcBackward, FcScratch, FcStack, FcStackCache};
use crate::Config;
use crate::parameters::{Initial, ParameterTable, Parameters};

/// The inputs, in the order in which their stacks' outputs lie side by side.
const INPUTS: [&str; 2] = ["loudness_scaled", "f0_scaled"];

/// Rows that go through a stack together: few enough that they stay in the second-level cache from
/// one layer to the next, enough that a matrix product pays for its packing.
const CHUNK: usize = 256;

/// The layers of a decoder, and where their parameters lie.
#[derive(Clone, Debug)]
pub struct RnnFcDecoder {
    input_stacks: [FcStack; 2],
    gru: GruRanges,
    output_stack: FcStack,
    output: OutputRanges,
    gru_units: usize,
    fc_units: usize,
    n_outputs: usize,
    table: ParameterTable,
}

#[derive(Clone, Debug)]
struct GruRanges {
    kernel: Range<usize>,
    recurrent_kernel: Range<usize>,
    bias: Range<usize>,
}

#[derive(Clone, Debug)]
struct OutputRanges {
    kernel: Range<usize>,
    bias: Range<usize>,
}

/// A decoder's memory between forward and backward pass, and its scratch.
///
/// One thread needs one; examples may be split over several caches.
#[derive(Clone, Debug)]
pub struct DecoderCache {
    n_examples: usize,
    /// Rows that there is room for.
    max_rows: usize,
    input_stacks: [FcStackCache; 2],
    /// `[n_rows, 2 fc_units + gru_units]`: the outputs of both input stacks, then the GRU's.
    joined: Vec<f32>,
    grad_joined: Vec<f32>,
    gru: Gru,
    recurrence: GruRecurrence,
    /// `[n_examples, gru_units]`: the GRU's state after the last frame.
    state: Vec<f32>,
    output_stack: FcStackCache,
    /// `[n_rows, fc_units]`: the output of the output stack.
    hidden: Vec<f32>,
    /// `[CHUNK, fc_units]`
    grad_hidden: Vec<f32>,
    scratch: FcScratch,
}

impl DecoderCache {
    /// Allocates for `n_examples` examples of `n_frames`.
    ///
    /// The gradients' part is as large as needed for training; see [`DecoderStream`] for playing.
    pub fn new(decoder: &RnnFcDecoder, n_frames: usize, n_examples: usize) -> Self {
        let max_rows = n_frames * n_examples;
        let chunk = CHUNK.min(max_rows);
        let width = decoder.joined_width();
        Self {
            n_examples,
            max_rows,
            input_stacks: [0, 1].map(|i| FcStackCache::new(&decoder.input_stacks[i], max_rows)),
            joined: vec![0.0; max_rows * width],
            grad_joined: Vec::new(),
            gru: Gru::new(decoder.gru_units, max_rows),
            recurrence: GruRecurrence::default(),
            state: vec![0.0; n_examples * decoder.gru_units],
            output_stack: FcStackCache::new(&decoder.output_stack, max_rows),
            hidden: vec![0.0; max_rows * decoder.fc_units],
            grad_hidden: vec![0.0; chunk * decoder.fc_units],
            scratch: FcScratch::new(chunk, decoder.fc_units),
        }
    }
}

impl RnnFcDecoder {
    /// The decoder that `config` describes; its outputs in a row are 1 amplitude, the harmonic
    /// distribution and the magnitudes.
    ///
    /// # Panics
    ///
    /// If `config` asks for no layer.
    pub fn new(config: &Config) -> Self {
        let (gru_units, fc_units) = (config.decoder.gru_units, config.decoder.fc_units);
        let fc_layers = config.decoder.fc_layers;
        let n_outputs = 1 + config.harmonic.n_harmonics + config.noise.n_bands;
        let mut table = ParameterTable::default();
        let input_stacks =
            INPUTS.map(|name| FcStack::new(&mut table, name, 1, fc_units, fc_layers));
        let mut push = |name: &str, shape: &[usize], initial: Initial| {
            table.push(name.to_owned(), shape, initial)
        };
        let n_in = INPUTS.len() * fc_units;
        let gru = GruRanges {
            kernel: push("gru/kernel", &[n_in, 3 * gru_units], Initial::GlorotUniform),
            recurrent_kernel: push(
                "gru/recurrent_kernel",
                &[gru_units, 3 * gru_units],
                Initial::Orthogonal,
            ),
            bias: push("gru/bias", &[2, 3 * gru_units], Initial::Zeros),
        };
        let output_stack =
            FcStack::new(&mut table, "output_stack", n_in + gru_units, fc_units, fc_layers);
        let kernel =
            table.push("output/kernel".to_owned(), &[fc_units, n_outputs], Initial::GlorotUniform);
        let bias = table.push("output/bias".to_owned(), &[n_outputs], Initial::Zeros);
        let output = OutputRanges { kernel, bias };
        Self { input_stacks, gru, output_stack, output, gru_units, fc_units, n_outputs, table }
    }

    /// Names, shapes and places of the parameters.
    pub fn table(&self) -> ParameterTable {
        self.table.clone()
    }

    /// Parameters before training, determined by `seed`.
    pub fn initial_parameters(&self, seed: u64) -> Parameters {
        self.table.initial_parameters(seed)
    }

    /// Number of outputs of a row: 1 amplitude, the harmonic distribution, the magnitudes.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Columns of all that the output stack sees.
    fn joined_width(&self) -> usize {
        INPUTS.len() * self.fc_units + self.gru_units
    }

    /// Columns of the outputs of input stack `i` among the joined.
    fn input_columns(&self, i: usize) -> Range<usize> {
        i * self.fc_units..(i + 1) * self.fc_units
    }

    /// Columns that the GRU reads among the joined.
    fn gru_inputs(&self) -> Range<usize> {
        0..INPUTS.len() * self.fc_units
    }

    /// Columns that the GRU writes among the joined.
    fn gru_outputs(&self) -> Range<usize> {
        INPUTS.len() * self.fc_units..self.joined_width()
    }

    fn gru_weights<'a>(&self, parameters: &'a [f32]) -> GruWeights<'a> {
        GruWeights {
            kernel: &parameters[self.gru.kernel.clone()],
            recurrent_kernel: &parameters[self.gru.recurrent_kernel.clone()],
            bias: &parameters[self.gru.bias.clone()],
        }
    }

    fn output_weights<'a>(&self, parameters: &'a [f32]) -> Dense<'a> {
        let OutputRanges { kernel, bias } = &self.output;
        Dense { kernel: &parameters[kernel.clone()], bias: &parameters[bias.clone()] }
    }

    /// Runs whole sequences from a silent state: `inputs`, scaled loudness and scaled f0, each
    /// `[n_frames, n_examples]`, to `outputs`, `[n_frames, n_examples, n_outputs]`.
    ///
    /// # Panics
    ///
    /// If a length is not that of `cache` or of the parameters.
    pub fn forward(
        &self,
        parameters: &[f32],
        inputs: [&[f32]; 2],
        cache: &mut DecoderCache,
        outputs: &mut [f32],
    ) {
        assert_eq!(parameters.len(), self.table.n_values(), "decoder: parameters");
        assert_eq!(inputs[0].len(), cache.max_rows, "decoder: rows of the cache");
        cache.recurrence.pack_for_training(self.gru_weights(parameters));
        cache.state.fill(0.0);
        self.forward_rows(parameters, inputs, cache, outputs);
    }

    /// Runs as many rows as there are inputs, from the state in `cache`.
    fn forward_rows(
        &self,
        parameters: &[f32],
        inputs: [&[f32]; 2],
        cache: &mut DecoderCache,
        outputs: &mut [f32],
    ) {
        let n_rows = inputs[0].len();
        for (name, input) in INPUTS.iter().zip(inputs) {
            assert_eq!(input.len(), n_rows, "decoder: length of {name}");
        }
        assert!(n_rows <= cache.max_rows, "decoder: {n_rows} rows, room for {}", cache.max_rows);
        assert_eq!(outputs.len(), n_rows * self.n_outputs, "decoder: length of the outputs");
        let width = self.joined_width();
        let mut joined = MatrixMut::new(&mut cache.joined[..n_rows * width], n_rows, width);
        cache.gru.resize(n_rows);
        for rows in chunks(n_rows) {
            let mut joined = joined.reborrow().rows(rows.clone());
            for (i, stack) in self.input_stacks.iter().enumerate() {
                let x = Matrix::new(&inputs[i][rows.clone()], rows.len(), 1);
                let y = joined.reborrow().columns(self.input_columns(i));
                stack.forward(parameters, rows.clone(), x, &mut cache.input_stacks[i], y);
            }
            let x = joined.as_ref().columns(self.gru_inputs());
            cache.gru.project(self.gru_weights(parameters), rows.start, x);
        }
        let states = joined.reborrow().columns(self.gru_outputs());
        cache.gru.recur(&cache.recurrence, &mut cache.state, states);
        for rows in chunks(n_rows) {
            let (hidden_rows, output_rows) =
                (scale(&rows, self.fc_units), scale(&rows, self.n_outputs));
            let hidden = &mut cache.hidden[hidden_rows];
            let mut hidden = MatrixMut::new(hidden, rows.len(), self.fc_units);
            let x = joined.as_ref().rows(rows.clone());
            let y = hidden.reborrow();
            self.output_stack.forward(parameters, rows.clone(), x, &mut cache.output_stack, y);
            let y = MatrixMut::new(&mut outputs[output_rows], rows.len(), self.n_outputs);
            dense(self.output_weights(parameters), hidden.as_ref(), y);
        }
    }

    /// Accumulates into `grad_parameters` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// `inputs` are those of the forward pass and `cache` what it left, which is used up.
    ///
    /// # Panics
    ///
    /// If a length is not that of `cache` or of the parameters.
    pub fn backward(
        &self,
        parameters: &[f32],
        inputs: [&[f32]; 2],
        cache: &mut DecoderCache,
        grad_outputs: &[f32],
        grad_parameters: &mut [f32],
    ) {
        let n_rows = cache.max_rows;
        assert_eq!(parameters.len(), self.table.n_values(), "decoder: parameters");
        assert_eq!(grad_parameters.len(), parameters.len(), "decoder: gradients of the parameters");
        assert_eq!(
            grad_outputs.len(),
            n_rows * self.n_outputs,
            "decoder: gradients of the outputs"
        );
        for (name, input) in INPUTS.iter().zip(inputs) {
            assert_eq!(input.len(), n_rows, "decoder: length of {name}");
        }
        cache.grad_joined.clear();
        cache.grad_joined.resize(n_rows * self.joined_width(), 0.0);
        for rows in chunks(n_rows) {
            self.backward_output(parameters, rows, cache, grad_outputs, grad_parameters);
        }
        self.backward_recurrence(cache, grad_parameters);
        for rows in chunks(n_rows) {
            self.backward_inputs(parameters, rows, inputs, cache, grad_parameters);
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
        let (n_rows, n_outputs, fc_units) = (rows.len(), self.n_outputs, self.fc_units);
        let grad_outputs = Matrix::new(&grad_outputs[scale(&rows, n_outputs)], n_rows, n_outputs);
        let hidden = Matrix::new(&cache.hidden[scale(&rows, fc_units)], n_rows, fc_units);
        let grad_hidden = &mut cache.grad_hidden[..n_rows * fc_units];
        grad_hidden.fill(0.0);
        let grads = &mut grad_parameters[self.output.kernel.start..self.output.bias.end];
        let (kernel, bias) = grads.split_at_mut(self.output.kernel.len());
        dense_backward(
            self.output_weights(parameters),
            hidden,
            grad_outputs,
            DenseGradients { kernel, bias },
            Some(MatrixMut::new(grad_hidden, n_rows, fc_units)),
        );
        let width = self.joined_width();
        let joined_rows = scale(&rows, width);
        let pass = FcBackward {
            x: Matrix::new(&cache.joined[joined_rows.clone()], n_rows, width),
            cache: &mut cache.output_stack,
            grad_y: Matrix::new(grad_hidden, n_rows, fc_units),
            rows,
        };
        let grad_x = MatrixMut::new(&mut cache.grad_joined[joined_rows], n_rows, width);
        let scratch = &mut cache.scratch;
        self.output_stack.backward(parameters, pass, scratch, grad_parameters, Some(grad_x));
    }

    /// From the GRU's outputs to its projected inputs.
    fn backward_recurrence(&self, cache: &mut DecoderCache, grad_parameters: &mut [f32]) {
        let (n_rows, width) = (cache.max_rows, self.joined_width());
        let joined = Matrix::new(&cache.joined, n_rows, width);
        let grad_joined = Matrix::new(&cache.grad_joined, n_rows, width);
        let GruRanges { recurrent_kernel, bias, .. } = &self.gru;
        let grads = &mut grad_parameters[recurrent_kernel.start..bias.end];
        let (recurrent_kernel, bias) = grads.split_at_mut(recurrent_kernel.len());
        // Sequences begin in silence, and nothing follows the last frame.
        let initial_state = vec![0.0; cache.n_examples * self.gru_units];
        cache.state.fill(0.0);
        let sequence = GruSequence {
            initial_state: &initial_state,
            y: joined.columns(self.gru_outputs()),
            grad_y: grad_joined.columns(self.gru_outputs()),
        };
        let grads = GruGradients { recurrent_kernel, bias };
        cache.gru.recur_backward(&cache.recurrence, sequence, &mut cache.state, grads);
    }

    /// From the GRU's projected inputs of some rows to the input stacks.
    fn backward_inputs(
        &self,
        parameters: &[f32],
        rows: Range<usize>,
        inputs: [&[f32]; 2],
        cache: &mut DecoderCache,
        grad_parameters: &mut [f32],
    ) {
        let (n_rows, width) = (rows.len(), self.joined_width());
        let joined_rows = scale(&rows, width);
        let joined = Matrix::new(&cache.joined[joined_rows.clone()], n_rows, width);
        let mut grad_joined = MatrixMut::new(&mut cache.grad_joined[joined_rows], n_rows, width);
        cache.gru.project_backward(
            self.gru_weights(parameters),
            rows.start,
            joined.columns(self.gru_inputs()),
            &mut grad_parameters[self.gru.kernel.clone()],
            Some(grad_joined.reborrow().columns(self.gru_inputs())),
        );
        for (i, stack) in self.input_stacks.iter().enumerate() {
            let pass = FcBackward {
                x: Matrix::new(&inputs[i][rows.clone()], n_rows, 1),
                cache: &mut cache.input_stacks[i],
                grad_y: grad_joined.as_ref().columns(self.input_columns(i)),
                rows: rows.clone(),
            };
            stack.backward(parameters, pass, &mut cache.scratch, grad_parameters, None);
        }
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
