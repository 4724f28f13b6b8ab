//! Wavetable synthesis: the reference's plain reading of tables, and a synthesizer on top of it whose
//! tables have no mean, do not alias, and are mixed from a dictionary.
//!
//! No buffer here has a size of samples x table length: a sample reads the few values around its phase.

mod backward;
mod forward;
mod gradients;
mod hop;
mod levels;
mod lookup;
mod spline;
mod synthesis;

use std::fmt;

pub use gradients::WavetableGradients;
pub use lookup::{Tables, linear_lookup, linear_lookup_backward};
pub use synthesis::{
    TableControls, TableGradients, wavetable_synthesis, wavetable_synthesis_backward,
};

use crate::phase::Phase;
use crate::resample::{linear_weight, window_weight};
use crate::simd::Simd;
use crate::{AmplitudeInterpolation, FrameGrid};
use forward::{Cells, ForwardHop};
use hop::{Controls, Scratch};
use levels::Levels;

/// Wavetable synthesizer: a dictionary of tables, mixed by weights that change from frame to frame,
/// to audio, and back.
///
/// `audio[n] = amplitude[n] sum_t weight_t[n] table_t(phase[n])`, with `phase[0] = initial_phase` and
/// `phase[n + 1] = phase[n] + f0[n] / sample_rate`, exact. f0 and the weights go in straight lines from
/// frame to frame, the amplitudes as [`AmplitudeInterpolation`] says. With weights that a network puts
/// out and tables that are learned, this is differentiable wavetable synthesis (Shan, Hantrakul, Chen,
/// Avent and Trevelyan 2022, <https://arxiv.org/abs/2111.10003>); with one table and weights of 1 it is
/// the oscillator that everybody knows. Weights need not be positive, nor sum to 1.
///
/// # Tables
///
/// A table is one period, read as the sum of its harmonics, up to `table_len / 2`. Its mean is left
/// out: the reference's tables are all positive, and their mean is a thump in every note.
///
/// A harmonic at or above the Nyquist frequency would alias, so tables are kept in several
/// bandwidths, four semitones apart, and a sample hears the widest one that fits its f0. That one fades
/// over the last semitone before it does not fit, so that a gliding f0 does not click. A harmonic is
/// whole below 0.749 of the Nyquist frequency, at the least, and silent at it.
///
/// Between its values a table is a cubic spline. What that adds to a harmonic is below -92 dB of it for
/// the highest one of a bandwidth, and less for others: a sine has an error of -140 dB, and a sawtooth
/// at any pitch has less than -115 dB between its harmonics (the plain reader: -10 dB at 1.2 kHz).
///
/// # Blocks
///
/// As [`Harmonic`](crate::Harmonic): `n_frames` frames give `n_frames * hop` samples, the last frame
/// held, or one hop less, the last frame being only the end of the last interpolation; then it is
/// passed again as the first of the next block, with the returned phase. Any such split gives the same
/// samples, bit for bit. The price is a latency of one hop.
///
/// # Cost
///
/// A sample reads 4 values of each table, whatever `table_len` is. (To mix whole tables once a frame
/// and read the mixture costs more at low pitches, where bandwidths are long: 29 ns a sample against 9,
/// for 20 tables of 2048 values at a hop of 64.) Memory is about `192 table_len` bytes for each table,
/// and as much again for gradients; several tables are stored as if they were a multiple of 8.
#[derive(Clone)]
pub struct Wavetable {
    grid: FrameGrid,
    simd: Simd,
    levels: Levels,
    /// Weight of the next frame's amplitude at each offset in a hop.
    amplitude_weights: Vec<f32>,
    scratch: Scratch,
}

impl fmt::Debug for Wavetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wavetable")
            .field("grid", &self.grid)
            .field("n_tables", &self.n_tables())
            .field("table_len", &self.table_len())
            .finish_non_exhaustive()
    }
}

impl Wavetable {
    /// A synthesizer on `grid` of `n_tables` tables of `table_len` values, all 0 until
    /// [`set_tables`](Self::set_tables).
    ///
    /// # Panics
    ///
    /// If the hop or `n_tables` is 0, or if `table_len` is not 2 to 65,536.
    pub fn new(
        grid: FrameGrid,
        n_tables: usize,
        table_len: usize,
        amplitude_interpolation: AmplitudeInterpolation,
    ) -> Self {
        assert!(grid.hop > 0 && n_tables > 0, "Wavetable: {n_tables} tables on {grid:?}");
        assert!((2..=65_536).contains(&table_len), "Wavetable: tables of {table_len} values");
        let weight = match amplitude_interpolation {
            AmplitudeInterpolation::Window => window_weight,
            AmplitudeInterpolation::Linear => linear_weight,
            AmplitudeInterpolation::Nearest => |_, _| 0.0,
        };
        let levels = Levels::new(n_tables, table_len);
        Self {
            grid,
            simd: Simd::widest(),
            amplitude_weights: (0..grid.hop).map(|j| weight(j, grid.hop)).collect(),
            scratch: Scratch::new(grid.hop, levels.width()),
            levels,
        }
    }

    /// The grid it was made for.
    pub fn grid(&self) -> FrameGrid {
        self.grid
    }

    /// Number of tables.
    pub fn n_tables(&self) -> usize {
        self.levels.n_tables()
    }

    /// Values in a table.
    pub fn table_len(&self) -> usize {
        self.levels.table_len()
    }

    /// Takes the tables, `[n_tables, table_len]`, each one period.
    ///
    /// Their bandwidths are made when a pitch first asks for them, with a Fourier transform for each
    /// table; [`make_all_bandwidths`](Self::make_all_bandwidths) does it in advance.
    ///
    /// # Panics
    ///
    /// If `tables` is not as long as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values; takes a Fourier transform for each table.
    pub fn set_tables(&mut self, tables: &[f32]) {
        let (n, n_tables, table_len) = (tables.len(), self.n_tables(), self.table_len());
        assert_eq!(
            n,
            n_tables * table_len,
            "Wavetable: {n} values for {n_tables} tables of {table_len}"
        );
        self.levels.set_tables(tables);
    }

    /// Makes all bandwidths of the tables, so that [`forward`](Self::forward) never has to.
    pub fn make_all_bandwidths(&mut self) {
        self.levels.make_all();
    }

    /// Overwrites `audio` and returns the phase of the sample after it, in turns, in `[0, 1)`.
    ///
    /// `f0_hz` and `amplitudes` (linear) are `[n_frames]`, `table_weights` is `[n_frames, n_tables]`,
    /// `initial_phase`, that of the first sample, is in turns, and `audio` holds `n_frames` hops, or
    /// one less (see Blocks above).
    ///
    /// An f0 that is not finite stops the phase and gives NaN, as NaN in the other inputs does.
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values. The first hop that needs a bandwidth takes the
    /// time to make it, unless [`make_all_bandwidths`](Self::make_all_bandwidths) did.
    pub fn forward(
        &mut self,
        f0_hz: &[f32],
        amplitudes: &[f32],
        table_weights: &[f32],
        initial_phase: f64,
        audio: &mut [f32],
    ) -> f64 {
        let controls = Controls { f0_hz, amplitudes, table_weights };
        self.check(controls, audio.len());
        let mut phase = Phase::from_turns(initial_phase);
        for (i, audio) in audio.chunks_exact_mut(self.grid.hop).enumerate() {
            let glide = controls.glide(self.grid, i);
            self.scratch.prepare(controls, i, phase, glide);
            self.mix_levels();
            let (a, b) = (amplitudes[i], amplitudes[controls.next(i)]);
            for ((y, weight), value) in
                audio.iter_mut().zip(&self.amplitude_weights).zip(&self.scratch.values)
            {
                *y = (a + weight * (b - a)) * value;
            }
            phase = glide.after_hop(phase, self.grid.hop);
        }
        phase.turns()
    }

    /// Reads all tables for the prepared hop into `scratch.values`.
    fn mix_levels(&mut self) {
        let scratch = &mut self.scratch;
        scratch.values.fill(0.0);
        for i in scratch.audible(&self.levels) {
            scratch.set_gains(&self.levels, i);
            let width = self.levels.width();
            let level = self.levels.level(i);
            self.simd.run(ForwardHop {
                cells: Cells { values: &level.cells, bits: level.bits, width },
                samples: scratch.samples.as_ref(),
                values: &mut scratch.level_values,
            });
            for ((sum, gain), value) in
                scratch.values.iter_mut().zip(&scratch.gains).zip(&scratch.level_values)
            {
                *sum += gain * value;
            }
        }
    }

    fn check(&self, controls: Controls<'_>, n_samples: usize) {
        let (n_frames, n_tables, hop) = (controls.f0_hz.len(), self.n_tables(), self.grid.hop);
        let n = controls.amplitudes.len();
        assert_eq!(n, n_frames, "Wavetable: {n} amplitudes, {n_frames} f0_hz");
        let n = controls.table_weights.len();
        assert_eq!(
            n,
            n_frames * n_tables,
            "Wavetable: {n} table_weights for {n_frames} frames of {n_tables} tables"
        );
        assert!(
            n_samples == n_frames * hop || n_samples + hop == n_frames * hop,
            "Wavetable: {n_samples} samples for {n_frames} frames at hop {hop}"
        );
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;
