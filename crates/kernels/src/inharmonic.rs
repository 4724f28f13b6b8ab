//! Sum of stretched partials of a stiff string or bar, from frame-rate controls.

#![expect(clippy::cast_possible_truncation, reason = "sums are f64, rounded once to f32")]

mod normalize;
mod partials;

pub use normalize::{normalize_partials, normalize_partials_backward};
pub use partials::{
    StretchedPartials, StretchedPartialsGradients, partial_frequencies,
    partial_frequencies_backward,
};

use crate::FrameGrid;
use crate::harmonic::AmplitudeInterpolation;
use crate::sinusoidal::{Bank, GradAudio, Row, RowGradients};

/// Harmonic synthesizer with stretched partials, for piano, mallet and plucked strings: controls at
/// the frame rate to audio, and back.
///
/// `audio[n] = sum_k a_k[n] sin(2 pi phase_k[n])` with
/// `phase_k[n] = phase_k[n - 1] + f_k[n] / sample_rate` (the first sample is one step after the
/// initial phase), `f_k = k f0 sqrt(1 + B k^2) (1 + harmonic_shifts_k)` at the frames (see
/// [`StretchedPartials`]), `a_k = amplitudes * harmonic_distribution[k]`, and `a_k = 0` at the
/// samples where `|f_k| >= sample_rate / 2`.
///
/// Between frames the *frequencies* `f_k` go in straight lines, not `f0`, `B` and the shifts, as in
/// the reference's `harmonic_synthesis` with `harmonic_shifts`; the amplitudes `a_k` go as
/// [`AmplitudeInterpolation`] says. Without stretching and shifts, and with the phases of the
/// partials multiples of the first one's, it is [`Harmonic`](crate::Harmonic), at a little more
/// work: partials that are no multiples of one phase each need a phase of their own.
///
/// Precision, blocks and what is not finite are as in [`Sinusoidal`](crate::Sinusoidal), on which it
/// is built; frequencies are not rounded to f32 on the way. A frame of which `1 + B k^2` is negative
/// has no frequency: the hops around it are not a number.
#[derive(Clone, Debug)]
pub struct Inharmonic {
    grid: FrameGrid,
    bank: Bank,
}

/// Where [`Inharmonic::backward`] accumulates; shapes as the inputs of the same name.
#[derive(Debug)]
pub struct InharmonicGradients<'a> {
    /// With respect to the frequencies' controls. This and `phases` double the work: `None` where
    /// neither is needed.
    pub partials: Option<StretchedPartialsGradients<'a>>,
    /// With respect to `amplitudes`, `[n_frames]`.
    pub amplitudes: &'a mut [f32],
    /// With respect to `harmonic_distribution`, `[n_frames, n_partials]`.
    pub harmonic_distribution: &'a mut [f32],
    /// With respect to the initial `phases` in turns, `[n_partials]`.
    pub phases: Option<&'a mut [f32]>,
}

/// The inputs of one example, checked.
#[derive(Clone, Copy)]
struct Controls<'a> {
    partials: StretchedPartials<'a>,
    amplitudes: &'a [f32],
    harmonic_distribution: &'a [f32],
    n_partials: usize,
    /// Duration of a sample.
    seconds: f64,
}

impl Controls<'_> {
    fn n_frames(self) -> usize {
        self.amplitudes.len()
    }

    /// Writes frame `i` to `row`.
    fn fill(self, i: usize, row: &mut Row) {
        let distribution = &self.harmonic_distribution[i * self.n_partials..][..self.n_partials];
        let frame = self.partials.frame(i, self.n_partials);
        for (k, rate) in row.rates[..self.n_partials].iter_mut().enumerate() {
            *rate = frame.frequency(k) * self.seconds;
        }
        for (a, share) in row.amplitudes.iter_mut().zip(distribution) {
            *a = self.amplitudes[i] * share;
        }
    }

    /// From the gradient of frame `i`'s oscillators to those of its controls.
    fn emit(self, i: usize, row: &RowGradients, grads: &mut InharmonicGradients<'_>) {
        let frame = i * self.n_partials..(i + 1) * self.n_partials;
        let distribution = &self.harmonic_distribution[frame.clone()];
        let products = distribution.iter().zip(&row.amplitudes);
        grads.amplitudes[i] += products.map(|(d, g)| f64::from(*d) * g).sum::<f64>() as f32;
        let amplitude = f64::from(self.amplitudes[i]);
        for (grad, g) in grads.harmonic_distribution[frame].iter_mut().zip(&row.amplitudes) {
            *grad += (amplitude * g) as f32;
        }
        if let Some(grads) = &mut grads.partials {
            let frame = self.partials.frame(i, self.n_partials);
            frame.backward(i, |k| row.rates[k] * self.seconds, grads);
        }
    }
}

impl Inharmonic {
    /// A synthesizer of partials `1..=n_partials` on `grid`.
    ///
    /// # Panics
    ///
    /// If `n_partials` or the hop is 0.
    pub fn new(
        grid: FrameGrid,
        n_partials: usize,
        amplitude_interpolation: AmplitudeInterpolation,
    ) -> Self {
        assert!(n_partials > 0 && grid.hop > 0, "Inharmonic: {n_partials} partials on {grid:?}");
        Self { grid, bank: Bank::new(grid.hop, n_partials, amplitude_interpolation) }
    }

    /// The grid it was made for.
    pub fn grid(&self) -> FrameGrid {
        self.grid
    }

    /// Number of partials.
    pub fn n_partials(&self) -> usize {
        self.bank.n_oscillators()
    }

    /// Overwrites `audio`, and `phases` with those of its last sample, in turns, in `[0, 1)`.
    ///
    /// `amplitudes` (linear) is `[n_frames]`, `harmonic_distribution` is `[n_frames, n_partials]`
    /// (see [`normalize_partials`]), `phases` `[n_partials]` are the initial ones in turns, of any
    /// size, and `audio` holds `n_frames` hops, or one less: see the blocks of
    /// [`Sinusoidal`](crate::Sinusoidal).
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
        partials: StretchedPartials<'_>,
        amplitudes: &[f32],
        harmonic_distribution: &[f32],
        phases: &mut [f64],
        audio: &mut [f32],
    ) {
        let controls = self.controls(partials, amplitudes, harmonic_distribution);
        self.check(controls, phases.len(), audio.len());
        self.bank.forward(controls.n_frames(), phases, audio, |i, row| controls.fill(i, row));
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_audio`;
    /// `phases` are the initial ones.
    ///
    /// The gradients `grad a_k` and `grad f_k` of the oscillators at each frame are those of
    /// [`Sinusoidal::backward`](crate::Sinusoidal::backward). From there,
    /// `grad amplitudes = sum_k harmonic_distribution[k] grad a_k`,
    /// `grad harmonic_distribution[k] = amplitudes grad a_k`, and the rest as in
    /// [`partial_frequencies_backward`]. The cut at the Nyquist frequency is held fixed.
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
        partials: StretchedPartials<'_>,
        amplitudes: &[f32],
        harmonic_distribution: &[f32],
        phases: &[f64],
        grad_audio: &[f32],
        mut grads: InharmonicGradients<'_>,
    ) {
        let controls = self.controls(partials, amplitudes, harmonic_distribution);
        self.check(controls, phases.len(), grad_audio.len());
        check_gradients(controls, &grads);
        let with_phases = grads.partials.is_some() || grads.phases.is_some();
        let grad_phases = self.bank.backward(
            controls.n_frames(),
            phases,
            GradAudio { grad_audio, with_phases },
            |i, row| controls.fill(i, row),
            |i, row| controls.emit(i, row, &mut grads),
        );
        if let Some(phases) = grads.phases {
            for (grad, g) in phases.iter_mut().zip(grad_phases) {
                *grad += *g as f32;
            }
        }
    }

    fn controls<'a>(
        &self,
        partials: StretchedPartials<'a>,
        amplitudes: &'a [f32],
        harmonic_distribution: &'a [f32],
    ) -> Controls<'a> {
        let n_partials = self.n_partials();
        let seconds = 1.0 / f64::from(self.grid.sample_rate);
        Controls { partials, amplitudes, harmonic_distribution, n_partials, seconds }
    }

    fn check(&self, controls: Controls<'_>, n_phases: usize, n_samples: usize) {
        let (hop, n_partials, n_frames) = (self.grid.hop, controls.n_partials, controls.n_frames());
        controls.partials.check(n_partials);
        let n_f0 = controls.partials.f0_hz.len();
        assert_eq!(n_f0, n_frames, "Inharmonic: {n_f0} f0_hz, {n_frames} amplitudes");
        let n_distribution = controls.harmonic_distribution.len();
        assert_eq!(
            n_distribution,
            n_frames * n_partials,
            "Inharmonic: harmonic_distribution has {n_distribution} values for {n_frames} frames \
             of {n_partials} partials"
        );
        assert_eq!(n_phases, n_partials, "Inharmonic: {n_phases} phases of {n_partials}");
        assert!(
            n_samples == n_frames * hop || n_samples + hop == n_frames * hop,
            "Inharmonic: {n_samples} samples for {n_frames} frames at hop {hop}"
        );
    }
}

/// Panics unless every gradient has the length of its input.
fn check_gradients(controls: Controls<'_>, grads: &InharmonicGradients<'_>) {
    let n_frames = controls.n_frames();
    let n_grad = grads.amplitudes.len();
    assert_eq!(n_grad, n_frames, "Inharmonic: grad of {n_grad} of {n_frames} amplitudes");
    let (n_grad, n) = (grads.harmonic_distribution.len(), controls.harmonic_distribution.len());
    assert_eq!(n_grad, n, "Inharmonic: grad of {n_grad} of {n} harmonic_distribution values");
    if let Some(grads) = &grads.partials {
        grads.check(n_frames, controls.n_partials);
    }
    if let Some(grad) = &grads.phases {
        let (n_grad, n) = (grad.len(), controls.n_partials);
        assert_eq!(n_grad, n, "Inharmonic: grad of {n_grad} of {n} phases");
    }
}

#[cfg(test)]
mod gradients;
#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;
