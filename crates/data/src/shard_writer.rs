//! Record files made of items, several at once, each file a part of the work (see [`Shard`]).

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::output::{Begun, MANIFEST, PartFolder, Parts, PublishedFile, Work, span_of_file};
use crate::record_files::shard_name;
use crate::shard::Shard;
use crate::tfrecord::write_record;

/// The file in a part's folder.
const RECORDS: &str = "records";

/// Takes the encoded records of an item, one after the other.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Where the files go, and who makes which of them.
pub(crate) struct Job<'a> {
    /// Such as `data synth`.
    pub command: &'a str,
    pub out: &'a Path,
    /// How the names of the files begin.
    pub stem: &'a str,
    pub shard: Shard,
    pub force: bool,
    pub n_threads: usize,
}

/// What became of a job.
pub(crate) struct Produced<M> {
    pub manifest: M,
    /// Whether an earlier run had finished it, and its files were found unchanged.
    pub already_done: bool,
    /// Files that are left to other shards; the manifest counts what is there so far.
    pub parts_missing: usize,
}

/// A finished file.
#[derive(Serialize, Deserialize)]
struct FileReport<R> {
    bytes: u64,
    crc32c: u32,
    tally: R,
}

/// Makes a file of each of `shards`, each by one thread.
///
/// `encode` hands the records of an item, any number of them, to its sink and counts them in the
/// tally of its file; `conclude` makes the manifest from the tallies of the files that are done, in
/// their order. `options` are what the content depends on. `progress` is told the items done.
///
/// # Errors
///
/// Those of `encode`, `conclude` and [`Parts`]; no file is half-written then.
pub(crate) fn produce<T, R, M>(
    job: &Job<'_>,
    options: &impl Serialize,
    shards: &[Vec<T>],
    encode: impl Fn(&T, &mut R, Sink<'_>) -> Result<()> + Sync,
    conclude: impl Fn(Vec<R>) -> Result<M>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Produced<M>>
where
    T: Sync,
    R: Default + Serialize + DeserializeOwned + Send,
    M: Serialize + DeserializeOwned,
{
    let &Job { command, shard, force, .. } = job;
    let work = Work { command, n_parts: shards.len(), shard, force };
    let mut parts = match Parts::begin(job.out, work, options)? {
        Begun::Parts(parts) => parts,
        Begun::Finished(folder) => {
            let manifest = folder.verified_report()?;
            return Ok(Produced { manifest, already_done: true, parts_missing: 0 });
        }
    };
    fill(&mut parts, job, shards, &encode, progress)?;
    if let Some(reports) = parts.reports::<FileReport<R>>()? {
        let files = reports.iter().enumerate().map(|(part, report)| PublishedFile {
            part,
            inner: RECORDS.to_owned(),
            name: shard_name(job.stem, part, shards.len()),
            bytes: report.bytes,
            crc32c: report.crc32c,
        });
        let files: Vec<_> = files.collect();
        let manifest = conclude(reports.into_iter().map(|report| report.tally).collect())?;
        parts.publish(&files, &manifest)?;
        return Ok(Produced { manifest, already_done: false, parts_missing: 0 });
    }
    if parts.is_published_by_another() {
        let path = job.out.join(MANIFEST);
        let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let manifest = serde_json::from_slice(&text)
            .map_err(|e| Error::Data(format!("{}: {e}", path.display())))?;
        return Ok(Produced { manifest, already_done: false, parts_missing: 0 });
    }
    let done = parts.finished_reports::<FileReport<R>>()?;
    let manifest = conclude(done.into_iter().map(|(_, report)| report.tally).collect())?;
    Ok(Produced { manifest, already_done: false, parts_missing: parts.n_missing() })
}

/// What the threads tell.
enum Told<R> {
    Item,
    File(usize, PartFolder, FileReport<R>),
    Failed(Error),
}

/// What the threads share: each takes the next file until there is none.
struct Filler<'a, T, F> {
    shards: &'a [Vec<T>],
    to_do: Mutex<VecDeque<(usize, PartFolder)>>,
    stop: AtomicBool,
    encode: F,
}

/// Makes the files of this process that are missing.
fn fill<T, R>(
    parts: &mut Parts,
    job: &Job<'_>,
    shards: &[Vec<T>],
    encode: &(impl Fn(&T, &mut R, Sink<'_>) -> Result<()> + Sync),
    progress: &mut dyn FnMut(Progress),
) -> Result<()>
where
    T: Sync,
    R: Default + Serialize + Send,
{
    let numbers = parts.to_do();
    let total = numbers.iter().map(|&part| shards[part].len() as u64).sum();
    let n_threads = job.n_threads.clamp(1, numbers.len().max(1));
    let folders = numbers.into_iter().map(|part| Ok((part, parts.folder_for(part)?)));
    let to_do = Mutex::new(folders.collect::<Result<_>>()?);
    let filler = Filler { shards, to_do, stop: AtomicBool::new(false), encode };
    let mut result = Ok(());
    let mut done = 0;
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..n_threads {
            let (tell, filler) = (tell.clone(), &filler);
            scope.spawn(move || filler.work(&tell));
        }
        drop(tell);
        for told in told {
            let outcome = match told {
                Told::Item => {
                    done += 1;
                    progress(Progress { done, total });
                    Ok(())
                }
                Told::File(part, folder, report) => parts.finish(part, folder, &report),
                Told::Failed(error) => Err(error),
            };
            if outcome.is_err() {
                filler.stop.store(true, Ordering::Relaxed);
                // The first failure; those after it may follow from it.
                result = std::mem::replace(&mut result, Ok(())).and(outcome);
            }
        }
    });
    result
}

impl<T, F> Filler<'_, T, F> {
    fn work<R: Default>(&self, tell: &mpsc::Sender<Told<R>>)
    where
        F: Fn(&T, &mut R, Sink<'_>) -> Result<()>,
    {
        while !self.stop.load(Ordering::Relaxed) {
            let next = self.to_do.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((part, folder)) = next else { break };
            let told = match self.write_file(&self.shards[part], &folder, tell) {
                Ok(Some(report)) => Told::File(part, folder, report),
                Ok(None) => break,
                Err(error) => Told::Failed(error),
            };
            // The receiver lives as long as this thread.
            let _ = tell.send(told);
        }
    }

    /// Writes one file; `None` if another thread failed meanwhile.
    fn write_file<R: Default>(
        &self,
        items: &[T],
        folder: &PartFolder,
        tell: &mpsc::Sender<Told<R>>,
    ) -> Result<Option<FileReport<R>>>
    where
        F: Fn(&T, &mut R, Sink<'_>) -> Result<()>,
    {
        let path = folder.path().join(RECORDS);
        let refused = || Error::io("write", &path);
        let mut output =
            BufWriter::with_capacity(64 << 10, File::create(&path).map_err(refused())?);
        let mut tally = R::default();
        for item in items {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            (self.encode)(item, &mut tally, &mut |record| {
                write_record(&mut output, record).map(|_| ()).map_err(refused())
            })?;
            let _ = tell.send(Told::Item);
        }
        output.flush().map_err(refused())?;
        drop(output);
        let span = span_of_file(&path)?;
        Ok(Some(FileReport { bytes: span.len, crc32c: span.crc, tally }))
    }
}
