//! `ddsp evaluate`

use std::path::{Path, PathBuf};

use clap::Args;
use ddsp_data::{Filter, write_json};
use ddsp_studio::{EvaluateOptions, EvaluateSettings, EvaluationReport, Label, Part, evaluate};

use super::train::{F0, family};
use super::write_text;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Which of the examples to use.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Split {
    /// Those that the model was not trained on.
    HeldOut,
    /// Those that it was trained on.
    Train,
    /// Both.
    All,
}

/// Measures how well a model plays examples from their pitch and loudness alone: loss and its terms,
/// loudness, pitch, spectrum, onsets, each with its mean and spread over the examples.
///
/// The input itself, the input at -6 dB, silence, a mean spectrum and the untrained model stand in
/// the same table. Of the data that the model was trained on, only what was held out is used, as the
/// model file remembers the split; of other data all.
#[derive(Args)]
#[command(after_help = "Example: ddsp evaluate --model runs/strings/model.safetensors \
                        --data 'families/string*' --html strings.html")]
pub struct Evaluate {
    /// The model file.
    #[arg(short, long, value_name = "FILE.safetensors")]
    model: PathBuf,
    /// Record files, folders of them, or patterns such as 'families/string*'; give several.
    #[arg(long, required = true, num_args = 1.., value_name = "RECORDS")]
    data: Vec<PathBuf>,
    /// Which of the examples to use.
    #[arg(long, value_enum, default_value_t = Split::HeldOut)]
    split: Split,
    /// Records for the mean spectrum; without, the model's training part of the data, or where that
    /// is not known the judged examples themselves.
    #[arg(long, num_args = 1.., value_name = "RECORDS")]
    train_data: Vec<PathBuf>,
    /// Use this family only; give several.
    #[arg(long = "family", value_name = "NAME", value_parser = family)]
    families: Vec<i64>,
    /// Where f0 comes from; without, as in the model's training.
    #[arg(long, value_enum)]
    f0: Option<F0>,
    /// The label that errors are grouped by, where examples have it: instrument/family,
    /// instrument/label, instrument/source, pitch, velocity.
    #[arg(long, value_name = "LABEL", default_value = "instrument/family", value_parser = label)]
    by: Label,
    /// Judge so many examples at most, evenly spaced.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = count)]
    max_examples: usize,
    /// Seed of the noise; without, that of the model's training.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write everything, example by example, as JSON; `-` prints it instead of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with tables to sort and sounds to compare.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
}

fn label(name: &str) -> Result<Label, String> {
    let names = || Label::ALL.map(Label::name).join(", ");
    let found = Label::ALL.into_iter().find(|label| label.name() == name);
    found.ok_or_else(|| format!("no such label; there are {}", names()))
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("not a whole number above 0".to_owned()),
    }
}

impl Evaluate {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the model or the data cannot be used, or a file not written.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let is_json = self.json.as_deref() == Some(Path::new("-"));
        console.set_json(is_json);
        let options = EvaluateOptions {
            model: self.model,
            data: self.data,
            f0: self.f0.map(Into::into),
            filter: Filter { families: self.families, ..Filter::default() },
            part: match self.split {
                Split::HeldOut => Part::HeldOut,
                Split::Train => Part::Train,
                Split::All => Part::All,
            },
            train_data: self.train_data,
            settings: EvaluateSettings {
                max_examples: self.max_examples,
                seed: self.seed,
                by: self.by,
                baselines: true,
            },
        };
        let evaluated = console.run(&AT_ONCE, |conductor| evaluate(&options, conductor))?;
        if let Some(path) = &self.html {
            write_text(path, &evaluated.page()?.html())?;
        }
        match &self.json {
            Some(_) if is_json => return console.json(&evaluated.report),
            Some(path) => write_json(path, &evaluated.report)?,
            None => {}
        }
        print(&evaluated.report, console)?;
        for path in self.json.iter().chain(&self.html) {
            console.line(&format!("wrote {}", path.display()))?;
        }
        Ok(())
    }
}

fn print(report: &EvaluationReport, console: &Console) -> Result<(), Failure> {
    let (used, judged) = (&report.examples_used, report.n_examples);
    console.line(&format!("examples: {used}; judged {judged} of {}", report.n_available))?;
    console.line(&format!("mean spectrum of: {}", report.mean_spectrum_of))?;
    table(report.evaluation.table(), console)?;
    if report.evaluation.groups.len() > 1 {
        console.line("")?;
        table(report.evaluation.group_table(), console)?;
    }
    Ok(())
}

/// Columns as wide as their widest cell, numbers to the right.
fn table(
    (header, rows): (Vec<String>, Vec<Vec<String>>),
    console: &Console,
) -> Result<(), Failure> {
    let all = || std::iter::once(&header).chain(&rows);
    let width =
        |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for row in all() {
        let cell = |(column, cell): (usize, &String)| match column {
            0 => format!("{cell:<width$}", width = widths[0]),
            _ => format!("{cell:>width$}", width = widths[column]),
        };
        let cells: Vec<String> = row.iter().enumerate().map(cell).collect();
        console.line(cells.join("  ").trim_end())?;
    }
    Ok(())
}
