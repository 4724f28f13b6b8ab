//! `ddsp data sort`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{Predicate, Shards, SortOptions, SortReport, find_record_files, sort};

use super::job::Job;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Sorts records into files of one class each in one pass, copying every record's bytes exactly;
/// records in and out are counted and compared.
#[derive(Args)]
#[command(after_help = "Example: ddsp data sort nsynth/ --out families\n         \
                        ddsp data sort nsynth/ --out soft --by instrument/family,instrument/source \\\n             \
                        --where 'pitch in 24..84 and not (velocity > 75 or qualities/reverb == 1)'\n\
                        Then:    ddsp train --data 'families/string*' --out runs/strings\n\n\
                        Conditions: ==, !=, <, <=, >, >=; in 24..84 (both ends included); in (1, 2);\n\
                        like 'string_*'; exists f0_hz; and, or, not, parentheses. Texts are quoted;\n\
                        families and sources may be named: instrument/family == 'string'.")]
pub struct Sort {
    /// Record files, folders of them, or patterns such as 'train/*.tfrecord*'.
    #[arg(required = true, value_name = "RECORDS")]
    sources: Vec<PathBuf>,
    /// Folder for the sorted files and their manifest.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// The features that tell the class: each one integer or one string; several with commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "instrument/family")]
    by: Vec<String>,
    /// Keep only the records that pass, such as 'pitch in 24..84 and velocity >= 75'.
    #[arg(long = "where", value_name = "CONDITION")]
    predicate: Option<Predicate>,
    /// Give a feature another name, such as f0/hz=f0_hz; several with commas.
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',', value_parser = names)]
    rename: Vec<(String, String)>,
    /// Length from which a file is followed by another, MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    shard_mib: u32,
    /// Split each class into so many files instead, equally many records in each.
    #[arg(long, value_name = "N", conflicts_with_all = ["shard_mib"], value_parser = clap::value_parser!(u64).range(1..=99_999))]
    shard_count: Option<u64>,
    #[command(flatten)]
    job: Job,
}

impl Sort {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If a source is damaged, no record has the feature, or the folder cannot be used.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = SortOptions {
            by: self.by,
            predicate: self.predicate,
            rename: self.rename,
            shards: match self.shard_count {
                Some(count) => Shards::Count(count),
                None => Shards::Bytes(u64::from(self.shard_mib) << 20),
            },
            force: self.job.force,
            shard: self.job.shard(),
            n_threads: self.job.n_threads(),
        };
        let sources = find_record_files(&self.sources)?;
        let report = console.run(&AT_ONCE, |conductor| {
            conductor.stage("sorting records");
            sort(&sources, &self.out, &options, &mut conductor.counter("bytes"))
        })?;
        if self.job.json {
            return console.json(&report);
        }
        for class in &report.classes {
            console.line(&format!("{:>8} {}", class.records, class.name))?;
        }
        console.line(&conclusion(&report, &self.out.display().to_string()))
    }
}

/// What became of the records, in one line.
fn conclusion(report: &SortReport, out: &str) -> String {
    let sorted: u64 = report.classes.iter().map(|class| class.records).sum();
    let mut line = format!("{:>8} records in, {sorted} out", report.records);
    if report.predicate.is_some() {
        line += &format!(", {} dropped", report.dropped);
    }
    line += &format!(", in {out}");
    if report.already_done {
        line += ", sorted earlier and unchanged";
    }
    if report.parts_missing > 0 {
        line += &format!(" so far: {} parts are left to other shards", report.parts_missing);
    }
    line
}

/// An old and a new name.
fn names(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.into(), new.into())),
        _ => Err("not two names such as f0/hz=f0_hz".to_owned()),
    }
}
