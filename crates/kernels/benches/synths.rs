//! Speed of the synthesizers: items are harmonic-samples, samples or values, so that a rate in
//! Gitem/s is the inverse of nanoseconds for each.
//!
//! `plain` rows do the same work as a first draft would, with `f64` sines, for the ratio. `batch`
//! rows are 16 clips of 4 s at 16 kHz over two threads.

use std::f64::consts::TAU;
use std::thread;

use ddsp_kernels::{
    AmplitudeInterpolation, ExpSigmoid, FftConvolve, FilteredNoise, FrameGrid, Harmonic,
    HarmonicGradients, normalize_harmonics,
};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };
const N_FRAMES: usize = 1000;
const N_SAMPLES: usize = N_FRAMES * GRID.hop;
const N_CLIPS: usize = 16;

fn main() {
    divan::main();
}

/// Controls of a clip whose harmonics all stay below the Nyquist frequency.
struct Clip {
    f0_hz: Vec<f32>,
    amplitudes: Vec<f32>,
    distribution: Vec<f32>,
}

impl Clip {
    fn new(n_harmonics: usize) -> Self {
        Self {
            f0_hz: (0..N_FRAMES).map(|i| 70.0 + 5.0 * (i as f32 * 0.1).sin()).collect(),
            amplitudes: vec![0.5; N_FRAMES],
            distribution: vec![1.0 / n_harmonics as f32; N_FRAMES * n_harmonics],
        }
    }

    fn forward(&self, harmonic: &mut Harmonic, audio: &mut [f32]) -> f64 {
        harmonic.forward(&self.f0_hz, &self.amplitudes, &self.distribution, 0.0, audio)
    }

    fn backward(&self, harmonic: &mut Harmonic, grad_audio: &[f32], grads: &mut Gradients) {
        let grads = HarmonicGradients {
            f0_hz: grads.f0_hz.as_deref_mut(),
            initial_phase: None,
            amplitudes: &mut grads.amplitudes,
            harmonic_distribution: &mut grads.distribution,
        };
        harmonic.backward(
            &self.f0_hz,
            &self.amplitudes,
            &self.distribution,
            0.0,
            grad_audio,
            grads,
        );
    }
}

struct Gradients {
    f0_hz: Option<Vec<f32>>,
    amplitudes: Vec<f32>,
    distribution: Vec<f32>,
}

impl Gradients {
    fn new(n_harmonics: usize, with_f0: bool) -> Self {
        Self {
            f0_hz: with_f0.then(|| vec![0.0; N_FRAMES]),
            amplitudes: vec![0.0; N_FRAMES],
            distribution: vec![0.0; N_FRAMES * n_harmonics],
        }
    }
}

fn synth(n_harmonics: usize) -> Harmonic {
    Harmonic::new(GRID, n_harmonics, AmplitudeInterpolation::Window)
}

#[divan::bench(args = [45, 100])]
fn harmonic_forward(bencher: Bencher<'_, '_>, n_harmonics: usize) {
    let (clip, mut harmonic) = (Clip::new(n_harmonics), synth(n_harmonics));
    let mut audio = vec![0.0; N_SAMPLES];
    bencher
        .counter(ItemsCount::new(N_SAMPLES * n_harmonics))
        .bench_local(|| clip.forward(&mut harmonic, black_box(&mut audio)));
}

#[divan::bench(args = [45, 100], sample_count = 3)]
fn harmonic_forward_plain(bencher: Bencher<'_, '_>, n_harmonics: usize) {
    let clip = Clip::new(n_harmonics);
    let mut audio = vec![0.0_f64; N_SAMPLES];
    bencher.counter(ItemsCount::new(N_SAMPLES * n_harmonics)).bench_local(|| {
        let mut phase = 0.0_f64;
        for (n, y) in audio.iter_mut().enumerate() {
            let i = n / GRID.hop;
            phase += TAU * f64::from(clip.f0_hz[i]) / 16_000.0;
            let row = &clip.distribution[i * n_harmonics..][..n_harmonics];
            let sum: f64 = row
                .iter()
                .enumerate()
                .map(|(k, d)| f64::from(*d) * ((k + 1) as f64 * phase).sin())
                .sum();
            *y = f64::from(clip.amplitudes[i]) * sum;
        }
        black_box(&mut audio);
    });
}

#[divan::bench(args = [45, 100])]
fn harmonic_backward(bencher: Bencher<'_, '_>, n_harmonics: usize) {
    backward(bencher, n_harmonics, false);
}

#[divan::bench(args = [45, 100])]
fn harmonic_backward_with_f0(bencher: Bencher<'_, '_>, n_harmonics: usize) {
    backward(bencher, n_harmonics, true);
}

fn backward(bencher: Bencher<'_, '_>, n_harmonics: usize, with_f0: bool) {
    let (clip, mut harmonic) = (Clip::new(n_harmonics), synth(n_harmonics));
    let grad_audio = vec![0.5; N_SAMPLES];
    let mut grads = Gradients::new(n_harmonics, with_f0);
    bencher
        .counter(ItemsCount::new(N_SAMPLES * n_harmonics))
        .bench_local(|| clip.backward(&mut harmonic, black_box(&grad_audio), &mut grads));
}

#[divan::bench(args = [45, 100], sample_count = 20)]
fn harmonic_forward_batch(bencher: Bencher<'_, '_>, n_harmonics: usize) {
    let clip = Clip::new(n_harmonics);
    bencher.counter(ItemsCount::new(N_CLIPS * N_SAMPLES * n_harmonics)).bench_local(|| {
        halves(|| {
            let (mut harmonic, mut audio) = (synth(n_harmonics), vec![0.0; N_SAMPLES]);
            for _ in 0..N_CLIPS / 2 {
                clip.forward(&mut harmonic, black_box(&mut audio));
            }
        });
    });
}

#[divan::bench(args = [45, 100], sample_count = 20)]
fn harmonic_forward_and_backward_with_f0_batch(bencher: Bencher<'_, '_>, n_harmonics: usize) {
    let clip = Clip::new(n_harmonics);
    bencher.counter(ItemsCount::new(N_CLIPS * N_SAMPLES * n_harmonics)).bench_local(|| {
        halves(|| {
            let (mut harmonic, mut audio) = (synth(n_harmonics), vec![0.0; N_SAMPLES]);
            let mut grads = Gradients::new(n_harmonics, true);
            for _ in 0..N_CLIPS / 2 {
                clip.forward(&mut harmonic, black_box(&mut audio));
                clip.backward(&mut harmonic, black_box(&audio), &mut grads);
            }
        });
    });
}

/// Runs the work on two threads.
fn halves(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        scope.spawn(&work);
        work();
    });
}

/// Noise and magnitudes of a clip.
fn noise_clip(n_bands: usize) -> (Vec<f32>, Vec<f32>) {
    let noise = (0..N_SAMPLES).map(|i| (i as f32 * 1.7).sin()).collect();
    (noise, vec![0.1; N_FRAMES * n_bands])
}

#[divan::bench(args = [45, 65])]
fn filtered_noise_forward(bencher: Bencher<'_, '_>, n_bands: usize) {
    let (noise, magnitudes) = noise_clip(n_bands);
    let mut synth = FilteredNoise::new(GRID, n_bands, 0);
    let mut audio = vec![0.0; N_SAMPLES];
    bencher
        .counter(ItemsCount::new(N_SAMPLES))
        .bench_local(|| synth.forward(&noise, &magnitudes, black_box(&mut audio)));
}

#[divan::bench(args = [45, 65])]
fn filtered_noise_backward(bencher: Bencher<'_, '_>, n_bands: usize) {
    let (noise, magnitudes) = noise_clip(n_bands);
    let mut synth = FilteredNoise::new(GRID, n_bands, 0);
    let mut grad = vec![0.0; magnitudes.len()];
    bencher
        .counter(ItemsCount::new(N_SAMPLES))
        .bench_local(|| synth.backward(&noise, &magnitudes, black_box(&noise), &mut grad));
}

#[divan::bench(args = [65], sample_count = 20)]
fn filtered_noise_forward_batch(bencher: Bencher<'_, '_>, n_bands: usize) {
    let (noise, magnitudes) = noise_clip(n_bands);
    bencher.counter(ItemsCount::new(N_CLIPS * N_SAMPLES)).bench_local(|| {
        halves(|| {
            let mut synth = FilteredNoise::new(GRID, n_bands, 0);
            let mut audio = vec![0.0; N_SAMPLES];
            for _ in 0..N_CLIPS / 2 {
                synth.forward(&noise, &magnitudes, black_box(&mut audio));
            }
        });
    });
}

/// The same convolution by FFTs of whole responses.
#[divan::bench(args = [45, 65])]
fn time_varying_fft_convolve(bencher: Bencher<'_, '_>, n_bands: usize) {
    let (noise, _) = noise_clip(n_bands);
    let ir_len = 2 * (n_bands - 1);
    let mut convolve = FftConvolve::new(GRID.hop, ir_len, ir_len / 2);
    let responses = vec![0.1; N_FRAMES * ir_len];
    let mut audio = vec![0.0; N_SAMPLES];
    bencher
        .counter(ItemsCount::new(N_SAMPLES))
        .bench_local(|| convolve.forward(&noise, &responses, black_box(&mut audio)));
}

#[divan::bench]
fn exp_sigmoid_forward(bencher: Bencher<'_, '_>) {
    let x: Vec<f32> = (0..N_FRAMES * 91).map(|i| 6.0 * (i as f32).sin()).collect();
    let mut y = vec![0.0; x.len()];
    bencher
        .counter(ItemsCount::new(x.len()))
        .bench_local(|| ExpSigmoid::default().forward(&x, black_box(&mut y)));
}

#[divan::bench]
fn exp_sigmoid_forward_plain(bencher: Bencher<'_, '_>) {
    let x: Vec<f32> = (0..N_FRAMES * 91).map(|i| 6.0 * (i as f32).sin()).collect();
    let mut y = vec![0.0_f32; x.len()];
    bencher.counter(ItemsCount::new(x.len())).bench_local(|| {
        for (y, x) in y.iter_mut().zip(&x) {
            *y = 2.0 * (1.0 / (1.0 + (-x).exp())).powf(10.0_f32.ln()) + 1e-7;
        }
        black_box(&mut y);
    });
}

#[divan::bench]
fn exp_sigmoid_backward(bencher: Bencher<'_, '_>) {
    let x: Vec<f32> = (0..N_FRAMES * 91).map(|i| 6.0 * (i as f32).sin()).collect();
    let mut grad = vec![0.0; x.len()];
    bencher
        .counter(ItemsCount::new(x.len()))
        .bench_local(|| ExpSigmoid::default().backward(&x, &x, black_box(&mut grad)));
}

#[divan::bench]
fn normalize(bencher: Bencher<'_, '_>) {
    let clip = Clip::new(45);
    let mut normalized = vec![0.0; clip.distribution.len()];
    bencher.counter(ItemsCount::new(normalized.len())).bench_local(|| {
        normalize_harmonics(&clip.distribution, &clip.f0_hz, 16_000.0, black_box(&mut normalized));
    });
}
