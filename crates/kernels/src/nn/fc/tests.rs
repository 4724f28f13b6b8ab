use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::nn::tests::{Case, golden_input, scaled};
use crate::testing::{assert_close, pseudo_random};

/// `x`, kernel, bias, gain and shift; one layer in double precision, straight from the formulas.
fn reference([x, kernel, bias, gain, shift]: [&[f64]; 5], y: &mut [f64]) {
    let n_out = bias.len();
    let n_in = kernel.len() / n_out;
    for (x, y) in x.chunks(n_in).zip(y.chunks_mut(n_out)) {
        let linear: Vec<f64> = (0..n_out)
            .map(|i| bias[i] + (0..n_in).map(|l| x[l] * kernel[l * n_out + i]).sum::<f64>())
            .collect();
        let mean = linear.iter().sum::<f64>() / n_out as f64;
        let variance = linear.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / n_out as f64;
        for i in 0..n_out {
            let z = gain[i] * (linear[i] - mean) / (variance + 1e-3).sqrt() + shift[i];
            y[i] = z.max(0.2 * z);
        }
    }
}

/// Rows, inputs and outputs: few and many rows and inputs, outputs around one and two vectors, and
/// more rows than are processed together. With one or two outputs the norm leaves a constant, and
/// of its gradient only rounding.
const SHAPES: [[usize; 3]; 7] =
    [[1, 1, 3], [4, 9, 16], [5, 1, 33], [6, 4, 39], [7, 9, 64], [1, 7, 15], [CHUNK + 3, 5, 5]];

fn case([n_rows, n_in, n_out]: [usize; 3], x_scale: f32, gain_scale: f32) -> Case<5> {
    // Short: a wider one crosses the corner of the leaky ReLU somewhere.
    let step = 1e-7;
    let gains = step * f64::from(gain_scale);
    let (x, x_step) = (scaled(&pseudo_random(1, n_rows * n_in), x_scale), f64::from(x_scale));
    Case {
        names: ["x", "kernel", "bias", "gain", "shift"],
        inputs: [
            x,
            pseudo_random(2, n_in * n_out),
            pseudo_random(3, n_out),
            scaled(&pseudo_random(4, n_out), gain_scale),
            scaled(&pseudo_random(5, n_out), gain_scale),
        ],
        y_len: n_rows * n_out,
        steps: [
            step * x_step.max(1.0),
            step / x_step.clamp(1e-30, 1.0),
            step * x_step.max(1.0),
            gains,
            gains,
        ],
    }
}

/// What the forward pass leaves.
struct Run {
    normalized: Vec<f32>,
    inverse_std: Vec<f32>,
    y: Vec<f32>,
}

fn weights<'a>([_, kernel, bias, gain, shift]: [&'a [f32]; 5]) -> Fc<'a> {
    Fc { kernel, bias, gain, shift }
}

fn run(simd: Simd, shape: [usize; 3], inputs: [&[f32]; 5]) -> Run {
    let [n_rows, n_in, n_out] = shape;
    let mut normalized = vec![f32::NAN; n_rows * n_out];
    let (mut inverse_std, mut y) = (vec![f32::NAN; n_rows], vec![f32::NAN; n_rows * n_out]);
    let cache = FcCache {
        normalized: MatrixMut::new(&mut normalized, n_rows, n_out),
        inverse_std: &mut inverse_std,
    };
    let y_rows = MatrixMut::new(&mut y, n_rows, n_out);
    forward(simd, weights(inputs), Matrix::new(inputs[0], n_rows, n_in), cache, y_rows);
    Run { normalized, inverse_std, y }
}

fn check(operation: &mut Operation, simd: Simd, shape: [usize; 3], case: &Case<5>) {
    let [n_rows, n_in, n_out] = shape;
    let y = run(simd, shape, case.slices()).y;
    // Normalized values are below 8 here, and a rounding of a product's sum, 1e-7 of it, grows as
    // much as the layer norm divides by a deviation of a third.
    let tolerance = Tolerance::of_peak(3e-6);
    operation.oracle("Fc", &y, &case.expected(reference), tolerance);
    case.check_gradients(operation, reference, |inputs, grad_y, grads| {
        let Run { mut normalized, mut inverse_std, .. } = run(simd, shape, inputs);
        let cache = FcCache {
            normalized: MatrixMut::new(&mut normalized, n_rows, n_out),
            inverse_std: &mut inverse_std,
        };
        let x = Matrix::new(inputs[0], n_rows, n_in);
        let grad_y = Matrix::new(grad_y, n_rows, n_out);
        let [grad_x, kernel, bias, gain, shift] = grads;
        let grads = FcGradients { kernel, bias, gain, shift };
        let pass = Pass { weights: weights(inputs), x, cache, grad_y };
        backward(simd, pass, grads, Some(MatrixMut::new(grad_x, n_rows, n_in)));
    });
}

/// The layers of a golden case, one after the other.
fn golden_stack(case: &str, n_layers: usize) -> Vec<f32> {
    let (mut x, shape) = golden_input(case, "x");
    let n_rows = shape[0] * shape[1];
    for layer in 0..n_layers {
        let [kernel, bias, gain, shift] = [(0, "kernel"), (1, "bias"), (2, "gamma"), (3, "beta")]
            .map(|(i, name)| golden_input(case, &format!("w{}_{name}", 4 * layer + i)).0);
        let shape = [n_rows, x.len() / n_rows, bias.len()];
        x = run(Simd::widest(), shape, [&x, &kernel, &bias, &gain, &shift]).y;
    }
    x
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Fc");
    for (case, n_layers) in [("fc", 1), ("fc_stack", 3)] {
        // Both sides round; a layer's norm divides its input's errors by a deviation below 1.
        let tolerance = Tolerance::absolute(2e-6 * n_layers as f64);
        let y = golden_stack(case, n_layers);
        operation.golden(&format!("nn/{case}"), "y", &y, tolerance);
    }
    for simd in Simd::all() {
        for shape in SHAPES {
            check(operation, simd, shape, &case(shape, 1.0, 1.0));
        }
    }
    let shape = [7, 9, 33];
    for (x_scale, gain_scale) in
        [(0.0, 1.0), (1e-30, 1.0), (1e-9, 1.0), (1e9, 1.0), (1.0, 1e-9), (1.0, 1e9)]
    {
        check(operation, Simd::widest(), shape, &case(shape, x_scale, gain_scale));
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn a_constant_row_becomes_the_shift() {
    let (n_rows, n) = (2, 32);
    let [kernel, bias, gain, shift] = [[0.0; 32], [3.0; 32], [1.0; 32], [0.5; 32]];
    let y = run(Simd::widest(), [n_rows, 1, n], [&[1.0; 2], &kernel, &bias, &gain, &shift]).y;
    assert_eq!(y, [0.5; 64], "nothing is left of a row without variance");
}

#[test]
fn a_large_mean_does_not_swallow_the_variance() {
    let shape = [1, 1, 48];
    let mut case = case(shape, 1.0, 1.0);
    // Exact in f32 beside 4096: the deviations are what the layer sees, to 2^-12 of them.
    case.inputs[1] = case.inputs[1].iter().map(|k| (k * 1024.0).round() / 1024.0).collect();
    case.inputs[0] = vec![1.0];
    case.inputs[2] = vec![4096.0; 48];
    let y = run(Simd::widest(), shape, case.slices()).y;
    let expected = case.expected(reference);
    // The mean of 48 values of 4096 is rounded to 2^-12; deviations are about a half.
    assert_close("y", &y, &expected, 1e-3);
}

#[test]
fn nan_reaches_its_row_and_no_other() {
    let shape = [3, 5, 33];
    let mut case = case(shape, 1.0, 1.0);
    case.inputs[0][5] = f32::NAN;
    for simd in Simd::all() {
        let y = run(simd, shape, case.slices()).y;
        for (row, y) in y.chunks(33).enumerate() {
            assert!(y.iter().all(|y| y.is_nan() == (row == 1)), "{simd:?}, row {row}: {y:?}");
        }
    }
}

#[test]
fn infinities_and_denormals_do_no_harm() {
    let shape = [4, 5, 33];
    let mut case = case(shape, 1.0, 1.0);
    case.inputs[0][..5].fill(f32::INFINITY);
    case.inputs[0][5..10].fill(f32::MAX);
    case.inputs[0][10..15].fill(1e-42);
    let y = run(Simd::widest(), shape, case.slices()).y;
    assert!(y[2 * 33..].iter().all(|y| y.is_finite()), "denormals: {y:?}");
}

#[test]
#[should_panic(expected = "Fc: 2 rows of inverse_std for 3 of x")]
fn a_wrong_length_names_both() {
    let (mut normalized, mut y) = ([0.0; 6], [0.0; 6]);
    fc(
        Fc { kernel: &[0.0; 2], bias: &[0.0; 2], gain: &[0.0; 2], shift: &[0.0; 2] },
        Matrix::new(&[0.0; 3], 3, 1),
        FcCache { normalized: MatrixMut::new(&mut normalized, 3, 2), inverse_std: &mut [0.0; 2] },
        MatrixMut::new(&mut y, 3, 2),
    );
}
