use proptest::prelude::*;

use super::tests::{Example, SAMPLE_RATE};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    /// Twice the amplitudes are twice the audio, bit for bit, whatever was computed before.
    #[test]
    fn output_is_linear_in_the_amplitudes_and_scratch_does_not_matter(
        hop in 1_usize..70,
        n_harmonics in 1_usize..40,
        low_hz in 20.0_f32..4000.0,
        span_hz in 0.0_f32..5000.0,
    ) {
        let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop };
        let mut harmonic = Harmonic::new(grid, n_harmonics, AmplitudeInterpolation::Window);
        let example = Example::new(4, n_harmonics, low_hz, span_hz);
        let mut once = vec![f32::NAN; 4 * hop];
        example.forward(&mut harmonic, 0.1, &mut once);
        let twice: Vec<f32> = example.amplitudes().iter().map(|a| 2.0 * a).collect();
        let mut audio = vec![f32::NAN; 4 * hop];
        // Another signal in between leaves its traces in the scratch buffers.
        Example::new(4, n_harmonics, 333.0, 99.0).forward(&mut harmonic, 0.7, &mut audio);
        harmonic.forward(example.f0_hz(), &twice, example.distribution(), 0.1, &mut audio);
        for (a, b) in audio.iter().zip(&once) {
            prop_assert_eq!(*a, 2.0 * b);
        }
    }

    /// `<g, J v>` equals `<J^T g, v>` for the amplitudes, in which the output is linear.
    #[test]
    fn backward_is_the_adjoint_at_any_size(
        hop in 1_usize..70,
        n_harmonics in 1_usize..40,
        low_hz in 20.0_f32..4000.0,
        span_hz in 0.0_f32..5000.0,
    ) {
        let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop };
        let mut harmonic = Harmonic::new(grid, n_harmonics, AmplitudeInterpolation::Linear);
        let example = Example::new(4, n_harmonics, low_hz, span_hz);
        let mut audio = vec![f32::NAN; 4 * hop];
        example.forward(&mut harmonic, 0.1, &mut audio);
        let g: Vec<f32> = (0..4 * hop).map(|i| (i as f32 * 1.1).cos()).collect();
        let (mut amplitudes, mut distribution) = (vec![0.0; 4], vec![0.0; 4 * n_harmonics]);
        harmonic.backward(
            example.f0_hz(),
            example.amplitudes(),
            example.distribution(),
            0.1,
            &g,
            HarmonicGradients {
                f0_hz: None,
                initial_phase: None,
                amplitudes: &mut amplitudes,
                harmonic_distribution: &mut distribution,
            },
        );
        let dot = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
        };
        let forward = dot(&audio, &g);
        // Rounding of sums of n_harmonics * hop terms below 0.132 each.
        let tolerance = 1e-6 * 0.132 * (4 * hop * n_harmonics) as f64;
        let by_amplitudes = dot(example.amplitudes(), &amplitudes);
        prop_assert!((forward - by_amplitudes).abs() <= tolerance);
        let by_distribution = dot(example.distribution(), &distribution);
        prop_assert!((forward - by_distribution).abs() <= tolerance);
    }
}
