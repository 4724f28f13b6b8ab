use super::*;
use serde_json::json;

fn open(path: &Path, steps: u32, force: bool) -> Result<(OutputFolder, FolderState)> {
    OutputFolder::open(path, "demo", &json!({ "seed": 1, "steps": steps }), force)
}

fn refusal(path: &Path, steps: u32) -> String {
    open(path, steps, false).expect_err("refused").to_string()
}

#[test]
fn a_file_is_whole_or_as_it_was() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("a.txt");
    write_atomically(&path, |file| file.write_all(b"old")).expect("writable");
    let failed: Result<()> = write_atomically(&path, |file| {
        file.write_all(b"half of the new")?;
        Err(io::Error::other("disk full"))
    });
    let error = failed.expect_err("the writer failed").to_string();
    assert!(error.contains("a.txt: disk full"), "{error}");
    assert_eq!(fs::read(&path).expect("there"), b"old");
    assert_eq!(files_under(dir.path()).expect("readable"), [path], "nothing left behind");
}

#[test]
fn work_is_continued_then_verified() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("deep/out");
    let (folder, state) = open(&path, 5, false).expect("new");
    assert_eq!(state, FolderState::New);
    fs::write(folder.path().join("data.bin"), b"abc").expect("writable");
    fs::write(folder.path().join(".ddsp-tmp-x"), b"half").expect("writable");
    drop(folder);
    let (mut folder, state) = open(&path, 5, false).expect("ours");
    assert_eq!(state, FolderState::Unfinished);
    assert!(!path.join(".ddsp-tmp-x").exists(), "half-written files are cleared away");
    folder.finish().expect("writable");
    let (folder, state) = open(&path, 5, false).expect("ours");
    assert_eq!(state, FolderState::Finished);
    folder.verify().expect("unchanged");
    fs::write(path.join("data.bin"), b"abd").expect("writable");
    let error = folder.verify().expect_err("changed").to_string();
    assert!(error.contains("data.bin was changed"), "{error}");
}

#[test]
fn other_options_need_force() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let begun = open(dir.path(), 5, false).expect("an empty folder is as good as new");
    fs::write(dir.path().join("stale"), b"1").expect("writable");
    drop(begun);
    let error = refusal(dir.path(), 6);
    assert!(error.contains("steps: was 5, now 6") && error.contains("--force"), "{error}");
    let (_, state) = open(dir.path(), 6, true).expect("forced");
    assert_eq!(state, FolderState::New);
    assert!(!dir.path().join("stale").exists(), "starting over leaves nothing");
}

#[test]
fn foreign_folders_are_refused_even_by_force() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("thesis.txt"), b"1").expect("writable");
    assert!(refusal(dir.path(), 5).contains("did not make it"), "foreign");
    assert!(open(dir.path(), 5, true).is_err(), "force does not change that");
    assert!(dir.path().join("thesis.txt").exists(), "untouched");

    let other = tempfile::tempdir().expect("a temporary folder");
    let train = OutputFolder::open(other.path(), "train", &json!({}), false).expect("new");
    assert!(refusal(other.path(), 5).contains("`ddsp train` made it"), "another command");
    drop(train);
    assert!(other.path().exists(), "a folder that was there before stays");
}

#[test]
fn nothing_stays_of_work_that_failed_at_once() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("out");
    drop(open(&path, 5, false).expect("new"));
    assert!(!path.exists(), "no empty folder is left");
}

#[test]
fn sources_inside_the_output_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("a.wav");
    fs::write(&path, b"1").expect("writable");
    assert!(refuse_sources_inside(dir.path(), std::slice::from_ref(&path)).is_err(), "inside");
    assert!(refuse_sources_inside(&dir.path().join("out"), &[path]).is_ok(), "beside");
}

#[test]
fn a_file_in_the_way_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("file");
    fs::write(&path, b"1").expect("writable");
    let error = refusal(&path, 5);
    assert!(error.starts_with("cannot create folder") && error.contains("file"), "{error}");
}

#[test]
fn work_goes_on_in_its_folder_with_other_options_and_in_no_other() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("out");
    let error = OutputFolder::go_on(&path, "train", &1).expect_err("nothing there").to_string();
    assert!(error.contains("`ddsp train` did not make it"), "{error}");
    let (mut folder, _) = OutputFolder::open(&path, "train", &1, false).expect("new");
    fs::write(path.join("model"), "a model").expect("written");
    folder.finish_with(&"done").expect("finished");
    let error = OutputFolder::go_on(&path, "data sort", &1).expect_err("another's").to_string();
    assert!(error.contains("`ddsp data sort` did not make it"), "{error}");
    let (_, state) = OutputFolder::go_on(&path, "train", &1).expect("ours");
    assert_eq!(state, FolderState::Finished, "the same options");
    let (_, state) = OutputFolder::go_on(&path, "train", &2).expect("ours");
    assert_eq!(state, FolderState::Unfinished, "other options");
    assert_eq!(fs::read(path.join("model")).expect("kept"), b"a model");
    let (_, state) = OutputFolder::open(&path, "train", &2, false).expect("the options are noted");
    assert_eq!(state, FolderState::Unfinished, "not finished any more");
}

#[test]
fn the_sum_of_a_file_changes_with_a_byte_and_with_its_length() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let sum = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("written");
        file_sum(&path).expect("readable")
    };
    // The check value of CRC-32C (Castagnoli) in the catalogues of such codes.
    assert_eq!(sum(b"123456789"), "9-e3069283");
    assert_ne!(sum(b"123456788"), sum(b"123456789"), "a byte");
    assert_ne!(sum(b""), sum(b"\0"), "a length");
}
