use std::f64::consts::{PI, TAU};

use super::*;
use crate::agreement::Report;
use crate::testing::widen;

mod golden;
mod gradients;
mod processor;
mod reference;

pub(super) const SAMPLE_RATE: u32 = 16_000;

/// The defining sum in f64, sample by sample. `controls` is `f0_hz`, `amplitudes` and
/// `harmonic_distribution` one after the other.
fn oracle(
    controls: &[f64],
    n_frames: usize,
    interpolation: AmplitudeInterpolation,
    initial_phase: f64,
    audio: &mut [f64],
) {
    let hop = audio.len() / n_frames;
    let n_harmonics = controls.len() / n_frames - 2;
    let (f0_hz, rest) = controls.split_at(n_frames);
    let (amplitudes, distribution) = rest.split_at(n_frames);
    let mut phase = initial_phase;
    for (n, y) in audio.iter_mut().enumerate() {
        let (i, u) = (n / hop, (n % hop) as f64 / hop as f64);
        let next = (i + 1).min(n_frames - 1);
        let w = match interpolation {
            AmplitudeInterpolation::Linear => u,
            AmplitudeInterpolation::Window => 0.5 - 0.5 * (PI * u).cos(),
            AmplitudeInterpolation::Nearest => 0.0,
        };
        let f0 = f0_hz[i] + u * (f0_hz[next] - f0_hz[i]);
        phase += f0 / f64::from(SAMPLE_RATE);
        *y = 0.0;
        for k in 0..n_harmonics {
            let number = (k + 1) as f64;
            let at = |i: usize| amplitudes[i] * distribution[i * n_harmonics + k];
            if number * f0 < f64::from(SAMPLE_RATE) / 2.0 {
                *y += ((1.0 - w) * at(i) + w * at(next)) * (TAU * number * phase).sin();
            }
        }
    }
}

/// Controls of one example, packed for the oracle and apart for the kernel.
pub(super) struct Example {
    packed: Vec<f32>,
    n_frames: usize,
}

impl Example {
    /// Smooth and different everywhere; f0 from `low_hz` rises by `span_hz`.
    pub(super) fn new(n_frames: usize, n_harmonics: usize, low_hz: f32, span_hz: f32) -> Self {
        let wave = |n: usize, speed: f32| 0.5 + 0.5 * (n as f32 * speed).sin();
        let mut packed: Vec<f32> = (0..n_frames).map(|i| low_hz + span_hz * wave(i, 0.7)).collect();
        packed.extend((0..n_frames).map(|i| 0.1 + wave(i, 1.3)));
        packed.extend((0..n_frames * n_harmonics).map(|i| 0.02 + 0.1 * wave(i, 2.1)));
        Self { packed, n_frames }
    }

    /// From inputs of a golden case.
    fn from_controls(f0_hz: &[f32], amplitudes: &[f32], distribution: &[f32]) -> Self {
        Self { packed: [f0_hz, amplitudes, distribution].concat(), n_frames: f0_hz.len() }
    }

    fn n_harmonics(&self) -> usize {
        self.distribution().len() / self.n_frames
    }

    pub(super) fn f0_hz(&self) -> &[f32] {
        &self.packed[..self.n_frames]
    }

    pub(super) fn amplitudes(&self) -> &[f32] {
        &self.packed[self.n_frames..2 * self.n_frames]
    }

    pub(super) fn distribution(&self) -> &[f32] {
        &self.packed[2 * self.n_frames..]
    }

    pub(super) fn forward(&self, harmonic: &mut Harmonic, phase: f64, audio: &mut [f32]) -> f64 {
        harmonic.forward(self.f0_hz(), self.amplitudes(), self.distribution(), phase, audio)
    }
}

/// A synthesizer for each instruction set of this processor.
fn each_path(
    hop: usize,
    n_harmonics: usize,
    interpolation: AmplitudeInterpolation,
) -> impl Iterator<Item = Harmonic> {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop };
    Simd::all().into_iter().map(move |simd| {
        let mut harmonic = Harmonic::new(grid, n_harmonics, interpolation);
        harmonic.simd = simd;
        harmonic
    })
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Harmonic");
    golden::synthesis(operation);
    golden::streaming(operation);
    golden::gradients(operation);
    gradients::on_all_shapes(operation);
    processor::controls(report.operation("Harmonic with exp_sigmoid and normalize_harmonics"));
    frequencies::tests::agreement(report);
    normalize::tests::agreement(report);
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn forward_matches_the_oracle_on_every_path() {
    use AmplitudeInterpolation::{Linear, Nearest, Window};
    // Whole tiles, a remainder, a hop below a tile; with and without harmonics above Nyquist.
    for (hop, n_harmonics, low_hz, span_hz, interpolation) in [
        (64, 45, 60.0, 50.0, Window),
        (80, 100, 150.3, 700.1, Linear),
        (7, 3, 1900.0, 7000.0, Window),
        (441, 12, 500.0, 100.0, Linear),
        (96, 20, 300.0, 200.0, Nearest),
        (1, 30, 400.0, 200.0, Window),
    ] {
        let example = Example::new(11, n_harmonics, low_hz, span_hz);
        let controls = widen(&example.packed);
        let mut expected = vec![0.0; 11 * hop];
        oracle(&controls, 11, interpolation, 0.3, &mut expected);
        for mut harmonic in each_path(hop, n_harmonics, interpolation) {
            let mut audio = vec![f32::NAN; expected.len()];
            example.forward(&mut harmonic, 0.3, &mut audio);
            // The sine is off by 2e-7 and the sum of n terms, each below 0.12 * 1.1, rounds n times
            // at 2^-24 of a partial sum that is a good deal smaller than their whole.
            let sum = 0.132 * n_harmonics as f64;
            for (n, (y, e)) in audio.iter().zip(&expected).enumerate() {
                let error = (f64::from(*y) - e).abs();
                assert!(error <= 4e-7 * sum, "{:?} [{n}]: {y}, not {e}", harmonic.simd);
            }
        }
    }
}

#[test]
fn any_split_into_blocks_gives_the_same_bits() {
    let (n_frames, n_harmonics, hop) = (23, 9, 40);
    let example = Example::new(n_frames, n_harmonics, 100.0, 1500.0);
    for mut harmonic in each_path(hop, n_harmonics, AmplitudeInterpolation::Window) {
        let mut whole = vec![0.0; n_frames * hop];
        let final_phase = example.forward(&mut harmonic, 0.7, &mut whole);
        let (mut phase, mut start) = (0.7, 0);
        for block in [1, 5, 2, 1, 9, 4, 1] {
            // All but the last block pass one frame more than they render.
            let frames = start..(start + block + 1).min(n_frames);
            let mut audio = vec![f32::NAN; block * hop];
            phase = harmonic.forward(
                &example.f0_hz()[frames.clone()],
                &example.amplitudes()[frames.clone()],
                &example.distribution()[frames.start * n_harmonics..frames.end * n_harmonics],
                phase,
                &mut audio,
            );
            assert_eq!(audio, whole[start * hop..][..block * hop], "block at frame {start}");
            start += block;
        }
        assert_eq!((start, phase.to_bits()), (n_frames, final_phase.to_bits()), "all, and phase");
    }
}

#[test]
fn the_phase_is_exact_after_a_minute() {
    // 440.1 Hz has no short binary fraction; the reference is 1.4 off after a minute.
    let n_frames = 60 * 250;
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 1, AmplitudeInterpolation::Window);
    let (f0_hz, ones) = (vec![440.1; n_frames], vec![1.0; n_frames]);
    let mut audio = vec![0.0; n_frames * 64];
    let phase = harmonic.forward(&f0_hz, &ones, &ones, 0.0, &mut audio);
    let turns = f64::from(440.1_f32) / f64::from(SAMPLE_RATE) * audio.len() as f64;
    // Each of 15,000 hops drops less than 2^-53 turns, 2e-12 in all.
    assert!((phase - turns.fract()).abs() < 4e-12, "{phase}, not {}", turns.fract());
}

#[test]
fn silent_controls_are_silent() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 8, AmplitudeInterpolation::Window);
    let mut audio = [1.0; 128];
    harmonic.forward(&[100.0; 2], &[0.0; 2], &[0.125; 16], 0.0, &mut audio);
    assert_eq!(audio, [0.0; 128]);
    audio.fill(1.0);
    harmonic.forward(&[9000.0; 2], &[1.0; 2], &[0.125; 16], 0.0, &mut audio);
    assert_eq!(audio, [0.0; 128], "nothing above the Nyquist frequency");
}

/// Whether each hop of `audio` is all NaN (true) or all numbers (false).
fn hops_without_numbers(audio: &[f32], hop: usize) -> Vec<bool> {
    let is_nan = |hop: &[f32]| {
        let n = hop.iter().filter(|y| y.is_nan()).count();
        assert!(n == 0 || n == hop.len(), "{n} of {} samples are NaN", hop.len());
        n > 0
    };
    audio.chunks(hop).map(is_nan).collect()
}

#[test]
fn an_f0_that_is_not_finite_silences_no_stream_but_shows() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 2, AmplitudeInterpolation::Linear);
    for f0 in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut audio = [0.0; 320];
        let f0_hz = [440.0, 440.0, f0, 440.0, 440.0];
        let phase = harmonic.forward(&f0_hz, &[1.0; 5], &[0.5; 10], 0.0, &mut audio);
        assert!((0.0..1.0).contains(&phase), "{phase}");
        let expected = [false, true, true, false, false];
        assert_eq!(hops_without_numbers(&audio, 64), expected, "{f0}");
    }
    let mut audio = [0.0; 128];
    let phase = harmonic.forward(&[440.0; 2], &[1.0; 2], &[0.5; 4], f64::NAN, &mut audio);
    assert!(phase.is_nan(), "{phase}");
    assert_eq!(hops_without_numbers(&audio, 64), [true; 2], "an unknown initial phase");
}

#[test]
fn amplitudes_that_are_not_finite_show_where_they_sound() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    for bad in [f32::NAN, f32::INFINITY] {
        let mut harmonic = Harmonic::new(grid, 2, AmplitudeInterpolation::Linear);
        for input in 0..2 {
            let (mut amplitudes, mut distribution) = ([1.0; 5], [0.5; 10]);
            if input == 0 {
                amplitudes[2] = bad;
            } else {
                distribution[5] = bad;
            }
            let mut audio = [0.0; 320];
            harmonic.forward(&[440.0; 5], &amplitudes, &distribution, 0.0, &mut audio);
            let finite: Vec<bool> =
                audio.chunks(64).map(|hop| hop.iter().all(|y| y.is_finite())).collect();
            assert_eq!(finite, [true, false, false, true, true], "{bad} in input {input}");
        }
    }
}

#[test]
fn enormous_and_tiny_values_neither_hang_nor_panic() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 2, AmplitudeInterpolation::Linear);
    let mut audio = [f32::NAN; 256];
    let f0_hz = [f32::MAX, f32::MIN, 1e-44, -1e30];
    let phase = harmonic.forward(&f0_hz, &[1.0; 4], &[0.5; 8], -1e300, &mut audio);
    assert!((0.0..1.0).contains(&phase), "{phase}");
    assert!(audio.iter().all(|y| y.abs() <= 1.0), "bounded by the sum of the amplitudes");
    harmonic.forward(&[100.0; 4], &[1e-40; 4], &[0.5; 8], 0.0, &mut audio);
    assert!(audio.iter().all(|y| y.abs() <= 1e-40), "denormals");
}

#[test]
#[should_panic(expected = "Harmonic: 100 samples for 3 frames at hop 64")]
fn a_wrong_length_names_both() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 1, AmplitudeInterpolation::Linear);
    harmonic.forward(&[1.0; 3], &[1.0; 3], &[1.0; 3], 0.0, &mut [0.0; 100]);
}
