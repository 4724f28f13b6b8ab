//! What `ddsp data stats` and `ddsp data doctor` tell.

mod common;

use std::fs;

use common::{ddsp, sine_wav, stderr_of, stdout_of, tiny_data};
use serde_json::Value;

fn json_of(command: &mut assert_cmd::Command) -> Value {
    let stdout = stdout_of(&command.assert().success());
    serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("no JSON on stdout ({e}): {stdout}"))
}

#[test]
fn statistics_are_told_by_class_and_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tiny_data(folder.path());
    let picture = folder.path().join("all.svg");
    let stats = |extra: &[&str]| {
        let mut command = ddsp(["data", "stats", "--by", "instrument/family"]);
        command.args(extra).arg(&data);
        command
    };
    let drawn = stats(&[]).arg("--picture").arg(&picture).assert().success();
    let text = stdout_of(&drawn);
    assert!(
        text.contains("all       16 records") && text.contains("string    8 records"),
        "{text}"
    );
    assert!(text.contains("median") && text.contains("MIDI"), "{text}");
    let svg = fs::read_to_string(&picture).expect("drawn");
    assert!(svg.contains("keyboard: loudness by pitch"), "a row for each class");
    let json = json_of(&mut stats(&["--json"]));
    let quantiles = json["classes"]["string"]["f0_midi"]["quantiles"].as_array().map(Vec::len);
    assert_eq!(quantiles, json["n_quantiles"].as_u64().map(|n| usize::try_from(n).expect("a few")));
    let frames = |of: &Value| of["note_frames"].as_u64().expect("a number");
    let classes = &json["classes"];
    assert_eq!(frames(&json["all"]), frames(&classes["string"]) + frames(&classes["keyboard"]));
    stats(&["--frame-rate", "300"]).assert().code(1);
}

#[test]
fn the_doctor_warns_and_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let tones = folder.path().join("tones");
    fs::create_dir(&tones).expect("a folder");
    for (i, hz) in [220.0, 294.0, 392.0].into_iter().enumerate() {
        fs::write(tones.join(format!("{i}.wav")), sine_wav(hz, 2.0)).expect("written");
    }
    let text = stdout_of(&ddsp(["data", "doctor"]).arg(&tones).assert().success());
    assert!(text.contains("WARN  0.10 minutes of notes with a pitch: "), "{text}");
    assert!(text.contains("3 sounds, 0.1 minutes in 3 files: this will train, with"), "{text}");
    let json = json_of(ddsp(["data", "doctor", "--json"]).arg(&tones));
    assert_eq!((&json["verdict"], &json["sounds"]), (&"warn".into(), &3.into()));

    let silence = folder.path().join("silence.wav");
    fs::write(&silence, ddsp_studio::wav_bytes(&[0.0; 32_000], 16_000)).expect("written");
    let assert = ddsp(["data", "doctor"]).arg(&silence).assert().code(1);
    assert!(stdout_of(&assert).contains("BAD   0.00 minutes"), "{}", stdout_of(&assert));
    assert!(stderr_of(&assert).ends_with("error: a model cannot learn from this\n"), "in one line");
    // One of two shards cannot know.
    ddsp(["data", "doctor", "--shard", "0/2"]).arg(&silence).assert().success();
    let json = ddsp(["data", "doctor", "--json"]).arg(&silence).assert().code(1);
    let json: Value = serde_json::from_str(&stdout_of(&json)).expect("JSON all the same");
    assert_eq!(json["verdict"], "bad");
}
