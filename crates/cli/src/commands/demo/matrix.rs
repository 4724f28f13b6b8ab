//! `ddsp demo --matrix`

use ddsp_studio::{MatrixOptions, matrix, number};

use super::line;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// Makes the matrix and prints its summary.
pub(super) fn run(
    options: &MatrixOptions,
    is_json: bool,
    console: &mut Console,
) -> Result<(), Failure> {
    console.set_json(is_json);
    let report = console.run(interrupt::gentle(), |conductor| matrix(options, conductor))?;
    if is_json {
        console.json(&report)?;
    } else {
        console.line("")?;
        for text in report.summary.lines() {
            console.line(&text)?;
        }
        for check in &report.checks {
            console.line(&line(check))?;
        }
        let (seconds, page) = (number(report.seconds), report.page.display());
        console.line(&format!("\n{seconds} s in all. Look and listen: {page}"))?;
    }
    match report.failed().count() {
        0 => Ok(()),
        n => Err(Failure::Work(anyhow::anyhow!(
            "{n} of {} checks not met: see {}",
            report.checks.len(),
            report.page.display()
        ))),
    }
}
