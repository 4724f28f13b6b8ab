//! What is kept of a sound that was played: its figures, and whether they are still of the files.

use std::fs;
use std::path::Path;

use ddsp_data::{file_sum, write_json};
use ddsp_kernels::SpectralEnvelope;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::places::{Name, Places};
use crate::error::Result;
use crate::timbre::{envelope, median_f0_hz};
use crate::transfer::Transfer;

/// Figures of another number are measured anew: count it up when what is measured changes.
const VERSION: u32 = 1;

/// A spectral envelope as a file keeps it: centre in Hz and level in dB of each band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptEnvelope(Vec<(f32, f32)>);

impl KeptEnvelope {
    /// That of a sound; none if it is silent.
    pub(super) fn of(audio: &[f32], sample_rate: u32) -> Option<Self> {
        envelope(audio, sample_rate).map(Self::from)
    }

    pub(super) fn envelope(&self) -> SpectralEnvelope {
        let (band_hz, bands_db) = self.0.iter().copied().unzip();
        SpectralEnvelope { band_hz, bands_db }
    }
}

impl From<SpectralEnvelope> for KeptEnvelope {
    fn from(SpectralEnvelope { band_hz, bands_db }: SpectralEnvelope) -> Self {
        Self(band_hz.into_iter().zip(bands_db).collect())
    }
}

/// What was measured on a phrase that a model played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Played {
    /// Octaves by which the pitch was moved for the model.
    pub(super) octaves: i8,
    /// Median f0 that was asked for, Hz.
    pub(super) median_f0_hz: f32,
    /// Share of the phrase's voiced frames that stay voiced, percent.
    pub(super) voiced_kept_percent: f64,
    /// None where no frame is voiced in both.
    pub(super) median_f0_error_cents: Option<f64>,
    pub(super) loudness_error_db: Option<f64>,
    pub(super) loudness_shift_db: f64,
    pub(super) output_gain_db: f64,
    /// None if the output is silent.
    pub(super) envelope: Option<KeptEnvelope>,
}

impl Played {
    pub(super) fn of(transfer: &Transfer) -> Self {
        let measures = &transfer.measures;
        let finite = |value: f64| value.is_finite().then_some(value);
        Self {
            octaves: measures.octaves,
            median_f0_hz: median_f0_hz(&transfer.input_features)
                * 2.0_f32.powi(i32::from(measures.octaves)),
            voiced_kept_percent: measures.voiced_kept_percent,
            median_f0_error_cents: finite(measures.median_f0_error_cents),
            loudness_error_db: finite(measures.loudness_error_db),
            loudness_shift_db: measures.loudness_shift_db,
            output_gain_db: measures.output_gain_db,
            envelope: KeptEnvelope::of(&transfer.rendering.audio, transfer.grid.sample_rate),
        }
    }
}

/// The file of figures.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    version: u32,
    /// Sums of the files that went in.
    made_of: Vec<String>,
    /// Sums of the sound and the picture that came out.
    made: [String; 2],
    figures: T,
}

/// Keeps what was measured on a sound whose files are written, and gives back what later runs read.
pub(super) fn keep<T: Serialize + DeserializeOwned>(
    places: &Places,
    name: &Name,
    made_of: &[String],
    figures: T,
) -> Result<T> {
    let path = places.file(&name.measures());
    let made = sums(places, name)?;
    let kept = Kept { version: VERSION, made_of: made_of.to_vec(), made, figures };
    write_json(&path, &kept)?;
    let read = read(&path)?;
    let wrong = || ddsp_data::Error::Data(format!("{}: is not what was written", path.display()));
    Ok(read.map(|kept: Kept<T>| kept.figures).ok_or_else(wrong)?)
}

/// What an earlier run kept, if it was made of the same and its files are whole.
pub(super) fn kept<T: DeserializeOwned>(
    places: &Places,
    name: &Name,
    made_of: &[String],
) -> Result<Option<T>> {
    let path = places.file(&name.measures());
    if !path.exists() {
        return Ok(None);
    }
    let Some(kept) = read::<Kept<T>>(&path)? else { return Ok(None) };
    let is_current = kept.version == VERSION && kept.made_of == made_of;
    let is_whole = is_current && sums(places, name).is_ok_and(|sums| sums == kept.made);
    Ok(is_whole.then_some(kept.figures))
}

/// Figures of another form tell nothing: they are made anew.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = fs::read(path).map_err(ddsp_data::Error::io("read", path))?;
    Ok(serde_json::from_slice(&text).ok())
}

fn sums(places: &Places, name: &Name) -> Result<[String; 2]> {
    let sum = |inside: String| file_sum(&places.file(&inside));
    Ok([sum(name.audio())?, sum(name.picture())?])
}
