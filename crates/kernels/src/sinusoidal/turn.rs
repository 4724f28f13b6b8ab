//! Whole hops of 64-bit phase, for all oscillators.

use crate::phase::{at_boundary, fraction};
use crate::simd::Kernel;

/// From the rates at both ends of a hop to steps in units of 2^-64 turns.
pub(super) struct SetGlides<'a> {
    pub(super) start: &'a [f64],
    pub(super) end: &'a [f64],
    /// One over the number of samples.
    pub(super) inverse_len: f64,
    /// What the first sample adds to a phase; overwritten.
    pub(super) steps: &'a mut [u64],
    /// What each step has more than the one before; overwritten.
    pub(super) changes: &'a mut [u64],
}

impl Kernel for SetGlides<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let rates = self.start.iter().zip(self.end);
        for ((step, change), (start, end)) in self.steps.iter_mut().zip(self.changes).zip(rates) {
            *step = fraction(*start);
            *change = fraction((end - start) * self.inverse_len);
        }
    }
}

/// Turns all phases by a whole hop.
pub(super) struct Turn<'a, const FORWARD: bool> {
    pub(super) n_samples: usize,
    pub(super) steps: &'a [u64],
    pub(super) changes: &'a [u64],
    pub(super) phases: &'a mut [u64],
}

impl<const FORWARD: bool> Kernel for Turn<'_, FORWARD> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let glides = self.steps.iter().zip(self.changes);
        for (phase, (step, change)) in self.phases.iter_mut().zip(glides) {
            let turned = turned(*step, *change, self.n_samples);
            *phase = if FORWARD {
                at_boundary(phase.wrapping_add(turned))
            } else {
                phase.wrapping_sub(turned)
            };
        }
    }
}

/// The sum of the first `n_samples` steps of a glide: `n step + n (n - 1) / 2 change`.
#[inline(always)]
pub(super) fn turned(step: u64, change: u64, n_samples: usize) -> u64 {
    let n = n_samples as u64;
    step.wrapping_mul(n).wrapping_add(change.wrapping_mul(n.wrapping_mul(n.wrapping_sub(1)) / 2))
}
