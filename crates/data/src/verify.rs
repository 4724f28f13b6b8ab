//! Are record files whole, and are their records usable? What is not is named with its place, and can
//! be left out of a copy.
//!
//! Reading goes on behind damage: at the next record whose checksums hold.

mod checks;
mod pass;
mod problem;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crc::Span;
use crate::error::{Error, Progress, Result};
use crate::output::{
    Begun, PartFolder, Parts, PublishedFile, Work, refuse_sources_inside, span_of_file,
};
use crate::scan::scan;
use crate::shard::Shard;
use crate::tfrecord::{Chunks, Tolerance};
use pass::{Checked, VerifyPass};

pub use problem::{Gravity, Problem};

/// Problems of one file that a report lists; all are counted, and a folder has a list of all.
const MAX_LISTED: usize = 1000;
/// The good records of a part.
const GOOD: &str = "good";
/// The problems of a part, one JSON object a line.
const PROBLEMS: &str = "problems";

/// How to verify.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerifyOptions {
    /// Whether what is good is written to the output folder.
    pub repair: bool,
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

impl Default for VerifyOptions {
    fn default() -> Self {
        let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        Self { repair: false, shard: Shard::WHOLE, n_threads, force: false }
    }
}

/// What was found in all files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The files in the order given.
    pub files: Vec<FileVerification>,
    /// Records that are whole and usable, in all files.
    pub records: u64,
    /// Records, or stretches of bytes where there should be some, that are not.
    pub bad: u64,
    /// Remarks on usable records.
    pub doubts: u64,
    /// Length of all files.
    pub bytes: u64,
    /// Whether what is good was written.
    pub repaired: bool,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
    /// Files that are left to other shards.
    #[serde(skip)]
    pub files_missing: usize,
}

/// What was found in one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileVerification {
    /// Its path as given.
    pub file: PathBuf,
    /// Records that are whole and usable.
    pub records: u64,
    /// Its length.
    pub bytes: u64,
    /// Bytes that belong to usable records.
    pub good_bytes: u64,
    /// Records, or stretches of bytes, that are not good.
    pub bad: u64,
    /// Remarks on usable records.
    pub doubts: u64,
    /// The first problems in the order of the file.
    pub problems: Vec<Problem>,
    /// The file of the output folder that lists all of them, one JSON object a line.
    pub list: Option<String>,
}

impl Verification {
    /// Whether there is nothing to say against the files.
    pub fn is_good(&self) -> bool {
        self.bad + self.doubts == 0
    }

    fn append(&mut self, file: FileVerification) {
        self.records += file.records;
        self.bad += file.bad;
        self.doubts += file.doubts;
        self.bytes += file.bytes;
        self.files.push(file);
    }
}

/// Reads every record of the shard's `files`; `progress` is told the bytes read.
///
/// # Errors
///
/// If a file cannot be read or changes meanwhile. Damage is a result, not an error.
pub fn verify(
    files: &[PathBuf],
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verification> {
    let mine: Vec<usize> = (0..files.len()).filter(|&i| options.shard.owns(i)).collect();
    let mut verifier = Verifier::new(files, &mine, options, progress)?;
    let mut verification = Verification::default();
    for i in mine {
        verification.append(verifier.verify_file(i, None)?);
    }
    Ok(verification)
}

/// Verifies into a folder: the manifest there is the result, for each file with problems one of
/// `problems-00000.jsonl`, … lists all of them, and with `repair`, a file of the same name holds the
/// usable records exactly as they were.
///
/// # Errors
///
/// As [`verify`], if the folder cannot be used (see [`Parts::begin`]), and if two files of one name
/// would get into each other's way there.
pub fn verify_into(
    files: &[PathBuf],
    out: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verification> {
    refuse_sources_inside(out, files)?;
    let names = file_names(files)?;
    let (shard, force, n_parts) = (options.shard, options.force, files.len());
    let work = Work { command: "data verify", n_parts, shard, force };
    let all: Vec<usize> = (0..n_parts).collect();
    let bytes = Verifier::new(files, &all, options, progress)?.lengths;
    let named = serde_json::json!({ "verify": options, "files": files, "bytes": bytes });
    let mut parts = match Parts::begin(out, work, &named)? {
        Begun::Parts(parts) => parts,
        Begun::Finished(folder) => {
            let report: Verification = folder.verified_report()?;
            return Ok(Verification { already_done: true, ..report });
        }
    };
    let to_do = parts.to_do();
    let mut verifier = Verifier::new(files, &to_do, options, progress)?;
    for i in to_do {
        let folder = parts.folder_for(i)?;
        let file = verifier.verify_file(i, Some(&folder))?;
        let report = PartReport::new(file, &folder)?;
        parts.finish(i, folder, &report)?;
    }
    conclude(parts, &names, options)
}

/// Publishes if everything is done.
fn conclude(parts: Parts, names: &[String], options: &VerifyOptions) -> Result<Verification> {
    let mut verification = Verification { repaired: options.repair, ..Verification::default() };
    let mut files = Vec::new();
    for (part, mut report) in parts.finished_reports::<PartReport>()? {
        for (inner, written) in report.written {
            let name = match inner.as_str() {
                GOOD => names[part].clone(),
                // Not after the file: `*.tfrecord*` shall find nothing but records.
                _ => report.file.list.insert(format!("problems-{part:05}.jsonl")).clone(),
            };
            let WrittenFile { bytes, crc32c } = written;
            files.push(PublishedFile { part, inner, name, bytes, crc32c });
        }
        verification.append(report.file);
    }
    verification.files_missing = names.len() - verification.files.len();
    if verification.files_missing == 0 {
        parts.publish(&files, &verification)?;
    }
    Ok(verification)
}

/// What a part's folder holds.
#[derive(Debug, Serialize, Deserialize)]
struct PartReport {
    file: FileVerification,
    written: BTreeMap<String, WrittenFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenFile {
    bytes: u64,
    crc32c: u32,
}

impl PartReport {
    fn new(file: FileVerification, folder: &PartFolder) -> Result<Self> {
        let mut written = BTreeMap::new();
        for name in [GOOD, PROBLEMS] {
            let path = folder.path().join(name);
            if path.exists() {
                let Span { len, crc } = span_of_file(&path)?;
                written.insert(name.to_owned(), WrittenFile { bytes: len, crc32c: crc });
            }
        }
        Ok(Self { file, written })
    }
}

/// The files' own names, which have to be different.
fn file_names(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut names: BTreeMap<String, &Path> = BTreeMap::new();
    let mut all = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = names.insert(name.clone(), file) {
            let (other, file) = (other.display(), file.display());
            return Err(Error::Data(format!(
                "{other} and {file} have the same name: verify them into different folders"
            )));
        }
        all.push(name);
    }
    Ok(all)
}

struct Verifier<'a> {
    files: &'a [PathBuf],
    lengths: Vec<u64>,
    options: &'a VerifyOptions,
    done: Progress,
    progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Verifier<'a> {
    fn new(
        files: &'a [PathBuf],
        to_do: &[usize],
        options: &'a VerifyOptions,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Self> {
        let mut lengths = Vec::new();
        for file in files {
            lengths.push(std::fs::metadata(file).map_err(Error::io("read", file))?.len());
        }
        let total = to_do.iter().map(|&i| lengths[i]).sum();
        Ok(Self { files, lengths, options, done: Progress { done: 0, total }, progress })
    }

    /// Verifies one file; what is to be written goes to `folder`.
    fn verify_file(&mut self, i: usize, folder: Option<&PartFolder>) -> Result<FileVerification> {
        let file = &self.files[i];
        let chunks = Chunks::open(file, Tolerance::GoOn)?;
        let bytes = chunks.len();
        let create = |name: &str| {
            let path = folder.map(|folder| folder.path().join(name));
            path.map(|path| {
                let created = File::create(&path).map_err(Error::io("write", &path));
                created.map(|file| (path, BufWriter::with_capacity(1 << 20, file)))
            })
        };
        let good = if self.options.repair { create(GOOD).transpose()? } else { None };
        let problems = create(PROBLEMS).transpose()?;
        let state = Checked { file: file.clone(), good, list: problems, ..Checked::default() };
        let n_threads = self.options.n_threads;
        let mut checked = scan(chunks, n_threads, &VerifyPass, state, &mut |bytes| {
            self.done.done += bytes;
            (self.progress)(self.done);
        })?;
        checked.conclude(bytes)?;
        if let Some((path, mut output)) = checked.list.take() {
            output.flush().map_err(Error::io("write", &path))?;
            if checked.n_bad + checked.n_doubts == 0 {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        if let Some((path, mut output)) = checked.good.take() {
            output.flush().map_err(Error::io("write", &path))?;
        }
        Ok(FileVerification {
            file: file.clone(),
            records: checked.n_good,
            bytes,
            good_bytes: checked.good_bytes,
            bad: checked.n_bad,
            doubts: checked.n_doubts,
            problems: checked.problems,
            list: None,
        })
    }
}

#[cfg(test)]
mod tests;
