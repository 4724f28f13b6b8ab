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
    /// The loss, its gradient or a parameter is not a number.
    #[error(
        "{what} became NaN or infinite at step {step} on {}; {}: \
         try a lower train.learning_rate or a train.warmup_steps",
        examples.join(", "),
        what_is_kept(checkpoint.as_ref(), model.as_ref())
    )]
    NotFinite {
        /// Loss, gradient or parameter.
        what: &'static str,
        /// The step, from 1.
        step: u64,
        /// Names of the examples of its batch, as far as known to be guilty.
        examples: Vec<String>,
        /// The last good checkpoint, the step after which it was written, and its path.
        checkpoint: Option<(u64, PathBuf)>,
        /// The best model so far.
        model: Option<PathBuf>,
    },
    /// A checkpoint that cannot be used, or not with these options or data.
    #[error("cannot go on from {}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A tensor of another model that has another shape here.
    #[error(
        "{tensor} is {found:?} in the model to begin from, but {wanted:?} here: give both the same \
         configuration, or take another part alone with --only"
    )]
    InitialShape {
        /// Its name.
        tensor: String,
        /// Its shape here.
        wanted: Vec<usize>,
        /// Its shape there.
        found: Vec<usize>,
    },
    /// Another model that has nothing to begin from.
    #[error("the model to begin from has no {part} that is wanted here; it has {known}")]
    NothingInitial {
        /// What was asked for.
        part: String,
        /// What there is.
        known: String,
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

/// What is left of a run that failed.
fn what_is_kept(checkpoint: Option<&(u64, PathBuf)>, model: Option<&PathBuf>) -> String {
    let checkpoint = checkpoint.map(|(step, path)| {
        format!("the last good checkpoint, of step {step}, is {}", path.display())
    });
    let model = model.map(|path| format!("the best model so far is {}", path.display()));
    let kept: Vec<String> = checkpoint.into_iter().chain(model).collect();
    if kept.is_empty() { "nothing was kept yet".to_owned() } else { kept.join(", ") }
}
