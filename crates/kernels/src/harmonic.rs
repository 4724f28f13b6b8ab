//! Sum of harmonics of a gliding fundamental, from frame-rate controls.
//!
//! No buffer here has a size of samples x harmonics: a tile of samples is summed over the harmonics
//! in registers, and the interpolation of the amplitudes is factored out of that sum.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "phases wrap on purpose; weights and sums in f64 are rounded to f32 at the end"
)]

mod controls;
mod normalize;
mod phase;
mod tile;

use std::f64::consts::TAU;

pub use normalize::{normalize_harmonics, normalize_harmonics_backward};

use crate::FrameGrid;
use crate::resample::{linear_weight, window_weight};
use crate::simd::Simd;
use controls::{Controls, check_gradients, finish_frame};
use phase::{Glide, Phase};
use tile::{BackwardHop, ForwardTile, FrequencyBackwardTile, HopSamples, LANES, TILE};

/// How harmonic amplitudes go from one frame to the next. The fundamental always goes linearly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmplitudeInterpolation {
    /// Raised-cosine crossfade (overlapping Hann windows); smooth at the frames.
    Window,
    /// Straight line.
    Linear,
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
/// of the sum of the amplitudes.
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

/// Where [`Harmonic::backward`] accumulates; shapes as the inputs of the same name.
#[derive(Debug)]
pub struct HarmonicGradients<'a> {
    /// With respect to `f0_hz`, `[n_frames]`; doubles the work, so `None` where it is not needed.
    pub f0_hz: Option<&'a mut [f32]>,
    /// With respect to `amplitudes`, `[n_frames]`.
    pub amplitudes: &'a mut [f32],
    /// With respect to `harmonic_distribution`, `[n_frames, n_harmonics]`.
    pub harmonic_distribution: &'a mut [f32],
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
        self.check(controls, audio.len());
        let hop = self.grid.hop;
        let mut phase = Phase::from_turns(initial_phase);
        for (i, audio) in audio.chunks_exact_mut(hop).enumerate() {
            let glide = self.glide(controls.f0_hz, i);
            phase = self.prepare_frame(controls, i, phase, glide);
            let audible = self.audible(glide);
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
        phase.turns()
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_audio`.
    ///
    /// With `s_k = sin(2 pi k phase)` and `w` the weight of the next frame,
    /// `grad a_k[i] = sum_n grad_audio (1 - w) s_k` over the hop after frame `i`, plus the same with
    /// `w` over the hop before it; `grad amplitudes = sum_k harmonic_distribution[k] grad a_k` and
    /// `grad harmonic_distribution[k] = amplitudes grad a_k`. The phase of sample `n` moves with
    /// every f0 before it, so `grad f0[n] = sum over m >= n of grad phase[m] / sample_rate`. The
    /// cut at the Nyquist frequency is held fixed, as the reference does.
    ///
    /// # Panics
    ///
    /// If a length is not as in [`forward`](Self::forward), or a gradient's is not its input's.
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
        self.check(controls, grad_audio.len());
        check_gradients(controls, &grads);
        let n_hops = grad_audio.len() / self.grid.hop;
        let mut phase = Phase::from_turns(initial_phase);
        for i in 0..n_hops {
            phase = self.glide(f0_hz, i).after_hop(phase, self.grid.hop);
        }
        self.scratch.grad_next_amplitudes.fill(0.0);
        // Backwards in time, so that the sum over later phases is at hand.
        let mut later_phases = 0.0;
        for i in (0..n_hops).rev() {
            let glide = self.glide(f0_hz, i);
            phase = glide.before_hop(phase, self.grid.hop);
            self.prepare_frame(controls, i, phase, glide);
            let grad_audio = &grad_audio[i * self.grid.hop..][..self.grid.hop];
            self.backward_amplitudes(grad_audio, glide);
            if let Some(grad_f0_hz) = grads.f0_hz.as_deref_mut() {
                self.backward_phases(grad_audio, glide);
                later_phases += self.backward_f0(i, later_phases, grad_f0_hz);
            }
            self.finish_next(controls, i, &mut grads);
        }
        if n_hops > 0 {
            finish_frame(controls, 0, &self.scratch.grad_next_amplitudes, &mut grads);
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
    fn backward_amplitudes(&mut self, grad_audio: &[f32], glide: Glide) {
        let audible = self.audible(glide);
        let scratch = &mut self.scratch;
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
    fn backward_phases(&mut self, grad_audio: &[f32], glide: Glide) {
        let audible = self.audible(glide);
        let scratch = &mut self.scratch;
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
    fn backward_f0(&self, i: usize, later_phases: f64, grad_f0_hz: &mut [f32]) -> f64 {
        let hop = self.grid.hop;
        let (mut here, mut next) = (0.0, 0.0);
        let mut later = later_phases;
        for j in (0..hop).rev() {
            later += TAU * f64::from(self.scratch.grad_phases[j]);
            next += later * j as f64;
            here += later * (hop - j) as f64;
        }
        let scale = 1.0 / (hop as f64 * f64::from(self.grid.sample_rate));
        let last = grad_f0_hz.len() - 1;
        grad_f0_hz[i] += (here * scale) as f32;
        grad_f0_hz[(i + 1).min(last)] += (next * scale) as f32;
        later - later_phases
    }

    /// f0 over the hop after frame `i`.
    fn glide(&self, f0_hz: &[f32], i: usize) -> Glide {
        let sample_rate = f64::from(self.grid.sample_rate);
        let start = f64::from(f0_hz[i]) / sample_rate;
        let end = f64::from(f0_hz[(i + 1).min(f0_hz.len() - 1)]) / sample_rate;
        Glide { start, end }
    }

    /// Harmonics below the Nyquist frequency over a whole glide, and at any point of it.
    fn audible(&self, glide: Glide) -> Audible {
        let below = |omega: f64| {
            (1..=self.n_harmonics).rev().find(|&k| k as f64 * omega < 0.5).unwrap_or(0)
        };
        let (low, high) = (glide.start.min(glide.end), glide.start.max(glide.end));
        Audible { all: below(high), any: below(low) }
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
        let n_harmonics = self.n_harmonics;
        let next = (i + 1).min(controls.f0_hz.len() - 1);
        let here = &controls.harmonic_distribution[i * n_harmonics..][..n_harmonics];
        let there = &controls.harmonic_distribution[next * n_harmonics..][..n_harmonics];
        let (a_here, a_there) = (controls.amplitudes[i], controls.amplitudes[next]);
        for k in 0..n_harmonics {
            scratch.amplitudes[k] = a_here * here[k];
            scratch.steps[k] = a_there * there[k] - a_here * here[k];
        }
        glide.after_hop(phase, hop)
    }

    fn check(&self, controls: Controls<'_>, n_samples: usize) {
        let n_frames = controls.f0_hz.len();
        let (hop, n_harmonics) = (self.grid.hop, self.n_harmonics);
        let n_amplitudes = controls.amplitudes.len();
        assert_eq!(n_amplitudes, n_frames, "Harmonic: {n_amplitudes} amplitudes, {n_frames} f0_hz");
        let n_distribution = controls.harmonic_distribution.len();
        assert_eq!(
            n_distribution,
            n_frames * n_harmonics,
            "Harmonic: harmonic_distribution has {n_distribution} values for {n_frames} frames of \
             {n_harmonics} harmonics"
        );
        assert!(
            n_samples == n_frames * hop || n_samples + hop == n_frames * hop,
            "Harmonic: {n_samples} samples for {n_frames} frames at hop {hop}"
        );
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
mod tests;

/// The slice as a whole tile.
fn tile_of<T>(slice: &[T]) -> &[T; TILE] {
    slice.try_into().expect("buffers are padded to whole tiles")
}
