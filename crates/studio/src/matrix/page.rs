//! The page of a matrix: its sounds and pictures lie beside it, and load at a click.

use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use super::report::{MatrixCell, MatrixPhrase, MatrixReport};
use super::tables::{MatrixTable, TABLES, Tone, rows, trainings};
use crate::learn::thousands;
use crate::report::{Block, Document, number};

/// The whole page.
pub(super) fn html(report: &MatrixReport) -> String {
    let n = report.models.len();
    let (header, rows) = trainings(report);
    let models = Block::Sortable { header, rows };
    let main = html! {
        section {
            h2 { "In short" }
            ul class="summary" { @for line in report.summary.lines() { li { (line) } } }
            @for check in report.failed() {
                p class="failed" { (check.name) ": " (check.measured_text()) }
            }
        }
        @for table in &TABLES { (table_section(table, report)) }
        section {
            h2 { "Phrases and models" }
            p class="lede" {
                "Each phrase is played by an instrument that its family's model has not heard. Losses \
                 are totals on held-out notes."
            }
            (models.markup())
        }
        (panel())
        script type="application/json" id="sounds" { (PreEscaped(script_json(&sounds(report)))) }
    };
    let document = Document {
        title: "Every family's phrase, played by every family's model",
        lede: &format!(
            "{n} models of {} parameters, each trained on the notes of one family of built-in \
             instruments, play {n} phrases. A click on a cell plays it; the arrow keys go from cell to \
             cell.",
            thousands(report.n_parameters)
        ),
        style: include_str!("matrix.css"),
        script: include_str!("matrix.js"),
    };
    document.html(&main)
}

fn table_section(table: &MatrixTable, report: &MatrixReport) -> Markup {
    html! {
        section {
            h2 { (table.title) }
            p class="lede" { (table.lede) }
            div class="scroll" { table class="matrix" {
                thead {
                    tr {
                        th scope="col" { "phrase ↓ model →" }
                        @for model in &report.models { th scope="col" { (model.family) } }
                        @if table.as_it_is.is_some() { th scope="col" { "as it is" } }
                    }
                }
                tbody {
                    @for (phrase, cells) in rows(report) {
                        tr {
                            th scope="row" { (link(&phrase.audio, phrase.family)) }
                            @for cell in cells { (cell_markup(table, cell)) }
                            @if let Some(as_it_is) = table.as_it_is {
                                td class="plain" { (link(&phrase.audio, &as_it_is(phrase))) }
                            }
                        }
                    }
                }
            } }
        }
    }
}

fn cell_markup(table: &MatrixTable, cell: &MatrixCell) -> Markup {
    let tone = (table.tone)(cell);
    let mut classes = tone.class().to_owned();
    if cell.is_diagonal() {
        classes += " diagonal";
    }
    let style = match tone {
        Tone::Error(share) => Some(format!("--share: {:.0}%", 100.0 * share)),
        _ => None,
    };
    html! { td class=(classes) style=[style] { (link(&cell.audio, &(table.text)(cell))) } }
}

/// A sound, the first word above the rest; without scripts it is a plain link.
fn link(audio: &str, text: &str) -> Markup {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    html! {
        a href=(audio) { (word) @if !rest.is_empty() { small { (rest) } } }
    }
}

/// Where the chosen sound is heard and seen, beside the phrase as it is.
fn panel() -> Markup {
    html! {
        aside id="panel" hidden aria-live="polite" {
            div class="head" {
                h2 id="panel-title" {}
                button type="button" id="panel-close" aria-label="Close" { "✕" }
            }
            dl class="facts" id="panel-facts" {}
            div class="pair" {
                @for (id, name) in [("source", "The phrase"), ("played", "Played by the model")] {
                    figure id=(id) {
                        figcaption { (name) }
                        img loading="lazy" alt=(format!("Spectrogram: {name}")) {}
                        audio controls preload="none" {}
                    }
                }
            }
        }
    }
}

/// What the panel shows of each sound, by the path of the sound.
fn sounds(report: &MatrixReport) -> Value {
    let phrases = report.phrases.iter().map(|phrase| (phrase.audio.clone(), phrase_json(phrase)));
    let cells = rows(report).flat_map(|(phrase, cells)| {
        cells.iter().map(|cell| (cell.audio.clone(), cell_json(phrase, cell)))
    });
    Value::Object(phrases.chain(cells).collect())
}

fn phrase_json(phrase: &MatrixPhrase) -> Value {
    let title = format!("The {} phrase as it is: {}", phrase.family, phrase.instrument);
    let nearest = phrase.placed.nearest.unwrap_or("–");
    json!({
        "title": title,
        "source": [phrase.audio, phrase.picture],
        "facts": [["Nearest", nearest]],
    })
}

fn cell_json(phrase: &MatrixPhrase, cell: &MatrixCell) -> Value {
    let with =
        |value: Option<f64>, unit: &str| format!("{} {unit}", value.map_or("–".to_owned(), number));
    let mut facts = vec![
        ("Nearest".to_owned(), cell.nearest().unwrap_or("–").to_owned()),
        (format!("From {}", cell.model), with(cell.distance_to_learned_db(), "dB")),
    ];
    if !cell.is_diagonal() {
        facts.push((format!("From {}", cell.phrase), with(cell.distance_to_phrase_db(), "dB")));
    }
    let figures = [
        ("f0 error", cell.median_f0_error_cents, "cents"),
        ("Loudness error", cell.loudness_error_db, "dB"),
        ("Voiced kept", Some(cell.voiced_kept_percent), "%"),
        ("Pitch moved by", Some(f64::from(cell.octaves)), "octaves"),
        ("Loudness moved by", Some(cell.loudness_shift_db), "dB"),
        ("Gain", Some(cell.output_gain_db), "dB"),
    ];
    facts.extend(figures.map(|(name, value, unit)| (name.to_owned(), with(value, unit))));
    json!({
        "title": format!("The {} phrase, played by the {} model", cell.phrase, cell.model),
        "source": [phrase.audio, phrase.picture],
        "played": [cell.audio, cell.picture],
        "facts": facts,
    })
}

/// JSON that cannot end the element it stands in.
fn script_json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}
