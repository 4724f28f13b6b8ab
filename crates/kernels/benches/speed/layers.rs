//! Lines for the network layers: a clip of 1000 frames, rows of 16 clips together.

use std::hint::black_box;

use ddsp_kernels::nn::{Fc, FcCache, Gru, GruRecurrence, GruWeights, fc};
use ddsp_kernels::{Matrix, MatrixMut};

use crate::synths::N_FRAMES;
use crate::table::{Limit, Table, Work};

/// Width of the layers.
const WIDTH: usize = 512;

/// Adds all lines.
pub fn lines(table: &Table) {
    let values = |n: usize| -> Vec<f32> { (0..n).map(|i| 0.05 * (i as f32).sin()).collect() };
    let (kernel, bias) = (values(WIDTH * WIDTH), values(WIDTH));
    let work = Work {
        name: "dense 512 x 512 + layer norm + leaky ReLU",
        unit: "multiply-add",
        n_units: N_FRAMES * WIDTH * WIDTH,
        reference_secs: None,
        // Sixteen lanes in an instruction.
        limit: Limit::Arithmetic(1.0),
    };
    table.line(&work, || {
        let (kernel, bias, x) = (&kernel, &bias, values(N_FRAMES * WIDTH));
        let (mut normalized, mut y) = (x.clone(), x.clone());
        let (mut inverse_std, gain) = (vec![0.0; N_FRAMES], vec![1.0; WIDTH]);
        move || {
            let weights = Fc { kernel, bias, gain: &gain, shift: bias };
            let cache = FcCache {
                normalized: MatrixMut::new(&mut normalized, N_FRAMES, WIDTH),
                inverse_std: &mut inverse_std,
            };
            let x = Matrix::new(black_box(&x), N_FRAMES, WIDTH);
            fc(weights, x, cache, MatrixMut::new(&mut y, N_FRAMES, WIDTH));
        }
    });
    gru(table, &values(3 * WIDTH * WIDTH), &values(6 * WIDTH));
}

/// The recurrence of eight clips at once, as a thread of two has it in a batch of 16.
fn gru(table: &Table, recurrent_kernel: &[f32], bias: &[f32]) {
    let n_clips = 8;
    let work = Work {
        name: "GRU 512 recurrence, 8 clips at once, 16 times",
        unit: "multiply-add",
        n_units: N_FRAMES * 3 * WIDTH * WIDTH * n_clips,
        reference_secs: None,
        limit: Limit::Arithmetic(1.0),
    };
    table.line(&work, || {
        let n_rows = N_FRAMES * n_clips;
        let mut recurrence = GruRecurrence::default();
        recurrence.pack(GruWeights { kernel: recurrent_kernel, recurrent_kernel, bias });
        let mut gru = Gru::new(WIDTH, n_rows);
        let (mut y, mut state) = (vec![0.0; n_rows * WIDTH], vec![0.0; n_clips * WIDTH]);
        move || {
            gru.recur(&recurrence, &mut state, MatrixMut::new(&mut y, n_rows, WIDTH));
            black_box(&mut y);
        }
    });
}
