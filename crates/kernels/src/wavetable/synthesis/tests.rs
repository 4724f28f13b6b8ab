use std::f64::consts::PI;

use proptest::prelude::*;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::testing::{pseudo_random, widen};

mod reference;

const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

/// The inputs of one example, in f32 for the operation or in f64 for the oracle.
#[derive(Clone)]
struct Example<T> {
    f0_hz: Vec<T>,
    amplitudes: Vec<T>,
    tables: Vec<T>,
    each: bool,
    initial_phase: T,
    hop: usize,
}

impl Example<f32> {
    fn new(n_frames: usize, hop: usize, table_len: usize, each: bool) -> Self {
        let n_values = if each { n_frames * table_len } else { table_len };
        Self {
            // At 8 kHz and values that are not round, so that no phase is at a value of a table.
            f0_hz: pseudo_random(1, n_frames).iter().map(|x| 503.7 + 411.3 * x).collect(),
            amplitudes: pseudo_random(2, n_frames),
            tables: pseudo_random(3, n_values),
            each,
            initial_phase: 0.3,
            hop,
        }
    }

    fn scaled(mut self, amplitude: f32, table: f32) -> Self {
        self.amplitudes.iter_mut().for_each(|a| *a *= amplitude);
        self.tables.iter_mut().for_each(|t| *t *= table);
        self
    }

    fn widen(&self) -> Example<f64> {
        Example {
            f0_hz: widen(&self.f0_hz),
            amplitudes: widen(&self.amplitudes),
            tables: widen(&self.tables),
            each: self.each,
            initial_phase: self.initial_phase.into(),
            hop: self.hop,
        }
    }

    fn grid(&self) -> FrameGrid {
        FrameGrid { sample_rate: 8_000, hop: self.hop }
    }

    fn controls(&self) -> TableControls<'_> {
        let tables = &self.tables[..];
        let tables = if self.each { Tables::Each(tables) } else { Tables::One(tables) };
        TableControls { f0_hz: &self.f0_hz, amplitudes: &self.amplitudes, tables }
    }

    fn forward(&self, audio: &mut [f32]) -> f64 {
        wavetable_synthesis(self.grid(), self.controls(), self.initial_phase.into(), audio)
    }

    /// All gradients; that of the phase in an array of one.
    fn backward(&self, grad_audio: &[f32]) -> Example<f32> {
        let zeros = |x: &[f32]| vec![0.0; x.len()];
        let mut grads = Example {
            f0_hz: zeros(&self.f0_hz),
            amplitudes: zeros(&self.amplitudes),
            tables: zeros(&self.tables),
            ..self.clone()
        };
        let mut initial_phase = 0.0;
        wavetable_synthesis_backward(
            self.grid(),
            self.controls(),
            self.initial_phase.into(),
            grad_audio,
            TableGradients {
                f0_hz: &mut grads.f0_hz,
                amplitudes: &mut grads.amplitudes,
                tables: &mut grads.tables,
                initial_phase: &mut initial_phase,
            },
        );
        grads.initial_phase = initial_phase as f32;
        grads
    }
}

impl Example<f64> {
    /// The definition, sample by sample.
    fn oracle(&self, audio: &mut [f64]) {
        let n_frames = self.f0_hz.len();
        let table_len = self.tables.len() / if self.each { n_frames } else { 1 };
        let mut phase = self.initial_phase;
        for (n, y) in audio.iter_mut().enumerate() {
            let (i, u) = (n / self.hop, (n % self.hop) as f64 / self.hop as f64);
            let next = (i + 1).min(n_frames - 1);
            let blend = |x: &[f64], w: f64| (1.0 - w) * x[i] + w * x[next];
            let position = phase.rem_euclid(1.0) * table_len as f64;
            let look_up = |frame: usize| {
                let start = if self.each { frame * table_len } else { 0 };
                let table = &self.tables[start..start + table_len];
                let here = position.floor() as usize % table_len;
                let way = position - position.floor();
                (1.0 - way) * table[here] + way * table[(here + 1) % table_len]
            };
            *y = blend(&self.amplitudes, 0.5 - 0.5 * (PI * u).cos())
                * ((1.0 - u) * look_up(i) + u * look_up(next));
            phase += blend(&self.f0_hz, u) / 8_000.0;
        }
    }
}

/// Forward and every gradient of one example.
fn compare(operation: &mut Operation, example: &Example<f32>, n_samples: usize) {
    let exact = example.widen();
    let (mut audio, mut expected) = (vec![f32::NAN; n_samples], vec![0.0; n_samples]);
    example.forward(&mut audio);
    exact.oracle(&mut expected);
    // The window, two blends and the product round, each at 6e-8 of at most the peak.
    operation.oracle("wavetable_synthesis", &audio, &expected, Tolerance::of_peak(1e-6));
    let with_f0 = |x: &[f64], y: &mut [f64]| {
        Example { f0_hz: x.to_vec(), ..exact.clone() }.oracle(y);
    };
    operation.gradient("f0_hz", &example.f0_hz, n_samples, 1e-4, with_f0, |x, g, grad| {
        let grads = Example { f0_hz: x.to_vec(), ..example.clone() }.backward(g);
        add(grad, &grads.f0_hz);
    });
    let with_amplitudes = |x: &[f64], y: &mut [f64]| {
        Example { amplitudes: x.to_vec(), ..exact.clone() }.oracle(y);
    };
    let x = &example.amplitudes;
    operation.gradient("amplitudes", x, n_samples, 1e-2, with_amplitudes, |x, g, grad| {
        let grads = Example { amplitudes: x.to_vec(), ..example.clone() }.backward(g);
        add(grad, &grads.amplitudes);
    });
    let with_tables = |x: &[f64], y: &mut [f64]| {
        Example { tables: x.to_vec(), ..exact.clone() }.oracle(y);
    };
    operation.gradient("tables", &example.tables, n_samples, 1e-2, with_tables, |x, g, grad| {
        let grads = Example { tables: x.to_vec(), ..example.clone() }.backward(g);
        add(grad, &grads.tables);
    });
    let with_phase = |x: &[f64], y: &mut [f64]| {
        Example { initial_phase: x[0], ..exact.clone() }.oracle(y);
    };
    let x = [example.initial_phase];
    operation.gradient("initial_phase", &x, n_samples, 1e-6, with_phase, |x, g, grad| {
        let grads = Example { initial_phase: x[0], ..example.clone() }.backward(g);
        grad[0] += grads.initial_phase;
    });
}

fn add(sum: &mut [f32], x: &[f32]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}

pub(in crate::wavetable) fn agreement(report: &mut Report) {
    let operation = report.operation("wavetable_synthesis");
    reference::golden(operation);
    reference::golden_gradients(operation);
    for each in [false, true] {
        for (n_frames, hop, table_len) in [(1, 5, 7), (6, 32, 16), (4, 9, 2)] {
            let example = Example::new(n_frames, hop, table_len, each);
            compare(operation, &example, n_frames * hop);
            for (amplitude, table) in [(1e-9, 1.0), (1e9, 1.0), (1e9, 1e-9)] {
                compare(operation, &example.clone().scaled(amplitude, table), n_frames * hop);
            }
        }
        // The last frame is only the end of the last interpolation.
        compare(operation, &Example::new(5, 20, 11, each), 80);
    }
    let silent = Example { amplitudes: vec![0.0; 3], ..Example::new(3, 8, 5, true) };
    compare(operation, &silent, 24);
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_into_blocks_gives_the_same_bits(
        hop in 1_usize..70,
        table_len in 1_usize..40,
        each: bool,
        blocks in prop::collection::vec(1_usize..4, 1..6),
    ) {
        let n_frames = blocks.iter().sum();
        let example = Example::new(n_frames, hop, table_len, each);
        let mut whole = vec![f32::NAN; n_frames * hop];
        let final_phase = example.forward(&mut whole);
        let (mut phase, mut start) = (f64::from(example.initial_phase), 0);
        for block in blocks {
            // All but the last block pass one frame more than they render.
            let frames = start..(start + block + 1).min(n_frames);
            let values = frames.start * table_len..frames.end * table_len;
            let controls = TableControls {
                f0_hz: &example.f0_hz[frames.clone()],
                amplitudes: &example.amplitudes[frames],
                tables: match example.controls().tables {
                    Tables::One(table) => Tables::One(table),
                    Tables::Each(tables) => Tables::Each(&tables[values]),
                },
            };
            let mut audio = vec![f32::NAN; block * hop];
            phase = wavetable_synthesis(example.grid(), controls, phase, &mut audio);
            prop_assert_eq!(&audio[..], &whole[start * hop..][..block * hop]);
            start += block;
        }
        prop_assert_eq!(phase.to_bits(), final_phase.to_bits());
    }
}

#[test]
fn the_phase_is_exact_after_a_minute() {
    // 440.1 Hz has no short binary fraction. A table of two values is a triangle, linear in phase.
    let n_frames = 60 * 250;
    let (f0_hz, ones) = (vec![440.1; n_frames], vec![1.0; n_frames]);
    let controls =
        TableControls { f0_hz: &f0_hz, amplitudes: &ones, tables: Tables::One(&[0.0, 1.0]) };
    let mut audio = vec![f32::NAN; n_frames * GRID.hop];
    let phase = wavetable_synthesis(GRID, controls, 0.0, &mut audio);
    let turns = f64::from(440.1_f32) / 16_000.0;
    let exact = (turns * audio.len() as f64).fract();
    // Each of 15,000 hops drops less than 2^-53 turns, 2e-12 in all.
    assert!((phase - exact).abs() < 4e-12, "{phase}, not {exact}");
    let last = (turns * (audio.len() - 1) as f64).fract();
    let triangle = 1.0 - (2.0 * last - 1.0).abs();
    let got = f64::from(audio[audio.len() - 1]);
    assert!((got - triangle).abs() < 2e-7, "{got}, not {triangle}");
}

#[test]
fn values_that_are_not_finite_do_not_panic_and_nan_stays() {
    let finite = Example::new(3, 8, 5, true);
    let mut audio = [0.0; 24];
    let f0_hz = vec![f32::NAN, f32::INFINITY, -1e30];
    let phase = Example { f0_hz, ..finite.clone() }.forward(&mut audio);
    assert!((0.0..1.0).contains(&phase), "{phase}");
    assert!(audio.iter().all(|y| y.abs() <= 1.0), "the tables at some phase: {audio:?}");
    let mut amplitudes = finite.amplitudes.clone();
    amplitudes[1] = f32::NAN;
    Example { amplitudes, ..finite.clone() }.forward(&mut audio);
    assert!(audio[..16].iter().all(|y| y.is_nan()) && audio[16..].iter().all(|y| !y.is_nan()));
    Example { tables: vec![f32::NAN; 15], ..finite }.forward(&mut audio);
    assert!(audio.iter().all(|y| y.is_nan()), "{audio:?}");
}

#[test]
#[should_panic(expected = "wavetable_synthesis: 100 samples for 3 frames at hop 64")]
fn a_wrong_length_names_both() {
    let controls =
        TableControls { f0_hz: &[1.0; 3], amplitudes: &[1.0; 3], tables: Tables::One(&[1.0]) };
    wavetable_synthesis(GRID, controls, 0.0, &mut [0.0; 100]);
}

#[test]
#[should_panic(expected = "wavetable_synthesis: 2 amplitudes, 3 f0_hz")]
fn controls_are_equally_many() {
    let controls =
        TableControls { f0_hz: &[1.0; 3], amplitudes: &[1.0; 2], tables: Tables::One(&[1.0]) };
    wavetable_synthesis(GRID, controls, 0.0, &mut [0.0; 192]);
}

#[test]
#[should_panic(expected = "wavetable_synthesis: grad of 2 of 3 amplitudes values")]
fn a_wrong_gradient_names_both() {
    let controls =
        TableControls { f0_hz: &[1.0; 3], amplitudes: &[1.0; 3], tables: Tables::One(&[1.0]) };
    let grads = TableGradients {
        f0_hz: &mut [0.0; 3],
        amplitudes: &mut [0.0; 2],
        tables: &mut [0.0],
        initial_phase: &mut 0.0,
    };
    wavetable_synthesis_backward(GRID, controls, 0.0, &[0.0; 192], grads);
}
