//! Every family's model plays every family's phrase: how well, and whose sound it becomes.

mod cell;
mod judge;
mod learned;
mod page;
mod places;
mod played;
mod report;
mod tables;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ddsp_data::instruments::Family;
use ddsp_data::{OutputFolder, SynthOptions, write_json};
use ddsp_model::Config;
use serde_json::json;

use crate::demo::open_folder;
use crate::error::{Error, Result};
use crate::event::Conductor;
use crate::families;
use crate::learn::write_text;

use cell::Stage;
use judge::judge;
use learned::learn_all;
use places::Places;
pub use report::{
    Extremes, LearnedFamily, MatrixCell, MatrixPhrase, MatrixReport, MatrixSummary, Placed,
};

/// What the matrix is made of.
#[derive(Clone, Debug)]
pub struct MatrixOptions {
    /// The folder of the demo, whose notes are used; the matrix is made in `matrix` there.
    pub out: PathBuf,
    /// Whether an earlier matrix is started over; the notes stay.
    pub force: bool,
    /// The notes: of these families envelopes are compared.
    pub synth: SynthOptions,
    /// The rows and columns, among those of the notes.
    pub families: Vec<Family>,
    /// Whole instruments and whole pitches of each family to keep from training.
    pub n_held_out: [usize; 2],
    /// The model and the schedule.
    pub config: Config,
    /// Ends each training after so many seconds; more than an earlier run had goes on from there.
    pub training_secs: f64,
}

impl MatrixOptions {
    /// All families, three minutes of training each.
    ///
    /// # Errors
    ///
    /// If the built-in preset is not valid.
    pub fn new(out: PathBuf) -> Result<Self> {
        Ok(Self {
            out,
            force: false,
            synth: SynthOptions::default(),
            families: Family::ALL.to_vec(),
            n_held_out: [1, 2],
            config: Config::preset(Config::DEFAULT_PRESET)?,
            training_secs: 180.0,
        })
    }
}

/// Makes the matrix: notes, a model for each family, a phrase for each family, every phrase by every
/// model, `matrix.json`, `matrix.md` and `matrix.html` in the folder `matrix` of `options.out`.
///
/// What an earlier run had done is verified and not done again; more families may be asked for than
/// then, and longer trainings.
///
/// # Errors
///
/// If anything cannot be read, written or learned, or the user stops the work. Checks that are not
/// met are no error here: see [`MatrixReport::failed`].
pub fn matrix(options: &MatrixOptions, conductor: &mut Conductor<'_>) -> Result<MatrixReport> {
    let begin = Instant::now();
    check_families(options)?;
    let _shared = open_folder(&options.out, &options.synth, false)?;
    let places = Places::new(&options.out);
    let named = json!({
        "synth": options.synth,
        "n_held_out": options.n_held_out,
        "config": options.config,
    });
    let (mut folder, _) = OutputFolder::open(&places.root, "demo --matrix", &named, options.force)?;
    families::make_and_sort(&options.out, &options.synth, conductor)?;
    go_on(conductor, "making notes")?;
    let learned = learn_all(options, &places, conductor)?;
    let stage = Stage::new(&learned, &places, options.config.grid());
    let phrases = stage.play_phrases(conductor)?;
    let cells = stage.play_cells(&phrases, conductor)?;
    let mut report = judge(options, &learned, phrases, cells, conductor)?;

    conductor.stage("writing the page");
    report.seconds = begin.elapsed().as_secs_f64();
    report.page = places.root.join("matrix.html");
    write_text(&report.page, &page::html(&report))?;
    write_text(&places.root.join("matrix.md"), &tables::markdown(&report))?;
    write_json(&places.root.join("matrix.json"), &report)?;
    folder.finish()?;
    Ok(report)
}

/// Refuses families that have no notes, and none at all.
fn check_families(options: &MatrixOptions) -> Result<()> {
    let has_notes = |family: &&Family| options.synth.families.iter().any(|n| n == family.name());
    let missing = options.families.iter().find(|family| !has_notes(family));
    let reason = match missing {
        Some(family) => format!("there are no notes of family {}", family.name()),
        None if options.families.is_empty() => "a matrix of no family".to_owned(),
        None => return Ok(()),
    };
    Err(ddsp_data::Error::Data(reason).into())
}

/// Ends the work here if the user wants it to.
fn go_on(conductor: &Conductor<'_>, during: &str) -> Result<()> {
    match conductor.stop.load(Ordering::Relaxed) {
        true => Err(Error::Interrupted { during: during.to_owned() }),
        false => Ok(()),
    }
}
