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

    /// Lengths of x, kernel, recurrent kernel, bias and the two initial states.
    fn lens(&self) -> [usize; 6] {
        let width = 4 * self.n_units;
        let state = self.n_examples * self.n_units;
        [self.n_rows() * self.n_in, self.n_in * width, self.n_units * width, width, state, state]
    }
}

fn weights<'a>([_, kernel, recurrent_kernel, bias, _, _]: [&'a [f32]; 6]) -> LstmWeights<'a> {
    LstmWeights { kernel, recurrent_kernel, bias }
}

/// All outputs in double precision, straight from the formulas; the final cells follow.
fn reference(size: Size, inputs: [&[f64]; 6], y: &mut [f64]) {
    let [x, kernel, recurrent_kernel, bias, initial_h, initial_c] = inputs;
    let Size { n_examples, n_in, n_units, .. } = size;
    let width = 4 * n_units;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut c = initial_c.to_vec();
    for row in 0..size.n_rows() {
        let example = row % n_examples;
        let h: Vec<f64> = match row.checked_sub(n_examples) {
            Some(previous) => y[previous * n_units..][..n_units].to_vec(),
            None => initial_h[row * n_units..][..n_units].to_vec(),
        };
        let argument = |column: usize| -> f64 {
            let input = (0..n_in).map(|i| x[row * n_in + i] * kernel[i * width + column]);
            let state = (0..n_units).map(|i| h[i] * recurrent_kernel[i * width + column]);
            input.chain(state).sum::<f64>() + bias[column]
        };
        for unit in 0..n_units {
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| argument(gate * n_units + unit));
            let c = &mut c[example * n_units + unit];
            *c = sigmoid(f) * *c + sigmoid(i) * g.tanh();
            y[row * n_units + unit] = sigmoid(o) * c.tanh();
        }
    }
    y[size.n_rows() * n_units..].copy_from_slice(&c);
}

/// Values whose products leave the gates neither shut nor saturated, times the scale of each input.
fn case(size: Size, x_scale: f32, kernel_scale: f32) -> Case<6> {
    let lens = size.lens();
    let scales = [x_scale, kernel_scale, 1.0, 1.0, 1.0, 1.0];
    let seeds = [11, 12, 13, 14, 15, 16];
    let input = |i: usize| scaled(&pseudo_random(seeds[i], lens[i]), 0.5 * scales[i]);
    // 1e-4 in what goes into the gates.
    let mut steps = [1e-4; 6];
    (steps[0], steps[1]) = (1e-4 / f64::from(kernel_scale), 1e-4 / f64::from(x_scale));
    Case {
        names: ["x", "kernel", "recurrent_kernel", "bias", "initial_h", "initial_c"],
        inputs: [0, 1, 2, 3, 4, 5].map(input),
        y_len: (size.n_rows() + size.n_examples) * size.n_units,
        steps,
    }
}

/// An LSTM and its packed weights after the forward pass, with the outputs, which the final cells
/// follow, and the final state.
struct Run {
    lstm: Lstm,
    recurrence: LstmRecurrence,
    y: Vec<f32>,
    h: Vec<f32>,
}

fn run(simd: Simd, size: Size, inputs: [&[f32]; 6]) -> Run {
    let mut recurrence = LstmRecurrence::default();
    recurrence.pack_for_training(weights(inputs));
    let (n_rows, n_units) = (size.n_rows(), size.n_units);
    let mut lstm = Lstm::new(n_units, n_rows);
    let x = Matrix::new(inputs[0], n_rows, size.n_in);
    let (mut h, mut c) = (inputs[4].to_vec(), inputs[5].to_vec());
    // Any ranges of rows will do for the input's part.
    let middle = n_rows / 2;
    lstm.project(weights(inputs), middle, x.rows(middle..n_rows));
    lstm.project(weights(inputs), 0, x.rows(0..middle));
    let mut y = vec![f32::NAN; n_rows * n_units];
    let state = LstmState { h: &mut h, c: &mut c };
    lstm.recur_with(simd, &recurrence, state, MatrixMut::new(&mut y, n_rows, n_units));
    y.extend(c);
    Run { lstm, recurrence, y, h }
}

/// The vector-Jacobian products of all six inputs, added to `grads`.
fn backward(simd: Simd, size: Size, inputs: [&[f32]; 6], grad_y: &[f32], grads: [&mut [f32]; 6]) {
    let Run { mut lstm, recurrence, y, .. } = run(simd, size, inputs);
    let [grad_x, grad_kernel, recurrent_kernel, bias, grad_h, grad_c] = grads;
    let (n_rows, n_units) = (size.n_rows(), size.n_units);
    let (grad_y, grad_final_c) = grad_y.split_at(n_rows * n_units);
    let as_rows = |values| Matrix::new(values, n_rows, n_units);
    let (mut h, mut c) = (vec![0.0; grad_h.len()], grad_final_c.to_vec());
    let sequence = LstmSequence {
        initial_h: inputs[4],
        initial_c: inputs[5],
        y: as_rows(&y[..n_rows * n_units]),
        grad_y: as_rows(grad_y),
    };
    lstm.walk_back(simd, &recurrence, sequence, LstmState { h: &mut h, c: &mut c });
    lstm.accumulate(sequence, LstmGradients { recurrent_kernel, bias });
    grad_h.iter_mut().zip(h).for_each(|(sum, g)| *sum += g);
    grad_c.iter_mut().zip(c).for_each(|(sum, g)| *sum += g);
    let x = Matrix::new(inputs[0], n_rows, size.n_in);
    let grad_x = MatrixMut::new(grad_x, n_rows, size.n_in);
    lstm.project_backward(weights(inputs), 0, x, grad_kernel, Some(grad_x));
}

fn check(operation: &mut Operation, simd: Simd, size: Size, case: &Case<6>) {
    let Run { y, h, .. } = run(simd, size, case.slices());
    let last = (size.n_rows() - size.n_examples) * size.n_units..size.n_rows() * size.n_units;
    assert_eq!(h, y[last], "{simd:?} {size:?}: final h");
    let expected = case.expected(|inputs, y| reference(size, inputs, y));
    // Errors of 2e-7 from the activations and of 55 products, over at most 5 frames.
    operation.oracle("LSTM", &y, &expected, Tolerance::of_peak(2e-6));
    case.check_gradients(
        operation,
        |inputs, y| reference(size, inputs, y),
        |inputs, grad_y, grads| backward(simd, size, inputs, grad_y, grads),
    );
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("LSTM");
    let (x, shape) = golden_input("lstm", "x");
    let [n_examples, n_frames, n_in] = shape[..] else { panic!("lstm: {shape:?}") };
    let [kernel, recurrent_kernel, bias] =
        ["w0_kernel", "w1_recurrent_kernel", "w2_bias"].map(|name| golden_input("lstm", name).0);
    let size = Size { n_frames, n_examples, n_in, n_units: bias.len() / 4 };
    let (x, zeros) = (swapped_rows(&x, n_examples, n_frames), vec![0.0; size.lens()[4]]);
    let inputs = [&x[..], &kernel, &recurrent_kernel, &bias, &zeros, &zeros];
    let y = &run(Simd::widest(), size, inputs).y[..size.n_rows() * size.n_units];
    // Both sides round: a few units of 6e-8 in the gates, over 7 frames.
    let tolerance = Tolerance::absolute(1e-6);
    operation.golden("nn/lstm", "y", &swapped_rows(y, n_frames, n_examples), tolerance);
    for simd in Simd::all() {
        SIZES.iter().for_each(|&size| check(operation, simd, size, &case(size, 1.0, 1.0)));
    }
    // Inputs that do not matter, and inputs and kernels at the ends of the range.
    for (x_scale, kernel_scale) in [(1e-9, 1.0), (1e9, 1e-9), (1e-9, 1e9)] {
        check(operation, Simd::widest(), SIZES[2], &case(SIZES[2], x_scale, kernel_scale));
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn a_gradient_of_the_final_state_is_one_of_the_last_output() {
    let size = SIZES[2];
    let case = case(size, 1.0, 1.0);
    let [_, _, _, _, initial_h, initial_c] = case.slices();
    let grad_last = pseudo_random(3, initial_h.len());
    let grads = |grad_y: &[f32], mut grad_h: Vec<f32>| {
        let Run { mut lstm, recurrence, y, .. } = run(Simd::widest(), size, case.slices());
        let n_values = size.n_rows() * size.n_units;
        let as_rows = |values| Matrix::new(values, size.n_rows(), size.n_units);
        let (y, grad_y) = (as_rows(&y[..n_values]), as_rows(grad_y));
        let sequence = LstmSequence { initial_h, initial_c, y, grad_y };
        let (mut kernel, mut bias) = (vec![0.0; size.lens()[2]], vec![0.0; size.lens()[3]]);
        let grads = LstmGradients { recurrent_kernel: &mut kernel, bias: &mut bias };
        let mut grad_c = vec![0.0; initial_c.len()];
        let grad_state = LstmState { h: &mut grad_h, c: &mut grad_c };
        lstm.recur_backward(&recurrence, sequence, grad_state, grads);
        (grad_h, grad_c, kernel, bias)
    };
    let zeros = vec![0.0; size.n_rows() * size.n_units];
    let mut last_only = zeros.clone();
    last_only[zeros.len() - grad_last.len()..].copy_from_slice(&grad_last);
    let from_y = grads(&last_only, vec![0.0; grad_last.len()]);
    assert_eq!(from_y, grads(&zeros, grad_last), "the same sum enters the last frame");
}

#[test]
fn blocks_of_frames_give_the_whole() {
    let size = Size { n_frames: 9, n_examples: 2, n_in: 5, n_units: 20 };
    let case = case(size, 1.0, 1.0);
    let inputs = case.slices();
    let whole = run(Simd::widest(), size, inputs);
    let x = Matrix::new(inputs[0], size.n_rows(), size.n_in);
    let (mut h, mut c) = (inputs[4].to_vec(), inputs[5].to_vec());
    let mut lstm = Lstm::new(size.n_units, 0);
    let mut y = Vec::new();
    let mut frame = 0;
    for n_frames in [1, 4, 1, 3] {
        let rows = frame * size.n_examples..(frame + n_frames) * size.n_examples;
        let mut part = vec![0.0; rows.len() * size.n_units];
        lstm.resize(rows.len());
        lstm.project(weights(inputs), 0, x.rows(rows.clone()));
        let part_rows = MatrixMut::new(&mut part, rows.len(), size.n_units);
        lstm.recur(&whole.recurrence, LstmState { h: &mut h, c: &mut c }, part_rows);
        y.extend(part);
        frame += n_frames;
    }
    y.extend(c);
    // The input's products are summed in another order for few rows.
    assert_close("y and c", &y, &widen(&whole.y), 1e-6);
}

#[test]
fn nan_stays_with_its_example() {
    let size = SIZES[3];
    let mut case = case(size, 1.0, 1.0);
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
        let mut case = case(size, 1.0, 1.0);
        case.inputs[0].fill(value);
        case.inputs[1].fill(1.0);
        let y = run(Simd::widest(), size, case.slices()).y;
        assert!(y.iter().all(|y| y.is_finite()), "{value}: {y:?}");
    }
}

#[test]
#[should_panic(expected = "LSTM: 4 values of c for 2 of h")]
fn a_wrong_length_names_both() {
    let mut recurrence = LstmRecurrence::default();
    let weights = LstmWeights { kernel: &[0.0; 8], recurrent_kernel: &[0.0; 16], bias: &[0.0; 8] };
    recurrence.pack(weights);
    let state = LstmState { h: &mut [0.0; 2], c: &mut [0.0; 4] };
    Lstm::new(2, 4).recur(&recurrence, state, MatrixMut::new(&mut [0.0; 8], 4, 2));
}
