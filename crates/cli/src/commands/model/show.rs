//! `ddsp model show`

use std::path::PathBuf;

use clap::Args;
use ddsp_kernels::Distribution;
use ddsp_model::{LossSummary, Model};
use ddsp_studio::number;
use serde_json::{Value, json};

use crate::console::Console;
use crate::failure::Failure;

/// Tells how a model is built, what it was trained on and how that went.
#[derive(Args)]
#[command(after_help = "Example: ddsp model show runs/strings/model.safetensors")]
pub struct Show {
    /// The model file.
    #[arg(value_name = "FILE.safetensors")]
    model: PathBuf,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the file is not a model of ours.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let model = Model::load(&self.model)?;
        if self.json {
            return console.json(&as_json(&model));
        }
        console.line(&format!("{} parameters", model.parameters.values.len()))?;
        if let Some(training) = &model.metadata.training {
            let seconds = number(training.seconds);
            let (steps, best) = (training.steps, training.best_step);
            let (learned, held_out) = (training.n_examples, training.n_held_out);
            console.line(&format!("trained {steps} steps in {seconds} s; kept: step {best}"))?;
            console.line(&format!("on {learned} examples; {held_out} held out"))?;
            console.line(&format!("training loss, last steps: {}", loss(&training.loss)))?;
            if let Some(held_out_loss) = &training.held_out_loss {
                console.line(&format!("held-out loss: {}", loss(held_out_loss)))?;
            }
        }
        if let Some(pitch) = &model.metadata.pitch {
            console.line(&format!("pitch of the notes: {}", range(&pitch.f0_midi, "MIDI")))?;
        }
        if let Some(loudness) = &model.metadata.loudness {
            console
                .line(&format!("loudness of the notes: {}", range(&loudness.loudness_db, "dB")))?;
        }
        for (name, text) in
            [("data", &model.metadata.provenance), ("licence", &model.metadata.licence)]
        {
            if !text.is_empty() {
                console.line(&format!("{name}: {text}"))?;
            }
        }
        console.text(&format!("\n{}", model.config.to_toml()))
    }
}

fn loss(loss: &LossSummary) -> String {
    let [total, magnitude, log] = [loss.total, loss.magnitude, loss.log_magnitude].map(number);
    format!("{total} (magnitude {magnitude}, log magnitude {log})")
}

fn range(distribution: &Distribution, unit: &str) -> String {
    let [mean, min, max] =
        [distribution.mean, distribution.min, distribution.max].map(|v| number(f64::from(v)));
    format!("mean {mean}, from {min} to {max} {unit}")
}

fn as_json(model: &Model) -> Value {
    let distribution =
        |d: &Distribution| json!({ "mean": d.mean, "std": d.std, "min": d.min, "max": d.max });
    let metadata = &model.metadata;
    json!({
        "n_parameters": model.parameters.values.len(),
        "config": model.config,
        "training": metadata.training,
        "f0_midi": metadata.pitch.as_ref().map(|p| distribution(&p.f0_midi)),
        "loudness_db": metadata.loudness.as_ref().map(|l| distribution(&l.loudness_db)),
        "provenance": metadata.provenance,
        "licence": metadata.licence,
    })
}
