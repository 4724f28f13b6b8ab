//! The log of a run: one JSON object a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ddsp_kernels::SpectralLossTerms;
use serde::Serialize;

use crate::error::Error;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRecord {
    /// Number of the step, from 1.
    pub step: u64,
    /// Mean loss over the batch, before the update.
    pub loss: SpectralLossTerms,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate of the update.
    pub learning_rate: f64,
    /// Seconds since training began.
    pub seconds: f64,
    /// Loss on held-out examples after the update, where it was measured.
    pub held_out: Option<SpectralLossTerms>,
}

/// A line of `metrics.jsonl`.
#[derive(Serialize)]
struct Line {
    step: u64,
    loss: f64,
    loss_magnitude: f64,
    loss_log_magnitude: f64,
    held_out_loss: Option<f64>,
    held_out_loss_magnitude: Option<f64>,
    held_out_loss_log_magnitude: Option<f64>,
    gradient_norm: f64,
    learning_rate: f64,
    seconds: f64,
}

impl From<&StepRecord> for Line {
    fn from(record: &StepRecord) -> Self {
        Self {
            step: record.step,
            loss: record.loss.total(),
            loss_magnitude: record.loss.magnitude,
            loss_log_magnitude: record.loss.log_magnitude,
            held_out_loss: record.held_out.map(SpectralLossTerms::total),
            held_out_loss_magnitude: record.held_out.map(|terms| terms.magnitude),
            held_out_loss_log_magnitude: record.held_out.map(|terms| terms.log_magnitude),
            gradient_norm: record.gradient_norm,
            learning_rate: record.learning_rate,
            seconds: record.seconds,
        }
    }
}

/// `metrics.jsonl`, open for writing.
///
/// Lines reach the file whole: at every held-out loss, and when the log is closed.
pub(crate) struct RunLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl RunLog {
    /// Begins a new log at `path`, over any there was.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(failed(path))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// Appends one line.
    pub(crate) fn write(&mut self, record: &StepRecord) -> Result<(), Error> {
        let mut line =
            serde_json::to_string(&Line::from(record)).expect("numbers have a JSON form");
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(failed(&self.path))?;
        if record.held_out.is_some() { self.flush() } else { Ok(()) }
    }

    /// Makes sure that every line is in the file.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(failed(&self.path))
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action: "write", path, source }
}
