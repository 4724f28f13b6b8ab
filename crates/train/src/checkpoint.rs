//! The latest state of a run: `checkpoint.safetensors`, from which it goes on bit for bit.
//!
//! The tensors are flat `f32` buffers in the order of the model's parameters: `parameters`,
//! `first_moment`, `second_moment`, and `best` once there is a best. The metadata, all text: `format`,
//! `format_version`, `config` (TOML), `state` (JSON), and `sha256` of configuration, state and tensors.
//! Where the examples stand and which noise comes next follow from the step.

mod changes;
mod file;

use std::path::Path;

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Config, Parameters};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::run_log::StepRecord;
use crate::source::Fingerprint;
use crate::watch::Watch;

/// Name of the checkpoint in a run folder.
pub(crate) const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// Everything that the steps to come depend on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) config: Config,
    /// Of the training set and of the held-out set.
    pub(crate) fingerprints: [Fingerprint; 2],
    pub(crate) progress: Progress,
    /// The last steps: those not yet judged, and those that a summary averages.
    pub(crate) records: Vec<StepRecord>,
    pub(crate) parameters: Parameters,
    /// Adam's, `[n_parameters]` each.
    pub(crate) moments: [Vec<f32>; 2],
    /// What was kept, and its parameters.
    pub(crate) best: Option<(Best, Parameters)>,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Steps done.
    pub(crate) step: u64,
    /// Seconds spent.
    pub(crate) seconds: f64,
    /// Seconds that one measurement of the held-out loss takes.
    pub(crate) evaluation_secs: f64,
    /// Seconds spent on them.
    pub(crate) evaluating_secs: f64,
    /// Steps since the model was last judged.
    pub(crate) n_unscored: usize,
    /// Times that it was judged since it was best.
    pub(crate) n_without_best: u64,
    /// Held-out loss before training.
    pub(crate) untrained_held_out: Option<Terms>,
    /// What is known of collapses.
    pub(crate) watch: Watch,
}

/// The best model so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Best {
    /// The lower the better.
    pub(crate) score: f64,
    /// The step that led to it.
    pub(crate) step: u64,
    /// Its held-out loss.
    pub(crate) held_out: Option<Terms>,
}

/// Terms of a loss as they are written: in the order of [`SpectralLossTerms`]' fields.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Terms([f64; 6]);

impl From<SpectralLossTerms> for Terms {
    fn from(terms: SpectralLossTerms) -> Self {
        let SpectralLossTerms { magnitude, log_magnitude, delta_time, .. } = terms;
        let SpectralLossTerms { delta_freq, cumsum_freq, loudness, .. } = terms;
        Self([magnitude, log_magnitude, delta_time, delta_freq, cumsum_freq, loudness])
    }
}

impl From<Terms> for SpectralLossTerms {
    fn from(Terms(terms): Terms) -> Self {
        let [magnitude, log_magnitude, delta_time, delta_freq, cumsum_freq, loudness] = terms;
        Self { magnitude, log_magnitude, delta_time, delta_freq, cumsum_freq, loudness }
    }
}

impl Checkpoint {
    /// Writes the checkpoint to `path`: the old content stays until the new is complete and on the
    /// disk.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.to_bytes();
        Ok(ddsp_data::write_atomically(path, |file| {
            std::io::Write::write_all(file, &bytes)?;
            std::io::Write::flush(file)?;
            file.get_ref().sync_all()
        })?)
    }

    /// Reads the checkpoint at `path`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no intact checkpoint of a known version.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|reason| checkpoint_error(path, reason))
    }

    /// Checks that a run of `config` on data with these fingerprints may go on from here.
    ///
    /// # Errors
    ///
    /// If it may not; the message says what has changed.
    pub(crate) fn check(
        &self,
        path: &Path,
        config: &Config,
        fingerprints: [Fingerprint; 2],
        n_parameters: usize,
    ) -> Result<(), Error> {
        let mut changes = changes::changes(&self.config, config);
        for ((was, now), name) in
            self.fingerprints.iter().zip(&fingerprints).zip(["training", "held-out"])
        {
            changes.extend(was.difference(now, name));
        }
        let (step, steps) = (self.progress.step, config.train.steps);
        if steps < step {
            changes.push(format!("train.steps is {steps}, but {step} are done"));
        }
        if changes.is_empty() && self.parameters.values.len() != n_parameters {
            let n = self.parameters.values.len();
            changes.push(format!("it has {n} parameters, the model {n_parameters}"));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let hint = "go on with what the run began with, or start over with --force";
        Err(checkpoint_error(path, format!("{}; {hint}", changes.join("; "))))
    }
}

fn checkpoint_error(path: &Path, reason: String) -> Error {
    Error::Checkpoint { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
