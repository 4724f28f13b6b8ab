//! What the tests of the command share.
#![allow(dead_code, reason = "each test file uses some of these")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use ddsp_data::example::ExampleBuilder;
use ddsp_data::tfrecord::write_record;

/// The command with its first arguments.
pub fn ddsp<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddsp"));
    command.args(arguments);
    command
}

/// Standard output as text.
pub fn stdout_of(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

/// Standard error as text.
pub fn stderr_of(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

/// Eight notes each of strings and keyboards.
pub fn tiny_data(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    ddsp(["data", "synth", "--family", "string", "--family", "keyboard"])
        .args(["--instruments", "2", "--pitches", "4", "--velocities", "80", "--shards", "2"])
        .arg("--out")
        .arg(&data)
        .assert()
        .success();
    data
}

/// A sine with two more partials as a 16-bit WAV file at 16 kHz.
pub fn sine_wav(hz: f64, secs: f64) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "a small number of small samples")]
    #[expect(clippy::cast_sign_loss, reason = "lengths are positive")]
    let samples: Vec<f32> = (0..(secs * 16_000.0) as usize)
        .map(|i| {
            let turn = std::f64::consts::TAU * hz * i as f64 / 16_000.0;
            (0.2 * turn.sin() + 0.1 * (2.0 * turn).sin() + 0.05 * (3.0 * turn).sin()) as f32
        })
        .collect();
    ddsp_studio::wav_bytes(&samples, 16_000)
}

/// Settings of a model that trains in a second and knows nothing after it.
pub const TINY: [&str; 16] = [
    "--set",
    "decoder.gru_units=16",
    "--set",
    "decoder.fc_units=16",
    "--set",
    "harmonic.n_harmonics=10",
    "--set",
    "noise.n_bands=9",
    "--set",
    "train.example_secs=1.0",
    "--set",
    "train.batch=2",
    "--set",
    "train.steps=6",
    "--set",
    "train.evaluate_every=3",
];

/// A model of the tiny data's strings, trained for a moment.
pub fn tiny_training(folder: &Path) -> PathBuf {
    let (data, run) = (tiny_data(folder), folder.join("run"));
    ddsp(["train", "--family", "string", "--hold-out-pitches", "1"])
        .args(TINY)
        .arg("--data")
        .arg(&data)
        .arg("--out")
        .arg(&run)
        .assert()
        .success();
    run.join("model.safetensors")
}

/// Record files of several classes without a pattern in their bytes, `n_bytes` each.
pub fn record_files(folder: &Path, n_files: u32, n_bytes: usize) -> PathBuf {
    let sources = folder.join("sources");
    std::fs::create_dir_all(&sources).expect("a folder");
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for file in 0..n_files {
        let mut bytes = Vec::new();
        while bytes.len() < n_bytes {
            let mut record = ExampleBuilder::default();
            let len = 1000 + next() % 9000;
            let audio: Vec<f32> = (0..len).map(|_| next() as f32 / 16_777_216.0 - 0.5).collect();
            record.floats("audio", &audio);
            record.int64s("instrument/family", &[i64::from(next() % 5)]);
            record.int64s("pitch", &[i64::from(next() % 128)]);
            write_record(&mut bytes, &record.finish()).expect("memory");
        }
        std::fs::write(sources.join(format!("x.tfrecord-{file:05}")), bytes).expect("written");
    }
    sources
}

/// Every file below a folder with its content, hidden ones too.
pub fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            let content = std::fs::read(&path).expect("readable");
            files.push((path, content));
        }
    }
    files.sort();
    files
}

/// A snapshot with paths inside the folder, to compare two folders.
pub fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let inside = |path: PathBuf| path.strip_prefix(folder).expect("inside").to_owned();
    snapshot(folder).into_iter().map(|(path, bytes)| (inside(path), bytes)).collect()
}
