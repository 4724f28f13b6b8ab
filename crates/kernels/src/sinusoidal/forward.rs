//! The inner loops of the forward pass: a tile of samples by all oscillators.

use std::array;

use super::oscillators::{GROUP, Hop};
use super::voices::{Audible, Voices, wheels};
use super::wheels::{TILE, UNROLL, Wheels, sines, turn};
use crate::simd::{Kernel, mul_add};

/// Forward pass of one hop.
pub(super) struct ForwardHop<'a> {
    pub(super) hop: Hop<'a>,
    pub(super) sums: &'a mut Sums,
    /// Overwritten.
    pub(super) audio: &'a mut [f32],
}

impl Kernel for ForwardHop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.tiles::<FMA, 8>();
    }

    #[inline(always)]
    fn run_wide<const FMA: bool>(self) {
        self.tiles::<FMA, 16>();
    }
}

/// What each lane adds to each sample of a tile, and half as many values, to add them up; aligned
/// so that no access straddles two cache lines.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Sums {
    rows: [f32; TILE * GROUP],
    half: [f32; TILE * GROUP / 2],
}

impl Sums {
    pub(super) fn new() -> Self {
        Self { rows: [0.0; TILE * GROUP], half: [0.0; TILE * GROUP / 2] }
    }
}

impl ForwardHop<'_> {
    /// The lanes are oscillators, not samples: their phases are then carried from sample to sample
    /// by additions, and the sum over lanes is left for the end, once for all groups.
    #[inline(always)]
    fn tiles<const FMA: bool, const LANES: usize>(self) {
        for (t, audio) in self.audio.chunks_mut(TILE).enumerate() {
            let n_rows = audio.len().next_multiple_of(UNROLL);
            let rows = &mut self.sums.rows.as_chunks_mut::<LANES>().0[..n_rows];
            rows.fill([0.0; LANES]);
            for first in (0..self.hop.phases.len()).step_by(LANES) {
                let voices = Voices::<LANES>::new(self.hop, first);
                if voices.is_silent {
                    continue;
                }
                let wheels = wheels(self.hop, first, t * TILE);
                let hop = self.hop.after_sample(t * TILE);
                if voices.audible == Audible::Always {
                    add_group::<FMA, false, LANES>(voices, wheels, hop, rows);
                } else {
                    add_group::<FMA, true, LANES>(voices, wheels, hop, rows);
                }
            }
            sum_lanes::<LANES>(self.sums, audio);
        }
    }
}

/// Adds a group of oscillators to the sums.
#[inline(always)]
fn add_group<const FMA: bool, const MASKED: bool, const LANES: usize>(
    voices: Voices<LANES>,
    wheels: Wheels<LANES>,
    hop: Hop<'_>,
    sums: &mut [[f32; LANES]],
) {
    let amplitude_weights = hop.amplitude_weights.as_chunks::<UNROLL>().0;
    let frequency_weights = hop.frequency_weights.as_chunks::<UNROLL>().0;
    let sums = sums.as_chunks_mut::<UNROLL>().0;
    let Wheels { mut phases, mut steps, change } = wheels;
    for ((sums, w), v) in sums.iter_mut().zip(amplitude_weights).zip(frequency_weights) {
        let sines = sines::<FMA, LANES>(&phases);
        for u in 0..UNROLL {
            // A copy, and written at the end: what it is added to cannot be an input.
            let mut sum = sums[u];
            for l in 0..LANES {
                let mut s = sines[u][l];
                if MASKED {
                    s *= voices.heard::<FMA>(l, v[u]);
                }
                sum[l] = mul_add::<FMA>(voices.amplitude::<FMA>(l, w[u]), s, sum[l]);
            }
            sums[u] = sum;
        }
        turn(&mut phases, &mut steps, &change);
    }
}

/// The sum over the lanes of each row, in pairs of neighbours.
#[inline(always)]
fn sum_lanes<const LANES: usize>(sums: &mut Sums, audio: &mut [f32]) {
    let (mut from, mut to) = (&mut sums.rows[..], &mut sums.half[..]);
    // Whole chunks of pairs; what is in the rows after the last sample does not matter.
    let n_rows = audio.len().next_multiple_of(CHUNK);
    let mut n = n_rows * LANES;
    while n > n_rows {
        let pairs = from[..n].as_chunks::<{ 2 * CHUNK }>().0;
        for (pairs, to) in pairs.iter().zip(to.as_chunks_mut().0) {
            *to = sum_pairs(pairs);
        }
        n /= 2;
        (from, to) = (to, from);
    }
    audio.copy_from_slice(&from[..audio.len()]);
}

/// Sums in a register.
const CHUNK: usize = 16;

#[inline(always)]
fn sum_pairs(values: &[f32; 2 * CHUNK]) -> [f32; CHUNK] {
    array::from_fn(|i| values[2 * i] + values[2 * i + 1])
}
