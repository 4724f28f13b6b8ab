use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::nn::tests::{Case, scaled};
use crate::testing::pseudo_random;

/// `x`, kernel and bias; `y = x kernel + bias` in double precision.
fn reference([x, kernel, bias]: [&[f64]; 3], y: &mut [f64]) {
    let (n_out, n_in) = (bias.len(), kernel.len() / bias.len());
    for (i, y) in y.iter_mut().enumerate() {
        let (row, column) = (i / n_out, i % n_out);
        *y = bias[column];
        for l in 0..n_in {
            *y += x[row * n_in + l] * kernel[l * n_out + column];
        }
    }
}

/// Rows, inputs and outputs on both sides of every special case.
const SHAPES: [[usize; 3]; 7] =
    [[1, 9, 7], [4, 5, 40], [5, 9, 33], [30, 1, 20], [30, 4, 20], [30, 17, 3], [1, 1, 1]];

fn case([n_rows, n_in, n_out]: [usize; 3], x_scale: f32) -> Case<3> {
    Case {
        names: ["x", "kernel", "bias"],
        inputs: [
            scaled(&pseudo_random(1, n_rows * n_in), x_scale),
            pseudo_random(2, n_in * n_out),
            scaled(&pseudo_random(3, n_out), x_scale),
        ],
        y_len: n_rows * n_out,
        // The layer is linear in each: any step will do.
        steps: [f64::from(x_scale), 1.0, f64::from(x_scale)],
    }
}

fn run(simd: Simd, [n_rows, n_in, n_out]: [usize; 3], [x, kernel, bias]: [&[f32]; 3]) -> Vec<f32> {
    let mut y = vec![f32::NAN; n_rows * n_out];
    let (x, y_rows) = (Matrix::new(x, n_rows, n_in), MatrixMut::new(&mut y, n_rows, n_out));
    forward(simd, Dense { kernel, bias }, x, y_rows);
    y
}

fn check(operation: &mut Operation, simd: Simd, shape: [usize; 3], x_scale: f32) {
    let [n_rows, n_in, n_out] = shape;
    let case = case(shape, x_scale);
    let y = run(simd, shape, case.slices());
    // n_in products and a bias, rounded to a relative 2^-24 each, in sums that are about as large as
    // the largest of the outputs.
    let tolerance = Tolerance::of_peak(6e-8 * (n_in + 2) as f64);
    operation.oracle("dense", &y, &case.expected(reference), tolerance);
    let gradients = |[x, kernel, bias]: [&[f32]; 3], grad_y: &[f32], grads: [&mut [f32]; 3]| {
        let [grad_x, grad_kernel, grad_bias] = grads;
        let operands = (Matrix::new(x, n_rows, n_in), Matrix::new(grad_y, n_rows, n_out));
        let grads = DenseGradients { kernel: grad_kernel, bias: grad_bias };
        let grad_x = MatrixMut::new(grad_x, n_rows, n_in);
        backward(simd, Dense { kernel, bias }, operands, grads, Some(grad_x));
    };
    case.check_gradients(operation, reference, gradients);
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("dense");
    for simd in Simd::all() {
        SHAPES.iter().for_each(|&shape| check(operation, simd, shape, 1.0));
    }
    for x_scale in [1e-30, 1e-9, 1e9] {
        check(operation, Simd::widest(), [5, 9, 33], x_scale);
        check(operation, Simd::widest(), [3, 9, 33], x_scale);
    }
}

#[test]
fn it_agrees_with_its_formula_and_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn nan_reaches_its_row_and_no_other() {
    for shape in SHAPES {
        let [n_rows, n_in, n_out] = shape;
        let mut case = case(shape, 1.0);
        case.inputs[0][(n_rows - 1) * n_in] = f32::NAN;
        for simd in Simd::all() {
            let y = run(simd, shape, case.slices());
            let (before, last) = y.split_at((n_rows - 1) * n_out);
            assert!(before.iter().all(|y| y.is_finite()), "{simd:?} {shape:?}: {before:?}");
            assert!(last.iter().all(|y| y.is_nan()), "{simd:?} {shape:?}: {last:?}");
        }
    }
}

#[test]
#[should_panic(expected = "dense: 2 rows of y for 3 of x")]
fn a_wrong_shape_names_both_sizes() {
    let (x, mut y) = ([0.0; 6], [0.0; 4]);
    let weights = Dense { kernel: &[0.0; 4], bias: &[0.0; 2] };
    dense(weights, Matrix::new(&x, 3, 2), MatrixMut::new(&mut y, 2, 2));
}

#[test]
#[should_panic(expected = "dense: grad_x of shape (2, 1) for x of (2, 2)")]
fn a_wrong_gradient_is_refused_before_anything_is_written() {
    let (x, mut grad_x) = ([0.0; 4], [0.0; 2]);
    dense_backward(
        Dense { kernel: &[0.0; 2], bias: &[0.0] },
        Matrix::new(&x, 2, 2),
        Matrix::new(&[0.0; 2], 2, 1),
        DenseGradients { kernel: &mut [0.0; 2], bias: &mut [0.0] },
        Some(MatrixMut::new(&mut grad_x, 2, 1)),
    );
}
