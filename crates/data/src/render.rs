//! Notes and MIDI files through a SoundFont, as NSynth-like records.
//!
//! A SoundFont says at which pitch its notes should be, and is often off by some cents, sometimes by
//! an octave: f0 is measured on the rendered sound, as loudness is, and records that are more than a
//! semitone away from their notes are listed. Rendered at 48 kHz without reverb and chorus, then
//! resampled.

mod midi;
mod performance;
mod plan;
mod riff;
mod soundfont;

use std::path::{Path, PathBuf};

use ddsp_kernels::FrameGrid;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::output::refuse_sources_inside;
use crate::prepare::LeftOut;
use crate::record::Keys;
use crate::record_files::shard_name;
use crate::shard::Shard;
use crate::shard_writer::{Job, Sink, produce};
use performance::{Stage, Tally};
use plan::Plan;
use soundfont::Font;
pub use soundfont::PresetInfo;

/// The rate at which features are measured.
const RATE_16K: u32 = 16_000;

/// A longer record is not an example any more; rendering keeps some of them in memory.
const MOST_SECS: f64 = 60.0;

/// How the names of the record files begin.
const STEM: &str = "soundfont";

/// A preset to play, and the family that its records are labelled with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PresetChoice {
    /// `bank:program`, a program of bank 0, a name, or a part of a name that only one preset has.
    pub preset: String,
    /// One of NSynth's families; none for that of General MIDI.
    pub family: Option<String>,
}

/// What to play.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RenderOptions {
    /// A SoundFont 2 file.
    pub soundfont: PathBuf,
    /// On which presets.
    pub presets: Vec<PresetChoice>,
    /// MIDI files, or folders of them; if there are none, single notes are played.
    pub midi: Vec<PathBuf>,
    /// MIDI numbers of the notes, each at every velocity.
    pub pitches: Vec<u8>,
    /// MIDI velocities, 1 to 127.
    pub velocities: Vec<u8>,
    /// Length of a record; a MIDI file is cut into as many as it fills. A whole number of frames.
    pub secs: f64,
    /// Time from the beginning of a single note to its release.
    pub hold_secs: f64,
    /// Samples a second of the records.
    pub sample_rate: u32,
    /// Frames a second of the features.
    pub frame_rate: u32,
    /// Spelling of the features.
    pub keys: Keys,
    /// Decides the order of the records.
    pub seed: u64,
    /// Files to deal the performances out to.
    pub n_shards: usize,
    /// Which of the files to make.
    #[serde(skip)]
    pub shard: Shard,
    /// Whether an output folder of an earlier run is started over. Only without a shard.
    #[serde(skip)]
    pub force: bool,
}

impl Default for RenderOptions {
    /// NSynth's notes: held for 3 s, released for 1 s.
    fn default() -> Self {
        Self {
            soundfont: PathBuf::new(),
            presets: Vec::new(),
            midi: Vec::new(),
            pitches: (36..=84).collect(),
            velocities: vec![50, 100],
            secs: 4.0,
            hold_secs: 3.0,
            sample_rate: RATE_16K,
            frame_rate: 250,
            keys: Keys::Nsynth,
            seed: 0,
            n_shards: 4,
            shard: Shard::WHOLE,
            force: false,
        }
    }
}

/// What was rendered: the content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderReport {
    /// The presets, each with its performances.
    pub presets: Vec<RenderedPreset>,
    /// Records in the files.
    pub records: u64,
    /// Records left out because nothing in them has a pitch: notes that a preset does not have, and
    /// rests of MIDI files.
    pub unpitched: u64,
    /// Records whose measured f0 is more than a semitone away from the notes that were played.
    pub off_pitch: Vec<OffPitch>,
    /// MIDI files that could not be used.
    pub left_out: Vec<LeftOut>,
    /// The record files in the output folder.
    pub files: Vec<String>,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
    /// Files that are left to other shards; the numbers count what is there so far.
    #[serde(skip)]
    pub parts_missing: usize,
}

/// A preset that was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderedPreset {
    /// Which, and the family of its records.
    pub preset: PresetInfo,
    /// Notes, or parts of MIDI files, that were played on it.
    pub performances: u64,
}

/// A record that does not sound the notes that were played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffPitch {
    /// Its `id`.
    pub id: String,
    /// Median of the measured pitch over the nearest note that is held, in semitones.
    pub semitones: f64,
}

/// The presets of a SoundFont.
///
/// # Errors
///
/// If the file cannot be read or is no SoundFont 2.
pub fn list_presets(soundfont: &Path) -> Result<Vec<PresetInfo>> {
    Ok(Font::open(soundfont)?.presets())
}

/// Renders what `options` ask for into files `soundfont.tfrecord-…` of the folder `out`.
///
/// Uses up to `n_threads` threads; the bytes do not depend on how many. `progress` is told the
/// performances done.
///
/// # Errors
///
/// If an option asks for nothing or for what does not exist, a file is not what it should be, or the
/// folder cannot be used (see [`Parts::begin`](crate::Parts::begin)).
///
/// # Panics
///
/// If a shard is to be forced.
pub fn render(
    options: &RenderOptions,
    out: &Path,
    n_threads: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<RenderReport> {
    let stage = check(options)?;
    let font = Font::open(&options.soundfont)?;
    let plan = Plan::new(options, &font)?;
    refuse_sources_inside(out, &plan.sources)?;
    let named = Named { options, sources: &plan.sources, bytes: &plan.lengths()? };
    let shards = plan.deal(options.seed, options.n_shards);
    let &RenderOptions { shard, force, .. } = options;
    let job = Job { command: "data render", out, stem: STEM, shard, force, n_threads };
    let encode = |performance: &performance::Performance, tally: &mut Tally, sink: Sink<'_>| {
        performance.render(&font, &stage, tally, sink)
    };
    let conclude = |tallies: Vec<Tally>| conclude(options, &plan, tallies);
    let produced = produce(&job, &named, &shards, encode, conclude, progress)?;
    let (already_done, parts_missing) = (produced.already_done, produced.parts_missing);
    Ok(RenderReport { already_done, parts_missing, ..produced.manifest })
}

/// What the output depends on.
#[derive(Serialize)]
struct Named<'a> {
    #[serde(flatten)]
    options: &'a RenderOptions,
    sources: &'a [PathBuf],
    bytes: &'a [u64],
}

/// The report over the files that are done, which are all of them or some.
fn conclude(options: &RenderOptions, plan: &Plan, tallies: Vec<Tally>) -> Result<RenderReport> {
    let n_shards = options.n_shards;
    let is_whole = tallies.len() == n_shards;
    let records = tallies.iter().map(|tally| tally.records).sum();
    if is_whole && records == 0 {
        return Err(Error::Data("nothing that was played has a pitch".to_owned()));
    }
    Ok(RenderReport {
        presets: plan.counts(),
        records,
        unpitched: tallies.iter().map(|tally| tally.unpitched).sum(),
        off_pitch: tallies.into_iter().flat_map(|tally| tally.off_pitch).collect(),
        left_out: plan.left_out.clone(),
        files: (0..n_shards).map(|i| shard_name(STEM, i, n_shards)).collect(),
        already_done: false,
        parts_missing: 0,
    })
}

/// Checks the options that need no file.
fn check(options: &RenderOptions) -> Result<Stage> {
    let refuse = |reason: String| Err(Error::Data(reason));
    let &RenderOptions { sample_rate, frame_rate, n_shards, hold_secs, keys, .. } = options;
    let grids = FrameGrid::new(RATE_16K, frame_rate).zip(FrameGrid::new(sample_rate, frame_rate));
    let Some((grid, _)) = grids else {
        return refuse(format!(
            "16000 and {sample_rate} Hz are no multiples of {frame_rate} frames/s"
        ));
    };
    if keys == Keys::Nsynth && (sample_rate, frame_rate) != (RATE_16K, 250) {
        return refuse("NSynth's keys are for 16000 Hz and 250 frames/s; use ddsp's".to_owned());
    }
    if let Some(velocity) = options.velocities.iter().find(|v| !(1..=127).contains(*v)) {
        return refuse(format!("velocity {velocity} is not in 1 to 127"));
    }
    if let Some(pitch) = options.pitches.iter().find(|pitch| **pitch > 127) {
        return refuse(format!("pitch {pitch} is not in 0 to 127"));
    }
    let is_empty =
        options.midi.is_empty() && (options.pitches.is_empty() || options.velocities.is_empty());
    if is_empty || options.presets.is_empty() || n_shards == 0 {
        return refuse("the options ask for no preset, no note, or no file".to_owned());
    }
    let n_frames = n_frames(options)?;
    Ok(Stage { grid, n_frames, hold_secs, sample_rate, keys })
}

/// Checks the lengths; returns the frames of a record.
fn n_frames(options: &RenderOptions) -> Result<u32> {
    let refuse = |reason: String| Err(Error::Data(reason));
    let &RenderOptions { frame_rate, secs, hold_secs, .. } = options;
    let n_frames = secs * f64::from(frame_rate);
    if !(n_frames >= 1.0 && secs <= MOST_SECS && (n_frames - n_frames.round()).abs() < 1e-6) {
        return refuse(format!(
            "records of {secs} s: not a whole number of frames (1/{frame_rate} s) up to {MOST_SECS} s"
        ));
    }
    let is_held = hold_secs > 0.0 && hold_secs <= secs;
    if options.midi.is_empty() && !is_held {
        return refuse(format!("a note held for {hold_secs} s is not in a record of {secs} s"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a minute of frames at most, checked above"
    )]
    Ok(n_frames.round() as u32)
}
