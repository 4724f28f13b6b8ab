//! Public data sets from a Cloud Storage bucket, several files at once, resumed and verified.
//!
//! The bucket is listed through the JSON API of Google Cloud Storage, which needs no account for
//! public data: `GET {base}/storage/v1/b/{bucket}/o?prefix=…` for names, lengths and checksums, and
//! `GET {base}/storage/v1/b/{bucket}/o/{name}?alt=media` for bytes. A mirror that answers the same
//! two requests will do. What a broken connection or a killed process leaves is continued with a
//! Range request; no file has its name before its checksum is right.

mod agent;
mod listing;
mod transfer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::output::{FolderState, OutputFolder};
use agent::Client;
pub use agent::Patience;
pub use listing::{Bucket, RemoteObject};
use transfer::Transfer;

/// NSynth's GANSynth subset with f0 and loudness: about 16 GB in TFRecord files.
pub const NSYNTH: &str = "gs://tfds-data/datasets/nsynth/gansynth_subset.f0_and_loudness/2.3.3";

/// Where Google's buckets are.
pub const GOOGLE: &str = "https://storage.googleapis.com";

/// Time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// What to download, and how.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DownloadOptions {
    /// `gs://bucket/prefix`.
    pub source: String,
    /// Scheme and host of the bucket's server.
    pub base_url: String,
    /// Keep the objects whose file name holds this, such as `train`; empty for all.
    pub only: String,
    /// Files at once; at least 1.
    #[serde(skip)]
    pub n_connections: usize,
    /// How long a server may take and fail.
    #[serde(skip)]
    pub patience: Patience,
    /// Whether an output folder of an earlier run is started over.
    #[serde(skip)]
    pub force: bool,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            source: NSYNTH.to_owned(),
            base_url: GOOGLE.to_owned(),
            only: String::new(),
            n_connections: 4,
            patience: Patience::default(),
            force: false,
        }
    }
}

/// What was downloaded: the content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DownloadReport {
    /// `gs://bucket/prefix`.
    pub source: String,
    /// The files, by name.
    pub objects: Vec<RemoteObject>,
    /// Their bytes in all.
    pub bytes: u64,
    /// Bytes that came over the network in this run: less than all where a run was continued.
    #[serde(skip)]
    pub bytes_received: u64,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
}

/// What a download would fetch: the objects under the source's prefix, filtered, by name.
///
/// # Errors
///
/// If the source is not `gs://bucket/prefix`, the server cannot be reached or answers otherwise than
/// the JSON API does, or nothing is left of the listing.
pub fn list_objects(options: &DownloadOptions) -> Result<Vec<RemoteObject>> {
    let client = Client::new(options.patience);
    let bucket = Bucket::new(&options.base_url, &options.source)?;
    let mut objects = listing::list(&client, &bucket)?;
    objects.retain(|object| object.file.contains(&options.only));
    if objects.is_empty() {
        let only = &options.only;
        let which = if only.is_empty() { String::new() } else { format!(" with '{only}' in it") };
        return Err(Error::Data(format!("{}: no file{which}", options.source)));
    }
    Ok(objects)
}

/// Downloads the objects under a bucket's prefix into the folder `out`, and verifies each.
///
/// Files keep the path they have below the prefix. An interrupted download is continued where it was, byte by byte; a
/// finished one is verified against its checksums. `progress` is told bytes.
///
/// # Errors
///
/// As [`list_objects`]; if a file keeps failing longer than the patience lasts (those that are
/// finished, and the begun parts, stay for the next run); if the folder cannot be used.
pub fn download(
    out: &Path,
    options: &DownloadOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<DownloadReport> {
    let (mut folder, state) = OutputFolder::open(out, "data download", options, options.force)?;
    if state == FolderState::Finished {
        let report: DownloadReport = folder.verified_report()?;
        return Ok(DownloadReport { already_done: true, ..report });
    }
    let objects = list_objects(options)?;
    let bytes = objects.iter().map(|object| object.bytes).sum();
    let bytes_received = fetch_all(out, options, &objects, progress)?;
    let source = options.source.clone();
    let report = DownloadReport { source, objects, bytes, bytes_received, already_done: false };
    folder.finish_with(&report)?;
    Ok(report)
}

/// Fetches `objects` over several connections; returns the bytes received.
fn fetch_all(
    out: &Path,
    options: &DownloadOptions,
    objects: &[RemoteObject],
    progress: &mut dyn FnMut(Progress),
) -> Result<u64> {
    let bucket = Bucket::new(&options.base_url, &options.source)?;
    let total = objects.iter().map(|object| object.bytes).sum();
    let (next, counts) = (AtomicUsize::new(0), Counts::default());
    let failure = Mutex::new(None);
    let (finished, all_finished) = mpsc::channel::<()>();
    thread::scope(|scope| {
        for _ in 0..options.n_connections.clamp(1, objects.len().max(1)) {
            let finished = finished.clone();
            scope.spawn(|| {
                // Dropped when this thread ends: then the reports of progress end too.
                let _finished = finished;
                let client = Client::new(options.patience);
                let transfer = Transfer { client: &client, bucket: &bucket, out, counts: &counts };
                while let Some(object) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = transfer.fetch(object) {
                        failure.lock().expect("no thread panicked").get_or_insert(error);
                        // The others finish the file they are at; nothing more is begun.
                        next.store(objects.len(), Ordering::Relaxed);
                    }
                }
            });
        }
        drop(finished);
        while all_finished.recv_timeout(REPORT_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
            progress(Progress { done: counts.present.load(Ordering::Relaxed), total });
        }
    });
    progress(Progress { done: counts.present.load(Ordering::Relaxed), total });
    match failure.into_inner().expect("no thread panicked") {
        Some(error) => Err(error),
        None => Ok(counts.received.into_inner()),
    }
}

/// Bytes so far, over all connections.
#[derive(Default)]
struct Counts {
    /// In files and parts of files.
    present: AtomicU64,
    /// Over the network.
    received: AtomicU64,
}
