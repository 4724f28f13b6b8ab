//! The commands by name.

mod analyze;
mod data;
mod model;
mod transfer;

use std::io::Write;
use std::path::Path;

use ddsp_data::write_atomically;

use crate::console::Console;
use crate::failure::Failure;

/// What to do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make, prepare, sort and inspect data sets.
    #[command(subcommand)]
    Data(data::Data),
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
        Command::Data(data) => data.run(console),
        Command::Transfer(transfer) => transfer.run(console),
        Command::Analyze(analyze) => analyze.run(console),
        Command::Model(model) => model.run(console),
    }
}

/// Writes a text file, whole or not at all.
fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    Ok(write_atomically(path, |file| file.write_all(text.as_bytes()))?)
}
