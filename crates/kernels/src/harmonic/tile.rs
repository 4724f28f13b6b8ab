//! The inner loops of harmonic synthesis: a few samples by all harmonics, in registers.

use std::array;

use crate::simd::{Kernel, mul_add};
use crate::sine::{QUARTER_TURN, sine};

/// Samples in a tile: two AVX-512 or four AVX registers, so that a tile's phases, steps and two
/// sums stay in registers while the harmonics go by.
pub(super) const TILE: usize = 32;

/// Harmonics side by side in the backward pass; one AVX-512 register.
pub(super) const LANES: usize = 16;

/// Forward pass of a tile.
pub(super) struct ForwardTile<'a> {
    /// Phase of the fundamental; a turn is 2^32.
    pub(super) phases: &'a [i32; TILE],
    /// f0 as a fraction of the Nyquist frequency.
    pub(super) f0_nyquist: &'a [f32; TILE],
    /// Weight of the next frame.
    pub(super) next_weights: &'a [f32; TILE],
    /// Amplitude of each harmonic at this frame.
    pub(super) amplitudes: &'a [f32],
    /// What the next frame's amplitude has more.
    pub(super) steps: &'a [f32],
    /// Harmonics below this need no look at the Nyquist frequency.
    pub(super) n_always: usize,
    /// Overwritten; at most a tile.
    pub(super) audio: &'a mut [f32],
}

impl Kernel for ForwardTile<'_> {
    type Output = ();

    /// `sum_k (a_k + w step_k) s_k = sum_k a_k s_k + w sum_k step_k s_k`: two sums, and one
    /// interpolation a sample instead of one for each harmonic.
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut phases = [0_i32; TILE];
        let (mut level, mut slope) = ([0.0_f32; TILE], [0.0_f32; TILE]);
        for k in 0..self.amplitudes.len() {
            let (amplitude, step) = (self.amplitudes[k], self.steps[k]);
            let masked = k >= self.n_always;
            for j in 0..TILE {
                phases[j] = phases[j].wrapping_add(self.phases[j]);
                let mut s = sine::<FMA>(phases[j]);
                if masked {
                    s *= below_nyquist((k + 1) as f32, self.f0_nyquist[j]);
                }
                level[j] = mul_add::<FMA>(amplitude, s, level[j]);
                slope[j] = mul_add::<FMA>(step, s, slope[j]);
            }
        }
        for (j, y) in self.audio.iter_mut().enumerate() {
            *y = mul_add::<FMA>(self.next_weights[j], slope[j], level[j]);
        }
    }
}

/// The samples of a hop, as the backward pass sees them.
#[derive(Clone, Copy)]
pub(super) struct HopSamples<'a> {
    /// Phase of the fundamental; a turn is 2^32.
    pub(super) phases: &'a [i32],
    /// f0 as a fraction of the Nyquist frequency.
    pub(super) f0_nyquist: &'a [f32],
    /// Gradient times the weight of this frame.
    pub(super) grad_here: &'a [f32],
    /// Gradient times the weight of the next frame.
    pub(super) grad_next: &'a [f32],
}

/// Gradients of a hop with respect to the amplitudes.
///
/// Here the lanes are harmonics, not samples: the sums over samples then need no reduction across
/// lanes, for the price of a product `k * phase` where the other loops add.
pub(super) struct BackwardHop<'a> {
    pub(super) samples: HopSamples<'a>,
    /// Groups of lanes, lowest first, that need no look at the Nyquist frequency.
    pub(super) n_always: usize,
    /// Of this frame's amplitudes, in whole groups of lanes; accumulated into.
    pub(super) grad_amplitudes: &'a mut [f32],
    /// Of the next frame's amplitudes, likewise.
    pub(super) grad_next_amplitudes: &'a mut [f32],
}

impl Kernel for BackwardHop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let here = self.grad_amplitudes.as_chunks_mut::<LANES>().0.iter_mut();
        let next = self.grad_next_amplitudes.as_chunks_mut::<LANES>().0.iter_mut();
        for (group, (here, next)) in here.zip(next).enumerate() {
            let numbers = array::from_fn(|lane| (group * LANES + lane + 1) as i32);
            let (sum_here, sum_next) = if group < self.n_always {
                backward_group::<FMA, false>(self.samples, numbers)
            } else {
                backward_group::<FMA, true>(self.samples, numbers)
            };
            for lane in 0..LANES {
                here[lane] += sum_here[lane];
                next[lane] += sum_next[lane];
            }
        }
    }
}

/// Both sums over the samples of a hop, for the harmonics `numbers`.
#[inline(always)]
fn backward_group<const FMA: bool, const MASKED: bool>(
    hop: HopSamples<'_>,
    numbers: [i32; LANES],
) -> ([f32; LANES], [f32; LANES]) {
    let numbers_f32 = numbers.map(|k| k as f32);
    let (mut sum_here, mut sum_next) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let samples = hop.phases.iter().zip(hop.f0_nyquist).zip(hop.grad_here).zip(hop.grad_next);
    for (((phase, f0_nyquist), grad_here), grad_next) in samples {
        for lane in 0..LANES {
            let mut s = sine::<FMA>(phase.wrapping_mul(numbers[lane]));
            if MASKED {
                s *= below_nyquist(numbers_f32[lane], *f0_nyquist);
            }
            sum_here[lane] = mul_add::<FMA>(*grad_here, s, sum_here[lane]);
            sum_next[lane] = mul_add::<FMA>(*grad_next, s, sum_next[lane]);
        }
    }
    (sum_here, sum_next)
}

/// Gradient of a tile with respect to the phases of the fundamental.
pub(super) struct FrequencyBackwardTile<'a> {
    pub(super) phases: &'a [i32; TILE],
    pub(super) f0_nyquist: &'a [f32; TILE],
    pub(super) next_weights: &'a [f32; TILE],
    pub(super) amplitudes: &'a [f32],
    pub(super) steps: &'a [f32],
    pub(super) n_always: usize,
    /// At most a tile.
    pub(super) grad_audio: &'a [f32],
    /// Of the phases in radians; overwritten, a whole tile.
    pub(super) grad_phases: &'a mut [f32],
}

impl Kernel for FrequencyBackwardTile<'_> {
    type Output = ();

    /// `d audio / d phase = sum_k k (a_k + w step_k) cos(k phase)`, summed as in the forward pass.
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let mut phases = [0_i32; TILE];
        let (mut level, mut slope) = ([0.0_f32; TILE], [0.0_f32; TILE]);
        for k in 0..self.amplitudes.len() {
            let number = (k + 1) as f32;
            let (amplitude, step) = (number * self.amplitudes[k], number * self.steps[k]);
            let masked = k >= self.n_always;
            for j in 0..TILE {
                phases[j] = phases[j].wrapping_add(self.phases[j]);
                let mut c = sine::<FMA>(phases[j].wrapping_add(QUARTER_TURN));
                if masked {
                    c *= below_nyquist(number, self.f0_nyquist[j]);
                }
                level[j] = mul_add::<FMA>(amplitude, c, level[j]);
                slope[j] = mul_add::<FMA>(step, c, slope[j]);
            }
        }
        for (j, grad) in self.grad_audio.iter().enumerate() {
            self.grad_phases[j] = grad * mul_add::<FMA>(self.next_weights[j], slope[j], level[j]);
        }
    }
}

/// 1 where a harmonic is below the Nyquist frequency, else 0.
#[inline(always)]
fn below_nyquist(number: f32, f0_nyquist: f32) -> f32 {
    if number * f0_nyquist < 1.0 { 1.0 } else { 0.0 }
}
