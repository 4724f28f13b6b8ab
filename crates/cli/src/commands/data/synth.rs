//! `ddsp data synth`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{SynthOptions, synthesize};

use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Makes an NSynth-like data set on built-in instruments: 4 s notes at 16 kHz, labelled, with exact
/// f0, families mixed in each file.
#[derive(Args)]
#[command(after_help = "Example: ddsp data synth --out data --family string --family keyboard")]
pub struct Synth {
    /// Folder for the record files.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// A family to make; give several, or none for all.
    #[arg(long = "family", value_name = "NAME")]
    families: Vec<String>,
    /// Instruments of each family, or fewer where it has fewer [default: all].
    #[arg(long, value_name = "N")]
    instruments: Option<u32>,
    /// Pitches of each instrument, evenly over the family's range [default: 10].
    #[arg(long, value_name = "N")]
    pitches: Option<u8>,
    /// MIDI velocities of each pitch [default: 50,100].
    #[arg(long, value_name = "V", value_delimiter = ',')]
    velocities: Vec<u8>,
    /// Decides every performance and the order of the notes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Files to deal the notes out to.
    #[arg(long, value_name = "N", default_value_t = 4)]
    shards: usize,
    /// Start over what an earlier run made.
    #[arg(long)]
    force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Synth {
    fn options(&self) -> SynthOptions {
        let mut options = SynthOptions {
            seed: self.seed,
            n_shards: self.shards,
            force: self.force,
            ..SynthOptions::default()
        };
        if !self.families.is_empty() {
            options.families.clone_from(&self.families);
        }
        options.n_instruments = self.instruments.unwrap_or(options.n_instruments);
        options.n_pitches = self.pitches.unwrap_or(options.n_pitches);
        if !self.velocities.is_empty() {
            options.velocities.clone_from(&self.velocities);
        }
        options
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If the notes cannot be made or written.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let options = self.options();
        let report = console.run(&AT_ONCE, |conductor| {
            conductor.stage("making notes");
            let n_threads = conductor.n_threads;
            synthesize(&options, &self.out, n_threads, &mut conductor.counter("notes"))
        })?;
        if self.json {
            return console.json(&report);
        }
        for (family, notes) in &report.families {
            console.line(&format!("{notes:>6} {family}"))?;
        }
        let (notes, files, out) = (report.notes, report.files.len(), self.out.display());
        let done = if report.already_done { ", made earlier and unchanged" } else { "" };
        console.line(&format!("{notes:>6} notes in {files} files in {out}{done}"))
    }
}
