//! The books: what was read, what became of it, and what was left out.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::shards::ShardFile;
use super::split::{Side, SplitBy};
use crate::crc::Span;
use crate::error::{Error, Result};
use crate::output::{MANIFEST, Parts, PublishedFile, span_of_file};
use crate::record_files::shard_name;
use crate::sort::FileCount;

/// What was prepared: the content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrepareReport {
    /// Whether whole recordings or stretches of each were held out.
    pub split_by: SplitBy,
    /// Examples to train on.
    pub train_examples: u64,
    /// Examples that are held out.
    pub held_out_examples: u64,
    /// Windows left out since they are silent.
    pub silent_windows: u64,
    /// Windows left out since too little of them has a pitch.
    pub unvoiced_windows: u64,
    /// Windows left out since they lie on both sides of the split.
    pub border_windows: u64,
    /// The recordings that were used, in the order of the records.
    pub recordings: Vec<Recording>,
    /// The files that gave no example, and why.
    pub left_out: Vec<LeftOut>,
    /// The record files in the output folder.
    pub files: Vec<FileCount>,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
    /// Parts that are left to other shards; the counts are those of what is done so far.
    #[serde(skip)]
    pub parts_missing: usize,
}

/// A recording that was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Its path.
    pub file: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The CRC-32C of its content, in hexadecimal digits.
    pub crc32c: String,
    /// Its length in seconds, to the last whole frame.
    pub secs: f64,
    /// Its own sample rate.
    pub original_rate: u32,
    /// Its channels.
    pub channels: usize,
    /// Examples of it to train on.
    pub train_examples: u64,
    /// Examples of it that are held out.
    pub held_out_examples: u64,
    /// The stretches that are held out of it, if it is split by time: begin and end.
    pub held_out_secs: Vec<[f64; 2]>,
    /// The windows that were left out, with time and reason.
    pub skipped: Vec<Skipped>,
    /// What is wrong with the file; what comes before was used.
    pub damage: Option<String>,
}

/// A file that gave no example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its path.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
    /// Its windows, with time and reason.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skipped: Vec<Skipped>,
}

/// Windows in a row that were left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Why.
    pub reason: Reason,
    /// Where the first begins.
    pub from_secs: f64,
    /// Where the last ends.
    pub to_secs: f64,
    /// How many they are.
    pub windows: u64,
    /// The channel, counted from 1, where channels become examples of their own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub channel: Option<usize>,
}

/// Why a window is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// No frame reaches the level of silence.
    Silent,
    /// Too few frames are voiced.
    Unvoiced,
    /// It lies on both sides of the split by time.
    Border,
}

/// What became of a file.
#[derive(Debug)]
pub(super) enum Outcome {
    Used(Recording),
    LeftOut(LeftOut),
}

/// The books of one part.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct PartReport {
    pub(super) recordings: Vec<Recording>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) files: Vec<ShardFile>,
}

impl PartReport {
    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Used(recording) => self.recordings.push(recording),
            Outcome::LeftOut(left_out) => self.left_out.push(left_out),
        }
    }

    /// Checks that as many records were written as examples were cut.
    pub(super) fn check(&self) -> Result<()> {
        let written: u64 = self.files.iter().map(|file| file.records).sum();
        let examples = |r: &Recording| r.train_examples + r.held_out_examples;
        let cut: u64 = self.recordings.iter().map(examples).sum();
        match cut == written {
            true => Ok(()),
            false => Err(Error::Data(format!("{cut} examples were cut, {written} written"))),
        }
    }
}

/// The report of all parts, and the names that their files get.
///
/// # Errors
///
/// If there is nothing to train on.
pub(super) fn merge(
    parts: Vec<PartReport>,
    split_by: SplitBy,
) -> Result<(PrepareReport, Vec<PublishedFile>)> {
    let (report, files) = sum_up(parts.into_iter().enumerate(), split_by)?;
    if report.train_examples > 0 {
        return Ok((report, files));
    }
    let Some(first) = report.left_out.first() else {
        let n = report.held_out_examples;
        let hint = "hold less out, or split by time";
        return Err(Error::Data(format!("nothing to train on: {n} examples are held out; {hint}")));
    };
    let (n, file, reason) = (report.left_out.len(), first.file.display(), &first.reason);
    let all = report.recordings.len() + n;
    let what = if n == all {
        format!("none of {n} files can be used")
    } else {
        format!("nothing to train on: {n} of {all} files cannot be used, the others are held out")
    };
    Err(Error::Data(format!("{what}; the first: {file}: {reason}")))
}

/// The report of the parts that are done; files have no names yet.
pub(super) fn so_far(parts: &Parts, split_by: SplitBy) -> Result<PrepareReport> {
    let done = parts.finished_reports::<PartReport>()?;
    let (mut report, _) = sum_up(done.into_iter(), split_by)?;
    report.files.clear();
    Ok(PrepareReport { parts_missing: parts.n_missing(), ..report })
}

fn sum_up(
    parts: impl Iterator<Item = (usize, PartReport)>,
    split_by: SplitBy,
) -> Result<(PrepareReport, Vec<PublishedFile>)> {
    let mut report = PrepareReport::empty(split_by);
    let mut by_side: [Vec<(usize, ShardFile)>; 2] = [Vec::new(), Vec::new()];
    for (number, part) in parts {
        part.check()?;
        report.recordings.extend(part.recordings);
        report.left_out.extend(part.left_out);
        for file in part.files {
            by_side[file.side as usize].push((number, file));
        }
    }
    let used = report.recordings.iter().map(|r| &r.skipped);
    let skipped = used.chain(report.left_out.iter().map(|l| &l.skipped)).flatten();
    for Skipped { reason, windows, .. } in skipped {
        *match reason {
            Reason::Silent => &mut report.silent_windows,
            Reason::Unvoiced => &mut report.unvoiced_windows,
            Reason::Border => &mut report.border_windows,
        } += windows;
    }
    let mut published = Vec::new();
    for (side, files) in [Side::Train, Side::HeldOut].into_iter().zip(by_side) {
        let n_files = files.len();
        for (i, (part, file)) in files.into_iter().enumerate() {
            let ShardFile { inner, records, bytes, crc32c: crc, .. } = file;
            let name = shard_name(side.name(), i, n_files);
            match side {
                Side::Train => report.train_examples += records,
                Side::HeldOut => report.held_out_examples += records,
            }
            let crc32c = Span { crc, len: bytes }.hex();
            report.files.push(FileCount { file: name.clone(), records, bytes, crc32c });
            published.push(PublishedFile { part, inner, name, bytes, crc32c: crc });
        }
    }
    Ok((report, published))
}

impl PrepareReport {
    fn empty(split_by: SplitBy) -> Self {
        Self {
            split_by,
            train_examples: 0,
            held_out_examples: 0,
            silent_windows: 0,
            unvoiced_windows: 0,
            border_windows: 0,
            recordings: Vec::new(),
            left_out: Vec::new(),
            files: Vec::new(),
            already_done: false,
            parts_missing: 0,
        }
    }
}

/// Checks that recordings that were touched since the preparing still hold what was prepared.
pub(super) fn check_unchanged(out: &Path, report: &PrepareReport) -> Result<()> {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let prepared = modified(&out.join(MANIFEST));
    for Recording { file, crc32c, .. } in &report.recordings {
        if modified(file) <= prepared || span_of_file(file)?.hex() == *crc32c {
            continue;
        }
        let reason = format!("{} was changed since it was prepared", file.display());
        let reason = format!("{reason}; start over with --force");
        return Err(Error::Folder { path: out.to_owned(), reason });
    }
    Ok(())
}
