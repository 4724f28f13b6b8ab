use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::nn::tests::{Case, scaled};
use crate::testing::{assert_close, pseudo_random, widen};

/// One convolution and the shape of its input, `[n_frames, n_in]`, and its outputs.
#[derive(Clone, Copy, Debug)]
struct Example {
    conv: Conv1d,
    n_frames: usize,
    n_in: usize,
    n_out: usize,
}

fn example(
    [kernel_len, dilation, stride]: [usize; 3],
    padding: Padding,
    [n_frames, n_in, n_out]: [usize; 3],
) -> Example {
    let conv = Conv1d { kernel_len, dilation, stride, padding };
    Example { conv, n_frames, n_in, n_out }
}

/// Kernels of one tap, even and odd, wider than the sequence, dilated, strided with every remainder;
/// few inputs and frames, and many; more frames than are computed together.
fn examples() -> Vec<Example> {
    use Padding::{Causal, Same};
    let mut examples = Vec::new();
    for padding in [Causal, Same] {
        for (geometry, shape) in [
            ([1, 1, 1], [1, 1, 1]),
            ([3, 1, 1], [12, 7, 5]),
            ([4, 1, 1], [12, 7, 5]),
            ([3, 4, 1], [20, 2, 17]),
            ([3, 16, 1], [9, 5, 6]),
            ([5, 2, 1], [3, 6, 4]),
            ([3, 1, 2], [11, 7, 5]),
            ([3, 1, 2], [12, 7, 5]),
            ([2, 3, 3], [13, 6, 3]),
            ([1, 1, 4], [30, 5, 4]),
            ([3, 2, 1], [CHUNK + 5, 1, 2]),
            ([3, 1, 2], [2 * CHUNK + 5, 5, 1]),
        ] {
            examples.push(example(geometry, padding, shape));
        }
    }
    examples
}

impl Example {
    fn n_out_frames(&self) -> usize {
        self.n_frames.div_ceil(self.conv.stride)
    }

    fn case(&self, x_scale: f32) -> Case<3> {
        let Self { conv, n_frames, n_in, n_out } = *self;
        Case {
            names: ["x", "kernel", "bias"],
            inputs: [
                scaled(&pseudo_random(1, n_frames * n_in), x_scale),
                pseudo_random(2, conv.kernel_len * n_in * n_out),
                scaled(&pseudo_random(3, n_out), x_scale),
            ],
            y_len: self.n_out_frames() * n_out,
            // The layer is linear in each: any step will do.
            steps: [f64::from(x_scale), 1.0, f64::from(x_scale)],
        }
    }

    /// The sum as TensorFlow defines it, over a sequence with its zeros put around it.
    fn reference(&self, [x, kernel, bias]: [&[f64]; 3], y: &mut [f64]) {
        let Self { conv, n_frames, n_in, n_out } = *self;
        let reach = (conv.kernel_len - 1) * conv.dilation;
        let total = ((self.n_out_frames() - 1) * conv.stride + reach + 1).saturating_sub(n_frames);
        let before = if conv.padding == Padding::Causal { reach } else { total / 2 };
        let mut padded = vec![0.0; (before + n_frames + reach + conv.stride) * n_in];
        padded[before * n_in..][..x.len()].copy_from_slice(x);
        for (i, y) in y.iter_mut().enumerate() {
            let (frame, column) = (i / n_out, i % n_out);
            *y = bias[column];
            for tap in 0..conv.kernel_len {
                let input = frame * conv.stride + tap * conv.dilation;
                for l in 0..n_in {
                    *y += padded[input * n_in + l] * kernel[(tap * n_in + l) * n_out + column];
                }
            }
        }
    }

    fn run(&self, simd: Simd, [x, kernel, bias]: [&[f32]; 3]) -> Vec<f32> {
        let mut y = vec![f32::NAN; self.n_out_frames() * self.n_out];
        let x = Matrix::new(x, self.n_frames, self.n_in);
        let y_rows = MatrixMut::new(&mut y, self.n_out_frames(), self.n_out);
        self.conv.forward_with(simd, Dense { kernel, bias }, x, y_rows);
        y
    }

    fn check(&self, operation: &mut Operation, simd: Simd, x_scale: f32) {
        let case = self.case(x_scale);
        let expected = case.expected(|inputs, y| self.reference(inputs, y));
        // Products and a bias, each rounded to a relative 2^-24 and summed.
        let n_terms = self.conv.kernel_len * self.n_in + 2;
        let tolerance = Tolerance::of_peak(6e-8 * n_terms as f64);
        operation.oracle("Conv1d", &self.run(simd, case.slices()), &expected, tolerance);
        let gradients = |[x, kernel, bias]: [&[f32]; 3], grad_y: &[f32], grads: [&mut [f32]; 3]| {
            let [grad_x, grad_kernel, grad_bias] = grads;
            let x = Matrix::new(x, self.n_frames, self.n_in);
            let grad_y = Matrix::new(grad_y, self.n_out_frames(), self.n_out);
            let grads = DenseGradients { kernel: grad_kernel, bias: grad_bias };
            let grad_x = MatrixMut::new(grad_x, self.n_frames, self.n_in);
            let weights = Dense { kernel, bias };
            self.conv.backward_with(simd, weights, (x, grad_y), grads, Some(grad_x));
        };
        case.check_gradients(operation, |inputs, y| self.reference(inputs, y), gradients);
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Conv1d");
    for simd in Simd::all() {
        examples().iter().for_each(|example| example.check(operation, simd, 1.0));
    }
    for x_scale in [1e-30, 1e-9, 1e9] {
        examples()[1].check(operation, Simd::widest(), x_scale);
    }
    let operation = report.operation("Conv1dTransposed");
    for (kernel_len, stride, shape) in [
        (1, 1, [1, 1, 1]),
        (4, 2, [9, 7, 5]),
        (3, 2, [9, 5, 7]),
        (6, 3, [5, 2, 4]),
        (2, 5, [4, 6, 2]),
        (4, 2, [CHUNK + 1, 2, 1]),
    ] {
        check_transposed(operation, Conv1dTransposed { kernel_len, stride }, shape);
    }
}

fn check_transposed(
    operation: &mut Operation,
    conv: Conv1dTransposed,
    [n_frames, n_in, n_out]: [usize; 3],
) {
    let Conv1dTransposed { kernel_len, stride } = conv;
    let case = Case {
        names: ["x", "kernel", "bias"],
        inputs: [n_frames * n_in, kernel_len * n_in * n_out, n_out].map(|n| pseudo_random(4, n)),
        y_len: n_frames * stride * n_out,
        steps: [1.0; 3],
    };
    // TensorFlow: the zeros that SAME would put before the n_frames * stride frames are cropped.
    let cropped = kernel_len.saturating_sub(stride) / 2;
    let reference = |[x, kernel, bias]: [&[f64]; 3], y: &mut [f64]| {
        y.iter_mut().enumerate().for_each(|(i, y)| *y = bias[i % n_out]);
        for frame in 0..n_frames {
            for tap in 0..kernel_len {
                let Some(place) = (frame * stride + tap).checked_sub(cropped) else { continue };
                let Some(y) = y.get_mut(place * n_out..(place + 1) * n_out) else { continue };
                for (i, y) in y.iter_mut().enumerate() {
                    let kernel = &kernel[(tap * n_out + i) * n_in..][..n_in];
                    *y += kernel.iter().zip(&x[frame * n_in..]).map(|(k, x)| k * x).sum::<f64>();
                }
            }
        }
    };
    let mut y = vec![f32::NAN; case.y_len];
    let [x, kernel, bias] = case.slices();
    let y_rows = MatrixMut::new(&mut y, n_frames * stride, n_out);
    conv.forward(Dense { kernel, bias }, Matrix::new(x, n_frames, n_in), y_rows);
    let tolerance = Tolerance::of_peak(6e-8 * (kernel_len * n_in + 2) as f64);
    operation.oracle("Conv1dTransposed", &y, &case.expected(reference), tolerance);
    case.check_gradients(operation, reference, |[x, kernel, bias], grad_y, grads| {
        let [grad_x, grad_kernel, grad_bias] = grads;
        let grads = DenseGradients { kernel: grad_kernel, bias: grad_bias };
        conv.backward(
            Dense { kernel, bias },
            Matrix::new(x, n_frames, n_in),
            Matrix::new(grad_y, n_frames * stride, n_out),
            grads,
            Some(MatrixMut::new(grad_x, n_frames, n_in)),
        );
    });
}

#[test]
fn they_agree_with_their_formulas_and_gradients() {
    agreement(&mut Report::default());
}

#[test]
fn blocks_give_the_whole() {
    for (kernel_len, dilation) in [(1, 1), (3, 1), (3, 4), (2, 30)] {
        let example = example([kernel_len, dilation, 1], Padding::Causal, [23, 6, 5]);
        let case = example.case(1.0);
        let [x, kernel, bias] = case.slices();
        let x = Matrix::new(x, 23, 6);
        for simd in Simd::all() {
            for blocks in [vec![23], vec![1; 23], vec![0, 2, 7, 14], vec![12, 11]] {
                let mut history = vec![0.0; example.conv.n_history_frames() * 6];
                let (mut y, mut frame) = (vec![f32::NAN; 23 * 5], 0);
                for n_frames in blocks {
                    let y = MatrixMut::new(&mut y, 23, 5).rows(frame..frame + n_frames);
                    let x = x.rows(frame..frame + n_frames);
                    example.conv.stream_with(simd, Dense { kernel, bias }, &mut history, x, y);
                    frame += n_frames;
                }
                // 19 terms below 1, summed in another order.
                assert_close("y", &y, &widen(&example.run(simd, case.slices())), 19.0 * 6e-8);
            }
        }
    }
}

#[test]
fn nan_reaches_the_frames_that_meet_it_and_no_others() {
    let example = example([3, 2, 1], Padding::Causal, [12, 5, 4]);
    let mut case = example.case(1.0);
    case.inputs[0][3 * 5] = f32::NAN;
    for simd in Simd::all() {
        let y = example.run(simd, case.slices());
        for (frame, y) in y.chunks(4).enumerate() {
            let meets = [3, 5, 7].contains(&frame);
            assert!(y.iter().all(|y| y.is_nan() == meets), "{simd:?}, frame {frame}: {y:?}");
        }
    }
}

#[test]
fn no_frames_are_no_output() {
    for padding in [Padding::Causal, Padding::Same] {
        let conv = Conv1d { kernel_len: 3, dilation: 1, stride: 2, padding };
        let weights = Dense { kernel: &[1.0; 6], bias: &[1.0] };
        conv.forward(weights, Matrix::new(&[], 0, 2), MatrixMut::new(&mut [], 0, 1));
    }
}

#[test]
#[should_panic(expected = "Conv1d: 5 frames of y for 3 of the output")]
fn a_wrong_length_names_both() {
    let conv = Conv1d { kernel_len: 1, dilation: 1, stride: 2, padding: Padding::Same };
    let (x, mut y) = ([0.0; 5], [0.0; 5]);
    let weights = Dense { kernel: &[0.0], bias: &[0.0] };
    conv.forward(weights, Matrix::new(&x, 5, 1), MatrixMut::new(&mut y, 5, 1));
}

#[test]
#[should_panic(expected = "Conv1d: 3 values of history for 2 frames of 2 inputs")]
fn a_wrong_history_names_both() {
    let conv = Conv1d { kernel_len: 3, dilation: 1, stride: 1, padding: Padding::Causal };
    let (x, mut y) = ([0.0; 2], [0.0; 1]);
    let weights = Dense { kernel: &[0.0; 6], bias: &[0.0] };
    let (x, y) = (Matrix::new(&x, 1, 2), MatrixMut::new(&mut y, 1, 1));
    conv.stream(weights, &mut [0.0; 3], x, y);
}
