//! `ddsp data inspect`

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use ddsp_data::{
    FeatureSummary, InspectOptions, Inspection, Predicate, RecordView, find_record,
    find_record_files, inspect, inspect_into,
};

use super::job::Job;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Reads record files to the end, checks every checksum, and tells what features the records have.
#[derive(Args)]
#[command(after_help = "Example: ddsp data inspect 'families/string*'\n         \
                        ddsp data inspect nsynth/ --record 0\n         \
                        ddsp data inspect nsynth/ --where 'pitch == 60' --json | jq '.examples[].file'\n\n\
                        `ddsp data sort --help` says what a condition may hold.")]
pub struct Inspect {
    /// Record files, folders of them, or patterns such as 'train/*.tfrecord*'.
    #[arg(required = true, value_name = "RECORDS")]
    sources: Vec<PathBuf>,
    /// Print long lists in full.
    #[arg(long, requires = "json")]
    full: bool,
    /// Show record N, from 0, of those that pass.
    #[arg(long, value_name = "N", conflicts_with_all = ["out", "shard"])]
    record: Option<u64>,
    /// Count only the records that pass, such as 'pitch in 24..84 and velocity >= 75'.
    #[arg(long = "where", value_name = "CONDITION")]
    predicate: Option<Predicate>,
    /// Write the summary into this folder; several shards write one together.
    #[arg(short, long, value_name = "DIR", conflicts_with = "full")]
    out: Option<PathBuf>,
    #[command(flatten)]
    job: Job,
}

impl Inspect {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is damaged.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let files = find_record_files(&self.sources)?;
        if let Some(number) = self.record {
            let found = find_record(&files, number, self.predicate.as_ref())?;
            return self.show(&found.view(), console);
        }
        let options = InspectOptions {
            predicate: self.predicate.clone(),
            shard: self.job.shard(),
            n_threads: self.job.n_threads(),
            force: self.job.force,
        };
        let mut list = JsonList { output: BufWriter::new(io::stdout()), is_begun: false };
        let inspection = console.run(&AT_ONCE, |conductor| {
            conductor.stage("reading records");
            let progress = &mut conductor.counter("bytes");
            match &self.out {
                Some(out) => inspect_into(&files, out, &options, progress),
                None if self.job.json => {
                    let mut sink = |view: &RecordView| list.add(&view.json(self.full));
                    inspect(&files, &options, Some(&mut sink), progress)
                }
                None => inspect(&files, &options, None, progress),
            }
        })?;
        match (&self.out, self.job.json) {
            (None, true) => Ok(list.finish(&inspection)?),
            (Some(_), true) => console.json(&inspection),
            _ => describe_all(&inspection, console),
        }
    }

    fn show(&self, view: &RecordView, console: &Console) -> Result<(), Failure> {
        if self.job.json {
            return console.line(&serde_json::to_string(&view.json(self.full))?);
        }
        let (file, record, offset) = (view.file.display(), view.index, view.offset);
        console.line(&format!("{file}: record {record} at byte {offset}"))?;
        view.lines().iter().try_for_each(|line| console.line(line))
    }
}

/// One JSON object: the records one by one, as they come, then the summary's fields.
struct JsonList<W: Write> {
    output: W,
    is_begun: bool,
}

impl<W: Write> JsonList<W> {
    fn add(&mut self, record: &impl serde::Serialize) -> io::Result<()> {
        self.output.write_all(if self.is_begun { b",\n" } else { b"{\"examples\": [\n" })?;
        self.is_begun = true;
        Ok(serde_json::to_writer(&mut self.output, record)?)
    }

    fn finish(mut self, inspection: &Inspection) -> io::Result<()> {
        let begin: &[u8] = if self.is_begun { b"\n],\n" } else { b"{\"examples\": [],\n" };
        self.output.write_all(begin)?;
        let summary = serde_json::to_string_pretty(inspection)?;
        self.output.write_all(summary.trim_start_matches("{\n").as_bytes())?;
        self.output.write_all(b"\n")?;
        self.output.flush()
    }
}

fn describe_all(inspection: &Inspection, console: &Console) -> Result<(), Failure> {
    for file in &inspection.files {
        let megabytes = file.bytes as f64 / 1e6;
        let (records, name) = (file.records, file.file.display());
        console.line(&format!("{name}: {records} records, {megabytes:.1} MB"))?;
    }
    let dropped = match inspection.dropped {
        0 => String::new(),
        dropped => format!(" ({dropped} do not pass)"),
    };
    let records = inspection.records;
    console.line(&format!("\n{records} records in all{dropped}; their features:"))?;
    let width = inspection.features.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, feature) in &inspection.features {
        console.line(&format!("  {name:width$}  {}", describe(feature, records)))?;
    }
    match inspection.files_missing {
        0 => Ok(()),
        missing => console.line(&format!("so far: {missing} files are left to other shards")),
    }
}

/// A feature in one line.
fn describe(feature: &FeatureSummary, n_records: u64) -> String {
    let kinds: Vec<&str> = feature.kinds.keys().map(String::as_str).collect();
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
