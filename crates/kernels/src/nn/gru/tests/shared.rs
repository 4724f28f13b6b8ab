//! Workers with some of the units each.

use std::thread;

use super::*;
use crate::nn::tests::Rendezvous;

/// All that comes out of a forward and a backward pass.
struct Passes {
    y: Vec<f32>,
    state: Vec<f32>,
    grad_state: Vec<f32>,
    /// Of x, kernel, recurrent kernel and bias.
    grads: [Vec<f32>; 4],
}

/// Both passes of the worker with the units `units`; `join` makes the whole `y` of all workers' parts.
fn passes(
    size: Size,
    inputs: [&[f32]; 5],
    units: Range<usize>,
    mut exchange: Option<&mut Exchange<'_>>,
    join: impl Fn(&[f32]) -> Vec<f32>,
) -> Passes {
    let (n_rows, n_own) = (size.n_rows(), units.len());
    let mut recurrence = GruRecurrence::default();
    recurrence.pack_units_for_training(weights(inputs), units.clone());
    let mut gru = Gru::with_units(size.n_units, units.clone(), n_rows);
    let x = Matrix::new(inputs[0], n_rows, size.n_in);
    gru.project(weights(inputs), 0, x);
    let (mut state, mut y) = (inputs[4].to_vec(), vec![f32::NAN; n_rows * n_own]);
    let y_rows = MatrixMut::new(&mut y, n_rows, n_own);
    match &mut exchange {
        Some(exchange) => gru.recur_shared(&recurrence, &mut state, y_rows, exchange),
        None => gru.recur(&recurrence, &mut state, y_rows),
    }
    let whole = join(&y);
    let grad_y = pseudo_random(8, n_rows * size.n_units);
    let mut grad_state = vec![0.0; size.n_examples * n_own];
    let mut grads = [0, 1, 2, 3].map(|i| vec![0.0; size.lens()[i]]);
    let [grad_x, kernel, recurrent_kernel, bias] = &mut grads;
    let sequence = GruSequence {
        initial_state: inputs[4],
        y: Matrix::new(&whole, n_rows, size.n_units),
        grad_y: Matrix::new(&grad_y, n_rows, size.n_units).columns(units),
    };
    let of_weights = GruGradients { recurrent_kernel, bias };
    let grad = &mut grad_state;
    match exchange {
        Some(exchange) => {
            gru.recur_backward_shared(&recurrence, sequence, grad, of_weights, exchange)
        }
        None => gru.recur_backward(&recurrence, sequence, grad, of_weights),
    }
    let grad_x = MatrixMut::new(grad_x, n_rows, size.n_in);
    gru.project_backward(weights(inputs), 0, x, kernel, Some(grad_x));
    Passes { y, state, grad_state, grads }
}

/// The columns of the parts side by side.
fn joined(parts: &[Vec<f32>], n_rows: usize) -> Vec<f32> {
    let row = |part: &Vec<f32>, row: usize| {
        let n = part.len() / n_rows;
        part[row * n..(row + 1) * n].to_vec()
    };
    (0..n_rows).flat_map(|i| parts.iter().flat_map(move |part| row(part, i))).collect()
}

/// The workers' passes, each on a thread.
fn shared_passes(size: Size, inputs: [&[f32]; 5], ranges: &[Range<usize>]) -> Vec<Passes> {
    let exchange = ColumnExchange::new(3 * size.n_examples, size.n_units);
    let whole = ColumnExchange::new(size.n_rows(), size.n_units);
    let barrier = Rendezvous::new(ranges.len());
    let wait = || barrier.wait();
    thread::scope(|scope| {
        let workers: Vec<_> = ranges
            .iter()
            .map(|units| {
                let (exchange, whole) = (&exchange, &whole);
                scope.spawn(move || {
                    let join = |y: &[f32]| {
                        let mut all = vec![f32::NAN; size.n_rows() * size.n_units];
                        let y = Matrix::new(y, size.n_rows(), units.len());
                        let all_rows = MatrixMut::new(&mut all, size.n_rows(), size.n_units);
                        whole.worker(units.clone(), wait)(y, all_rows);
                        all
                    };
                    let mut worker = exchange.worker(units.clone(), wait);
                    passes(size, inputs, units.clone(), Some(&mut worker), join)
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker")).collect()
    })
}

#[test]
fn workers_that_share_the_units_compute_what_one_does_bit_for_bit() {
    let sizes = [(5, 1, 6), (3, 6, 21), (3, 15, 33), (2, 8, 48)];
    for (n_frames, n_examples, n_units) in sizes {
        let size = Size { n_frames, n_examples, n_in: 7, n_units };
        let n = size.n_units;
        let case = case(size, [1.0; 5]);
        let alone = passes(size, case.slices(), 0..n, None, <[f32]>::to_vec);
        for ranges in
            [vec![0..n / 2, n / 2..n], vec![0..1, 1..1, 1..n], vec![0..16.min(n), 16.min(n)..n]]
        {
            let parts = shared_passes(size, case.slices(), &ranges);
            let of = |part: fn(&Passes) -> &Vec<f32>| -> Vec<Vec<f32>> {
                parts.iter().map(|p| part(p).clone()).collect()
            };
            assert_eq!(joined(&of(|p| &p.y), size.n_rows()), alone.y, "{size:?} {ranges:?}: y");
            for part in &parts {
                assert_eq!(part.state, alone.state, "{size:?} {ranges:?}: every worker's state");
            }
            let grad_state = joined(&of(|p| &p.grad_state), size.n_examples);
            assert_eq!(grad_state, alone.grad_state, "{size:?} {ranges:?}: grad_state");
            for (i, name) in ["x", "kernel", "recurrent_kernel", "bias"].iter().enumerate() {
                let sum: Vec<f32> = (0..alone.grads[i].len())
                    .map(|j| parts.iter().map(|part| part.grads[i][j]).sum())
                    .collect();
                // The matrix products add in another order; sums of up to 3 * 48 terms of about 1.
                assert_close(name, &sum, &widen(&alone.grads[i]), 2e-5);
            }
        }
    }
}
