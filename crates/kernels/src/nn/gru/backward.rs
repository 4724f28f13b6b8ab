//! The recurrence of the GRU, backward in time.

use super::GruRecurrence;
use super::product::{LANES, Sums, load, product, store};
use crate::Matrix;
use crate::simd::{Kernel, mul_add};

/// All frames from the last to the first, in groups of rows that fit the registers.
pub(super) struct Backward<'a, const WIDE: bool> {
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
    /// Room for the gradients of the three gates of 8 rows, transposed.
    pub(super) columns: &'a mut [f32],
}

impl<const WIDE: bool> Kernel for Backward<'_, WIDE> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let n_rows = self.grad_state.len() / self.recurrence.n_units;
        let mut row = 0;
        while row < n_rows {
            row += match n_rows - row {
                8.. if WIDE => self.group::<FMA, 8>(row, n_rows),
                4.. => self.group::<FMA, 4>(row, n_rows),
                2.. => self.group::<FMA, 2>(row, n_rows),
                _ => self.group::<FMA, 1>(row, n_rows),
            };
        }
    }
}

impl<const WIDE: bool> Backward<'_, WIDE> {
    /// Every frame of `ROWS` rows from `first` on; returns `ROWS`.
    #[inline(always)]
    fn group<const FMA: bool, const ROWS: usize>(&mut self, first: usize, n_rows: usize) -> usize {
        let n_units = self.recurrence.n_units;
        let recurrence = self.recurrence;
        let mut sums: Sums<ROWS, 2> = [[[0.0; LANES]; 2]; ROWS];
        for frame_row in (first..self.y.n_rows()).step_by(n_rows).rev() {
            for row in 0..ROWS {
                for unit in (0..n_units).step_by(LANES) {
                    self.cell::<FMA, ROWS>(frame_row + row, first + row, unit, n_rows);
                }
            }
            let (columns, _) = self.columns.as_chunks::<ROWS>();
            let columns = &columns[..3 * n_units];
            let (packed, _) = recurrence.backward.as_chunks::<LANES>();
            let (packed, _) = packed.as_chunks::<2>();
            for (block, packed) in packed.chunks_exact(3 * n_units).enumerate() {
                product::<FMA, WIDE, ROWS, 2>(columns, packed, &mut sums);
                let unit = block * 2 * LANES;
                let end = (unit + 2 * LANES).min(n_units);
                for (row, sums) in sums.iter().enumerate() {
                    let grad_state = &mut self.grad_state[(first + row) * n_units..][unit..end];
                    for (grad_state, sum) in grad_state.iter_mut().zip(sums.as_flattened()) {
                        *grad_state += sum;
                    }
                }
            }
        }
        ROWS
    }

    /// One frame of up to `LANES` units of one row: all but the way through `recurrent_kernel`.
    ///
    /// With `h' = z h + (1 - z) c`, `c = tanh(x_c + r s)` and `s` the recurrent part of `c`, each
    /// gradient is that of what goes into the gate.
    #[inline(always)]
    fn cell<const FMA: bool, const ROWS: usize>(
        &mut self,
        frame_row: usize,
        row: usize,
        unit: usize,
        n_rows: usize,
    ) {
        let n_units = self.recurrence.n_units;
        let end = (unit + LANES).min(n_units);
        let previous = match frame_row.checked_sub(n_rows) {
            Some(previous_row) => load(&self.y.row(previous_row)[unit..end]),
            None => load(&self.initial_state[row * n_units..][unit..end]),
        };
        let gates = &mut self.gates[frame_row * 3 * n_units..][..3 * n_units];
        let (z_values, rest) = gates.split_at_mut(n_units);
        let (r_values, c_values) = rest.split_at_mut(n_units);
        let [z_values, r_values, c_values] =
            [z_values, r_values, c_values].map(|values| &mut values[unit..end]);
        let recurrent_values = &mut self.recurrent[frame_row * n_units..][unit..end];
        let state_values = &mut self.grad_state[row * n_units..][unit..end];

        let (z, r, c, s) = (load(z_values), load(r_values), load(c_values), load(recurrent_values));
        let (mut grad_h, grad_y) =
            (load(state_values), load(&self.grad_y.row(frame_row)[unit..end]));
        let mut grads = [[0.0; LANES]; 4];
        for i in 0..LANES {
            let g = grad_h[i] + grad_y[i];
            let grad_c = g * (1.0 - z[i]) * mul_add::<FMA>(-c[i], c[i], 1.0);
            grads[0][i] = g * (previous[i] - c[i]) * z[i] * (1.0 - z[i]);
            grads[1][i] = grad_c * s[i] * r[i] * (1.0 - r[i]);
            grads[2][i] = grad_c;
            grads[3][i] = grad_c * r[i];
            grad_h[i] = g * z[i];
        }
        store(&grads[0], z_values);
        store(&grads[1], r_values);
        store(&grads[2], c_values);
        store(&grads[3], recurrent_values);
        store(&grad_h, state_values);

        // The product with the transposed recurrent kernel wants these columns side by side.
        let (columns, _) = self.columns.as_chunks_mut::<ROWS>();
        for (gate, grad) in [&grads[0], &grads[1], &grads[3]].into_iter().enumerate() {
            let columns = &mut columns[gate * n_units..][unit..end];
            columns.iter_mut().zip(grad).for_each(|(column, &g)| column[row % ROWS] = g);
        }
    }
}
