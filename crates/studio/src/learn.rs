//! Learns an instrument from record files: selects, holds out, trains, compares with baselines, and
//! leaves a run folder that tells it all.

mod data_summary;
mod log;
mod mixture;
mod page;
mod profile;
mod recorder;
mod samples;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ddsp_data::{
    ExampleIndex, F0Source, Filter, FolderState, HoldOut, OutputFolder, Progress, TrainingExample,
};
use ddsp_model::{Config, LossSummary, Model, ModelMetadata};
use ddsp_train::{
    Ending, EvaluationOptions, ExampleSource, InitialModel, MixedExamples, TrainOptions,
    TrainOutcome, evaluate_baselines, train,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Error, Result};
use crate::evaluate::{Selection, fingerprint};
use crate::event::Conductor;
use crate::report::LossPoint;
use recorder::Recorder;

pub use data_summary::DataSummary;
pub use page::learning_section;
pub(crate) use page::thousands;
pub use profile::Profile;

/// Name of the model in a run folder.
pub const MODEL_FILE: &str = "model.safetensors";

/// Name of the latest state in a run folder.
const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// What the report of a training says that the user stopped.
const STOPPED: &str = "stopped";

/// Examples are kept in memory up to this many samples of audio in all (1 GB of audio and
/// features); beyond, they are read anew for each step.
const CACHED_SAMPLES: usize = 200 << 20;

/// What to learn from, and how.
#[derive(Clone, Debug)]
pub struct LearnOptions {
    /// Record files, folders of them, or patterns; each with a weight, as in `a*=0.7`, if they are
    /// to be mixed by weights.
    pub data: Vec<PathBuf>,
    /// Where f0 comes from.
    pub f0: F0Source,
    /// Which of the examples to use.
    pub filter: Filter,
    /// Which of these to keep from training; none without it.
    pub hold_out: Option<HoldOut>,
    /// The model and the schedule.
    pub config: Config,
    /// Ends training after so many seconds, if the steps are not done before.
    pub time_budget_secs: Option<f64>,
    /// Steps from one set of held-out sounds and pictures to the next; none are made if 0.
    pub sample_every: u64,
    /// Where the recordings come from, for the model file.
    pub provenance: String,
    /// Under which licence they are, for the model file.
    pub licence: String,
    /// A model whose parameters to begin from.
    pub init_from: Option<PathBuf>,
    /// The part of its parameters to take; all without it.
    pub only: Option<String>,
    /// The run folder.
    pub out: PathBuf,
    /// Whether to go on from the checkpoint of an earlier run, if there is one.
    pub resume: bool,
    /// Whether an earlier run's folder is started over.
    pub force: bool,
}

/// Losses of what needs no training, on the held-out examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineLosses {
    /// Digital silence.
    pub silence: LossSummary,
    /// The model before training.
    pub untrained: LossSummary,
    /// The training set's mean spectrum, shaped by the loudness of each example.
    pub mean_spectrum: LossSummary,
}

/// What was learned: `manifest.json` of the run folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnReport {
    /// Parameters of the model.
    pub n_parameters: usize,
    /// Examples learned from.
    pub n_examples: usize,
    /// Examples held out.
    pub n_held_out: usize,
    /// Steps done.
    pub steps: u64,
    /// The step whose parameters were kept.
    pub best_step: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Why training ended: `complete`, `time budget`, `plateau`, `stopped`.
    pub ending: String,
    /// Mean training loss of the last steps.
    pub loss: LossSummary,
    /// Held-out loss of the model, where examples were held out.
    pub held_out_loss: Option<LossSummary>,
    /// What it has to beat, where examples were held out.
    pub baselines: Option<BaselineLosses>,
    /// What went wrong on the way, and what to do about it.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// What there was to learn from.
    pub data: DataSummary,
    /// Where the time of the steps went.
    pub profile: Profile,
    /// Whether an earlier run had learned it already.
    #[serde(skip)]
    pub already_done: bool,
}

impl LearnReport {
    /// Whether the user stopped the training.
    pub fn is_stopped(&self) -> bool {
        self.ending == STOPPED
    }
}

/// The examples of a run: to learn from and held out.
pub struct Split {
    /// To learn from.
    pub training: ExampleIndex,
    /// Held out; none if nothing was to be.
    pub held_out: Option<ExampleIndex>,
    /// How they were chosen: kept in the model file, for evaluation to find the same split.
    selection: Selection,
}

/// Scans the data and splits them as `options` say.
///
/// # Errors
///
/// If files cannot be read, none is wanted, or too few are there to hold any out.
pub fn split(options: &LearnOptions) -> Result<Split> {
    let (all, n_sets) = mixture::open(&options.data, options.f0)?;
    let all = all.filter(&options.filter)?;
    let selection = Selection {
        fingerprint: fingerprint(&all),
        f0: options.f0,
        filter: options.filter.clone(),
        hold_out: options.hold_out.clone(),
    };
    let split = match &options.hold_out {
        None => Split { training: all, held_out: None, selection },
        Some(hold_out) => {
            let (training, held_out) = all.hold_out(hold_out)?;
            Split { training, held_out: Some(held_out), selection }
        }
    };
    let n_left = split.training.shares().len();
    if n_left < n_sets {
        let reason = format!("only {n_left} of {n_sets} data sets have examples left to train on");
        return Err(ddsp_data::Error::Data(reason).into());
    }
    Ok(split)
}

/// Learns an instrument as `options` say, and leaves in the run folder the configuration, the log,
/// the model, a page with the loss curves, and this report as `manifest.json`.
///
/// A finished folder is verified and reported; an interrupted one keeps its model, and goes on with
/// `resume` or is started over with `force`. With `resume` a finished one goes on where `options`
/// ask for more.
///
/// # Errors
///
/// If the data or the folder cannot be used, or training goes wrong.
pub fn learn(options: &LearnOptions, conductor: &mut Conductor<'_>) -> Result<LearnReport> {
    options.config.validate()?;
    let split = split(options)?;
    let (mut folder, state) = open_folder(options)?;
    if state == FolderState::Finished {
        let report: LearnReport = folder.verified_report()?;
        return Ok(LearnReport { already_done: true, ..report });
    }
    let report = match run(options, &split, conductor) {
        Err(refused @ Error::Train(ddsp_train::Error::Checkpoint { .. })) => {
            folder.put_back()?;
            return Err(refused);
        }
        other => other?,
    };
    let (training, held_out) = log::read(&options.out.join("metrics.jsonl"))?;
    let mut page = page::page(&options.config, &report, &training, &held_out);
    page.sections.extend(samples::section(&options.out, options.config.audio.sample_rate)?);
    write_text(&options.out.join("report.html"), &page.html())?;
    // A run that was stopped by hand is no result to rely on later: its folder stays unfinished.
    if !report.is_stopped() {
        folder.finish_with(&report)?;
    }
    Ok(report)
}

/// The losses over the steps of a run: training and held-out.
///
/// # Errors
///
/// If the folder's log cannot be read.
pub fn loss_curves(run_folder: &Path) -> Result<(Vec<LossPoint>, Vec<LossPoint>)> {
    log::read(&run_folder.join("metrics.jsonl"))
}

/// Writes a text file, whole or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    Ok(ddsp_data::write_atomically(path, |file| std::io::Write::write_all(file, text.as_bytes()))?)
}

fn open_folder(options: &LearnOptions) -> Result<(OutputFolder, FolderState)> {
    let named = json!({
        "data": options.data,
        "f0": options.f0,
        "filter": options.filter,
        "hold_out": options.hold_out,
        "config": options.config,
        "time_budget_secs": options.time_budget_secs,
        "init_from": options.init_from,
        "only": options.only,
    });
    if options.resume && !options.force && options.out.join(CHECKPOINT_FILE).exists() {
        // What may have changed, and what not, the checkpoint knows better than the folder.
        return Ok(OutputFolder::go_on(&options.out, "train", &named)?);
    }
    let (folder, state) = OutputFolder::open(&options.out, "train", &named, options.force)?;
    if state == FolderState::Unfinished && options.out.join(MODEL_FILE).exists() {
        return Err(Error::Unfinished { path: options.out.clone() });
    }
    Ok((folder, state))
}

/// Reads, trains and compares.
fn run(
    options: &LearnOptions,
    split: &Split,
    conductor: &mut Conductor<'_>,
) -> Result<LearnReport> {
    let config = &options.config;
    conductor.stage("reading examples");
    let (pitch, loudness) = split.training.statistics(config.grid())?;
    let training = cached(&split.training, config, conductor)?;
    let held_out = match &split.held_out {
        Some(index) => cached(index, config, conductor)?,
        None => Box::new(Vec::new()),
    };
    let data = DataSummary::new(&*training, config, &pitch, &loudness)?;
    conductor.result(data.line());
    let baselines = measure_baselines(config, &*training, &*held_out, conductor)?;
    let metadata = ModelMetadata {
        pitch: Some(pitch),
        loudness: Some(loudness),
        training: None,
        provenance: options.provenance.clone(),
        licence: options.licence.clone(),
        selection: Some(split.selection.to_json()),
    };
    let initial = options.init_from.as_deref().map(Model::load).transpose()?;
    let train_options = TrainOptions {
        config: config.clone(),
        folder: Some(&options.out),
        resume: options.resume,
        initial: initial
            .as_ref()
            .map(|model| InitialModel { model, only: options.only.as_deref() }),
        n_threads: conductor.n_threads,
        time_budget_secs: options.time_budget_secs,
        stop: Some(conductor.stop),
        metadata,
    };
    conductor.stage("training");
    // Without held-out examples those of the training set are played.
    let played = if held_out.is_empty() { &*training } else { &*held_out };
    let counts = [options.sample_every, config.train.steps];
    let mut recorder = Recorder::new(&options.out, counts, played, conductor);
    let outcome = train(&train_options, &*training, &*held_out, &mut |event| recorder.hear(event))?;
    let profile = recorder.finish(&outcome)?;
    Ok(report(&outcome, baselines, data, profile))
}

/// The losses of what needs no training, where examples are held out.
fn measure_baselines(
    config: &Config,
    training: &dyn ExampleSource,
    held_out: &dyn ExampleSource,
    conductor: &mut Conductor<'_>,
) -> Result<Option<BaselineLosses>> {
    if held_out.is_empty() {
        return Ok(None);
    }
    conductor.stage("measuring baselines");
    let max_examples = config.train.evaluate_examples;
    let evaluation = EvaluationOptions { max_examples, n_threads: conductor.n_threads };
    let found = evaluate_baselines(config, training, held_out, evaluation)?;
    Ok(Some(BaselineLosses {
        silence: found.silence.into(),
        untrained: found.untrained.into(),
        mean_spectrum: found.mean_spectrum.into(),
    }))
}

fn report(
    outcome: &TrainOutcome,
    baselines: Option<BaselineLosses>,
    data: DataSummary,
    profile: Profile,
) -> LearnReport {
    let summary = outcome.model.metadata.training.expect("a trained model has a summary");
    let ending = match outcome.ending {
        Ending::Complete => "complete",
        Ending::TimeBudget => "time budget",
        Ending::Plateau => "plateau",
        Ending::Stopped => STOPPED,
    };
    LearnReport {
        n_parameters: outcome.model.parameters.values.len(),
        n_examples: summary.n_examples,
        n_held_out: summary.n_held_out,
        steps: summary.steps,
        best_step: summary.best_step,
        seconds: summary.seconds,
        ending: ending.to_owned(),
        loss: summary.loss,
        held_out_loss: summary.held_out_loss,
        baselines,
        alarms: outcome.alarms.iter().map(ToString::to_string).collect(),
        data,
        profile,
        already_done: false,
    }
}

/// All examples of `index` in memory if they are few enough, else the index itself.
fn cached(
    index: &ExampleIndex,
    config: &Config,
    conductor: &mut Conductor<'_>,
) -> Result<Box<dyn ExampleSource>> {
    let first = index.read(0, config.grid())?;
    if first.audio.len() * index.len() > CACHED_SAMPLES {
        return Ok(Box::new(index.clone()));
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let read_all = || -> Result<Vec<(usize, TrainingExample)>> {
        let mut examples = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= index.len() {
                return Ok(examples);
            }
            examples.push((i, index.read(i, config.grid())?));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..conductor.n_threads).map(|_| scope.spawn(read_all)).collect();
        for thread in threads {
            let examples = thread.join().unwrap_or_else(|e| std::panic::resume_unwind(e))?;
            done.lock().expect("no thread panicked").extend(examples);
        }
        Ok::<_, Error>(())
    })?;
    let mut examples = done.into_inner().expect("no thread panicked");
    examples.sort_by_key(|(i, _)| *i);
    let total = index.len() as u64;
    conductor.counter("examples")(Progress { done: total, total });
    let examples = examples.into_iter().map(|(_, example)| example).collect();
    Ok(Box::new(MixedExamples { examples, shares: index.shares() }))
}
