//! Where notes begin, and whether they begin where they should.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "window lengths are small and not negative; gains are kept in f32"
)]

use ddsp_kernels::{FrameAlignment, Framing, Magnitudes, Mel, MelBands};

/// Seconds from one look to the next.
const HOP_SECS: f64 = 0.01;

/// Seconds under one window.
const WINDOW_SECS: f64 = 0.032;

/// Bands of the mel scale from 0 to the Nyquist frequency: about two semitones at 1 kHz.
const N_BANDS: usize = 40;

/// A band this far below the loudest moment of the loudest band is silent, dB: so a sound has the
/// same onsets at any level.
const RANGE_DB: f32 = 50.0;

/// What is silent at any rate, dB re a sine of amplitude 1.
const SILENCE_DB: f32 = -100.0;

/// Looks over which a rise is measured: 20 ms.
const LAG: usize = 2;

/// Rise, averaged over the bands, from which a note begins, dB.
///
/// Steady noise reaches 1 dB, vibrato of a semitone less; a soft tone of five partials that begins
/// within 20 ms has 5 dB.
const RISE_DB: f32 = 3.0;

/// Looks to either side in which a rise must be the steepest: 50 ms.
const REACH: usize = 5;

/// Seconds by which an onset may be off and still be found.
const TOLERANCE_SECS: f64 = 0.05;

/// Room for rounding of times, which are multiples of the hop: both ends belong to the tolerance.
const ROUNDING_SECS: f64 = 1e-9;

/// Times in seconds at which something begins to sound in `audio`, ascending.
///
/// A note begins where the levels in mel bands rise most: the rise of a band over 20 ms counts from
/// the loudest of itself and its neighbours, so that a pitch that wavers is no onset (SuperFlux, Böck
/// and Widmer 2013). What sounds from the first sample on begins at 0. A change of pitch within a
/// sound that goes on (legato) is no onset. The last half window is not looked at: a sound that is cut
/// there has a click at its end.
pub(crate) fn onsets_secs(audio: &[f32], sample_rate: u32) -> Vec<f64> {
    let rises = rises_db(audio, sample_rate);
    let is_onset = |&i: &usize| {
        let around = &rises[i.saturating_sub(REACH)..rises.len().min(i + REACH + 1)];
        // Of equal rises the first counts.
        let before = &rises[i.saturating_sub(REACH)..i];
        rises[i] >= RISE_DB
            && around.iter().all(|&rise| rise <= rises[i])
            && before.iter().all(|&rise| rise < rises[i])
    };
    let secs = |i: usize| (i as f64 - 0.5 * LAG as f64).max(0.0) * HOP_SECS;
    (0..rises.len()).filter(is_onset).map(secs).collect()
}

/// Mean over bands of the rise that ends at each look.
fn rises_db(audio: &[f32], sample_rate: u32) -> Vec<f32> {
    let even = |secs: f64| 2 * (secs * f64::from(sample_rate) / 2.0).round().max(1.0) as usize;
    let (window_len, hop) = (even(WINDOW_SECS), (HOP_SECS * f64::from(sample_rate)) as usize);
    let framing = Framing { window_len, hop: hop.max(1), alignment: FrameAlignment::Centre };
    let high_hz = sample_rate as f32 / 2.0;
    let bands = MelBands { sample_rate, low_hz: 0.0, high_hz, n_bands: N_BANDS };
    let mut mel = Mel::new(Magnitudes::new(framing, window_len), bands);
    let mut levels = vec![0.0; mel.n_frames(audio.len()) * N_BANDS];
    mel.forward(audio, &mut levels);
    let gain = 4.0 / window_len as f32;
    levels.iter_mut().for_each(|level| *level = 20.0 * (gain * *level).log10());
    let floor_db = levels.iter().copied().fold(SILENCE_DB + RANGE_DB, f32::max) - RANGE_DB;
    levels.iter_mut().for_each(|level| *level = level.max(floor_db));
    let silence = [floor_db; N_BANDS];
    // Frames whose window lies before the end.
    let n_whole = (audio.len() + framing.hop).saturating_sub(window_len / 2) / framing.hop;
    let frames: Vec<&[f32]> = levels.chunks_exact(N_BANDS).take(n_whole).collect();
    let rise = |i: usize| {
        let before = i.checked_sub(LAG).map_or(&silence[..], |i| frames[i]);
        let rise = |band: usize| {
            let neighbours = &before[band.saturating_sub(1)..N_BANDS.min(band + 2)];
            let loudest = neighbours.iter().copied().fold(floor_db, f32::max);
            (frames[i][band] - loudest).max(0.0)
        };
        (0..N_BANDS).map(rise).sum::<f32>() / N_BANDS as f32
    };
    (0..frames.len()).map(rise).collect()
}

/// How well onsets agree; all NaN if there are none on either side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OnsetErrors {
    /// Share of the sound's onsets that are the target's; NaN if it has none.
    pub(crate) precision: f64,
    /// Share of the target's onsets that the sound has; NaN if there are none.
    pub(crate) recall: f64,
    /// `2 hits / (onsets here + onsets there)`: the harmonic mean of both.
    pub(crate) f_measure: f64,
    /// Mean distance in time of the matched ones, milliseconds; NaN if there are none.
    pub(crate) distance_ms: f64,
}

/// Matches onsets one to one within 50 ms: the rule of `mir_eval.onset.f_measure`.
///
/// In order of time, each takes the earliest that is left and near enough, which finds as many pairs
/// as there can be.
pub(crate) fn onset_errors(target_secs: &[f64], audio_secs: &[f64]) -> OnsetErrors {
    let mut distances = Vec::new();
    let mut left = audio_secs.iter().copied().peekable();
    for target in target_secs {
        let is_past = |secs: &f64| *secs < target - TOLERANCE_SECS - ROUNDING_SECS;
        while left.next_if(is_past).is_some() {}
        if let Some(hit) = left.next_if(|secs| *secs <= target + TOLERANCE_SECS + ROUNDING_SECS) {
            distances.push(1000.0 * (hit - target).abs());
        }
    }
    let hits = distances.len() as f64;
    let (n_target, n_audio) = (target_secs.len() as f64, audio_secs.len() as f64);
    OnsetErrors {
        precision: hits / n_audio,
        recall: hits / n_target,
        f_measure: 2.0 * hits / (n_target + n_audio),
        distance_ms: distances.iter().sum::<f64>() / hits,
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use ddsp_model::uniform_noise;

    use super::*;

    /// Two seconds of five partials in `notes`: beginning, end (seconds) and f0.
    fn melody(notes: &[(f64, f64, f64)]) -> Vec<f32> {
        let sample = |n: u32| {
            let t = f64::from(n) / 16_000.0;
            let note = notes.iter().find(|(begin, end, _)| (*begin..*end).contains(&t));
            note.map_or(0.0, |(begin, end, hz)| {
                // 5 ms in and out.
                let gain = ((t - begin) / 0.005).min((end - t) / 0.005).min(1.0);
                let wave = |k: u8| (TAU * f64::from(k) * hz * t).sin() / f64::from(k);
                (0.1 * gain * (1..=5).map(wave).sum::<f64>()) as f32
            })
        };
        (0..32_000).map(sample).collect()
    }

    #[test]
    fn notes_are_found_where_they_begin() {
        let audio = melody(&[(0.0, 0.4, 220.0), (0.6, 0.95, 330.0), (1.0, 2.1, 330.0)]);
        let found = onsets_secs(&audio, 16_000);
        assert_eq!(found.len(), 3, "{found:?}");
        for (found, expected) in found.iter().zip([0.0, 0.6, 1.0]) {
            // A window of 32 ms and a lag of 20.
            assert!((found - expected).abs() <= 0.02, "{found} s, expected {expected}");
        }
        let soft: Vec<f32> = audio.iter().map(|x| x / 16.0).collect();
        assert_eq!(onsets_secs(&soft, 16_000), found, "24 dB softer");
    }

    #[test]
    fn vibrato_and_noise_have_no_onsets_but_the_first() {
        let mut noise = vec![0.0; 32_000];
        uniform_noise(5, &mut noise);
        noise.iter_mut().for_each(|x| *x *= 0.1);
        let found = onsets_secs(&noise, 16_000);
        assert!(found.len() == 1 && found[0] <= 0.02, "noise: {found:?}");
        // 6 Hz, three semitones wide.
        let mut phase = 0.0;
        let vibrato: Vec<f32> = (0..32_000)
            .map(|n| {
                let wave = (TAU * 6.0 * f64::from(n) / 16_000.0).sin();
                phase += 440.0 * 2_f64.powf(1.5 * wave / 12.0) / 16_000.0;
                (0.1 * (1..=5).map(|k| (TAU * f64::from(k) * phase).sin()).sum::<f64>()) as f32
            })
            .collect();
        let found = onsets_secs(&vibrato, 16_000);
        assert!(found.len() == 1 && found[0] <= 0.02, "vibrato: {found:?}");
        assert_eq!(onsets_secs(&[0.0; 32_000], 16_000), [0.0; 0], "silence");
        assert_eq!(onsets_secs(&[], 16_000), [0.0; 0], "nothing");
    }

    #[test]
    fn onsets_are_matched_one_to_one_within_50_ms() {
        let target = [0.0, 1.0, 1.04, 2.0];
        let same = onset_errors(&target, &target);
        assert_eq!((same.f_measure, same.distance_ms), (1.0, 0.0), "{same:?}");
        let found = onset_errors(&target, &[0.03, 1.05, 1.5, 2.05, 2.3]);
        // 1.05 belongs to 1.0, which leaves none for 1.04; 2.05 is just near enough.
        assert_eq!((found.precision, found.recall), (0.6, 0.75), "{found:?}");
        assert!((found.f_measure - 2.0 * 3.0 / 9.0).abs() < 1e-12, "{found:?}");
        assert!((found.distance_ms - (30.0 + 50.0 + 50.0) / 3.0).abs() < 1e-6, "{found:?}");
        let late: Vec<f64> = target.iter().map(|secs| secs + 0.06).collect();
        let late = onset_errors(&target, &late);
        // 1.0 + 0.06 is within 50 ms of 1.04.
        assert_eq!(late.recall, 0.25, "{late:?}");
    }

    #[test]
    fn silence_finds_nothing_and_nothing_to_find_says_nothing() {
        let missed = onset_errors(&[0.0, 1.0], &[]);
        assert_eq!((missed.recall, missed.f_measure), (0.0, 0.0), "{missed:?}");
        assert!(missed.precision.is_nan() && missed.distance_ms.is_nan(), "{missed:?}");
        assert!(onset_errors(&[], &[]).f_measure.is_nan(), "undefined");
    }
}
