use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::nn::tests::{Case, golden_input, scaled};
use crate::testing::pseudo_random;

/// `x`, scale and shift; straight from the formula.
fn reference(n_groups: usize, [x, scale, shift]: [&[f64]; 3], y: &mut [f64]) {
    let n_channels = scale.len();
    let group = |i: usize| i % n_channels * n_groups / n_channels;
    for (i, y) in y.iter_mut().enumerate() {
        let values: Vec<f64> =
            (0..x.len()).filter(|&j| group(j) == group(i)).map(|j| x[j]).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let normalized = (x[i] - mean) / (variance + 1e-5).sqrt();
        *y = scale[i % n_channels] * normalized + shift[i % n_channels];
    }
}

/// Places (frames times frequencies), channels and groups: layer, instance and between, channels
/// around one and two vectors, one place. Two values in a group are left a constant, and of its
/// gradient only rounding.
const SHAPES: [[usize; 3]; 7] =
    [[1, 3, 1], [7, 12, 1], [7, 12, 12], [5, 33, 3], [20, 1, 1], [9, 32, 32], [3, 16, 4]];

fn case([n_places, n_channels, _]: [usize; 3], x_scale: f32, scale: f32) -> Case<3> {
    Case {
        names: ["x", "scale", "shift"],
        inputs: [
            scaled(&pseudo_random(1, n_places * n_channels), x_scale),
            scaled(&pseudo_random(2, n_channels), scale),
            scaled(&pseudo_random(3, n_channels), scale),
        ],
        y_len: n_places * n_channels,
        // Of what is normalized, or of the root of epsilon where that is more.
        steps: [1e-4 * f64::from(x_scale.max(1e-3)), f64::from(scale), f64::from(scale)],
    }
}

fn run(
    simd: Simd,
    [_, n_channels, n_groups]: [usize; 3],
    [x, scale, shift]: [&[f32]; 3],
) -> (Normalize, Vec<f32>) {
    let mut normalize = Normalize::group(n_channels, n_groups);
    // Dirty scratch must not matter.
    normalize.sums.fill(f64::NAN);
    let mut y = vec![f32::NAN; x.len()];
    normalize.forward_with(simd, ScaleShift { scale, shift }, x, &mut y);
    (normalize, y)
}

fn check(operation: &mut Operation, simd: Simd, shape: [usize; 3], case: &Case<3>) {
    let expected = case.expected(|inputs, y| reference(shape[2], inputs, y));
    // A few roundings of normalized values below 4.
    let tolerance = Tolerance::of_peak(1e-6);
    operation.oracle("Normalize", &run(simd, shape, case.slices()).1, &expected, tolerance);
    case.check_gradients(
        operation,
        |inputs, y| reference(shape[2], inputs, y),
        |inputs, grad_y, [grad_x, scale, shift]| {
            let mut normalize = run(simd, shape, inputs).0;
            let weights = ScaleShift { scale: inputs[1], shift: inputs[2] };
            let grads = ScaleShiftGradients { scale, shift };
            normalize.backward_with(simd, weights, (inputs[0], grad_y), grads, grad_x);
        },
    );
}

/// All examples of a golden case.
fn golden_run(case: &str, normalize: &mut Normalize) -> Vec<f32> {
    let [(x, shape), (scale, _), (shift, _)] =
        ["x", "w0_scale", "w1_shift"].map(|name| golden_input(case, name));
    let mut y = vec![f32::NAN; x.len()];
    let example_len = x.len() / shape[0];
    for (x, y) in x.chunks(example_len).zip(y.chunks_mut(example_len)) {
        normalize.forward(ScaleShift { scale: &scale, shift: &shift }, x, y);
    }
    y
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Normalize");
    for (case, mut normalize) in
        [("normalize_layer", Normalize::layer(12)), ("normalize_instance", Normalize::instance(12))]
    {
        // Both sides round values below 4 a few times; the reference sums in f32.
        let y = golden_run(case, &mut normalize);
        operation.golden(&format!("nn/{case}"), "y", &y, Tolerance::absolute(2e-6));
    }
    for simd in Simd::all() {
        for shape in SHAPES {
            check(operation, simd, shape, &case(shape, 1.0, 1.0));
        }
    }
    for (x_scale, scale) in [(1e-9, 1.0), (1e9, 1.0), (1.0, 1e-9), (1.0, 1e9)] {
        check(operation, Simd::widest(), SHAPES[3], &case(SHAPES[3], x_scale, scale));
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn nan_stays_in_its_group() {
    let shape = [5, 33, 3];
    let mut case = case(shape, 1.0, 1.0);
    case.inputs[0][2 * 33 + 12] = f32::NAN;
    for simd in Simd::all() {
        for (i, y) in run(simd, shape, case.slices()).1.iter().enumerate() {
            assert_eq!(y.is_nan(), (11..22).contains(&(i % 33)), "{simd:?}: {y} at {i}");
        }
    }
}

#[test]
fn a_constant_becomes_the_shift_and_denormals_do_no_harm() {
    for value in [0.0, 3.0, -1e9, 1e-42] {
        let x = [value; 24];
        let y = run(Simd::widest(), [3, 8, 2], [&x, &[1.0; 8], &[0.5; 8]]).1;
        assert_eq!(y, [0.5; 24], "nothing is left of {value}");
    }
}

#[test]
#[should_panic(expected = "Normalize: 7 values of x for 3 channels")]
fn a_wrong_length_names_both() {
    let weights = ScaleShift { scale: &[1.0; 3], shift: &[0.0; 3] };
    Normalize::layer(3).forward(weights, &[0.0; 7], &mut [0.0; 7]);
}
