//! The recurrence of the LSTM, forward in time.

use super::{LstmRecurrence, LstmState};
use crate::MatrixMut;
use crate::nn::activation::{sigmoid, tanh};
use crate::nn::lanes::{LANES, Lanes, load, store};
use crate::nn::packed::multiply;
use crate::simd::{Kernel, mul_add};

/// All frames, one after the other.
pub(super) struct Forward<'a> {
    pub(super) recurrence: &'a LstmRecurrence,
    /// `[n_frames * n_rows, 4, n_units]`: in, the input's part; out, i, f, g and o.
    pub(super) gates: &'a mut [f32],
    /// `[n_frames * n_rows, n_units]`: out, the memory cells.
    pub(super) cells: &'a mut [f32],
    /// In, before the first frame; out, after the last.
    pub(super) state: LstmState<'a>,
    /// `[n_frames * n_rows, n_units]`
    pub(super) y: MatrixMut<'a>,
    /// Scratch of the product.
    pub(super) columns: &'a mut [f32],
    /// `[n_rows, n_units / 16, 4, 16]`: the state times the recurrent kernel.
    pub(super) sums: &'a mut [f32],
}

impl Kernel for Forward<'_> {
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

impl Forward<'_> {
    #[inline(always)]
    fn frames<const FMA: bool, const WIDE: bool>(mut self) {
        let n_units = self.recurrence.n_units;
        let n_rows = self.state.h.len() / n_units;
        for frame_row in (0..self.y.n_rows()).step_by(n_rows) {
            let packed = &self.recurrence.forward;
            multiply::<FMA, WIDE, 2>(self.state.h, n_units, packed, self.columns, self.sums);
            for row in 0..n_rows {
                for unit in (0..n_units).step_by(LANES) {
                    self.cell::<FMA>(frame_row + row, row, unit);
                }
            }
        }
    }

    /// One frame of up to `LANES` units of one row.
    #[inline(always)]
    fn cell<const FMA: bool>(&mut self, frame_row: usize, row: usize, unit: usize) {
        let n_units = self.recurrence.n_units;
        let end = (unit + LANES).min(n_units);
        let sums = self.sums.as_chunks::<LANES>().0.as_chunks::<4>().0;
        let product = &sums[row * n_units.div_ceil(LANES) + unit / LANES];
        let gates = &mut self.gates[frame_row * 4 * n_units..][..4 * n_units];
        let input = |gate: usize| load(&gates[gate * n_units..][unit..end]);
        let inputs = [input(0), input(1), input(2), input(3)];
        let place = row * n_units + unit..row * n_units + end;

        let [mut i, mut f, mut g, mut o]: [Lanes; 4] = [[0.0; LANES]; 4];
        let (mut c, mut h) = (load(&self.state.c[place.clone()]), [0.0; LANES]);
        for l in 0..LANES {
            i[l] = sigmoid::<FMA>(inputs[0][l] + product[0][l]);
            f[l] = sigmoid::<FMA>(inputs[1][l] + product[1][l]);
            g[l] = tanh::<FMA>(inputs[2][l] + product[2][l]);
            o[l] = sigmoid::<FMA>(inputs[3][l] + product[3][l]);
            c[l] = mul_add::<FMA>(f[l], c[l], i[l] * g[l]);
            h[l] = o[l] * tanh::<FMA>(c[l]);
        }
        for (gate, values) in [i, f, g, o].iter().enumerate() {
            store(values, &mut gates[gate * n_units..][unit..end]);
        }
        store(&c, &mut self.cells[frame_row * n_units..][unit..end]);
        store(&c, &mut self.state.c[place.clone()]);
        store(&h, &mut self.state.h[place]);
        store(&h, &mut self.y.row_mut(frame_row)[unit..end]);
    }
}
