//! One pass over a record file on several threads, with results in the file's order.
//!
//! Every thread takes the next chunk, works on it, waits for its turn to hand the result in, and
//! finishes what needs no order. What comes out depends on the file alone, not on the threads; of
//! several errors, the first in the file is told. In memory are a chunk for each thread and the
//! longest record once.

use std::sync::{Condvar, Mutex, MutexGuard, mpsc};

use crate::error::{Error, Result};
use crate::tfrecord::{Chunk, Chunks};

/// More threads than the reading of any disk keeps busy; bounds the memory.
const MAX_THREADS: usize = 8;
/// A chunk that is longer is worked on while nothing else is read, so that memory stays bounded.
const OVERSIZE_BYTES: usize = 4 << 20;

/// What is done with each chunk.
pub(crate) trait Pass: Sync {
    /// What the chunks are gathered into, in order.
    type State: Send;
    /// What is known about one chunk.
    type Prepared;

    /// Works on one chunk, on any thread, in any order.
    ///
    /// # Errors
    ///
    /// Whatever makes the chunk unusable.
    fn prepare(&self, chunk: &Chunk) -> Result<Self::Prepared>;

    /// Takes the result in, chunk by chunk in the order of the file.
    ///
    /// # Errors
    ///
    /// Whatever ends the pass.
    fn fold(
        &self,
        state: &mut Self::State,
        chunk: &Chunk,
        prepared: &mut Self::Prepared,
    ) -> Result<()>;

    /// Does the rest, on any thread, in any order.
    ///
    /// # Errors
    ///
    /// Whatever ends the pass.
    fn finish(&self, chunk: &Chunk, prepared: Self::Prepared) -> Result<()> {
        let _ = (chunk, prepared);
        Ok(())
    }
}

/// Runs `pass` over a file; `advance` is told the bytes of each chunk that is done.
///
/// # Errors
///
/// The first error in the order of the file.
pub(crate) fn scan<P: Pass>(
    chunks: Chunks,
    n_threads: usize,
    pass: &P,
    state: P::State,
    advance: &mut dyn FnMut(u64),
) -> Result<P::State> {
    let turns = Turns { next: 0, state, failure: None, is_over: false };
    let work = Work {
        pass,
        cutter: Mutex::new(Cutter { chunks, n_cut: 0, is_done: false }),
        turns: Mutex::new(turns),
        changed: Condvar::new(),
    };
    let (told, done) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..n_threads.clamp(1, MAX_THREADS) {
            let (told, work) = (told.clone(), &work);
            scope.spawn(move || work.run(&told));
        }
        drop(told);
        done.into_iter().for_each(advance);
    });
    let turns = work.turns.into_inner().expect("a panic has passed through the scope");
    match turns.failure {
        Some((_, error)) => Err(error),
        None => Ok(turns.state),
    }
}

/// What the threads share.
struct Work<'a, P: Pass> {
    pass: &'a P,
    cutter: Mutex<Cutter>,
    turns: Mutex<Turns<P::State>>,
    changed: Condvar,
}

struct Cutter {
    chunks: Chunks,
    n_cut: u64,
    is_done: bool,
}

struct Turns<S> {
    /// The number of the chunk whose turn it is.
    next: u64,
    state: S,
    /// The number of the chunk that failed, and why.
    failure: Option<(u64, Error)>,
    /// Whether a thread panicked, so that its turn will never end.
    is_over: bool,
}

impl<P: Pass> Work<'_, P> {
    fn run(&self, told: &mpsc::Sender<u64>) {
        let _watch = Watch { work: self };
        let mut buffer = Vec::new();
        loop {
            let mut cutter = self.cutter.lock().expect("no thread panicked while cutting");
            let Some((number, chunk)) = self.cut(&mut cutter, buffer) else { break };
            let is_oversize =
                chunk.as_ref().is_ok_and(|chunk| chunk.bytes().len() > OVERSIZE_BYTES);
            let kept = is_oversize.then_some(cutter);
            let Some(chunk) = self.work_on(number, chunk) else { break };
            // The receiver lives as long as this thread.
            let _ = told.send(chunk.file_bytes());
            drop(kept);
            buffer = if is_oversize { Vec::new() } else { chunk.into_buffer() };
        }
    }

    /// The next chunk and its number, or `None` at the end or after a failure.
    fn cut(&self, cutter: &mut Cutter, buffer: Vec<u8>) -> Option<(u64, Result<Chunk>)> {
        if cutter.is_done || self.lock_turns().failure.is_some() {
            return None;
        }
        let chunk = cutter.chunks.next_chunk(buffer);
        cutter.is_done = !matches!(chunk, Ok(Some(_)));
        let number = cutter.n_cut;
        cutter.n_cut += 1;
        chunk.transpose().map(|chunk| (number, chunk))
    }

    /// Does everything for one chunk; gives its memory back unless the pass is over.
    fn work_on(&self, number: u64, chunk: Result<Chunk>) -> Option<Chunk> {
        let prepared = chunk.and_then(|chunk| {
            let prepared = self.pass.prepare(&chunk)?;
            Ok((chunk, prepared))
        });
        let mut turns = self.lock_turns();
        while turns.next != number && !turns.is_over {
            turns = self.changed.wait(turns).expect("no thread panicked in its turn");
        }
        let folded = prepared.and_then(|(chunk, mut prepared)| {
            // After a failure before this chunk, nothing counts any more.
            if turns.failure.is_none() && !turns.is_over {
                self.pass.fold(&mut turns.state, &chunk, &mut prepared)?;
            }
            Ok((chunk, prepared))
        });
        turns.next += 1;
        let failed_before = turns.failure.is_some() || turns.is_over;
        let kept = self.note_failure(&mut turns, number, folded);
        drop(turns);
        self.changed.notify_all();
        let (chunk, prepared) = kept.filter(|_| !failed_before)?;
        let finished = self.pass.finish(&chunk, prepared);
        self.note_failure(&mut self.lock_turns(), number, finished).map(|()| chunk)
    }

    /// Keeps the error of the chunk that comes first in the file.
    fn note_failure<T>(
        &self,
        turns: &mut Turns<P::State>,
        number: u64,
        result: Result<T>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if turns.failure.as_ref().is_none_or(|(earlier, _)| number < *earlier) {
                    turns.failure = Some((number, error));
                }
                None
            }
        }
    }

    fn lock_turns(&self) -> MutexGuard<'_, Turns<P::State>> {
        self.turns.lock().expect("no thread panicked in its turn")
    }
}

/// Wakes the threads that wait for a turn that will never come, if this one panics.
struct Watch<'a, 'b, P: Pass> {
    work: &'a Work<'b, P>,
}

impl<P: Pass> Drop for Watch<'_, '_, P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Ok(mut turns) = self.work.turns.lock() {
                turns.is_over = true;
            }
            self.work.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::tfrecord::{Tolerance, write_record};

    /// Gathers the sums of the records, and fails where a record begins with a given byte.
    struct Sums {
        fails_in: Option<&'static str>,
        n_finished: AtomicUsize,
    }

    impl Sums {
        fn new(fails_in: Option<&'static str>) -> Self {
            Self { fails_in, n_finished: AtomicUsize::new(0) }
        }

        fn check(&self, stage: &str, chunk: &Chunk) -> Result<()> {
            match chunk.records().find(|record| record.data().first() == Some(&255)) {
                Some(record) if self.fails_in == Some(stage) => {
                    Err(Error::record(Path::new("x"), record.offset, stage))
                }
                _ if self.fails_in == Some("panic") && chunk.offset() > 0 => panic!("on purpose"),
                _ => Ok(()),
            }
        }
    }

    impl Pass for Sums {
        type State = Vec<u64>;
        type Prepared = Vec<u64>;

        fn prepare(&self, chunk: &Chunk) -> Result<Vec<u64>> {
            self.check("prepare", chunk)?;
            let sum = |data: &[u8]| data.iter().map(|&byte| u64::from(byte)).sum();
            Ok(chunk.records().map(|record| sum(record.data())).collect())
        }

        fn fold(&self, state: &mut Vec<u64>, chunk: &Chunk, sums: &mut Vec<u64>) -> Result<()> {
            self.check("fold", chunk)?;
            state.append(sums);
            Ok(())
        }

        fn finish(&self, chunk: &Chunk, _: Vec<u64>) -> Result<()> {
            self.n_finished.fetch_add(1, Ordering::SeqCst);
            self.check("finish", chunk)
        }
    }

    /// About thirty chunks; one record longer than `OVERSIZE_BYTES`; two records that begin with 255.
    fn long_file(dir: &Path) -> PathBuf {
        let path = dir.join("x.tfrecord");
        let mut file = Vec::new();
        for n in 0..120_u8 {
            let first = if n == 50 || n == 90 { 255 } else { n };
            let len = if n == 30 { OVERSIZE_BYTES + 9 } else { 400_000 + usize::from(n) };
            let data = [&[first][..], &vec![n; len]].concat();
            write_record(&mut file, &data).expect("a Vec takes everything");
        }
        std::fs::write(&path, file).expect("writable");
        path
    }

    fn run(path: &Path, n_threads: usize, pass: &Sums) -> (Result<Vec<u64>>, u64) {
        let chunks = Chunks::open(path, Tolerance::None).expect("opens");
        let mut n_bytes = 0;
        let sums = scan(chunks, n_threads, pass, Vec::new(), &mut |bytes| n_bytes += bytes);
        (sums, n_bytes)
    }

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = long_file(dir.path());
        let (expected, n_bytes) = run(&path, 1, &Sums::new(None));
        let expected = expected.expect("intact");
        assert_eq!(expected.len(), 120);
        assert_eq!(n_bytes, std::fs::metadata(&path).expect("there").len(), "all bytes are told");
        for n_threads in [2, 3, 8, 100] {
            let pass = Sums::new(None);
            assert_eq!(run(&path, n_threads, &pass).0.expect("intact"), expected);
            assert!(pass.n_finished.into_inner() > 20, "every chunk is finished");
        }
    }

    #[test]
    fn the_first_error_in_the_file_is_told_whatever_the_threads() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = long_file(dir.path());
        let error = |n_threads, stage| {
            let error = run(&path, n_threads, &Sums::new(Some(stage))).0.expect_err("fails");
            error.to_string()
        };
        for stage in ["prepare", "fold"] {
            let expected = error(1, stage);
            assert!(expected.ends_with(stage), "{expected}");
            (0..5).for_each(|_| assert_eq!(error(8, stage), expected));
        }
        assert!(error(8, "finish").ends_with("finish"), "the last stage fails too");
    }

    #[test]
    fn a_panic_ends_the_pass() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = long_file(dir.path());
        let pass = Sums::new(Some("panic"));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&path, 4, &pass)));
        assert!(ended.is_err(), "it is passed on, and no thread waits for ever");
    }
}
