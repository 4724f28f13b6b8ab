//! `ddsp data verify`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{
    FileVerification, Gravity, Verification, VerifyOptions, find_record_files, verify, verify_into,
};

use super::job::Job;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Problems of one file that are printed in words.
const N_SHOWN: usize = 20;

/// Checks record files to the last byte: checksums, cut-off tails, features, values that are not
/// finite or out of range; reads on behind damage, and can write what is good to a new place.
#[derive(Args)]
#[command(after_help = "Example: ddsp data verify 'families/*.tfrecord*'\n         \
                        ddsp data verify nsynth/ --repair --out mended\n\n\
                        A repair copies usable records exactly, and lists the others with file,\n\
                        byte and reason in problems-*.jsonl. Exit code 1 if there is any problem.")]
pub struct Verify {
    /// Record files, folders of them, or patterns such as 'train/*.tfrecord*'.
    #[arg(required = true, value_name = "RECORDS")]
    sources: Vec<PathBuf>,
    /// Write the usable records of every file into the folder of --out.
    #[arg(long, requires = "out")]
    repair: bool,
    /// Write the result into this folder; several shards write one together.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    job: Job,
}

impl Verify {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or there is something to say against one.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = VerifyOptions {
            repair: self.repair,
            shard: self.job.shard(),
            n_threads: self.job.n_threads(),
            force: self.job.force,
        };
        let files = find_record_files(&self.sources)?;
        let verification = console.run(&AT_ONCE, |conductor| {
            conductor.stage("verifying records");
            let progress = &mut conductor.counter("bytes");
            match &self.out {
                Some(out) => verify_into(&files, out, &options, progress),
                None => verify(&files, &options, progress),
            }
        })?;
        if self.job.json {
            console.json(&verification)?;
        } else {
            for file in &verification.files {
                describe(file, console)?;
            }
            console.line(&self.conclusion(&verification))?;
        }
        match &verification {
            good if good.is_good() => Ok(()),
            Verification { bad, doubts, .. } => {
                let found = anyhow::anyhow!("{bad} records are not usable, {doubts} remarks");
                Err(Failure::Work(found))
            }
        }
    }

    fn conclusion(&self, verification: &Verification) -> String {
        let Verification { files, records, bad, doubts, .. } = verification;
        let n_files = files.len();
        let mut line = format!("{records} usable records in {n_files} files, {bad} not usable, ");
        line += &format!("{doubts} remarks");
        if let Some(out) = &self.out {
            let what = if self.repair { "usable records" } else { "result" };
            line += &format!("; {what} in {}", out.display());
        }
        if verification.already_done {
            line += ", done earlier and unchanged";
        }
        if verification.files_missing > 0 {
            let missing = verification.files_missing;
            line += &format!(" so far: {missing} files are left to other shards");
        }
        line
    }
}

/// A file in one line, and its first problems in one each.
fn describe(file: &FileVerification, console: &Console) -> Result<(), Failure> {
    let FileVerification { records, bad, doubts, problems, .. } = file;
    let (name, megabytes) = (file.file.display(), file.bytes as f64 / 1e6);
    let verdict = match bad + doubts {
        0 => "good".to_owned(),
        _ => format!("{bad} NOT USABLE, {doubts} remarks"),
    };
    console.line(&format!("{name}: {records} records, {megabytes:.1} MB, {verdict}"))?;
    for problem in problems.iter().take(N_SHOWN) {
        let gravity = match problem.gravity {
            Gravity::Doubt => "doubtful",
            Gravity::Unusable => "unusable",
            Gravity::Damaged => "damaged",
        };
        let (offset, reason) = (problem.offset, &problem.reason);
        console.line(&format!("  record at byte {offset}: {gravity}: {reason}"))?;
    }
    let n_hidden = (bad + doubts).saturating_sub(N_SHOWN as u64);
    match n_hidden {
        0 => Ok(()),
        n => console.line(&format!("  … and {n} more")),
    }
}
