use proptest::prelude::*;

use super::tests::Example;
use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_into_blocks_gives_the_same_bits(
        hop in 1_usize..70,
        shape in (1_usize..12, 2_usize..40),
        pitch in (20.0_f32..4000.0, 0.0_f32..5000.0),
        blocks in prop::collection::vec(1_usize..4, 1..6),
    ) {
        let n_frames = blocks.iter().sum();
        let example = Example::new(n_frames, hop, shape, pitch);
        for simd in Simd::all() {
            let mut synth = example.synth(simd);
            let mut whole = vec![f32::NAN; n_frames * hop];
            let final_phase = example.forward(&mut synth, &mut whole);
            let (mut phase, mut start) = (f64::from(example.initial_phase), 0);
            for block in &blocks {
                // All but the last block pass one frame more than they render.
                let frames = start..(start + block + 1).min(n_frames);
                let mut audio = vec![f32::NAN; block * hop];
                phase = synth.forward(
                    &example.f0_hz[frames.clone()],
                    &example.amplitudes[frames.clone()],
                    &example.table_weights[frames.start * shape.0..frames.end * shape.0],
                    phase,
                    &mut audio,
                );
                prop_assert_eq!(&audio[..], &whole[start * hop..][..block * hop]);
                start += block;
            }
            prop_assert_eq!(phase.to_bits(), final_phase.to_bits());
        }
    }

    /// Twice the weights are twice the audio, bit for bit, whatever was computed before.
    #[test]
    fn output_is_linear_in_the_weights_and_scratch_does_not_matter(
        hop in 1_usize..70,
        shape in (1_usize..12, 2_usize..40),
        pitch in (20.0_f32..4000.0, 0.0_f32..5000.0),
    ) {
        let example = Example::new(4, hop, shape, pitch);
        let mut synth = example.synth(Simd::widest());
        let (mut once, mut audio) = (vec![f32::NAN; 4 * hop], vec![f32::NAN; 4 * hop]);
        example.forward(&mut synth, &mut once);
        let table_weights = example.table_weights.iter().map(|w| 2.0 * w).collect();
        let twice = Example { table_weights, ..example.clone() };
        // Another signal, with NaN, leaves its traces in the scratch buffers.
        let f0_hz = vec![f32::NAN, 100.0, 2000.0, 30.0];
        let other = Example { f0_hz, amplitudes: vec![f32::NAN; 4], ..example.clone() };
        other.forward(&mut synth, &mut audio);
        other.backward(&mut synth, &once);
        twice.forward(&mut synth, &mut audio);
        for (a, b) in audio.iter().zip(&once) {
            prop_assert_eq!(*a, 2.0 * b);
        }
        // And in those of the gradients.
        let grads = example.backward(&mut synth, &once);
        let fresh = example.backward(&mut example.synth(Simd::widest()), &once);
        prop_assert_eq!(grads.tables, fresh.tables);
        prop_assert_eq!(grads.table_weights, fresh.table_weights);
        prop_assert_eq!(grads.f0_hz, fresh.f0_hz);
    }

    /// `<g, J v>` equals `<J^T g, v>` for the tables and for the weights, in each of which the output
    /// is linear; on every instruction set.
    #[test]
    fn backward_is_the_adjoint_at_any_size(
        hop in 1_usize..70,
        shape in (1_usize..20, 2_usize..70),
        pitch in (20.0_f32..4000.0, 0.0_f32..5000.0),
    ) {
        let example = Example::new(4, hop, shape, pitch);
        for simd in Simd::all() {
            let mut synth = example.synth(simd);
            let mut audio = vec![f32::NAN; 4 * hop];
            example.forward(&mut synth, &mut audio);
            let g: Vec<f32> = (0..4 * hop).map(|i| (i as f32 * 1.1).cos()).collect();
            let grads = example.backward(&mut synth, &g);
            let products = |a: &[f32], b: &[f32]| {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).collect::<Vec<f64>>()
            };
            let forward = products(&audio, &g);
            for backward in [
                products(&example.tables, &grads.tables),
                products(&example.table_weights, &grads.table_weights),
            ] {
                // Relative to what is summed, as in the check of gradients.
                let terms = forward.iter().chain(&backward);
                let magnitude: f64 = terms.map(|x| x.abs()).sum();
                let (a, b): (f64, f64) = (forward.iter().sum(), backward.iter().sum());
                prop_assert!((a - b).abs() <= 2e-5 * magnitude, "{a}, {b}, of {magnitude}");
            }
        }
    }
}

#[test]
fn silent_controls_are_silent() {
    let example = Example::new(4, 10, (3, 16), (500.0, 10.0));
    let mut synth = example.synth(Simd::widest());
    for silent in [
        Example { amplitudes: vec![0.0; 4], ..example.clone() },
        Example { table_weights: vec![0.0; 12], ..example.clone() },
        Example { f0_hz: vec![9000.0; 4], ..example.clone() },
    ] {
        let mut audio = [1.0; 40];
        silent.forward(&mut synth, &mut audio);
        assert_eq!(audio, [0.0; 40]);
    }
    // Until tables are set, they are silent.
    let grid = synth.grid();
    let mut synth = Wavetable::new(grid, 3, 16, AmplitudeInterpolation::Linear);
    let mut audio = [1.0; 40];
    example.forward(&mut synth, &mut audio);
    assert_eq!(audio, [0.0; 40]);
}

#[test]
fn bandwidths_made_in_advance_are_the_same() {
    let example = Example::new(4, 10, (3, 64), (2000.0, 1990.0));
    let (mut audio, mut expected) = ([0.0; 40], [0.0; 40]);
    example.forward(&mut example.synth(Simd::widest()), &mut expected);
    let mut synth = example.synth(Simd::widest());
    synth.make_all_bandwidths();
    example.forward(&mut synth, &mut audio);
    assert_eq!(audio, expected);
}

#[test]
fn values_that_are_not_finite_do_not_panic_and_nan_stays() {
    let finite = Example::new(3, 8, (2, 9), (500.0, 100.0));
    let mut synth = finite.synth(Simd::widest());
    let mut audio = [0.0; 24];
    for f0_hz in [[f32::NAN, 400.0, 500.0], [f32::INFINITY, 400.0, 500.0]] {
        let example = Example { f0_hz: f0_hz.to_vec(), ..finite.clone() };
        let phase = example.forward(&mut synth, &mut audio);
        assert!((0.0..1.0).contains(&phase), "{phase}");
        assert!(audio[..8].iter().all(|y| y.is_nan()), "{audio:?}");
        assert!(audio[8..].iter().all(|y| y.is_finite()), "{audio:?}");
        let _ = example.backward(&mut synth, &[1.0; 24]);
    }
    Example { f0_hz: vec![-1e30, 3e38, 1e-40], ..finite.clone() }.forward(&mut synth, &mut audio);
    assert!(audio.iter().all(|y| y.is_finite()), "{audio:?}");
    for nan in [
        Example { amplitudes: vec![f32::NAN; 3], ..finite.clone() },
        Example { table_weights: vec![f32::NAN; 6], ..finite.clone() },
        Example { tables: vec![f32::NAN; 18], ..finite },
    ] {
        nan.forward(&mut nan.synth(Simd::widest()), &mut audio);
        assert!(audio.iter().all(|y| y.is_nan()), "{audio:?}");
        let grads = nan.backward(&mut nan.synth(Simd::widest()), &[1.0; 24]);
        assert!(grads.f0_hz.iter().all(|g| g.is_nan()), "{:?}", grads.f0_hz);
    }
}

#[test]
#[should_panic(expected = "Wavetable: 100 samples for 3 frames at hop 8")]
fn a_wrong_length_names_both() {
    let example = Example::new(3, 8, (2, 9), (500.0, 100.0));
    example.forward(&mut example.synth(Simd::widest()), &mut [0.0; 100]);
}

#[test]
#[should_panic(expected = "Wavetable: 5 table_weights for 3 frames of 2 tables")]
fn weights_are_for_each_table() {
    let mut example = Example::new(3, 8, (2, 9), (500.0, 100.0));
    example.table_weights.pop();
    example.forward(&mut example.synth(Simd::widest()), &mut [0.0; 24]);
}

#[test]
#[should_panic(expected = "Wavetable: 17 values for 2 tables of 9")]
fn tables_are_whole() {
    let example = Example::new(3, 8, (2, 9), (500.0, 100.0));
    example.synth(Simd::widest()).set_tables(&[0.0; 17]);
}

#[test]
#[should_panic(expected = "Wavetable: grad of 4 of 18 tables values")]
fn a_wrong_gradient_names_both() {
    let example = Example::new(3, 8, (2, 9), (500.0, 100.0));
    let grads = WavetableGradients {
        f0_hz: None,
        initial_phase: None,
        amplitudes: &mut [0.0; 3],
        table_weights: &mut [0.0; 6],
        tables: Some(&mut [0.0; 4]),
    };
    example.synth(Simd::widest()).backward(
        &example.f0_hz,
        &example.amplitudes,
        &example.table_weights,
        0.0,
        &[0.0; 24],
        grads,
    );
}
