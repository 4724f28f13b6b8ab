//! Changing the sample rate of recordings, without delay.

mod stream;

pub(crate) use stream::StreamResampler;

/// Rates that are believed; anything else is a broken header.
pub(crate) const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Samples of one block of the resampler, about: longer is a steeper filter.
const BLOCK: usize = 1024;

/// Longest block that is allowed. Two rates with no common divisor need one of a whole second.
const MAX_BLOCK: usize = 1 << 21;

/// Brings audio from one rate to another: `ceil(n * to / from)` samples, sample 0 at the same time.
///
/// The pass band reaches to 0.45 of the lower rate.
///
/// # Errors
///
/// If a rate is outside 1 to 768 kHz.
pub fn resample(audio: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, String> {
    let mut resampler = StreamResampler::new(from, to)?;
    if from == to {
        return Ok(audio);
    }
    let mut resampled = Vec::with_capacity(resampler.n_out(audio.len() as u64));
    resampler.push(&audio, &mut resampled);
    resampler.finish(&mut resampled);
    Ok(resampled)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A tone of amplitude 0.5, for the tests here and of audio files.
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "a test tone in single precision")]
pub(crate) fn tone(hz: f64, rate: u32, n_samples: usize) -> Vec<f32> {
    let omega = std::f64::consts::TAU * hz / f64::from(rate);
    (0..n_samples).map(|i| (0.5 * (omega * i as f64 + 0.3).sin()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_length_and_level_are_kept() {
        // 22,051 Hz shares no divisor with 16 kHz: its blocks are two seconds long.
        let pairs = [
            (48_000, 16_000),
            (44_100, 16_000),
            (22_051, 16_000),
            (16_000, 48_000),
            (8_000, 16_000),
        ];
        for (from, to) in pairs {
            let n = from as usize + 7;
            // Up to the edge of the passband at the lower rate, 0.45 of it.
            for hz in [100.0, 1000.0, 0.45 * f64::from(from.min(to))] {
                let out = resample(tone(hz, from, n), from, to).expect("sane rates");
                assert_eq!(out.len(), (n * to as usize).div_ceil(from as usize), "{from} to {to}");
                let expected = tone(hz, to, out.len());
                // Away from the ends, where the tone's sudden start rings. 1e-4 is the window's
                // 80 dB; a delay of 0.01 samples at 1 kHz would already show as 2e-3.
                let ends = out.len() / 4;
                for i in ends..out.len() - ends {
                    let difference = (out[i] - expected[i]).abs();
                    assert!(difference < 1e-4, "{from} to {to}, {hz} Hz at {i}: {difference:e}");
                }
            }
        }
    }

    #[test]
    fn what_lies_above_the_new_range_does_not_fold_back() {
        for hz in [8_000.0, 9_000.0, 15_000.0, 23_000.0] {
            let out = resample(tone(hz, 48_000, 48_000), 48_000, 16_000).expect("sane rates");
            let worst = out[2000..14_000].iter().fold(0.0_f32, |worst, s| worst.max(s.abs()));
            // The window's 80 dB under the tone's 0.5, doubled for the sum over ripples.
            assert!(worst < 1e-4, "{hz} Hz comes back as {worst:e}");
        }
    }

    #[test]
    fn an_impulse_stays_where_it_was() {
        let mut audio = vec![0.0; 3000];
        audio[1500] = 1.0;
        let out = resample(audio, 48_000, 16_000).expect("sane rates");
        let peak = (0..out.len()).max_by(|&a, &b| out[a].total_cmp(&out[b]));
        assert_eq!(peak, Some(500));
        for k in 1..400 {
            let difference = (out[500 - k] - out[500 + k]).abs();
            // Rounding of an FFT of unit amplitudes.
            assert!(difference < 1e-6, "symmetric, sample {k}: {difference:e}");
        }
    }

    #[test]
    fn a_stream_is_the_whole_whatever_its_blocks() {
        for (from, to) in [(44_100, 16_000), (16_000, 48_000), (22_051, 16_000), (16_000, 16_000)] {
            for n in [0, 1, 700, 30_011] {
                let audio = tone(440.0, from, n);
                let whole = resample(audio.clone(), from, to).expect("sane rates");
                for block in [1, 997, 8192] {
                    let mut stream = StreamResampler::new(from, to).expect("sane rates");
                    let mut pieces = Vec::new();
                    audio.chunks(block).for_each(|piece| stream.push(piece, &mut pieces));
                    stream.finish(&mut pieces);
                    assert!(pieces == whole, "{from} to {to}, {n} samples in blocks of {block}");
                }
            }
        }
    }

    #[test]
    fn extreme_and_senseless_rates() {
        for (from, to) in [(767_999, 1_000), (1_000, 767_999)] {
            let out = resample(vec![1.0; 3000], from, to).expect("allowed");
            assert_eq!(out.len(), (3000 * to as usize).div_ceil(from as usize));
            assert!(out.iter().all(|s| s.is_finite()), "{from} to {to}");
        }
        assert_eq!(resample(vec![0.5; 3], 16_000, 16_000).expect("the same"), [0.5; 3]);
        assert!(resample(vec![0.5; 3], 0, 16_000).is_err(), "no rate");
        assert!(resample(Vec::new(), 48_000, 16_000).expect("nothing").is_empty(), "nothing");
    }
}
