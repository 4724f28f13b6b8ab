//! Conditions, several features, new names, counts of files.

use super::*;
use crate::example::Example;

fn note(family: i64, source: i64, pitch: i64) -> Vec<u8> {
    let mut builder = ExampleBuilder::default();
    builder.floats("audio", &[0.5; 30]);
    builder.floats("f0/hz", &[440.0; 5]);
    builder.int64s("instrument/family", &[family]);
    builder.int64s("instrument/source", &[source]);
    builder.int64s("pitch", &[pitch]);
    builder.finish()
}

fn notes() -> Vec<Vec<u8>> {
    (0..12).map(|n| note([8, 4][n % 2], [0, 2, 0][n % 3], 50 + n as i64)).collect()
}

fn counts(report: &SortReport) -> Vec<(&str, u64)> {
    report.classes.iter().map(|class| (class.name.as_str(), class.records)).collect()
}

#[test]
fn several_features_make_one_class() {
    let scene = Scene::new(&[&notes()]);
    let report = scene.sort(&by(&["instrument/family", "instrument/source"])).expect("sorted");
    let expected = [
        ("keyboard+acoustic", 4),
        ("keyboard+synthetic", 2),
        ("string+acoustic", 4),
        ("string+synthetic", 2),
    ];
    assert_eq!(counts(&report), expected);
    let error = scene.sort(&SortOptions { force: true, ..by(&["instrument/family", "velocity"]) });
    let error = error.expect_err("no velocity").to_string();
    assert!(error.contains("0.tfrecord: no record has the feature `velocity`"), "{error}");
}

#[test]
fn a_condition_drops_and_counts() {
    let scene = Scene::new(&[&notes()]);
    let predicate = Some("pitch in 50..54 and instrument/family == 'string'".parse().expect("one"));
    let options = SortOptions { predicate, ..SortOptions::default() };
    let report = scene.sort(&options).expect("sorted");
    assert_eq!(counts(&report), [("string", 3)]);
    assert_eq!((report.records, report.dropped), (12, 9));
    let kept = read_file(&scene.out().join("string.tfrecord-00000-of-00001"));
    assert_eq!(kept, [note(8, 0, 50), note(8, 0, 52), note(8, 2, 54)]);
    let manifest = fs::read_to_string(scene.out().join(MANIFEST)).expect("written");
    assert!(manifest.contains("\"where\": \"pitch in 50..54 and"), "{manifest}");

    let scene = Scene::new(&[&notes()]);
    let predicate = Some("pitch > 100".parse().expect("one"));
    let error = scene.sort(&SortOptions { predicate, ..SortOptions::default() });
    let error = error.expect_err("nothing is left").to_string();
    assert!(error.contains("none of 12 records passes `pitch > 100`"), "{error}");
    assert!(!scene.out().exists(), "nothing is left behind");
    let predicate = Some("audio > 1".parse().expect("one"));
    let error = scene.sort(&SortOptions { predicate, ..SortOptions::default() });
    let error = error.expect_err("audio is a list").to_string();
    assert!(error.contains("0.tfrecord: record at byte 0: `audio` is a float list"), "{error}");
}

#[test]
fn features_get_new_names_and_keep_their_values() {
    let mut records = notes();
    // One without the feature is copied as it stands.
    records.push(record(Some(8), 9));
    let scene = Scene::new(&[&records]);
    let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
    let rename = vec![pair("f0/hz", "f0_hz"), pair("instrument/family", "family")];
    let options = SortOptions { rename, ..SortOptions::default() };
    let report = scene.sort(&options).expect("sorted");
    assert_eq!((report.records, report.dropped, report.renamed), (13, 0, 13));
    let strings = read_file(&scene.out().join("string.tfrecord-00000-of-00001"));
    let example = Example::parse(&strings[0]).expect("an Example");
    let names: Vec<_> = example.features().iter().map(|&(name, _)| name).collect();
    assert_eq!(names, ["audio", "f0_hz", "family", "instrument/source", "pitch"]);
    assert_eq!(example.get("f0_hz").and_then(|f| f.floats()), Some(vec![440.0; 5]));
    let bytes: u64 = report.files.iter().map(|file| file.bytes).sum();
    assert!(bytes < report.bytes, "shorter names, shorter files");

    let scene = Scene::new(&[&notes()]);
    let options = SortOptions { rename: vec![pair("f0", "f0_hz")], ..SortOptions::default() };
    let error = scene.sort(&options).expect_err("no f0").to_string();
    assert!(error.contains("no record has the feature `f0`, which was to be renamed"), "{error}");
    let options = SortOptions { rename: vec![pair("f0/hz", "audio")], ..SortOptions::default() };
    let error = scene.sort(&options).expect_err("taken").to_string();
    assert!(error.contains("record at byte 0: `f0/hz` and `audio` would both be"), "{error}");
}

#[test]
fn records_are_dealt_into_so_many_files() {
    let [a, b] = [notes(), notes()];
    let scene = Scene::new(&[&a, &b]);
    let options = SortOptions { shards: Shards::Count(5), ..SortOptions::default() };
    let report = scene.sort(&options).expect("sorted");
    let records: Vec<_> = report.files.iter().map(|file| file.records).collect();
    assert_eq!(records, [3, 3, 2, 2, 2, 3, 3, 2, 2, 2], "two classes of twelve");
    let files: Vec<_> =
        report.classes[1].files.iter().map(|f| read_file(&scene.out().join(f))).collect();
    let strings: Vec<_> = a.iter().chain(&b).step_by(2).cloned().collect();
    let dealt: Vec<_> = (0..12).map(|i| files[i % 5][i / 5].clone()).collect();
    assert_eq!(dealt, strings);
    // Fewer records than files.
    let options = SortOptions { shards: Shards::Count(99), force: true, ..SortOptions::default() };
    assert_eq!(scene.sort(&options).expect("sorted").classes[0].files.len(), 12);
}

#[test]
fn the_manifest_has_the_checksums_of_all_files() {
    let scene = Scene::new(&[&notes(), &notes()]);
    let report = scene.sort(&SortOptions::default()).expect("sorted");
    let crc32c = |path: &Path| format!("{:08x}", crc32c::crc32c(&fs::read(path).expect("there")));
    assert_eq!((report.sources.len(), report.files.len()), (2, 2));
    for source in &report.sources {
        assert_eq!(source.crc32c, crc32c(&source.file));
    }
    for file in &report.files {
        assert_eq!(file.crc32c, crc32c(&scene.out().join(&file.file)));
    }
}
