//! One sound as several models play it, side by side.

use crate::axis::Axis;
use crate::report::{Block, Heard, Report, Section, number, spectrograms};

use super::Transfer;

/// The page of what the models, by name, made of one input: numbers, spectrograms with sounds on one
/// colour scale, then the curves of each.
///
/// The input is shown at the first model's rate.
///
/// # Panics
///
/// If there is no model.
pub fn comparison(title: &str, models: &[(String, Transfer)]) -> Report {
    let (_, first) = models.first().expect("a model at least");
    let mut side_by_side = Section::new(
        "Side by side",
        "Only f0 and loudness of the input drive the models. A click on a figure plays from there.",
    );
    side_by_side.blocks.push(numbers(models));
    let heard = |title, played: &Transfer, audio| Heard {
        title,
        audio,
        sample_rate: played.grid.sample_rate,
    };
    let mut sounds = vec![heard("Input", first, first.input.as_slice())];
    sounds.extend(models.iter().map(|(name, played)| heard(name, played, &played.rendering.audio)));
    let secs = first.input.len() as f64 / f64::from(first.grid.sample_rate);
    let figures = spectrograms(&sounds, sounds.len(), &Axis::linear("s", 0.0, secs));
    side_by_side.blocks.push(Block::Figures(figures));
    let curves = models.iter().map(|(name, played)| played.curves_section(name));
    Report {
        title: title.to_owned(),
        sections: std::iter::once(side_by_side).chain(curves).collect(),
        ..Report::default()
    }
}

/// A row a measure, a column a model.
fn numbers(models: &[(String, Transfer)]) -> Block {
    let header = std::iter::once(String::new()).chain(models.iter().map(|(name, _)| name.clone()));
    let columns: Vec<_> = models.iter().map(|(_, played)| played.measures.named()).collect();
    let row = |(i, (name, _, unit)): (usize, &(&str, f64, &str))| {
        let values = columns.iter().map(|column| number(column[i].1));
        std::iter::once(format!("{name}, {unit}")).chain(values).collect()
    };
    Block::Table {
        header: header.collect(),
        rows: columns[0].iter().enumerate().map(row).collect(),
    }
}
