//! Work on several threads whose results are taken in the order of the jobs.
//!
//! Every thread takes the next job, works on it, and hands its results in when it is the job's turn.
//! What comes out depends on the jobs alone, not on the threads. In memory are, for each thread, its
//! job and a few results.

use std::sync::{Condvar, Mutex, MutexGuard, mpsc};

use crate::error::{Error, Result};

/// More threads than the memory is meant for.
const MAX_THREADS: usize = 32;
/// Results of a job that are kept until its turn; with more, the thread waits.
const MAX_KEPT: usize = 3;

/// What is done, and in which steps.
pub(crate) trait Work: Sync {
    /// Gives out the jobs.
    type Source: Send;
    /// What one thread does.
    type Job;
    /// What comes of it.
    type Output;
    /// Takes the results in.
    type Sink: Send;

    /// The next job, one thread at a time.
    ///
    /// # Errors
    ///
    /// Whatever ends the work.
    fn next(&self, source: &mut Self::Source) -> Result<Option<Self::Job>>;

    /// Does one job, on any thread, in any order; `hand_in` takes its results and tells whether more
    /// are wanted.
    ///
    /// # Errors
    ///
    /// Whatever ends the work.
    fn run(
        &self,
        job: Self::Job,
        hand_in: &mut dyn FnMut(Self::Output) -> Result<bool>,
    ) -> Result<()>;

    /// Takes a result, in the order of the jobs; gives back how much that was, for the progress.
    ///
    /// # Errors
    ///
    /// Whatever ends the work.
    fn take(&self, sink: &mut Self::Sink, output: Self::Output) -> Result<f64>;
}

/// Does all jobs of `source`; `advance` is told what [`Work::take`] gives back.
///
/// # Errors
///
/// The first error in the order of the jobs.
pub(crate) fn in_order<W: Work>(
    work: &W,
    n_threads: usize,
    source: W::Source,
    sink: W::Sink,
    advance: &mut dyn FnMut(f64),
) -> Result<W::Sink> {
    let turns = Turns { next: 0, sink, failure: None, is_over: false };
    let shared = Shared {
        work,
        source: Mutex::new(Jobs { source, n_given: 0, is_done: false }),
        turns: Mutex::new(turns),
        changed: Condvar::new(),
    };
    let (told, done) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..n_threads.clamp(1, MAX_THREADS) {
            let (told, shared) = (told.clone(), &shared);
            scope.spawn(move || shared.run(&told));
        }
        drop(told);
        done.into_iter().for_each(advance);
    });
    let turns = shared.turns.into_inner().expect("a panic has passed through the scope");
    match turns.failure {
        Some(error) => Err(error),
        None => Ok(turns.sink),
    }
}

struct Shared<'a, W: Work> {
    work: &'a W,
    source: Mutex<Jobs<W::Source>>,
    turns: Mutex<Turns<W::Sink>>,
    changed: Condvar,
}

struct Jobs<S> {
    source: S,
    n_given: u64,
    is_done: bool,
}

struct Turns<S> {
    /// The number of the job whose turn it is.
    next: u64,
    sink: S,
    failure: Option<Error>,
    /// Whether a thread panicked, so that its turn will never end.
    is_over: bool,
}

impl<S> Turns<S> {
    fn is_broken(&self) -> bool {
        self.is_over || self.failure.is_some()
    }
}

impl<W: Work> Shared<'_, W> {
    fn run(&self, told: &mpsc::Sender<f64>) {
        let _watch = Watch { shared: self };
        while let Some((number, job)) = self.next() {
            let mut kept = Vec::new();
            let done = job.and_then(|job| {
                self.work.run(job, &mut |output| {
                    kept.push(output);
                    if kept.len() < MAX_KEPT {
                        return Ok(true);
                    }
                    let mut turns = self.turn_of(number);
                    self.take_all(&mut turns, &mut kept, told)?;
                    Ok(!turns.is_broken())
                })
            });
            let mut turns = self.turn_of(number);
            let taken = self.take_all(&mut turns, &mut kept, told);
            if let Err(error) = done.and(taken)
                && !turns.is_broken()
            {
                turns.failure = Some(error);
            }
            turns.next += 1;
            drop(turns);
            self.changed.notify_all();
        }
    }

    /// The next job and its number, or `None` at the end or after a failure.
    fn next(&self) -> Option<(u64, Result<W::Job>)> {
        let mut jobs = self.source.lock().expect("no thread panicked over its next job");
        if jobs.is_done || self.lock_turns().is_broken() {
            return None;
        }
        let job = self.work.next(&mut jobs.source);
        jobs.is_done = !matches!(job, Ok(Some(_)));
        let number = jobs.n_given;
        jobs.n_given += 1;
        job.transpose().map(|job| (number, job))
    }

    /// Waits until it is the turn of a job.
    fn turn_of(&self, number: u64) -> MutexGuard<'_, Turns<W::Sink>> {
        let mut turns = self.lock_turns();
        while turns.next != number && !turns.is_over {
            turns = self.changed.wait(turns).expect("no thread panicked in its turn");
        }
        turns
    }

    /// Hands in what is kept; after a failure, nothing counts any more.
    fn take_all(
        &self,
        turns: &mut Turns<W::Sink>,
        kept: &mut Vec<W::Output>,
        told: &mpsc::Sender<f64>,
    ) -> Result<()> {
        for output in kept.drain(..) {
            if !turns.is_broken() {
                let amount = self.work.take(&mut turns.sink, output)?;
                // The receiver lives as long as this thread.
                let _ = told.send(amount);
            }
        }
        Ok(())
    }

    fn lock_turns(&self) -> MutexGuard<'_, Turns<W::Sink>> {
        self.turns.lock().expect("no thread panicked in its turn")
    }
}

/// Wakes the threads that wait for a turn that will never come, if this one panics.
struct Watch<'a, 'b, W: Work> {
    shared: &'a Shared<'b, W>,
}

impl<W: Work> Drop for Watch<'_, '_, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Ok(mut turns) = self.shared.turns.lock() {
                turns.is_over = true;
            }
            self.shared.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Job `n` hands in `n` results; some fail.
    struct Numbers {
        fails_at: Option<(u32, &'static str)>,
    }

    impl Numbers {
        fn check(&self, n: u32, stage: &str) -> Result<()> {
            match self.fails_at {
                Some((at, wanted)) if n >= at && stage == wanted => {
                    Err(Error::Data(format!("{stage} {n}")))
                }
                Some((at, "panic")) if n == at => panic!("on purpose"),
                _ => Ok(()),
            }
        }
    }

    impl Work for Numbers {
        type Source = u32;
        type Job = u32;
        type Output = (u32, u32);
        type Sink = Vec<(u32, u32)>;

        fn next(&self, source: &mut u32) -> Result<Option<u32>> {
            *source += 1;
            self.check(*source, "next")?;
            Ok((*source <= 20).then_some(*source))
        }

        fn run(&self, job: u32, hand_in: &mut dyn FnMut((u32, u32)) -> Result<bool>) -> Result<()> {
            for i in 0..job {
                // The early jobs take longest.
                std::thread::sleep(std::time::Duration::from_micros(u64::from(200 / job)));
                if !hand_in((job, i))? {
                    break;
                }
            }
            self.check(job, "run")
        }

        fn take(&self, sink: &mut Self::Sink, output: (u32, u32)) -> Result<f64> {
            self.check(output.0, "take")?;
            sink.push(output);
            Ok(1.0)
        }
    }

    fn run(
        fails_at: Option<(u32, &'static str)>,
        n_threads: usize,
    ) -> (Result<Vec<(u32, u32)>>, f64) {
        let mut sum = 0.0;
        let work = Numbers { fails_at };
        (in_order(&work, n_threads, 0, Vec::new(), &mut |amount| sum += amount), sum)
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let expected: Vec<_> = (1..=20).flat_map(|n| (0..n).map(move |i| (n, i))).collect();
        for n_threads in [0, 1, 3, 100] {
            let (results, sum) = run(None, n_threads);
            assert_eq!(results.expect("no failure"), expected, "{n_threads} threads");
            assert!((sum - 210.0).abs() < f64::EPSILON, "all is counted: {sum}");
        }
    }

    #[test]
    fn the_first_failure_in_order_is_told() {
        for n_threads in [1, 4] {
            for stage in ["next", "run", "take"] {
                let error = run(Some((7, stage)), n_threads).0.expect_err("fails").to_string();
                assert_eq!(error, format!("{stage} 7"), "{n_threads} threads");
            }
        }
    }

    #[test]
    fn a_panic_gets_out_and_nobody_waits_for_ever() {
        for n_threads in [1, 4] {
            let result = std::panic::catch_unwind(|| run(Some((3, "panic")), n_threads));
            assert!(result.is_err(), "{n_threads} threads");
        }
    }
}
