//! `ddsp data synth`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{
    Between, GlideRange, MidiNumbers, Pitches, SynthOptions, VibratoRange, synthesize,
};

use super::job::Job;
use super::spelling::Spelling;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Makes an NSynth-like data set on built-in instruments: notes at 16 kHz, labelled, with exact f0,
/// families mixed in each file.
///
/// The f0 of the records is that of the synthesis, vibrato and glides included, not a measured one.
#[derive(Args)]
#[command(
    after_help = "Example: ddsp data synth --out data --family string --family keyboard\n         \
                        ddsp data synth --out data --family flute --pitches 60..84:3 \\\n             \
                        --vibrato 4..7 --vibrato-cents 10..50 --glide 1..5 --glide-secs 0.05..0.3"
)]
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
    /// Pitches of each instrument: a count, evenly over the family's range, or MIDI numbers such as
    /// 48..84, 48..84:3 or 60,64,67, of which those in its range are played [default: 10].
    #[arg(long, value_name = "N|NUMBERS")]
    pitches: Option<Pitches>,
    /// MIDI velocities of each pitch, such as 50,100 or 20..120:20.
    #[arg(long, value_name = "NUMBERS", default_value = "50,100")]
    velocities: MidiNumbers,
    /// Length of a note, of which the last second (or quarter) is its release.
    #[arg(long, value_name = "SECS", default_value_t = 4.0)]
    secs: f64,
    /// Give every note a vibrato in place of the instrument's own: its rate, or a range to draw from,
    /// Hz.
    #[arg(long, value_name = "HZ")]
    vibrato: Option<Between>,
    /// Half the range of the vibrato's pitch, or a range to draw from, cents.
    #[arg(long, value_name = "CENTS", default_value = "30", requires = "vibrato")]
    vibrato_cents: Between,
    /// Let every note glide to its pitch from so far above or below, or from a range, semitones.
    #[arg(long, value_name = "SEMITONES")]
    glide: Option<Between>,
    /// How long the glide takes, or a range to draw from, seconds.
    #[arg(long, value_name = "SECS", default_value = "0.1", requires = "glide")]
    glide_secs: Between,
    /// Spelling of the features.
    #[arg(long, value_enum, default_value_t = Spelling::Nsynth)]
    keys: Spelling,
    /// Decides every performance and the order of the notes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Files to deal the notes out to; each is made by one thread.
    #[arg(long, value_name = "N", default_value_t = 4)]
    shards: usize,
    #[command(flatten)]
    job: Job,
}

impl Synth {
    fn options(&self) -> SynthOptions {
        let (depth_cents, secs) = (self.vibrato_cents, self.glide_secs);
        let mut options = SynthOptions {
            velocities: self.velocities.0.clone(),
            secs: self.secs,
            vibrato: self.vibrato.map(|rate_hz| VibratoRange { rate_hz, depth_cents }),
            glide: self.glide.map(|semitones| GlideRange { semitones, secs }),
            keys: self.keys.into(),
            seed: self.seed,
            n_shards: self.shards,
            shard: self.job.shard(),
            force: self.job.force,
            ..SynthOptions::default()
        };
        if !self.families.is_empty() {
            options.families.clone_from(&self.families);
        }
        options.n_instruments = self.instruments.unwrap_or(options.n_instruments);
        options.pitches = self.pitches.clone().unwrap_or(options.pitches);
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
            let n_threads = self.job.n_threads();
            synthesize(&options, &self.out, n_threads, &mut conductor.counter("notes"))
        })?;
        if self.job.json {
            return console.json(&report);
        }
        for (family, notes) in &report.families {
            console.line(&format!("{notes:>6} {family}"))?;
        }
        let (notes, files, out) = (report.notes, report.files.len(), self.out.display());
        let done = match report.parts_missing {
            _ if report.already_done => ", made earlier and unchanged".to_owned(),
            0 => String::new(),
            missing => format!(" so far: {missing} files are left to other shards"),
        };
        console.line(&format!("{notes:>6} notes in {files} files in {out}{done}"))
    }
}
