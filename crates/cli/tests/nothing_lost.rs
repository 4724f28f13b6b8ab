//! Whatever happens to `ddsp data sort` and `ddsp data prepare`, no record is lost and no old output
//! is harmed.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{content, ddsp, record_files, sine_wav, snapshot, stderr_of};

/// Kills that have to hit while files are written: of the sorting, and of the preparing.
const N_KILLS: usize = 50;
const N_PREPARE_KILLS: usize = 15;

/// Says whose the folder is, and whether it is finished.
const MARKER: &str = "ddsp-output.json";

/// A file and its content.
type Entry = (PathBuf, Vec<u8>);

/// Where half-written parts are, if there are any.
fn half_written(out: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(out.join(".ddsp-parts")) else { return Vec::new() };
    let parts = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_temporary = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".ddsp-tmp-"))
    };
    let is_written_to = |path: &PathBuf| {
        let files = fs::read_dir(path).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).any(|data| data.len() > 0)
    };
    parts.filter(|path| is_temporary(path) && is_written_to(path)).collect()
}

/// Lets a process go on until it is writing; `false` if it ends before that shows.
fn wait_for_writing(child: &mut Child, out: &Path) -> bool {
    while half_written(out).is_empty() {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn kills_at_any_moment_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let sources = record_files(folder.path(), 6, 9_000_000);
    let sort = |out: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddsp"));
        command.args(["data", "sort", "--shard-mib", "2", "--threads", "1"]);
        command.arg(&sources).arg("--out").arg(out);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert_kills_lose_nothing(folder.path(), sort, N_KILLS, 4000);
}

#[test]
fn kills_of_a_preparing_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = recordings(folder.path(), 9);
    let prepare = |out: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddsp"));
        // Every recording is a part, and fills two files.
        command.args(["data", "prepare", "--threads", "2", "--example-secs", "0.5"]);
        command.args(["--hop-secs", "0.05", "--held-out", "0.2", "--shard-mib", "4"]);
        command.arg(&recordings).arg("--out").arg(out);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert_kills_lose_nothing(folder.path(), prepare, N_PREPARE_KILLS, 4000);
}

/// Recordings of some seconds, each of another pitch.
fn recordings(folder: &Path, n: u32) -> PathBuf {
    let recordings = folder.join("recordings");
    fs::create_dir(&recordings).expect("a folder");
    for i in 0..n {
        let wav = sine_wav(220.0 + 40.0 * f64::from(i), 10.0 + f64::from(i % 3));
        fs::write(recordings.join(format!("{i}.wav")), wav).expect("written");
    }
    recordings
}

/// Kills a command at random moments of its writing until `n_wanted` kills hit, and runs it again
/// until it is done: its files are those of an undisturbed run.
fn assert_kills_lose_nothing(
    folder: &Path,
    command: impl Fn(&Path) -> Command,
    n_wanted: usize,
    most_micros: u64,
) {
    let undisturbed = folder.join("undisturbed");
    assert!(command(&undisturbed).status().expect("runs").success(), "undisturbed");
    let expected = content(&undisturbed);
    let (mut n_kills, mut n_finished, mut random) = (0, 0, 1_u64);
    while n_kills < n_wanted || n_finished == 0 {
        let out = folder.join(format!("out-{n_finished}"));
        let mut child = command(&out).spawn().expect("runs");
        if wait_for_writing(&mut child, &out) && n_kills < n_wanted {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            std::thread::sleep(Duration::from_micros((random >> 33) % most_micros));
            child.kill().expect("killed");
        }
        let status = child.wait().expect("ends");
        if status.success() {
            assert!(content(&out) == expected, "after {n_kills} kills the bytes differ");
            n_finished += 1;
            continue;
        }
        assert_eq!(status.signal(), Some(9), "it fails only by being killed");
        // The manifest is the last but one thing to be written: with it, everything is there.
        if out.join("manifest.json").exists() {
            let found = content(&out);
            let is_found = |file: &&Entry| file.0 == Path::new(MARKER) || found.contains(file);
            assert_eq!(expected.iter().filter(is_found).count(), expected.len(), "not finished");
        }
        // Only those count that left something half-written behind.
        n_kills += usize::from(!half_written(&out).is_empty());
    }
    eprintln!("{n_kills} kills while writing, {n_finished} runs finished in spite of them");
}

/// A sorted folder, and the arguments of a run that would replace it.
struct Scene {
    folder: tempfile::TempDir,
    sources: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sources = record_files(folder.path(), 2, 3_000_000);
        let scene = Self { folder, sources };
        ddsp(["data", "sort"]).arg(&scene.sources).arg("--out").arg(scene.out()).assert().success();
        scene
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Runs a shell script with the command's path, the sources and the folder as `$1` to `$3`.
    fn shell(&self, script: &str) -> assert_cmd::assert::Assert {
        let mut command = assert_cmd::Command::new("sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_ddsp")]);
        command.arg(&self.sources).arg(self.out()).assert()
    }
}

#[test]
fn a_file_that_must_not_grow_is_told_and_the_old_output_stays() {
    let scene = Scene::new();
    let old = snapshot(&scene.out());
    // A limit on the length of files fails as a full disk does, in the middle of a writing.
    let script =
        "trap '' XFSZ; ulimit -f 500; exec \"$1\" data sort \"$2\" --out \"$3\" --by pitch --force";
    let limited = format!("{script} --shard-count 1 --where 'pitch < 3 or pitch > 3'");
    let narrow = limited.replace("--by pitch", "--by instrument/family");
    let assert = scene.shell(&narrow).code(1);
    let stderr = stderr_of(&assert);
    assert!(stderr.contains("error: cannot write") && stderr.contains("too large"), "{stderr}");
    assert_eq!(
        snapshot(&scene.out()),
        old,
        "the old output is as it was, and nothing else is left"
    );

    // A new folder is gone again.
    let new = narrow.replace("\"$3\"", "\"$3\"-new");
    scene.shell(&new).code(1);
    assert!(!scene.folder.path().join("out-new").exists(), "nothing half-done stays");
}

#[test]
fn a_full_disk_is_told_and_the_old_output_stays() {
    let scene = Scene::new();
    // A small file system of one's own needs a mount namespace, which not every system allows.
    let script = "unshare --mount --map-root-user sh -c '\
                  mount -t tmpfs -o size=5m tmpfs \"$3\" || exit 77; cd \"$3\" || exit 77; \
                  \"$1\" data sort \"$2\" --out old --where \"pitch < 40\" || exit 78; \
                  ls -R old > before; cksum old/* > sums; \
                  \"$1\" data sort \"$2\" --out old --force; code=$?; \
                  ls -R old | cmp - before || exit 79; cksum old/* | cmp - sums || exit 80; \
                  \"$1\" data sort \"$2\" --out old --where \"pitch < 40\" >&2 || exit 81; \
                  exit $code' sh \"$1\" \"$2\" \"$3\"";
    let assert = scene.shell(script);
    let (code, stderr) = (assert.get_output().status.code(), stderr_of(&assert));
    if code == Some(77) || stderr.contains("unshare: ") || code == Some(127) {
        eprintln!("SKIPPED: no small file system can be made here: {stderr}");
        return;
    }
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
    assert!(stderr.contains("error: cannot write"), "{stderr}");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let scene = Scene::new();
    let closed = scene.folder.path().join("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("closed");
    // Permissions do not hold for root, but nobody makes folders in /sys.
    let target = match fs::write(closed.join("probe"), b"") {
        Err(_) => closed.join("out"),
        Ok(()) => PathBuf::from("/sys/ddsp-out"),
    };
    for command in ["sort", "inspect", "verify"] {
        let assert = ddsp(["data", command]).arg(&scene.sources).arg("--out").arg(&target).assert();
        let stderr = stderr_of(&assert.code(1));
        let expected = format!("error: cannot create folder {}: ", target.display());
        assert!(stderr.contains(&expected), "{stderr}");
    }
}

#[test]
fn a_source_that_vanished_is_told_and_the_output_stays() {
    let scene = Scene::new();
    let old = snapshot(&scene.out());
    let gone = scene.sources.join("x.tfrecord-00001");
    let sources = [scene.sources.join("x.tfrecord-00000"), gone.clone()];
    fs::remove_file(&gone).expect("there");
    for command in ["sort", "inspect", "verify"] {
        let mut command = ddsp(["data", command]);
        let assert = command.args(&sources).arg("--out").arg(scene.out()).arg("--force").assert();
        let stderr = stderr_of(&assert.code(1));
        assert!(stderr.contains(&format!("{}: ", gone.display())), "{stderr}");
        assert_eq!(snapshot(&scene.out()), old, "as it was");
    }
}

/// A prepared folder, and the recordings that it came from.
fn prepared(folder: &Path) -> (PathBuf, PathBuf) {
    let (recordings, out) = (recordings(folder, 2), folder.join("out"));
    ddsp(["data", "prepare"]).arg(&recordings).arg("--out").arg(&out).assert().success();
    (recordings, out)
}

#[test]
fn a_preparing_that_fails_is_told_and_the_old_output_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (recordings, out) = prepared(folder.path());
    let old = snapshot(&out);
    let shell = |script: &str| {
        let mut command = assert_cmd::Command::new("sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_ddsp")]);
        command.arg(&recordings).arg(&out).assert()
    };
    // A limit on the length of files fails as a full disk does, in the middle of a writing.
    let script = "trap '' XFSZ; ulimit -f 700; \
                  exec \"$1\" data prepare \"$2\" --out \"$3\" --hop-secs 0.5 --force";
    let stderr = stderr_of(&shell(script).code(1));
    assert!(stderr.contains("error: cannot write") && stderr.contains("too large"), "{stderr}");
    assert_eq!(snapshot(&out), old, "the old output is as it was, and nothing else is left");
    shell(&script.replace("\"$3\"", "\"$3\"-new")).code(1);
    assert!(!folder.path().join("out-new").exists(), "nothing half-done stays");

    // A target where nobody makes folders, not even root.
    let mut command = ddsp(["data", "prepare"]);
    command.arg(&recordings).args(["--out", "/sys/ddsp-out"]);
    let stderr = stderr_of(&command.assert().code(1));
    assert!(stderr.contains("error: cannot create folder /sys/ddsp-out: "), "{stderr}");

    // A recording that was named and is gone.
    let gone = recordings.join("1.wav");
    fs::remove_file(&gone).expect("there");
    let mut command = ddsp(["data", "prepare"]);
    command.arg(recordings.join("0.wav")).arg(&gone).arg("--out").arg(&out).arg("--force");
    let stderr = stderr_of(&command.assert().code(1));
    assert!(stderr.contains(&format!("{}: ", gone.display())), "{stderr}");
    assert_eq!(snapshot(&out), old, "as it was");
}
