//! Independent jobs on several threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use ddsp_data::Progress;

use crate::error::Result;
use crate::event::Conductor;

/// `f(0) … f(n - 1)` on up to `n_threads` threads; `progress` is told, here, how many are done.
///
/// The values are in the order of their index and do not depend on the number of threads. None if
/// `stop` was set before the last job began: jobs under way are finished.
///
/// # Errors
///
/// The first that comes up; jobs under way are finished, no other begins.
fn each<T: Send>(
    n: usize,
    n_threads: usize,
    stop: &AtomicBool,
    f: impl Fn(usize) -> Result<T> + Sync,
    mut progress: impl FnMut(usize),
) -> Result<Option<Vec<T>>> {
    let (next, (sender, receiver)) = (AtomicUsize::new(0), mpsc::channel());
    let work = |sender: mpsc::Sender<(usize, Result<T>)>| {
        while !stop.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            // Nobody listens after an error: the rest need not be done.
            if i >= n || sender.send((i, f(i))).is_err() {
                return;
            }
        }
    };
    let work = &work;
    let mut values: Vec<Option<T>> = (0..n).map(|_| None).collect();
    thread::scope(|scope| {
        for _ in 0..n_threads.clamp(1, n.max(1)) {
            let sender = sender.clone();
            scope.spawn(move || work(sender));
        }
        drop(sender);
        // By value: an error drops the receiver, and the threads see it.
        for (done, (i, value)) in (1..).zip(receiver) {
            values[i] = Some(value?);
            progress(done);
        }
        Ok::<_, crate::error::Error>(())
    })?;
    Ok(values.into_iter().collect())
}

/// The same with the conductor's threads and stop flag; it is told how many `unit` are done.
pub(crate) fn each_told<T: Send>(
    n: usize,
    unit: &'static str,
    conductor: &mut Conductor<'_>,
    f: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Option<Vec<T>>> {
    let (n_threads, stop, total) = (conductor.n_threads, conductor.stop, n as u64);
    let mut counter = conductor.counter(unit);
    each(n, n_threads, stop, f, |done| counter(Progress { done: done as u64, total }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    static GO: AtomicBool = AtomicBool::new(false);

    #[test]
    fn values_are_in_order_for_any_number_of_threads() {
        for n_threads in [0, 1, 2, 40] {
            let mut told = Vec::new();
            let squares = each(9, n_threads, &GO, |i| Ok(i * i), |done| told.push(done));
            assert_eq!(squares.ok().flatten(), Some((0..9).map(|i| i * i).collect()));
            assert_eq!(told, (1..=9).collect::<Vec<_>>(), "{n_threads} threads");
        }
        let none = each(0, 2, &GO, |_| Ok(()), |_| ());
        assert_eq!(none.ok().flatten(), Some(Vec::new()), "nothing to do is done");
    }

    #[test]
    fn an_error_ends_the_work_and_a_stop_leaves_the_rest() {
        let begun = AtomicUsize::new(0);
        let job = |i| {
            begun.fetch_add(1, Ordering::Relaxed);
            match i {
                3 => Err(Error::Interrupted { during: "three".to_owned() }),
                _ => Ok(()),
            }
        };
        let failed = each(1000, 1, &GO, job, |_| ());
        assert!(matches!(failed, Err(Error::Interrupted { .. })), "{failed:?}");

        let stop = AtomicBool::new(false);
        let job = |i| {
            stop.fetch_or(i == 3, Ordering::Relaxed);
            Ok(())
        };
        let mut n_done = 0;
        let stopped = each(1000, 1, &stop, job, |done| n_done = done);
        assert_eq!((stopped.ok(), n_done), (Some(None), 4), "the job under way was finished");
    }
}
