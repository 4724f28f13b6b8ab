use proptest::prelude::*;

use super::*;
use crate::fft_convolve::StreamSplit;
use crate::fft_convolve::laws::assert_late;
use crate::filtered_noise::FilteredNoise;
use crate::frames::FrameGrid;
use crate::testing::pseudo_random;

#[test]
fn the_gradient_of_a_batch_is_the_sum_and_is_taken_once() {
    let (clips, g) = ([pseudo_random(1, 100), pseudo_random(2, 100)], pseudo_random(3, 100));
    let mut reverb = Reverb::new(100, 30, true);
    reverb.set_impulse_response(&pseudo_random(4, 30));
    let (mut apart, mut together) = (vec![0.0; 30], vec![0.0; 30]);
    for clip in &clips {
        reverb.backward(clip, &g, None);
        reverb.take_impulse_response_gradient(&mut apart);
    }
    clips.iter().for_each(|clip| reverb.backward(clip, &g, None));
    reverb.take_impulse_response_gradient(&mut together);
    for (t, (a, b)) in apart.iter().zip(&together).enumerate() {
        // Sums of 100 products below 1.
        assert!((a - b).abs() <= 1e-5, "[{t}]: {a}, not {b}");
    }
    let mut nothing = vec![1.0; 30];
    reverb.take_impulse_response_gradient(&mut nothing);
    assert_eq!(nothing, [1.0; 30], "it was taken before");
}

#[test]
fn the_gradient_of_controls_is_taken_once() {
    let (audio, noise) = (pseudo_random(1, 50), pseudo_random(2, 20));
    let controls = ExpDecay { gain: 0.5, decay: 1.0 };
    let mut reverb = ExpDecayReverb::new(Reverb::new(50, 20, true));
    reverb.set_controls(controls, &noise);
    reverb.backward(&audio, &audio, None);
    let mut grad = ExpDecay::default();
    reverb.take_control_gradient(controls, &noise, &mut grad);
    assert!(grad.gain != 0.0 && grad.decay != 0.0, "{grad:?}");
    let before = grad;
    reverb.take_control_gradient(controls, &noise, &mut grad);
    assert_eq!(grad, before, "it was taken before");

    let grid = FrameGrid { sample_rate: 16_000, hop: 10 };
    let synth = FilteredNoise::new(grid, 5, 0);
    let mut reverb = FilteredNoiseReverb::new(Reverb::new(50, 20, true), synth);
    let magnitudes = [0.5; 10];
    reverb.set_controls(&noise, &magnitudes);
    reverb.backward(&audio, &audio, None);
    let mut grad = [0.0; 10];
    reverb.take_control_gradient(&noise, &magnitudes, &mut grad);
    assert!(grad.iter().all(|g| *g != 0.0), "{grad:?}");
    let before = grad;
    reverb.take_control_gradient(&noise, &magnitudes, &mut grad);
    assert_eq!(grad, before, "it was taken before");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// The live reverb sounds as the offline one; tap 0 and what came before do not matter.
    #[test]
    fn live_is_the_offline_output(
        n in 1_usize..300,
        ir_len in 1_usize..200,
        block_len in 1_usize..50,
        add_dry: bool,
    ) {
        let (audio, mut response) = (pseudo_random(1, n), pseudo_random(2, ir_len));
        let mut reverb = Reverb::new(n, ir_len, add_dry);
        reverb.set_impulse_response(&response);
        let (mut offline, mut again) = (vec![f32::NAN; n], vec![f32::NAN; n]);
        reverb.forward(&audio, &mut offline);
        let mut live = reverb.live(block_len);
        let mut stream = live.new_stream(StreamSplit::Anywhere);
        let mut output = vec![f32::NAN; n];
        live.process(&mut stream, &audio, &mut output);
        assert_late(&output, &offline, stream.latency());
        reverb.set_impulse_response(&pseudo_random(3, ir_len));
        reverb.backward(&audio, &output, None);
        response[0] = 1e6;
        reverb.set_impulse_response(&response);
        reverb.forward(&audio, &mut again);
        prop_assert_eq!(offline, again);
    }
}

#[test]
fn silence_is_silent_and_a_number_that_is_none_is_passed_on() {
    let mut reverb = Reverb::new(64, 20, true);
    reverb.set_impulse_response(&pseudo_random(1, 20));
    let mut output = [f32::NAN; 64];
    reverb.forward(&[0.0; 64], &mut output);
    assert_eq!(output, [0.0; 64], "silence");
    let mut audio = [0.5; 64];
    audio[3] = f32::NAN;
    reverb.forward(&audio, &mut output);
    assert!(output[3..23].iter().all(|y| y.is_nan()), "{output:?}");
    reverb.backward(&audio, &[1.0; 64], None);
    reverb.take_impulse_response_gradient(&mut [0.0; 20]);
    // And is gone with the clip that had it.
    reverb.forward(&[0.5; 64], &mut output);
    assert!(output.iter().all(|y| y.is_finite()), "{output:?}");
    let mut grad = [0.0; 20];
    reverb.backward(&[0.5; 64], &[1.0; 64], None);
    reverb.take_impulse_response_gradient(&mut grad);
    assert!(grad.iter().all(|g| g.is_finite()), "{grad:?}");
}

#[test]
fn any_decay_is_a_response() {
    let noise = pseudo_random(2, 40);
    let mut response = [f32::NAN; 40];
    for decay in [-1e30, -100.0, 80.0, 700.0, 1e30, f32::INFINITY, f32::NEG_INFINITY] {
        let controls = ExpDecay { gain: 1.0, decay };
        controls.forward(&noise, &mut response);
        assert!(response.iter().all(|h| h.is_finite()), "{decay}: {response:?}");
        let mut grad = ExpDecay::default();
        controls.backward(&noise, &[1.0; 40], &mut grad);
        assert!(grad.gain.is_finite() && grad.decay.is_finite(), "{decay}: {grad:?}");
    }
    ExpDecay { gain: 1.0, decay: f32::NAN }.forward(&noise, &mut response);
    assert!(response[1..].iter().all(|h| h.is_nan()), "{response:?}");
}

#[test]
#[should_panic(expected = "a response of 19 taps, not 20")]
fn a_wrong_response_names_both() {
    Reverb::new(64, 20, true).set_impulse_response(&[0.0; 19]);
}

#[test]
#[should_panic(expected = "63 samples of output for 64")]
fn a_wrong_length_names_both() {
    Reverb::new(64, 20, true).forward(&[0.0; 64], &mut [0.0; 63]);
}

#[test]
#[should_panic(expected = "10 taps are not whole frames of 4")]
fn a_response_of_broken_frames_is_refused() {
    let grid = FrameGrid { sample_rate: 16_000, hop: 4 };
    let _ = FilteredNoiseReverb::new(Reverb::new(64, 10, true), FilteredNoise::new(grid, 5, 0));
}
