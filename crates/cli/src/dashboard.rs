//! What the screen shows of a training: curves, numbers, the last events.

mod curve;

use std::collections::VecDeque;

use ddsp_data::Progress;
use ddsp_studio::{Event, TrainingProgress, number};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Wrap};

use crate::progress::duration;
use curve::Curve;

/// Events that are kept; no terminal shows more.
const N_EVENTS: usize = 50;

/// Columns that the numbers need.
const NUMBERS_WIDTH: u16 = 34;

/// All that is known so far.
pub struct Dashboard {
    title: String,
    stage: String,
    counted: Option<(Progress, &'static str)>,
    training: Option<TrainingProgress>,
    loss: Curve,
    held_out: Curve,
    events: VecDeque<String>,
    is_stopping: bool,
}

impl Dashboard {
    /// Nothing known yet.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            stage: String::new(),
            counted: None,
            training: None,
            loss: Curve::default(),
            held_out: Curve::default(),
            events: VecDeque::new(),
            is_stopping: false,
        }
    }

    /// Says whether the user asked for an early end.
    pub fn set_stopping(&mut self, is_stopping: bool) {
        self.is_stopping = is_stopping;
    }

    /// Takes an event in.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Stage(name) => {
                self.keep(format!("{name} …"));
                (self.stage, self.counted) = (name, None);
            }
            Event::Progress { progress, unit, .. } => self.counted = Some((progress, unit)),
            Event::Result(line) => self.keep(line),
            Event::Training(training) => {
                self.loss.add(training.step, training.loss);
                if let (Some(held_out), true) = (training.held_out, training.is_measured) {
                    self.held_out.add(training.step, held_out);
                    let (step, best) = (training.step, if training.best { ", kept" } else { "" });
                    self.keep(format!("step {step}: held out {}{best}", number(held_out)));
                }
                self.training = Some(training);
            }
        }
    }

    fn keep(&mut self, line: String) {
        self.events.push_back(line);
        while self.events.len() > N_EVENTS {
            self.events.pop_front();
        }
    }

    /// Draws everything.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let [head, middle, foot] =
            Layout::vertical([Constraint::Length(3), Constraint::Fill(1), Constraint::Length(1)])
                .areas(frame.area());
        self.draw_gauge(frame, head);
        let [left, right] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(NUMBERS_WIDTH)])
                .areas(middle);
        let [numbers, events] =
            Layout::vertical([Constraint::Length(self.n_numbers() + 2), Constraint::Fill(1)])
                .areas(right);
        self.draw_curves(frame, left);
        self.draw_numbers(frame, numbers);
        self.draw_events(frame, events);
        let keys = match self.is_stopping {
            false => "q or Ctrl-C: stop after this step and keep the best model",
            true => "stopping after this step; Ctrl-C: at once",
        };
        frame.render_widget(Line::raw(keys).style(Style::new().fg(Color::DarkGray)), foot);
    }

    /// How far the work is.
    fn draw_gauge(&self, frame: &mut Frame<'_>, area: Rect) {
        let (done, total, label) = match (&self.training, self.counted) {
            (Some(training), _) => {
                let TrainingProgress { step, steps, remaining_secs, .. } = *training;
                let left = duration(remaining_secs);
                (step, steps, format!("step {step} of {steps}, {left} left"))
            }
            (None, Some((Progress { done, total }, unit))) => {
                (done, total, format!("{}: {done} of {total} {unit}", self.stage))
            }
            (None, None) => (0, 1, format!("{} …", self.stage)),
        };
        let ratio = (done as f64 / total.max(1) as f64).clamp(0.0, 1.0);
        let gauge = Gauge::default()
            .block(Block::bordered().title(self.title.as_str()))
            .gauge_style(Style::new().fg(Color::Magenta))
            .ratio(ratio)
            .label(label);
        frame.render_widget(gauge, area);
    }

    /// The losses over the steps, the loss on a logarithmic axis.
    fn draw_curves(&self, frame: &mut Frame<'_>, area: Rect) {
        let [loss, held_out] = [&self.loss, &self.held_out].map(Curve::log_points);
        let last = self.training.as_ref().map_or(1.0, |training| training.step as f64).max(2.0);
        let values = || loss.iter().chain(&held_out).map(|(_, y)| *y);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let [low, high] = if low < high { [low, high] } else { [low - 0.1, low + 0.1] };
        let [low, high] = if low.is_finite() { [low, high] } else { [0.0, 1.0] };
        let line = |name: &'static str, color, points| {
            Dataset::default()
                .name(name)
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(Style::new().fg(color))
                .data(points)
        };
        let label = |y: f64| number(y.exp());
        let chart = Chart::new(vec![
            line("training", Color::Gray, &loss),
            line("held out", Color::Magenta, &held_out),
        ])
        .block(Block::bordered().title("loss"))
        .x_axis(Axis::default().bounds([1.0, last]).labels(["1".to_owned(), number(last)]))
        .y_axis(Axis::default().bounds([low, high]).labels([
            label(low),
            label((low + high) / 2.0),
            label(high),
        ]));
        frame.render_widget(chart, area);
    }

    /// Lines of numbers.
    fn n_numbers(&self) -> u16 {
        let n_terms = self.training.as_ref().map_or(2, |training| training.terms.len());
        5 + u16::try_from(n_terms).unwrap_or(u16::MAX - 7)
    }

    fn draw_numbers(&self, frame: &mut Frame<'_>, area: Rect) {
        let row = |name: &str, value: String| Line::raw(format!("{name:19}{value:>12}"));
        let mut lines = Vec::new();
        if let Some(training) = &self.training {
            lines.push(row("loss", number(training.loss)));
            for (name, value) in &training.terms {
                lines.push(row(&format!("  {}", name.replace('_', " ")), number(*value)));
            }
            lines.push(row("held out", training.held_out.map_or("–".to_owned(), number)));
            lines.push(row("learning rate", number(training.learning_rate)));
            lines.push(row("gradient norm", number(training.gradient_norm)));
            lines.push(row("steps a second", number(training.steps_per_sec)));
        }
        frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("now")), area);
    }

    /// The last events, the newest first so that none is cut off.
    fn draw_events(&self, frame: &mut Frame<'_>, area: Rect) {
        let lines: Vec<Line<'_>> =
            self.events.iter().rev().map(|e| Line::raw(e.as_str())).collect();
        let events = Paragraph::new(lines)
            .wrap(Wrap { trim: true })
            .block(Block::bordered().title("events, newest first"));
        frame.render_widget(events, area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn training(step: u64) -> TrainingProgress {
        TrainingProgress {
            step,
            steps: 1000,
            loss: 20.0 / step as f64,
            terms: vec![("magnitude", 1.5), ("log_magnitude", 2.5)],
            held_out: Some(5.25),
            is_measured: step.is_multiple_of(100),
            learning_rate: 3e-4,
            gradient_norm: 1.25,
            steps_per_sec: 4.5,
            remaining_secs: 125.0,
            best: true,
        }
    }

    /// The screen as text.
    fn drawn(dashboard: &Dashboard, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test screen");
        terminal.draw(|frame| dashboard.draw(frame)).expect("drawn");
        terminal.backend().to_string()
    }

    #[test]
    fn the_screen_shows_how_the_training_stands() {
        let mut dashboard = Dashboard::new("ddsp train");
        dashboard.take(Event::Stage("training".to_owned()));
        dashboard.take(Event::Result("a step takes 0.2 s".to_owned()));
        (1..=200).for_each(|step| dashboard.take(Event::Training(training(step))));
        let text = drawn(&dashboard, 100, 24);
        let expected = [
            "ddsp train",
            "step 200 of 1000, 2 min 5 s left",
            "log magnitude",
            "2.5",
            "5.25",
            "learning rate",
            "gradient norm",
            "steps a second",
            "step 200: held out 5.25, kept",
            "a step takes 0.2 s",
            "q or Ctrl-C",
        ];
        for expected in expected {
            assert!(text.contains(expected), "no `{expected}` in\n{text}");
        }
        let braille = text.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert!(braille > 40, "{braille} cells of curves in\n{text}");
        dashboard.set_stopping(true);
        assert!(drawn(&dashboard, 100, 24).contains("stopping after this step"), "a stop is seen");
    }

    #[test]
    fn a_screen_of_any_size_and_a_loss_that_is_no_number_can_be_drawn() {
        let mut dashboard = Dashboard::new("t");
        for (width, height) in [(1, 1), (20, 4), (300, 100)] {
            drawn(&dashboard, width, height);
        }
        dashboard.take(Event::Training(TrainingProgress { loss: f64::NAN, ..training(1) }));
        dashboard.take(Event::Training(TrainingProgress { loss: 0.0, ..training(2) }));
        for (width, height) in [(1, 1), (20, 4), (80, 24)] {
            drawn(&dashboard, width, height);
        }
        let counted = Progress { done: 9, total: 8 };
        let mut dashboard = Dashboard::new("t");
        dashboard.take(Event::Stage("reading".to_owned()));
        let (remaining_secs, status) = (None, String::new());
        dashboard.take(Event::Progress {
            progress: counted,
            unit: "notes",
            remaining_secs,
            status,
        });
        assert!(drawn(&dashboard, 80, 24).contains("reading: 9 of 8 notes"), "more than all");
    }
}
