mod shared;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::nn::tests::{Case, golden_input, scaled, swapped_rows};
use crate::testing::{assert_close, pseudo_random, widen};

/// Sizes of one case; units on both sides of a block of 16 and of 32, rows of every group size.
#[derive(Clone, Copy, Debug)]
struct Size {
    n_frames: usize,
    n_examples: usize,
    n_in: usize,
    n_units: usize,
}

const SIZES: [Size; 6] = [
    Size { n_frames: 1, n_examples: 1, n_in: 1, n_units: 1 },
    Size { n_frames: 5, n_examples: 1, n_in: 3, n_units: 6 },
    Size { n_frames: 4, n_examples: 3, n_in: 5, n_units: 16 },
    Size { n_frames: 3, n_examples: 6, n_in: 2, n_units: 21 },
    Size { n_frames: 3, n_examples: 15, n_in: 7, n_units: 33 },
    Size { n_frames: 2, n_examples: 8, n_in: 5, n_units: 48 },
];

impl Size {
    fn n_rows(&self) -> usize {
        self.n_frames * self.n_examples
    }

    /// Lengths of x, kernel, recurrent kernel, bias and initial state.
    fn lens(&self) -> [usize; 5] {
        let width = 3 * self.n_units;
        [
            self.n_rows() * self.n_in,
            self.n_in * width,
            self.n_units * width,
            2 * width,
            self.n_examples * self.n_units,
        ]
    }
}

fn weights<'a>([_, kernel, recurrent_kernel, bias, _]: [&'a [f32]; 5]) -> GruWeights<'a> {
    GruWeights { kernel, recurrent_kernel, bias }
}

/// All states in double precision, straight from the formulas.
fn reference(size: Size, inputs: [&[f64]; 5], y: &mut [f64]) {
    let [x, kernel, recurrent_kernel, bias, initial_state] = inputs;
    let Size { n_examples, n_in, n_units, .. } = size;
    let width = 3 * n_units;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for row in 0..size.n_rows() {
        let h: Vec<f64> = match row.checked_sub(n_examples) {
            Some(previous) => y[previous * n_units..][..n_units].to_vec(),
            None => initial_state[row * n_units..][..n_units].to_vec(),
        };
        let input = |column: usize| -> f64 {
            let products = (0..n_in).map(|i| x[row * n_in + i] * kernel[i * width + column]);
            products.sum::<f64>() + bias[column]
        };
        let recurrent = |column: usize| -> f64 {
            let products = (0..n_units).map(|i| h[i] * recurrent_kernel[i * width + column]);
            products.sum::<f64>() + bias[width + column]
        };
        for unit in 0..n_units {
            let [in_z, in_r, in_c] = [0, 1, 2].map(|gate| input(gate * n_units + unit));
            let [h_z, h_r, h_c] = [0, 1, 2].map(|gate| recurrent(gate * n_units + unit));
            let (z, r) = (sigmoid(in_z + h_z), sigmoid(in_r + h_r));
            y[row * n_units + unit] = z * h[unit] + (1.0 - z) * (in_c + r * h_c).tanh();
        }
    }
}

/// Values whose products leave the gates neither shut nor saturated, times the scale of each input.
fn case(size: Size, scales: [f32; 5]) -> Case<5> {
    let lens = size.lens();
    let seeds = [11, 12, 13, 14, 15];
    let input = |i: usize| scaled(&pseudo_random(seeds[i], lens[i]), 0.5 * scales[i]);
    Case {
        names: ["x", "kernel", "recurrent_kernel", "bias", "initial_state"],
        inputs: [0, 1, 2, 3, 4].map(input),
        y_len: size.n_rows() * size.n_units,
        // 1e-4 in what goes into the gates.
        steps: [1e-4 / f64::from(scales[1]), 1e-4 / f64::from(scales[0]), 1e-4, 1e-4, 1e-4],
    }
}

/// A GRU and its packed weights after the forward pass, with the outputs and the final state.
struct Run {
    gru: Gru,
    recurrence: GruRecurrence,
    y: Vec<f32>,
    state: Vec<f32>,
}

fn run(simd: Simd, size: Size, inputs: [&[f32]; 5]) -> Run {
    let mut recurrence = GruRecurrence::default();
    recurrence.pack_for_training(weights(inputs));
    let mut gru = Gru::new(size.n_units, size.n_rows());
    let (x, mut state) = (Matrix::new(inputs[0], size.n_rows(), size.n_in), inputs[4].to_vec());
    // Any ranges of rows will do for the input's part.
    let middle = size.n_rows() / 2;
    gru.project(weights(inputs), middle, x.rows(middle..size.n_rows()));
    gru.project(weights(inputs), 0, x.rows(0..middle));
    let mut y = vec![f32::NAN; size.n_rows() * size.n_units];
    let y_rows = MatrixMut::new(&mut y, size.n_rows(), size.n_units);
    gru.recur_with(simd, &recurrence, &mut state, y_rows, None);
    Run { gru, recurrence, y, state }
}

/// The vector-Jacobian products of all five inputs, added to `grads`.
fn backward(simd: Simd, size: Size, inputs: [&[f32]; 5], grad_y: &[f32], grads: [&mut [f32]; 5]) {
    let Run { mut gru, recurrence, y, .. } = run(simd, size, inputs);
    let [grad_x, grad_kernel, recurrent_kernel, bias, grad_initial] = grads;
    let as_rows = |values| Matrix::new(values, size.n_rows(), size.n_units);
    let initial_state = inputs[4];
    let mut grad_state = vec![0.0; initial_state.len()];
    let sequence = GruSequence { initial_state, y: as_rows(&y), grad_y: as_rows(grad_y) };
    gru.walk_back(simd, &recurrence, sequence, &mut grad_state, None);
    gru.accumulate(sequence, GruGradients { recurrent_kernel, bias });
    grad_initial.iter_mut().zip(grad_state).for_each(|(sum, g)| *sum += g);
    let x = Matrix::new(inputs[0], size.n_rows(), size.n_in);
    let grad_x = MatrixMut::new(grad_x, size.n_rows(), size.n_in);
    gru.project_backward(weights(inputs), 0, x, grad_kernel, Some(grad_x));
}

fn check(operation: &mut Operation, simd: Simd, size: Size, scales: [f32; 5]) {
    let case = case(size, scales);
    let Run { y, state, .. } = run(simd, size, case.slices());
    assert_eq!(state, y[y.len() - state.len()..], "{simd:?} {size:?}: final state");
    let expected = case.expected(|inputs, y| reference(size, inputs, y));
    // Errors of 2e-7 from the activations and of 55 products, over at most 5 frames.
    operation.oracle("GRU", &y, &expected, Tolerance::of_peak(2e-6));
    case.check_gradients(
        operation,
        |inputs, y| reference(size, inputs, y),
        |inputs, grad_y, grads| backward(simd, size, inputs, grad_y, grads),
    );
}

/// The states of a golden case, rows `(example, frame)`, and the final ones; the weights are those
/// from `w{first}` on, and `reversed` begins at the last frame.
fn golden_run(case: &str, first: usize, reversed: bool) -> [Vec<f32>; 2] {
    let (x, shape) = golden_input(case, "x");
    let [n_examples, n_frames, n_in] = shape[..] else { panic!("{case}: {shape:?}") };
    let [kernel, recurrent_kernel, bias] = [(0, "kernel"), (1, "recurrent_kernel"), (2, "bias")]
        .map(|(i, name)| golden_input(case, &format!("w{}_{name}", first + i)).0);
    let n_units = bias.len() / 6;
    let state = match case {
        "stateless_gru" => golden_input(case, "state").0,
        _ => vec![0.0; n_examples * n_units],
    };
    let in_time = |rows: Vec<f32>| match reversed {
        true => rows.rchunks(rows.len() / n_frames).flatten().copied().collect(),
        false => rows,
    };
    let x = in_time(swapped_rows(&x, n_examples, n_frames));
    let size = Size { n_frames, n_examples, n_in, n_units };
    let inputs = [&x[..], &kernel, &recurrent_kernel, &bias, &state];
    let Run { y, state, .. } = run(Simd::widest(), size, inputs);
    [swapped_rows(&in_time(y), n_frames, n_examples), state]
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("GRU");
    // Both sides round: a few units of 6e-8 in the gates, over 7 frames.
    let tolerance = Tolerance::absolute(1e-6);
    operation.golden("nn/gru", "y", &golden_run("gru", 0, false)[0], tolerance);
    let [y, state] = golden_run("stateless_gru", 0, false);
    operation.golden("nn/stateless_gru", "y", &y, tolerance);
    operation.golden("nn/stateless_gru", "state", &state, tolerance);
    let [forward, backward] =
        [(0, false), (3, true)].map(|(first, reversed)| golden_run("gru_bidir", first, reversed));
    let both: Vec<f32> = forward[0]
        .chunks(6)
        .zip(backward[0].chunks(6))
        .flat_map(|(f, b)| [f, b].concat())
        .collect();
    operation.golden("nn/gru_bidir", "y", &both, tolerance);
    for simd in Simd::all() {
        SIZES.iter().for_each(|&size| check(operation, simd, size, [1.0; 5]));
    }
    // Inputs that do not matter, and inputs and kernels at the ends of the range.
    for scales in
        [[1e-9, 1.0, 1.0, 1.0, 1.0], [1e9, 1e-9, 1.0, 1.0, 1.0], [1e-9, 1e9, 1.0, 1.0, 1e-9]]
    {
        check(operation, Simd::widest(), SIZES[2], scales);
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn a_gradient_of_the_final_state_is_one_of_the_last_output() {
    let size = SIZES[2];
    let case = case(size, [1.0; 5]);
    let initial_state = case.slices()[4];
    let grad_last = pseudo_random(3, initial_state.len());
    let grad_initial = |grad_y: &[f32], mut grad_state: Vec<f32>| {
        let Run { mut gru, recurrence, y, .. } = run(Simd::widest(), size, case.slices());
        let as_rows = |values| Matrix::new(values, size.n_rows(), size.n_units);
        let sequence = GruSequence { initial_state, y: as_rows(&y), grad_y: as_rows(grad_y) };
        let (mut kernel, mut bias) = (vec![0.0; size.lens()[2]], vec![0.0; size.lens()[3]]);
        let grads = GruGradients { recurrent_kernel: &mut kernel, bias: &mut bias };
        gru.recur_backward(&recurrence, sequence, &mut grad_state, grads);
        (grad_state, kernel, bias)
    };
    let zeros = vec![0.0; size.n_rows() * size.n_units];
    let mut last_only = zeros.clone();
    last_only[zeros.len() - grad_last.len()..].copy_from_slice(&grad_last);
    let from_y = grad_initial(&last_only, vec![0.0; grad_last.len()]);
    assert_eq!(from_y, grad_initial(&zeros, grad_last), "the same sum enters the last frame");
}

#[test]
fn blocks_of_frames_give_the_whole() {
    let size = Size { n_frames: 9, n_examples: 2, n_in: 5, n_units: 20 };
    let case = case(size, [1.0; 5]);
    let inputs = case.slices();
    let whole = run(Simd::widest(), size, inputs);
    let (x, mut state) = (Matrix::new(inputs[0], size.n_rows(), size.n_in), inputs[4].to_vec());
    let mut gru = Gru::new(size.n_units, 0);
    let mut y = Vec::new();
    let mut frame = 0;
    for n_frames in [1, 4, 1, 3] {
        let rows = frame * size.n_examples..(frame + n_frames) * size.n_examples;
        let mut part = vec![0.0; rows.len() * size.n_units];
        gru.resize(rows.len());
        gru.project(weights(inputs), 0, x.rows(rows.clone()));
        let part_rows = MatrixMut::new(&mut part, rows.len(), size.n_units);
        gru.recur(&whole.recurrence, &mut state, part_rows);
        y.extend(part);
        frame += n_frames;
    }
    // The input's products are summed in another order for few rows.
    assert_close("y", &y, &widen(&whole.y), 1e-6);
    assert_eq!(state, y[y.len() - state.len()..], "final state");
}

#[test]
fn nan_stays_with_its_example() {
    let size = SIZES[3];
    let mut case = case(size, [1.0; 5]);
    // The second frame of the third example.
    case.inputs[0][(size.n_examples + 2) * size.n_in] = f32::NAN;
    for simd in Simd::all() {
        let y = run(simd, size, case.slices()).y;
        for (row, y) in y.chunks(size.n_units).enumerate() {
            let is_after = row >= size.n_examples && row % size.n_examples == 2;
            assert!(y.iter().all(|y| y.is_nan() == is_after), "{simd:?}, row {row}: {y:?}");
        }
    }
}

#[test]
fn infinities_and_denormals_do_no_harm() {
    let size = SIZES[2];
    for value in [f32::INFINITY, f32::MIN, 1e-42] {
        let mut case = case(size, [1.0; 5]);
        case.inputs[0].fill(value);
        case.inputs[1].fill(1.0);
        let y = run(Simd::widest(), size, case.slices()).y;
        assert!(y.iter().all(|y| y.is_finite()), "{value}: {y:?}");
    }
}

#[test]
#[should_panic(expected = "GRU: 3 rows of y for 4 that were projected")]
fn a_wrong_length_names_both() {
    let mut recurrence = GruRecurrence::default();
    let weights = GruWeights { kernel: &[0.0; 6], recurrent_kernel: &[0.0; 12], bias: &[0.0; 12] };
    recurrence.pack(weights);
    let y = &mut [0.0; 6];
    Gru::new(2, 4).recur(&recurrence, &mut [0.0; 2], MatrixMut::new(y, 3, 2));
}

#[test]
#[should_panic(expected = "GRU: 1 of 2 units are here")]
fn a_part_alone_is_refused() {
    let mut recurrence = GruRecurrence::default();
    let weights = GruWeights { kernel: &[0.0; 6], recurrent_kernel: &[0.0; 12], bias: &[0.0; 12] };
    recurrence.pack_units(weights, 0..1);
    let y = &mut [0.0; 4];
    Gru::with_units(2, 0..1, 4).recur(&recurrence, &mut [0.0; 2], MatrixMut::new(y, 4, 1));
}
