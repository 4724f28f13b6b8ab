//! A dictionary of tables in several bandwidths.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::spline::{self, TAPS, gain};

/// Levels in an octave: the bandwidths go down in steps of four semitones.
///
/// What is lost below the Nyquist frequency is a step and the [`FADE`], five semitones or a quarter of
/// the band at worst. With one level in an octave it would be half of the band; with more than three,
/// memory grows and more samples lie in a fade, where two levels are read.
const LEVELS_PER_OCTAVE: f64 = 3.0;

/// The part of the band below the Nyquist frequency in which the highest harmonic of a level fades: a
/// semitone, `1 - 2^(-1/12)`, about the depth of a vibrato.
pub(super) const FADE: f32 = 0.056_125_69;

/// Tables that lie side by side in memory: a register of AVX2, half of one of AVX-512.
pub(super) const LANES: usize = 8;

/// One bandwidth of all tables.
#[derive(Clone)]
pub(super) struct Level {
    /// Harmonics in it.
    pub(super) n_harmonics: usize,
    /// A table has `2^bits` values.
    pub(super) bits: u32,
    /// `[2^bits + TAPS - 1, width]`: row `i` is the first that a place after value `i` needs, so the
    /// first is the last value of the table again, and the last two are the first.
    pub(super) cells: Vec<f32>,
    /// Gradient with respect to `cells`; zero but where `touched`.
    pub(super) grad_cells: Vec<f32>,
    /// Whether `grad_cells` is in use.
    pub(super) touched: bool,
    /// Whether `cells` are those of the present tables.
    current: bool,
    /// What each harmonic is multiplied with, `[n_harmonics]`.
    emphasis: Vec<f32>,
    to_values: Arc<dyn ComplexToReal<f32>>,
    to_spectrum: Arc<dyn RealToComplex<f32>>,
}

/// The dictionary, its levels from the widest to the one with the fundamental alone.
#[derive(Clone)]
pub(super) struct Levels {
    n_tables: usize,
    table_len: usize,
    levels: Vec<Level>,
    /// Of each table, divided by its length: `[n_tables, table_len / 2 + 1]`.
    spectra: Vec<Complex32>,
    to_values: Arc<dyn ComplexToReal<f32>>,
    to_spectrum: Arc<dyn RealToComplex<f32>>,
    /// Buffers for one table at any level.
    values: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    /// Gradient of one table, `[table_len / 2 + 1]`.
    grad_spectrum: Vec<Complex32>,
}

impl Levels {
    pub(super) fn new(n_tables: usize, table_len: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let mut bandwidths = vec![table_len / 2];
        while let Some(&n @ 2..) = bandwidths.last() {
            let step = (n as f64 / 2.0_f64.powf(1.0 / LEVELS_PER_OCTAVE)).floor();
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below n")]
            #[expect(clippy::cast_sign_loss, reason = "a positive number")]
            bandwidths.push(step as usize);
        }
        let width = width(n_tables);
        let levels: Vec<Level> =
            bandwidths.into_iter().map(|n| Level::new(n, width, &mut planner)).collect();
        let to_values = planner.plan_fft_inverse(table_len);
        let to_spectrum = planner.plan_fft_forward(table_len);
        let plans = levels
            .iter()
            .map(|level| (&level.to_values, &level.to_spectrum))
            .chain([(&to_values, &to_spectrum)]);
        let scratch_len = plans
            .map(|(values, spectrum)| values.get_scratch_len().max(spectrum.get_scratch_len()))
            .fold(0, usize::max);
        let longest = table_len.max(levels[0].len());
        Self {
            n_tables,
            table_len,
            levels,
            spectra: vec![Complex32::ZERO; n_tables * (table_len / 2 + 1)],
            to_values,
            to_spectrum,
            values: vec![0.0; longest],
            spectrum: vec![Complex32::ZERO; longest / 2 + 1],
            scratch: vec![Complex32::ZERO; scratch_len],
            grad_spectrum: vec![Complex32::ZERO; table_len / 2 + 1],
        }
    }

    /// Tables side by side, with those that only fill a register.
    pub(super) fn width(&self) -> usize {
        width(self.n_tables)
    }

    pub(super) fn table_len(&self) -> usize {
        self.table_len
    }

    pub(super) fn n_tables(&self) -> usize {
        self.n_tables
    }

    /// Number of levels.
    pub(super) fn count(&self) -> usize {
        self.levels.len()
    }

    /// Harmonics of level `i`.
    pub(super) fn n_harmonics(&self, i: usize) -> usize {
        self.levels[i].n_harmonics
    }

    /// Takes new tables, `[n_tables, table_len]`; their levels are made when they are asked for.
    pub(super) fn set_tables(&mut self, tables: &[f32]) {
        let n_bins = self.table_len / 2 + 1;
        let scale = 1.0 / self.table_len as f32;
        for (table, spectrum) in
            tables.chunks_exact(self.table_len).zip(self.spectra.chunks_exact_mut(n_bins))
        {
            let values = &mut self.values[..self.table_len];
            values.copy_from_slice(table);
            self.to_spectrum
                .process_with_scratch(values, spectrum, &mut self.scratch)
                .expect("buffers were made for this plan");
            spectrum.iter_mut().for_each(|bin| *bin *= scale);
            // The highest harmonic of an even length is its own mirror image, and counts once.
            if self.table_len.is_multiple_of(2) {
                spectrum[n_bins - 1] *= 0.5;
            }
        }
        self.levels.iter_mut().for_each(|level| level.current = false);
    }

    /// Makes all levels that are not current.
    pub(super) fn make_all(&mut self) {
        for i in 0..self.levels.len() {
            self.level(i);
        }
    }

    /// Level `i` of the present tables.
    pub(super) fn level(&mut self, i: usize) -> &Level {
        self.make(i);
        &self.levels[i]
    }

    /// The same, to accumulate gradients into.
    pub(super) fn level_mut(&mut self, i: usize) -> &mut Level {
        self.make(i);
        &mut self.levels[i]
    }

    /// Makes level `i` if it is not current: `value[m] = sum_k 2 Re(emphasis_k spectrum_k e^(2 pi i k m / n))`
    /// over its harmonics, without the mean.
    fn make(&mut self, i: usize) {
        let width = self.width();
        let level = &mut self.levels[i];
        if level.current {
            return;
        }
        let n_bins = self.table_len / 2 + 1;
        let (len, n_harmonics) = (level.len(), level.n_harmonics);
        for (table, bins) in self.spectra.chunks_exact(n_bins).enumerate() {
            let spectrum = &mut self.spectrum[..len / 2 + 1];
            spectrum.fill(Complex32::ZERO);
            for k in 1..=n_harmonics {
                spectrum[k] = bins[k] * level.emphasis[k - 1];
            }
            let values = &mut self.values[..len];
            // No harmonic is at half the length, where the transform minds an imaginary part.
            level
                .to_values
                .process_with_scratch(spectrum, values, &mut self.scratch)
                .expect("buffers were made for this plan");
            for row in 0..len + TAPS - 1 {
                level.cells[row * width + table] = values[value_of_row(row, len)];
            }
        }
        level.current = true;
    }

    /// Accumulates into `grad_tables` what the touched levels gathered, and clears them.
    ///
    /// The transpose of [`make`](Self::make): with `G` the spectrum of the values' gradients,
    /// `grad table[j] = sum_k 2 Re(emphasis_k G_k e^(2 pi i k j / table_len)) / table_len`.
    pub(super) fn backward(&mut self, grad_tables: &mut [f32]) {
        for (table, grad_table) in grad_tables.chunks_exact_mut(self.table_len).enumerate() {
            self.grad_spectrum.fill(Complex32::ZERO);
            for i in 0..self.levels.len() {
                if self.levels[i].touched {
                    self.add_spectrum(i, table);
                }
            }
            let grad_table_part = &mut self.values[..self.table_len];
            self.to_values
                .process_with_scratch(&mut self.grad_spectrum, grad_table_part, &mut self.scratch)
                .expect("buffers were made for this plan");
            for (grad, part) in grad_table.iter_mut().zip(grad_table_part) {
                *grad += *part;
            }
        }
        self.clear();
    }

    /// Zeroes the gradients of the touched levels.
    fn clear(&mut self) {
        for level in self.levels.iter_mut().filter(|level| level.touched) {
            level.grad_cells.fill(0.0);
            level.touched = false;
        }
    }

    /// Adds to `grad_spectrum` what level `i` gathered for `table`.
    fn add_spectrum(&mut self, i: usize, table: usize) {
        let width = self.width();
        let level = &self.levels[i];
        let len = level.len();
        let values = &mut self.values[..len];
        values.fill(0.0);
        for (row, cells) in level.grad_cells.chunks_exact(width).enumerate() {
            values[value_of_row(row, len)] += cells[table];
        }
        let spectrum = &mut self.spectrum[..len / 2 + 1];
        level
            .to_spectrum
            .process_with_scratch(values, spectrum, &mut self.scratch)
            .expect("buffers were made for this plan");
        let scale = 1.0 / self.table_len as f32;
        for (k, emphasis) in (1..).zip(&level.emphasis) {
            let bin = spectrum[k] * (emphasis * scale);
            self.grad_spectrum[k] += bin;
        }
        // The highest harmonic of an even length has a cosine only.
        if self.table_len.is_multiple_of(2) {
            self.grad_spectrum[self.table_len / 2].im = 0.0;
        }
    }
}

impl Level {
    fn new(n_harmonics: usize, width: usize, planner: &mut RealFftPlanner<f32>) -> Self {
        let len = spline::len(n_harmonics);
        let n_cells = (len + TAPS - 1) * width;
        #[expect(clippy::cast_possible_truncation, reason = "rounds a factor near 1 to f32")]
        let emphasis = |k| (1.0 / gain(k, len)) as f32;
        Self {
            n_harmonics,
            bits: len.trailing_zeros(),
            cells: vec![0.0; n_cells],
            grad_cells: vec![0.0; n_cells],
            touched: false,
            // The tables are zero at first, and so are the cells.
            current: true,
            emphasis: (1..=n_harmonics).map(emphasis).collect(),
            to_values: planner.plan_fft_inverse(len),
            to_spectrum: planner.plan_fft_forward(len),
        }
    }

    /// Values of a table.
    fn len(&self) -> usize {
        1 << self.bits
    }
}

/// Tables side by side: one, or whole registers.
fn width(n_tables: usize) -> usize {
    if n_tables == 1 { 1 } else { n_tables.next_multiple_of(LANES) }
}

/// Which of the `len` values of a table is in `row` of the cells.
fn value_of_row(row: usize, len: usize) -> usize {
    (row + len - 1) % len
}
