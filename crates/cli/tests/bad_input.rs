//! What a user may hand over by mistake: one line that names the thing, the right exit code, and
//! nothing half-written.

mod common;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use common::{ddsp, sine_wav, stderr_of, stdout_of, tiny_data, tiny_training};
use ddsp_data::example::ExampleBuilder;
use ddsp_data::tfrecord::write_record;

/// A folder with what is wrong in it.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    /// Runs the command, which must fail with `code` and one line on stderr that holds all `words`,
    /// leaving the folder as it was.
    fn refused(&self, arguments: &[&dyn AsRef<std::ffi::OsStr>], code: i32, words: &[&str]) {
        let before = files(self.folder.path());
        let arguments: Vec<OsString> = arguments.iter().map(|a| a.as_ref().to_owned()).collect();
        let assert = ddsp(&arguments).assert().code(code);
        let stderr = stderr_of(&assert);
        let errors: Vec<&str> = stderr.lines().filter(|l| l.starts_with("error")).collect();
        let [error] = errors[..] else { panic!("not one line of error: {stderr}") };
        // Bad arguments are followed by a hint to the help.
        let last = stderr.lines().last();
        assert!(code == 2 || last == Some(error), "the error comes last: {stderr}");
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        assert_eq!(stdout_of(&assert), "", "no results");
        assert_eq!(files(self.folder.path()), before, "something was left behind");
    }
}

/// All files and folders below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn record_files_that_are_none_are_refused_by_every_reader() {
    let case = Case::new();
    let data = tiny_data(case.folder.path());
    let shard = fs::read(data.join("nsynth.tfrecord-00000-of-00002")).expect("a shard");
    let whole_but_one = &shard[..shard.len() - 1];
    let mut flipped = shard.clone();
    flipped[1000] ^= 1;
    let files = [
        (case.path("missing.tfrecord"), "No such file"),
        (case.file("empty.tfrecord", b""), "no records"),
        (case.file("cut.tfrecord", whole_but_one), "record at byte"),
        (case.file("flipped.tfrecord", &flipped), "record at byte"),
        (case.file("text.tfrecord", &b"this is not a TFRecord file at all".repeat(9)), "byte 0"),
    ];
    for (path, reason) in &files {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        // The system words a missing file in its own way.
        let words: &[&str] = if cfg!(unix) { &[name, reason] } else { &[name] };
        case.refused(&[&"data", &"inspect", path], 1, words);
        case.refused(&[&"data", &"sort", path, &"--out", &case.path("out")], 1, words);
        case.refused(&[&"train", &"--data", path, &"--out", &case.path("out")], 1, words);
    }
    case.refused(&[&"data", &"inspect", &case.path("*.no")], 1, &["*.no"]);
}

#[test]
fn files_that_are_not_audio_are_refused() {
    let case = Case::new();
    let wav = sine_wav(440.0, 1.0);
    let files = [
        case.path("missing.wav"),
        case.file("empty.wav", b""),
        case.file("text.wav", b"RIFF? not at all, this is a text about audio"),
        case.file("cut.wav", &wav[..30]),
        case.file("nothing.wav", &sine_wav(440.0, 0.0)),
    ];
    for path in &files {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        case.refused(&[&"analyze", path, &"--report", &case.path("report.html")], 1, &[name]);
        case.refused(&[&"data", &"prepare", path, &"--out", &case.path("out")], 1, &[name]);
    }
    let short = case.file("short.wav", &sine_wav(440.0, 0.001));
    case.refused(&[&"analyze", &short], 1, &["short.wav", "shorter than one frame"]);
    let rates = [&"--sample-rate" as &dyn AsRef<_>, &"16000", &"--frame-rate", &"300"];
    let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"analyze", &short];
    arguments.extend(rates);
    case.refused(&arguments, 2, &["300", "16000"]);
}

#[test]
fn data_that_training_cannot_use_are_refused() {
    let case = Case::new();
    let data = tiny_data(case.folder.path());
    let out = case.path("run");
    case.refused(
        &[&"train", &"--data", &data, &"--out", &out, &"--family", &"brass"],
        1,
        &["brass", "string (8)", "keyboard (8)"],
    );
    case.refused(
        &[&"train", &"--data", &data, &"--out", &out, &"--family", &"kazoo"],
        2,
        &["kazoo"],
    );
    case.refused(
        &[&"train", &"--data", &data, &"--out", &out, &"--hold-out-instruments", &"9"],
        1,
        &["9 of", "instruments"],
    );
    case.refused(
        &[&"train", &"--data", &data, &"--out", &out, &"--set", &"train.stebs=3"],
        2,
        &["train.stebs", "train.steps"],
    );
    let mut without_f0 = ExampleBuilder::default();
    without_f0.floats("audio", &[0.1; 64_000]);
    let mut bytes = Vec::new();
    write_record(&mut bytes, &without_f0.finish()).expect("written");
    let path = case.file("no_f0.tfrecord", &bytes);
    case.refused(&[&"train", &"--data", &path, &"--out", &out], 1, &["no_f0.tfrecord", "f0"]);
}

#[test]
fn models_that_are_none_or_of_another_version_are_refused() {
    let case = Case::new();
    let wav = case.file("a.wav", &sine_wav(440.0, 1.0));
    let model = tiny_training(case.folder.path());
    let bytes = fs::read(&model).expect("a model");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("\"format_version\":\"2\""), "the test knows the header");
    let version = b"\"format_version\":\"2\"";
    let at = bytes.windows(version.len()).position(|w| w == version).expect("there");
    let mut other = bytes.clone();
    other[at + version.len() - 2] = b'7';
    let files = [
        (case.path("missing.safetensors"), ""),
        (case.file("empty.safetensors", b""), ""),
        (case.file("cut.safetensors", &bytes[..bytes.len() - 1]), ""),
        (case.file("text.safetensors", b"no model at all, but a text"), ""),
        (case.file("other.safetensors", &other), "version 7"),
    ];
    for (path, reason) in &files {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let out = case.path("out.wav");
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 6] =
            [&"transfer", &wav, &"--model", path, &"--out", &out];
        case.refused(&arguments, 1, &[name, reason]);
        case.refused(&[&"model", &"show", path], 1, &[name, reason]);
    }
    let silence = case.file("silence.wav", &sine_wav(0.0, 1.0));
    let out = case.path("out.wav");
    case.refused(
        &[&"transfer", &silence, &"--model", &model, &"--out", &out],
        1,
        &["silence.wav", "no note"],
    );
    case.refused(
        &[&"transfer", &wav, &"--model", &model, &"--out", &out, &"--octave", &"9"],
        2,
        &["--octave"],
    );
}

#[test]
fn output_folders_of_others_are_left_alone() {
    let case = Case::new();
    let data = tiny_data(case.folder.path());
    let foreign = case.path("foreign");
    fs::create_dir(&foreign).expect("a folder");
    fs::write(foreign.join("thesis.txt"), "my thesis").expect("written");
    let blocked = case.file("file", b"a file where a folder should be");
    for out in [&foreign, &blocked] {
        let name = out.file_name().and_then(|n| n.to_str()).expect("a name");
        case.refused(&[&"data", &"synth", &"--out", out], 1, &[name]);
        case.refused(&[&"data", &"sort", &data, &"--out", out, &"--force"], 1, &[name]);
        case.refused(&[&"train", &"--data", &data, &"--out", out, &"--force"], 1, &[name]);
        case.refused(&[&"demo", &"--out", out, &"--force"], 1, &[name]);
        case.refused(&[&"demo", &"--matrix", &"--out", out, &"--force"], 1, &[name]);
    }
    // The data folder is ours, but another command's.
    case.refused(&[&"data", &"sort", &foreign, &"--out", &data], 1, &["foreign"]);
    case.refused(&[&"demo", &"--out", &data], 1, &["ddsp data synth"]);
}

#[test]
fn a_recording_for_the_demo_is_looked_at_before_the_work() {
    let case = Case::new();
    let out = case.path("demo");
    case.refused(&[&"demo", &"--out", &out, &"--input", &case.path("no.wav")], 1, &["no.wav"]);
    let silence = case.file("silence.wav", &sine_wav(0.0, 1.0));
    case.refused(&[&"demo", &"--out", &out, &"--input", &silence], 1, &["silence.wav", "no note"]);
}

#[test]
fn a_matrix_is_of_families_that_there_are() {
    let case = Case::new();
    let demo: [&dyn AsRef<std::ffi::OsStr>; 3] = [&"demo", &"--out", &case.path("demo")];
    let with = |more: &[&'static str], words: &[&str]| {
        let more = more.iter().map(|word| word as &dyn AsRef<std::ffi::OsStr>);
        let arguments: Vec<_> = demo.into_iter().chain(more).collect();
        case.refused(&arguments, 2, words);
    };
    with(&["--matrix", "--family", "violin"], &["violin", "bass, brass"]);
    with(&["--matrix", "--set", "train.bach=1"], &["train.bach"]);
    with(&["--matrix", "--input", "voice.wav"], &["--input", "--matrix"]);
    with(&["--family", "string"], &["required arguments"]);
}
