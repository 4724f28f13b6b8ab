//! What the layers' tests share, and their comparisons in the order of the table.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::agreement::{Operation, Report};
use crate::golden::Golden;
use crate::testing::widen;

/// The comparisons of all layers.
pub(crate) fn agreement(report: &mut Report) {
    for agreement in [
        super::dense::tests::agreement,
        super::fc::tests::agreement,
        super::gru::tests::agreement,
        super::lstm::tests::agreement,
        super::conv1d::tests::agreement,
        super::conv2d::tests::agreement,
        super::normalize::tests::agreement,
        super::pointwise::tests::agreement,
        super::embedding::tests::agreement,
    ] {
        agreement(report);
    }
}

/// One evaluation of an operation of `N` inputs, each a tensor of its own.
pub(crate) struct Case<const N: usize> {
    pub(crate) names: [&'static str; N],
    pub(crate) inputs: [Vec<f32>; N],
    pub(crate) y_len: usize,
    /// Step of the numeric derivative in each input, in its unit.
    pub(crate) steps: [f64; N],
}

impl<const N: usize> Case<N> {
    /// The inputs as an operation takes them.
    pub(crate) fn slices(&self) -> [&[f32]; N] {
        self.inputs.each_ref().map(|input| &input[..])
    }

    /// What `reference` says of the inputs.
    pub(crate) fn expected(&self, reference: impl Fn([&[f64]; N], &mut [f64])) -> Vec<f64> {
        let inputs = self.inputs.each_ref().map(|input| widen(input));
        let mut y = vec![f64::NAN; self.y_len];
        reference(inputs.each_ref().map(|input| &input[..]), &mut y);
        y
    }

    /// Checks the gradient of every input, the others held.
    pub(crate) fn check_gradients(
        &self,
        operation: &mut Operation,
        reference: impl Fn([&[f64]; N], &mut [f64]),
        backward: impl Fn([&[f32]; N], &[f32], [&mut [f32]; N]),
    ) {
        let wide = self.inputs.each_ref().map(|input| widen(input));
        for (i, input) in self.inputs.iter().enumerate() {
            let step = self.steps[i];
            let forward = |x: &[f64], y: &mut [f64]| {
                let mut inputs = wide.each_ref().map(|input| &input[..]);
                inputs[i] = x;
                reference(inputs, y);
            };
            operation.gradient(
                self.names[i],
                input,
                self.y_len,
                step,
                forward,
                |x, grad_y, grad| {
                    let mut inputs = self.slices();
                    inputs[i] = x;
                    let mut grads = self.inputs.each_ref().map(|input| vec![0.0; input.len()]);
                    grads[i].copy_from_slice(grad);
                    backward(inputs, grad_y, grads.each_mut().map(|grad| &mut grad[..]));
                    grad.copy_from_slice(&grads[i]);
                },
            );
        }
    }
}

/// An input of a golden case with its shape.
pub(crate) fn golden_input(case: &str, name: &str) -> (Vec<f32>, Vec<usize>) {
    Golden::open("nn").array(&format!("{case}.in.{name}"))
}

/// Rows `(i, j)`, `i < n_i` and `j < n_j`, in the order `(j, i)`.
///
/// Golden sequences are `(example, frame)`, ours `(frame, example)`.
pub(crate) fn swapped_rows(rows: &[f32], n_i: usize, n_j: usize) -> Vec<f32> {
    let width = rows.len() / (n_i * n_j);
    let order = (0..n_i * n_j).map(|row| row % n_i * n_j + row / n_i);
    order.flat_map(|row| &rows[row * width..][..width]).copied().collect()
}

/// A barrier for `n` threads that spins, and panics where one never comes, so that a test fails
/// instead of hanging.
pub(crate) struct Rendezvous {
    n: usize,
    arrivals: AtomicUsize,
}

impl Rendezvous {
    pub(crate) fn new(n: usize) -> Self {
        Self { n, arrivals: AtomicUsize::new(0) }
    }

    pub(crate) fn wait(&self) {
        let all = (self.arrivals.fetch_add(1, Ordering::AcqRel) + 1).next_multiple_of(self.n);
        let start = Instant::now();
        while self.arrivals.load(Ordering::Acquire) < all {
            assert!(start.elapsed() < Duration::from_secs(60), "somebody did not come");
            thread::yield_now();
        }
    }
}

/// The same values, each times `factor`.
pub(crate) fn scaled(values: &[f32], factor: f32) -> Vec<f32> {
    values.iter().map(|v| factor * v).collect()
}

#[test]
fn the_layers_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}
