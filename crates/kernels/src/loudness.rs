//! Perceived loudness of audio, frame by frame.

#![expect(clippy::cast_possible_truncation, reason = "weights are computed in f64, kept in f32")]

#[cfg(test)]
pub(crate) mod tests;

use crate::frames::FrameGrid;
use crate::framing::{FrameAlignment, Framing};
use crate::simd::{Kernel, Simd, mul_add, sum_lanes};
use crate::stft::frame_pairs;
use crate::stft::frame_pairs::{FramePairs, LANES, SplitSpectrum};
use crate::units::DB_RANGE;
use crate::units::DbScale;

/// Seconds of audio under one window: 512 samples at 16 kHz.
const WINDOW_SECS: f64 = 0.032;

/// How loudness is measured: the arguments of `compute_loudness` of magenta/ddsp 3.7.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoudnessConfig {
    /// Samples a second.
    pub sample_rate: u32,
    /// Where the frames lie; their window has an even length, that of the transform (`n_fft`).
    pub framing: Framing,
    /// Subtracted from every level, in dB.
    pub ref_db: f32,
    /// Lower levels are raised to the negative of this, in dB.
    pub range_db: f32,
}

impl Default for LoudnessConfig {
    /// The reference's defaults: windows of 512 samples every 64 at 16 kHz, from -80 dB up.
    fn default() -> Self {
        let alignment = FrameAlignment::CentreToEnd;
        Self {
            sample_rate: 16_000,
            framing: Framing { window_len: 512, hop: 64, alignment },
            ref_db: 0.0,
            range_db: DB_RANGE,
        }
    }
}

/// A-weighted loudness in dB, from -80 up: on a [`FrameGrid`] ([`new`](Self::new)), or as the
/// reference measures it with any of its arguments ([`with_config`](Self::with_config)).
///
/// On a grid, frame `i` is centred on sample `i * hop`; audio is taken as zero beyond its ends.
/// With the spectrum `X` of a periodic Hann window of 32 ms and the A-weighting `A(f)` in dB (IEC
/// 61672),
///
/// `loudness_db = 10 log10(max(1e-8, mean over bins of 10^(A(f) / 10) |X|^2))`.
///
/// This is `compute_loudness` of magenta/ddsp 3.7 at 16 kHz with centred frames, without its extra
/// frame after the end. The mean is not normalised by the window, so a full-scale sine of 1 kHz has
/// +19.8 dB, not 0: models are trained on this scale. Other sample rates have a window of the same
/// duration (to the next 32 samples, so that the transform is fast) and the same scale.
///
/// # Realtime Safety
///
/// [`new`](Self::new) and [`with_config`](Self::with_config) allocate everything; nothing else
/// does.
pub struct Loudness {
    framing: Framing,
    scale: DbScale,
    frames: FramePairs,
    pair: [SplitSpectrum; 2],
    /// For each bin (0 beyond the last) the A-weighting as a power ratio, times what the mean
    /// counts a bin.
    weights: Vec<f32>,
}

impl Loudness {
    /// Loudness on `grid`.
    ///
    /// # Panics
    ///
    /// If the sample rate is below 1 kHz, or the hop is 0.
    pub fn new(grid: FrameGrid) -> Self {
        let FrameGrid { sample_rate, hop } = grid;
        let samples = f64::from(sample_rate) * WINDOW_SECS;
        let window_len = 32 * ((samples / 32.0).round() as usize).max(1);
        let framing = Framing { window_len, hop, alignment: FrameAlignment::Grid };
        // The mean over bins of a given sound grows with the square of the window over the bins:
        // 1 / 257 at 16 kHz.
        let bin_weight = (512.0 / window_len as f64).powi(2) / 257.0;
        Self::build(LoudnessConfig { sample_rate, framing, ..Default::default() }, bin_weight)
    }

    /// Loudness with the reference's arguments: the mean over the bins of this window, so that the
    /// level of a sound depends on the window's length.
    ///
    /// # Panics
    ///
    /// If the sample rate is below 1 kHz, the hop is 0, or the window length is 0 or odd.
    pub fn with_config(config: &LoudnessConfig) -> Self {
        Self::build(*config, 1.0 / (config.framing.window_len / 2 + 1) as f64)
    }

    fn build(config: LoudnessConfig, bin_weight: f64) -> Self {
        let LoudnessConfig { sample_rate, framing, ref_db, range_db } = config;
        assert!(sample_rate >= 1000, "Loudness: sample rate {sample_rate} Hz");
        let frames = frame_pairs("Loudness", framing, framing.window_len);
        let weight = |bin: usize| {
            let hz = bin as f64 * f64::from(sample_rate) / framing.window_len as f64;
            (bin_weight * 10_f64.powf(a_weighting_db(hz) / 10.0)) as f32
        };
        let spectrum = SplitSpectrum::new(frames.n_bins());
        let mut weights: Vec<f32> = (0..frames.n_bins()).map(weight).collect();
        weights.resize(spectrum.re.len(), 0.0);
        let scale = DbScale { ref_db, range_db };
        Self { framing, scale, frames, pair: [spectrum.clone(), spectrum], weights }
    }

    /// Frames of audio that is `n_samples` long: `n_samples / hop` on a grid.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        self.framing.n_frames(n_samples)
    }

    /// Writes the loudness of `audio` to `loudness_db`, `[n_frames]`.
    ///
    /// # Panics
    ///
    /// If `loudness_db.len() != n_frames(audio.len())`.
    pub fn forward(&mut self, audio: &[f32], loudness_db: &mut [f32]) {
        self.assert_frames("loudness_db", loudness_db.len(), audio.len());
        for (i, levels) in loudness_db.chunks_mut(2).enumerate() {
            let powers = self.pair_powers(audio, 2 * i);
            for (level, power) in levels.iter_mut().zip(powers) {
                *level = self.scale.power_to_db(power);
            }
        }
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// With `P = sum_k w_k |X_k|^2`: `d loudness_db / dP = 10 / (ln(10) P)` above the floor and 0
    /// at it, `dP / dX_k = 2 w_k X_k`. The spectra are computed anew.
    ///
    /// # Panics
    ///
    /// If `grad_audio.len() != audio.len()` or `grad_loudness_db.len() != n_frames(audio.len())`.
    pub fn backward(&mut self, audio: &[f32], grad_loudness_db: &[f32], grad_audio: &mut [f32]) {
        let (n_samples, len) = (audio.len(), grad_audio.len());
        self.assert_frames("grad_loudness_db", grad_loudness_db.len(), n_samples);
        assert_eq!(len, n_samples, "Loudness: {len} samples of grad_audio for {n_samples}");
        for (i, grad_levels) in grad_loudness_db.chunks(2).enumerate() {
            let powers = self.pair_powers(audio, 2 * i);
            let mut grad_powers = [0.0; 2];
            for ((grad, power), level) in grad_powers.iter_mut().zip(powers).zip(grad_levels) {
                *grad = self.scale.power_to_db_backward(power, *level);
            }
            self.pair_powers_backward(2 * i, grad_powers, grad_audio);
        }
    }

    pub(crate) fn simd(&self) -> Simd {
        self.frames.simd()
    }

    /// The weighted powers of frames `i` and `i + 1`.
    fn pair_powers(&mut self, audio: &[f32], i: usize) -> [f32; 2] {
        self.frames.forward(audio, i, &mut self.pair);
        let (simd, weights) = (self.frames.simd(), &self.weights);
        [0, 1].map(|k| simd.run(WeightedPower { spectrum: &self.pair[k], weights }))
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of the latest
    /// [`pair_powers`](Self::pair_powers), whose spectra it uses up.
    fn pair_powers_backward(&mut self, i: usize, grad_powers: [f32; 2], grad_audio: &mut [f32]) {
        if grad_powers == [0.0; 2] {
            return;
        }
        let (simd, weights) = (self.frames.simd(), &self.weights);
        for (spectrum, grad_power) in self.pair.iter_mut().zip(grad_powers) {
            simd.run(WeightedBins { spectrum, weights, factor: 2.0 * grad_power });
        }
        self.frames.backward(&self.pair, i, grad_audio);
    }

    fn assert_frames(&self, name: &str, len: usize, n_samples: usize) {
        let n_frames = self.n_frames(n_samples);
        assert_eq!(
            len, n_frames,
            "Loudness: {name} has {len} frames where {n_samples} samples of audio have {n_frames}",
        );
    }

    #[cfg(test)]
    fn with_simd(mut self, simd: Simd) -> Self {
        self.frames.set_simd(simd);
        self
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

/// Turns the bins into the gradient of their weighted power times half of `factor`.
struct WeightedBins<'a> {
    spectrum: &'a mut SplitSpectrum,
    weights: &'a [f32],
    factor: f32,
}

impl Kernel for WeightedBins<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let bins = self.spectrum.re.iter_mut().zip(&mut self.spectrum.im);
        for ((re, im), weight) in bins.zip(self.weights) {
            let weight = self.factor * weight;
            *re *= weight;
            *im *= weight;
        }
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
