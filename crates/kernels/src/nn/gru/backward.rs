//! The recurrence of the GRU, backward in time.

use super::{Exchange, GruRecurrence, GruSequence, Scratch};
use crate::nn::lanes::{LANES, Lanes, load, store};
use crate::nn::packed::multiply;
use crate::simd::{Kernel, mul_add};
use crate::{Matrix, MatrixMut};

/// All frames from the last to the first.
pub(super) struct Backward<'a, 'b> {
    pub(super) recurrence: &'a GruRecurrence,
    /// `[n_frames * n_rows, 3, units]`: in, z, r and the candidate; out, the gradients of what goes
    /// into them.
    pub(super) gates: &'a mut [f32],
    /// `[n_frames * n_rows, units]`: in, the recurrent part of the candidate; out, its gradient.
    pub(super) recurrent: &'a mut [f32],
    pub(super) sequence: GruSequence<'a>,
    /// `[n_rows, units]`: in, the gradient of the final state; out, of the initial state.
    pub(super) grad_state: &'a mut [f32],
    /// `grad_recurrent`, `[n_rows, 3, n_units]`, are the gradients of one frame's recurrent parts, `mine`
    /// those of the units here if they are to be exchanged, and `sums`, `[n_rows, units / 32, 2, 16]`,
    /// all times the transposed recurrent kernel.
    pub(super) scratch: &'a mut Scratch,
    pub(super) exchange: Option<&'a mut Exchange<'b>>,
}

impl Kernel for Backward<'_, '_> {
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

impl Backward<'_, '_> {
    #[inline(always)]
    fn frames<const FMA: bool, const WIDE: bool>(mut self) {
        let (n_units, n_own) = (self.recurrence.n_units, self.recurrence.units.len());
        let n_rows = self.sequence.initial_state.len() / n_units;
        for frame_row in (0..self.sequence.y.n_rows()).step_by(n_rows).rev() {
            for row in 0..n_rows {
                for unit in (0..n_own).step_by(LANES) {
                    self.cell::<FMA>(frame_row, row, unit, n_rows);
                }
            }
            let Scratch { columns, sums, mine, grad_recurrent } = &mut *self.scratch;
            if let Some(exchange) = &mut self.exchange {
                let mine = Matrix::new(mine, 3 * n_rows, n_own);
                exchange(mine, MatrixMut::new(grad_recurrent, 3 * n_rows, n_units));
            }
            let packed = &self.recurrence.backward;
            multiply::<FMA, WIDE, 2>(grad_recurrent, 3 * n_units, packed, columns, sums);
            let states = self.grad_state.chunks_exact_mut(n_own.max(1));
            for (grad_state, sums) in states.zip(sums.chunks_exact((sums.len() / n_rows).max(1))) {
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
        let (n_units, units) = (self.recurrence.n_units, &self.recurrence.units);
        let n_own = units.len();
        let end = (unit + LANES).min(n_own);
        let frame_row = first_row + row;
        let before = match frame_row.checked_sub(n_rows) {
            Some(previous_row) => self.sequence.y.row(previous_row),
            None => &self.sequence.initial_state[row * n_units..][..n_units],
        };
        let previous = load(&before[units.start..][unit..end]);
        let gates = &mut self.gates[frame_row * 3 * n_own..][..3 * n_own];
        let gate = |gate: usize| load(&gates[gate * n_own..][unit..end]);
        let (z, r, c) = (gate(0), gate(1), gate(2));
        let recurrent = &mut self.recurrent[frame_row * n_own..][unit..end];
        let grad_state = &mut self.grad_state[row * n_own..][unit..end];
        let (s, grad_y) = (load(recurrent), load(&self.sequence.grad_y.row(frame_row)[unit..end]));
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
        store(&grad_r, &mut gates[n_own..][unit..end]);
        store(&grad_c, &mut gates[2 * n_own..][unit..end]);
        store(&grad_s, recurrent);
        store(&grad_h, grad_state);
        // Into the product goes what the gates took from the recurrent part.
        let Scratch { mine, grad_recurrent, .. } = &mut *self.scratch;
        let mine = if self.exchange.is_some() { mine } else { grad_recurrent };
        let mine = &mut mine[row * 3 * n_own..][..3 * n_own];
        store(&grad_z, &mut mine[unit..end]);
        store(&grad_r, &mut mine[n_own..][unit..end]);
        store(&grad_s, &mut mine[2 * n_own..][unit..end]);
    }
}
