//! How a command ends that does not succeed.

use std::io;
use std::process::ExitCode;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The arguments make no sense together: exit code 2.
    Arguments(String),
    /// The work failed or a check was not met: exit code 1.
    Work(anyhow::Error),
    /// Whoever read the results has seen enough: exit code 0.
    BrokenPipe,
}

impl Failure {
    /// Tells the user in one line, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Arguments(reason) => {
                eprintln!("error: {reason}");
                ExitCode::from(2)
            }
            Self::Work(error) => {
                // Causes are part of the messages of our crates: the outermost says it all.
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
            Self::BrokenPipe => ExitCode::SUCCESS,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let io = match error.downcast_ref() {
            Some(ddsp_data::Error::Results(io)) => Some(io),
            _ => error.downcast_ref::<io::Error>(),
        };
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::BrokenPipe) => Self::BrokenPipe,
            _ => Self::Work(error),
        }
    }
}
