//! The data commands and `analyze`, run as a user runs them.

mod common;

use std::fs;

use common::{ddsp, sine_wav, stderr_of, stdout_of, tiny_data};
use serde_json::Value;

#[test]
fn notes_are_made_sorted_and_inspected_and_none_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tiny_data(folder.path());
    let sorted = folder.path().join("sorted");
    let sort = || ddsp(["data", "sort"]).arg(&data).arg("--out").arg(&sorted).assert().success();
    let text = stdout_of(&sort());
    assert!(text.contains("8 string") && text.contains("8 keyboard"), "{text}");
    assert!(text.contains("16 records in, 16 out"), "{text}");
    assert!(stdout_of(&sort()).contains("sorted earlier and unchanged"), "run twice works twice");

    let strings = sorted.join("string*");
    let json = ddsp(["data", "inspect", "--json"]).arg(&strings).assert().success();
    let json: Value = serde_json::from_str(&stdout_of(&json)).expect("JSON on stdout");
    assert_eq!(json["records"], 8);
    assert_eq!(json["features"]["instrument/family"]["counts"]["string"], 8);
    let text = stdout_of(&ddsp(["data", "inspect"]).arg(&strings).assert().success());
    assert!(text.contains("f0/hz") && text.contains("float"), "{text}");
}

#[test]
fn recordings_are_prepared_and_short_ones_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = folder.path().join("recordings");
    fs::create_dir(&recordings).expect("a folder");
    fs::write(recordings.join("long.wav"), sine_wav(440.0, 5.0)).expect("written");
    fs::write(recordings.join("short.wav"), sine_wav(440.0, 0.5)).expect("written");
    let out = folder.path().join("data");
    let command = ddsp(["data", "prepare"]).arg(&recordings).arg("--out").arg(&out).assert();
    let text = stdout_of(&command.success());
    assert!(text.contains("left out") && text.contains("short.wav"), "{text}");
    assert!(text.contains("1 recordings: 2 examples to train on, 0 held out"), "{text}");
}

#[test]
fn analysis_prints_csv_and_draws() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a4.wav"), sine_wav(440.0, 1.0)).expect("written");
    let command = ddsp(["analyze"])
        .arg(path("a4.wav"))
        .arg("--picture")
        .arg(path("a4.svg"))
        .arg("--report")
        .arg(path("a4.html"))
        .assert()
        .success();
    let csv = stdout_of(&command);
    let middle: Vec<f64> = csv
        .lines()
        .nth(126)
        .expect("250 frames")
        .split(',')
        .map(|value| value.parse().expect("a number"))
        .collect();
    assert_eq!(csv.lines().count(), 251, "a heading and 250 frames");
    assert!((middle[0] - 0.5).abs() < 1e-9, "frame 125 is at {} s", middle[0]);
    // Half a cent.
    assert!((middle[1] - 440.0).abs() < 0.13 && middle[2] > 0.9, "f0 {middle:?}");
    let read = |name| fs::read_to_string(path(name)).expect("written");
    assert!(read("a4.svg").starts_with("<svg xmlns"), "a picture");
    assert!(read("a4.html").contains("data:audio/wav"), "a page with the sound");

    let json = ddsp(["analyze", "--json"]).arg(path("a4.wav")).assert().success();
    let json: Value = serde_json::from_str(&stdout_of(&json)).expect("JSON on stdout");
    let median = json["median_f0_hz"].as_f64().expect("a number");
    assert!((median - 440.0).abs() < 0.13, "median f0 {median}");
    assert!(stderr_of(&command).contains("analysing"), "progress on stderr");
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let wav = folder.path().join("long.wav");
    // Enough CSV to fill any pipe buffer.
    fs::write(&wav, sine_wav(440.0, 20.0)).expect("written");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ddsp"))
        .arg("analyze")
        .arg(&wav)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {stderr}", output.status);
    assert!(!stderr.contains("error"), "{stderr}");
}
