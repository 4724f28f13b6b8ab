//! Foreign bytes: the small corpus, every past failure in it, and thousands of seeded mutants of them.
//!
//! Whatever the bytes, there is a result or an error that names file and place; never a panic. The
//! fuzz targets beside this crate (`cargo fuzz run tfrecord`, nightly) assert the same on what a
//! coverage-guided fuzzer comes up with; what it finds is added to the corpus.

use std::fs;
use std::path::{Path, PathBuf};

use ddsp_data::example::{Example, find_feature, find_features};
use ddsp_data::tfrecord::{Reader, write_record};
use ddsp_data::{AudioReader, inspect, sort, verify};
use ddsp_data::{InspectOptions, NoteRecord, Predicate, SortOptions, VerifyOptions};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn corpus(kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_none_or(|extension| extension != "md"))
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

/// Reads a file to its end; the samples of one channel.
fn read_audio_bytes(bytes: Vec<u8>, path: &Path) -> ddsp_data::Result<u64> {
    let mut reader = AudioReader::from_bytes(bytes, path)?;
    while let Some(block) = reader.next_block()? {
        assert!(block.interleaved.len().is_multiple_of(block.n_channels), "whole samples");
        assert!(block.interleaved.iter().all(|sample| sample.is_finite()), "numbers");
        // No small file of the corpus turns into minutes of audio by a few changed bytes.
        assert!(reader.n_samples() < 1 << 24, "{}: it never ends", path.display());
    }
    Ok(reader.n_samples())
}

#[test]
fn any_audio_file_is_audio_or_an_error_with_its_name() {
    for (path, bytes) in corpus("audio") {
        if path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with("bad-")) {
            let n_samples = read_audio_bytes(bytes, &path).expect("intact");
            assert!(n_samples >= 800, "{}: {n_samples} samples", path.display());
        }
    }
    let (mut n_whole, mut n_damaged) = (0, 0);
    for (name, bytes) in with_mutants("audio", 600) {
        let ending = name.split(',').next().and_then(|name| name.rsplit('.').next());
        let path = format!("a.{}", ending.unwrap_or_default());
        match read_audio_bytes(bytes, Path::new(&path)) {
            Ok(_) => n_whole += 1,
            Err(error) => {
                assert!(error.to_string().starts_with(&format!("{path}: ")), "{name}: {error}");
                n_damaged += 1;
            }
        }
    }
    assert!(n_whole > 300 && n_damaged > 300, "{n_whole} are audio, {n_damaged} are not");
}

/// A WAV header with these claims, and a few samples.
fn wav(sample_rate: u32, n_channels: u16, n_bytes: u32) -> Vec<u8> {
    let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0".to_vec();
    bytes.extend(n_channels.to_le_bytes());
    bytes.extend(sample_rate.to_le_bytes());
    bytes.extend(sample_rate.wrapping_mul(2 * u32::from(n_channels)).to_le_bytes());
    bytes.extend(n_channels.wrapping_mul(2).to_le_bytes());
    bytes.extend([16, 0]);
    bytes.extend(b"data");
    bytes.extend(n_bytes.to_le_bytes());
    bytes.extend([1, 2].repeat(1000));
    bytes
}

#[test]
fn headers_that_lie_are_found_out() {
    let error = |bytes| {
        let result = read_audio_bytes(bytes, Path::new("lie.wav"));
        result.expect_err("a lie").to_string()
    };
    assert_eq!(read_audio_bytes(wav(16_000, 1, 2000), Path::new("a.wav")).expect("audio"), 1000);
    // A stream that claims 4 GB is read as far as it goes, in little memory.
    let text = error(wav(16_000, 1, u32::MAX - 1));
    assert!(text.contains("lie.wav: cut off: it holds 1000 of"), "{text}");
    for rate in [0, 1, 999, 768_001, 4_000_000_000] {
        let text = error(wav(rate, 1, 2000));
        assert!(text.starts_with("lie.wav: "), "{rate} Hz: {text}");
    }
    for n_channels in [0, 65, 1000, u16::MAX] {
        let text = error(wav(16_000, n_channels, 2000));
        assert!(text.starts_with("lie.wav: "), "{n_channels} channels: {text}");
    }
}
