//! Keeps what a training tells: TensorBoard's events, sounds of held-out examples, progress.

use std::path::Path;
use std::sync::atomic::Ordering;

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::Model;
use ddsp_train::{
    EventFile, EventValue, ExampleSource, Initialization, StepRecord, TrainEvent, TrainOutcome,
    loss_terms,
};

use super::profile::Profile;
use super::samples;
use crate::error::{Error, Result};
use crate::event::{Conductor, Event, TrainingProgress};
use crate::report::number;

/// Listens to a training.
pub(super) struct Recorder<'a, 'c> {
    folder: &'a Path,
    /// Steps from one set of sounds to the next; none if 0.
    sample_every: u64,
    /// Steps of the whole training.
    steps: u64,
    /// What is played.
    source: &'a dyn ExampleSource,
    conductor: &'a mut Conductor<'c>,
    /// Opened at the first step, which says where a resumed run begins.
    events: Option<EventFile>,
    /// Steps that were recorded here.
    n_steps: u64,
    steps_per_sec: f64,
    held_out: Option<SpectralLossTerms>,
    /// The first failure; it ends the training.
    failed: Option<Error>,
}

impl<'a, 'c> Recorder<'a, 'c> {
    /// Nothing recorded yet.
    pub(super) fn new(
        folder: &'a Path,
        [sample_every, steps]: [u64; 2],
        source: &'a dyn ExampleSource,
        conductor: &'a mut Conductor<'c>,
    ) -> Self {
        Self {
            folder,
            sample_every,
            steps,
            source,
            conductor,
            events: None,
            n_steps: 0,
            steps_per_sec: 0.0,
            held_out: None,
            failed: None,
        }
    }

    /// Takes what the trainer tells. A failure sets the stop flag, so that the training ends with
    /// its model kept.
    pub(super) fn hear(&mut self, event: TrainEvent<'_>) {
        match event {
            TrainEvent::Started { n_parameters, n_examples, n_held_out, held_out } => {
                self.held_out = held_out;
                self.conductor.result(format!(
                    "training {n_parameters} parameters on {n_examples} examples, {n_held_out} \
                     held out"
                ));
            }
            TrainEvent::Initialized { report } => self.tell_initial(report),
            TrainEvent::Resumed { step } => {
                self.conductor.result(format!("going on from the checkpoint of step {step}"));
            }
            TrainEvent::Alarm { alarm } => self.conductor.result(format!("warning: {alarm}")),
            TrainEvent::Estimated { step_secs, total_secs } => self.conductor.result(format!(
                "a step takes {} s: at most {} steps, about {} s in all",
                number(step_secs),
                self.steps,
                number(total_secs),
            )),
            TrainEvent::Step { record, steps_per_sec, remaining_secs, best, model } => {
                self.n_steps += 1;
                self.steps_per_sec = steps_per_sec;
                if self.failed.is_none()
                    && let Err(error) = self.record(record, model)
                {
                    self.failed = Some(error);
                    self.conductor.stop.store(true, Ordering::SeqCst);
                }
                self.tell(record, remaining_secs, best);
            }
        }
    }

    /// Writes what is due after a step.
    fn record(&mut self, record: &StepRecord, model: &Model) -> Result<()> {
        let events = match &mut self.events {
            Some(events) => events,
            None => {
                let last_step = record.step - 1;
                samples::remove_after(self.folder, last_step)?;
                self.events.insert(EventFile::create(self.folder, last_step)?)
            }
        };
        let mut values = named("loss", record.loss);
        values.extend(
            record.held_out.map(|terms| named("held_out_loss", terms)).into_iter().flatten(),
        );
        values.push(("learning_rate".to_owned(), record.learning_rate));
        values.push(("gradient_norm".to_owned(), record.gradient_norm));
        values.push(("steps_per_sec".to_owned(), self.steps_per_sec));
        let values: Vec<_> =
            values.iter().map(|(tag, value)| (&**tag, EventValue::Scalar(*value))).collect();
        events.write(record.step, &values)?;
        let (every, step) = (self.sample_every, record.step);
        if every > 0 && (step == 1 || step.is_multiple_of(every) || step == self.steps) {
            samples::write(self.folder, step, model, self.source, events)?;
        }
        Ok(())
    }

    /// Tells how the training stands.
    fn tell(&mut self, record: &StepRecord, remaining_secs: f64, best: bool) {
        self.held_out = record.held_out.or(self.held_out);
        (self.conductor.tell)(Event::Training(TrainingProgress {
            step: record.step,
            steps: self.steps,
            loss: record.loss.total(),
            terms: loss_terms(record.loss),
            held_out: self.held_out.map(SpectralLossTerms::total),
            is_measured: record.held_out.is_some(),
            learning_rate: record.learning_rate,
            gradient_norm: record.gradient_norm,
            steps_per_sec: self.steps_per_sec,
            remaining_secs,
            best,
        }));
    }

    /// Tells which parameters came from another model.
    fn tell_initial(&mut self, report: &Initialization) {
        self.conductor
            .result(format!("{} tensors are those of the model to begin from", report.taken.len()));
        for (names, why) in [(&report.fresh, "begin at random"), (&report.unused, "are not used")] {
            if !names.is_empty() {
                self.conductor.result(format!("{} {why}: {}", names.len(), names.join(", ")));
            }
        }
    }

    /// Plays the model that was kept, if it was not played after its step, and sums up the time.
    ///
    /// # Errors
    ///
    /// What went wrong since the beginning.
    pub(super) fn finish(mut self, outcome: &TrainOutcome) -> Result<Profile> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let model = &outcome.model;
        let best_step = model.metadata.training.map_or(0, |summary| summary.best_step);
        if let (Some(events), true) = (&mut self.events, self.sample_every > 0)
            && !samples::exist(self.folder, best_step)
        {
            samples::write(self.folder, best_step, model, self.source, events)?;
        }
        let wall_secs = self.n_steps as f64 / self.steps_per_sec.max(f64::MIN_POSITIVE);
        let n_threads = self.conductor.n_threads.min(model.config.train.batch).max(1);
        Ok(Profile::new(&outcome.times, self.n_steps, wall_secs, n_threads))
    }
}

/// The total and the terms of a loss, as TensorBoard groups them.
fn named(group: &str, terms: SpectralLossTerms) -> Vec<(String, f64)> {
    let total = ("total", terms.total());
    let all = std::iter::once(total).chain(loss_terms(terms));
    all.map(|(name, value)| (format!("{group}/{name}"), value)).collect()
}
