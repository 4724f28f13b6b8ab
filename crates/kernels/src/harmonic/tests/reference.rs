//! The reference's synthesis, operation by operation: with its roundings to f32 it gives the golden
//! arrays, without them what they ought to be.

use std::f64::consts::{PI, TAU};

use super::{Example, SAMPLE_RATE};

/// How the reference takes amplitudes from frames to samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resampling {
    Window,
    Linear,
    Cubic,
    Nearest,
}

/// How the reference finds the phases of the harmonics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PhaseSum {
    /// Running sum over all samples, of each harmonic by itself (`oscillator_bank`).
    Running,
    /// The same in chunks of [`CHUNK`] samples, whole turns being dropped between them.
    Chunks,
    /// Multiples of the fundamental's sum in chunks, begun at a phase in radians; harmonics above
    /// the Nyquist frequency are not cut (`harmonic_oscillator_bank`).
    MultiplesFrom(f64),
}

/// Samples between which `angular_cumsum` drops whole turns.
const CHUNK: usize = 1000;

/// The reference's synthesizer of one example.
#[derive(Clone, Copy)]
pub(super) struct Reference {
    pub(super) hop: usize,
    pub(super) resampling: Resampling,
    pub(super) phase_sum: PhaseSum,
    /// What becomes of the result of each operation.
    round: fn(f64) -> f64,
}

/// Gradients with respect to the inputs of the same name.
pub(super) struct Gradients {
    pub(super) f0_hz: Vec<f64>,
    pub(super) amplitudes: Vec<f64>,
    pub(super) distribution: Vec<f64>,
}

/// One harmonic, sample by sample.
struct Oscillator {
    frequencies_hz: Vec<f64>,
    /// As if nothing was cut.
    amplitudes: Vec<f64>,
    phases: Vec<f64>,
    /// 0 where the harmonic is cut, else 1.
    kept: Vec<f64>,
}

impl Reference {
    /// In f32 as the reference computes. (An f64 result of f32 operands rounded to f32 is the f32
    /// result, for sums, products and quotients.)
    pub(super) fn in_f32(hop: usize, resampling: Resampling, phase_sum: PhaseSum) -> Self {
        Self { hop, resampling, phase_sum, round: |x| f64::from(x as f32) }
    }

    /// The same without any rounding but f64's.
    pub(super) fn exact(self) -> Self {
        Self { round: |x| x, ..self }
    }

    /// Audio of `n_frames * hop` samples, and the phase of the last one in radians.
    pub(super) fn forward(self, example: &Example) -> (Vec<f64>, f64) {
        let mut audio = vec![0.0; example.n_frames * self.hop];
        let mut final_phase = 0.0;
        for k in 0..example.n_harmonics() {
            let oscillator = self.oscillator(example, k);
            for (n, y) in audio.iter_mut().enumerate() {
                let sine = (self.round)(oscillator.phases[n].sin());
                *y += (self.round)(oscillator.kept[n] * oscillator.amplitudes[n] * sine);
            }
            if k == 0 {
                final_phase = oscillator.phases.last().copied().unwrap_or_default();
            }
        }
        audio.iter_mut().for_each(|y| *y = (self.round)(*y));
        (audio, final_phase)
    }

    /// The vector-Jacobian product of [`forward`](Self::forward) with `grad_audio`.
    pub(super) fn backward(self, example: &Example, grad_audio: &[f32]) -> Gradients {
        let (n_frames, n_harmonics) = (example.n_frames, example.n_harmonics());
        let zeros = |n: usize| vec![0.0; n];
        let mut grads = Gradients {
            f0_hz: zeros(n_frames),
            amplitudes: zeros(n_frames),
            distribution: zeros(n_frames * n_harmonics),
        };
        let round = self.round;
        for k in 0..n_harmonics {
            let Oscillator { amplitudes, phases, kept, .. } = self.oscillator(example, k);
            let mut products = zeros(n_frames);
            let mut grad_phases = zeros(grad_audio.len());
            for (n, &grad) in grad_audio.iter().enumerate() {
                let grad = kept[n] * f64::from(grad);
                let grad_amplitude = round(grad * round(phases[n].sin()));
                for (frame, weight) in self.taps(self.resampling, n, n_frames) {
                    products[frame] += weight * grad_amplitude;
                }
                grad_phases[n] = round(round(grad * amplitudes[n]) * round(phases[n].cos()));
            }
            for (i, product) in products.into_iter().enumerate() {
                let d = i * n_harmonics + k;
                grads.distribution[d] = f64::from(example.amplitudes()[i]) * product;
                grads.amplitudes[i] += f64::from(example.distribution()[d]) * product;
            }
            let grad_steps = self.sum_phases_backward(&grad_phases);
            for (n, grad_step) in grad_steps.into_iter().enumerate() {
                let grad_hz = round(round(grad_step / f64::from(SAMPLE_RATE)) * round(TAU));
                for (frame, weight) in self.taps(Resampling::Linear, n, n_frames) {
                    grads.f0_hz[frame] += (k + 1) as f64 * weight * grad_hz;
                }
            }
        }
        grads
    }

    /// f0 and the amplitudes of the harmonics at each sample.
    pub(super) fn envelopes(self, example: &Example) -> (Vec<f32>, Vec<f32>) {
        let oscillators: Vec<Oscillator> =
            (0..example.n_harmonics()).map(|k| self.oscillator(example, k)).collect();
        let f0_hz: Vec<f32> = oscillators[0].frequencies_hz.iter().map(|&hz| hz as f32).collect();
        let at = |n: usize| oscillators.iter().map(move |o| o.amplitudes[n] as f32);
        let amplitudes = (0..f0_hz.len()).flat_map(at).collect();
        (f0_hz, amplitudes)
    }

    fn oscillator(self, example: &Example, k: usize) -> Oscillator {
        let round = self.round;
        let (n_frames, n_harmonics) = (example.n_frames, example.n_harmonics());
        let n_samples = n_frames * self.hop;
        let number = (k + 1) as f64;
        let multiple = if let PhaseSum::MultiplesFrom(_) = self.phase_sum { 1.0 } else { number };
        let frequency = |i: usize| round(multiple * f64::from(example.f0_hz()[i]));
        let frequencies_hz: Vec<f64> = (0..n_samples)
            .map(|n| {
                let [(here, _), (next, weight), ..] = self.taps(Resampling::Linear, n, n_frames);
                let change = round(frequency(next) - frequency(here));
                round(frequency(here) + round(change * weight))
            })
            .collect();
        let amplitude = |i: usize| {
            let distribution = example.distribution()[i * n_harmonics + k];
            round(f64::from(example.amplitudes()[i]) * f64::from(distribution))
        };
        let amplitudes = (0..n_samples).map(|n| {
            let taps = self.taps(self.resampling, n, n_frames);
            round(taps.into_iter().map(|(frame, weight)| weight * amplitude(frame)).sum())
        });
        let steps =
            frequencies_hz.iter().map(|hz| round(round(hz * round(TAU)) / f64::from(SAMPLE_RATE)));
        let mut phases = self.sum_phases(&steps.collect::<Vec<_>>());
        if let PhaseSum::MultiplesFrom(initial) = self.phase_sum {
            phases.iter_mut().for_each(|p| *p = round(number * round(*p + round(initial))));
        }
        let nyquist_hz = f64::from(SAMPLE_RATE) / 2.0;
        let is_kept = |hz: &f64| multiple < number || *hz < nyquist_hz;
        Oscillator {
            amplitudes: amplitudes.collect(),
            phases,
            kept: frequencies_hz.iter().map(|hz| f64::from(u8::from(is_kept(hz)))).collect(),
            frequencies_hz,
        }
    }

    /// Frames that make up sample `n`, each with its weight; the first two are of interest to a line.
    fn taps(self, resampling: Resampling, n: usize, n_frames: usize) -> [(usize, f64); 4] {
        let (i, offset) = (n / self.hop, n % self.hop);
        let u = offset as f64 / self.hop as f64;
        let round = self.round;
        let weights = match resampling {
            Resampling::Nearest => [1.0, 0.0, 0.0, 0.0],
            Resampling::Linear => [1.0 - u, u, 0.0, 0.0],
            Resampling::Window => {
                [round(0.5 + 0.5 * (PI * u).cos()), round(0.5 - 0.5 * (PI * u).cos()), 0.0, 0.0]
            }
            Resampling::Cubic => {
                // The reference takes them from a table; the hop of the goldens divides its 1024.
                [u, 1.0 - u, 1.0 + u, 2.0 - u].map(|distance| round(cubic_weight(distance)))
            }
        };
        let frames = [i, i + 1, i.saturating_sub(1), i + 2].map(|frame| frame.min(n_frames - 1));
        std::array::from_fn(|tap| (frames[tap], weights[tap]))
    }

    fn chunk(self, n_samples: usize) -> usize {
        if self.phase_sum == PhaseSum::Running { n_samples } else { CHUNK }
    }

    /// Phases in radians, from steps of which the first is included.
    fn sum_phases(self, steps: &[f64]) -> Vec<f64> {
        let round = self.round;
        let mut phases = Vec::with_capacity(steps.len());
        // Where chunks begin is a running sum too, of remainders.
        let mut begin = 0.0;
        for chunk in steps.chunks(self.chunk(steps.len())) {
            let mut sum = 0.0;
            for step in chunk {
                sum = round(sum + step);
                phases.push(if self.phase_sum == PhaseSum::Running {
                    sum
                } else {
                    // Remainders are exact.
                    round(sum + begin % round(TAU)) % round(TAU)
                });
            }
            begin = round(begin + sum % round(TAU));
        }
        phases
    }

    /// Transpose of [`sum_phases`](Self::sum_phases): each step moves all phases after it.
    fn sum_phases_backward(self, grad_phases: &[f64]) -> Vec<f64> {
        let round = self.round;
        let mut grad_steps = vec![0.0; grad_phases.len()];
        let chunk = self.chunk(grad_phases.len());
        let mut later_chunks = 0.0;
        let chunks = grad_steps.chunks_mut(chunk).zip(grad_phases.chunks(chunk));
        for (grad_steps, grad_phases) in chunks.rev() {
            let mut later = later_chunks;
            for (step, phase) in grad_steps.iter_mut().zip(grad_phases).rev() {
                later = round(later + phase);
                *step = later;
            }
            later_chunks = later;
        }
        grad_steps
    }
}

/// Keys' cubic kernel with `A = -0.75`.
fn cubic_weight(distance: f64) -> f64 {
    let (a, x) = (-0.75, distance);
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    }
}
