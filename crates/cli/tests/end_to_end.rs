//! From notes to a learned instrument to a played recording, at a size that takes seconds.

mod common;

use std::fs;
use std::path::Path;

use common::{TINY, ddsp, sine_wav, stderr_of, stdout_of, tiny_data, tiny_training};
use serde_json::Value;

#[test]
fn a_model_is_trained_shown_and_played() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_training(folder.path());
    let run = folder.path().join("run");
    for file in ["config.toml", "metrics.jsonl", "manifest.json", "report.html"] {
        assert!(run.join(file).is_file(), "no {file}");
    }
    assert_samples(&run);
    let shown = ddsp(["model", "show", "--json"]).arg(&model).assert().success();
    let shown: Value = serde_json::from_str(&stdout_of(&shown)).expect("JSON");
    assert_eq!(shown["training"]["steps"], 6);
    assert_eq!(shown["training"]["n_held_out"], 2, "one pitch of two instruments");
    assert_eq!(shown["config"]["decoder"]["gru_units"], 16);
    assert_eq!(shown["config"]["audio"]["frame_rate"], 100, "the default preset is `player`");

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
    assert!(json["measures"]["voiced_frames"].as_u64().expect("a count") > 120, "{json}");
    let page = fs::read_to_string(path("out.html")).expect("a page");
    assert!(page.contains("Harmonic distribution") && page.contains("data:audio/wav"), "a panel");
    let wav = fs::read(path("out.wav")).expect("a sound");
    // 150 frames of 160 samples, 32-bit float.
    assert!(wav.starts_with(b"RIFF") && wav.len() > 150 * 160 * 4, "{} bytes", wav.len());
}

#[test]
fn a_refused_resumption_leaves_a_finished_run_finished() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_training(folder.path());
    let before = fs::read(&model).expect("the model");
    let train = |more: &[&str]| {
        let mut command = ddsp(["train", "--family", "string", "--hold-out-pitches", "1"]);
        command.args(TINY).arg("--data").arg(folder.path().join("data"));
        command.arg("--out").arg(folder.path().join("run")).args(more).assert()
    };
    let error = stderr_of(&train(&["--resume", "--set", "train.seed=3"]).code(1));
    assert!(error.contains("train.seed was 0, now 3"), "{error}");
    let done = train(&[]).success();
    assert!(stdout_of(&done).contains("(an earlier run, unchanged)"), "{}", stdout_of(&done));
    assert_eq!(fs::read(&model).expect("the model"), before, "nothing was trained");
}

#[test]
fn several_models_play_one_recording_side_by_side() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_training(folder.path());
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in.wav"), sine_wav(220.0, 1.5)).expect("written");
    fs::copy(&model, path("other.safetensors")).expect("copied");
    let transfer = |second: &Path| {
        let mut command = ddsp(["transfer", "--json"]);
        command.arg(path("in.wav")).arg("--model").arg(&model).arg("--model").arg(second);
        command.arg("-o").arg(path("played")).arg("--report").arg(path("page.html")).assert()
    };
    let assert = transfer(&path("other.safetensors")).success();
    let json: Value = serde_json::from_str(&stdout_of(&assert)).expect("JSON");
    let models = json["models"].as_array().expect("both");
    assert_eq!(models.len(), 2);
    assert_eq!(models[0]["measures"], models[1]["measures"], "the same values in both files");
    let sounds = ["run", "other"].map(|name| {
        fs::read(path("played").join(format!("{name}.wav")))
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    });
    assert!(sounds[0].len() > 150 * 160 * 4 && sounds[0] == sounds[1], "one sound each");
    let page = fs::read_to_string(path("page.html")).expect("a page");
    assert_eq!(page.matches("<audio").count(), 3, "the input and both outputs");
    assert!(page.contains("<th></th><th>run</th><th>other</th>"), "a column for each");

    let error = stderr_of(&transfer(&model).code(2));
    assert!(error.contains("two models are called `run`"), "{error}");
}

/// The two held-out notes after the first and the last step, as files and on the page.
fn assert_samples(run: &Path) {
    let names = |folder: &str| {
        let entries = fs::read_dir(run.join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> =
            names.map(|name| name.into_string().expect("our own name")).collect();
        names.sort();
        names
    };
    let recorded = names("samples/recorded");
    assert!(recorded.len() == 2 && recorded.iter().all(|n| n.ends_with(".wav")), "{recorded:?}");
    for step in ["samples/step-000001", "samples/step-000006"] {
        let (sounds, pictures): (Vec<_>, Vec<_>) =
            names(step).into_iter().partition(|name| name.ends_with(".wav"));
        assert_eq!(sounds, recorded, "the same notes in {step}");
        assert!(pictures.len() == 2 && pictures.iter().all(|n| n.ends_with(".png")), "{step}");
    }
    let events = names("").into_iter().filter(|name| name.starts_with("events.out.tfevents."));
    assert_eq!(events.count(), 1, "one event file");
    let page = fs::read_to_string(run.join("report.html")).expect("a page");
    let found = |text: &str| page.matches(&format!("aria-label=\"{text}")).count();
    // Of two notes, each has a picture and a player.
    assert_eq!(
        (found("Recorded"), found("After step 1\""), found("After step 6")),
        (4, 4, 4),
        "on the page"
    );
    let lines = fs::read_to_string(run.join("metrics.jsonl")).expect("a log");
    assert_eq!(lines.lines().count(), 6, "a line a step");
}

#[test]
fn a_training_says_what_it_learns_from_and_where_the_time_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tiny_data(folder.path());
    let train = |out: &str| {
        let mut command = ddsp(["train", "--family", "string", "--threads", "1", "--profile"]);
        command.args(TINY).args(["--sample-every", "0", "--data"]).arg(&data);
        command.arg("--out").arg(folder.path().join(out));
        command
    };
    let text = stdout_of(&train("a").assert().success());
    for expected in
        ["data: 8 examples, 0.53", "MIDI", "a step, ms", "optimizer", "(steps: 6, threads: 1)"]
    {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
    assert!(!folder.path().join("a/samples").exists(), "none were wanted");
    let json = stdout_of(&train("b").arg("--json").assert().success());
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let profile = &json["profile"];
    assert_eq!((&profile["steps"], &profile["n_threads"]), (&Value::from(6), &Value::from(1)));
    let secs = |name: &str| profile[name].as_f64().expect("seconds");
    let parts = ["network_secs", "synth_secs", "loss_secs", "optimizer_secs"].map(secs);
    assert!(parts.iter().all(|secs| *secs > 0.0), "{profile}");
    // One thread does one thing at a time; the clock of the whole begins a little earlier.
    assert!(parts.iter().sum::<f64>() <= secs("wall_secs"), "{profile}");
    assert_eq!(json["data"]["n_examples"], 8, "{json}");
    train("c").args(["--threads", "0"]).assert().code(2);
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
