//! A bank of independent gliding sinusoids, from frame-rate controls.
//!
//! No buffer here has a size of samples x sinusoids: a tile of samples is summed over the sinusoids
//! a group at a time.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "phases wrap on purpose; weights and sums in f64 are rounded to f32 at the end"
)]

mod backward;
mod bank;
mod forward;
mod oscillators;
mod turn;
mod voices;
mod wheels;

pub(crate) use bank::{Bank, GradAudio, RowGradients};
pub(crate) use oscillators::Row;

use crate::FrameGrid;
use crate::harmonic::AmplitudeInterpolation;

/// Sinusoidal synthesizer: a bank of oscillators, each with its own frequency and amplitude at the
/// frame rate, to audio, and back.
///
/// `audio[n] = sum_k a_k[n] sin(2 pi phase_k[n])`, with
/// `phase_k[n] = phase_k[n - 1] + f_k[n] / sample_rate` (the first sample is one step after the
/// initial phase), `f_k` interpolated linearly between frames, `a_k` as [`AmplitudeInterpolation`]
/// says, and `a_k = 0` at the samples where `|f_k| >= sample_rate / 2`. Of DDSP's family (Engel et
/// al. 2020, <https://arxiv.org/abs/2001.04643>); with a hop of 1 it is the sample-rate oscillator
/// bank.
///
/// A negative frequency runs backwards: `sin` being odd, it sounds like the positive one with its
/// amplitude negated. The reference cuts only at `f_k >= sample_rate / 2` and lets lower ones than
/// `-sample_rate / 2` alias.
///
/// The phases are exact: each is summed as a 64-bit integer fraction of a turn, where the
/// reference's running f32 sum is off by radians after four seconds. The worst error of a sample is
/// about 3e-7 of the sum of the amplitudes.
///
/// A frequency that is not finite makes the hops around it not a number, and turns the phase by
/// nothing; an initial phase that is not finite makes its whole block so, and stays.
///
/// # Blocks
///
/// `n_frames` frames give `n_frames * hop` samples, the last frame held. A caller that streams
/// passes one frame more than it wants rendered, `audio` being one hop shorter: the last frame is
/// then only the end of the last interpolation, and is passed again as the first of the next block,
/// with the phases as they were left. Any such split gives the same samples, bit for bit. The price
/// is a latency of one hop (a hop of 1 needs no frame more: its samples are its frames).
#[derive(Clone, Debug)]
pub struct Sinusoidal {
    grid: FrameGrid,
    bank: Bank,
}

/// Where [`Sinusoidal::backward`] accumulates; shapes as the inputs of the same name.
#[derive(Debug)]
pub struct SinusoidalGradients<'a> {
    /// With respect to `frequencies_hz`, `[n_frames, n_sinusoids]`.
    pub frequencies_hz: Option<&'a mut [f32]>,
    /// With respect to `amplitudes`, `[n_frames, n_sinusoids]`.
    pub amplitudes: &'a mut [f32],
    /// With respect to the initial `phases` in turns, `[n_sinusoids]`. This and `frequencies_hz`
    /// double the work: `None` where neither is needed.
    pub phases: Option<&'a mut [f32]>,
}

/// The inputs of one example, checked.
#[derive(Clone, Copy)]
struct Controls<'a> {
    frequencies_hz: &'a [f32],
    amplitudes: &'a [f32],
    n_sinusoids: usize,
}

impl Controls<'_> {
    fn n_frames(self) -> usize {
        self.frequencies_hz.len() / self.n_sinusoids
    }

    /// Writes frame `i` to `row`.
    fn fill(self, i: usize, seconds: f64, row: &mut Row) {
        let frame = i * self.n_sinusoids..(i + 1) * self.n_sinusoids;
        for (rate, f) in row.rates.iter_mut().zip(&self.frequencies_hz[frame.clone()]) {
            *rate = f64::from(*f) * seconds;
        }
        row.amplitudes[..self.n_sinusoids].copy_from_slice(&self.amplitudes[frame]);
    }
}

impl Sinusoidal {
    /// A bank of `n_sinusoids` on `grid`.
    ///
    /// # Panics
    ///
    /// If `n_sinusoids` or the hop is 0.
    pub fn new(
        grid: FrameGrid,
        n_sinusoids: usize,
        amplitude_interpolation: AmplitudeInterpolation,
    ) -> Self {
        assert!(n_sinusoids > 0 && grid.hop > 0, "Sinusoidal: {n_sinusoids} sinusoids on {grid:?}");
        Self { grid, bank: Bank::new(grid.hop, n_sinusoids, amplitude_interpolation) }
    }

    /// The grid it was made for.
    pub fn grid(&self) -> FrameGrid {
        self.grid
    }

    /// Number of sinusoids.
    pub fn n_sinusoids(&self) -> usize {
        self.bank.n_oscillators()
    }

    /// Overwrites `audio`, and `phases` with those of its last sample, in turns, in `[0, 1)`.
    ///
    /// `frequencies_hz` and `amplitudes` (linear) are `[n_frames, n_sinusoids]`, `phases`
    /// `[n_sinusoids]` are the initial ones in turns, of any size, and `audio` holds `n_frames` hops,
    /// or one less (see Blocks above).
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
        frequencies_hz: &[f32],
        amplitudes: &[f32],
        phases: &mut [f64],
        audio: &mut [f32],
    ) {
        let controls = self.controls(frequencies_hz, amplitudes);
        self.check(controls, phases.len(), audio.len());
        let seconds = self.seconds();
        self.bank.forward(controls.n_frames(), phases, audio, |i, row| {
            controls.fill(i, seconds, row);
        });
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_audio`;
    /// `phases` are the initial ones.
    ///
    /// With `s = sin(2 pi phase)`, `c` the cosine and `w` the weight of the next frame,
    /// `grad a[i] = sum_n grad_audio (1 - w) s` over the hop after frame `i`, plus the same with `w`
    /// over the hop before it; `grad phase[n] = 2 pi a[n] c[n] grad_audio[n]` in turns. The phase of
    /// sample `n` moves with every frequency before it, so
    /// `grad f[n] = sum over m >= n of grad phase[m] / sample_rate`, and with the initial phase. The
    /// cut at the Nyquist frequency is held fixed, as the reference does.
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
        frequencies_hz: &[f32],
        amplitudes: &[f32],
        phases: &[f64],
        grad_audio: &[f32],
        mut grads: SinusoidalGradients<'_>,
    ) {
        let controls = self.controls(frequencies_hz, amplitudes);
        self.check(controls, phases.len(), grad_audio.len());
        check_gradients(controls, &grads);
        let seconds = self.seconds();
        let with_phases = grads.frequencies_hz.is_some() || grads.phases.is_some();
        let grad_phases = self.bank.backward(
            controls.n_frames(),
            phases,
            GradAudio { grad_audio, with_phases },
            |i, row| controls.fill(i, seconds, row),
            |i, row| {
                let frame = i * controls.n_sinusoids..(i + 1) * controls.n_sinusoids;
                add(&mut grads.amplitudes[frame.clone()], &row.amplitudes, 1.0);
                if let Some(grad_frequencies_hz) = grads.frequencies_hz.as_deref_mut() {
                    add(&mut grad_frequencies_hz[frame], &row.rates, seconds);
                }
            },
        );
        if let Some(phases) = grads.phases {
            add(phases, grad_phases, 1.0);
        }
    }

    /// Duration of a sample.
    fn seconds(&self) -> f64 {
        1.0 / f64::from(self.grid.sample_rate)
    }

    fn controls<'a>(&self, frequencies_hz: &'a [f32], amplitudes: &'a [f32]) -> Controls<'a> {
        Controls { frequencies_hz, amplitudes, n_sinusoids: self.n_sinusoids() }
    }

    fn check(&self, controls: Controls<'_>, n_phases: usize, n_samples: usize) {
        let (hop, n_sinusoids) = (self.grid.hop, self.n_sinusoids());
        let n_frequencies = controls.frequencies_hz.len();
        assert_eq!(
            n_frequencies % n_sinusoids,
            0,
            "Sinusoidal: {n_frequencies} frequencies_hz are not whole frames of {n_sinusoids}"
        );
        let n_amplitudes = controls.amplitudes.len();
        assert_eq!(
            n_amplitudes, n_frequencies,
            "Sinusoidal: {n_amplitudes} amplitudes, {n_frequencies} frequencies_hz"
        );
        assert_eq!(n_phases, n_sinusoids, "Sinusoidal: {n_phases} phases of {n_sinusoids}");
        let n_frames = controls.n_frames();
        assert!(
            n_samples == n_frames * hop || n_samples + hop == n_frames * hop,
            "Sinusoidal: {n_samples} samples for {n_frames} frames at hop {hop}"
        );
    }
}

/// Panics unless every gradient has the length of its input.
fn check_gradients(controls: Controls<'_>, grads: &SinusoidalGradients<'_>) {
    let n = controls.amplitudes.len();
    let n_amplitudes = grads.amplitudes.len();
    assert_eq!(n_amplitudes, n, "Sinusoidal: grad of {n_amplitudes} of {n} amplitudes");
    if let Some(grad) = &grads.frequencies_hz {
        let n_grad = grad.len();
        assert_eq!(n_grad, n, "Sinusoidal: grad of {n_grad} of {n} frequencies_hz");
    }
    if let Some(grad) = &grads.phases {
        let (n_grad, n) = (grad.len(), controls.n_sinusoids);
        assert_eq!(n_grad, n, "Sinusoidal: grad of {n_grad} of {n} phases");
    }
}

/// `sums += factor * values`, rounded once; there may be more values than sums.
fn add(sums: &mut [f32], values: &[f64], factor: f64) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += (factor * value) as f32;
    }
}

#[cfg(test)]
mod edges;
#[cfg(test)]
mod goldens;
#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod reference;
#[cfg(test)]
pub(crate) mod tests;
