//! `ddsp data …`

mod doctor;
mod download;
mod inspect;
mod job;
mod prepare;
mod render;
mod sort;
mod spelling;
mod stats;
mod synth;
mod verify;

use crate::console::Console;
use crate::failure::Failure;

/// Makes, renders, prepares, sorts, inspects and verifies data sets.
#[derive(clap::Subcommand)]
pub enum Data {
    /// Download NSynth, or any public bucket.
    Download(download::Download),
    /// Make an NSynth-like data set on built-in instruments.
    Synth(synth::Synth),
    /// Render notes or MIDI files through a SoundFont.
    Render(render::Render),
    /// Cut recordings into examples with f0 and loudness.
    Prepare(prepare::Prepare),
    /// Sort records into files of one family each, losing none.
    Sort(sort::Sort),
    /// Tell what record files hold.
    Inspect(inspect::Inspect),
    /// Check record files to the last byte, and save what is good.
    Verify(verify::Verify),
    /// Compute statistics of pitch and loudness, with pictures.
    Stats(stats::Stats),
    /// Tell whether recordings or records will train.
    Doctor(doctor::Doctor),
}

impl Data {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// If it does not succeed.
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        match self {
            Self::Download(download) => download.run(console),
            Self::Synth(synth) => synth.run(console),
            Self::Render(render) => render.run(console),
            Self::Prepare(prepare) => prepare.run(console),
            Self::Sort(sort) => sort.run(console),
            Self::Inspect(inspect) => inspect.run(console),
            Self::Verify(verify) => verify.run(console),
            Self::Stats(stats) => stats.run(console),
            Self::Doctor(doctor) => doctor.run(console),
        }
    }
}
