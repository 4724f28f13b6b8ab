//! What holds of every loss, whatever its terms.

use super::tests::{ALL, DISTANCES, USUAL, alone, config, in_order};
use super::*;
use crate::testing::pseudo_random;

/// The usual loss and all terms by every distance.
fn configs() -> impl Iterator<Item = SpectralLossConfig> {
    let usual = config(&[16], SpectralDistance::L1, USUAL);
    std::iter::once(usual).chain(DISTANCES.map(|distance| config(&[16, 8], distance, ALL)))
}

#[test]
fn terms_are_added_and_divided_one_by_one() {
    let some = SpectralLossTerms {
        magnitude: 1.0,
        log_magnitude: 2.0,
        delta_time: 3.0,
        delta_freq: 4.0,
        cumsum_freq: 5.0,
        loudness: 6.0,
    };
    let mut sum = some;
    sum += some / 2.0;
    assert_eq!(in_order(sum), [1.5, 3.0, 4.5, 6.0, 7.5, 9.0]);
    assert_eq!(sum.total(), 31.5);
}

#[test]
fn gradient_accumulates_and_what_was_compared_before_does_not_matter() {
    for config in configs() {
        let (target, audio) = (pseudo_random(1, 50), pseudo_random(2, 50));
        let mut loss = SpectralLoss::new(&config, 50);
        let (mut once, mut twice) = (vec![0.0; 50], vec![1.0; 50]);
        let terms = loss.evaluate(&target, &audio, Some(&mut once));
        let louder: Vec<f32> = audio.iter().map(|x| 100.0 * x).collect();
        loss.evaluate(&audio, &louder, Some(&mut [0.0; 50]));
        assert_eq!(terms, loss.evaluate(&target, &audio, None), "without a gradient");
        assert_eq!(terms, loss.evaluate(&target, &audio, Some(&mut twice)), "values differ");
        let peak = once.iter().fold(1.0_f32, |m, g| m.max(g.abs()));
        for (once, twice) in once.iter().zip(twice) {
            assert!((1.0 + once - twice).abs() <= 1e-6 * peak, "1 + {once} became {twice}");
        }
    }
}

#[test]
fn silence_has_no_gradient_and_no_distance_from_itself() {
    let silence = vec![0.0; 200];
    for config in configs() {
        let mut loss = SpectralLoss::new(&config, 200);
        for target in [silence.clone(), pseudo_random(1, 200)] {
            let mut grad = vec![0.0; 200];
            let terms = loss.evaluate(&target, &silence, Some(&mut grad));
            assert_eq!(grad, silence, "the magnitude of an exact 0 has no slope: {config:?}");
            if config.distance != SpectralDistance::Cosine {
                assert_eq!(terms.total() == 0.0, target == silence, "{terms:?}");
            }
        }
    }
}

#[test]
fn a_sound_has_no_distance_from_itself() {
    // At every level: the path of ordinary bins and the one beyond.
    for config in configs().filter(|config| config.distance != SpectralDistance::Cosine) {
        for gain in [1.0, 1e-18] {
            let audio: Vec<f32> = pseudo_random(1, 200).iter().map(|x| x * gain).collect();
            let mut loss = SpectralLoss::new(&config, 200);
            let mut grad = vec![0.0; 200];
            let terms = loss.evaluate(&audio, &audio, Some(&mut grad));
            assert_eq!(terms, SpectralLossTerms::default(), "at {gain}");
            assert_eq!(grad, vec![0.0; 200], "at {gain}");
        }
    }
}

/// The usual loss has a loop of its own.
#[test]
fn both_ways_to_the_usual_terms_agree() {
    let (mut target, mut audio) = (pseudo_random(1, 400), pseudo_random(2, 400));
    target[..64].fill(0.0);
    audio[100..160].fill(0.0);
    for gain in [1.0, 1e-18, 1e18] {
        let [target, audio] =
            [&target, &audio].map(|x| x.iter().map(|x| x * gain).collect::<Vec<f32>>());
        let evaluate = |weights| {
            let mut grad = vec![0.0; 400];
            let mut loss = SpectralLoss::new(&config(&[32], SpectralDistance::L1, weights), 400);
            (loss.evaluate(&target, &audio, Some(&mut grad)), grad)
        };
        let (usual, usual_grad) = evaluate(USUAL);
        // The least weight there is brings the general way and adds nothing.
        let (general, general_grad) = evaluate([1.0, 1.0, f32::MIN_POSITIVE, 0.0, 0.0, 0.0]);
        for (a, b) in in_order(usual).into_iter().zip(in_order(general)).take(2) {
            assert!((a - b).abs() <= 1e-6 * a, "at {gain}: {usual:?} != {general:?}");
        }
        let peak = usual_grad.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        for (a, b) in usual_grad.iter().zip(&general_grad) {
            assert!((a - b).abs() <= 2e-6 * peak, "gradient at {gain}: {a} != {b}");
        }
    }
}

#[test]
fn beside_silence_a_sound_is_drawn_to_the_magnitude_that_stands_for_zero() {
    // The logarithm of an exact 0 is that of 1e-5: fainter audio gains by growing.
    for (gain, grows) in [(1e-18, true), (1e-8, true), (1.0, false)] {
        let audio: Vec<f32> = pseudo_random(1, 200).iter().map(|x| x * gain).collect();
        let mut scale = SpectralScale::new(16, 200, &config(&[16], SpectralDistance::L1, alone(1)));
        let mut grad = vec![0.0; 200];
        scale.evaluate(&[0.0; 200], &audio, Some(&mut grad));
        let by_gain: f32 = grad.iter().zip(&audio).map(|(g, x)| g * x).sum();
        // Each bin adds its sign, and all agree.
        let expected = if grows { -1.0 } else { 1.0 };
        assert!((by_gain - expected).abs() <= 1e-5, "at {gain}: {by_gain}");
    }
}

#[test]
fn no_value_is_refused_and_nan_is_not_hidden() {
    for config in configs() {
        let evaluate = |value| {
            let mut audio = pseudo_random(1, 200);
            audio[77] = value;
            let mut grad = vec![0.0; 200];
            let target = pseudo_random(2, 200);
            let terms = SpectralLoss::new(&config, 200).evaluate(&target, &audio, Some(&mut grad));
            (in_order(terms), grad)
        };
        let weights = if config.loudness_weight == 0.0 { USUAL } else { ALL };
        let (terms, grad) = evaluate(f32::NAN);
        for (term, weight) in terms.iter().zip(weights) {
            assert_eq!(term.is_nan(), weight != 0.0, "{terms:?}");
        }
        assert!(grad[77].is_nan(), "the trainer must see it");
        let mut target = pseudo_random(2, 200);
        target[77] = f32::NAN;
        let mut of_target = vec![0.0; 200];
        let mut loss = SpectralLoss::new(&config, 200);
        loss.evaluate(&target, &pseudo_random(1, 200), Some(&mut of_target));
        assert!(of_target[77].is_nan(), "nor that of the target: {config:?}");
        let (terms, grad) = evaluate(f32::INFINITY);
        assert!(terms.iter().sum::<f64>().is_nan() || !grad[77].is_finite(), "{terms:?}");
        let (terms, grad) = evaluate(1e-42);
        let is_finite = grad.iter().all(|g| g.is_finite());
        assert!(terms.iter().sum::<f64>().is_finite() && is_finite, "denormals are numbers");
    }
}

#[test]
fn faint_sound_has_a_finite_gradient() {
    for config in configs() {
        let audio: Vec<f32> = pseudo_random(1, 200).iter().map(|x| x * 1e-41).collect();
        let mut grad = vec![0.0; 200];
        SpectralLoss::new(&config, 200).evaluate(&pseudo_random(2, 200), &audio, Some(&mut grad));
        assert!(grad.iter().all(|g| g.is_finite()), "{config:?}");
    }
}

#[test]
fn no_samples_and_one_frame_are_no_difference() {
    for config in configs() {
        let terms = SpectralLoss::new(&config, 0).evaluate(&[], &[], Some(&mut []));
        let without_loudness = SpectralLossTerms { loudness: 0.0, ..terms };
        assert_eq!(without_loudness, SpectralLossTerms::default(), "no samples");
        let target = pseudo_random(1, 2);
        let terms = SpectralLoss::new(&config, 2).evaluate(&target, &[0.5, 0.2], None);
        assert_eq!(terms.delta_time, 0.0, "one frame does not change");
        assert!(terms.magnitude > 0.0 || config.distance == SpectralDistance::Cosine, "{terms:?}");
    }
}

#[test]
#[should_panic(expected = "audio has 199 samples, made for 200")]
fn a_wrong_length_is_named() {
    let mut scale = SpectralScale::new(16, 200, &SpectralLossConfig::default());
    scale.evaluate(&[0.0; 200], &[0.0; 199], None);
}

#[test]
#[should_panic(expected = "LoudnessDistance: grad_audio has 9 samples, made for 200")]
fn a_wrong_length_for_loudness_is_named() {
    let config = config(&[], SpectralDistance::L1, alone(5));
    let mut loudness = LoudnessDistance::new(200, &config).expect("it has a weight");
    loudness.evaluate(&[0.0; 200], &[0.0; 200], Some(&mut [0.0; 9]));
}
