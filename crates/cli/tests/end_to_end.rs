//! From notes to a learned instrument to a played recording, at a size that takes seconds.

mod common;

use std::fs;

use common::{TINY, ddsp, sine_wav, stderr_of, stdout_of, tiny_training};
use serde_json::Value;

#[test]
fn a_model_is_trained_shown_and_played() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_training(folder.path());
    let run = folder.path().join("run");
    for file in ["config.toml", "metrics.jsonl", "manifest.json", "report.html"] {
        assert!(run.join(file).is_file(), "no {file}");
    }
    let shown = ddsp(["model", "show", "--json"]).arg(&model).assert().success();
    let shown: Value = serde_json::from_str(&stdout_of(&shown)).expect("JSON");
    assert_eq!(shown["training"]["steps"], 6);
    assert_eq!(shown["training"]["n_held_out"], 2, "one pitch of two instruments");
    assert_eq!(shown["config"]["decoder"]["gru_units"], 16);

    let path = |name: &str| folder.path().join(name);
    fs::write(path("in.wav"), sine_wav(220.0, 1.5)).expect("written");
    let assert = ddsp(["transfer", "--json"])
        .arg(path("in.wav"))
        .arg("--model")
        .arg(&model)
        .arg("-o")
        .arg(path("out.wav"))
        .arg("--report")
        .arg(path("out.html"))
        .assert()
        .success();
    let json: Value = serde_json::from_str(&stdout_of(&assert)).expect("JSON");
    assert!(json["measures"]["voiced_frames"].as_u64().expect("a count") > 300, "{json}");
    let page = fs::read_to_string(path("out.html")).expect("a page");
    assert!(page.contains("Harmonic distribution") && page.contains("data:audio/wav"), "a panel");
    let wav = fs::read(path("out.wav")).expect("a sound");
    // 375 frames of 64 samples, 32-bit float.
    assert!(wav.starts_with(b"RIFF") && wav.len() > 375 * 64 * 4, "{} bytes", wav.len());
}

#[test]
fn a_finished_training_is_reported_and_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_training(folder.path());
    let bytes = fs::read(&model).expect("a model");
    let again = || {
        let mut command = ddsp(["train", "--family", "string", "--hold-out-pitches", "1"]);
        command.args(TINY).arg("--data").arg(folder.path().join("data"));
        command.arg("--out").arg(folder.path().join("run"));
        command
    };
    let text = stdout_of(&again().assert().success());
    assert!(text.contains("an earlier run, unchanged"), "{text}");
    assert_eq!(fs::read(&model).expect("a model"), bytes, "the model is the same");
    let refused = again().args(["--set", "train.steps=7"]).assert().code(1);
    assert!(stderr_of(&refused).contains("--force"), "{}", stderr_of(&refused));
    again().args(["--set", "train.steps=7", "--force"]).assert().success();
}
