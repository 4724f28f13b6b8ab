use super::*;
use crate::golden::Golden;
use crate::gradcheck::check_vjp;
use crate::testing::{assert_close, pseudo_random};

/// Sizes of one case; units on both sides of a block of 16 and of 32, rows of every group size.
#[derive(Clone, Copy, Debug)]
struct Size {
    n_frames: usize,
    n_examples: usize,
    n_in: usize,
    n_units: usize,
}

const SIZES: [Size; 5] = [
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

/// Splits `all` into parts of the lengths of [`Size::lens`].
fn split<T>(mut all: &[T], lens: [usize; 5]) -> [&[T]; 5] {
    lens.map(|len| {
        let (part, rest) = all.split_at(len);
        all = rest;
        part
    })
}

fn split_mut(mut all: &mut [f32], lens: [usize; 5]) -> [&mut [f32]; 5] {
    lens.map(|len| {
        let (part, rest) = std::mem::take(&mut all).split_at_mut(len);
        all = rest;
        part
    })
}

/// All states in double precision, straight from the formulas.
fn reference(size: Size, all: &[f64], y: &mut [f64]) {
    let [x, kernel, recurrent_kernel, bias, initial_state] = split(all, size.lens());
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

/// Values whose products leave the gates neither shut nor saturated.
fn case(size: Size) -> Vec<f32> {
    pseudo_random(11, size.lens().iter().sum()).iter().map(|v| 0.5 * v).collect()
}

/// A GRU and its packed weights after the forward pass, with the outputs and the final state.
struct Run {
    gru: Gru,
    recurrence: GruRecurrence,
    y: Vec<f32>,
    state: Vec<f32>,
}

fn run(simd: Simd, size: Size, all: &[f32]) -> Run {
    let [x, kernel, recurrent_kernel, bias, initial_state] = split(all, size.lens());
    let weights = GruWeights { kernel, recurrent_kernel, bias };
    let mut recurrence = GruRecurrence::default();
    recurrence.pack_for_training(weights);
    let mut gru = Gru::new(size.n_units, size.n_rows());
    let (x, mut state) = (Matrix::new(x, size.n_rows(), size.n_in), initial_state.to_vec());
    // Any ranges of rows will do for the input's part.
    let middle = size.n_rows() / 2;
    gru.project(weights, middle, x.rows(middle..size.n_rows()));
    gru.project(weights, 0, x.rows(0..middle));
    let mut y = vec![f32::NAN; size.n_rows() * size.n_units];
    let y_rows = MatrixMut::new(&mut y, size.n_rows(), size.n_units);
    gru.recur_with(simd, &recurrence, &mut state, y_rows);
    Run { gru, recurrence, y, state }
}

#[test]
fn forward_matches_the_formulas_with_every_instruction_set() {
    for size in SIZES {
        let all = case(size);
        let mut expected = vec![0.0; size.n_rows() * size.n_units];
        reference(size, &all.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), &mut expected);
        for simd in Simd::all() {
            let Run { y, state, .. } = run(simd, size, &all);
            // Errors of 2e-7 from the activations and of 55 products, over at most 5 frames.
            assert_close("y", &y, &expected, 2e-6);
            assert_eq!(state, y[y.len() - state.len()..], "{simd:?} {size:?}: final state");
        }
    }
}

/// Checks the gradients of x, all weights and the initial state, which are one vector here.
fn check_backward(simd: Simd, size: Size) {
    let forward = |all: &[f64], y: &mut [f64]| reference(size, all, y);
    let y_len = size.n_rows() * size.n_units;
    check_vjp(&case(size), y_len, 1e-4, forward, |all, grad_y, grad| {
        let Run { mut gru, recurrence, y, .. } = run(simd, size, all);
        let [x, kernel, recurrent_kernel, bias, initial_state] = split(all, size.lens());
        let [grad_x, grad_kernel, grad_recurrent_kernel, grad_bias, grad_initial] =
            split_mut(grad, size.lens());
        let as_rows = |values| Matrix::new(values, size.n_rows(), size.n_units);
        let mut grad_state = vec![0.0; initial_state.len()];
        let sequence = GruSequence { initial_state, y: as_rows(&y), grad_y: as_rows(grad_y) };
        gru.walk_back(simd, &recurrence, sequence, &mut grad_state);
        let grads = GruGradients { recurrent_kernel: grad_recurrent_kernel, bias: grad_bias };
        gru.accumulate(initial_state, as_rows(&y), grads);
        grad_initial.iter_mut().zip(grad_state).for_each(|(sum, g)| *sum += g);

        let weights = GruWeights { kernel, recurrent_kernel, bias };
        let x = Matrix::new(x, size.n_rows(), size.n_in);
        let grad_x = MatrixMut::new(grad_x, size.n_rows(), size.n_in);
        gru.project_backward(weights, 0, x, grad_kernel, Some(grad_x));
    });
}

#[test]
fn backward_is_the_transposed_jacobian_with_every_instruction_set() {
    for simd in Simd::all() {
        SIZES.iter().for_each(|&size| check_backward(simd, size));
    }
}

#[test]
fn a_gradient_of_the_final_state_is_one_of_the_last_output() {
    let size = SIZES[1];
    let all = case(size);
    let [_, _, _, _, initial_state] = split(&all, size.lens());
    let grad_last = pseudo_random(3, initial_state.len());
    let grad_initial = |grad_y: &[f32], mut grad_state: Vec<f32>| {
        let Run { mut gru, recurrence, y, .. } = run(Simd::widest(), size, &all);
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
    let all = case(size);
    let whole = run(Simd::widest(), size, &all);
    let [x, kernel, recurrent_kernel, bias, initial_state] = split(&all, size.lens());
    let weights = GruWeights { kernel, recurrent_kernel, bias };
    let (x, mut state) = (Matrix::new(x, size.n_rows(), size.n_in), initial_state.to_vec());
    let mut gru = Gru::new(size.n_units, 0);
    let mut y = Vec::new();
    let mut frame = 0;
    for n_frames in [1, 4, 1, 3] {
        let rows = frame * size.n_examples..(frame + n_frames) * size.n_examples;
        let mut part = vec![0.0; rows.len() * size.n_units];
        gru.resize(rows.len());
        gru.project(weights, 0, x.rows(rows.clone()));
        let part_rows = MatrixMut::new(&mut part, rows.len(), size.n_units);
        gru.recur(&whole.recurrence, &mut state, part_rows);
        y.extend(part);
        frame += n_frames;
    }
    // The input's products are summed in another order for few rows.
    let expected: Vec<f64> = whole.y.iter().map(|&y| f64::from(y)).collect();
    assert_close("y", &y, &expected, 1e-6);
    assert_eq!(state, y[y.len() - state.len()..], "final state");
}

/// Rows of the golden arrays are (example, frame); ours are (frame, example).
fn time_major(values: &[f32], n_examples: usize, n_frames: usize) -> Vec<f32> {
    let width = values.len() / (n_examples * n_frames);
    let rows = (0..n_examples * n_frames).map(|i| i % n_examples * n_frames + i / n_examples);
    rows.flat_map(|row| &values[row * width..][..width]).copied().collect()
}

#[test]
fn forward_matches_keras() {
    let mut golden = Golden::open("nn");
    for case in ["gru", "stateless_gru"] {
        let (x, shape) = golden.array(&format!("{case}.in.x"));
        let (n_examples, n_frames, n_in) = (shape[0], shape[1], shape[2]);
        let weight = |golden: &mut Golden, name: &str| golden.values(&format!("{case}.in.{name}"));
        let kernel = weight(&mut golden, "w0_kernel");
        let recurrent_kernel = weight(&mut golden, "w1_recurrent_kernel");
        let bias = weight(&mut golden, "w2_bias");
        let n_units = bias.len() / 6;
        let size = Size { n_frames, n_examples, n_in, n_units };
        let has_state = case == "stateless_gru";
        let state =
            if has_state { weight(&mut golden, "state") } else { vec![0.0; n_examples * n_units] };
        let x = time_major(&x, n_examples, n_frames);
        let all = [x, kernel, recurrent_kernel, bias, state].concat();
        let Run { y, state, .. } = run(Simd::widest(), size, &all);
        let to_f64 = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
        let expected = time_major(&golden.values(&format!("{case}.out.y")), n_examples, n_frames);
        // Both sides round: a few units of 6e-8 in the gates, over 7 frames.
        assert_close(case, &y, &to_f64(expected), 1e-6);
        if has_state {
            let expected = golden.values("stateless_gru.out.state");
            assert_close("final state", &state, &to_f64(expected), 1e-6);
        }
    }
}
