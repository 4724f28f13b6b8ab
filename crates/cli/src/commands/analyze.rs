//! `ddsp analyze`

use std::path::PathBuf;

use clap::Args;
use ddsp_studio::{analyze, frame_grid};

use super::write_text;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Measures f0, confidence and loudness of a recording, frame by frame, as CSV.
#[derive(Args)]
#[command(after_help = "Example: ddsp analyze voice.wav --picture voice.svg > voice.csv")]
pub struct Analyze {
    /// The recording: WAV, FLAC, MP3, OGG, M4A or AIFF.
    input: PathBuf,
    /// Write the CSV into this file instead of stdout.
    #[arg(short, long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    /// Draw spectrogram, f0, loudness and confidence into this file.
    #[arg(long, value_name = "FILE.svg")]
    picture: Option<PathBuf>,
    /// Write a page with the figures and the sound.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Samples a second to analyse at; the recording is resampled.
    #[arg(long, value_name = "HZ", default_value_t = 16_000)]
    sample_rate: u32,
    /// Frames a second; divides the sample rate.
    #[arg(long, value_name = "HZ", default_value_t = 250)]
    frame_rate: u32,
    /// Print a summary as JSON instead of the CSV.
    #[arg(long)]
    json: bool,
}

impl Analyze {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the recording cannot be read or a file not written.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let grid = frame_grid(self.sample_rate, self.frame_rate)
            .map_err(|e| Failure::Arguments(e.to_string()))?;
        let analysis = console.run(&AT_ONCE, |conductor| {
            conductor.stage(format!("analysing {}", self.input.display()));
            analyze(&self.input, grid)
        })?;
        if let Some(path) = &self.picture {
            write_text(path, &analysis.picture())?;
        }
        if let Some(path) = &self.report {
            write_text(path, &analysis.report().html())?;
        }
        if let Some(path) = &self.out {
            write_text(path, &analysis.csv())?;
        }
        if self.json {
            console.json(&analysis.summary())
        } else if self.out.is_none() {
            console.text(&analysis.csv())
        } else {
            Ok(())
        }
    }
}
