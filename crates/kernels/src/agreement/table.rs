//! The table of the crate's README, and whether it is current.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use super::{Comparison, ELSEWHERE, Operation, Report, Scale, Tolerance};
use crate::golden::Golden;

const BEGIN: &str = "<!-- agreement: begin -->\n";
const END: &str = "<!-- agreement: end -->\n";

/// Set to any value, the test writes the table instead of comparing it.
const UPDATE: &str = "UPDATE_AGREEMENT";

/// How far a measured error may be from the one in the table: other processors round otherwise.
const FACTOR: f64 = 8.0;

impl Tolerance {
    fn describe(self) -> String {
        let bound = number(self.bound);
        match self.scale {
            Scale::One => bound,
            Scale::Value(0.0) => format!("{bound} of value"),
            Scale::Value(floor) => format!("{bound} of value above {floor:e}"),
            Scale::Peak => format!("{bound} of peak"),
        }
    }
}

/// One digit, rounded up, so that the table is a bound and seldom changes.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let unit = 10.0_f64.powf(value.log10().floor());
    // The quotient of a value that is one digit already may be a hair above it.
    format!("{:.0e}", (value / unit - 1e-9).ceil() * unit)
}

impl Report {
    /// The rows, each with the errors that were measured for it.
    fn rows(&self) -> Vec<(String, Vec<f64>)> {
        self.operations.iter().map(Operation::row).collect()
    }

    fn table(&self) -> String {
        let mut table = String::from(
            "| operation | golden arrays met | largest error | tolerance | gradient checked (times) |\n\
             |---|---|---|---|---|\n",
        );
        for (row, _) in self.rows() {
            table.push_str(&row);
        }
        table.push_str("\nGolden arrays that are met through a quirk of the reference, or not at all, and why:\n\n");
        for operation in &self.operations {
            for (reason, cases) in operation.exceptions() {
                writeln!(table, "- {}: {}. {reason}", operation.name, cases.join(", "))
                    .expect("a string");
            }
        }
        table
    }
}

impl Operation {
    /// The row of the table, and the errors in it.
    fn row(&self) -> (String, Vec<f64>) {
        let cases = golden_cases(&self.comparisons);
        let groups = self.by_tolerance();
        let errors: Vec<f64> = groups.iter().map(|(_, error)| *error).collect();
        let join = |cells: Vec<String>| cells.join("; ");
        let row = format!(
            "| {} | {} | {} | {} | {} |\n",
            self.name,
            if cases.is_empty() { "oracle only".to_owned() } else { cases.join(", ") },
            join(errors.iter().map(|&e| number(e)).collect()),
            join(groups.iter().map(|(t, _)| t.describe()).collect()),
            join(self.gradients.iter().map(|(input, n)| format!("{input} ({n})")).collect()),
        );
        (row, errors)
    }

    /// The largest error for each tolerance, in the order of first use.
    fn by_tolerance(&self) -> Vec<(Tolerance, f64)> {
        let mut groups: Vec<(Tolerance, f64)> = Vec::new();
        for Comparison { tolerance, largest_error, .. } in &self.comparisons {
            match groups.iter_mut().find(|(t, _)| t == tolerance) {
                Some((_, error)) => *error = error.max(*largest_error),
                None => groups.push((*tolerance, *largest_error)),
            }
        }
        groups
    }

    /// Cases met through a quirk or departed from, by reason.
    fn exceptions(&self) -> Vec<(&'static str, Vec<&str>)> {
        let quirks = self.comparisons.iter().filter_map(|c| Some((c.quirk?, &*c.case)));
        let departures = self.departures.iter().map(|(case, why)| (*why, &**case));
        let mut reasons: Vec<(&'static str, Vec<&str>)> = Vec::new();
        for (why, case) in quirks.chain(departures) {
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, cases)) => cases.push(case),
                None => reasons.push((why, vec![case])),
            }
        }
        reasons
    }
}

/// `file n` for each golden file, an array counted once however often it was compared.
fn golden_cases(comparisons: &[Comparison]) -> Vec<String> {
    let mut files: Vec<(&str, usize)> = Vec::new();
    let cases: BTreeSet<&str> = comparisons.iter().map(|c| &*c.case).collect();
    for (file, _) in cases.into_iter().filter_map(|case| case.split_once('/')) {
        match files.iter_mut().find(|(name, _)| *name == file) {
            Some((_, n)) => *n += 1,
            None => files.push((file, 1)),
        }
    }
    files.into_iter().map(|(file, n)| format!("{file} {n}")).collect()
}

/// A row without its errors and without the numbers of gradient checks, which grow with the
/// instruction sets that a processor has.
fn without_measurements(row: &str) -> String {
    let cells = row.split(" | ").enumerate().filter_map(|(i, cell)| (i != 2).then_some(cell));
    let row = cells.collect::<Vec<_>>().join(" | ");
    let mut parts = row.split('(');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push('(');
        kept.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    kept
}

/// The errors of a row.
fn errors(row: &str) -> Vec<f64> {
    let cell = row.split(" | ").nth(2).unwrap_or_default();
    cell.split("; ").filter_map(|error| error.parse().ok()).collect()
}

/// Whether a measured error and the table's are the same, but for another processor's rounding.
fn is_near(measured: f64, told: f64) -> bool {
    let rounding = 1e-9;
    measured <= told * FACTOR + rounding && told <= measured * FACTOR * 10.0 + rounding
}

#[test]
fn the_table_in_the_readme_is_current() {
    let report = Report::all();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("the crate's README");
    let (before, rest) = readme.split_once(BEGIN).expect("the mark of the table's beginning");
    let (told, after) = rest.split_once(END).expect("the mark of the table's end");
    let made = report.table();
    if env::var_os(UPDATE).is_some() {
        fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).expect("the README");
        return;
    }
    let help = format!("run this test with {UPDATE}=1 to renew the table");
    let (told, made): (Vec<&str>, Vec<&str>) = (told.lines().collect(), made.lines().collect());
    assert_eq!(told.len(), made.len(), "lines of the table; {help}");
    for (told, made) in told.into_iter().zip(made) {
        assert_eq!(without_measurements(told), without_measurements(made), "{help}");
        let (told, measured) = (errors(told), errors(made));
        assert_eq!(told.len(), measured.len(), "errors in {made}; {help}");
        for (told, measured) in told.into_iter().zip(measured) {
            assert!(
                is_near(measured, told),
                "measured {measured:e}, in the table {told:e}: {help}"
            );
        }
    }
}

#[test]
fn no_golden_array_is_left_out() {
    let report = Report::all();
    let known = report.golden_arrays();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the folder of golden files") {
        let path = entry.expect("an entry").path();
        let file = path.file_stem().and_then(|f| f.to_str()).expect("a name").to_owned();
        if path.extension().is_some_and(|e| e == "npz") {
            all.extend(Golden::open(&file).outputs().map(|output| format!("{file}/{output}")));
        }
    }
    all.retain(|name: &String| !ELSEWHERE.iter().any(|prefix| name.starts_with(prefix)));
    assert!(all.len() > 300, "only {} golden arrays were found", all.len());
    let left_out: Vec<&String> = all.iter().filter(|name| !known.contains(&***name)).collect();
    assert!(left_out.is_empty(), "{} left out: {left_out:#?}", left_out.len());
}

#[test]
fn rows_are_the_same_if_only_what_was_measured_differs() {
    let row = |op: &str, error: &str, tolerance: &str, checks: u8| {
        without_measurements(&format!("| {op} | nn 2 | {error} | {tolerance} | x ({checks}) |"))
    };
    let one = row("map (plain)", "1e-7", "1e-6", 3);
    assert_eq!(one, row("map (plain)", "2e-7", "1e-6", 12));
    for other in [row("map (fast)", "1e-7", "1e-6", 3), row("map (plain)", "1e-7", "1e-5", 3)] {
        assert_ne!(one, other);
    }
}

#[test]
fn numbers_are_rounded_up_to_one_digit() {
    for (value, expected) in [
        (0.0, "0"),
        (1e-7, "1e-7"),
        (1.2e-7, "2e-7"),
        (9.5e-7, "1e-6"),
        (3.0, "3e0"),
        (41.0, "5e1"),
    ] {
        assert_eq!(number(value), expected, "{value}");
    }
}
