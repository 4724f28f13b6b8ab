//! `ddsp data download`, run and killed as a user runs and kills it.

#[path = "../../data/tests/bucket_server/mod.rs"]
mod bucket_server;
mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use bucket_server::BucketServer;
use common::{ddsp, stdout_of};

/// A bucket with three files of about 200 kB.
fn server() -> (BucketServer, Vec<(String, Vec<u8>)>) {
    let bytes =
        |seed: usize| (0..200_000 + seed).map(|i| (i * i / 7 + seed).to_le_bytes()[0]).collect();
    let objects: Vec<(String, Vec<u8>)> =
        (0..3).map(|i| (format!("set/part-{i}"), bytes(i))).collect();
    (BucketServer::start(objects.clone()), objects)
}

fn arguments(server: &BucketServer) -> Vec<String> {
    let arguments = ["data", "download", "gs://b/set", "--connections", "2", "--base-url"];
    arguments.iter().map(|a| (*a).to_owned()).chain([server.base_url.clone()]).collect()
}

#[test]
fn a_dry_run_lists_and_a_real_one_fetches() {
    let (server, objects) = server();
    let folder = tempfile::tempdir().expect("a folder");
    let listed = ddsp(arguments(&server)).arg("--dry-run").assert().success();
    let text = stdout_of(&listed);
    assert!(text.contains("part-2") && text.contains("0.6 MB in 3 files of gs://b/set"), "{text}");
    assert!(server.requests().is_empty(), "a dry run asks for no bytes");
    let out = folder.path().join("set");
    let run = || ddsp(arguments(&server)).arg("--out").arg(&out).assert().success();
    let text = stdout_of(&run());
    assert!(text.contains("3 files, 0.6 MB in"), "{text}");
    assert_same(&out, &objects);
    assert!(
        stdout_of(&run()).contains("downloaded earlier and unchanged"),
        "run twice works twice"
    );
}

fn assert_same(out: &Path, objects: &[(String, Vec<u8>)]) {
    for (name, bytes) in objects {
        let file = out.join(name.trim_start_matches("set/"));
        assert!(fs::read(&file).expect("a file") == *bytes, "{name} differs");
    }
}

/// Bytes of begun files in the folder.
fn part_bytes(out: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(out) else { return 0 };
    let parts = entries.flatten().filter(|e| e.file_name().to_string_lossy().ends_with("-part"));
    parts.filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
}

#[test]
fn killed_at_any_moment_it_goes_on_and_loses_nothing() {
    let (server, objects) = server();
    // 13 pieces of 16 KiB a file: about 60 ms a run.
    server.set_pace(Duration::from_millis(3));
    let mut kills_in_writing = 0;
    for round in 0..5 {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("set");
        for kill in 0..4 {
            let mut child = Command::new(env!("CARGO_BIN_EXE_ddsp"))
                .args(arguments(&server))
                .arg("--out")
                .arg(&out)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("started");
            // Steps that share no factor with each other, so that no two rounds are alike.
            thread::sleep(Duration::from_millis(7 + (round * 5 + kill * 11) % 40));
            child.kill().expect("killed");
            child.wait().expect("ended");
            kills_in_writing += usize::from(part_bytes(&out) > 0);
        }
        ddsp(arguments(&server)).arg("--out").arg(&out).assert().success();
        assert_same(&out, &objects);
    }
    assert!(kills_in_writing >= 5, "only {kills_in_writing} of 20 kills came while writing");
    let continued = server.requests().iter().filter(|(_, first)| *first > 0).count();
    assert!(continued > 0, "parts were continued");
}
