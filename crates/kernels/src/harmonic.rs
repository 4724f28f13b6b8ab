//! Sum of harmonics of a gliding fundamental, from frame-rate controls.
//!
//! No buffer here has a size of samples x harmonics: a tile of samples is summed over the harmonics
//! in registers, and the interpolation of the amplitudes is factored out of that sum.

#![expect(
    clippy::cast_possible_truncation,
    reason = "phases wrap on purpose; weights and sums in f64 are rounded to f32 at the end"
)]

mod controls;
mod frequencies;
mod normalize;
mod tile;

use std::f64::consts::TAU;

pub use controls::HarmonicGradients;
pub use frequencies::{
    harmonic_frequencies, harmonic_frequencies_backward, remove_above_nyquist,
    remove_above_nyquist_backward,
};
pub use normalize::{
    normalize_distribution, normalize_distribution_backward, normalize_harmonics,
    normalize_harmonics_backward,
};

use crate::FrameGrid;
use crate::phase::{Glide, Phase};
use crate::resample::{linear_weight, window_weight};
use crate::simd::Simd;
use controls::{Controls, finish_frame};
use tile::{BackwardHop, ForwardTile, FrequencyBackwardTile, HopSamples, LANES, TILE};

/// How harmonic amplitudes go from one frame to the next. The fundamental always goes linearly.
///
/// Any other curve (the reference has `cubic`) is had by resampling the amplitudes and f0 to the
/// sample rate beforehand, and a hop of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmplitudeInterpolation {
    /// Raised-cosine crossfade (overlapping Hann windows); smooth at the frames.
    Window,
    /// Straight line.
    Linear,
    /// Each frame held for its hop, then a step (the reference's `nearest`, which rounds down).
    Nearest,
}

/// Harmonic synthesizer: controls at the frame rate to audio, and back.
///
/// `audio[n] = sum_k a_k[n] sin(2 pi k phase[n])`, with `phase[n] = phase[n - 1] + f0[n] / sample_rate`
/// (the first sample is one step after `initial_phase`), `f0` interpolated linearly between frames,
/// `a_k = amplitudes * harmonic_distribution[k]` interpolated as [`AmplitudeInterpolation`] says,
/// and `a_k = 0` at the samples where `k f0 >= sample_rate / 2`. From DDSP (Engel et al. 2020,
/// <https://arxiv.org/abs/2001.04643>).
///
/// The phase is exact: it is summed as a 64-bit integer fraction of a turn, where the reference's
/// running f32 sum is off by radians after four seconds. The worst error of a sample is about 3e-7
/// of the sum of the amplitudes. The reference's streaming synthesizer, unlike its other one, does
/// not cut harmonics that reach the Nyquist frequency within a hop; here both do.
///
/// An f0 that is not finite makes the hops on both sides of its frame NaN, and an initial phase that
/// is not finite the whole output. After such an f0 the phase is some finite one, so that a stream
/// recovers, where the reference would be NaN for good.
///
/// # Blocks
///
/// `n_frames` frames give `n_frames * hop` samples, the last frame held. A caller that streams
/// passes one frame more than it wants rendered, `audio` being one hop shorter: the last frame is
/// then only the end of the last interpolation, and is passed again as the first of the next block,
/// with the returned phase. Any such split gives the same samples, bit for bit. The price is a
/// latency of one hop.
#[derive(Clone, Debug)]
pub struct Harmonic {
    grid: FrameGrid,
    n_harmonics: usize,
    simd: Simd,
    /// Weight of the next frame at each offset in a hop, padded with zeros to whole tiles.
    next_weights: Vec<f32>,
    scratch: Scratch,
}

/// What one frame needs, so that nothing is allocated while it runs.
#[derive(Clone, Debug)]
struct Scratch {
    /// Phase (a turn is 2^32) of each sample of the frame, padded to whole tiles.
    phases: Vec<i32>,
    /// f0 in units of the Nyquist frequency, of each sample of the frame, padded.
    f0_nyquist: Vec<f32>,
    /// `a_k` of the frame.
    amplitudes: Vec<f32>,
    /// `a_k` of the next frame minus that of this one.
    steps: Vec<f32>,
    /// Gradient with respect to `a_k` of the frame, padded to whole groups of lanes.
    grad_amplitudes: Vec<f32>,
    /// Gradient with respect to `a_k` of the next frame, padded likewise.
    grad_next_amplitudes: Vec<f32>,
    /// Gradient of each sample of the frame times the weight of the frame.
    grad_here: Vec<f32>,
    /// Gradient of each sample of the frame times the weight of the next frame.
    grad_next: Vec<f32>,
    /// Gradient with respect to the phase in turns of each sample of the frame, padded.
    grad_phases: Vec<f32>,
}

impl Harmonic {
    /// A synthesizer of harmonics `1..=n_harmonics` on `grid`.
    ///
    /// # Panics
    ///
    /// If `n_harmonics` or the hop is 0.
    pub fn new(
        grid: FrameGrid,
        n_harmonics: usize,
        amplitude_interpolation: AmplitudeInterpolation,
    ) -> Self {
        assert!(n_harmonics > 0 && grid.hop > 0, "Harmonic: {n_harmonics} harmonics on {grid:?}");
        let padded = grid.hop.next_multiple_of(TILE);
        let weight = match amplitude_interpolation {
            AmplitudeInterpolation::Window => window_weight,
            AmplitudeInterpolation::Linear => linear_weight,
            AmplitudeInterpolation::Nearest => |_, _| 0.0,
        };
        let mut next_weights: Vec<f32> = (0..grid.hop).map(|j| weight(j, grid.hop)).collect();
        next_weights.resize(padded, 0.0);
        let scratch = Scratch {
            phases: vec![0; padded],
            f0_nyquist: vec![0.0; padded],
            amplitudes: vec![0.0; n_harmonics],
            steps: vec![0.0; n_harmonics],
            grad_amplitudes: vec![0.0; n_harmonics.next_multiple_of(LANES)],
            grad_next_amplitudes: vec![0.0; n_harmonics.next_multiple_of(LANES)],
            grad_here: vec![0.0; grid.hop],
            grad_next: vec![0.0; grid.hop],
            grad_phases: vec![0.0; padded],
        };
        Self { grid, n_harmonics, simd: Simd::widest(), next_weights, scratch }
    }

    /// The grid it was made for.
    pub fn grid(&self) -> FrameGrid {
        self.grid
    }

    /// Number of harmonics.
    pub fn n_harmonics(&self) -> usize {
        self.n_harmonics
    }

    /// Overwrites `audio` and returns the phase of its last sample, in turns, in `[0, 1)`.
    ///
    /// `f0_hz` and `amplitudes` (linear) are `[n_frames]`, `harmonic_distribution` is
    /// `[n_frames, n_harmonics]` (see [`normalize_harmonics`]), `initial_phase` is in turns, and
    /// `audio` holds `n_frames` hops, or one less (see Blocks above).
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(
        &mut self,
        f0_hz: &[f32],
        amplitudes: &[f32],
        harmonic_distribution: &[f32],
        initial_phase: f64,
        audio: &mut [f32],
    ) -> f64 {
        let controls = Controls { f0_hz, amplitudes, harmonic_distribution };
        controls.check(self.grid, self.n_harmonics, audio.len());
        let mut phase = Phase::from_turns(initial_phase);
        for (i, audio) in audio.chunks_exact_mut(self.grid.hop).enumerate() {
            let glide = controls.glide(i, self.grid.sample_rate);
            phase = self.prepare_frame(controls, i, phase, glide);
            match self.audible(glide, initial_phase) {
                Some(audible) => self.forward_hop(audible, audio),
                None => audio.fill(f32::NAN),
            }
        }
        if initial_phase.is_finite() { phase.turns() } else { f64::NAN }
    }

    fn forward_hop(&self, audible: Audible, audio: &mut [f32]) {
        let scratch = &self.scratch;
        for (t, audio) in audio.chunks_mut(TILE).enumerate() {
            let range = t * TILE..(t + 1) * TILE;
            self.simd.run(ForwardTile {
                phases: tile_of(&scratch.phases[range.clone()]),
                f0_nyquist: tile_of(&scratch.f0_nyquist[range.clone()]),
                next_weights: tile_of(&self.next_weights[range]),
                amplitudes: &scratch.amplitudes[..audible.any],
                steps: &scratch.steps[..audible.any],
                n_always: audible.all,
                audio,
            });
        }
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_audio`.
    ///
    /// With `s_k = sin(2 pi k phase)` and `w` the weight of the next frame,
    /// `grad a_k[i] = sum_n grad_audio (1 - w) s_k` over the hop after frame `i`, plus the same with
    /// `w` over the hop before it; `grad amplitudes = sum_k harmonic_distribution[k] grad a_k` and
    /// `grad harmonic_distribution[k] = amplitudes grad a_k`. The phase of sample `n` moves with
    /// every f0 before it, so `grad f0[n] = sum over m >= n of grad phase[m] / sample_rate`, and with
    /// the initial phase, whose gradient is the sum over all of them. The cut at the Nyquist
    /// frequency is held fixed, as the reference does.
    ///
    /// # Panics
    ///
    /// If a length is not as in [`forward`](Self::forward), or a gradient's is not its input's.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(
        &mut self,
        f0_hz: &[f32],
        amplitudes: &[f32],
        harmonic_distribution: &[f32],
        initial_phase: f64,
        grad_audio: &[f32],
        mut grads: HarmonicGradients<'_>,
    ) {
        let controls = Controls { f0_hz, amplitudes, harmonic_distribution };
        controls.check(self.grid, self.n_harmonics, grad_audio.len());
        grads.check(controls);
        let FrameGrid { sample_rate, hop } = self.grid;
        let n_hops = grad_audio.len() / hop;
        let mut phase = Phase::from_turns(initial_phase);
        for i in 0..n_hops {
            phase = controls.glide(i, sample_rate).after_hop(phase, hop);
        }
        let with_phases = grads.f0_hz.is_some() || grads.initial_phase.is_some();
        self.scratch.grad_next_amplitudes.fill(0.0);
        // Backwards in time, so that the sum over later phases is at hand.
        let mut later_phases = 0.0;
        for i in (0..n_hops).rev() {
            let glide = controls.glide(i, sample_rate);
            phase = glide.before_hop(phase, hop);
            self.prepare_frame(controls, i, phase, glide);
            let audible = self.audible(glide, initial_phase);
            let grad_audio = &grad_audio[i * hop..][..hop];
            self.backward_amplitudes(grad_audio, audible);
            if with_phases {
                self.backward_phases(grad_audio, audible);
                later_phases += self.backward_f0(i, later_phases, grads.f0_hz.as_deref_mut());
            }
            self.finish_next(controls, i, &mut grads);
        }
        if n_hops > 0 {
            finish_frame(controls, 0, &self.scratch.grad_next_amplitudes, &mut grads);
        }
        if let Some(grad_initial_phase) = grads.initial_phase {
            *grad_initial_phase += later_phases;
        }
    }

    /// After hop `i`: hands out the gradient of the next frame, which is now complete, and makes
    /// that of frame `i` the next one of the hop before.
    fn finish_next(&mut self, controls: Controls<'_>, i: usize, grads: &mut HarmonicGradients<'_>) {
        let scratch = &mut self.scratch;
        if i + 1 == controls.f0_hz.len() {
            // The last frame is held: it is its own next.
            let next = &scratch.grad_next_amplitudes;
            for (grad, next) in scratch.grad_amplitudes.iter_mut().zip(next) {
                *grad += next;
            }
        } else {
            finish_frame(controls, i + 1, &scratch.grad_next_amplitudes, grads);
        }
        std::mem::swap(&mut scratch.grad_amplitudes, &mut scratch.grad_next_amplitudes);
    }

    /// Writes the amplitude gradients of one hop to `scratch.grad_amplitudes`, and adds those of the
    /// next frame to `scratch.grad_next_amplitudes`.
    fn backward_amplitudes(&mut self, grad_audio: &[f32], audible: Option<Audible>) {
        let scratch = &mut self.scratch;
        let Some(audible) = audible else {
            scratch.grad_amplitudes.fill(f32::NAN);
            scratch.grad_next_amplitudes.fill(f32::NAN);
            return;
        };
        scratch.grad_amplitudes.fill(0.0);
        for (j, grad) in grad_audio.iter().enumerate() {
            scratch.grad_next[j] = self.next_weights[j] * grad;
            scratch.grad_here[j] = grad - scratch.grad_next[j];
        }
        let n_lanes = audible.any.next_multiple_of(LANES);
        // Lanes above the number of harmonics may hold anything; they are never read.
        let n_always = if audible.all == self.n_harmonics { n_lanes } else { audible.all };
        let samples = HopSamples {
            phases: &scratch.phases[..grad_audio.len()],
            f0_nyquist: &scratch.f0_nyquist[..grad_audio.len()],
            grad_here: &scratch.grad_here,
            grad_next: &scratch.grad_next,
        };
        self.simd.run(BackwardHop {
            samples,
            n_always: n_always / LANES,
            grad_amplitudes: &mut scratch.grad_amplitudes[..n_lanes],
            grad_next_amplitudes: &mut scratch.grad_next_amplitudes[..n_lanes],
        });
    }

    /// Phase gradients of one frame, into `scratch.grad_phases`.
    fn backward_phases(&mut self, grad_audio: &[f32], audible: Option<Audible>) {
        let scratch = &mut self.scratch;
        let Some(audible) = audible else {
            scratch.grad_phases.fill(f32::NAN);
            return;
        };
        for (t, grad_audio) in grad_audio.chunks(TILE).enumerate() {
            let range = t * TILE..(t + 1) * TILE;
            self.simd.run(FrequencyBackwardTile {
                phases: tile_of(&scratch.phases[range.clone()]),
                f0_nyquist: tile_of(&scratch.f0_nyquist[range.clone()]),
                next_weights: tile_of(&self.next_weights[range.clone()]),
                amplitudes: &scratch.amplitudes[..audible.any],
                steps: &scratch.steps[..audible.any],
                n_always: audible.all,
                grad_audio,
                grad_phases: &mut scratch.grad_phases[range],
            });
        }
    }

    /// Spreads the phase gradients of frame `i` over its two ends; returns their sum in turns.
    fn backward_f0(&self, i: usize, later_phases: f64, grad_f0_hz: Option<&mut [f32]>) -> f64 {
        let hop = self.grid.hop;
        let (mut here, mut next) = (0.0, 0.0);
        let mut later = later_phases;
        for j in (0..hop).rev() {
            later += TAU * f64::from(self.scratch.grad_phases[j]);
            next += later * j as f64;
            here += later * (hop - j) as f64;
        }
        let scale = 1.0 / (hop as f64 * f64::from(self.grid.sample_rate));
        if let Some(grad_f0_hz) = grad_f0_hz {
            let last = grad_f0_hz.len() - 1;
            grad_f0_hz[i] += (here * scale) as f32;
            grad_f0_hz[(i + 1).min(last)] += (next * scale) as f32;
        }
        later - later_phases
    }

    /// Harmonics below the Nyquist frequency over a whole glide, and at any point of it; nothing if
    /// the phases over it are no numbers.
    fn audible(&self, glide: Glide, initial_phase: f64) -> Option<Audible> {
        if !(initial_phase.is_finite() && glide.start.is_finite() && glide.end.is_finite()) {
            return None;
        }
        let below = |omega: f64| {
            (1..=self.n_harmonics).rev().find(|&k| k as f64 * omega < 0.5).unwrap_or(0)
        };
        let (low, high) = (glide.start.min(glide.end), glide.start.max(glide.end));
        Some(Audible { all: below(high), any: below(low) })
    }

    /// Fills the scratch with the phases and amplitudes of frame `i`; returns the phase after it.
    fn prepare_frame(
        &mut self,
        controls: Controls<'_>,
        i: usize,
        phase: Phase,
        glide: Glide,
    ) -> Phase {
        let hop = self.grid.hop;
        let scratch = &mut self.scratch;
        glide.write_phases(phase, &mut scratch.phases[..hop]);
        glide.write_f0_nyquist(&mut scratch.f0_nyquist[..hop]);
        controls.write_amplitudes(i, &mut scratch.amplitudes, &mut scratch.steps);
        glide.after_hop(phase, hop)
    }
}

/// Counts of harmonics, lowest first, that sound over a hop.
#[derive(Clone, Copy)]
struct Audible {
    /// Below the Nyquist frequency throughout.
    all: usize,
    /// Below it somewhere.
    any: usize,
}

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;

/// The slice as a whole tile.
fn tile_of<T>(slice: &[T]) -> &[T; TILE] {
    slice.try_into().expect("buffers are padded to whole tiles")
}
