//! The training loop: batches, updates, held-out losses, the best model and the latest state on disk.

mod finite;
mod folder;
mod run;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Config, Model, ModelMetadata};

use crate::batch_gradient::BatchGradient;
use crate::error::Error;
use crate::gradient::{Gradient, StepTimes};
use crate::initialization::{InitialModel, Initialization};
use crate::loader::Loader;
use crate::run_log::StepRecord;
use crate::source::ExampleSource;
use crate::watch::Alarm;
use run::Run;

/// What to train, and for how long.
#[derive(Clone, Debug)]
pub struct TrainOptions<'a> {
    /// The model and the schedule.
    pub config: Config,
    /// An existing folder for `config.toml`, `metrics.jsonl`, `model.safetensors` and
    /// `checkpoint.safetensors`; none to keep everything in memory.
    pub folder: Option<&'a Path>,
    /// Whether to go on from the folder's checkpoint, if it has one.
    ///
    /// The run then ends with the same bits as one that was never interrupted, on as many threads.
    pub resume: bool,
    /// A model to begin from, instead of random parameters. A run that goes on from a checkpoint has
    /// done that already.
    pub initial: Option<InitialModel<'a>>,
    /// Threads to compute with; results are the same bits for the same number.
    pub n_threads: usize,
    /// Ends training after so many seconds, those before a checkpoint included, if
    /// `config.train.steps` are not done before.
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
    /// Parameters were taken from another model.
    Initialized {
        /// Which.
        report: &'a Initialization,
    },
    /// The run goes on from a checkpoint.
    Resumed {
        /// Steps done before.
        step: u64,
    },
    /// Training goes wrong; it goes on all the same.
    Alarm {
        /// How, and what to do.
        alarm: &'a Alarm,
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
        /// The model after the step.
        model: &'a Model,
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
    /// The held-out loss fell no more for `train.patience` measurements.
    Plateau,
}

/// A trained model and how it came about.
#[derive(Clone, Debug)]
pub struct TrainOutcome {
    /// The model as kept: the best.
    pub model: Model,
    /// Every step; of a run that went on from a checkpoint those done since, and the last before.
    pub records: Vec<StepRecord>,
    /// Held-out loss before training, where examples are held out.
    pub untrained_held_out: Option<SpectralLossTerms>,
    /// Why training ended.
    pub ending: Ending,
    /// What went wrong on the way, though every number was finite.
    pub alarms: Vec<Alarm>,
    /// Where the time of the steps went.
    pub times: StepTimes,
}

/// Trains a model on `train_set`, on the processor's cores.
///
/// The best model is kept: by the loss on `held_out`, measured every `evaluate_every` steps and at
/// the end; without held-out examples by the mean training loss since the last of these points. In
/// the folder it is there from the first of them on, and never broken. The state of the whole run is
/// there every `checkpoint_every` steps and at the end.
///
/// # Errors
///
/// If a set is empty or an example unusable, if the loss, its gradient or a parameter becomes NaN or
/// infinite (naming step and examples), if the folder cannot be written, if the initial model does
/// not fit, or if a checkpoint cannot be used or belongs to another configuration or other data.
pub fn train(
    options: &TrainOptions<'_>,
    train_set: &dyn ExampleSource,
    held_out: &dyn ExampleSource,
    progress: &mut dyn FnMut(TrainEvent<'_>),
) -> Result<TrainOutcome, Error> {
    options.config.validate()?;
    let mut gradient = BatchGradient::new(&options.config, options.n_threads);
    train_with(&mut gradient, options, train_set, held_out, progress)
}

/// Trains as [`train`] does, with whatever computes gradients of the batches of `options.config`.
///
/// # Errors
///
/// As [`train`], and those of `gradient`.
pub fn train_with(
    gradient: &mut dyn Gradient,
    options: &TrainOptions<'_>,
    train_set: &dyn ExampleSource,
    held_out: &dyn ExampleSource,
    progress: &mut dyn FnMut(TrainEvent<'_>),
) -> Result<TrainOutcome, Error> {
    options.config.validate()?;
    if train_set.is_empty() {
        return Err(Error::NoExamples);
    }
    let mut run = Run::new(gradient, options, train_set, held_out)?;
    run.begin(progress);
    let ending = match run.ending_on_resume()? {
        Some(ending) => ending,
        None => take_steps(&mut run, progress)?,
    };
    run.finish(ending)
}

/// All steps, while the next batches are read.
fn take_steps(
    run: &mut Run<'_>,
    progress: &mut dyn FnMut(TrainEvent<'_>),
) -> Result<Ending, Error> {
    let (train_set, options) = (run.train_set, run.options);
    thread::scope(|scope| {
        let steps = run.steps_left();
        let mut loader = Loader::start(scope, train_set, &options.config, steps, options.n_threads);
        loop {
            let batch = loader.next()?;
            let ending = run.step(&batch)?;
            run.report(progress);
            if let Some(ending) = ending {
                run.waited = loader.waited();
                return Ok(ending);
            }
        }
    })
}
