//! What is summed for a class of records, and what comes out of it.

use ddsp_kernels::{Distribution, DistributionSums, NoteStatistics};
use serde::{Deserialize, Serialize};

/// Levels of the density of pitch and loudness: 2 dB each, from -80 dB up.
pub const DENSITY_LEVELS: usize = 60;

/// MIDI numbers.
const N_PITCHES: usize = 128;

/// The features of a record, each `[n_frames]`.
pub(super) struct NoteFrames {
    pub f0_midi: Vec<f32>,
    pub f0_confidence: Vec<f32>,
    pub loudness_db: Vec<f32>,
    pub power_db: Vec<f32>,
    pub is_note: Vec<bool>,
}

/// Sums over the records of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ClassSums {
    records: u64,
    records_without_notes: u64,
    #[serde(with = "NoteStatisticsForm")]
    notes: NoteStatistics,
    #[serde(with = "SumsForm")]
    power_db: DistributionSums,
    density: Vec<u64>,
}

impl Default for ClassSums {
    fn default() -> Self {
        Self {
            records: 0,
            records_without_notes: 0,
            notes: NoteStatistics::default(),
            power_db: DistributionSums::of_levels(),
            density: vec![0; N_PITCHES * DENSITY_LEVELS],
        }
    }
}

impl ClassSums {
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Adds a record.
    pub(super) fn add(&mut self, frames: &NoteFrames) {
        let NoteFrames { f0_midi, f0_confidence, loudness_db, power_db, is_note } = frames;
        self.records += 1;
        self.records_without_notes += u64::from(!is_note.contains(&true));
        self.notes.add(f0_midi, f0_confidence, loudness_db);
        let notes = |values: &[f32]| -> Vec<f32> {
            values.iter().zip(is_note).filter(|(_, note)| **note).map(|(&value, _)| value).collect()
        };
        self.power_db.add(notes(power_db).into_iter());
        for (midi, level) in notes(f0_midi).into_iter().zip(notes(loudness_db)) {
            #[expect(clippy::cast_possible_truncation, reason = "clamped to the table")]
            #[expect(clippy::cast_sign_loss, reason = "a negative number becomes 0")]
            let at = |value: f32, n: usize| (value.max(0.0) as usize).min(n - 1);
            let (pitch, level) =
                (at(midi.round(), N_PITCHES), at((level + 80.0) / 2.0, DENSITY_LEVELS));
            self.density[pitch * DENSITY_LEVELS + level] += 1;
        }
    }

    /// Adds the records of another file.
    pub(super) fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.records_without_notes += other.records_without_notes;
        self.notes.merge(&other.notes);
        self.power_db.merge(&other.power_db);
        self.density.iter_mut().zip(&other.density).for_each(|(sum, n)| *sum += n);
    }

    pub(super) fn finish(&self) -> ClassStatistics {
        let finish = |sums: &DistributionSums| sums.distribution().map(Into::into);
        ClassStatistics {
            records: self.records,
            records_without_notes: self.records_without_notes,
            note_frames: self.notes.n_note_frames(),
            f0_midi: finish(&self.notes.f0_midi),
            loudness_db: finish(&self.notes.loudness_db),
            power_db: finish(&self.power_db),
            density: self.density.clone(),
        }
    }
}

/// The statistics of a class of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassStatistics {
    /// Records.
    pub records: u64,
    /// Records without a note frame.
    pub records_without_notes: u64,
    /// Note frames (see [`ddsp_kernels::note_frames`]): what all the rest is about.
    pub note_frames: u64,
    /// Pitch as MIDI numbers; absent if there are no note frames.
    pub f0_midi: Option<WrittenDistribution>,
    /// A-weighted loudness in dB, computed from the audio.
    pub loudness_db: Option<WrittenDistribution>,
    /// Unweighted power over 64 ms in dB.
    pub power_db: Option<WrittenDistribution>,
    /// Note frames by MIDI number (128, rounded) and loudness ([`DENSITY_LEVELS`] of 2 dB from
    /// -80 dB up): `[128, DENSITY_LEVELS]`.
    pub density: Vec<u64>,
}

/// A [`Distribution`] as it is written, with the names that a model file has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenDistribution {
    /// Mean over all note frames.
    pub mean: f32,
    /// Standard deviation over all note frames.
    pub std: f32,
    /// Least value in a note frame.
    pub min: f32,
    /// Greatest value in a note frame.
    pub max: f32,
    /// Mean over records of the least value in each.
    pub mean_min: f32,
    /// Mean over records of the greatest value in each.
    pub mean_max: f32,
    /// Value `i` of `n` is not exceeded by the share `i / (n - 1)` of the note frames.
    pub quantiles: Vec<f32>,
}

impl From<Distribution> for WrittenDistribution {
    fn from(distribution: Distribution) -> Self {
        let Distribution { mean, std, min, max, mean_min, mean_max, quantiles } = distribution;
        Self { mean, std, min, max, mean_min, mean_max, quantiles: quantiles.to_vec() }
    }
}

/// How [`NoteStatistics`] are written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "NoteStatistics")]
struct NoteStatisticsForm {
    #[serde(with = "SumsForm")]
    f0_midi: DistributionSums,
    #[serde(with = "SumsForm")]
    loudness_db: DistributionSums,
}

/// How [`DistributionSums`] are written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "DistributionSums")]
struct SumsForm {
    origin: f64,
    bin_width: f64,
    histogram: Vec<u64>,
    n: u64,
    n_recordings: u64,
    sum: f64,
    sum_of_squares: f64,
    min: f32,
    max: f32,
    sum_of_min: f64,
    sum_of_max: f64,
}
