use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::magnitudes::tests::half_silent;
use crate::stft::tests::golden_clips;
use crate::testing::{pseudo_random, widen};

const PADDINGS: [(&str, FrameAlignment); 3] = [
    ("center", FrameAlignment::CentreToEnd),
    ("same", FrameAlignment::Start),
    ("valid", FrameAlignment::Within),
];

/// Mean squares by their definition in `f64`.
fn reference_powers(audio: &[f64], framing: Framing) -> Vec<f64> {
    let mean_square = |i: usize| {
        let square = |n: usize| {
            let at = (i * framing.hop + n).checked_sub(framing.lead());
            at.and_then(|t| audio.get(t)).map_or(0.0, |x| x * x)
        };
        (0..framing.window_len).map(square).sum::<f64>() / framing.window_len as f64
    };
    (0..framing.n_frames(audio.len())).map(mean_square).collect()
}

fn reference_rms(audio: &[f64], framing: Framing) -> Vec<f64> {
    reference_powers(audio, framing).into_iter().map(f64::sqrt).collect()
}

fn reference_power_db(audio: &[f64], power: Power) -> Vec<f64> {
    let (ref_db, range_db) = (f64::from(power.ref_db), f64::from(power.range_db));
    let least = 10_f64.powf(-range_db / 10.0);
    let level = |p: f64| (10.0 * p.max(least).log10() - ref_db).max(-range_db);
    reference_powers(audio, power.framing).into_iter().map(level).collect()
}

/// What `measure` writes for both golden clips.
fn of_golden_clips(framing: Framing, measure: impl Fn(&[f32], &mut [f32])) -> Vec<f32> {
    let mut values = Vec::new();
    for audio in golden_clips() {
        let mut clip = vec![f32::NAN; framing.n_frames(audio.len())];
        measure(&audio, &mut clip);
        values.extend(clip);
    }
    values
}

fn golden_power(operation: &mut Operation) {
    let cases = PADDINGS.map(|(padding, alignment)| {
        (format!("spectral/power_{padding}"), Framing { window_len: 512, hop: 64, alignment })
    });
    let alignment = FrameAlignment::CentreToEnd;
    let vst = Framing { window_len: 1024, hop: 320, alignment };
    for (case, framing) in cases.into_iter().chain([("spectral/power_50_1024".to_owned(), vst)]) {
        let actual = of_golden_clips(framing, |x, y| Power::new(framing).forward(x, y));
        // The reference takes a root and squares it again; an ulp of 80 dB is 8e-6.
        operation.golden(&case, "y", &actual, Tolerance::absolute(1.6e-5));
    }
}

fn golden_rms(operation: &mut Operation) {
    for (padding, alignment) in PADDINGS {
        let framing = Framing { window_len: 512, hop: 64, alignment };
        let actual = of_golden_clips(framing, |x, y| rms(x, framing, y));
        // The reference sums 512 squares in float32.
        let tolerance = Tolerance::relative(4e-7);
        operation.golden(&format!("spectral/rms_{padding}"), "y", &actual, tolerance);
    }
}

/// One frame, odd windows, windows beyond both ends, frames with gaps between them.
fn framings() -> [(Framing, usize); 5] {
    let framing = |window_len, hop, alignment| Framing { window_len, hop, alignment };
    [
        (framing(16, 4, FrameAlignment::Grid), 50),
        (framing(21, 10, FrameAlignment::CentreToEnd), 63),
        (framing(64, 64, FrameAlignment::Start), 64),
        (framing(33, 5, FrameAlignment::Within), 80),
        (framing(3, 20, FrameAlignment::Centre), 90),
    ]
}

pub(crate) fn agreement(report: &mut Report) {
    let operation = report.operation("power");
    golden_power(operation);
    check_power(operation);
    let operation = report.operation("rms");
    golden_rms(operation);
    check_rms(operation);
}

fn check_power(operation: &mut Operation) {
    for (framing, n_samples) in framings() {
        for gain in [1.0, 1e-3, 1e-9, 1e9] {
            for (audio, ref_db) in
                [(pseudo_random(1, n_samples), 0.0), (half_silent(n_samples), 20.7)]
            {
                let audio: Vec<f32> = audio.iter().map(|x| x * gain).collect();
                let power = Power { ref_db, ..Power::new(framing) };
                let expected = reference_power_db(&widen(&audio), power);
                let mut actual = vec![f32::NAN; expected.len()];
                power.forward(&audio, &mut actual);
                // An ulp of 200 dB is 1.6e-5.
                operation.oracle("power_db", &actual, &expected, Tolerance::absolute(2e-5));
                operation.gradient(
                    "audio",
                    &audio,
                    expected.len(),
                    1e-4 * f64::from(gain),
                    |x, y| y.copy_from_slice(&reference_power_db(x, power)),
                    |x, grad_y, grad_x| power.backward(x, grad_y, grad_x),
                );
            }
        }
    }
}

fn check_rms(operation: &mut Operation) {
    for (framing, n_samples) in framings() {
        for gain in [1.0, 1e-9, 1e9, 1e-30, 1e30] {
            for audio in [pseudo_random(1, n_samples), half_silent(n_samples)] {
                let audio: Vec<f32> = audio.iter().map(|x| x * gain).collect();
                let expected = reference_rms(&widen(&audio), framing);
                let mut actual = vec![f32::NAN; expected.len()];
                rms(&audio, framing, &mut actual);
                // One rounding.
                operation.oracle("rms", &actual, &expected, Tolerance::relative(6e-8));
                operation.gradient(
                    "audio",
                    &audio,
                    expected.len(),
                    1e-4 * f64::from(gain),
                    |x, y| y.copy_from_slice(&reference_rms(x, framing)),
                    |x, grad_y, grad_x| rms_backward(x, framing, grad_y, grad_x),
                );
            }
        }
    }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

#[test]
fn a_grid_has_the_reference_s_levels_but_the_last() {
    let grid = FrameGrid { sample_rate: 16_000, hop: 320 };
    let alignment = FrameAlignment::CentreToEnd;
    let framing = Framing { window_len: 1024, hop: 320, alignment };
    for audio in golden_clips() {
        let (mut with_last, mut levels) = ([0.0; 13], [7.0; 12]);
        Power::new(framing).forward(&audio, &mut with_last);
        power_db(&audio, grid, 1024, &mut levels);
        assert_eq!(with_last[..12], levels);
        let grad = pseudo_random(1, 12);
        let (mut with_last, mut grad_audio) = (vec![0.0; 4000], vec![0.0; 4000]);
        Power::new(framing).backward(&audio, &[&grad[..], &[0.0]].concat(), &mut with_last);
        power_db_backward(&audio, grid, 1024, &grad, &mut grad_audio);
        assert_eq!(with_last, grad_audio, "gradients");
    }
}

#[test]
fn no_value_is_refused_and_nan_stays() {
    let framing = Framing { window_len: 10, hop: 5, alignment: FrameAlignment::Start };
    for value in [f32::NAN, f32::INFINITY, f32::MAX, 1e-42] {
        let mut audio = [0.0; 40];
        audio[20] = value;
        let ([mut levels, mut roots], mut grad_audio) = ([[7.0; 8]; 2], [0.0; 40]);
        Power::new(framing).forward(&audio, &mut levels);
        rms(&audio, framing, &mut roots);
        assert_eq!(levels[4].is_nan() && roots[4].is_nan(), value.is_nan(), "{value}");
        assert_eq!((levels[0], roots[0]), (-80.0, 0.0), "frames without {value}");
        Power::new(framing).backward(&audio, &[1.0; 8], &mut grad_audio);
        assert_eq!(grad_audio[20].is_nan(), value.is_nan(), "{value}");
        rms_backward(&audio, framing, &[1.0; 8], &mut grad_audio);
        let is_whole = value.is_finite();
        assert_eq!(grad_audio[20].is_finite(), is_whole, "{value}: {}", grad_audio[20]);
    }
}

#[test]
fn a_constant_has_its_square_and_silence_the_floor() {
    let mut levels = [7.0; 10];
    let grid = FrameGrid { sample_rate: 16_000, hop: 10 };
    power_db(&[0.1; 100], grid, 21, &mut levels);
    assert!((levels[5] + 20.0).abs() <= 1e-5, "{levels:?}");
    power_db(&[0.0; 100], grid, 21, &mut levels);
    assert_eq!(levels, [-80.0; 10]);
}

#[test]
#[should_panic(expected = "frames for 100 samples of audio")]
fn a_wrong_length_is_named() {
    power_db(&[0.0; 100], FrameGrid { sample_rate: 16_000, hop: 10 }, 20, &mut [0.0; 9]);
}
