//! The commands by name.

mod analyze;
mod data;
mod demo;
mod evaluate;
mod model;
mod train;
mod transfer;

use std::io::Write;
use std::path::Path;

use ddsp_data::write_atomically;

use crate::console::Console;
use crate::failure::Failure;

/// What to do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Go the whole way once: make data, sort them, learn the strings, play a keyboard phrase with
    /// them, check the result, write a report.
    Demo(demo::Demo),
    /// Make, prepare, sort, inspect and verify data sets.
    #[command(subcommand)]
    Data(data::Data),
    /// Learn an instrument from a data set.
    Train(train::Train),
    /// Measure how well a model plays what it has not heard, beside baselines.
    Evaluate(evaluate::Evaluate),
    /// Play a recording with a learned instrument.
    Transfer(transfer::Transfer),
    /// Measure f0, confidence and loudness of a recording.
    Analyze(analyze::Analyze),
    /// Look into model files.
    #[command(subcommand)]
    Model(model::Model),
}

/// Runs a command.
///
/// # Errors
///
/// If it does not succeed.
pub fn run(command: Command, console: &mut Console) -> Result<(), Failure> {
    match command {
        Command::Demo(demo) => demo.run(console),
        Command::Data(data) => data.run(console),
        Command::Train(train) => train.run(console),
        Command::Evaluate(evaluate) => evaluate.run(console),
        Command::Transfer(transfer) => transfer.run(console),
        Command::Analyze(analyze) => analyze.run(console),
        Command::Model(model) => model.run(console),
    }
}

/// Writes a text file, whole or not at all.
fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    Ok(write_atomically(path, |file| file.write_all(text.as_bytes()))?)
}

/// An argument that must be a finite number above 0.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("not a number above 0".to_owned()),
    }
}
