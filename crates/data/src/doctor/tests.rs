//! Measures on sounds that were made so that the answer is known.

use std::path::Path;

use ddsp_kernels::FftConvolve;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::limits::{self, Limits};
use super::sound::{GRID, Sound};
use super::*;
use crate::audio_file::{WavFormat, write_wav};
use crate::instruments::{Family, NoteSpec, n_instruments, pitch_range, render_note};
use crate::record::{Keys, NoteRecord};
use crate::resample::resample;
use crate::tfrecord::write_record;

fn note(family: Family, instrument: u32, pitch: f32) -> NoteRecord {
    let spec = NoteSpec::new(family, instrument, pitch, 90, 7);
    let rendered = render_note(&spec, GRID);
    let certain = |&voiced: &bool| if voiced { 1.0 } else { 0.0 };
    NoteRecord {
        f0_confidence: Some(rendered.voiced.iter().map(certain).collect()),
        f0_hz: Some(rendered.f0_hz),
        audio: rendered.audio,
        ..NoteRecord::default()
    }
}

/// Four notes of a family over its range.
fn notes(family: Family) -> Vec<NoteRecord> {
    let (low, high) = (*pitch_range(family).start(), *pitch_range(family).end());
    let pitch = |i: u8| f32::from(low) + f32::from(i) * f32::from(high - low) / 3.0;
    (0..4).map(|i| note(family, u32::from(i) % n_instruments(family), pitch(i))).collect()
}

fn strings() -> Vec<NoteRecord> {
    [55.0, 60.0, 64.0, 67.0].map(|pitch| note(Family::String, 0, pitch)).to_vec()
}

fn untracked(records: Vec<NoteRecord>) -> Vec<NoteRecord> {
    let without = |record| NoteRecord { f0_hz: None, f0_confidence: None, ..record };
    records.into_iter().map(without).collect()
}

fn examine(records: impl IntoIterator<Item = NoteRecord>) -> Findings {
    let mut sum = Findings::default();
    for record in records {
        sum.merge(&Sound::from_record(record).examine().expect("long enough"));
    }
    sum
}

fn of(findings: &Findings, limits: &Limits) -> Measure {
    let measures = findings.measures();
    measures.into_iter().find(|measure| measure.name == limits.name).expect("a measure")
}

fn value(findings: &Findings, limits: &Limits) -> f64 {
    of(findings, limits).value.expect("measured")
}

/// Applies `change` to the audio of every note.
fn changed(mut records: Vec<NoteRecord>, change: impl Fn(&mut Vec<f32>)) -> Vec<NoteRecord> {
    records.iter_mut().for_each(|record| change(&mut record.audio));
    records
}

fn noise(seed: u64) -> impl Iterator<Item = f32> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    std::iter::repeat_with(move || rng.random_range(-1.0..1.0_f32))
}

#[test]
fn clean_notes_of_every_family_are_ok() {
    let quantity = [VOICED.name, PITCH_RANGE.name, PITCH_GAP.name];
    for family in Family::ALL {
        for records in [notes(family), untracked(notes(family))] {
            let findings = examine(records);
            for measure in findings.measures() {
                println!(
                    "{family:?} {:16} {:?} {:?}",
                    measure.name, measure.value, measure.verdict
                );
            }
            for measure in findings.measures() {
                let is_ok = measure.verdict == Verdict::Ok || quantity.contains(&&*measure.name);
                assert!(is_ok, "{family:?}: {measure:?}");
            }
        }
    }
}

#[test]
fn two_notes_at_once_are_polyphony() {
    let families = [Family::String, Family::Organ, Family::Brass];
    let intervals = [3.0, 4.0, 5.0, 7.0, 10.0, 16.0];
    for (interval, family) in intervals.into_iter().zip(families.repeat(2)) {
        let chord = [55.0, 62.0].map(|pitch| {
            let mut low = note(family, 0, pitch);
            let high = note(family, 0, pitch + interval);
            low.audio.iter_mut().zip(high.audio).for_each(|(a, b)| *a = 0.5 * (*a + b));
            low
        });
        let share = value(&examine(chord.to_vec()), &limits::POLYPHONY);
        assert!(share >= 50.0, "{family:?}, {interval} semitones: {share} %");
        let findings = examine(untracked(chord.to_vec()));
        let is_found = [&limits::POLYPHONY, &limits::PITCHED]
            .iter()
            .any(|limits| of(&findings, limits).verdict > Verdict::Ok);
        assert!(is_found, "{family:?}, {interval} semitones, tracked here: {findings:?}");
    }
}

#[test]
fn a_known_share_of_clipping_is_measured() {
    for wanted in [1.0, 4.0, 15.0] {
        let (mut clipped, mut n_samples) = (0, 0);
        let mut records = strings();
        for record in &mut records {
            record.audio =
                resample(std::mem::take(&mut record.audio), 16_000, 48_000).expect("fits");
            record.sample_rate = Some(48_000);
            let mut magnitudes: Vec<f32> = record.audio.iter().map(|x| x.abs()).collect();
            magnitudes.sort_by(f32::total_cmp);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share")]
            let at = (magnitudes.len() as f64 * (1.0 - wanted / 100.0)) as usize;
            let level = magnitudes[at];
            record.audio.iter_mut().for_each(|x| *x = x.clamp(-level, level));
            clipped += record.audio.iter().filter(|x| x.abs() == level).count();
            n_samples += record.audio.len();
        }
        let truth = 100.0 * clipped as f64 / n_samples as f64;
        let findings = examine(records);
        let share = value(&findings, &limits::CLIPPING);
        // Tops of less than three samples do not count.
        assert!((share / truth - 1.0).abs() <= 0.25, "{share} %, not {truth} %");
        assert_eq!(of(&findings, &limits::CLIPPING).verdict, Verdict::Warn);
    }
}

#[test]
fn a_room_is_measured_by_its_decay() {
    for secs in [0.9, 1.5, 2.5] {
        let n = 40_000;
        let amplitude = |i: usize| 10_f32.powf(-3.0 * i as f32 / 16_000.0 / secs);
        let room: Vec<f32> = noise(3).take(n).enumerate().map(|(i, x)| x * amplitude(i)).collect();
        let scale = 0.1 / room.iter().map(|x| x * x).sum::<f32>().sqrt();
        let mut convolve = FftConvolve::new(80_000, n, 0);
        let in_room = |audio: &mut Vec<f32>| {
            audio.resize(80_000, 0.0);
            let mut wet = vec![0.0; 80_000];
            convolve.forward(audio, &room, &mut wet);
            *audio = wet.iter().map(|x| x * scale * 4.0).collect();
        };
        let mut records = untracked(strings());
        let mut in_room = in_room;
        records.iter_mut().for_each(|record| in_room(&mut record.audio));
        let findings = examine(records);
        let measured = value(&findings, &limits::REVERBERATION);
        assert!((measured / f64::from(secs) - 1.0).abs() <= 0.2, "{measured} s, not {secs} s");
        assert_eq!(of(&findings, &limits::REVERBERATION).verdict, Verdict::Warn);
    }
    let dry = of(&examine(strings()), &limits::REVERBERATION);
    assert!(dry.value.is_some() && dry.verdict == Verdict::Ok, "without a room: {dry:?}");
}

#[test]
fn planted_octave_jumps_are_counted() {
    let mut records = strings();
    let mut n_planted = 0;
    for record in &mut records {
        let f0_hz = record.f0_hz.as_mut().expect("the truth");
        for begin in [200, 400] {
            f0_hz[begin..begin + 50].iter_mut().for_each(|hz| *hz *= 2.0);
            n_planted += 50;
        }
    }
    let findings = examine(records.clone());
    let truth = 100.0 * f64::from(n_planted) / findings.note_frames as f64;
    let share = value(&findings, &limits::OCTAVES);
    assert!((share / truth - 1.0).abs() <= 0.05, "{share} %, not {truth} %");
    assert_eq!(of(&findings, &limits::OCTAVES).verdict, Verdict::Warn);
    // All of a note an octave off shows in the comparison with our own tracker only.
    for record in &mut records {
        record.f0_hz.as_mut().expect("the truth").fill(30.0);
        let midi = [55.0, 60.0, 64.0, 67.0];
        let n = records_index(&record.audio, &strings());
        record.f0_hz = Some(vec![ddsp_kernels::midi_to_hz(midi[n] - 12.0); 1000]);
    }
    assert_eq!(of(&examine(records), &limits::OCTAVES).verdict, Verdict::Bad);
}

/// Which of the records has this audio.
fn records_index(audio: &[f32], records: &[NoteRecord]) -> usize {
    records.iter().position(|record| record.audio == audio).expect("one of them")
}

#[test]
fn noise_of_a_known_level_is_measured() {
    for below in [15.0_f32, 30.0, 50.0] {
        let mut expected = Vec::new();
        let mut records = strings();
        for (i, record) in records.iter_mut().enumerate() {
            // 1 s of pause at the end.
            record.audio.resize(80_000, 0.0);
            let findings = examine([NoteRecord { f0_hz: None, ..record.clone() }]);
            let note_db = findings.levels.quantile(0.5).expect("a note");
            let rms = 10_f32.powf((-30.0 - below) / 20.0);
            // White noise within +-a has an RMS of a / sqrt(3).
            for (x, n) in record.audio.iter_mut().zip(noise(i as u64)) {
                *x += n * rms * 3.0_f32.sqrt();
            }
            expected.push(note_db + 30.0 + f64::from(below));
            record.f0_hz = None;
        }
        expected.sort_by(f64::total_cmp);
        let findings = examine(records);
        let measured = value(&findings, &limits::NOISE_FLOOR);
        let truth = expected[1];
        assert!((measured - truth).abs() <= 1.5, "{measured} dB, not {truth} dB of {expected:?}");
        let verdict = of(&findings, &limits::NOISE_FLOOR).verdict;
        assert_eq!(verdict == Verdict::Ok, truth >= limits::NOISE_FLOOR.warn, "{measured} dB");
    }
}

#[test]
fn levels_offsets_and_silence_are_measured() {
    let clean = value(&examine(strings()), &limits::LEVEL);
    let quiet = examine(changed(strings(), |audio| audio.iter_mut().for_each(|x| *x *= 0.03)));
    let down = clean - value(&quiet, &limits::LEVEL);
    assert!((down - 30.5).abs() <= 0.6, "by {down} dB, not 30.5 dB");
    let mut uneven = strings();
    uneven[0].audio.iter_mut().for_each(|x| *x *= 0.01);
    assert_eq!(of(&examine(uneven), &limits::LEVEL_SPREAD).verdict, Verdict::Warn);
    let mut offset = strings();
    offset[1].audio.iter_mut().for_each(|x| *x += 0.02);
    let findings = examine(offset);
    assert_eq!(value(&findings, &limits::OFFSET), 25.0);
    let padded = examine(changed(strings(), |audio| audio.resize(64_000 * 5, 0.0)));
    let silence = value(&padded, &limits::SILENCE);
    assert!((80.0..90.0).contains(&silence), "{silence} %");
    assert_eq!(of(&padded, &limits::SILENCE).verdict, Verdict::Warn);
}

#[test]
fn what_has_no_pitch_cannot_train() {
    let hiss = NoteRecord { audio: noise(1).take(64_000).collect(), ..NoteRecord::default() };
    let findings = examine([hiss]);
    assert_eq!(of(&findings, &VOICED).verdict, Verdict::Bad);
    assert_eq!(of(&findings, &limits::PITCHED).verdict, Verdict::Bad);
    let silence = NoteRecord { audio: vec![0.0; 64_000], ..NoteRecord::default() };
    assert_eq!(of(&examine([silence]), &VOICED).verdict, Verdict::Bad);
}

/// A folder of a record file, two recordings and one that is none.
fn folder(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    std::fs::create_dir(&data).expect("a folder");
    let mut bytes = Vec::new();
    for record in strings() {
        write_record(&mut bytes, &record.encode(Keys::Ddsp)).expect("memory");
    }
    std::fs::write(data.join("a.tfrecord-00000-of-00001"), bytes).expect("written");
    for (i, record) in strings().into_iter().take(2).enumerate() {
        let path = data.join(format!("b{i}.wav"));
        write_wav(&path, &record.audio, 16_000, WavFormat::Int16).expect("written");
    }
    std::fs::write(data.join("c.wav"), b"no sound").expect("written");
    std::fs::write(data.join("notes.txt"), b"not looked at").expect("written");
    data
}

#[test]
fn threads_and_shards_do_not_matter() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let inputs = [folder(dir.path())];
    let options = |n_threads| DoctorOptions { n_threads, ..DoctorOptions::default() };
    let mut last = None;
    let expected = diagnose(&inputs, &options(1), &mut |p| last = Some(p)).expect("sounds");
    let last = last.expect("told");
    assert_eq!(last.done, last.total);
    assert_eq!((expected.sounds, expected.files.len(), expected.seconds), (6, 4, 24.0));
    assert_eq!(expected.verdict, Verdict::Warn, "few minutes, and a file that is none");
    let unread = &expected.files[3];
    assert!(unread.verdict == Verdict::Bad && unread.remarks[0].contains("c.wav"), "{unread:?}");
    assert_eq!(diagnose(&inputs, &options(4), &mut |_| ()).expect("sounds"), expected);
    let out = dir.path().join("out");
    for i in [2, 0, 1] {
        let options = DoctorOptions { shard: Shard::new(i, 3).expect("one"), ..options(2) };
        let diagnosis = diagnose_into(&inputs, &out, &options, &mut |_| ()).expect("sounds");
        assert_eq!(diagnosis.files_missing == 0, i == 1);
        if i == 1 {
            assert_eq!(diagnosis, expected);
        }
    }
    let again = diagnose_into(&inputs, &out, &options(2), &mut |_| ()).expect("verified");
    assert_eq!(again, expected);
}

#[test]
fn what_cannot_be_looked_at_is_told() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let error = |inputs: &[PathBuf]| {
        let result = diagnose(inputs, &DoctorOptions::default(), &mut |_| ());
        result.expect_err("refused").to_string()
    };
    let text = error(&[dir.path().to_owned()]);
    assert!(text.contains("holds no audio") && text.contains("tfrecord"), "{text}");
    let broken = dir.path().join("x.wav");
    std::fs::write(&broken, b"no sound").expect("written");
    let text = error(&[broken]);
    assert!(text.contains("no sound can be used") && text.contains("x.wav"), "{text}");
    let records = dir.path().join("x.tfrecord");
    std::fs::write(&records, b"no records, but long enough").expect("written");
    assert!(error(std::slice::from_ref(&records)).contains("x.tfrecord: record at byte 0"));
    std::fs::write(&records, b"").expect("written");
    assert!(error(&[records]).contains("no records"));
    assert!(error(&[dir.path().join("missing.wav")]).contains("missing.wav"));
    assert!(error(&[]).contains("no files"));
}
