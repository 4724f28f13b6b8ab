//! Recordings to record files: windows of a fixed length with f0, confidence and loudness.
//!
//! Windows lie wholly inside a recording, the last one at its end: nothing is padded with zeros, which
//! a model would learn as part of the instrument. Silence and stretches without a pitch are left out
//! and listed, as are recordings that are shorter than a window, and files that cannot be read.
//!
//! The features are computed from the audio at 16 kHz, whatever the rate of the records; both share
//! one grid of frames. A recording is read and analysed in [stretches], so that its length
//! does not matter; recordings make up the parts of the work (see [`Shard`]).

mod cutter;
mod pipeline;
mod plan;
mod report;
mod shards;
mod split;
mod stretches;
mod windows;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Progress, Result};
use crate::in_order::in_order;
use crate::output::{Begun, MANIFEST, Parts, Work, refuse_sources_inside};
use crate::record::Keys;
use crate::shard::Shard;
use crate::sort::discard_outdated;
use pipeline::{Pipeline, Queue, Sink};
use plan::Plan;
use report::{PartReport, check_unchanged, merge};
use shards::Shards;
use windows::Windows;

pub use report::{LeftOut, PrepareReport, Reason, Recording, Skipped};
pub use split::SplitBy;
pub use stretches::Channels;

/// The rate that features are computed from, and of `audio_16k`.
const RATE_16K: u32 = 16_000;

/// How to cut and describe recordings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrepareOptions {
    /// Samples a second of the records.
    pub sample_rate: u32,
    /// Frames a second of the features; must divide the sample rate and 16000.
    pub frame_rate: u32,
    /// Length of an example.
    pub example_secs: f64,
    /// From the start of one example to that of the next.
    pub hop_secs: f64,
    /// Spelling of the features.
    pub keys: Keys,
    /// What becomes of the channels.
    pub channels: Channels,
    /// Whether silent windows are kept.
    pub keep_silence: bool,
    /// A frame below this level is silent, on the scale of `loudness_db`.
    pub silence_db: f32,
    /// Whether windows with few voiced frames, or none, are kept.
    pub keep_unvoiced: bool,
    /// Share of a window's frames that have to be voiced, in [0, 1]; one frame at least.
    pub min_voiced_share: f32,
    /// Share of the recordings that is kept from training, in [0, 1).
    pub held_out_share: f64,
    /// What is held out as a whole; by default recordings where there are several, else stretches.
    pub split_by: Option<SplitBy>,
    /// What is held out, and the order.
    pub seed: u64,
    /// A file that has reached this length is followed by another.
    pub shard_bytes: u64,
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

impl Default for PrepareOptions {
    /// Silence is 80 dB below a full-scale sine of 1 kHz, and a tenth of a window has to be voiced.
    fn default() -> Self {
        Self {
            sample_rate: RATE_16K,
            frame_rate: 250,
            example_secs: 4.0,
            hop_secs: 1.0,
            keys: Keys::Ddsp,
            channels: Channels::Mix,
            keep_silence: false,
            silence_db: -60.0,
            keep_unvoiced: false,
            min_voiced_share: 0.1,
            held_out_share: 0.1,
            split_by: None,
            seed: 0,
            shard_bytes: 256 << 20,
            force: false,
            shard: Shard::WHOLE,
            n_threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }
}

/// Cuts the recordings of `inputs` (files, and folders with all they hold) into examples and writes
/// them to `train.tfrecord-…` and `held_out.tfrecord-…` in the folder `out`.
///
/// `progress` is told seconds of audio, of an estimate where headers tell no length. The output
/// depends on the files' content and names and on the options, not on threads or shards. With a shard,
/// only its parts are done; the report then counts what is done so far, and
/// [`PrepareReport::parts_missing`] what is not.
///
/// A file that is damaged is used up to there, and [`Recording::damage`] says so.
///
/// # Errors
///
/// If an option makes no sense; there is no audio file, none can be used, or nothing is left to train
/// on; the system cannot read a file, or it changes meanwhile; or the folder cannot be used (see
/// [`Parts::begin`]). No file is left behind then.
///
/// # Panics
///
/// If a shard is to be forced.
pub fn prepare(
    inputs: &[PathBuf],
    out: &Path,
    options: &PrepareOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PrepareReport> {
    let windows = Windows::new(options)?;
    let plan = Plan::new(inputs, options, windows)?;
    refuse_sources_inside(out, plan.sources.iter().map(|source| &source.path))?;
    let (n_parts, shard, force) = (plan.parts.len(), options.shard, options.force);
    let work = Work { command: "data prepare", n_parts, shard, force };
    let mut parts = match Parts::begin(out, work, &named(options, &plan))? {
        Begun::Parts(parts) => parts,
        Begun::Finished(folder) => {
            let report: PrepareReport = folder.verified_report()?;
            check_unchanged(out, &report)?;
            return Ok(PrepareReport { already_done: true, ..report });
        }
    };
    discard_outdated(&parts, plan.sources.iter().map(|source| &source.path), &plan.parts)?;
    let owned = (0..n_parts).filter(|&part| shard.owns(part));
    let total: f64 = owned.map(|part| plan.secs(part)).sum();
    let to_do = parts.to_do();
    let mut done = total - to_do.iter().map(|&part| plan.secs(part)).sum::<f64>();
    for part in to_do {
        prepare_part(&mut parts, part, &plan, (options, windows), &mut |secs| {
            done += secs;
            progress(whole_seconds(done, total));
        })?;
    }
    conclude(parts, &plan, out)
}

/// What the output depends on.
fn named(options: &PrepareOptions, plan: &Plan) -> serde_json::Value {
    // Sorted, so that a difference is that of the files and not of their order.
    let mut files: Vec<_> =
        plan.sources.iter().map(|source| (&source.path, source.bytes)).collect();
    files.sort();
    let (files, bytes): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    serde_json::json!({ "prepare": options, "files": files, "bytes": bytes })
}

/// Prepares the recordings of one part into files of its own.
fn prepare_part(
    parts: &mut Parts,
    part: usize,
    plan: &Plan,
    (options, windows): (&PrepareOptions, Windows),
    advance: &mut dyn FnMut(f64),
) -> Result<()> {
    let folder = parts.folder_for(part)?;
    let sources = &plan.sources[plan.parts[part].clone()];
    let pipeline = Pipeline { options, windows, sources };
    let sink = Sink::new(Shards::new(folder.path(), options.shard_bytes));
    let sink = in_order(&pipeline, options.n_threads, Queue::default(), sink, advance)?;
    let Sink { shards, mut report, .. } = sink;
    report.files = shards.finish()?;
    report.check()?;
    parts.finish(part, folder, &report)
}

/// Publishes if everything is done, else tells how far it is.
fn conclude(parts: Parts, plan: &Plan, out: &Path) -> Result<PrepareReport> {
    match parts.reports::<PartReport>()? {
        Some(reports) => {
            let (report, files) = merge(reports, plan.split_by)?;
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
        None => report::so_far(&parts, plan.split_by),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of audio, which are positive"
)]
fn whole_seconds(done: f64, total: f64) -> Progress {
    Progress { done: done.clamp(0.0, total) as u64, total: total.ceil() as u64 }
}

#[cfg(test)]
mod tests;
