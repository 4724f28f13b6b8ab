//! Pitch, loudness and power over the notes of record files, in all and by class.
//!
//! The pitch and loudness statistics are those that training stores in a model
//! ([`ddsp_kernels::NoteStatistics`]); memory does not grow with the data, and the result does not
//! depend on threads or shards: every file is summed in its own order, and files in theirs.

mod sums;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ddsp_kernels::{FrameGrid, N_QUANTILES, hz_to_midi, note_frames, power_db};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::example::find_features;
use crate::features::extract_f0;
use crate::loader::{F0Source, to_example};
use crate::output::{Begun, Parts, Work};
use crate::record::NoteRecord;
use crate::scan::{Pass, scan};
use crate::shard::Shard;
use crate::sort::{MAX_CLASSES, UNSORTED, class_name};
use crate::tfrecord::{Chunk, Chunks, Record, Tolerance};
use sums::{ClassSums, NoteFrames};

pub use sums::{ClassStatistics, DENSITY_LEVELS, WrittenDistribution};

/// Window of the power, as magenta/ddsp has it at 16 kHz: 1024 samples.
const POWER_SECS: f64 = 0.064;

/// Whose statistics to compute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatisticsOptions {
    /// Features that tell the class, such as `instrument/family`; no classes if there are none.
    pub by: Vec<String>,
    /// Samples a second of the records.
    pub sample_rate: u32,
    /// Frames a second of the features.
    pub frame_rate: u32,
    /// Where f0 comes from; records that have none are tracked in any case.
    pub f0: F0Source,
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

impl Default for StatisticsOptions {
    fn default() -> Self {
        Self {
            by: Vec::new(),
            sample_rate: 16_000,
            frame_rate: 250,
            f0: F0Source::Record,
            shard: Shard::WHOLE,
            n_threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            force: false,
        }
    }
}

/// The statistics of some record files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataStatistics {
    /// The files in the order given.
    pub files: Vec<PathBuf>,
    /// Entries in each table of quantiles, from the least value to the greatest.
    pub n_quantiles: usize,
    /// All records.
    pub all: ClassStatistics,
    /// Those of each class, by name; those that lack a feature are `unsorted`.
    pub classes: BTreeMap<String, ClassStatistics>,
    /// Files that are left to other shards.
    #[serde(skip)]
    pub files_missing: usize,
}

/// What one file adds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    files: Vec<PathBuf>,
    all: ClassSums,
    classes: BTreeMap<String, ClassSums>,
}

/// Computes the statistics of the shard's share of `files`; `progress` is told the bytes read.
///
/// # Errors
///
/// If the rates make no grid, a file cannot be read or is damaged, a record is no note on that grid,
/// or there are no records.
pub fn statistics(
    files: &[PathBuf],
    options: &StatisticsOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<DataStatistics> {
    let summing = Summing::new(files, options)?;
    let mine = (0..files.len()).filter(|&i| options.shard.owns(i)).collect();
    let mut sum = Part::default();
    summing.run(mine, progress, &mut |_, part| sum.append(part))?;
    sum.finish(0)
}

/// Computes them into a folder, where those of all files are the manifest: for shards.
///
/// # Errors
///
/// As [`statistics`], and if the folder cannot be used (see [`Parts::begin`]).
pub fn statistics_into(
    files: &[PathBuf],
    out: &Path,
    options: &StatisticsOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<DataStatistics> {
    let summing = Summing::new(files, options)?;
    let (shard, force, n_parts) = (options.shard, options.force, files.len());
    let work = Work { command: "data stats", n_parts, shard, force };
    let named = serde_json::json!({ "stats": options, "files": files, "bytes": summing.bytes });
    let mut parts = match Parts::begin(out, work, &named)? {
        Begun::Parts(parts) => parts,
        Begun::Finished(folder) => return folder.verified_report(),
    };
    let to_do = parts.to_do();
    summing.run(to_do, progress, &mut |i, part| {
        let folder = parts.folder_for(i)?;
        parts.finish(i, folder, &part)
    })?;
    let mut sum = Part::default();
    for (_, part) in parts.finished_reports::<Part>()? {
        sum.append(part)?;
    }
    let n_missing = n_parts - sum.files.len();
    let statistics = sum.finish(n_missing)?;
    if n_missing == 0 {
        parts.publish(&[], &statistics)?;
    }
    Ok(statistics)
}

/// The files, and what is asked of them.
struct Summing<'a> {
    files: &'a [PathBuf],
    bytes: Vec<u64>,
    options: &'a StatisticsOptions,
    grid: FrameGrid,
}

impl<'a> Summing<'a> {
    fn new(files: &'a [PathBuf], options: &'a StatisticsOptions) -> Result<Self> {
        let &StatisticsOptions { sample_rate, frame_rate, .. } = options;
        let grid = FrameGrid::new(sample_rate, frame_rate).ok_or_else(|| {
            Error::Data(format!("{sample_rate} Hz is no multiple of {frame_rate} frames/s"))
        })?;
        let len =
            |file: &PathBuf| Ok(std::fs::metadata(file).map_err(Error::io("read", file))?.len());
        let bytes = files.iter().map(len).collect::<Result<_>>()?;
        Ok(Self { files, bytes, options, grid })
    }

    /// Sums the files `mine` in order.
    fn run(
        &self,
        mine: Vec<usize>,
        tell: &mut dyn FnMut(Progress),
        take: &mut dyn FnMut(usize, Part) -> Result<()>,
    ) -> Result<()> {
        let mut progress = Progress { done: 0, total: mine.iter().map(|&i| self.bytes[i]).sum() };
        for i in mine {
            let path = &self.files[i];
            let chunks = Chunks::open(path, Tolerance::None)?;
            let part = Part { files: vec![path.clone()], ..Part::default() };
            let pass = StatisticsPass { path, summing: self };
            let part = scan(chunks, self.options.n_threads, &pass, part, &mut |n| {
                progress.done += n;
                tell(progress);
            })?;
            take(i, part)?;
        }
        Ok(())
    }
}

struct StatisticsPass<'a> {
    path: &'a Path,
    summing: &'a Summing<'a>,
}

impl Pass for StatisticsPass<'_> {
    type State = Part;
    type Prepared = Vec<(Option<String>, NoteFrames)>;

    fn prepare(&self, chunk: &Chunk) -> Result<Self::Prepared> {
        let one = |record: Record| {
            let error = |reason: String| Error::record(self.path, record.offset, reason);
            record.check().map_err(|reason| error(reason.to_owned()))?;
            let class = self.class(record.data()).map_err(error)?;
            Ok((class, self.note_frames(record.data()).map_err(error)?))
        };
        chunk.records().map(one).collect()
    }

    fn fold(&self, part: &mut Part, _: &Chunk, notes: &mut Self::Prepared) -> Result<()> {
        for (class, frames) in notes.drain(..) {
            part.all.add(&frames);
            if let Some(class) = class {
                part.class(class)?.add(&frames);
            }
        }
        Ok(())
    }
}

impl StatisticsPass<'_> {
    /// The record's class, if there are classes.
    fn class(&self, data: &[u8]) -> Result<Option<String>, String> {
        let by = &self.summing.options.by;
        if by.is_empty() {
            return Ok(None);
        }
        let names: Vec<&str> = by.iter().map(String::as_str).collect();
        let found = find_features(data, &names).map_err(|e| e.to_string())?;
        let class = class_name(by, &found)?;
        Ok(Some(class.unwrap_or_else(|| UNSORTED.to_owned())))
    }

    fn note_frames(&self, data: &[u8]) -> Result<NoteFrames, String> {
        let grid = self.summing.grid;
        let record = NoteRecord::decode(data)?;
        let f0 = record.f0_hz.as_ref().map_or(F0Source::Tracker, |_| self.summing.options.f0);
        let example = to_example(record, grid, f0, &|audio| extract_f0(audio, grid))?;
        let f0_midi: Vec<f32> = example.f0_hz.iter().map(|&hz| hz_to_midi(hz)).collect();
        let mut levels = vec![0.0; f0_midi.len()];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a window")]
        let window_len = (f64::from(grid.sample_rate) * POWER_SECS).round() as usize;
        power_db(&example.audio, grid, window_len.max(1), &mut levels);
        let is_note = note_frames(&example.f0_confidence, &example.loudness_db).collect();
        Ok(NoteFrames {
            f0_midi,
            f0_confidence: example.f0_confidence,
            loudness_db: example.loudness_db,
            power_db: levels,
            is_note,
        })
    }
}

impl Part {
    fn class(&mut self, name: String) -> Result<&mut ClassSums> {
        if self.classes.len() >= MAX_CLASSES && !self.classes.contains_key(&name) {
            let reason = "more than 4096 classes: choose a feature with fewer values";
            return Err(Error::Data(reason.to_owned()));
        }
        Ok(self.classes.entry(name).or_default())
    }

    /// Adds what comes behind.
    fn append(&mut self, other: Self) -> Result<()> {
        self.files.extend(other.files);
        self.all.merge(&other.all);
        for (name, sums) in other.classes {
            self.class(name)?.merge(&sums);
        }
        Ok(())
    }

    fn finish(self, files_missing: usize) -> Result<DataStatistics> {
        let Self { files, all, classes } = self;
        if all.records() == 0 && files_missing == 0 && !files.is_empty() {
            let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            return Err(Error::Data(format!("{}: no records", names.join(", "))));
        }
        let classes = classes.iter().map(|(name, sums)| (name.clone(), sums.finish())).collect();
        let n_quantiles = N_QUANTILES;
        Ok(DataStatistics { files, n_quantiles, all: all.finish(), classes, files_missing })
    }
}

#[cfg(test)]
mod tests;
