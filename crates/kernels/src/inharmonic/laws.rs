use proptest::prelude::*;

use super::tests::{Example, SAMPLE_RATE, Shape};
use super::*;
use crate::Harmonic;

fn shapes() -> impl Strategy<Value = Shape> {
    (1_usize..6, 1_usize..40, 1_usize..100).prop_map(|(n_frames, n_partials, hop)| {
        let interpolation = AmplitudeInterpolation::Window;
        Shape { n_frames, n_partials, hop, interpolation }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    /// Whatever the split, block by block with one frame of lookahead gives the same bits.
    #[test]
    fn any_split_into_blocks_gives_the_same_bits(
        shape in shapes(),
        f0_hz in 30.0_f32..3000.0,
        split in 0_usize..6,
    ) {
        let example = Example::new(shape, f0_hz, 1e-2);
        let mut inharmonic = shape.inharmonic();
        let (whole, final_phases) = example.forward(&mut inharmonic);
        let split = split.min(shape.n_frames - 1);
        let mut phases = example.phases.clone();
        let mut block = |frames: std::ops::Range<usize>, audio: &mut [f32]| {
            let values = frames.start * shape.n_partials..frames.end * shape.n_partials;
            inharmonic.forward(
                StretchedPartials {
                    f0_hz: &example.f0_hz[frames.clone()],
                    inharmonicity: &example.inharmonicity[frames.clone()],
                    harmonic_shifts: Some(&example.harmonic_shifts[values.clone()]),
                },
                &example.amplitudes[frames],
                &example.harmonic_distribution[values],
                &mut phases,
                audio,
            );
        };
        let mut audio = vec![f32::NAN; whole.len()];
        let (first, second) = audio.split_at_mut(split * shape.hop);
        block(0..split + 1, first);
        block(split..shape.n_frames, second);
        prop_assert_eq!(audio, whole);
        prop_assert_eq!(phases, final_phases);
    }

    /// Without stretching and shifts, from multiples of a phase, it is the harmonic synthesizer.
    #[test]
    fn without_stretching_it_is_harmonic(shape in shapes(), f0_hz in 30.0_f32..3000.0) {
        let mut example = Example::new(shape, f0_hz, 0.0);
        example.harmonic_shifts.fill(0.0);
        example.phases = (1..=shape.n_partials).map(|k| k as f64 * 0.3).collect();
        let (audio, _) = example.forward(&mut shape.inharmonic());
        let mut expected = vec![f32::NAN; audio.len()];
        let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: shape.hop };
        Harmonic::new(grid, shape.n_partials, shape.interpolation).forward(
            &example.f0_hz,
            &example.amplitudes,
            &example.harmonic_distribution,
            0.3,
            &mut expected,
        );
        // Each is off by 3e-7 of the sum of the amplitudes, up to 1 each, and Harmonic's phase of
        // partial k by k 2^-32 turns, up to 40 * 1.5e-9 rad.
        let tolerance = 7e-7 * shape.n_partials as f32;
        let nyquist_hz = 0.5 * SAMPLE_RATE as f32;
        for (n, (a, b)) in audio.iter().zip(&expected).enumerate() {
            // Where a partial meets the Nyquist frequency, roundings tell whether it sounds.
            let i = n / shape.hop;
            let next = (i + 1).min(shape.n_frames - 1);
            let u = (n % shape.hop) as f32 / shape.hop as f32;
            let f0 = example.f0_hz[i] + u * (example.f0_hz[next] - example.f0_hz[i]);
            let is_close = |k: usize| (k as f32 * f0 / nyquist_hz - 1.0).abs() < 1e-6;
            if !(1..=shape.n_partials).any(is_close) {
                prop_assert!((a - b).abs() <= tolerance, "{}: {} and {}", n, a, b);
            }
        }
    }

    /// What is normalised sums to 1 or is nothing, and all of it is below the Nyquist frequency.
    #[test]
    fn a_normalized_frame_sums_to_one(shape in shapes(), f0_hz in 30.0_f32..12_000.0) {
        let example = Example::new(shape, f0_hz, 1e-2);
        let n = shape.n_partials;
        let (mut normalized, mut frequencies_hz) =
            (vec![f32::NAN; shape.n_frames * n], vec![f32::NAN; shape.n_frames * n]);
        let (distribution, partials) = (&example.harmonic_distribution, example.partials());
        normalize_partials(distribution, partials, SAMPLE_RATE as f32, &mut normalized);
        partial_frequencies(partials, n, &mut frequencies_hz);
        for (row, f) in normalized.chunks(n).zip(frequencies_hz.chunks(n)) {
            let sum: f32 = row.iter().sum();
            prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-5, "{}", sum);
            prop_assert!(row.iter().zip(f).all(|(y, f)| *y == 0.0 || *f <= 8000.0));
        }
    }
}

#[test]
fn the_partial_at_the_nyquist_frequency_is_cut() {
    // Partial 2 of 3000 Hz stretched by sqrt(1 + 4 * 7 / 36) = 4/3 is at 8000 Hz; the shift takes
    // the third down again to where it sounds.
    let partials = StretchedPartials {
        f0_hz: &[3000.0],
        inharmonicity: &[7.0 / 36.0],
        harmonic_shifts: Some(&[0.0, 1e-6, -0.5]),
    };
    let mut y = [f32::NAN; 3];
    normalize_partials(&[1.0, 1.0, 3.0], partials, 16_000.0, &mut y);
    assert_eq!(y, [0.25, 0.0, 0.75]);
}

#[test]
fn nothing_left_and_no_frequency_are_nothing() {
    let partials = StretchedPartials {
        f0_hz: &[9000.0, 100.0, f32::NAN, 100.0],
        inharmonicity: &[0.0, 0.0, 0.0, -1.0],
        harmonic_shifts: None,
    };
    let mut y = [f32::NAN; 8];
    let distribution = [0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.25, 0.5];
    normalize_partials(&distribution, partials, 16_000.0, &mut y);
    // Partial 1 of the last frame is at 0 Hz, partial 2 nowhere.
    assert_eq!(y, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn a_frame_without_frequency_is_not_a_number() {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 4 };
    let mut inharmonic = Inharmonic::new(grid, 2, AmplitudeInterpolation::Linear);
    for (f0, b) in [(f32::NAN, 0.0), (100.0, f32::NAN), (100.0, -0.5)] {
        let f0_hz = [100.0, 100.0, f0, 100.0, 100.0];
        let inharmonicity = [0.0, 0.0, b, 0.0, 0.0];
        let partials = StretchedPartials {
            f0_hz: &f0_hz,
            inharmonicity: &inharmonicity,
            harmonic_shifts: None,
        };
        let (mut phases, mut audio) = ([0.0; 2], [0.0; 20]);
        inharmonic.forward(partials, &[1.0; 5], &[0.5; 10], &mut phases, &mut audio);
        let nan: Vec<bool> = audio.chunks(4).map(|hop| hop.iter().all(|y| y.is_nan())).collect();
        assert_eq!(nan, [false, true, true, false, false], "f0 {f0}, B {b}");
        assert!(phases.iter().all(|p| p.is_finite()), "f0 {f0}, B {b}: {phases:?}");
    }
}

fn forward_of_lengths(b: usize, shifts: usize, amplitudes: usize, values: usize, samples: usize) {
    let grid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 4 };
    Inharmonic::new(grid, 2, AmplitudeInterpolation::Linear).forward(
        StretchedPartials {
            f0_hz: &[100.0; 3],
            inharmonicity: &vec![0.0; b],
            harmonic_shifts: Some(&vec![0.0; shifts]),
        },
        &vec![1.0; amplitudes],
        &vec![0.5; values],
        &mut [0.0; 2],
        &mut vec![0.0; samples],
    );
}

#[test]
#[should_panic(expected = "StretchedPartials: 2 values of inharmonicity, 3 f0_hz")]
fn a_wrong_number_of_inharmonicities_names_both() {
    forward_of_lengths(2, 6, 3, 6, 12);
}

#[test]
#[should_panic(expected = "StretchedPartials: 5 harmonic_shifts for 3 frames of 2 partials")]
fn a_wrong_number_of_shifts_names_both() {
    forward_of_lengths(3, 5, 3, 6, 12);
}

#[test]
#[should_panic(expected = "Inharmonic: 3 f0_hz, 4 amplitudes")]
fn a_wrong_number_of_amplitudes_names_both() {
    forward_of_lengths(3, 6, 4, 8, 16);
}

#[test]
#[should_panic(expected = "harmonic_distribution has 5 values for 3 frames of 2 partials")]
fn a_wrong_distribution_names_both() {
    forward_of_lengths(3, 6, 3, 5, 12);
}

#[test]
#[should_panic(expected = "Inharmonic: 9 samples for 3 frames at hop 4")]
fn a_wrong_number_of_samples_names_both() {
    forward_of_lengths(3, 6, 3, 6, 9);
}
