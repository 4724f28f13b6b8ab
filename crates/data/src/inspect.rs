//! What record files hold: features, types, lengths, ranges of values, counts of each label, and the
//! records themselves.

mod feature;
mod view;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::example::{Example, Feature};
use crate::output::{Begun, Parts, Work};
use crate::predicate::Predicate;
use crate::scan::{Pass, scan};
use crate::shard::Shard;
use crate::tfrecord::{Chunk, Chunks, Reader, Record, Tolerance};
use feature::Features;

pub use feature::FeatureSummary;
pub(crate) use feature::FloatValues;
pub use view::{FoundRecord, RecordView};

/// What to look at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InspectOptions {
    /// The records that count; all if absent.
    #[serde(rename = "where")]
    pub predicate: Option<Predicate>,
    /// Which files to look at: the parts of the work are the files.
    #[serde(skip)]
    pub shard: Shard,
    /// Threads to use; the result does not depend on it.
    #[serde(skip)]
    pub n_threads: usize,
    /// Whether an output folder of an earlier run is started over. Only without a shard.
    #[serde(skip)]
    pub force: bool,
}

impl Default for InspectOptions {
    fn default() -> Self {
        let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        Self { predicate: None, shard: Shard::WHOLE, n_threads, force: false }
    }
}

/// A summary of record files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// The files in the order given.
    pub files: Vec<FileSummary>,
    /// Records that count, in all files.
    pub records: u64,
    /// Records that do not pass the condition.
    pub dropped: u64,
    /// Length of all files.
    pub bytes: u64,
    /// Features by name.
    pub features: BTreeMap<String, FeatureSummary>,
    /// Files that are left to other shards.
    #[serde(skip)]
    pub files_missing: usize,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileSummary {
    /// Its path as given.
    pub file: PathBuf,
    /// Its records that count.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
}

/// Takes records one by one; what it fails with ends the reading.
pub type RecordSink<'a> = dyn FnMut(&RecordView) -> io::Result<()> + Send + 'a;

/// Reads every record of the shard's `files`; `progress` is told the bytes read, `sink` shown the
/// records that count, in order.
///
/// # Errors
///
/// If a file cannot be read, is damaged, holds something else than Examples, or all are empty; and
/// what `sink` fails with.
pub fn inspect(
    files: &[PathBuf],
    options: &InspectOptions,
    mut sink: Option<&mut RecordSink>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Inspection> {
    let lengths = lengths(files)?;
    let mine: Vec<usize> = (0..files.len()).filter(|&i| options.shard.owns(i)).collect();
    let mut counter = Counter::new(mine.iter().map(|&i| lengths[i]).sum(), progress);
    let mut inspection = Inspection::default();
    for i in mine {
        let file = inspect_file(&files[i], options, sink.as_deref_mut(), &mut counter)?;
        inspection.append(file)?;
    }
    inspection.refuse_nothing(files, options)?;
    Ok(inspection)
}

/// Inspects into a folder, where the summary of all files is the manifest: for shards.
///
/// # Errors
///
/// As [`inspect`], and if the folder cannot be used (see [`Parts::begin`]).
pub fn inspect_into(
    files: &[PathBuf],
    out: &Path,
    options: &InspectOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Inspection> {
    let lengths = lengths(files)?;
    let (shard, force, n_parts) = (options.shard, options.force, files.len());
    let work = Work { command: "data inspect", n_parts, shard, force };
    let named = serde_json::json!({ "inspect": options, "files": files, "bytes": lengths });
    let mut parts = match Parts::begin(out, work, &named)? {
        Begun::Parts(parts) => parts,
        Begun::Finished(folder) => return folder.verified_report(),
    };
    let to_do = parts.to_do();
    let mut counter = Counter::new(to_do.iter().map(|&i| lengths[i]).sum(), progress);
    for i in to_do {
        let folder = parts.folder_for(i)?;
        let file = inspect_file(&files[i], options, None, &mut counter)?;
        parts.finish(i, folder, &file)?;
    }
    let mut inspection = Inspection::default();
    for (_, file) in parts.finished_reports::<Inspection>()? {
        inspection.append(file)?;
    }
    inspection.files_missing = n_parts - inspection.files.len();
    if inspection.files_missing == 0 {
        inspection.refuse_nothing(files, options)?;
        parts.publish(&[], &inspection)?;
    }
    Ok(inspection)
}

/// Finds record `number` (from 0) among those of `files` that pass, and reads no further.
///
/// # Errors
///
/// If there are fewer, or one on the way is damaged.
pub fn find_record(
    files: &[PathBuf],
    number: u64,
    predicate: Option<&Predicate>,
) -> Result<FoundRecord> {
    let mut n_passed = 0;
    for file in files {
        let mut reader = Reader::open(file)?;
        let mut index = 0;
        while let Some(record) = reader.next_record()? {
            let error = |reason: String| Error::record(file, record.offset, reason);
            let example = Example::parse(record.data()).map_err(|e| error(e.to_string()))?;
            if passes(&example, predicate).map_err(error)? {
                if n_passed == number {
                    return Ok(FoundRecord::new(file, index, &record));
                }
                n_passed += 1;
            }
            index += 1;
        }
    }
    let which = if predicate.is_some() { "that pass" } else { "in all" };
    Err(Error::Data(format!("there is no record {number}: {n_passed} {which}, counted from 0")))
}

fn lengths(files: &[PathBuf]) -> Result<Vec<u64>> {
    let len = |file: &PathBuf| Ok(std::fs::metadata(file).map_err(Error::io("read", file))?.len());
    files.iter().map(len).collect()
}

/// Whether a record counts.
fn passes(example: &Example, predicate: Option<&Predicate>) -> Result<bool, String> {
    let Some(predicate) = predicate else { return Ok(true) };
    let features: Vec<Option<Feature>> =
        predicate.names().iter().map(|name| example.get(name)).collect();
    predicate.passes(&features)
}

struct Counter<'a> {
    progress: Progress,
    tell: &'a mut dyn FnMut(Progress),
}

impl<'a> Counter<'a> {
    fn new(total: u64, tell: &'a mut dyn FnMut(Progress)) -> Self {
        Self { progress: Progress { done: 0, total }, tell }
    }

    fn advance(&mut self, bytes: u64) {
        self.progress.done += bytes;
        (self.tell)(self.progress);
    }
}

fn inspect_file(
    file: &Path,
    options: &InspectOptions,
    sink: Option<&mut RecordSink>,
    counter: &mut Counter,
) -> Result<Inspection> {
    let chunks = Chunks::open(file, Tolerance::None)?;
    let bytes = chunks.len();
    let sink = sink.map(Mutex::new);
    let pass = InspectPass { file, predicate: options.predicate.as_ref(), sink };
    let (n_threads, state) = (options.n_threads, Gathered::default());
    let gathered = scan(chunks, n_threads, &pass, state, &mut |bytes| counter.advance(bytes))?;
    let Gathered { records, dropped, features, .. } = gathered;
    let files = vec![FileSummary { file: file.to_owned(), records, bytes }];
    Ok(Inspection {
        files,
        records,
        dropped,
        bytes,
        features: features.into_map(),
        ..Inspection::default()
    })
}

impl Inspection {
    /// Adds another file, which comes behind those that are there.
    fn append(&mut self, other: Self) -> Result<()> {
        let Self { files, records, dropped, bytes, features, .. } = other;
        let mut sum = Features::from(std::mem::take(&mut self.features));
        sum.append(Features::from(features)).map_err(Error::Data)?;
        self.features = sum.into_map();
        self.files.extend(files);
        self.records += records;
        self.dropped += dropped;
        self.bytes += bytes;
        Ok(())
    }

    fn refuse_nothing(&self, files: &[PathBuf], options: &InspectOptions) -> Result<()> {
        if self.records > 0 || self.files.len() < files.len() {
            return Ok(());
        }
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        let names = names.join(", ");
        Err(Error::Data(match &options.predicate {
            Some(condition) if self.dropped > 0 => {
                format!("{names}: none of {} records passes `{condition}`", self.dropped)
            }
            _ => format!("{names}: no records"),
        }))
    }
}

struct InspectPass<'a, 'b> {
    file: &'a Path,
    predicate: Option<&'a Predicate>,
    /// Only the thread whose turn it is uses it.
    sink: Option<Mutex<&'a mut RecordSink<'b>>>,
}

#[derive(Default)]
struct Gathered {
    dropped: u64,
    records: u64,
    features: Features,
}

/// A chunk's summary, and which of its records count.
struct Summed {
    features: Features,
    passed: Vec<bool>,
}

impl Pass for InspectPass<'_, '_> {
    type State = Gathered;
    type Prepared = Summed;

    fn prepare(&self, chunk: &Chunk) -> Result<Summed> {
        let (mut features, mut passed) = (Features::default(), Vec::new());
        for record in chunk.records() {
            let error = |reason: String| Error::record(self.file, record.offset, reason);
            record.check().map_err(|reason| error(reason.to_owned()))?;
            let example = Example::parse(record.data()).map_err(|e| error(e.to_string()))?;
            let is_passed = passes(&example, self.predicate).map_err(error)?;
            if is_passed {
                features.add(&example).map_err(error)?;
            }
            passed.push(is_passed);
        }
        Ok(Summed { features, passed })
    }

    fn fold(&self, sum: &mut Gathered, chunk: &Chunk, summed: &mut Summed) -> Result<()> {
        let here = |reason: String| Error::record(self.file, chunk.offset(), reason);
        sum.features.append(std::mem::take(&mut summed.features)).map_err(here)?;
        for (record, &is_passed) in chunk.records().zip(&summed.passed) {
            if is_passed {
                self.show(&record, sum.records + sum.dropped)?;
            }
            sum.records += u64::from(is_passed);
            sum.dropped += u64::from(!is_passed);
        }
        Ok(())
    }
}

impl InspectPass<'_, '_> {
    fn show(&self, record: &Record, index: u64) -> Result<()> {
        let Some(sink) = &self.sink else { return Ok(()) };
        let example = Example::parse(record.data())
            .map_err(|e| Error::record(self.file, record.offset, e.to_string()))?;
        let view = RecordView { file: self.file, index, offset: record.offset, example };
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink(&view).map_err(Error::Results)
    }
}

#[cfg(test)]
mod tests;
