//! Notes and MIDI files through a SoundFont.

mod tiny_soundfont;

use std::fs;
use std::path::{Path, PathBuf};

use ddsp_data::{
    Error, ExampleIndex, F0Source, Keys, NoteRecord, PresetChoice, RenderOptions, RenderReport,
    list_presets, render,
};
use tiny_soundfont::{TRUE_HZ, tiny_midi, tiny_soundfont};

fn choice(preset: &str, family: Option<&str>) -> PresetChoice {
    PresetChoice { preset: preset.to_owned(), family: family.map(str::to_owned) }
}

/// Options for a font in `folder`, one note of the violin.
fn options(folder: &Path) -> RenderOptions {
    let soundfont = folder.join("tiny.sf2");
    fs::write(&soundfont, tiny_soundfont()).expect("written");
    RenderOptions {
        soundfont,
        presets: vec![choice("violin", None)],
        pitches: vec![69],
        velocities: vec![100],
        n_shards: 1,
        ..RenderOptions::default()
    }
}

fn run(options: &RenderOptions, out: &Path) -> Result<RenderReport, Error> {
    render(options, out, 2, &mut |_| {})
}

/// All records of a finished folder, in order of the files.
fn records(out: &Path) -> Vec<NoteRecord> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(out).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    let is_records = |path: &&PathBuf| path.to_string_lossy().contains("tfrecord");
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).expect("a file");
        let mut reader = ddsp_data::tfrecord::Reader::open(path).expect("a record file");
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().expect("a record") {
            records.push(NoteRecord::decode(record.data()).expect("a note"));
        }
        assert!(!bytes.is_empty(), "a file with records");
        records
    };
    files.iter().filter(is_records).flat_map(read).collect()
}

#[test]
fn f0_is_measured_and_labels_are_those_of_general_midi() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("notes");
    let report = run(&options(folder.path()), &out).expect("rendered");
    assert_eq!((report.records, report.presets[0].performances), (1, 1));
    let record = &records(&out)[0];
    assert_eq!(record.audio.len(), 64_000, "NSynth's length");
    assert_eq!(record.labels.family, Some(8), "program 40 is a string");
    assert_eq!((record.labels.pitch, record.labels.velocity), (Some(69), Some(100)));
    let f0_hz = record.f0_hz.as_ref().expect("f0");
    for f0_hz in &f0_hz[25..700] {
        // The tracker is good to a cent on a steady tone; the key's 440 Hz would be 3.9 away.
        let cents = 1200.0 * (f0_hz / TRUE_HZ).log2();
        assert!(cents.abs() < 1.0, "{f0_hz} Hz is {cents} cents from what sounds");
    }
    let rms = |range: std::ops::Range<usize>| {
        let n = range.len() as f32;
        (record.audio[range].iter().map(|x| x * x).sum::<f32>() / n).sqrt()
    };
    assert!(rms(16_000..40_000) > 0.01, "it sounds: {}", rms(16_000..40_000));
    assert!(rms(60_000..64_000) < 0.01 * rms(16_000..40_000), "it ends after 3 s");
}

#[test]
fn files_do_not_depend_on_the_threads_and_a_second_run_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = RenderOptions {
        presets: vec![choice("0:0", None), choice("Test Kit", Some("mallet"))],
        pitches: vec![57, 69],
        velocities: vec![40, 120],
        n_shards: 2,
        ..options(folder.path())
    };
    let bytes = |out: &Path, n_threads| {
        let report = render(&options, out, n_threads, &mut |_| {}).expect("rendered");
        let files = report.files.iter().map(|f| fs::read(out.join(f)).expect("a file"));
        files.collect::<Vec<_>>()
    };
    let (one, three) = (folder.path().join("one"), folder.path().join("three"));
    assert!(bytes(&one, 1) == bytes(&three, 3), "threads changed the bytes");
    assert!(run(&options, &one).expect("verified").already_done, "a second run");
    let families: Vec<_> = records(&one).iter().map(|record| record.labels.family).collect();
    let count = |family| families.iter().filter(|f| **f == Some(family)).count();
    assert_eq!((count(4), count(5)), (4, 4), "keyboard and mallet: {families:?}");
    ExampleIndex::open(&[one.join("soundfont*")], F0Source::Record).expect("trainable");
}

#[test]
fn a_midi_file_becomes_phrases_of_four_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let midi = folder.path().join("scale.mid");
    fs::write(&midi, tiny_midi()).expect("written");
    for (sample_rate, keys) in [(16_000, Keys::Nsynth), (48_000, Keys::Ddsp)] {
        let options =
            RenderOptions { midi: vec![midi.clone()], sample_rate, keys, ..options(folder.path()) };
        let out = folder.path().join(sample_rate.to_string());
        // Six notes of a second and one second of tail are two records.
        assert_eq!(run(&options, &out).expect("rendered").records, 2);
        let records = records(&out);
        let n_samples = 4 * sample_rate as usize;
        assert!(records.iter().all(|record| record.audio.len() == n_samples), "{sample_rate}");
        assert_eq!(records[0].audio_16k.is_some(), sample_rate != 16_000);
        assert_eq!(records[0].id, "string_00040-scale-01@0");
        let f0_hz = records[1].f0_hz.as_ref().expect("f0");
        // The second record begins with the fifth note, a whole tone below the sixth.
        for (frame, key) in [(125, 67.0), (375, 69.0)] {
            let expected = TRUE_HZ * 2.0_f32.powf((key - 69.0) / 12.0);
            let cents = 1200.0 * (f0_hz[frame] / expected).log2();
            assert!(cents.abs() < 2.0, "frame {frame}: {} Hz", f0_hz[frame]);
        }
    }
}

#[test]
fn what_cannot_be_played_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = options(folder.path());
    let (text, empty) = (folder.path().join("x.sf2"), folder.path().join("x.mid"));
    fs::write(&text, "no font").expect("written");
    fs::write(&empty, b"MThd\0\0\0\x06\0\0\0\x00\x01\xe0").expect("written");
    for (options, expected) in [
        (RenderOptions { soundfont: text, ..good.clone() }, "x.sf2: not a SoundFont"),
        (RenderOptions { soundfont: "gone.sf2".into(), ..good.clone() }, "cannot read gone.sf2"),
        (
            RenderOptions { presets: vec![choice("oboe", None)], ..good.clone() },
            "--list shows them",
        ),
        (RenderOptions { presets: vec![choice("test", None)], ..good.clone() }, "0:40 Test Violin"),
        (
            RenderOptions { presets: vec![choice("0", Some("harp"))], ..good.clone() },
            "no family harp",
        ),
        (RenderOptions { presets: vec![], ..good.clone() }, "no preset"),
        (RenderOptions { midi: vec![empty], ..good.clone() }, "x.mid: it holds no notes"),
        (RenderOptions { velocities: vec![0], ..good.clone() }, "velocity 0"),
        (RenderOptions { pitches: vec![128], ..good.clone() }, "pitch 128"),
        (RenderOptions { hold_secs: f64::NAN, ..good.clone() }, "held for NaN s"),
        (RenderOptions { sample_rate: 44_100, ..good.clone() }, "44100 Hz"),
    ] {
        let out = folder.path().join("out");
        let error = run(&options, &out).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
        assert!(!out.exists(), "{expected}: nothing is made");
    }
    let names: Vec<_> = list_presets(&good.soundfont).expect("presets");
    assert_eq!(names.iter().map(|p| p.program).collect::<Vec<_>>(), [0, 40, 0]);
}

#[test]
fn damaged_fonts_and_midi_files_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = options(folder.path());
    let midi = folder.path().join("scale.mid");
    let mut state = 1_u64;
    let mut random = |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % n
    };
    let mut mutate = |bytes: &[u8], from: usize| {
        let mut bytes = bytes.to_vec();
        for _ in 0..=random(3) {
            let at = from + random(bytes.len() - from);
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1][random(6)];
        }
        if random(4) == 0 {
            bytes.truncate(random(bytes.len()));
        }
        bytes
    };
    let (font, song) = (tiny_soundfont(), tiny_midi());
    // The parameters follow the samples, whose values are all valid.
    let parameters = font.len() - 500;
    let mut refused = 0;
    for i in 0..400 {
        fs::write(&good.soundfont, mutate(&font, if i % 4 == 0 { 0 } else { parameters }))
            .expect("written");
        fs::write(&midi, mutate(&song, 0)).expect("written");
        let options = RenderOptions { midi: vec![midi.clone()], force: true, ..good.clone() };
        refused += usize::from(list_presets(&good.soundfont).is_err());
        // Only those that can be refused quickly are played: a damaged tempo may last ten minutes.
        if i % 40 == 0 {
            let _ = run(&options, &folder.path().join("out"));
        }
    }
    assert!((20..400).contains(&refused), "{refused} of 400 fonts were refused");
}
