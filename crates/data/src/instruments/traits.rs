//! What every family must have, measured on the audio.

#![expect(clippy::cast_possible_truncation, reason = "counts of partials and frames")]
#![expect(clippy::cast_sign_loss, reason = "frequencies and times are not negative")]

mod struck;
mod sustained;

use super::measure::{Spectrum, levels_db, median, track};
use super::{
    Family, NoteSpec, PhraseNote, RenderedNote, n_instruments, pitch_range, render_note,
    render_phrase,
};
use ddsp_kernels::FrameGrid;

const SAMPLE_RATE: f64 = 16_000.0;

fn grid() -> FrameGrid {
    FrameGrid::new(16_000, 250).expect("64 samples a frame")
}

fn render(family: Family, instrument: u32, pitch: u8, velocity: u8) -> RenderedNote {
    let seed = 7 + u64::from(pitch) + 100 * u64::from(instrument);
    render_note(&NoteSpec::new(family, instrument, f32::from(pitch), velocity, seed), grid())
}

fn hz(pitch: u8) -> f64 {
    440.0 * ((f64::from(pitch) - 69.0) / 12.0).exp2()
}

fn middle(family: Family) -> u8 {
    let range = pitch_range(family);
    range.start().midpoint(*range.end())
}

fn spectrum(note: &RenderedNote, from_secs: f64, to_secs: f64) -> Spectrum {
    Spectrum::new(&note.audio, SAMPLE_RATE, from_secs..to_secs)
}

fn check_audio(note: &RenderedNote, what: &str) {
    let audio = &note.audio;
    let peak = audio.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    assert!((0.03..=0.9).contains(&peak), "{what}: peak {peak}");
    assert!(audio.iter().all(|x| x.is_finite() && *x != 0.0), "{what}: a zero or worse");
    let stuck = audio.windows(3).any(|w| w[0] == w[1] && w[1] == w[2]);
    assert!(!stuck, "{what}: three equal samples");
    // 10 ms before the onset: the room alone.
    let power = audio[..160].iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 160.0;
    let floor_db = 10.0 * power.log10();
    assert!((-78.0..-54.0).contains(&floor_db), "{what}: room noise of {floor_db} dB");
}

fn check_truth(note: &RenderedNote, family: Family, pitch: u8, what: &str) {
    assert_eq!((note.f0_hz.len(), note.voiced.len()), (1000, 1000), "{what}: frames");
    // Onset at 10 ms, frames of 4 ms.
    assert!(!note.voiced[..3].contains(&true), "{what}: voiced before the onset");
    assert!(note.voiced[40..70].iter().all(|v| *v), "{what}: unvoiced after the onset");
    if family != Family::Mallet {
        assert!(!note.voiced[950..].contains(&true), "{what}: voiced 0.8 s after the release");
    }
    // The first partial's measured course against the truth at the centre of the window.
    let window_secs = (4.0 / hz(pitch)).max(0.04);
    let measured = track(&note.audio, SAMPLE_RATE, hz(pitch), window_secs);
    let errors = (20..100).map(|i| {
        let secs = i as f64 / super::measure::TRACK_HZ + 0.5 * window_secs;
        let frame = secs * 250.0 + 0.6; // half a step of the track later
        let true_hz = f64::from(note.f0_hz[frame as usize]);
        measured.cents[i] - 1200.0 * (true_hz / hz(pitch)).log2()
    });
    let error_cents = median(errors.collect());
    // Detuned oscillators beat: their sum wanders by about as much as they lie apart.
    let tolerance_cents = if family == Family::SynthLead { 11.0 } else { 3.0 };
    assert!(error_cents.abs() < tolerance_cents, "{what}: f0 is {error_cents} cents off");
}

#[test]
fn every_instrument_keeps_the_common_laws() {
    std::thread::scope(|scope| {
        for family in Family::ALL {
            scope.spawn(move || {
                let pitch = middle(family);
                for instrument in 0..n_instruments(family) {
                    let velocity = [127, 40][instrument as usize % 2];
                    let note = render(family, instrument, pitch, velocity);
                    let what = format!("{} {instrument}", family.name());
                    check_audio(&note, &what);
                    check_truth(&note, family, pitch, &what);
                }
            });
        }
    });
}

#[test]
fn equal_specs_give_equal_samples() {
    let spec = NoteSpec::new(Family::String, 0, 60.5, 90, 11);
    let note = render_note(&spec, grid());
    assert_eq!(note, render_note(&spec, grid()), "the same spec");
    let other = render_note(&NoteSpec { seed: 12, ..spec }, grid());
    assert_ne!(note.audio, other.audio, "another seed");
}

#[test]
fn touch_changes_level_and_brightness() {
    for family in Family::ALL {
        let [soft, loud] = [40, 120].map(|v| render(family, 0, middle(family), v));
        let [soft_db, loud_db] =
            [&soft, &loud].map(|n| levels_db(&n.audio[1600..9600], SAMPLE_RATE)[5]);
        assert!(loud_db > soft_db + 5.0, "{}: {soft_db} to {loud_db} dB", family.name());
        let [soft_hz, loud_hz] = [&soft, &loud].map(|n| spectrum(n, 0.012, 0.212).centroid_hz());
        let name = family.name();
        assert!(loud_hz > 1.01 * soft_hz, "{name}: centroid {soft_hz} to {loud_hz} Hz");
    }
}

/// A click is broad: it would stand out of the second difference, which favours high frequencies.
#[test]
fn held_tones_end_without_a_click() {
    let held = [
        Family::Brass,
        Family::Flute,
        Family::Organ,
        Family::Reed,
        Family::String,
        Family::SynthLead,
        Family::Vocal,
    ];
    for family in held {
        let note = render(family, 0, middle(family), 100);
        let roughest = |from: usize, to: usize| {
            let differences = note.audio[from..to].windows(3).map(|w| w[0] - 2.0 * w[1] + w[2]);
            differences.fold(0.0_f32, |m, d| m.max(d.abs()))
        };
        let (before, after) = (roughest(40_000, 47_500), roughest(47_500, 50_000));
        assert!(after < 1.3 * before, "{}: {before} then {after}", family.name());
    }
}

#[test]
fn nothing_aliases() {
    let pitch = 88;
    let note = render(Family::SynthLead, 0, pitch, 127);
    let held = spectrum(&note, 0.3, 1.3);
    let (_, loudest_db) = held.peak(hz(pitch), 30.0);
    for k in 0..5 {
        let from_hz = (f64::from(k) + 0.15) * hz(pitch);
        let (_, db) = held.peak(from_hz + 0.35 * hz(pitch), 0.35 * hz(pitch));
        assert!(db < loudest_db - 60.0, "{db} dB above {from_hz} Hz, tone {loudest_db} dB");
    }
}

#[test]
fn a_phrase_hands_the_truth_to_the_latest_note() {
    let note =
        |pitch, start_secs, end_secs| PhraseNote { pitch, velocity: 90, start_secs, end_secs };
    let notes = [note(60.0, 0.1, 0.5), note(64.0, 0.5, 1.0), note(67.0, 3.9, 5.0)];
    let phrase = render_phrase(Family::Keyboard, 0, &notes, 48_000, 3, grid());
    let midi = |frame: usize| 69.0 + 12.0 * (phrase.f0_hz[frame] / 440.0).log2();
    for (frame, pitch) in [(10, 60.0), (50, 60.0), (124, 60.0), (126, 64.0), (240, 64.0)] {
        assert!((midi(frame) - pitch).abs() < 0.05, "frame {frame}: MIDI {}", midi(frame));
    }
    assert_eq!((phrase.audio.len(), phrase.voiced.len()), (48_000, 750), "lengths");
    assert!(!phrase.voiced[10] && phrase.voiced[50] && !phrase.voiced[700], "voicing");
}
