//! Threads, shards, interruptions and sources that change: the output is that of one quiet run.

use std::time::{Duration, SystemTime};

use super::*;
use crate::output::files_under;

/// Six files of four kinds of records, in parts of two or three files.
fn scene() -> Scene {
    let files: Vec<Vec<Vec<u8>>> = (0..6_u8)
        .map(|file| {
            let family = |n: u8| Some(i64::from((file + n) % 4)).filter(|_| !n.is_multiple_of(5));
            (0..13).map(|n| record(family(n), n)).collect()
        })
        .collect();
    Scene::new(&files.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn options(shard: &str) -> SortOptions {
    let predicate = Some("not instrument/family == 2".parse().expect("a condition"));
    let shard = shard.parse().expect("a shard");
    let shards = Shards::Bytes(1100);
    SortOptions { shards, predicate, shard, n_threads: 1, ..SortOptions::default() }
}

/// Every file of the output with its content.
fn snapshot(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files_under(out).expect("readable").into_iter();
    files.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

fn undisturbed(scene: &Scene) -> Vec<(PathBuf, Vec<u8>)> {
    scene.sort(&options("0/1")).expect("sorted");
    let files = snapshot(&scene.out());
    fs::remove_dir_all(scene.out()).expect("removed");
    files
}

#[test]
fn threads_change_nothing() {
    let scene = scene();
    let expected = undisturbed(&scene);
    assert!(expected.len() > 12, "several files a class: {}", expected.len());
    for n_threads in [2, 3, 8] {
        let options = SortOptions { n_threads, ..options("0/1") };
        scene.sort(&options).expect("sorted");
        assert_eq!(snapshot(&scene.out()), expected, "{n_threads} threads");
        fs::remove_dir_all(scene.out()).expect("removed");
    }
}

#[test]
fn shards_in_any_order_end_with_the_same_files() {
    let scene = scene();
    let expected = undisturbed(&scene);
    for order in [["0/3", "1/3", "2/3"], ["2/3", "1/3", "0/3"]] {
        let mut missing = Vec::new();
        for shard in order {
            let report = scene.sort(&options(shard)).expect("sorted");
            missing.push(report.parts_missing);
            let kept: u64 = report.classes.iter().map(|class| class.records).sum();
            assert_eq!(report.records, kept + report.dropped, "the books balance at any time");
        }
        assert_eq!(missing, [2, 1, 0]);
        assert_eq!(snapshot(&scene.out()), expected);
        assert!(scene.sort(&options("1/3")).expect("verified").already_done, "and says so");
        fs::remove_dir_all(scene.out()).expect("removed");
    }
    // One that has nothing to do, and one that does what the others left.
    for shard in ["9/10", "0/2", "0/1"] {
        scene.sort(&options(shard)).expect("sorted");
    }
    assert_eq!(snapshot(&scene.out()), expected);
}

#[test]
fn a_source_that_vanishes_is_told_and_the_old_output_stays() {
    let scene = scene();
    let old = undisturbed(&scene);
    scene.sort(&options("0/1")).expect("sorted");
    let [first, .., last] = &scene.sources[..] else { panic!("six sources") };
    let content = fs::read(last).expect("there");
    let forced = SortOptions { force: true, shards: Shards::Bytes(300), ..options("0/1") };
    let error = sort(&scene.sources, &scene.out(), &forced, &mut |_| {
        let _ = fs::remove_file(last);
    });
    let error = error.expect_err("it is gone").to_string();
    assert!(error.contains("cannot open") && error.contains("5.tfrecord"), "{error}");
    assert_eq!(snapshot(&scene.out()), old, "as it was");

    fs::write(last, &content).expect("writable");
    let error = sort(&scene.sources, &scene.out(), &forced, &mut |_| {
        fs::write(last, &content[..content.len() / 2]).expect("writable");
    });
    let error = error.expect_err("it is cut").to_string();
    assert!(error.contains("5.tfrecord"), "{error}");
    assert_eq!(snapshot(&scene.out()), old, "as it was");
    assert!(first.exists(), "sources are never touched");
}

#[test]
fn sources_that_were_changed_are_not_taken_for_sorted() {
    let scene = scene();
    let expected = undisturbed(&scene);
    let later = |seconds| SystemTime::now() + Duration::from_secs(seconds);
    let touch = |path: &Path, seconds| {
        let file = fs::OpenOptions::new().append(true).open(path).expect("there");
        file.set_modified(later(seconds)).expect("settable");
    };
    // After an interruption: the part is done again.
    scene.sort(&options("0/3")).expect("sorted");
    let old = fs::read(&scene.sources[0]).expect("there");
    let mut new = Vec::new();
    let mut reader = Reader::new(&old[..], Path::new("x"));
    while let Some(record) = reader.next_record().expect("intact") {
        // The same length, another content.
        let data: Vec<u8> = record.data().to_vec();
        let at = data.windows(4).position(|w| w == 1.0_f32.to_le_bytes());
        let mut data = data;
        if let Some(at) = at {
            data[at] = 1;
        }
        write_record(&mut new, &data).expect("a Vec takes everything");
    }
    assert!(new != old && new.len() == old.len(), "the test changes something");
    fs::write(&scene.sources[0], &new).expect("writable");
    touch(&scene.sources[0], 10);
    scene.sort(&options("0/1")).expect("sorted");
    assert_ne!(snapshot(&scene.out()), expected, "the new content counts");

    // After the work: a touched source is looked at, and a changed one refused.
    touch(&scene.sources[1], 20);
    assert!(scene.sort(&options("0/1")).expect("verified").already_done, "touched only");
    fs::write(&scene.sources[0], &old).expect("writable");
    touch(&scene.sources[0], 20);
    let error = scene.sort(&options("0/1")).expect_err("changed").to_string();
    assert!(error.contains("0.tfrecord was changed since it was sorted"), "{error}");
}

#[test]
fn parts_are_whole_sources() {
    let whole = |n: usize| vec![Range { start: 0, end: n }];
    let ranges = |lengths: &[u64], limit| part_ranges(lengths, Shards::Bytes(limit));
    assert_eq!(ranges(&[1; 10], 1), [0..4, 4..8, 8..10]);
    assert_eq!(ranges(&[9, 1, 1, 1, 1, 9], 1), [0..1, 1..5, 5..6]);
    assert_eq!(ranges(&[0, 0, 9], 1), whole(3));
    assert_eq!(ranges(&[], 1), []);
    assert_eq!(part_ranges(&[u64::MAX, 3, u64::MAX], Shards::Bytes(u64::MAX)), [0..1, 1..3]);
    assert_eq!(part_ranges(&[7; 5], Shards::Count(3)), whole(5));
}
