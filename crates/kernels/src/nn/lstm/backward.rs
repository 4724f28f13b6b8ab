//! The recurrence of the LSTM, backward in time.

use super::{LstmRecurrence, LstmSequence, LstmState};
use crate::nn::activation::tanh;
use crate::nn::lanes::{LANES, Lanes, load, store};
use crate::nn::packed::multiply;
use crate::simd::{Kernel, mul_add};

/// All frames from the last to the first.
pub(super) struct Backward<'a> {
    pub(super) recurrence: &'a LstmRecurrence,
    /// `[n_frames * n_rows, 4, n_units]`: in, i, f, g and o; out, the gradients of what goes into
    /// them.
    pub(super) gates: &'a mut [f32],
    /// `[n_frames * n_rows, n_units]`
    pub(super) cells: &'a [f32],
    pub(super) sequence: LstmSequence<'a>,
    /// In, the gradient of the final state; out, of the initial state.
    pub(super) grad_state: LstmState<'a>,
    /// Scratch of the product.
    pub(super) columns: &'a mut [f32],
    /// `[n_rows, n_units / 32, 2, 16]`: the gradients of one frame's gates times the transposed
    /// recurrent kernel.
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
        let (n_rows, width) = (self.grad_state.h.len() / n_units, 4 * n_units);
        for frame_row in (0..self.sequence.y.n_rows()).step_by(n_rows).rev() {
            for row in 0..n_rows {
                for unit in (0..n_units).step_by(LANES) {
                    self.cell::<FMA>(frame_row, row, unit, n_rows);
                }
            }
            let grad_gates = &self.gates[frame_row * width..(frame_row + n_rows) * width];
            let packed = &self.recurrence.backward;
            multiply::<FMA, WIDE, 2>(grad_gates, width, packed, self.columns, self.sums);
            let states = self.grad_state.h.chunks_exact_mut(n_units);
            for (grad_h, sums) in states.zip(self.sums.chunks_exact(self.sums.len() / n_rows)) {
                grad_h.copy_from_slice(&sums[..n_units]);
            }
        }
    }

    /// One frame of up to `LANES` units of one row: all but the way through `recurrent_kernel`.
    ///
    /// With `c' = f c + i g` and `h' = o tanh(c')`, each gradient is that of what goes into the gate.
    #[inline(always)]
    fn cell<const FMA: bool>(&mut self, first_row: usize, row: usize, unit: usize, n_rows: usize) {
        let n_units = self.recurrence.n_units;
        let end = (unit + LANES).min(n_units);
        let frame_row = first_row + row;
        let before = match frame_row.checked_sub(n_rows) {
            Some(previous_row) => &self.cells[previous_row * n_units..],
            None => &self.sequence.initial_c[row * n_units..],
        };
        let before = load(&before[unit..end]);
        let c = load(&self.cells[frame_row * n_units..][unit..end]);
        let gates = &mut self.gates[frame_row * 4 * n_units..][..4 * n_units];
        let gate = |gate: usize| load(&gates[gate * n_units..][unit..end]);
        let [i, f, g, o] = [gate(0), gate(1), gate(2), gate(3)];
        let grad_h = load(&self.grad_state.h[row * n_units..][unit..end]);
        let grad_y = load(&self.sequence.grad_y.row(frame_row)[unit..end]);
        let grad_cells = &mut self.grad_state.c[row * n_units..][unit..end];
        let mut grad_c = load(grad_cells);
        let [mut grad_i, mut grad_f, mut grad_g, mut grad_o]: [Lanes; 4] = [[0.0; LANES]; 4];
        for l in 0..LANES {
            let tanh_c = tanh::<FMA>(c[l]);
            let grad = grad_h[l] + grad_y[l];
            let d = grad_c[l] + grad * o[l] * mul_add::<FMA>(-tanh_c, tanh_c, 1.0);
            grad_i[l] = d * g[l] * i[l] * (1.0 - i[l]);
            grad_f[l] = d * before[l] * f[l] * (1.0 - f[l]);
            grad_g[l] = d * i[l] * mul_add::<FMA>(-g[l], g[l], 1.0);
            grad_o[l] = grad * tanh_c * o[l] * (1.0 - o[l]);
            grad_c[l] = d * f[l];
        }
        for (gate, values) in [grad_i, grad_f, grad_g, grad_o].iter().enumerate() {
            store(values, &mut gates[gate * n_units..][unit..end]);
        }
        store(&grad_c, grad_cells);
    }
}
