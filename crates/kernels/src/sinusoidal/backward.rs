//! The inner loops of the backward pass: all oscillators by the samples of a hop.

use std::array;
use std::f64::consts::TAU;

use super::bank::RowGradients;
use super::oscillators::Hop;
use super::voices::{Audible, Voices, lanes, wheels};
use super::wheels::{TILE, UNROLL, Wheels, sines, turn};
use crate::simd::{Kernel, mul_add};
use crate::sine::sine_cosine;

/// The audio gradient of a hop times what the oscillators have in common, padded with zeros to
/// whole lots of samples.
///
/// With `n` samples, phases `p + (j + 1) a + j (j + 1) / 2 (b - a) / n` for a rate that goes from
/// `a` to `b`: that of sample `j` moves by `n start_weights[j]` for each unit of `a`, and by
/// `n end_weights[j]` for each of `b`.
#[derive(Clone, Debug)]
pub(super) struct GradSamples {
    start_weights: Vec<f32>,
    end_weights: Vec<f32>,
    samples: Vec<GradSample>,
}

/// The audio gradient of one sample, times ...
#[derive(Clone, Copy, Debug, Default)]
struct GradSample {
    /// ... the weight of this frame's amplitude,
    here: f32,
    /// that of the next frame's amplitude,
    next: f32,
    /// 1,
    all: f32,
    /// the start weight,
    start: f32,
    /// the end weight.
    end: f32,
}

impl GradSamples {
    pub(super) fn new(hop: usize) -> Self {
        let n = hop as f64;
        let steps = |j: usize| (j + 1) as f64 / n;
        let end = |j: usize| j as f64 / (2.0 * n) * steps(j);
        Self {
            start_weights: (0..hop).map(|j| (steps(j) - end(j)) as f32).collect(),
            end_weights: (0..hop).map(|j| end(j) as f32).collect(),
            samples: vec![GradSample::default(); hop.next_multiple_of(UNROLL)],
        }
    }

    pub(super) fn set(&mut self, grad_audio: &[f32], amplitude_weights: &[f32]) {
        for (j, (&all, sample)) in grad_audio.iter().zip(&mut self.samples).enumerate() {
            let next = amplitude_weights[j] * all;
            let (start, end) = (self.start_weights[j] * all, self.end_weights[j] * all);
            *sample = GradSample { here: all - next, next, all, start, end };
        }
    }

    /// Lots of samples from `offset` on, a tile of them at most.
    #[inline(always)]
    fn tile(&self, offset: usize) -> &[[GradSample; UNROLL]] {
        self.samples[offset..(offset + TILE).min(self.samples.len())].as_chunks().0
    }
}

/// Where the gradients of a hop go.
pub(super) struct HopGradients<'a> {
    /// Of this frame; accumulated into.
    pub(super) here: &'a mut RowGradients,
    /// Of the next frame; accumulated into.
    pub(super) next: &'a mut RowGradients,
    /// Of the phases in turns: at the end of the hop, then at its beginning.
    pub(super) phases: &'a mut [f64],
}

/// Backward pass of one hop; rates and phases only if `PHASES`.
pub(super) struct BackwardHop<'a, const PHASES: bool> {
    pub(super) hop: Hop<'a>,
    pub(super) samples: &'a GradSamples,
    pub(super) grads: HopGradients<'a>,
}

impl<const PHASES: bool> Kernel for BackwardHop<'_, PHASES> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.groups::<FMA, 8>();
    }

    #[inline(always)]
    fn run_wide<const FMA: bool>(self) {
        self.groups::<FMA, 16>();
    }
}

/// Sums over samples of a group of oscillators: of sines times the amplitude's weights, and of
/// cosines times the amplitude and the phase's weights.
#[derive(Clone, Copy)]
struct Moments<T, const LANES: usize> {
    here: [T; LANES],
    next: [T; LANES],
    all: [T; LANES],
    start: [T; LANES],
    end: [T; LANES],
}

impl<T: Copy + Default, const LANES: usize> Moments<T, LANES> {
    #[inline(always)]
    fn zero() -> Self {
        let zero = [T::default(); LANES];
        Self { here: zero, next: zero, all: zero, start: zero, end: zero }
    }
}

impl<const LANES: usize> Moments<f64, LANES> {
    #[inline(always)]
    fn add<const PHASES: bool>(&mut self, tile: &Moments<f32, LANES>) {
        for l in 0..LANES {
            self.here[l] += f64::from(tile.here[l]);
            self.next[l] += f64::from(tile.next[l]);
            if PHASES {
                self.all[l] += f64::from(tile.all[l]);
                self.start[l] += f64::from(tile.start[l]);
                self.end[l] += f64::from(tile.end[l]);
            }
        }
    }
}

impl<const PHASES: bool> BackwardHop<'_, PHASES> {
    #[inline(always)]
    fn groups<const FMA: bool, const LANES: usize>(mut self) {
        for first in (0..self.hop.phases.len()).step_by(LANES) {
            let voices = Voices::<LANES>::new(self.hop, first);
            let mut moments = Moments::<f64, LANES>::zero();
            if voices.audible != Audible::Never {
                for offset in (0..self.hop.len).step_by(TILE) {
                    let wheels = wheels(self.hop, first, offset);
                    let hop = self.hop.after_sample(offset);
                    let samples = self.samples.tile(offset);
                    let tile = if voices.audible == Audible::Always {
                        tile_moments::<FMA, PHASES, false, LANES>(voices, wheels, hop, samples)
                    } else {
                        tile_moments::<FMA, PHASES, true, LANES>(voices, wheels, hop, samples)
                    };
                    moments.add::<PHASES>(&tile);
                }
            }
            self.accumulate(first, &moments, &voices.poison);
        }
    }

    /// Adds what a group's moments say.
    ///
    /// All later phases move with the phase at the end of the hop, which is
    /// `(n + 1) / 2 a + (n - 1) / 2 b` turns after that at its beginning.
    #[inline(always)]
    fn accumulate<const LANES: usize>(
        &mut self,
        first: usize,
        moments: &Moments<f64, LANES>,
        poison: &[f32; LANES],
    ) {
        let HopGradients { here, next, phases } = &mut self.grads;
        let poison = poison.map(f64::from);
        add_lanes::<LANES>(&mut here.amplitudes, first, |l| moments.here[l] + poison[l]);
        add_lanes::<LANES>(&mut next.amplitudes, first, |l| moments.next[l] + poison[l]);
        if PHASES {
            let n = self.hop.len as f64;
            let later: [f64; LANES] = *lanes(phases, first);
            add_lanes::<LANES>(&mut here.rates, first, |l| {
                TAU * n * moments.start[l] + later[l] * (0.5 * (n + 1.0))
            });
            add_lanes::<LANES>(&mut next.rates, first, |l| {
                TAU * n * moments.end[l] + later[l] * (0.5 * (n - 1.0))
            });
            add_lanes::<LANES>(phases, first, |l| TAU * moments.all[l]);
        }
    }
}

/// Adds `terms` to the group of lanes at `first`.
#[inline(always)]
fn add_lanes<const LANES: usize>(sums: &mut [f64], first: usize, terms: impl Fn(usize) -> f64) {
    let lanes: &mut [f64; LANES] =
        sums[first..].first_chunk_mut().expect("arrays are padded to whole groups of lanes");
    let sums: [f64; LANES] = array::from_fn(|l| lanes[l] + terms(l));
    *lanes = sums;
}

/// The moments of a tile.
#[inline(always)]
fn tile_moments<const FMA: bool, const PHASES: bool, const MASKED: bool, const LANES: usize>(
    voices: Voices<LANES>,
    wheels: Wheels<LANES>,
    hop: Hop<'_>,
    samples: &[[GradSample; UNROLL]],
) -> Moments<f32, LANES> {
    let Wheels { mut phases, mut steps, change } = wheels;
    // Apart, not a struct: else the compiler keeps them in memory.
    let mut here = [0.0; LANES];
    let (mut next, mut all, mut start, mut end) = (here, here, here, here);
    let amplitude_weights = hop.amplitude_weights.as_chunks::<UNROLL>().0;
    let frequency_weights = hop.frequency_weights.as_chunks::<UNROLL>().0;
    let weights = amplitude_weights.iter().zip(frequency_weights);
    for (grads, (w, v)) in samples.iter().zip(weights) {
        // Sines alone are quick: several samples at once, as in the forward pass.
        let sines = if PHASES { [[0.0; LANES]; UNROLL] } else { sines::<FMA, LANES>(&phases) };
        for u in 0..UNROLL {
            let g = grads[u];
            for l in 0..LANES {
                let (mut s, mut c) =
                    if PHASES { sine_cosine::<FMA>(phases[u][l]) } else { (sines[u][l], 0.0) };
                if MASKED {
                    let heard = voices.heard::<FMA>(l, v[u]);
                    s *= heard;
                    c *= heard;
                }
                here[l] = mul_add::<FMA>(g.here, s, here[l]);
                next[l] = mul_add::<FMA>(g.next, s, next[l]);
                if PHASES {
                    let slope = voices.amplitude::<FMA>(l, w[u]) * c;
                    all[l] = mul_add::<FMA>(g.all, slope, all[l]);
                    start[l] = mul_add::<FMA>(g.start, slope, start[l]);
                    end[l] = mul_add::<FMA>(g.end, slope, end[l]);
                }
            }
        }
        turn(&mut phases, &mut steps, &change);
    }
    Moments { here, next, all, start, end }
}
