//! A bank of oscillators that is driven hop by hop, forwards and backwards in time.

use super::backward::{BackwardHop, GradSamples, HopGradients};
use super::forward::{ForwardHop, Sums};
use super::oscillators::{GROUP, Oscillators, Row};
use crate::harmonic::AmplitudeInterpolation;
use crate::simd::Simd;

/// Gradients with respect to a [`Row`].
#[derive(Clone, Debug)]
pub(crate) struct RowGradients {
    /// With respect to the rates in turns a sample.
    pub(crate) rates: Vec<f64>,
    pub(crate) amplitudes: Vec<f64>,
}

impl RowGradients {
    fn new(n_padded: usize) -> Self {
        Self { rates: vec![0.0; n_padded], amplitudes: vec![0.0; n_padded] }
    }

    fn set_zero(&mut self) {
        self.rates.fill(0.0);
        self.amplitudes.fill(0.0);
    }

    fn add(&mut self, other: &Self) {
        for (sum, x) in self.rates.iter_mut().zip(&other.rates) {
            *sum += x;
        }
        for (sum, x) in self.amplitudes.iter_mut().zip(&other.amplitudes) {
            *sum += x;
        }
    }
}

/// Audio gradient, and what is wanted of it.
#[derive(Clone, Copy)]
pub(crate) struct GradAudio<'a> {
    /// Whole hops.
    pub(crate) grad_audio: &'a [f32],
    /// Whether gradients with respect to rates and phases are; else they are 0.
    pub(crate) with_phases: bool,
}

/// Oscillators whose rates and amplitudes go from row to row.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    /// The instruction set to use; tests force each.
    pub(crate) simd: Simd,
    hop: usize,
    n_oscillators: usize,
    oscillators: Oscillators,
    sums: Box<Sums>,
    samples: GradSamples,
    grad_here: RowGradients,
    grad_next: RowGradients,
    /// With respect to the phases between two hops, in turns.
    grad_phases: Vec<f64>,
}

impl Bank {
    /// `n_oscillators` on frames `hop` samples apart; neither may be 0.
    pub(crate) fn new(
        hop: usize,
        n_oscillators: usize,
        interpolation: AmplitudeInterpolation,
    ) -> Self {
        let n_padded = n_oscillators.next_multiple_of(GROUP);
        Self {
            simd: Simd::widest(),
            hop,
            n_oscillators,
            oscillators: Oscillators::new(hop, n_padded, interpolation),
            sums: Box::new(Sums::new()),
            samples: GradSamples::new(hop),
            grad_here: RowGradients::new(n_padded),
            grad_next: RowGradients::new(n_padded),
            grad_phases: vec![0.0; n_padded],
        }
    }

    pub(crate) fn n_oscillators(&self) -> usize {
        self.n_oscillators
    }

    /// Overwrites `audio`, whole hops of it. `phases` are those before the first sample in turns,
    /// and then those of the last. `fill(i, row)` writes frame `i` of `n_frames`.
    pub(crate) fn forward(
        &mut self,
        n_frames: usize,
        phases: &mut [f64],
        audio: &mut [f32],
        mut fill: impl FnMut(usize, &mut Row),
    ) {
        let Self { simd, oscillators, sums, .. } = self;
        oscillators.load(phases);
        if n_frames > 0 {
            fill(0, &mut oscillators.next);
        }
        for (i, audio) in audio.chunks_exact_mut(self.hop).enumerate() {
            oscillators.on_to_frame(i, n_frames, &mut fill);
            oscillators.set_glides(*simd);
            simd.run(ForwardHop { hop: oscillators.hop(), sums, audio });
            oscillators.advance(*simd);
        }
        oscillators.store(phases);
    }

    /// Calls `emit(i, row)` with the gradient of each frame that was heard, last first; returns that
    /// of the initial phases in turns.
    ///
    /// `n_frames`, `phases` and `fill` as in [`forward`](Self::forward).
    pub(crate) fn backward(
        &mut self,
        n_frames: usize,
        phases: &[f64],
        grad: GradAudio<'_>,
        mut fill: impl FnMut(usize, &mut Row),
        mut emit: impl FnMut(usize, &RowGradients),
    ) -> &[f64] {
        let n_hops = grad.grad_audio.len() / self.hop;
        self.skip(n_frames, n_hops, phases, &mut fill);
        self.grad_next.set_zero();
        self.grad_phases.fill(0.0);
        // Backwards in time, so that the gradient of all later phases is at hand.
        for (i, grad_audio) in grad.grad_audio.chunks_exact(self.hop).enumerate().rev() {
            if i + 1 < n_hops {
                self.oscillators.back_to_frame(i, &mut fill);
                self.oscillators.set_glides(self.simd);
            }
            self.oscillators.retreat(self.simd);
            self.backward_hop(grad_audio, grad.with_phases);
            if i + 1 < n_frames {
                emit(i + 1, &self.grad_next);
            } else {
                // The last frame is held: it is its own next.
                self.grad_here.add(&self.grad_next);
            }
            std::mem::swap(&mut self.grad_here, &mut self.grad_next);
        }
        if n_hops > 0 {
            emit(0, &self.grad_next);
        }
        &self.grad_phases[..self.n_oscillators]
    }

    /// Phases after `n_hops` hops, with the rows of the last of them.
    fn skip(
        &mut self,
        n_frames: usize,
        n_hops: usize,
        phases: &[f64],
        fill: &mut impl FnMut(usize, &mut Row),
    ) {
        let Self { simd, oscillators, .. } = self;
        oscillators.load(phases);
        if n_frames > 0 {
            fill(0, &mut oscillators.next);
        }
        for i in 0..n_hops {
            oscillators.on_to_frame(i, n_frames, fill);
            oscillators.set_glides(*simd);
            oscillators.advance(*simd);
        }
    }

    /// The gradient of one hop: overwrites `grad_here`, adds to `grad_next` and `grad_phases`.
    fn backward_hop(&mut self, grad_audio: &[f32], with_phases: bool) {
        let hop = self.oscillators.hop();
        self.samples.set(grad_audio, hop.amplitude_weights);
        self.grad_here.set_zero();
        let grads = HopGradients {
            here: &mut self.grad_here,
            next: &mut self.grad_next,
            phases: &mut self.grad_phases,
        };
        let samples = &self.samples;
        if with_phases {
            self.simd.run(BackwardHop::<true> { hop, samples, grads });
        } else {
            self.simd.run(BackwardHop::<false> { hop, samples, grads });
        }
    }
}
