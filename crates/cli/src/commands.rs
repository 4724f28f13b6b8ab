//! The commands by name.

mod analyze;
mod data;

use crate::console::Console;
use crate::failure::Failure;

/// What to do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make, prepare, sort and inspect data sets.
    #[command(subcommand)]
    Data(data::Data),
    /// Measure f0, confidence and loudness of a recording.
    Analyze(analyze::Analyze),
}

/// Runs a command.
///
/// # Errors
///
/// If it does not succeed.
pub fn run(command: Command, console: &mut Console) -> Result<(), Failure> {
    match command {
        Command::Data(data) => data.run(console),
        Command::Analyze(analyze) => analyze.run(console),
    }
}
