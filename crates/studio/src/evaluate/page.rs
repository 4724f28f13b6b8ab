//! The page of an evaluation: tables to sort, sounds to hear.

use std::cmp::Ordering;

use ddsp_kernels::FrameGrid;
use ddsp_train::{MEASURES, Measure, Performance};

use super::report::{EvaluationReport, heading};
use crate::axis::Axis;
use crate::error::Result;
use crate::figure::Figure;
use crate::report::{Block, Report, Section, number, spectrogram_figure};
use crate::spectrogram::spectrogram_db;
use crate::wav::wav_bytes;

/// The page; `perform` plays an example, given by its index, with the model.
pub(super) fn page(
    report: &EvaluationReport,
    grid: FrameGrid,
    perform: impl Fn(usize) -> Result<Performance>,
) -> Result<Report> {
    let mut sections = vec![players(report)];
    if report.evaluation.groups.len() > 1 {
        sections.push(groups(report));
    }
    for (name, example) in remarkable(report) {
        let performance = perform(report.evaluation.examples[example].index)?;
        sections.push(sounds(report, name, example, &performance, grid));
    }
    sections.push(examples(report));
    sections.push(definitions(report));
    let model = report.model.display();
    Ok(Report { title: format!("How well {model} plays"), sections, ..Report::default() })
}

fn players(report: &EvaluationReport) -> Section {
    let lede = format!(
        "Examples: {}. Mean spectrum of: {}. Each number is a mean over the examples and, after ±, \
         its standard deviation over them.",
        report.examples_used, report.mean_spectrum_of
    );
    let mut section = Section::new("The model and its baselines", lede);
    let judged = format!("{} of {}", report.n_examples, report.n_available);
    let secs = format!("{} s", number(report.example_secs));
    let facts = [("Examples judged", judged), ("Each at most", secs)];
    section.blocks.push(Block::Facts(facts.map(|(name, fact)| (name.to_owned(), fact)).to_vec()));
    let (header, rows) = report.evaluation.table();
    section.blocks.push(Block::Table { header, rows });
    section
}

fn groups(report: &EvaluationReport) -> Section {
    let by = report.evaluation.by.name();
    let mut section = Section::new(format!("By {by}"), "The model alone; click a heading to sort.");
    let (header, rows) = report.evaluation.group_table();
    section.blocks.push(Block::Sortable { header, rows });
    section
}

/// The examples with the least, the middle and the greatest loss, as far as they are different.
fn remarkable(report: &EvaluationReport) -> Vec<(&'static str, usize)> {
    let loss = |i: &usize| report.evaluation.of_model(*i).loss;
    let mut order: Vec<usize> = (0..report.evaluation.examples.len()).collect();
    order.sort_by(|a, b| loss(a).partial_cmp(&loss(b)).unwrap_or(Ordering::Equal));
    let last = order.len() - 1;
    let mut found = vec![("Least loss", order[0])];
    for (name, place) in [("Median loss", last / 2), ("Greatest loss", last)] {
        if found.iter().all(|(_, example)| *example != order[place]) {
            found.push((name, order[place]));
        }
    }
    found
}

fn sounds(
    report: &EvaluationReport,
    name: &str,
    example: usize,
    performance: &Performance,
    grid: FrameGrid,
) -> Section {
    let measures = report.evaluation.of_model(example);
    let title = format!("{name}: {}", report.evaluation.examples[example].id);
    let mut section = Section::new(title, "");
    let fact = |measure: &Measure| (heading(measure), number((measure.value)(measures)));
    section.blocks.push(Block::Facts(report.evaluation.shown().map(fact).collect()));
    let Performance { input, output } = performance;
    let spectrograms = [input, output].map(|audio| spectrogram_db(audio, grid.sample_rate));
    let max = spectrograms[0].max().max(spectrograms[1].max()).max(-100.0).ceil();
    let time = || Axis::linear("s", 0.0, input.len() as f64 / f64::from(grid.sample_rate));
    let figure = |title, spectrogram| -> Figure {
        spectrogram_figure(title, spectrogram, max, time(), grid.sample_rate)
    };
    let [of_input, of_output] = spectrograms;
    section.blocks.push(Block::Figures(vec![
        (figure("Recording", of_input), Some(wav_bytes(input, grid.sample_rate))),
        (figure("Model", of_output), Some(wav_bytes(output, grid.sample_rate))),
    ]));
    section
}

fn examples(report: &EvaluationReport) -> Section {
    let mut section =
        Section::new("Every example", "The model alone; click a heading to sort by it.");
    let shown: Vec<&Measure> = report.evaluation.shown().collect();
    let header = std::iter::once("example".to_owned())
        .chain(shown.iter().map(|measure| heading(measure)))
        .collect();
    let row = |i: usize| {
        let measures = report.evaluation.of_model(i);
        let cells = shown.iter().map(|measure| number((measure.value)(measures)));
        std::iter::once(report.evaluation.examples[i].id.clone()).chain(cells).collect()
    };
    let rows = (0..report.evaluation.examples.len()).map(row).collect();
    section.blocks.push(Block::Sortable { header, rows });
    section
}

fn definitions(report: &EvaluationReport) -> Section {
    let lede = format!(
        "A frame is voiced from a confidence of {} on, as our tracker is calibrated. – stands for \
         what is not defined: an onset where there is none, the pitch of silence.",
        report.voiced_confidence
    );
    let mut section = Section::new("What the measures are", lede);
    let row = |measure: &Measure| {
        let text = format!("{}: {}", measure.name, measure.meaning);
        vec![text, measure.unit.to_owned(), number(measure.perfect)]
    };
    section.blocks.push(Block::Table {
        header: ["Measure", "Unit", "Perfect"].map(str::to_owned).to_vec(),
        rows: MEASURES.iter().map(row).collect(),
    });
    section
}
