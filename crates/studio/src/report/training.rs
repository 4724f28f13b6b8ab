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
        (total_figure(training, held_out, baselines), None),
        (terms_figure(training, held_out), None),
    ];
    section.blocks.push(Block::Figures(figures));
    section.blocks.push(table(rows));
    section
}

/// The total over the steps, with the baselines as lines.
fn total_figure(training: &[LossPoint], held_out: &[LossPoint], baselines: &[Baseline]) -> Figure {
    let (training, held_out) = (line(training, |l| l.total), line(held_out, |l| l.total));
    let levels: Vec<f64> = baselines.iter().map(|b| b.loss.total).collect();
    let figure = loss_figure("Loss", &[&training, &held_out], &levels)
        .curve("training", Role::Reference, training)
        .curve("held out", Role::Output, held_out);
    baselines.iter().fold(figure, |figure, b| figure.level(&b.name, b.loss.total))
}

/// The two terms of the held-out loss; of the training loss where nothing is held out.
fn terms_figure(training: &[LossPoint], held_out: &[LossPoint]) -> Figure {
    let (title, losses) = match held_out {
        [] => ("Its two terms", training),
        _ => ("Its two terms, held out", held_out),
    };
    let (magnitude, log) = (line(losses, |l| l.magnitude), line(losses, |l| l.log_magnitude));
    loss_figure(title, &[&magnitude, &log], &[])
        .curve("magnitude", Role::Harmonic, magnitude)
        .curve("log magnitude", Role::Noise, log)
}

fn line(losses: &[LossPoint], value: fn(&LossPoint) -> f64) -> Vec<(f64, f64)> {
    losses.iter().map(|l| (l.step as f64, value(l))).collect()
}

/// Axes around curves and levels.
fn loss_figure(title: &str, curves: &[&[(f64, f64)]], levels: &[f64]) -> Figure {
    let points = || curves.iter().copied().flatten();
    let values = points().map(|p| p.1).chain(levels.iter().copied());
    let (min, max) = extent(values.filter(|v| *v > 0.0));
    let last = points().map(|p| p.0).fold(1.0, f64::max);
    let x = Axis::linear("steps", 0.0, last);
    let mut figure = Figure::new(title, x, Axis::log("", min / 1.15, max * 1.15));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curves_stand_with_the_baselines_and_the_table_ends_with_the_model() {
        let at = |step, total| LossPoint {
            step,
            total,
            magnitude: 0.4 * total,
            log_magnitude: 0.6 * total,
        };
        let row = |name: &str, total| Baseline { name: name.to_owned(), loss: at(0, total) };
        let rows = [row("silence", 14.0), row("trained", 5.0)];
        let section =
            training_section("", Vec::new(), &[at(1, 20.0), at(2, 6.0)], &[at(2, 6.5)], &rows);
        let [_, Block::Figures(figures), Block::Table { rows, .. }] = &section.blocks[..] else {
            panic!("facts, figures, table")
        };
        assert_eq!(figures[0].0.levels.len(), 1, "the model itself is no baseline");
        assert_eq!(figures[1].0.curves[0].points, [(2.0, 2.6)], "held out");
        assert_eq!(rows[1], ["trained", "5", "2", "3"]);
    }
}
