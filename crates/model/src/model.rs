//! A model: what it is made of, and what is known of its training.

use ddsp_kernels::{LoudnessStatistics, PitchStatistics, SpectralLossTerms};
use serde::{Deserialize, Serialize};

use crate::{Config, Parameters};

/// A DDSP autoencoder with its parameters, ready to play.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// How it is built.
    pub config: Config,
    /// What it has learned.
    pub parameters: Parameters,
    /// Where it comes from.
    pub metadata: ModelMetadata,
}

impl Model {
    /// A model before training, determined by `seed`.
    ///
    /// # Panics
    ///
    /// If `config` is not valid; those from a preset, TOML or `set` are.
    pub fn new(config: Config, seed: u64) -> Self {
        let parameters = config.parameter_table().initial_parameters(seed);
        Self { config, parameters, metadata: ModelMetadata::default() }
    }
}

/// Where a model comes from, and what it was trained on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelMetadata {
    /// Pitch of the training set's notes.
    pub pitch: Option<PitchStatistics>,
    /// Loudness of the training set's notes.
    pub loudness: Option<LoudnessStatistics>,
    /// How training went; absent from an untrained model.
    pub training: Option<TrainingSummary>,
    /// Where the recordings come from, in free text.
    pub provenance: String,
    /// Under which licence the recordings are, in free text.
    pub licence: String,
    /// Which of the data was learned from and which held out, in the words of whoever trained it;
    /// evaluation reads it back to know what the model has not heard.
    pub selection: Option<String>,
}

/// How training went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSummary {
    /// Steps done; the parameters are those after `best_step`.
    pub steps: u64,
    /// The step whose parameters are kept.
    pub best_step: u64,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Examples learned from.
    pub n_examples: usize,
    /// Examples held out.
    pub n_held_out: usize,
    /// Mean training loss of the last steps, 50 or as many as there were.
    pub loss: LossSummary,
    /// Held-out loss at `best_step`, where examples were held out.
    pub held_out_loss: Option<LossSummary>,
}

/// A spectral loss in its two usual parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossSummary {
    /// The sum of all parts: of both, and of the other terms if the loss has any.
    pub total: f64,
    /// Difference of magnitudes.
    pub magnitude: f64,
    /// Difference of log magnitudes.
    pub log_magnitude: f64,
}

impl From<SpectralLossTerms> for LossSummary {
    fn from(terms: SpectralLossTerms) -> Self {
        let SpectralLossTerms { magnitude, log_magnitude, .. } = terms;
        Self { total: terms.total(), magnitude, log_magnitude }
    }
}
