use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::nn::tests::{Case, scaled};
use crate::testing::pseudo_random;

/// For a window at `at` along one axis: where its place `i` lies, if inside.
fn input(size: usize, window: usize, stride: usize, at: usize, i: usize) -> Option<usize> {
    // TensorFlow's definition of SAME.
    let total = (size.div_ceil(stride) - 1) * stride + window;
    let before = total.saturating_sub(size) / 2;
    (at * stride + i).checked_sub(before).filter(|&index| index < size)
}

/// The indices `[frame, freq]` of the inputs that the window meets at an output, with their places
/// in the window.
fn meeting(
    config: Conv2dConfig,
    [t, f]: [usize; 2],
) -> impl Iterator<Item = ([usize; 2], [usize; 2])> {
    let Conv2dConfig { size, kernel, stride, .. } = config;
    (0..kernel[0]).flat_map(move |i| (0..kernel[1]).map(move |j| [i, j])).filter_map(
        move |[i, j]| {
            let frame = input(size[0], kernel[0], stride[0], t, i)?;
            Some(([frame, input(size[1], kernel[1], stride[1], f, j)?], [i, j]))
        },
    )
}

fn output_size(config: Conv2dConfig) -> [usize; 2] {
    [0, 1].map(|axis| config.size[axis].div_ceil(config.stride[axis]))
}

fn conv_reference(config: Conv2dConfig, [x, kernel, bias]: [&[f64]; 3], y: &mut [f64]) {
    let Conv2dConfig { size, n_in, n_out, kernel: window, .. } = config;
    let n_freq = output_size(config)[1];
    for (i, y) in y.iter_mut().enumerate() {
        let (place, column) = (i / n_out, i % n_out);
        *y = bias[column];
        for ([frame, freq], [i, j]) in meeting(config, [place / n_freq, place % n_freq]) {
            for l in 0..n_in {
                *y += x[(frame * size[1] + freq) * n_in + l]
                    * kernel[((i * window[1] + j) * n_in + l) * n_out + column];
            }
        }
    }
}

fn pool_reference(config: Conv2dConfig, x: &[f64], y: &mut [f64]) {
    let Conv2dConfig { size, n_in, .. } = config;
    let n_freq = output_size(config)[1];
    for (i, y) in y.iter_mut().enumerate() {
        let (place, channel) = (i / n_in, i % n_in);
        *y = f64::NEG_INFINITY;
        for ([frame, freq], _) in meeting(config, [place / n_freq, place % n_freq]) {
            *y = y.max(x[(frame * size[1] + freq) * n_in + channel]);
        }
    }
}

fn config(
    size: [usize; 2],
    [n_in, n_out]: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
) -> Conv2dConfig {
    Conv2dConfig { size, n_in, n_out, kernel, stride }
}

/// Windows even and odd, larger than the tensor, strides with every remainder, and larger than the
/// window; the ResNet's kernels; more patches than are unfolded together.
fn configs() -> Vec<Conv2dConfig> {
    vec![
        config([1, 1], [1, 1], [1, 1], [1, 1]),
        config([5, 9], [1, 6], [7, 7], [1, 2]),
        config([4, 8], [5, 3], [3, 3], [1, 2]),
        config([4, 7], [2, 17], [3, 3], [1, 2]),
        config([6, 5], [5, 4], [1, 1], [1, 2]),
        config([4, 3], [7, 5], [1, 1], [1, 1]),
        config([5, 6], [3, 2], [2, 4], [2, 3]),
        config([7, 3], [1, 2], [2, 2], [3, 1]),
        config([2, 2], [2, 2], [5, 6], [1, 1]),
        config([9, 9], [2, 2], [1, 2], [4, 5]),
        config([3, 300], [160, 1], [1, 3], [1, 1]),
    ]
}

fn case(config: Conv2dConfig, x_scale: f32) -> Case<3> {
    let Conv2dConfig { size, n_in, n_out, kernel, .. } = config;
    let [n_frames, n_freq] = output_size(config);
    Case {
        names: ["x", "kernel", "bias"],
        inputs: [
            scaled(&pseudo_random(1, size[0] * size[1] * n_in), x_scale),
            pseudo_random(2, kernel[0] * kernel[1] * n_in * n_out),
            scaled(&pseudo_random(3, n_out), x_scale),
        ],
        y_len: n_frames * n_freq * n_out,
        // The layer is linear in each: any step will do.
        steps: [f64::from(x_scale), 1.0, f64::from(x_scale)],
    }
}

fn run(simd: Simd, config: Conv2dConfig, case: &Case<3>) -> Vec<f32> {
    let mut y = vec![f32::NAN; case.y_len];
    let [x, kernel, bias] = case.slices();
    let mut conv = Conv2d::new(config);
    // Dirty scratch must not matter.
    conv.patches.fill(f32::NAN);
    conv.forward_with(simd, Dense { kernel, bias }, x, &mut y);
    y
}

fn check(operation: &mut Operation, simd: Simd, config: Conv2dConfig, x_scale: f32) {
    let case = case(config, x_scale);
    let expected = case.expected(|inputs, y| conv_reference(config, inputs, y));
    // Products and a bias, each rounded to a relative 2^-24 and summed.
    let n_terms = config.kernel[0] * config.kernel[1] * config.n_in + 2;
    let tolerance = Tolerance::of_peak(6e-8 * n_terms as f64);
    operation.oracle("Conv2d", &run(simd, config, &case), &expected, tolerance);
    case.check_gradients(
        operation,
        |inputs, y| conv_reference(config, inputs, y),
        |[x, kernel, bias], grad_y, [grad_x, grad_kernel, grad_bias]| {
            let grads = DenseGradients { kernel: grad_kernel, bias: grad_bias };
            let weights = Dense { kernel, bias };
            Conv2d::new(config).backward_with(simd, weights, (x, grad_y), grads, Some(grad_x));
        },
    );
}

fn check_pool(operation: &mut Operation, config: Conv2dConfig, scale: f32) {
    let pool = MaxPool::new(config.size, config.n_in, config.kernel, config.stride);
    let [n_frames, n_freq] = output_size(config);
    let case = Case {
        names: ["x"],
        inputs: [scaled(&pseudo_random(5, config.size[0] * config.size[1] * config.n_in), scale)],
        y_len: n_frames * n_freq * config.n_in,
        // Less than the distance of two values, which are multiples of 2^-15.
        steps: [1e-6 * f64::from(scale)],
    };
    let mut y = vec![f32::NAN; case.y_len];
    pool.forward(&case.inputs[0], &mut y);
    let expected = case.expected(|[x], y| pool_reference(config, x, y));
    operation.oracle("max_pool", &y, &expected, Tolerance::absolute(0.0));
    case.check_gradients(
        operation,
        |[x], y| pool_reference(config, x, y),
        |[x], grad_y, [grad_x]| pool.backward(x, grad_y, grad_x),
    );
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Conv2d");
    for simd in Simd::all() {
        configs().into_iter().for_each(|config| check(operation, simd, config, 1.0));
    }
    for x_scale in [1e-30, 1e-9, 1e9] {
        check(operation, Simd::widest(), configs()[2], x_scale);
    }
    let operation = report.operation("MaxPool");
    for scale in [1e-30, 1.0, 1e9] {
        configs().into_iter().take(10).for_each(|config| check_pool(operation, config, scale));
        check_pool(operation, config([3, 9], [4, 4], [1, 3], [1, 2]), scale);
    }
}

#[test]
fn they_agree_with_their_formulas_and_gradients() {
    agreement(&mut Report::default());
}

#[test]
fn the_gradient_of_the_input_is_optional() {
    let config = configs()[2];
    let case = case(config, 1.0);
    let [x, kernel, bias] = case.slices();
    let grad_y = pseudo_random(9, case.y_len);
    let grads = |grad_x: Option<&mut [f32]>| {
        let (mut grad_kernel, mut grad_bias) = (vec![0.0; kernel.len()], vec![0.0; bias.len()]);
        let grads = DenseGradients { kernel: &mut grad_kernel, bias: &mut grad_bias };
        Conv2d::new(config).backward(Dense { kernel, bias }, x, &grad_y, grads, grad_x);
        (grad_kernel, grad_bias)
    };
    assert_eq!(grads(None), grads(Some(&mut vec![0.0; x.len()])), "the same with and without");
}

#[test]
fn nan_reaches_the_windows_that_meet_it_and_no_others() {
    let config = config([4, 8], [5, 3], [3, 3], [1, 2]);
    let mut case = case(config, 1.0);
    case.inputs[0][(8 + 3) * 5] = f32::NAN;
    let is_met = |place: usize| meeting(config, [place / 4, place % 4]).any(|(x, _)| x == [1, 3]);
    for simd in Simd::all() {
        for (place, y) in run(simd, config, &case).chunks(3).enumerate() {
            assert!(y.iter().all(|y| y.is_nan() == is_met(place)), "{simd:?} {place}: {y:?}");
        }
    }
    let pool = MaxPool::new([4, 8], 5, [3, 3], [1, 2]);
    let (mut y, mut grad_x) = (vec![0.0; 4 * 4 * 5], vec![0.0; 4 * 8 * 5]);
    pool.forward(&case.inputs[0], &mut y);
    for (place, y) in y.chunks(5).enumerate() {
        assert_eq!(y[0].is_nan(), is_met(place), "pooled at {place}: {y:?}");
        assert!(y[1..].iter().all(|y| y.is_finite()), "other channels at {place}: {y:?}");
    }
    pool.backward(&case.inputs[0], &[1.0; 4 * 4 * 5], &mut grad_x);
    let n_met = (0..16).filter(|&place| is_met(place)).count();
    assert_eq!(grad_x[(8 + 3) * 5], n_met as f32, "the NaN is the largest where it is met");
}

#[test]
fn the_first_of_equal_values_gets_the_gradient() {
    let mut grad_x = [0.0; 4];
    MaxPool::new([1, 4], 1, [1, 4], [1, 4]).backward(&[1.0, 2.0, 2.0, 2.0], &[3.0], &mut grad_x);
    assert_eq!(grad_x, [0.0, 3.0, 0.0, 0.0], "not shared, not repeated");
}

#[test]
#[should_panic(expected = "Conv2d: 5 values of y for [2, 2] of 1 channels")]
fn a_wrong_length_names_both() {
    let mut conv = Conv2d::new(config([2, 3], [1, 1], [1, 1], [1, 2]));
    conv.forward(Dense { kernel: &[0.0], bias: &[0.0] }, &[0.0; 6], &mut [0.0; 5]);
}

#[test]
#[should_panic(expected = "MaxPool: 5 values of x for [2, 3] of 1 channels")]
fn a_wrong_length_to_pool_names_both() {
    MaxPool::new([2, 3], 1, [1, 2], [1, 2]).forward(&[0.0; 5], &mut [0.0; 4]);
}
