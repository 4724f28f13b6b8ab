use std::f64::consts::{PI, TAU};

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::simd::Simd;
use crate::sinusoidal::reference::{oscillators, sum_rows};
use crate::sinusoidal::tests::compare_sum;
use crate::testing::{pseudo_random, widen};

pub(super) const SAMPLE_RATE: u32 = 16_000;

/// What the defining sum depends on but for the controls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) n_frames: usize,
    pub(super) n_partials: usize,
    pub(super) hop: usize,
    pub(super) interpolation: AmplitudeInterpolation,
}

impl Shape {
    pub(super) fn inharmonic(self) -> Inharmonic {
        let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: self.hop };
        Inharmonic::new(grid, self.n_partials, self.interpolation)
    }

    /// A synthesizer for each instruction set of this processor.
    pub(super) fn each_path(self) -> impl Iterator<Item = Inharmonic> {
        Simd::all().into_iter().map(move |simd| {
            let mut inharmonic = self.inharmonic();
            inharmonic.bank.simd = simd;
            inharmonic
        })
    }
}

/// Controls of one example, in f32 or, for the oracle, f64.
#[derive(Clone, Debug)]
pub(super) struct Example<T> {
    pub(super) f0_hz: Vec<T>,
    pub(super) inharmonicity: Vec<T>,
    pub(super) harmonic_shifts: Vec<T>,
    pub(super) amplitudes: Vec<T>,
    pub(super) harmonic_distribution: Vec<T>,
    pub(super) phases: Vec<f64>,
}

impl Example<f32> {
    /// All different; f0 within a third around `f0_hz`, B up to `inharmonicity`, shifts up to 2%.
    pub(super) fn new(shape: Shape, f0_hz: f32, inharmonicity: f32) -> Self {
        let (n, n_values) = (shape.n_frames, shape.n_frames * shape.n_partials);
        let map =
            |seed, n, f: &dyn Fn(f32) -> f32| pseudo_random(seed, n).into_iter().map(f).collect();
        Self {
            f0_hz: map(1, n, &|x| f0_hz * (1.0 + 0.3 * x)),
            inharmonicity: map(2, n, &|x| inharmonicity * (0.5 + 0.5 * x)),
            harmonic_shifts: map(3, n_values, &|x| 0.02 * x),
            amplitudes: map(4, n, &|x| 0.6 + 0.4 * x),
            harmonic_distribution: map(5, n_values, &|x| 0.5 + 0.5 * x),
            phases: widen(&pseudo_random(6, shape.n_partials)),
        }
    }

    pub(super) fn partials(&self) -> StretchedPartials<'_> {
        StretchedPartials {
            f0_hz: &self.f0_hz,
            inharmonicity: &self.inharmonicity,
            harmonic_shifts: Some(&self.harmonic_shifts),
        }
    }

    pub(super) fn widen(&self) -> Example<f64> {
        Example {
            f0_hz: widen(&self.f0_hz),
            inharmonicity: widen(&self.inharmonicity),
            harmonic_shifts: widen(&self.harmonic_shifts),
            amplitudes: widen(&self.amplitudes),
            harmonic_distribution: widen(&self.harmonic_distribution),
            phases: self.phases.clone(),
        }
    }

    /// The audio of whole hops, and the phases after it.
    pub(super) fn forward(&self, inharmonic: &mut Inharmonic) -> (Vec<f32>, Vec<f64>) {
        let mut audio = vec![f32::NAN; self.f0_hz.len() * inharmonic.grid().hop];
        let mut phases = self.phases.clone();
        let (a, d) = (&self.amplitudes, &self.harmonic_distribution);
        inharmonic.forward(self.partials(), a, d, &mut phases, &mut audio);
        (audio, phases)
    }
}

impl Example<f64> {
    /// Fletcher's formula: partial `k + 1` of frame `i`, in Hz.
    fn frequency(&self, n_partials: usize, i: usize, k: usize) -> f64 {
        let number = (k + 1) as f64;
        let stretch = (1.0 + self.inharmonicity[i] * number.powi(2)).sqrt();
        number * self.f0_hz[i] * stretch * (1.0 + self.harmonic_shifts[i * n_partials + k])
    }

    /// All of them.
    pub(super) fn frequencies(&self, n_partials: usize, frequencies_hz: &mut [f64]) {
        for (at, f) in frequencies_hz.iter_mut().enumerate() {
            *f = self.frequency(n_partials, at / n_partials, at % n_partials);
        }
    }

    /// The defining sum, sample by sample.
    pub(super) fn oracle(&self, shape: Shape, audio: &mut [f64]) {
        let n = shape.n_partials;
        let mut phases = self.phases.clone();
        for (t, y) in audio.iter_mut().enumerate() {
            let (i, u) = (t / shape.hop, (t % shape.hop) as f64 / shape.hop as f64);
            let next = (i + 1).min(shape.n_frames - 1);
            let w = match shape.interpolation {
                AmplitudeInterpolation::Nearest => 0.0,
                AmplitudeInterpolation::Linear => u,
                AmplitudeInterpolation::Window => 0.5 - 0.5 * (PI * u).cos(),
            };
            *y = 0.0;
            for (k, phase) in phases.iter_mut().enumerate() {
                let f = (1.0 - u) * self.frequency(n, i, k) + u * self.frequency(n, next, k);
                let a = |i: usize| self.amplitudes[i] * self.harmonic_distribution[i * n + k];
                *phase += f / f64::from(SAMPLE_RATE);
                if f.abs() < f64::from(SAMPLE_RATE) / 2.0 {
                    *y += ((1.0 - w) * a(i) + w * a(next)) * (TAU * *phase).sin();
                }
            }
        }
    }

    /// The distribution below the Nyquist frequency, each frame over its sum.
    fn normalized(&self, n_partials: usize, normalized: &mut [f64]) {
        for (i, row) in normalized.chunks_mut(n_partials).enumerate() {
            let share = |k: usize| {
                let heard = self.frequency(n_partials, i, k) < f64::from(SAMPLE_RATE) / 2.0;
                if heard { self.harmonic_distribution[i * n_partials + k] } else { 0.0 }
            };
            let sum: f64 = (0..n_partials).map(share).sum();
            for (k, y) in row.iter_mut().enumerate() {
                *y = if sum == 0.0 { 0.0 } else { share(k) / sum };
            }
        }
    }
}

const WINDOW: AmplitudeInterpolation = AmplitudeInterpolation::Window;
const LINEAR: AmplitudeInterpolation = AmplitudeInterpolation::Linear;

/// Shapes with f0 and B: the middle and the top of a piano, a bar's wide partials, across and above
/// the Nyquist frequency.
pub(super) const CASES: [(Shape, f32, f32); 6] = [
    (Shape { n_frames: 9, n_partials: 40, hop: 64, interpolation: WINDOW }, 130.0, 4e-4),
    (Shape { n_frames: 5, n_partials: 12, hop: 80, interpolation: LINEAR }, 900.0, 2e-2),
    (Shape { n_frames: 4, n_partials: 5, hop: 100, interpolation: WINDOW }, 300.0, 3.0),
    (Shape { n_frames: 1, n_partials: 1, hop: 30, interpolation: LINEAR }, 440.0, 1e-3),
    (Shape { n_frames: 60, n_partials: 3, hop: 1, interpolation: LINEAR }, 600.0, 1e-2),
    (Shape { n_frames: 3, n_partials: 4, hop: 20, interpolation: WINDOW }, 13_000.0, 1e-2),
];

fn compare_with_the_oracle(operation: &mut Operation) {
    for (shape, f0_hz, inharmonicity) in CASES {
        let example = Example::new(shape, f0_hz, inharmonicity);
        let mut expected = vec![0.0; shape.n_frames * shape.hop];
        example.widen().oracle(shape, &mut expected);
        for mut inharmonic in shape.each_path() {
            let (audio, _) = example.forward(&mut inharmonic);
            // Amplitudes are up to 1.
            compare_sum(operation, &audio, &expected, shape.n_partials as f32);
        }
    }
}

/// The golden case of shifted harmonics: the reference imitated, and ours against f64.
fn compare_shifts(operation: &mut Operation) {
    let mut golden = Golden::open("oscillators");
    let [f0_hz, amplitudes, distribution] =
        ["f0", "amp", "hd"].map(|name| golden.values(&format!("base.in.{name}")));
    let shifts = golden.values("harmonic_synthesis_shift.in.shifts");
    let shape = Shape { n_frames: 50, n_partials: 30, hop: 64, interpolation: WINDOW };
    let mut imitated = Vec::new();
    for clip in 0..2 {
        let (frames, values) = (clip * 50..(clip + 1) * 50, clip * 1500..(clip + 1) * 1500);
        let example = Example {
            f0_hz: f0_hz[frames.clone()].to_vec(),
            inharmonicity: vec![0.0; 50],
            harmonic_shifts: shifts[values.clone()].to_vec(),
            amplitudes: amplitudes[frames].to_vec(),
            harmonic_distribution: distribution[values].to_vec(),
            phases: vec![0.0; 30],
        };
        imitated.extend(imitate(&example));
        let mut expected = vec![0.0; 3200];
        example.widen().oracle(shape, &mut expected);
        let (audio, _) = example.forward(&mut shape.inharmonic());
        // Amplitudes are up to 1.
        compare_sum(operation, &audio, &expected, 30.0);
    }
    let why = "its phase is a running sum in f32, off by up to radians: imitated in the test; ours \
               is compared with f64";
    // The same operations in the same order up to the sine; then 30 products and a sum of values
    // below 6, whose order is not known.
    let tolerance = Tolerance::absolute(6e-6);
    operation.golden_with_quirk(
        "oscillators/harmonic_synthesis_shift",
        "y",
        &imitated,
        tolerance,
        why,
    );
}

/// The reference's `harmonic_synthesis` with shifts, in f32.
fn imitate(example: &Example<f32>) -> Vec<f32> {
    let (mut frequencies, mut levels) = (Vec::new(), Vec::new());
    for i in 0..50 {
        for k in 0..30_u8 {
            let at = i * 30 + usize::from(k);
            let harmonic = example.f0_hz[i] * (f32::from(k) + 1.0);
            frequencies.push(harmonic * (1.0 + example.harmonic_shifts[at]));
            levels.push(example.amplitudes[i] * example.harmonic_distribution[at]);
        }
    }
    let (mut f, mut a) = (vec![0.0; 96_000], vec![0.0; 96_000]);
    crate::testing::upsample_linear(&frequencies, 30, 64, &mut f);
    crate::testing::upsample_window(&levels, 30, 64, &mut a);
    sum_rows(&oscillators(&f, &a, 30, 16_000.0, false), 30)
}

fn compare_normalization(operation: &mut Operation) {
    for (shape, f0_hz, inharmonicity) in CASES {
        let example = Example::new(shape, f0_hz, inharmonicity);
        let n_values = example.harmonic_distribution.len();
        let mut expected = vec![0.0; n_values];
        example.widen().normalized(shape.n_partials, &mut expected);
        let mut normalized = vec![f32::NAN; n_values];
        let sample_rate = SAMPLE_RATE as f32;
        let distribution = &example.harmonic_distribution;
        normalize_partials(distribution, example.partials(), sample_rate, &mut normalized);
        // Rounded once, from f64.
        operation.oracle(&format!("{shape:?}"), &normalized, &expected, Tolerance::relative(6e-8));
        let forward = |x: &[f64], y: &mut [f64]| {
            let mut varied = example.widen();
            varied.harmonic_distribution.copy_from_slice(x);
            varied.normalized(shape.n_partials, y);
        };
        operation.gradient(
            "harmonic_distribution",
            distribution,
            n_values,
            1e-4,
            forward,
            |x, g, grad| {
                normalize_partials_backward(x, example.partials(), sample_rate, g, grad);
            },
        );
    }
}

fn compare_frequencies(operation: &mut Operation) {
    for (shape, f0_hz, inharmonicity) in CASES {
        let example = Example::new(shape, f0_hz, inharmonicity);
        let n_values = shape.n_frames * shape.n_partials;
        let mut expected = vec![0.0; n_values];
        example.widen().frequencies(shape.n_partials, &mut expected);
        let mut frequencies_hz = vec![f32::NAN; n_values];
        partial_frequencies(example.partials(), shape.n_partials, &mut frequencies_hz);
        // Rounded once, from f64.
        let tolerance = Tolerance::relative(6e-8);
        operation.oracle(&format!("{shape:?}"), &frequencies_hz, &expected, tolerance);
        gradients::check_frequencies(operation, shape, &example);
    }
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Inharmonic");
    compare_with_the_oracle(operation);
    compare_shifts(operation);
    gradients::check(operation);
    compare_normalization(report.operation("normalize_partials"));
    compare_frequencies(report.operation("partial_frequencies"));
}

#[test]
fn it_agrees_with_the_reference_and_its_gradients() {
    agreement(&mut Report::default());
}
