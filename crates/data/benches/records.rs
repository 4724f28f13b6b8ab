//! Sorting, extracting, inspecting and verifying record files in the page cache, beside `cp` of the
//! same bytes.
//!
//! `cargo bench -p ddsp-data --bench records`. Needs 3 GB of disk, in `DDSP_BENCH_DIR` if that is
//! set, else in the system's folder for temporary files. Every row is the best of several runs; each
//! run writes to a new folder.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ddsp_data::tfrecord::write_record;
use ddsp_data::{
    InspectOptions, Keys, Labels, NoteRecord, SortOptions, VerifyOptions, inspect, sort, verify,
};

/// NSynth-like records of 272.6 kB: 2,000 of them are the 545 MB that other tools were measured on.
const N_RECORDS: usize = 2000;
const N_FILES: usize = 4;
const N_RUNS: usize = 7;

fn main() {
    let parent = std::env::var_os("DDSP_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).expect("a folder for the bench");
    let sources = write_sources(folder.path());
    let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    println!("{N_RECORDS} records, {:.0} MB, {n_threads} cores", megabytes(&sources));

    let cp = report("cp of the same files", None, || time_cp(&sources, folder.path()));
    let all = SortOptions::default();
    report("sort into 11 families", Some(cp), || time_sort(&sources, folder.path(), &all));
    let single = SortOptions { n_threads: 1, ..all.clone() };
    report("the same on one thread", Some(cp), || time_sort(&sources, folder.path(), &single));
    let condition = "instrument/family == 'string'".parse().expect("a condition");
    let one = SortOptions { predicate: Some(condition), ..all.clone() };
    report("one family extracted", Some(cp), || time_sort(&sources, folder.path(), &one));
    let rename = vec![("f0/hz".to_owned(), "f0_hz".to_owned())];
    let renamed = SortOptions { rename, ..all };
    report("sort with f0/hz renamed", Some(cp), || time_sort(&sources, folder.path(), &renamed));

    let shard = folder.path().join("long.tfrecord");
    join(&[&sources[..], &sources[..]].concat(), &shard);
    let long = [shard];
    println!("one file of {:.0} MB", megabytes(&long));
    let cp = report("cp of it", None, || time_cp(&long, folder.path()));
    report("inspect", Some(cp), || {
        time(|| {
            inspect(&long, &InspectOptions::default(), None, &mut |_| ()).expect("intact");
        })
    });
    report("verify", Some(cp), || {
        time(|| {
            verify(&long, &VerifyOptions::default(), &mut |_| ()).expect("readable");
        })
    });
}

/// Records of all families in turn, in several files.
fn write_sources(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for file in 0..N_FILES {
        let mut bytes = Vec::new();
        for n in (file * N_RECORDS / N_FILES)..((file + 1) * N_RECORDS / N_FILES) {
            write_record(&mut bytes, &note(n).encode(Keys::Nsynth)).expect("memory");
        }
        let path = folder.join(format!("nsynth.tfrecord-{file:05}-of-{N_FILES:05}"));
        fs::write(&path, bytes).expect("3 GB of disk");
        paths.push(path);
    }
    paths
}

fn note(n: usize) -> NoteRecord {
    let family = i64::try_from(n % 11).expect("small");
    let wave = |i: usize| ((i * (n + 7)) % 1999) as f32 / 1000.0 - 1.0;
    NoteRecord {
        id: format!("note_{n:06}"),
        audio: (0..64_000).map(wave).collect(),
        f0_hz: Some(vec![440.0; 1000]),
        f0_confidence: Some(vec![1.0; 1000]),
        loudness_db: Some(vec![-30.0; 1000]),
        labels: Labels { family: Some(family), pitch: Some(60), ..Labels::default() },
        ..NoteRecord::default()
    }
}

fn megabytes(files: &[PathBuf]) -> f64 {
    files.iter().map(|file| fs::metadata(file).expect("there").len()).sum::<u64>() as f64 / 1e6
}

fn join(files: &[PathBuf], to: &Path) {
    let mut output = fs::File::create(to).expect("writable");
    for file in files {
        std::io::copy(&mut fs::File::open(file).expect("there"), &mut output).expect("disk");
    }
}

fn time(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn time_cp(files: &[PathBuf], folder: &Path) -> f64 {
    let out = tempfile::tempdir_in(folder).expect("a folder");
    time(|| {
        let status = Command::new("cp").args(files).arg(out.path()).status().expect("cp runs");
        assert!(status.success(), "cp fails");
    })
}

fn time_sort(files: &[PathBuf], folder: &Path, options: &SortOptions) -> f64 {
    let parent = tempfile::tempdir_in(folder).expect("a folder");
    time(|| {
        sort(files, &parent.path().join("out"), options, &mut |_| ()).expect("sorted");
    })
}

/// Prints the best and the median time, and what the best is of `cp`'s.
fn report(name: &str, cp: Option<f64>, run: impl Fn() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..N_RUNS).map(|_| run()).collect();
    times.sort_by(f64::total_cmp);
    let (best, median) = (times[0], times[N_RUNS / 2]);
    let mut line = format!("  {name:24} {best:7.3} s   median {median:7.3} s");
    if let Some(cp) = cp {
        let _ = write!(line, "   {:5.2} x cp", best / cp);
    }
    println!("{line}");
    best
}
