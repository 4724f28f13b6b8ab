//! Foreign bytes: the small corpus, every past failure in it, and thousands of seeded mutants of them.
//!
//! Whatever the bytes, there is a result or an error that names file and place; never a panic. The
//! fuzz targets beside this crate (`cargo fuzz run tfrecord`, nightly) assert the same on what a
//! coverage-guided fuzzer comes up with; what it finds is added to the corpus.

use std::fs;
use std::path::{Path, PathBuf};

use ddsp_data::example::{Example, find_feature, find_features};
use ddsp_data::tfrecord::{Reader, write_record};
use ddsp_data::{InspectOptions, NoteRecord, Predicate, SortOptions, VerifyOptions};
use ddsp_data::{inspect, sort, verify};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn corpus(kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), fs::read(&path).expect("readable")))
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{} has only {} files", folder.display(), files.len());
    files
}

/// Each file of the corpus, and `n` broken variants of it.
fn with_mutants(kind: &str, n: u64) -> impl Iterator<Item = (String, Vec<u8>)> {
    corpus(kind).into_iter().flat_map(move |(path, bytes)| {
        (0..=n).map(move |seed| {
            let mut mutant = bytes.clone();
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            for _ in 0..seed.min(1) * rng.random_range(1..5) {
                mutate(&mut mutant, &mut rng);
            }
            (format!("{}, mutant {seed}", path.display()), mutant)
        })
    })
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    let at = rng.random_range(0..=bytes.len());
    let end = rng.random_range(at..=bytes.len().min(at + 20));
    match rng.random_range(0..5) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)],
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = rng.random_range(0..=bytes.len());
            bytes.splice(to..to, copy);
        }
        _ => bytes.insert(at, rng.random()),
    }
}

#[test]
fn any_file_is_records_or_an_error_with_its_place() {
    let mut n_whole = 0;
    for (name, bytes) in with_mutants("tfrecord", 1000) {
        let mut reader = Reader::new(&bytes[..], Path::new("x.tfrecord"));
        let mut n_bytes = 0;
        loop {
            match reader.next_record() {
                Ok(Some(record)) => n_bytes += record.frame.len(),
                Ok(None) => {
                    assert_eq!(n_bytes, bytes.len(), "{name}: every byte is accounted for");
                    n_whole += 1;
                    break;
                }
                Err(error) => {
                    let place = format!("x.tfrecord: record at byte {n_bytes}: ");
                    assert!(error.to_string().starts_with(&place), "{name}: {error}");
                    break;
                }
            }
        }
    }
    assert!(n_whole > 100, "some mutants are whole: {n_whole}");
}

#[test]
fn every_tool_survives_any_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("x.tfrecord");
    for (name, bytes) in with_mutants("tfrecord", 60) {
        fs::write(&file, &bytes).expect("written");
        let files = std::slice::from_ref(&file);
        let named = |error: ddsp_data::Error| {
            assert!(error.to_string().contains("x.tfrecord"), "{name}: {error}");
        };
        let inspected = inspect(files, &InspectOptions::default(), None, &mut |_| ());
        let is_readable = inspected.map_err(named).is_ok();
        let verified = verify(files, &VerifyOptions::default(), &mut |_| ()).expect("readable");
        assert!(verified.is_good() <= is_readable, "{name}: {verified:?}");
        let out = dir.path().join("out");
        let options = SortOptions { force: true, ..SortOptions::default() };
        let sorted = sort(files, &out, &options, &mut |_| ());
        match sorted {
            Ok(report) => {
                let n_sorted: u64 = report.classes.iter().map(|class| class.records).sum();
                assert_eq!(
                    (report.records, n_sorted),
                    (verified.records, verified.records),
                    "{name}"
                );
            }
            Err(error) => named(error),
        }
    }
}

#[test]
fn any_record_is_an_example_or_an_error_with_its_place() {
    let mut n_examples = 0;
    for (name, bytes) in with_mutants("example", 2000) {
        let _ = NoteRecord::decode(&bytes);
        match Example::parse(&bytes) {
            Ok(example) => {
                n_examples += 1;
                for &(feature, value) in example.features() {
                    assert_eq!(find_feature(&bytes, feature), Ok(Some(value)), "{name}");
                }
                let wanted = ["pitch", "audio", "pitch"];
                let found = find_features(&bytes, &wanted).expect("parsed as a whole");
                assert_eq!(
                    (found[0], found[1]),
                    (example.get("pitch"), example.get("audio")),
                    "{name}"
                );
            }
            Err(error) => assert!(error.offset <= bytes.len(), "{name}: {error}"),
        }
    }
    assert!(n_examples > 1000, "some mutants are Examples: {n_examples}");
}

#[test]
fn any_record_passes_a_condition_or_not_or_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("x.tfrecord");
    let condition = "pitch in 24..84 and (exists audio or not many == 3) or id like 's*'";
    let options = InspectOptions {
        predicate: Some(condition.parse().expect("a condition")),
        ..InspectOptions::default()
    };
    for (name, bytes) in with_mutants("example", 100) {
        let mut framed = Vec::new();
        write_record(&mut framed, &bytes).expect("a Vec takes everything");
        fs::write(&file, framed).expect("written");
        if let Err(error) = inspect(std::slice::from_ref(&file), &options, None, &mut |_| ()) {
            assert!(error.to_string().contains("x.tfrecord: "), "{name}: {error}");
        }
    }
    for (name, text) in with_mutants("predicate", 1000) {
        let text = String::from_utf8_lossy(&text);
        if let Err(error) = text.parse::<Predicate>() {
            assert!((1..=text.chars().count() + 1).contains(&error.column), "{name}: {error}");
        }
    }
}
