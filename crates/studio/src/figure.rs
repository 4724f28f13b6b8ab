//! One figure over time or steps: a picture or curves with axes, as an SVG that follows the page's
//! colours.

mod svg;

pub use svg::data_url;

use crate::axis::Axis;
use crate::picture::Grid;

/// Colour of a curve by what it shows; the style sheet knows the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The sound that went in.
    Input,
    /// The sound that came out.
    Output,
    /// What the model was asked for.
    Request,
    /// The harmonic part, or a magnitude term.
    Harmonic,
    /// The noise part, or a log-magnitude term.
    Noise,
    /// Something to compare with.
    Reference,
}

impl Role {
    /// Class in the style sheet.
    fn class(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Request => "request",
            Self::Harmonic => "harmonic",
            Self::Noise => "noise",
            Self::Reference => "reference",
        }
    }
}

/// A named line through points; one with a coordinate that is not finite breaks it.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// Colour.
    pub role: Role,
    /// `(x, y)` in axis units, by ascending x.
    pub points: Vec<(f64, f64)>,
}

/// A horizontal line with its name at the right end.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Name at the right end.
    pub name: String,
    /// Height in axis units.
    pub value: f64,
}

/// A picture that fills the plane between the axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The values.
    pub grid: Grid,
    /// Value of the darkest colour.
    pub min: f32,
    /// Value of the brightest colour.
    pub max: f32,
    /// Unit of the values, for the colour bar.
    pub unit: &'static str,
    /// Whether each value keeps its edges instead of blending with the next.
    pub crisp: bool,
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it shows, in a few words.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Height of the plane between the axes, in the pixels of a figure 540 wide.
    pub height: u16,
    /// Picture behind everything.
    pub image: Option<Image>,
    /// Shaded stretches of the x axis.
    pub spans: Vec<(f64, f64)>,
    /// Lines, the first lowest.
    pub curves: Vec<Curve>,
    /// Horizontal lines.
    pub levels: Vec<Level>,
}

impl Figure {
    /// An empty figure of usual height.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            height: 150,
            image: None,
            spans: Vec::new(),
            curves: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// The figure with one more curve.
    #[must_use]
    pub fn curve(mut self, name: &str, role: Role, points: Vec<(f64, f64)>) -> Self {
        self.curves.push(Curve { name: name.to_owned(), role, points });
        self
    }

    /// The figure with one more horizontal line.
    #[must_use]
    pub fn level(mut self, name: &str, value: f64) -> Self {
        self.levels.push(Level { name: name.to_owned(), value });
        self
    }

    /// The figure with a picture between its axes.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.image = Some(image);
        self
    }
}
