//! `ddsp model …`

mod show;

use crate::console::Console;
use crate::failure::Failure;

/// Looks into model files.
#[derive(clap::Subcommand)]
pub enum Model {
    /// Tell how a model is built and how it was trained.
    Show(show::Show),
}

impl Model {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If it does not succeed.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        match self {
            Self::Show(show) => show.run(console),
        }
    }
}
