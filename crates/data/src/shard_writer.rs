//! Several record files at once, each by one thread, whose records are made as they are written.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::error::{Progress, Result};
use crate::output::write_atomically;
use crate::tfrecord::write_record;

/// A file and what its records are made of.
pub(crate) type Shard<'a, T> = (PathBuf, &'a [T]);

/// Writes all shards with up to `n_threads` threads; `encode` makes the records of an item, any
/// number of them. `progress` is told the items done.
///
/// # Errors
///
/// The first failure to make or write a record; no file is half-written then.
pub(crate) fn write_shards<T: Sync>(
    shards: &[Shard<'_, T>],
    n_threads: usize,
    encode: impl Fn(&T) -> Result<Vec<Vec<u8>>> + Sync,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let total = shards.iter().map(|(_, items)| items.len() as u64).sum();
    let work = Work { next: AtomicUsize::new(0), stop: AtomicBool::new(false), encode };
    std::thread::scope(|scope| {
        let (done, finished) = mpsc::channel();
        let mut threads = Vec::new();
        for _ in 0..n_threads.clamp(1, shards.len().max(1)) {
            let (done, work) = (done.clone(), &work);
            threads.push(scope.spawn(move || work.write_shards(shards, &done)));
        }
        drop(done);
        for (n_done, ()) in (1..).zip(finished) {
            progress(Progress { done: n_done, total });
        }
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// What the threads share: each takes the next shard until there is none.
struct Work<F> {
    next: AtomicUsize,
    stop: AtomicBool,
    encode: F,
}

impl<F> Work<F> {
    fn write_shards<T>(&self, shards: &[Shard<'_, T>], done: &mpsc::Sender<()>) -> Result<()>
    where
        F: Fn(&T) -> Result<Vec<Vec<u8>>>,
    {
        while !self.stop.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((file, items)) = shards.get(next) else { break };
            // An item's own failure, which is no failure to write.
            let mut failure = None;
            let written = write_atomically(file, |output| {
                for item in *items {
                    match (self.encode)(item) {
                        Ok(records) => records.iter().try_for_each(|r| write_record(output, r))?,
                        Err(error) => {
                            let message = std::io::Error::other(error.to_string());
                            failure = Some(error);
                            return Err(message);
                        }
                    }
                    // The receiver lives as long as this thread.
                    let _ = done.send(());
                }
                Ok(())
            });
            if written.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
            written.map_err(|error| failure.unwrap_or(error))?;
        }
        Ok(())
    }
}
