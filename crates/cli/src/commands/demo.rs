//! `ddsp demo`

mod matrix;

use std::path::PathBuf;

use clap::Args;
use ddsp_data::instruments::Family;
use ddsp_model::Config;
use ddsp_studio::{Check, DemoOptions, DemoReport, MatrixOptions, demo, number};

use super::positive;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// Goes the whole way once, in under five minutes on two cores: makes notes on built-in instruments,
/// sorts them, learns the strings, plays a keyboard phrase and a string note that it has never heard,
/// checks the result, and writes a report to look at and listen to.
///
/// Run again, it checks what is there and plays again; the training is not repeated.
///
/// With --matrix it learns every family, not the strings alone, and plays every family's phrase with
/// every family's model: matrix/matrix.html in the folder has the errors, the sounds and their pictures,
/// and tells whose sound each became. That takes the training time of each of eleven families.
/// Interrupted, the same command goes on from there; with a longer --training-secs it trains on.
#[derive(Args)]
#[command(after_help = "\
With --matrix every family is learned, not the strings alone, and every family's phrase is played with
every family's model: matrix/matrix.html in the folder has errors, sounds and pictures, and tells whose
sound each became. Interrupted, the same command goes on from there.

Example: ddsp demo --input voice.wav
Example: ddsp demo --matrix --family string --family flute")]
pub struct Demo {
    /// Folder for everything.
    #[arg(short, long, value_name = "DIR", default_value = "ddsp-demo")]
    out: PathBuf,
    /// A recording of yours to play with the strings, too: one pitch at a time.
    #[arg(long, value_name = "FILE", conflicts_with = "matrix")]
    input: Option<PathBuf>,
    /// Play every family's phrase with every family's model.
    #[arg(long)]
    matrix: bool,
    /// Of the matrix only the rows and columns of this family; give several.
    #[arg(long = "family", value_name = "NAME", requires = "matrix", value_parser = family)]
    families: Vec<Family>,
    /// Seconds of training at most: 210 if not given, where two idle cores need about 60 for the
    /// demo's steps; for each family of a matrix 180.
    #[arg(long, value_name = "SECS", value_parser = positive)]
    training_secs: Option<f64>,
    /// Change a setting of the model, as in train.batch=8; give several.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Start over what an earlier run made; with --matrix only the matrix, not the notes.
    #[arg(long)]
    force: bool,
    /// Print the summary as JSON; results in words go to stderr.
    #[arg(long)]
    json: bool,
}

fn family(name: &str) -> Result<Family, String> {
    let names = || Family::ALL.map(Family::name).join(", ");
    Family::from_name(name).ok_or_else(|| format!("no such family; there are {}", names()))
}

impl Demo {
    fn set(&self, config: &mut Config) -> Result<(), Failure> {
        for setting in &self.settings {
            config.set(setting).map_err(|e| Failure::Arguments(e.to_string()))?;
        }
        Ok(())
    }

    fn options(self) -> Result<DemoOptions, Failure> {
        let mut options = DemoOptions::new(self.out.clone())?;
        self.set(&mut options.config)?;
        options.input = self.input;
        options.force = self.force;
        options.training_secs = self.training_secs.unwrap_or(options.training_secs);
        Ok(options)
    }

    fn matrix_options(self) -> Result<MatrixOptions, Failure> {
        let mut options = MatrixOptions::new(self.out.clone())?;
        self.set(&mut options.config)?;
        options.force = self.force;
        options.training_secs = self.training_secs.unwrap_or(options.training_secs);
        if !self.families.is_empty() {
            options.families.retain(|family| self.families.contains(family));
        }
        Ok(options)
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If anything fails or a check is not met.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let is_json = self.json;
        if self.matrix {
            return matrix::run(&self.matrix_options()?, is_json, console);
        }
        let options = self.options()?;
        console.set_json(is_json);
        let report = console.run(interrupt::gentle(), |conductor| demo(&options, conductor))?;
        if is_json {
            console.json(&report)?;
        } else {
            print(&report, console)?;
        }
        match report.failed().count() {
            0 => Ok(()),
            n => Err(Failure::Work(anyhow::anyhow!(
                "{n} of {} checks not met: see {}",
                report.checks.len(),
                report.report.display()
            ))),
        }
    }
}

fn print(report: &DemoReport, console: &Console) -> Result<(), Failure> {
    console.line("")?;
    for check in &report.checks {
        console.line(&line(check))?;
    }
    let (seconds, page) = (number(report.seconds), report.report.display());
    console.line(&format!("\n{seconds} s in all. Look and listen: {page}"))
}

fn line(check: &Check) -> String {
    let mark = if check.met() { "ok    " } else { "FAILED" };
    format!("{mark} {}: {} ({})", check.name, check.measured_text(), check.wanted_text())
}
