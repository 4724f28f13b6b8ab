//! Moves the features of any sound into the range a model was trained on.
//!
//! A model knows its instrument's pitches and levels only. A voice two octaves too low or a quiet
//! recording asks for what it never heard, so the pitch moves by whole octaves and the level to that
//! of the training set, and between notes the model is asked to be quiet. Nothing here smooths or
//! corrects the performance: its vibrato, glides and dynamics stay.

use ddsp_kernels::{
    DB_RANGE, Distribution, LoudnessStatistics, NoteStatistics, PitchStatistics, VOICED_CONFIDENCE,
    hz_to_midi,
};

/// The note frames whose level is matched: the loudest but for a twentieth.
///
/// Anchoring the loud end keeps every attack inside what the model has heard, where a match of the
/// means would push those of a decaying sound beyond it; the quiet end, a release, it knows.
const LOUD_RANK: f32 = 0.95;

/// Pitches that count as known to the model: the middle nine tenths of its note frames.
const KNOWN_RANKS: [f32; 2] = [0.05, 0.95];

/// How far the pitch moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Octave {
    /// By the octaves that bring its median nearest to the training set's, if it lies outside the
    /// range of the training set.
    #[default]
    Auto,
    /// By this many octaves.
    Fixed(i8),
}

/// How the loudness changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoudnessMatch {
    /// Not at all.
    Off,
    /// By one level for the whole sound: its loud frames become as loud as the training set's, and
    /// its dynamics stay.
    #[default]
    Level,
    /// Rank by rank: the sound's note frames take the distribution of the training set's, so that a
    /// decaying sound is played as evenly as the instrument was.
    Quantile,
}

/// What [`adjust_features`] does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransferOptions {
    /// How far the pitch moves.
    pub octave: Octave,
    /// How the loudness changes.
    pub loudness: LoudnessMatch,
    /// How much quieter frames without a pitch become, dB.
    pub quiet_db: f32,
}

impl Default for TransferOptions {
    /// Automatic; 20 dB is what separates a note from the noise beside it in most recordings.
    fn default() -> Self {
        Self { octave: Octave::default(), loudness: LoudnessMatch::default(), quiet_db: 20.0 }
    }
}

/// Features as measured on a sound, `[n_frames]` each.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredFeatures<'a> {
    /// Fundamental frequency, Hz.
    pub f0_hz: &'a [f32],
    /// Confidence in it, `[0, 1]`.
    pub f0_confidence: &'a [f32],
    /// A-weighted loudness, dB.
    pub loudness_db: &'a [f32],
}

/// Features to play with a model, `[n_frames]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct AdjustedFeatures {
    /// Fundamental frequency, Hz: moved by `octaves`, held where the sound has none.
    pub f0_hz: Vec<f32>,
    /// A-weighted loudness, dB.
    pub loudness_db: Vec<f32>,
    /// Whether the sound has a pitch there.
    pub voiced: Vec<bool>,
    /// Octaves added to the pitch.
    pub octaves: i8,
    /// Mean change of the loudness over the voiced frames, dB.
    pub loudness_shift_db: f32,
}

impl AdjustedFeatures {
    /// The power that goes with the adjusted loudness, dB: as far from the `power_db` that was
    /// measured as the loudness is from the `loudness_db` that was, `[n_frames]` each.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn power_db(&self, loudness_db: &[f32], power_db: &[f32]) -> Vec<f32> {
        let n_frames = self.loudness_db.len();
        assert_eq!(loudness_db.len(), n_frames, "power_db: frames of the measured loudness");
        assert_eq!(power_db.len(), n_frames, "power_db: frames of the measured power");
        let changes =
            self.loudness_db.iter().zip(loudness_db).map(|(after, before)| after - before);
        changes.zip(power_db).map(|(change, db)| (db + change).max(-DB_RANGE)).collect()
    }
}

/// Moves `input` towards the pitch and loudness of a training set, as `options` say.
///
/// Frames without a pitch (confidence below [`VOICED_CONFIDENCE`]) hold the pitch of the last frame
/// that has one, before the first that of the first, and become `quiet_db` quieter. A sound without
/// any note (see [`note_frames`](ddsp_kernels::note_frames)) keeps its octave and level.
///
/// # Panics
///
/// If the features of `input` differ in length.
pub fn adjust_features(
    input: MeasuredFeatures<'_>,
    pitch: &PitchStatistics,
    loudness: &LoudnessStatistics,
    options: &TransferOptions,
) -> AdjustedFeatures {
    let MeasuredFeatures { f0_hz, f0_confidence, loudness_db } = input;
    assert_eq!(f0_hz.len(), loudness_db.len(), "adjust_features: f0 and loudness");
    assert_eq!(f0_hz.len(), f0_confidence.len(), "adjust_features: f0 and confidence");
    let voiced: Vec<bool> = f0_confidence.iter().map(|c| *c >= VOICED_CONFIDENCE).collect();

    let mut notes = NoteStatistics::default();
    let f0_midi: Vec<f32> = f0_hz.iter().map(|f0| hz_to_midi(*f0)).collect();
    notes.add(&f0_midi, f0_confidence, loudness_db);
    let own = notes.finish();

    let octaves = match (options.octave, &own) {
        (Octave::Fixed(octaves), _) => octaves,
        (Octave::Auto, None) => 0,
        (Octave::Auto, Some((own, _))) => auto_octaves(&own.f0_midi, &pitch.f0_midi),
    };
    let mut adjusted: Vec<f32> = match &own {
        Some((_, own)) => {
            let (own, target) = (&own.loudness_db, &loudness.loudness_db);
            loudness_db.iter().map(|db| matched(*db, own, target, options.loudness)).collect()
        }
        None => loudness_db.to_vec(),
    };
    let loudness_shift_db = mean_difference(&adjusted, loudness_db, &voiced);
    for (db, _) in adjusted.iter_mut().zip(&voiced).filter(|(_, voiced)| !**voiced) {
        *db -= options.quiet_db;
    }
    // The lowest level there is in training, too.
    adjusted.iter_mut().for_each(|db| *db = db.max(-DB_RANGE));
    let mut f0_hz = held(f0_hz, &voiced);
    f0_hz.iter_mut().for_each(|f0| *f0 *= 2.0_f32.powi(i32::from(octaves)));
    AdjustedFeatures { f0_hz, loudness_db: adjusted, voiced, octaves, loudness_shift_db }
}

/// Octaves from the median of `own` to that of `target`, 0 if `own`'s is one of `target`'s pitches.
fn auto_octaves(own: &Distribution, target: &Distribution) -> i8 {
    let median = own.quantile(0.5);
    let [low, high] = KNOWN_RANKS.map(|rank| target.quantile(rank));
    if (low..=high).contains(&median) {
        return 0;
    }
    let octaves = (target.quantile(0.5) - median) / 12.0;
    // MIDI numbers lie within 0 and 128, less than 11 octaves apart.
    (-10..=10).min_by_key(|k| ordered((f32::from(*k) - octaves).abs())).unwrap_or(0)
}

/// A key that sorts floats which are not negative.
fn ordered(value: f32) -> u32 {
    value.to_bits()
}

/// `loudness_db` moved from the distribution `own` to `target`.
fn matched(
    loudness_db: f32,
    own: &Distribution,
    target: &Distribution,
    method: LoudnessMatch,
) -> f32 {
    match method {
        LoudnessMatch::Off => loudness_db,
        LoudnessMatch::Level => loudness_db + target.quantile(LOUD_RANK) - own.quantile(LOUD_RANK),
        // Below the quietest note frame the distance to it stays.
        LoudnessMatch::Quantile if loudness_db < own.min => loudness_db - own.min + target.min,
        LoudnessMatch::Quantile => target.quantile(own.rank(loudness_db)),
    }
}

/// Mean of `a - b` where `mask` is set; 0 where it never is.
fn mean_difference(a: &[f32], b: &[f32], mask: &[bool]) -> f32 {
    let masked = a.iter().zip(b).zip(mask).filter(|(_, mask)| **mask);
    let (sum, n) = masked.fold((0.0, 0), |(sum, n), ((a, b), _)| (sum + (a - b), n + 1));
    sum / n.max(1) as f32
}

/// `f0_hz` with the last voiced value in place of those that are not voiced; before the first, that.
fn held(f0_hz: &[f32], voiced: &[bool]) -> Vec<f32> {
    let first = voiced.iter().position(|voiced| *voiced).unwrap_or(0);
    let mut last = f0_hz.get(first).copied().unwrap_or_default();
    let hold = |(f0, voiced): (&f32, &bool)| {
        if *voiced {
            last = *f0;
        }
        last
    };
    f0_hz.iter().zip(voiced).map(hold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddsp_kernels::midi_to_hz;

    /// Statistics of a training set that spreads evenly over pitches 60 to 72 and -30 to -10 dB.
    fn training() -> (PitchStatistics, LoudnessStatistics) {
        let spread = |low: f32, high: f32| -> Vec<f32> {
            (0..=1000).map(|i| low + (high - low) * i as f32 / 1000.0).collect()
        };
        let mut notes = NoteStatistics::default();
        notes.add(&spread(60.0, 72.0), &[1.0; 1001], &spread(-30.0, -10.0));
        notes.finish().expect("notes")
    }

    fn adjust(
        f0_midi: &[f32],
        f0_confidence: &[f32],
        loudness_db: &[f32],
        options: TransferOptions,
    ) -> AdjustedFeatures {
        let f0_hz: Vec<f32> = f0_midi.iter().map(|midi| midi_to_hz(*midi)).collect();
        let input = MeasuredFeatures { f0_hz: &f0_hz, f0_confidence, loudness_db };
        let (pitch, loudness) = training();
        adjust_features(input, &pitch, &loudness, &options)
    }

    #[test]
    fn the_pitch_moves_by_the_octaves_that_bring_it_nearest() {
        let octaves = |midi: f32, octave| {
            let options = TransferOptions { octave, ..TransferOptions::default() };
            let adjusted = adjust(&[midi; 5], &[1.0; 5], &[-20.0; 5], options);
            let moved = f64::from(hz_to_midi(adjusted.f0_hz[2]) - midi);
            // f32 powers and logarithms of frequencies: some ten-thousandths of a semitone.
            assert!((moved - 12.0 * f64::from(adjusted.octaves)).abs() < 1e-3, "moved by {moved}");
            adjusted.octaves
        };
        assert_eq!(octaves(62.0, Octave::Auto), 0, "inside the range");
        assert_eq!(octaves(41.0, Octave::Auto), 2);
        assert_eq!(octaves(81.0, Octave::Auto), -1);
        assert_eq!(octaves(62.0, Octave::Fixed(-3)), -3);
    }

    #[test]
    fn one_level_for_the_whole_sound_brings_its_loud_frames_to_the_training_sets() {
        let loudness: Vec<f32> = (0..100).map(|i| -40.0 - 0.1 * i as f32).collect();
        let adjusted = adjust(&[65.0; 100], &[1.0; 100], &loudness, TransferOptions::default());
        // 0.95 of the way from -30 to -10, and of the way from -49.9 to -40: bins of 0.1 dB.
        let shift = -11.0 - -40.5;
        for (after, before) in adjusted.loudness_db.iter().zip(&loudness) {
            assert!((after - before - shift).abs() <= 0.2, "{before} became {after}");
        }
        assert!((adjusted.loudness_shift_db - shift).abs() <= 0.2, "reported");
    }

    #[test]
    fn quantiles_match_rank_by_rank() {
        let loudness: Vec<f32> = (0..=100).map(|i| -20.0 - 0.05 * i as f32).collect();
        let options =
            TransferOptions { loudness: LoudnessMatch::Quantile, ..TransferOptions::default() };
        let adjusted = adjust(&[65.0; 101], &[1.0; 101], &loudness, options);
        for (i, after) in adjusted.loudness_db.iter().enumerate() {
            let expected = -10.0 - 0.2 * i as f32;
            // A bin of 0.1 dB in the input is 0.4 dB of the four times wider training set.
            assert!((after - expected).abs() <= 0.5, "frame {i}: {after}, not {expected}");
        }
    }

    #[test]
    fn between_notes_the_pitch_holds_and_the_level_sinks() {
        let options =
            TransferOptions { loudness: LoudnessMatch::Off, ..TransferOptions::default() };
        let adjusted = adjust(
            &[99.0, 64.0, 99.0, 99.0, 67.0],
            &[0.0, 1.0, 0.49, 0.0, 0.5],
            &[-70.0, -20.0, -22.0, -50.0, -25.0],
            options,
        );
        assert_eq!(adjusted.voiced, [false, true, false, false, true]);
        let held = [64.0, 64.0, 64.0, 64.0, 67.0].map(midi_to_hz);
        assert_eq!(adjusted.f0_hz, held);
        assert_eq!(adjusted.loudness_db, [-80.0, -20.0, -42.0, -70.0, -25.0]);
    }

    #[test]
    fn a_sound_without_a_note_stays_as_it_is_but_quieter() {
        let adjusted = adjust(&[50.0; 3], &[0.1; 3], &[-30.0; 3], TransferOptions::default());
        assert_eq!((adjusted.octaves, adjusted.loudness_shift_db), (0, 0.0));
        assert_eq!(adjusted.loudness_db, [-50.0; 3]);
        let nothing = adjust(&[], &[], &[], TransferOptions::default());
        assert!(nothing.f0_hz.is_empty(), "no frames in, none out");
    }
}
