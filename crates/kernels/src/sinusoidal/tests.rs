use std::f64::consts::{PI, TAU};

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::simd::Simd;
use crate::testing::{pseudo_random, widen};

pub(super) const SAMPLE_RATE: u32 = 16_000;

/// What the defining sum depends on but for the controls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) n_frames: usize,
    pub(super) n_sinusoids: usize,
    pub(super) hop: usize,
    pub(super) interpolation: AmplitudeInterpolation,
}

impl Shape {
    pub(super) fn n_controls(self) -> usize {
        self.n_frames * self.n_sinusoids
    }

    pub(super) fn n_samples(self) -> usize {
        self.n_frames * self.hop
    }

    pub(super) fn sinusoidal(self) -> Sinusoidal {
        let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: self.hop };
        Sinusoidal::new(grid, self.n_sinusoids, self.interpolation)
    }

    /// A synthesizer for each instruction set of this processor.
    pub(super) fn each_path(self) -> impl Iterator<Item = Sinusoidal> {
        Simd::all().into_iter().map(move |simd| {
            let mut sinusoidal = self.sinusoidal();
            sinusoidal.bank.simd = simd;
            sinusoidal
        })
    }
}

/// Controls of one example, in f32 or, for the oracle, f64.
#[derive(Clone, Debug)]
pub(super) struct Example<T> {
    pub(super) frequencies_hz: Vec<T>,
    pub(super) amplitudes: Vec<T>,
    pub(super) phases: Vec<f64>,
}

impl Example<f32> {
    /// Frequencies within `span_hz` of `centre_hz`, all different.
    pub(super) fn new(shape: Shape, centre_hz: f32, span_hz: f32) -> Self {
        let n = shape.n_controls();
        let spread = pseudo_random(1, n).into_iter().map(|x| centre_hz + span_hz * x);
        Self {
            frequencies_hz: spread.collect(),
            amplitudes: pseudo_random(2, n),
            phases: widen(&pseudo_random(3, shape.n_sinusoids)),
        }
    }

    pub(super) fn widen(&self) -> Example<f64> {
        Example {
            frequencies_hz: widen(&self.frequencies_hz),
            amplitudes: widen(&self.amplitudes),
            phases: self.phases.clone(),
        }
    }

    /// The audio of whole hops, and the phases after it.
    pub(super) fn forward(&self, sinusoidal: &mut Sinusoidal) -> (Vec<f32>, Vec<f64>) {
        let n_frames = self.frequencies_hz.len() / sinusoidal.n_sinusoids();
        let mut audio = vec![f32::NAN; n_frames * sinusoidal.grid().hop];
        let mut phases = self.phases.clone();
        sinusoidal.forward(&self.frequencies_hz, &self.amplitudes, &mut phases, &mut audio);
        (audio, phases)
    }
}

impl Example<f64> {
    /// The defining sum, sample by sample; returns the phases after it, in turns, unreduced.
    pub(super) fn oracle(&self, shape: Shape, audio: &mut [f64]) -> Vec<f64> {
        let n = shape.n_sinusoids;
        let mut phases = self.phases.clone();
        for (t, y) in audio.iter_mut().enumerate() {
            let (i, u) = (t / shape.hop, (t % shape.hop) as f64 / shape.hop as f64);
            let next = (i + 1).min(shape.n_frames - 1);
            let w = match shape.interpolation {
                AmplitudeInterpolation::Nearest => 0.0,
                AmplitudeInterpolation::Linear => u,
                AmplitudeInterpolation::Window => 0.5 - 0.5 * (PI * u).cos(),
            };
            *y = 0.0;
            for (k, phase) in phases.iter_mut().enumerate() {
                let between = |x: &[f64], w: f64| (1.0 - w) * x[i * n + k] + w * x[next * n + k];
                let f = between(&self.frequencies_hz, u);
                *phase += f / f64::from(SAMPLE_RATE);
                if f.abs() < f64::from(SAMPLE_RATE) / 2.0 {
                    *y += between(&self.amplitudes, w) * (TAU * *phase).sin();
                }
            }
        }
        phases
    }
}

pub(super) const WINDOW: AmplitudeInterpolation = AmplitudeInterpolation::Window;
pub(super) const LINEAR: AmplitudeInterpolation = AmplitudeInterpolation::Linear;

/// Shapes with centre and span of the frequencies: whole tiles and not, hops below and above one,
/// groups whole and not; frequencies below, across and above the Nyquist frequency, and negative.
const CASES: [(Shape, f32, f32); 9] = [
    (Shape { n_frames: 11, n_sinusoids: 100, hop: 64, interpolation: WINDOW }, 2000.0, 1990.0),
    (Shape { n_frames: 7, n_sinusoids: 17, hop: 80, interpolation: LINEAR }, 7000.0, 3000.0),
    (Shape { n_frames: 9, n_sinusoids: 3, hop: 7, interpolation: WINDOW }, 0.0, 12_000.0),
    (Shape { n_frames: 4, n_sinusoids: 16, hop: 441, interpolation: LINEAR }, -500.0, 400.0),
    (Shape { n_frames: 300, n_sinusoids: 5, hop: 1, interpolation: WINDOW }, 4000.0, 3900.0),
    (Shape { n_frames: 1, n_sinusoids: 1, hop: 130, interpolation: LINEAR }, 440.0, 100.0),
    (Shape { n_frames: 5, n_sinusoids: 20, hop: 66, interpolation: WINDOW }, -8000.0, 500.0),
    (Shape { n_frames: 3, n_sinusoids: 9, hop: 33, interpolation: LINEAR }, 20_000.0, 5000.0),
    (Shape { n_frames: 6, n_sinusoids: 33, hop: 2, interpolation: LINEAR }, 100.0, 90.0),
];

/// Compares audio with an oracle's, both as shares of the sum of the amplitudes.
///
/// The error of an oscillator of amplitude 1 is 2e-7 by the sine, 4e-8 by its phase and 3e-8 each by
/// its amplitude, their product and the division here at worst; in a sum their signs are at random,
/// and so are those of the sum's own roundings.
pub(crate) fn compare_sum(
    operation: &mut Operation,
    audio: &[f32],
    expected: &[f64],
    amplitudes: f32,
) {
    let audio: Vec<f32> = audio.iter().map(|y| y / amplitudes).collect();
    let expected: Vec<f64> = expected.iter().map(|y| y / f64::from(amplitudes)).collect();
    operation.oracle("audio", &audio, &expected, Tolerance::absolute(3e-7));
}

fn compare_with_the_oracle(operation: &mut Operation) {
    for (shape, centre_hz, span_hz) in CASES {
        let example = Example::new(shape, centre_hz, span_hz);
        let mut expected = vec![0.0; shape.n_samples()];
        let turns = example.widen().oracle(shape, &mut expected);
        for mut sinusoidal in shape.each_path() {
            let (audio, phases) = example.forward(&mut sinusoidal);
            compare_sum(operation, &audio, &expected, shape.n_sinusoids as f32);
            for (phase, turns) in phases.iter().zip(&turns) {
                assert!((0.0..1.0).contains(phase), "{phase} is not reduced");
                // The oracle's own running sum of numbers below 1000 rounds at 2^-44.
                assert!(turn_distance(*phase, *turns).abs() < 1e-11, "{phase}, not {turns}");
            }
        }
    }
}

/// `a - b` less whole turns.
pub(super) fn turn_distance(a: f64, b: f64) -> f64 {
    (a - b) - (a - b).round()
}

/// The shapes whose gradients are checked, with frequencies as in [`CASES`].
const GRADIENT_CASES: [(Shape, f32, f32); 7] = [
    (Shape { n_frames: 4, n_sinusoids: 19, hop: 32, interpolation: WINDOW }, 2000.0, 1900.0),
    (Shape { n_frames: 3, n_sinusoids: 2, hop: 141, interpolation: LINEAR }, 900.0, 50.0),
    (Shape { n_frames: 1, n_sinusoids: 1, hop: 70, interpolation: WINDOW }, 300.0, 50.0),
    (Shape { n_frames: 5, n_sinusoids: 6, hop: 13, interpolation: LINEAR }, 7900.0, 3000.0),
    (Shape { n_frames: 40, n_sinusoids: 3, hop: 1, interpolation: LINEAR }, -2000.0, 1900.0),
    (Shape { n_frames: 2, n_sinusoids: 3, hop: 20, interpolation: WINDOW }, 9500.0, 1000.0),
    (Shape { n_frames: 3, n_sinusoids: 4, hop: 6, interpolation: WINDOW }, 0.0, 0.0),
];

fn check_gradients_of(operation: &mut Operation, shape: Shape, example: &Example<f32>, scale: f32) {
    let mut example = example.clone();
    for a in &mut example.amplitudes {
        *a *= scale;
    }
    for sinusoidal in shape.each_path() {
        let vary = |set: &dyn Fn(&mut Example<f64>, &[f64]), x: &[f64], y: &mut [f64]| {
            let mut varied = example.widen();
            set(&mut varied, x);
            varied.oracle(shape, y);
        };
        let backward = |x: &Example<f32>, grad_y: &[f32], grads: SinusoidalGradients<'_>| {
            let (f, a) = (&x.frequencies_hz, &x.amplitudes);
            sinusoidal.clone().backward(f, a, &x.phases, grad_y, grads);
        };
        let n = shape.n_samples();
        // A sinusoid over 500 samples turns once more for 16000 / 500 = 32 Hz.
        operation.gradient(
            "frequencies_hz",
            &example.frequencies_hz,
            n,
            3e-3,
            |x, y| vary(&|e, x| e.frequencies_hz.copy_from_slice(x), x, y),
            |_, grad_y, grad| {
                let amplitudes = &mut vec![0.0; grad.len()];
                let frequencies_hz = Some(grad);
                let grads = SinusoidalGradients { frequencies_hz, amplitudes, phases: None };
                backward(&example, grad_y, grads);
            },
        );
        // Linear: any step will do that is not lost in the rounding of what it is added to.
        operation.gradient(
            "amplitudes",
            &example.amplitudes,
            n,
            f64::from(scale),
            |x, y| vary(&|e, x| e.amplitudes.copy_from_slice(x), x, y),
            |_, grad_y, amplitudes| {
                let grads = SinusoidalGradients { frequencies_hz: None, amplitudes, phases: None };
                backward(&example, grad_y, grads);
            },
        );
        let phases: Vec<f32> = example.phases.iter().map(|p| *p as f32).collect();
        operation.gradient(
            "phases",
            &phases,
            n,
            1e-4,
            |x, y| vary(&|e, x| e.phases.copy_from_slice(x), x, y),
            |_, grad_y, grad| {
                let amplitudes = &mut vec![0.0; shape.n_controls()];
                let phases = Some(grad);
                let grads = SinusoidalGradients { frequencies_hz: None, amplitudes, phases };
                backward(&example, grad_y, grads);
            },
        );
    }
}

fn check_gradients_everywhere(operation: &mut Operation) {
    for (shape, centre_hz, span_hz) in GRADIENT_CASES {
        let example = Example::new(shape, centre_hz, span_hz);
        check_gradients_of(operation, shape, &example, 1.0);
    }
    let (shape, centre_hz, span_hz) = GRADIENT_CASES[0];
    for scale in [1e-9, 1e9] {
        check_gradients_of(operation, shape, &Example::new(shape, centre_hz, span_hz), scale);
    }
    let mut zeros = Example::new(shape, centre_hz, span_hz);
    zeros.amplitudes.fill(0.0);
    check_gradients_of(operation, shape, &zeros, 1.0);
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Sinusoidal");
    compare_with_the_oracle(operation);
    goldens::compare(operation);
    check_gradients_everywhere(operation);
}

#[test]
fn it_agrees_with_the_reference_and_its_gradients() {
    agreement(&mut Report::default());
}
