//! Statistics of the training set as JSON in the model file's header.

use ddsp_kernels::{Distribution, LoudnessStatistics, N_QUANTILES, PitchStatistics};
use serde::{Deserialize, Serialize};

use super::container::{Container, Metadata, format_error};
use super::optional_json;
use crate::ModelMetadata;
use crate::error::Error;

/// Key of the distribution of MIDI numbers.
const PITCH: &str = "pitch_statistics";

/// Key of the distribution of loudness in dB.
const LOUDNESS: &str = "loudness_statistics";

/// A [`Distribution`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    mean: f32,
    std: f32,
    min: f32,
    max: f32,
    mean_min: f32,
    mean_max: f32,
    quantiles: Vec<f32>,
}

impl From<&Distribution> for Record {
    fn from(distribution: &Distribution) -> Self {
        let &Distribution { mean, std, min, max, mean_min, mean_max, ref quantiles } = distribution;
        Self { mean, std, min, max, mean_min, mean_max, quantiles: quantiles.to_vec() }
    }
}

/// Adds what is known to the header.
pub(super) fn write(metadata: &ModelMetadata, header: &mut Metadata) {
    let pitch = metadata.pitch.as_ref().map(|statistics| (PITCH, &statistics.f0_midi));
    let loudness = metadata.loudness.as_ref().map(|statistics| (LOUDNESS, &statistics.loudness_db));
    for (key, distribution) in pitch.into_iter().chain(loudness) {
        let json = serde_json::to_string(&Record::from(distribution));
        header.insert(key.to_owned(), json.expect("numbers have a JSON form"));
    }
}

/// The pitch statistics in the header, if there are any.
pub(super) fn read_pitch(container: &Container) -> Result<Option<PitchStatistics>, Error> {
    Ok(read(container, PITCH)?.map(|f0_midi| PitchStatistics { f0_midi }))
}

/// The loudness statistics in the header, if there are any.
pub(super) fn read_loudness(container: &Container) -> Result<Option<LoudnessStatistics>, Error> {
    Ok(read(container, LOUDNESS)?.map(|loudness_db| LoudnessStatistics { loudness_db }))
}

fn read(container: &Container, key: &str) -> Result<Option<Distribution>, Error> {
    let Some(record) = optional_json::<Record>(container, key)? else { return Ok(None) };
    let Record { mean, std, min, max, mean_min, mean_max, quantiles } = record;
    let scalars = [mean, std, min, max, mean_min, mean_max];
    let in_order = quantiles.is_sorted() && quantiles.iter().chain(&scalars).all(|x| x.is_finite());
    let quantiles: [f32; N_QUANTILES] = quantiles
        .try_into()
        .ok()
        .filter(|_| in_order)
        .ok_or_else(|| format_error(format!("its header's `{key}` is not a distribution")))?;
    Ok(Some(Distribution { mean, std, min, max, mean_min, mean_max, quantiles }))
}
