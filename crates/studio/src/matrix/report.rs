//! What a matrix found: `matrix.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ddsp_data::instruments::{Family, instrument_name};
use ddsp_model::{Config, LossSummary};
use serde::Serialize;

use super::MatrixOptions;
use super::cell::Source;
use super::learned::Learned;
use super::places::Name;
use super::played::Played;
use crate::check::{Check, Limit};
use crate::report::number;

/// How a family was learned.
#[derive(Clone, Debug, Serialize)]
pub struct LearnedFamily {
    /// The family.
    pub family: &'static str,
    /// Notes learned from.
    pub n_examples: usize,
    /// Notes held out.
    pub n_held_out: usize,
    /// Steps done.
    pub steps: u64,
    /// The step whose parameters were kept.
    pub best_step: u64,
    /// Why training ended: `complete`, `time budget`, `plateau`.
    pub ending: String,
    /// Held-out loss of the model.
    pub held_out_loss: Option<LossSummary>,
    /// Held-out loss of the training notes' mean spectrum, shaped by each note's loudness.
    pub mean_spectrum_loss: Option<LossSummary>,
    /// Seconds of training.
    pub seconds: f64,
}

/// Where a sound lies among the families.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Placed {
    /// The family with the nearest envelope, of those with held-out notes in the sound's register;
    /// none if the sound is silent.
    pub nearest: Option<&'static str>,
    /// Lowest and highest pitch of the register, MIDI: a fourth beyond the notes, as they are played.
    pub register: [u8; 2],
    /// Lowest band compared, Hz.
    pub from_hz: f32,
    /// Distance of the envelope from that of each family's held-out notes in the register, dB; of a
    /// family with none there, from those of the pitch next to it.
    pub distances_db: BTreeMap<&'static str, f64>,
}

/// A family's phrase as it is.
#[derive(Clone, Debug, Serialize)]
pub struct MatrixPhrase {
    /// The family.
    pub family: &'static str,
    /// What the instrument is called.
    pub instrument: &'static str,
    /// Whether the family's model has not heard the instrument.
    pub is_held_out: bool,
    /// Lowest and highest pitch, MIDI.
    pub pitches: [u8; 2],
    /// The sound, relative to the folder of the matrix.
    pub audio: String,
    /// Its spectrogram, relative to the folder of the matrix.
    pub picture: String,
    /// How far the measure can be trusted: whose held-out notes the instrument itself is nearest to.
    #[serde(flatten)]
    pub placed: Placed,
}

/// A family's phrase, played by a family's model.
#[derive(Clone, Debug, Serialize)]
pub struct MatrixCell {
    /// The family of the phrase.
    pub phrase: &'static str,
    /// The family of the model.
    pub model: &'static str,
    /// The sound, relative to the folder of the matrix.
    pub audio: String,
    /// Its spectrogram, relative to the folder of the matrix.
    pub picture: String,
    /// Octaves by which the pitch was moved for the model.
    pub octaves: i8,
    /// Share of the phrase's voiced frames that stay voiced, percent.
    pub voiced_kept_percent: f64,
    /// Median distance of f0 from the phrase's, moved by the octaves, over frames voiced in both,
    /// cents; none if there is no such frame.
    pub median_f0_error_cents: Option<f64>,
    /// Mean distance of the loudness from that asked for, on notes, dB; none if it is not finite.
    pub loudness_error_db: Option<f64>,
    /// Change of the loudness that was asked for, dB.
    pub loudness_shift_db: f64,
    /// Gain that brought the output's notes to the level asked for, dB.
    pub output_gain_db: f64,
    /// Whose sound it is.
    #[serde(flatten)]
    pub placed: Placed,
    /// Whether the envelope is nearer to the model's family than to the phrase's; none on the
    /// diagonal, where the two are one, and of silence.
    pub is_nearer_to_learned: Option<bool>,
}

/// The middle and the end of a figure over the cells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Extremes {
    /// The median.
    pub median: f64,
    /// The greatest.
    pub worst: f64,
    /// Where that is: phrase and model.
    pub worst_cell: [&'static str; 2],
}

/// The matrix in a few figures.
#[derive(Clone, Debug, Serialize)]
pub struct MatrixSummary {
    /// Families learned: rows, columns, and cells of the diagonal.
    pub n_families: usize,
    /// Cells whose phrase and model are of different families.
    pub n_off_diagonal: usize,
    /// Of these, cells whose envelope is nearer to the model's family than to the phrase's.
    pub n_nearer_to_learned: usize,
    /// Of these, cells whose envelope is nearest to the model's family among all.
    pub n_nearest_is_learned: usize,
    /// Cells of the diagonal whose envelope is nearest to their own family.
    pub n_diagonal_nearest_is_own: usize,
    /// Phrases that are, as they are, nearest to their own family: what the measure itself can do.
    pub n_phrases_nearest_is_own: usize,
    /// Over all cells, cents.
    pub f0_error_cents: Option<Extremes>,
    /// Over all cells, dB.
    pub loudness_error_db: Option<Extremes>,
    /// Over all cells, percent that are lost.
    pub voiced_lost_percent: Option<Extremes>,
}

/// Everything the matrix found: `matrix.json`.
#[derive(Clone, Debug, Serialize)]
pub struct MatrixReport {
    /// The preset that was learned, before any change to it.
    pub preset: &'static str,
    /// Parameters of each model.
    pub n_parameters: usize,
    /// Families that envelopes are compared with.
    pub compared_with: Vec<String>,
    /// Families learned, in the order of rows and columns.
    pub models: Vec<LearnedFamily>,
    /// The phrases as they are, in the same order.
    pub phrases: Vec<MatrixPhrase>,
    /// The cells, phrase by phrase.
    pub cells: Vec<MatrixCell>,
    /// In a few figures.
    pub summary: MatrixSummary,
    /// What has to hold of any matrix.
    pub checks: Vec<Check>,
    /// Seconds for everything; work that an earlier run had done takes none.
    pub seconds: f64,
    /// The page to look at and listen to.
    #[serde(skip)]
    pub page: PathBuf,
}

impl LearnedFamily {
    pub(super) fn new(learned: &Learned) -> Self {
        let report = &learned.report;
        Self {
            family: learned.family.name(),
            n_examples: report.n_examples,
            n_held_out: report.n_held_out,
            steps: report.steps,
            best_step: report.best_step,
            ending: report.ending.clone(),
            held_out_loss: report.held_out_loss,
            mean_spectrum_loss: report.baselines.map(|baselines| baselines.mean_spectrum),
            seconds: report.seconds,
        }
    }
}

impl Placed {
    fn distance_db(&self, family: &str) -> Option<f64> {
        self.distances_db.get(family).copied()
    }
}

impl MatrixPhrase {
    pub(super) fn new(source: &Source, placed: Placed) -> Self {
        let (phrase, name) = (&source.phrase, Name::of_phrase(source.phrase.family));
        let pitches = phrase.pitches();
        Self {
            family: phrase.family.name(),
            instrument: instrument_name(phrase.family, phrase.instrument),
            is_held_out: source.is_held_out,
            pitches: [*pitches.start(), *pitches.end()],
            audio: name.audio(),
            picture: name.picture(),
            placed,
        }
    }

    fn is_nearest_to_own(&self) -> bool {
        self.placed.nearest == Some(self.family)
    }
}

impl MatrixCell {
    pub(super) fn new([phrase, model]: [Family; 2], played: &Played, placed: Placed) -> Self {
        let name = Name::of_cell(phrase, model);
        let [from_phrase, from_model] = [phrase, model].map(|f| placed.distance_db(f.name()));
        let is_nearer = from_phrase.zip(from_model).map(|(phrase, model)| model < phrase);
        Self {
            phrase: phrase.name(),
            model: model.name(),
            audio: name.audio(),
            picture: name.picture(),
            octaves: played.octaves,
            voiced_kept_percent: played.voiced_kept_percent,
            median_f0_error_cents: played.median_f0_error_cents,
            loudness_error_db: played.loudness_error_db,
            loudness_shift_db: played.loudness_shift_db,
            output_gain_db: played.output_gain_db,
            placed,
            is_nearer_to_learned: if phrase == model { None } else { is_nearer },
        }
    }

    /// Whether phrase and model are of one family.
    pub fn is_diagonal(&self) -> bool {
        self.phrase == self.model
    }

    /// Distance of the envelope from the model's family, dB.
    pub fn distance_to_learned_db(&self) -> Option<f64> {
        self.placed.distance_db(self.model)
    }

    /// Distance of the envelope from the phrase's family, dB.
    pub fn distance_to_phrase_db(&self) -> Option<f64> {
        self.placed.distance_db(self.phrase)
    }

    /// The family with the nearest envelope.
    pub fn nearest(&self) -> Option<&'static str> {
        self.placed.nearest
    }

    fn is_nearest_to_learned(&self) -> bool {
        self.nearest() == Some(self.model)
    }

    /// A silent output has no envelope.
    fn is_silent(&self) -> bool {
        self.placed.distances_db.is_empty()
    }

    fn is_finite(&self) -> bool {
        let figures = [self.voiced_kept_percent, self.loudness_shift_db, self.output_gain_db];
        let measured = [
            self.median_f0_error_cents,
            self.loudness_error_db,
            self.distance_to_learned_db(),
            self.distance_to_phrase_db(),
        ];
        figures.iter().all(|figure| figure.is_finite()) && measured.iter().all(Option::is_some)
    }
}

impl MatrixReport {
    pub(super) fn new(
        options: &MatrixOptions,
        learned: &[Learned],
        phrases: Vec<MatrixPhrase>,
        cells: Vec<MatrixCell>,
    ) -> Self {
        let count = |is: fn(&MatrixCell) -> bool| cells.iter().filter(|cell| is(cell)).count();
        let none = Limit::Equal(0.0);
        let checks = vec![
            Check::new("Silent cells", count(MatrixCell::is_silent) as f64, "", none),
            Check::new(
                "Cells without a pitch, or with another figure that is not finite",
                count(|cell| !cell.is_finite()) as f64,
                "",
                none,
            ),
        ];
        Self {
            preset: Config::DEFAULT_PRESET,
            n_parameters: learned.first().map_or(0, |learned| learned.report.n_parameters),
            compared_with: options.synth.families.clone(),
            models: learned.iter().map(LearnedFamily::new).collect(),
            summary: MatrixSummary::new(&phrases, &cells),
            phrases,
            cells,
            checks,
            seconds: 0.0,
            page: PathBuf::new(),
        }
    }

    /// Checks that are not met.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.met())
    }
}

impl MatrixSummary {
    fn new(phrases: &[MatrixPhrase], cells: &[MatrixCell]) -> Self {
        let count = |is: &dyn Fn(&MatrixCell) -> bool| cells.iter().filter(|c| is(c)).count();
        Self {
            n_families: phrases.len(),
            n_off_diagonal: count(&|cell| !cell.is_diagonal()),
            n_nearer_to_learned: count(&|cell| cell.is_nearer_to_learned == Some(true)),
            n_nearest_is_learned: count(&|c| !c.is_diagonal() && c.is_nearest_to_learned()),
            n_diagonal_nearest_is_own: count(&|c| c.is_diagonal() && c.is_nearest_to_learned()),
            n_phrases_nearest_is_own: phrases.iter().filter(|p| p.is_nearest_to_own()).count(),
            f0_error_cents: Extremes::of(cells, |cell| cell.median_f0_error_cents),
            loudness_error_db: Extremes::of(cells, |cell| cell.loudness_error_db),
            voiced_lost_percent: Extremes::of(cells, |c| Some(100.0 - c.voiced_kept_percent)),
        }
    }

    /// The summary in words, line by line.
    pub fn lines(&self) -> Vec<String> {
        let (n, near) = (self.n_off_diagonal, self.n_nearer_to_learned);
        let mut lines = vec![
            format!("nearer to the family learned than to the phrase's: {near} of {n} cells"),
            format!(
                "nearest of all to the family learned: {} of {n} cells, {} of {families} on the \
                 diagonal, and {} of the {families} phrases as they are",
                self.n_nearest_is_learned,
                self.n_diagonal_nearest_is_own,
                self.n_phrases_nearest_is_own,
                families = self.n_families,
            ),
        ];
        let figures = [
            ("f0 error", &self.f0_error_cents, "cents"),
            ("loudness error on notes", &self.loudness_error_db, "dB"),
            ("voiced frames lost", &self.voiced_lost_percent, "%"),
        ];
        for (name, extremes, unit) in figures {
            let Some(Extremes { median, worst, worst_cell: [phrase, model] }) = extremes else {
                continue;
            };
            let [median, worst] = [median, worst].map(|&value| number(value));
            lines.push(format!(
                "{name}: median {median} {unit}, worst {worst} {unit} ({phrase} phrase by {model})"
            ));
        }
        lines
    }
}

impl Extremes {
    /// Of those cells that have the figure.
    fn of(cells: &[MatrixCell], figure: impl Fn(&MatrixCell) -> Option<f64>) -> Option<Self> {
        let figures = cells.iter().filter_map(|cell| Some((figure(cell)?, cell)));
        let mut figures: Vec<(f64, &MatrixCell)> = figures.collect();
        figures.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let (worst, cell) = *figures.last()?;
        let (median, _) = figures[figures.len() / 2];
        Some(Self { median, worst, worst_cell: [cell.phrase, cell.model] })
    }
}
