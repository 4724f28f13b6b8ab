use std::f64::consts::{PI, TAU};

use super::*;
use crate::ExpSigmoid;
use crate::golden::Golden;
use crate::gradcheck::check_vjp;

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

#[test]
fn forward_matches_the_oracle_on_every_path() {
    use AmplitudeInterpolation::{Linear, Window};
    // Whole tiles, a remainder, a hop below a tile; with and without harmonics above Nyquist.
    for (hop, n_harmonics, low_hz, span_hz, interpolation) in [
        (64, 45, 60.0, 50.0, Window),
        (80, 100, 150.3, 700.1, Linear),
        (7, 3, 1900.0, 7000.0, Window),
        (441, 12, 500.0, 100.0, Linear),
    ] {
        let example = Example::new(11, n_harmonics, low_hz, span_hz);
        let controls: Vec<f64> = example.packed.iter().map(|&x| f64::from(x)).collect();
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
fn backward_matches_the_oracle_on_every_path() {
    for (hop, interpolation, low_hz) in
        [(32, AmplitudeInterpolation::Window, 210.0), (41, AmplitudeInterpolation::Linear, 900.0)]
    {
        let (n_frames, n_harmonics) = (5, 12);
        let example = Example::new(n_frames, n_harmonics, low_hz, 60.0);
        for harmonic in each_path(hop, n_harmonics, interpolation) {
            let forward = |x: &[f64], y: &mut [f64]| oracle(x, n_frames, interpolation, 0.2, y);
            let backward = |x: &[f32], grad_y: &[f32], grad_x: &mut [f32]| {
                let x = Example { packed: x.to_vec(), n_frames };
                let (f0_hz, rest) = grad_x.split_at_mut(n_frames);
                let (amplitudes, harmonic_distribution) = rest.split_at_mut(n_frames);
                harmonic.clone().backward(
                    x.f0_hz(),
                    x.amplitudes(),
                    x.distribution(),
                    0.2,
                    grad_y,
                    HarmonicGradients { f0_hz: Some(f0_hz), amplitudes, harmonic_distribution },
                );
            };
            // Harmonic 12 over 200 samples turns once for 16000 / (12 * 200) = 7 Hz.
            check_vjp(&example.packed, n_frames * hop, 1e-3, forward, backward);
        }
    }
}

#[test]
fn backward_of_a_lookahead_block_matches_the_oracle() {
    // One hop fewer than frames: the oracle's last hop gets no gradient.
    let (n_frames, n_harmonics, hop) = (4, 6, 50);
    let example = Example::new(n_frames, n_harmonics, 300.0, 100.0);
    let window = AmplitudeInterpolation::Window;
    let n_samples = (n_frames - 1) * hop;
    let forward = |x: &[f64], y: &mut [f64]| {
        let mut whole = vec![0.0; n_frames * hop];
        oracle(x, n_frames, window, 0.0, &mut whole);
        y.copy_from_slice(&whole[..n_samples]);
    };
    let backward = |x: &[f32], grad_y: &[f32], grad_x: &mut [f32]| {
        let x = Example { packed: x.to_vec(), n_frames };
        let (f0_hz, rest) = grad_x.split_at_mut(n_frames);
        let (amplitudes, harmonic_distribution) = rest.split_at_mut(n_frames);
        each_path(hop, n_harmonics, window).last().expect("a path").backward(
            x.f0_hz(),
            x.amplitudes(),
            x.distribution(),
            0.0,
            grad_y,
            HarmonicGradients { f0_hz: Some(f0_hz), amplitudes, harmonic_distribution },
        );
    };
    check_vjp(&example.packed, n_samples, 1e-3, forward, backward);
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

/// What the reference's angular cumulative sum can be off by for each unit of amplitude: it adds
/// up to 1000 phase steps in f32, to at most 3142 rad, where a rounding is at most 1.2e-4 rad;
/// with random signs, 1000 of them are 2e-3 rad.
const ANGULAR_ERROR: f32 = 4e-3;

#[test]
fn matches_the_reference() {
    let mut golden = Golden::open("oscillators");
    let (f0_hz, amplitudes, distribution) =
        (golden.values("base.in.f0"), golden.values("base.in.amp"), golden.values("base.in.hd"));
    for (name, interpolation) in
        [("window", AmplitudeInterpolation::Window), ("linear", AmplitudeInterpolation::Linear)]
    {
        let expected = golden.values(&format!("harmonic_synthesis_{name}_ang1.out.y"));
        let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
        let mut harmonic = Harmonic::new(grid, 30, interpolation);
        for row in 0..2 {
            let mut audio = vec![f32::NAN; 3200];
            let (frames, values) = (row * 50..(row + 1) * 50, row * 1500..(row + 1) * 1500);
            harmonic.forward(
                &f0_hz[frames.clone()],
                &amplitudes[frames],
                &distribution[values],
                0.0,
                &mut audio,
            );
            compare(&audio, &expected[row * 3200..][..3200], 3.0 * ANGULAR_ERROR);
        }
    }
}

#[test]
fn streaming_matches_the_reference() {
    let mut golden = Golden::open("oscillators");
    let expected = golden.values("streaming_harmonic_synthesis.out.y");
    let final_phase = golden.values("streaming_harmonic_synthesis.out.final_phase");
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 30, AmplitudeInterpolation::Linear);
    let mut audio = vec![f32::NAN; 3200];
    let f0_hz = golden.values("base.in.f0");
    let amplitudes = golden.values("base.in.amp");
    // The reference normalises here, unlike in `harmonic_synthesis`.
    let mut distribution = vec![0.0; 3000];
    normalize_harmonics(&golden.values("base.in.hd"), &f0_hz, 16_000.0, &mut distribution);
    for (row, final_phase) in final_phase.into_iter().enumerate() {
        let (frames, values) = (row * 50..(row + 1) * 50, row * 1500..(row + 1) * 1500);
        let phase = harmonic.forward(
            &f0_hz[frames.clone()],
            &amplitudes[frames],
            &distribution[values],
            0.7 / TAU,
            &mut audio,
        );
        let expected_phase = f64::from(final_phase) / TAU;
        assert!((phase - expected_phase).abs() < 1e-4, "{phase}, not {expected_phase}");
        // Harmonics of the second row cross the Nyquist frequency, where this function of the
        // reference, unlike `oscillator_bank`, lets them alias for the rest of the hop.
        if row == 0 {
            compare(&audio, &expected[..3200], ANGULAR_ERROR);
        }
    }
}

#[test]
fn the_synth_matches_the_reference() {
    let mut golden = Golden::open("synths");
    let f0_hz = golden.values("harmonic.in.f0");
    let mut amplitudes = golden.values("harmonic.in.amps");
    let mut distribution = golden.values("harmonic.in.hd");
    scale_controls(&f0_hz, &mut amplitudes, &mut distribution);
    compare(&amplitudes, &golden.values("harmonic.out.amplitudes"), 1e-5);
    compare(&distribution, &golden.values("harmonic.out.harmonic_distribution"), 1e-6);
    let expected = golden.values("harmonic_use_angular_cumsum.out.signal");
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 30, AmplitudeInterpolation::Window);
    for row in 0..2 {
        let mut audio = vec![f32::NAN; 3200];
        let (frames, values) = (row * 50..(row + 1) * 50, row * 1500..(row + 1) * 1500);
        harmonic.forward(
            &f0_hz[frames.clone()],
            &amplitudes[frames],
            &distribution[values],
            0.0,
            &mut audio,
        );
        compare(&audio, &expected[row * 3200..][..3200], 2.0 * ANGULAR_ERROR);
    }
}

/// The reference's `Harmonic.get_controls`.
fn scale_controls(f0_hz: &[f32], amplitudes: &mut [f32], distribution: &mut [f32]) {
    let raw = amplitudes.to_vec();
    ExpSigmoid::default().forward(&raw, amplitudes);
    let raw = distribution.to_vec();
    let mut scaled = raw.clone();
    ExpSigmoid::default().forward(&raw, &mut scaled);
    normalize_harmonics(&scaled, f0_hz, 16_000.0, distribution);
}

#[test]
fn gradients_match_the_reference() {
    let mut golden = Golden::open("gradients");
    let (v, f0_hz) = (golden.values("base.in.v"), golden.values("base.in.f0"));
    let (amplitudes, distribution) = (golden.values("base.in.amp"), golden.values("base.in.hd"));
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 30, AmplitudeInterpolation::Window);
    let mut grad = (vec![0.0; 100], vec![0.0; 100], vec![0.0; 3000]);
    for row in 0..2 {
        let (frames, values) = (row * 50..(row + 1) * 50, row * 1500..(row + 1) * 1500);
        harmonic.backward(
            &f0_hz[frames.clone()],
            &amplitudes[frames.clone()],
            &distribution[values.clone()],
            0.0,
            &v[row * 3200..][..3200],
            HarmonicGradients {
                f0_hz: Some(&mut grad.0[frames.clone()]),
                amplitudes: &mut grad.1[frames],
                harmonic_distribution: &mut grad.2[values],
            },
        );
    }
    let case = "harmonic_synthesis_window_ang1.out";
    for (name, grad) in [("d_f0", &grad.0), ("d_amp", &grad.1), ("d_hd", &grad.2)] {
        let expected = golden.values(&format!("{case}.{name}"));
        let largest = expected.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        compare(grad, &expected, ANGULAR_ERROR * largest);
    }
}

fn compare(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "as many values");
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "worst error {worst:e} above {tolerance:e}");
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

#[test]
fn values_that_are_not_finite_do_not_panic() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 2, AmplitudeInterpolation::Linear);
    let mut audio = [0.0; 192];
    let f0_hz = [f32::NAN, f32::INFINITY, -1e30];
    let phase = harmonic.forward(&f0_hz, &[1.0; 3], &[0.5; 6], f64::NAN, &mut audio);
    assert!((0.0..1.0).contains(&phase), "{phase}");
    assert!(audio.iter().all(|y| y.abs() <= 1.0), "bounded by the sum of the amplitudes");
}

#[test]
#[should_panic(expected = "Harmonic: 100 samples for 3 frames at hop 64")]
fn a_wrong_length_names_both() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };
    let mut harmonic = Harmonic::new(grid, 1, AmplitudeInterpolation::Linear);
    harmonic.forward(&[1.0; 3], &[1.0; 3], &[1.0; 3], 0.0, &mut [0.0; 100]);
}
