//! From magnitudes straight to what a zero-phase filter does at the frequencies of a transform.

use std::f64::consts::TAU;

use crate::frequency_filter::ResponseWindow;
use crate::simd::{Kernel, Simd, mul_add};

/// Most weights for which the product is faster than the transforms: 64 KiB, half of a second-level
/// cache with both orders.
const MOST_WEIGHTS: usize = 16_384;

/// Values of one step of the product.
const LANES: usize = 16;

type Lanes = [f32; LANES];

/// The linear map from magnitudes to gains, as a matrix.
///
/// Designing a response and transforming it is a linear map too, and a symmetric response around
/// time 0 has a real spectrum: for a few bands the product with a matrix of `n_bands` by `n_bins`
/// takes half the time of the two transforms that it replaces.
pub(super) struct GainMatrix {
    n_bands: usize,
    n_bins: usize,
    /// `[n_bins / LANES, n_bands, LANES]`: bins in groups.
    by_bins: Vec<Lanes>,
    /// `[n_bands / LANES, n_bins, LANES]`: bands in groups.
    by_bands: Vec<Lanes>,
    /// Rows of one product, transposed.
    columns: Vec<f32>,
    simd: Simd,
}

impl GainMatrix {
    /// The map of a `window` centred on the peak for `n_bins` odd frequencies, if it is small enough.
    pub(super) fn new(n_bands: usize, window: &ResponseWindow, n_bins: usize) -> Option<Self> {
        if n_bands * n_bins > MOST_WEIGHTS {
            return None;
        }
        let weights = weights(n_bands, window, n_bins);
        let grouped = |n_columns: usize, n_rows: usize, at: &dyn Fn(usize, usize) -> f64| {
            let mut groups = Vec::new();
            for group in 0..n_columns.div_ceil(LANES) {
                groups.extend((0..n_rows).map(|row| {
                    std::array::from_fn(|lane| {
                        let column = group * LANES + lane;
                        if column < n_columns { round(at(row, column)) } else { 0.0 }
                    })
                }));
            }
            groups
        };
        Some(Self {
            n_bands,
            n_bins,
            by_bins: grouped(n_bins, n_bands, &|band, bin| weights[band * n_bins + bin]),
            by_bands: grouped(n_bands, n_bins, &|bin, band| weights[band * n_bins + bin]),
            columns: vec![0.0; WIDE_ROWS * n_bands.max(n_bins)],
            simd: Simd::widest(),
        })
    }

    pub(super) fn n_bins(&self) -> usize {
        self.n_bins
    }

    #[cfg(test)]
    pub(super) fn set_simd(&mut self, simd: Simd) {
        self.simd = simd;
    }

    /// Overwrites `gains` `[n_frames, n_bins]`.
    pub(super) fn forward(&mut self, magnitudes: &[f32], gains: &mut [f32]) {
        let Self { by_bins: weights, columns, n_bands: depth, .. } = self;
        let (depth, out) = (*depth, gains);
        self.simd.run(Product::<false> { rows: magnitudes, depth, weights, columns, out });
    }

    /// Accumulates into `grad_magnitudes` `[n_frames, n_bands]`.
    pub(super) fn backward(&mut self, grad_gains: &[f32], grad_magnitudes: &mut [f32]) {
        let Self { by_bands: weights, columns, n_bins: depth, .. } = self;
        let (depth, out) = (*depth, grad_magnitudes);
        self.simd.run(Product::<true> { rows: grad_gains, depth, weights, columns, out });
    }
}

/// `[n_bands, n_bins]`: what a magnitude of 1 adds to the gains.
///
/// `sum_d window(d) p / n cos(2 pi band d / n) cos(pi (4 bin + 1) d / (2 n_bins))` over the taps,
/// with `p` 1 for the bands at the ends and 2 for the others, which stand for two frequencies.
fn weights(n_bands: usize, window: &ResponseWindow, n_bins: usize) -> Vec<f64> {
    let (taps, centre) = window.taps();
    let n = 2 * (n_bands - 1);
    let cosines = |len: usize| -> Vec<f64> {
        (0..len).map(|i| (TAU * i as f64 / len as f64).cos()).collect()
    };
    let (by_band, by_bin) = (cosines(n), cosines(4 * n_bins));
    let mut weights = vec![0.0; n_bands * n_bins];
    for (band, weights) in weights.chunks_mut(n_bins).enumerate() {
        let pair = if band == 0 || band == n_bands - 1 { 1.0 } else { 2.0 };
        for (t, tap) in taps.iter().enumerate() {
            // The cosines are even, so negative times need no sign.
            let d = t.abs_diff(centre);
            let factor = f64::from(*tap) * pair / n as f64 * by_band[band * d % n];
            for (bin, weight) in weights.iter_mut().enumerate() {
                *weight += factor * by_bin[(4 * bin + 1) * d % (4 * n_bins)];
            }
        }
    }
    weights
}

#[expect(clippy::cast_possible_truncation, reason = "rounds a weight below 2 to f32")]
fn round(x: f64) -> f32 {
    x as f32
}

/// `rows` `[n, depth]` times `weights`, to `out` `[n, n_columns]`; added to what it holds if `ADD`.
struct Product<'a, const ADD: bool> {
    rows: &'a [f32],
    depth: usize,
    weights: &'a [Lanes],
    columns: &'a mut [f32],
    out: &'a mut [f32],
}

/// Rows that share the loads of the weights: their sums fill eight registers of 16 lanes, or of 8
/// where there are but 16.
const WIDE_ROWS: usize = 8;
const ROWS: usize = 4;

impl<const ADD: bool> Kernel for Product<'_, ADD> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.multiply::<FMA, ROWS>();
    }

    #[inline(always)]
    fn run_wide<const FMA: bool>(self) {
        self.multiply::<FMA, WIDE_ROWS>();
    }
}

impl<const ADD: bool> Product<'_, ADD> {
    #[inline(always)]
    fn multiply<const FMA: bool, const ROWS: usize>(self) {
        let Self { rows, depth, weights, columns, out } = self;
        let n_rows = rows.len() / depth;
        if n_rows == 0 {
            return;
        }
        let n_columns = out.len() / n_rows;
        for (rows, out) in rows.chunks(ROWS * depth).zip(out.chunks_mut(ROWS * n_columns)) {
            if rows.len() == ROWS * depth {
                multiply_rows::<FMA, ADD, ROWS>(rows, weights, columns, out);
            } else {
                for (row, out) in rows.chunks(depth).zip(out.chunks_mut(n_columns)) {
                    multiply_rows::<FMA, ADD, 1>(row, weights, columns, out);
                }
            }
        }
    }
}

#[inline(always)]
fn multiply_rows<const FMA: bool, const ADD: bool, const ROWS: usize>(
    rows: &[f32],
    weights: &[Lanes],
    columns: &mut [f32],
    out: &mut [f32],
) {
    let (depth, n_columns) = (rows.len() / ROWS, out.len() / ROWS);
    let columns = &mut columns.as_chunks_mut::<ROWS>().0[..depth];
    for (r, row) in rows.chunks(depth).enumerate() {
        columns.iter_mut().zip(row).for_each(|(column, x)| column[r] = *x);
    }
    for (group, weights) in weights.chunks_exact(depth).enumerate() {
        let sums = sums_of_rows::<FMA, ROWS>(columns, weights);
        let first = group * LANES;
        let n = LANES.min(n_columns - first);
        for (sums, out) in sums.iter().zip(out.chunks_mut(n_columns)) {
            for (y, sum) in out[first..first + n].iter_mut().zip(sums) {
                *y = if ADD { *y + sum } else { *sum };
            }
        }
    }
}

/// The products of transposed rows with one group of columns.
#[inline(always)]
fn sums_of_rows<const FMA: bool, const ROWS: usize>(
    columns: &[[f32; ROWS]],
    weights: &[Lanes],
) -> [Lanes; ROWS] {
    let mut sums = [[0.0; LANES]; ROWS];
    for (column, w) in columns.iter().zip(weights) {
        add_products::<FMA, ROWS>(column, w, &mut sums);
    }
    sums
}

/// Adds to each row of `sums` its value of `x` times `w`.
///
/// The rows are spelled out: a loop over them is too large for the compiler to unroll before it
/// decides what may live in registers, which costs a factor of 10.
#[inline(always)]
fn add_products<const FMA: bool, const ROWS: usize>(
    x: &[f32; ROWS],
    w: &Lanes,
    sums: &mut [Lanes; ROWS],
) {
    const { assert!(ROWS == 1 || ROWS == 4 || ROWS == 8, "a row for each line below") };
    add_row::<FMA>(x[0], w, &mut sums[0]);
    if ROWS > 1 {
        add_row::<FMA>(x[1], w, &mut sums[1]);
        add_row::<FMA>(x[2], w, &mut sums[2]);
        add_row::<FMA>(x[3], w, &mut sums[3]);
    }
    if ROWS > 4 {
        add_row::<FMA>(x[4], w, &mut sums[4]);
        add_row::<FMA>(x[5], w, &mut sums[5]);
        add_row::<FMA>(x[6], w, &mut sums[6]);
        add_row::<FMA>(x[7], w, &mut sums[7]);
    }
}

#[inline(always)]
fn add_row<const FMA: bool>(x: f32, w: &Lanes, sums: &mut Lanes) {
    for lane in 0..LANES {
        sums[lane] = mul_add::<FMA>(x, w[lane], sums[lane]);
    }
}
