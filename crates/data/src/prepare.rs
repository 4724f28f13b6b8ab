//! Recordings to record files: windows of a fixed length with f0, confidence and loudness.
//!
//! Windows lie wholly inside a recording, the last one at its end: nothing is padded with zeros, which
//! a model would learn as part of the instrument. Recordings shorter than a window are left out and
//! listed, as are files that cannot be read.

mod windows;

use std::path::{Path, PathBuf};

use ddsp_kernels::{FrameGrid, VOICED_CONFIDENCE};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::audio_file::{AUDIO_EXTENSIONS, read_audio};
use crate::error::{Error, Progress, Result};
use crate::features::{ExtractedFeatures, extract_features};
use crate::output::{FolderState, OutputFolder, files_under, refuse_sources_inside};
use crate::record::{Keys, NoteRecord};
use crate::resample::resample;
use crate::sort::ClassWriter;
use crate::tfrecord::write_record;
use windows::{Windows, window_starts};

/// A shard that has reached this length is followed by another.
const SHARD_BYTES: u64 = 256 << 20;
const RATE_16K: u32 = 16_000;

/// How to cut and describe recordings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrepareOptions {
    /// Samples a second of the records.
    pub sample_rate: u32,
    /// Frames a second of the features; must divide the sample rate.
    pub frame_rate: u32,
    /// Length of an example.
    pub example_secs: f64,
    /// From the start of one example to that of the next.
    pub hop_secs: f64,
    /// Spelling of the features.
    pub keys: Keys,
    /// Share of the recordings (whole files) that is kept from training, in [0, 1).
    pub held_out_share: f64,
    /// Which recordings, and in what order.
    pub seed: u64,
    /// Whether an output folder of an earlier run is started over.
    #[serde(skip)]
    pub force: bool,
}

impl Default for PrepareOptions {
    fn default() -> Self {
        Self {
            sample_rate: RATE_16K,
            frame_rate: 250,
            example_secs: 4.0,
            hop_secs: 1.0,
            keys: Keys::Ddsp,
            held_out_share: 0.1,
            seed: 0,
            force: false,
        }
    }
}

/// What was prepared: the content of `manifest.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrepareReport {
    /// The recordings that were used, in the order of the records.
    pub recordings: Vec<Recording>,
    /// The files that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Examples to train on.
    pub train_examples: u64,
    /// Examples of held-out recordings.
    pub held_out_examples: u64,
    /// Windows left out because no frame of them is voiced.
    pub unvoiced_windows: u64,
    /// The record files in the output folder.
    pub files: Vec<String>,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
}

/// A recording that was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Its path.
    pub file: PathBuf,
    /// Its length.
    pub secs: f64,
    /// Its own sample rate.
    pub original_rate: u32,
    /// Examples cut from it.
    pub examples: u64,
    /// Whether it is kept from training.
    pub is_held_out: bool,
}

/// A file that was not used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its path.
    pub file: PathBuf,
    /// Why.
    pub reason: String,
}

/// Cuts the recordings of `inputs` (files, and folders with all they hold) into examples and writes
/// them to `train.tfrecord-…` and `held_out.tfrecord-…` in the folder `out`.
///
/// Uses up to `n_threads` threads; the bytes do not depend on how many. `progress` is told the files
/// done. The first usable recording is always trained on, so a single one is never held out.
///
/// # Errors
///
/// If an option makes no sense, there is no audio file, none can be used, or the folder cannot be
/// used (see [`OutputFolder::open`]).
pub fn prepare(
    inputs: &[PathBuf],
    out: &Path,
    options: &PrepareOptions,
    n_threads: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<PrepareReport> {
    let windows = Windows::new(options)?;
    let mut files = audio_files(inputs)?;
    refuse_sources_inside(out, &files)?;
    let named = serde_json::json!({ "prepare": options, "files": files });
    let (mut folder, state) = OutputFolder::open(out, "data prepare", &named, options.force)?;
    if state == FolderState::Finished {
        let report = folder.verified_report()?;
        return Ok(PrepareReport { already_done: true, ..report });
    }
    folder.clear()?;
    files.shuffle(&mut Pcg64Mcg::seed_from_u64(options.seed));
    let mut preparer = Preparer::new(out, options, windows, files.len());
    let total = files.len() as u64;
    // As many files at a time as there are threads, so that little audio is in memory at once.
    for (i, batch) in files.chunks(n_threads.max(1)).enumerate() {
        for (file, analysis) in batch.iter().zip(analyse_all(batch, windows.grid)) {
            preparer.take(file, analysis)?;
        }
        let done = (i * n_threads.max(1) + batch.len()) as u64;
        progress(Progress { done, total });
    }
    let report = preparer.finish()?;
    folder.finish_with(&report)?;
    Ok(report)
}

/// The files that `inputs` name: those named themselves, and in folders those that end like audio.
fn audio_files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let is_audio = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        AUDIO_EXTENSIONS.contains(&extension.as_str())
    };
    let mut files = Vec::new();
    for input in inputs {
        let metadata = std::fs::metadata(input).map_err(Error::io("read", input))?;
        if metadata.is_dir() {
            files.extend(files_under(input)?.into_iter().filter(is_audio));
        } else {
            files.push(input.clone());
        }
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        let names: Vec<_> = inputs.iter().map(|input| input.display().to_string()).collect();
        let kinds = AUDIO_EXTENSIONS.join(", ");
        return Err(Error::Data(format!("{}: no audio files ({kinds})", names.join(", "))));
    }
    Ok(files)
}

/// A recording in memory with its features.
struct Analysis {
    audio: Vec<f32>,
    original_rate: u32,
    features: ExtractedFeatures,
}

/// Reads and analyses each file in a thread of its own.
fn analyse_all(files: &[PathBuf], grid: FrameGrid) -> Vec<Result<Analysis>> {
    let analyse = |file: &Path| -> Result<Analysis> {
        let audio = read_audio(file, grid.sample_rate)?;
        let features = extract_features(&audio.samples, grid);
        Ok(Analysis { audio: audio.samples, original_rate: audio.original_rate, features })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = files.iter().map(|file| scope.spawn(move || analyse(file))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<_>| match thread.join() {
            Ok(analysis) => analysis,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    })
}

/// Writes the examples of one recording after the other.
struct Preparer<'a> {
    out: &'a Path,
    options: &'a PrepareOptions,
    windows: Windows,
    n_to_hold_out: usize,
    train: ClassWriter,
    held_out: ClassWriter,
    report: PrepareReport,
}

impl<'a> Preparer<'a> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is between 0 and the count"
    )]
    fn new(out: &'a Path, options: &'a PrepareOptions, windows: Windows, n_files: usize) -> Self {
        let share = options.held_out_share;
        let wanted = if share > 0.0 { (n_files as f64 * share).round().max(1.0) } else { 0.0 };
        Self {
            out,
            options,
            windows,
            n_to_hold_out: wanted as usize,
            train: ClassWriter::default(),
            held_out: ClassWriter::default(),
            report: PrepareReport::default(),
        }
    }

    /// Writes a recording's examples, or notes why there is none.
    fn take(&mut self, file: &Path, analysis: Result<Analysis>) -> Result<()> {
        let analysis = match analysis {
            Ok(analysis) => analysis,
            Err(error) => {
                self.leave_out(file, error.to_string());
                return Ok(());
            }
        };
        let secs = analysis.audio.len() as f64 / f64::from(self.options.sample_rate);
        let starts = window_starts(analysis.audio.len(), self.windows);
        if starts.is_empty() {
            let wanted = self.options.example_secs;
            self.leave_out(file, format!("{secs:.2} s long, shorter than an example ({wanted} s)"));
            return Ok(());
        }
        let (all, is_voiced) = (starts.len(), |&start: &usize| self.is_voiced(&analysis, start));
        let starts: Vec<usize> = starts.into_iter().filter(is_voiced).collect();
        self.report.unvoiced_windows += (all - starts.len()) as u64;
        if starts.is_empty() {
            self.leave_out(file, "no pitch was found in it".to_owned());
            return Ok(());
        }
        // Counted over usable recordings; the first is trained on.
        let n_used = self.report.recordings.len();
        let is_held_out = (1..=self.n_to_hold_out).contains(&n_used);
        for &start in &starts {
            self.write(file, &analysis, start, is_held_out)?;
        }
        let (original_rate, examples) = (analysis.original_rate, starts.len() as u64);
        let file = file.to_owned();
        let recording = Recording { file, secs, original_rate, examples, is_held_out };
        self.report.recordings.push(recording);
        Ok(())
    }

    fn leave_out(&mut self, file: &Path, reason: String) {
        self.report.left_out.push(LeftOut { file: file.to_owned(), reason });
    }

    fn is_voiced(&self, analysis: &Analysis, start: usize) -> bool {
        let confidence = &analysis.features.f0_confidence[self.windows.frames(start)];
        confidence.iter().any(|&confidence| confidence >= VOICED_CONFIDENCE)
    }

    fn write(
        &mut self,
        file: &Path,
        analysis: &Analysis,
        start: usize,
        is_held_out: bool,
    ) -> Result<()> {
        let sample_rate = self.options.sample_rate;
        let (frames, features) = (self.windows.frames(start), &analysis.features);
        let audio = analysis.audio[start..start + self.windows.n_samples].to_vec();
        let audio_16k = (sample_rate != RATE_16K)
            .then(|| resample(audio.clone(), sample_rate, RATE_16K))
            .transpose()
            .map_err(Error::Data)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let record = NoteRecord {
            id: format!("{name}@{:.3}", start as f64 / f64::from(sample_rate)),
            sample_rate: Some(sample_rate),
            frame_rate: Some(self.options.frame_rate),
            audio,
            audio_16k,
            f0_hz: Some(features.f0_hz[frames.clone()].to_vec()),
            f0_confidence: Some(features.f0_confidence[frames.clone()].to_vec()),
            loudness_db: Some(features.loudness_db[frames].to_vec()),
            ..NoteRecord::default()
        };
        let mut frame = Vec::new();
        write_record(&mut frame, &record.encode(self.options.keys))
            .map_err(Error::io("write in", self.out))?;
        let writer = if is_held_out { &mut self.held_out } else { &mut self.train };
        writer.write(self.out, &frame, SHARD_BYTES)
    }

    fn finish(self) -> Result<PrepareReport> {
        let Self { mut report, out, mut train, mut held_out, .. } = self;
        if report.recordings.is_empty() {
            let first = &report.left_out[0];
            let (n, file) = (report.left_out.len(), first.file.display());
            let reason = if first.reason.contains(&file.to_string()) {
                first.reason.clone()
            } else {
                format!("{file}: {}", first.reason)
            };
            return Err(Error::Data(format!("none of {n} files can be used; the first: {reason}")));
        }
        (report.train_examples, report.held_out_examples) = (train.records(), held_out.records());
        for (writer, name) in [(&mut train, "train"), (&mut held_out, "held_out")] {
            writer.close()?;
            let class = std::mem::take(writer).publish(out, name.to_owned())?;
            report.files.extend(class.files);
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests;
