mod options;
mod shards;

use std::fs;

use super::*;
use crate::example::{ExampleBuilder, find_feature};
use crate::mutation::mutants;
use crate::output::MANIFEST;
use crate::tfrecord::{Reader, write_record};

/// A record of a family and some bytes that make it unlike the others.
fn record(family: Option<i64>, n: u8) -> Vec<u8> {
    let mut builder = ExampleBuilder::default();
    builder.floats("audio", &[f32::from(n); 30]);
    if let Some(family) = family {
        builder.int64s("instrument/family", &[family]);
    }
    builder.finish()
}

fn write_file(path: &Path, records: &[Vec<u8>]) {
    let mut file = Vec::new();
    for record in records {
        write_record(&mut file, record).expect("a Vec takes everything");
    }
    fs::write(path, file).expect("writable");
}

fn read_file(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = Reader::open(path).expect("opens");
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().expect("intact") {
        records.push(record.data().to_vec());
    }
    records
}

struct Scene {
    dir: tempfile::TempDir,
    sources: Vec<PathBuf>,
}

impl Scene {
    fn new(files: &[&[Vec<u8>]]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sources: Vec<_> =
            (0..files.len()).map(|i| dir.path().join(format!("{i}.tfrecord"))).collect();
        for (path, records) in sources.iter().zip(files) {
            write_file(path, records);
        }
        Self { dir, sources }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("sorted")
    }

    fn sort(&self, options: &SortOptions) -> Result<SortReport> {
        sort(&self.sources, &self.out(), options, &mut |_| ())
    }

    fn error(&self) -> String {
        let error = self.sort(&SortOptions::default()).expect_err("refused").to_string();
        assert!(!self.out().exists(), "nothing is left behind: {error}");
        error
    }
}

fn by(features: &[&str]) -> SortOptions {
    let by = features.iter().map(|&feature| feature.to_owned()).collect();
    SortOptions { by, ..SortOptions::default() }
}

fn mixed() -> [Vec<Vec<u8>>; 2] {
    let a = (0_u8..9).map(|n| record(Some([8, 4, 8][usize::from(n % 3)]), n)).collect();
    let b = vec![record(Some(8), 20), record(None, 21), record(Some(99), 22)];
    [a, b]
}

#[test]
fn every_record_arrives_unchanged_and_in_order() {
    let [a, b] = mixed();
    let scene = Scene::new(&[&a, &b]);
    let mut last = None;
    let options = SortOptions::default();
    let report = sort(&scene.sources, &scene.out(), &options, &mut |p| last = Some(p));
    let report = report.expect("sorted");
    let counts: Vec<_> = report.classes.iter().map(|c| (c.name.as_str(), c.records)).collect();
    assert_eq!(counts, [("family-99", 1), ("keyboard", 3), ("string", 7), ("unsorted", 1)]);
    assert_eq!((report.records, report.classes.iter().map(|c| c.bytes).sum()), (12, report.bytes));
    assert_eq!(last, Some(Progress { done: report.bytes, total: report.bytes }));

    let strings = read_file(&scene.out().join("string.tfrecord-00000-of-00001"));
    let expected: Vec<_> = a
        .iter()
        .chain(&b)
        .filter(|data| {
            let family = find_feature(data, "instrument/family").expect("an Example");
            family.and_then(|f| f.int64()) == Some(8)
        })
        .cloned()
        .collect();
    assert_eq!(strings, expected);
    let manifest = fs::read(scene.out().join(MANIFEST)).expect("written");
    assert_eq!(serde_json::from_slice::<SortReport>(&manifest).expect("JSON"), report);
}

#[test]
fn a_second_run_verifies_and_reports() {
    let [a, b] = mixed();
    let scene = Scene::new(&[&a, &b]);
    let first = scene.sort(&SortOptions::default()).expect("sorted");
    let second = scene.sort(&SortOptions::default()).expect("verified");
    assert_eq!(second, SortReport { already_done: true, ..first });
    let file = scene.out().join("string.tfrecord-00000-of-00001");
    fs::write(&file, b"changed").expect("writable");
    assert!(scene.sort(&SortOptions::default()).is_err(), "a changed shard is noticed");
    let options = SortOptions { force: true, ..SortOptions::default() };
    assert!(!scene.sort(&options).expect("sorted anew").already_done, "force starts over");
    assert_eq!(read_file(&file).len(), 7, "and mends it");
}

#[test]
fn long_classes_go_to_several_shards_in_order() {
    let records: Vec<_> = (0..7).map(|n| record(Some(8), n)).collect();
    let scene = Scene::new(&[&records]);
    // A record's frame has about 200 bytes: three to a shard.
    let options = SortOptions { shards: Shards::Bytes(500), ..SortOptions::default() };
    let report = scene.sort(&options).expect("sorted");
    let files = &report.classes[0].files;
    assert_eq!(files.len(), 3);
    assert_eq!(files[2], "string.tfrecord-00002-of-00003");
    let read: Vec<_> = files.iter().flat_map(|file| read_file(&scene.out().join(file))).collect();
    assert_eq!(read, records);
}

#[test]
fn very_many_classes_need_few_open_files() {
    let labelled = |n: u32| {
        let mut builder = ExampleBuilder::default();
        builder.int64s("instrument/label", &[i64::from(n % 300)]);
        builder.finish()
    };
    let records: Vec<_> = (0..600).map(labelled).collect();
    let scene = Scene::new(&[&records]);
    let report = scene.sort(&by(&["instrument/label"])).expect("sorted");
    assert_eq!((report.records, report.classes.len()), (600, 300));
    let file = scene.out().join("label-299.tfrecord-00000-of-00001");
    assert_eq!(read_file(&file), [labelled(299), labelled(599)]);
}

#[test]
fn byte_strings_name_classes_without_leaving_the_folder() {
    let named = |id: &[u8]| {
        let mut builder = ExampleBuilder::default();
        builder.bytes("id", id);
        builder.finish()
    };
    let scene = Scene::new(&[&[named(b"../x"), named(b"violin_1"), named(b"\xff")]]);
    let report = scene.sort(&by(&["id"])).expect("sorted");
    let names: Vec<_> = report.classes.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["%2e%2e%2fx", "%ff", "violin_1"]);
}

#[test]
fn damage_is_named_and_leaves_nothing() {
    let [a, b] = mixed();
    let scene = Scene::new(&[&a, &b]);
    let mut bytes = fs::read(&scene.sources[1]).expect("there");
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(&scene.sources[1], &bytes).expect("writable");
    let error = scene.error();
    assert!(error.contains("1.tfrecord: record at byte ") && error.contains("checksum"), "{error}");
    bytes.truncate(at);
    fs::write(&scene.sources[1], &bytes).expect("writable");
    assert!(scene.error().contains("cut off"), "truncated");
}

#[test]
fn what_cannot_be_sorted_is_told() {
    assert!(Scene::new(&[&[]]).error().contains("0.tfrecord: no records to sort"), "empty");
    let error = Scene::new(&[&[record(None, 1)]]).error();
    assert!(error.contains("no record has the feature `instrument/family`"), "{error}");
    let error = Scene::new(&[&[record(Some(1), 1), b"no Example".to_vec()]]).error();
    assert!(error.contains("record at byte ") && error.contains("not an Example"), "{error}");
}

#[test]
fn nothing_is_lost_whatever_the_bytes() {
    let family = record(Some(8), 1);
    for (i, mutant) in mutants(&family, 200).enumerate() {
        let scene = Scene::new(&[&[family.clone(), mutant.clone()]]);
        match scene.sort(&SortOptions::default()) {
            Ok(report) => assert_eq!(report.records, 2, "mutant {i}"),
            Err(error) => assert!(error.to_string().contains("0.tfrecord"), "mutant {i}: {error}"),
        }
    }
}
