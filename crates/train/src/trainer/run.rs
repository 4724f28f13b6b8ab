//! A training under way.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Model, Parameters, TrainingSummary};

use super::finite::are_finite;
use super::folder::{MODEL_FILE, remove_if_there, write_config};
use super::{Ending, TrainEvent, TrainOptions, TrainOutcome};
use crate::adam::Adam;
use crate::checkpoint::{Best, CHECKPOINT_FILE, Checkpoint, Progress};
use crate::error::Error;
use crate::evaluation::{EvaluationOptions, evaluate};
use crate::gradient::{BatchLoss, Gradient, StepTimes};
use crate::initialization::{Initialization, initialize};
use crate::run_log::{RunLog, StepRecord};
use crate::source::{ExampleSource, Fingerprint};
use crate::watch::Alarm;
use crate::window::Window;

/// Steps that are timed before the duration is foretold; the first ones also warm caches.
const MEASURED_STEPS: u64 = 5;

/// Steps whose losses the summary averages.
const SUMMARY_STEPS: usize = 50;

/// A training under way.
pub(super) struct Run<'a> {
    pub(super) options: &'a TrainOptions<'a>,
    pub(super) train_set: &'a dyn ExampleSource,
    held_out: &'a dyn ExampleSource,
    gradient: &'a mut dyn Gradient,
    adam: Adam,
    model: Model,
    best: Option<(Best, Parameters)>,
    log: Option<RunLog>,
    /// The steps done, as far back as needed.
    records: Vec<StepRecord>,
    progress: Progress,
    fingerprints: [Fingerprint; 2],
    /// The step of the last checkpoint in the folder.
    saved: Option<u64>,
    /// Steps done before this call.
    n_before: u64,
    /// Seconds spent before this call.
    secs_before: f64,
    start: Instant,
    initialization: Option<Initialization>,
    /// Alarms of this call, and how many of them were told.
    alarms: Vec<Alarm>,
    n_told: usize,
    /// Time spent on updates.
    updating: Duration,
    /// Time spent waiting for batches.
    pub(super) waited: Duration,
}

impl<'a> Run<'a> {
    /// Makes everything ready, from a checkpoint if there is one to go on from.
    pub(super) fn new(
        gradient: &'a mut dyn Gradient,
        options: &'a TrainOptions<'a>,
        train_set: &'a dyn ExampleSource,
        held_out: &'a dyn ExampleSource,
    ) -> Result<Self, Error> {
        let config = &options.config;
        assert_eq!(gradient.batch_len(), config.train.batch, "train: windows in a batch");
        let mut model = Model::new(config.clone(), config.train.seed);
        model.metadata = options.metadata.clone();
        let n_parameters = model.parameters.values.len();
        let mut run = Self {
            options,
            train_set,
            held_out,
            gradient,
            adam: Adam::new(n_parameters, &config.train),
            model,
            best: None,
            log: None,
            records: Vec::new(),
            progress: Progress::default(),
            fingerprints: [train_set, held_out].map(Fingerprint::new),
            saved: None,
            n_before: 0,
            secs_before: 0.0,
            start: Instant::now(),
            initialization: None,
            alarms: Vec::new(),
            n_told: 0,
            updating: Duration::ZERO,
            waited: Duration::ZERO,
        };
        let checkpoint = options.folder.map(|folder| folder.join(CHECKPOINT_FILE));
        match checkpoint.filter(|path| options.resume && path.exists()) {
            Some(path) => run.resume(&path)?,
            None => run.start_anew()?,
        }
        run.start = Instant::now();
        Ok(run)
    }

    fn start_anew(&mut self) -> Result<(), Error> {
        if let Some(initial) = &self.options.initial {
            self.initialization = Some(initialize(&mut self.model, initial)?);
        }
        if let Some(folder) = self.options.folder {
            // A checkpoint of a run that is started over must not outlive it.
            remove_if_there(&folder.join(CHECKPOINT_FILE))?;
            write_config(folder, &self.options.config)?;
            self.log = Some(RunLog::create(&folder.join("metrics.jsonl"))?);
        }
        self.progress.untrained_held_out = self.measure_held_out()?.map(Into::into);
        self.progress.evaluation_secs = self.start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Takes the state from the checkpoint at `path`, and cuts the log back to it.
    fn resume(&mut self, path: &Path) -> Result<(), Error> {
        let config = &self.options.config;
        let n_parameters = self.model.parameters.values.len();
        let checkpoint = Checkpoint::load(path)?;
        checkpoint.check(path, config, self.fingerprints, n_parameters)?;
        let Checkpoint { progress, records, parameters, moments, best, .. } = checkpoint;
        self.model.parameters = parameters;
        self.adam.restore(progress.step, moments);
        self.best = best;
        self.records = records;
        (self.n_before, self.secs_before) = (progress.step, progress.seconds);
        self.saved = Some(progress.step);
        self.progress = progress;
        let folder = path.parent().expect("a file in a folder");
        write_config(folder, config)?;
        // The last step's line is written anew: a run that was stopped there measured it once more.
        let log_path = folder.join("metrics.jsonl");
        self.log = Some(RunLog::continue_after(&log_path, self.progress.step - 1)?);
        Ok(())
    }

    /// Tells what is there before the first step.
    pub(super) fn begin(&self, progress: &mut dyn FnMut(TrainEvent<'_>)) {
        progress(TrainEvent::Started {
            n_parameters: self.model.parameters.values.len(),
            n_examples: self.train_set.len(),
            n_held_out: self.held_out.len(),
            held_out: self.progress.untrained_held_out.map(Into::into),
        });
        if let Some(report) = &self.initialization {
            progress(TrainEvent::Initialized { report });
        }
        if self.n_before > 0 {
            progress(TrainEvent::Resumed { step: self.n_before });
        }
    }

    /// Whether a run that goes on from a checkpoint has nothing left to do. Writes the line of the
    /// checkpoint's step.
    pub(super) fn ending_on_resume(&mut self) -> Result<Option<Ending>, Error> {
        if self.n_before == 0 {
            return Ok(None);
        }
        let ending = self.ending();
        if ending.is_some() && !self.is_score_due() {
            self.score()?;
        }
        self.write_line()?;
        Ok(ending)
    }

    /// The steps that are left, counted from 0.
    pub(super) fn steps_left(&self) -> Range<u64> {
        self.progress.step..self.options.config.train.steps
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
    pub(super) fn step(&mut self, batch: &[Window]) -> Result<Option<Ending>, Error> {
        let losses = self.gradient.evaluate(&self.model.parameters.values, batch)?;
        self.progress.step += 1;
        let guilty = losses.iter().filter(|loss| !loss.terms.total().is_finite());
        let guilty: Vec<&str> = guilty.map(|loss| loss.id.as_str()).collect();
        if !guilty.is_empty() {
            return Err(self.not_finite("the loss", guilty));
        }
        let (learning_rate, begin) = (self.adam.learning_rate(), Instant::now());
        let parameters = &mut self.model.parameters.values;
        let gradient_norm = self.adam.update(self.gradient.gradient(), parameters);
        let parameters_are_finite = are_finite(parameters);
        self.updating += begin.elapsed();
        let ids = losses.iter().map(|loss| loss.id.as_str());
        if !gradient_norm.is_finite() {
            return Err(self.not_finite("the gradient", ids.collect()));
        }
        if !parameters_are_finite {
            return Err(self.not_finite("a parameter", ids.collect()));
        }
        self.records.push(StepRecord {
            step: self.progress.step,
            loss: mean(losses.iter().map(|loss| loss.terms)),
            gradient_norm,
            learning_rate,
            seconds: self.seconds(),
            held_out: None,
        });
        self.finish_step(batch, &losses)
    }

    /// What is due after an update: the held-out loss, the checkpoint, the log.
    fn finish_step(
        &mut self,
        batch: &[Window],
        losses: &[BatchLoss],
    ) -> Result<Option<Ending>, Error> {
        self.progress.n_unscored += 1;
        self.progress.watch.add(batch, losses);
        if self.is_score_due() {
            self.score()?;
            let config = &self.options.config;
            self.alarms.extend(self.progress.watch.period_ends(self.progress.step, config));
        }
        let ending = self.ending();
        let checkpoint_every = self.options.config.train.checkpoint_every;
        if ending.is_some() || self.progress.step.is_multiple_of(checkpoint_every) {
            self.save_checkpoint()?;
        }
        // Not before the checkpoint: a run that goes on from it does not measure here.
        if ending.is_some() && !self.is_score_due() {
            self.score()?;
        }
        self.write_line()?;
        Ok(ending)
    }

    fn is_score_due(&self) -> bool {
        self.progress.step.is_multiple_of(self.options.config.train.evaluate_every)
    }

    fn write_line(&mut self) -> Result<(), Error> {
        match (&mut self.log, self.records.last()) {
            (Some(log), Some(record)) => log.write(record),
            _ => Ok(()),
        }
    }

    /// Seconds of training so far.
    fn seconds(&self) -> f64 {
        self.secs_before + self.start.elapsed().as_secs_f64()
    }

    /// Seconds that a step takes without measuring the held-out loss.
    fn step_secs(&self) -> f64 {
        (self.seconds() - self.progress.evaluating_secs) / self.progress.step as f64
    }

    /// Whether the step just done is the last.
    fn ending(&self) -> Option<Ending> {
        let train = &self.options.config.train;
        // Time for another step and the last held-out loss must be left.
        let needed = self.step_secs() + self.progress.evaluation_secs;
        let is_spent = |budget: f64| self.seconds() + needed > budget;
        if self.progress.step >= train.steps {
            Some(Ending::Complete)
        } else if train.patience > 0 && self.progress.n_without_best >= train.patience {
            Some(Ending::Plateau)
        } else if self.options.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            Some(Ending::Stopped)
        } else if self.options.time_budget_secs.is_some_and(is_spent) {
            Some(Ending::TimeBudget)
        } else {
            None
        }
    }

    /// Measures the model after the last step, and keeps it if it is the best.
    fn score(&mut self) -> Result<(), Error> {
        let begin = Instant::now();
        let held_out = self.measure_held_out()?;
        let unscored = self.records.len() - self.progress.n_unscored.max(1);
        let since_last = mean(self.records[unscored..].iter().map(|record| record.loss));
        self.progress.n_unscored = 0;
        let score = held_out.unwrap_or(since_last).total();
        let record = self.records.last_mut().expect("a step was done");
        record.held_out = held_out;
        let step = record.step;
        if !score.is_finite() {
            return Err(self.not_finite("the loss", vec!["held-out examples"]));
        }
        self.progress.n_without_best += 1;
        if self.best.as_ref().is_none_or(|(best, _)| score < best.score) {
            let best = Best { score, step, held_out: held_out.map(Into::into) };
            self.best = Some((best, self.model.parameters.clone()));
            self.progress.n_without_best = 0;
            if let Some(folder) = self.options.folder {
                self.kept().save(&folder.join(MODEL_FILE))?;
            }
        }
        self.progress.evaluating_secs += begin.elapsed().as_secs_f64();
        Ok(())
    }

    /// Writes the state after the last step.
    fn save_checkpoint(&mut self) -> Result<(), Error> {
        let Some(folder) = self.options.folder else { return Ok(()) };
        self.progress.seconds = self.seconds();
        let needed = SUMMARY_STEPS.max(self.progress.n_unscored);
        let checkpoint = Checkpoint {
            config: self.options.config.clone(),
            fingerprints: self.fingerprints,
            progress: self.progress.clone(),
            records: self.records[self.records.len().saturating_sub(needed)..].to_vec(),
            parameters: self.model.parameters.clone(),
            moments: self.adam.moments().map(<[f32]>::to_vec),
            best: self.best.clone(),
        };
        checkpoint.save(&folder.join(CHECKPOINT_FILE))?;
        self.saved = Some(self.progress.step);
        Ok(())
    }

    /// The best model, with the summary of the training so far.
    fn kept(&self) -> Model {
        let (best, parameters) = self.best.as_ref().expect("kept only after a score");
        let recent = self.records.len().saturating_sub(SUMMARY_STEPS);
        let mut model = self.model.clone();
        model.parameters = parameters.clone();
        model.metadata.training = Some(TrainingSummary {
            steps: self.progress.step,
            best_step: best.step,
            seconds: self.seconds(),
            n_examples: self.train_set.len(),
            n_held_out: self.held_out.len(),
            loss: mean(self.records[recent..].iter().map(|record| record.loss)).into(),
            held_out_loss: best.held_out.map(|terms| SpectralLossTerms::from(terms).into()),
        });
        model
    }

    /// Tells of the last step.
    ///
    /// What whoever listens does meanwhile, such as playing and drawing, is no part of a step.
    pub(super) fn report(&mut self, progress: &mut dyn FnMut(TrainEvent<'_>)) {
        let begin = Instant::now();
        let Some(record) = self.records.last() else { return };
        let (step_secs, train) = (self.step_secs(), &self.options.config.train);
        let steps_left = train.steps - record.step;
        let evaluations_left =
            train.steps.div_ceil(train.evaluate_every) - record.step / train.evaluate_every;
        let mut remaining_secs = steps_left as f64 * step_secs;
        if steps_left > 0 {
            remaining_secs += evaluations_left as f64 * self.progress.evaluation_secs;
        }
        if let Some(budget) = self.options.time_budget_secs {
            remaining_secs = remaining_secs.min((budget - self.seconds()).max(0.0));
        }
        if record.step == train.steps.min(self.n_before + MEASURED_STEPS) {
            let total_secs = self.seconds() + remaining_secs;
            progress(TrainEvent::Estimated { step_secs, total_secs });
        }
        let best = self.best.as_ref().is_some_and(|(best, _)| best.step == record.step);
        let (steps_per_sec, model) = (1.0 / step_secs, &self.model);
        progress(TrainEvent::Step { record, steps_per_sec, remaining_secs, best, model });
        for alarm in &self.alarms[self.n_told..] {
            progress(TrainEvent::Alarm { alarm });
        }
        self.n_told = self.alarms.len();
        self.progress.evaluating_secs += begin.elapsed().as_secs_f64();
    }

    /// The outcome; the model's summary in the folder is brought up to date.
    pub(super) fn finish(self, ending: Ending) -> Result<TrainOutcome, Error> {
        let model = self.kept();
        if let Some(folder) = self.options.folder {
            model.save(&folder.join(MODEL_FILE))?;
        }
        let (read, optimizer) = (self.waited, self.updating);
        Ok(TrainOutcome {
            model,
            records: self.records,
            untrained_held_out: self.progress.untrained_held_out.map(Into::into),
            ending,
            alarms: self.alarms,
            times: StepTimes { read, optimizer, ..self.gradient.times() },
        })
    }

    /// Tells that `what` is no number, and what there is to go on from.
    fn not_finite(&self, what: &'static str, examples: Vec<&str>) -> Error {
        let folder = self.options.folder;
        let checkpoint = self.saved.zip(folder);
        Error::NotFinite {
            what,
            step: self.progress.step,
            examples: examples.into_iter().map(str::to_owned).collect(),
            checkpoint: checkpoint.map(|(step, folder)| (step, folder.join(CHECKPOINT_FILE))),
            model: self.best.as_ref().zip(folder).map(|(_, folder)| folder.join(MODEL_FILE)),
        }
    }
}

fn mean(terms: impl ExactSizeIterator<Item = SpectralLossTerms>) -> SpectralLossTerms {
    let n = terms.len() as f64;
    let mut sum = SpectralLossTerms::default();
    terms.for_each(|terms| sum += terms);
    sum / n
}
