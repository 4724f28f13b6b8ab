use super::*;
use crate::agreement::{Report, Tolerance};
use crate::nn::tests::{Case, scaled};
use crate::testing::pseudo_random;

const ALL: [(&str, Activation); 4] = [
    ("relu", Activation::Relu),
    ("leaky_relu", Activation::LeakyRelu),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
];

fn reference(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu => x.max(0.2 * x),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
    }
}

pub(crate) fn agreement(report: &mut Report) {
    for (name, activation) in ALL {
        let operation = report.operation(name);
        // The others' step must be less than what separates any of the values from zero.
        let is_smooth = matches!(activation, Activation::Sigmoid | Activation::Tanh);
        for simd in Simd::all() {
            for (len, scale) in [(1, 1.0), (100, 1.0), (39, 1e-9), (39, 1e-30), (39, 8.0)] {
                let case = Case {
                    names: ["x"],
                    inputs: [scaled(&pseudo_random(6, len), scale)],
                    y_len: len,
                    steps: [if is_smooth { 1e-4 } else { 1e-6 * f64::from(scale) }],
                };
                let each = |[x]: [&[f64]; 1], y: &mut [f64]| {
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = reference(activation, *x));
                };
                let mut y = vec![f32::NAN; len];
                activation.forward_with(simd, &case.inputs[0], &mut y);
                // What the functions promise, or one rounding of a product.
                let tolerance = Tolerance::absolute(1.8e-7 * f64::from(scale.max(1.0)));
                operation.oracle(name, &y, &case.expected(each), tolerance);
                case.check_gradients(operation, each, |[x], grad_y, [grad_x]| {
                    activation.backward_with(simd, x, grad_y, grad_x);
                });
            }
        }
    }
    let operation = report.operation("scale_and_shift");
    for scale in [1e-15_f32, 1.0, 1e9] {
        let case = Case {
            names: ["x", "scale", "shift"],
            inputs: [(1, scale), (2, scale), (3, scale * scale)]
                .map(|(seed, scale)| scaled(&pseudo_random(seed, 20), scale)),
            y_len: 20,
            steps: [scale, scale, scale * scale].map(f64::from),
        };
        let each = |[x, scale, shift]: [&[f64]; 3], y: &mut [f64]| {
            y.iter_mut().enumerate().for_each(|(i, y)| *y = x[i] * scale[i] + shift[i]);
        };
        let ([x, scales, shifts], mut y) = (case.slices(), vec![f32::NAN; 20]);
        scale_and_shift(x, scales, shifts, &mut y);
        // A product and a sum, each rounded.
        let tolerance = Tolerance::of_peak(1.2e-7);
        operation.oracle("scale_and_shift", &y, &case.expected(each), tolerance);
        case.check_gradients(operation, each, |[x, scale, _], grad_y, grads| {
            scale_and_shift_backward(x, scale, grad_y, grads);
        });
    }
}

#[test]
fn they_agree_with_their_formulas_and_gradients() {
    agreement(&mut Report::default());
}

#[test]
fn nan_stays_nan_in_value_and_gradient_but_where_the_slope_is_known() {
    for (name, activation) in ALL {
        for simd in Simd::all() {
            let (mut y, mut grad_x) = ([0.0; 20], [0.0; 20]);
            activation.forward_with(simd, &[f32::NAN; 20], &mut y);
            assert!(y.iter().all(|y| y.is_nan()), "{name} {simd:?}: {y:?}");
            activation.backward_with(simd, &[1.0; 20], &[f32::NAN; 20], &mut grad_x);
            assert!(grad_x.iter().all(|g| g.is_nan()), "{name} {simd:?}: {grad_x:?}");
        }
    }
}

#[test]
fn slopes_at_zero_are_those_of_tensorflow() {
    for (activation, slope) in [(Activation::Relu, 0.0), (Activation::LeakyRelu, 0.2)] {
        for zero in [0.0, -0.0] {
            let mut grad_x = [0.0];
            activation.backward(&[zero], &[1.0], &mut grad_x);
            assert_eq!(grad_x, [slope], "{activation:?} at {zero}");
        }
    }
}

#[test]
fn infinities_saturate_or_pass() {
    for (activation, [low, high]) in [
        (Activation::Relu, [0.0, f32::INFINITY]),
        (Activation::LeakyRelu, [f32::NEG_INFINITY, f32::INFINITY]),
        (Activation::Tanh, [-1.0, 1.0]),
    ] {
        let mut y = [0.0; 2];
        activation.forward(&[f32::NEG_INFINITY, f32::INFINITY], &mut y);
        assert_eq!(y, [low, high], "{activation:?}");
    }
}

#[test]
#[should_panic(expected = "pointwise: 2 values of y for 3 of x")]
fn a_wrong_length_names_both() {
    Activation::Relu.forward(&[0.0; 3], &mut [0.0; 2]);
}
