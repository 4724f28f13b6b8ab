//! `ddsp data inspect`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{FeatureSummary, find_record_files, inspect};

use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Reads record files to the end, checks every checksum, and tells what features the records have.
#[derive(Args)]
#[command(after_help = "Example: ddsp data inspect 'families/string*'")]
pub struct Inspect {
    /// Record files, folders of them, or patterns such as 'train/*.tfrecord*'.
    #[arg(required = true, value_name = "RECORDS")]
    sources: Vec<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is damaged.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let files = find_record_files(&self.sources)?;
        let inspection = console.run(&AT_ONCE, |conductor| {
            conductor.stage("reading records");
            inspect(&files, &mut conductor.counter("bytes"))
        })?;
        if self.json {
            return console.json(&inspection);
        }
        for file in &inspection.files {
            let megabytes = file.bytes as f64 / 1e6;
            let (records, name) = (file.records, file.file.display());
            console.line(&format!("{name}: {records} records, {megabytes:.1} MB"))?;
        }
        console.line(&format!("\n{} records in all; their features:", inspection.records))?;
        let width = inspection.features.keys().map(String::len).max().unwrap_or(0);
        for (name, feature) in &inspection.features {
            console.line(&format!("  {name:width$}  {}", describe(feature, inspection.records)))?;
        }
        Ok(())
    }
}

/// A feature in one line.
fn describe(feature: &FeatureSummary, n_records: u64) -> String {
    let kinds: Vec<&str> = feature.kinds.keys().copied().collect();
    let lens = match (feature.min_len, feature.max_len) {
        (min, max) if min == max => format!("{min}"),
        (min, max) => format!("{min} to {max}"),
    };
    let mut line = format!("{:6} × {lens}", kinds.join("/"));
    if let (Some(min), Some(max), Some(mean)) = (feature.min, feature.max, feature.mean) {
        line += &format!(", {min:.5} to {max:.5}, mean {mean:.5}");
    }
    if let Some(counts) = &feature.counts
        && counts.len() <= 12
    {
        let counts: Vec<String> = counts.iter().map(|(value, n)| format!("{value}: {n}")).collect();
        line += &format!(" ({})", counts.join(", "));
    }
    if let Some(first) = &feature.first {
        line += &format!(", such as {first:?}");
    }
    if feature.not_finite > 0 {
        line += &format!(", {} NOT FINITE", feature.not_finite);
    }
    if feature.records < n_records {
        line += &format!(", in {} records only", feature.records);
    }
    line
}
