//! `ddsp transfer`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{WavFormat, write_wav};
use ddsp_model::{LoudnessMatch, Model, Octave, TransferOptions};
use ddsp_studio::{Report, Transfer as Transferred, number, transfer_file};
use serde_json::json;

use super::write_text;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// How the loudness of the recording changes.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Match {
    /// Not at all.
    Off,
    /// By one level, so that its loud notes are as loud as the training set's.
    Level,
    /// Rank by rank: its notes become as even or uneven as the training set's.
    Quantile,
}

/// Plays a recording with a learned instrument: its pitch and loudness, the model's sound.
#[derive(Args)]
#[command(after_help = "Example: ddsp transfer voice.wav --model runs/strings/model.safetensors \
                        -o strings.wav --report strings.html")]
pub struct Transfer {
    /// The recording: one pitch at a time; WAV, FLAC, MP3, OGG, M4A or AIFF.
    input: PathBuf,
    /// The model file.
    #[arg(short, long, value_name = "FILE.safetensors")]
    model: PathBuf,
    /// Where the result goes: mono WAV, 32-bit float, at the model's rate.
    #[arg(short, long, value_name = "FILE.wav")]
    out: PathBuf,
    /// Write a page with spectrograms, curves and sounds.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Octaves to move the pitch by: a number, or `auto` for those that bring it into the range of
    /// the training set.
    #[arg(long, default_value = "auto", value_parser = octave, allow_hyphen_values = true)]
    octave: Octave,
    /// How the loudness changes.
    #[arg(long, value_enum, default_value_t = Match::Level)]
    loudness: Match,
    /// How much quieter stretches without a pitch become, dB.
    #[arg(long, value_name = "DB", default_value_t = TransferOptions::default().quiet_db)]
    quiet: f32,
    /// Print what was measured as JSON.
    #[arg(long)]
    json: bool,
}

fn octave(text: &str) -> Result<Octave, String> {
    match text.parse() {
        _ if text == "auto" => Ok(Octave::Auto),
        Ok(octaves @ -4..=4) => Ok(Octave::Fixed(octaves)),
        _ => Err("neither `auto` nor a whole number from -4 to 4".to_owned()),
    }
}

impl Transfer {
    fn options(&self) -> TransferOptions {
        let loudness = match self.loudness {
            Match::Off => LoudnessMatch::Off,
            Match::Level => LoudnessMatch::Level,
            Match::Quantile => LoudnessMatch::Quantile,
        };
        TransferOptions { octave: self.octave, loudness, quiet_db: self.quiet }
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the model or the recording cannot be used, or a file not written.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        if !(0.0..=80.0).contains(&self.quiet) {
            return Err(Failure::Arguments("--quiet must be from 0 to 80 dB".to_owned()));
        }
        let options = self.options();
        let transfer = console.run(&AT_ONCE, |conductor| {
            conductor.stage(format!("playing {}", self.input.display()));
            let model = Model::load(&self.model)?;
            transfer_file(&self.input, &model, &self.model, &options)
        })?;
        let audio = &transfer.rendering.audio;
        write_wav(&self.out, audio, transfer.grid.sample_rate, WavFormat::Float32)?;
        if let Some(path) = &self.report {
            write_text(path, &self.page(&transfer).html())?;
        }
        if self.json {
            let report = &self.report;
            return console.json(&json!({
                "out": self.out, "report": report, "measures": transfer.measures,
            }));
        }
        for (name, value, unit) in transfer.measures.named() {
            console.line(&format!("{name:32} {:>7} {unit}", number(value)))?;
        }
        console.line(&format!("wrote {}", self.out.display()))
    }

    fn page(&self, transfer: &Transferred) -> Report {
        let name = |path: &PathBuf| match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        };
        let title = format!("{}, played by {}", name(&self.input), name(&self.model));
        let lede =
            "Only f0 and loudness of the input drive the model; shaded: frames with a pitch.";
        Report {
            title,
            sections: vec![transfer.section("Input and output", lede, Vec::new(), None)],
            ..Report::default()
        }
    }
}
