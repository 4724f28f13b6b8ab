use ddsp_kernels::midi_to_hz;

use super::*;
use crate::loader::ExampleIndex;
use crate::record::{Keys, Labels};
use crate::resample::tone;
use crate::tfrecord::write_record;

/// One second of a tone; the label and the f0 say `midi`.
fn record(midi: f32, gain: f32, family: i64) -> NoteRecord {
    let hz = midi_to_hz(midi);
    let audio = tone(f64::from(hz), 16_000, 16_000).iter().map(|x| x * gain).collect();
    NoteRecord {
        audio,
        f0_hz: Some(vec![hz; 250]),
        f0_confidence: Some(vec![1.0; 250]),
        labels: Labels { family: Some(family), ..Labels::default() },
        ..NoteRecord::default()
    }
}

/// Three files of notes of two families, one of them without f0.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut bare = record(69.0, 0.5, 8);
    (bare.f0_hz, bare.f0_confidence) = (None, None);
    let silent = NoteRecord { audio: vec![0.0; 16_000], ..record(80.0, 1.0, 8) };
    let content = [
        vec![record(60.0, 0.5, 8), record(64.3, 0.25, 4)],
        vec![record(55.0, 0.8, 8), silent],
        vec![bare],
    ];
    let write = |(i, records): (usize, Vec<NoteRecord>)| {
        let path = dir.join(format!("{i}.tfrecord"));
        let mut bytes = Vec::new();
        for record in records {
            write_record(&mut bytes, &record.encode(Keys::Nsynth)).expect("memory");
        }
        std::fs::write(&path, bytes).expect("written");
        path
    };
    content.into_iter().enumerate().map(write).collect()
}

fn by_family(n_threads: usize) -> StatisticsOptions {
    let by = vec!["instrument/family".to_owned()];
    StatisticsOptions { by, n_threads, ..StatisticsOptions::default() }
}

fn run(files: &[PathBuf], options: &StatisticsOptions) -> DataStatistics {
    statistics(files, options, &mut |_| ()).expect("notes")
}

#[test]
fn statistics_are_those_that_training_stores() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let files = &files(dir.path())[..2];
    let found = run(files, &StatisticsOptions::default());
    let index = ExampleIndex::open(files, F0Source::Record).expect("records");
    let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
    let (pitch, loudness) = index.statistics(grid).expect("notes");
    assert_eq!(found.all.f0_midi, Some(pitch.f0_midi.into()));
    assert_eq!(found.all.loudness_db, Some(loudness.loudness_db.into()));
    assert!(found.classes.is_empty(), "none were asked for");
    assert_eq!((found.n_quantiles, found.all.density.iter().sum()), (101, found.all.note_frames));
}

#[test]
fn classes_have_statistics_of_their_own() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let found = run(&files(dir.path()), &by_family(2));
    let counts: Vec<_> = found
        .classes
        .iter()
        .map(|(name, class)| (name.as_str(), class.records, class.records_without_notes))
        .collect();
    assert_eq!(counts, [("keyboard", 1, 0), ("string", 4, 1)]);
    let keyboard = &found.classes["keyboard"];
    let midi = keyboard.f0_midi.as_ref().expect("notes");
    assert!((midi.mean - 64.3).abs() <= 1e-3 && midi.std <= 0.01, "{midi:?}");
    // A sine of amplitude `tone` times a quarter: its power is known from the samples.
    let audio = record(64.3, 0.25, 4).audio;
    let mean = audio.iter().map(|x| x * x).sum::<f32>() / audio.len() as f32;
    let power = keyboard.power_db.as_ref().expect("notes").quantiles[50];
    assert!((power - 10.0 * mean.log10()).abs() <= 0.15, "{power} dB");
    let strings = found.classes["string"].f0_midi.as_ref().expect("notes");
    let (min, max) = (strings.min, strings.max);
    assert!((min - 55.0).abs() <= 1e-3, "{min}");
    assert!((max - 69.0).abs() <= 0.2, "{max}: tracked, because the record has none");
    assert_eq!(found.all.records, 5);
}

#[test]
fn threads_and_shards_do_not_matter() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let files = files(dir.path());
    let expected = run(&files, &by_family(1));
    assert_eq!(run(&files, &by_family(4)), expected);
    let out = dir.path().join("out");
    for i in [1, 0] {
        let options = StatisticsOptions { shard: Shard::new(i, 2).expect("one"), ..by_family(2) };
        let found = statistics_into(&files, &out, &options, &mut |_| ()).expect("notes");
        assert_eq!(found.files_missing, [0, 2][i]);
        if i == 0 {
            assert_eq!(found, expected, "bit for bit, through JSON");
        }
    }
    let again = statistics_into(&files, &out, &by_family(1), &mut |_| ()).expect("verified");
    assert_eq!(again, expected);
}

#[test]
fn what_is_no_note_is_told() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("x.tfrecord");
    let error = |bytes: &[u8], options: &StatisticsOptions| {
        std::fs::write(&path, bytes).expect("written");
        let result = statistics(std::slice::from_ref(&path), options, &mut |_| ());
        result.expect_err("refused").to_string()
    };
    let options = StatisticsOptions::default();
    assert!(error(b"", &options).ends_with("x.tfrecord: no records"));
    let mut bytes = Vec::new();
    write_record(&mut bytes, &record(60.0, 1.0, 8).encode(Keys::Nsynth)).expect("memory");
    bytes[100] ^= 1;
    assert!(error(&bytes, &options).contains("record at byte 0"));
    let odd = StatisticsOptions { frame_rate: 300, ..options };
    assert!(error(b"", &odd).contains("no multiple of 300"));
}
