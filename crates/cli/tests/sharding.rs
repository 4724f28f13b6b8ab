//! Several processes on one data set end with the files of one, whatever their order.

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{content, ddsp, record_files, sine_wav, stdout_of, tiny_data};

/// The commands that fill a folder from any records, with their options.
const COMMANDS: [&[&str]; 3] = [
    &["data", "sort", "--shard-mib", "1", "--where", "pitch < 120"],
    &["data", "inspect", "--where", "pitch < 120"],
    &["data", "verify", "--repair"],
];

fn command(arguments: &[&str], sources: &Path, out: &Path, shard: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddsp"));
    command.args(arguments).arg(sources).arg("--out").arg(out).args(["--shard", shard]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn assert_done(child: Child) {
    let output = child.wait_with_output().expect("ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {stderr}", output.status);
}

#[test]
fn processes_at_once_or_in_any_order_make_the_files_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    // Seven parts of a few files for the sorting, twenty for the others.
    let sources = record_files(folder.path(), 20, 1_500_000);
    for arguments in COMMANDS {
        let out = |name: &str| folder.path().join(format!("{}-{name}", arguments[1]));
        ddsp(arguments).arg(&sources).arg("--out").arg(out("one")).assert().success();
        let expected = content(&out("one"));
        assert!(expected.len() >= 2, "{arguments:?}: a manifest and a marker at least");

        for round in 0..4 {
            let at_once = out(&format!("at-once-{round}"));
            let spawn = |i| command(arguments, &sources, &at_once, &format!("{i}/4")).spawn();
            let children: Vec<Child> = (0..4).map(|i| spawn(i).expect("runs")).collect();
            children.into_iter().for_each(assert_done);
            assert!(content(&at_once) == expected, "{arguments:?} at once");
        }

        let in_turn = out("in-turn");
        for shard in ["2/3", "0/3", "1/3"] {
            assert_done(command(arguments, &sources, &in_turn, shard).spawn().expect("runs"));
        }
        assert!(content(&in_turn) == expected, "{arguments:?} one after another");
    }
}

#[test]
fn statistics_and_diagnoses_of_shards_are_those_of_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let sources = tiny_data(folder.path());
    let commands: [&[&str]; 2] =
        [&["data", "stats", "--by", "instrument/family"], &["data", "doctor"]];
    for arguments in commands {
        let out = |name: &str| folder.path().join(format!("{}-{name}", arguments[1]));
        ddsp(arguments).arg(&sources).arg("--out").arg(out("one")).assert().success();
        let expected = content(&out("one"));
        let at_once = out("at-once");
        let spawn = |i| command(arguments, &sources, &at_once, &format!("{i}/2")).spawn();
        let children: Vec<Child> = (0..2).map(|i| spawn(i).expect("runs")).collect();
        children.into_iter().for_each(assert_done);
        assert!(content(&at_once) == expected, "{arguments:?} at once");
        let in_turn = out("in-turn");
        for shard in ["2/3", "1/3", "0/3"] {
            assert_done(command(arguments, &sources, &in_turn, shard).spawn().expect("runs"));
        }
        assert!(content(&in_turn) == expected, "{arguments:?} one after another");
    }
}

#[test]
fn a_shard_that_was_killed_is_run_again_or_done_by_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let sources = record_files(folder.path(), 20, 1_500_000);
    for arguments in COMMANDS {
        let out = |name: &str| folder.path().join(format!("{}-{name}", arguments[1]));
        ddsp(arguments).arg(&sources).arg("--out").arg(out("one")).assert().success();
        let killed = out("killed");
        let spawn = |i| command(arguments, &sources, &killed, &format!("{i}/3")).spawn();
        let mut children: Vec<Child> = (0..3).map(|i| spawn(i).expect("runs")).collect();
        let mut victim = children.remove(1);
        victim.kill().expect("killed");
        victim.wait().expect("ends");
        children.into_iter().for_each(assert_done);
        // A run without a shard does what is left.
        assert_done(command(arguments, &sources, &killed, "0/1").spawn().expect("runs"));
        assert!(content(&killed) == content(&out("one")), "{arguments:?}");
    }
}

#[test]
fn a_shard_says_what_is_left_and_prints_its_own_share() {
    let folder = tempfile::tempdir().expect("a folder");
    let sources = record_files(folder.path(), 4, 100_000);
    let run = |arguments: &[&str]| stdout_of(&ddsp(arguments).arg(&sources).assert().success());
    let out = folder.path().join("out").display().to_string();
    let text = run(&["data", "verify", "--out", &out, "--shard", "1/4"]);
    assert!(text.contains("so far: 3 files are left to other shards"), "{text}");
    // Without a folder, each prints what is its own.
    let n_records = |text: &str| -> u64 {
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        json["records"].as_u64().expect("a number")
    };
    for command in ["inspect", "verify"] {
        let all = n_records(&run(&["data", command, "--json"]));
        let shards = ["0/3", "1/3", "2/3"];
        let parts =
            shards.map(|shard| n_records(&run(&["data", command, "--json", "--shard", shard])));
        assert_eq!(parts.iter().sum::<u64>(), all, "{command}: {parts:?}");
    }
}

#[test]
fn recordings_are_prepared_by_several_processes_as_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = folder.path().join("recordings");
    std::fs::create_dir(&recordings).expect("a folder");
    for i in 0..7_u32 {
        let wav = sine_wav(220.0 + 40.0 * f64::from(i), 10.0);
        std::fs::write(recordings.join(format!("{i}.wav")), wav).expect("written");
    }
    // Every recording is a part, or shares one with another.
    let arguments = ["data", "prepare", "--example-secs", "0.5", "--hop-secs", "0.1"];
    let arguments = [&arguments[..], &["--shard-mib", "8"]].concat();
    let out = |name: &str| folder.path().join(name);
    ddsp(&arguments).arg(&recordings).arg("--out").arg(out("one")).assert().success();
    let expected = content(&out("one"));
    let n_files = expected.iter().filter(|(path, _)| path.to_string_lossy().contains("train"));
    assert!(n_files.count() > 1, "several parts");

    let spawn = |i| command(&arguments, &recordings, &out("at-once"), &format!("{i}/3")).spawn();
    let children: Vec<Child> = (0..3).map(|i| spawn(i).expect("runs")).collect();
    children.into_iter().for_each(assert_done);
    assert!(content(&out("at-once")) == expected, "at once");
    for shard in ["1/2", "0/2"] {
        assert_done(command(&arguments, &recordings, &out("turns"), shard).spawn().expect("runs"));
    }
    assert!(content(&out("turns")) == expected, "one after another");
}
