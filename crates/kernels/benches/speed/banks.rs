//! Lines for oscillator banks, wavetables and reverberation: clips of 4 s at 16 kHz.

use std::hint::black_box;

use ddsp_kernels::{
    AmplitudeInterpolation, Inharmonic, Reverb, Sinusoidal, SinusoidalGradients, StretchedPartials,
    Wavetable,
};

use crate::synths::{GRID, N_FRAMES, N_SAMPLES, SINE_INSTRUCTIONS};
use crate::table::{Limit, Table, Work};

/// Sinusoids of the reference's measurement.
const N_SINUSOIDS: usize = 100;

/// Taps of the reference's reverb: 3 s.
const IR_LEN: usize = 48_000;

const WINDOW: AmplitudeInterpolation = AmplitudeInterpolation::Window;

/// Adds all lines.
pub fn lines(table: &Table) {
    sinusoidal(table);
    inharmonic(table);
    wavetable(table);
    reverb(table);
}

fn sinusoidal(table: &Table) {
    let frequency = |i: usize| 50.0 + 70.0 * (i % N_SINUSOIDS) as f32 + (i as f32 * 0.01).sin();
    let frequencies_hz: Vec<f32> = (0..N_FRAMES * N_SINUSOIDS).map(frequency).collect();
    let amplitudes = vec![0.01; frequencies_hz.len()];
    let synth = || Sinusoidal::new(GRID, N_SINUSOIDS, WINDOW);
    let work = Work {
        name: "sinusoidal forward, 100 sinusoids",
        unit: "sinusoid-sample",
        n_units: N_SAMPLES * N_SINUSOIDS,
        reference_secs: Some(1.68),
        limit: Limit::Arithmetic(SINE_INSTRUCTIONS),
    };
    table.line(&work, || {
        let (frequencies_hz, amplitudes) = (&frequencies_hz, &amplitudes);
        let (mut synth, mut audio) = (synth(), vec![0.0; N_SAMPLES]);
        let mut phases = vec![0.0; N_SINUSOIDS];
        move || synth.forward(frequencies_hz, amplitudes, &mut phases, black_box(&mut audio))
    });
    let work = Work {
        name: "sinusoidal forward + backward (amplitudes, frequencies)",
        reference_secs: None,
        limit: Limit::Unknown,
        ..work
    };
    table.line(&work, || {
        let (frequencies_hz, amplitudes) = (&frequencies_hz, &amplitudes);
        let (mut synth, mut audio) = (synth(), vec![0.0; N_SAMPLES]);
        let mut grads = [vec![0.0; frequencies_hz.len()], vec![0.0; frequencies_hz.len()]];
        move || {
            let mut phases = [0.0; N_SINUSOIDS];
            synth.forward(frequencies_hz, amplitudes, &mut phases, black_box(&mut audio));
            let [grad_frequencies_hz, grad_amplitudes] = &mut grads;
            let grads = SinusoidalGradients {
                frequencies_hz: Some(grad_frequencies_hz),
                amplitudes: grad_amplitudes,
                phases: None,
            };
            let phases = [0.0; N_SINUSOIDS];
            synth.backward(frequencies_hz, amplitudes, &phases, black_box(&audio), grads);
        }
    });
}

fn inharmonic(table: &Table) {
    let work = Work {
        name: "inharmonic forward, 100 partials",
        unit: "partial-sample",
        n_units: N_SAMPLES * N_SINUSOIDS,
        reference_secs: None,
        limit: Limit::Arithmetic(SINE_INSTRUCTIONS),
    };
    table.line(&work, || {
        let mut synth = Inharmonic::new(GRID, N_SINUSOIDS, WINDOW);
        let (f0_hz, inharmonicity) = (vec![60.0; N_FRAMES], vec![1e-4; N_FRAMES]);
        let (amplitudes, distribution) = (vec![0.5; N_FRAMES], vec![0.01; N_FRAMES * N_SINUSOIDS]);
        let (mut phases, mut audio) = (vec![0.0; N_SINUSOIDS], vec![0.0; N_SAMPLES]);
        move || {
            let partials = StretchedPartials {
                f0_hz: &f0_hz,
                inharmonicity: &inharmonicity,
                harmonic_shifts: None,
            };
            synth.forward(partials, &amplitudes, &distribution, &mut phases, black_box(&mut audio));
        }
    });
}

fn wavetable(table: &Table) {
    let table_len = 1024;
    // The reference needs 4 GB for a batch: it was measured for one clip, 0.079 s.
    for (name, n_tables) in
        [("wavetable forward, a table of 1024", 1), ("wavetable forward, 20 tables of 1024", 20)]
    {
        let work = Work {
            name,
            unit: "sample",
            n_units: N_SAMPLES,
            reference_secs: (n_tables == 1).then_some(16.0 * 0.079),
            limit: Limit::Unknown,
        };
        table.line(&work, || {
            let mut synth = Wavetable::new(GRID, n_tables, table_len, WINDOW);
            let saw = |i: usize| 2.0 * (i % table_len) as f32 / table_len as f32 - 1.0;
            synth.set_tables(&(0..n_tables * table_len).map(saw).collect::<Vec<f32>>());
            let (f0_hz, amplitudes) = (vec![220.0; N_FRAMES], vec![0.5; N_FRAMES]);
            let weights = vec![1.0 / n_tables as f32; N_FRAMES * n_tables];
            let mut audio = vec![0.0; N_SAMPLES];
            move || {
                synth.forward(&f0_hz, &amplitudes, &weights, 0.0, black_box(&mut audio));
            }
        });
    }
}

fn reverb(table: &Table) {
    let audio: Vec<f32> = (0..N_SAMPLES).map(|i| (i as f32 * 1.7).sin()).collect();
    let response: Vec<f32> =
        (0..IR_LEN).map(|i| (i as f32 * 0.9).sin() / (1.0 + i as f32)).collect();
    let reverb = || {
        let mut reverb = Reverb::new(N_SAMPLES, IR_LEN, true);
        reverb.set_impulse_response(&response);
        reverb
    };
    let work = Work {
        name: "reverb forward, 48,000 taps",
        unit: "sample",
        n_units: N_SAMPLES,
        reference_secs: Some(0.025),
        limit: Limit::Unknown,
    };
    table.line(&work, || {
        let (audio, mut reverb, mut output) = (&audio, reverb(), vec![0.0; N_SAMPLES]);
        move || reverb.forward(audio, black_box(&mut output))
    });
    let work = Work { name: "reverb backward (audio, response)", reference_secs: None, ..work };
    table.line(&work, || {
        let (audio, mut reverb, mut grad_audio) = (&audio, reverb(), vec![0.0; N_SAMPLES]);
        move || reverb.backward(audio, black_box(audio), Some(&mut grad_audio))
    });
}
