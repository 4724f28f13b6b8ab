//! `ddsp data prepare`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{Channels, Keys, PrepareOptions, PrepareReport, Reason, Skipped, SplitBy, prepare};

use super::job::Job;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Spelling of the features in records.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Spelling {
    /// `f0_hz`, `loudness_db`: as magenta/ddsp writes them.
    Ddsp,
    /// `f0/hz`, `loudness/db`: as NSynth has them.
    Nsynth,
}

/// What becomes of the channels.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ChannelChoice {
    /// Their mean.
    Mix,
    /// The first alone.
    Left,
    /// The second alone; the only one of a mono file.
    Right,
    /// Each becomes examples of its own.
    Each,
}

/// What is held out as a whole.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SplitChoice {
    /// Whole recordings.
    File,
    /// Stretches of every recording; windows of the two sides never overlap.
    Time,
}

/// Cuts recordings into examples and writes them as records with f0, confidence and loudness.
///
/// Examples lie wholly inside a recording. Silence and stretches without a pitch are left out, as are
/// recordings shorter than an example; the manifest lists each with its time and the reason.
#[derive(Args)]
#[command(
    after_help = "Example: ddsp data prepare recordings/ --out data --held-out 0.2\n         \
                        ddsp data prepare concert.wav --out data --sample-rate 48000 --channels left\n\
                        Then:    ddsp train --data 'data/train*' --out runs/mine\n\n\
                        docs/prepare.md: what is skipped, the grid of frames, splits, memory, speed."
)]
pub struct Prepare {
    /// Recordings, or folders of them: WAV, FLAC, MP3, OGG, M4A, AIFF.
    #[arg(required = true, value_name = "AUDIO")]
    inputs: Vec<PathBuf>,
    /// Folder for the record files and their manifest.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Samples a second of the examples; recordings are resampled. Features come from 16 kHz.
    #[arg(long, value_name = "HZ", default_value_t = 16_000)]
    sample_rate: u32,
    /// Frames a second of the features; divides the sample rate and 16000 (44100 Hz: 100 or less).
    #[arg(long, value_name = "HZ", default_value_t = 250)]
    frame_rate: u32,
    /// Length of an example, seconds.
    #[arg(long, value_name = "SECS", default_value_t = 4.0)]
    example_secs: f64,
    /// Seconds from the start of one example to that of the next.
    #[arg(long, value_name = "SECS", default_value_t = 1.0)]
    hop_secs: f64,
    /// What becomes of several channels.
    #[arg(long, value_enum, default_value_t = ChannelChoice::Mix)]
    channels: ChannelChoice,
    /// Keep examples that are silent throughout.
    #[arg(long)]
    keep_silence: bool,
    /// Loudness below which a frame is silent (a full-scale sine of 1 kHz has +20).
    #[arg(long, value_name = "DB", default_value_t = -60.0, allow_negative_numbers = true)]
    silence_db: f32,
    /// Keep examples however little of them has a pitch.
    #[arg(long)]
    keep_unvoiced: bool,
    /// Share of an example's frames that have to be voiced.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    min_voiced: f32,
    /// Share of the recordings, or of the time, to keep from training.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    held_out: f64,
    /// Hold out whole recordings or stretches of each [default: file, or time if there is only one].
    #[arg(long, value_enum, value_name = "WHAT")]
    split_by: Option<SplitChoice>,
    /// Decides what is held out, and the order.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Spelling of the features.
    #[arg(long, value_enum, default_value_t = Spelling::Ddsp)]
    keys: Spelling,
    /// Length from which a file is followed by another, MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    shard_mib: u32,
    #[command(flatten)]
    job: Job,
}

impl Prepare {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If there is no usable recording or the folder cannot be used.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = self.options();
        let report = console.run(&AT_ONCE, |conductor| {
            conductor.stage("preparing recordings");
            prepare(&self.inputs, &self.out, &options, &mut conductor.counter("seconds of audio"))
        })?;
        if self.job.json {
            return console.json(&report);
        }
        for recording in &report.recordings {
            if let Some(damage) = &recording.damage {
                let file = recording.file.display();
                console.line(&format!("used {file} only in part: {damage}"))?;
            }
        }
        for left_out in &report.left_out {
            console.line(&format!("left out {}: {}", left_out.file.display(), left_out.reason))?;
        }
        for line in skipped(&report) {
            console.line(&line)?;
        }
        console.line(&conclusion(&report, &self.out.display().to_string()))
    }

    fn options(&self) -> PrepareOptions {
        PrepareOptions {
            sample_rate: self.sample_rate,
            frame_rate: self.frame_rate,
            example_secs: self.example_secs,
            hop_secs: self.hop_secs,
            keys: match self.keys {
                Spelling::Ddsp => Keys::Ddsp,
                Spelling::Nsynth => Keys::Nsynth,
            },
            channels: match self.channels {
                ChannelChoice::Mix => Channels::Mix,
                ChannelChoice::Left => Channels::Left,
                ChannelChoice::Right => Channels::Right,
                ChannelChoice::Each => Channels::Each,
            },
            keep_silence: self.keep_silence,
            silence_db: self.silence_db,
            keep_unvoiced: self.keep_unvoiced,
            min_voiced_share: self.min_voiced,
            held_out_share: self.held_out,
            split_by: self.split_by.map(|split_by| match split_by {
                SplitChoice::File => SplitBy::File,
                SplitChoice::Time => SplitBy::Time,
            }),
            seed: self.seed,
            shard_bytes: u64::from(self.shard_mib) << 20,
            force: self.job.force,
            shard: self.job.shard(),
            n_threads: self.job.n_threads(),
        }
    }
}

/// What was left out of the recordings, a line for each reason, with the longest stretch of it.
fn skipped(report: &PrepareReport) -> Vec<String> {
    let reasons = [
        (Reason::Silent, report.silent_windows, "silent"),
        (Reason::Unvoiced, report.unvoiced_windows, "with too little pitch"),
        (Reason::Border, report.border_windows, "on the border of the split"),
    ];
    let longest = |reason: Reason| {
        let used = report.recordings.iter().map(|r| (&r.file, &r.skipped));
        let all = used.chain(report.left_out.iter().map(|l| (&l.file, &l.skipped)));
        let stretches = all.flat_map(|(file, skipped)| skipped.iter().map(move |s| (file, s)));
        stretches.filter(|(_, s)| s.reason == reason).max_by_key(|(_, s)| s.windows)
    };
    let line = |(reason, windows, words): (Reason, u64, &str)| {
        let (file, Skipped { from_secs, to_secs, .. }) = longest(reason)?;
        Some(format!(
            "left out {windows} examples {words}, most in a row: {} from {from_secs:.1} to \
             {to_secs:.1} s (all: manifest.json)",
            file.display()
        ))
    };
    reasons.into_iter().filter_map(line).collect()
}

/// What came of it, in one line.
fn conclusion(report: &PrepareReport, out: &str) -> String {
    let mut line = format!(
        "{} recordings: {} examples to train on, {} held out, in {out}",
        report.recordings.len(),
        report.train_examples,
        report.held_out_examples,
    );
    if report.already_done {
        line += ", made earlier and unchanged";
    }
    if report.parts_missing > 0 {
        line += &format!(" so far: {} parts are left to other shards", report.parts_missing);
    }
    line
}
