use std::path::Path;

use super::*;
use crate::audio_file::{WavFormat, write_wav};
use crate::features::extract_features;
use crate::prepare::PrepareOptions;
use crate::resample::resample;

/// Notes of 0.4 to 1.6 s with vibrato and a decay, rests between them, and quiet noise below.
#[expect(clippy::cast_possible_truncation, reason = "audio is single precision")]
fn melody(secs: usize, rate: u32) -> Vec<f32> {
    let (mut state, mut phase, mut hz, mut left, mut level) = (7_u32, 0.0_f64, 220.0, 0_u32, 0.0);
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / 16_777_216.0
    };
    let n = secs * rate as usize;
    (0..n)
        .map(|i| {
            if left == 0 {
                left = rate / 10 * (4 + (next() * 12.0) as u32);
                hz = 110.0 * (f64::from((next() * 30.0) as u32) / 12.0).exp2();
                level = if next() < 0.25 { 0.0 } else { 0.1 + 0.4 * next() };
            }
            left -= 1;
            level *= 1.0 - 0.8 / f64::from(rate);
            let t = i as f64 / f64::from(rate);
            phase += hz * (1.0 + 0.004 * (34.0 * t).sin()) / f64::from(rate);
            let tone: f64 = (1..7)
                .map(|k| (std::f64::consts::TAU * f64::from(k) * phase).sin() / f64::from(k))
                .sum();
            (level * tone + 0.002 * (next() - 0.5) + 0.01) as f32
        })
        .collect()
}

/// The features and the audio of a file, put together from its stretches.
fn in_stretches(path: &Path, windows: Windows) -> (Vec<f32>, ExtractedFeatures, usize) {
    let reader = AudioReader::open(path).expect("audio");
    let mut stretches = Stretches::new(reader, Channels::Mix, windows);
    let (mut audio, mut n_stretches) = (Vec::new(), 0);
    let mut all =
        ExtractedFeatures { f0_hz: Vec::new(), f0_confidence: Vec::new(), loudness_db: Vec::new() };
    while let Some(stretch) = stretches.next_stretch().expect("readable") {
        for lane in stretch.analyse(windows) {
            audio.extend(lane.audio);
            all.f0_hz.extend(lane.features.f0_hz);
            all.f0_confidence.extend(lane.features.f0_confidence);
            all.loudness_db.extend(lane.features.loudness_db);
        }
        n_stretches += 1;
    }
    (audio, all, n_stretches)
}

#[test]
fn stretches_have_the_features_of_the_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("melody.wav");
    // Seven stretches with six seams, and a rest of no whole frame.
    let mut audio = melody(191, 16_000);
    audio.truncate(audio.len() - 29);
    write_wav(&path, &audio, 16_000, WavFormat::Float32).expect("writable");
    let windows = Windows::new(&PrepareOptions::default()).expect("sane");
    let (joined, pieces, n_stretches) = in_stretches(&path, windows);
    let whole = extract_features(&audio, windows.grid_16k);
    assert_eq!(n_stretches, 7);
    assert!(joined == audio[..joined.len()], "no sample is lost or doubled");
    assert_eq!(pieces.f0_hz.len(), audio.len() / 64);
    assert!(pieces.loudness_db == whole.loudness_db, "loudness, bit for bit");
    let n_voiced = whole.f0_confidence.iter().filter(|&&c| c >= 0.5).count();
    assert!(n_voiced * 4 > whole.f0_hz.len(), "there is something to track: {n_voiced}");
    let of =
        |features: &ExtractedFeatures, i: usize| (features.f0_hz[i], features.f0_confidence[i]);
    let mut n_guessed = 0;
    for i in (0..whole.f0_hz.len()).filter(|&i| of(&pieces, i) != of(&whole, i)) {
        // Nothing but rests that began more than the warm-up before the stretch: what is held there
        // was heard too long ago.
        let heard = (i / 7500 * 7500).saturating_sub(250)..=i;
        let is_voiced = |i: usize| pieces.f0_confidence[i] >= 0.5 || whole.f0_confidence[i] >= 0.5;
        assert!(!heard.clone().any(is_voiced), "frame {i}: {:?}", (of(&pieces, i), of(&whole, i)));
        n_guessed += 1;
    }
    assert!(n_guessed * 50 < whole.f0_hz.len(), "{n_guessed} frames of rests differ");
}

#[test]
fn other_rates_are_those_of_the_whole_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("melody.wav");
    let audio = melody(47, 44_100);
    write_wav(&path, &audio, 44_100, WavFormat::Float32).expect("writable");
    let options = PrepareOptions { sample_rate: 48_000, ..PrepareOptions::default() };
    let windows = Windows::new(&options).expect("sane");
    let (joined, pieces, n_stretches) = in_stretches(&path, windows);
    assert_eq!(n_stretches, 2);
    assert!(joined == resample(audio.clone(), 44_100, 48_000).expect("sane"), "audio");
    let at_16k = resample(audio, 44_100, 16_000).expect("sane");
    assert!(pieces == extract_features(&at_16k, windows.grid_16k), "features");
}

#[test]
fn channels_are_mixed_chosen_or_kept_apart() {
    let block = AudioBlock { interleaved: &[1.0, 3.0, 2.0, 6.0], n_channels: 2, sample_rate: 1000 };
    let of = |channels: Channels, lane| {
        let mut audio = Vec::new();
        channels.extract(lane, block, &mut audio);
        audio
    };
    assert_eq!(of(Channels::Mix, 0), [2.0, 4.0]);
    assert_eq!(of(Channels::Left, 0), [1.0, 2.0]);
    assert_eq!(of(Channels::Right, 0), [3.0, 6.0]);
    assert_eq!((of(Channels::Each, 0), of(Channels::Each, 1)), (vec![1.0, 2.0], vec![3.0, 6.0]));
    assert_eq!((Channels::Each.n_lanes(2), Channels::Mix.n_lanes(2)), (2, 1));
    let mono = AudioBlock { n_channels: 1, ..block };
    let mut audio = Vec::new();
    Channels::Right.extract(0, mono, &mut audio);
    assert_eq!(audio, mono.interleaved, "the only one");
}
