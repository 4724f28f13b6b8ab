//! Comparisons with the reference's numbers.

use std::f64::consts::TAU;

use super::reference::{angular_cumsum, oscillators, sum_rows};
use super::tests::{Example, LINEAR, SAMPLE_RATE, Shape, WINDOW, compare_sum, turn_distance};
use super::*;
use crate::ExpSigmoid;
use crate::agreement::{Operation, Tolerance};
use crate::golden::Golden;

/// All of them.
pub(super) fn compare(operation: &mut Operation) {
    compare_angular_cumsum(operation);
    compare_oscillator_bank(operation);
    compare_harmonic_oscillator_bank(operation);
    compare_synth(operation);
}

/// The reference's running sums in f32, imitated.
const RUNNING_SUM: &str = "its phase is a running sum in f32, off by up to radians: imitated in \
                           the test; ours is compared with f64";

/// The same operations in the same order, but for the sine: its own is off by a unit in the last
/// place, 1.2e-7, of each of at most 12 oscillators of amplitude 1.8 at most, and the order of the
/// sum is not known.
const IMITATED: f64 = 3e-6;

/// A running sum of angles against the phases that the bank leaves behind, sample by sample.
fn compare_angular_cumsum(operation: &mut Operation) {
    let mut golden = Golden::open("oscillators");
    for (case, n_columns, chunk) in [("angular_cumsum", 3, 1000), ("angular_cumsum_2d", 1, 10)] {
        let (x, shape) = golden.array(&format!("{case}.in.x"));
        let n = shape[1] * n_columns;
        let y: Vec<f32> = x.chunks(n).flat_map(|x| angular_cumsum(x, n_columns, chunk)).collect();
        let name = format!("oscillators/{case}");
        // The same sums and remainders, none of which depends on a library.
        operation.golden_with_quirk(&name, "y", &y, Tolerance::absolute(0.0), RUNNING_SUM);
        for x in x.chunks(n) {
            compare_phases(operation, &name, x, n_columns);
        }
    }
}

/// Compares phases in turns, from angles a sample.
fn compare_phases(operation: &mut Operation, name: &str, angles: &[f32], n_columns: usize) {
    // At one sample a second, turns a sample are a frequency in Hz.
    let grid = FrameGrid { sample_rate: 1, hop: 1 };
    let mut sinusoidal = Sinusoidal::new(grid, n_columns, LINEAR);
    let (mut phases, mut sums) = (vec![0.0; n_columns], vec![0.0; n_columns]);
    let (mut actual, mut expected) = (Vec::new(), Vec::new());
    for row in angles.chunks(n_columns) {
        let turns: Vec<f32> = row.iter().map(|x| (f64::from(*x) / TAU) as f32).collect();
        sinusoidal.forward(&turns, &vec![0.0; n_columns], &mut phases, &mut [0.0]);
        for ((phase, sum), turns) in phases.iter().zip(&mut sums).zip(&turns) {
            *sum += f64::from(*turns);
            expected.push(sum.fract());
            actual.push((sum.fract() + turn_distance(*phase, *sum)) as f32);
        }
    }
    // Our phases round to f32 on the way into the comparison, and that is all.
    operation.oracle(name, &actual, &expected, Tolerance::absolute(6e-8));
}

fn compare_oscillator_bank(operation: &mut Operation) {
    let mut golden = Golden::open("oscillators");
    let frequencies_hz = golden.values("oscillator_bank_ang0.in.freq");
    let amplitudes = golden.values("oscillator_bank_ang0.in.amp");
    let quirk = Tolerance::absolute(IMITATED);
    for (case, angular) in [("oscillator_bank_ang0", false), ("oscillator_bank_ang1", true)] {
        let waves = oscillators(&frequencies_hz, &amplitudes, 5, 16_000.0, angular);
        let y = sum_rows(&waves, 5);
        operation.golden_with_quirk(&format!("oscillators/{case}"), "y", &y, quirk, RUNNING_SUM);
    }
    let (f, a) = (&frequencies_hz[..2500], &amplitudes[..2500]);
    let waves = oscillators(f, a, 5, 16_000.0, false);
    let nosum = "oscillators/oscillator_bank_nosum";
    operation.golden_with_quirk(nosum, "y", &waves, quirk, RUNNING_SUM);

    let example = Example { frequencies_hz, amplitudes, phases: vec![0.0; 5] };
    let bank = Shape { n_frames: 4000, n_sinusoids: 5, hop: 1, interpolation: LINEAR };
    let mut expected = vec![0.0; 4000];
    example.widen().oracle(bank, &mut expected);
    let (audio, _) = example.forward(&mut bank.sinusoidal());
    compare_sum(operation, &audio, &expected, 5.0);
    for k in 0..5 {
        compare_one_oscillator(operation, &example, k);
    }
}

/// Oscillator `k` of five alone.
fn compare_one_oscillator(operation: &mut Operation, bank: &Example<f32>, k: usize) {
    let column = |x: &[f32]| x.chunks(5).take(500).map(|row| row[k]).collect();
    let example = Example {
        frequencies_hz: column(&bank.frequencies_hz),
        amplitudes: column(&bank.amplitudes),
        phases: vec![0.0],
    };
    let one = Shape { n_frames: 500, n_sinusoids: 1, hop: 1, interpolation: LINEAR };
    let mut expected = vec![0.0; 500];
    example.widen().oracle(one, &mut expected);
    let (audio, _) = example.forward(&mut one.sinusoidal());
    compare_sum(operation, &audio, &expected, 1.0);
}

/// A fundamental's phase times `k`, with its state, against oscillators of their own.
fn compare_harmonic_oscillator_bank(operation: &mut Operation) {
    let mut golden = Golden::open("oscillators");
    let all = golden.values("oscillator_bank_ang0.in.freq");
    let f0_hz: Vec<f32> = all.chunks(5).map(|row| row[1]).collect();
    let amplitudes = golden.values("oscillator_bank_ang0.in.amp");
    let initial = 0.7_f32;

    let tau = std::f32::consts::TAU;
    let omegas: Vec<f32> = f0_hz.iter().map(|f| f * tau / 16_000.0).collect();
    let phases: Vec<f32> =
        angular_cumsum(&omegas, 1, 1000).iter().map(|phase| phase + initial).collect();
    let waves: Vec<f32> = (0..amplitudes.len())
        .map(|i| amplitudes[i] * f64::from(phases[i / 5] * (i % 5 + 1) as f32).sin() as f32)
        .collect();
    let (case, quirk) = ("oscillators/harmonic_oscillator_bank", Tolerance::absolute(IMITATED));
    operation.golden_with_quirk(case, "y", &sum_rows(&waves, 5), quirk, RUNNING_SUM);
    let last = &phases[phases.len() - 1..];
    operation.golden_with_quirk(case, "final_phase", last, Tolerance::absolute(0.0), RUNNING_SUM);

    compare_harmonics(operation, &f0_hz, amplitudes, f64::from(initial) / TAU);
}

/// Oscillators at multiples of a frequency and of a phase, against the multiples of its phase.
fn compare_harmonics(
    operation: &mut Operation,
    f0_hz: &[f32],
    amplitudes: Vec<f32>,
    initial_phase: f64,
) {
    // Of 3 bits less, so that 5 times a frequency is exact.
    let f0_hz: Vec<f32> = f0_hz.iter().map(|f| f32::from_bits(f.to_bits() & !7)).collect();
    let multiples = |f: &f32| [1.0, 2.0, 3.0, 4.0, 5.0].map(|k| k * f);
    let example = Example {
        frequencies_hz: f0_hz.iter().flat_map(multiples).collect(),
        amplitudes,
        phases: (1..=5_u8).map(|k| f64::from(k) * initial_phase).collect(),
    };
    let bank = Shape { n_frames: 4000, n_sinusoids: 5, hop: 1, interpolation: LINEAR };
    let (audio, finals) = example.forward(&mut bank.sinusoidal());
    let mut phase = initial_phase;
    let frames = f0_hz.iter().zip(example.amplitudes.chunks(5));
    let expected: Vec<f64> = frames
        .map(|(f, a)| {
            phase += f64::from(*f) / f64::from(SAMPLE_RATE);
            let wave = |k: usize| (TAU * (k + 1) as f64 * phase).sin();
            a.iter().enumerate().map(|(k, a)| f64::from(*a) * wave(k)).sum()
        })
        .collect();
    compare_sum(operation, &audio, &expected, 5.0);
    for (k, last) in finals.iter().enumerate() {
        let exact = (k + 1) as f64 * phase;
        assert!(turn_distance(*last, exact).abs() < 1e-11, "phase {k}: {last}, not {exact}");
    }
}

/// The reference's `frequencies_sigmoid` at its defaults: a sigmoid on the scale of MIDI numbers,
/// from 0 to that of 8000 Hz.
fn frequency_of(x: f64) -> f32 {
    let midi_max = 69.0 + 12.0 * (8000.0_f64 / 440.0).log2();
    let midi = midi_max / (1.0 + (-x).exp());
    (440.0 * ((midi - 69.0) / 12.0).exp2()) as f32
}

/// The whole synthesizer: scaled controls, then audio.
fn compare_synth(operation: &mut Operation) {
    let mut golden = Golden::open("synths");
    let raw = golden.values("sinusoidal.in.amps");
    let mut amplitudes = vec![f32::NAN; raw.len()];
    ExpSigmoid::default().forward(&raw, &mut amplitudes);
    // As exp_sigmoid's own comparison.
    let tolerance_of_scale = Tolerance::relative(4e-6);
    operation.golden("synths/sinusoidal", "amplitudes", &amplitudes, tolerance_of_scale);
    let raw = golden.values("sinusoidal.in.freqs");
    let frequencies_hz: Vec<f32> = raw.iter().map(|x| frequency_of(f64::from(*x))).collect();
    // MIDI numbers up to 119 in f32 on the other side: each rounding is 4e-6 of a semitone, 2.2e-7
    // of the frequency, and there are a few.
    operation.golden(
        "synths/sinusoidal",
        "frequencies",
        &frequencies_hz,
        Tolerance::relative(1e-6),
    );

    // The reference's own controls from here on: its phases depend on their last bits.
    let amplitudes = golden.values("sinusoidal.out.amplitudes");
    let frequencies_hz = golden.values("sinusoidal.out.frequencies");
    let shape = Shape { n_frames: 50, n_sinusoids: 12, hop: 64, interpolation: WINDOW };
    let mut imitated = Vec::new();
    for (f, a) in frequencies_hz.chunks(600).zip(amplitudes.chunks(600)) {
        let (mut frequencies, mut levels) = (vec![0.0; 38_400], vec![0.0; 38_400]);
        crate::testing::upsample_linear(f, 12, 64, &mut frequencies);
        crate::testing::upsample_window(a, 12, 64, &mut levels);
        let waves = oscillators(&frequencies, &levels, 12, 16_000.0, false);
        imitated.extend(sum_rows(&waves, 12));

        let phases = vec![0.0; 12];
        let example = Example { frequencies_hz: f.to_vec(), amplitudes: a.to_vec(), phases };
        let mut expected = vec![0.0; 3200];
        example.widen().oracle(shape, &mut expected);
        let (audio, _) = example.forward(&mut shape.sinusoidal());
        // Amplitudes are up to 1.8.
        compare_sum(operation, &audio, &expected, 1.8 * 12.0);
    }
    let quirk = Tolerance::absolute(IMITATED);
    operation.golden_with_quirk("synths/sinusoidal", "signal", &imitated, quirk, RUNNING_SUM);
}
