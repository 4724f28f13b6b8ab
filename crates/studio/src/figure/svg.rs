//! A figure as SVG elements; colours and type come from `figure.css`.

use base64::Engine as _;
use maud::{Markup, html};

use super::{Curve, Figure, Image, Level};
use crate::picture::palette_png;

/// Width of every figure: the axes of those below each other line up.
const WIDTH: f64 = 540.0;

/// Room for tick labels.
const LEFT: f64 = 40.0;

/// Room for a colour bar or the names of levels.
const RIGHT: f64 = 62.0;

/// Room for the title and the legend.
const TOP: f64 = 27.0;

/// Room for tick labels.
const BOTTOM: f64 = 22.0;

/// Least distance between the baselines of two labels.
const LINE_HEIGHT: f64 = 12.0;

/// Points drawn for a curve at most: two for each pixel of the plane.
const MAX_POINTS: usize = 900;

/// Distances are written to a tenth of a pixel.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Bytes as an address that holds them.
pub fn data_url(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

impl Figure {
    /// Height of the whole figure, labels included.
    pub fn full_height(&self) -> f64 {
        TOP + f64::from(self.height) + BOTTOM
    }

    /// The figure as an `<svg>` element for an HTML page with `figure.css`.
    pub fn svg(&self) -> Markup {
        // A figure over time knows where it ends, so that a playing sound can show its place.
        let end = (self.x.unit == "s").then_some(self.x.max);
        let view = format!("0 0 {} {}", px(WIDTH), px(self.full_height()));
        html! {
            svg class="figure" viewBox=(view) role="img" aria-label=(self.title)
                data-left=(px(LEFT)) data-right=(px(WIDTH - RIGHT)) data-end=[end] {
                (self.content())
            }
        }
    }

    /// The figure as a group at a place of a larger drawing.
    pub fn group(&self, x: f64, y: f64) -> Markup {
        html! { g transform=(format!("translate({} {})", px(x), px(y))) { (self.content()) } }
    }

    fn content(&self) -> Markup {
        html! {
            (self.title_line())
            @if let Some(image) = &self.image { (self.picture(image)) }
            @for &(from, to) in &self.spans {
                rect class="span" x=(px(self.at_x(from))) y=(px(TOP)) height=(self.height)
                    width=(px((self.at_x(to) - self.at_x(from)).max(0.0))) {}
            }
            (self.y_ticks())
            (self.x_ticks())
            (self.level_lines())
            @for curve in &self.curves {
                path class={ "curve " (curve.role.class()) } d=(self.path(curve)) {}
            }
            line class="playhead" y1=(px(TOP)) y2=(px(TOP + f64::from(self.height))) {}
        }
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.position(value).clamp(0.0, 1.0) * (WIDTH - RIGHT - LEFT)
    }

    fn at_y(&self, value: f64) -> f64 {
        TOP + (1.0 - self.y.position(value).clamp(0.0, 1.0)) * f64::from(self.height)
    }

    /// Title and unit at the left, names of the curves at the right.
    fn title_line(&self) -> Markup {
        let named = self.curves.iter().filter(|c| !c.name.is_empty());
        html! {
            text class="title" x=(px(LEFT)) y="14" {
                (self.title)
                @if !self.y.unit.is_empty() { tspan class="unit" dx="6" { (self.y.unit) } }
            }
            text class="legend" x=(px(WIDTH - RIGHT)) y="14" text-anchor="end" {
                @for (i, curve) in named.enumerate() {
                    @if i > 0 { tspan { "\u{2003}" } }
                    tspan class=(curve.role.class()) { "● " }
                    tspan { (curve.name) }
                }
            }
        }
    }

    fn y_ticks(&self) -> Markup {
        let over_picture = self.image.is_some();
        html! {
            @for (value, label) in self.y.ticks(usize::from(self.height) / 40) {
                @let y = self.at_y(value);
                @if !over_picture {
                    line class="grid" x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(y)) y2=(px(y)) {}
                }
                text class="tick" x=(px(LEFT - 6.0)) y=(px(y + 3.5)) text-anchor="end" { (label) }
            }
        }
    }

    /// Ticks below the plane; the last one carries the unit.
    fn x_ticks(&self) -> Markup {
        let bottom = TOP + f64::from(self.height);
        let ticks = self.x.ticks(6);
        let n = ticks.len();
        html! {
            line class="axis" x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(bottom)) y2=(px(bottom)) {}
            @for (i, (value, label)) in ticks.into_iter().enumerate() {
                @let x = self.at_x(value);
                line class="axis" x1=(px(x)) x2=(px(x)) y1=(px(bottom)) y2=(px(bottom + 3.0)) {}
                text class="tick" x=(px(x)) y=(px(bottom + 15.0)) text-anchor="middle" {
                    (label)
                    @if i + 1 == n && !self.x.unit.is_empty() { " " (self.x.unit) }
                }
            }
        }
    }

    /// The picture with a bar of its colours.
    fn picture(&self, image: &Image) -> Markup {
        let plane = WIDTH - RIGHT - LEFT;
        let grid = image.grid.at_most(1200);
        let (bar, bottom) = (WIDTH - RIGHT + 10.0, TOP + f64::from(self.height));
        let rendering = if image.crisp { "crisp" } else { "smooth" };
        html! {
            image class=(rendering) x=(px(LEFT)) y=(px(TOP)) width=(px(plane)) height=(self.height)
                preserveAspectRatio="none"
                href=(data_url("image/png", &grid.png(image.min, image.max))) {}
            image class="smooth" x=(px(bar)) y=(px(TOP)) width="7" height=(self.height)
                preserveAspectRatio="none" href=(data_url("image/png", &palette_png())) {}
            text class="tick" x=(px(bar + 12.0)) y=(px(TOP + 8.0)) {
                (whole(image.max)) " " (image.unit)
            }
            text class="tick" x=(px(bar + 12.0)) y=(px(bottom)) { (whole(image.min)) }
        }
    }

    /// Dashed lines with their names at the right end, moved apart where they would overlap.
    fn level_lines(&self) -> Markup {
        let mut levels: Vec<&Level> = self.levels.iter().collect();
        levels.sort_by(|a, b| self.at_y(a.value).total_cmp(&self.at_y(b.value)));
        let ideal: Vec<f64> = levels.iter().map(|l| self.at_y(l.value)).collect();
        let places = spread(&ideal, LINE_HEIGHT);
        html! {
            @for (level, place) in levels.into_iter().zip(places) {
                @let y = px(self.at_y(level.value));
                line class="level" x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(y) y2=(y) {}
                text class="level" x=(px(WIDTH - RIGHT + 5.0)) y=(px(place + 3.5)) { (level.name) }
            }
        }
    }

    /// The curve as path data, broken where a point is missing or off the axis by far.
    fn path(&self, curve: &Curve) -> String {
        let mut data = String::new();
        let mut pen_down = false;
        for (x, y) in thinned(&curve.points, MAX_POINTS) {
            if x.is_finite() && y.is_finite() {
                data.push(if pen_down { 'L' } else { 'M' });
                data.push_str(&format!("{} {}", px(self.at_x(x)), px(self.at_y(y))));
            }
            pen_down = x.is_finite() && y.is_finite();
        }
        data
    }
}

/// A number without decimals, with a true minus sign.
fn whole(value: f32) -> String {
    format!("{:.0}", value + 0.0).replace('-', "−")
}

/// At most about `max` points that keep each stretch's extremes, in their order.
fn thinned(points: &[(f64, f64)], max: usize) -> Vec<(f64, f64)> {
    if points.len() <= max {
        return points.to_vec();
    }
    let stride = (2 * points.len()).div_ceil(max);
    let mut kept = Vec::with_capacity(max);
    for stretch in points.chunks(stride) {
        if stretch.iter().any(|p| !p.1.is_finite()) {
            // A gap inside the stretch: its first point and the gap say enough.
            kept.extend([stretch[0], (stretch[0].0, f64::NAN)]);
            continue;
        }
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let low = *stretch.iter().min_by(by_value).expect("chunks are not empty");
        let high = *stretch.iter().max_by(by_value).expect("chunks are not empty");
        kept.extend(if low.0 <= high.0 { [low, high] } else { [high, low] });
    }
    kept
}

/// Ascending places as near to `ideal` (ascending) as a distance of `gap` allows: groups that would
/// overlap are spread around their mean.
fn spread(ideal: &[f64], gap: f64) -> Vec<f64> {
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for &place in ideal {
        let mut group = (place, 1);
        while let Some(&(centre, n)) = groups.last() {
            let room = gap * (n + group.1) as f64 / 2.0;
            if group.0 - centre >= room {
                break;
            }
            groups.pop();
            let n_both = n + group.1;
            group = ((centre * n as f64 + group.0 * group.1 as f64) / n_both as f64, n_both);
        }
        groups.push(group);
    }
    let members = |(centre, n): (f64, usize)| {
        (0..n).map(move |i| centre + gap * (i as f64 - (n - 1) as f64 / 2.0))
    };
    groups.into_iter().flat_map(members).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Axis;
    use crate::figure::Role;
    use crate::picture::Grid;

    fn plain() -> Figure {
        Figure::new("f0", Axis::linear("s", 0.0, 4.0), Axis::linear("Hz", 0.0, 100.0))
    }

    #[test]
    fn a_curve_breaks_at_gaps_and_stays_inside() {
        let points = vec![(0.0, 0.0), (1.0, f64::NAN), (2.0, 50.0), (4.0, 900.0)];
        let figure = plain().curve("input", Role::Input, points);
        let path = figure.path(&figure.curves[0]);
        assert_eq!(path, "M40 177M259 102L478 27", "no line over the gap, clipped at the top");
    }

    #[test]
    fn a_long_curve_keeps_its_extremes() {
        let points: Vec<(f64, f64)> =
            (0..10_000).map(|i| (f64::from(i), if i == 4321 { 7.0 } else { 0.0 })).collect();
        let kept = thinned(&points, 900);
        assert!(kept.len() <= 900, "{} points", kept.len());
        assert!(kept.contains(&(4321.0, 7.0)), "the peak is lost");
        assert!(kept.windows(2).all(|w| w[0].0 <= w[1].0), "out of order");
    }

    #[test]
    fn labels_that_overlap_move_apart_around_their_mean() {
        assert_eq!(spread(&[10.0, 50.0], 12.0), [10.0, 50.0]);
        assert_eq!(spread(&[50.0, 50.0, 50.0], 12.0), [38.0, 50.0, 62.0]);
        let places = spread(&[10.0, 21.0, 22.0, 60.0], 12.0);
        assert!(places.windows(2).all(|w| w[1] - w[0] >= 12.0 - 1e-9), "{places:?}");
    }

    #[test]
    fn markup_is_escaped_and_holds_everything() {
        let image = Image {
            grid: Grid::new(2, vec![0.0; 8]),
            min: -80.0,
            max: 0.0,
            unit: "dB",
            crisp: true,
        };
        let figure = plain().image(image).level("<silence>", 5.0);
        let text = figure.svg().into_string();
        assert!(text.contains("&lt;silence&gt;"), "unescaped name");
        assert!(text.contains("−80") && text.contains("0 dB"), "no colour bar labels");
        assert_eq!(text.matches("data:image/png;base64,").count(), 2);
    }
}
