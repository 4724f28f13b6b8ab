//! The whole way once, on built-in instruments: notes, sorting, learning, playing, checking, a
//! report.

mod checks;
mod story;

use std::path::{Path, PathBuf};
use std::time::Instant;

use ddsp_data::instruments::Family;
use ddsp_data::{
    OutputFolder, SortReport, SynthOptions, SynthReport, WavFormat, write_json, write_wav,
};
use ddsp_kernels::{SpectralEnvelope, note_frames};
use ddsp_model::{Config, LoudnessMatch, Model, Octave, TransferOptions};
use serde::Serialize;
use serde_json::json;

use crate::analyze::{Analysis, analyze};
use crate::check::Check;
use crate::error::{Error, Result};
use crate::event::Conductor;
use crate::families;
use crate::learn::{LearnOptions, LearnReport, MODEL_FILE, Split, split, write_text};
use crate::phrase::Phrase;
use crate::report::number;
use crate::timbre::{distance_db, envelope, envelope_of_notes, median_f0_hz};
use crate::transfer::{Transfer, TransferMeasures, transfer, transfer_file};

/// The family that is learned.
const LEARNED: &str = "string";

/// Steps from one set of held-out sounds to the next.
const SAMPLE_EVERY: u64 = 500;

/// Name of the sound that is played by an instrument which it is not.
const PHRASE: &str = "Keyboard phrase";

/// The tine piano, a keyboard with a spectrum unlike that of strings (8 dB from it; the nearest is at 1): whether the
/// output is nearer to the strings than to the input must not be a matter of tenths.
const KEYBOARD: Phrase = Phrase { family: Family::Keyboard, instrument: 2, octaves: 0 };

/// Name of the user's own sound.
const USERS: &str = "Your sound";

/// What the demo makes, and how long it may learn.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Folder for everything.
    pub out: PathBuf,
    /// A recording of the user's to play with the model, too.
    pub input: Option<PathBuf>,
    /// Whether an earlier demo's folder is started over.
    pub force: bool,
    /// The notes.
    pub synth: SynthOptions,
    /// Whole instruments and whole pitches of the learned family to keep from training.
    pub n_held_out: [usize; 2],
    /// The model and the schedule.
    pub config: Config,
    /// Ends training after so many seconds.
    pub training_secs: f64,
}

impl DemoOptions {
    /// What fits into five minutes on two cores.
    ///
    /// # Errors
    ///
    /// If the built-in preset is not valid.
    pub fn new(out: PathBuf) -> Result<Self> {
        let mut config = Config::preset(Config::DEFAULT_PRESET)?;
        // A minute on two idle cores, a third of the preset's; a slower machine is stopped by the clock.
        config.set("train.steps=5000")?;
        config.set("train.evaluate_every=250")?;
        Ok(Self {
            out,
            input: None,
            force: false,
            synth: SynthOptions::default(),
            n_held_out: [1, 2],
            config,
            training_secs: 210.0,
        })
    }
}

/// A sound that the model played.
#[derive(Clone, Debug, Serialize)]
pub struct PlayedSound {
    /// What it is.
    pub name: String,
    /// The sound that went in.
    pub input: PathBuf,
    /// The sound that came out.
    pub output: PathBuf,
    /// What was measured.
    pub measures: TransferMeasures,
    /// Distance of the output's average spectral envelope from the held-out notes', dB.
    pub distance_to_held_out_db: f64,
    /// Distance of the output's average spectral envelope from the input's, dB.
    pub distance_to_input_db: f64,
}

/// All sounds that were played, and what they should be like.
struct Played {
    sounds: Vec<(PlayedSound, Transfer)>,
    /// The envelope of the held-out notes near the phrase.
    timbre: Option<SpectralEnvelope>,
}

/// Everything the demo found: `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct DemoReport {
    /// The notes made.
    pub notes: SynthReport,
    /// How they were sorted.
    pub sorting: SortReport,
    /// How the learning went.
    pub learning: LearnReport,
    /// What was played.
    pub sounds: Vec<PlayedSound>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// Seconds for everything; work that an earlier demo had done takes none.
    pub seconds: f64,
    /// The page to look at and listen to.
    pub report: PathBuf,
}

impl DemoReport {
    /// Checks that are not met.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.met())
    }
}

/// Runs the demo.
///
/// # Errors
///
/// If anything cannot be read, written or learned, or the user stops the training. Checks that are
/// not met are no error here: see [`DemoReport::failed`].
pub fn demo(options: &DemoOptions, conductor: &mut Conductor<'_>) -> Result<DemoReport> {
    let begin = Instant::now();
    let mut folder = open_folder(&options.out, &options.synth, options.force)?;
    check_input(options)?;
    let (notes, sorting) = families::make_and_sort(&options.out, &options.synth, conductor)?;
    let learning = learn(options, conductor)?;
    let split = split(&learn_options(options))?;
    let played = play(options, &split, conductor)?;

    let mut checks = vec![checks::sorting(&sorting)];
    checks.extend(checks::learning(&learning));
    checks.extend(played.sounds.iter().flat_map(|(sound, _)| checks::sound(sound)));
    let mut report = DemoReport {
        notes,
        sorting,
        learning,
        sounds: played.sounds.iter().map(|(sound, _)| sound.clone()).collect(),
        checks,
        seconds: begin.elapsed().as_secs_f64(),
        report: options.out.join("report.html"),
    };
    conductor.stage("writing the report");
    let page = story::page(options, &report, &played)?;
    write_text(&report.report, &page.html())?;
    write_text(&options.out.join("picture.svg"), &played.sounds[0].1.picture())?;
    report.seconds = begin.elapsed().as_secs_f64();
    write_json(&options.out.join("summary.json"), &report)?;
    folder.finish()?;
    Ok(report)
}

/// The folder for everything, which a matrix may share: of its options only the notes are common to
/// both, and every training looks after its own.
pub(crate) fn open_folder(out: &Path, synth: &SynthOptions, force: bool) -> Result<OutputFolder> {
    Ok(OutputFolder::open(out, "demo", &json!({ "synth": synth }), force)?.0)
}

/// Refuses a recording that could not be played in the end, before the work begins.
fn check_input(options: &DemoOptions) -> Result<()> {
    let Some(path) = &options.input else { return Ok(()) };
    let Analysis { features, .. } = analyze(path, options.config.grid())?;
    let mut notes = note_frames(&features.f0_confidence, &features.loudness_db);
    if notes.any(|is_note| is_note) { Ok(()) } else { Err(Error::NoNote { path: path.clone() }) }
}

/// Learning the family from its sorted file.
fn learn_options(options: &DemoOptions) -> LearnOptions {
    let DemoOptions { out, synth, n_held_out, config, training_secs, .. } = options;
    LearnOptions {
        out: out.join(format!("{LEARNED}s")),
        sample_every: SAMPLE_EVERY,
        ..families::learn_options(Family::String, out, synth, *n_held_out, config, *training_secs)
    }
}

fn learn(options: &DemoOptions, conductor: &mut Conductor<'_>) -> Result<LearnReport> {
    let options = learn_options(options);
    let learning = families::learn_or_restart(&options, conductor)?;
    if learning.is_stopped() {
        return Err(Error::Stopped { model: options.out.join(MODEL_FILE) });
    }
    families::tell_learning("", &learning, conductor);
    Ok(learning)
}

/// Plays everything with the model as it stands in its file.
fn play(options: &DemoOptions, split: &Split, conductor: &mut Conductor<'_>) -> Result<Played> {
    conductor.stage("playing");
    let model_path = learn_options(options).out.join(MODEL_FILE);
    let model = Model::load(&model_path)?;
    let grid = model.config.grid();
    let held_out = split.held_out.as_ref().expect("the demo holds out");
    let timbre = envelope_of_notes(held_out, &KEYBOARD.register(0), grid)?;
    let note = held_out.read(held_out.len() / 2, grid)?;

    let player =
        Player { options, model: &model, model_path: &model_path, timbre: timbre.as_ref() };
    let phrase = KEYBOARD.audio(grid);
    // The string note needs no adjustment: it is of the kind that was learned.
    let as_it_is =
        TransferOptions { octave: Octave::Fixed(0), loudness: LoudnessMatch::Off, quiet_db: 0.0 };
    let adjusted = TransferOptions::default();
    let mut sounds = vec![
        player.play_audio(PHRASE, "keyboard", phrase, &adjusted)?,
        player.play_audio("Held-out string note", "string", note.audio, &as_it_is)?,
    ];
    if let Some(path) = &options.input {
        let transfer = transfer_file(path, &model, &model_path, &adjusted)?;
        sounds.push(player.finish(USERS, "input", transfer)?);
    }
    for (sound, _) in &sounds {
        conductor.result(sound.line());
    }
    Ok(Played { sounds, timbre })
}

/// What playing a sound takes.
struct Player<'a> {
    options: &'a DemoOptions,
    model: &'a Model,
    model_path: &'a Path,
    timbre: Option<&'a SpectralEnvelope>,
}

impl Player<'_> {
    fn play_audio(
        &self,
        name: &str,
        file: &str,
        audio: Vec<f32>,
        options: &TransferOptions,
    ) -> Result<(PlayedSound, Transfer)> {
        let path = self.options.out.join(format!("{file}.wav"));
        let transfer = transfer(audio, &path, self.model, self.model_path, options)?;
        self.finish(name, file, transfer)
    }

    /// Writes both sounds and measures the timbre.
    fn finish(
        &self,
        name: &str,
        file: &str,
        transfer: Transfer,
    ) -> Result<(PlayedSound, Transfer)> {
        let out = &self.options.out;
        let (input, output) =
            (out.join(format!("{file}.wav")), out.join(format!("{file}-as-{LEARNED}s.wav")));
        let rate = transfer.grid.sample_rate;
        write_wav(&input, &transfer.input, rate, WavFormat::Int16)?;
        write_wav(&output, &transfer.rendering.audio, rate, WavFormat::Float32)?;
        let [played, input_played] =
            [&transfer.rendering.audio, &transfer.input].map(|audio| envelope(audio, rate));
        // Below the median f0 an envelope tells pitch, not timbre.
        let lowest_hz = median_f0_hz(&transfer.input_features);
        let distance = |from| distance_db(played.as_ref(), from, lowest_hz);
        let sound = PlayedSound {
            name: name.to_owned(),
            input,
            output,
            measures: transfer.measures,
            distance_to_held_out_db: distance(self.timbre),
            distance_to_input_db: distance(input_played.as_ref()),
        };
        Ok((sound, transfer))
    }
}

impl PlayedSound {
    fn line(&self) -> String {
        let TransferMeasures {
            voiced_kept_percent, median_f0_error_cents, loudness_error_db, ..
        } = self.measures;
        let [kept, cents, db, strings, input] = [
            voiced_kept_percent,
            median_f0_error_cents,
            loudness_error_db,
            self.distance_to_held_out_db,
            self.distance_to_input_db,
        ]
        .map(number);
        format!(
            "{}: {kept} % of voiced frames stay voiced, f0 error {cents} cents, loudness error \
             {db} dB, envelope {strings} dB from held-out {LEARNED}s, {input} dB from the input",
            self.name
        )
    }
}
