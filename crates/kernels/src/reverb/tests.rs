use super::*;
use crate::ExpSigmoid;
use crate::agreement::{Operation, Report, Tolerance};
use crate::fft_convolve::tests as fft_convolve;
use crate::filtered_noise::FilteredNoise;
use crate::filtered_noise::tests::{dot, scaled};
use crate::fir_filter::tests::{QUIRK, SIZES, Sizes};
use crate::frames::FrameGrid;
use crate::frequency_filter::FilterAlignment;
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

/// The definition, in f64.
fn oracle(audio: &[f64], response: &[f64], add_dry: bool, output: &mut [f64]) {
    let mut response = response.to_vec();
    response[0] = if add_dry { 1.0 } else { 0.0 };
    let sizes = [audio.len().max(1), response.len(), 0];
    fft_convolve::oracle(audio, &response, sizes, output);
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("Reverb");
    compare_reverb(operation);
    compare_gradient(operation);
    check_reverb(operation);
    let operation = report.operation("ExpDecayReverb");
    compare_exp_decay(operation);
    check_exp_decay(operation);
    let operation = report.operation("FilteredNoiseReverb");
    compare_filtered_noise(operation);
    check_filtered_noise(operation);
}

/// Both clips, each with its own of two responses.
fn batch(reverb: &mut Reverb, audio: &[f32], responses: &[f32]) -> Vec<f32> {
    let n = audio.len() / 2;
    let mut output = vec![f32::NAN; audio.len()];
    let clips = audio.chunks(n).zip(responses.chunks(responses.len() / 2));
    for ((audio, response), output) in clips.zip(output.chunks_mut(n)) {
        reverb.set_impulse_response(response);
        reverb.forward(audio, output);
    }
    output
}

fn compare_reverb(operation: &mut Operation) {
    let mut golden = Golden::open("effects");
    let audio = golden.values("audio.in.x");
    for ir_len in [300, 1000, 3000] {
        let responses = golden.values(&format!("reverb_{ir_len}_dry1.in.ir"));
        for (name, add_dry) in [("dry1", true), ("dry0", false)] {
            let output = batch(&mut Reverb::new(2000, ir_len, add_dry), &audio, &responses);
            let case = format!("effects/reverb_{ir_len}_{name}");
            operation.golden(&case, "y", &output, fft_convolve::tolerance());
        }
    }
    let responses = golden.values("reverb_ir3d.in.ir");
    let output = batch(&mut Reverb::new(2000, 100, true), &audio, &responses);
    operation.golden("effects/reverb_ir3d", "y", &output, fft_convolve::tolerance());
}

fn compare_gradient(operation: &mut Operation) {
    let mut golden = Golden::open("gradients");
    let audio = golden.values("reverb.in.audio");
    let responses = golden.values("reverb.in.ir");
    let v = golden.values("base.in.v");
    let mut reverb = Reverb::new(3200, 1000, true);
    let (mut grad_audio, mut grad_responses) = (vec![0.0; 6400], vec![0.0; 2000]);
    for row in 0..2 {
        let (samples, taps) = (row * 3200..(row + 1) * 3200, row * 1000..(row + 1) * 1000);
        reverb.set_impulse_response(&responses[taps.clone()]);
        let grad = Some(&mut grad_audio[samples.clone()]);
        reverb.backward(&audio[samples.clone()], &v[samples], grad);
        reverb.take_impulse_response_gradient(&mut grad_responses[taps]);
    }
    let case = "gradients/reverb";
    operation.golden(case, "d_audio", &grad_audio, fft_convolve::tolerance());
    operation.golden(case, "d_ir", &grad_responses, fft_convolve::tolerance());
    let dot = dot(&batch(&mut reverb, &audio, &responses), &v);
    // Its terms have both signs and 100 times its magnitude, and are summed in f32 there.
    operation.golden(case, "dot", &[dot], Tolerance::relative(5e-6));
}

/// Samples of audio, samples it was made for, taps: one block and several, a response of nothing but
/// tap 0, one longer than the audio, other lengths than promised.
const SIZES_OF_REVERB: [[usize; 3]; 6] =
    [[100, 100, 30], [300, 300, 5], [40, 40, 1], [20, 20, 50], [50, 10, 30], [1, 1, 1]];

fn check_reverb(operation: &mut Operation) {
    for sizes in SIZES_OF_REVERB {
        for add_dry in [false, true] {
            for scale in [1.0, 0.0, 1e-40, 1e-9, 1e9] {
                check_one_reverb(operation, sizes, add_dry, scale);
            }
        }
    }
}

fn check_one_reverb(
    operation: &mut Operation,
    [n, n_made, ir_len]: [usize; 3],
    add_dry: bool,
    scale: f32,
) {
    let plain = [pseudo_random(1, n), pseudo_random(2, ir_len)];
    let [audio, response] =
        plain.each_ref().map(|values| values.iter().map(|x| scale * x).collect::<Vec<f32>>());
    let wide = plain.each_ref().map(|values| widen(values));
    let step = if scale < 1e-20 { 1e-2 } else { 1e-2 * f64::from(scale) };
    let reverb = |response: &[f32]| {
        let mut reverb = Reverb::new(n_made, ir_len, add_dry);
        reverb.set_impulse_response(response);
        reverb
    };
    if scale == 1.0 {
        let (mut output, mut expected) = (vec![f32::NAN; n], vec![0.0; n]);
        reverb(&response).forward(&audio, &mut output);
        oracle(&wide[0], &wide[1], add_dry, &mut expected);
        let what = format!("{n} samples, made for {n_made}, {ir_len} taps");
        operation.oracle(&what, &output, &expected, fft_convolve::tolerance());
    }
    let of_audio = |x: &[f64], y: &mut [f64]| oracle(x, &wide[1], add_dry, y);
    operation.gradient("audio", &audio, n, step, of_audio, |x, g, grad| {
        reverb(&plain[1]).backward(x, g, Some(grad));
    });
    operation.gradient("audio", &audio, n, step, of_audio, |_, g, grad| {
        reverb(&plain[1]).backward_audio(g, grad);
    });
    let of_response = |x: &[f64], y: &mut [f64]| oracle(&wide[0], x, add_dry, y);
    operation.gradient("impulse_response", &response, n, step, of_response, |x, g, grad| {
        let mut reverb = reverb(x);
        reverb.backward(&plain[0], g, None);
        reverb.take_impulse_response_gradient(grad);
    });
}

fn compare_exp_decay(operation: &mut Operation) {
    let mut golden = Golden::open("effects");
    let audio = golden.values("audio.in.x");
    let decay = golden.values("exp_decay_reverb.in.decay");
    let raw_gain = golden.values("exp_decay_reverb.in.gain");
    let noise = golden.values("exp_decay_reverb.in.noise");
    let mut gain = [f32::NAN; 2];
    ExpSigmoid::default().forward(&raw_gain, &mut gain);
    let mut reverb = ExpDecayReverb::new(Reverb::new(2000, 500, true));
    let (mut responses, mut output) = (Vec::new(), vec![f32::NAN; 4000]);
    for row in 0..2 {
        let controls = ExpDecay { gain: gain[row], decay: decay[row] };
        reverb.set_controls(controls, &noise);
        responses.extend_from_slice(reverb.impulse_response());
        let samples = row * 2000..(row + 1) * 2000;
        reverb.forward(&audio[samples.clone()], &mut output[samples]);
    }
    // `exp_sigmoid` is good to 4e-6; the reference's exponent is an f32.
    let tolerance = Tolerance::of_peak(5e-6);
    operation.golden("effects/exp_decay_reverb", "ir", &responses, tolerance);
    operation.golden("effects/exp_decay_reverb", "y", &output, tolerance);
}

/// The definition of [`ExpDecay`], in f64.
fn naive_decay(gain: f64, decay: f64, noise: &[f64], response: &mut [f64]) {
    let last = (noise.len() - 1).max(1) as f64;
    for (i, (h, x)) in response.iter_mut().zip(noise).enumerate() {
        *h = gain * (-(2.0 + decay.exp()) * i as f64 / last).exp() * x;
    }
}

fn check_exp_decay(operation: &mut Operation) {
    // Lengths of whole groups, a part of one, one tap; slow and fast decays, gains of any size.
    for n in [64, 37, 1] {
        for (gain, decay) in
            [(0.7, 1.3), (1e-9, -2.0), (1e9, 0.0), (0.0, 3.0), (-1.0, -40.0), (0.3, 4.0)]
        {
            let noise = pseudo_random(3, n);
            let wide = widen(&noise);
            let controls = ExpDecay { gain, decay };
            let (mut response, mut expected) = (vec![f32::NAN; n], vec![0.0; n]);
            controls.forward(&noise, &mut response);
            naive_decay(gain.into(), decay.into(), &wide, &mut expected);
            // One rounding of each.
            let of_value = Tolerance::relative(1e-7);
            operation.oracle(&format!("{controls:?}, {n} taps"), &response, &expected, of_value);
            check_controls(operation, controls, &noise);
        }
    }
}

/// Checks the gradient of the controls through the whole reverb.
fn check_controls(operation: &mut Operation, controls: ExpDecay, noise: &[f32]) {
    let ExpDecay { gain, decay } = controls;
    let (audio, wide_noise) = (pseudo_random(4, 80), widen(noise));
    let wide_audio = widen(&audio);
    let through = |audio: &[f64], gain: f64, decay: f64, output: &mut [f64]| {
        let mut response = vec![0.0; noise.len()];
        naive_decay(gain, decay, &wide_noise, &mut response);
        // The dry signal does not depend on the controls, and would hide them.
        oracle(audio, &response, false, output);
    };
    let reverb = |controls: ExpDecay, dry: bool| {
        let mut reverb = ExpDecayReverb::new(Reverb::new(80, noise.len(), dry));
        reverb.set_controls(controls, noise);
        reverb
    };
    let grad_of = |controls: ExpDecay, g: &[f32]| {
        let (mut reverb, mut grad) = (reverb(controls, true), ExpDecay::default());
        reverb.backward(&audio, g, None);
        reverb.take_control_gradient(controls, noise, &mut grad);
        grad
    };
    let of_gain = |x: &[f64], y: &mut [f64]| through(&wide_audio, x[0], decay.into(), y);
    let step = 1e-2 * f64::from(gain.abs()).max(1e-9);
    operation.gradient("gain", &[gain], 80, step, of_gain, |x, g, grad| {
        grad[0] += grad_of(ExpDecay { gain: x[0], decay }, g).gain;
    });
    let of_decay = |x: &[f64], y: &mut [f64]| through(&wide_audio, gain.into(), x[0], y);
    // At -40 the decay does not depend on it to the rounding of an f64.
    if decay > -10.0 {
        operation.gradient("decay", &[decay], 80, 1e-3, of_decay, |x, g, grad| {
            grad[0] += grad_of(ExpDecay { gain, decay: x[0] }, g).decay;
        });
    }
    let of_audio = |x: &[f64], y: &mut [f64]| through(x, gain.into(), decay.into(), y);
    operation.gradient("audio", &audio, 80, 1e-2, of_audio, |x, g, grad| {
        reverb(controls, false).backward(x, g, Some(grad));
    });
}

fn compare_filtered_noise(operation: &mut Operation) {
    let mut golden = Golden::open("effects");
    let audio = golden.values("audio.in.x");
    let noise = golden.values("filtered_noise_reverb.in.noise");
    let magnitudes = scaled(&golden.values("filtered_noise_reverb.in.magnitudes"), -3.0);
    let grid = FrameGrid { sample_rate: 16_000, hop: 25 };
    let synth = FilteredNoise::with_alignment(grid, 16, 257, FilterAlignment::Reference);
    let mut reverb = FilteredNoiseReverb::new(Reverb::new(2000, 500, true), synth);
    let (mut responses, mut output) = (Vec::new(), vec![f32::NAN; 4000]);
    for row in 0..2 {
        let controls = &magnitudes[row * 20 * 16..][..20 * 16];
        reverb.set_controls(&noise[row * 500..][..500], controls);
        responses.extend_from_slice(reverb.impulse_response());
        let samples = row * 2000..(row + 1) * 2000;
        reverb.forward(&audio[samples.clone()], &mut output[samples]);
    }
    // `exp_sigmoid` is good to 4e-6, the rest to less.
    let tolerance = Tolerance::of_peak(5e-6);
    let case = "effects/filtered_noise_reverb";
    operation.golden_with_quirk(case, "ir", &responses, tolerance, QUIRK);
    operation.golden_with_quirk(case, "y", &output, tolerance, QUIRK);
}

fn check_filtered_noise(operation: &mut Operation) {
    for sizes in SIZES.into_iter().filter(|sizes| sizes.n.is_multiple_of(sizes.hop)) {
        for scale in [1.0, 0.0, 1e-9, 1e9] {
            check_one_filtered_noise(operation, sizes, scale);
        }
    }
}

/// Checks forward and backward with magnitudes of some scale.
fn check_one_filtered_noise(operation: &mut Operation, sizes: Sizes, scale: f32) {
    let (noise, audio) = (pseudo_random(5, sizes.n), pseudo_random(7, 150));
    let plain = pseudo_random(6, sizes.n_frames() * sizes.n_bands);
    let magnitudes: Vec<f32> = plain.iter().map(|m| scale * m).collect();
    let (wide_noise, wide_audio, wide) = (widen(&noise), widen(&audio), widen(&magnitudes));
    let through = |audio: &[f64], magnitudes: &[f64], output: &mut [f64]| {
        let mut response = vec![0.0; sizes.n];
        sizes.oracle(&wide_noise, magnitudes, &mut response);
        oracle(audio, &response, false, output);
    };
    let reverb = |magnitudes: &[f32]| {
        let grid = FrameGrid { sample_rate: 16_000, hop: sizes.hop };
        let synth = FilteredNoise::new(grid, sizes.n_bands, sizes.window_len);
        let mut reverb = FilteredNoiseReverb::new(Reverb::new(150, sizes.n, false), synth);
        reverb.set_controls(&noise, magnitudes);
        reverb
    };
    let (mut output, mut expected) = (vec![f32::NAN; 150], vec![0.0; 150]);
    reverb(&magnitudes).forward(&audio, &mut output);
    through(&wide_audio, &wide, &mut expected);
    let tolerance = Tolerance::of_peak(5e-6);
    operation.oracle(&format!("{sizes:?}, {scale}"), &output, &expected, tolerance);
    let of_magnitudes = |x: &[f64], y: &mut [f64]| through(&wide_audio, x, y);
    let step = 1e-2 * f64::from(scale).max(1e-9);
    operation.gradient("magnitudes", &magnitudes, 150, step, of_magnitudes, |x, g, grad| {
        let mut reverb = reverb(x);
        reverb.backward(&audio, g, None);
        reverb.take_control_gradient(&noise, x, grad);
    });
    let of_audio = |x: &[f64], y: &mut [f64]| through(x, &wide, y);
    operation.gradient("audio", &audio, 150, 1e-2, of_audio, |x, g, grad| {
        reverb(&magnitudes).backward(x, g, Some(grad));
    });
}

#[test]
fn they_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}
