//! `ddsp data prepare`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{Keys, PrepareOptions, prepare};

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

/// Cuts recordings into examples and writes them as records with f0, confidence and loudness.
///
/// Examples lie wholly inside a recording; recordings shorter than one are left out and listed.
#[derive(Args)]
#[command(after_help = "Example: ddsp data prepare recordings/ --out data --held-out 0.2")]
pub struct Prepare {
    /// Recordings, or folders of them: WAV, FLAC, MP3, OGG, M4A, AIFF.
    #[arg(required = true, value_name = "AUDIO")]
    inputs: Vec<PathBuf>,
    /// Folder for the record files.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Samples a second of the examples; recordings are resampled.
    #[arg(long, value_name = "HZ", default_value_t = 16_000)]
    sample_rate: u32,
    /// Frames a second of the features; divides the sample rate.
    #[arg(long, value_name = "HZ", default_value_t = 250)]
    frame_rate: u32,
    /// Length of an example, seconds.
    #[arg(long, value_name = "SECS", default_value_t = 4.0)]
    example_secs: f64,
    /// Seconds from the start of one example to that of the next.
    #[arg(long, value_name = "SECS", default_value_t = 1.0)]
    hop_secs: f64,
    /// Share of the recordings to keep from training.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    held_out: f64,
    /// Spelling of the features.
    #[arg(long, value_enum, default_value_t = Spelling::Ddsp)]
    keys: Spelling,
    /// Decides which recordings are held out, and the order.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Start over what an earlier run made.
    #[arg(long)]
    force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Prepare {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If there is no usable recording or the folder cannot be used.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = PrepareOptions {
            sample_rate: self.sample_rate,
            frame_rate: self.frame_rate,
            example_secs: self.example_secs,
            hop_secs: self.hop_secs,
            keys: match self.keys {
                Spelling::Ddsp => Keys::Ddsp,
                Spelling::Nsynth => Keys::Nsynth,
            },
            held_out_share: self.held_out,
            seed: self.seed,
            force: self.force,
        };
        let report = console.run(&AT_ONCE, |conductor| {
            conductor.stage("preparing recordings");
            let n_threads = conductor.n_threads;
            prepare(&self.inputs, &self.out, &options, n_threads, &mut conductor.counter("files"))
        })?;
        if self.json {
            return console.json(&report);
        }
        for left_out in &report.left_out {
            console.line(&format!("left out {}: {}", left_out.file.display(), left_out.reason))?;
        }
        if report.unvoiced_windows > 0 {
            console
                .line(&format!("left out {} examples without a pitch", report.unvoiced_windows))?;
        }
        let done = if report.already_done { ", made earlier and unchanged" } else { "" };
        console.line(&format!(
            "{} recordings: {} examples to train on, {} held out, in {}{done}",
            report.recordings.len(),
            report.train_examples,
            report.held_out_examples,
            self.out.display(),
        ))
    }
}
