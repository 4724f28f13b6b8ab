//! What can go wrong with configurations and model files.

use std::path::PathBuf;

/// A configuration or a model file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No preset has this name.
    #[error("unknown preset `{name}`{}: presets are {known}", did_you_mean(.nearest))]
    UnknownPreset {
        /// The name asked for.
        name: String,
        /// The preset it resembles most.
        nearest: Option<String>,
        /// All presets, separated by commas.
        known: String,
    },
    /// The text of a configuration does not parse, or holds a key or type that is not its own.
    #[error("configuration, line {line}: {reason}")]
    ConfigText {
        /// Line in the text, from 1.
        line: usize,
        /// What the parser expected there.
        reason: String,
    },
    /// An assignment that is not `section.key=value`.
    #[error("`{assignment}` is not of the form section.key=value, such as train.steps=1000")]
    Assignment {
        /// The text given.
        assignment: String,
    },
    /// An assignment to a key that no configuration has.
    #[error("unknown configuration key `{key}`{}", did_you_mean(.nearest))]
    UnknownKey {
        /// The key given.
        key: String,
        /// The key it resembles most.
        nearest: Option<String>,
    },
    /// An assignment of a value of the wrong type.
    #[error("`{value}` does not fit {key}: {reason}")]
    WrongType {
        /// The key assigned to.
        key: String,
        /// The value given.
        value: String,
        /// What the key takes.
        reason: String,
    },
    /// A value outside its range.
    #[error("{key} is {value}, but must be {allowed}")]
    OutOfRange {
        /// Section and key.
        key: &'static str,
        /// The value found.
        value: String,
        /// The range, in words.
        allowed: String,
    },
    /// A configuration whose sections do not make a model.
    #[error("the configuration needs {wanted}, and has {found}")]
    Sections {
        /// Which sections a model has.
        wanted: &'static str,
        /// Which of them there are.
        found: String,
    },
    /// Bytes that are not a model file of ours, or a damaged one.
    #[error("not a usable model: {reason}")]
    Format {
        /// What is wrong, and the way out where there is one.
        reason: String,
    },
    /// A model file of a version that this reader does not know.
    #[error(
        "model format version {found} is unknown: this program reads version {known}; \
         use the program that wrote the model, or a newer one"
    )]
    Version {
        /// The version in the file.
        found: String,
        /// The version this code reads.
        known: u32,
    },
    /// A parameter that is not a number: training went wrong, or the file was tampered with.
    #[error("tensor {tensor} holds NaN or infinity")]
    NotFinite {
        /// Name of the tensor.
        tensor: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An error within a named file.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
}

/// `, did you mean …?` or nothing.
fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}
