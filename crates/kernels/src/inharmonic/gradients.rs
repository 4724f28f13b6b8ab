//! Gradients with respect to every input, one at a time.

use super::tests::{CASES, Example, SAMPLE_RATE, Shape};
use super::*;
use crate::agreement::Operation;

/// Gradients that are not asked for go here.
struct Bin {
    frames: [Vec<f32>; 3],
    values: [Vec<f32>; 2],
    phases: Vec<f32>,
}

impl Bin {
    fn new(shape: Shape) -> Self {
        let frame = vec![0.0; shape.n_frames];
        let values = vec![0.0; shape.n_frames * shape.n_partials];
        Self {
            frames: [frame.clone(), frame.clone(), frame],
            values: [values.clone(), values],
            phases: vec![0.0; shape.n_partials],
        }
    }

    fn grads(&mut self) -> InharmonicGradients<'_> {
        let [f0_hz, inharmonicity, amplitudes] = &mut self.frames;
        let [harmonic_shifts, harmonic_distribution] = &mut self.values;
        let harmonic_shifts = Some(&mut harmonic_shifts[..]);
        InharmonicGradients {
            partials: Some(StretchedPartialsGradients { f0_hz, inharmonicity, harmonic_shifts }),
            amplitudes,
            harmonic_distribution,
            phases: Some(&mut self.phases),
        }
    }
}

fn partials<'a, 'b>(
    grads: &'b mut InharmonicGradients<'a>,
) -> &'b mut StretchedPartialsGradients<'a> {
    grads.partials.as_mut().expect("asked for")
}

/// One input: its values, the step of its differences, where the oracle and where the gradient has
/// it.
struct Input<'x> {
    name: &'static str,
    values: &'x [f32],
    step: f64,
    set: fn(&mut Example<f64>, &[f64]),
    place: for<'a> fn(&mut InharmonicGradients<'a>, &'a mut [f32]),
}

/// What the frequencies depend on; steps in the order of [`StretchedPartials`].
fn frequency_inputs(example: &Example<f32>, steps: [f64; 3]) -> [Input<'_>; 3] {
    [
        Input {
            name: "f0_hz",
            values: &example.f0_hz,
            step: steps[0],
            set: |e, x| e.f0_hz.copy_from_slice(x),
            place: |grads, place| partials(grads).f0_hz = place,
        },
        Input {
            name: "inharmonicity",
            values: &example.inharmonicity,
            step: steps[1],
            set: |e, x| e.inharmonicity.copy_from_slice(x),
            place: |grads, place| partials(grads).inharmonicity = place,
        },
        Input {
            name: "harmonic_shifts",
            values: &example.harmonic_shifts,
            step: steps[2],
            set: |e, x| e.harmonic_shifts.copy_from_slice(x),
            place: |grads, place| partials(grads).harmonic_shifts = Some(place),
        },
    ]
}

/// The others. The sound is linear in the first two: any step will do.
fn other_inputs<'x>(example: &'x Example<f32>, phases: &'x [f32]) -> [Input<'x>; 3] {
    [
        Input {
            name: "amplitudes",
            values: &example.amplitudes,
            step: 0.1,
            set: |e, x| e.amplitudes.copy_from_slice(x),
            place: |grads, place| grads.amplitudes = place,
        },
        Input {
            name: "harmonic_distribution",
            values: &example.harmonic_distribution,
            step: 0.1,
            set: |e, x| e.harmonic_distribution.copy_from_slice(x),
            place: |grads, place| grads.harmonic_distribution = place,
        },
        Input {
            name: "phases",
            values: phases,
            step: 1e-4,
            set: |e, x| e.phases.copy_from_slice(x),
            place: |grads, place| grads.phases = Some(place),
        },
    ]
}

/// Steps that turn the highest partial's last phase by a thousandth.
fn steps(shape: Shape, example: &Example<f32>) -> [f64; 3] {
    let (n, number) = ((shape.n_frames * shape.hop) as f64, shape.n_partials as f64);
    let turns = number * n / f64::from(SAMPLE_RATE);
    let f0_hz = f64::from(example.f0_hz[0]);
    let largest = example.inharmonicity.iter().fold(0.0_f32, |m, b| m.max(*b));
    let stretch = number * number / (1.0 + f64::from(largest) * number * number);
    [1.0 / turns, 1.0 / (turns * f0_hz * stretch), 1.0 / (turns * f0_hz)].map(|step| 1e-3 * step)
}

fn check_gradients_of(operation: &mut Operation, shape: Shape, example: &Example<f32>) {
    let phases: Vec<f32> = example.phases.iter().map(|p| *p as f32).collect();
    let frequencies = frequency_inputs(example, steps(shape, example));
    for inharmonic in shape.each_path() {
        for input in frequencies.iter().chain(&other_inputs(example, &phases)) {
            let forward = |x: &[f64], y: &mut [f64]| {
                let mut varied = example.widen();
                (input.set)(&mut varied, x);
                varied.oracle(shape, y);
            };
            let backward = |_: &[f32], grad_y: &[f32], grad_x: &mut [f32]| {
                let mut bin = Bin::new(shape);
                let mut grads = bin.grads();
                (input.place)(&mut grads, grad_x);
                let (a, d) = (&example.amplitudes, &example.harmonic_distribution);
                let mut inharmonic = inharmonic.clone();
                inharmonic.backward(example.partials(), a, d, &example.phases, grad_y, grads);
            };
            let n = shape.n_frames * shape.hop;
            operation.gradient(input.name, input.values, n, input.step, forward, backward);
        }
    }
}

/// Of the synthesizer.
pub(super) fn check(operation: &mut Operation) {
    for (shape, f0_hz, inharmonicity) in CASES {
        let shape = Shape { n_frames: shape.n_frames.min(5), ..shape };
        check_gradients_of(operation, shape, &Example::new(shape, f0_hz, inharmonicity));
    }
    // No stretch, no shift, no sound, and sounds of extreme levels.
    let (shape, f0_hz, _) = CASES[1];
    for level in [0.0, 1e-40, 1e-9, 1e9] {
        let mut example = Example::new(shape, f0_hz, 0.0);
        example.harmonic_shifts.fill(0.0);
        example.harmonic_distribution.iter_mut().for_each(|d| *d *= level);
        check_gradients_of(operation, shape, &example);
    }
}

/// Of the frequencies alone.
pub(super) fn check_frequencies(operation: &mut Operation, shape: Shape, example: &Example<f32>) {
    let n_values = shape.n_frames * shape.n_partials;
    for input in frequency_inputs(example, [1.0, 1e-6, 1e-3]) {
        let forward = |x: &[f64], y: &mut [f64]| {
            let mut varied = example.widen();
            (input.set)(&mut varied, x);
            varied.frequencies(shape.n_partials, y);
        };
        let backward = |_: &[f32], grad_y: &[f32], grad_x: &mut [f32]| {
            let mut bin = Bin::new(shape);
            let mut grads = bin.grads();
            (input.place)(&mut grads, grad_x);
            let grads = partials(&mut grads);
            partial_frequencies_backward(example.partials(), shape.n_partials, grad_y, grads);
        };
        operation.gradient(input.name, input.values, n_values, input.step, forward, backward);
    }
}
