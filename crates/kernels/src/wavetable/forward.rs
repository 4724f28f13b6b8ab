//! Reads a level of all tables at the samples of a hop.

use super::levels::LANES;
use super::spline::{TAPS, place, slopes, weights};
use crate::simd::{Kernel, mul_add};

/// Samples in a tile: two AVX-512 or four AVX registers, so that the weights of a tile are computed
/// side by side. Buffers for a hop are padded to whole tiles.
pub(super) const TILE: usize = 32;

/// A level's cells, and how they lie.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    /// `[2^bits + TAPS - 1, width]`.
    pub(super) values: &'a [f32],
    pub(super) bits: u32,
    /// 1, or whole groups of lanes.
    pub(super) width: usize,
}

/// The samples of a hop, padded to whole tiles.
#[derive(Clone, Copy)]
pub(super) struct HopSamples<'a> {
    /// A turn is 2^32.
    pub(super) phases: &'a [u32],
    /// Weight of the next frame.
    pub(super) next_weights: &'a [f32],
    /// Weight of each table at this frame; of one table the first lane.
    pub(super) table_weights: &'a [[f32; LANES]],
    /// What the next frame's weight has more.
    pub(super) table_steps: &'a [[f32; LANES]],
}

/// Where the samples of a tile are in a table, and how its values count there.
pub(super) struct Places {
    rows: [u32; TILE],
    pub(super) weights: [[f32; TILE]; TAPS],
    /// Change of the weights over a cycle, if asked for.
    pub(super) slopes: [[f32; TILE]; TAPS],
}

impl Places {
    #[inline(always)]
    pub(super) fn new<const FMA: bool, const SLOPES: bool>(
        phases: &[u32; TILE],
        bits: u32,
    ) -> Self {
        let mut places =
            Self { rows: [0; TILE], weights: [[0.0; TILE]; TAPS], slopes: [[0.0; TILE]; TAPS] };
        let len = (1_u32 << bits) as f32;
        for (j, phase) in phases.iter().enumerate() {
            let (row, way) = place(*phase, bits);
            places.rows[j] = row;
            for (tap, weight) in weights::<FMA>(way).into_iter().enumerate() {
                places.weights[tap][j] = weight;
            }
            if SLOPES {
                for (tap, slope) in slopes::<FMA>(way).into_iter().enumerate() {
                    places.slopes[tap][j] = len * slope;
                }
            }
        }
        places
    }

    /// First row of the cells for sample `j`.
    #[inline(always)]
    pub(super) fn row(&self, j: usize) -> usize {
        self.rows[j] as usize
    }
}

/// Overwrites `values`, `[n_samples]`, with the weighted sum of the tables.
pub(super) struct ForwardHop<'a> {
    pub(super) cells: Cells<'a>,
    pub(super) samples: HopSamples<'a>,
    pub(super) values: &'a mut [f32],
}

impl Kernel for ForwardHop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let HopSamples { phases, next_weights, table_weights, table_steps } = self.samples;
        let phases = phases.as_chunks::<TILE>().0.iter();
        let next_weights = next_weights.as_chunks::<TILE>().0;
        let values = self.values.as_chunks_mut::<TILE>().0;
        for ((phases, next_weights), values) in phases.zip(next_weights).zip(values) {
            let places = Places::new::<FMA, false>(phases, self.cells.bits);
            if self.cells.width == 1 {
                let (weight, step) = (table_weights[0][0], table_steps[0][0]);
                let taps = gather(&places, self.cells.values);
                for j in 0..TILE {
                    let weight = mul_add::<FMA>(next_weights[j], step, weight);
                    values[j] = weight * dot::<FMA>(&places.weights, &taps, j);
                }
                continue;
            }
            // Sums over lanes wait until the tile is done: then they are sums of whole registers.
            let mut sums = [[0.0; LANES]; TILE];
            for (group, (weights, steps)) in table_weights.iter().zip(table_steps).enumerate() {
                let (weights, steps) = (*weights, *steps);
                for j in 0..TILE {
                    let taps = taps_of(self.cells, places.row(j), group);
                    let values = dot_lanes::<FMA>(&places.weights, &taps, j);
                    let weights = add_scaled::<FMA>(next_weights[j], steps, weights);
                    sums[j] = add_product::<FMA>(weights, values, sums[j]);
                }
            }
            sum_each(&sums, values);
        }
    }
}

/// The values around the samples of a tile, of one table.
#[inline(always)]
pub(super) fn gather(places: &Places, cells: &[f32]) -> [[f32; TILE]; TAPS] {
    let mut taps = [[0.0; TILE]; TAPS];
    for j in 0..TILE {
        let cells = &cells[places.row(j)..][..TAPS];
        for tap in 0..TAPS {
            taps[tap][j] = cells[tap];
        }
    }
    taps
}

/// `sum_tap weights[tap] taps[tap]` of sample `j`.
#[inline(always)]
pub(super) fn dot<const FMA: bool>(
    weights: &[[f32; TILE]; TAPS],
    taps: &[[f32; TILE]; TAPS],
    j: usize,
) -> f32 {
    let mut sum = weights[0][j] * taps[0][j];
    for tap in 1..TAPS {
        sum = mul_add::<FMA>(weights[tap][j], taps[tap][j], sum);
    }
    sum
}

/// The values from `row` on, of a group of tables.
#[inline(always)]
pub(super) fn taps_of(cells: Cells<'_>, row: usize, group: usize) -> [[f32; LANES]; TAPS] {
    let rows = &cells.values[row * cells.width..][..TAPS * cells.width];
    std::array::from_fn(|tap| {
        let start = tap * cells.width + group * LANES;
        *rows[start..][..LANES].first_chunk().expect("a group of lanes")
    })
}

/// `sum_tap weights[tap] taps[tap]` of sample `j`, in each lane.
#[inline(always)]
pub(super) fn dot_lanes<const FMA: bool>(
    weights: &[[f32; TILE]; TAPS],
    taps: &[[f32; LANES]; TAPS],
    j: usize,
) -> [f32; LANES] {
    let mut sum = taps[0].map(|tap| weights[0][j] * tap);
    for tap in 1..TAPS {
        sum = add_scaled::<FMA>(weights[tap][j], taps[tap], sum);
    }
    sum
}

/// `sum + scale x`, in each lane.
#[inline(always)]
pub(super) fn add_scaled<const FMA: bool>(
    scale: f32,
    x: [f32; LANES],
    mut sum: [f32; LANES],
) -> [f32; LANES] {
    for lane in 0..LANES {
        sum[lane] = mul_add::<FMA>(scale, x[lane], sum[lane]);
    }
    sum
}

/// `sum + x y`, in each lane.
#[inline(always)]
pub(super) fn add_product<const FMA: bool>(
    x: [f32; LANES],
    y: [f32; LANES],
    mut sum: [f32; LANES],
) -> [f32; LANES] {
    for lane in 0..LANES {
        sum[lane] = mul_add::<FMA>(x[lane], y[lane], sum[lane]);
    }
    sum
}

/// The sum of the lanes of each sample.
#[inline(always)]
pub(super) fn sum_each(lanes: &[[f32; LANES]; TILE], sums: &mut [f32; TILE]) {
    for (sum, l) in sums.iter_mut().zip(lanes) {
        *sum = ((l[0] + l[4]) + (l[1] + l[5])) + ((l[2] + l[6]) + (l[3] + l[7]));
    }
}
