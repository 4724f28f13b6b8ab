//! Progress on stderr: on a terminal a bar with rate and time left, or the dashboard where a command
//! asks for it; else a line every few seconds.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use ddsp_studio::Event;
use indicatif::{ProgressBar, ProgressStyle};

use crate::screen::Screen;

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Shows events.
pub struct Progress {
    is_terminal: bool,
    bar: Option<ProgressBar>,
    screen: Option<Screen>,
    /// Lines for stdout that wait until the screen is closed.
    kept: Vec<String>,
    stage: String,
    stage_began: Instant,
    last_line: Instant,
}

impl Progress {
    /// Nothing shown yet.
    pub fn new() -> Self {
        let now = Instant::now();
        let is_terminal = io::stderr().is_terminal();
        Self {
            is_terminal,
            bar: None,
            screen: None,
            kept: Vec::new(),
            stage: String::new(),
            stage_began: now,
            last_line: now,
        }
    }

    /// Shows plain lines, whatever there is for a terminal.
    pub fn set_plain(&mut self) {
        self.is_terminal = false;
    }

    /// Opens the dashboard if there is a terminal that can show it.
    pub fn open_screen(&mut self, title: &str) {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if self.is_terminal && !is_dumb {
            self.finish();
            self.screen = Screen::open(title).ok();
        }
    }

    /// Closes the dashboard; gives back the lines that belong on stdout.
    pub fn close_screen(&mut self) -> Vec<String> {
        self.finish();
        self.screen = None;
        std::mem::take(&mut self.kept)
    }

    /// Shows `event`; gives back a line that belongs on stdout, unless `is_json`.
    pub fn show(&mut self, event: Event, is_json: bool) -> Option<String> {
        if let Some(screen) = &self.screen {
            if let (Event::Result(line), false) = (&event, is_json) {
                self.kept.push(line.clone());
            }
            screen.show(event);
            return None;
        }
        match event {
            Event::Stage(name) => self.begin(name),
            Event::Progress { progress, unit, remaining_secs, status } => {
                self.count(progress, unit, remaining_secs, &status);
            }
            Event::Training(training) => {
                let progress = ddsp_data::Progress { done: training.step, total: training.steps };
                let status = training.losses();
                self.count(progress, "steps", Some(training.remaining_secs), &status);
            }
            Event::Result(line) if is_json => eprintln!("{line}"),
            Event::Result(line) => {
                self.finish();
                return Some(line);
            }
        }
        None
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn begin(&mut self, name: String) {
        self.finish();
        if !self.is_terminal {
            eprintln!("{name} …");
        }
        self.stage = name;
        self.stage_began = Instant::now();
        self.last_line = self.stage_began;
    }

    fn count(
        &mut self,
        progress: ddsp_data::Progress,
        unit: &str,
        remaining_secs: Option<f64>,
        status: &str,
    ) {
        let elapsed = self.stage_began.elapsed().as_secs_f64();
        let rate = progress.done as f64 / elapsed.max(1e-9);
        let left = progress.total.saturating_sub(progress.done) as f64 / rate.max(1e-9);
        let mut line = format!("{}, {} a second", amount(progress, unit), short(rate, unit));
        let _ = write!(line, ", {} left", duration(remaining_secs.unwrap_or(left)));
        if !status.is_empty() {
            let _ = write!(line, ", {status}");
        }
        if self.is_terminal {
            let stage = &self.stage;
            let bar = self.bar.get_or_insert_with(|| new_bar(stage));
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            bar.set_message(line);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{}: {line}", self.stage);
        }
    }
}

fn new_bar(stage: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{prefix}  {bar:24.magenta/dim}  {msg}")
        .expect("the template is valid")
        .progress_chars("━╸─");
    bar.set_style(style);
    bar.set_prefix(stage.to_owned());
    bar
}

/// `12 of 80 notes`, `3.1 of 90 MB`.
fn amount(progress: ddsp_data::Progress, unit: &str) -> String {
    let ddsp_data::Progress { done, total } = progress;
    match unit {
        "bytes" => format!("{:.1} of {:.1} MB", done as f64 / 1e6, total as f64 / 1e6),
        _ => format!("{done} of {total} {unit}"),
    }
}

/// A rate.
fn short(rate: f64, unit: &str) -> String {
    match unit {
        "bytes" => format!("{:.0} MB", rate / 1e6),
        _ if rate >= 10.0 => format!("{rate:.0}"),
        _ => format!("{rate:.1}"),
    }
}

/// `2 min 5 s`.
pub fn duration(secs: f64) -> String {
    let whole = Duration::try_from_secs_f64(secs.max(0.0).round()).unwrap_or_default().as_secs();
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_short_words() {
        assert_eq!(
            [0.4, 59.6, 125.0, 7260.0].map(duration),
            ["0 s", "1 min 0 s", "2 min 5 s", "2 h 1 min"]
        );
        assert_eq!(duration(f64::NAN), "0 s");
    }
}
