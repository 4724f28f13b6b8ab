//! What sounds are like on average: spectral envelopes of a sound, and of an instrument's notes.

use std::ops::RangeInclusive;

use ddsp_data::{ExampleIndex, ExtractedFeatures};
use ddsp_kernels::{AverageSpectrum, FrameGrid, SpectralEnvelope, VOICED_CONFIDENCE};

use crate::error::Result;

/// The envelope of one sound; none if it is silent.
pub(crate) fn envelope(audio: &[f32], sample_rate: u32) -> Option<SpectralEnvelope> {
    let mut average = AverageSpectrum::new(sample_rate);
    average.add(audio);
    average.envelope()
}

/// The envelope of the notes in `index` whose pitch is in `pitches` (MIDI); none if there is none.
///
/// An envelope changes with pitch, so only notes near a phrase say what it should be like.
pub(crate) fn envelope_of_notes(
    index: &ExampleIndex,
    pitches: &RangeInclusive<u8>,
    grid: FrameGrid,
) -> Result<Option<SpectralEnvelope>> {
    let mut average = AverageSpectrum::new(grid.sample_rate);
    for i in 0..index.len() {
        if pitch(index, i).is_some_and(|pitch| pitches.contains(&pitch)) {
            average.add(&index.read(i, grid)?.audio);
        }
    }
    Ok(average.envelope())
}

/// The labelled pitch of a note, MIDI.
pub(crate) fn pitch(index: &ExampleIndex, i: usize) -> Option<u8> {
    index.labels(i).pitch.and_then(|pitch| u8::try_from(pitch).ok())
}

/// Distance in dB of two envelopes over bands from `lowest_hz` up; NaN where a sound is silent.
pub(crate) fn distance_db(
    a: Option<&SpectralEnvelope>,
    b: Option<&SpectralEnvelope>,
    lowest_hz: f32,
) -> f64 {
    match (a, b) {
        (Some(a), Some(b)) => f64::from(a.distance_db(b, lowest_hz)),
        _ => f64::NAN,
    }
}

/// The median f0 of the voiced frames, Hz; 0 if there is none.
pub(crate) fn median_f0_hz(features: &ExtractedFeatures) -> f32 {
    let frames = features.f0_hz.iter().zip(&features.f0_confidence);
    let mut voiced: Vec<f32> =
        frames.filter(|f| *f.1 >= VOICED_CONFIDENCE).map(|(f0, _)| *f0).collect();
    voiced.sort_by(f32::total_cmp);
    voiced.get(voiced.len() / 2).copied().unwrap_or_default()
}
