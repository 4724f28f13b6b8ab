//! The recurrence of the GRU, forward in time.

use super::{Exchange, GruRecurrence};
use crate::nn::activation::{sigmoid, tanh};
use crate::nn::lanes::{LANES, Lanes, load, store};
use crate::nn::packed::multiply;
use crate::simd::{Kernel, mul_add};
use crate::{Matrix, MatrixMut};

/// All frames, one after the other.
pub(super) struct Forward<'a, 'b> {
    pub(super) recurrence: &'a GruRecurrence,
    /// `[n_frames * n_rows, 3, units]`: in, the input's part; out, z, r and the candidate.
    pub(super) gates: &'a mut [f32],
    /// `[n_frames * n_rows, units]`: out, the recurrent part of the candidate.
    pub(super) recurrent: &'a mut [f32],
    /// `[n_rows, n_units]`: in, before the first frame; out, after the last.
    pub(super) state: &'a mut [f32],
    /// `[n_rows, units]`: the new states computed here, if they are to be exchanged.
    pub(super) mine: &'a mut [f32],
    /// `[n_frames * n_rows, units]`
    pub(super) y: MatrixMut<'a>,
    /// Scratch of the product.
    pub(super) columns: &'a mut [f32],
    /// `[n_rows, units / 16, 3, 16]`: the state times the recurrent kernel.
    pub(super) sums: &'a mut [f32],
    pub(super) exchange: Option<&'a mut Exchange<'b>>,
}

impl Kernel for Forward<'_, '_> {
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

impl Forward<'_, '_> {
    #[inline(always)]
    fn frames<const FMA: bool, const WIDE: bool>(mut self) {
        let (n_units, n_own) = (self.recurrence.n_units, self.recurrence.units.len());
        let n_rows = self.state.len() / n_units;
        for frame_row in (0..self.y.n_rows()).step_by(n_rows) {
            let packed = &self.recurrence.forward;
            multiply::<FMA, WIDE, 3>(self.state, n_units, packed, self.columns, self.sums);
            for row in 0..n_rows {
                for unit in (0..n_own).step_by(LANES) {
                    self.cell::<FMA>(frame_row + row, row, unit);
                }
            }
            if let Some(exchange) = &mut self.exchange {
                let mine = Matrix::new(self.mine, n_rows, n_own);
                exchange(mine, MatrixMut::new(self.state, n_rows, n_units));
            }
        }
    }

    /// One frame of up to `LANES` units of one row.
    #[inline(always)]
    fn cell<const FMA: bool>(&mut self, frame_row: usize, row: usize, unit: usize) {
        let (n_units, n_own) = (self.recurrence.n_units, self.recurrence.units.len());
        let end = (unit + LANES).min(n_own);
        let sums = self.sums.as_chunks::<LANES>().0.as_chunks::<3>().0;
        let product = &sums[row * n_own.div_ceil(LANES) + unit / LANES];
        let bias = |gate: usize| load(&self.recurrence.bias[gate * n_own..][unit..end]);
        let biases = [bias(0), bias(1), bias(2)];
        let gates = &mut self.gates[frame_row * 3 * n_own..][..3 * n_own];
        let input = |gate: usize| load(&gates[gate * n_own..][unit..end]);
        let inputs = [input(0), input(1), input(2)];
        let state = &mut self.state[row * n_units + self.recurrence.units.start..][unit..end];

        let [mut z, mut r, mut candidate, mut recurrent]: [Lanes; 4] = [[0.0; LANES]; 4];
        let mut h = load(state);
        for i in 0..LANES {
            z[i] = sigmoid::<FMA>(inputs[0][i] + (product[0][i] + biases[0][i]));
            r[i] = sigmoid::<FMA>(inputs[1][i] + (product[1][i] + biases[1][i]));
            recurrent[i] = product[2][i] + biases[2][i];
            candidate[i] = tanh::<FMA>(mul_add::<FMA>(r[i], recurrent[i], inputs[2][i]));
            h[i] = mul_add::<FMA>(z[i], h[i] - candidate[i], candidate[i]);
        }
        store(&z, &mut gates[unit..end]);
        store(&r, &mut gates[n_own..][unit..end]);
        store(&candidate, &mut gates[2 * n_own..][unit..end]);
        store(&recurrent, &mut self.recurrent[frame_row * n_own..][unit..end]);
        match self.exchange {
            Some(_) => store(&h, &mut self.mine[row * n_own..][unit..end]),
            None => store(&h, state),
        }
        store(&h, &mut self.y.row_mut(frame_row)[unit..end]);
    }
}
