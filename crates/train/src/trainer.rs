//! The training loop: batches, updates, held-out losses, the best model on disk.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Config, Model, ModelMetadata, Parameters, TrainingSummary};

use crate::adam::Adam;
use crate::batch_gradient::BatchGradient;
use crate::error::Error;
use crate::evaluation::{EvaluationOptions, evaluate};
use crate::gradient::{BatchLoss, Gradient};
use crate::order::Order;
use crate::parallel::map_indexed;
use crate::run_log::{RunLog, StepRecord};
use crate::source::ExampleSource;

/// Steps that are timed before the duration is foretold; the first ones also warm caches.
const MEASURED_STEPS: u64 = 5;

/// Steps whose losses the summary averages.
const SUMMARY_STEPS: usize = 50;

/// What to train, and for how long.
#[derive(Clone, Debug)]
pub struct TrainOptions<'a> {
    /// The model and the schedule.
    pub config: Config,
    /// An existing folder for `config.toml`, `metrics.jsonl` and `model.safetensors`; none to keep
    /// everything in memory.
    pub folder: Option<&'a Path>,
    /// Threads to compute with; results are the same bits for the same number.
    pub n_threads: usize,
    /// Ends training after so many seconds, if `config.train.steps` are not done before.
    ///
    /// The schedule depends on steps alone, so the model is that of a run with as many steps as
    /// were done.
    pub time_budget_secs: Option<f64>,
    /// Ends training after the present step once it is set.
    pub stop: Option<&'a AtomicBool>,
    /// What the model file says of the data; the summary of the training is filled in.
    pub metadata: ModelMetadata,
}

/// What happens during training.
#[derive(Clone, Debug)]
pub enum TrainEvent<'a> {
    /// Everything is ready.
    Started {
        /// Parameters of the model.
        n_parameters: usize,
        /// Examples to learn from.
        n_examples: usize,
        /// Examples held out.
        n_held_out: usize,
        /// Held-out loss before training, where examples are held out.
        held_out: Option<SpectralLossTerms>,
    },
    /// A few steps were timed.
    Estimated {
        /// Seconds a step takes.
        step_secs: f64,
        /// Seconds the whole training will take, held-out losses included; at most the budget.
        total_secs: f64,
    },
    /// A step was done.
    Step {
        /// What it did.
        record: &'a StepRecord,
        /// Steps a second so far.
        steps_per_sec: f64,
        /// Seconds left.
        remaining_secs: f64,
        /// Whether the model is the best so far, and was kept.
        best: bool,
    },
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were done.
    Complete,
    /// The time was up.
    TimeBudget,
    /// The stop flag was set.
    Stopped,
}

/// A trained model and how it came about.
#[derive(Clone, Debug)]
pub struct TrainOutcome {
    /// The model as kept: the best.
    pub model: Model,
    /// Every step.
    pub records: Vec<StepRecord>,
    /// Held-out loss before training, where examples are held out.
    pub untrained_held_out: Option<SpectralLossTerms>,
    /// Why training ended.
    pub ending: Ending,
}

/// Trains a model on `train_set`.
///
/// The best model is kept: by the loss on `held_out`, measured every `evaluate_every` steps and at
/// the end; without held-out examples by the mean training loss since the last of these points. In
/// the folder it is there from the first of them on, and never broken.
///
/// # Errors
///
/// If a set is empty or an example unusable, if the loss or its gradient becomes NaN or infinite
/// (naming step and examples), or if the folder cannot be written.
pub fn train(
    options: &TrainOptions<'_>,
    train_set: &dyn ExampleSource,
    held_out: &dyn ExampleSource,
    progress: &mut dyn FnMut(TrainEvent<'_>),
) -> Result<TrainOutcome, Error> {
    options.config.validate()?;
    if train_set.is_empty() {
        return Err(Error::NoExamples);
    }
    let mut run = Run::new(options, train_set, held_out)?;
    progress(TrainEvent::Started {
        n_parameters: run.model.parameters.values.len(),
        n_examples: train_set.len(),
        n_held_out: held_out.len(),
        held_out: run.untrained_held_out,
    });
    let ending = loop {
        let ending = run.step()?;
        run.report(progress);
        if let Some(ending) = ending {
            break ending;
        }
    };
    run.finish(ending)
}

/// The best parameters so far.
struct Best {
    score: f64,
    step: u64,
    parameters: Parameters,
    held_out: Option<SpectralLossTerms>,
}

/// A training under way.
struct Run<'a> {
    options: &'a TrainOptions<'a>,
    train_set: &'a dyn ExampleSource,
    held_out: &'a dyn ExampleSource,
    order: Order,
    batch_gradient: BatchGradient,
    adam: Adam,
    model: Model,
    best: Option<Best>,
    log: Option<RunLog>,
    records: Vec<StepRecord>,
    untrained_held_out: Option<SpectralLossTerms>,
    /// Records when the last held-out loss was measured.
    n_scored: usize,
    start: Instant,
    /// Seconds that one measurement of the held-out loss takes.
    evaluation_secs: f64,
    /// Seconds spent on them since `start`.
    evaluating_secs: f64,
}

impl<'a> Run<'a> {
    fn new(
        options: &'a TrainOptions<'a>,
        train_set: &'a dyn ExampleSource,
        held_out: &'a dyn ExampleSource,
    ) -> Result<Self, Error> {
        let config = &options.config;
        let mut model = Model::new(config.clone(), config.train.seed);
        model.metadata = options.metadata.clone();
        let n_parameters = model.parameters.values.len();
        let mut run = Self {
            options,
            train_set,
            held_out,
            order: Order::new(train_set.len(), config),
            batch_gradient: BatchGradient::new(config, options.n_threads),
            adam: Adam::new(n_parameters, &config.train),
            model,
            best: None,
            log: options.folder.map(|folder| open_folder(folder, config)).transpose()?,
            records: Vec::new(),
            untrained_held_out: None,
            n_scored: 0,
            start: Instant::now(),
            evaluation_secs: 0.0,
            evaluating_secs: 0.0,
        };
        run.untrained_held_out = run.measure_held_out()?;
        run.evaluation_secs = run.start.elapsed().as_secs_f64();
        run.start = Instant::now();
        Ok(run)
    }

    /// The present model's loss on held-out examples, if there are any.
    fn measure_held_out(&self) -> Result<Option<SpectralLossTerms>, Error> {
        if self.held_out.is_empty() {
            return Ok(None);
        }
        let max_examples = self.options.config.train.evaluate_examples;
        let options = EvaluationOptions { max_examples, n_threads: self.options.n_threads };
        evaluate(&self.model, self.held_out, options).map(Some)
    }

    /// One update, and what is due after it; tells whether it was the last, and why.
    fn step(&mut self) -> Result<Option<Ending>, Error> {
        let step = self.records.len() as u64;
        let parameters = &mut self.model.parameters.values;
        let draws = self.order.batch(step);
        let (train_set, config) = (self.train_set, &self.options.config);
        let batch = map_indexed(draws.len(), self.options.n_threads, |i| {
            draws[i].window(train_set, config)
        });
        let batch = batch.into_iter().collect::<Result<Vec<_>, _>>()?;
        let losses = self.batch_gradient.evaluate(parameters, &batch)?;
        let loss = mean(losses.iter().map(|loss| loss.terms));
        check_finite(step + 1, &losses)?;
        let learning_rate = self.adam.learning_rate();
        let gradient_norm = self.adam.update(self.batch_gradient.gradient(), parameters);
        if !gradient_norm.is_finite() {
            let examples = losses.into_iter().map(|loss| loss.id).collect();
            return Err(Error::NotFinite { what: "the gradient", step: step + 1, examples });
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let step = step + 1;
        let record =
            StepRecord { step, loss, gradient_norm, learning_rate, seconds, held_out: None };
        self.records.push(record);
        let ending = self.ending();
        if ending.is_some() || step.is_multiple_of(self.options.config.train.evaluate_every) {
            self.score()?;
        }
        if let (Some(log), Some(record)) = (&mut self.log, self.records.last()) {
            log.write(record)?;
        }
        Ok(ending)
    }

    /// Whether the step just done is the last.
    fn ending(&self) -> Option<Ending> {
        let seconds = self.start.elapsed().as_secs_f64();
        let step_secs = (seconds - self.evaluating_secs) / self.records.len() as f64;
        // Time for another step and the last held-out loss must be left.
        let needed = step_secs + self.evaluation_secs;
        if self.records.len() as u64 >= self.options.config.train.steps {
            Some(Ending::Complete)
        } else if self.options.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            Some(Ending::Stopped)
        } else if self.options.time_budget_secs.is_some_and(|budget| seconds + needed > budget) {
            Some(Ending::TimeBudget)
        } else {
            None
        }
    }

    /// Measures the model after the last step, and keeps it if it is the best.
    fn score(&mut self) -> Result<(), Error> {
        let begin = Instant::now();
        let held_out = self.measure_held_out()?;
        let since_last = mean(self.records[self.n_scored..].iter().map(|record| record.loss));
        self.n_scored = self.records.len();
        let score = held_out.unwrap_or(since_last).total();
        let record = self.records.last_mut().expect("a step was done");
        record.held_out = held_out;
        if !score.is_finite() {
            let (step, examples) = (record.step, vec!["held-out examples".to_owned()]);
            return Err(Error::NotFinite { what: "the loss", step, examples });
        }
        if self.best.as_ref().is_none_or(|best| score < best.score) {
            let (step, parameters) = (record.step, self.model.parameters.clone());
            self.best = Some(Best { score, step, parameters, held_out });
            if let Some(folder) = self.options.folder {
                self.kept().save(&folder.join("model.safetensors"))?;
            }
        }
        self.evaluating_secs += begin.elapsed().as_secs_f64();
        Ok(())
    }

    /// The best model, with the summary of the training so far.
    fn kept(&self) -> Model {
        let best = self.best.as_ref().expect("kept only after a score");
        let recent = self.records.len().saturating_sub(SUMMARY_STEPS);
        let mut model = self.model.clone();
        model.parameters = best.parameters.clone();
        model.metadata.training = Some(TrainingSummary {
            steps: self.records.len() as u64,
            best_step: best.step,
            seconds: self.start.elapsed().as_secs_f64(),
            n_examples: self.train_set.len(),
            n_held_out: self.held_out.len(),
            loss: mean(self.records[recent..].iter().map(|record| record.loss)).into(),
            held_out_loss: best.held_out.map(Into::into),
        });
        model
    }

    /// Tells of the last step.
    fn report(&self, progress: &mut dyn FnMut(TrainEvent<'_>)) {
        let Some(record) = self.records.last() else { return };
        let seconds = self.start.elapsed().as_secs_f64();
        let step_secs = (seconds - self.evaluating_secs) / record.step as f64;
        let train = &self.options.config.train;
        let steps_left = train.steps - record.step;
        let evaluations_left =
            train.steps.div_ceil(train.evaluate_every) - record.step / train.evaluate_every;
        let mut remaining_secs = steps_left as f64 * step_secs;
        if steps_left > 0 {
            remaining_secs += evaluations_left as f64 * self.evaluation_secs;
        }
        if let Some(budget) = self.options.time_budget_secs {
            remaining_secs = remaining_secs.min((budget - seconds).max(0.0));
        }
        if record.step == MEASURED_STEPS.min(train.steps) {
            let total_secs = seconds + remaining_secs;
            progress(TrainEvent::Estimated { step_secs, total_secs });
        }
        let best = self.best.as_ref().is_some_and(|best| best.step == record.step);
        progress(TrainEvent::Step { record, steps_per_sec: 1.0 / step_secs, remaining_secs, best });
    }

    /// The outcome; the model's summary in the folder is brought up to date.
    fn finish(mut self, ending: Ending) -> Result<TrainOutcome, Error> {
        let model = self.kept();
        if let Some(folder) = self.options.folder {
            model.save(&folder.join("model.safetensors"))?;
        }
        if let Some(log) = &mut self.log {
            log.flush()?;
        }
        let untrained_held_out = self.untrained_held_out;
        Ok(TrainOutcome { model, records: self.records, untrained_held_out, ending })
    }
}

/// Names the examples whose loss is not a number.
fn check_finite(step: u64, losses: &[BatchLoss]) -> Result<(), Error> {
    let examples: Vec<String> = losses
        .iter()
        .filter(|loss| !loss.terms.total().is_finite())
        .map(|loss| loss.id.clone())
        .collect();
    if examples.is_empty() {
        return Ok(());
    }
    Err(Error::NotFinite { what: "the loss", step, examples })
}

fn mean(terms: impl ExactSizeIterator<Item = SpectralLossTerms>) -> SpectralLossTerms {
    let n = terms.len() as f64;
    let mut sum = SpectralLossTerms::default();
    terms.for_each(|terms| sum += terms);
    sum / n
}

/// Writes the configuration and begins the log.
fn open_folder(folder: &Path, config: &Config) -> Result<RunLog, Error> {
    let path: PathBuf = folder.join("config.toml");
    ddsp_data::write_atomically(&path, |file| {
        std::io::Write::write_all(file, config.to_toml().as_bytes())
    })?;
    RunLog::create(&folder.join("metrics.jsonl"))
}
