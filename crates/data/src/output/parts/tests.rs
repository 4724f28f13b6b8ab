use super::*;
use crate::output::files_under;
use serde_json::json;

const N_PARTS: usize = 7;

fn begin(path: &Path, shard: &str, seed: u32, force: bool) -> Result<Begun> {
    let shard = shard.parse().expect("a shard");
    let work = Work { command: "data test", n_parts: N_PARTS, shard, force };
    Parts::begin(path, work, &json!({ "seed": seed }))
}

fn parts(path: &Path, shard: &str) -> Parts {
    match begin(path, shard, 1, false).expect("a folder") {
        Begun::Parts(parts) => parts,
        Begun::Finished(_) => panic!("it is finished"),
    }
}

fn content(part: usize, seed: u32) -> String {
    format!("{part} of seed {seed}")
}

fn do_part(parts: &mut Parts, part: usize, seed: u32) {
    let folder = parts.folder_for(part).expect("writable");
    fs::write(folder.path().join("x"), content(part, seed)).expect("writable");
    parts.finish(part, folder, &content(part, seed)).expect("writable");
}

fn published(seed: u32) -> Vec<PublishedFile> {
    let file = |part| {
        let span = Span::of(content(part, seed).as_bytes());
        let name = format!("x-{part}");
        PublishedFile { part, inner: "x".to_owned(), name, bytes: span.len, crc32c: span.crc }
    };
    (0..N_PARTS).map(file).collect()
}

/// Does what is left of a shard; publishes if nothing is missing.
fn work(mut parts: Parts, seed: u32) {
    for part in parts.to_do() {
        do_part(&mut parts, part, seed);
    }
    if let Some(reports) = parts.reports::<String>().expect("readable") {
        parts.publish(&published(seed), &reports).expect("published");
    }
}

/// Every file with its content.
fn snapshot(path: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |file: PathBuf| {
        let name = file.strip_prefix(path).expect("inside").to_string_lossy().into_owned();
        (name, fs::read(file).expect("readable"))
    };
    files_under(path).expect("readable").into_iter().map(read).collect()
}

fn undisturbed(seed: u32) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    match begin(dir.path(), "0/1", seed, false).expect("new") {
        Begun::Parts(parts) => work(parts, seed),
        Begun::Finished(_) => panic!("nothing was done"),
    }
    snapshot(dir.path())
}

#[test]
fn shards_in_any_order_make_what_one_run_makes() {
    let expected = undisturbed(1);
    assert_eq!(expected.len(), N_PARTS + 2, "the files, the manifest and the marker");
    for order in [["0/3", "1/3", "2/3"], ["2/3", "0/3", "1/3"]] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for shard in order {
            work(parts(dir.path(), shard), 1);
        }
        assert_eq!(snapshot(dir.path()), expected);
        let Ok(Begun::Finished(folder)) = begin(dir.path(), "1/3", 1, false) else {
            panic!("not finished")
        };
        folder.verify().expect("as recorded");
    }
}

#[test]
fn shards_at_once_make_what_one_run_makes() {
    let expected = undisturbed(1);
    for _ in 0..30 {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // Below a folder that does not exist yet, so that its making is a race, too.
        let path = dir.path().join("deep/out");
        std::thread::scope(|scope| {
            for i in 0..4 {
                let path = &path;
                scope.spawn(move || match begin(path, &format!("{i}/4"), 1, false) {
                    Ok(Begun::Parts(parts)) => work(parts, 1),
                    Ok(Begun::Finished(_)) => panic!("shard {i} was not needed"),
                    Err(error) => panic!("shard {i}: {error}"),
                });
            }
        });
        assert_eq!(snapshot(&path), expected);
    }
}

#[test]
fn two_that_publish_at_once_do_no_harm() {
    let expected = undisturbed(1);
    for _ in 0..30 {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut first = parts(dir.path(), "0/2");
        (0..N_PARTS).for_each(|part| do_part(&mut first, part, 1));
        let both = [first, parts(dir.path(), "1/2")];
        std::thread::scope(|scope| {
            for parts in both {
                scope.spawn(move || {
                    let reports = match parts.reports::<String>().expect("readable") {
                        Some(reports) => reports,
                        None => return assert!(parts.is_published_by_another(), "a part is lost"),
                    };
                    parts.publish(&published(1), &reports).expect("published");
                });
            }
        });
        assert_eq!(snapshot(dir.path()), expected);
    }
}

#[test]
fn interrupted_work_goes_on_where_it_was() {
    let expected = undisturbed(1);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut begun = parts(dir.path(), "0/1");
    do_part(&mut begun, 0, 1);
    do_part(&mut begun, 3, 1);
    let half = begun.folder_for(1).expect("writable");
    fs::write(half.path().join("x"), "half").expect("writable");
    // A killed process runs no destructor.
    std::mem::forget((begun, half));
    let again = parts(dir.path(), "0/1");
    assert_eq!(again.to_do(), [1, 2, 4, 5, 6]);
    work(again, 1);
    assert_eq!(snapshot(dir.path()), expected, "and the half part is gone");
}

#[test]
fn interrupted_publishing_goes_on_where_it_was() {
    let expected = undisturbed(1);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut begun = parts(dir.path(), "0/1");
    (0..N_PARTS).for_each(|part| do_part(&mut begun, part, 1));
    begun.publish_file(&published(1)[2], false).expect("renamed");
    std::mem::forget(begun);
    work(parts(dir.path(), "0/1"), 1);
    assert_eq!(snapshot(dir.path()), expected);
}

#[test]
fn what_was_lost_or_is_in_the_way_is_told() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut begun = parts(dir.path(), "0/1");
    (0..N_PARTS).for_each(|part| do_part(&mut begun, part, 1));
    fs::write(dir.path().join("x-2"), "another").expect("writable");
    let error = begun.publish(&published(1), &json!([])).expect_err("taken").to_string();
    assert!(error.contains("x-2 is in the way"), "{error}");

    let begun = parts(dir.path(), "0/1");
    fs::remove_file(dir.path().join("x-2")).expect("there");
    fs::write(begun.part(2).join("x"), "short").expect("writable");
    let error = begun.publish(&published(1), &json!([])).expect_err("changed").to_string();
    assert!(error.contains("x-2 has 5 bytes, not 11"), "{error}");
}

#[test]
fn a_forced_run_keeps_the_old_output_until_it_has_another() {
    let (old, new) = (undisturbed(1), undisturbed(2));
    let dir = tempfile::tempdir().expect("a temporary folder");
    work(parts(dir.path(), "0/1"), 1);
    fs::write(dir.path().join("x-of-an-older-version"), "1").expect("writable");
    let forced = || match begin(dir.path(), "0/1", 2, true).expect("ours") {
        Begun::Parts(parts) => parts,
        Begun::Finished(_) => panic!("it starts over"),
    };
    let mut failing = forced();
    do_part(&mut failing, 0, 2);
    drop(failing);
    let is_old = |file: &(String, Vec<u8>)| old.contains(file);
    assert_eq!(snapshot(dir.path()).iter().filter(|file| is_old(file)).count(), old.len());
    assert!(matches!(begin(dir.path(), "0/1", 1, false), Ok(Begun::Finished(_))), "still whole");
    work(forced(), 2);
    assert_eq!(snapshot(dir.path()), new, "nothing of the old is left");

    // Interrupted after the folder has become the new work's.
    let mut begun = match begin(dir.path(), "0/1", 1, true).expect("ours") {
        Begun::Parts(parts) => parts,
        Begun::Finished(_) => panic!("it starts over"),
    };
    (0..N_PARTS).for_each(|part| do_part(&mut begun, part, 1));
    begun.write_json(&dir.path().join(MARKER), &begun.folder.marker).expect("writable");
    std::mem::forget(begun);
    work(parts(dir.path(), "0/1"), 1);
    assert_eq!(snapshot(dir.path()), old);
}

#[test]
fn failed_work_leaves_what_earlier_runs_made_and_nothing_of_its_own() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("out");
    let mut failing = parts(&path, "0/1");
    do_part(&mut failing, 0, 1);
    drop(failing);
    assert!(!path.exists(), "nothing at all");

    let mut shard = parts(&path, "0/2");
    do_part(&mut shard, 0, 1);
    drop(shard);
    let mut whole = parts(&path, "0/1");
    do_part(&mut whole, 1, 1);
    drop(whole);
    assert_eq!(parts(&path, "0/1").to_do(), [1, 2, 3, 4, 5, 6], "the shard's part is kept");
}

#[test]
fn other_options_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut begun = parts(dir.path(), "0/2");
    do_part(&mut begun, 0, 1);
    let error = begin(dir.path(), "1/2", 2, false).expect_err("other options").to_string();
    assert!(error.contains("seed: was 1, now 2") && error.contains("--force"), "{error}");
    drop(begun);
    let foreign = tempfile::tempdir().expect("a temporary folder");
    fs::write(foreign.path().join("thesis.txt"), b"1").expect("writable");
    let error = begin(foreign.path(), "0/1", 1, true).expect_err("foreign").to_string();
    assert!(error.contains("did not make it"), "{error}");
}

#[test]
fn a_part_can_be_done_again() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut begun = parts(dir.path(), "0/1");
    assert_eq!((begun.finished_at(4), begun.n_missing()), (None, N_PARTS));
    do_part(&mut begun, 4, 1);
    assert!(begun.finished_at(4).is_some(), "it has a time");
    assert_eq!(
        (begun.report::<String>(4).expect("there"), begun.n_missing()),
        (Some(content(4, 1)), 6)
    );
    begun.discard(4).expect("removed");
    assert_eq!((begun.finished_at(4), begun.n_missing()), (None, N_PARTS));
}
