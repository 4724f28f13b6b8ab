//! Lines for the synthesizers: clips of 4 s at 16 kHz, 250 frames a second.

use std::hint::black_box;

use ddsp_kernels::{AmplitudeInterpolation, FilteredNoise, FrameGrid, Harmonic, HarmonicGradients};

use crate::table::{Limit, Table, Work};

pub const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };
pub const N_FRAMES: usize = 1000;
pub const N_SAMPLES: usize = N_FRAMES * GRID.hop;

/// Vector instructions of arithmetic for one sine and its two sums: the step of the phase, the
/// conversion and its scale, the fold (magnitude, difference, minimum), the square, four of the
/// polynomial, the product, the sign, two multiply-adds.
pub const SINE_INSTRUCTIONS: f64 = 14.0;

/// The most harmonics of the reference's measurement.
const N_HARMONICS: usize = 100;

/// Controls of a clip whose harmonics all stay below the Nyquist frequency.
struct Controls {
    f0_hz: Vec<f32>,
    amplitudes: Vec<f32>,
    distribution: Vec<f32>,
}

impl Controls {
    fn new() -> Self {
        Self {
            f0_hz: (0..N_FRAMES).map(|i| 70.0 + 5.0 * (i as f32 * 0.1).sin()).collect(),
            amplitudes: vec![0.5; N_FRAMES],
            distribution: vec![1.0 / N_HARMONICS as f32; N_FRAMES * N_HARMONICS],
        }
    }
}

/// Adds all lines.
pub fn lines(table: &Table) {
    harmonic(table);
    filtered_noise(table);
}

fn harmonic(table: &Table) {
    let controls = Controls::new();
    let synth = || Harmonic::new(GRID, N_HARMONICS, AmplitudeInterpolation::Window);
    let n_units = N_SAMPLES * N_HARMONICS;
    let work = Work {
        name: "harmonic forward, 100 harmonics",
        unit: "harmonic-sample",
        n_units,
        reference_secs: Some(0.86),
        limit: Limit::Arithmetic(SINE_INSTRUCTIONS),
    };
    table.line(&work, || {
        let (controls, mut synth, mut audio) = (&controls, synth(), vec![0.0; N_SAMPLES]);
        move || {
            let Controls { f0_hz, amplitudes, distribution } = controls;
            synth.forward(f0_hz, amplitudes, distribution, 0.0, black_box(&mut audio));
        }
    });
    let work = Work {
        name: "harmonic forward + backward (amplitudes, distribution, f0)",
        reference_secs: Some(2.03),
        limit: Limit::Arithmetic(3.0 * SINE_INSTRUCTIONS),
        ..work
    };
    table.line(&work, || {
        let (controls, mut synth, mut audio) = (&controls, synth(), vec![0.0; N_SAMPLES]);
        let mut grad_f0_hz = vec![0.0; N_FRAMES];
        let mut grad_amplitudes = vec![0.0; N_FRAMES];
        let mut grad_distribution = vec![0.0; N_FRAMES * N_HARMONICS];
        move || {
            let Controls { f0_hz, amplitudes, distribution } = controls;
            synth.forward(f0_hz, amplitudes, distribution, 0.0, black_box(&mut audio));
            let grads = HarmonicGradients {
                f0_hz: Some(&mut grad_f0_hz),
                initial_phase: None,
                amplitudes: &mut grad_amplitudes,
                harmonic_distribution: &mut grad_distribution,
            };
            synth.backward(f0_hz, amplitudes, distribution, 0.0, black_box(&audio), grads);
        }
    });
}

fn filtered_noise(table: &Table) {
    let n_bands = 65;
    let noise: Vec<f32> = (0..N_SAMPLES).map(|i| (i as f32 * 1.7).sin()).collect();
    let magnitudes = vec![0.1; N_FRAMES * n_bands];
    let work = Work {
        name: "filtered noise forward, 65 bands",
        unit: "sample",
        n_units: N_SAMPLES,
        reference_secs: Some(0.022),
        limit: Limit::Unknown,
    };
    table.line(&work, || {
        let (noise, magnitudes) = (&noise, &magnitudes);
        let mut synth = FilteredNoise::new(GRID, n_bands, 0);
        let mut audio = vec![0.0; N_SAMPLES];
        move || synth.forward(noise, magnitudes, black_box(&mut audio))
    });
    let work = Work { name: "filtered noise backward", reference_secs: None, ..work };
    table.line(&work, || {
        let (noise, magnitudes) = (&noise, &magnitudes);
        let mut synth = FilteredNoise::new(GRID, n_bands, 0);
        let mut grad = vec![0.0; magnitudes.len()];
        move || synth.backward(noise, magnitudes, black_box(noise), &mut grad)
    });
}
