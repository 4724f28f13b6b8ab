//! Where results and progress go.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use ddsp_studio::Conductor;
use serde_json::Value;

use crate::failure::Failure;
use crate::progress::Progress;

/// The two streams of a command.
pub struct Console {
    progress: Progress,
    /// Whether stdout is for JSON only, so that results in words go to stderr.
    is_json: bool,
    /// Threads to use; as many as there are processors if 0.
    n_threads: usize,
}

impl Console {
    /// Results on stdout, progress on stderr.
    pub fn new() -> Self {
        Self { progress: Progress::new(), is_json: false, n_threads: 0 }
    }

    /// Keeps stdout for JSON if `json`.
    pub fn set_json(&mut self, json: bool) {
        self.is_json = json;
    }

    /// Uses so many threads instead of one for each processor.
    pub fn set_threads(&mut self, n_threads: usize) {
        self.n_threads = n_threads;
    }

    /// Shows progress as plain lines, even on a terminal.
    pub fn set_plain(&mut self) {
        self.progress.set_plain();
    }

    /// Shows the next work on a dashboard, where there is a terminal and lines are not asked for.
    pub fn open_screen(&mut self, title: &str) {
        self.progress.open_screen(title);
    }

    /// Runs `work` with its events shown.
    ///
    /// # Errors
    ///
    /// Those of `work`, and if stdout cannot be written.
    pub fn run<T, E: Into<Failure>>(
        &mut self,
        stop: &AtomicBool,
        work: impl FnOnce(&mut Conductor<'_>) -> Result<T, E>,
    ) -> Result<T, Failure> {
        let n_processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        let n_threads = if self.n_threads == 0 { n_processors } else { self.n_threads };
        let mut written = Ok(());
        let mut tell = |event| {
            let line = self.progress.show(event, self.is_json);
            if let (Some(line), true) = (line, written.is_ok()) {
                written = write_line(&line);
            }
        };
        let result = work(&mut Conductor { tell: &mut tell, stop, n_threads });
        for line in self.progress.close_screen() {
            written = written.and_then(|()| write_line(&line));
        }
        let value = result.map_err(Into::into)?;
        written?;
        Ok(value)
    }

    /// Writes a line of results.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written.
    pub fn line(&self, line: &str) -> Result<(), Failure> {
        Ok(write_line(line)?)
    }

    /// Writes text as it stands.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written.
    pub fn text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// Writes `value` as indented JSON.
    ///
    /// # Errors
    ///
    /// If stdout cannot be written.
    pub fn json(&self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let value: Value = serde_json::to_value(value)?;
        Ok(write_line(&format!("{value:#}"))?)
    }
}

fn write_line(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Work that Ctrl-C ends at once.
pub static AT_ONCE: AtomicBool = AtomicBool::new(false);
