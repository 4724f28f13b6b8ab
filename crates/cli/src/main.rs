//! The `ddsp` command: parse the arguments, run the work, show how it goes.
//!
//! Results go to stdout, progress to stderr. Exit codes: 0 done, 1 the work failed or a check was
//! not met, 2 bad arguments.

#![forbid(unsafe_code)]

mod commands;
mod console;
mod dashboard;
mod failure;
mod interrupt;
mod progress;
mod screen;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;
use console::Console;

/// Learns the sound of an instrument and plays it.
#[derive(Parser)]
#[command(name = "ddsp", version, arg_required_else_help = true)]
#[command(after_help = "Begin with `ddsp demo`: it makes data, learns an instrument from them, \
                        plays with it, and writes a report to look at and listen to.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    interrupt::install();
    match commands::run(arguments.command, &mut Console::new()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
