//! Pictures of the distributions of pitch and loudness in a data set.

use ddsp_data::{ClassStatistics, DENSITY_LEVELS, DataStatistics};

use crate::axis::Axis;
use crate::figure::{Figure, Image, Role};
use crate::picture::Grid;
use crate::sheet::sheet;

/// Loudness of the lowest level of the density, and from one to the next, in dB.
const LOWEST_DB: f64 = -80.0;
const LEVEL_DB: f64 = 2.0;

/// Histograms of pitch and loudness and the density of both, in a row for all records and in one for
/// each class, as an SVG file.
pub fn statistics_picture(statistics: &DataStatistics) -> String {
    let all = [("all", &statistics.all)].into_iter();
    let classes = statistics.classes.iter().map(|(name, class)| (name.as_str(), class));
    let figures: Vec<Figure> =
        all.chain(classes).flat_map(|(name, class)| figures(name, class)).collect();
    sheet(&figures, 3)
}

fn figures(name: &str, class: &ClassStatistics) -> [Figure; 3] {
    let density = &class.density;
    let n = class.note_frames.max(1) as f64;
    let rows = || density.chunks_exact(DENSITY_LEVELS);
    let percent = |count: u64| 100.0 * count as f64 / n;
    let pitches: Vec<f64> = rows().map(|levels| percent(levels.iter().sum())).collect();
    let levels: Vec<f64> =
        (0..DENSITY_LEVELS).map(|i| percent(rows().map(|levels| levels[i]).sum())).collect();
    // A class without notes shows the middle of the keyboard.
    let is_there = |value: &f64| *value > 0.0;
    let low = pitches.iter().position(is_there).unwrap_or(48);
    let high = pitches.iter().rposition(is_there).unwrap_or(72);
    let columns = rows().skip(low).take(high + 1 - low);
    #[expect(clippy::cast_possible_truncation, reason = "a colour")]
    let values: Vec<f32> = columns.flatten().map(|&count| percent(count) as f32).collect();
    let grid = Grid::new(DENSITY_LEVELS, values);
    let max = grid.max().max(f32::MIN_POSITIVE);
    let image = Image { grid, min: 0.0, max, unit: "%", crisp: true };
    let midi = || Axis::linear("MIDI", low as f64 - 0.5, high as f64 + 0.5);
    let top_db = LOWEST_DB + LEVEL_DB * DENSITY_LEVELS as f64;
    let level = || Axis::linear("dB", LOWEST_DB, top_db);
    let pitch = bars(format!("{name}: pitch"), midi(), &pitches, (-0.5, 1.0));
    let loudness = bars(format!("{name}: loudness"), level(), &levels, (LOWEST_DB, LEVEL_DB));
    let both = Figure::new(format!("{name}: loudness by pitch"), midi(), level()).image(image);
    [pitch, loudness, both]
}

/// A histogram as the outline of its bars, the first of which begins at `from`.
fn bars(title: String, x: Axis, percent: &[f64], (from, width): (f64, f64)) -> Figure {
    let outline = percent.iter().enumerate().flat_map(|(i, &share)| {
        let left = from + width * i as f64;
        [(left, share), (left + width, share)]
    });
    let points: Vec<(f64, f64)> =
        outline.filter(|point| (x.min..=x.max).contains(&point.0)).collect();
    let top = percent.iter().copied().fold(0.0, f64::max);
    Figure::new(title, x, Axis::linear("% of note frames", 0.0, 1.05 * top)).curve(
        "",
        Role::Input,
        points,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(frames: &[(usize, usize, u64)]) -> ClassStatistics {
        let mut density = vec![0; 128 * DENSITY_LEVELS];
        for &(midi, level, n) in frames {
            density[midi * DENSITY_LEVELS + level] = n;
        }
        ClassStatistics {
            records: 1,
            records_without_notes: 0,
            note_frames: density.iter().sum(),
            f0_midi: None,
            loudness_db: None,
            power_db: None,
            density,
        }
    }

    #[test]
    fn histograms_are_the_sums_of_the_density() {
        let [pitch, loudness, both] = figures("all", &class(&[(60, 20, 30), (64, 20, 10)]));
        assert_eq!((pitch.x.min, pitch.x.max), (59.5, 64.5));
        let points = &pitch.curves[0].points;
        assert_eq!(points[..3], [(59.5, 0.0), (59.5, 75.0), (60.5, 75.0)], "three quarters");
        assert_eq!(points.last(), Some(&(64.5, 0.0)));
        assert!(loudness.curves[0].points.contains(&(-40.0, 100.0)), "level 20 begins at -40 dB");
        let image = both.image.expect("a picture");
        assert_eq!((image.grid.n_columns, image.grid.n_rows, image.max), (5, 60, 75.0));
    }

    #[test]
    fn every_class_has_a_row_even_without_notes() {
        let classes = [("string".to_owned(), class(&[]))].into();
        let all = class(&[(60, 20, 1)]);
        let statistics =
            DataStatistics { files: Vec::new(), n_quantiles: 101, all, classes, files_missing: 0 };
        let svg = statistics_picture(&statistics);
        assert!(svg.contains("string: loudness by pitch") && svg.contains("all: pitch"), "titles");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "numbers only");
    }
}
