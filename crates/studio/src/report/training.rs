//! How training went: losses over the steps, and the baselines that they have to beat.

use super::{Block, Section, number};
use crate::axis::{Axis, extent};
use crate::figure::{Figure, Role};

/// Losses at one step: the total and its two terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossPoint {
    /// Updates so far.
    pub step: u64,
    /// Sum of the two terms.
    pub total: f64,
    /// Difference of the magnitudes.
    pub magnitude: f64,
    /// Difference of the log magnitudes.
    pub log_magnitude: f64,
}

/// The loss on held-out notes of something that needs no training, or of the trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// What it is.
    pub name: String,
    /// Its losses; the step does not matter.
    pub loss: LossPoint,
}

/// The section on training: curves of the training and held-out losses with the baselines as lines,
/// and a table of the same.
pub fn training_section(
    lede: &str,
    facts: Vec<(String, String)>,
    training: &[LossPoint],
    held_out: &[LossPoint],
    rows: &[Baseline],
) -> Section {
    let mut section = Section::new("Training", lede);
    section.blocks.push(Block::Facts(facts));
    let (baselines, _) = rows.split_at(rows.len().saturating_sub(1));
    let figures = vec![
        (curves("Loss", training, held_out, baselines, |l| l.total), None),
        (curves("… its magnitude term", training, held_out, baselines, |l| l.magnitude), None),
        (
            curves("… its log-magnitude term", training, held_out, baselines, |l| l.log_magnitude),
            None,
        ),
    ];
    section.blocks.push(Block::Figures(figures));
    section.blocks.push(table(rows));
    section
}

fn curves(
    title: &str,
    training: &[LossPoint],
    held_out: &[LossPoint],
    baselines: &[Baseline],
    value: fn(&LossPoint) -> f64,
) -> Figure {
    let line = |losses: &[LossPoint]| -> Vec<(f64, f64)> {
        losses.iter().map(|l| (l.step as f64, value(l))).collect()
    };
    let (training, held_out) = (line(training), line(held_out));
    let levels = baselines.iter().map(|b| value(&b.loss));
    let all = training.iter().chain(&held_out).map(|p| p.1).chain(levels);
    let (min, max) = extent(all.filter(|v| *v > 0.0));
    let last = training.iter().chain(&held_out).map(|p| p.0).fold(1.0, f64::max);
    let x = Axis::linear("steps", 0.0, last);
    let mut figure = Figure::new(title, x, Axis::log("", min / 1.15, max * 1.15))
        .curve("training", Role::Reference, training)
        .curve("held out", Role::Output, held_out);
    for baseline in baselines {
        figure = figure.level(&baseline.name, value(&baseline.loss));
    }
    figure.height = 190;
    figure
}

fn table(rows: &[Baseline]) -> Block {
    let header = ["On held-out notes", "Loss", "Magnitude", "Log magnitude"];
    let row = |baseline: &Baseline| {
        let LossPoint { total, magnitude, log_magnitude, .. } = baseline.loss;
        vec![baseline.name.clone(), number(total), number(magnitude), number(log_magnitude)]
    };
    Block::Table {
        header: header.map(str::to_owned).to_vec(),
        rows: rows.iter().map(row).collect(),
    }
}
