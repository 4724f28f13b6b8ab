//! `ddsp data render`

use std::path::PathBuf;

use clap::Args;
use ddsp_data::{
    Keys, MidiNumbers, PresetChoice, PresetInfo, RenderOptions, RenderReport, list_presets, render,
};

use super::job::Job;
use super::spelling::Spelling;
use crate::console::{AT_ONCE, Console};
use crate::failure::Failure;

/// Records off their notes that are named on the terminal; the manifest names all.
const SHOWN: usize = 10;

/// Renders notes or MIDI files through a SoundFont (SF2) to labelled records; f0 is measured on what
/// sounds, and records that are off their notes are listed.
#[derive(Args)]
#[command(
    after_help = "Example: ddsp data render --soundfont gm.sf2 --preset violin --preset 0:42 --out strings\n         \
                  ddsp data render --soundfont gm.sf2 --list\n         \
                  ddsp data render songs/ --soundfont gm.sf2 --preset flute --out phrases\n\
                  Then:    ddsp train --data 'strings/*.tfrecord*' --out runs/strings"
)]
pub struct Render {
    /// MIDI files or folders of them to play, drums left out; none for single notes.
    #[arg(value_name = "MIDI")]
    midi: Vec<PathBuf>,
    /// The SoundFont 2 file.
    #[arg(long, value_name = "FILE")]
    soundfont: PathBuf,
    /// Show the SoundFont's presets and make nothing.
    #[arg(long, conflicts_with_all = ["out", "presets", "shard", "force"])]
    list: bool,
    /// Folder for the record files.
    #[arg(short, long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// A preset: bank:program, a program of bank 0, or a part of the name; give several.
    #[arg(long = "preset", value_name = "PRESET", required_unless_present = "list")]
    presets: Vec<String>,
    /// NSynth's family to label the records with [default: that of General MIDI].
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    /// MIDI numbers of the notes, such as 60,64,67 or 36..84 or 36..84:3.
    #[arg(long, value_name = "NUMBERS", default_value = "36..84", conflicts_with = "midi")]
    pitches: MidiNumbers,
    /// MIDI velocities of each pitch.
    #[arg(long, value_name = "NUMBERS", default_value = "50,100", conflicts_with = "midi")]
    velocities: MidiNumbers,
    /// Length of a record; MIDI files are cut into as many as they fill.
    #[arg(long, value_name = "SECS", default_value_t = 4.0)]
    secs: f64,
    /// Time from the beginning of a note to its release [default: a second less than the record, or
    /// three quarters of it].
    #[arg(long, value_name = "SECS", conflicts_with = "midi")]
    hold_secs: Option<f64>,
    /// Samples a second of the records.
    #[arg(long, value_name = "HZ", default_value_t = 16_000)]
    sample_rate: u32,
    /// Frames a second of the features.
    #[arg(long, value_name = "HZ", default_value_t = 250)]
    frame_rate: u32,
    /// Spelling of the features [default: nsynth at 16 kHz and 250 frames/s, else ddsp].
    #[arg(long, value_enum)]
    keys: Option<Spelling>,
    /// Decides the order of the records.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Files to deal the records out to; each is made by one thread.
    #[arg(long, value_name = "N", default_value_t = 4)]
    shards: usize,
    #[command(flatten)]
    job: Job,
}

impl Render {
    fn options(&self) -> RenderOptions {
        let family = &self.family;
        let choice =
            |preset: &String| PresetChoice { preset: preset.clone(), family: family.clone() };
        let is_nsynth = (self.sample_rate, self.frame_rate) == (16_000, 250);
        RenderOptions {
            soundfont: self.soundfont.clone(),
            presets: self.presets.iter().map(choice).collect(),
            midi: self.midi.clone(),
            pitches: self.pitches.0.clone(),
            velocities: self.velocities.0.clone(),
            secs: self.secs,
            hold_secs: self.hold_secs.unwrap_or(self.secs - (0.25 * self.secs).min(1.0)),
            sample_rate: self.sample_rate,
            frame_rate: self.frame_rate,
            keys: self.keys.map_or(if is_nsynth { Keys::Nsynth } else { Keys::Ddsp }, Keys::from),
            seed: self.seed,
            n_shards: self.shards,
            shard: self.job.shard(),
            force: self.job.force,
        }
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If a file is not what it should be, nothing of what is asked for exists, or the folder cannot
    /// be used.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let Some(out) = self.out.as_ref().filter(|_| !self.list) else {
            return self.list(console);
        };
        let options = self.options();
        let report = console.run(&AT_ONCE, |conductor| {
            conductor.stage("rendering");
            let n_threads = self.job.n_threads();
            render(&options, out, n_threads, &mut conductor.counter("performances"))
        })?;
        if self.job.json {
            return console.json(&report);
        }
        for played in &report.presets {
            console.line(&format!("{:>8} {}", played.performances, shown(&played.preset)))?;
        }
        for file in &report.left_out {
            console.line(&format!("left out {}", file.reason))?;
        }
        for off in report.off_pitch.iter().take(SHOWN) {
            console.line(&format!("{} sounds {:+.1} semitones off", off.id, off.semitones))?;
        }
        console.line(&conclusion(&report, &out.display().to_string()))
    }

    fn list(&self, console: &Console) -> Result<(), Failure> {
        let presets = list_presets(&self.soundfont)?;
        if self.job.json {
            return console.json(&presets);
        }
        presets.iter().try_for_each(|preset| console.line(&shown(preset)))
    }
}

/// A preset as the list has it.
fn shown(preset: &PresetInfo) -> String {
    let number = format!("{}:{}", preset.bank, preset.program);
    let family = preset.family.as_ref().map_or(String::new(), |family| format!(" ({family})"));
    format!("{number:>7} {}{family}", preset.name)
}

/// What became of the performances, in one line.
fn conclusion(report: &RenderReport, out: &str) -> String {
    let mut line =
        format!("{:>8} records in {} files in {out}", report.records, report.files.len());
    if report.unpitched > 0 {
        line += &format!(", {} without a pitch left out", report.unpitched);
    }
    if !report.off_pitch.is_empty() {
        line += &format!(", {} off their notes (see manifest.json)", report.off_pitch.len());
    }
    if report.already_done {
        line += ", rendered earlier and unchanged";
    }
    if report.parts_missing > 0 {
        line += &format!(" so far: {} files are left to other shards", report.parts_missing);
    }
    line
}
