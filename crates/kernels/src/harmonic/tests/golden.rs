//! Comparisons with the reference's numbers.
//!
//! The reference's phases are running f32 sums, which its imitation meets; the synthesizer is
//! compared with the same computation without roundings.

use std::f64::consts::TAU;

use super::reference::{PhaseSum, Reference, Resampling};
use super::{Example, SAMPLE_RATE};
use crate::agreement::{Operation, Tolerance};
use crate::golden::Golden;
use crate::testing::widen;
use crate::{AmplitudeInterpolation, FrameGrid, Harmonic, HarmonicGradients, normalize_harmonics};

pub(super) const HOP: usize = 64;
pub(super) const N_FRAMES: usize = 50;

pub(super) const RUNNING: &str =
    "Its phases are f32 sums of each harmonic by itself: the test imitates them.";
const STREAMING: &str = "Its phase is an f32 sum, and harmonics that pass the Nyquist frequency within \
                         a hop are not cut: the test imitates both.";

/// The reference sums 30 harmonics in f32, in an unknown order, each with a sine that rounds: a few
/// times 2^-24 of partial sums no larger than the peak.
fn imitation() -> Tolerance {
    Tolerance::of_peak(4e-7)
}

/// The promise of [`Harmonic`], 3e-7 of the sum of the amplitudes, which is at most 1.5 times the
/// peak of these signals.
pub(super) fn promise() -> Tolerance {
    Tolerance::of_peak(4.5e-7)
}

/// A sum of 128 products for each amplitude, of up to 3200 for each f0, whose roundings are those of
/// the sine, 2e-7, in random directions; relative to the largest.
pub(super) fn gradient() -> Tolerance {
    Tolerance::of_peak(1e-6)
}

/// The reference sums the gradients of up to 3200 later phases in f32, one after the other, where the
/// imitation sums in f64: 3200 roundings of 2^-24 in random directions, relative to the largest.
pub(super) fn running_gradient() -> Tolerance {
    Tolerance::of_peak(4e-6)
}

/// The examples of a batch.
pub(super) fn examples(f0_hz: &[f32], amplitudes: &[f32], distribution: &[f32]) -> Vec<Example> {
    let n_harmonics = distribution.len() / f0_hz.len();
    let frames = f0_hz.chunks(N_FRAMES).zip(amplitudes.chunks(N_FRAMES));
    frames
        .zip(distribution.chunks(N_FRAMES * n_harmonics))
        .map(|((f0_hz, amplitudes), distribution)| {
            Example::from_controls(f0_hz, amplitudes, distribution)
        })
        .collect()
}

/// The inputs that most cases share.
fn base() -> Vec<Example> {
    let mut golden = Golden::open("oscillators");
    let [f0_hz, amplitudes, distribution] =
        ["f0", "amp", "hd"].map(|name| golden.values(&format!("base.in.{name}")));
    examples(&f0_hz, &amplitudes, &distribution)
}

fn synthesizer(hop: usize, n_harmonics: usize, resampling: Resampling) -> Harmonic {
    let interpolation = match resampling {
        Resampling::Window => AmplitudeInterpolation::Window,
        Resampling::Linear => AmplitudeInterpolation::Linear,
        Resampling::Nearest | Resampling::Cubic => AmplitudeInterpolation::Nearest,
    };
    Harmonic::new(FrameGrid { sample_rate: SAMPLE_RATE, hop }, n_harmonics, interpolation)
}

/// The synthesizer's audio of all examples; cubic amplitudes are resampled beforehand.
pub(super) fn synthesize(
    examples: &[Example],
    resampling: Resampling,
    initial_phase: f64,
) -> Vec<f32> {
    let mut batch = Vec::new();
    for example in examples {
        let mut audio = vec![f32::NAN; N_FRAMES * HOP];
        if resampling == Resampling::Cubic {
            let example = at_sample_rate(example, resampling);
            let mut harmonic = synthesizer(1, example.n_harmonics(), resampling);
            example.forward(&mut harmonic, initial_phase, &mut audio);
        } else {
            let mut harmonic = synthesizer(HOP, example.n_harmonics(), resampling);
            example.forward(&mut harmonic, initial_phase, &mut audio);
        }
        batch.extend(audio);
    }
    batch
}

/// The example with a frame for each sample.
fn at_sample_rate(example: &Example, resampling: Resampling) -> Example {
    let reference = Reference::in_f32(HOP, resampling, PhaseSum::Running);
    let (f0_hz, distribution) = reference.envelopes(example);
    Example::from_controls(&f0_hz, &vec![1.0; f0_hz.len()], &distribution)
}

pub(super) fn reference_audio(examples: &[Example], reference: Reference) -> Vec<f64> {
    examples.iter().flat_map(|example| reference.forward(example).0).collect()
}

pub(super) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

/// `harmonic_synthesis` with each resampling and both phase sums.
pub(super) fn synthesis(operation: &mut Operation) {
    let examples = base();
    for (name, resampling) in [
        ("window", Resampling::Window),
        ("linear", Resampling::Linear),
        ("cubic", Resampling::Cubic),
        ("nearest", Resampling::Nearest),
    ] {
        for (suffix, phase_sum) in [("ang0", PhaseSum::Running), ("ang1", PhaseSum::Chunks)] {
            let case = format!("oscillators/harmonic_synthesis_{name}_{suffix}");
            let reference = Reference::in_f32(HOP, resampling, phase_sum);
            let imitated = narrow(&reference_audio(&examples, reference));
            operation.golden_with_quirk(&case, "y", &imitated, imitation(), RUNNING);
        }
        let exact = Reference::in_f32(HOP, resampling, PhaseSum::Running).exact();
        let expected = reference_audio(&examples, exact);
        operation.oracle(name, &synthesize(&examples, resampling, 0.0), &expected, promise());
    }
    // Without a distribution there is the fundamental alone.
    let alone: Vec<Example> = examples
        .iter()
        .map(|e| Example::from_controls(e.f0_hz(), e.amplitudes(), &[1.0; N_FRAMES]))
        .collect();
    let reference = Reference::in_f32(HOP, Resampling::Window, PhaseSum::Running);
    let imitated = narrow(&reference_audio(&alone, reference));
    let case = "oscillators/harmonic_synthesis_nohd";
    operation.golden_with_quirk(case, "y", &imitated, imitation(), RUNNING);
    let expected = reference_audio(&alone, reference.exact());
    let audio = synthesize(&alone, Resampling::Window, 0.0);
    operation.oracle("one harmonic", &audio, &expected, promise());
}

/// `streaming_harmonic_synthesis`.
pub(super) fn streaming(operation: &mut Operation) {
    const INITIAL_PHASE: f64 = 0.7;
    let case = "oscillators/streaming_harmonic_synthesis";
    // The reference normalises here, unlike in `harmonic_synthesis`.
    let examples: Vec<Example> = base().iter().map(normalized).collect();
    let phase_sum = PhaseSum::MultiplesFrom(INITIAL_PHASE);
    let reference = Reference::in_f32(HOP, Resampling::Linear, phase_sum);
    let imitated = narrow(&reference_audio(&examples, reference));
    operation.golden_with_quirk(case, "y", &imitated, imitation(), STREAMING);
    let imitated: Vec<f64> = examples.iter().map(|e| reference.forward(e).1).collect();
    // Phases are below 7, where half a unit in the last place is 2.4e-7.
    let tolerance = Tolerance::absolute(2.4e-7);
    operation.golden_with_quirk(case, "final_phase", &narrow(&imitated), tolerance, STREAMING);

    let turns = INITIAL_PHASE / TAU;
    let (mut expected, mut audio) = (Vec::new(), Vec::new());
    let (mut phases, mut expected_phases) = (Vec::new(), Vec::new());
    for example in &examples {
        let mut samples = vec![0.0; N_FRAMES * HOP];
        let controls = widen(&example.packed);
        super::oracle(&controls, N_FRAMES, AmplitudeInterpolation::Linear, turns, &mut samples);
        expected.extend(samples);
        let mut samples = vec![f32::NAN; N_FRAMES * HOP];
        let mut harmonic = synthesizer(HOP, example.n_harmonics(), Resampling::Linear);
        phases.push((TAU * example.forward(&mut harmonic, turns, &mut samples)) as f32);
        audio.extend(samples);
        expected_phases.push(reference.exact().forward(example).1.rem_euclid(TAU));
    }
    operation.oracle("streaming", &audio, &expected, promise());
    operation.oracle("final phase", &phases, &expected_phases, tolerance);
}

fn normalized(example: &Example) -> Example {
    let mut distribution = vec![f32::NAN; example.distribution().len()];
    normalize_harmonics(
        example.distribution(),
        example.f0_hz(),
        SAMPLE_RATE as f32,
        &mut distribution,
    );
    Example::from_controls(example.f0_hz(), example.amplitudes(), &distribution)
}

/// Gradients of the examples of a batch, one after the other.
#[derive(Default)]
pub(super) struct BatchGradients {
    pub(super) f0_hz: Vec<f32>,
    pub(super) amplitudes: Vec<f32>,
    pub(super) distribution: Vec<f32>,
}

impl BatchGradients {
    pub(super) fn of_reference(examples: &[Example], v: &[f32], reference: Reference) -> Self {
        let mut batch = Self::default();
        for (example, v) in examples.iter().zip(v.chunks(N_FRAMES * HOP)) {
            let grads = reference.backward(example, v);
            batch.f0_hz.extend(narrow(&grads.f0_hz));
            batch.amplitudes.extend(narrow(&grads.amplitudes));
            batch.distribution.extend(narrow(&grads.distribution));
        }
        batch
    }

    pub(super) fn of_synthesizer(examples: &[Example], v: &[f32], resampling: Resampling) -> Self {
        let mut batch = Self::default();
        for (example, v) in examples.iter().zip(v.chunks(N_FRAMES * HOP)) {
            let n_harmonics = example.n_harmonics();
            let [mut f0_hz, mut amplitudes] = [vec![0.0; N_FRAMES], vec![0.0; N_FRAMES]];
            let mut harmonic_distribution = vec![0.0; N_FRAMES * n_harmonics];
            synthesizer(HOP, n_harmonics, resampling).backward(
                example.f0_hz(),
                example.amplitudes(),
                example.distribution(),
                0.0,
                v,
                HarmonicGradients {
                    f0_hz: Some(&mut f0_hz),
                    initial_phase: None,
                    amplitudes: &mut amplitudes,
                    harmonic_distribution: &mut harmonic_distribution,
                },
            );
            batch.f0_hz.extend(f0_hz);
            batch.amplitudes.extend(amplitudes);
            batch.distribution.extend(harmonic_distribution);
        }
        batch
    }
}

/// The sum of the products, as an array of one value.
pub(super) fn dot(audio: &[f64], v: &[f32]) -> [f32; 1] {
    [audio.iter().zip(v).map(|(y, v)| y * f64::from(*v)).sum::<f64>() as f32]
}

/// 6400 products of up to 12 with signs, summed in f32 on the other side, are 30 in all.
pub(super) fn sum_of_products() -> Tolerance {
    Tolerance::relative(4e-6)
}

/// Gradients of `harmonic_synthesis`.
pub(super) fn gradients(operation: &mut Operation) {
    let examples = base();
    let v = Golden::open("gradients").values("base.in.v");
    for (name, resampling, phase_sum) in [
        ("window_ang0", Resampling::Window, PhaseSum::Running),
        ("window_ang1", Resampling::Window, PhaseSum::Chunks),
        ("linear_ang0", Resampling::Linear, PhaseSum::Running),
    ] {
        let case = format!("gradients/harmonic_synthesis_{name}");
        let reference = Reference::in_f32(HOP, resampling, phase_sum);
        let sum = dot(&reference_audio(&examples, reference), &v);
        operation.golden_with_quirk(&case, "dot", &sum, sum_of_products(), RUNNING);
        let imitated = BatchGradients::of_reference(&examples, &v, reference);
        let exact = BatchGradients::of_reference(&examples, &v, reference.exact());
        let got = BatchGradients::of_synthesizer(&examples, &v, resampling);
        for (output, imitated, got, exact) in [
            ("d_f0", &imitated.f0_hz, &got.f0_hz, &exact.f0_hz),
            ("d_amp", &imitated.amplitudes, &got.amplitudes, &exact.amplitudes),
            ("d_hd", &imitated.distribution, &got.distribution, &exact.distribution),
        ] {
            let tolerance = if output == "d_f0" { running_gradient() } else { gradient() };
            operation.golden_with_quirk(&case, output, imitated, tolerance, RUNNING);
            operation.oracle(&format!("{case}.{output}"), got, &widen(exact), gradient());
        }
    }
}
