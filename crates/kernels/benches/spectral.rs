//! Spectral loss, loudness and features of 16 clips of 4 s, on one thread and split over two.
//!
//! `cargo bench -p ddsp-kernels --bench spectral`. `plain` is the loss with one real transform for
//! each frame and the standard library's square root and logarithm: the ratio is what pairs of
//! frames and wide vectors are worth.

use std::thread;

use ddsp_kernels::{
    Complex32, FrameAlignment, FrameGrid, Framing, InverseStft, Loudness, Magnitudes, Mel,
    MelBands, Mfcc, SpectralLoss, SpectralLossConfig, Stft,
};
use realfft::RealFftPlanner;

const N_CLIPS: usize = 16;
const N_SAMPLES: usize = 64_000;

fn main() {
    divan::main();
}

/// A tone of ten partials in faint noise.
fn audio(f0_hz: f32) -> Vec<f32> {
    let mut state = 1_u32;
    (0..N_SAMPLES)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = 1e-3 * ((state >> 16) as f32 / 32_768.0 - 1.0);
            let turns = f0_hz * i as f32 / 16_000.0;
            let partial = |k: u8| (std::f32::consts::TAU * turns * f32::from(k)).sin() / 16.0;
            (1..=10).map(partial).sum::<f32>() + hiss
        })
        .collect()
}

/// Runs `clip(i)` for all clips, split over `n_threads` that each call `start` once.
fn for_clips<S>(n_threads: usize, start: impl Fn() -> S + Sync, clip: impl Fn(&mut S) + Sync) {
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                let mut state = start();
                (0..N_CLIPS / n_threads).for_each(|_| clip(&mut state));
            });
        }
    });
}

/// Runs `clip(state)` for all clips, split over a thread for each state.
fn for_states<S: Send>(states: &mut [S], clip: impl Fn(&mut S) + Sync) {
    let n_clips = N_CLIPS / states.len();
    thread::scope(|scope| {
        for state in states {
            scope.spawn(|| (0..n_clips).for_each(|_| clip(state)));
        }
    });
}

fn new_loss() -> SpectralLoss {
    SpectralLoss::new(&SpectralLossConfig::default(), N_SAMPLES)
}

#[divan::bench(args = [1, 2], sample_count = 10)]
fn loss_forward(bencher: divan::Bencher, n_threads: usize) {
    let (target, audio) = (audio(220.0), audio(221.0));
    bencher.bench_local(|| {
        for_clips(n_threads, new_loss, |loss| {
            divan::black_box(loss.evaluate(&target, &audio, None));
        });
    });
}

#[divan::bench(args = [1, 2], sample_count = 10)]
fn loss_forward_backward(bencher: divan::Bencher, n_threads: usize) {
    let (target, audio) = (audio(220.0), audio(221.0));
    bencher.bench_local(|| {
        let start = || (new_loss(), vec![0.0; N_SAMPLES]);
        for_clips(n_threads, start, |(loss, grad)| {
            divan::black_box(loss.evaluate(&target, &audio, Some(grad)));
        });
    });
}

#[divan::bench(args = [1, 2], sample_count = 10)]
fn loss_forward_plain(bencher: divan::Bencher, n_threads: usize) {
    let (target, audio) = (audio(220.0), audio(221.0));
    bencher.bench_local(|| {
        for_clips(
            n_threads,
            || (),
            |()| {
                for fft_len in SpectralLossConfig::default().fft_lens {
                    divan::black_box(plain_distance(&target, &audio, fft_len));
                }
            },
        );
    });
}

#[divan::bench(args = [1, 2], sample_count = 10)]
fn loudness(bencher: divan::Bencher, n_threads: usize) {
    let audio = audio(220.0);
    let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
    bencher.bench_local(|| {
        let start = || (Loudness::new(grid), vec![0.0; grid.n_frames(N_SAMPLES)]);
        for_clips(n_threads, start, |(loudness, levels)| loudness.forward(&audio, levels));
    });
}

/// Every term of the loss, loudness too.
#[divan::bench(args = [1, 2], sample_count = 10)]
fn loss_of_every_term(bencher: divan::Bencher, n_threads: usize) {
    let (target, audio) = (audio(220.0), audio(221.0));
    let config = SpectralLossConfig {
        delta_time_weight: 1.0,
        delta_freq_weight: 1.0,
        cumsum_freq_weight: 1.0,
        loudness_weight: 1.0,
        ..SpectralLossConfig::default()
    };
    bencher.bench_local(|| {
        let start = || (SpectralLoss::new(&config, N_SAMPLES), vec![0.0; N_SAMPLES]);
        for_clips(n_threads, start, |(loss, grad)| {
            divan::black_box(loss.evaluate(&target, &audio, Some(grad)));
        });
    });
}

/// `compute_logmel`, forward and back.
#[divan::bench(args = [1, 2], sample_count = 10)]
fn log_mel(bencher: divan::Bencher, n_threads: usize) {
    let audio = audio(220.0);
    let new = || Mel::new(Magnitudes::with_quarter_hop(2048), MelBands::default());
    // Planned outside the clock: the weights take as long as the transforms.
    let len = new().n_frames(N_SAMPLES) * new().n_bands();
    let mut states: Vec<_> =
        (0..n_threads).map(|_| (new(), vec![0.0; len], vec![0.0; N_SAMPLES])).collect();
    bencher.bench_local(|| {
        for_states(&mut states, |(mel, log_mel, grad_audio)| {
            mel.forward_log(&audio, log_mel);
            mel.backward_log(&audio, log_mel, grad_audio);
        });
    });
}

/// The features of the reference's encoders, forward and back.
#[divan::bench(args = [1, 2], sample_count = 10)]
fn mfcc(bencher: divan::Bencher, n_threads: usize) {
    let audio = audio(220.0);
    let new = || Mfcc::with_defaults(30);
    let len = new().n_frames(N_SAMPLES) * 30;
    let mut states: Vec<_> =
        (0..n_threads).map(|_| (new(), vec![0.0; len], vec![0.0; N_SAMPLES])).collect();
    bencher.bench_local(|| {
        for_states(&mut states, |(mfcc, coefficients, grad_audio)| {
            mfcc.forward(&audio, coefficients);
            mfcc.backward(&audio, coefficients, grad_audio);
        });
    });
}

/// From audio to its spectrum and back to audio.
#[divan::bench(args = [1, 2], sample_count = 10)]
fn istft(bencher: divan::Bencher, n_threads: usize) {
    let audio = audio(220.0);
    let framing = Framing { window_len: 512, hop: 128, alignment: FrameAlignment::Centre };
    let mut states: Vec<_> = (0..n_threads)
        .map(|_| {
            let stft = Stft::new(512, 512, 128, FrameAlignment::Centre);
            let spectrum = vec![Complex32::ZERO; stft.n_frames(N_SAMPLES) * stft.n_bins()];
            (stft, InverseStft::new(framing, 512, N_SAMPLES), spectrum, vec![0.0; N_SAMPLES])
        })
        .collect();
    bencher.bench_local(|| {
        for_states(&mut states, |(stft, inverse, spectrum, back)| {
            stft.forward(&audio, spectrum);
            inverse.forward(spectrum, back);
        });
    });
}

/// The loss at one size as its formula has it.
fn plain_distance(target: &[f32], audio: &[f32], fft_len: usize) -> f32 {
    let fft = RealFftPlanner::new().plan_fft_forward(fft_len);
    let turn = std::f32::consts::TAU / fft_len as f32;
    let window: Vec<f32> = (0..fft_len).map(|n| 0.5 - 0.5 * (turn * n as f32).cos()).collect();
    let mut frame = vec![0.0; fft_len];
    let mut spectra = [fft.make_output_vec(), fft.make_output_vec()];
    let mut scratch = fft.make_scratch_vec();
    let magnitude = |x: &Complex32| x.norm_sqr().sqrt();
    let mut sum = 0.0;
    for begin in (0..target.len()).step_by(fft_len / 4) {
        for (audio, spectrum) in [target, audio].into_iter().zip(&mut spectra) {
            frame.fill(0.0);
            for ((x, w), sample) in frame.iter_mut().zip(&window).zip(&audio[begin..]) {
                *x = w * sample;
            }
            fft.process_with_scratch(&mut frame, spectrum, &mut scratch).expect("its own buffers");
        }
        for (x, y) in spectra[0].iter().zip(&spectra[1]) {
            let (x, y) = (magnitude(x), magnitude(y));
            sum += (x - y).abs() + (x.max(1e-15).ln() - y.max(1e-15).ln()).abs();
        }
    }
    sum
}
