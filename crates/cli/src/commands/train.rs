//! `ddsp train`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{F0Source, FAMILIES, Filter, HoldOut};
use ddsp_model::{Config, LossSummary, Model};
use ddsp_studio::{LearnOptions, LearnReport, MODEL_FILE, learn, number};

use super::positive;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// Where f0 comes from.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum F0 {
    /// From the records.
    Record,
    /// Tracked anew from the audio.
    Tracker,
}

impl From<F0> for F0Source {
    fn from(f0: F0) -> Self {
        match f0 {
            F0::Record => Self::Record,
            F0::Tracker => Self::Tracker,
        }
    }
}

/// Learns an instrument from record files.
///
/// The run folder gets the configuration, a log, the best model so far, TensorBoard events, sounds of
/// held-out notes, and a page that shows it all. Ctrl-C (or q on the screen that a terminal shows)
/// ends the training after the present step and keeps the best model and the state, from which
/// --resume goes on.
#[derive(Args)]
#[command(after_help = "Example: ddsp train --data 'families/string*' --out runs/strings \
                        --hold-out-instruments 1 --hold-out-pitches 2 --set train.batch=4")]
pub struct Train {
    /// Record files, folders of them, or patterns such as 'families/string*'; give several.
    ///
    /// With a weight behind each, as in 'a*=0.7' 'b*=0.3', draws go to the data sets in that
    /// proportion, whatever their sizes; without weights every example is drawn equally often.
    #[arg(long, required = true, num_args = 1.., value_name = "RECORDS")]
    data: Vec<PathBuf>,
    /// The run folder.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// A built-in configuration; without it and --config that of the run to --resume, that of the
    /// model to --init-from, or player.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A configuration file instead, such as another run's config.toml.
    #[arg(long, value_name = "FILE.toml", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// Change a setting, as in train.steps=1000; give several.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Learn from this family only; give several.
    #[arg(long = "family", value_name = "NAME", value_parser = family)]
    families: Vec<i64>,
    /// Keep so many whole instruments from training.
    #[arg(long, value_name = "N", default_value_t = 0)]
    hold_out_instruments: usize,
    /// Keep so many whole pitches from training.
    #[arg(long, value_name = "N", default_value_t = 0)]
    hold_out_pitches: usize,
    /// Keep this share of the records from training, for data without labels.
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["hold_out_instruments", "hold_out_pitches"])]
    hold_out_share: Option<f64>,
    /// Where f0 comes from.
    #[arg(long, value_enum, default_value_t = F0::Record)]
    f0: F0,
    /// End the training after so many seconds if its steps are not done before.
    #[arg(long, value_name = "SECS", value_parser = positive)]
    time_limit: Option<f64>,
    /// Where the recordings come from, kept in the model file.
    #[arg(long, value_name = "TEXT", default_value = "")]
    provenance: String,
    /// Under which licence the recordings are, kept in the model file.
    #[arg(long, value_name = "TEXT", default_value = "")]
    licence: String,
    /// Begin from the parameters of this model (fine-tuning), as far as names agree.
    #[arg(long, value_name = "MODEL")]
    init_from: Option<PathBuf>,
    /// Take this part of them only: decoder, encoder, reverb, or a tensor's name.
    #[arg(long, value_name = "PART", requires = "init_from")]
    only: Option<String>,
    /// Go on from the checkpoint of an interrupted run, to the same bits as if it had not been; or
    /// from a finished one with a higher train.steps. Without a checkpoint, begin.
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Steps from one set of held-out sounds and pictures to the next; 0 makes none.
    #[arg(long, value_name = "STEPS", default_value_t = 500)]
    sample_every: u64,
    /// Threads to use; one for each processor without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Show where a step's time goes: data, network, synth, loss, optimizer.
    #[arg(long)]
    profile: bool,
    /// Show progress as lines, even on a terminal.
    #[arg(long)]
    plain: bool,
    /// Start over what an earlier run made.
    #[arg(long)]
    force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Index of a family of that name.
pub(super) fn family(name: &str) -> Result<i64, String> {
    let index = FAMILIES.iter().position(|family| *family == name);
    let index = index.and_then(|index| i64::try_from(index).ok());
    index.ok_or_else(|| format!("no such family; there are {}", FAMILIES.join(", ")))
}

impl Train {
    fn configuration(&self) -> Result<Config, Failure> {
        let refused = |e: ddsp_model::Error| Failure::Arguments(e.to_string());
        let of_run = self.out.join("config.toml");
        let of_run = Some(&of_run).filter(|path| self.resume && path.exists());
        let mut config = match (&self.preset, self.config.as_ref().or(of_run), &self.init_from) {
            (Some(preset), ..) => Config::preset(preset).map_err(refused)?,
            (None, Some(path), _) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| anyhow::anyhow!("cannot read {}: {e}", path.display()))?;
                Config::from_toml(&text).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?
            }
            (None, None, Some(model)) => Model::load(model).map_err(anyhow::Error::from)?.config,
            (None, None, None) => Config::preset(Config::DEFAULT_PRESET).map_err(refused)?,
        };
        self.settings.iter().try_for_each(|setting| config.set(setting)).map_err(refused)?;
        Ok(config)
    }

    fn hold_out(&self, seed: u64) -> Option<HoldOut> {
        let (n_instruments, n_pitches) = (self.hold_out_instruments, self.hold_out_pitches);
        match self.hold_out_share {
            Some(share) => Some(HoldOut::Share { share, seed }),
            None if n_instruments + n_pitches == 0 => None,
            None => Some(HoldOut::Labels { n_instruments, n_pitches, seed }),
        }
    }

    fn options(self) -> Result<LearnOptions, Failure> {
        let config = self.configuration()?;
        Ok(LearnOptions {
            hold_out: self.hold_out(config.train.seed),
            data: self.data,
            f0: self.f0.into(),
            filter: Filter { families: self.families, ..Filter::default() },
            config,
            time_budget_secs: self.time_limit,
            sample_every: self.sample_every,
            provenance: self.provenance,
            licence: self.licence,
            init_from: self.init_from,
            only: self.only,
            out: self.out,
            resume: self.resume,
            force: self.force,
        })
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the data or the folder cannot be used, or training goes wrong.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let (is_json, is_profile, is_plain) = (self.json, self.profile, self.plain);
        let n_threads = self.threads.map_or(0, usize::from);
        let options = self.options()?;
        console.set_json(is_json);
        console.set_threads(n_threads);
        if is_plain {
            console.set_plain();
        }
        console.open_screen(&format!("ddsp train: {}", options.out.display()));
        let report = console.run(interrupt::gentle(), |conductor| learn(&options, conductor))?;
        let model = options.out.join(MODEL_FILE);
        if is_json {
            console.json(&report)?;
        } else {
            print(&report, console)?;
            if is_profile {
                report.profile.lines().iter().try_for_each(|line| console.line(line))?;
            }
            console.line(&format!("model: {}", model.display()))?;
        }
        if report.is_stopped() {
            let (step, steps) = (report.best_step, report.steps);
            let model = model.display();
            return Err(Failure::Work(anyhow::anyhow!(
                "stopped after {steps} steps: {model} is the best so far, of step {step}; \
                 the same command with --resume goes on"
            )));
        }
        Ok(())
    }
}

fn print(report: &LearnReport, console: &Console) -> Result<(), Failure> {
    let steps = report.steps;
    let seconds = number(report.seconds);
    let done = if report.already_done { " (an earlier run, unchanged)" } else { "" };
    console
        .line(&format!("{steps} steps in {seconds} s; kept: step {}{done}", report.best_step))?;
    console.line("                     loss = magnitude + log magnitude")?;
    row("training, last steps", &report.loss, console)?;
    if let (Some(held_out), Some(baselines)) = (&report.held_out_loss, &report.baselines) {
        row("held out", held_out, console)?;
        row("  silence", &baselines.silence, console)?;
        row("  untrained", &baselines.untrained, console)?;
        row("  mean spectrum", &baselines.mean_spectrum, console)?;
    }
    Ok(())
}

fn row(name: &str, loss: &LossSummary, console: &Console) -> Result<(), Failure> {
    let LossSummary { total, magnitude, log_magnitude } = loss;
    console.line(&format!("{name:20} {total:>5.2} = {magnitude:.2} + {log_magnitude:.2}"))
}
