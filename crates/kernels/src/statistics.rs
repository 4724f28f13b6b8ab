//! Statistics of pitch and loudness over the notes of a data set.
//!
//! A model carries those of its training set, so that another sound can be moved into the range it
//! was trained on before it plays it.

#![expect(clippy::cast_possible_truncation, reason = "sums are f64, statistics f32; bins are few")]

use crate::pitch::VOICED_CONFIDENCE;
use crate::units::DB_RANGE;

/// Values in a table of quantiles: the minimum, each percent, the maximum.
pub const N_QUANTILES: usize = 101;

/// How far below the loudest frame of its recording a frame may be and still be part of a note.
///
/// A plucked or struck note keeps its body within 30 dB for seconds; the tail of its release, room
/// and hiss lie lower, where pitch is a guess.
pub const NOTE_RANGE_DB: f32 = 30.0;

/// A recording without a frame above this is silence: 20 dB from the lowest level there is.
const SILENCE_DB: f32 = 20.0 - DB_RANGE;

/// Tells for each frame of one recording whether it belongs to a note.
///
/// It does where its pitch is certain (`f0_confidence >=`
/// [`VOICED_CONFIDENCE`]) and its loudness is within
/// [`NOTE_RANGE_DB`] of the recording's loudest frame and above -60 dB. Unpitched sounds have no
/// note frames, and a soft note in a recording with one 30 dB louder is lost: cut such recordings.
///
/// # Panics
///
/// If the slices, both `[n_frames]`, differ in length.
pub fn note_frames(f0_confidence: &[f32], loudness_db: &[f32]) -> impl Iterator<Item = bool> {
    assert_eq!(f0_confidence.len(), loudness_db.len(), "note_frames: confidence and loudness");
    let loudest = loudness_db.iter().copied().fold(f32::MIN, f32::max);
    let floor = (loudest - NOTE_RANGE_DB).max(SILENCE_DB);
    let frames = f0_confidence.iter().zip(loudness_db);
    frames.map(move |(&confidence, &level)| confidence >= VOICED_CONFIDENCE && level > floor)
}

/// The note frames of a data set in one of their features.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Mean over all note frames.
    pub mean: f32,
    /// Standard deviation over all note frames.
    pub std: f32,
    /// Least value in a note frame.
    pub min: f32,
    /// Greatest value in a note frame.
    pub max: f32,
    /// Mean over recordings of the least value in each.
    pub mean_min: f32,
    /// Mean over recordings of the greatest value in each.
    pub mean_max: f32,
    /// Value `i` is not exceeded by `i` percent of the note frames; ascending.
    pub quantiles: [f32; N_QUANTILES],
}

impl Distribution {
    /// The value that the part `rank`, in `[0, 1]`, of the note frames does not exceed.
    pub fn quantile(&self, rank: f32) -> f32 {
        let at = rank.clamp(0.0, 1.0) * (N_QUANTILES - 1) as f32;
        let below = (at as usize).min(N_QUANTILES - 2);
        let [low, high] = [self.quantiles[below], self.quantiles[below + 1]];
        low + (high - low) * (at - below as f32)
    }

    /// The part of the note frames, in `[0, 1]`, that does not exceed `value`: the inverse of
    /// [`quantile`](Self::quantile), the middle of the range where many frames share one value.
    pub fn rank(&self, value: f32) -> f32 {
        let below = self.quantiles.partition_point(|&q| q < value);
        let not_above = self.quantiles.partition_point(|&q| q <= value);
        let percent = if below < not_above {
            (below + not_above - 1) as f32 / 2.0
        } else if below == 0 || below == N_QUANTILES {
            below.min(N_QUANTILES - 1) as f32
        } else {
            let [low, high] = [self.quantiles[below - 1], self.quantiles[below]];
            (below - 1) as f32 + (value - low) / (high - low)
        };
        percent / (N_QUANTILES - 1) as f32
    }
}

/// Pitch over the note frames of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct PitchStatistics {
    /// MIDI numbers, fractional.
    pub f0_midi: Distribution,
}

/// Loudness over the note frames of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct LoudnessStatistics {
    /// A-weighted levels as [`Loudness`](crate::Loudness) measures them, in dB.
    pub loudness_db: Distribution,
}

/// Gathers [`PitchStatistics`] and [`LoudnessStatistics`] one recording at a time, in bounded
/// memory.
///
/// Quantiles come from histograms of 5 cents and 0.1 dB, so they are good to that; MIDI numbers
/// outside `[0, 128)` and levels outside `[-80, 40)` dB count in the outermost bins.
#[derive(Clone, Debug, PartialEq)]
pub struct NoteStatistics {
    /// MIDI numbers of the note frames.
    pub f0_midi: DistributionSums,
    /// Their levels, in dB.
    pub loudness_db: DistributionSums,
}

impl Default for NoteStatistics {
    fn default() -> Self {
        Self {
            f0_midi: DistributionSums::new(0.0, 0.05, 2560),
            loudness_db: DistributionSums::of_levels(),
        }
    }
}

impl NoteStatistics {
    /// Adds the [`note_frames`] of one recording.
    ///
    /// # Panics
    ///
    /// If the slices, all `[n_frames]`, differ in length.
    pub fn add(&mut self, f0_midi: &[f32], f0_confidence: &[f32], loudness_db: &[f32]) {
        assert_eq!(f0_midi.len(), loudness_db.len(), "NoteStatistics: f0 and loudness");
        let frames = || note_frames(f0_confidence, loudness_db);
        self.f0_midi.add(f0_midi.iter().zip(frames()).filter_map(|(&x, note)| note.then_some(x)));
        self.loudness_db
            .add(loudness_db.iter().zip(frames()).filter_map(|(&x, note)| note.then_some(x)));
    }

    /// Adds what was gathered elsewhere, of other recordings.
    ///
    /// # Panics
    ///
    /// If the bins differ.
    pub fn merge(&mut self, other: &Self) {
        self.f0_midi.merge(&other.f0_midi);
        self.loudness_db.merge(&other.loudness_db);
    }

    /// Note frames added so far.
    pub fn n_note_frames(&self) -> u64 {
        self.f0_midi.n
    }

    /// The statistics of everything added, or `None` if no frame belonged to a note.
    pub fn finish(&self) -> Option<(PitchStatistics, LoudnessStatistics)> {
        let pitch = PitchStatistics { f0_midi: self.f0_midi.distribution()? };
        Some((pitch, LoudnessStatistics { loudness_db: self.loudness_db.distribution()? }))
    }
}

/// Moments, extremes and a histogram of a stream of values: what becomes a [`Distribution`].
#[derive(Clone, Debug, PartialEq)]
pub struct DistributionSums {
    /// Lower edge of the first bin.
    pub origin: f64,
    /// Width of every bin.
    pub bin_width: f64,
    /// Values in each bin; those beyond the ends count in the outermost ones.
    pub histogram: Vec<u64>,
    /// Values.
    pub n: u64,
    /// Recordings that had values.
    pub n_recordings: u64,
    /// Sum of the values.
    pub sum: f64,
    /// Sum of their squares.
    pub sum_of_squares: f64,
    /// Least value; `f32::MAX` if there is none.
    pub min: f32,
    /// Greatest value; `f32::MIN` if there is none.
    pub max: f32,
    /// Sum over recordings of the least value in each.
    pub sum_of_min: f64,
    /// Sum over recordings of the greatest value in each.
    pub sum_of_max: f64,
}

impl DistributionSums {
    /// No values yet; `n_bins` bins from `origin` up.
    ///
    /// # Panics
    ///
    /// If there are no bins.
    pub fn new(origin: f64, bin_width: f64, n_bins: usize) -> Self {
        assert!(n_bins > 0, "DistributionSums: no bins");
        Self {
            origin,
            bin_width,
            histogram: vec![0; n_bins],
            n: 0,
            n_recordings: 0,
            sum: 0.0,
            sum_of_squares: 0.0,
            min: f32::MAX,
            max: f32::MIN,
            sum_of_min: 0.0,
            sum_of_max: 0.0,
        }
    }

    /// No levels yet: bins of 0.1 dB from -80 to 40 dB.
    pub fn of_levels() -> Self {
        Self::new(f64::from(-DB_RANGE), 0.1, 1200)
    }

    /// Adds what was gathered elsewhere, of other recordings.
    ///
    /// # Panics
    ///
    /// If the bins differ.
    pub fn merge(&mut self, other: &Self) {
        let bins = |sums: &Self| (sums.origin, sums.bin_width, sums.histogram.len());
        assert_eq!(bins(self), bins(other), "DistributionSums: bins");
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(sum, n)| *sum += n);
        self.n += other.n;
        self.n_recordings += other.n_recordings;
        self.sum += other.sum;
        self.sum_of_squares += other.sum_of_squares;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum_of_min += other.sum_of_min;
        self.sum_of_max += other.sum_of_max;
    }

    /// Adds the values of one recording; a value that is no number is left out.
    pub fn add(&mut self, values: impl Iterator<Item = f32>) {
        let (mut min, mut max) = (f32::MAX, f32::MIN);
        let last = self.histogram.len() - 1;
        for value in values.filter(|x| x.is_finite()) {
            (min, max) = (min.min(value), max.max(value));
            let value = f64::from(value);
            self.sum += value;
            self.sum_of_squares += value * value;
            self.n += 1;
            // A float to integer cast saturates, so a value below the origin is in bin 0.
            let bin = ((value - self.origin) / self.bin_width) as usize;
            self.histogram[bin.min(last)] += 1;
        }
        if min <= max {
            (self.min, self.max) = (self.min.min(min), self.max.max(max));
            self.sum_of_min += f64::from(min);
            self.sum_of_max += f64::from(max);
            self.n_recordings += 1;
        }
    }

    /// The distribution of everything added, or `None` if that is nothing.
    pub fn distribution(&self) -> Option<Distribution> {
        if self.n == 0 {
            return None;
        }
        let (n, n_recordings) = (self.n as f64, self.n_recordings as f64);
        let mean = self.sum / n;
        Some(Distribution {
            mean: mean as f32,
            std: (self.sum_of_squares / n - mean * mean).max(0.0).sqrt() as f32,
            min: self.min,
            max: self.max,
            mean_min: (self.sum_of_min / n_recordings) as f32,
            mean_max: (self.sum_of_max / n_recordings) as f32,
            quantiles: self.quantiles(),
        })
    }

    /// The table of quantiles: linear within a bin, from the least to the greatest value.
    fn quantiles(&self) -> [f32; N_QUANTILES] {
        let (mut bin, mut n_below) = (0, 0_u64);
        std::array::from_fn(|i| {
            let wanted = self.n as f64 * i as f64 / (N_QUANTILES - 1) as f64;
            while bin + 1 < self.histogram.len()
                && ((n_below + self.histogram[bin]) as f64) < wanted
            {
                n_below += self.histogram[bin];
                bin += 1;
            }
            let inside = (wanted - n_below as f64) / self.histogram[bin].max(1) as f64;
            let value = self.origin + self.bin_width * (bin as f64 + inside);
            (value as f32).clamp(self.min, self.max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(
        recordings: &[(&[f32], &[f32], &[f32])],
    ) -> Option<(PitchStatistics, LoudnessStatistics)> {
        let mut notes = NoteStatistics::default();
        for (f0_midi, f0_confidence, loudness_db) in recordings {
            notes.add(f0_midi, f0_confidence, loudness_db);
        }
        notes.finish()
    }

    #[test]
    fn only_certain_and_loud_frames_belong_to_a_note() {
        let confidence = [1.0, 0.5, 0.49, 1.0, 1.0];
        let loudness = [-10.0, -20.0, -10.0, -39.9, -40.1];
        let frames: Vec<bool> = note_frames(&confidence, &loudness).collect();
        assert_eq!(frames, [true, true, false, true, false]);
        assert!(!note_frames(&[1.0; 3], &[-61.0; 3]).any(|note| note), "silence has no notes");
    }

    #[test]
    fn moments_and_extremes_are_those_of_the_note_frames() {
        let (pitch, loudness) = statistics(&[
            (&[60.0, 62.0, 99.0], &[1.0, 1.0, 0.0], &[-10.0, -20.0, -5.0]),
            (&[70.0, 72.0], &[1.0, 1.0], &[-30.0, -31.0]),
            (&[1.0], &[0.1], &[0.0]),
        ])
        .expect("two recordings have notes");
        let midi = pitch.f0_midi;
        assert_eq!((midi.mean, midi.min, midi.max), (66.0, 60.0, 72.0));
        assert_eq!((midi.mean_min, midi.mean_max), (65.0, 67.0), "over two recordings");
        // Deviations 6, 4, 4, 6.
        assert!((midi.std - 26.0_f32.sqrt()).abs() <= 1e-5, "{}", midi.std);
        assert_eq!(loudness.loudness_db.mean, -22.75);
        assert_eq!(loudness.loudness_db.mean_max, -20.0);
    }

    #[test]
    fn quantiles_of_an_even_spread_are_its_values() {
        let n = 4001;
        let f0_midi: Vec<f32> = (0..n).map(|i| 40.0 + 40.0 * i as f32 / (n - 1) as f32).collect();
        let ones = vec![1.0; n];
        let (pitch, _) = statistics(&[(&f0_midi, &ones, &ones)]).expect("notes");
        for i in 0..N_QUANTILES {
            let rank = i as f32 / 100.0;
            let (value, expected) = (pitch.f0_midi.quantile(rank), 40.0 + 40.0 * rank);
            // A bin of the histogram.
            assert!((value - expected).abs() <= 0.05, "{rank}: {value}, not {expected}");
            let back = pitch.f0_midi.rank(value);
            assert!((back - rank).abs() <= 1e-4, "rank of {value} is {back}, not {rank}");
        }
        assert_eq!((pitch.f0_midi.quantile(-1.0), pitch.f0_midi.quantile(2.0)), (40.0, 80.0));
        assert_eq!((pitch.f0_midi.rank(0.0), pitch.f0_midi.rank(100.0)), (0.0, 1.0));
    }

    #[test]
    fn one_value_is_every_quantile() {
        let (pitch, loudness) =
            statistics(&[(&[60.3; 10], &[1.0; 10], &[-20.0; 10])]).expect("notes");
        assert_eq!(pitch.f0_midi.quantiles, [60.3; N_QUANTILES]);
        assert_eq!((pitch.f0_midi.rank(60.3), pitch.f0_midi.std < 1e-3), (0.5, true));
        assert_eq!(loudness.loudness_db.quantile(0.37), -20.0);
    }

    #[test]
    fn values_beyond_the_histogram_are_kept_as_extremes() {
        let (pitch, _) =
            statistics(&[(&[-20.0, 60.0, 200.0, f32::NAN], &[1.0; 4], &[0.0; 4])]).expect("notes");
        let midi = pitch.f0_midi;
        assert_eq!((midi.min, midi.max, midi.mean), (-20.0, 200.0, 80.0));
        assert!(midi.quantiles.is_sorted(), "{:?}", midi.quantiles);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let f0_midi: Vec<f32> = (0..100).map(|i| 40.0 + (i * 7 % 30) as f32).collect();
        let levels: Vec<f32> = (0..100).map(|i| -10.0 - (i * 3 % 20) as f32).collect();
        let ones = [1.0; 25];
        let mut whole = NoteStatistics::default();
        let mut parts = [NoteStatistics::default(), NoteStatistics::default()];
        for (i, (f0, levels)) in f0_midi.chunks(25).zip(levels.chunks(25)).enumerate() {
            whole.add(f0, &ones, levels);
            parts[i / 2].add(f0, &ones, levels);
        }
        let [mut sum, second] = parts;
        sum.merge(&second);
        // Sums of a few whole numbers are exact.
        assert_eq!(sum, whole);
        sum.merge(&NoteStatistics::default());
        assert_eq!(sum, whole, "nothing adds nothing");
    }

    #[test]
    fn no_notes_have_no_statistics() {
        assert_eq!(statistics(&[]), None);
        assert_eq!(statistics(&[(&[60.0], &[0.0], &[0.0]), (&[], &[], &[])]), None);
    }

    #[test]
    #[should_panic(expected = "f0 and loudness")]
    fn wrong_lengths_are_named() {
        NoteStatistics::default().add(&[60.0], &[1.0, 1.0], &[0.0, 0.0]);
    }
}
