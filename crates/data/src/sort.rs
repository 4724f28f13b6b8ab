//! Sorting records into classes by their features: one streaming pass that copies bytes.
//!
//! Audio is never parsed, checksums are verified, and every record goes somewhere: one that lacks a
//! feature goes to the class `unsorted`, one that a condition drops is counted. Files get their names
//! only after the books balance.
//!
//! The work is done in parts of whole sources (see [`Shard`]); every part has files of its own for
//! each class, so that nothing is copied twice however many processes take part.

mod class;
mod pass;
mod report;
mod rewrite;
mod shard_files;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::crc::Span;
use crate::error::{Error, Progress, Result};
use crate::output::{Begun, MANIFEST, Parts, Work, refuse_sources_inside};
use crate::predicate::Predicate;
use crate::scan::scan;
use crate::shard::Shard;
use crate::tfrecord::{Chunks, Tolerance};
use pass::{SortPass, Sorted};
use report::{PartReport, check_unchanged, merge};
use shard_files::ShardFiles;

pub use report::{ClassCount, FileCount, SortReport, SourceCount};

pub(crate) use class::{class_name, label_name};

/// The class of the records that lack the feature.
pub(crate) const UNSORTED: &str = "unsorted";
/// More values than any label has (NSynth has 1006 instruments): such a feature is no class.
pub(crate) const MAX_CLASSES: usize = 4096;
/// Lengths of a file that make a part: enough that few files of a class are not full, little enough
/// that there are parts for many processes, and that little is lost with an interruption.
const FILES_PER_PART: u64 = 4;

/// How to sort.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SortOptions {
    /// The features that tell the class: each one integer or one byte string.
    pub by: Vec<String>,
    /// Which records to keep; all if absent. It sees the features' old names.
    #[serde(rename = "where")]
    pub predicate: Option<Predicate>,
    /// Features that get other names: pairs of old and new.
    pub rename: Vec<(String, String)>,
    /// Into how many files a class is split.
    pub shards: Shards,
    /// Whether an output folder of an earlier run is started over. Only without a shard.
    #[serde(skip)]
    pub force: bool,
    /// Which part of the work to do.
    #[serde(skip)]
    pub shard: Shard,
    /// Threads to use; the output does not depend on it.
    #[serde(skip)]
    pub n_threads: usize,
}

/// How a class is split into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shards {
    /// A file that has reached this length is followed by another.
    Bytes(u64),
    /// Into so many files that differ by one record at most. This makes one part of the work.
    Count(u64),
}

impl Default for SortOptions {
    fn default() -> Self {
        Self {
            by: vec!["instrument/family".to_owned()],
            predicate: None,
            rename: Vec::new(),
            shards: Shards::Bytes(256 << 20),
            force: false,
            shard: Shard::WHOLE,
            n_threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }
}

/// Sorts the records of `sources` into files of one class each in the folder `out`.
///
/// `progress` is told the bytes read. The output depends on the sources' content and order and on
/// the options, not on threads or shards. With a shard, only its parts are done; the report then
/// counts what is done so far, and [`SortReport::parts_missing`] what is not.
///
/// # Errors
///
/// If a source is damaged, changes, or holds no Examples; no record has a feature that tells the
/// class or is to be renamed, or passes the condition; the folder cannot be used (see
/// [`Parts::begin`]); or records in and out differ. No file is left behind then.
///
/// # Panics
///
/// If a shard is to be forced.
pub fn sort(
    sources: &[PathBuf],
    out: &Path,
    options: &SortOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<SortReport> {
    let lengths: Vec<u64> = sources.iter().map(|path| file_len(path)).collect::<Result<_>>()?;
    refuse_sources_inside(out, sources)?;
    let ranges = part_ranges(&lengths, options.shards);
    let named = Named { options, sources, bytes: &lengths };
    let (n_parts, shard, force) = (ranges.len(), options.shard, options.force);
    let work = Work { command: "data sort", n_parts, shard, force };
    let mut parts = match Parts::begin(out, work, &named)? {
        Begun::Parts(parts) => parts,
        Begun::Finished(folder) => {
            let report: SortReport = folder.verified_report()?;
            check_unchanged(out, &report)?;
            return Ok(SortReport { already_done: true, ..report });
        }
    };
    discard_outdated(&parts, sources.iter(), &ranges)?;
    let bytes = |part: usize| lengths[ranges[part].clone()].iter().sum::<u64>();
    let total = (0..n_parts).filter(|&part| shard.owns(part)).map(bytes).sum();
    let to_do = parts.to_do();
    let done = total - to_do.iter().map(|&part| bytes(part)).sum::<u64>();
    let mut sorter = Sorter { sources, options, done, total, progress };
    for part in to_do {
        sorter.sort_part(&mut parts, part, ranges[part].clone())?;
    }
    conclude(parts, options, out)
}

/// What the output depends on.
#[derive(Serialize)]
struct Named<'a> {
    #[serde(flatten)]
    options: &'a SortOptions,
    sources: &'a [PathBuf],
    bytes: &'a [u64],
}

/// Publishes if everything is done, else tells how far it is.
fn conclude(parts: Parts, options: &SortOptions, out: &Path) -> Result<SortReport> {
    match parts.reports::<PartReport>()? {
        Some(reports) => {
            let (report, files) = merge(reports, options)?;
            parts.publish(&files, &report)?;
            Ok(report)
        }
        // Another process was quicker.
        None if parts.is_published_by_another() => {
            let path = out.join(MANIFEST);
            let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
            serde_json::from_slice(&text)
                .map_err(|e| Error::Data(format!("{}: {e}", path.display())))
        }
        None => report::so_far(&parts, options),
    }
}

fn file_len(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io("read", path))?.len())
}

/// The sources of each part: as many as have the length of some files, or all of them.
fn part_ranges(lengths: &[u64], shards: Shards) -> Vec<Range<usize>> {
    let limit = match shards {
        Shards::Bytes(bytes) => bytes.saturating_mul(FILES_PER_PART),
        // Records are dealt out over all sources, which takes one hand.
        Shards::Count(_) => u64::MAX,
    };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut bytes = limit;
    for (i, len) in lengths.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if bytes < limit => range.end = i + 1,
            _ => {
                ranges.push(i..i + 1);
                bytes = 0;
            }
        }
        bytes = bytes.saturating_add(*len);
    }
    ranges
}

/// Throws away parts of an interrupted run whose sources were changed since.
pub(crate) fn discard_outdated<'a>(
    parts: &Parts,
    sources: impl Iterator<Item = &'a PathBuf>,
    ranges: &[Range<usize>],
) -> Result<()> {
    let sources: Vec<&PathBuf> = sources.collect();
    for (part, range) in ranges.iter().enumerate() {
        let Some(finished) = parts.finished_at(part) else { continue };
        let is_newer = |path: &&PathBuf| {
            let modified = std::fs::metadata(path).and_then(|data| data.modified());
            modified.is_ok_and(|modified| modified > finished)
        };
        if sources[range.clone()].iter().any(is_newer) {
            parts.discard(part)?;
        }
    }
    Ok(())
}

struct Sorter<'a> {
    sources: &'a [PathBuf],
    options: &'a SortOptions,
    /// Bytes of sources that are done, and of all.
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Sorter<'_> {
    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        (self.progress)(Progress { done: self.done, total: self.total });
    }

    /// Sorts the sources of one part into files of its own.
    fn sort_part(&mut self, parts: &mut Parts, part: usize, range: Range<usize>) -> Result<()> {
        let folder = parts.folder_for(part)?;
        let files = ShardFiles::new(folder.path());
        let mut sorted = Sorted::default();
        let mut counts = Vec::new();
        for source in &self.sources[range] {
            let before = sorted.n_records;
            sorted.source = Span::default();
            let chunks = Chunks::open(source, Tolerance::None)?;
            let pass = SortPass::new(self.options, source, &files);
            let n_threads = self.options.n_threads;
            sorted = scan(chunks, n_threads, &pass, sorted, &mut |bytes| self.advance(bytes))?;
            counts.push(SourceCount {
                file: source.clone(),
                records: sorted.n_records - before,
                bytes: sorted.source.len,
                crc32c: sorted.source.hex(),
            });
        }
        let report = PartReport::new(counts, sorted, &files.finish()?)?;
        parts.finish(part, folder, &report)
    }
}

fn too_many_classes(by: &[String]) -> Error {
    let by = by.join(", ");
    Error::Data(format!("`{by}` has over {MAX_CLASSES} values: it is no class"))
}

#[cfg(test)]
mod tests;
