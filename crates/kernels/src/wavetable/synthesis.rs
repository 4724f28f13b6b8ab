//! The wavetable synthesizer of the reference: tables as they come, read in straight lines.

#![expect(
    clippy::cast_possible_truncation,
    reason = "phases wrap on purpose; sums in f64 are rounded to f32 at the end"
)]

use super::lookup::{Cell, Tables};
use crate::FrameGrid;
use crate::phase::{Glide, Phase};
use crate::sine::{QUARTER_TURN, sine};

/// What [`wavetable_synthesis`] makes a sound of.
#[derive(Clone, Copy, Debug)]
pub struct TableControls<'a> {
    /// Fundamental frequency, `[n_frames]`.
    pub f0_hz: &'a [f32],
    /// Linear, `[n_frames]`.
    pub amplitudes: &'a [f32],
    /// One table, or one for each frame.
    pub tables: Tables<'a>,
}

/// Where [`wavetable_synthesis_backward`] accumulates; shapes as the inputs of the same name.
#[derive(Debug)]
pub struct TableGradients<'a> {
    /// With respect to `f0_hz`, `[n_frames]`.
    pub f0_hz: &'a mut [f32],
    /// With respect to `amplitudes`, `[n_frames]`.
    pub amplitudes: &'a mut [f32],
    /// With respect to the values of `tables`.
    pub tables: &'a mut [f32],
    /// With respect to `initial_phase`, for each turn.
    pub initial_phase: &'a mut f64,
}

/// Plays tables at a gliding pitch: overwrites `audio`, and returns the phase of the sample after it,
/// in turns, in `[0, 1)`.
///
/// `audio[n] = amplitude[n] * lookup(phase[n])` with [`linear_lookup`](crate::linear_lookup),
/// `phase[0] = initial_phase` and `phase[n + 1] = phase[n] + f0[n] / sample_rate`. f0 and the tables
/// go in straight lines from frame to frame, the amplitudes in a raised cosine. The reference's
/// `core.wavetable_synthesis`, but for the phase, which is exact here; the reference sums it in f32
/// and is off by several values of a table after a few seconds. Tables at a lower rate than the frames
/// go through [`Resample`](crate::Resample) first, which gives the same straight lines.
///
/// The tables are played as they are: with a mean, if they have one, and with all their harmonics,
/// of which those above the Nyquist frequency alias. [`Wavetable`](crate::Wavetable) does better.
///
/// `audio` holds `n_frames` hops, the last frame held, or one less: then the last frame is only the
/// end of the last interpolation, and the first of the next block (see
/// [`Harmonic`](crate::Harmonic)). Any such split gives the same samples, bit for bit.
///
/// An f0 that is not finite stops the phase; NaN in amplitudes or tables is NaN in `audio`.
///
/// # Panics
///
/// If the hop is 0, if `amplitudes` is not as long as `f0_hz`, if `tables` is not one table or one for
/// each frame, or if `audio` is not as long as said.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn wavetable_synthesis(
    grid: FrameGrid,
    controls: TableControls<'_>,
    initial_phase: f64,
    audio: &mut [f32],
) -> f64 {
    let table_len = check(grid, controls, audio.len());
    let mut phase = Phase::from_turns(initial_phase);
    for (i, audio) in audio.chunks_exact_mut(grid.hop).enumerate() {
        let hop = Hop::new(grid, controls, table_len, i);
        for ((j, y), phase) in audio.iter_mut().enumerate().zip(hop.phases(phase)) {
            *y =
                hop.amplitude(hop.next_weight(j)) * hop.read(j, Cell::at_phase(phase, table_len)).0;
        }
        phase = hop.glide.after_hop(phase, grid.hop);
    }
    phase.turns()
}

/// Accumulates the vector-Jacobian product of [`wavetable_synthesis`] with `grad_audio`.
///
/// With `g = grad_audio`, `v` what was looked up and `w` the weight of the next frame, frame `i` gets
/// `grad amplitudes[i] = sum_n g v (1 - w)` over the hop after it and `sum_n g v w` over the hop before;
/// the tables get `g amplitude` times the weights of their two values and of the frame. The phase of
/// sample `n` moves with every f0 before it, so
/// `grad f0[n] = sum over m > n of g[m] amplitude[m] v'[m] / sample_rate`, and `initial_phase` moves all.
///
/// # Panics
///
/// As [`wavetable_synthesis`], or if a gradient's length is not its input's.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn wavetable_synthesis_backward(
    grid: FrameGrid,
    controls: TableControls<'_>,
    initial_phase: f64,
    grad_audio: &[f32],
    mut grads: TableGradients<'_>,
) {
    let table_len = check(grid, controls, grad_audio.len());
    check_gradients(controls, &grads);
    let mut phase = Phase::from_turns(initial_phase);
    for i in 0..grad_audio.len() / grid.hop {
        phase = Hop::new(grid, controls, table_len, i).glide.after_hop(phase, grid.hop);
    }
    // Backwards in time, so that the sum over later phases is at hand.
    let mut later_phases = 0.0;
    for (i, grad_audio) in grad_audio.chunks_exact(grid.hop).enumerate().rev() {
        let hop = Hop::new(grid, controls, table_len, i);
        phase = hop.glide.before_hop(phase, grid.hop);
        later_phases = hop.backward(phase, grad_audio, later_phases, &mut grads);
    }
    *grads.initial_phase += later_phases;
}

/// One hop of the controls.
#[derive(Clone, Copy)]
struct Hop<'a> {
    controls: TableControls<'a>,
    grid: FrameGrid,
    table_len: usize,
    /// The frame at its first sample.
    here: usize,
    /// The frame after its last sample.
    next: usize,
    glide: Glide,
    /// Half a turn over the hop, for each sample; a turn is 2^64.
    half_turn_step: u64,
}

impl<'a> Hop<'a> {
    fn new(grid: FrameGrid, controls: TableControls<'a>, table_len: usize, here: usize) -> Self {
        // The last frame is its own successor, that is, held.
        let next = (here + 1).min(controls.f0_hz.len() - 1);
        let turns = |i: usize| f64::from(controls.f0_hz[i]) / f64::from(grid.sample_rate);
        let glide = Glide { start: turns(here), end: turns(next) };
        let half_turn_step = (1 << 63) / grid.hop as u64;
        Self { controls, grid, table_len, here, next, glide, half_turn_step }
    }

    fn phases(self, phase: Phase) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        self.glide.phases_from(phase, self.grid.hop)
    }

    /// Raised-cosine weight of the next frame, off by at most 1e-7.
    fn next_weight(self, j: usize) -> f32 {
        let phase = ((j as u64 * self.half_turn_step) >> 32) as i32;
        0.5 - 0.5 * sine::<false>(phase.wrapping_add(QUARTER_TURN))
    }

    fn amplitude(self, next_weight: f32) -> f32 {
        let (a, b) = (self.controls.amplitudes[self.here], self.controls.amplitudes[self.next]);
        a + next_weight * (b - a)
    }

    /// Straight-line weight of the next frame.
    fn table_weight(self, j: usize) -> f32 {
        j as f32 / self.grid.hop as f32
    }

    fn table(self, frame: usize) -> &'a [f32] {
        let tables = self.controls.tables;
        &tables.values()[tables.start(frame, self.table_len)..][..self.table_len]
    }

    /// What sample `j` looks up, and its change over a cycle.
    fn read(self, j: usize, cell: Cell) -> (f32, f32) {
        let here = cell.read(self.table(self.here));
        if let Tables::One(_) = self.controls.tables {
            return here;
        }
        let next = cell.read(self.table(self.next));
        let u = self.table_weight(j);
        (here.0 + u * (next.0 - here.0), here.1 + u * (next.1 - here.1))
    }

    /// Accumulates the gradients of the hop; `later_phases` is the sum of the gradients with respect
    /// to the phases after it, and with those of the hop it is returned.
    fn backward(
        self,
        phase: Phase,
        grad_audio: &[f32],
        later_phases: f64,
        grads: &mut TableGradients<'_>,
    ) -> f64 {
        let hop = self.grid.hop;
        let mut later = later_phases;
        // Of this frame and the next.
        let (mut amplitudes, mut f0_hz) = ([0.0_f64; 2], [0.0_f64; 2]);
        for ((j, g), phase) in grad_audio.iter().enumerate().zip(self.phases(phase)).rev() {
            let cell = Cell::at_phase(phase, self.table_len);
            let (value, slope) = self.read(j, cell);
            let weight = self.next_weight(j);
            let grad_looked_up = g * self.amplitude(weight);
            amplitudes[0] += f64::from(g * value * (1.0 - weight));
            amplitudes[1] += f64::from(g * value * weight);
            // f0 of this sample moves the phases after it only.
            f0_hz[0] += later * (hop - j) as f64;
            f0_hz[1] += later * j as f64;
            later += f64::from(grad_looked_up * slope);
            self.spread(j, cell, grad_looked_up, grads.tables);
        }
        let scale = 1.0 / (hop as f64 * f64::from(self.grid.sample_rate));
        for (k, frame) in [self.here, self.next].into_iter().enumerate() {
            grads.amplitudes[frame] += amplitudes[k] as f32;
            grads.f0_hz[frame] += (f0_hz[k] * scale) as f32;
        }
        later
    }

    /// The transpose of reading the value.
    fn spread(self, j: usize, cell: Cell, grad: f32, grad_tables: &mut [f32]) {
        let tables = self.controls.tables;
        let u = if let Tables::One(_) = tables { 0.0 } else { self.table_weight(j) };
        let here = tables.start(self.here, self.table_len);
        cell.spread((1.0 - u) * grad, &mut grad_tables[here..][..self.table_len]);
        if let Tables::Each(_) = tables {
            let next = tables.start(self.next, self.table_len);
            cell.spread(u * grad, &mut grad_tables[next..][..self.table_len]);
        }
    }
}

/// Panics unless the lengths fit; returns that of a table.
fn check(grid: FrameGrid, controls: TableControls<'_>, n_samples: usize) -> usize {
    let (hop, n_frames, n) = (grid.hop, controls.f0_hz.len(), controls.amplitudes.len());
    assert!(hop > 0, "wavetable_synthesis: a hop of 0");
    assert_eq!(n, n_frames, "wavetable_synthesis: {n} amplitudes, {n_frames} f0_hz");
    let table_len = controls.tables.checked_len("wavetable_synthesis", n_frames);
    assert!(
        n_samples == n_frames * hop || n_samples + hop == n_frames * hop,
        "wavetable_synthesis: {n_samples} samples for {n_frames} frames at hop {hop}"
    );
    table_len
}

fn check_gradients(controls: TableControls<'_>, grads: &TableGradients<'_>) {
    for (name, n_grad, n) in [
        ("f0_hz", grads.f0_hz.len(), controls.f0_hz.len()),
        ("amplitudes", grads.amplitudes.len(), controls.amplitudes.len()),
        ("tables", grads.tables.len(), controls.tables.values().len()),
    ] {
        assert_eq!(n_grad, n, "wavetable_synthesis: grad of {n_grad} of {n} {name} values");
    }
}

#[cfg(test)]
pub(super) mod tests;
