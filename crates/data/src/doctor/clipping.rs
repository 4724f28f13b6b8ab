//! Samples cut off at a level: flat tops with corners.

/// Samples this near to the greatest (or least) one lie on the level at which it is cut: the step of
/// 16-bit samples and a rounding.
const TOLERANCE: f32 = 5e-5;

/// Samples of a flat top. Shorter ones are the tops of waves.
const MIN_RUN: usize = 3;

/// How much the samples before and after a flat top together lie below it. The top of a wave that
/// stays within the tolerance for three samples falls by at most four tolerances on either side.
const MIN_CORNERS: f32 = 10.0 * TOLERANCE;

/// How many samples of `audio` are clipped, at any level of its own.
pub(super) fn count_clipped(audio: &[f32]) -> u64 {
    let max = audio.iter().copied().fold(0.0, f32::max);
    let min = audio.iter().copied().fold(0.0, f32::min);
    count_at(audio, max, 1.0) + count_at(audio, -min, -1.0)
}

/// Clipped samples at `level > 0` of `sign * audio`.
fn count_at(audio: &[f32], level: f32, sign: f32) -> u64 {
    let is_flat = |&x: &f32| sign * x >= level - TOLERANCE;
    let (mut at, mut n_clipped) = (0, 0);
    if level <= MIN_CORNERS {
        return 0;
    }
    while let Some(ahead) = audio[at..].iter().position(is_flat) {
        let begin = at + ahead;
        let len = audio[begin..].iter().take_while(|x| is_flat(x)).count();
        at = begin + len;
        let below = |i: Option<usize>| {
            i.and_then(|i| audio.get(i)).map_or(MIN_CORNERS, |x| level - sign * x)
        };
        if len >= MIN_RUN && below(begin.checked_sub(1)) + below(Some(at)) >= MIN_CORNERS {
            n_clipped += len as u64;
        }
    }
    n_clipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::tone;

    #[test]
    fn clipped_shares_are_those_of_the_sine() {
        // A sine is above `level` for 1 - 2 asin(level) / pi of the time, in both halves together.
        for (hz, rate) in [(220.0, 16_000), (997.0, 48_000), (60.0, 44_100)] {
            for level in [0.3_f32, 0.7, 0.95] {
                let gain = 1.0 / tone(hz, rate, 48_000).into_iter().fold(0.0, f32::max);
                let audio: Vec<f32> = tone(hz, rate, 48_000)
                    .iter()
                    .map(|x| (x * gain).clamp(-level, level))
                    .collect();
                let share = count_clipped(&audio) as f64 / audio.len() as f64;
                let expected = 1.0 - 2.0 * f64::from(level).asin() / std::f64::consts::PI;
                assert!(
                    (share - expected).abs() <= 0.03,
                    "{hz} Hz at {level}: {share}, {expected}"
                );
            }
        }
    }

    #[test]
    fn waves_have_no_corners() {
        for (hz, rate) in [(25.0, 96_000), (30.0, 48_000), (110.0, 44_100), (2000.0, 16_000)] {
            let audio = tone(hz, rate, 96_000);
            let rounded: Vec<f32> =
                audio.iter().map(|x| (x * 32_768.0).round() / 32_768.0).collect();
            assert_eq!((count_clipped(&audio), count_clipped(&rounded)), (0, 0), "{hz} Hz");
        }
        assert_eq!(count_clipped(&[0.0; 1000]), 0, "silence");
        assert_eq!(count_clipped(&[]), 0);
    }
}
