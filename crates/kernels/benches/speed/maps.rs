//! Lines for pointwise maps and for the layers that are bound by memory.

use std::hint::black_box;

use ddsp_kernels::{ExpSigmoid, normalize_harmonics};

use crate::synths::N_FRAMES;
use crate::table::{Limit, Table, Work};

/// Values of a clip's map: beyond the caches, so that main memory is the limit.
const N_VALUES: usize = 1 << 22;

/// Adds all lines.
pub fn lines(table: &Table) {
    let x: Vec<f32> = (0..N_VALUES).map(|i| 6.0 * (i as f32).sin()).collect();
    let scale = ExpSigmoid::default();
    let work = Work {
        name: "exp_sigmoid forward",
        unit: "value",
        n_units: N_VALUES,
        reference_secs: None,
        // Read x; read for ownership and write y.
        limit: Limit::Bytes(8.0),
    };
    table.line(&work, || {
        let (x, mut y) = (&x, vec![0.0; N_VALUES]);
        move || scale.forward(black_box(x), &mut y)
    });
    let work = Work { name: "exp_sigmoid backward", limit: Limit::Bytes(16.0), ..work };
    table.line(&work, || {
        let (x, mut grad) = (&x, vec![0.0; N_VALUES]);
        move || scale.backward(black_box(x), x, &mut grad)
    });
    let n_harmonics = 100;
    let work = Work {
        name: "normalize_harmonics, 100 harmonics",
        n_units: N_FRAMES * n_harmonics,
        limit: Limit::Unknown,
        ..work
    };
    table.line(&work, || {
        let (x, f0_hz) = (vec![0.5; N_FRAMES * n_harmonics], vec![70.0; N_FRAMES]);
        let mut y = vec![0.0; x.len()];
        move || normalize_harmonics(black_box(&x), &f0_hz, 16_000.0, &mut y)
    });
}
