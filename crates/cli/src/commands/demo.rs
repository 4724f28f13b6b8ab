//! `ddsp demo`

use std::path::PathBuf;

use clap::Args;
use ddsp_studio::{Check, DemoOptions, DemoReport, demo, number};

use super::positive;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// Goes the whole way once, in under five minutes on two cores: makes notes on built-in instruments,
/// sorts them, learns the strings, plays a keyboard phrase and a string note that it has never heard,
/// checks the result, and writes a report to look at and listen to.
///
/// Run again, it checks what is there and plays again; the training is not repeated.
#[derive(Args)]
#[command(after_help = "Example: ddsp demo --input voice.wav")]
pub struct Demo {
    /// Folder for everything.
    #[arg(short, long, value_name = "DIR", default_value = "ddsp-demo")]
    out: PathBuf,
    /// A recording of yours to play with the strings, too: one pitch at a time.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Seconds of training at most; two idle cores need about 160 for its steps.
    #[arg(long, value_name = "SECS", default_value_t = 210.0, value_parser = positive)]
    training_secs: f64,
    /// Change a setting of the model, as in train.batch=8; give several.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Start over what an earlier run made.
    #[arg(long)]
    force: bool,
    /// Print the summary as JSON; results in words go to stderr.
    #[arg(long)]
    json: bool,
}

impl Demo {
    fn options(self) -> Result<DemoOptions, Failure> {
        let mut options = DemoOptions::new(self.out)?;
        options.input = self.input;
        options.force = self.force;
        options.training_secs = self.training_secs;
        for setting in &self.settings {
            options.config.set(setting).map_err(|e| Failure::Arguments(e.to_string()))?;
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
