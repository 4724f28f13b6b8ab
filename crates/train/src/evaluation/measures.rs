//! All measures of one sound against one recording, and what each is called.

use ddsp_kernels::{FrameGrid, Loudness, PitchConfig, SpectralLossTerms, track_pitch};
use ddsp_model::Config;
use serde::Serialize;

use super::onsets::{onset_errors, onsets_secs};
use super::pitch::{PitchCurve, pitch_errors};
use super::spectrum::{Levels, centroid_error_semitones, log_spectral_distance_db};
use crate::loss::ExampleLoss;

/// Level that silence counts as, dB re a mean square of 1.
const SILENCE_DB: f64 = -80.0;

/// How far one sound is from one recording; NaN (`null` in JSON) where a measure is not defined.
///
/// [`MEASURES`] has their names, units and definitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "MEASURES says it once")]
pub struct Measures {
    pub loss: f64,
    pub loss_magnitude: f64,
    pub loss_log_magnitude: f64,
    pub loss_delta_time: f64,
    pub loss_delta_freq: f64,
    pub loss_cumsum_freq: f64,
    pub loss_loudness: f64,
    pub loudness_l1_db: f64,
    pub level_difference_db: f64,
    pub f0_l1_midi: f64,
    pub f0_outlier: f64,
    pub raw_pitch_accuracy: f64,
    pub raw_chroma_accuracy: f64,
    pub log_spectral_distance_db: f64,
    pub centroid_error_semitones: f64,
    pub onset_precision: f64,
    pub onset_recall: f64,
    pub onset_f_measure: f64,
    pub onset_distance_ms: f64,
}

/// What one field of [`Measures`] is.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// The field, as in JSON.
    pub key: &'static str,
    /// For people.
    pub name: &'static str,
    /// Of the value; empty for a plain number.
    pub unit: &'static str,
    /// The definition, in a sentence.
    pub meaning: &'static str,
    /// The value of a perfect copy.
    pub perfect: f64,
    /// Reads the field.
    pub value: fn(&Measures) -> f64,
}

/// One line of [`MEASURES`].
macro_rules! measure {
    ($field:ident, $name:literal, $unit:literal, $perfect:literal, $meaning:literal) => {
        Measure {
            key: stringify!($field),
            name: $name,
            unit: $unit,
            meaning: $meaning,
            perfect: $perfect,
            value: |measures| measures.$field,
        }
    };
}

/// Every measure, in the order of the tables.
pub const MEASURES: [Measure; 19] = [
    measure!(loss, "loss", "", 0.0, "Spectral loss as in training: the sum of its terms."),
    measure!(loss_magnitude, "magnitude", "", 0.0, "Its term of magnitudes: the loud partials."),
    measure!(
        loss_log_magnitude,
        "log magnitude",
        "",
        0.0,
        "Its term of log magnitudes: the floor between the partials, and all silence."
    ),
    measure!(loss_delta_time, "delta time", "", 0.0, "Its term of changes in time."),
    measure!(loss_delta_freq, "delta frequency", "", 0.0, "Its term of changes along frequency."),
    measure!(loss_cumsum_freq, "cumulated", "", 0.0, "Its term of sums along frequency."),
    measure!(loss_loudness, "loudness term", "", 0.0, "Its term of loudness."),
    measure!(
        loudness_l1_db,
        "loudness L1",
        "dB",
        0.0,
        "Mean distance of the A-weighted loudness over all frames, from -80 dB up."
    ),
    measure!(
        level_difference_db,
        "level",
        "dB",
        0.0,
        "Level of the whole sound minus that of the recording, unweighted; negative is softer."
    ),
    measure!(
        f0_l1_midi,
        "f0 L1",
        "semitones",
        0.0,
        "Mean distance of f0 over the recording's voiced frames; outliers apart."
    ),
    measure!(
        f0_outlier,
        "f0 outliers",
        "share",
        0.0,
        "Examples without a pitch, or more than 12 semitones off on average."
    ),
    measure!(
        raw_pitch_accuracy,
        "RPA",
        "share",
        1.0,
        "Raw pitch accuracy: the recording's voiced frames within 50 cents."
    ),
    measure!(
        raw_chroma_accuracy,
        "RCA",
        "share",
        1.0,
        "Raw chroma accuracy: the same, octaves disregarded."
    ),
    measure!(
        log_spectral_distance_db,
        "log-spectral distance",
        "dB",
        0.0,
        "Root mean square over bins of the level difference, averaged over frames of 64 ms; levels \
         from -80 dB up."
    ),
    measure!(
        centroid_error_semitones,
        "centroid error",
        "semitones",
        0.0,
        "Mean distance of the spectral centroids over the recording's frames within 30 dB of its \
         loudest."
    ),
    measure!(
        onset_precision,
        "onset precision",
        "share",
        1.0,
        "Onsets of the sound within 50 ms of one of the recording."
    ),
    measure!(onset_recall, "onset recall", "share", 1.0, "Onsets of the recording that are found."),
    measure!(onset_f_measure, "onset F", "share", 1.0, "Harmonic mean of precision and recall."),
    measure!(onset_distance_ms, "onset distance", "ms", 0.0, "Mean distance of the found onsets."),
];

/// A recording that sounds are measured against, analysed once.
pub(super) struct Target<'a> {
    grid: FrameGrid,
    audio: &'a [f32],
    pitch: PitchCurve<'a>,
    loudness_db: Vec<f32>,
    levels: Levels,
    onsets_secs: Vec<f64>,
}

impl<'a> Target<'a> {
    /// `audio` of whole frames, with the pitch that it is said to have, `[n_frames]`.
    pub(super) fn new(audio: &'a [f32], pitch: PitchCurve<'a>, grid: FrameGrid) -> Self {
        Self {
            grid,
            audio,
            pitch,
            loudness_db: loudness_db(audio, grid),
            levels: Levels::new(audio, grid.sample_rate),
            onsets_secs: onsets_secs(audio, grid.sample_rate),
        }
    }

    /// Measures `audio`, which has the target's length.
    pub(super) fn measure(&self, audio: &[f32], config: &Config) -> Measures {
        let loss = ExampleLoss::new(config, 1).evaluate(self.audio, audio, 1.0, None);
        let SpectralLossTerms {
            magnitude,
            log_magnitude,
            delta_time,
            delta_freq,
            cumsum_freq,
            loudness,
        } = loss;
        let frames = track_pitch(PitchConfig::new(self.grid.sample_rate, self.grid.hop), audio);
        let (f0_hz, f0_confidence): (Vec<f32>, Vec<f32>) =
            frames.iter().map(|frame| (frame.f0_hz, frame.confidence)).unzip();
        let curve = PitchCurve { f0_hz: &f0_hz, f0_confidence: &f0_confidence };
        let pitch = pitch_errors(self.pitch, curve);
        let levels = Levels::new(audio, self.grid.sample_rate);
        let onsets = onset_errors(&self.onsets_secs, &onsets_secs(audio, self.grid.sample_rate));
        Measures {
            loss: loss.total(),
            loss_magnitude: magnitude,
            loss_log_magnitude: log_magnitude,
            loss_delta_time: delta_time,
            loss_delta_freq: delta_freq,
            loss_cumsum_freq: cumsum_freq,
            loss_loudness: loudness,
            loudness_l1_db: mean_distance(&self.loudness_db, &loudness_db(audio, self.grid)),
            level_difference_db: level_db(audio) - level_db(self.audio),
            f0_l1_midi: pitch.l1_midi,
            f0_outlier: pitch.outlier,
            raw_pitch_accuracy: pitch.raw_pitch_accuracy,
            raw_chroma_accuracy: pitch.raw_chroma_accuracy,
            log_spectral_distance_db: log_spectral_distance_db(&self.levels, &levels),
            centroid_error_semitones: centroid_error_semitones(&self.levels, &levels),
            onset_precision: onsets.precision,
            onset_recall: onsets.recall,
            onset_f_measure: onsets.f_measure,
            onset_distance_ms: onsets.distance_ms,
        }
    }
}

fn loudness_db(audio: &[f32], grid: FrameGrid) -> Vec<f32> {
    let mut loudness_db = vec![0.0; grid.n_frames(audio.len())];
    Loudness::new(grid).forward(audio, &mut loudness_db);
    loudness_db
}

/// Mean of `|a - b|`; NaN of nothing.
fn mean_distance(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).sum();
    sum / a.len() as f64
}

/// Mean square in dB, at least [`SILENCE_DB`].
fn level_db(audio: &[f32]) -> f64 {
    let squares: f64 = audio.iter().map(|x| f64::from(*x).powi(2)).sum();
    (10.0 * (squares / audio.len() as f64).log10()).max(SILENCE_DB)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

    /// A second of six partials of `hz`.
    fn tone(hz: f64, amplitude: f64) -> Vec<f32> {
        let wave = |n: u32, k: u8| (TAU * f64::from(k) * hz * f64::from(n) / 16_000.0).sin();
        #[expect(clippy::cast_possible_truncation, reason = "samples are f32")]
        let sample =
            |n| (amplitude * (1..=6).map(|k| wave(n, k) / f64::from(k)).sum::<f64>()) as f32;
        (0..16_000).map(sample).collect()
    }

    /// `audio` against the tone of 220 Hz.
    fn measured(audio: &[f32]) -> Measures {
        let config = Config::preset("seed-harmonic").expect("the preset is valid");
        let (recording, f0_hz, sure) = (tone(220.0, 0.3), [220.0; 250], [1.0; 250]);
        let pitch = PitchCurve { f0_hz: &f0_hz, f0_confidence: &sure };
        Target::new(&recording, pitch, GRID).measure(audio, &config)
    }

    #[test]
    fn a_perfect_copy_has_the_perfect_value_of_every_measure() {
        let measures = measured(&tone(220.0, 0.3));
        for measure in MEASURES {
            let (actual, perfect) = ((measure.value)(&measures), measure.perfect);
            // The tracker is within a cent of a steady tone: the only measure of an estimate.
            let tolerance = if measure.key == "f0_l1_midi" { 0.01 } else { 0.0 };
            let error = (actual - perfect).abs();
            assert!(error <= tolerance, "{}: {actual}, not {perfect}", measure.key);
        }
    }

    #[test]
    fn half_the_amplitude_is_6_db_softer_and_otherwise_the_same() {
        let measures = measured(&tone(220.0, 0.15));
        let six = 20.0 * 2_f64.log10();
        assert!((measures.level_difference_db + six).abs() < 1e-3, "{measures:?}");
        // Loudness is f32: a hundred thousandth of its 80 dB.
        assert!((measures.loudness_l1_db - six).abs() < 1e-3, "{measures:?}");
        // Bins at the floor of -80 dB differ by less than the level does.
        assert!(measures.log_spectral_distance_db < six, "{measures:?}");
        assert!(measures.loss > 1.0 && measures.loss_log_magnitude > 0.0, "{measures:?}");
        assert_eq!((measures.raw_pitch_accuracy, measures.onset_f_measure), (1.0, 1.0));
        assert_eq!(measures.f0_outlier, 0.0);
    }

    #[test]
    fn a_semitone_and_an_octave_are_told_apart() {
        let semitone = measured(&tone(220.0 * 2_f64.powf(1.0 / 12.0), 0.3));
        assert!((semitone.f0_l1_midi - 1.0).abs() < 0.01, "{semitone:?}");
        assert_eq!((semitone.raw_pitch_accuracy, semitone.raw_chroma_accuracy), (0.0, 0.0));
        let octave = measured(&tone(440.0, 0.3));
        assert_eq!((octave.raw_pitch_accuracy, octave.raw_chroma_accuracy), (0.0, 1.0));
    }

    #[test]
    fn silence_is_an_outlier_without_onsets() {
        let measures = measured(&vec![0.0; 16_000]);
        assert_eq!((measures.f0_outlier, measures.onset_f_measure), (1.0, 0.0), "{measures:?}");
        assert!(measures.f0_l1_midi.is_nan(), "{measures:?}");
        assert!(measures.level_difference_db < -60.0, "{measures:?}");
    }

    #[test]
    fn the_keys_are_the_fields() {
        let measures = measured(&tone(220.0, 0.1));
        let json = serde_json::to_value(measures).expect("plain data");
        let fields = json.as_object().expect("an object");
        assert_eq!(fields.len(), MEASURES.len(), "every field has a line");
        for measure in MEASURES {
            let value = (measure.value)(&measures);
            assert_eq!(fields[measure.key].as_f64(), Some(value), "{}", measure.key);
        }
    }
}
