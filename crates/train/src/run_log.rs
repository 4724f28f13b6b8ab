//! The log of a run: one JSON object a line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use ddsp_kernels::SpectralLossTerms;
use serde::{Deserialize, Serialize};

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

/// The terms of a loss by name: the magnitudes and their logarithms always, the others where the
/// loss has them.
pub fn loss_terms(terms: SpectralLossTerms) -> Vec<(&'static str, f64)> {
    let SpectralLossTerms { magnitude, log_magnitude, .. } = terms;
    let SpectralLossTerms { delta_time, delta_freq, cumsum_freq, loudness, .. } = terms;
    let optional = [
        ("delta_time", delta_time),
        ("delta_freq", delta_freq),
        ("cumsum_freq", cumsum_freq),
        ("loudness", loudness),
    ];
    let always = [("magnitude", magnitude), ("log_magnitude", log_magnitude)];
    always.into_iter().chain(optional.into_iter().filter(|(_, value)| *value != 0.0)).collect()
}

/// A line of `metrics.jsonl`; terms that the loss does not have are absent.
#[derive(Serialize)]
struct Line {
    step: u64,
    loss: f64,
    #[serde(flatten)]
    terms: BTreeMap<String, f64>,
    held_out_loss: Option<f64>,
    held_out_loss_magnitude: Option<f64>,
    held_out_loss_log_magnitude: Option<f64>,
    #[serde(flatten)]
    held_out_terms: BTreeMap<String, f64>,
    gradient_norm: f64,
    learning_rate: f64,
    seconds: f64,
}

impl From<&StepRecord> for Line {
    fn from(record: &StepRecord) -> Self {
        let named = |prefix: &str, terms: Option<SpectralLossTerms>, skipped: usize| {
            let terms = terms.map(loss_terms).unwrap_or_default().into_iter().skip(skipped);
            terms.map(|(name, value)| (format!("{prefix}_{name}"), value)).collect()
        };
        Self {
            step: record.step,
            loss: record.loss.total(),
            terms: named("loss", Some(record.loss), 0),
            held_out_loss: record.held_out.map(SpectralLossTerms::total),
            held_out_loss_magnitude: record.held_out.map(|terms| terms.magnitude),
            held_out_loss_log_magnitude: record.held_out.map(|terms| terms.log_magnitude),
            held_out_terms: named("held_out_loss", record.held_out, 2),
            gradient_norm: record.gradient_norm,
            learning_rate: record.learning_rate,
            seconds: record.seconds,
        }
    }
}

/// `metrics.jsonl`, open for writing.
///
/// Each line reaches the system in one write, so a run that is killed leaves whole lines.
pub(crate) struct RunLog {
    path: PathBuf,
    file: File,
}

impl RunLog {
    /// Begins a new log at `path`, over any there was.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(failed("write", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Continues the log at `path` after `last_step`: later lines, and one that a power failure cut
    /// off, are dropped.
    pub(crate) fn continue_after(path: &Path, last_step: u64) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed("read", path)(error)),
        };
        let step = |line: &str| serde_json::from_str::<Step>(line).ok().map(|line| line.step);
        let kept = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .take_while(|line| step(line).is_some_and(|step| step <= last_step));
        ddsp_data::write_atomically(path, |file| {
            kept.into_iter().try_for_each(|line| file.write_all(line.as_bytes()))
        })?;
        let file = File::options().append(true).open(path).map_err(failed("write", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one line.
    pub(crate) fn write(&mut self, record: &StepRecord) -> Result<(), Error> {
        let mut line =
            serde_json::to_string(&Line::from(record)).expect("numbers have a JSON form");
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(failed("write", &self.path))
    }
}

/// What tells one line from another.
#[derive(Deserialize)]
struct Step {
    step: u64,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64, held_out: bool) -> StepRecord {
        let loss = SpectralLossTerms { magnitude: 1.0, log_magnitude: 2.0, ..Default::default() };
        StepRecord {
            step,
            loss: SpectralLossTerms { loudness: 0.5, ..loss },
            gradient_norm: 4.0,
            learning_rate: 1e-3,
            seconds: 0.25,
            held_out: held_out.then_some(loss),
        }
    }

    fn steps(path: &Path) -> Vec<u64> {
        let text = std::fs::read_to_string(path).expect("a log");
        text.lines().map(|line| serde_json::from_str::<Step>(line).expect("whole").step).collect()
    }

    #[test]
    fn a_line_has_every_term_of_the_loss_and_is_in_the_file_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.jsonl");
        let mut log = RunLog::create(&path).expect("created");
        log.write(&record(1, false)).expect("written");
        let text = std::fs::read_to_string(&path).expect("there before the log is closed");
        let expected = "{\"step\":1,\"loss\":3.5,\"loss_log_magnitude\":2.0,\
                        \"loss_loudness\":0.5,\"loss_magnitude\":1.0,\"held_out_loss\":null,\
                        \"held_out_loss_magnitude\":null,\"held_out_loss_log_magnitude\":null,\
                        \"gradient_norm\":4.0,\"learning_rate\":0.001,\"seconds\":0.25}\n";
        assert_eq!(text, expected);
        log.write(&record(2, true)).expect("written");
        let text = std::fs::read_to_string(&path).expect("there");
        assert!(text.contains("\"held_out_loss\":3.0,\"held_out_loss_magnitude\":1.0"), "{text}");
    }

    #[test]
    fn a_log_goes_on_after_a_step_and_drops_what_is_repeated_or_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("metrics.jsonl");
        let mut log = RunLog::create(&path).expect("created");
        (1..=5).for_each(|step| log.write(&record(step, false)).expect("written"));
        drop(log);
        let mut log = RunLog::continue_after(&path, 3).expect("continued");
        log.write(&record(4, true)).expect("written");
        assert_eq!(steps(&path), [1, 2, 3, 4], "steps 4 and 5 of the first run are gone");
        let whole = std::fs::read_to_string(&path).expect("a log");
        std::fs::write(&path, &whole[..whole.len() - 1]).expect("cut off");
        RunLog::continue_after(&path, 9).expect("continued");
        assert_eq!(steps(&path), [1, 2, 3], "a line without its end may lack digits");
        let none = folder.path().join("none.jsonl");
        RunLog::continue_after(&none, 9).expect("begun");
        assert_eq!(steps(&none), [0; 0], "a log that is not there begins");
    }
}
