//! `data render` and the ranges of `data synth`, run as a user runs them.

mod common;
#[path = "../../data/tests/tiny_soundfont/mod.rs"]
mod tiny_soundfont;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::{content, ddsp, stderr_of, stdout_of};
use serde_json::Value;
use tiny_soundfont::{tiny_midi, tiny_soundfont};

fn font(folder: &Path) -> PathBuf {
    let font = folder.join("tiny.sf2");
    fs::write(&font, tiny_soundfont()).expect("written");
    font
}

fn render(font: &Path, preset: &str, out: &Path) -> Command {
    let mut command = ddsp(["data", "render", "--preset", preset, "--pitches", "57,69"]);
    command.args(["--velocities", "100", "--secs", "1", "--shards", "2"]);
    command.arg("--soundfont").arg(font).arg("--out").arg(out);
    command
}

#[test]
fn presets_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = |more: &[&str]| {
        let mut command = ddsp(["data", "render", "--list", "--soundfont"]);
        stdout_of(&command.arg(font(folder.path())).args(more).assert().success())
    };
    let text = list(&[]);
    assert!(text.contains("0:40 Test Violin (string)"), "{text}");
    assert!(text.contains("128:0 Test Kit\n"), "{text}");
    let json: Value = serde_json::from_str(&list(&["--json"])).expect("JSON");
    assert_eq!(json[1]["name"], "Test Violin");
}

#[test]
fn notes_are_rendered_once_and_read_by_the_other_commands() {
    let folder = tempfile::tempdir().expect("a folder");
    let (font, out) = (font(folder.path()), folder.path().join("out"));
    let text = stdout_of(&render(&font, "violin", &out).assert().success());
    assert!(text.contains("0:40 Test Violin (string)"), "{text}");
    assert!(text.contains("2 records in 2 files"), "{text}");
    let again = stdout_of(&render(&font, "violin", &out).arg("--json").assert().success());
    let report: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!((&report["records"], &report["off_pitch"]), (&2.into(), &Value::Array(vec![])));
    let verified = ddsp(["data", "verify"]).arg(&out).assert().success();
    assert!(stdout_of(&verified).contains("2 usable records"), "{}", stdout_of(&verified));
    let error = stderr_of(&render(&font, "piano", &out).assert().code(1));
    assert!(error.contains("made with other options"), "{error}");
    let text = stdout_of(&render(&font, "piano", &out).arg("--force").assert().success());
    assert!(text.contains("Test Piano"), "{text}");
}

#[test]
fn songs_in_folders_are_rendered_and_broken_ones_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (font, songs) = (font(folder.path()), folder.path().join("songs"));
    fs::create_dir(&songs).expect("a folder");
    fs::write(songs.join("scale.mid"), tiny_midi()).expect("written");
    fs::write(songs.join("broken.mid"), b"MThd").expect("written");
    let mut command = ddsp(["data", "render", "--preset", "0", "--soundfont"]);
    command.arg(&font).arg(&songs).arg("--out").arg(folder.path().join("out"));
    let text = stdout_of(&command.assert().success());
    assert!(text.contains("left out") && text.contains("broken.mid: not a MIDI file"), "{text}");
    assert!(text.contains("2 records"), "{text}");
}

#[test]
fn what_cannot_be_rendered_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (font, out) = (font(folder.path()), folder.path().join("out"));
    let error = stderr_of(&render(&font, "oboe", &out).assert().code(1));
    assert!(error.contains("tiny.sf2: 'oboe'") && error.contains("--list"), "{error}");
    fs::write(&font, &tiny_soundfont()[..300]).expect("written");
    let error = stderr_of(&render(&font, "violin", &out).assert().code(1));
    assert!(error.contains("tiny.sf2: not a SoundFont") && error.contains("at byte"), "{error}");
    assert!(!error.contains("panicked"), "{error}");
    for bad in [["--pitches", "60..200"], ["--shard", "0/2"], ["--secs", "x"]] {
        let mut command = ddsp(["data", "render", "--soundfont", "x", "--preset", "0", "--force"]);
        command.args(bad).arg("--out").arg(&out).assert().code(2);
    }
}

#[test]
fn processes_share_the_making_of_notes() {
    let folder = tempfile::tempdir().expect("a folder");
    let font = font(folder.path());
    let synth = |out: &Path| {
        let mut command = ddsp(["data", "synth", "--family", "flute", "--instruments", "1"]);
        command.args(["--pitches", "60..72:4", "--velocities", "90", "--secs", "1"]);
        command.args(["--vibrato", "4..7", "--glide", "1..3", "--keys", "ddsp", "--shards", "3"]);
        command.arg("--out").arg(out);
        command
    };
    let rendered = |out: &Path| render(&font, "violin", out);
    let commands: [&dyn Fn(&Path) -> Command; 2] = [&synth, &rendered];
    for (name, command) in ["synth", "render"].into_iter().zip(commands) {
        let (one, two) = (folder.path().join(name), folder.path().join(format!("{name}-by-two")));
        command(&one).assert().success();
        let first = command(&two).args(["--shard", "1/2"]).assert().success();
        assert!(stdout_of(&first).contains("left to other shards"), "{}", stdout_of(&first));
        command(&two).args(["--shard", "0/2"]).assert().success();
        assert!(content(&two) == content(&one), "{name}");
    }
}
