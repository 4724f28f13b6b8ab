//! How well a model plays what it has not heard: every measure, on every example, beside baselines.

mod label;
mod page;
mod report;
mod selection;

use std::path::PathBuf;

use ddsp_data::{ExampleIndex, F0Source, Filter};
use ddsp_kernels::VOICED_CONFIDENCE;
use ddsp_model::Model;
use ddsp_train::{EvaluationOptions, ExampleSource, Judge, MeanSpectrum, Player};

use crate::error::Result;
use crate::event::Conductor;
use crate::report::Report;

pub use label::Label;
pub use report::{
    Evaluation, EvaluationReport, ExampleMeasures, GroupSummary, PlayerSummary, Summaries,
};
pub use selection::Part;
use selection::{Chosen, choose};
pub(crate) use selection::{Selection, fingerprint};

/// What a model is called among the players.
const MODEL: &str = "model";

/// What to judge, and by which examples.
#[derive(Clone, Debug)]
pub struct EvaluateOptions {
    /// The model file.
    pub model: PathBuf,
    /// Record files, folders of them, or patterns.
    pub data: Vec<PathBuf>,
    /// Where f0 comes from; as in training if not given, from the record if that is not known.
    pub f0: Option<F0Source>,
    /// Which of the examples to use.
    pub filter: Filter,
    /// Heard in training or not.
    pub part: Part,
    /// Records to learn the mean spectrum from; the training part of `data` if none are given.
    pub train_data: Vec<PathBuf>,
    /// How to judge.
    pub settings: EvaluateSettings,
}

/// How to judge.
#[derive(Clone, Copy, Debug)]
pub struct EvaluateSettings {
    /// At most so many examples, evenly spaced.
    pub max_examples: usize,
    /// Seed of the noise; that of the model's training if not given, so that the loss is the one
    /// that training saw.
    pub seed: Option<u64>,
    /// What the errors are grouped by.
    pub by: Label,
    /// Whether the baselines are judged, too.
    pub baselines: bool,
}

impl Default for EvaluateSettings {
    fn default() -> Self {
        Self { max_examples: 200, seed: None, by: Label::Family, baselines: true }
    }
}

/// An evaluation and all it takes to hear it.
pub struct Evaluated {
    /// What was found.
    pub report: EvaluationReport,
    model: Model,
    examples: ExampleIndex,
}

impl Evaluated {
    /// A page with the tables, and the sounds of the best, the median and the worst example.
    ///
    /// # Errors
    ///
    /// If their records cannot be read any more.
    pub fn page(&self) -> Result<Report> {
        let judge = Judge::new(&self.model.config, &self.examples, self.report.seed);
        let player = Player::model(MODEL, &self.model);
        page::page(&self.report, self.model.config.grid(), |index| {
            Ok(judge.perform(&player, index)?)
        })
    }
}

/// Judges a model file by record files.
///
/// # Errors
///
/// If the model or the data cannot be used, or the part that is asked for is empty.
pub fn evaluate(options: &EvaluateOptions, conductor: &mut Conductor<'_>) -> Result<Evaluated> {
    conductor.stage("reading the data");
    let model = Model::load(&options.model)?;
    let selection = Selection::of(&model.metadata);
    let f0 = options.f0.or(selection.as_ref().map(|selection| selection.f0)).unwrap_or_default();
    let all = ExampleIndex::open(&options.data, f0)?;
    let Chosen { examples, training, words } =
        choose(&all, selection.as_ref(), options.part, &options.filter)?;
    let (training, mean_spectrum_of) = match (&options.train_data[..], training) {
        ([], Some(training)) => (training, "the training part of the same data"),
        ([], None) => (examples.clone(), "the judged examples themselves, for want of others"),
        (patterns, _) => (ExampleIndex::open(patterns, f0)?, "the training data given"),
    };
    let evaluation = evaluate_examples(&model, &examples, &training, options.settings, conductor)?;
    let report = EvaluationReport {
        model: options.model.clone(),
        data: options.data.clone(),
        part: options.part,
        examples_used: words,
        n_available: examples.len(),
        n_examples: evaluation.examples.len(),
        example_secs: model.config.train.example_secs,
        mean_spectrum_of: mean_spectrum_of.to_owned(),
        voiced_confidence: VOICED_CONFIDENCE,
        seed: options.settings.seed.unwrap_or(model.config.train.seed),
        evaluation,
    };
    Ok(Evaluated { report, model, examples })
}

/// Judges a model by examples; `training` is what the mean spectrum is learned from.
///
/// # Errors
///
/// If there is no example, or one cannot be read or used.
pub fn evaluate_examples(
    model: &Model,
    examples: &dyn ExampleSource,
    training: &dyn ExampleSource,
    settings: EvaluateSettings,
    conductor: &mut Conductor<'_>,
) -> Result<Evaluation> {
    let config = &model.config;
    let mean_spectrum;
    let mut players = vec![Player::model(MODEL, model)];
    if settings.baselines {
        conductor.stage("learning the mean spectrum");
        mean_spectrum = MeanSpectrum::of(config, training, conductor.n_threads)?;
        players.extend([
            Player::input(),
            Player::input_at_minus_6_db(),
            Player::silence(),
            Player::mean_spectrum(&mean_spectrum),
            Player::untrained(config),
        ]);
    }
    conductor.stage("judging");
    let (max_examples, n_threads) = (settings.max_examples, conductor.n_threads);
    let judge = Judge::new(config, examples, settings.seed.unwrap_or(config.train.seed));
    let options = EvaluationOptions { max_examples, n_threads };
    let judged = judge.measure(&players, options, &mut conductor.counter("examples"))?;
    let names: Vec<String> = players.iter().map(|player| player.name().to_owned()).collect();
    Ok(Evaluation::new(&names, judged, settings.by))
}
