//! Figures below and beside each other in one SVG file.

use maud::{PreEscaped, html};

use crate::figure::Figure;

/// Distance between figures and to the edge.
const GAP: f64 = 18.0;

/// Width of a figure with a gap.
const COLUMN: f64 = 540.0 + GAP;

/// The figures, row by row in `n_columns`, as a file that follows the viewer's light or dark mode.
///
/// # Panics
///
/// If `n_columns` is 0.
pub fn sheet(figures: &[Figure], n_columns: usize) -> String {
    let mut places = Vec::new();
    let mut y = GAP;
    for row in figures.chunks(n_columns) {
        places.extend((0..row.len()).map(|i| (GAP + COLUMN * i as f64, y)));
        y += row.iter().map(Figure::full_height).fold(0.0, f64::max) + GAP;
    }
    let width = GAP + COLUMN * n_columns.min(figures.len().max(1)) as f64;
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" class="sheet figure"
            viewBox=(format!("0 0 {width} {y}")) width=(width) height=(y) {
            style {
                (PreEscaped(include_str!("colours.css")))
                (PreEscaped(include_str!("figure.css")))
            }
            rect width="100%" height="100%" fill="var(--paper)" {}
            @for (figure, (x, y)) in figures.iter().zip(places) { (figure.group(x, y)) }
        }
    };
    svg.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Axis;

    #[test]
    fn rows_are_as_high_as_their_highest_figure() {
        let figure = |height| {
            let axis = || Axis::linear("", 0.0, 1.0);
            Figure { height, ..Figure::new("a", axis(), axis()) }
        };
        let svg = sheet(&[figure(100), figure(200), figure(50)], 2);
        // Titles and ticks add 49.
        assert!(svg.contains("viewBox=\"0 0 1134 402\""), "{}", &svg[..200]);
        assert_eq!(svg.matches("translate(18 285)").count(), 1, "the third figure's place");
    }
}
