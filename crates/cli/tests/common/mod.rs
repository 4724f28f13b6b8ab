//! What the tests of the command share.
#![allow(dead_code, reason = "each test file uses some of these")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;

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
