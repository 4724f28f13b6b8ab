//! One hop of the synthesizer's controls, and the buffers for it.

use std::ops::Range;

use super::forward::{HopSamples, TILE};
use super::levels::{FADE, LANES, Levels};
use crate::FrameGrid;
use crate::phase::{Glide, Phase};

/// The inputs of one example, checked.
#[derive(Clone, Copy)]
pub(super) struct Controls<'a> {
    pub(super) f0_hz: &'a [f32],
    pub(super) amplitudes: &'a [f32],
    pub(super) table_weights: &'a [f32],
}

impl Controls<'_> {
    /// The frame after `i`; the last is its own successor, that is, held.
    pub(super) fn next(self, i: usize) -> usize {
        (i + 1).min(self.f0_hz.len() - 1)
    }

    /// f0 over the hop after frame `i`.
    pub(super) fn glide(self, grid: FrameGrid, i: usize) -> Glide {
        let turns = |i: usize| f64::from(self.f0_hz[i]) / f64::from(grid.sample_rate);
        Glide { start: turns(i), end: turns(self.next(i)) }
    }
}

/// The samples of a hop, as the kernels read them.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    phases: Vec<u32>,
    next_weights: Vec<f32>,
    table_weights: Vec<[f32; LANES]>,
    table_steps: Vec<[f32; LANES]>,
}

impl Samples {
    pub(super) fn as_ref(&self) -> HopSamples<'_> {
        HopSamples {
            phases: &self.phases,
            next_weights: &self.next_weights,
            table_weights: &self.table_weights,
            table_steps: &self.table_steps,
        }
    }
}

/// What one hop needs, so that nothing is allocated while it runs. Padded to whole tiles.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    pub(super) samples: Samples,
    /// f0 in units of the Nyquist frequency, `[hop]`.
    f0_nyquist: Vec<f32>,
    /// How much of a level is heard, and its change with `f0_nyquist`.
    pub(super) gains: Vec<f32>,
    pub(super) gain_slopes: Vec<f32>,
    /// The tables at one level, and their change over a cycle.
    pub(super) level_values: Vec<f32>,
    pub(super) level_slopes: Vec<f32>,
    /// All levels together.
    pub(super) values: Vec<f32>,
    /// Gradients of `values` and of `level_values`; zero in the padding.
    pub(super) grad_values: Vec<f32>,
    pub(super) grad_level_values: Vec<f32>,
    /// Gradients of the phases in turns and of `f0_nyquist` where it sets the gains.
    pub(super) grad_phases: Vec<f32>,
    pub(super) grad_f0_nyquist: Vec<f32>,
    /// Gradients of the weights of the frame and of the next.
    pub(super) grad_weights: Vec<[f32; LANES]>,
    pub(super) grad_next_weights: Vec<[f32; LANES]>,
}

impl Scratch {
    pub(super) fn new(hop: usize, width: usize) -> Self {
        let padded = hop.next_multiple_of(TILE);
        let samples = || vec![0.0; padded];
        let tables = || vec![[0.0; LANES]; width.div_ceil(LANES)];
        Self {
            samples: Samples {
                phases: vec![0; padded],
                next_weights: (0..padded).map(|j| j as f32 / hop as f32).collect(),
                table_weights: tables(),
                table_steps: tables(),
            },
            f0_nyquist: vec![0.0; hop],
            gains: samples(),
            gain_slopes: samples(),
            level_values: samples(),
            level_slopes: samples(),
            values: samples(),
            grad_values: samples(),
            grad_level_values: samples(),
            grad_phases: samples(),
            grad_f0_nyquist: samples(),
            grad_weights: tables(),
            grad_next_weights: tables(),
        }
    }

    /// Fills in phases, f0 and table weights of the hop after frame `i`.
    pub(super) fn prepare(&mut self, controls: Controls<'_>, i: usize, phase: Phase, glide: Glide) {
        let hop = self.f0_nyquist.len();
        let phases = self.samples.phases.iter_mut();
        phases.zip(glide.phases_from(phase, hop)).for_each(|(to, from)| *to = from);
        glide.write_f0_nyquist(&mut self.f0_nyquist);
        let n_tables = controls.table_weights.len() / controls.f0_hz.len();
        let here = &controls.table_weights[i * n_tables..][..n_tables];
        let next = &controls.table_weights[controls.next(i) * n_tables..][..n_tables];
        let weights = self.samples.table_weights.as_flattened_mut().iter_mut();
        let steps = self.samples.table_steps.as_flattened_mut();
        for (((weight, step), here), next) in weights.zip(steps).zip(here).zip(next) {
            (*weight, *step) = (*here, next - here);
        }
    }

    /// The levels that are heard in the hop: `first..end`, empty above the Nyquist frequency.
    pub(super) fn audible(&self, levels: &Levels) -> Range<usize> {
        // Rounding keeps order, so the ends have the extremes.
        let (a, b) = (self.f0_nyquist[0], self.f0_nyquist[self.f0_nyquist.len() - 1]);
        let low = if a * b < 0.0 { 0.0 } else { a.abs().min(b.abs()) };
        let high = a.abs().max(b.abs());
        let last = levels.count() - 1;
        if a.is_nan() || b.is_nan() {
            // Any level hands a NaN on.
            return last..last + 1;
        }
        let n_harmonics = |i: usize| levels.n_harmonics(i);
        let first = (0..=last).find(|&i| allowance(n_harmonics(i), low) > 0.0);
        let Some(first) = first else { return 0..0 };
        let whole = (first..=last).find(|&i| allowance(n_harmonics(i), high) >= 1.0);
        first..whole.unwrap_or(last) + 1
    }

    /// Computes how much of level `i` is heard at each sample: what its bandwidth is allowed, less
    /// what wider levels have of it. The sum over levels is 1 below the Nyquist frequency.
    pub(super) fn set_gains(&mut self, levels: &Levels, i: usize) {
        let wider = i.checked_sub(1).map(|i| levels.n_harmonics(i));
        let n_harmonics = levels.n_harmonics(i);
        for (gain, f0) in self.gains.iter_mut().zip(&self.f0_nyquist) {
            *gain = allowance(n_harmonics, f0.abs());
        }
        if let Some(wider) = wider {
            for (gain, f0) in self.gains.iter_mut().zip(&self.f0_nyquist) {
                *gain -= allowance(wider, f0.abs());
            }
        }
    }

    /// The derivatives of [`set_gains`](Self::set_gains) with respect to `f0_nyquist`.
    pub(super) fn set_gain_slopes(&mut self, levels: &Levels, i: usize) {
        let wider = i.checked_sub(1).map_or(0, |i| levels.n_harmonics(i));
        let n_harmonics = levels.n_harmonics(i);
        for (slope, f0) in self.gain_slopes.iter_mut().zip(&self.f0_nyquist) {
            let change = allowance_slope(n_harmonics, f0.abs()) - allowance_slope(wider, f0.abs());
            *slope = if *f0 < 0.0 { -change } else { change };
        }
    }

    /// Makes ready to gather the gradients of a hop.
    pub(super) fn clear(&mut self) {
        for sums in [&mut self.values, &mut self.grad_phases, &mut self.grad_f0_nyquist] {
            sums.fill(0.0);
        }
        self.grad_weights.fill([0.0; LANES]);
        self.grad_next_weights.fill([0.0; LANES]);
    }

    /// Adds what a level was read as, and its gradients, to those of the hop.
    pub(super) fn add_level(&mut self) {
        for j in 0..self.values.len() {
            let value = self.level_values[j];
            self.values[j] += self.gains[j] * value;
            self.grad_phases[j] += self.grad_level_values[j] * self.level_slopes[j];
            self.grad_f0_nyquist[j] += self.grad_values[j] * value * self.gain_slopes[j];
        }
    }

    /// Hands out the gradients of the table weights of the hop after frame `i`.
    pub(super) fn add_table_weights(
        &self,
        controls: Controls<'_>,
        i: usize,
        grad_table_weights: &mut [f32],
    ) {
        let n_tables = controls.table_weights.len() / controls.f0_hz.len();
        for (frame, grads) in [(i, &self.grad_weights), (controls.next(i), &self.grad_next_weights)]
        {
            let row = &mut grad_table_weights[frame * n_tables..][..n_tables];
            row.iter_mut().zip(grads.as_flattened()).for_each(|(sum, grad)| *sum += grad);
        }
    }
}

/// How much of a level may be heard at an f0 of `f0_nyquist`, at least 0: all of it up to a [`FADE`]
/// below the frequency at which its highest harmonic meets the Nyquist frequency, and from there on
/// nothing. NaN stays NaN.
fn allowance(n_harmonics: usize, f0_nyquist: f32) -> f32 {
    ((1.0 - n_harmonics as f32 * f0_nyquist) * (1.0 / FADE)).clamp(0.0, 1.0)
}

/// The derivative of [`allowance`] with respect to `f0_nyquist`.
fn allowance_slope(n_harmonics: usize, f0_nyquist: f32) -> f32 {
    let way = 1.0 - n_harmonics as f32 * f0_nyquist;
    if way > 0.0 && way < FADE { -(n_harmonics as f32) / FADE } else { 0.0 }
}
