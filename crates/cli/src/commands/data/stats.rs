//! `ddsp data stats`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{
    ClassStatistics, DataStatistics, F0Source, StatisticsOptions, find_record_files, statistics,
    statistics_into,
};
use ddsp_studio::statistics_picture;

use super::job::Job;
use crate::commands::write_text;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Computes statistics of pitch, loudness and power over the notes of records: means, extremes and
/// quantiles, the same as training stores in a model; by class where asked, with pictures.
#[derive(Args)]
#[command(
    after_help = "Example: ddsp data stats 'families/string*' --picture string.svg\n         \
                        ddsp data stats nsynth/ --by instrument/family --json"
)]
pub struct Stats {
    /// Record files, folders of them, or patterns such as 'train/*.tfrecord*'.
    #[arg(required = true, value_name = "RECORDS")]
    sources: Vec<PathBuf>,
    /// Statistics also of each class that these features tell, such as instrument/family; several
    /// with commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    by: Vec<String>,
    /// Draw pitch, loudness and their density into this file.
    #[arg(long, value_name = "FILE.svg", conflicts_with = "shard")]
    picture: Option<PathBuf>,
    /// Track f0 anew instead of taking the record's.
    #[arg(long)]
    track: bool,
    /// Samples a second of the records.
    #[arg(long, value_name = "HZ", default_value_t = 16_000)]
    sample_rate: u32,
    /// Frames a second of the features.
    #[arg(long, value_name = "HZ", default_value_t = 250)]
    frame_rate: u32,
    /// Write the statistics into this folder; several shards write them together.
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    job: Job,
}

impl Stats {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If a file is damaged or holds something else than notes, or an output cannot be written.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = StatisticsOptions {
            by: self.by,
            sample_rate: self.sample_rate,
            frame_rate: self.frame_rate,
            f0: if self.track { F0Source::Tracker } else { F0Source::Record },
            shard: self.job.shard(),
            n_threads: self.job.n_threads(),
            force: self.job.force,
        };
        let files = find_record_files(&self.sources)?;
        let statistics = console.run(&AT_ONCE, |conductor| {
            conductor.stage("reading notes");
            let progress = &mut conductor.counter("bytes");
            match &self.out {
                Some(out) => statistics_into(&files, out, &options, progress),
                None => statistics(&files, &options, progress),
            }
        })?;
        if let Some(path) = &self.picture {
            write_text(path, &statistics_picture(&statistics))?;
        }
        if self.job.json { console.json(&statistics) } else { describe(&statistics, console) }
    }
}

fn describe(statistics: &DataStatistics, console: &Console) -> Result<(), Failure> {
    let DataStatistics { all, classes, files_missing, .. } = statistics;
    let names = classes.keys().map(String::as_str);
    let width = names.map(str::len).max().unwrap_or(0).max("all".len());
    for (name, class) in [("all", all)].into_iter().chain(classes.iter().map(|(n, c)| (&**n, c))) {
        let ClassStatistics { records, records_without_notes, note_frames, .. } = class;
        let without = match records_without_notes {
            0 => String::new(),
            n => format!(", {n} without a note"),
        };
        console.line(&format!(
            "{name:width$}  {records} records{without}, {note_frames} note frames"
        ))?;
        let features = [
            ("pitch", &class.f0_midi, "MIDI"),
            ("loudness", &class.loudness_db, "dB"),
            ("power", &class.power_db, "dB"),
        ];
        for (feature, distribution, unit) in features {
            let Some(d) = distribution else { continue };
            let (mean, std, min, max) = (d.mean, d.std, d.min, d.max);
            let middle = d.quantiles[d.quantiles.len() / 2];
            console.line(&format!(
                "{:width$}  {feature:8}  mean {mean:7.2} ± {std:5.2} {unit}, median {middle:7.2}, {min:.2} to {max:.2}, \
                 by record {:.2} to {:.2}",
                "", d.mean_min, d.mean_max
            ))?;
        }
    }
    match files_missing {
        0 => Ok(()),
        missing => console.line(&format!("so far: {missing} files are left to other shards")),
    }
}
