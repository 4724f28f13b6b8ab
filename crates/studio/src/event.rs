//! How a long piece of work tells how far it is.

use std::sync::atomic::AtomicBool;

use ddsp_data::Progress;

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
    /// A result: a line to keep.
    Result(String),
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
