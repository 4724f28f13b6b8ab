//! Where the time of training goes.

use ddsp_train::StepTimes;
use serde::{Deserialize, Serialize};

use crate::report::number;

/// Where the time of a run's steps went, seconds in all. Held-out losses, sounds and pictures are
/// not part of it.
///
/// Reading and the optimizer are timed as they pass; network, synthesizers and loss are summed over
/// the threads that share a batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Steps that were timed: those of this run, not of the one that it goes on from.
    pub steps: u64,
    /// Threads that share a batch.
    pub n_threads: usize,
    /// From the first step to the last.
    pub wall_secs: f64,
    /// Waiting for examples.
    pub data_secs: f64,
    /// The network, forward and backward, summed over the threads.
    pub network_secs: f64,
    /// The synthesizers, forward and backward, summed over the threads.
    pub synth_secs: f64,
    /// The loss and its gradient, summed over the threads.
    pub loss_secs: f64,
    /// The update of the parameters.
    pub optimizer_secs: f64,
}

impl Profile {
    /// The sums of `steps` steps that took `wall_secs`.
    pub(crate) fn new(times: &StepTimes, steps: u64, wall_secs: f64, n_threads: usize) -> Self {
        Self {
            steps,
            n_threads,
            wall_secs,
            data_secs: times.read.as_secs_f64(),
            network_secs: times.decoder.as_secs_f64(),
            synth_secs: times.synth.as_secs_f64(),
            loss_secs: times.loss.as_secs_f64(),
            optimizer_secs: times.optimizer.as_secs_f64(),
        }
    }

    /// Wall time that no part accounts for: threads that wait for the slowest, gradients that are
    /// added, the log.
    pub fn other_secs(&self) -> f64 {
        let shared = self.network_secs + self.synth_secs + self.loss_secs;
        let known = self.data_secs + self.optimizer_secs + shared / self.n_threads.max(1) as f64;
        (self.wall_secs - known).max(0.0)
    }

    /// A table in words: milliseconds of each step summed over the threads, and of the wall's clock.
    pub fn lines(&self) -> Vec<String> {
        let threads = self.n_threads.max(1) as f64;
        let parts = [
            ("data", self.data_secs, 1.0),
            ("network", self.network_secs, threads),
            ("synth", self.synth_secs, threads),
            ("loss", self.loss_secs, threads),
            ("optimizer", self.optimizer_secs, 1.0),
            ("waiting, other", self.other_secs(), 1.0),
        ];
        let steps = self.steps.max(1) as f64;
        let wall = self.wall_secs.max(f64::MIN_POSITIVE);
        let row = |name: &str, thread_secs: f64, wall_secs: f64| {
            let [thread, clock] = [thread_secs, wall_secs].map(|secs| number(1e3 * secs / steps));
            let share = 100.0 * wall_secs / wall;
            format!("{name:16} {thread:>10} {clock:>10} {share:>5.0} %")
        };
        let head = format!(
            "a step, ms        {:>9} {:>10}   share    (steps: {}, threads: {})",
            "threads", "wall", self.steps, self.n_threads
        );
        let rows = parts.map(|(name, secs, threads)| row(name, secs, secs / threads));
        let sum: f64 = parts.iter().map(|(_, secs, _)| secs).sum();
        let total = row("all", sum, self.wall_secs);
        std::iter::once(head).chain(rows).chain([total]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn parts_of_two_threads_are_halved_on_the_wall_and_the_rest_is_named() {
        let ms = Duration::from_millis;
        let times = StepTimes {
            read: ms(100),
            decoder: ms(800),
            synth: ms(200),
            loss: ms(400),
            optimizer: ms(50),
        };
        let profile = Profile::new(&times, 10, 1.0, 2);
        // 0.1 + (0.8 + 0.2 + 0.4) / 2 + 0.05 of 1 s are known.
        assert!((profile.other_secs() - 0.15).abs() < 1e-12, "{}", profile.other_secs());
        let lines = profile.lines();
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>(),
            ["network", "80", "40", "40", "%"]
        );
        assert_eq!(
            lines[7].split_whitespace().collect::<Vec<_>>(),
            ["all", "170", "100", "100", "%"]
        );
    }
}
