//! `ddsp transfer`

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use ddsp_data::{WavFormat, write_wav};
use ddsp_model::{LoudnessMatch, Model, Octave, TransferOptions};
use ddsp_studio::{Report, Transfer as Transferred, comparison, number, transfer_file};
use serde_json::{Value, json};

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
///
/// With several models, each plays the same recording, and the page shows them side by side.
#[derive(Args)]
#[command(after_help = "Example: ddsp transfer voice.wav --model runs/strings/model.safetensors \
                        -o strings.wav --report strings.html")]
pub struct Transfer {
    /// The recording: one pitch at a time; WAV, FLAC, MP3, OGG, M4A or AIFF.
    input: PathBuf,
    /// The model file; give several to compare them. A model is called by its file's name, or by its
    /// folder's where that is `model.safetensors`.
    #[arg(short, long = "model", value_name = "FILE.safetensors", required = true)]
    models: Vec<PathBuf>,
    /// Where the result goes: mono WAV, 32-bit float, at the model's rate. With several models, the
    /// folder for one such file each.
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
        let names = self.names()?;
        let options = self.options();
        let played = console.run(&AT_ONCE, |conductor| {
            let play = |(name, path): (&String, &PathBuf)| {
                conductor.stage(format!("playing {} with {name}", self.input.display()));
                let model = Model::load(path)?;
                Ok((name.clone(), transfer_file(&self.input, &model, path, &options)?))
            };
            names.iter().zip(&self.models).map(play).collect::<ddsp_studio::Result<Vec<_>>>()
        })?;
        let outs = self.write(&played)?;
        if let Some(path) = &self.report {
            write_text(path, &self.page(&played).html())?;
        }
        if self.json {
            return console.json(&self.summary(&played, &outs));
        }
        for ((name, transfer), out) in played.iter().zip(&outs) {
            if played.len() > 1 {
                console.line(name)?;
            }
            for (name, value, unit) in transfer.measures.named() {
                console.line(&format!("{name:32} {:>7} {unit}", number(value)))?;
            }
            console.line(&format!("wrote {}", out.display()))?;
        }
        Ok(())
    }

    /// What the models are called, each by another name.
    fn names(&self) -> Result<Vec<String>, Failure> {
        let names: Vec<String> = self.models.iter().map(|path| model_name(path)).collect();
        let mut seen = HashSet::new();
        match names.iter().find(|name| !seen.insert(*name)) {
            Some(name) => Err(Failure::Arguments(format!(
                "two models are called `{name}`: rename a file or its folder"
            ))),
            None => Ok(names),
        }
    }

    /// Writes every sound and says where.
    fn write(&self, played: &[(String, Transferred)]) -> Result<Vec<PathBuf>, Failure> {
        let outs: Vec<PathBuf> = match played {
            [_] => vec![self.out.clone()],
            _ => played.iter().map(|(name, _)| self.out.join(format!("{name}.wav"))).collect(),
        };
        if played.len() > 1 {
            std::fs::create_dir_all(&self.out)
                .map_err(|e| anyhow::anyhow!("{}: {e}", self.out.display()))?;
        }
        for ((_, transfer), out) in played.iter().zip(&outs) {
            let audio = &transfer.rendering.audio;
            write_wav(out, audio, transfer.grid.sample_rate, WavFormat::Float32)?;
        }
        Ok(outs)
    }

    fn summary(&self, played: &[(String, Transferred)], outs: &[PathBuf]) -> Value {
        let report = &self.report;
        let measures = |i: usize| &played[i].1.measures;
        if let [out] = outs {
            return json!({ "out": out, "report": report, "measures": measures(0) });
        }
        let models = outs.iter().enumerate().map(
            |(i, out)| json!({ "model": self.models[i], "out": out, "measures": measures(i) }),
        );
        json!({ "out": self.out, "report": report, "models": models.collect::<Vec<_>>() })
    }

    fn page(&self, played: &[(String, Transferred)]) -> Report {
        let input = file_name(&self.input);
        let [(_, transfer)] = played else {
            return comparison(&format!("{input}, played by {} models", played.len()), played);
        };
        let lede =
            "Only f0 and loudness of the input drive the model; shaded: frames with a pitch.";
        Report {
            title: format!("{input}, played by {}", file_name(&self.models[0])),
            sections: vec![transfer.section("Input and output", lede, Vec::new(), None)],
            ..Report::default()
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The file's name without its ending, or the run folder's where it has the name that all have.
fn model_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    let folder = path.parent().and_then(Path::file_name);
    match folder {
        Some(folder) if stem == "model" => folder.to_string_lossy().into_owned(),
        _ => stem.into_owned(),
    }
}
