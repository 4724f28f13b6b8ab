//! The transpose of reading a level at the samples of a hop.

use super::forward::{
    Cells, HopSamples, Places, TILE, add_product, add_scaled, dot, dot_lanes, gather, sum_each,
    taps_of,
};
use super::levels::LANES;
use super::spline::TAPS;
use crate::simd::{Kernel, mul_add, sum_lanes};

/// Reads again, with slopes, and accumulates the gradients of what was read.
pub(super) struct BackwardHop<'a> {
    pub(super) cells: Cells<'a>,
    pub(super) samples: HopSamples<'a>,
    /// Of the values read, `[n_samples]`, zero in the padding.
    pub(super) grad_values: &'a [f32],
    /// What was read; overwritten, `[n_samples]`.
    pub(super) values: &'a mut [f32],
    /// Its change over a cycle; overwritten, `[n_samples]`.
    pub(super) slopes: &'a mut [f32],
    /// Of the weights of this frame; accumulated into.
    pub(super) grad_weights: &'a mut [[f32; LANES]],
    /// Of the weights of the next frame; accumulated into.
    pub(super) grad_next_weights: &'a mut [[f32; LANES]],
    /// Of the cells, if wanted; accumulated into.
    pub(super) grad_cells: Option<&'a mut [f32]>,
}

impl Kernel for BackwardHop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        for start in (0..self.samples.phases.len()).step_by(TILE) {
            let tile = start..start + TILE;
            let phases = whole(&self.samples.phases[tile.clone()]);
            let places = Places::new::<FMA, true>(phases, self.cells.bits);
            if self.cells.width == 1 {
                self.one_table::<FMA>(&places, start);
            } else {
                self.tables::<FMA>(&places, start);
                self.cells_of_tables::<FMA>(&places, start);
            }
        }
    }
}

impl BackwardHop<'_> {
    /// A tile of one table: the lanes are samples.
    #[inline(always)]
    fn one_table<const FMA: bool>(&mut self, places: &Places, start: usize) {
        let samples = self.samples;
        let (weight, step) = (samples.table_weights[0][0], samples.table_steps[0][0]);
        let next_weights: &[f32; TILE] = whole(&samples.next_weights[start..start + TILE]);
        let grads: &[f32; TILE] = whole(&self.grad_values[start..start + TILE]);
        let taps = gather(places, self.cells.values);
        let (mut grad_weights, mut grad_next) = ([0.0; TILE], [0.0; TILE]);
        let mut grad_read = [0.0; TILE];
        let values = &mut self.values[start..start + TILE];
        let slopes = &mut self.slopes[start..start + TILE];
        for j in 0..TILE {
            let weight = mul_add::<FMA>(next_weights[j], step, weight);
            let read = dot::<FMA>(&places.weights, &taps, j);
            values[j] = weight * read;
            slopes[j] = weight * dot::<FMA>(&places.slopes, &taps, j);
            grad_next[j] = grads[j] * read * next_weights[j];
            grad_weights[j] = grads[j] * read - grad_next[j];
            grad_read[j] = grads[j] * weight;
        }
        self.grad_weights[0][0] += sum_lanes(grad_weights);
        self.grad_next_weights[0][0] += sum_lanes(grad_next);
        if let Some(grad_cells) = self.grad_cells.as_deref_mut() {
            for j in 0..TILE {
                let cells = &mut grad_cells[places.row(j)..][..TAPS];
                for (cell, weights) in cells.iter_mut().zip(&places.weights) {
                    *cell += grad_read[j] * weights[j];
                }
            }
        }
    }

    /// A tile of several tables: the lanes are tables, a group of them at a time.
    #[inline(always)]
    fn tables<const FMA: bool>(&mut self, places: &Places, start: usize) {
        let samples = self.samples;
        let next_weights: &[f32; TILE] = whole(&samples.next_weights[start..start + TILE]);
        let grads: &[f32; TILE] = whole(&self.grad_values[start..start + TILE]);
        let (mut values, mut slopes) = ([[0.0; LANES]; TILE], [[0.0; LANES]; TILE]);
        for group in 0..samples.table_weights.len() {
            let (weights, steps) = (samples.table_weights[group], samples.table_steps[group]);
            let (mut here, mut next) = ([0.0; LANES], [0.0; LANES]);
            for j in 0..TILE {
                let taps = taps_of(self.cells, places.row(j), group);
                let weights = add_scaled::<FMA>(next_weights[j], steps, weights);
                let read = dot_lanes::<FMA>(&places.weights, &taps, j);
                let change = dot_lanes::<FMA>(&places.slopes, &taps, j);
                values[j] = add_product::<FMA>(weights, read, values[j]);
                slopes[j] = add_product::<FMA>(weights, change, slopes[j]);
                let grad_next = grads[j] * next_weights[j];
                here = add_scaled::<FMA>(grads[j] - grad_next, read, here);
                next = add_scaled::<FMA>(grad_next, read, next);
            }
            for lane in 0..LANES {
                self.grad_weights[group][lane] += here[lane];
                self.grad_next_weights[group][lane] += next[lane];
            }
        }
        sum_each(&values, whole_mut(&mut self.values[start..start + TILE]));
        sum_each(&slopes, whole_mut(&mut self.slopes[start..start + TILE]));
    }

    /// The gradients of the cells of several tables.
    #[inline(always)]
    fn cells_of_tables<const FMA: bool>(&mut self, places: &Places, start: usize) {
        let Some(grad_cells) = self.grad_cells.as_deref_mut() else { return };
        let (samples, width) = (self.samples, self.cells.width);
        for group in 0..samples.table_weights.len() {
            let (weights, steps) = (samples.table_weights[group], samples.table_steps[group]);
            for j in 0..TILE {
                let weights = add_scaled::<FMA>(samples.next_weights[start + j], steps, weights);
                let rows = &mut grad_cells[places.row(j) * width..][..TAPS * width];
                for tap in 0..TAPS {
                    let cells = &mut rows[tap * width + group * LANES..][..LANES];
                    let cells: &mut [f32; LANES] = cells.first_chunk_mut().expect("lanes");
                    let grad = self.grad_values[start + j] * places.weights[tap][j];
                    *cells = add_scaled::<FMA>(grad, weights, *cells);
                }
            }
        }
    }
}

/// The slice as a whole tile.
#[inline(always)]
fn whole<T>(slice: &[T]) -> &[T; TILE] {
    slice.try_into().expect("buffers are padded to whole tiles")
}

#[inline(always)]
fn whole_mut<T>(slice: &mut [T]) -> &mut [T; TILE] {
    slice.try_into().expect("buffers are padded to whole tiles")
}
