//! `--keys`

use ddsp_data::Keys;

/// Spelling of the features in records.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Spelling {
    /// `f0_hz`, `loudness_db`: as magenta/ddsp writes them.
    Ddsp,
    /// `f0/hz`, `loudness/db`: as NSynth has them.
    Nsynth,
}

impl From<Spelling> for Keys {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Ddsp => Self::Ddsp,
            Spelling::Nsynth => Self::Nsynth,
        }
    }
}
