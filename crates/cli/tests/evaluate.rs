//! `ddsp evaluate`: what it takes, what it says, what it leaves behind.

mod common;

use std::fs;
use std::path::Path;

use common::{TINY, ddsp, stderr_of, stdout_of, tiny_data, tiny_training};
use serde_json::Value;

fn evaluate(model: &Path, data: &Path) -> assert_cmd::Command {
    let mut command = ddsp(["evaluate", "--model"]);
    command.arg(model).arg("--data").arg(data);
    command
}

fn json(command: &mut assert_cmd::Command) -> Value {
    let assert = command.args(["--json", "-"]).assert().success();
    serde_json::from_str(&stdout_of(&assert)).expect("JSON on stdout and nothing else")
}

fn mean(report: &Value, player: usize, measure: &str) -> f64 {
    let mean = &report["players"][player]["measures"][measure]["mean"];
    mean.as_f64().unwrap_or_else(|| panic!("{measure} of player {player}: {mean}"))
}

#[test]
fn what_training_held_out_is_judged_beside_baselines() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_training(folder.path());
    let data = folder.path().join("data");
    let [html, file] = ["page.html", "all.json"].map(|name| folder.path().join(name));

    let mut command = evaluate(&model, &data);
    command.arg("--html").arg(&html).arg("--json").arg(&file);
    let text = stdout_of(&command.assert().success());
    assert!(text.contains("held out") && text.contains("judged 2 of 2"), "{text}");
    for name in ["model", "input itself", "input at -6 dB", "silence", "mean spectrum"] {
        assert!(text.contains(name), "no {name} in:\n{text}");
    }
    let page = fs::read_to_string(&html).expect("a page");
    assert!(page.contains("data:audio/wav") && page.contains("class=\"sortable\""), "a page");

    let report = json(&mut evaluate(&model, &data));
    let written: Value =
        serde_json::from_str(&fs::read_to_string(&file).expect("a file")).expect("JSON");
    assert_eq!(report, written, "the same twice, on stdout and in a file");
    assert_eq!(report["n_examples"], 2, "one pitch of two instruments");
    let names: Vec<&Value> =
        report["players"].as_array().expect("a list").iter().map(|p| &p["name"]).collect();
    assert_eq!(names[5], "untrained model", "{names:?}");
    for measure in ["loss", "loudness_l1_db", "log_spectral_distance_db", "level_difference_db"] {
        assert_eq!(mean(&report, 1, measure), 0.0, "{measure} of the input against itself");
    }
    assert!((mean(&report, 2, "level_difference_db") + 6.0206).abs() < 1e-3, "-6 dB");
    assert!(mean(&report, 3, "f0_outlier") == 1.0, "silence has no pitch");
    // The same windows and the same noise as in training.
    let summary = ddsp(["model", "show", "--json"]).arg(&model).assert().success();
    let summary: Value = serde_json::from_str(&stdout_of(&summary)).expect("JSON");
    let trained = summary["training"]["held_out_loss"]["total"].as_f64().expect("held out");
    assert!((mean(&report, 0, "loss") - trained).abs() < 1e-9, "{trained} in training");
}

#[test]
fn the_split_is_said_and_can_be_chosen() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = tiny_training(folder.path());
    let data = folder.path().join("data");
    let heard = json(evaluate(&model, &data).args(["--split", "train", "--by", "pitch"]));
    assert_eq!(heard["n_examples"], 6, "three pitches of two instruments");
    assert_eq!(heard["groups"].as_array().expect("a list").len(), 3, "{}", heard["groups"]);
    let all = json(evaluate(&model, &data).args(["--split", "all", "--max-examples", "3"]));
    assert_eq!((&all["n_available"], &all["n_examples"]), (&8.into(), &3.into()));
    // Keyboards are in the same files, but no part of what was trained on.
    let other = json(evaluate(&model, &data).args(["--family", "keyboard"]));
    assert_eq!(other["n_examples"], 8, "all keyboards");
    let used = other["examples_used"].as_str().expect("words");
    assert!(used.contains("other data"), "{used}");
    let seeded = json(evaluate(&model, &data).args(["--seed", "7"]));
    let default = json(&mut evaluate(&model, &data));
    assert_ne!(mean(&seeded, 0, "loss"), mean(&default, 0, "loss"), "other noise");
}

#[test]
fn without_anything_held_out_the_default_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, run) = (tiny_data(folder.path()), folder.path().join("run"));
    let mut train = ddsp(["train", "--family", "string"]);
    train.args(TINY).arg("--data").arg(&data).arg("--out").arg(&run).assert().success();
    let model = run.join("model.safetensors");
    let refused = evaluate(&model, &data).assert().code(1);
    assert!(stderr_of(&refused).contains("--split train"), "{}", stderr_of(&refused));
    evaluate(&model, &data).args(["--split", "train"]).assert().success();
    let other = folder.path().join("keyboards");
    let mut synth = ddsp(["data", "synth", "--family", "keyboard", "--instruments", "1"]);
    synth.args(["--pitches", "1", "--velocities", "80", "--out"]).arg(&other).assert().success();
    let refused = evaluate(&model, &other).args(["--split", "train"]).assert().code(1);
    assert!(stderr_of(&refused).contains("not the records"), "{}", stderr_of(&refused));
    let arguments = [["--by", "colour"], ["--max-examples", "0"], ["--split", "half"]];
    for nonsense in arguments {
        evaluate(&model, &data).args(nonsense).assert().code(2);
    }
}
