//! Whether a sound has the pitch that it should have.

use ddsp_kernels::VOICED_CONFIDENCE;

/// Mean distance beyond which the pitch of an example counts as lost, semitones; as in
/// `ddsp.training.metrics` of magenta/ddsp 3.7.
const OUTLIER_SEMITONES: f64 = 12.0;

/// Distance within which a frame has the right pitch, cents.
const TOLERANCE_CENTS: f64 = 50.0;

/// Cents of an octave.
const OCTAVE_CENTS: f64 = 1200.0;

/// Pitch over time, `[n_frames]` each.
#[derive(Clone, Copy)]
pub(crate) struct PitchCurve<'a> {
    /// Hz.
    pub(crate) f0_hz: &'a [f32],
    /// 0 to 1; a frame is voiced from [`VOICED_CONFIDENCE`].
    pub(crate) f0_confidence: &'a [f32],
}

/// How far a pitch is from the one it should be; all NaN if the target has no voiced frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PitchErrors {
    /// Mean distance over the target's voiced frames, semitones (MIDI numbers); NaN for an outlier.
    pub(crate) l1_midi: f64,
    /// 1 if the sound has no voiced frame or is more than 12 semitones off on average, else 0.
    pub(crate) outlier: f64,
    /// Raw pitch accuracy: share of the target's voiced frames that are within 50 cents.
    pub(crate) raw_pitch_accuracy: f64,
    /// Raw chroma accuracy: the same with octaves disregarded.
    pub(crate) raw_chroma_accuracy: f64,
}

impl PitchErrors {
    const UNDEFINED: Self = Self {
        l1_midi: f64::NAN,
        outlier: f64::NAN,
        raw_pitch_accuracy: f64::NAN,
        raw_chroma_accuracy: f64::NAN,
    };
}

/// Compares frame by frame where the target is voiced, whether the sound is or not.
///
/// `l1_midi` and `outlier` are those of `F0CrepeMetrics` of magenta/ddsp 3.7 with our tracker's
/// threshold of 0.5 instead of CREPE's 0.85, and with the outlier that its description names and its
/// code leaves out: a sound without any voiced frame. The accuracies are those of mir_eval,
/// `raw_pitch_accuracy` and `raw_chroma_accuracy`: strictly less than 50 cents; a frame whose f0 is
/// 0 is wrong.
///
/// # Panics
///
/// If the curves differ in length.
pub(crate) fn pitch_errors(target: PitchCurve<'_>, audio: PitchCurve<'_>) -> PitchErrors {
    assert_eq!(target.f0_hz.len(), audio.f0_hz.len(), "pitch errors: frames");
    let is_voiced = |curve: PitchCurve<'_>, i: usize| curve.f0_confidence[i] >= VOICED_CONFIDENCE;
    let voiced: Vec<usize> = (0..target.f0_hz.len())
        .filter(|&i| is_voiced(target, i) && target.f0_hz[i] > 0.0)
        .collect();
    if voiced.is_empty() {
        return PitchErrors::UNDEFINED;
    }
    let cents: Vec<f64> =
        voiced.iter().map(|&i| distance_cents(target.f0_hz[i], audio.f0_hz[i])).collect();
    let n = voiced.len() as f64;
    let share = |is_right: fn(f64) -> bool| {
        cents.iter().filter(|&&cents| is_right(cents)).count() as f64 / n
    };
    let l1_midi = cents.iter().map(|cents| cents.abs() / 100.0).sum::<f64>() / n;
    let is_tracked = (0..audio.f0_hz.len()).any(|i| is_voiced(audio, i));
    let is_outlier = !is_tracked || l1_midi.is_nan() || l1_midi > OUTLIER_SEMITONES;
    PitchErrors {
        l1_midi: if is_outlier { f64::NAN } else { l1_midi },
        outlier: f64::from(u8::from(is_outlier)),
        raw_pitch_accuracy: share(|cents| cents.abs() < TOLERANCE_CENTS),
        raw_chroma_accuracy: share(|cents| {
            let octaves = (cents / OCTAVE_CENTS).round();
            (cents - OCTAVE_CENTS * octaves).abs() < TOLERANCE_CENTS
        }),
    }
}

/// From the target to the sound; infinite if the sound's f0 is 0, so that it is near nothing.
fn distance_cents(target_hz: f32, audio_hz: f32) -> f64 {
    OCTAVE_CENTS * (f64::from(audio_hz) / f64::from(target_hz)).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors of a sound whose f0 is the target's times `ratios`, the last target frame unvoiced.
    fn errors(ratios: [f32; 5], confidence: f32) -> PitchErrors {
        let target_hz = [220.0, 330.0, 440.0, 110.0, 500.0];
        let mut audio_hz = target_hz;
        audio_hz.iter_mut().zip(ratios).for_each(|(hz, ratio)| *hz *= ratio);
        pitch_errors(
            PitchCurve { f0_hz: &target_hz, f0_confidence: &[1.0, 0.9, 0.5, 0.8, 0.4] },
            PitchCurve { f0_hz: &audio_hz, f0_confidence: &[confidence; 5] },
        )
    }

    #[track_caller]
    fn assert_errors(actual: PitchErrors, [l1, outlier, rpa, rca]: [f64; 4]) {
        let PitchErrors { l1_midi, outlier: o, raw_pitch_accuracy, raw_chroma_accuracy } = actual;
        // Frequencies are f32: a thousandth of a cent.
        let is_near = |a: f64, b: f64| (a - b).abs() < 1e-5 || a.is_nan() && b.is_nan();
        assert!(
            is_near(l1_midi, l1)
                && is_near(o, outlier)
                && is_near(raw_pitch_accuracy, rpa)
                && is_near(raw_chroma_accuracy, rca),
            "{actual:?}"
        );
    }

    #[test]
    fn intervals_have_their_names() {
        let semitone = 2_f32.powf(1.0 / 12.0);
        assert_errors(errors([1.0; 5], 1.0), [0.0, 0.0, 1.0, 1.0]);
        assert_errors(errors([semitone; 5], 1.0), [1.0, 0.0, 0.0, 0.0]);
        assert_errors(errors([2.0; 5], 1.0), [12.0, 0.0, 0.0, 1.0].map(|v| v));
        assert_errors(errors([0.25; 5], 1.0), [f64::NAN, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn only_frames_in_which_the_target_is_voiced_count() {
        // The fifth frame is unvoiced: nothing that happens there matters.
        let cents = |c: f32| 2_f32.powf(c / 1200.0);
        let errors = errors([cents(49.0), cents(-51.0), cents(1151.0), 1.0, 9.0], 1.0);
        assert_errors(errors, [(0.49 + 0.51 + 11.51) / 4.0, 0.0, 0.5, 0.75]);
    }

    #[test]
    fn a_sound_without_pitch_is_an_outlier_and_a_target_without_pitch_says_nothing() {
        assert_errors(errors([1.0; 5], 0.4), [f64::NAN, 1.0, 1.0, 1.0]);
        let none = PitchCurve { f0_hz: &[220.0], f0_confidence: &[0.49] };
        let voiced = PitchCurve { f0_hz: &[220.0], f0_confidence: &[1.0] };
        assert!(pitch_errors(none, voiced).outlier.is_nan(), "neither one nor not");
        let zero = PitchCurve { f0_hz: &[0.0], f0_confidence: &[1.0] };
        assert!(pitch_errors(zero, voiced).l1_midi.is_nan(), "0 Hz is no pitch");
    }

    #[test]
    fn an_f0_of_0_is_far_from_everything() {
        assert_errors(errors([0.0, 1.0, 1.0, 1.0, 1.0], 1.0), [f64::NAN, 1.0, 0.75, 0.75]);
    }
}
