//! Traits of what is struck or plucked.

use super::super::measure::{Spectrum, TRACK_HZ, inharmonicity, levels_db, line, mean, track};
use super::{Family, RenderedNote, SAMPLE_RATE, hz, n_instruments, render, spectrum};

/// `B` from the first partials, followed upwards: each is sought where `B` so far puts it.
fn measured_b(note: &RenderedNote, pitch: u8, n: usize) -> f64 {
    let early = spectrum(note, 0.03, 0.63);
    let mut peaks: Vec<(usize, f64)> = Vec::new();
    for k in 1..=n {
        let b = if peaks.len() > 2 { inharmonicity(&peaks) } else { 0.0 };
        let k_f64 = k as f64;
        let expected_hz = k_f64 * hz(pitch) * ((1.0 + b * k_f64 * k_f64) / (1.0 + b)).sqrt();
        let (peak_hz, db) = early.peak(expected_hz, 0.2 * hz(pitch));
        if db > early.peak(hz(pitch), 20.0).1 - 60.0 {
            peaks.push((k, peak_hz));
        }
    }
    inharmonicity(&peaks)
}

/// Slope in dB a second of the partial near `hz`, between two times.
fn decay(note: &RenderedNote, hz: f64, from_secs: f64, to_secs: f64) -> f64 {
    let partial = track(&note.audio, SAMPLE_RATE, hz, 0.06);
    let [from, to] = [from_secs, to_secs].map(|secs| (secs * TRACK_HZ) as usize);
    let points: Vec<(f64, f64)> =
        (from..to).map(|i| (i as f64 / TRACK_HZ, partial.db[i])).collect();
    line(&points).0
}

#[test]
fn pianos_are_stiff_and_more_so_upwards() {
    let b =
        |instrument, pitch| measured_b(&render(Family::Keyboard, instrument, pitch, 100), pitch, 8);
    let grand = b(0, 60);
    // Fletcher & Rossing, ch. 12: some 3.5e-4 at middle C of a grand, twice that 8 semitones up.
    assert!((3.0e-4..4.2e-4).contains(&grand), "grand at C4: B = {grand:e}");
    let ratio = b(0, 68) / grand;
    assert!((1.7..2.3).contains(&ratio), "8 semitones up, B is {ratio} times that");
    let upright = b(1, 60);
    assert!((2.0..3.0).contains(&(upright / grand)), "upright at C4: B = {upright:e}");
    for instrument in [2, 3] {
        let tine = b(instrument, 60);
        assert!(tine.abs() < 2e-5, "harmonics of a pickup are exact, not B = {tine:e}");
    }
}

#[test]
fn pianos_decay_in_two_stages_and_fastest_at_the_top() {
    let note = render(Family::Keyboard, 0, 60, 100);
    let (prompt, after) = (decay(&note, hz(60), 0.1, 0.6), decay(&note, hz(60), 2.2, 2.9));
    assert!(prompt < -4.0 && after > 0.75 * prompt, "prompt {prompt}, after {after} dB/s");
    let high = decay(&note, 6.0 * hz(60) * 1.006, 0.1, 0.6);
    assert!(high < 1.2 * prompt, "partial 6 decays at {high}, the first at {prompt} dB/s");
    let levels = levels_db(&note.audio, SAMPLE_RATE);
    assert!(levels[170] < levels[145] - 25.0, "the damper: {} dB", levels[170] - levels[145]);
}

#[test]
fn guitars_are_slightly_stiff_and_glide_down() {
    for instrument in 0..n_instruments(Family::Guitar) {
        let note = render(Family::Guitar, instrument, 55, 110);
        let b = measured_b(&note, 55, 10);
        assert!((3e-5..2.5e-4).contains(&b), "guitar {instrument}: B = {b:e}");
        let slope = decay(&note, hz(55), 0.2, 1.2);
        assert!((-20.0..-3.0).contains(&slope), "guitar {instrument}: {slope} dB/s");
        let cents = track(&note.audio, SAMPLE_RATE, hz(55), 0.04).cents;
        let glide = mean(&cents[4..16]) - mean(&cents[100..200]);
        assert!((1.0..9.0).contains(&glide), "guitar {instrument}: glide of {glide} cents");
    }
}

#[test]
fn high_partials_of_a_plucked_string_fade_first() {
    let note = render(Family::Guitar, 1, 55, 110);
    let (low, high) =
        (decay(&note, hz(55), 0.1, 0.6), decay(&note, 12.0 * hz(55) * 1.008, 0.1, 0.6));
    assert!(high < 1.3 * low, "partial 12 decays at {high}, the first at {low} dB/s");
}

#[test]
fn mallets_have_the_modes_of_bars() {
    // Fletcher & Rossing, ch. 2 and 19; instrument, ratio of the second mode.
    for (instrument, ratio) in [(0, 3.92), (1, 3.0), (2, 4.0), (3, 2.756), (4, 2.756), (5, 6.267)] {
        let pitch = 67;
        let note = render(Family::Mallet, instrument, pitch, 115);
        let early = Spectrum::new(&note.audio, SAMPLE_RATE, 0.012..0.212);
        let (mode_hz, mode_db) = early.peak(1.5 * hz(pitch) + 1400.0, 1400.0 - 0.1 * hz(pitch));
        let measured = mode_hz / hz(pitch);
        assert!((measured / ratio - 1.0).abs() < 0.01, "mallet {instrument}: mode at {measured}");
        let octave_db = early.peak(2.0 * hz(pitch), 15.0).1;
        assert!(octave_db < mode_db - 12.0, "mallet {instrument}: an octave of {octave_db} dB");
        let (first, second) =
            (decay(&note, hz(pitch), 0.05, 0.2), decay(&note, mode_hz, 0.05, 0.2));
        assert!(second < 1.3 * first, "mallet {instrument}: {first} and {second} dB/s");
    }
}

#[test]
fn basses_are_low_dark_and_decay() {
    for instrument in 0..n_instruments(Family::Bass) {
        let note = render(Family::Bass, instrument, 38, 100);
        let slope = decay(&note, hz(38), 0.2, 1.2);
        assert!((-16.0..-3.0).contains(&slope), "bass {instrument}: {slope} dB/s");
        let held = spectrum(&note, 0.1, 0.6);
        let dark = held.band_db(2500.0..7900.0) - held.band_db(30.0..2500.0);
        assert!(dark < -25.0, "bass {instrument}: {dark} dB above 2.5 kHz");
        assert!(note.f0_hz.iter().all(|f0| *f0 < 80.0), "bass {instrument}: f0");
    }
}
