//! `ddsp data download`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{DownloadOptions, DownloadReport, GOOGLE, NSYNTH, download, list_objects};

use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Downloads NSynth, or any public Cloud Storage prefix, several files at once; what was
/// interrupted is continued, every file is verified against the bucket's checksum.
#[derive(Args)]
#[command(after_help = "Example: ddsp data download --only test --out nsynth\n         \
                        ddsp data download --dry-run\n         \
                        ddsp data download gs://my-bucket/violin --out violin\n\n\
                        NSynth's subset has about 16 GB: `--only test` takes about a tenth of it.")]
pub struct Download {
    /// gs://bucket/prefix [default: NSynth's GANSynth subset with f0 and loudness].
    #[arg(value_name = "SOURCE", default_value = NSYNTH, hide_default_value = true)]
    source: String,
    /// Folder for the files.
    #[arg(short, long, value_name = "DIR", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Only files with this in their name, such as `train`.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    only: String,
    /// Files at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
    /// The server of the bucket, for mirrors.
    #[arg(long, value_name = "URL", default_value = GOOGLE)]
    base_url: String,
    /// List the files with their lengths, and download nothing.
    #[arg(long)]
    dry_run: bool,
    /// Start over what an earlier run made.
    #[arg(long)]
    force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Download {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the bucket cannot be listed, a file keeps failing, or the folder cannot be used.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = DownloadOptions {
            source: self.source,
            base_url: self.base_url,
            only: self.only,
            n_connections: usize::from(self.connections),
            force: self.force,
            ..DownloadOptions::default()
        };
        match self.out {
            Some(out) if !self.dry_run => {
                let report = console.run(&AT_ONCE, |conductor| {
                    conductor.stage("downloading");
                    download(&out, &options, &mut conductor.counter("bytes"))
                })?;
                if self.json {
                    return console.json(&report);
                }
                let done =
                    if report.already_done { ", downloaded earlier and unchanged" } else { "" };
                let (files, size) = (report.objects.len(), megabytes(report.bytes));
                console.line(&format!("{files} files, {size} in {}{done}", out.display()))
            }
            _ => {
                let objects = list_objects(&options)?;
                let bytes = objects.iter().map(|object| object.bytes).sum();
                let source = options.source;
                if self.json {
                    let report = DownloadReport {
                        source,
                        objects,
                        bytes,
                        bytes_received: 0,
                        already_done: false,
                    };
                    return console.json(&report);
                }
                for object in &objects {
                    console.line(&format!("{:>12} {}", megabytes(object.bytes), object.file))?;
                }
                let (files, size) = (objects.len(), megabytes(bytes));
                console.line(&format!("{size:>12} in {files} files of {source}"))
            }
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
