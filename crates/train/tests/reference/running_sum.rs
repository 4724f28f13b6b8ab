//! The reference's harmonic synthesizer with the reference's rounding.
//!
//! Its phases are running f32 sums over all samples, of each harmonic by itself, and are off by
//! radians after four seconds. Ours are exact; this imitation takes their place where a result of
//! the reference is to be met.

use std::f32::consts::{PI, TAU};

use ddsp_model::AmplitudeCurve;

/// Controls of one example.
#[derive(Clone, Copy)]
pub(crate) struct Controls<'a> {
    /// `[n_frames]`
    pub(crate) f0_hz: &'a [f32],
    /// `[n_frames]`
    pub(crate) amplitudes: &'a [f32],
    /// `[n_frames, n_harmonics]`
    pub(crate) distribution: &'a [f32],
}

/// The synthesizer.
#[derive(Clone, Copy)]
pub(crate) struct RunningSum {
    pub(crate) sample_rate: f32,
    pub(crate) hop: usize,
    pub(crate) curve: AmplitudeCurve,
    /// Whether phases are those of the frequencies, and not sums that drift.
    pub(crate) exact: bool,
}

/// A frame before a sample, the frame after it, and how far the sample is from one to the other.
struct Place {
    here: usize,
    next: usize,
    way: f32,
}

impl RunningSum {
    /// Audio of `n_frames * hop` samples.
    pub(crate) fn forward(self, controls: Controls<'_>) -> Vec<f32> {
        let mut audio = vec![0.0; controls.f0_hz.len() * self.hop];
        self.each_harmonic(controls, |k, phases| {
            for (n, (audio, phase)) in audio.iter_mut().zip(phases).enumerate() {
                let Some(phase) = phase else { continue };
                let (i, j, way) = self.weights(n, controls);
                let (here, next) = (controls.amplitude(i, k), controls.amplitude(j, k));
                *audio += f64::from((here * (1.0 - way) + next * way) * phase.sin());
            }
        });
        audio.into_iter().map(single).collect()
    }

    /// Gradients with respect to amplitudes and distribution.
    pub(crate) fn backward(
        self,
        controls: Controls<'_>,
        grad_audio: &[f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let mut grad_amplitudes = vec![0.0; controls.amplitudes.len()];
        let mut grad_distribution = vec![0.0; controls.distribution.len()];
        let n_harmonics = controls.n_harmonics();
        self.each_harmonic(controls, |k, phases| {
            let mut grads = vec![0.0; controls.amplitudes.len()];
            for (n, (grad, phase)) in grad_audio.iter().zip(phases).enumerate() {
                let Some(phase) = phase else { continue };
                let (i, j, way) = self.weights(n, controls);
                let grad = grad * phase.sin();
                grads[i] += grad * (1.0 - way);
                grads[j] += grad * way;
            }
            for (i, grad) in grads.into_iter().enumerate() {
                let d = i * n_harmonics + k;
                grad_amplitudes[i] += grad * controls.distribution[d];
                grad_distribution[d] += grad * controls.amplitudes[i];
            }
        });
        (grad_amplitudes, grad_distribution)
    }

    /// Hands on each harmonic's phases, radians, without those where it is cut.
    fn each_harmonic(
        self,
        controls: Controls<'_>,
        mut use_phases: impl FnMut(usize, Vec<Option<f32>>),
    ) {
        for k in 0..controls.n_harmonics() {
            let number = (k + 1) as f32;
            let (mut sum, mut turns) = (0.0_f32, 0.0_f64);
            let phases = (0..controls.f0_hz.len() * self.hop).map(|n| {
                let Place { here, next, way } = self.place(n, controls);
                let (here, next) = (number * controls.f0_hz[here], number * controls.f0_hz[next]);
                let hz = here + (next - here) * way;
                sum += hz * TAU / self.sample_rate;
                turns = (turns + f64::from(hz) / f64::from(self.sample_rate)).fract();
                let phase = if self.exact { single(turns) * TAU } else { sum };
                (hz < self.sample_rate / 2.0).then_some(phase)
            });
            use_phases(k, phases.collect());
        }
    }

    /// Both frames about sample `n`, and the weight of the second for amplitudes.
    fn weights(self, n: usize, controls: Controls<'_>) -> (usize, usize, f32) {
        match self.curve {
            AmplitudeCurve::Linear => {
                let Place { here, next, way } = self.place(n, controls);
                (here, next, way)
            }
            AmplitudeCurve::Window => {
                let here = n / self.hop;
                let way = (n % self.hop) as f32 / self.hop as f32;
                let next = (here + 1).min(controls.f0_hz.len() - 1);
                (here, next, 0.5 - 0.5 * (PI * way).cos())
            }
        }
    }

    /// Where sample `n` lies, in f32 as the reference computes it: for hops that are not a power of
    /// two a sample may fall just before its frame.
    fn place(self, n: usize, controls: Controls<'_>) -> Place {
        let n_frames = controls.f0_hz.len();
        let scale = n_frames as f32 / (n_frames * self.hop) as f32;
        let position = n as f32 * scale;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positions are frames of the clip"
        )]
        let here = (position.floor() as usize).min(n_frames - 1);
        Place { here, next: (here + 1).min(n_frames - 1), way: position - position.floor() }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "audio and phases are f32")]
fn single(value: f64) -> f32 {
    value as f32
}

impl Controls<'_> {
    fn n_harmonics(self) -> usize {
        self.distribution.len() / self.f0_hz.len()
    }

    /// Of harmonic `k + 1` at frame `i`.
    fn amplitude(self, i: usize, k: usize) -> f32 {
        self.amplitudes[i] * self.distribution[i * self.n_harmonics() + k]
    }
}
