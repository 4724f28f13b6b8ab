//! Exact phases of oscillators whose frequencies glide in straight lines.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "phases wrap on purpose, and their low bits are dropped on purpose"
)]

/// A phase as a fraction of a turn, in units of 2^-64 turns; wraps by itself.
///
/// Between hops it is a multiple of 2^-53 turns, which an `f64` in `[0, 1)` holds exactly: so a
/// block boundary changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phase(u64);

/// Bits of a [`Phase`] that an `f64` in `[0, 1)` cannot always hold.
const SUB_F64: u64 = (1 << 11) - 1;

/// A turn in units of [`Phase`].
const TURN: f64 = 18_446_744_073_709_551_616.0;

impl Phase {
    pub(crate) fn from_turns(turns: f64) -> Self {
        Self(at_boundary(fraction(turns)))
    }

    pub(crate) fn turns(self) -> f64 {
        self.0 as f64 / TURN
    }

    /// In units of 2^-64 turns, for loops over many phases.
    pub(crate) fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// In units of 2^-64 turns.
    pub(crate) fn units(self) -> u64 {
        self.0
    }
}

/// A phase between hops, less the bits that would be lost on the way through an `f64`.
#[inline(always)]
pub(crate) fn at_boundary(units: u64) -> u64 {
    units & !SUB_F64
}

/// Added to an `f64` that is small enough, it leaves the nearest whole number, which is then in the
/// low bits of the sum: `1.5 * 2^52`.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// Half the bits of a [`Phase`], as a factor.
const HALF: f64 = 4_294_967_296.0;

/// Turns, less whole turns, in units of [`Phase`]; 0 for what is not finite, and from 2^51 turns up,
/// where half a turn is all the fraction that an `f64` has.
///
/// No conversion from `f64` to an integer, which has no vector form before AVX-512, and no call:
/// the two halves of the result are read off the bits of sums with [`WHOLE`].
#[inline(always)]
pub(crate) fn fraction(turns: f64) -> u64 {
    // Beyond 2^51 a sum with `WHOLE` is not the nearest whole number.
    let turns = if turns.abs() < 2_251_799_813_685_248.0 { turns } else { 0.0 };
    // Less the nearest whole turn: that keeps all bits of a small negative value.
    let high = (turns - ((turns + WHOLE) - WHOLE)) * HALF;
    let high_sum = high + WHOLE;
    let low_sum = (high - (high_sum - WHOLE)) * HALF + WHOLE;
    // The low half is signed.
    let low = low_sum.to_bits() as u32 as i32;
    (high_sum.to_bits() << 32).wrapping_add(i64::from(low) as u64)
}

/// f0 in turns a sample, from the first sample of a hop to that of the next, in a straight line.
#[derive(Clone, Copy)]
pub(crate) struct Glide {
    pub(crate) start: f64,
    pub(crate) end: f64,
}

impl Glide {
    /// First step, and its change from sample to sample, in units of [`Phase`].
    fn steps(self, hop: usize) -> (u64, u64) {
        let change = (self.end - self.start) / hop as f64;
        (fraction(self.start), fraction(change))
    }

    /// Writes the phase of each sample, the first of them one step after `phase`.
    pub(crate) fn write_phases(self, phase: Phase, phases: &mut [i32]) {
        let (mut step, change) = self.steps(phases.len());
        let mut sum = phase.0;
        for phase in phases {
            sum = sum.wrapping_add(step);
            step = step.wrapping_add(change);
            *phase = (sum >> 32) as u32 as i32;
        }
    }

    /// The phase of each sample, the first of them `phase` itself; a turn is 2^32.
    ///
    /// The sample after the hop has the phase that [`after_hop`](Self::after_hop) returns.
    pub(crate) fn phases_from(
        self,
        phase: Phase,
        hop: usize,
    ) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        let (step, change) = self.steps(hop);
        (0..hop).map(move |j| {
            let j = j as u64;
            // The sum of j steps, the last of them changed j - 1 times.
            let steps = step.wrapping_mul(j);
            let changes = change.wrapping_mul(j * j.wrapping_sub(1) / 2);
            (phase.0.wrapping_add(steps).wrapping_add(changes) >> 32) as u32
        })
    }

    /// f0 of each sample as a fraction of the Nyquist frequency.
    pub(crate) fn write_f0_nyquist(self, f0_nyquist: &mut [f32]) {
        let hop = f0_nyquist.len() as f32;
        let (start, end) = ((2.0 * self.start) as f32, (2.0 * self.end) as f32);
        for (j, f0) in f0_nyquist.iter_mut().enumerate() {
            *f0 = start + (end - start) * (j as f32 / hop);
        }
    }

    /// Turns of a whole hop, as [`write_phases`](Self::write_phases) sums them.
    fn advance(self, hop: usize) -> u64 {
        let (step, change) = self.steps(hop);
        let hop = hop as u64;
        step.wrapping_mul(hop).wrapping_add(change.wrapping_mul(hop * (hop - 1) / 2))
    }

    /// Phase of the last sample of a hop that starts one step after `phase`.
    pub(crate) fn after_hop(self, phase: Phase, hop: usize) -> Phase {
        Phase(at_boundary(phase.0.wrapping_add(self.advance(hop))))
    }

    /// The inverse of [`after_hop`](Self::after_hop), but for bits far below what a sample shows.
    pub(crate) fn before_hop(self, phase: Phase, hop: usize) -> Phase {
        Phase(phase.0.wrapping_sub(self.advance(hop)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_exact() {
        let unit = 2.0_f64.powi(-64);
        for (turns, units) in [
            (0.0, 0),
            (0.5, 1 << 63),
            (-0.5, 1 << 63),
            (0.75, 3 << 62),
            (7.25, 1 << 62),
            (-7.25, 3 << 62),
            (unit, 1),
            (-unit, u64::MAX),
            (2.0_f64.powi(-33) + unit, (1 << 31) + 1),
            (2.0_f64.powi(-53), 1 << 11),
            (1.0 - 2.0_f64.powi(-53), u64::MAX - 2047),
            (2.0_f64.powi(51) - 0.75, 1 << 62),
            (-(2.0_f64.powi(51) - 0.75), 3 << 62),
            (2.0_f64.powi(51) + 0.5, 0),
            (-(2.0_f64.powi(51) + 0.5), 0),
            (1e300, 0),
            (f64::INFINITY, 0),
            (f64::NAN, 0),
        ] {
            assert_eq!(fraction(turns), units, "{turns:e}");
        }
    }

    #[test]
    fn a_phase_passes_through_turns_unchanged() {
        let mut units = 0x1234_5678_9abc_def0_u64;
        for _ in 0..10_000 {
            units = units.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let phase = Phase(at_boundary(units));
            assert_eq!(Phase::from_turns(phase.turns()), phase, "{units:x}");
        }
    }
}
