//! How a long piece of work tells how far it is.

use std::sync::atomic::AtomicBool;

use ddsp_data::Progress;

use crate::report::number;

/// Something worth telling the user.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Another part of the work begins.
    Stage(String),
    /// So much of it is done.
    Progress {
        /// Units finished and units in all.
        progress: Progress,
        /// What is counted: `notes`, `bytes`, `steps`.
        unit: &'static str,
        /// Seconds left where the work itself knows better than its rate.
        remaining_secs: Option<f64>,
        /// A word on how it goes, such as the loss; may be empty.
        status: String,
    },
    /// A step of a training was done.
    Training(TrainingProgress),
    /// A result: a line to keep.
    Result(String),
}

/// How a training stands after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingProgress {
    /// Steps done.
    pub step: u64,
    /// Steps to do at most.
    pub steps: u64,
    /// Loss of the step's batch.
    pub loss: f64,
    /// Its terms by name.
    pub terms: Vec<(&'static str, f64)>,
    /// Held-out loss as measured last.
    pub held_out: Option<f64>,
    /// Whether it was measured after this step.
    pub is_measured: bool,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Steps a second so far.
    pub steps_per_sec: f64,
    /// Seconds left.
    pub remaining_secs: f64,
    /// Whether the model is the best so far, and was kept.
    pub best: bool,
}

impl TrainingProgress {
    /// The losses in words: `loss 5.2 = 1.9 magnitude + 3.3 log magnitude, held out 5.4`.
    pub fn losses(&self) -> String {
        let term =
            |(name, value): &(&str, f64)| format!("{} {}", number(*value), name.replace('_', " "));
        let terms: Vec<String> = self.terms.iter().map(term).collect();
        let mut line = format!("loss {} = {}", number(self.loss), terms.join(" + "));
        if let Some(held_out) = self.held_out {
            line += &format!(", held out {}", number(held_out));
        }
        line
    }
}

/// What a piece of work needs from whoever runs it.
pub struct Conductor<'a> {
    /// Takes the events.
    pub tell: &'a mut dyn FnMut(Event),
    /// Set when the user wants the work to end early.
    pub stop: &'a AtomicBool,
    /// Threads to use.
    pub n_threads: usize,
}

impl Conductor<'_> {
    /// Begins another part of the work.
    pub fn stage(&mut self, name: impl Into<String>) {
        (self.tell)(Event::Stage(name.into()));
    }

    /// Tells a result.
    pub fn result(&mut self, line: impl Into<String>) {
        (self.tell)(Event::Result(line.into()));
    }

    /// A callback for work that counts `unit`.
    pub fn counter<'b>(&'b mut self, unit: &'static str) -> impl FnMut(Progress) + 'b {
        move |progress| {
            let status = String::new();
            (self.tell)(Event::Progress { progress, unit, remaining_secs: None, status });
        }
    }
}
