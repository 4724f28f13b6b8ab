//! What is promised of the sound, each number as in the documentation of [`Wavetable`].

use std::f64::consts::TAU;

use realfft::RealFftPlanner;

use super::SAMPLE_RATE;
use crate::wavetable::{TableControls, Tables, Wavetable, wavetable_synthesis};
use crate::{AmplitudeInterpolation, FrameGrid};

const TABLE_LEN: usize = 1024;
const GRID: FrameGrid = FrameGrid { sample_rate: SAMPLE_RATE, hop: 64 };

/// Samples of which a spectrum is taken; tones with a whole number of periods in them are steady.
const FFT_LEN: usize = 16_384;

/// Controls of [`FFT_LEN`] samples of a steady tone.
fn frames(value: f32) -> Vec<f32> {
    vec![value; FFT_LEN / GRID.hop]
}

fn f0_hz(periods: usize) -> f32 {
    periods as f32 * SAMPLE_RATE as f32 / FFT_LEN as f32
}

fn synth(table: &[f32]) -> Wavetable {
    let mut synth = Wavetable::new(GRID, 1, table.len(), AmplitudeInterpolation::Window);
    synth.set_tables(table);
    synth
}

/// A steady tone of `periods` in [`FFT_LEN`] samples.
fn tone(table: &[f32], periods: usize) -> Vec<f32> {
    let mut audio = vec![f32::NAN; FFT_LEN];
    let ones = frames(1.0);
    synth(table).forward(&frames(f0_hz(periods)), &ones, &ones, 0.0, &mut audio);
    audio
}

/// One period of `wave`, a function of turns.
fn table(wave: impl Fn(f64) -> f64) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "rounds a table to f32")]
    (0..TABLE_LEN).map(|i| wave(i as f64 / TABLE_LEN as f64) as f32).collect()
}

/// A sawtooth: all harmonics, the `k`th with `1 / k` of the first, up to half of the table's length.
fn saw() -> Vec<f32> {
    table(|turns| 1.0 - 2.0 * turns)
}

/// Powers of the bins, in dB.
fn power_db(powers: impl Iterator<Item = f64>) -> f64 {
    10.0 * powers.sum::<f64>().log10()
}

fn powers(audio: &[f32]) -> Vec<f64> {
    let plan = RealFftPlanner::<f64>::new().plan_fft_forward(audio.len());
    let mut samples: Vec<f64> = audio.iter().copied().map(f64::from).collect();
    let mut spectrum = plan.make_output_vec();
    plan.process(&mut samples, &mut spectrum).expect("the plan's own lengths");
    spectrum.iter().map(|bin| bin.norm_sqr()).collect()
}

/// Power between the harmonics and at 0 Hz, relative to that of the harmonics, in dB.
fn aliased_db(audio: &[f32], periods: usize) -> f64 {
    let powers = powers(audio);
    let is_harmonic = |bin: usize| bin > 0 && bin.is_multiple_of(periods);
    let sum = |harmonic: bool| {
        let bins = powers.iter().enumerate().filter(|(bin, _)| is_harmonic(*bin) == harmonic);
        power_db(bins.map(|(_, power)| *power))
    };
    sum(false) - sum(true)
}

/// Error of `audio`, relative to `exact`, in dB.
fn error_db(audio: &[f32], exact: impl Fn(usize) -> f64) -> f64 {
    let error = audio.iter().enumerate().map(|(n, y)| (f64::from(*y) - exact(n)).powi(2));
    power_db(error) - power_db((0..audio.len()).map(|n| exact(n).powi(2)))
}

#[test]
fn a_bright_table_does_not_alias() {
    // Primes, so that an alias never falls on a harmonic: 80 Hz to 7.8 kHz.
    for periods in [83, 499, 1009, 1237, 2111, 3301, 4099, 6007, 7993] {
        let aliased = aliased_db(&tone(&saw(), periods), periods);
        assert!(aliased <= -115.0, "{} Hz: {aliased} dB", f0_hz(periods));
    }
    // The plain reader is another matter, and the measure tells.
    let mut audio = vec![f32::NAN; FFT_LEN];
    let table = saw();
    let controls = TableControls {
        f0_hz: &frames(f0_hz(1237)),
        amplitudes: &frames(1.0),
        tables: Tables::One(&table),
    };
    wavetable_synthesis(GRID, controls, 0.0, &mut audio);
    let aliased = aliased_db(&audio, 1237);
    assert!(aliased >= -15.0, "the plain reader: {aliased} dB");
}

#[test]
fn a_sine_is_a_sine() {
    let sine = table(|turns| (TAU * turns).sin());
    for periods in [83, 451, 2111, 7001] {
        let turns = periods as f64 / FFT_LEN as f64;
        let exact = |n: usize| (TAU * turns * n as f64).sin();
        let error = error_db(&tone(&sine, periods), exact);
        assert!(error <= -140.0, "{} Hz: {error} dB", f0_hz(periods));
    }
}

#[test]
fn the_highest_harmonic_of_a_bandwidth_has_faint_images() {
    // 512, 406 and so on to 79 and 62 harmonics; at 110 Hz it is the last.
    let cosine = table(|turns| (TAU * 62.0 * turns).cos());
    let turns = 113.0 / FFT_LEN as f64;
    let error = error_db(&tone(&cosine, 113), |n| (TAU * 62.0 * turns * n as f64).cos());
    assert!(error <= -92.0, "{error} dB");
    assert!(error >= -100.0, "not the highest: {error} dB");
}

#[test]
fn harmonics_are_whole_below_three_quarters_of_the_band_and_end_with_it() {
    for harmonic in [1_usize, 2, 3, 7, 40] {
        let cosine = table(|turns| (TAU * harmonic as f64 * turns).cos());
        let level = |f0_nyquist: f64| {
            let f0_hz = f0_nyquist * 0.5 * f64::from(SAMPLE_RATE);
            let mut audio = [f32::NAN; 64];
            #[expect(clippy::cast_possible_truncation, reason = "rounds a frequency to f32")]
            let f0_hz = f0_hz as f32;
            synth(&cosine).forward(&[f0_hz], &[1.0], &[1.0], 0.0, &mut audio);
            // The crest of the cosine is at phase 0.
            audio[0]
        };
        let whole = level(0.749 / harmonic as f64);
        assert!((whole - 1.0).abs() <= 1e-4, "harmonic {harmonic}: {whole}");
        // What is left is the rounding of other harmonics.
        assert!(level(1.0 / harmonic as f64).abs() <= 1e-7, "harmonic {harmonic}");
        assert!(level(1.7 / harmonic as f64).abs() <= 1e-7, "harmonic {harmonic}");
    }
}

#[test]
fn a_gliding_f0_does_not_click() {
    // The same phase at pitches a sixtieth of a semitone apart: a step between neighbours would be
    // heard in a glide. They differ by at most a sixtieth of the harmonics that a bandwidth loses.
    let mut synth = synth(&saw());
    let mut last = None;
    for step in 0..60 * 12 * 8 {
        let f0_hz = 40.0 * 2.0_f32.powf(step as f32 / 720.0);
        let mut audio = [f32::NAN; 64];
        synth.forward(&[f0_hz], &[1.0], &[1.0], 0.123, &mut audio);
        if let Some(last) = last {
            let change: f32 = audio[0] - last;
            assert!(change.abs() <= 0.012, "{change} at {f0_hz} Hz");
        }
        last = Some(audio[0]);
    }
}

#[test]
fn no_table_has_a_mean() {
    let saw = saw();
    let lifted: Vec<f32> = saw.iter().map(|x| x + 3.0).collect();
    let (with, without) = (tone(&lifted, 499), tone(&saw, 499));
    for (with, without) in with.iter().zip(&without) {
        // The transform rounds to 2^-24 of the mean.
        assert!((with - without).abs() <= 3.0 * 1e-6, "{with}, not {without}");
    }
    let mean: f64 = with.iter().map(|y| f64::from(*y)).sum::<f64>() / FFT_LEN as f64;
    assert!(mean.abs() <= 1e-6, "a mean of {mean}");
    assert!(tone(&[0.7; TABLE_LEN], 499).iter().all(|y| y.abs() <= 1e-6), "a mean alone");
}
