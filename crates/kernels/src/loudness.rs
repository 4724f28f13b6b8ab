//! Perceived loudness of audio, frame by frame.

#![expect(clippy::cast_possible_truncation, reason = "weights are computed in f64, kept in f32")]

use crate::frames::FrameGrid;
use crate::simd::{Kernel, mul_add, sum_lanes};
use crate::stft::frame_pairs::{FramePairs, LANES, SplitSpectrum};
use crate::stft::hann;
use crate::units::{DB_RANGE, power_to_db};

/// Seconds of audio under one window: 512 samples at 16 kHz.
const WINDOW_SECS: f64 = 0.032;

/// A-weighted loudness on a [`FrameGrid`], in dB, from -80 up.
///
/// Frame `i` is centred on sample `i * hop`; audio is taken as zero beyond its ends. With the
/// spectrum `X` of a periodic Hann window of 32 ms and the A-weighting `A(f)` in dB (IEC 61672),
///
/// `loudness_db = 10 log10(max(1e-8, mean over bins of 10^(A(f) / 10) |X|^2))`.
///
/// This is `compute_loudness` of magenta/ddsp 3.7 at 16 kHz with centred frames, without its extra
/// frame after the end. The mean is not normalised by the window, so a full-scale sine of 1 kHz has
/// +19.8 dB, not 0: models are trained on this scale. Other sample rates have a window of the same
/// duration (to the next 32 samples, so that the transform is fast) and the same scale.
pub struct Loudness {
    grid: FrameGrid,
    frames: FramePairs,
    pair: [SplitSpectrum; 2],
    /// For each bin (0 beyond the last) the A-weighting as a power ratio, with the mean's divisor and the scale of 16 kHz.
    weights: Vec<f32>,
}

impl Loudness {
    /// Loudness on `grid`.
    ///
    /// # Panics
    ///
    /// If the sample rate is below 1 kHz, or the hop is 0.
    pub fn new(grid: FrameGrid) -> Self {
        assert!(grid.hop > 0, "Loudness: a hop of 0 samples");
        assert!(grid.sample_rate >= 1000, "Loudness: sample rate {} Hz", grid.sample_rate);
        let sample_rate = f64::from(grid.sample_rate);
        let window_len = 32 * ((sample_rate * WINDOW_SECS / 32.0).round() as usize).max(1);
        let frames = FramePairs::new(&hann(window_len), window_len, grid.hop, window_len / 2);
        // The mean over bins of a given sound grows with the square of the window over the bins:
        // 1 / 257 at 16 kHz.
        let scale = (512.0 / window_len as f64).powi(2) / 257.0;
        let weight = |bin: usize| {
            let hz = bin as f64 * sample_rate / window_len as f64;
            (scale * 10_f64.powf(a_weighting_db(hz) / 10.0)) as f32
        };
        let spectrum = SplitSpectrum::new(frames.n_bins());
        let mut weights: Vec<f32> = (0..frames.n_bins()).map(weight).collect();
        weights.resize(spectrum.re.len(), 0.0);
        Self { grid, frames, pair: [spectrum.clone(), spectrum], weights }
    }

    /// Writes the loudness of `audio` to `loudness_db`, `[audio.len() / hop]`.
    ///
    /// # Panics
    ///
    /// If `loudness_db.len() != audio.len() / hop`.
    pub fn forward(&mut self, audio: &[f32], loudness_db: &mut [f32]) {
        assert_eq!(
            loudness_db.len(),
            self.grid.n_frames(audio.len()),
            "Loudness: frames for {} samples of audio",
            audio.len(),
        );
        for (i, levels) in loudness_db.chunks_mut(2).enumerate() {
            self.frames.forward(audio, 2 * i, &mut self.pair);
            for (level, spectrum) in levels.iter_mut().zip(&self.pair) {
                let weights = &self.weights;
                *level = power_to_db(self.frames.simd().run(WeightedPower { spectrum, weights }));
            }
        }
    }
}

/// The sum over bins of the squared magnitude times a weight.
struct WeightedPower<'a> {
    spectrum: &'a SplitSpectrum,
    weights: &'a [f32],
}

impl Kernel for WeightedPower<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f32 {
        let (re, _) = self.spectrum.re.as_chunks::<LANES>();
        let (im, _) = self.spectrum.im.as_chunks::<LANES>();
        let (weights, _) = self.weights.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for ((re, im), weights) in re.iter().zip(im).zip(weights) {
            for i in 0..LANES {
                let power = mul_add::<FMA>(re[i], re[i], im[i] * im[i]);
                sums[i] = mul_add::<FMA>(weights[i], power, sums[i]);
            }
        }
        sum_lanes(sums)
    }
}

/// A-weighting of IEC 61672-1:2013 (annex E), in dB; no lower than -80.
///
/// The gain of a filter with four poles at 20.6 Hz and 12.2 kHz and two at 107.7 and 737.9 Hz,
/// 0 dB at 1 kHz. At 0 Hz it would be minus infinity.
fn a_weighting_db(hz: f64) -> f64 {
    let square = hz * hz;
    let pole = |hz: f64| square + hz * hz;
    let gain = 12_194.217_f64.powi(2) * square * square
        / (pole(20.598_997) * pole(12_194.217) * (pole(107.652_65) * pole(737.862_23)).sqrt());
    (20.0 * gain.log10() + 2.0).max(-f64::from(DB_RANGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;
    use crate::stft::tests::noise;

    fn loudness_db(audio: &[f32], grid: FrameGrid) -> Vec<f32> {
        let mut loudness_db = vec![7.0; grid.n_frames(audio.len())];
        Loudness::new(grid).forward(audio, &mut loudness_db);
        loudness_db
    }

    fn sine(hz: f64, sample_rate: u32, secs: f64) -> Vec<f32> {
        let turn = std::f64::consts::TAU * hz / f64::from(sample_rate);
        let n_samples = (secs * f64::from(sample_rate)) as usize;
        (0..n_samples).map(|i| (turn * i as f64).sin() as f32).collect()
    }

    #[test]
    fn levels_are_the_reference() {
        let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
        let mut golden = Golden::open("spectral");
        let audio = golden.values("audio.in.x");
        for case in ["loudness_center_tf", "loudness_center_np"] {
            let (expected, shape) = golden.array(&format!("{case}.out.y"));
            assert_eq!(shape, [2, 63], "{case}");
            for clip in 0..2 {
                let actual = loudness_db(&audio[clip * 4000..(clip + 1) * 4000], grid);
                assert_eq!(actual.len(), 62, "the reference has a frame after the end");
                for (i, (a, e)) in actual.iter().zip(&expected[clip * 63..]).enumerate() {
                    // The reference's two own paths differ by 4e-6 dB; levels are near 30.
                    assert!((a - e).abs() <= 2e-5, "{case} clip {clip} frame {i}: {a} != {e}");
                }
            }
        }
    }

    #[test]
    fn weighting_is_the_standards_table() {
        // IEC 61672-1:2013, table 3, rounded to 0.1 dB at the exact base-ten frequencies.
        let table = [
            (10.0, -70.4),
            (31.623, -39.4),
            (100.0, -19.1),
            (501.19, -3.2),
            (1000.0, 0.0),
            (2511.9, 1.3),
            (7943.3, -1.1),
            (15849.0, -6.6),
        ];
        for (hz, expected) in table {
            let actual = a_weighting_db(hz);
            assert!((actual - expected).abs() <= 0.06, "{hz} Hz: {actual} dB, not {expected}");
        }
        assert_eq!(a_weighting_db(0.0), -80.0, "a constant is inaudible");
    }

    #[test]
    fn the_scale_is_the_same_at_every_sample_rate() {
        for (sample_rate, frame_rate) in [(16_000, 250), (44_100, 100), (48_000, 250), (8000, 125)]
        {
            let grid = FrameGrid::new(sample_rate, frame_rate).expect("whole hops");
            let levels = loudness_db(&sine(1000.0, sample_rate, 0.5), grid);
            for level in &levels[20..40] {
                // 10 log10(256 * 512 * 3 / 16 / 257); the window of 44.1 kHz is 0.2% shorter.
                assert!((level - 19.805).abs() <= 0.02, "{sample_rate} Hz: {level} dB");
            }
        }
    }

    #[test]
    fn frames_are_centred() {
        let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
        let mut audio = vec![0.0; 6400];
        audio[50 * grid.hop] = 1.0;
        let levels = loudness_db(&audio, grid);
        let loudest = levels.iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(levels[50], loudest, "a click is loudest in the frame at its sample");
        assert!((levels[48] - levels[52]).abs() <= 1e-4, "{} {}", levels[48], levels[52]);
        assert_eq!(levels[40], -80.0, "silence has the lowest level");
    }

    #[test]
    fn halving_the_amplitude_takes_six_db() {
        let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
        let audio = noise(6400, 1);
        let half: Vec<f32> = audio.iter().map(|x| 0.5 * x).collect();
        for (loud, soft) in loudness_db(&audio, grid).iter().zip(loudness_db(&half, grid)) {
            // 20 log10(2), to the rounding of a level near 20 dB.
            assert!((loud - soft - 6.0206).abs() <= 1e-5, "{loud} {soft}");
        }
    }

    #[test]
    #[should_panic(expected = "frames for 200 samples of audio")]
    fn a_wrong_length_is_named() {
        let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
        Loudness::new(grid).forward(&[0.0; 200], &mut [0.0; 4]);
    }
}
