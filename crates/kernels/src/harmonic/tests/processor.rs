//! The reference's `Harmonic` processor: raw network outputs to controls to audio, and back.

use super::golden::{
    BatchGradients, HOP, N_FRAMES, RUNNING, dot, examples, gradient, narrow, promise,
    reference_audio, sum_of_products, synthesize,
};
use super::reference::{PhaseSum, Reference, Resampling};
use super::{Example, SAMPLE_RATE};
use crate::agreement::{Operation, Tolerance};
use crate::golden::Golden;
use crate::testing::widen;
use crate::{
    ExpSigmoid, normalize_distribution, normalize_harmonics, normalize_harmonics_backward,
};

/// What the reference's `Harmonic` does with its raw inputs.
#[derive(Clone, Copy)]
struct Processor {
    case: &'static str,
    scale: Option<ExpSigmoid>,
    normalize_below_nyquist: bool,
    resampling: Resampling,
    phase_sum: PhaseSum,
}

const PROCESSOR: Processor = Processor {
    case: "synths/harmonic",
    scale: Some(ExpSigmoid { exponent: 10.0, max_value: 2.0, threshold: 1e-7 }),
    normalize_below_nyquist: true,
    resampling: Resampling::Window,
    phase_sum: PhaseSum::Running,
};

impl Processor {
    fn scale(self, raw: &[f32]) -> Vec<f32> {
        let mut scaled = raw.to_vec();
        if let Some(scale) = self.scale {
            scale.forward(raw, &mut scaled);
        }
        scaled
    }

    fn controls(self, raw: &Example) -> Example {
        let (amplitudes, scaled) = (self.scale(raw.amplitudes()), self.scale(raw.distribution()));
        let mut distribution = vec![f32::NAN; scaled.len()];
        if self.normalize_below_nyquist {
            normalize_harmonics(&scaled, raw.f0_hz(), SAMPLE_RATE as f32, &mut distribution);
        } else {
            normalize_distribution(&scaled, raw.n_harmonics(), &mut distribution);
        }
        Example::from_controls(raw.f0_hz(), &amplitudes, &distribution)
    }

    /// Gradients with respect to the raw inputs, from those with respect to the controls.
    fn backward(self, raw: &Example, amplitudes: &[f32], distribution: &[f32]) -> [Vec<f32>; 2] {
        let scale = self.scale.expect("no case has gradients without");
        let mut grad_amplitudes = vec![0.0; amplitudes.len()];
        scale.backward(raw.amplitudes(), amplitudes, &mut grad_amplitudes);
        let scaled = self.scale(raw.distribution());
        let mut grad_scaled = vec![0.0; scaled.len()];
        normalize_harmonics_backward(
            &scaled,
            raw.f0_hz(),
            SAMPLE_RATE as f32,
            distribution,
            &mut grad_scaled,
        );
        let mut grad_distribution = vec![0.0; scaled.len()];
        scale.backward(raw.distribution(), &grad_scaled, &mut grad_distribution);
        [grad_amplitudes, grad_distribution]
    }
}

/// `synths.Harmonic` with each of its options.
pub(super) fn controls(operation: &mut Operation) {
    for processor in [
        PROCESSOR,
        Processor {
            case: "synths/harmonic_amp_resample_method",
            resampling: Resampling::Linear,
            ..PROCESSOR
        },
        Processor {
            case: "synths/harmonic_use_angular_cumsum",
            phase_sum: PhaseSum::Chunks,
            ..PROCESSOR
        },
        Processor {
            case: "synths/harmonic_normalize_below_nyquist",
            normalize_below_nyquist: false,
            ..PROCESSOR
        },
        Processor { case: "synths/harmonic_scale_fn", scale: None, ..PROCESSOR },
    ] {
        compare_controls(operation, processor);
    }
    raw_gradients(operation);
}

/// Controls of each example of a batch, and its raw inputs.
fn processed(processor: Processor, file: &str, case: &str) -> (Vec<Example>, Vec<Example>) {
    let mut golden = Golden::open(file);
    let [amplitudes, distribution] =
        ["amps", "hd"].map(|name| golden.values(&format!("{case}.in.{name}")));
    let f0_hz = Golden::open("synths").values("harmonic.in.f0");
    let raw = examples(&f0_hz, &amplitudes, &distribution);
    (raw.iter().map(|raw| processor.controls(raw)).collect(), raw)
}

fn compare_controls(operation: &mut Operation, processor: Processor) {
    let Processor { case, resampling, phase_sum, .. } = processor;
    let inputs = if processor.scale.is_some() { "harmonic" } else { "harmonic_scale_fn" };
    let (examples, _) = processed(processor, "synths", inputs);
    let amplitudes: Vec<f32> = examples.iter().flat_map(|e| e.amplitudes().to_vec()).collect();
    let distribution: Vec<f32> = examples.iter().flat_map(|e| e.distribution().to_vec()).collect();
    // `exp_sigmoid` is off by 4e-6 of a value at worst, on both sides of a quotient.
    let scaled = Tolerance::relative(4e-6);
    operation.golden(case, "amplitudes", &amplitudes, scaled);
    operation.golden(case, "harmonic_distribution", &distribution, scaled);
    let reference = Reference::in_f32(HOP, resampling, phase_sum);
    let imitated = narrow(&reference_audio(&examples, reference));
    // The error of the controls goes on into the audio.
    let tolerance = Tolerance::of_peak(4e-6);
    operation.golden_with_quirk(case, "signal", &imitated, tolerance, RUNNING);
    let expected = reference_audio(&examples, reference.exact());
    operation.oracle(case, &synthesize(&examples, resampling, 0.0), &expected, promise());
}

/// The gradients of the controls taken on to the raw inputs.
fn of_raw(grads: &BatchGradients, raw: &[Example]) -> BatchGradients {
    let mut of_raw = BatchGradients { f0_hz: grads.f0_hz.clone(), ..BatchGradients::default() };
    for (i, raw) in raw.iter().enumerate() {
        let n = raw.distribution().len();
        let amplitudes = &grads.amplitudes[i * N_FRAMES..][..N_FRAMES];
        let distribution = &grads.distribution[i * n..][..n];
        let [amplitudes, distribution] = PROCESSOR.backward(raw, amplitudes, distribution);
        of_raw.amplitudes.extend(amplitudes);
        of_raw.distribution.extend(distribution);
    }
    of_raw
}

/// Gradients of `synths.Harmonic` with respect to its raw inputs.
fn raw_gradients(operation: &mut Operation) {
    let case = "gradients/harmonic_synth";
    let (examples, raw) = processed(PROCESSOR, "gradients", "harmonic_synth");
    let v = Golden::open("gradients").values("base.in.v");
    let reference = Reference::in_f32(HOP, PROCESSOR.resampling, PROCESSOR.phase_sum);
    let sum = dot(&reference_audio(&examples, reference), &v);
    operation.golden_with_quirk(case, "dot", &sum, sum_of_products(), RUNNING);
    let imitated = of_raw(&BatchGradients::of_reference(&examples, &v, reference), &raw);
    let exact = of_raw(&BatchGradients::of_reference(&examples, &v, reference.exact()), &raw);
    let got = of_raw(&BatchGradients::of_synthesizer(&examples, &v, PROCESSOR.resampling), &raw);
    // The controls are off by up to 4e-6, and so is what comes of them.
    let tolerance = Tolerance::of_peak(4e-6);
    for (output, imitated, got, exact) in [
        ("d_f0", &imitated.f0_hz, &got.f0_hz, &exact.f0_hz),
        ("d_amps", &imitated.amplitudes, &got.amplitudes, &exact.amplitudes),
        ("d_hd", &imitated.distribution, &got.distribution, &exact.distribution),
    ] {
        operation.golden_with_quirk(case, output, imitated, tolerance, RUNNING);
        operation.oracle(&format!("{case}.{output}"), got, &widen(exact), gradient());
    }
}
