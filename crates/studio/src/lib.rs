//! What the commands are made of, callable without a terminal.
//!
//! Nothing here prints or parses arguments: progress goes to a callback, results come back as
//! values, and files appear whole or not at all.

#![forbid(unsafe_code)]

mod analyze;
mod axis;
mod check;
mod demo;
mod distribution;
mod error;
mod evaluate;
mod event;
mod families;
mod figure;
mod learn;
mod matrix;
mod phrase;
mod picture;
mod report;
mod sheet;
mod spectrogram;
mod threads;
mod timbre;
mod transfer;
mod wav;

pub use analyze::{Analysis, AnalysisSummary, analyze, frame_grid};
pub use axis::{Axis, Scale};
pub use check::{Check, Limit};
pub use demo::{DemoOptions, DemoReport, PlayedSound, demo};
pub use distribution::statistics_picture;
pub use error::{Error, Result};
pub use evaluate::{
    EvaluateOptions, EvaluateSettings, Evaluated, Evaluation, EvaluationReport, ExampleMeasures,
    GroupSummary, Label, Part, PlayerSummary, Summaries, evaluate, evaluate_examples,
};
pub use event::{Conductor, Event, TrainingProgress};
pub use figure::{Curve, Figure, Image, Level, Role, data_url};
pub use learn::{
    BaselineLosses, DataSummary, LearnOptions, LearnReport, MODEL_FILE, Profile, Split, learn,
    learning_section, loss_curves, split,
};
pub use matrix::{
    Extremes, LearnedFamily, MatrixCell, MatrixOptions, MatrixPhrase, MatrixReport, MatrixSummary,
    Placed, matrix,
};
pub use picture::Grid;
pub use report::{
    Baseline, Block, FeatureCurves, LossPoint, Report, Section, Sound, number, training_section,
};
pub use sheet::sheet;
pub use spectrogram::spectrogram_db;
pub use transfer::{Transfer, TransferMeasures, comparison, transfer, transfer_file};
pub use wav::wav_bytes;
