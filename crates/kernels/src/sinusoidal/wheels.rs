//! The 32-bit phases of a group of oscillators over a tile of samples.

use crate::sine::sine;

/// Samples of a tile.
pub(super) const TILE: usize = 64;

/// Samples side by side, each lane having a wheel for each: independent sines that fill the
/// pipelines, and steps so long that few of them, and so few roundings, make a tile.
pub(super) const UNROLL: usize = 4;

/// Half a unit of 32-bit phase in units of 2^-64 turns: truncation after adding it is rounding.
const ROUND: u64 = 1 << 31;

/// How many times the rounding of the second difference is added to the first; see [`Wheels`].
const BEND: i64 = 8;

/// Phases of the samples that come next, a turn being 2^32, and their differences.
///
/// `phase += step, step += change` from one lot of [`UNROLL`] samples to the next. All three are
/// rounded from 64 bits at the tile's first sample, to half a unit of 2^-32 turns. After `i` lots
/// the roundings have grown to `1/2 + i/2` units for phase and step, and to `i (i - 1) / 2` times
/// that of the change, which alone would be 52 units at `i = 15`, the last. But that rounding is
/// known, and [`BEND`] times it goes into the first step: what remains of it is
/// `i (i - 1) / 2 - 8 i` times, at most 36, so it all adds up to 26 units: 6e-9 turns, 4e-8 of the
/// amplitude, and far less as a rule.
#[derive(Clone, Copy)]
pub(super) struct Wheels<const LANES: usize> {
    pub(super) phases: [[i32; LANES]; UNROLL],
    pub(super) steps: [[i32; LANES]; UNROLL],
    pub(super) change: [i32; LANES],
}

impl<const LANES: usize> Wheels<LANES> {
    /// From the phases before the first sample, what that sample adds to them, and what each step
    /// has more than the one before, in units of 2^-64 turns.
    #[inline(always)]
    pub(super) fn new(phases: [u64; LANES], steps: [u64; LANES], changes: [u64; LANES]) -> Self {
        let mut wheels =
            Self { phases: [[0; LANES]; UNROLL], steps: [[0; LANES]; UNROLL], change: [0; LANES] };
        // Over `n` samples a step grows by `n change`, and the phase of a step `n` times as long.
        let n = UNROLL as u64;
        for l in 0..LANES {
            let (mut phase, mut step, change) = (phases[l], steps[l], changes[l]);
            let exact = change.wrapping_mul(n * n);
            wheels.change[l] = high(exact);
            // The signed low half is what rounding takes away.
            let bend = i64::from(exact as u32 as i32).wrapping_mul(BEND) as u64;
            // The `n` steps after the first: `n step + (1 + ... + n) change`.
            let twice = change << 1;
            let mut lot = (step.wrapping_add(twice) << 2).wrapping_add(twice).wrapping_add(bend);
            for u in 0..UNROLL {
                phase = phase.wrapping_add(step);
                step = step.wrapping_add(change);
                wheels.phases[u][l] = high(phase);
                wheels.steps[u][l] = high(lot);
                lot = lot.wrapping_add(change.wrapping_mul(n));
            }
        }
        wheels
    }
}

/// On to the next samples.
#[inline(always)]
pub(super) fn turn<const LANES: usize>(
    phases: &mut [[i32; LANES]; UNROLL],
    steps: &mut [[i32; LANES]; UNROLL],
    change: &[i32; LANES],
) {
    for u in 0..UNROLL {
        for l in 0..LANES {
            phases[u][l] = phases[u][l].wrapping_add(steps[u][l]);
            steps[u][l] = steps[u][l].wrapping_add(change[l]);
        }
    }
}

/// The sines of a lot of phases.
#[inline(always)]
pub(super) fn sines<const FMA: bool, const LANES: usize>(
    phases: &[[i32; LANES]; UNROLL],
) -> [[f32; LANES]; UNROLL] {
    let mut sines = [[0.0; LANES]; UNROLL];
    // One loop, so that the compiler may mix the instructions of independent sines.
    for (s, phase) in sines.as_flattened_mut().iter_mut().zip(phases.as_flattened()) {
        *s = sine::<FMA>(*phase);
    }
    sines
}

/// The 32 bits that count, rounded.
#[inline(always)]
fn high(units: u64) -> i32 {
    (units.wrapping_add(ROUND) >> 32) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase::fraction;

    /// Largest distance from the exact phases over a tile, in units of 2^-32 turns.
    fn worst(phase: f64, step: f64, change: f64) -> f64 {
        let mut wheels = Wheels::<1>::new([fraction(phase)], [fraction(step)], [fraction(change)]);
        let (mut exact, mut exact_step) = (fraction(phase), fraction(step));
        let mut worst = 0.0_f64;
        for _ in 0..TILE / UNROLL {
            for u in 0..UNROLL {
                exact = exact.wrapping_add(exact_step);
                exact_step = exact_step.wrapping_add(fraction(change));
                let got = u64::from(wheels.phases[u][0].cast_unsigned()) << 32;
                let error = got.wrapping_sub(exact).cast_signed() as f64;
                worst = worst.max(error.abs() / 4_294_967_296.0);
            }
            turn(&mut wheels.phases, &mut wheels.steps, &wheels.change);
        }
        worst
    }

    #[test]
    fn phases_are_off_by_at_most_26_units() {
        let mut largest = 0.0_f64;
        for i in 0..20_000 {
            // Irrational strides through all roundings; changes of both signs and many sizes.
            let x = f64::from(i);
            let change = (0.618 * x).sin() * 2.0_f64.powf(-6.0 - (0.0137 * x) % 30.0);
            largest = largest.max(worst(0.754_877 * x, 0.569_84 * x, change));
        }
        assert!(largest <= 26.0, "{largest} units");
        // The bound is not idle: without the bend the rounding of the change alone reaches 52.
        assert!(largest >= 15.0, "{largest} units");
    }
}
