//! How well a rendering does what it was asked for.

use ddsp_data::ExtractedFeatures;
use ddsp_kernels::{VOICED_CONFIDENCE, note_frames};
use ddsp_model::AdjustedFeatures;
use serde::Serialize;

/// What a transfer did, measured on its output by the tracker and the loudness of the input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TransferMeasures {
    /// Frames of the input with a pitch.
    pub voiced_frames: usize,
    /// Share of these that have a pitch in the output, percent.
    pub voiced_kept_percent: f64,
    /// Octaves by which the pitch was moved.
    pub octaves: i8,
    /// Median distance of the output's f0 from the input's, moved by the octaves, over frames with a
    /// pitch in both, cents.
    pub median_f0_error_cents: f64,
    /// Mean change of the loudness that was asked for, dB.
    pub loudness_shift_db: f64,
    /// Gain that brought the output's notes to the level asked for, dB.
    pub output_gain_db: f64,
    /// Mean distance of the output's loudness from the adjusted loudness over note frames, dB.
    pub loudness_error_db: f64,
}

impl TransferMeasures {
    /// Compares what was measured on the input and the output with what was asked for.
    pub(super) fn new(
        input: &ExtractedFeatures,
        request: &AdjustedFeatures,
        output: &ExtractedFeatures,
        output_gain_db: f32,
    ) -> Self {
        let (before, after) = (voiced(input), voiced(output));
        let n_before = before.iter().filter(|v| **v).count();
        let both: Vec<usize> = (0..before.len()).filter(|&i| before[i] && after[i]).collect();
        let cents = both.iter().map(|&i| {
            1200.0 * (f64::from(output.f0_hz[i]) / f64::from(request.f0_hz[i])).log2().abs()
        });
        let errors = errors_db(input, request, output).map(f64::abs);
        Self {
            voiced_frames: n_before,
            voiced_kept_percent: 100.0 * both.len() as f64 / n_before as f64,
            octaves: request.octaves,
            median_f0_error_cents: median(cents.collect()),
            loudness_shift_db: f64::from(request.loudness_shift_db),
            output_gain_db: f64::from(output_gain_db),
            loudness_error_db: mean(errors),
        }
    }

    /// The figures with names and units for people.
    pub fn named(&self) -> [(&'static str, f64, &'static str); 6] {
        [
            ("Voiced frames that stay voiced", self.voiced_kept_percent, "%"),
            ("Median f0 error", self.median_f0_error_cents, "cents"),
            ("Loudness error on notes", self.loudness_error_db, "dB"),
            ("Gain of the output", self.output_gain_db, "dB"),
            ("Loudness moved by", self.loudness_shift_db, "dB"),
            ("Pitch moved by", f64::from(self.octaves), "octaves"),
        ]
    }
}

/// Farthest that a gain makes up for a level that was not reached, dB: beyond, the model failed, and
/// noise would be brought up.
const MAX_GAIN_DB: f64 = 12.0;

/// The gain in dB that brings the notes of `output` to the level of `request` on average.
pub(super) fn missing_db(
    input: &ExtractedFeatures,
    request: &AdjustedFeatures,
    output: &ExtractedFeatures,
) -> f32 {
    let excess = mean(errors_db(input, request, output));
    #[expect(clippy::cast_possible_truncation, reason = "a few dB")]
    let gain_db = (-excess).clamp(-MAX_GAIN_DB, MAX_GAIN_DB) as f32;
    if gain_db.is_finite() { gain_db } else { 0.0 }
}

/// How much louder `output` is than `request`, dB, on the note frames of `input`.
fn errors_db(
    input: &ExtractedFeatures,
    request: &AdjustedFeatures,
    output: &ExtractedFeatures,
) -> impl Iterator<Item = f64> {
    note_frames(&input.f0_confidence, &input.loudness_db)
        .zip(&request.loudness_db)
        .zip(&output.loudness_db)
        .filter(|((is_note, _), _)| *is_note)
        .map(|((_, request), output)| f64::from(output - request))
}

/// Which frames have a pitch.
pub(super) fn voiced(features: &ExtractedFeatures) -> Vec<bool> {
    features.f0_confidence.iter().map(|confidence| *confidence >= VOICED_CONFIDENCE).collect()
}

/// The middle value; NaN of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The mean; NaN of none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(f0_hz: &[f32], f0_confidence: &[f32], loudness_db: &[f32]) -> ExtractedFeatures {
        ExtractedFeatures {
            f0_hz: f0_hz.to_vec(),
            f0_confidence: f0_confidence.to_vec(),
            loudness_db: loudness_db.to_vec(),
        }
    }

    fn request(f0_hz: &[f32], loudness_db: &[f32], octaves: i8) -> AdjustedFeatures {
        AdjustedFeatures {
            f0_hz: f0_hz.to_vec(),
            loudness_db: loudness_db.to_vec(),
            voiced: vec![true; f0_hz.len()],
            octaves,
            loudness_shift_db: 10.0,
        }
    }

    #[test]
    fn errors_count_where_they_are_defined() {
        let input = features(&[220.0; 4], &[1.0, 1.0, 1.0, 0.0], &[-20.0, -20.0, -20.0, -70.0]);
        let asked = request(&[440.0; 4], &[-10.0, -10.0, -10.0, -80.0], 1);
        let cent = 2.0_f32.powf(1.0 / 1200.0);
        let output = features(
            &[440.0 * cent, 440.0 / cent, 99.0, 99.0],
            &[1.0, 1.0, 0.0, 1.0],
            &[-11.0, -9.0, -14.0, 0.0],
        );
        let measures = TransferMeasures::new(&input, &asked, &output, 0.0);
        assert_eq!(measures.voiced_frames, 3);
        assert!((measures.voiced_kept_percent - 200.0 / 3.0).abs() < 1e-9, "two of three");
        // f32 frequencies: a thousandth of a cent.
        assert!((measures.median_f0_error_cents - 1.0).abs() < 1e-3, "one cent either way");
        assert!((measures.loudness_error_db - 2.0).abs() < 1e-5, "the mean of 1, 1 and 4");
        let gain_db = missing_db(&input, &asked, &output);
        assert!((gain_db - 4.0 / 3.0).abs() < 1e-5, "the mean of 1, -1 and 4: {gain_db}");
    }

    #[test]
    fn an_output_without_pitch_has_no_f0_error_and_keeps_nothing() {
        let input = features(&[220.0; 2], &[1.0; 2], &[-20.0; 2]);
        let output = features(&[220.0; 2], &[0.0; 2], &[-20.0; 2]);
        let asked = request(&[220.0; 2], &[-20.0; 2], 0);
        let measures = TransferMeasures::new(&input, &asked, &output, 0.0);
        assert_eq!(measures.voiced_kept_percent, 0.0);
        assert!(measures.median_f0_error_cents.is_nan(), "a check on it fails");
    }
}
