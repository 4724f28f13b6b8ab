//! Will this train? Measures on recordings and records, each with a verdict and a plain sentence.
//!
//! Everything is counted sound by sound in numbers that add up exactly, so that the diagnosis does
//! not depend on threads or shards, and memory not on the number of sounds. docs/doctor.md tells what
//! is measured, how, and why the limits are where they are.

mod clipping;
mod decay;
mod findings;
mod histogram;
mod limits;
mod measure;
mod octaves;
mod polyphony;
mod sound;
mod source;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::output::{Begun, Parts, Work};
use crate::shard::Shard;
use findings::Findings;
use limits::{PITCH_GAP, PITCH_RANGE, VOICED};
use source::{examine_audio, examine_records, find_sources, is_audio};

pub use measure::{Measure, Verdict};

/// What to look at, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct DoctorOptions {
    /// Which files: the parts of the work are the files.
    pub shard: Shard,
    /// Threads to use; the result does not depend on it.
    pub n_threads: usize,
    /// Whether an output folder of an earlier run is started over. Only without a shard.
    pub force: bool,
}

impl Default for DoctorOptions {
    fn default() -> Self {
        let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        Self { shard: Shard::WHOLE, n_threads, force: false }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The worst of the measures'; at least a warning if a file cannot be used.
    pub verdict: Verdict,
    /// Sounds that were looked at.
    pub sounds: u64,
    /// Their length.
    pub seconds: f64,
    /// What was measured over all of them.
    pub measures: Vec<Measure>,
    /// Each file, in order.
    pub files: Vec<FileDiagnosis>,
    /// Files that are left to other shards.
    #[serde(skip)]
    pub files_missing: usize,
}

/// What was found in one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileDiagnosis {
    /// Its path.
    pub file: PathBuf,
    /// Sounds in it.
    pub sounds: u64,
    /// Their length.
    pub seconds: f64,
    /// The worst of its measures, but for those of quantity and range, which a single file need not
    /// meet.
    pub verdict: Verdict,
    /// The sentences of those that are not ok; or why the file cannot be used.
    pub remarks: Vec<String>,
}

/// The part of the work that a file is.
#[derive(Debug, Serialize, Deserialize)]
struct Examined {
    findings: Findings,
    file: FileDiagnosis,
}

/// Looks at the shard's share of the files that `inputs` stand for: audio files, record files,
/// folders of both, patterns. `progress` is told the bytes done.
///
/// # Errors
///
/// If an input stands for nothing, a record file is damaged or holds something else than notes, or
/// no file can be used. A recording that cannot be read is a remark.
pub fn diagnose(
    inputs: &[PathBuf],
    options: &DoctorOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Diagnosis> {
    let sources = Sources::new(inputs)?;
    let mine = (0..sources.files.len()).filter(|&i| options.shard.owns(i)).collect();
    let mut examined = Vec::new();
    sources.examine(mine, options.n_threads, progress, &mut |_, part| {
        examined.push(part);
        Ok(())
    })?;
    Diagnosis::new(examined, &sources.files, 0)
}

/// Diagnoses into a folder, where the diagnosis of all files is the manifest: for shards.
///
/// # Errors
///
/// As [`diagnose`], and if the folder cannot be used (see [`Parts::begin`]).
pub fn diagnose_into(
    inputs: &[PathBuf],
    out: &Path,
    options: &DoctorOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Diagnosis> {
    let sources = Sources::new(inputs)?;
    let (shard, force, n_parts) = (options.shard, options.force, sources.files.len());
    let work = Work { command: "data doctor", n_parts, shard, force };
    let named = serde_json::json!({ "files": sources.files, "bytes": sources.bytes });
    let mut parts = match Parts::begin(out, work, &named)? {
        Begun::Parts(parts) => parts,
        Begun::Finished(folder) => return folder.verified_report(),
    };
    let to_do = parts.to_do();
    sources.examine(to_do, options.n_threads, progress, &mut |i, part| {
        let folder = parts.folder_for(i)?;
        parts.finish(i, folder, &part)
    })?;
    let examined: Vec<Examined> =
        parts.finished_reports()?.into_iter().map(|(_, part)| part).collect();
    let n_missing = n_parts - examined.len();
    let diagnosis = Diagnosis::new(examined, &sources.files, n_missing)?;
    if n_missing == 0 {
        parts.publish(&[], &diagnosis)?;
    }
    Ok(diagnosis)
}

/// The files and their lengths.
struct Sources {
    files: Vec<PathBuf>,
    bytes: Vec<u64>,
}

impl Sources {
    fn new(inputs: &[PathBuf]) -> Result<Self> {
        let files = find_sources(inputs)?;
        let len =
            |file: &PathBuf| Ok(std::fs::metadata(file).map_err(Error::io("read", file))?.len());
        let bytes = files.iter().map(len).collect::<Result<_>>()?;
        Ok(Self { files, bytes })
    }

    /// Looks at the files `mine` in order and hands each result to `take`. Recordings are dealt out
    /// to threads, as many at a time as there are; the records of a file too.
    fn examine(
        &self,
        mine: Vec<usize>,
        n_threads: usize,
        tell: &mut dyn FnMut(Progress),
        take: &mut dyn FnMut(usize, Examined) -> Result<()>,
    ) -> Result<()> {
        let mut progress = Progress { done: 0, total: mine.iter().map(|&i| self.bytes[i]).sum() };
        let is_audio = |i: usize| is_audio(&self.files[i]);
        for run in mine.chunk_by(|&a, &b| is_audio(a) && is_audio(b)) {
            for batch in run.chunks(n_threads.max(1)) {
                if !is_audio(batch[0]) {
                    let findings = examine_records(&self.files[batch[0]], n_threads, &mut |n| {
                        progress.done += n;
                        tell(progress);
                    })?;
                    take(batch[0], Examined::new(&self.files[batch[0]], findings))?;
                    continue;
                }
                for (&i, found) in batch.iter().zip(self.examine_recordings(batch)) {
                    take(i, Examined::of_recording(&self.files[i], found))?;
                    progress.done += self.bytes[i];
                    tell(progress);
                }
            }
        }
        Ok(())
    }

    /// Looks at each recording in a thread of its own.
    fn examine_recordings(&self, batch: &[usize]) -> Vec<Result<Findings>> {
        std::thread::scope(|scope| {
            let spawn = |&i: &usize| scope.spawn(move || examine_audio(&self.files[i]));
            let threads: Vec<_> = batch.iter().map(spawn).collect();
            let join = |thread: std::thread::ScopedJoinHandle<_>| match thread.join() {
                Ok(findings) => findings,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        })
    }
}

impl Examined {
    fn new(file: &Path, findings: Findings) -> Self {
        let not_of_a_file = [VOICED.name, PITCH_RANGE.name, PITCH_GAP.name];
        let mut measures = findings.measures();
        measures.retain(|measure| {
            measure.verdict > Verdict::Ok && !not_of_a_file.contains(&measure.name.as_str())
        });
        let verdict = measures.iter().map(|m| m.verdict).max().unwrap_or(Verdict::Ok);
        let remarks = measures.into_iter().map(|measure| measure.sentence).collect();
        let (file, sounds, seconds) = (file.to_owned(), findings.sounds, findings.seconds());
        Self { findings, file: FileDiagnosis { file, sounds, seconds, verdict, remarks } }
    }

    fn of_recording(file: &Path, found: Result<Findings>) -> Self {
        found.map_or_else(
            |error| {
                let mut unread = Self::new(file, Findings::default());
                unread.file.verdict = Verdict::Bad;
                unread.file.remarks = vec![error.to_string()];
                unread
            },
            |findings| Self::new(file, findings),
        )
    }
}

impl Findings {
    fn seconds(&self) -> f64 {
        self.frames as f64 / sound::GRID.frame_rate()
    }
}

impl Diagnosis {
    fn new(examined: Vec<Examined>, sources: &[PathBuf], files_missing: usize) -> Result<Self> {
        let mut sum = Findings::default();
        let mut files = Vec::new();
        for Examined { findings, file } in examined {
            sum.merge(&findings);
            files.push(file);
        }
        let is_unread = |file: &&FileDiagnosis| file.sounds == 0;
        if files_missing == 0 && !files.is_empty() && files.iter().all(|file| file.sounds == 0) {
            let reason = files.iter().find_map(|file| file.remarks.first().cloned());
            let named = sources.first().map(|file| file.display().to_string()).unwrap_or_default();
            let reason = reason.unwrap_or_else(|| format!("{named}: no records"));
            return Err(Error::Data(format!("no sound can be used: {reason}")));
        }
        let measures = sum.measures();
        let worst = measures.iter().map(|measure| measure.verdict).max();
        let unread = files.iter().find(is_unread).map(|_| Verdict::Warn);
        let verdict = worst.max(unread).unwrap_or(Verdict::Ok);
        let (sounds, seconds) = (sum.sounds, sum.seconds());
        Ok(Self { verdict, sounds, seconds, measures, files, files_missing })
    }
}

#[cfg(test)]
mod tests;
