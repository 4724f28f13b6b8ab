//! Values at the edges, and lengths beyond.

use super::tests::{Example, LINEAR, SAMPLE_RATE, Shape, WINDOW, turn_distance};
use super::*;

#[test]
fn the_phase_is_exact_after_a_minute() {
    // 440.1 Hz has no short binary fraction; the reference is 1.4 off after a minute.
    let shape = Shape { n_frames: 60 * 250, n_sinusoids: 1, hop: 64, interpolation: WINDOW };
    let frequencies_hz = vec![440.1; shape.n_frames];
    let amplitudes = vec![1.0; shape.n_frames];
    let example = Example { frequencies_hz, amplitudes, phases: vec![0.0] };
    let (_, phases) = example.forward(&mut shape.sinusoidal());
    let turns = f64::from(440.1_f32) / f64::from(SAMPLE_RATE) * shape.n_samples() as f64;
    // Each of 15,000 hops drops less than 2^-53 turns, 2e-12 in all, and the frequency in turns a
    // sample is rounded once, at 2^-58: 4e-12 after 960,000 samples.
    assert!(turn_distance(phases[0], turns).abs() < 6e-12, "{}, not {turns}", phases[0]);
}

#[test]
fn the_sinusoid_at_the_nyquist_frequency_is_silent() {
    let shape = Shape { n_frames: 2, n_sinusoids: 2, hop: 8, interpolation: LINEAR };
    for sign in [1.0, -1.0] {
        let at = sign * 8000.0;
        let below = sign * 7_999.999_5;
        let heard = |frequencies_hz: [f32; 4]| {
            let frequencies_hz = frequencies_hz.to_vec();
            let phases = vec![0.25; 2];
            let amplitudes = vec![1.0, 0.0, 1.0, 0.0];
            let example = Example { frequencies_hz, amplitudes, phases };
            let (audio, _) = example.forward(&mut shape.sinusoidal());
            audio.iter().map(|y| *y != 0.0).collect::<Vec<_>>()
        };
        assert_eq!(heard([at, 0.0, at, 0.0]), [false; 16], "at {at}");
        assert_eq!(heard([below, 0.0, below, 0.0]), [true; 16], "at {below}");
        // From Nyquist down: the first sample alone is silent; and up: the held last frame is.
        let falling = heard([at, 0.0, 0.5 * at, 0.0]);
        assert_eq!(falling.iter().filter(|heard| !**heard).count(), 1, "{falling:?}");
        assert!(!falling[0], "{falling:?}");
        let rising = heard([0.9 * at, 0.0, at, 0.0]);
        assert_eq!(rising[8..], [false; 8], "{rising:?}");
        assert_eq!(rising[..8], [true; 8], "{rising:?}");
    }
}

#[test]
fn at_a_hop_of_one_no_lookahead_is_needed() {
    let shape = Shape { n_frames: 50, n_sinusoids: 3, hop: 1, interpolation: WINDOW };
    // Across the Nyquist frequency from sample to sample.
    let example = Example::new(shape, 7500.0, 1500.0);
    let mut sinusoidal = shape.sinusoidal();
    let (whole, _) = example.forward(&mut sinusoidal);
    let (mut phases, mut audio) = (example.phases.clone(), vec![f32::NAN; 50]);
    let rows = example.frequencies_hz.chunks(30).zip(example.amplitudes.chunks(30));
    for ((f, a), audio) in rows.zip(audio.chunks_mut(10)) {
        sinusoidal.forward(f, a, &mut phases, audio);
    }
    assert_eq!(audio, whole, "ten samples at a time");
}

#[test]
fn sound_comes_in_and_goes_out_between_frames() {
    let shape = Shape { n_frames: 3, n_sinusoids: 2, hop: 6, interpolation: LINEAR };
    let amplitudes = vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
    let frequencies_hz = vec![1000.0; 6];
    let example = Example { frequencies_hz, amplitudes, phases: vec![0.1; 2] };
    for mut path in shape.each_path() {
        let (audio, _) = example.forward(&mut path);
        let heard: Vec<bool> = audio.iter().map(|y| *y != 0.0).collect();
        let expected: Vec<bool> = (0..18).map(|n| (1..12).contains(&n)).collect();
        assert_eq!(heard, expected, "{:?}: {audio:?}", path.bank.simd);
    }
}

#[test]
fn what_is_not_finite_stays_where_it_is() {
    let shape = Shape { n_frames: 6, n_sinusoids: 20, hop: 5, interpolation: WINDOW };
    let clean = Example::new(shape, 2000.0, 1000.0);
    for path in shape.each_path() {
        let nan_samples = |example: &Example<f32>| {
            let (audio, phases) = example.forward(&mut path.clone());
            let hops: Vec<bool> =
                audio.chunks(5).map(|hop| hop.iter().all(|y| y.is_nan())).collect();
            let some: Vec<bool> =
                audio.chunks(5).map(|hop| hop.iter().any(|y| y.is_nan())).collect();
            assert_eq!(hops, some, "{:?}: a hop is not a number, or is one", path.bank.simd);
            (hops, phases.iter().filter(|p| p.is_nan()).count())
        };
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut example = clean.clone();
            example.frequencies_hz[3 * 20 + 17] = bad;
            let around = [false, false, true, true, false, false];
            assert_eq!(nan_samples(&example), (around.to_vec(), 0), "frequency {bad}");

            let mut example = clean.clone();
            example.phases[11] = f64::from(bad);
            assert_eq!(nan_samples(&example), (vec![true; 6], 1), "phase {bad}");
        }
        let mut example = clean.clone();
        example.amplitudes[3 * 20 + 17] = f32::NAN;
        let around = [false, false, true, true, false, false];
        assert_eq!(nan_samples(&example), (around.to_vec(), 0), "amplitude");
        // Even when it is above the Nyquist frequency, or silent.
        let mut example = clean.clone();
        example.frequencies_hz.fill(9000.0);
        example.amplitudes.fill(0.0);
        example.amplitudes[3 * 20 + 17] = f32::NAN;
        assert_eq!(nan_samples(&example), (around.to_vec(), 0), "amplitude above Nyquist");
    }
}

#[test]
fn gradients_of_what_is_not_finite_are_not_numbers() {
    let shape = Shape { n_frames: 3, n_sinusoids: 2, hop: 5, interpolation: WINDOW };
    let mut example = Example::new(shape, 2000.0, 1000.0);
    example.frequencies_hz[0] = f32::NAN;
    let (mut f, mut a, mut p) = (vec![0.0; 6], vec![0.0; 6], vec![0.0; 2]);
    let grads = SinusoidalGradients {
        frequencies_hz: Some(&mut f),
        amplitudes: &mut a,
        phases: Some(&mut p),
    };
    shape.sinusoidal().backward(
        &example.frequencies_hz,
        &example.amplitudes,
        &example.phases,
        &[1.0; 15],
        grads,
    );
    let is_nan = |x: &[f32]| x.iter().map(|x| x.is_nan()).collect::<Vec<_>>();
    // Sinusoid 0 of frames 0 and 1, whose hop it is.
    let around = [true, false, true, false, false, false];
    assert_eq!(is_nan(&a), around, "amplitudes");
    assert_eq!(is_nan(&f), around, "frequencies_hz");
    assert_eq!(is_nan(&p), [true, false], "phases");
}

#[test]
fn any_values_are_rendered() {
    let shape = Shape { n_frames: 4, n_sinusoids: 3, hop: 70, interpolation: LINEAR };
    let example = Example {
        frequencies_hz: vec![
            1e-40, 1e9, 3e38, 0.0, -3e38, 1e20, 100.0, 8000.0, -0.0, 1e-45, 7e3, -1e10,
        ],
        amplitudes: vec![1e-40, 1.0, 1.0, 1e-45, 1.0, 1.0, 1e38, 1.0, 0.0, 1.0, 1e-20, 3e38],
        phases: vec![1e300, -1e15, f64::MIN_POSITIVE],
    };
    for mut path in shape.each_path() {
        let (audio, phases) = example.forward(&mut path);
        assert!(audio.iter().all(|y| y.is_finite()), "{:?}", path.bank.simd);
        assert!(phases.iter().all(|p| (0.0..1.0).contains(p)), "{phases:?}");
    }
}

#[test]
fn an_empty_block_leaves_the_phases() {
    let shape = Shape { n_frames: 1, n_sinusoids: 2, hop: 5, interpolation: WINDOW };
    let (mut sinusoidal, initial) = (shape.sinusoidal(), [0.25, 0.75]);
    for n_frames in [0, 1] {
        let (mut phases, controls) = (initial, vec![100.0; 2 * n_frames]);
        sinusoidal.forward(&controls, &controls, &mut phases, &mut []);
        assert_eq!(phases, initial, "{n_frames} frames");
        let mut grad = vec![0.0; 2 * n_frames];
        let grads =
            SinusoidalGradients { frequencies_hz: None, amplitudes: &mut grad, phases: None };
        sinusoidal.backward(&controls, &controls, &phases, &[], grads);
        assert!(grad.iter().all(|g| *g == 0.0), "{n_frames} frames");
    }
}

fn forward_of_lengths(frequencies: usize, amplitudes: usize, phases: usize, samples: usize) {
    let shape = Shape { n_frames: 4, n_sinusoids: 3, hop: 5, interpolation: WINDOW };
    shape.sinusoidal().forward(
        &vec![1.0; frequencies],
        &vec![1.0; amplitudes],
        &mut vec![0.0; phases],
        &mut vec![0.0; samples],
    );
}

#[test]
#[should_panic(expected = "Sinusoidal: 11 frequencies_hz are not whole frames of 3")]
fn a_part_of_a_frame_is_refused() {
    forward_of_lengths(11, 11, 3, 20);
}

#[test]
#[should_panic(expected = "Sinusoidal: 9 amplitudes, 12 frequencies_hz")]
fn a_wrong_number_of_amplitudes_names_both() {
    forward_of_lengths(12, 9, 3, 20);
}

#[test]
#[should_panic(expected = "Sinusoidal: 2 phases of 3")]
fn a_wrong_number_of_phases_names_both() {
    forward_of_lengths(12, 12, 2, 20);
}

#[test]
#[should_panic(expected = "Sinusoidal: 16 samples for 4 frames at hop 5")]
fn a_wrong_number_of_samples_names_both() {
    forward_of_lengths(12, 12, 3, 16);
}

#[test]
#[should_panic(expected = "Sinusoidal: grad of 5 of 6 frequencies_hz")]
fn a_wrong_gradient_names_both() {
    let shape = Shape { n_frames: 2, n_sinusoids: 3, hop: 5, interpolation: WINDOW };
    let grads = SinusoidalGradients {
        frequencies_hz: Some(&mut [0.0; 5]),
        amplitudes: &mut [0.0; 6],
        phases: None,
    };
    shape.sinusoidal().backward(&[1.0; 6], &[1.0; 6], &[0.0; 3], &[0.0; 10], grads);
}
