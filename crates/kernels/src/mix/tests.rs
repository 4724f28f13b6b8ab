use std::f64::consts::FRAC_PI_2;

use proptest::prelude::*;

use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::golden::Golden;
use crate::testing::upsample_linear;
use crate::testing::{pseudo_random, widen};

/// The definition in f64; `[signal_one, signal_two, mix_level]`.
fn oracle([one, two, mix_level]: [&[f64]; 3], hop: usize, mixed: &mut [f64]) {
    for (n, y) in mixed.iter_mut().enumerate() {
        let (i, u) = (n / hop, (n % hop) as f64 / hop as f64);
        let next = mix_level[(i + 1).min(mix_level.len() - 1)];
        let m = ((1.0 - u) * mix_level[i] + u * next).clamp(0.0, 1.0);
        *y = (FRAC_PI_2 * m).sin() * one[n] + (FRAC_PI_2 * m).cos() * two[n];
    }
}

/// Accumulates into one of the gradients alone.
fn backward(simd: Simd, inputs: [&[f32]; 3], hop: usize, g: &[f32], wanted: usize) -> Vec<f32> {
    let [signal_one, signal_two, mix_level] = inputs;
    let mut grads = inputs.map(|x| vec![0.0; x.len()]);
    let [grad_one, grad_two, grad_level] = &mut grads;
    simd.run(MixBackward {
        signal_one,
        signal_two,
        mix_level,
        hop,
        grad_mixed: g,
        grads: MixGradients { signal_one: grad_one, signal_two: grad_two, mix_level: grad_level },
    });
    std::mem::take(&mut grads[wanted])
}

/// Forward and every gradient of one example, on one instruction set.
fn compare(operation: &mut Operation, inputs: [&[f32]; 3], hop: usize, simd: Simd) {
    let n = inputs[0].len();
    let wide = inputs.map(widen);
    let (mut mixed, mut expected) = (vec![f32::NAN; n], vec![0.0; n]);
    let [signal_one, signal_two, mix_level] = inputs;
    simd.run(Mix { signal_one, signal_two, mix_level, hop, mixed: &mut mixed });
    oracle([&wide[0], &wide[1], &wide[2]], hop, &mut expected);
    // Each gain is off by 2e-7, and by 2^-24 of the level times pi / 2.
    operation.oracle("mix", &mixed, &expected, Tolerance::of_peak(8e-7));
    for (wanted, (name, step)) in
        [("signal_one", 1e-2), ("signal_two", 1e-2), ("mix_level", 1e-4)].into_iter().enumerate()
    {
        let with = |x: &[f64], y: &mut [f64]| {
            let mut inputs = [&wide[0][..], &wide[1], &wide[2]];
            inputs[wanted] = x;
            oracle(inputs, hop, y);
        };
        operation.gradient(name, inputs[wanted], n, step, with, |x, g, grad| {
            let mut moved = inputs;
            moved[wanted] = x;
            let found = backward(simd, moved, hop, g, wanted);
            grad.iter_mut().zip(found).for_each(|(sum, g)| *sum += g);
        });
    }
}

/// Levels inside of 0 and 1.
fn levels(n_frames: usize) -> Vec<f32> {
    pseudo_random(3, n_frames).iter().map(|x| 0.5 + 0.49 * x).collect()
}

fn golden_mix(operation: &mut Operation) {
    let mut golden = Golden::open("effects");
    let one = golden.values("audio.in.x");
    let two = golden.values("mix.in.signal_two");
    #[expect(clippy::cast_possible_truncation, reason = "rounds a level to f32")]
    let sigmoid = |x: &f32| (1.0 / (1.0 + (-f64::from(*x)).exp())) as f32;
    let level: Vec<f32> = golden.values("mix.in.mix_level").iter().map(sigmoid).collect();
    let mut m = vec![f32::NAN; 4000];
    for (frames, m) in level.chunks(100).zip(m.chunks_mut(2000)) {
        upsample_linear(frames, 1, 20, m);
    }
    let mixed: Vec<f32> = (0..4000)
        .map(|n| m[n].sqrt() * one[n] + (1.0 - (m[n] - 1.0).abs().sqrt()) * two[n])
        .collect();
    // The reference rounds the place between frames to 2^-24 of up to 100 frames, and with it the level,
    // which is at most a step of 1 off; a root of m, or of 1 - m, divides that by twice itself.
    let least = m.iter().fold(1.0_f32, |least, m| least.min(m.min(1.0 - m)));
    let tolerance = Tolerance::absolute(4e-6 / (2.0 * f64::from(least.sqrt())));
    let quirk = "The reference's gains are sqrt(m) and 1 - sqrt(1 - m), which keep no power; the test \
                 computes them.";
    operation.golden_with_quirk("effects/mix", "y", &mixed, tolerance, quirk);
}

fn agreement_of_mix(operation: &mut Operation) {
    golden_mix(operation);
    let signal = |seed, n, scale: f32| -> Vec<f32> {
        pseudo_random(seed, n).iter().map(|x| scale * x).collect()
    };
    for simd in Simd::all() {
        // One frame of one sample, the last frame held, the last only an end, and extreme scales.
        for (n, hop, n_frames, scale) in [
            (1, 1, 1, 1.0),
            (105, 21, 5, 1.0),
            (80, 40, 3, 1.0),
            (33, 11, 3, 1e-9),
            (33, 11, 3, 1e9),
            (33, 11, 3, 0.0),
        ] {
            let (one, two) = (signal(1, n, scale), signal(2, n, scale));
            compare(operation, [&one, &two, &levels(n_frames)], hop, simd);
        }
        // Held at both ends; where a straight line enters, the slope jumps, but not at a sample.
        let (one, two) = (signal(1, 30, 1.0), signal(2, 30, 1.0));
        compare(operation, [&one, &two, &[-0.55, 1.57, 1.43]], 10, simd);
    }
}

pub(crate) fn agreement(report: &mut Report) {
    agreement_of_mix(report.operation("mix"));

    let operation = report.operation("add");
    let (one, two) = (pseudo_random(1, 9), pseudo_random(2, 9));
    let mut sum = [f32::NAN; 9];
    add(&one, &two, &mut sum);
    let of_sum = |one: &[f64], two: &[f64]| -> Vec<f64> {
        one.iter().zip(two).map(|(one, two)| one + two).collect()
    };
    let expected = of_sum(&widen(&one), &widen(&two));
    operation.oracle("add", &sum, &expected, Tolerance::relative(6e-8));
    let with = |x: &[f64], y: &mut [f64]| y.copy_from_slice(&of_sum(x, &widen(&two)));
    operation.gradient("signal_one", &one, 9, 1e-2, with, |_, g, grad| {
        add_backward(g, grad, &mut [0.0; 9]);
    });
    let with = |x: &[f64], y: &mut [f64]| y.copy_from_slice(&of_sum(&widen(&one), x));
    operation.gradient("signal_two", &two, 9, 1e-2, with, |_, g, grad| {
        add_backward(g, &mut [0.0; 9], grad);
    });

    let operation = report.operation("crop");
    let audio = Golden::open("effects").values("audio.in.x");
    for (case, location, front) in [
        ("crop_front", CropLocation::Front, 320),
        ("crop_center", CropLocation::Centre, 160),
        ("crop_back", CropLocation::Back, 0),
    ] {
        let mut cropped = vec![f32::NAN; 2 * 1680];
        for (audio, cropped) in audio.chunks(2000).zip(cropped.chunks_mut(1680)) {
            crop(audio, location, cropped);
        }
        let exact = Tolerance::absolute(0.0);
        operation.golden(&format!("effects/{case}"), "y", &cropped, exact);
        let clip = &audio[..2000];
        let with = |x: &[f64], y: &mut [f64]| y.copy_from_slice(&x[front..front + 1680]);
        operation.gradient("audio", clip, 1680, 1e-2, with, |_, g, grad| {
            crop_backward(g, location, grad);
        });
    }

    let operation = report.operation("TensorToAudio (a slice as it is)");
    let samples = Golden::open("synths").values("tensor_to_audio.in.x");
    operation.golden("synths/tensor_to_audio", "y", &samples, Tolerance::absolute(0.0));
}

#[test]
fn they_agree_with_the_reference_and_their_gradients() {
    agreement(&mut Report::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_into_blocks_gives_the_same_bits(
        hop in 1_usize..70,
        blocks in prop::collection::vec(1_usize..4, 1..6),
    ) {
        let n_frames: usize = blocks.iter().sum();
        let n = n_frames * hop;
        let (one, two) = (pseudo_random(1, n), pseudo_random(2, n));
        let (level, mut whole) = (levels(n_frames), vec![f32::NAN; n]);
        mix(&one, &two, &level, hop, &mut whole);
        let mut start = 0;
        for block in blocks {
            // All but the last block pass one frame more than they mix.
            let frames = start..(start + block + 1).min(n_frames);
            let samples = start * hop..(start + block) * hop;
            let mut mixed = vec![f32::NAN; block * hop];
            mix(&one[samples.clone()], &two[samples.clone()], &level[frames], hop, &mut mixed);
            prop_assert_eq!(&mixed[..], &whole[samples]);
            start += block;
        }
    }

    /// The squares of the gains add up to 1 at any level, and beyond the ends the gains are held.
    #[test]
    fn power_is_kept(level in -1.0_f32..2.0) {
        let (mut one, mut two) = ([f32::NAN], [f32::NAN]);
        mix(&[1.0], &[0.0], &[level], 1, &mut one);
        mix(&[0.0], &[1.0], &[level], 1, &mut two);
        let power = f64::from(one[0]).powi(2) + f64::from(two[0]).powi(2);
        // Each gain is off by 2e-7.
        prop_assert!((power - 1.0).abs() <= 8e-7, "{power} at {level}");
        prop_assert!(one[0] >= 0.0 && two[0] >= 0.0);
    }
}

#[test]
fn the_ends_are_one_signal_alone() {
    let (one, two) = ([0.3, -0.7], [5.0, 9.0]);
    for (level, expected) in [(1.0, one), (3.0, one), (0.0, two), (-2.0, two)] {
        let mut mixed = [f32::NAN; 2];
        mix(&one, &two, &[level], 2, &mut mixed);
        for (y, e) in mixed.iter().zip(expected) {
            assert!((y - e).abs() <= 2e-7 * 9.0, "{y}, not {e}, at {level}");
        }
    }
}

#[test]
fn nan_stays_and_ends_have_finite_gradients() {
    let mut mixed = [0.0; 4];
    mix(&[1.0; 4], &[1.0; 4], &[f32::NAN, 0.0], 2, &mut mixed);
    assert!(mixed[..2].iter().all(|y| y.is_nan()) && mixed[2..] == [1.0; 2], "{mixed:?}");
    mix(&[1.0; 4], &[f32::NAN; 4], &[0.5], 4, &mut mixed);
    assert!(mixed.iter().all(|y| y.is_nan()), "{mixed:?}");
    let inputs: [&[f32]; 3] = [&[1.0, 1.0], &[1.0, 1.0], &[0.0, 1.0]];
    let grad = backward(Simd::widest(), inputs, 1, &[1.0, 1.0], 2);
    let quarter = std::f32::consts::FRAC_PI_2;
    assert!((grad[0] - quarter).abs() <= 1e-6 && (grad[1] + quarter).abs() <= 1e-6, "{grad:?}");
}

#[test]
fn an_odd_excess_is_cut_at_the_back() {
    let mut cropped = [f32::NAN; 2];
    crop(&[0.0, 1.0, 2.0, 3.0, 4.0], CropLocation::Centre, &mut cropped);
    assert_eq!(cropped, [1.0, 2.0]);
}

#[test]
#[should_panic(expected = "mix: 7 samples for 3 frames at hop 2")]
fn a_wrong_length_names_both() {
    mix(&[0.0; 7], &[0.0; 7], &[0.0; 3], 2, &mut [0.0; 7]);
}

#[test]
#[should_panic(expected = "mix: grad of 2 of 3 mix_level values")]
fn a_wrong_gradient_names_both() {
    let grads = MixGradients {
        signal_one: &mut [0.0; 6],
        signal_two: &mut [0.0; 6],
        mix_level: &mut [0.0; 2],
    };
    mix_backward(&[0.0; 6], &[0.0; 6], &[0.0; 3], 2, &[0.0; 6], grads);
}

#[test]
#[should_panic(expected = "add: 2 samples to add to 3")]
fn signals_are_as_long() {
    add(&[0.0; 3], &[0.0; 2], &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "crop: 3 samples to 4")]
fn a_crop_is_not_longer() {
    crop(&[0.0; 3], CropLocation::Front, &mut [0.0; 4]);
}
