//! What the commands are made of, callable without a terminal.
//!
//! Nothing here prints or parses arguments: progress goes to a callback, results come back as
//! values, and files appear whole or not at all.

#![forbid(unsafe_code)]

mod axis;
mod check;
mod figure;
mod picture;
mod report;
mod spectrogram;
mod wav;

pub use axis::{Axis, Scale};
pub use check::{Check, Limit};
pub use figure::{Curve, Figure, Image, Level, Role, data_url};
pub use picture::Grid;
pub use report::{
    Baseline, Block, FeatureCurves, LossPoint, Report, Section, Sound, number, training_section,
};
pub use spectrogram::spectrogram_db;
pub use wav::wav_bytes;
