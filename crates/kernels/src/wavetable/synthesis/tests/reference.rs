//! The golden arrays, by the operations that the reference's synthesizer is made of.

#![expect(clippy::cast_possible_truncation, reason = "sums in f64 are rounded to f32 at the end")]

use std::f64::consts::PI;

use crate::agreement::{Operation, Tolerance};
use crate::golden::Golden;
use crate::testing::{
    upsample_linear, upsample_linear_backward, upsample_window, upsample_window_backward,
};
use crate::{ExpSigmoid, Tables, linear_lookup, linear_lookup_backward};

/// Samples and frames of a golden clip.
const N_SAMPLES: usize = 3200;
const N_FRAMES: usize = 50;

/// What the golden arrays need: see [`running_phase`].
const QUIRK: &str = "The reference sums the phase in float32, in order; the test gives that phase to \
                     `linear_lookup`.";

/// The reference's phase: f0 in straight lines, its steps added up in f32, the first at 0.
fn running_phase(f0_hz: &[f32]) -> Vec<f32> {
    let mut f0 = vec![f32::NAN; N_SAMPLES];
    upsample_linear(f0_hz, 1, N_SAMPLES / f0_hz.len(), &mut f0);
    f0.iter()
        .scan(0.0_f32, |sum, f0| {
            let phase = *sum;
            *sum += f0 / 16_000.0;
            Some(phase)
        })
        .collect()
}

/// The inputs of a golden clip at the sample rate, each made by an operation of this crate.
struct Upsampled {
    phase: Vec<f32>,
    amplitude: Vec<f32>,
    /// `[n_samples, table_len]`, or the one table.
    tables: Vec<f32>,
    each: bool,
}

impl Upsampled {
    /// `tables` has `n_table_frames` frames, or is one table if that is 0.
    fn new(f0_hz: &[f32], amplitudes: &[f32], tables: &[f32], n_table_frames: usize) -> Self {
        let mut amplitude = vec![f32::NAN; N_SAMPLES];
        upsample_window(amplitudes, 1, N_SAMPLES / amplitudes.len(), &mut amplitude);
        let each = n_table_frames > 0;
        let mut upsampled = tables.to_vec();
        if each {
            let table_len = tables.len() / n_table_frames;
            upsampled = vec![f32::NAN; N_SAMPLES * table_len];
            upsample_linear(tables, table_len, N_SAMPLES / n_table_frames, &mut upsampled);
        }
        Self { phase: running_phase(f0_hz), amplitude, tables: upsampled, each }
    }

    fn tables(&self) -> Tables<'_> {
        if self.each { Tables::Each(&self.tables) } else { Tables::One(&self.tables) }
    }

    fn looked_up(&self) -> Vec<f32> {
        let mut audio = vec![f32::NAN; N_SAMPLES];
        linear_lookup(&self.phase, self.tables(), &mut audio);
        audio
    }

    fn audio(&self) -> Vec<f32> {
        self.looked_up().iter().zip(&self.amplitude).map(|(y, a)| a * y).collect()
    }
}

/// The audio of both golden clips.
fn clips(f0_hz: &[f32], amplitudes: &[f32], tables: &[f32], n_table_frames: usize) -> Vec<f32> {
    (0..2)
        .flat_map(|clip| {
            let frames = clip * N_FRAMES..(clip + 1) * N_FRAMES;
            let tables = &tables[clip * tables.len() / 2..][..tables.len() / 2];
            let (f0_hz, amplitudes) = (&f0_hz[frames.clone()], &amplitudes[frames]);
            Upsampled::new(f0_hz, amplitudes, tables, n_table_frames).audio()
        })
        .collect()
}

/// The places in the tables are the same bits on both sides; then about eight roundings to 2^-24
/// follow, of values up to 2 with amplitudes up to 2.
const TOLERANCE: f64 = 2e-6;

pub(super) fn golden(operation: &mut Operation) {
    let tolerance = Tolerance::absolute(TOLERANCE);
    let mut oscillators = Golden::open("oscillators");
    let f0_hz = oscillators.values("base.in.f0");
    let amplitudes = oscillators.values("base.in.amp");
    let tables = oscillators.values("linear_lookup.in.wavetables");
    let audio = clips(&f0_hz, &amplitudes, &tables, 0);
    let case = "oscillators/wavetable_synthesis_static";
    operation.golden_with_quirk(case, "y", &audio, tolerance, QUIRK);
    let tables = oscillators.values("wavetable_synthesis_frames.in.wavetables");
    let audio = clips(&f0_hz, &amplitudes, &tables, N_FRAMES);
    let case = "oscillators/wavetable_synthesis_frames";
    operation.golden_with_quirk(case, "y", &audio, tolerance, QUIRK);

    let mut synths = Golden::open("synths");
    let f0_hz = synths.values("harmonic.in.f0");
    let scaled = |raw: &[f32]| {
        let mut y = vec![f32::NAN; raw.len()];
        ExpSigmoid::default().forward(raw, &mut y);
        y
    };
    let raw_tables = synths.values("wavetable.in.wavetables");
    let amplitudes = scaled(&synths.values("harmonic.in.amps"));
    let tables = scaled(&raw_tables);
    // Both sides round a logarithm of up to 18, as in `exp_sigmoid`.
    let relative = Tolerance::relative(4e-6);
    operation.golden("synths/wavetable", "amplitudes", &amplitudes, relative);
    operation.golden("synths/wavetable", "wavetables", &tables, relative);
    let audio = clips(&f0_hz, &amplitudes, &tables, N_FRAMES);
    operation.golden_with_quirk("synths/wavetable", "signal", &audio, tolerance, QUIRK);
    let unscaled = synths.values("harmonic_scale_fn.in.amps");
    let audio = clips(&f0_hz, &unscaled, &raw_tables, N_FRAMES);
    let case = "synths/wavetable_noscale";
    operation.golden_with_quirk(case, "signal", &audio, tolerance, QUIRK);
    let tables = tables_of_harmonics(&synths.values("harmonic.out.harmonic_distribution"));
    let audio = clips(&f0_hz, &amplitudes, &tables, N_FRAMES);
    let case = "synths/harmonic_as_wavetable";
    operation.golden_with_quirk(case, "signal", &audio, tolerance, QUIRK);
}

/// The tables of the case `harmonic_as_wavetable`: 128 values of the sum of cosines of 30 harmonics.
/// Only every tenth frame of them is a golden array; the signal was made of them all.
fn tables_of_harmonics(distribution: &[f32]) -> Vec<f32> {
    let value = |row: &[f32], n: usize| {
        let harmonic = |k: usize| (2.0 * PI * (k * n) as f64 / 128.0).cos();
        row.iter().zip(1..).map(|(d, k)| f64::from(*d) * harmonic(k)).sum::<f64>() as f32
    };
    let rows = distribution.chunks(30);
    rows.flat_map(|row| (0..128).map(move |n| value(row, n))).collect()
}

/// The gradients of `sum(v audio)`, with the phase of [`running_phase`].
pub(super) fn golden_gradients(operation: &mut Operation) {
    let mut golden = Golden::open("gradients");
    let (v, f0_hz) = (golden.values("base.in.v"), golden.values("base.in.f0"));
    let (amplitudes, tables) =
        (golden.values("base.in.amp"), golden.values("wavetable.in.wavetables"));
    let mut dot = 0.0;
    let (mut d_amp, mut d_f0, mut d_tables) =
        (vec![0.0; 100], vec![0.0; 100], vec![0.0; tables.len()]);
    for clip in 0..2 {
        let frames = clip * N_FRAMES..(clip + 1) * N_FRAMES;
        let values = clip * tables.len() / 2..(clip + 1) * tables.len() / 2;
        let v = &v[clip * N_SAMPLES..][..N_SAMPLES];
        let (f0_hz, amplitudes) = (&f0_hz[frames.clone()], &amplitudes[frames.clone()]);
        let upsampled = Upsampled::new(f0_hz, amplitudes, &tables[values.clone()], N_FRAMES);
        let audio = upsampled.audio();
        dot += audio.iter().zip(v).map(|(y, v)| f64::from(y * v)).sum::<f64>();
        let looked_up = upsampled.looked_up();
        let grad_amplitude: Vec<f32> = v.iter().zip(&looked_up).map(|(v, y)| v * y).collect();
        upsample_window_backward(&grad_amplitude, 1, 64, &mut d_amp[frames.clone()]);
        let grad: Vec<f32> = v.iter().zip(&upsampled.amplitude).map(|(v, a)| v * a).collect();
        let mut grad_phase = vec![0.0; N_SAMPLES];
        let mut grad_tables = vec![0.0; upsampled.tables.len()];
        let (phase, tables) = (&upsampled.phase, upsampled.tables());
        linear_lookup_backward(phase, tables, &grad, &mut grad_phase, &mut grad_tables);
        upsample_linear_backward(&grad_tables, 64, 64, &mut d_tables[values]);
        // At a value of the table the reference's three hats have no slope.
        let at_value = |phase: f32| (64.0 * phase).fract() == 0.0;
        grad_phase.iter_mut().zip(phase).filter(|(_, p)| at_value(**p)).for_each(|(g, _)| *g = 0.0);
        let mut later = 0.0;
        let mut grad_f0: Vec<f32> = grad_phase
            .iter()
            .rev()
            .map(|g| {
                let grad_f0 = later / 16_000.0;
                later += f64::from(*g);
                grad_f0 as f32
            })
            .collect();
        grad_f0.reverse();
        upsample_linear_backward(&grad_f0, 1, 64, &mut d_f0[frames]);
    }
    // The reference adds up to 3200 products in f32: roundings to 2^-24 of the peak, with random
    // signs.
    let tolerance = Tolerance::of_peak(57.0 * 6e-8);
    let case = "gradients/wavetable";
    operation.golden_with_quirk(case, "dot", &[dot as f32], tolerance, QUIRK);
    operation.golden_with_quirk(case, "d_amp", &d_amp, tolerance, QUIRK);
    operation.golden_with_quirk(case, "d_f0", &d_f0, tolerance, QUIRK);
    operation.golden_with_quirk(case, "d_wavetables", &d_tables, tolerance, QUIRK);
}
