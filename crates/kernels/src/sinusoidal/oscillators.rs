//! The state of a bank of oscillators over one hop.

use super::turn::{SetGlides, Turn};
use super::wheels::UNROLL;
use crate::harmonic::AmplitudeInterpolation;
use crate::phase::Phase;
use crate::resample::{linear_weight, window_weight};
use crate::simd::Simd;

/// The largest group of oscillators that a kernel takes; arrays are padded to whole ones.
pub(super) const GROUP: usize = 16;

/// The oscillators at one frame, padded with silent ones.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Frequencies in turns a sample.
    pub(crate) rates: Vec<f64>,
    pub(crate) amplitudes: Vec<f32>,
}

impl Row {
    fn new(n_padded: usize) -> Self {
        Self { rates: vec![0.0; n_padded], amplitudes: vec![0.0; n_padded] }
    }

    fn copy_from(&mut self, other: &Self) {
        self.rates.copy_from_slice(&other.rates);
        self.amplitudes.copy_from_slice(&other.amplitudes);
    }
}

/// What the kernels read of one hop.
#[derive(Clone, Copy)]
pub(super) struct Hop<'a> {
    pub(super) here: &'a Row,
    pub(super) next: &'a Row,
    /// Phases before the first sample, in units of 2^-64 turns.
    pub(super) phases: &'a [u64],
    /// What the first sample adds to the phases.
    pub(super) steps: &'a [u64],
    /// What each step has more than the one before.
    pub(super) changes: &'a [u64],
    /// 0, or not a number where the phase was none.
    pub(super) poison: &'a [f32],
    /// Weights of the next frame in the amplitudes, padded to whole lots of samples.
    pub(super) amplitude_weights: &'a [f32],
    /// The same in the frequencies.
    pub(super) frequency_weights: &'a [f32],
    /// Number of samples.
    pub(super) len: usize,
}

impl Hop<'_> {
    /// The same with the weights from sample `offset` on.
    #[inline(always)]
    pub(super) fn after_sample(self, offset: usize) -> Self {
        Self {
            amplitude_weights: &self.amplitude_weights[offset..],
            frequency_weights: &self.frequency_weights[offset..],
            ..self
        }
    }
}

/// Phases of all oscillators, and the two frames that they are between.
#[derive(Clone, Debug)]
pub(super) struct Oscillators {
    len: usize,
    amplitude_weights: Vec<f32>,
    frequency_weights: Vec<f32>,
    phases: Vec<u64>,
    steps: Vec<u64>,
    changes: Vec<u64>,
    poison: Vec<f32>,
    pub(super) here: Row,
    pub(super) next: Row,
}

impl Oscillators {
    /// Of phase 0, on frames `len` samples apart.
    pub(super) fn new(len: usize, n_padded: usize, interpolation: AmplitudeInterpolation) -> Self {
        let weights = |weight: fn(usize, usize) -> f32| {
            let mut weights: Vec<f32> = (0..len).map(|j| weight(j, len)).collect();
            weights.resize(len.next_multiple_of(UNROLL), 0.0);
            weights
        };
        let amplitude_weights = match interpolation {
            AmplitudeInterpolation::Window => weights(window_weight),
            AmplitudeInterpolation::Linear => weights(linear_weight),
            AmplitudeInterpolation::Nearest => weights(|_, _| 0.0),
        };
        Self {
            len,
            amplitude_weights,
            frequency_weights: weights(linear_weight),
            phases: vec![0; n_padded],
            steps: vec![0; n_padded],
            changes: vec![0; n_padded],
            poison: vec![0.0; n_padded],
            here: Row::new(n_padded),
            next: Row::new(n_padded),
        }
    }

    pub(super) fn hop(&self) -> Hop<'_> {
        Hop {
            here: &self.here,
            next: &self.next,
            phases: &self.phases,
            steps: &self.steps,
            changes: &self.changes,
            poison: &self.poison,
            amplitude_weights: &self.amplitude_weights,
            frequency_weights: &self.frequency_weights,
            len: self.len,
        }
    }

    /// Takes phases in turns.
    pub(super) fn load(&mut self, turns: &[f64]) {
        for (k, &turns) in turns.iter().enumerate() {
            self.phases[k] = Phase::from_turns(turns).units();
            self.poison[k] = (turns * 0.0) as f32;
        }
    }

    /// Writes the phases in turns.
    pub(super) fn store(&self, turns: &mut [f64]) {
        for (k, turns) in turns.iter_mut().enumerate() {
            *turns = Phase::from_units(self.phases[k]).turns() + f64::from(self.poison[k]);
        }
    }

    /// Makes the next row the present one, and frame `i + 1` the next; the last frame is held.
    pub(super) fn on_to_frame(
        &mut self,
        i: usize,
        n_frames: usize,
        fill: &mut impl FnMut(usize, &mut Row),
    ) {
        std::mem::swap(&mut self.here, &mut self.next);
        if i + 1 < n_frames {
            fill(i + 1, &mut self.next);
        } else {
            self.next.copy_from(&self.here);
        }
    }

    /// Makes the present row the next one, and frame `i` the present one.
    pub(super) fn back_to_frame(&mut self, i: usize, fill: &mut impl FnMut(usize, &mut Row)) {
        std::mem::swap(&mut self.here, &mut self.next);
        fill(i, &mut self.here);
    }

    /// Steps and changes from the rates of both rows.
    pub(super) fn set_glides(&mut self, simd: Simd) {
        simd.run(SetGlides {
            start: &self.here.rates,
            end: &self.next.rates,
            inverse_len: 1.0 / self.len as f64,
            steps: &mut self.steps,
            changes: &mut self.changes,
        });
    }

    /// On to the phases of the last sample of the hop.
    pub(super) fn advance(&mut self, simd: Simd) {
        let (n_samples, steps, changes) = (self.len, &self.steps, &self.changes);
        simd.run(Turn::<true> { n_samples, steps, changes, phases: &mut self.phases });
    }

    /// Back to the phases before the hop, but for bits far below what a sample shows.
    pub(super) fn retreat(&mut self, simd: Simd) {
        let (n_samples, steps, changes) = (self.len, &self.steps, &self.changes);
        simd.run(Turn::<false> { n_samples, steps, changes, phases: &mut self.phases });
    }
}
