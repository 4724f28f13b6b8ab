//! The tables of a matrix: phrases down, models across.

use super::report::{MatrixCell, MatrixPhrase, MatrixReport};
use crate::report::number;

/// One figure of all cells.
pub(super) struct MatrixTable {
    pub(super) title: &'static str,
    pub(super) lede: &'static str,
    /// What a cell says.
    pub(super) text: fn(&MatrixCell) -> String,
    pub(super) tone: fn(&MatrixCell) -> Tone,
    /// What there is to say of a phrase as it is.
    pub(super) as_it_is: Option<fn(&MatrixPhrase) -> String>,
}

/// Colour of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tone {
    /// The sound of the family learned.
    Learned,
    /// Nearer to the family learned than to the phrase's, though another is nearest.
    Towards,
    /// No nearer to the family learned than to the phrase's.
    Astray,
    /// Another family is nearest, and there are no two to compare.
    Open,
    /// An error, from 0 for none to 1.
    Error(f64),
}

impl Tone {
    /// Class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Towards => "towards",
            Self::Astray => "astray",
            Self::Open => "open",
            Self::Error(_) => "error",
        }
    }

    /// Of `value`, where `full` and above has the fullest colour; what is no number has it, too.
    fn linear(value: Option<f64>, full: f64) -> Self {
        Self::Error(value.map_or(1.0, |value| (value / full).clamp(0.0, 1.0)))
    }

    /// The same on a logarithmic scale from `none` on.
    fn logarithmic(value: Option<f64>, none: f64, full: f64) -> Self {
        let place = |value: f64| ((value / none).ln() / (full / none).ln()).clamp(0.0, 1.0);
        Self::Error(value.map_or(1.0, place))
    }
}

/// The tables in order. Colours are on fixed scales, so that two pages can be compared.
pub(super) const TABLES: [MatrixTable; 4] = [
    MatrixTable {
        title: "Whose sound it is",
        lede: "The family with the nearest spectral envelope, of all with held-out notes in the \
               register; below it the distance from the family learned and from the phrase's, dB. \
               Green: the family learned; pale green: another is nearest, and the family learned is \
               nearer than the phrase's; red: not even that; none: on the diagonal, where the two are \
               one, another is nearest. The last column is the phrase as it is: what the measure says \
               of the instrument itself.",
        text: whose,
        tone: whose_tone,
        as_it_is: Some(whose_as_it_is),
    },
    MatrixTable {
        title: "f0 error, cents",
        lede: "Median distance from the phrase's f0, moved by whole octaves where the model asks for \
               it, over frames that are voiced in both. Full colour: a semitone.",
        text: |cell| cell.median_f0_error_cents.map_or("–".to_owned(), number),
        tone: |cell| Tone::logarithmic(cell.median_f0_error_cents, 0.5, 100.0),
        as_it_is: None,
    },
    MatrixTable {
        title: "Loudness error on notes, dB",
        lede: "Mean distance from the loudness asked for, after one gain for the whole sound. Full \
               colour: 6 dB.",
        text: |cell| cell.loudness_error_db.map_or("–".to_owned(), number),
        tone: |cell| Tone::linear(cell.loudness_error_db, 6.0),
        as_it_is: None,
    },
    MatrixTable {
        title: "Voiced frames that stay voiced, %",
        lede: "Of the phrase's frames with a pitch; a plucked phrase on a bowed model may lose the ends \
               of its notes. Full colour: a fifth lost.",
        text: |cell| number(cell.voiced_kept_percent),
        tone: |cell| Tone::linear(Some(100.0 - cell.voiced_kept_percent), 20.0),
        as_it_is: None,
    },
];

fn whose(cell: &MatrixCell) -> String {
    let distances = match cell.is_diagonal() {
        true => vec![cell.distance_to_learned_db()],
        false => vec![cell.distance_to_learned_db(), cell.distance_to_phrase_db()],
    };
    let distances: Vec<String> =
        distances.into_iter().map(|db| db.map_or("–".to_owned(), tenths)).collect();
    format!("{} {}", cell.nearest().unwrap_or("silent"), distances.join(" / "))
}

fn whose_tone(cell: &MatrixCell) -> Tone {
    match (cell.nearest() == Some(cell.model), cell.is_nearer_to_learned) {
        (true, _) => Tone::Learned,
        (false, Some(true)) => Tone::Towards,
        (false, Some(false)) => Tone::Astray,
        (false, None) => Tone::Open,
    }
}

fn whose_as_it_is(phrase: &MatrixPhrase) -> String {
    let own = phrase.placed.distances_db.get(phrase.family).copied();
    let own = own.map_or("–".to_owned(), tenths);
    format!("{} {own}", phrase.placed.nearest.unwrap_or("silent"))
}

/// A distance: more digits mean nothing.
fn tenths(db: f64) -> String {
    format!("{db:.1}")
}

/// The cells of each phrase.
pub(super) fn rows(report: &MatrixReport) -> impl Iterator<Item = (&MatrixPhrase, &[MatrixCell])> {
    report.phrases.iter().zip(report.cells.chunks(report.models.len().max(1)))
}

/// The summary, the tables and the trainings as Markdown.
pub(super) fn markdown(report: &MatrixReport) -> String {
    let mut text = String::new();
    for line in report.summary.lines() {
        text += &format!("- {line}\n");
    }
    for table in &TABLES {
        text += &format!("\n## {}\n\n{}\n\n", table.title, table.lede);
        let last = table.as_it_is.map(|_| "as it is".to_owned());
        let models = report.models.iter().map(|model| model.family.to_owned());
        let header = std::iter::once("phrase \\ model".to_owned()).chain(models).chain(last);
        let rows = rows(report).map(|(phrase, cells)| {
            let cells = cells.iter().map(table.text);
            let last = table.as_it_is.map(|as_it_is| as_it_is(phrase));
            std::iter::once(format!("**{}**", phrase.family)).chain(cells).chain(last).collect()
        });
        text += &markdown_table(header.collect(), rows.collect());
    }
    let (header, rows) = trainings(report);
    text += "\n## Models\n\n";
    text + &markdown_table(header, rows)
}

fn markdown_table(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|{}\n", "---|".repeat(header.len()));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    line(&header) + &rule + &rows
}

/// Names of columns, and a row for each family: its phrase and its model.
pub(super) fn trainings(report: &MatrixReport) -> (Vec<String>, Vec<Vec<String>>) {
    let header = [
        "family",
        "phrase by",
        "unheard",
        "lowest note",
        "highest",
        "notes learned",
        "held out",
        "steps",
        "seconds",
        "held-out loss",
        "of the mean spectrum",
    ];
    let rows = report.models.iter().zip(&report.phrases).map(|(model, phrase)| {
        let loss = |loss: Option<ddsp_model::LossSummary>| {
            loss.map_or("–".to_owned(), |loss| number(loss.total))
        };
        vec![
            model.family.to_owned(),
            phrase.instrument.to_owned(),
            if phrase.is_held_out { "yes" } else { "no" }.to_owned(),
            phrase.pitches[0].to_string(),
            phrase.pitches[1].to_string(),
            model.n_examples.to_string(),
            model.n_held_out.to_string(),
            model.steps.to_string(),
            number(model.seconds),
            loss(model.held_out_loss),
            loss(model.mean_spectrum_loss),
        ]
    });
    (header.map(str::to_owned).to_vec(), rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_take_colour_up_to_their_scale_and_what_is_missing_all_of_it() {
        assert_eq!(Tone::linear(Some(3.0), 6.0), Tone::Error(0.5));
        assert_eq!(Tone::linear(Some(60.0), 6.0), Tone::Error(1.0));
        assert_eq!(Tone::linear(None, 6.0), Tone::Error(1.0));
        assert_eq!(Tone::logarithmic(Some(0.1), 0.5, 100.0), Tone::Error(0.0));
        let Tone::Error(share) = Tone::logarithmic(Some(50.0_f64.sqrt()), 0.5, 100.0) else {
            panic!("an error");
        };
        assert!((share - 0.5).abs() < 1e-12, "the geometric middle: {share}");
    }

    #[test]
    fn a_table_of_markdown_has_a_rule_below_its_heading() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let text = markdown_table(words(&["a", "b"]), vec![words(&["1", "2"])]);
        assert_eq!(text, "| a | b |\n|---|---|\n| 1 | 2 |\n");
    }
}
