//! Speed of the network layers on one thread: items are floating-point operations, so that a rate
//! in Gitem/s is GFLOP/s.
//!
//! `plain` rows do the same work with the loops of a first draft, for the ratio.

#[path = "nn/tensors.rs"]
mod tensors;

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ddsp_kernels::nn::{
    ColumnExchange, Dense, DenseGradients, Fc, FcCache, FcGradients, Gru, GruGradients,
    GruRecurrence, GruSequence, GruWeights, Lstm, LstmGradients, LstmRecurrence, LstmSequence,
    LstmState, LstmWeights, dense, dense_backward, fc, fc_backward,
};
use ddsp_kernels::{Matrix, MatrixMut};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

const N_FRAMES: usize = 1000;
const N_UNITS: usize = 256;
const N_IN: usize = 512;
const WIDTH: usize = 3 * N_UNITS;

fn main() {
    divan::main();
}

/// `len` values in `[-scale, scale)` without a pattern.
fn values(len: usize, scale: f32) -> Vec<f32> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        scale * (f32::from(u16::try_from(state >> 16).expect("16 bits")) / 32_768.0 - 1.0)
    };
    std::iter::repeat_with(next).take(len).collect()
}

struct Layer {
    kernel: Vec<f32>,
    recurrent_kernel: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    fn new() -> Self {
        Self {
            kernel: values(N_IN * WIDTH, 0.07),
            recurrent_kernel: values(N_UNITS * WIDTH, 0.07),
            bias: values(2 * WIDTH, 0.1),
        }
    }

    fn weights(&self) -> GruWeights<'_> {
        let Self { kernel, recurrent_kernel, bias } = self;
        GruWeights { kernel, recurrent_kernel, bias }
    }
}

/// Products of one pass over the recurrent kernel.
fn recurrent_flop(n_examples: usize) -> ItemsCount {
    ItemsCount::new(2 * N_FRAMES * n_examples * N_UNITS * WIDTH)
}

/// The recurrence alone: the input's part is a dense layer.
#[divan::bench(args = [1, 2, 4, 8, 16])]
fn gru_forward(bencher: Bencher<'_, '_>, n_examples: usize) {
    let layer = Layer::new();
    let n_rows = N_FRAMES * n_examples;
    let mut recurrence = GruRecurrence::default();
    let mut gru = Gru::new(N_UNITS, n_rows);
    let mut y = vec![0.0; n_rows * N_UNITS];
    bencher.counter(recurrent_flop(n_examples)).bench_local(|| {
        recurrence.pack(layer.weights());
        let mut state = vec![0.0; n_examples * N_UNITS];
        // What the pass before left serves as the input's part: speed does not depend on values.
        gru.recur(&recurrence, &mut state, MatrixMut::new(&mut y, n_rows, N_UNITS));
    });
}

/// Forward, backward and the recurrent weights' gradient: three times the products.
#[divan::bench(args = [1, 2, 4, 8, 16])]
fn gru_forward_and_backward(bencher: Bencher<'_, '_>, n_examples: usize) {
    let layer = Layer::new();
    let n_rows = N_FRAMES * n_examples;
    let mut recurrence = GruRecurrence::default();
    let mut gru = Gru::new(N_UNITS, n_rows);
    let (mut y, grad_y) = (vec![0.0; n_rows * N_UNITS], values(n_rows * N_UNITS, 1.0));
    let (mut grad_kernel, mut grad_bias) = (vec![0.0; N_UNITS * WIDTH], vec![0.0; 2 * WIDTH]);
    let flop = ItemsCount::new(6 * N_FRAMES * n_examples * N_UNITS * WIDTH);
    bencher.counter(flop).bench_local(|| {
        recurrence.pack_for_training(layer.weights());
        let initial_state = vec![0.0; n_examples * N_UNITS];
        let (mut state, mut grad_state) = (initial_state.clone(), initial_state.clone());
        gru.recur(&recurrence, &mut state, MatrixMut::new(&mut y, n_rows, N_UNITS));
        let sequence = GruSequence {
            initial_state: &initial_state,
            y: Matrix::new(&y, n_rows, N_UNITS),
            grad_y: Matrix::new(&grad_y, n_rows, N_UNITS),
        };
        let grads = GruGradients { recurrent_kernel: &mut grad_kernel, bias: &mut grad_bias };
        gru.recur_backward(&recurrence, sequence, &mut grad_state, grads);
    });
}

/// An LSTM of as many units: a third more products. With `BACKWARD`, three times as many.
#[divan::bench(args = [1, 8], consts = [false, true])]
fn lstm<const BACKWARD: bool>(bencher: Bencher<'_, '_>, n_examples: usize) {
    let n_rows = N_FRAMES * n_examples;
    let [kernel, recurrent_kernel] = [N_IN, N_UNITS].map(|n| values(n * 4 * N_UNITS, 0.07));
    let bias = values(4 * N_UNITS, 0.1);
    let weights = LstmWeights { kernel: &kernel, recurrent_kernel: &recurrent_kernel, bias: &bias };
    let mut recurrence = LstmRecurrence::default();
    let mut lstm = Lstm::new(N_UNITS, n_rows);
    let (mut y, grad_y) = (vec![0.0; n_rows * N_UNITS], values(n_rows * N_UNITS, 1.0));
    let (mut grad_kernel, mut grad_bias) = (vec![0.0; recurrent_kernel.len()], bias.clone());
    let flop = if BACKWARD { 3 } else { 1 } * 2 * n_rows * recurrent_kernel.len();
    bencher.counter(ItemsCount::new(flop)).bench_local(|| {
        recurrence.pack_for_training(weights);
        let initial = vec![0.0; n_examples * N_UNITS];
        let [mut h, mut c, mut grad_h, mut grad_c] = [(); 4].map(|()| initial.clone());
        let state = LstmState { h: &mut h, c: &mut c };
        lstm.recur(&recurrence, state, MatrixMut::new(&mut y, n_rows, N_UNITS));
        if BACKWARD {
            let sequence = LstmSequence {
                initial_h: &initial,
                initial_c: &initial,
                y: Matrix::new(&y, n_rows, N_UNITS),
                grad_y: Matrix::new(&grad_y, n_rows, N_UNITS),
            };
            let grad_state = LstmState { h: &mut grad_h, c: &mut grad_c };
            let grads = LstmGradients { recurrent_kernel: &mut grad_kernel, bias: &mut grad_bias };
            lstm.recur_backward(&recurrence, sequence, grad_state, grads);
        }
    });
}

/// A barrier for two that spins: turns are shorter than a system call.
#[derive(Default)]
struct Spin {
    arrivals: AtomicUsize,
}

impl Spin {
    fn wait(&self) {
        let both = (self.arrivals.fetch_add(1, Ordering::AcqRel) + 1).next_multiple_of(2);
        while self.arrivals.load(Ordering::Acquire) < both {
            spin_loop();
        }
    }
}

/// Half of the units on each of two threads, which exchange states after each frame.
///
/// What the pass before left serves as the input's part, and each worker's half twice as all states.
#[divan::bench(args = [1, 2, 4, 8], consts = [false, true])]
fn gru_two_workers<const BACKWARD: bool>(bencher: Bencher<'_, '_>, n_examples: usize) {
    let (layer, n_rows, half) = (Layer::new(), N_FRAMES * n_examples, N_UNITS / 2);
    let exchange = ColumnExchange::new(3 * n_examples, N_UNITS);
    let barrier = Spin::default();
    let mut workers = [0..half, half..N_UNITS].map(|units| {
        let mut recurrence = GruRecurrence::default();
        recurrence.pack_units_for_training(layer.weights(), units.clone());
        (Gru::with_units(N_UNITS, units.clone(), n_rows), recurrence, units)
    });
    let (states, grad_y) = (values(n_rows * N_UNITS, 1.0), values(n_rows * half, 1.0));
    let flop = if BACKWARD { 3 } else { 1 } * 2 * N_FRAMES * n_examples * N_UNITS * WIDTH;
    bencher.counter(ItemsCount::new(flop)).bench_local(|| {
        thread::scope(|scope| {
            for (gru, recurrence, units) in &mut workers {
                let (exchange, barrier, states, grad_y) = (&exchange, &barrier, &states, &grad_y);
                scope.spawn(move || {
                    let mut worker = exchange.worker(units.clone(), || barrier.wait());
                    let initial_state = vec![0.0; n_examples * N_UNITS];
                    let (mut state, mut y) = (initial_state.clone(), vec![0.0; n_rows * half]);
                    let y_rows = MatrixMut::new(&mut y, n_rows, half);
                    gru.recur_shared(recurrence, &mut state, y_rows, &mut worker);
                    if !BACKWARD {
                        return;
                    }
                    let sequence = GruSequence {
                        initial_state: &initial_state,
                        y: Matrix::new(states, n_rows, N_UNITS),
                        grad_y: Matrix::new(grad_y, n_rows, half),
                    };
                    let mut grad_state = vec![0.0; n_examples * half];
                    let (mut kernel, mut bias) = (vec![0.0; N_UNITS * WIDTH], vec![0.0; 2 * WIDTH]);
                    let grads = GruGradients { recurrent_kernel: &mut kernel, bias: &mut bias };
                    gru.recur_backward_shared(
                        recurrence,
                        sequence,
                        &mut grad_state,
                        grads,
                        &mut worker,
                    );
                });
            }
        });
    });
}

/// The recurrence as the formulas are written, one row after another.
#[divan::bench(args = [1, 8], sample_count = 3)]
fn gru_forward_plain(bencher: Bencher<'_, '_>, n_examples: usize) {
    let layer = Layer::new();
    let inputs = values(N_FRAMES * n_examples * WIDTH, 1.0);
    bencher.counter(recurrent_flop(n_examples)).bench_local(|| {
        let mut state = vec![0.0_f32; n_examples * N_UNITS];
        for frame in inputs.chunks_exact(n_examples * WIDTH) {
            for (input, h) in frame.chunks_exact(WIDTH).zip(state.chunks_exact_mut(N_UNITS)) {
                let mut sums = layer.bias[WIDTH..].to_vec();
                for (h, kernel) in h.iter().zip(layer.recurrent_kernel.chunks_exact(WIDTH)) {
                    sums.iter_mut().zip(kernel).for_each(|(sum, k)| *sum += h * k);
                }
                for (i, h) in h.iter_mut().enumerate() {
                    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
                    let z = sigmoid(input[i] + sums[i]);
                    let r = sigmoid(input[N_UNITS + i] + sums[N_UNITS + i]);
                    let c = (input[2 * N_UNITS + i] + r * sums[2 * N_UNITS + i]).tanh();
                    *h = z * *h + (1.0 - z) * c;
                }
            }
        }
        black_box(state)
    });
}

/// A dense layer of 8,000 rows, from 512 to 768.
#[divan::bench]
fn dense_forward(bencher: Bencher<'_, '_>) {
    let n_rows = 8 * N_FRAMES;
    let (x, kernel, bias) =
        (values(n_rows * N_IN, 1.0), values(N_IN * WIDTH, 0.1), values(WIDTH, 0.1));
    let mut y = vec![0.0; n_rows * WIDTH];
    bencher.counter(ItemsCount::new(2 * n_rows * N_IN * WIDTH)).bench_local(|| {
        let (x, y) = (Matrix::new(&x, n_rows, N_IN), MatrixMut::new(&mut y, n_rows, WIDTH));
        dense(Dense { kernel: &kernel, bias: &bias }, x, y);
    });
}

/// All gradients of that layer, in one go: twice the products.
#[divan::bench]
fn dense_gradients(bencher: Bencher<'_, '_>) {
    let n_rows = 8 * N_FRAMES;
    let (x, kernel, bias) =
        (values(n_rows * N_IN, 1.0), values(N_IN * WIDTH, 0.1), values(WIDTH, 0.1));
    let grad_y = values(n_rows * WIDTH, 1.0);
    let (mut grad_x, mut grad_kernel) = (vec![0.0; x.len()], vec![0.0; kernel.len()]);
    let mut grad_bias = vec![0.0; WIDTH];
    bencher.counter(ItemsCount::new(4 * n_rows * N_IN * WIDTH)).bench_local(|| {
        dense_backward(
            Dense { kernel: &kernel, bias: &bias },
            Matrix::new(&x, n_rows, N_IN),
            Matrix::new(&grad_y, n_rows, WIDTH),
            DenseGradients { kernel: &mut grad_kernel, bias: &mut grad_bias },
            Some(MatrixMut::new(&mut grad_x, n_rows, N_IN)),
        );
    });
}

/// The layer as a loop over the kernel's rows, for each row; an eighth of the rows.
#[divan::bench(sample_count = 3)]
fn dense_forward_plain(bencher: Bencher<'_, '_>) {
    let n_rows = N_FRAMES;
    let (x, kernel, bias) =
        (values(n_rows * N_IN, 1.0), values(N_IN * WIDTH, 0.1), values(WIDTH, 0.1));
    let mut y = vec![0.0; n_rows * WIDTH];
    bencher.counter(ItemsCount::new(2 * n_rows * N_IN * WIDTH)).bench_local(|| {
        for (x, y) in x.chunks_exact(N_IN).zip(y.chunks_exact_mut(WIDTH)) {
            y.copy_from_slice(&bias);
            for (x, kernel) in x.iter().zip(kernel.chunks_exact(WIDTH)) {
                y.iter_mut().zip(kernel).for_each(|(y, k)| *y += x * k);
            }
        }
    });
}

/// Rows, inputs and outputs of the fully connected layer, whose products are to be compared with
/// those of the dense layer.
const FC_SHAPE: [usize; 3] = [16 * N_FRAMES, 512, 512];

struct FcLayer {
    x: Vec<f32>,
    kernel: Vec<f32>,
    others: [Vec<f32>; 3],
    normalized: Vec<f32>,
    inverse_std: Vec<f32>,
    y: Vec<f32>,
}

impl FcLayer {
    fn new() -> Self {
        let [n_rows, n_in, n_out] = FC_SHAPE;
        Self {
            x: values(n_rows * n_in, 1.0),
            kernel: values(n_in * n_out, 0.1),
            others: [0.1, 1.0, 1.0].map(|scale| values(n_out, scale)),
            normalized: values(n_rows * n_out, 1.0),
            inverse_std: vec![1.0; n_rows],
            y: values(n_rows * n_out, 1.0),
        }
    }

    /// The layer as a kernel takes it, its `x`, its cache and its `y`.
    fn parts(&mut self) -> (Fc<'_>, Matrix<'_>, FcCache<'_>, MatrixMut<'_>) {
        let [n_rows, n_in, n_out] = FC_SHAPE;
        let Self { x, kernel, others: [bias, gain, shift], normalized, inverse_std, y } = self;
        let normalized = MatrixMut::new(normalized, n_rows, n_out);
        (
            Fc { kernel, bias, gain, shift },
            Matrix::new(x, n_rows, n_in),
            FcCache { normalized, inverse_std },
            MatrixMut::new(y, n_rows, n_out),
        )
    }
}

/// Dense, layer norm and leaky ReLU; only the product is counted.
#[divan::bench]
fn fc_forward(bencher: Bencher<'_, '_>) {
    let mut layer = FcLayer::new();
    bencher.counter(ItemsCount::new(2 * FC_SHAPE.iter().product::<usize>())).bench_local(|| {
        let (weights, x, cache, y) = layer.parts();
        fc(weights, x, cache, y);
    });
}

/// All its gradients.
#[divan::bench]
fn fc_gradients(bencher: Bencher<'_, '_>) {
    let [n_rows, n_in, n_out] = FC_SHAPE;
    let mut layer = FcLayer::new();
    let (mut grad_x, mut kernel) = (vec![0.0; n_rows * n_in], vec![0.0; n_in * n_out]);
    let [mut bias, mut gain, mut shift] = [(); 3].map(|()| vec![0.0; n_out]);
    bencher.counter(ItemsCount::new(4 * FC_SHAPE.iter().product::<usize>())).bench_local(|| {
        let (weights, x, cache, grad_y) = layer.parts();
        let grads = FcGradients {
            kernel: &mut kernel,
            bias: &mut bias,
            gain: &mut gain,
            shift: &mut shift,
        };
        let grad_x = MatrixMut::new(&mut grad_x, n_rows, n_in);
        fc_backward(weights, x, cache, grad_y.as_ref(), grads, Some(grad_x));
    });
}
