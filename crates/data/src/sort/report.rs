//! The books: what was read, what was written, and that it is the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::pass::{Sorted, shard_file};
use super::{MAX_CLASSES, SortOptions, too_many_classes};
use crate::crc::Span;
use crate::error::{Error, Result};
use crate::output::{MANIFEST, Parts, PublishedFile, span_of_file};
use crate::record_files::shard_name;

/// What was sorted: the content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SortReport {
    /// The features that told the class.
    pub by: Vec<String>,
    /// The condition on what to keep.
    #[serde(rename = "where")]
    pub predicate: Option<String>,
    /// The features that were renamed: pairs of old and new.
    pub rename: Vec<(String, String)>,
    /// Records read: those written and those dropped.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records that the condition dropped.
    pub dropped: u64,
    /// Records that were encoded anew, since they have a feature that was renamed.
    pub renamed: u64,
    /// The files that were read.
    pub sources: Vec<SourceCount>,
    /// The classes by name.
    pub classes: Vec<ClassCount>,
    /// The files that were written.
    pub files: Vec<FileCount>,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
    /// Parts that are left to other shards; the counts are those of what is done so far.
    #[serde(skip)]
    pub parts_missing: usize,
}

/// One file that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceCount {
    /// Its path as given.
    pub file: PathBuf,
    /// Its records.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// The CRC-32C of its content, in hexadecimal digits.
    pub crc32c: String,
}

/// One class that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassCount {
    /// Its name, such as `string`.
    pub name: String,
    /// Its records.
    pub records: u64,
    /// The sum of its files' lengths.
    pub bytes: u64,
    /// Its files in the output folder.
    pub files: Vec<String>,
}

/// One file that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileCount {
    /// Its name in the output folder.
    pub file: String,
    /// Its records.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// The CRC-32C of its content, in hexadecimal digits.
    pub crc32c: String,
}

/// The books of one part.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartReport {
    sources: Vec<SourceCount>,
    files: Vec<PartFile>,
    dropped: u64,
    renamed: u64,
    n_having: Vec<u64>,
}

/// A file among the parts.
#[derive(Debug, Serialize, Deserialize)]
struct PartFile {
    class: String,
    /// Its number among the class's files of this part.
    index: usize,
    records: u64,
    bytes: u64,
    crc32c: u32,
}

impl PartReport {
    /// Balances the books; `spans` are the files as they were written.
    pub(super) fn new(sources: Vec<SourceCount>, sorted: Sorted, spans: &[Span]) -> Result<Self> {
        let mut files = Vec::new();
        for (class, class_files) in sorted.classes {
            for (index, file) in class_files.files.into_iter().enumerate() {
                let Span { crc, len } = spans[file.number];
                let class = class.clone();
                files.push(PartFile {
                    class,
                    index,
                    records: file.records,
                    bytes: len,
                    crc32c: crc,
                });
            }
        }
        let bytes_in: u64 = sources.iter().map(|source| source.bytes).sum();
        let bytes_out: u64 = files.iter().map(|file| file.bytes).sum();
        let kept = (bytes_in - sorted.dropped_bytes).checked_add_signed(sorted.growth);
        let (dropped, renamed, n_having) = (sorted.n_dropped, sorted.n_renamed, sorted.n_having);
        let report = Self { sources, files, dropped, renamed, n_having };
        report.check_records()?;
        if kept != Some(bytes_out) {
            let kept = kept.unwrap_or(0);
            return Err(Error::Data(format!(
                "sorting lost something: {kept} bytes to keep, {bytes_out} written"
            )));
        }
        Ok(report)
    }

    /// Records in equal records out and dropped.
    fn check_records(&self) -> Result<()> {
        let records_in: u64 = self.sources.iter().map(|source| source.records).sum();
        let records_out: u64 = self.files.iter().map(|file| file.records).sum();
        if records_in == records_out + self.dropped {
            return Ok(());
        }
        let dropped = self.dropped;
        Err(Error::Data(format!(
            "sorting lost something: {records_in} records in, {records_out} out, {dropped} dropped"
        )))
    }
}

/// The books of several parts together.
struct Sum {
    report: SortReport,
    /// The names that the files get.
    files: Vec<PublishedFile>,
    n_having: Vec<u64>,
}

/// The report of all parts, and the names that their files get.
///
/// # Errors
///
/// If nothing is left to write, or a feature that was asked for is nowhere.
pub(super) fn merge(
    parts: Vec<PartReport>,
    options: &SortOptions,
) -> Result<(SortReport, Vec<PublishedFile>)> {
    let Sum { report, files, n_having } = sum_up(parts.into_iter().enumerate(), options)?;
    let names: Vec<_> = report.sources.iter().map(|s| s.file.display().to_string()).collect();
    let hint = "`ddsp data inspect` shows what there is";
    let refuse = |reason: String| Err(Error::Data(reason));
    if report.records == 0 {
        return refuse(format!("{}: no records to sort", names.join(", ")));
    }
    let of = |what: String| format!("{}: {what}; {hint}", names[0]);
    if let Some(i) = n_having.iter().position(|&n| n == 0) {
        return refuse(of(format!("no record has the feature `{}`", options.by[i])));
    }
    if let (true, Some(condition)) = (report.dropped == report.records, &options.predicate) {
        return refuse(of(format!("none of {} records passes `{condition}`", report.records)));
    }
    if let (0, Some((old, _))) = (report.renamed, options.rename.first()) {
        return refuse(of(format!("no record has the feature `{old}`, which was to be renamed")));
    }
    Ok((report, files))
}

/// The report of the parts that are done; files have no names yet.
pub(super) fn so_far(parts: &Parts, options: &SortOptions) -> Result<SortReport> {
    let done = parts.finished_reports::<PartReport>()?;
    let Sum { mut report, .. } = sum_up(done.into_iter(), options)?;
    report.files.clear();
    report.classes.iter_mut().for_each(|class| class.files.clear());
    Ok(SortReport { parts_missing: parts.n_missing(), ..report })
}

fn sum_up(parts: impl Iterator<Item = (usize, PartReport)>, options: &SortOptions) -> Result<Sum> {
    let mut by_class: BTreeMap<String, Vec<(usize, PartFile)>> = BTreeMap::new();
    let mut report = SortReport::empty(options);
    let mut n_having = vec![0; options.by.len()];
    for (number, part) in parts {
        part.check_records()?;
        report.dropped += part.dropped;
        report.renamed += part.renamed;
        for source in part.sources {
            report.records += source.records;
            report.bytes += source.bytes;
            report.sources.push(source);
        }
        n_having.iter_mut().zip(part.n_having).for_each(|(sum, n)| *sum += n);
        for file in part.files {
            by_class.entry(file.class.clone()).or_default().push((number, file));
        }
    }
    if by_class.len() > MAX_CLASSES {
        return Err(too_many_classes(&options.by));
    }
    let mut files = Vec::new();
    for (class, class_files) in by_class {
        report.add_class(class, class_files, &mut files);
    }
    Ok(Sum { report, files, n_having })
}

impl SortReport {
    fn empty(options: &SortOptions) -> Self {
        Self {
            by: options.by.clone(),
            predicate: options.predicate.as_ref().map(ToString::to_string),
            rename: options.rename.clone(),
            records: 0,
            bytes: 0,
            dropped: 0,
            renamed: 0,
            sources: Vec::new(),
            classes: Vec::new(),
            files: Vec::new(),
            already_done: false,
            parts_missing: 0,
        }
    }

    /// Names the files of a class.
    fn add_class(
        &mut self,
        name: String,
        files: Vec<(usize, PartFile)>,
        published: &mut Vec<PublishedFile>,
    ) {
        let mut class = ClassCount { name, records: 0, bytes: 0, files: Vec::new() };
        let n_files = files.len();
        for (i, (part, file)) in files.into_iter().enumerate() {
            let PartFile { index, records, bytes, crc32c: crc, .. } = file;
            let crc32c = Span { crc, len: bytes }.hex();
            let name = shard_name(&class.name, i, n_files);
            let inner = shard_file(&class.name, index);
            class.records += records;
            class.bytes += bytes;
            class.files.push(name.clone());
            self.files.push(FileCount { file: name.clone(), records, bytes, crc32c });
            published.push(PublishedFile { part, inner, name, bytes, crc32c: crc });
        }
        self.classes.push(class);
    }
}

/// Checks that sources that were touched since the sorting still hold what was sorted.
pub(super) fn check_unchanged(out: &Path, report: &SortReport) -> Result<()> {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let sorted = modified(&out.join(MANIFEST));
    for source in &report.sources {
        if modified(&source.file) <= sorted || span_of_file(&source.file)?.hex() == source.crc32c {
            continue;
        }
        let reason = format!("{} was changed since it was sorted", source.file.display());
        let reason = format!("{reason}; start over with --force");
        return Err(Error::Folder { path: out.to_owned(), reason });
    }
    Ok(())
}
