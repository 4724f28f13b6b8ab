//! Ctrl-C: at once where every file is whole at any moment, at the next step where work is kept.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::screen;

/// Set by the first Ctrl-C during gentle work.
static STOP: AtomicBool = AtomicBool::new(false);

/// Whether the present work looks at [`STOP`].
static IS_GENTLE: AtomicBool = AtomicBool::new(false);

/// Takes over Ctrl-C. Where that is not possible, the system's own way stays: nothing is lost either.
pub fn install() {
    let _ = ctrlc::set_handler(request);
}

/// What Ctrl-C does, also where the terminal hands it over as a key.
pub fn request() {
    if IS_GENTLE.load(Ordering::SeqCst) && !STOP.swap(true, Ordering::SeqCst) {
        // The dashboard says so itself.
        if !screen::is_open() {
            eprintln!("\ninterrupted: finishing this step and keeping the best model");
        }
    } else {
        screen::restore();
        // Files appear whole or not at all, and an unfinished folder is marked as such.
        eprintln!(
            "\ninterrupted: no file is half-written; the same command (ddsp train: with --resume) \
             goes on from here"
        );
        std::process::exit(1);
    }
}

/// Whether the user asked for an early end.
pub fn is_requested() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// The flag that work has to look at from now on; the first Ctrl-C sets it, the second exits.
pub fn gentle() -> &'static AtomicBool {
    IS_GENTLE.store(true, Ordering::SeqCst);
    &STOP
}
