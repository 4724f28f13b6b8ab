//! What a group of oscillators does over a tile of samples: amplitudes, audibility, phases.

use super::oscillators::Hop;
use super::turn::turned;
use super::wheels::Wheels;
use crate::simd::mul_add;

/// A group of oscillators, from some sample of a hop on.
#[derive(Clone, Copy)]
pub(super) struct Voices<const LANES: usize> {
    /// Amplitude at this frame; not a number where the frequency or the initial phase is not.
    pub(super) level: [f32; LANES],
    /// What the next frame's amplitude has more.
    pub(super) rise: [f32; LANES],
    /// Turns a sample at this frame.
    rate: [f32; LANES],
    /// What the next frame's rate has more.
    rate_rise: [f32; LANES],
    /// 0, or not a number where the frequency or the initial phase is not.
    pub(super) poison: [f32; LANES],
    pub(super) audible: Audible,
    /// Whether no lane adds anything to the audio.
    pub(super) is_silent: bool,
}

/// Which part of a hop a group of oscillators is below the Nyquist frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audible {
    /// All of them throughout.
    Always,
    /// Some of them, or for some time.
    Sometimes,
    /// None of them ever.
    Never,
}

impl<const LANES: usize> Voices<LANES> {
    /// Lanes `first..first + LANES` of `hop`.
    #[inline(always)]
    pub(super) fn new(hop: Hop<'_>, first: usize) -> Self {
        let start: &[f64; LANES] = lanes(&hop.here.rates, first);
        let end: &[f64; LANES] = lanes(&hop.next.rates, first);
        let here: &[f32; LANES] = lanes(&hop.here.amplitudes, first);
        let next: &[f32; LANES] = lanes(&hop.next.amplitudes, first);
        let mut poison: [f32; LANES] = *lanes(hop.poison, first);
        let (mut level, mut rise) = ([0.0; LANES], [0.0; LANES]);
        let (mut rate, mut rate_rise) = ([0.0; LANES], [0.0; LANES]);
        let (mut n_always, mut n_never, mut n_silent) = (0, 0, 0);
        for l in 0..LANES {
            // 0 times what is not finite is not a number.
            poison[l] += ((end[l] - start[l]) * 0.0) as f32;
            level[l] = here[l] + poison[l];
            rise[l] = next[l] - here[l];
            let (from, to) = (start[l] as f32, end[l] as f32);
            rate[l] = from;
            rate_rise[l] = to - from;
            n_always += i32::from((from.abs() < 0.5) & (to.abs() < 0.5));
            let above = (from >= 0.5) & (to >= 0.5);
            let below = (from <= -0.5) & (to <= -0.5);
            // What is not finite must be heard.
            let finite = (level[l] + rise[l]) * 0.0 == 0.0;
            n_never += i32::from((above | below) & finite);
            let zero = (here[l] == 0.0) & (next[l] == 0.0);
            n_silent += i32::from((above | below | zero) & finite);
        }
        let audible = match LANES as i32 {
            n if n == n_always => Audible::Always,
            n if n == n_never => Audible::Never,
            _ => Audible::Sometimes,
        };
        let is_silent = n_silent == LANES as i32;
        Self { level, rise, rate, rate_rise, poison, audible, is_silent }
    }

    /// Amplitude of a sample at `weight` between the frames.
    #[inline(always)]
    pub(super) fn amplitude<const FMA: bool>(&self, lane: usize, weight: f32) -> f32 {
        mul_add::<FMA>(weight, self.rise[lane], self.level[lane])
    }

    /// 1 where a sample at `weight` between the frames is below the Nyquist frequency, else 0.
    ///
    /// A factor, since a choice between a sine and 0 would become a jump.
    #[inline(always)]
    pub(super) fn heard<const FMA: bool>(&self, lane: usize, weight: f32) -> f32 {
        let rate = mul_add::<FMA>(weight, self.rate_rise[lane], self.rate[lane]);
        if rate.abs() < 0.5 { 1.0 } else { 0.0 }
    }
}

/// Phases of lanes `first..first + LANES` of `hop`, from sample `offset` on.
#[inline(always)]
pub(super) fn wheels<const LANES: usize>(
    hop: Hop<'_>,
    first: usize,
    offset: usize,
) -> Wheels<LANES> {
    let mut phases: [u64; LANES] = *lanes(hop.phases, first);
    let mut steps: [u64; LANES] = *lanes(hop.steps, first);
    let changes: [u64; LANES] = *lanes(hop.changes, first);
    // Spares the products where the hop is one tile.
    if offset > 0 {
        for l in 0..LANES {
            phases[l] = phases[l].wrapping_add(turned(steps[l], changes[l], offset));
            steps[l] = steps[l].wrapping_add(changes[l].wrapping_mul(offset as u64));
        }
    }
    Wheels::new(phases, steps, changes)
}

/// Values `first..first + LANES`.
#[inline(always)]
pub(super) fn lanes<T, const LANES: usize>(values: &[T], first: usize) -> &[T; LANES] {
    values[first..].first_chunk().expect("arrays are padded to whole groups of lanes")
}
