//! Unweighted power of audio, frame by frame.

use crate::frames::FrameGrid;
use crate::units::power_to_db;

/// Running sums of a frame, so that the additions vectorise.
const LANES: usize = 16;

/// Writes the power of `audio` under a centred rectangular window to `power_db`,
/// `[audio.len() / hop]`.
///
/// `power_db = 10 log10(mean of audio^2)`, at least `-DB_RANGE`, over the `window_len` samples
/// from `i * hop - window_len / 2`; audio is zero beyond its ends. A full-scale sine has -3 dB.
/// This is `compute_power` of magenta/ddsp 3.7 with centred frames, without its extra frame after
/// the end.
///
/// # Panics
///
/// If `power_db.len() != audio.len() / hop`, or `window_len` is 0.
pub fn power_db(audio: &[f32], grid: FrameGrid, window_len: usize, power_db: &mut [f32]) {
    let n_frames = grid.n_frames(audio.len());
    let n_samples = audio.len();
    assert_eq!(power_db.len(), n_frames, "power_db: frames for {n_samples} samples of audio");
    assert!(window_len > 0, "power_db: a window of 0 samples");
    for (i, power_db) in power_db.iter_mut().enumerate() {
        let begin = (i * grid.hop).saturating_sub(window_len / 2);
        let end = (i * grid.hop + window_len - window_len / 2).min(n_samples);
        *power_db = power_to_db(energy(&audio[begin..end]) / window_len as f32);
    }
}

/// Sum of squares.
fn energy(audio: &[f32]) -> f32 {
    let (chunks, rest) = audio.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (sum, x) in lanes.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;

    fn assert_golden(case: &str, grid: FrameGrid, window_len: usize) {
        let mut golden = Golden::open("spectral");
        let audio = golden.values("audio.in.x");
        let (expected, shape) = golden.array(&format!("{case}.out.y"));
        let n_frames = grid.n_frames(4000);
        assert_eq!(shape, [2, n_frames + 1], "the reference has a frame after the end");
        for (clip, audio) in audio.chunks(4000).enumerate() {
            let mut actual = vec![7.0; n_frames];
            power_db(audio, grid, window_len, &mut actual);
            for (i, (a, e)) in actual.iter().zip(&expected[clip * shape[1]..]).enumerate() {
                // The reference takes a root and squares it again: four roundings of up to 80 dB.
                assert!((a - e).abs() <= 1e-5, "{case} clip {clip} frame {i}: {a} != {e}");
            }
        }
    }

    #[test]
    fn levels_are_the_reference() {
        assert_golden("power_center", FrameGrid { sample_rate: 16_000, hop: 64 }, 512);
        assert_golden("power_50_1024", FrameGrid { sample_rate: 16_000, hop: 320 }, 1024);
    }

    #[test]
    fn a_constant_has_its_square_and_silence_the_floor() {
        let mut levels = [7.0; 10];
        let grid = FrameGrid { sample_rate: 16_000, hop: 10 };
        power_db(&[0.1; 100], grid, 21, &mut levels);
        assert!((levels[5] + 20.0).abs() <= 1e-5, "{levels:?}");
        power_db(&[0.0; 100], grid, 21, &mut levels);
        assert_eq!(levels, [-80.0; 10]);
    }

    #[test]
    #[should_panic(expected = "frames for 100 samples of audio")]
    fn a_wrong_length_is_named() {
        power_db(&[0.0; 100], FrameGrid { sample_rate: 16_000, hop: 10 }, 20, &mut [0.0; 9]);
    }
}
