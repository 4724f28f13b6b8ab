//! Lines for the spectral measures: clips of 4 s at 16 kHz.

use std::hint::black_box;

use ddsp_kernels::{Loudness, PitchConfig, SpectralLoss, SpectralLossConfig, track_pitch};

use crate::synths::{GRID, N_FRAMES, N_SAMPLES};
use crate::table::{Limit, N_CLIPS, Table, Work};

/// A tone of ten partials in faint noise.
pub fn audio(f0_hz: f32, n_samples: usize) -> Vec<f32> {
    let mut state = 1_u32;
    (0..n_samples)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = 1e-3 * ((state >> 16) as f32 / 32_768.0 - 1.0);
            let turns = f0_hz * i as f32 / 16_000.0;
            let partial = |k: u8| (std::f32::consts::TAU * turns * f32::from(k)).sin() / 16.0;
            (1..=10).map(partial).sum::<f32>() + hiss
        })
        .collect()
}

/// Adds all lines.
pub fn lines(table: &Table) {
    loss(table);
    loudness(table);
    pitch(table);
}

fn loss(table: &Table) {
    let (target, other) = (audio(220.0, N_SAMPLES), audio(221.0, N_SAMPLES));
    let loss = || SpectralLoss::new(&SpectralLossConfig::default(), N_SAMPLES);
    let work = Work {
        name: "spectral loss forward, six sizes",
        unit: "sample",
        n_units: N_SAMPLES,
        reference_secs: Some(0.095),
        limit: Limit::Unknown,
    };
    table.line(&work, || {
        let (target, other, mut loss) = (&target, &other, loss());
        move || {
            black_box(loss.evaluate(target, other, None));
        }
    });
    let work =
        Work { name: "spectral loss forward + backward", reference_secs: Some(0.21), ..work };
    table.line(&work, || {
        let (target, other, mut loss) = (&target, &other, loss());
        let mut grad = vec![0.0; N_SAMPLES];
        move || {
            black_box(loss.evaluate(target, other, Some(&mut grad)));
        }
    });
}

fn loudness(table: &Table) {
    let audio = audio(220.0, N_SAMPLES);
    let work = Work {
        name: "loudness",
        unit: "sample",
        n_units: N_SAMPLES,
        reference_secs: Some(0.014),
        limit: Limit::Unknown,
    };
    table.line(&work, || {
        let (audio, mut loudness) = (&audio, Loudness::new(GRID));
        let mut loudness_db = vec![0.0; N_FRAMES];
        move || loudness.forward(audio, black_box(&mut loudness_db))
    });
}

/// Sixteen clips of 3.75 s are a minute.
fn pitch(table: &Table) {
    let n_samples = 60 * 16_000 / N_CLIPS;
    let audio = audio(220.0, n_samples);
    for (name, frame_rate) in
        [("pitch of 60 s, 100 frames/s", 100), ("pitch of 60 s, 250 frames/s", 250)]
    {
        let work = Work {
            name,
            unit: "sample",
            n_units: n_samples,
            reference_secs: None,
            limit: Limit::Unknown,
        };
        table.line(&work, || {
            let (audio, config) = (&audio, PitchConfig::new(16_000, 16_000 / frame_rate));
            move || {
                black_box(track_pitch(config, audio));
            }
        });
    }
}
