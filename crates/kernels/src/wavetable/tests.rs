use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::testing::pseudo_random;
use oracle::Exact;

mod oracle;
mod sound;

pub(super) const SAMPLE_RATE: u32 = 16_000;

/// The inputs of one example.
#[derive(Clone)]
pub(super) struct Example {
    pub(super) f0_hz: Vec<f32>,
    pub(super) amplitudes: Vec<f32>,
    pub(super) table_weights: Vec<f32>,
    pub(super) tables: Vec<f32>,
    pub(super) initial_phase: f32,
    pub(super) n_tables: usize,
    pub(super) hop: usize,
    pub(super) interpolation: AmplitudeInterpolation,
}

impl Example {
    /// f0 within `span_hz` of `centre_hz`.
    pub(super) fn new(
        n_frames: usize,
        hop: usize,
        (n_tables, table_len): (usize, usize),
        (centre_hz, span_hz): (f32, f32),
    ) -> Self {
        Self {
            f0_hz: pseudo_random(1, n_frames).iter().map(|x| centre_hz + span_hz * x).collect(),
            amplitudes: pseudo_random(2, n_frames),
            table_weights: pseudo_random(3, n_frames * n_tables),
            tables: pseudo_random(4, n_tables * table_len),
            initial_phase: 0.3,
            n_tables,
            hop,
            interpolation: AmplitudeInterpolation::Window,
        }
    }

    /// Without a scale that f32 or the sum of the gradients could not hold.
    fn scaled(mut self, amplitude: f32, table: f32) -> Self {
        self.amplitudes.iter_mut().for_each(|a| *a *= amplitude);
        self.tables.iter_mut().for_each(|t| *t *= table);
        self
    }

    fn table_len(&self) -> usize {
        self.tables.len() / self.n_tables
    }

    /// A synthesizer for it, on one instruction set.
    pub(super) fn synth(&self, simd: Simd) -> Wavetable {
        let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: self.hop };
        let mut synth = Wavetable::new(grid, self.n_tables, self.table_len(), self.interpolation);
        synth.simd = simd;
        synth.set_tables(&self.tables);
        synth
    }

    pub(super) fn forward(&self, synth: &mut Wavetable, audio: &mut [f32]) -> f64 {
        let phase = f64::from(self.initial_phase);
        synth.forward(&self.f0_hz, &self.amplitudes, &self.table_weights, phase, audio)
    }

    /// All gradients; that of the phase in f32 too.
    pub(super) fn backward(&self, synth: &mut Wavetable, grad_audio: &[f32]) -> Self {
        let zeros = |x: &[f32]| vec![0.0; x.len()];
        let mut grads = Self {
            f0_hz: zeros(&self.f0_hz),
            amplitudes: zeros(&self.amplitudes),
            table_weights: zeros(&self.table_weights),
            tables: zeros(&self.tables),
            ..self.clone()
        };
        let mut initial_phase = 0.0;
        synth.backward(
            &self.f0_hz,
            &self.amplitudes,
            &self.table_weights,
            self.initial_phase.into(),
            grad_audio,
            WavetableGradients {
                f0_hz: Some(&mut grads.f0_hz),
                initial_phase: Some(&mut initial_phase),
                amplitudes: &mut grads.amplitudes,
                table_weights: &mut grads.table_weights,
                tables: Some(&mut grads.tables),
            },
        );
        #[expect(clippy::cast_possible_truncation, reason = "a gradient is compared in f32")]
        {
            grads.initial_phase = initial_phase as f32;
        }
        grads
    }
}

/// Compares forward with both oracles, on one instruction set.
fn compare_forward(operation: &mut Operation, example: &Example, n_samples: usize, simd: Simd) {
    let exact = Exact::new(example);
    let (mut audio, mut expected) = (vec![f32::NAN; n_samples], vec![0.0; n_samples]);
    example.forward(&mut example.synth(simd), &mut audio);
    exact.splines(&mut expected);
    // Transforms, products and sums round to 6e-8 of what they sum; of random tables and weights little
    // cancels, so the peak tells.
    operation.oracle("Wavetable", &audio, &expected, Tolerance::of_peak(3e-6));
    exact.harmonics(&mut expected);
    // The images of each harmonic: at most 15^-4 + 17^-4 of it.
    let what = "Wavetable, as a sum of harmonics";
    operation.oracle(what, &audio, &expected, Tolerance::of_peak(3.2e-5));
}

/// Checks each gradient by itself, on one instruction set.
fn check_gradients(operation: &mut Operation, example: &Example, n_samples: usize, simd: Simd) {
    let exact = Exact::new(example);
    // Kept, so that what one call leaves behind would spoil the next.
    let synth = std::cell::RefCell::new(example.synth(simd));
    let backward = |example: &Example, g: &[f32]| example.backward(&mut synth.borrow_mut(), g);
    let with = |set: fn(&mut Exact, &[f64])| {
        let exact = exact.clone();
        move |x: &[f64], y: &mut [f64]| {
            let mut exact = exact.clone();
            set(&mut exact, x);
            exact.splines(y);
        }
    };
    let of_f0 = with(|exact, x| exact.f0_hz = x.to_vec());
    // A millionth of a second's turns, far below a value of a table.
    operation.gradient("f0_hz", &example.f0_hz, n_samples, 1e-3, of_f0, |x, g, grad| {
        add(grad, &backward(&Example { f0_hz: x.to_vec(), ..example.clone() }, g).f0_hz);
    });
    let of_phase = with(|exact, x| exact.initial_phase = x[0]);
    let phase = [example.initial_phase];
    operation.gradient("initial_phase", &phase, n_samples, 1e-5, of_phase, |x, g, grad| {
        let moved = Example { initial_phase: x[0], ..example.clone() };
        grad[0] += backward(&moved, g).initial_phase;
    });
    let of_amplitudes = with(|exact, x| exact.amplitudes = x.to_vec());
    let x = &example.amplitudes;
    operation.gradient("amplitudes", x, n_samples, 1e-2, of_amplitudes, |x, g, grad| {
        let moved = Example { amplitudes: x.to_vec(), ..example.clone() };
        add(grad, &backward(&moved, g).amplitudes);
    });
    let of_weights = with(|exact, x| exact.table_weights = x.to_vec());
    let x = &example.table_weights;
    operation.gradient("table_weights", x, n_samples, 1e-2, of_weights, |x, g, grad| {
        let moved = Example { table_weights: x.to_vec(), ..example.clone() };
        add(grad, &backward(&moved, g).table_weights);
    });
    let of_tables = with(|exact, x| exact.set_tables(x));
    operation.gradient("tables", &example.tables, n_samples, 1e-2, of_tables, |x, g, grad| {
        synth.borrow_mut().set_tables(x);
        add(grad, &backward(example, g).tables);
    });
}

fn add(sum: &mut [f32], x: &[f32]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}

pub(crate) fn agreement(report: &mut Report) {
    lookup::tests::agreement(report);
    synthesis::tests::agreement(report);
    let operation = report.operation("Wavetable");
    // One table and several, one frame, less and more than a tile, and f0 in one bandwidth, in fades,
    // over many of them, through zero, and above the Nyquist frequency.
    let cases = [
        (Example::new(5, 64, (1, 32), (300.0, 10.0)), 320),
        (Example::new(4, 41, (3, 15), (900.0, 300.0)), 164),
        (Example::new(1, 33, (2, 64), (431.7, 0.0)), 33),
        (Example::new(6, 20, (9, 12), (0.0, 2500.0)), 120),
        (Example::new(6, 7, (1, 9), (7000.0, 3500.0)), 42),
        // The last frame is only the end of the last interpolation.
        (Example::new(4, 30, (2, 16), (700.0, 100.0)), 90),
        (Example::new(3, 10, (1, 2), (100.0, 10.0)), 30),
    ];
    // Through zero within a hop, where all bandwidths are heard and the ends tell of few.
    let mut through_zero = Example::new(3, 40, (2, 64), (0.0, 0.0));
    through_zero.f0_hz = vec![900.3, -850.7, 990.1];
    let cases = cases.into_iter().chain([(through_zero, 120)]).collect::<Vec<_>>();
    for simd in Simd::all() {
        for (example, n_samples) in &cases {
            compare_forward(operation, example, *n_samples, simd);
            check_gradients(operation, example, *n_samples, simd);
        }
        let (example, n_samples) = &cases[1];
        for (amplitude, table) in [(1e-9, 1.0), (1e9, 1.0), (1e9, 1e-9), (0.0, 1.0), (1.0, 0.0)] {
            let scaled = example.clone().scaled(amplitude, table);
            compare_forward(operation, &scaled, *n_samples, simd);
            check_gradients(operation, &scaled, *n_samples, simd);
        }
        let linear = Example { interpolation: AmplitudeInterpolation::Linear, ..example.clone() };
        compare_forward(operation, &linear, *n_samples, simd);
        check_gradients(operation, &linear, *n_samples, simd);
    }
}

#[test]
fn it_agrees_with_the_definition_and_its_gradient() {
    agreement(&mut Report::default());
}
