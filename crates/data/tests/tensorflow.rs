//! A real client: TensorFlow reads what is written here, and what it writes is read here.
//!
//! `DDSP_TENSORFLOW_PYTHON` names a Python that has TensorFlow; `.ci/run` makes one. Without it, the
//! tests say loudly that they are skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ddsp_data::tfrecord::{Reader, write_record};
use ddsp_data::{InspectOptions, Keys, Labels, NoteRecord, SortOptions, VerifyOptions};
use ddsp_data::{inspect, sort, verify};

/// Runs the client, unless there is none.
fn client(arguments: &[&Path]) -> bool {
    let Some(python) = std::env::var_os("DDSP_TENSORFLOW_PYTHON") else {
        eprintln!("SKIPPED: DDSP_TENSORFLOW_PYTHON names no Python with TensorFlow");
        return false;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tensorflow_client.py");
    let output = Command::new(python).arg(script).args(arguments).output().expect("Python runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    true
}

fn note(n: u16, sample_rate: u32) -> NoteRecord {
    let wave = |len: u32| (0..len).map(|i| ((i * 7 + u32::from(n)) % 2001) as f32 / 1000.0 - 1.0);
    let n_samples = 4 * sample_rate;
    NoteRecord {
        id: format!("note {n}"),
        sample_rate: Some(sample_rate),
        frame_rate: Some(250),
        audio: wave(n_samples).collect(),
        audio_16k: (sample_rate != 16_000).then(|| wave(64_000).collect()),
        f0_hz: Some(vec![440.1 + f32::from(n); 1000]),
        f0_confidence: Some((0..1000_u16).map(|i| f32::from(i) / 999.0).collect()),
        loudness_db: Some(vec![-30.7; 1000]),
        labels: Labels { family: Some(8), pitch: Some(69), ..Labels::default() },
        ..NoteRecord::default()
    }
}

fn write_notes(path: &Path, notes: &[NoteRecord], keys: Keys) {
    let mut file = Vec::new();
    for note in notes {
        write_record(&mut file, &note.encode(keys)).expect("memory");
    }
    fs::write(path, file).expect("written");
}

/// Asserts that TensorFlow finds the notes' values in a file, bit for bit.
fn assert_read(file: &Path, notes: &[NoteRecord], sample_rate: u32, folder: &Path) {
    let out = folder.join("values");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir(&out).expect("a folder");
    let rate = PathBuf::from(sample_rate.to_string());
    if !client(&[Path::new("read"), file, &out, &rate]) {
        return;
    }
    let mut n_values = 0;
    for (i, note) in notes.iter().enumerate() {
        let lists = [
            ("audio", Some(&note.audio)),
            ("audio_16k", note.audio_16k.as_ref()),
            ("f0_hz", note.f0_hz.as_ref()),
            ("f0_confidence", note.f0_confidence.as_ref()),
            ("loudness_db", note.loudness_db.as_ref()),
        ];
        for (name, values) in lists {
            let Some(values) = values else { continue };
            let found = fs::read(out.join(format!("{i}-{name}"))).expect("TensorFlow found it");
            let expected: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert!(found == expected, "{name} of record {i} of {}", file.display());
            n_values += 1;
        }
    }
    let n_found = fs::read_dir(&out).expect("a folder").count();
    assert_eq!(n_found, n_values, "TensorFlow found as much as was written");
}

#[test]
fn tensorflow_reads_what_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    for sample_rate in [16_000, 48_000] {
        let notes: Vec<_> = (0..3).map(|n| note(n, sample_rate)).collect();
        let file = dir.path().join(format!("{sample_rate}.tfrecord"));
        write_notes(&file, &notes, Keys::Ddsp);
        assert_read(&file, &notes, sample_rate, dir.path());
    }
}

#[test]
fn tensorflow_reads_what_is_sorted_and_renamed() {
    let dir = tempfile::tempdir().expect("a folder");
    let notes: Vec<_> = (0..3).map(|n| note(n, 16_000)).collect();
    let file = dir.path().join("nsynth.tfrecord");
    write_notes(&file, &notes, Keys::Nsynth);
    let names =
        [("f0/hz", "f0_hz"), ("f0/confidence", "f0_confidence"), ("loudness/db", "loudness_db")];
    let rename = names.map(|(old, new)| (old.to_owned(), new.to_owned())).to_vec();
    let out = dir.path().join("sorted");
    sort(&[file], &out, &SortOptions { rename, ..SortOptions::default() }, &mut |_| ())
        .expect("sorted");
    assert_read(&out.join("string.tfrecord-00000-of-00001"), &notes, 16_000, dir.path());
}

#[test]
fn what_tensorflow_writes_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("tensorflow.tfrecord");
    if !client(&[Path::new("write"), &file]) {
        return;
    }
    let files = [file.clone()];
    let verified = verify(&files, &VerifyOptions::default(), &mut |_| ()).expect("readable");
    assert!(verified.is_good() && verified.records == 3, "{verified:?}");
    let predicate = "instrument/family == 'keyboard' and id like 'größe *'".parse().expect("one");
    let options = InspectOptions { predicate: Some(predicate), ..InspectOptions::default() };
    let inspection = inspect(&files, &options, None, &mut |_| ()).expect("intact");
    assert_eq!((inspection.records, inspection.dropped), (2, 1));
    let mut reader = Reader::open(&file).expect("opens");
    for i in 0..3_u8 {
        let record = reader.next_record().expect("intact").expect("three records");
        let note = NoteRecord::decode(record.data()).expect("a note");
        assert_eq!(note.id, format!("größe {i}"));
        let sample = |n: u16| f32::from(n % 256) / 128.0 - 1.0 + f32::from(i) / 4096.0;
        assert_eq!(note.audio, (0..64_000).map(sample).collect::<Vec<_>>());
        assert_eq!(note.f0_hz, Some(vec![440.0 + f32::from(i); 1000]));
        assert_eq!(note.loudness_db, Some(vec![-30.25; 1000]));
        assert_eq!(note.labels.pitch, Some(60 + i64::from(i)));
        assert_eq!(note.labels.velocity, None, "-1 says that it is unknown");
    }
    assert!(reader.next_record().expect("intact").is_none(), "no fourth");
}
