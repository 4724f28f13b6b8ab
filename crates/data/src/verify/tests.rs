use std::fs;

use proptest::prelude::*;

use super::*;
use crate::example::ExampleBuilder;
use crate::inspect::{InspectOptions, inspect};
use crate::mutation::mutants;
use crate::tfrecord::{Reader, write_record};

fn note(n: u8) -> Vec<u8> {
    let mut builder = ExampleBuilder::default();
    builder.floats("audio", &[f32::from(n) / 256.0; 20]);
    builder.floats("f0_hz", &[440.0; 4]);
    builder.int64s("pitch", &[i64::from(n % 128)]);
    builder.finish()
}

fn file_of(records: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for record in records {
        write_record(&mut file, record).expect("a Vec takes everything");
    }
    file
}

struct Scene {
    dir: tempfile::TempDir,
    files: Vec<PathBuf>,
}

impl Scene {
    fn new(files: &[&[u8]]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut paths = Vec::new();
        for (i, bytes) in files.iter().enumerate() {
            paths.push(dir.path().join(format!("{i}.tfrecord")));
            fs::write(&paths[i], bytes).expect("writable");
        }
        Self { dir, files: paths }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    fn verify(&self) -> Verification {
        verify(&self.files, &VerifyOptions::default(), &mut |_| ()).expect("readable")
    }

    fn repair(&self, shard: &str, n_threads: usize) -> Result<Verification> {
        let shard = shard.parse().expect("a shard");
        let options = VerifyOptions { repair: true, shard, n_threads, force: false };
        verify_into(&self.files, &self.out(), &options, &mut |_| ())
    }
}

/// The problems of a file of these records: gravity, offset, reason.
fn problems(records: &[Vec<u8>]) -> Vec<(Gravity, u64, String)> {
    let verification = Scene::new(&[&file_of(records)]).verify();
    let problems = verification.files[0].problems.iter();
    problems.map(|p| (p.gravity, p.offset, p.reason.clone())).collect()
}

#[test]
fn good_files_are_good() {
    let file = file_of(&[note(1), note(2)]);
    let verification = Scene::new(&[&file, &file]).verify();
    assert!(verification.is_good(), "{verification:?}");
    assert_eq!((verification.records, verification.bytes), (4, 2 * file.len() as u64));
    assert_eq!(verification.files[1].good_bytes, file.len() as u64);
}

#[test]
fn records_that_cannot_be_used_are_named() {
    let with = |build: fn(&mut ExampleBuilder)| {
        let mut builder = ExampleBuilder::default();
        build(&mut builder);
        builder.finish()
    };
    let nan = with(|b| b.floats("audio", &[0.0, f32::NAN, f32::INFINITY]));
    let found = problems(&[note(1), nan, b"text".to_vec(), vec![]]);
    let second = note(1).len() as u64 + 16;
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].1, second);
    assert_eq!(found[0].2, "`audio`: 2 of 3 values are not finite");
    assert!(found[1].2.starts_with("not an Example"), "{found:?}");
    assert_eq!(found[2].2, "an Example without features");
    assert!(found.iter().all(|p| p.0 == Gravity::Unusable), "{found:?}");
}

#[test]
fn what_is_unusual_is_named_and_kept() {
    let with = |build: &dyn Fn(&mut ExampleBuilder)| {
        let mut builder = ExampleBuilder::default();
        build(&mut builder);
        builder.finish()
    };
    type Case = (&'static str, &'static [f32], &'static str);
    let cases: [Case; 5] = [
        ("audio", &[0.5, -1.5], "`audio` holds -1.5, outside -1 to 1"),
        ("f0/hz", &[30_000.0], "`f0/hz` holds 30000, outside 0 to 24000"),
        ("f0_confidence", &[-0.5], "`f0_confidence` holds -0.5, outside 0 to 1"),
        ("loudness_db", &[61.0], "`loudness_db` holds 61, outside -200 to 60"),
        ("f0/midi", &[150.0], "`f0/midi` holds 150, outside 0 to 139.1"),
    ];
    for (name, values, reason) in cases {
        let found = problems(&[with(&|b| b.floats(name, values))]);
        assert_eq!(found, [(Gravity::Doubt, 0, reason.to_owned())]);
    }
    for (name, value) in
        [("pitch", 128), ("family", 11), ("instrument/source", -2), ("qualities/x", 2)]
    {
        let found = problems(&[with(&|b| b.int64s(name, &[value]))]);
        assert!(found[0].2.starts_with(&format!("`{name}` holds {value}, outside")), "{found:?}");
    }
    // Rounding of whoever wrote it, unknown labels, empty lists and one frame more are fine.
    let fine = with(&|b| {
        b.floats("f0_confidence", &[1.000_000_1; 4]);
        b.floats("loudness_db", &[-80.0; 5]);
        b.floats("f0_hz", &[]);
        b.int64s("pitch", &[-1]);
    });
    assert_eq!(problems(&[fine]), []);
    let uneven = with(&|b| {
        b.floats("f0_confidence", &[1.0; 4]);
        b.floats("loudness_db", &[-80.0; 6]);
    });
    assert_eq!(problems(&[uneven])[0].2, "`f0_confidence` has 4 values, `loudness_db` 6");
}

#[test]
fn records_unlike_the_first_are_named() {
    let other = |build: fn(&mut ExampleBuilder)| {
        let mut builder = ExampleBuilder::default();
        builder.floats("audio", &[0.0; 20]);
        build(&mut builder);
        builder.finish()
    };
    let fewer = other(|b| b.floats("f0_hz", &[1.0]));
    let kind = other(|b| {
        b.floats("f0_hz", &[1.0]);
        b.floats("pitch", &[3.0]);
    });
    let more = other(|b| {
        b.floats("f0_hz", &[1.0]);
        b.int64s("pitch", &[3]);
        b.int64s("velocity", &[3]);
    });
    let reasons: Vec<_> =
        problems(&[note(1), fewer, kind, more]).into_iter().map(|p| p.2).collect();
    let expected = [
        "no `pitch`, which the first record has",
        "`pitch` is float, int64 in the first record",
        "`velocity`, which the first record lacks",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn empty_and_foreign_files_are_told() {
    let verification = Scene::new(&[b"", b"RIFF....WAVEfmt and so on"]).verify();
    assert_eq!(verification.files[0].problems[0].reason, "no records");
    let foreign = &verification.files[1].problems[0];
    assert!(foreign.reason.contains("not a TFRecord file"), "{foreign:?}");
    assert_eq!((verification.bad, verification.doubts), (1, 1));
}

#[test]
fn a_repair_keeps_what_is_good_and_lists_what_is_not() {
    let records: Vec<_> = (0..9).map(note).collect();
    let good = file_of(&records);
    let frame = good.len() / 9;
    let mut broken = good.clone();
    broken[2 * frame + 30] ^= 1;
    broken[5 * frame + 2] ^= 1;
    broken.truncate(good.len() - 7);
    let scene = Scene::new(&[&good, &broken]);
    let verification = scene.repair("0/1", 2).expect("repaired");
    assert_eq!((verification.records, verification.bad, verification.doubts), (15, 3, 0));
    let copy = |i: usize| fs::read(scene.out().join(format!("{i}.tfrecord"))).expect("written");
    assert_eq!(copy(0), good, "a good file is copied as it is");
    let kept: Vec<_> = [0, 1, 3, 4, 6, 7].iter().map(|&i| records[i].clone()).collect();
    assert_eq!(copy(1), file_of(&kept));
    let listed = fs::read_to_string(scene.out().join("problems-00001.jsonl")).expect("written");
    let listed: Vec<Problem> =
        listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(listed, verification.files[1].problems);
    assert_eq!(verification.files[1].list.as_deref(), Some("problems-00001.jsonl"));
    let offsets: Vec<_> = listed.iter().map(|problem| problem.offset).collect();
    assert_eq!(offsets, [2, 5, 8].map(|n| n * frame as u64));
    assert!(!scene.out().join("problems-00000.jsonl").exists(), "no list of nothing");
    assert!(scene.repair("0/1", 1).expect("verified").already_done, "a second run says so");
    let again = verify(&[scene.out().join("1.tfrecord")], &VerifyOptions::default(), &mut |_| ());
    assert!(again.expect("readable").is_good(), "what was repaired is good");
}

#[test]
fn shards_and_threads_change_nothing() {
    let files: Vec<Vec<u8>> = (0..5_u64)
        .map(|n| {
            let records: Vec<_> = (0..20).map(note).collect();
            mutants(&file_of(&records), 9).nth(usize::try_from(n).expect("small")).expect("nine")
        })
        .collect();
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let content = |scene: &Scene| {
        let files = crate::output::files_under(&scene.out()).expect("readable").into_iter();
        let named = files.map(|path| {
            let text = fs::read(&path).expect("readable");
            // The manifest and the marker name the sources, which lie elsewhere.
            let here = scene.dir.path().display().to_string();
            let text = String::from_utf8_lossy(&text).replace(&here, "");
            (path.strip_prefix(scene.out()).expect("inside").to_owned(), text)
        });
        named.filter(|(path, _)| path != Path::new("ddsp-output.json")).collect::<Vec<_>>()
    };
    let one = Scene::new(&files);
    let expected = one.repair("0/1", 1).expect("repaired");
    let several = Scene::new(&files);
    let missing = ["2/3", "0/3", "1/3"]
        .map(|shard| several.repair(shard, 4).expect("repaired").files_missing);
    assert_eq!(missing, [4, 2, 0]);
    assert_eq!(content(&several), content(&one));
    assert_eq!((expected.files_missing, expected.files.len()), (0, 5));
    let part = VerifyOptions { shard: "1/3".parse().expect("one"), ..VerifyOptions::default() };
    let part = verify(&one.files, &part, &mut |_| ()).expect("readable");
    // Only a folder has the lists.
    let without_list = |i: usize| FileVerification { list: None, ..expected.files[i].clone() };
    assert_eq!(part.files, [without_list(1), without_list(4)]);
}

#[test]
fn two_files_of_one_name_are_refused() {
    let scene = Scene::new(&[&file_of(&[note(1)])]);
    fs::create_dir(scene.dir.path().join("sub")).expect("a folder");
    let other = scene.dir.path().join("sub/0.tfrecord");
    fs::copy(&scene.files[0], &other).expect("copied");
    let files = [scene.files[0].clone(), other];
    let result = verify_into(&files, &scene.out(), &VerifyOptions::default(), &mut |_| ());
    let error = result.expect_err("one name").to_string();
    assert!(error.contains("have the same name"), "{error}");
}

#[test]
fn many_problems_cost_no_memory_and_all_are_counted() {
    let records = vec![b"text".to_vec(); MAX_LISTED + 50];
    let scene = Scene::new(&[&file_of(&records)]);
    let verification = scene.repair("0/1", 3).expect("repaired");
    assert_eq!(verification.bad, MAX_LISTED as u64 + 50);
    assert_eq!(verification.files[0].problems.len(), MAX_LISTED);
    let listed = fs::read_to_string(scene.out().join("problems-00000.jsonl")).expect("written");
    assert_eq!(listed.lines().count(), MAX_LISTED + 50);
}

#[test]
fn any_bytes_are_accounted_for() {
    let file = file_of(&(0..5).map(note).collect::<Vec<_>>());
    let mut n_kept = 0;
    for (i, mutant) in mutants(&file, 500).enumerate() {
        let scene = Scene::new(&[&mutant]);
        let verification = scene.repair("0/1", 1).expect("readable");
        let [file] = &verification.files[..] else { panic!("one file") };
        assert!(file.good_bytes <= file.bytes, "mutant {i}");
        assert_eq!(file.good_bytes == file.bytes, file.bad == 0, "mutant {i}: {file:?}");
        for problem in &file.problems {
            assert!(problem.offset <= file.bytes, "mutant {i}: {problem:?}");
        }
        // Whatever is kept was there, and in this order.
        let kept = fs::read(scene.out().join("0.tfrecord")).expect("written");
        let mut reader = Reader::new(&kept[..], Path::new("kept"));
        while let Some(record) = reader.next_record().expect("intact") {
            let frame = record.frame;
            assert!(mutant.windows(frame.len()).any(|w| w == frame), "mutant {i}");
            n_kept += 1;
        }
    }
    assert!(n_kept > 1200, "records that no mutation touches survive: {n_kept} of 2500");
}

/// The byte at a share of the file's length.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a length is between 0 and the length"
)]
fn place_in(file: &[u8], share: f64) -> usize {
    (share * file.len() as f64) as usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Damage is a run of bytes that differ, anywhere.
    #[test]
    fn damage_is_always_reported_with_file_and_offset(
        at in 0.0..1.0_f64,
        noise in prop::collection::vec(1..=255_u8, 1..50),
    ) {
        let file = file_of(&(0..5).map(note).collect::<Vec<_>>());
        let frame = file.len() as u64 / 5;
        let at = place_in(&file, at);
        let mut damaged = file.clone();
        for (byte, noise) in damaged[at..].iter_mut().zip(&noise) {
            *byte ^= noise;
        }
        let begin = at as u64 / frame * frame;
        let scene = Scene::new(&[&damaged]);

        let verification = scene.verify();
        let problem = &verification.files[0].problems[0];
        prop_assert_eq!(problem.offset, begin);
        prop_assert_eq!(problem.gravity, Gravity::Damaged);
        prop_assert!(verification.files[0].file.ends_with("0.tfrecord"));

        let inspected = inspect(&scene.files, &InspectOptions::default(), None, &mut |_| ());
        let error = inspected.expect_err("damaged").to_string();
        let place = format!("0.tfrecord: record at byte {begin}: ");
        prop_assert!(error.contains(&place), "{} lacks {}", error, place);

        let sorted = crate::sort::sort(&scene.files, &scene.out(), &crate::sort::SortOptions {
            by: vec!["pitch".to_owned()],
            ..Default::default()
        }, &mut |_| ());
        let error = sorted.expect_err("damaged").to_string();
        prop_assert!(error.contains(&place), "{} lacks {}", error, place);
    }

    /// A file that ends within a record, wherever.
    #[test]
    fn a_cut_is_always_reported_with_file_and_offset(at in 0.0..1.0_f64) {
        let file = file_of(&(0..5).map(note).collect::<Vec<_>>());
        let frame = file.len() as u64 / 5;
        let at = place_in(&file, at);
        let scene = Scene::new(&[&file[..at]]);
        let at = at as u64;
        let verification = scene.verify();
        let found: Vec<_> = verification.files[0].problems.iter().map(|p| p.offset).collect();
        match at % frame {
            // Between records nothing shows but that they are fewer.
            0 => prop_assert_eq!(verification.records, at / frame),
            _ => prop_assert_eq!(found, vec![at / frame * frame]),
        }
    }
}
