//! Sorting records into classes by one feature: one streaming pass that copies bytes.
//!
//! Audio is never parsed, checksums are verified, and every record goes somewhere: one that lacks the
//! feature goes to the class `unsorted`. Shards get their names only after the books balance.

mod class;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::example::find_feature;
use crate::output::{FolderState, OutputFolder, refuse_sources_inside};
use crate::tfrecord::Reader;
use class::class_name;

pub(crate) use class::{ClassWriter, label_name};

/// The class of the records that lack the feature.
const UNSORTED: &str = "unsorted";
/// More values than any label has (NSynth has 1006 instruments): such a feature is no class.
const MAX_CLASSES: usize = 4096;
/// Files held open at once; systems allow at least 256.
const MAX_OPEN: usize = 128;

/// How to sort.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SortOptions {
    /// The feature that tells the class: one integer or one byte string.
    pub feature: String,
    /// A shard that has reached this length is followed by another.
    pub shard_bytes: u64,
    /// Whether an output folder of an earlier run is started over.
    #[serde(skip)]
    pub force: bool,
}

impl Default for SortOptions {
    fn default() -> Self {
        Self { feature: "instrument/family".to_owned(), shard_bytes: 256 << 20, force: false }
    }
}

/// What was sorted: the content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SortReport {
    /// The feature that told the class.
    pub feature: String,
    /// Records read, which equals the records written.
    pub records: u64,
    /// Bytes read, which equals the bytes written.
    pub bytes: u64,
    /// The files that were read.
    pub sources: Vec<SourceCount>,
    /// The classes by name.
    pub classes: Vec<ClassCount>,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
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

/// Sorts the records of `sources` into files of one class each in the folder `out`.
///
/// `progress` is told the bytes read. The output depends on the sources' content and order alone.
///
/// # Errors
///
/// If a source is damaged or holds no Examples, no record has the feature, the folder cannot be used
/// (see [`OutputFolder::open`]), or records in and out differ. No shard is left behind then.
pub fn sort(
    sources: &[PathBuf],
    out: &Path,
    options: &SortOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<SortReport> {
    let lengths: Vec<u64> = sources.iter().map(|path| file_len(path)).collect::<Result<_>>()?;
    refuse_sources_inside(out, sources)?;
    let named = serde_json::json!({ "sort": options, "sources": sources, "bytes": lengths });
    let (mut folder, state) = OutputFolder::open(out, "data sort", &named, options.force)?;
    if state == FolderState::Finished {
        let report = folder.verified_report()?;
        return Ok(SortReport { already_done: true, ..report });
    }
    folder.clear()?;
    let mut sorter = Sorter { out, options, classes: BTreeMap::new(), n_written: 0 };
    let total = lengths.iter().sum();
    let mut counts = Vec::new();
    for source in sources {
        let done = counts.iter().map(|count: &SourceCount| count.bytes).sum();
        counts.push(sorter.take_all(source, Progress { done, total }, progress)?);
    }
    check_sources(&counts, &lengths)?;
    let report = sorter.finish(counts)?;
    folder.finish_with(&report)?;
    Ok(report)
}

fn file_len(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io("read", path))?.len())
}

fn check_sources(counts: &[SourceCount], lengths: &[u64]) -> Result<()> {
    for (count, &length) in counts.iter().zip(lengths) {
        if count.bytes != length {
            let (file, read) = (count.file.display(), count.bytes);
            return Err(Error::Data(format!(
                "{file} changed while it was read: {read} of {length} bytes"
            )));
        }
    }
    if counts.iter().all(|count| count.records == 0) {
        let files: Vec<_> = counts.iter().map(|count| count.file.display().to_string()).collect();
        return Err(Error::Data(format!("{}: no records to sort", files.join(", "))));
    }
    Ok(())
}

struct Sorter<'a> {
    out: &'a Path,
    options: &'a SortOptions,
    /// By name; `None` is the class of records without the feature.
    classes: BTreeMap<Option<String>, ClassWriter>,
    n_written: u64,
}

impl Sorter<'_> {
    /// Deals out the records of one file.
    fn take_all(
        &mut self,
        source: &Path,
        before: Progress,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<SourceCount> {
        let mut reader = Reader::open(source)?;
        let mut records = 0;
        let report_every = 4 << 20;
        let mut next_report = 0;
        while let Some(record) = reader.next_record()? {
            let error = |reason: String| Error::record(source, record.offset, reason);
            let feature = find_feature(record.data(), &self.options.feature)
                .map_err(|e| error(e.to_string()))?;
            let class = match feature {
                Some(feature) => class_name(&self.options.feature, feature).map_err(error)?,
                None => None,
            };
            self.write(class, record.frame)?;
            records += 1;
            if reader.offset() >= next_report {
                next_report = reader.offset() + report_every;
                progress(Progress { done: before.done + reader.offset(), ..before });
            }
        }
        progress(Progress { done: before.done + reader.offset(), ..before });
        Ok(SourceCount { file: source.to_owned(), records, bytes: reader.offset() })
    }

    fn write(&mut self, class: Option<String>, frame: &[u8]) -> Result<()> {
        self.n_written += 1;
        if !self.classes.contains_key(&class) {
            if self.classes.len() == MAX_CLASSES {
                let feature = &self.options.feature;
                let reason = format!("`{feature}` has over {MAX_CLASSES} values: it is no class");
                return Err(Error::Data(reason));
            }
            self.classes.insert(class.clone(), ClassWriter::default());
        }
        self.close_one_of_many()?;
        let writer = self.classes.entry(class).or_default();
        writer.write(self.out, frame, self.options.shard_bytes, self.n_written)
    }

    /// Closes the file that was written to longest ago if very many are open.
    fn close_one_of_many(&mut self) -> Result<()> {
        let open = self.classes.values_mut().filter(|class| class.is_open());
        let mut open: Vec<_> = open.collect();
        if open.len() < MAX_OPEN {
            return Ok(());
        }
        open.sort_by_key(|class| class.last_written());
        open[0].close()
    }

    /// Balances the books, then gives every shard its name.
    fn finish(mut self, sources: Vec<SourceCount>) -> Result<SortReport> {
        let feature = self.options.feature.clone();
        if self.classes.keys().all(Option::is_none) {
            let file = sources[0].file.display();
            let hint = "`ddsp data inspect` shows what there is";
            return Err(Error::Data(format!(
                "{file}: no record has the feature `{feature}`; {hint}"
            )));
        }
        let (mut records, mut bytes) = (0, 0);
        for class in self.classes.values_mut() {
            class.close()?;
            records += class.records();
            bytes += class.bytes_on_disk()?;
        }
        let records_in: u64 = sources.iter().map(|source| source.records).sum();
        let bytes_in: u64 = sources.iter().map(|source| source.bytes).sum();
        if (records, bytes) != (records_in, bytes_in) {
            return Err(Error::Data(format!(
                "sorting lost something: {records_in} records ({bytes_in} bytes) read, {records} \
                 ({bytes} bytes) on disk"
            )));
        }
        let mut classes = Vec::new();
        for (name, class) in self.classes {
            classes.push(class.publish(self.out, name.unwrap_or_else(|| UNSORTED.to_owned()))?);
        }
        classes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(SortReport { feature, records, bytes, sources, classes, already_done: false })
    }
}

#[cfg(test)]
mod tests;
