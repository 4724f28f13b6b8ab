//! Panics of libraries over damaged files, caught without a word on the terminal.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected, and caught.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs a library's code on data that may be damaged. A panic is caught, and prints no message of its
/// own: the caller has a better one, to which what the panic said may be added.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                hook(panic);
            }
        }));
    });
    let outer = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work)).map_err(Panic);
    IS_CAUGHT.set(outer);
    result
}

/// A caught panic.
pub(crate) struct Panic(Box<dyn Any + Send>);

impl Panic {
    /// What it said.
    pub(crate) fn text(&self) -> &str {
        let text = self.0.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| self.0.downcast_ref::<&str>().copied()).unwrap_or("no reason")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_said_is_told_and_not_printed() {
        let caught = |step: fn()| quietly(step).err().map(|panic| panic.text().to_owned());
        assert_eq!(caught(|| {}), None);
        assert_eq!(caught(|| panic!("bad block")), Some("bad block".to_owned()));
        assert_eq!(caught(|| panic!("block {}", 3)), Some("block 3".to_owned()));
        let inner = quietly(|| {
            let _ = quietly(|| panic!("inside"));
            IS_CAUGHT.get()
        });
        assert_eq!(inner.ok(), Some(true), "the outer call goes on");
        assert!(!IS_CAUGHT.get(), "after it panics print again");
    }
}
