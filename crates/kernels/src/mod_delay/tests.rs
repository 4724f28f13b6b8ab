use proptest::prelude::*;

use super::*;
use crate::ExpSigmoid;
use crate::agreement::{Operation, Report, Tolerance};
use crate::delay::tests::{between, wrap_last_tap};
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

/// The inputs of one example.
#[derive(Clone)]
struct Example {
    audio: Vec<f32>,
    gain: Vec<f32>,
    phase: Vec<f32>,
    history: Vec<f32>,
}

impl Example {
    /// Phases are inside their range, and no delay is closer to a whole number of samples than 1/50.
    fn new(delay: &ModDelay, n: usize) -> Self {
        let (shortest, longest) = (delay.centre - delay.depth, delay.centre + delay.depth);
        let phase = |x: f32| {
            let samples = shortest + (0.5 + 0.49 * f64::from(x)) * (longest - shortest);
            let apart = samples.floor() + samples.fract().clamp(0.02, 0.98);
            let phase = (apart - shortest) / (longest - shortest).max(1e-9);
            #[expect(clippy::cast_possible_truncation, reason = "rounds a phase to f32")]
            {
                phase as f32
            }
        };
        Self {
            audio: pseudo_random(1, n),
            gain: pseudo_random(2, n),
            phase: pseudo_random(3, n).into_iter().map(phase).collect(),
            history: pseudo_random(4, delay.history_len()),
        }
    }

    fn scaled(mut self, audio: f32, gain: f32) -> Self {
        self.audio.iter_mut().chain(&mut self.history).for_each(|x| *x *= audio);
        self.gain.iter_mut().for_each(|x| *x *= gain);
        self
    }

    fn forward(&self, delay: &ModDelay) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.audio.len()];
        let mut history = self.history.clone();
        delay.forward(&self.audio, &self.gain, &self.phase, &mut history, &mut out);
        out
    }

    fn backward(&self, delay: &ModDelay, grad_out: &[f32]) -> Self {
        let zeros = || vec![0.0; self.audio.len()];
        let mut grads = Self { audio: zeros(), gain: zeros(), phase: zeros(), history: Vec::new() };
        let (audio, gain, phase) = (&mut grads.audio, &mut grads.gain, &mut grads.phase);
        delay.backward(
            &self.audio,
            &self.gain,
            &self.phase,
            &self.history,
            grad_out,
            ModDelayGradients { audio, gain, phase },
        );
        grads
    }
}

/// The definition in f64; `[audio, gain, phase]`.
fn oracle(delay: &ModDelay, [audio, gain, phase]: [&[f64]; 3], history: &[f64], out: &mut [f64]) {
    let line: Vec<f64> = history.iter().chain(audio).copied().collect();
    for (n, y) in out.iter_mut().enumerate() {
        let samples = delay.centre + delay.depth * (2.0 * phase[n].clamp(0.0, 1.0) - 1.0);
        let wet = gain[n] * between(&line, (history.len() + n) as f64 - samples);
        *y = wet + if delay.add_dry { audio[n] } else { 0.0 };
    }
}

/// Forward and every gradient of one example.
fn compare(operation: &mut Operation, delay: &ModDelay, example: &Example) {
    let n = example.audio.len();
    let (audio, gain) = (widen(&example.audio), widen(&example.gain));
    let (phase, history) = (widen(&example.phase), widen(&example.history));
    let mut expected = vec![0.0; n];
    oracle(delay, [&audio, &gain, &phase], &history, &mut expected);
    // The weight, the difference, two products and two sums round, of up to twice the peak each.
    let tolerance = Tolerance::of_peak(8e-7);
    operation.oracle("ModDelay", &example.forward(delay), &expected, tolerance);
    let of_audio = |x: &[f64], y: &mut [f64]| oracle(delay, [x, &gain, &phase], &history, y);
    operation.gradient("audio", &example.audio, n, 1e-2, of_audio, |x, g, grad| {
        add(grad, &Example { audio: x.to_vec(), ..example.clone() }.backward(delay, g).audio);
    });
    let of_gain = |x: &[f64], y: &mut [f64]| oracle(delay, [&audio, x, &phase], &history, y);
    operation.gradient("gain", &example.gain, n, 1e-2, of_gain, |x, g, grad| {
        add(grad, &Example { gain: x.to_vec(), ..example.clone() }.backward(delay, g).gain);
    });
    let of_phase = |x: &[f64], y: &mut [f64]| oracle(delay, [&audio, &gain, x], &history, y);
    // A thousandth of a sample.
    let step = 1e-3 / (2.0 * delay.depth).max(1.0);
    operation.gradient("phase", &example.phase, n, step, of_phase, |x, g, grad| {
        add(grad, &Example { phase: x.to_vec(), ..example.clone() }.backward(delay, g).phase);
    });
}

fn add(sum: &mut [f32], x: &[f32]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}

/// The reference's delay goes from `centre` to `centre + depth`, and its last tap wraps.
fn golden(operation: &mut Operation) {
    let mut golden = Golden::open("effects");
    let audio = golden.values("audio.in.x");
    let raw_gain = golden.values("mod_delay.in.gain");
    let mut gain = vec![f32::NAN; raw_gain.len()];
    ExpSigmoid::default().forward(&raw_gain, &mut gain);
    #[expect(clippy::cast_possible_truncation, reason = "rounds a phase to f32")]
    let sigmoid = |x: &f32| (1.0 / (1.0 + (-f64::from(*x)).exp())) as f32;
    let phase: Vec<f32> = golden.values("mod_delay.in.phase").iter().map(sigmoid).collect();
    for (case, centre_ms, depth_ms, add_dry) in [
        ("mod_delay", 15.0, 10.0, true),
        ("mod_delay_0.75", 0.75, 0.75, true),
        ("mod_delay_25.0", 25.0, 1.0, false),
    ] {
        let half = 0.5 * depth_ms;
        let delay = ModDelay::new(16_000, centre_ms + half, half, add_dry);
        let mut out = Vec::new();
        for clip in 0..2 {
            let range = clip * 2000..(clip + 1) * 2000;
            let example = Example {
                audio: audio[range.clone()].to_vec(),
                gain: gain[range.clone()].to_vec(),
                phase: phase[range].to_vec(),
                history: vec![0.0; delay.history_len()],
            };
            let mut wrapped = vec![0.0; 2000];
            let delays: Vec<f64> = example.phase.iter().map(|p| delay.delay(*p)).collect();
            wrap_last_tap(&delays, delay.history_len(), &example.audio, &mut wrapped);
            let wet = wrapped.iter().zip(&example.gain).map(|(y, gain)| gain * y);
            out.extend(example.forward(&delay).iter().zip(wet).map(|(y, wrap)| y + wrap));
        }
        // The reference has the delay in f32, as a part of the longest one, and rounds it twice to
        // 2^-24 of that; neighbours differ by up to 2, and the gain is up to 2.
        let tolerance = Tolerance::absolute(6e-8 * delay.history_len() as f64 * 2.0 * 2.0);
        operation.golden_with_quirk(&format!("effects/{case}"), "y", &out, tolerance, QUIRK);
    }
}

const QUIRK: &str = "The reference's delay goes from its centre up by its depth; the test makes one \
                     with half of the depth added to the centre, and half the depth. Its last tap is \
                     the undelayed sample; the test puts it there.";

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("ModDelay");
    golden(operation);
    for (delay, n) in [
        (ModDelay::flanger(16_000), 50),
        (ModDelay::vibrato(8_000), 1),
        (ModDelay::new(1_000, 7.3, 5.1, true), 60),
        (ModDelay::new(1_000, 7.3, 5.1, false), 5),
    ] {
        compare(operation, &delay, &Example::new(&delay, n));
    }
    let delay = ModDelay::new(1_000, 7.3, 5.1, true);
    for (audio, gain) in [(1e-9, 1.0), (1e9, 1.0), (0.0, 1.0), (1.0, 0.0)] {
        compare(operation, &delay, &Example::new(&delay, 30).scaled(audio, gain));
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_into_blocks_gives_the_same_bits(
        centre_ms in 0.0_f64..5.0,
        depth in 0.0_f64..1.0,
        add_dry: bool,
        blocks in prop::collection::vec(0_usize..60, 1..8),
    ) {
        let delay = ModDelay::new(8_000, centre_ms, depth * centre_ms, add_dry);
        let example = Example::new(&delay, blocks.iter().sum());
        let whole = example.forward(&delay);
        let (mut start, mut history) = (0, example.history.clone());
        for block in blocks {
            let range = start..start + block;
            let mut out = vec![f32::NAN; block];
            delay.forward(
                &example.audio[range.clone()],
                &example.gain[range.clone()],
                &example.phase[range.clone()],
                &mut history,
                &mut out,
            );
            prop_assert_eq!(&out[..], &whole[range]);
            start += block;
        }
    }
}

#[test]
fn the_delay_is_as_said() {
    // At 1 kHz a sample is a millisecond.
    let delay = ModDelay::new(1_000, 5.0, 3.0, false);
    let audio = pseudo_random(1, 20);
    for (phase, samples) in [(0.0, 2), (0.5, 5), (1.0, 8), (-4.0, 2), (9.0, 8)] {
        let mut out = [f32::NAN; 20];
        let mut history = [0.0; 8];
        delay.forward(&audio, &[1.0; 20], &[phase; 20], &mut history, &mut out);
        assert_eq!(out[samples..], audio[..20 - samples], "phase {phase}");
        assert_eq!(history, audio[12..], "phase {phase}");
    }
}

#[test]
fn no_delay_at_all_needs_a_sample_of_history() {
    let delay = ModDelay::new(8_000, 0.0, 0.0, true);
    let mut out = [f32::NAN; 2];
    delay.forward(&[1.0, 2.0], &[0.5; 2], &[0.3; 2], &mut vec![0.0; delay.history_len()], &mut out);
    assert_eq!(out, [1.5, 3.0]);
}

#[test]
fn nan_stays_and_infinity_is_held() {
    let delay = ModDelay::flanger(16_000);
    let mut example = Example::new(&delay, 3);
    example.phase = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let out = example.forward(&delay);
    assert!(out[0].is_nan() && out[1].is_finite() && out[2].is_finite(), "{out:?}");
    let grads = example.backward(&delay, &[1.0; 3]);
    assert!(grads.gain[0].is_nan() && grads.phase[1..] == [0.0; 2], "{:?}", grads.phase);
}

#[test]
#[should_panic(expected = "ModDelay: 1 ms, 2 ms to either side")]
fn a_delay_is_not_negative() {
    let _ = ModDelay::new(16_000, 1.0, 2.0, true);
}

#[test]
#[should_panic(expected = "ModDelay: a history of 23, not 24")]
fn a_wrong_length_names_both() {
    let (x, mut out) = ([0.0; 3], [0.0; 3]);
    ModDelay::flanger(16_000).forward(&x, &x, &x, &mut [0.0; 23], &mut out);
}

#[test]
#[should_panic(expected = "ModDelay: grad of 2 of 3 gain values")]
fn a_wrong_gradient_names_both() {
    let x = [0.0; 3];
    let grads =
        ModDelayGradients { audio: &mut [0.0; 3], gain: &mut [0.0; 2], phase: &mut [0.0; 3] };
    ModDelay::flanger(16_000).backward(&x, &x, &x, &[0.0; 24], &x, grads);
}
