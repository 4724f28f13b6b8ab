//! Which sound an output is nearer to: the instrument it should have become, or the input.

use std::ops::RangeInclusive;

use ddsp_data::ExampleIndex;
use ddsp_kernels::{AverageSpectrum, FrameGrid, SpectralEnvelope, VOICED_CONFIDENCE};

use crate::error::Result;
use crate::transfer::Transfer;

/// The average spectral envelope of an instrument.
pub(super) struct Timbre {
    pub(super) envelope: Option<SpectralEnvelope>,
    grid: FrameGrid,
}

impl Timbre {
    /// Of the notes in `index` whose pitch is in `pitches` (MIDI): an envelope changes with pitch, so
    /// only those near a phrase say what it should be like.
    pub(super) fn of(
        index: &ExampleIndex,
        pitches: RangeInclusive<u8>,
        grid: FrameGrid,
    ) -> Result<Self> {
        let mut average = AverageSpectrum::new(grid.sample_rate);
        for i in 0..index.len() {
            let pitch = index.labels(i).pitch.and_then(|pitch| u8::try_from(pitch).ok());
            if pitch.is_some_and(|pitch| pitches.contains(&pitch)) {
                average.add(&index.read(i, grid)?.audio);
            }
        }
        Ok(Self { envelope: average.envelope(), grid })
    }

    /// Distances in dB of the output's envelope from this instrument's and from the input's; NaN where
    /// a sound is silent.
    ///
    /// Only bands from the median f0 up count: below, an envelope tells pitch.
    pub(super) fn distances_db(&self, transfer: &Transfer) -> (f64, f64) {
        let envelope = |audio: &[f32]| {
            let mut average = AverageSpectrum::new(self.grid.sample_rate);
            average.add(audio);
            average.envelope()
        };
        let output = envelope(&transfer.rendering.audio);
        let lowest_hz = median_f0(transfer);
        let distance = |a: &Option<SpectralEnvelope>, b: &Option<SpectralEnvelope>| match (a, b) {
            (Some(a), Some(b)) => f64::from(a.distance_db(b, lowest_hz)),
            _ => f64::NAN,
        };
        (distance(&output, &self.envelope), distance(&output, &envelope(&transfer.input)))
    }
}

/// The median f0 of the input's voiced frames, Hz.
fn median_f0(transfer: &Transfer) -> f32 {
    let features = &transfer.input_features;
    let frames = features.f0_hz.iter().zip(&features.f0_confidence);
    let mut voiced: Vec<f32> =
        frames.filter(|f| *f.1 >= VOICED_CONFIDENCE).map(|(f0, _)| *f0).collect();
    voiced.sort_by(f32::total_cmp);
    voiced.get(voiced.len() / 2).copied().unwrap_or_default()
}
