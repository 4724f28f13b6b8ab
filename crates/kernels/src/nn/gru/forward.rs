//! The recurrence of the GRU, forward in time.

use super::GruRecurrence;
use super::product::{LANES, Lanes, Sums, load, product, store};
use crate::MatrixMut;
use crate::nn::activation::{sigmoid, tanh};
use crate::simd::{Kernel, mul_add};

/// All frames, in groups of rows that fit the registers.
pub(super) struct Forward<'a, const WIDE: bool> {
    pub(super) recurrence: &'a GruRecurrence,
    /// `[n_frames * n_rows, 3 n_units]`: in, the input's part; out, z, r and the candidate.
    pub(super) gates: &'a mut [f32],
    /// `[n_frames * n_rows, n_units]`: out, the recurrent part of the candidate.
    pub(super) recurrent: &'a mut [f32],
    /// `[n_rows, n_units]`: in, before the first frame; out, after the last.
    pub(super) state: &'a mut [f32],
    /// `[n_frames * n_rows, n_units]`
    pub(super) y: MatrixMut<'a>,
    /// Room for the state of 8 rows, transposed.
    pub(super) columns: &'a mut [f32],
}

impl<const WIDE: bool> Kernel for Forward<'_, WIDE> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let n_rows = self.state.len() / self.recurrence.n_units;
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

impl<const WIDE: bool> Forward<'_, WIDE> {
    /// Every frame of `ROWS` rows from `first` on; returns `ROWS`.
    #[inline(always)]
    fn group<const FMA: bool, const ROWS: usize>(&mut self, first: usize, n_rows: usize) -> usize {
        let n_units = self.recurrence.n_units;
        let recurrence = self.recurrence;
        let mut sums: Sums<ROWS, 3> = [[[0.0; LANES]; 3]; ROWS];
        for frame_row in (first..self.y.n_rows()).step_by(n_rows) {
            let state = &self.state[first * n_units..][..ROWS * n_units];
            let (columns, _) = self.columns.as_chunks_mut::<ROWS>();
            let columns = &mut columns[..n_units];
            for (row, state) in state.chunks_exact(n_units).enumerate() {
                columns.iter_mut().zip(state).for_each(|(column, &h)| column[row] = h);
            }
            let (packed, _) = recurrence.forward.as_chunks::<LANES>();
            let (packed, _) = packed.as_chunks::<3>();
            for (block, packed) in packed.chunks_exact(n_units).enumerate() {
                let (columns, _) = self.columns.as_chunks::<ROWS>();
                product::<FMA, WIDE, ROWS, 3>(&columns[..n_units], packed, &mut sums);
                for (row, sums) in sums.iter().enumerate() {
                    self.cell::<FMA>(frame_row + row, first + row, block * LANES, sums);
                }
            }
        }
        ROWS
    }

    /// One frame of up to `LANES` units of one row, given `state * recurrent_kernel`.
    #[inline(always)]
    fn cell<const FMA: bool>(
        &mut self,
        frame_row: usize,
        row: usize,
        unit: usize,
        product: &[Lanes; 3],
    ) {
        let n_units = self.recurrence.n_units;
        let end = (unit + LANES).min(n_units);
        let bias = |gate: usize| load(&self.recurrence.bias[gate * n_units..][unit..end]);
        let gates = &mut self.gates[frame_row * 3 * n_units..][..3 * n_units];
        let (z_values, rest) = gates.split_at_mut(n_units);
        let (r_values, candidate_values) = rest.split_at_mut(n_units);
        let z_values = &mut z_values[unit..end];
        let r_values = &mut r_values[unit..end];
        let candidate_values = &mut candidate_values[unit..end];
        let state = &mut self.state[row * n_units..][unit..end];

        let biases = [bias(0), bias(1), bias(2)];
        let inputs = [load(z_values), load(r_values), load(candidate_values)];
        let (mut z, mut r, mut candidate) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let (mut recurrent, mut h) = ([0.0; LANES], load(state));
        for i in 0..LANES {
            z[i] = sigmoid::<FMA>(inputs[0][i] + (product[0][i] + biases[0][i]));
            r[i] = sigmoid::<FMA>(inputs[1][i] + (product[1][i] + biases[1][i]));
            recurrent[i] = product[2][i] + biases[2][i];
        }
        for i in 0..LANES {
            candidate[i] = tanh::<FMA>(mul_add::<FMA>(r[i], recurrent[i], inputs[2][i]));
            h[i] = mul_add::<FMA>(z[i], h[i] - candidate[i], candidate[i]);
        }
        store(&z, z_values);
        store(&r, r_values);
        store(&candidate, candidate_values);
        store(&recurrent, &mut self.recurrent[frame_row * n_units..][unit..end]);
        store(&h, state);
        store(&h, &mut self.y.row_mut(frame_row)[unit..end]);
    }
}
