use proptest::prelude::*;

use super::tests::{Example, Shape};
use super::*;

fn interpolation(is_linear: bool) -> AmplitudeInterpolation {
    if is_linear { AmplitudeInterpolation::Linear } else { AmplitudeInterpolation::Window }
}

/// Shapes on both sides of a tile, of a lot of samples and of a group of oscillators.
fn shapes() -> impl Strategy<Value = Shape> {
    (1_usize..6, 1_usize..40, 1_usize..140, any::<bool>()).prop_map(
        |(n_frames, n_sinusoids, hop, is_linear)| {
            let interpolation = interpolation(is_linear);
            Shape { n_frames, n_sinusoids, hop, interpolation }
        },
    )
}

/// Centre and span: of both signs, up to above the Nyquist frequency.
fn frequencies() -> impl Strategy<Value = (f32, f32)> {
    (-9000.0_f32..9000.0, 0.0_f32..5000.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// Whatever the split, block by block with one frame of lookahead gives the same bits.
    #[test]
    fn any_split_into_blocks_gives_the_same_bits(
        shape in shapes(),
        (centre_hz, span_hz) in frequencies(),
        blocks in prop::collection::vec(1_usize..4, 6),
    ) {
        let example = Example::new(shape, centre_hz, span_hz);
        let mut sinusoidal = shape.sinusoidal();
        let (whole, final_phases) = example.forward(&mut sinusoidal);
        let (mut phases, mut start) = (example.phases.clone(), 0);
        for block in blocks {
            let block = block.min(shape.n_frames - start);
            let end = (start + block + 1).min(shape.n_frames);
            let row = start * shape.n_sinusoids..end * shape.n_sinusoids;
            let mut audio = vec![f32::NAN; block * shape.hop];
            sinusoidal.forward(
                &example.frequencies_hz[row.clone()],
                &example.amplitudes[row],
                &mut phases,
                &mut audio,
            );
            prop_assert_eq!(&audio[..], &whole[start * shape.hop..][..audio.len()]);
            start += block;
        }
        prop_assert_eq!(start, shape.n_frames);
        prop_assert_eq!(phases, final_phases);
    }

    /// Twice the amplitudes are twice the audio, bit for bit, whatever was computed before.
    #[test]
    fn output_is_linear_in_the_amplitudes_and_scratch_does_not_matter(
        shape in shapes(),
        (centre_hz, span_hz) in frequencies(),
    ) {
        let mut sinusoidal = shape.sinusoidal();
        let mut example = Example::new(shape, centre_hz, span_hz);
        let (once, _) = example.forward(&mut sinusoidal);
        // Another signal in between, and nothing but NaN, leave their traces in the scratch.
        Example::new(shape, 333.0, 99.0).forward(&mut sinusoidal);
        let mut dirt = Example::new(shape, 333.0, 99.0);
        dirt.amplitudes.fill(f32::NAN);
        dirt.forward(&mut sinusoidal);
        example.amplitudes.iter_mut().for_each(|a| *a *= 2.0);
        let (twice, _) = example.forward(&mut sinusoidal);
        for (twice, once) in twice.iter().zip(&once) {
            prop_assert_eq!(*twice, 2.0 * once);
        }
    }

    /// Without amplitudes there is silence, but the phases go on as they do with them.
    #[test]
    fn silence_turns_the_phases(shape in shapes(), (centre_hz, span_hz) in frequencies()) {
        let mut example = Example::new(shape, centre_hz, span_hz);
        let mut sinusoidal = shape.sinusoidal();
        let (_, phases) = example.forward(&mut sinusoidal);
        example.amplitudes.fill(0.0);
        let (audio, silent_phases) = example.forward(&mut sinusoidal);
        prop_assert!(audio.iter().all(|y| *y == 0.0), "silence");
        prop_assert_eq!(phases, silent_phases);
    }

    /// A sinusoid run backwards is the one run forwards, negated.
    #[test]
    fn negative_frequencies_mirror_positive_ones(
        shape in shapes(),
        (centre_hz, span_hz) in frequencies(),
    ) {
        let mut example = Example::new(shape, centre_hz, span_hz);
        let mut sinusoidal = shape.sinusoidal();
        let (forwards, _) = example.forward(&mut sinusoidal);
        example.frequencies_hz.iter_mut().for_each(|f| *f = -*f);
        example.phases.iter_mut().for_each(|p| *p = -*p);
        let (backwards, _) = example.forward(&mut sinusoidal);
        // Roundings of phases to nearest differ by a unit where they are ties, 1.5e-9 rad.
        let tolerance = 1e-6 * shape.n_sinusoids as f32;
        for (a, b) in forwards.iter().zip(&backwards) {
            prop_assert!((a + b).abs() <= tolerance, "{} and {}", a, b);
        }
    }

    /// `<g, J v>` equals `<J^T g, v>` for the amplitudes, in which the output is linear.
    #[test]
    fn backward_is_the_adjoint_at_any_size(
        shape in shapes(),
        (centre_hz, span_hz) in frequencies(),
        with_lookahead in any::<bool>(),
    ) {
        let mut sinusoidal = shape.sinusoidal();
        let example = Example::new(shape, centre_hz, span_hz);
        let n_samples = shape.n_samples() - if with_lookahead { shape.hop } else { 0 };
        let mut audio = vec![f32::NAN; n_samples];
        let mut phases = example.phases.clone();
        let (f, a) = (&example.frequencies_hz, &example.amplitudes);
        sinusoidal.forward(f, a, &mut phases, &mut audio);
        let grad: Vec<f32> = (0..n_samples).map(|i| (i as f32 * 1.1).cos()).collect();
        let mut amplitudes = vec![0.0; shape.n_controls()];
        let grads = SinusoidalGradients {
            frequencies_hz: None,
            amplitudes: &mut amplitudes,
            phases: None,
        };
        sinusoidal.backward(f, a, &example.phases, &grad, grads);
        let dot = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
        };
        // Terms of at most 1, each off by 3e-7 in either sum.
        let tolerance = 1e-6 * (n_samples * shape.n_sinusoids) as f64;
        let (forward, backward) = (dot(&audio, &grad), dot(a, &amplitudes));
        prop_assert!((forward - backward).abs() <= tolerance, "{} and {}", forward, backward);
    }

    /// Gradients of a block and of the next add up to the whole's, the phases' carrying over.
    #[test]
    fn the_gradient_of_the_initial_phases_is_that_of_all_later_samples(
        shape in shapes(),
        (centre_hz, span_hz) in frequencies(),
    ) {
        let mut sinusoidal = shape.sinusoidal();
        let example = Example::new(shape, centre_hz, span_hz);
        let grad: Vec<f32> = (0..shape.n_samples()).map(|i| (i as f32 * 0.9).sin()).collect();
        let n = shape.n_sinusoids;
        let (f, a) = (&example.frequencies_hz, &example.amplitudes);
        let mut backward = |frames: std::ops::Range<usize>, phases: &[f64], grad: &[f32]| {
            let row = frames.start * n..frames.end * n;
            let mut initial = vec![0.0; n];
            let grads = SinusoidalGradients {
                frequencies_hz: None,
                amplitudes: &mut vec![0.0; row.len()],
                phases: Some(&mut initial),
            };
            sinusoidal.backward(&f[row.clone()], &a[row], phases, grad, grads);
            initial
        };
        let whole = backward(0..shape.n_frames, &example.phases, &grad);
        let split = shape.n_frames / 2;
        let (first_grad, second_grad) = grad.split_at(split * shape.hop);
        let first = backward(0..split + 1, &example.phases, first_grad);
        let mut phases = example.phases.clone();
        let mut audio = vec![0.0; split * shape.hop];
        let row = 0..(split + 1) * n;
        shape.sinusoidal().forward(&f[row.clone()], &a[row], &mut phases, &mut audio);
        let second = backward(split..shape.n_frames, &phases, second_grad);
        // Sums of as many terms below 2 pi.
        let tolerance = 1e-6 * std::f32::consts::TAU * shape.n_samples() as f32;
        for ((whole, first), second) in whole.iter().zip(first).zip(second) {
            prop_assert!((whole - first - second).abs() <= tolerance, "{}", whole);
        }
    }
}
