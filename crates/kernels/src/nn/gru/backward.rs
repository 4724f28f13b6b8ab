//! The recurrence of the GRU, backward in time.

use super::GruRecurrence;
use super::product::{LANES, Lanes, load, multiply, store};
use crate::Matrix;
use crate::simd::{Kernel, mul_add};

/// All frames from the last to the first.
pub(super) struct Backward<'a> {
    pub(super) recurrence: &'a GruRecurrence,
    /// `[n_frames * n_rows, 3 n_units]`: in, z, r and the candidate; out, the gradients of what goes
    /// into them.
    pub(super) gates: &'a mut [f32],
    /// `[n_frames * n_rows, n_units]`: in, the recurrent part of the candidate; out, its gradient.
    pub(super) recurrent: &'a mut [f32],
    /// `[n_rows, n_units]`
    pub(super) initial_state: &'a [f32],
    /// `[n_frames * n_rows, n_units]`
    pub(super) y: Matrix<'a>,
    /// `[n_frames * n_rows, n_units]`
    pub(super) grad_y: Matrix<'a>,
    /// `[n_rows, n_units]`: in, the gradient of the final state; out, of the initial state.
    pub(super) grad_state: &'a mut [f32],
    /// `[n_rows, 3 n_units]`: the gradients of one frame's recurrent parts.
    pub(super) grad_recurrent: &'a mut [f32],
    /// Scratch of the product.
    pub(super) columns: &'a mut [f32],
    /// `[n_rows, n_units / 32, 2, 16]`: those gradients times the transposed recurrent kernel.
    pub(super) sums: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.frames::<FMA, false>();
    }

    #[inline(always)]
    fn run_wide<const FMA: bool>(self) {
        self.frames::<FMA, true>();
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn frames<const FMA: bool, const WIDE: bool>(mut self) {
        let n_units = self.recurrence.n_units;
        let n_rows = self.grad_state.len() / n_units;
        for frame_row in (0..self.y.n_rows()).step_by(n_rows).rev() {
            for row in 0..n_rows {
                for unit in (0..n_units).step_by(LANES) {
                    self.cell::<FMA>(frame_row, row, unit, n_rows);
                }
            }
            let (grads, packed) = (&*self.grad_recurrent, &self.recurrence.backward);
            multiply::<FMA, WIDE, 2>(grads, 3 * n_units, packed, self.columns, self.sums);
            let width = self.sums.len() / n_rows;
            let states = self.grad_state.chunks_exact_mut(n_units);
            for (grad_state, sums) in states.zip(self.sums.chunks_exact(width)) {
                grad_state.iter_mut().zip(sums).for_each(|(grad, sum)| *grad += sum);
            }
        }
    }

    /// One frame of up to `LANES` units of one row: all but the way through `recurrent_kernel`.
    ///
    /// With `h' = z h + (1 - z) c`, `c = tanh(x_c + r s)` and `s` the recurrent part of `c`, each
    /// gradient is that of what goes into the gate.
    #[inline(always)]
    fn cell<const FMA: bool>(&mut self, first_row: usize, row: usize, unit: usize, n_rows: usize) {
        let n_units = self.recurrence.n_units;
        let end = (unit + LANES).min(n_units);
        let frame_row = first_row + row;
        let previous = match frame_row.checked_sub(n_rows) {
            Some(previous_row) => load(&self.y.row(previous_row)[unit..end]),
            None => load(&self.initial_state[row * n_units..][unit..end]),
        };
        let gates = &mut self.gates[frame_row * 3 * n_units..][..3 * n_units];
        let gate = |gate: usize| load(&gates[gate * n_units..][unit..end]);
        let (z, r, c) = (gate(0), gate(1), gate(2));
        let recurrent = &mut self.recurrent[frame_row * n_units..][unit..end];
        let grad_state = &mut self.grad_state[row * n_units..][unit..end];
        let (s, grad_y) = (load(recurrent), load(&self.grad_y.row(frame_row)[unit..end]));
        let mut grad_h = load(grad_state);
        let [mut grad_z, mut grad_r, mut grad_c, mut grad_s]: [Lanes; 4] = [[0.0; LANES]; 4];
        for i in 0..LANES {
            let g = grad_h[i] + grad_y[i];
            grad_c[i] = g * (1.0 - z[i]) * mul_add::<FMA>(-c[i], c[i], 1.0);
            grad_z[i] = g * (previous[i] - c[i]) * z[i] * (1.0 - z[i]);
            grad_r[i] = grad_c[i] * s[i] * r[i] * (1.0 - r[i]);
            grad_s[i] = grad_c[i] * r[i];
            grad_h[i] = g * z[i];
        }
        store(&grad_z, &mut gates[unit..end]);
        store(&grad_r, &mut gates[n_units..][unit..end]);
        store(&grad_c, &mut gates[2 * n_units..][unit..end]);
        store(&grad_s, recurrent);
        store(&grad_h, grad_state);
        // Into the product goes what the gates took from the recurrent part.
        let product_row = &mut self.grad_recurrent[row * 3 * n_units..][..3 * n_units];
        store(&grad_z, &mut product_row[unit..end]);
        store(&grad_r, &mut product_row[n_units..][unit..end]);
        store(&grad_s, &mut product_row[2 * n_units..][unit..end]);
    }
}
