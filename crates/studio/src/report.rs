//! A report as one HTML file that needs nothing else: style, pictures and sounds are inside.

mod number;
mod sound;
mod training;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::check::Check;
use crate::figure::Figure;

pub use number::number;
pub use sound::{FeatureCurves, Sound};
pub(crate) use sound::{Heard, pitch_points, points, spectrogram_figure, spectrograms, with_notes};
pub use training::{Baseline, LossPoint, training_section};

/// A report: a headline, a verdict, sections.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Headline.
    pub title: String,
    /// A sentence or two below it.
    pub lede: String,
    /// What was checked; may be empty.
    pub checks: Vec<Check>,
    /// The rest, in order.
    pub sections: Vec<Section>,
}

/// A headed part of a report.
#[derive(Clone, Debug)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// A sentence or two below it; may be empty.
    pub lede: String,
    /// Content, in order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug)]
pub enum Block {
    /// Short facts side by side: name and value.
    Facts(Vec<(String, String)>),
    /// Rows of text below a heading row; all columns but the first are numbers.
    Table {
        /// Names of the columns.
        header: Vec<String>,
        /// As many cells each.
        rows: Vec<Vec<String>>,
    },
    /// The same, sorted by any column at a click on its heading.
    Sortable {
        /// Names of the columns.
        header: Vec<String>,
        /// As many cells each.
        rows: Vec<Vec<String>>,
    },
    /// Figures side by side, each with the sound it shows if there is one, as a WAV file's bytes.
    Figures(Vec<(Figure, Option<Vec<u8>>)>),
}

/// What every page has: a headline, the style, tables that sort.
pub(crate) struct Document<'a> {
    pub(crate) title: &'a str,
    /// A sentence or two below the headline; may be empty.
    pub(crate) lede: &'a str,
    /// Style beyond that of all pages.
    pub(crate) style: &'a str,
    /// What the page does.
    pub(crate) script: &'a str,
}

impl Document<'_> {
    /// The whole page around its content.
    pub(crate) fn html(&self, main: &Markup) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style {
                        (PreEscaped(include_str!("colours.css")))
                        (PreEscaped(include_str!("figure.css")))
                        (PreEscaped(include_str!("report/page.css")))
                        (PreEscaped(self.style))
                    }
                }
                body {
                    header {
                        h1 { (self.title) }
                        @if !self.lede.is_empty() { p class="lede" { (self.lede) } }
                    }
                    main { (main) }
                    footer { "Made by ddsp " (env!("CARGO_PKG_VERSION")) }
                    script { (PreEscaped(self.script)) }
                    script { (PreEscaped(include_str!("report/sort.js"))) }
                }
            }
        };
        page.into_string()
    }
}

impl Report {
    /// The whole page.
    pub fn html(&self) -> String {
        let main = html! {
            (self.verdict())
            @for section in &self.sections { (section.markup()) }
        };
        let script = include_str!("report/player.js");
        Document { title: &self.title, lede: &self.lede, style: "", script }.html(&main)
    }

    /// The checks, the failed ones first in words.
    fn verdict(&self) -> Markup {
        let n = self.checks.len();
        let n_failed = self.checks.iter().filter(|c| !c.met()).count();
        html! {
            @if n > 0 {
                section class="verdict" {
                    @if n_failed == 0 {
                        h2 class="met" { "All " (n) " checks met" }
                    } @else {
                        h2 class="failed" { (n_failed) " of " (n) " checks not met" }
                    }
                    (checks_table(&self.checks))
                }
            }
        }
    }
}

fn checks_table(checks: &[Check]) -> Markup {
    html! {
        div class="scroll" { table {
            thead { tr { th { "Check" } th { "Measured" } th { "Wanted" } th { "Met" } } }
            tbody {
                @for check in checks {
                    tr class=(if check.met() { "met" } else { "failed" }) {
                        td { (check.name) }
                        td { (check.measured_text()) }
                        td { (check.wanted_text()) }
                        td { (if check.met() { "✓ yes" } else { "✗ no" }) }
                    }
                }
            }
        } }
    }
}

impl Section {
    /// A section without content yet.
    pub fn new(title: impl Into<String>, lede: impl Into<String>) -> Self {
        Self { title: title.into(), lede: lede.into(), blocks: Vec::new() }
    }

    fn markup(&self) -> Markup {
        html! {
            section {
                h2 { (self.title) }
                @if !self.lede.is_empty() { p class="lede" { (self.lede) } }
                @for block in &self.blocks { (block.markup()) }
            }
        }
    }
}

impl Block {
    pub(crate) fn markup(&self) -> Markup {
        match self {
            Self::Facts(facts) => html! {
                dl class="facts" {
                    @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
                }
            },
            Self::Table { header, rows } => html! {
                div class="scroll" { table {
                    thead { tr { @for name in header { th { (name) } } } }
                    tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
                } }
            },
            Self::Sortable { header, rows } => html! {
                div class="scroll" { table class="sortable" {
                    thead { tr { @for name in header { th { button type="button" { (name) } } } } }
                    tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
                } }
            },
            Self::Figures(figures) => html! {
                div class="figures" {
                    @for (figure, wav) in figures {
                        figure {
                            (figure.svg())
                            @if let Some(wav) = wav {
                                audio controls preload="metadata" aria-label=(figure.title)
                                    src=(crate::figure::data_url("audio/wav", wav)) {}
                            }
                        }
                    }
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Axis;
    use crate::check::Limit;

    fn report(measured: f64) -> Report {
        let figure = Figure::new("f0", Axis::linear("s", 0.0, 1.0), Axis::linear("Hz", 0.0, 1.0));
        let mut section = Section::new("A <sound>", "");
        section.blocks.push(Block::Figures(vec![(figure, Some(b"RIFF".to_vec()))]));
        let checks = vec![Check::new("f0 error", measured, "cents", Limit::AtMost(10.0))];
        Report { title: "T".to_owned(), lede: String::new(), checks, sections: vec![section] }
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = report(1.0).html();
        for outside in ["http:", "https:", "url(", "@import", "<link", "src=\"/", "src=\"."] {
            assert!(!page.contains(outside), "the page refers to {outside}");
        }
        assert!(page.contains("data:audio/wav;base64,UklGRg=="), "no sound inside");
    }

    #[test]
    fn the_verdict_says_what_failed_and_text_is_escaped() {
        assert!(report(1.0).html().contains("All 1 checks met"), "met");
        let failed = report(11.0).html();
        assert!(failed.contains("1 of 1 checks not met"), "not met");
        assert!(failed.contains("A &lt;sound&gt;"), "escaped");
    }

    #[test]
    fn a_value_that_is_no_number_fails_its_check() {
        assert!(report(f64::NAN).html().contains("1 of 1 checks not met"), "NaN passed");
    }
}
