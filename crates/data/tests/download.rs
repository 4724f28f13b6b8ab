//! Downloads from a server that cuts, corrupts, refuses, stalls and lies.

mod bucket_server;

use std::fs;
use std::path::Path;
use std::time::Duration;

use bucket_server::{BucketServer, Fault};
use ddsp_data::{DownloadOptions, DownloadReport, Patience, Progress, download, list_objects};

/// Bytes without a pattern, so that any that is missing, doubled or moved shows.
fn noise(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(n)
    .collect()
}

fn objects() -> Vec<(String, Vec<u8>)> {
    let object = |name: &str, n, seed| (format!("set/{name}"), noise(n, seed));
    vec![
        object("x-test.tfrecord-00000-of-00001", 70_000, 1),
        object("x-train.tfrecord-00000-of-00002", 300_000, 2),
        object("x-train.tfrecord-00001-of-00002", 100_001, 3),
        object("more/empty-train", 0, 4),
        ("other/never".to_owned(), noise(10, 5)),
    ]
}

fn options(server: &BucketServer) -> DownloadOptions {
    DownloadOptions {
        source: "gs://b/set".to_owned(),
        base_url: server.base_url.clone(),
        n_connections: 3,
        patience: Patience {
            n_failures: 3,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(20),
            answer: Duration::from_millis(300),
            body: Duration::from_secs(10),
        },
        ..DownloadOptions::default()
    }
}

fn fetch(server: &BucketServer, out: &Path) -> ddsp_data::Result<DownloadReport> {
    download(out, &options(server), &mut |_| {})
}

/// Asserts that the folder holds the objects below the prefix, whole, and no parts.
fn assert_whole(out: &Path) {
    for (name, bytes) in objects() {
        if let Some(file) = name.strip_prefix("set/") {
            assert!(fs::read(out.join(file)).expect(file) == bytes, "{file} differs");
        }
    }
    let names = || fs::read_dir(out).expect("the folder").map(|e| e.expect("an entry").file_name());
    assert_eq!(names().filter(|n| n.to_string_lossy().contains("part")).count(), 0, "parts left");
    assert!(!out.join("never").exists(), "an object beside the prefix");
}

#[test]
fn all_pages_arrive_and_a_second_run_verifies() {
    let server = BucketServer::start(objects());
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("nsynth");
    let mut last = Progress { done: 0, total: 0 };
    let report = download(&out, &options(&server), &mut |p| last = p).expect("downloaded");
    assert_whole(&out);
    assert_eq!((report.objects.len(), report.bytes, report.bytes_received), (4, 470_001, 470_001));
    assert_eq!(last, Progress { done: 470_001, total: 470_001 });
    let n_requests = server.requests().len();
    assert!(fetch(&server, &out).expect("verified").already_done, "a second run");
    assert_eq!(server.requests().len(), n_requests, "nothing is asked for again");
    fs::write(out.join("x-test.tfrecord-00000-of-00001"), b"short").expect("written");
    let error = fetch(&server, &out).expect_err("changed").to_string();
    assert!(error.contains("x-test.tfrecord-00000-of-00001 was changed"), "{error}");
}

#[test]
fn whatever_one_request_suffers_the_bytes_are_right() {
    for fault in [
        Fault::Cut(0),
        Fault::Cut(50_000),
        Fault::Corrupt(60_000),
        Fault::Status(503, None),
        Fault::Status(429, Some(1)),
        Fault::Silence(Duration::from_millis(500)),
    ] {
        for only in ["test", "train"] {
            let server = BucketServer::start(objects());
            let folder = tempfile::tempdir().expect("a folder");
            server.fail_next([fault, fault]);
            let options = DownloadOptions { only: only.to_owned(), ..options(&server) };
            let report = download(folder.path(), &options, &mut |_| {});
            let report = report.unwrap_or_else(|e| panic!("{fault:?}, {only}: {e}"));
            for object in &report.objects {
                let bytes = fs::read(folder.path().join(&object.file)).expect("the file");
                let (_, expected) = &objects()
                    .into_iter()
                    .find(|(n, _)| n.ends_with(&object.file))
                    .expect("an object");
                assert!(bytes == *expected, "{fault:?}: {} differs", object.file);
            }
            assert!(server.requests().len() > report.objects.len() - 1, "{fault:?} struck");
        }
    }
}

#[test]
fn a_cut_is_continued_where_it_was() {
    let server = BucketServer::start(objects());
    let folder = tempfile::tempdir().expect("a folder");
    server.fail_next([Fault::Cut(50_000), Fault::Cut(10_000)]);
    let options = DownloadOptions { only: "test".into(), ..options(&server) };
    let report = download(folder.path(), &options, &mut |_| {}).expect("downloaded");
    let firsts: Vec<usize> = server.requests().into_iter().map(|(_, first)| first).collect();
    assert_eq!(firsts, [0, 50_000, 60_000]);
    assert_eq!(report.bytes_received, 70_000, "no byte came twice");
}

#[test]
fn a_server_without_ranges_or_with_wrong_ones_is_coped_with() {
    for (fault, firsts) in
        [(Fault::IgnoreRange, vec![0, 50_000]), (Fault::WrongRange, vec![0, 50_000, 50_000])]
    {
        let server = BucketServer::start(objects());
        let folder = tempfile::tempdir().expect("a folder");
        server.fail_next([Fault::Cut(50_000), fault]);
        let options = DownloadOptions { only: "test".into(), ..options(&server) };
        download(folder.path(), &options, &mut |_| {}).expect("downloaded");
        let bytes = fs::read(folder.path().join("x-test.tfrecord-00000-of-00001")).expect("a file");
        assert!(bytes == objects()[0].1, "{fault:?}: the file differs");
        let asked: Vec<usize> = server.requests().into_iter().map(|(_, first)| first).collect();
        assert_eq!(asked, firsts, "{fault:?}: and not by way of a wrong checksum");
    }
}

#[test]
fn patience_ends_with_what_is_kept_and_a_second_run_goes_on() {
    let server = BucketServer::start(objects());
    let folder = tempfile::tempdir().expect("a folder");
    let options = DownloadOptions { only: "test".into(), ..options(&server) };
    server.fail_next([Fault::Cut(50_000)]);
    server.fail_next([Fault::Status(500, None); 3]);
    let error = download(folder.path(), &options, &mut |_| {}).expect_err("refused").to_string();
    for part in ["x-test.tfrecord-00000-of-00001", "500", "50000 of 70000 bytes are kept"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!folder.path().join("x-test.tfrecord-00000-of-00001").exists(), "not under its name");
    let report = download(folder.path(), &options, &mut |_| {}).expect("downloaded");
    assert_eq!(report.bytes_received, 20_000, "only the rest");
}

#[test]
fn bytes_that_never_match_are_refused_whatever_checksum_the_bucket_tells() {
    for (crc32c, md5) in [(true, true), (true, false), (false, true)] {
        let server = BucketServer::start(objects());
        server.set_tells(crc32c, md5);
        let folder = tempfile::tempdir().expect("a folder");
        server.fail_next([Fault::Corrupt(7); 3]);
        let options = DownloadOptions { only: "test".into(), ..options(&server) };
        let error = download(folder.path(), &options, &mut |_| {}).expect_err("corrupt");
        let expected = if crc32c { "CRC-32C is wrong" } else { "MD5 is wrong" };
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!folder.path().join("x-test.tfrecord-00000-of-00001").exists(), "kept back");
        download(folder.path(), &options, &mut |_| {}).expect("right at last");
    }
}

#[test]
fn lies_in_a_listing_are_named() {
    let server = BucketServer::start(objects());
    for (listing, expected) in [
        ("<html>", "not a listing"),
        ("{}", "no file"),
        (r#"{"items":[{"name":"set/../../etc/x","size":"3"}]}"#, "not a name for a file"),
        (r#"{"items":[{"name":"elsewhere/x","size":"3"}]}"#, "not below the prefix"),
        (r#"{"items":[{"name":"set/x","size":"many"}]}"#, "its size is not a number"),
        (r#"{"items":[{"name":"set/x","size":"3","crc32c":"AAA="}]}"#, "not four bytes"),
        (r#"{"items":[],"nextPageToken":"2"}"#, "does not end"),
    ] {
        server.set_listing(listing);
        let error = list_objects(&options(&server)).expect_err(listing).to_string();
        assert!(error.contains(expected), "{listing}: {error}");
    }
    // Shorter and longer than it says: what is there can never match.
    let size = |n: usize| {
        format!(
            r#"{{"items":[{{"name":"set/more/empty-train","size":"{n}","crc32c":"AAAAAA=="}}]}}"#
        )
    };
    server.set_listing(&size(5));
    let folder = tempfile::tempdir().expect("a folder");
    let error = fetch(&server, folder.path()).expect_err("never five bytes").to_string();
    assert!(error.contains("more/empty-train") && error.contains("0 of 5 bytes"), "{error}");
}

#[test]
fn what_cannot_be_is_refused_at_once() {
    let server = BucketServer::start(objects());
    let source = DownloadOptions { source: "s3://b".into(), ..options(&server) };
    let error = list_objects(&source).expect_err("no gs://").to_string();
    assert!(error.contains("'s3://b' is not of the form gs://bucket/prefix"), "{error}");
    let missing = DownloadOptions { only: "nothing".into(), ..options(&server) };
    let error = list_objects(&missing).expect_err("none").to_string();
    assert!(error.contains("no file with 'nothing' in it"), "{error}");
}
