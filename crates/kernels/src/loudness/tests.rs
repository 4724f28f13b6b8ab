use super::*;
use crate::agreement::{Operation, Report, Tolerance};
use crate::magnitudes::tests::half_silent;
use crate::stft::tests::{golden_clips, reference_stft};
use crate::testing::{pseudo_random, widen};

fn loudness_db(audio: &[f32], grid: FrameGrid) -> Vec<f32> {
    let mut loudness_db = vec![7.0; grid.n_frames(audio.len())];
    Loudness::new(grid).forward(audio, &mut loudness_db);
    loudness_db
}

fn sine(hz: f64, sample_rate: u32, secs: f64) -> Vec<f32> {
    let turn = std::f64::consts::TAU * hz / f64::from(sample_rate);
    let n_samples = (secs * f64::from(sample_rate)) as usize;
    (0..n_samples).map(|i| (turn * i as f64).sin() as f32).collect()
}

/// The reference's arguments, all defaults but these.
fn config(window_len: usize, alignment: FrameAlignment) -> LoudnessConfig {
    LoudnessConfig { framing: Framing { window_len, hop: 64, alignment }, ..Default::default() }
}

fn measured(mut loudness: Loudness, audio: &[f32]) -> Vec<f32> {
    let mut loudness_db = vec![f32::NAN; loudness.n_frames(audio.len())];
    loudness.forward(audio, &mut loudness_db);
    loudness_db
}

/// Loudness by its definition in `f64`.
pub(crate) fn reference_loudness(audio: &[f64], config: &LoudnessConfig) -> Vec<f64> {
    let window_len = config.framing.window_len;
    let n_bins = window_len / 2 + 1;
    let power_ratio = |bin: usize| {
        let hz = bin as f64 * f64::from(config.sample_rate) / window_len as f64;
        10_f64.powf(a_weighting_db(hz) / 10.0)
    };
    let weights: Vec<f64> = (0..n_bins).map(power_ratio).collect();
    let spectrum = reference_stft(audio, config.framing, window_len);
    let level = |row: &[f64]| {
        let powers = row.chunks(2).map(|x| x[0] * x[0] + x[1] * x[1]);
        let mean = powers.zip(&weights).map(|(p, w)| p * w).sum::<f64>() / n_bins as f64;
        let (ref_db, range_db) = (f64::from(config.ref_db), f64::from(config.range_db));
        let least = 10_f64.powf(-range_db / 10.0);
        (10.0 * mean.max(least).log10() - ref_db).max(-range_db)
    };
    spectrum.chunks(2 * n_bins).map(level).collect()
}

fn golden(operation: &mut Operation) {
    let old = LoudnessConfig {
        ref_db: 20.7,
        range_db: 120.0,
        ..config(2048, FrameAlignment::CentreToEnd)
    };
    for (case, config) in [
        ("center_tf", config(512, FrameAlignment::CentreToEnd)),
        ("center_np", config(512, FrameAlignment::CentreToEnd)),
        ("same_tf", config(512, FrameAlignment::Start)),
        ("same_np", config(512, FrameAlignment::Start)),
        ("valid_tf", config(512, FrameAlignment::Within)),
        ("valid_np", config(512, FrameAlignment::Within)),
        ("2048", config(2048, FrameAlignment::CentreToEnd)),
        ("old", old),
        ("1d", config(512, FrameAlignment::CentreToEnd)),
    ] {
        let n_clips = if case == "1d" { 1 } else { 2 };
        let levels = |audio: &Vec<f32>| measured(Loudness::with_config(&config), audio);
        let actual: Vec<f32> = golden_clips()[..n_clips].iter().flat_map(levels).collect();
        // The reference's two own paths differ by 4e-6 dB; an ulp of 80 dB is 8e-6.
        let tolerance = Tolerance::absolute(1.6e-5);
        operation.golden(&format!("spectral/loudness_{case}"), "y", &actual, tolerance);
    }
}

fn golden_weighting(operation: &mut Operation) {
    let weighting: Vec<f32> =
        (0..257).map(|bin| a_weighting_db(f64::from(bin) * 31.25) as f32).collect();
    // Both are computed in f64 and rounded to f32, as far as -80 dB.
    operation.golden("spectral/a_weighting", "y", &weighting, Tolerance::absolute(8e-6));
}

pub(crate) fn agreement(report: &mut Report) {
    golden_weighting(report.operation("a_weighting"));
    let operation = report.operation("loudness");
    golden(operation);
    for simd in Simd::all() {
        for (window_len, alignment, n_samples, ref_db) in [
            (16, FrameAlignment::Grid, 200, 0.0),
            (16, FrameAlignment::CentreToEnd, 63, 20.7),
            (32, FrameAlignment::Start, 64, 0.0),
            (64, FrameAlignment::Within, 200, -10.0),
        ] {
            for gain in [1.0, 3e-4, 1e-9, 1e9] {
                let config = LoudnessConfig { ref_db, ..config(window_len, alignment) };
                let loudness = || Loudness::with_config(&config).with_simd(simd);
                for audio in [pseudo_random(1, n_samples), half_silent(n_samples)] {
                    let audio: Vec<f32> = audio.iter().map(|x| x * gain).collect();
                    let expected = reference_loudness(&widen(&audio), &config);
                    // A rounding of the spectrum, 4e-7 of its power, and an ulp of 200 dB.
                    let tolerance = Tolerance::absolute(2e-5);
                    operation.oracle("levels", &measured(loudness(), &audio), &expected, tolerance);
                    operation.gradient(
                        "audio",
                        &audio,
                        expected.len(),
                        1e-4 * f64::from(gain),
                        |x, y| y.copy_from_slice(&reference_loudness(x, &config)),
                        |x, grad_y, grad_x| loudness().backward(x, grad_y, grad_x),
                    );
                }
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
    let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
    for audio in golden_clips() {
        let with_last = measured(Loudness::with_config(&LoudnessConfig::default()), &audio);
        assert_eq!((with_last.len(), with_last[..62].to_vec()), (63, loudness_db(&audio, grid)));
    }
}

#[test]
fn silence_and_the_floor_have_no_gradient_and_nan_stays() {
    let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
    let mut audio = pseudo_random(1, 2560);
    audio[640..].iter_mut().for_each(|x| *x *= 1e-9);
    audio[1280..].fill(0.0);
    let mut grad_audio = vec![0.0; 2560];
    let mut loudness = Loudness::new(grid);
    loudness.backward(&audio, &[1.0; 40], &mut grad_audio);
    // Frame 13 is centred on 832 and begins at 576; frame 15 at 704.
    assert!(grad_audio[..640].iter().any(|&g| g != 0.0), "sound has a gradient");
    assert!(grad_audio[1216..].iter().all(|&g| g == 0.0), "the floor has none");
    audio[1000] = f32::NAN;
    let levels = measured(Loudness::new(grid), &audio);
    assert!(levels[1000 / 64].is_nan(), "NaN in, NaN out");
    assert!(levels[0].is_finite() && levels[39] == -80.0, "and not elsewhere");
    for value in [f32::INFINITY, f32::MAX, 1e-42] {
        audio[1000] = value;
        let levels = measured(Loudness::new(grid), &audio);
        assert_eq!(levels[1000 / 64].is_finite(), value == 1e-42, "{value}");
    }
}

#[test]
fn weighting_is_the_standards_table() {
    // IEC 61672-1:2013, table 3, rounded to 0.1 dB at the exact base-ten frequencies.
    let table = [
        (10.0, -70.4),
        (31.623, -39.4),
        (100.0, -19.1),
        (501.19, -3.2),
        (1000.0, 0.0),
        (2511.9, 1.3),
        (7943.3, -1.1),
        (15849.0, -6.6),
    ];
    for (hz, expected) in table {
        let actual = a_weighting_db(hz);
        assert!((actual - expected).abs() <= 0.06, "{hz} Hz: {actual} dB, not {expected}");
    }
    assert_eq!(a_weighting_db(0.0), -80.0, "a constant is inaudible");
}

#[test]
fn the_scale_is_the_same_at_every_sample_rate() {
    for (sample_rate, frame_rate) in [(16_000, 250), (44_100, 100), (48_000, 250), (8000, 125)] {
        let grid = FrameGrid::new(sample_rate, frame_rate).expect("whole hops");
        let levels = loudness_db(&sine(1000.0, sample_rate, 0.5), grid);
        for level in &levels[20..40] {
            // 10 log10(256 * 512 * 3 / 16 / 257); the window of 44.1 kHz is 0.2% shorter.
            assert!((level - 19.805).abs() <= 0.02, "{sample_rate} Hz: {level} dB");
        }
    }
}

#[test]
fn frames_are_centred() {
    let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
    let mut audio = vec![0.0; 6400];
    audio[50 * grid.hop] = 1.0;
    let levels = loudness_db(&audio, grid);
    let loudest = levels.iter().copied().fold(f32::MIN, f32::max);
    assert_eq!(levels[50], loudest, "a click is loudest in the frame at its sample");
    assert!((levels[48] - levels[52]).abs() <= 1e-4, "{} {}", levels[48], levels[52]);
    assert_eq!(levels[40], -80.0, "silence has the lowest level");
}

#[test]
fn halving_the_amplitude_takes_six_db() {
    let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
    let audio = pseudo_random(1, 6400);
    let half: Vec<f32> = audio.iter().map(|x| 0.5 * x).collect();
    for (loud, soft) in loudness_db(&audio, grid).iter().zip(loudness_db(&half, grid)) {
        // 20 log10(2), to the rounding of a level near 20 dB.
        assert!((loud - soft - 6.0206).abs() <= 1e-5, "{loud} {soft}");
    }
}

#[test]
#[should_panic(expected = "4 frames where 200 samples of audio have 3")]
fn a_wrong_length_is_named() {
    let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
    Loudness::new(grid).forward(&[0.0; 200], &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "Loudness: 9 samples of grad_audio for 200")]
fn a_wrong_gradient_is_named() {
    let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
    Loudness::new(grid).backward(&[0.0; 200], &[0.0; 3], &mut [0.0; 9]);
}
