//! What can stop training.

use std::path::PathBuf;

/// Why training or evaluation could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to learn from.
    #[error("the training set is empty: check the paths and filters of the data")]
    NoExamples,
    /// An example that cannot be used.
    #[error("example {id} cannot be used: {reason}")]
    Example {
        /// Its name.
        id: String,
        /// Why not.
        reason: String,
    },
    /// The loss or its gradient is not a number.
    #[error(
        "{what} became NaN or infinite at step {step} on {}; the last good model is kept: \
         try a lower train.learning_rate",
        examples.join(", ")
    )]
    NotFinite {
        /// Loss or gradient.
        what: &'static str,
        /// The step, from 1.
        step: u64,
        /// Names of the examples of its batch, as far as known to be guilty.
        examples: Vec<String>,
    },
    /// A file of the run folder could not be written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The data could not be read.
    #[error(transparent)]
    Data(#[from] ddsp_data::Error),
    /// The configuration or the model could not be used.
    #[error(transparent)]
    Model(#[from] ddsp_model::Error),
}
