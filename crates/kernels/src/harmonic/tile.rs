//! The inner loops of harmonic synthesis: a few samples by all harmonics, in registers.

use crate::simd::{Kernel, mul_add, sum_lanes};
use crate::sine::{QUARTER_TURN, sine};

/// Samples in a tile: two AVX-512 or four AVX registers, so that a tile's phases, steps and two
/// sums stay in registers while the harmonics go by.
pub(super) const TILE: usize = 32;

/// Partial sums of a reduction over samples; one AVX-512 register.
const LANES: usize = 16;

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
        for k in 0..self.amplitudes.len().min(self.n_always) {
            let (amplitude, step) = (self.amplitudes[k], self.steps[k]);
            for j in 0..TILE {
                phases[j] = phases[j].wrapping_add(self.phases[j]);
                let s = sine::<FMA>(phases[j]);
                level[j] = mul_add::<FMA>(amplitude, s, level[j]);
                slope[j] = mul_add::<FMA>(step, s, slope[j]);
            }
        }
        for k in self.n_always..self.amplitudes.len() {
            let (amplitude, step) = (self.amplitudes[k], self.steps[k]);
            for j in 0..TILE {
                phases[j] = phases[j].wrapping_add(self.phases[j]);
                let s = sine::<FMA>(phases[j]) * below_nyquist(k, self.f0_nyquist[j]);
                level[j] = mul_add::<FMA>(amplitude, s, level[j]);
                slope[j] = mul_add::<FMA>(step, s, slope[j]);
            }
        }
        for j in 0..TILE {
            level[j] = mul_add::<FMA>(self.next_weights[j], slope[j], level[j]);
        }
        self.audio.copy_from_slice(&level[..self.audio.len()]);
    }
}

/// Gradients of a tile with respect to the amplitudes.
pub(super) struct BackwardTile<'a> {
    pub(super) phases: &'a [i32; TILE],
    pub(super) f0_nyquist: &'a [f32; TILE],
    pub(super) next_weights: &'a [f32; TILE],
    /// At most a tile.
    pub(super) grad_audio: &'a [f32],
    pub(super) n_always: usize,
    /// Of this frame's amplitudes; accumulated into.
    pub(super) grad_amplitudes: &'a mut [f32],
    /// Of the next frame's amplitudes; accumulated into.
    pub(super) grad_next: &'a mut [f32],
}

impl Kernel for BackwardTile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (mut here, mut next) = ([0.0_f32; TILE], [0.0_f32; TILE]);
        for (j, grad) in self.grad_audio.iter().enumerate() {
            next[j] = self.next_weights[j] * grad;
            here[j] = grad - next[j];
        }
        let mut phases = [0_i32; TILE];
        for k in 0..self.grad_amplitudes.len() {
            let masked = k >= self.n_always;
            let (mut sum_here, mut sum_next) = ([0.0_f32; LANES], [0.0_f32; LANES]);
            for start in (0..TILE).step_by(LANES) {
                for lane in 0..LANES {
                    let j = start + lane;
                    phases[j] = phases[j].wrapping_add(self.phases[j]);
                    let mut s = sine::<FMA>(phases[j]);
                    if masked {
                        s *= below_nyquist(k, self.f0_nyquist[j]);
                    }
                    sum_here[lane] = mul_add::<FMA>(here[j], s, sum_here[lane]);
                    sum_next[lane] = mul_add::<FMA>(next[j], s, sum_next[lane]);
                }
            }
            self.grad_amplitudes[k] += sum_lanes(sum_here);
            self.grad_next[k] += sum_lanes(sum_next);
        }
    }
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
                    c *= below_nyquist(k, self.f0_nyquist[j]);
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

/// 1 where harmonic `k + 1` is below the Nyquist frequency, else 0.
#[inline(always)]
fn below_nyquist(k: usize, f0_nyquist: f32) -> f32 {
    if (k + 1) as f32 * f0_nyquist < 1.0 { 1.0 } else { 0.0 }
}
