//! Traits of what is bowed, blown, sung or held electronically.

use super::super::measure::{TRACK_HZ, deviation, line, mean, sway, track};
use super::{Family, RenderedNote, SAMPLE_RATE, hz, n_instruments, render, spectrum};

/// Cents and dB of the first partial between two times.
fn first_partial(note: &RenderedNote, pitch: u8, from_secs: f64, to_secs: f64) -> [Vec<f64>; 2] {
    let first = track(&note.audio, SAMPLE_RATE, hz(pitch), 0.04);
    let range = (from_secs * TRACK_HZ) as usize..(to_secs * TRACK_HZ) as usize;
    [first.cents[range.clone()].to_vec(), first.db[range].to_vec()]
}

/// Levels of partials `1..=n` while the tone is held, in dB.
fn partials(note: &RenderedNote, pitch: u8, n: usize) -> Vec<f64> {
    let held = spectrum(note, 0.2, 1.2);
    (1..=n).map(|k| k as f64 * hz(pitch)).map(|hz| held.peak(hz, 0.03 * hz).1).collect()
}

/// Noise under the tone, in dB: from the gaps between the partials, before any vibrato.
fn noise_db(note: &RenderedNote, pitch: u8) -> f64 {
    let (from_secs, to_secs) = (0.1, 0.4);
    let held = spectrum(note, from_secs, to_secs);
    let n = (7500.0 / hz(pitch)) as usize;
    let power = |db: f64| 10.0_f64.powf(db / 10.0);
    let gaps: Vec<f64> = (0..n)
        .map(|k| power(held.median_db((k as f64 + 0.4) * hz(pitch)..(k as f64 + 0.6) * hz(pitch))))
        .collect();
    // The median of a noise spectrum's power is ln 2 times its mean, and a peak-scaled Hann spectrum of N samples of noise of
    // variance v has the mean 6 v / N.
    let n_samples = (to_secs - from_secs) * SAMPLE_RATE;
    let noise = mean(&gaps) / std::f64::consts::LN_2 * n_samples / 6.0;
    let tone: f64 = partials(note, pitch, n).into_iter().map(|db| 0.5 * power(db)).sum();
    10.0 * (noise / tone).log10()
}

#[test]
fn strings_sway_after_a_while() {
    for instrument in 0..n_instruments(Family::String) {
        let note = render(Family::String, instrument, 62, 90);
        let [cents, _] = first_partial(&note, 62, 1.0, 2.8);
        let (rate_hz, depth) = sway(&cents);
        assert!((4.7..6.6).contains(&rate_hz), "string {instrument}: {rate_hz} Hz");
        assert!((6.0..30.0).contains(&depth), "string {instrument}: {depth} cents");
        let [early, _] = first_partial(&note, 62, 0.12, 0.27);
        let (early, late) = (deviation(&early), deviation(&cents));
        assert!(early < 0.6 * late, "string {instrument}: {early} cents, later {late}");
    }
}

#[test]
fn bows_hiss_and_flutes_breathe_and_organs_do_neither() {
    for (family, range) in [
        (Family::String, -38.0..-24.0),
        (Family::Flute, -28.0..-10.0),
        (Family::Organ, -90.0..-38.0),
        (Family::SynthLead, -90.0..-38.0),
    ] {
        for instrument in 0..n_instruments(family) {
            let db = noise_db(&render(family, instrument, 74, 100), 74);
            assert!(range.contains(&db), "{} {instrument}: noise {db} dB", family.name());
        }
    }
}

/// Mean level of the partials in a band over many pitches, after the source's slope in log frequency is taken out.
fn resonance_db(family: Family, instrument: u32, pitches: &[u8], bands: &[(f64, f64)]) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); bands.len()];
    for &pitch in pitches {
        let note = render(family, instrument, pitch, 100);
        let levels = partials(&note, pitch, (5000.0 / hz(pitch)) as usize);
        let points: Vec<(f64, f64)> = levels
            .iter()
            .enumerate()
            .map(|(i, &db)| (((i + 1) as f64 * hz(pitch)).log2(), db))
            .collect();
        let (slope, start) = line(&points);
        for (x, y) in points {
            for (sum, band) in sums.iter_mut().zip(bands) {
                if (band.0..band.1).contains(&x.exp2()) {
                    *sum = (sum.0 + y - start - slope * x, sum.1 + 1.0);
                }
            }
        }
    }
    sums.into_iter().map(|(sum, n)| sum / n).collect()
}

#[test]
fn bodies_of_strings_stay_where_they_are() {
    // Bridge hill and its flank below, in Hz: violin, cello.
    for (instrument, hill, below) in
        [(0, (2000.0, 2900.0), (1000.0, 1500.0)), (4, (1400.0, 2000.0), (600.0, 1000.0))]
    {
        for pitches in [[48, 51, 53], [58, 61, 63], [67, 70, 73]] {
            let db = resonance_db(Family::String, instrument, &pitches, &[hill, below]);
            let height = db[0] - db[1];
            assert!(height > 3.0, "string {instrument} at {pitches:?}: bridge hill of {height} dB");
        }
    }
}

#[test]
fn voices_have_the_formants_of_their_vowels() {
    // Peterson & Barney: men's "ah" 730, 1090; women's "eh" 610, 2330.
    for (instrument, peaks, valley) in [
        (0, [(650.0, 810.0), (1020.0, 1160.0)], (1500.0, 2100.0)),
        (5, [(540.0, 690.0), (2200.0, 2450.0)], (1100.0, 1700.0)),
    ] {
        for pitches in [[45, 47, 50, 52], [53, 55, 57, 58]] {
            let bands = [peaks[0], peaks[1], valley];
            let db = resonance_db(Family::Vocal, instrument, &pitches, &bands);
            let [first, second] = [db[0] - db[2], db[1] - db[2]];
            let what = format!("voice {instrument} at {pitches:?}: {first} and {second} dB");
            assert!(first > 8.0 && second > 8.0, "{what}");
        }
        let [cents, _] = first_partial(&render(Family::Vocal, instrument, 57, 90), 57, 1.0, 2.8);
        let (rate_hz, depth) = sway(&cents);
        assert!((5.0..6.2).contains(&rate_hz) && depth > 20.0, "{rate_hz} Hz, {depth} cents");
    }
}

#[test]
fn clarinets_sound_odd_partials_and_cones_all() {
    for instrument in 0..n_instruments(Family::Reed) {
        let db = partials(&render(Family::Reed, instrument, 50, 90), 50, 6);
        let odd_over_even = (db[0] + db[2] + db[4] - db[1] - db[3] - db[5]) / 3.0;
        let range = if instrument < 3 { 15.0..35.0 } else { -9.0..9.0 };
        assert!(range.contains(&odd_over_even), "reed {instrument}: {odd_over_even} dB");
    }
}

#[test]
fn flutes_sway_in_level_more_than_in_pitch() {
    for instrument in 0..n_instruments(Family::Flute) {
        let note = render(Family::Flute, instrument, 72, 90);
        let [cents, db] = first_partial(&note, 72, 1.0, 2.8);
        let (rate_hz, depth_db) = sway(&db);
        assert!((4.0..6.1).contains(&rate_hz), "flute {instrument}: {rate_hz} Hz");
        assert!((0.7..3.0).contains(&depth_db), "flute {instrument}: {depth_db} dB");
        let (_, depth_cents) = sway(&cents);
        assert!(depth_cents < 10.0, "flute {instrument}: {depth_cents} cents");
    }
}

#[test]
fn organs_stand_still_on_their_drawbars() {
    for instrument in 0..n_instruments(Family::Organ) {
        let note = render(Family::Organ, instrument, 60, 90);
        let [cents, db] = first_partial(&note, 60, 0.3, 2.8);
        assert!(deviation(&cents) < 1.5, "organ {instrument}: {} cents", deviation(&cents));
        assert!(deviation(&db) < 0.2, "organ {instrument}: {} dB", deviation(&db));
        let points: Vec<(f64, f64)> =
            db.iter().enumerate().map(|(i, &db)| (i as f64 / TRACK_HZ, db)).collect();
        let slope = line(&points).0;
        assert!(slope.abs() < 0.2, "organ {instrument}: {slope} dB/s");
    }
    let held = spectrum(&render(Family::Organ, 0, 60, 100), 0.3, 2.3);
    let level = |ratio: f64| held.peak(ratio * hz(60), 2.0);
    // 8', 4' and the tempered 2 2/3', which is 2 cents flat of the third harmonic; nothing at 2'.
    let (twelfth_hz, twelfth_db) = level(2.9966);
    assert!((twelfth_hz / hz(60) - 2.9966).abs() < 5e-4, "twelfth at {twelfth_hz} Hz");
    let tones = [level(1.0).1, level(2.0).1, twelfth_db];
    assert!(tones.iter().all(|db| (db - tones[0]).abs() < 6.0), "drawbars {tones:?} dB");
    assert!(level(4.0).1 < tones[0] - 25.0, "2' is not drawn: {} dB", level(4.0).1);
}

#[test]
fn brass_brightens_with_level() {
    for instrument in 0..n_instruments(Family::Brass) {
        let [soft, loud] = [30, 120]
            .map(|v| spectrum(&render(Family::Brass, instrument, 58, v), 0.3, 0.9).centroid_hz());
        assert!(loud > 1.4 * soft, "brass {instrument}: centroid {soft} to {loud} Hz");
        let note = render(Family::Brass, instrument, 58, 120);
        let [onset, held] =
            [(0.01, 0.05), (0.2, 0.4)].map(|(from, to)| spectrum(&note, from, to).centroid_hz());
        assert!(held > onset, "brass {instrument}: bright at once, {onset} then {held} Hz");
    }
}

#[test]
fn leads_are_bright_detuned_and_held() {
    for instrument in 0..n_instruments(Family::SynthLead) {
        let pitch = 60;
        let note = render(Family::SynthLead, instrument, pitch, 100);
        let levels = partials(&note, pitch, 11);
        // A saw's partials fall as 1 / k: 19 dB at the ninth. Pulses lack some of them.
        let fall_db = levels[0] - levels[6..].iter().fold(f64::MIN, |m, &db| m.max(db));
        assert!(fall_db < 22.0, "lead {instrument}: partials 7 to 11 are {fall_db} dB down");
        let beating = track(&note.audio, SAMPLE_RATE, 5.0 * hz(pitch), 0.03).db;
        let beating_db = deviation(&beating[80..560]);
        assert!(beating_db > 2.0, "lead {instrument}: partial 5 beats by {beating_db} dB");
        let level = |from: usize| {
            let part = &note.audio[from..from + 16_000];
            10.0 * mean(&part.iter().map(|&x| f64::from(x).powi(2)).collect::<Vec<_>>()).log10()
        };
        let lost_db = level(8_000) - level(30_000);
        assert!(lost_db.abs() < 1.5, "lead {instrument}: loses {lost_db} dB");
    }
}
