//! What can go wrong when the parts work together.

use std::path::PathBuf;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Data or audio files.
    #[error(transparent)]
    Data(#[from] ddsp_data::Error),
    /// Configurations or model files.
    #[error(transparent)]
    Model(#[from] ddsp_model::Error),
    /// Training or evaluation.
    #[error(transparent)]
    Train(#[from] ddsp_train::Error),
    /// A run folder whose training was interrupted, with the model it left.
    #[error(
        "output folder {}: its training was interrupted; the best model is model.safetensors there; \
         go on with --resume, start over with --force, or name a new folder",
        path.display()
    )]
    Unfinished {
        /// The run folder.
        path: PathBuf,
    },
    /// The user stopped the training that further work needs.
    #[error(
        "stopped while training: the best model so far is {}; run again to train anew",
        model.display()
    )]
    Stopped {
        /// The model file.
        model: PathBuf,
    },
    /// The user stopped work that goes on when it is asked for again.
    #[error("stopped while {during}: what is done is kept; the same command goes on from there")]
    Interrupted {
        /// What was under way: `learning flute`.
        during: String,
    },
    /// A sound to transfer that has no pitch.
    #[error(
        "{}: no note found: the sound must have one pitch at a time and be louder than -60 dB",
        path.display()
    )]
    NoNote {
        /// The audio file.
        path: PathBuf,
    },
    /// A model file that lacks what transfer needs.
    #[error("{}: the model does not know its training set's {what}: train it again", path.display())]
    NoStatistics {
        /// The model file.
        path: PathBuf,
        /// `pitch` or `loudness`.
        what: &'static str,
    },
    /// A rate that does not go with another.
    #[error("{frame_rate} frames a second do not divide {sample_rate} Hz: choose a divisor")]
    FrameRate {
        /// Samples a second.
        sample_rate: u32,
        /// Frames a second.
        frame_rate: u32,
    },
    /// A sound of less than one frame.
    #[error("{}: shorter than one frame of {hop} samples", path.display())]
    TooShort {
        /// The audio file.
        path: PathBuf,
        /// Samples of a frame.
        hop: usize,
    },
    /// The examples to judge by are those that the model has heard.
    #[error(
        "the model was trained on all {n} of these examples, with none held out: judge it by other \
         data, or by what it has heard with --split train"
    )]
    NothingHeldOut {
        /// How many there are.
        n: usize,
    },
    /// Examples that the model has heard are wanted, and it is not known which these are.
    #[error(
        "these are not the records that the model was trained on, or not in the same order: name \
         those, or leave --split train out"
    )]
    NotTrainingData,
    /// A run folder whose log cannot be understood.
    #[error("{}, line {line}: {reason}; train again with --force", path.display())]
    Log {
        /// `metrics.jsonl`.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
