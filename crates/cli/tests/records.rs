//! What can be asked of record files on the command line.

mod common;

use std::fs;
use std::path::Path;

use common::{ddsp, stderr_of, stdout_of, tiny_data};
use ddsp_data::example::ExampleBuilder;
use ddsp_data::tfrecord::write_record;
use serde_json::Value;

fn json_of(command: &mut assert_cmd::Command) -> Value {
    let stdout = stdout_of(&command.assert().success());
    serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("no JSON on stdout ({e}): {stdout}"))
}

#[test]
fn records_are_kept_by_a_condition_and_sorted_by_two_features() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tiny_data(folder.path());
    let out = folder.path().join("sorted");
    let sort = |extra: &[&str]| {
        let mut command = ddsp(["data", "sort", "--by", "instrument/family,instrument/source"]);
        command.args(["--where", "instrument/family == 'string' or pitch < 50"]).args(extra);
        command.arg(&data).arg("--out").arg(&out);
        command
    };
    let text = stdout_of(&sort(&["--rename", "f0/hz=f0_hz"]).assert().success());
    assert!(text.contains("8 string+acoustic"), "{text}");
    let report = json_of(&mut sort(&["--rename", "f0/hz=f0_hz", "--json"]));
    assert_eq!(report["where"], "instrument/family == 'string' or pitch < 50");
    let sum = |key: &str| report[key].as_u64().expect("a number");
    let classes = report["classes"].as_array().expect("a list").iter();
    let classes: Vec<u64> = classes.map(|c| c["records"].as_u64().expect("a number")).collect();
    let sorted: u64 = classes.iter().sum();
    assert_eq!((sum("records"), sum("dropped") + sorted, sum("renamed")), (16, 16, sorted));
    assert_eq!(report["files"][0]["crc32c"].as_str().map(str::len), Some(8));

    let inspection = json_of(ddsp(["data", "inspect", "--json"]).arg(&out));
    assert_eq!(inspection["features"]["f0_hz"]["max_len"], 1000);
    assert!(inspection["features"].get("f0/hz").is_none(), "it has another name");
    let counted = json_of(sort(&["--shard-count", "3", "--force", "--json"]).arg("--threads=1"));
    let n_files = counted["files"].as_array().expect("a list").len() as u64;
    assert_eq!(n_files, classes.iter().map(|&n| n.min(3)).sum::<u64>(), "of {classes:?}");
    ddsp(["data", "verify"]).arg(&out).assert().success();
}

#[test]
fn a_condition_that_is_none_is_pointed_at() {
    for command in ["sort", "inspect"] {
        let assert = ddsp(["data", command, "x", "--out", "y", "--where", "pitch in 24 and x"]);
        let stderr = stderr_of(&{ assert }.assert().code(2));
        let place = "column 13: expected `..` and the upper end of the range, found `and`\n  \
                     pitch in 24 and x\n              ^";
        assert!(stderr.contains(place), "{stderr}");
    }
    for (flag, value) in [("--rename", "f0"), ("--shard", "4/4"), ("--shard-count", "0")] {
        ddsp(["data", "sort", "x", "--out", "y", flag, value]).assert().code(2);
    }
    // A process cannot know whether what it finds is old or another shard's.
    for command in ["sort", "inspect", "verify"] {
        let arguments = ["data", command, "x", "--out", "y", "--shard", "0/2", "--force"];
        ddsp(arguments).assert().code(2);
    }
}

#[test]
fn records_are_looked_at_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tiny_data(folder.path());
    let inspect = |arguments: &[&str]| {
        let mut command = ddsp(["data", "inspect"]);
        command.args(arguments).arg(&data);
        command
    };
    let text = stdout_of(&inspect(&["--record", "9"]).assert().success());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("00001-of-00002: record 1 at byte "), "{text}");
    assert!(lines[1].starts_with("  audio ") && lines[1].contains("× 64000"), "{text}");
    let one = json_of(&mut inspect(&["--record", "9", "--json"]));
    let audio = |record: &Value| record["features"]["audio"]["values"].as_array().map(Vec::len);
    assert_eq!((one["record"].as_u64(), audio(&one)), (Some(1), Some(8)));
    assert_eq!(audio(&json_of(&mut inspect(&["--record", "9", "--json", "--full"]))), Some(64_000));
    inspect(&["--record", "16"]).assert().code(1);

    let all = json_of(&mut inspect(&["--json", "--where", "instrument/family == 'string'"]));
    let examples = all["examples"].as_array().expect("a list");
    assert_eq!(
        (examples.len(), all["records"].as_u64(), all["dropped"].as_u64()),
        (8, Some(8), Some(8))
    );
    for example in examples {
        assert_eq!(example["features"]["instrument/family"]["values"][0], 8);
        assert_eq!(audio(example), Some(8));
    }
    inspect(&["--where", "pitch == 1000"]).assert().code(1);
}

#[test]
fn damage_is_found_and_mended() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tiny_data(folder.path());
    let good = stdout_of(&ddsp(["data", "verify"]).arg(&data).assert().success());
    assert!(good.contains("16 usable records in 2 files, 0 not usable, 0 remarks"), "{good}");

    let path = data.join("nsynth.tfrecord-00001-of-00002");
    let mut bytes = fs::read(&path).expect("a shard");
    bytes[300_000] ^= 1;
    let mut unusual = ExampleBuilder::default();
    unusual.floats("audio", &[7.0]);
    let at = bytes.len();
    write_record(&mut bytes, &unusual.finish()).expect("memory");
    bytes.truncate(bytes.len() - 1);
    fs::write(&path, &bytes).expect("written");
    let verify = |arguments: &[&str]| {
        let mut command = ddsp(["data", "verify"]);
        command.args(arguments).arg(&data);
        command
    };
    let assert = verify(&[]).assert().code(1);
    let (text, stderr) = (stdout_of(&assert), stderr_of(&assert));
    assert!(text.contains("damaged: the data differ from their checksum"), "{text}");
    assert!(text.contains(&format!("record at byte {at}: damaged: the file ends after")), "{text}");
    assert!(stderr.ends_with("error: 2 records are not usable, 0 remarks\n"), "{stderr}");

    let out = folder.path().join("mended");
    let mend = || verify(&["--repair", "--json"]).arg("--out").arg(&out).assert().code(1);
    let report: Value = serde_json::from_str(&stdout_of(&mend())).expect("JSON on stdout");
    assert_eq!((&report["records"], &report["bad"]), (&15.into(), &2.into()));
    let listed = fs::read_to_string(out.join("problems-00001.jsonl")).expect("written");
    assert_eq!(listed.lines().filter(|line| line.contains("00001-of-00002")).count(), 2);
    assert_eq!(serde_json::from_str::<Value>(&stdout_of(&mend())).expect("JSON"), report, "again");
    let text = stdout_of(&ddsp(["data", "verify"]).arg(&out).assert().success());
    assert!(text.contains("15 usable records"), "the list is no record file: {text}");
    assert!(fs::read(&path).expect("there") == bytes, "the source is as it was");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = tiny_data(folder.path());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ddsp"))
        .args(["data", "inspect", "--json", "--full"])
        .arg(&data)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !stderr.contains("error"), "{:?}: {stderr}", output.status);
}

#[test]
fn names_that_lead_elsewhere_stay_in_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bytes = Vec::new();
    for id in ["../../escape", "/etc/passwd", "a b", ".."] {
        let mut record = ExampleBuilder::default();
        record.bytes("id", id.as_bytes());
        write_record(&mut bytes, &record.finish()).expect("memory");
    }
    let source = folder.path().join("x.tfrecord");
    fs::write(&source, bytes).expect("written");
    let out = folder.path().join("out");
    ddsp(["data", "sort", "--by", "id"]).arg(&source).arg("--out").arg(&out).assert().success();
    let files: Vec<_> = common::content(&out).into_iter().map(|(path, _)| path).collect();
    assert_eq!(files.len(), 6, "{files:?}");
    assert!(files.contains(&Path::new("%2e%2e.tfrecord-00000-of-00001").to_owned()), "{files:?}");
}
