//! Gradient checks of the synthesizer, one input at a time.

use std::ops::Range;

use super::*;
use crate::agreement::Operation;
use crate::gradcheck::check_vjp;
use AmplitudeInterpolation::{Linear, Nearest, Window};

/// Initial phase of all checks, in turns.
const PHASE: f64 = 0.2;

/// An example at a hop, and the step of f0 in Hz that does not bend its phases much: a small part of
/// the `sample_rate / (k n)` that turns harmonic `k` once in `n` samples.
struct Case {
    example: Example,
    hop: usize,
    interpolation: AmplitudeInterpolation,
    f0_step: f64,
}

fn cases() -> Vec<Case> {
    let case = |example, hop, interpolation| Case { example, hop, interpolation, f0_step: 1e-3 };
    let mut denormal = Example::new(3, 4, 300.0, 50.0).scaled(1e-38, 1.0);
    denormal.packed[8..12].fill(1e-42);
    let mut zeros = Example::new(4, 6, 400.0, 10.0);
    zeros.packed[5] = 0.0;
    zeros.packed[9..20].fill(0.0);
    vec![
        case(Example::new(5, 12, 210.0, 60.0), 32, Window),
        // The upper half passes the Nyquist frequency at one time or another.
        case(Example::new(5, 12, 900.0, 60.0), 41, Linear),
        case(Example::new(1, 7, 500.0, 0.0), 40, Linear),
        case(Example::new(4, 1, 300.0, 100.0), 33, Nearest),
        case(Example::new(12, 9, 333.0, 20.0), 1, Window),
        case(Example::new(3, 5, 9000.0, 500.0), 20, Window),
        case(Example::new(2, 17, 0.0, 0.0), 20, Window),
        case(Example::new(2, 3, 1e-9, 1e-9), 20, Linear),
        case(zeros, 20, Window),
        case(Example::new(3, 20, 300.0, 50.0).scaled(0.0, 1.0), 20, Window),
        case(Example::new(3, 20, 300.0, 50.0).scaled(1e-9, 1.0), 20, Window),
        case(Example::new(3, 20, 300.0, 50.0).scaled(1.0, 1e9), 20, Window),
        case(Example::new(3, 20, 300.0, 50.0).scaled(1e9, 1e-9), 20, Nearest),
        case(denormal, 30, Linear),
    ]
}

impl Example {
    /// The same at another level.
    fn scaled(mut self, amplitudes: f32, distribution: f32) -> Self {
        let (_, rest) = self.packed.split_at_mut(self.n_frames);
        let (of_amplitudes, of_distribution) = rest.split_at_mut(self.n_frames);
        of_amplitudes.iter_mut().for_each(|a| *a *= amplitudes);
        of_distribution.iter_mut().for_each(|d| *d *= distribution);
        self
    }
}

/// Accumulates all gradients into `grads`, packed as the inputs; returns that of the initial phase.
fn backward(
    mut harmonic: Harmonic,
    example: &Example,
    phase: f64,
    grad_audio: &[f32],
    grads: &mut [f32],
) -> f64 {
    let mut grad_phase = 0.0;
    let (f0_hz, rest) = grads.split_at_mut(example.n_frames);
    let (amplitudes, harmonic_distribution) = rest.split_at_mut(example.n_frames);
    harmonic.backward(
        example.f0_hz(),
        example.amplitudes(),
        example.distribution(),
        phase,
        grad_audio,
        HarmonicGradients {
            f0_hz: Some(f0_hz),
            initial_phase: Some(&mut grad_phase),
            amplitudes,
            harmonic_distribution,
        },
    );
    grad_phase
}

impl Case {
    /// Checks the inputs `range` of the packed ones.
    fn check(
        &self,
        operation: &mut Operation,
        harmonic: &Harmonic,
        (input, range): (&'static str, Range<usize>),
        step: f64,
    ) {
        let Example { packed, n_frames } = &self.example;
        let reference = |x: &[f64], y: &mut [f64]| {
            let mut controls = widen(packed);
            controls[range.clone()].copy_from_slice(x);
            oracle(&controls, *n_frames, self.interpolation, PHASE, y);
        };
        let gradient = |x: &[f32], grad_y: &[f32], grad_x: &mut [f32]| {
            let mut example = Example { packed: packed.clone(), n_frames: *n_frames };
            example.packed[range.clone()].copy_from_slice(x);
            let mut grads = vec![0.0; packed.len()];
            grads[range.clone()].copy_from_slice(grad_x);
            backward(harmonic.clone(), &example, PHASE, grad_y, &mut grads);
            grad_x.copy_from_slice(&grads[range.clone()]);
        };
        let n_samples = n_frames * self.hop;
        operation.gradient(input, &packed[range.clone()], n_samples, step, reference, gradient);
    }

    fn check_phase(&self, operation: &mut Operation, harmonic: &Harmonic) {
        let Example { packed, n_frames } = &self.example;
        let reference = |x: &[f64], y: &mut [f64]| {
            oracle(&widen(packed), *n_frames, self.interpolation, x[0], y);
        };
        let gradient = |x: &[f32], grad_y: &[f32], grad_x: &mut [f32]| {
            let (phase, mut grads) = (f64::from(x[0]), vec![0.0; packed.len()]);
            let grad = backward(harmonic.clone(), &self.example, phase, grad_y, &mut grads);
            grad_x[0] += grad as f32;
        };
        let n_samples = n_frames * self.hop;
        // A ten-thousandth of a turn of the highest harmonic.
        let step = 1e-4 / self.example.n_harmonics() as f64;
        operation.gradient("initial_phase", &[0.3], n_samples, step, reference, gradient);
    }
}

/// Every input of every case on every path.
pub(super) fn on_all_shapes(operation: &mut Operation) {
    for case in cases() {
        let (n_frames, n) = (case.example.n_frames, case.example.packed.len());
        let largest = |range: Range<usize>| {
            case.example.packed[range].iter().fold(0.0_f32, |m, x| m.max(x.abs()))
        };
        for harmonic in each_path(case.hop, case.example.n_harmonics(), case.interpolation) {
            case.check(operation, &harmonic, ("f0_hz", 0..n_frames), case.f0_step);
            // The output is linear in these: any step will do.
            for (input, range) in
                [("amplitudes", n_frames..2 * n_frames), ("harmonic_distribution", 2 * n_frames..n)]
            {
                let step = f64::from(largest(range.clone())).max(1e-30);
                case.check(operation, &harmonic, (input, range), step);
            }
            case.check_phase(operation, &harmonic);
        }
    }
}

#[test]
fn backward_of_a_lookahead_block_matches_the_oracle() {
    // One hop fewer than frames: the oracle's last hop gets no gradient.
    let (n_frames, n_harmonics, hop) = (4, 6, 50);
    let example = Example::new(n_frames, n_harmonics, 300.0, 100.0);
    let n_samples = (n_frames - 1) * hop;
    let forward = |x: &[f64], y: &mut [f64]| {
        let mut whole = vec![0.0; n_frames * hop];
        oracle(x, n_frames, Window, 0.0, &mut whole);
        y.copy_from_slice(&whole[..n_samples]);
    };
    let harmonic = each_path(hop, n_harmonics, Window).last().expect("a path");
    check_vjp(&example.packed, n_samples, 1e-3, forward, |x, grad_y, grad_x| {
        let x = Example { packed: x.to_vec(), n_frames };
        backward(harmonic.clone(), &x, 0.0, grad_y, grad_x);
    });
}

/// The gradient of the initial phase and all others, f0's only if asked for.
fn gradients_with(f0: bool, phase: bool) -> (Option<f64>, Vec<f32>) {
    let example = Example::new(6, 10, 300.0, 400.0);
    let grad_audio = crate::testing::pseudo_random(3, 6 * 50);
    let mut grads = vec![0.0; example.packed.len()];
    let (f0_hz, rest) = grads.split_at_mut(6);
    let (amplitudes, harmonic_distribution) = rest.split_at_mut(6);
    let mut grad_phase = 0.0;
    each_path(50, 10, Window).last().expect("a path").backward(
        example.f0_hz(),
        example.amplitudes(),
        example.distribution(),
        PHASE,
        &grad_audio,
        HarmonicGradients {
            f0_hz: f0.then_some(f0_hz),
            initial_phase: phase.then_some(&mut grad_phase),
            amplitudes,
            harmonic_distribution,
        },
    );
    (phase.then_some(grad_phase), grads)
}

#[test]
fn a_gradient_that_is_not_asked_for_changes_no_other() {
    let (phase, all) = gradients_with(true, true);
    assert_eq!(gradients_with(true, false), (None, all.clone()), "without the phase's");
    let mut without_f0 = all;
    without_f0[..6].fill(0.0);
    assert_eq!(gradients_with(false, true), (phase, without_f0.clone()), "without f0's");
    assert_eq!(gradients_with(false, false), (None, without_f0), "with neither");
}

#[test]
fn an_f0_that_is_no_number_makes_gradients_of_what_it_touches_none() {
    let mut example = Example::new(5, 3, 300.0, 0.0);
    example.packed[3] = f32::NAN;
    let harmonic = each_path(20, 3, Window).last().expect("a path");
    let mut grads = vec![0.0; example.packed.len()];
    let grad_phase = backward(harmonic, &example, 0.0, &[1.0; 100], &mut grads);
    let is_nan = |range: Range<usize>| grads[range].iter().map(|g| g.is_nan()).collect::<Vec<_>>();
    // Every f0 up to the end of the last bad hop moves a phase in it.
    assert_eq!(is_nan(0..5), [true; 5], "f0_hz");
    assert!(grad_phase.is_nan(), "initial_phase: {grad_phase}");
    // Both hops at the frame are bad, and their far ends.
    assert_eq!(is_nan(5..10), [false, false, true, true, true], "amplitudes");
    assert_eq!(is_nan(10..16), [false; 6], "harmonic_distribution before");
    assert_eq!(is_nan(16..25), [true; 9], "harmonic_distribution there");
}
