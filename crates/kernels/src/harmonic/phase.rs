//! Exact phase of a fundamental that glides in straight lines.

/// A phase as a fraction of a turn, in units of 2^-64 turns; wraps by itself.
///
/// Between hops it is a multiple of 2^-53 turns, which an `f64` in `[0, 1)` holds exactly: so a
/// block boundary changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(u64);

/// Bits of a [`Phase`] that an `f64` in `[0, 1)` cannot always hold.
const SUB_F64: u64 = (1 << 11) - 1;

/// A turn in units of [`Phase`].
const TURN: f64 = 18_446_744_073_709_551_616.0;

impl Phase {
    pub(super) fn from_turns(turns: f64) -> Self {
        Self(fraction(turns) & !SUB_F64)
    }

    pub(super) fn turns(self) -> f64 {
        self.0 as f64 / TURN
    }
}

/// Turns, less whole turns, in units of [`Phase`]; 0 for what is not finite.
fn fraction(turns: f64) -> u64 {
    // Rounding to the nearest whole turn keeps all bits of a small negative value.
    ((turns - turns.round()) * TURN) as i128 as u64
}

/// f0 in turns a sample, from the first sample of a hop to that of the next, in a straight line.
#[derive(Clone, Copy)]
pub(super) struct Glide {
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Glide {
    /// First step, and its change from sample to sample, in units of [`Phase`].
    fn steps(self, hop: usize) -> (u64, u64) {
        let change = (self.end - self.start) / hop as f64;
        (fraction(self.start), fraction(change))
    }

    /// Writes the phase of each sample, the first of them one step after `phase`.
    pub(super) fn write_phases(self, phase: Phase, phases: &mut [i32]) {
        let (mut step, change) = self.steps(phases.len());
        let mut sum = phase.0;
        for phase in phases {
            sum = sum.wrapping_add(step);
            step = step.wrapping_add(change);
            *phase = (sum >> 32) as u32 as i32;
        }
    }

    /// f0 of each sample as a fraction of the Nyquist frequency.
    pub(super) fn write_f0_nyquist(self, f0_nyquist: &mut [f32]) {
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
    pub(super) fn after_hop(self, phase: Phase, hop: usize) -> Phase {
        Phase(phase.0.wrapping_add(self.advance(hop)) & !SUB_F64)
    }

    /// The inverse of [`after_hop`](Self::after_hop), but for bits far below what a sample shows.
    pub(super) fn before_hop(self, phase: Phase, hop: usize) -> Phase {
        Phase(phase.0.wrapping_sub(self.advance(hop)))
    }
}
