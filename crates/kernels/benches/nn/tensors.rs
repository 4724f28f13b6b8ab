//! Convolutions and normalization.

use ddsp_kernels::nn::{
    Conv1d, Conv2d, Conv2dConfig, Dense, DenseGradients, Normalize, Padding, ScaleShift,
    ScaleShiftGradients,
};
use ddsp_kernels::{Matrix, MatrixMut};
use divan::Bencher;
use divan::counter::ItemsCount;

use crate::{N_FRAMES, N_UNITS, values};

/// A layer of the dilated decoder: 256 channels, 3 taps, every 4th frame, 4,000 frames. With
/// `BACKWARD`, all gradients: twice the products.
#[divan::bench(consts = [false, true])]
fn conv1d<const BACKWARD: bool>(bencher: Bencher<'_, '_>) {
    let (n_frames, n, kernel_len) = (4 * N_FRAMES, N_UNITS, 3);
    let conv = Conv1d { kernel_len, dilation: 4, stride: 1, padding: Padding::Same };
    let (x, kernel, bias) =
        (values(n_frames * n, 1.0), values(kernel_len * n * n, 0.1), values(n, 0.1));
    let (mut y, mut grad_x) = (values(n_frames * n, 1.0), vec![0.0; n_frames * n]);
    let (mut grad_kernel, mut grad_bias) = (vec![0.0; kernel.len()], vec![0.0; n]);
    let weights = Dense { kernel: &kernel, bias: &bias };
    let flop = if BACKWARD { 4 } else { 2 } * n_frames * kernel.len();
    bencher.counter(ItemsCount::new(flop)).bench_local(|| {
        let (x, y) = (Matrix::new(&x, n_frames, n), MatrixMut::new(&mut y, n_frames, n));
        if BACKWARD {
            let grads = DenseGradients { kernel: &mut grad_kernel, bias: &mut grad_bias };
            let grad_x = MatrixMut::new(&mut grad_x, n_frames, n);
            conv.backward(weights, x, y.as_ref(), grads, Some(grad_x));
        } else {
            conv.forward(weights, x, y);
        }
    });
}

/// The same layer forward, one frame after another.
#[divan::bench]
fn conv1d_stream(bencher: Bencher<'_, '_>) {
    let (n, kernel_len) = (N_UNITS, 3);
    let conv = Conv1d { kernel_len, dilation: 4, stride: 1, padding: Padding::Causal };
    let (x, kernel, bias) =
        (values(N_FRAMES * n, 1.0), values(kernel_len * n * n, 0.1), values(n, 0.1));
    let (mut y, mut history) = (vec![0.0; n], vec![0.0; conv.n_history_frames() * n]);
    let weights = Dense { kernel: &kernel, bias: &bias };
    bencher.counter(ItemsCount::new(2 * N_FRAMES * kernel.len())).bench_local(|| {
        for x in x.chunks_exact(n) {
            let y = MatrixMut::new(&mut y, 1, n);
            conv.stream(weights, &mut history, Matrix::new(x, 1, n), y);
        }
    });
}

/// The 3 x 3 convolution in the second block of the ResNet: 125 frames, 29 frequencies, 128 channels.
#[divan::bench(consts = [false, true])]
fn conv2d<const BACKWARD: bool>(bencher: Bencher<'_, '_>) {
    let (size, n) = ([125, 29], 128);
    let config = Conv2dConfig { size, n_in: n, n_out: n, kernel: [3, 3], stride: [1, 1] };
    let mut conv = Conv2d::new(config);
    let n_values = size[0] * size[1] * n;
    let (x, kernel, bias) = (values(n_values, 1.0), values(9 * n * n, 0.1), values(n, 0.1));
    let (mut y, mut grad_x) = (values(n_values, 1.0), vec![0.0; n_values]);
    let (mut grad_kernel, mut grad_bias) = (vec![0.0; kernel.len()], vec![0.0; n]);
    let weights = Dense { kernel: &kernel, bias: &bias };
    let flop = if BACKWARD { 4 } else { 2 } * n_values / n * kernel.len();
    bencher.counter(ItemsCount::new(flop)).bench_local(|| {
        if BACKWARD {
            let grads = DenseGradients { kernel: &mut grad_kernel, bias: &mut grad_bias };
            conv.backward(weights, &x, &y, grads, Some(&mut grad_x));
        } else {
            conv.forward(weights, &x, &mut y);
        }
    });
}

/// Layer norm over all of 1,000 frames of 256 channels; items are values. With `BACKWARD`, all
/// gradients.
#[divan::bench(consts = [false, true])]
fn normalize<const BACKWARD: bool>(bencher: Bencher<'_, '_>) {
    let (n_values, n) = (N_FRAMES * N_UNITS, N_UNITS);
    let mut normalize = Normalize::layer(n);
    let (x, mut y, mut grad_x) =
        (values(n_values, 1.0), values(n_values, 1.0), vec![0.0; n_values]);
    let [scale, shift, mut grad_scale, mut grad_shift] = [(); 4].map(|()| values(n, 1.0));
    let weights = ScaleShift { scale: &scale, shift: &shift };
    normalize.forward(weights, &x, &mut y);
    bencher.counter(ItemsCount::new(n_values)).bench_local(|| {
        if BACKWARD {
            let grads = ScaleShiftGradients { scale: &mut grad_scale, shift: &mut grad_shift };
            normalize.backward(weights, &x, &y, grads, &mut grad_x);
        } else {
            normalize.forward(weights, &x, &mut y);
        }
    });
}
