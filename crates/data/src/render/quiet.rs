//! Panics of libraries over damaged files, caught without a word on the terminal.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected, and caught.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs a library's code on data that may be damaged; `None` if it panics, without the message
/// that a panic prints: the caller has a better one.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                hook(panic);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let result = catch_unwind(AssertUnwindSafe(work)).ok();
    IS_CAUGHT.set(false);
    result
}
