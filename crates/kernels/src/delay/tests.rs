use proptest::prelude::*;

use super::*;
use crate::agreement::{Report, Tolerance};
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

/// The definition in f64, of `audio` with `history` before it.
fn oracle(phase: &[f64], audio: &[f64], history: &[f64], delayed: &mut [f64]) {
    let line: Vec<f64> = history.iter().chain(audio).copied().collect();
    for (n, (y, phase)) in delayed.iter_mut().zip(phase).enumerate() {
        let delay = phase.clamp(0.0, 1.0) * history.len() as f64;
        *y = between(&line, (history.len() + n) as f64 - delay);
    }
}

/// A signal at a place between its samples.
pub(crate) fn between(line: &[f64], place: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number to an index")]
    let (before, way) = (place.floor() as usize, place - place.floor());
    (1.0 - way) * line[before] + way * line[(before + 1).min(line.len() - 1)]
}

/// Delays from 0 to `max_length` samples, none closer to a whole number than a hundredth.
fn phases(n: usize, max_length: usize) -> Vec<f32> {
    let len = max_length as f32;
    pseudo_random(5, n)
        .iter()
        .map(|x| ((0.5 + 0.5 * x) * (len - 0.5)).floor() + 0.25 + 0.24 * x)
        .map(|delay| delay / len)
        .collect()
}

/// What the reference makes of our output: its last tap is the undelayed sample.
pub(crate) fn wrap_last_tap(delays: &[f64], max_length: usize, audio: &[f32], delayed: &mut [f32]) {
    for (n, (y, delay)) in delayed.iter_mut().zip(delays).enumerate() {
        #[expect(clippy::cast_possible_truncation, reason = "a weight")]
        let way = (delay - (max_length - 1) as f64).max(0.0) as f32;
        let last = n.checked_sub(max_length).map_or(0.0, |n| audio[n]);
        *y += way * (audio[n] - last);
    }
}

const WRAP: &str = "The reference reads the undelayed sample as the last tap of the delay \
                               line; the test puts it there.";

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("variable_length_delay");
    let mut golden = Golden::open("oscillators");
    let phase = golden.values("variable_length_delay_64.in.phase");
    let audio = golden.values("variable_length_delay_64.in.audio");
    for max_length in [64_usize, 512] {
        let clips = phase.chunks(700).zip(audio.chunks(700));
        let delayed: Vec<f32> = clips
            .flat_map(|(phase, audio)| {
                let mut delayed = vec![f32::NAN; 700];
                variable_length_delay(phase, audio, &mut vec![0.0; max_length], &mut delayed);
                let delays: Vec<f64> =
                    phase.iter().map(|p| f64::from(*p) * max_length as f64).collect();
                wrap_last_tap(&delays, max_length, audio, &mut delayed);
                delayed
            })
            .collect();
        // A power of two times the phase is exact; then differences, products and sums of samples
        // below 2 round on both sides.
        let tolerance = Tolerance::absolute(6e-7);
        let case = format!("oscillators/variable_length_delay_{max_length}");
        operation.golden_with_quirk(&case, "y", &delayed, tolerance, WRAP);
    }
    // One sample, less and more audio than history, silence, and extreme scales.
    for (n, max_length, scale) in
        [(1, 1, 1.0), (20, 33, 1.0), (90, 7, 1.0), (40, 12, 1e-9), (40, 12, 1e9), (40, 12, 0.0)]
    {
        let phase = phases(n, max_length);
        let scaled =
            |seed, n| -> Vec<f32> { pseudo_random(seed, n).iter().map(|x| scale * x).collect() };
        let (audio, history) = (scaled(1, n), scaled(2, max_length));
        let (mut delayed, mut expected) = (vec![f32::NAN; n], vec![0.0; n]);
        variable_length_delay(&phase, &audio, &mut history.clone(), &mut delayed);
        oracle(&widen(&phase), &widen(&audio), &widen(&history), &mut expected);
        // The weight, the difference and the sum round to 2^-24 of up to twice the peak each.
        let tolerance = Tolerance::of_peak(5e-7);
        operation.oracle("variable_length_delay", &delayed, &expected, tolerance);
        let of_phase = |x: &[f64], y: &mut [f64]| oracle(x, &widen(&audio), &widen(&history), y);
        operation.gradient("phase", &phase, n, 1e-5, of_phase, |x, g, grad| {
            let mut other = vec![0.0; n];
            variable_length_delay_backward(x, &audio, &history, g, grad, &mut other);
        });
        let of_audio = |x: &[f64], y: &mut [f64]| oracle(&widen(&phase), x, &widen(&history), y);
        operation.gradient("audio", &audio, n, 1e-2, of_audio, |x, g, grad| {
            let mut other = vec![0.0; n];
            variable_length_delay_backward(&phase, x, &history, g, &mut other, grad);
        });
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
        max_length in 1_usize..40,
        blocks in prop::collection::vec(0_usize..60, 1..8),
    ) {
        let n = blocks.iter().sum();
        let (phase, audio) = (phases(n, max_length), pseudo_random(1, n));
        let (mut whole, mut history) = (vec![f32::NAN; n], vec![0.0; max_length]);
        variable_length_delay(&phase, &audio, &mut history, &mut whole);
        let (mut start, mut state) = (0, vec![0.0; max_length]);
        for block in blocks {
            let range = start..start + block;
            let mut delayed = vec![f32::NAN; block];
            let (phase, audio) = (&phase[range.clone()], &audio[range.clone()]);
            variable_length_delay(phase, audio, &mut state, &mut delayed);
            prop_assert_eq!(&delayed[..], &whole[range]);
            start += block;
        }
        prop_assert_eq!(state, history);
    }

    /// Bits of any kind are a phase: held at the ends, NaN for NaN, and without a gradient beyond.
    #[test]
    fn any_phase_is_a_delay(bits in any::<u32>(), n in 0_usize..5) {
        let (phase, audio) = ([f32::from_bits(bits); 5], [1.0, 2.0, 4.0, 8.0, 16.0]);
        let mut delayed = [f32::NAN; 5];
        variable_length_delay(&phase, &audio, &mut [32.0, 64.0], &mut delayed);
        let (mut grad_phase, mut grad_audio) = ([0.0; 5], [0.0; 5]);
        variable_length_delay_backward(
            &phase, &audio, &[32.0, 64.0], &[1.0; 5], &mut grad_phase, &mut grad_audio,
        );
        let y = delayed[n];
        if phase[n].is_nan() {
            prop_assert!(y.is_nan());
        } else if phase[n] <= 0.0 {
            prop_assert_eq!(y, audio[n]);
        } else if phase[n] >= 1.0 {
            prop_assert_eq!(y, [32.0, 64.0, 1.0, 2.0, 4.0][n]);
        }
        if phase[n] < 0.0 || phase[n] > 1.0 {
            prop_assert_eq!(grad_phase[n], 0.0);
        }
    }
}

#[test]
fn a_phase_of_one_is_the_whole_delay() {
    // Where the reference's is none.
    let audio = pseudo_random(1, 30);
    let mut delayed = [f32::NAN; 30];
    variable_length_delay(&[1.0; 30], &audio, &mut [0.0; 8], &mut delayed);
    assert_eq!(delayed[..8], [0.0; 8]);
    assert_eq!(delayed[8..], audio[..22]);
}

#[test]
fn silence_stays_silent() {
    let mut delayed = [1.0; 9];
    variable_length_delay(&phases(9, 4), &[0.0; 9], &mut [0.0; 4], &mut delayed);
    assert_eq!(delayed, [0.0; 9]);
}

#[test]
#[should_panic(expected = "variable_length_delay: 2 phases for 3 samples")]
fn a_wrong_length_names_both() {
    variable_length_delay(&[0.0; 2], &[0.0; 3], &mut [0.0; 4], &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "variable_length_delay: no history")]
fn a_delay_needs_a_line() {
    variable_length_delay(&[0.0; 3], &[0.0; 3], &mut [], &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "variable_length_delay: grad of 2 of 3 audio values")]
fn a_wrong_gradient_names_both() {
    let (x, g) = ([0.0; 3], [0.0; 3]);
    variable_length_delay_backward(&x, &x, &[0.0], &g, &mut [0.0; 3], &mut [0.0; 2]);
}
