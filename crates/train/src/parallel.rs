//! Threads: work handed out by index, results in the order of the index.

use std::thread;

/// `f(0), f(1), … f(n - 1)`, computed by up to `n_threads` threads at once.
///
/// Thread `t` computes every `n_threads`-th value from `t` on, so neighbours of unequal cost are
/// spread; the values do not depend on the number of threads.
pub(crate) fn map_indexed<T: Send>(
    n: usize,
    n_threads: usize,
    f: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let n_threads = n_threads.clamp(1, n.max(1));
    if n_threads == 1 {
        return (0..n).map(f).collect();
    }
    let f = &f;
    let share = |t: usize| move || (t..n).step_by(n_threads).map(f).collect::<Vec<T>>();
    let mut shares: Vec<_> = thread::scope(|scope| {
        let handles: Vec<_> = (1..n_threads).map(|t| scope.spawn(share(t))).collect();
        let first = share(0)();
        std::iter::once(first).chain(handles.into_iter().map(joined)).collect::<Vec<_>>()
    })
    .into_iter()
    .map(Vec::into_iter)
    .collect();
    (0..n).map(|i| shares[i % n_threads].next().expect("one value for each index")).collect()
}

/// Runs `first` here and `second` on another thread, or both here.
pub(crate) fn join(both_cores: bool, first: impl FnOnce(), second: impl FnOnce() + Send) {
    if !both_cores {
        first();
        second();
        return;
    }
    thread::scope(|scope| {
        let handle = scope.spawn(second);
        first();
        joined(handle);
    });
}

/// The thread's value; its panic goes on here.
pub(crate) fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_order_for_any_number_of_threads() {
        for n in [0, 1, 5, 16] {
            let expected: Vec<usize> = (0..n).map(|i| i * i).collect();
            for n_threads in [0, 1, 2, 3, 40] {
                let squares = map_indexed(n, n_threads, |i| i * i);
                assert_eq!(squares, expected, "{n} values on {n_threads} threads");
            }
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        let panicked = std::panic::catch_unwind(|| map_indexed(4, 2, |i| assert!(i != 1, "one")));
        assert!(panicked.is_err(), "the second thread's panic was lost");
    }
}
