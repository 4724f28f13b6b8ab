//! `ddsp data doctor`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{
    Diagnosis, DoctorOptions, FileDiagnosis, Measure, Verdict, diagnose, diagnose_into,
};

use super::job::Job;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Files with remarks that are printed.
const N_SHOWN: usize = 20;

/// Tells whether recordings or records will train: minutes of notes, range and gaps, octave errors,
/// chords, clipping, noise, room, level; each with a verdict and what to do.
#[derive(Args)]
#[command(after_help = "Example: ddsp data doctor recordings/\n         \
                        ddsp data doctor 'families/string*' --json | jq -r .verdict\n\n\
                        Exit code 1 if a model cannot learn from this, 0 for warnings.\n\
                        docs/doctor.md has every measure and its limits.")]
pub struct Doctor {
    /// Audio files, record files, folders of both, or patterns such as 'train/*.tfrecord*'.
    #[arg(required = true, value_name = "FILES")]
    sources: Vec<PathBuf>,
    /// Write the diagnosis into this folder; several shards write one together.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    job: Job,
}

impl Doctor {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or the verdict over all files is bad.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = DoctorOptions {
            shard: self.job.shard(),
            n_threads: self.job.n_threads(),
            force: self.job.force,
        };
        let diagnosis = console.run(&AT_ONCE, |conductor| {
            conductor.stage("listening");
            let progress = &mut conductor.counter("bytes");
            match &self.out {
                Some(out) => diagnose_into(&self.sources, out, &options, progress),
                None => diagnose(&self.sources, &options, progress),
            }
        })?;
        if self.job.json {
            console.json(&diagnosis)?;
        } else {
            describe(&diagnosis, console)?;
        }
        // A share of the files says nothing about all of them.
        let is_whole = options.shard.is_whole() || self.out.is_some();
        match diagnosis.verdict {
            Verdict::Bad if is_whole && diagnosis.files_missing == 0 => {
                Err(Failure::Work(anyhow::anyhow!("a model cannot learn from this")))
            }
            _ => Ok(()),
        }
    }
}

fn describe(diagnosis: &Diagnosis, console: &Console) -> Result<(), Failure> {
    let Diagnosis { verdict, sounds, seconds, measures, files, files_missing } = diagnosis;
    for Measure { verdict, sentence, .. } in measures {
        console.line(&format!("{:4}  {sentence}", name(*verdict)))?;
    }
    let with_remarks: Vec<&FileDiagnosis> =
        files.iter().filter(|file| !file.remarks.is_empty()).collect();
    if files.len() > 1 || measures.is_empty() {
        for file in with_remarks.iter().take(N_SHOWN) {
            console.line(&format!("\n{} ({})", file.file.display(), name(file.verdict)))?;
            for remark in &file.remarks {
                console.line(&format!("  {remark}"))?;
            }
        }
        if with_remarks.len() > N_SHOWN {
            console.line(&format!("\n… and {} more files", with_remarks.len() - N_SHOWN))?;
        }
    }
    let minutes = seconds / 60.0;
    let n_files = files.len();
    let conclusion = match verdict {
        Verdict::Ok => "this will train",
        Verdict::Warn => "this will train, with the remarks above",
        Verdict::Bad => "this will not train",
    };
    let counted = format!("{sounds} sounds, {minutes:.1} minutes in {n_files} files");
    console.line(&format!("\n{counted}: {conclusion}"))?;
    match files_missing {
        0 => Ok(()),
        missing => console.line(&format!("so far: {missing} files are left to other shards")),
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "WARN",
        Verdict::Bad => "BAD",
    }
}
