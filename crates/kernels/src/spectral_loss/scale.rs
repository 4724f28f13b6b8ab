//! One resolution of the spectral loss.

use super::bins::{self, BinWeights};
use super::{SpectralLossConfig, SpectralLossTerms};
use crate::stft::frame_pairs::{FramePairs, SplitSpectrum};
use crate::stft::hann;

/// L1 distance of magnitudes and of log magnitudes at one FFT size.
///
/// With `X = |STFT(target)|`, `Y = |STFT(audio)|` (periodic Hann window, hop of a quarter frame,
/// the end padded with zeros, `n_samples / hop` frames rounded up):
///
/// `loss = magnitude_weight mean |X - Y| + log_magnitude_weight mean |ln X' - ln Y'|`,
///
/// the mean over frames and bins, where `'` replaces an exact 0 by 1e-5. Anything above 0 stays:
/// a magnitude of 1e-20 is 46 nepers below 1. Gradients are those of the reference: 0 where the
/// two are equal and where `Y` is exactly 0. An `audio` magnitude below 1.2e-38 has the gradient of
/// one of 1.2e-38, so that it stays finite.
pub struct SpectralScale {
    frames: FramePairs,
    n_samples: usize,
    weights: BinWeights,
    target: [SplitSpectrum; 2],
    audio: [SplitSpectrum; 2],
    grad: [SplitSpectrum; 2],
}

impl SpectralScale {
    /// Allocates everything to compare clips of `n_samples` in frames of `fft_len`.
    ///
    /// Of `config` only the weights count.
    ///
    /// # Panics
    ///
    /// If `fft_len` is 0 or not a multiple of 4.
    pub fn new(fft_len: usize, n_samples: usize, config: &SpectralLossConfig) -> Self {
        let is_valid = fft_len > 0 && fft_len.is_multiple_of(4);
        assert!(is_valid, "SpectralScale: fft_len {fft_len} is 0 or not a multiple of 4");
        let frames = FramePairs::new(&hann(fft_len), fft_len, fft_len / 4, 0);
        let count = (n_samples.div_ceil(frames.hop()) * frames.n_bins()).max(1) as f64;
        let weights = BinWeights {
            magnitude: f64::from(config.magnitude_weight) / count,
            log_magnitude: f64::from(config.log_magnitude_weight) / count,
        };
        let pair = || {
            let spectrum = SplitSpectrum::new(frames.n_bins());
            [spectrum.clone(), spectrum]
        };
        Self { n_samples, weights, target: pair(), audio: pair(), grad: pair(), frames }
    }

    /// The loss at this size; accumulates its gradient into `grad_audio` if there is one.
    ///
    /// # Panics
    ///
    /// If a slice does not have the `n_samples` given to [`new`](Self::new).
    pub fn evaluate(
        &mut self,
        target: &[f32],
        audio: &[f32],
        mut grad_audio: Option<&mut [f32]>,
    ) -> SpectralLossTerms {
        self.assert_len("target", target.len());
        self.assert_len("audio", audio.len());
        if let Some(grad_audio) = &grad_audio {
            self.assert_len("grad_audio", grad_audio.len());
        }
        let mut sums = SpectralLossTerms::default();
        let simd = self.frames.simd();
        // A frame beyond the last, if their number is odd, holds only zeros and adds nothing.
        for i in (0..self.n_samples.div_ceil(self.frames.hop())).step_by(2) {
            self.frames.forward(target, i, &mut self.target);
            self.frames.forward(audio, i, &mut self.audio);
            let rows = self.target.iter().zip(&self.audio);
            if let Some(grad_audio) = grad_audio.as_deref_mut() {
                for ((target, audio), grad) in rows.zip(&mut self.grad) {
                    sums += bins::distances_and_gradient(simd, target, audio, self.weights, grad);
                }
                self.frames.backward(&self.grad, i, grad_audio);
            } else {
                rows.for_each(|(target, audio)| sums += bins::distances(simd, target, audio));
            }
        }
        SpectralLossTerms {
            magnitude: self.weights.magnitude * sums.magnitude,
            log_magnitude: self.weights.log_magnitude * sums.log_magnitude,
        }
    }

    fn assert_len(&self, name: &str, len: usize) {
        let n_samples = self.n_samples;
        assert_eq!(len, n_samples, "SpectralScale: {name} has {len} samples, made for {n_samples}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;
    use crate::gradcheck::check_vjp;
    use crate::stft::tests::{noise, reference_stft};
    use crate::{SpectralLoss, SpectralScale};

    fn config(fft_lens: &[usize], [magnitude, log_magnitude]: [f32; 2]) -> SpectralLossConfig {
        SpectralLossConfig {
            fft_lens: fft_lens.to_vec(),
            magnitude_weight: magnitude,
            log_magnitude_weight: log_magnitude,
        }
    }

    /// Magnitude and log-magnitude term by their definition in `f64`.
    fn reference_terms(target: &[f64], audio: &[f64], fft_len: usize) -> [f64; 2] {
        let magnitudes = |x: &[f64]| -> Vec<f64> {
            let spectrum = reference_stft(x, [fft_len, fft_len, fft_len / 4], 0);
            spectrum.chunks(2).map(|x| x[0].hypot(x[1])).collect()
        };
        let ln = |x: f64| if x <= 0.0 { 1e-5_f64.ln() } else { x.ln() };
        let (x, y) = (magnitudes(target), magnitudes(audio));
        let mean = |distance: &dyn Fn(f64, f64) -> f64| {
            x.iter().zip(&y).map(|(&x, &y)| distance(x, y).abs()).sum::<f64>() / x.len() as f64
        };
        [mean(&|x, y| x - y), mean(&|x, y| ln(x) - ln(y))]
    }

    fn widen(audio: &[f32]) -> Vec<f64> {
        audio.iter().copied().map(f64::from).collect()
    }

    fn assert_terms(actual: SpectralLossTerms, expected: [f64; 2], tolerance: f64) {
        for (actual, expected) in [actual.magnitude, actual.log_magnitude].iter().zip(expected) {
            assert!((actual - expected).abs() <= tolerance * expected, "{actual} != {expected}");
        }
    }

    #[test]
    fn terms_are_the_definition() {
        // Silence, a sound too faint for the square of its magnitude, and one beyond full scale.
        let (mut target, mut audio) = (noise(200, 1), noise(200, 2));
        target[..64].fill(0.0);
        audio[100..160].fill(0.0);
        for gain in [1.0, 1e-18, 1e18] {
            let target: Vec<f32> = target.iter().map(|x| x * gain).collect();
            let audio: Vec<f32> = audio.iter().map(|x| x * 0.1 * gain).collect();
            let mut scale = SpectralScale::new(16, 200, &SpectralLossConfig::default());
            let expected = reference_terms(&widen(&target), &widen(&audio), 16);
            // 1e-6: magnitudes are good to 1e-6 of the loudest, and no bin of noise is far below.
            assert_terms(scale.evaluate(&target, &audio, None), expected, 3e-6);
        }
    }

    #[test]
    fn gradient_is_that_of_the_definition() {
        for weights in [[1.0, 0.0], [0.0, 1.0], [0.7, 0.3]] {
            // Kinks lie where magnitudes agree or vanish: audio louder than the target by far at
            // every bin but few, and a step that crosses no other.
            let target: Vec<f32> = noise(50, 1).iter().map(|x| 1e-3 * x).collect();
            let config = config(&[16], weights);
            check_vjp(
                &noise(50, 3),
                1,
                1e-5,
                |x, y| {
                    let terms = reference_terms(&widen(&target), x, 16);
                    y[0] = terms.iter().zip(weights).map(|(t, w)| t * f64::from(w)).sum();
                },
                |x, grad_y, grad_x| {
                    let mut grad = vec![0.0; x.len()];
                    SpectralScale::new(16, 50, &config).evaluate(&target, x, Some(&mut grad));
                    grad_x.iter_mut().zip(grad).for_each(|(sum, g)| *sum += grad_y[0] * g);
                },
            );
        }
    }

    #[test]
    fn gradient_accumulates() {
        let (target, audio) = (noise(50, 1), noise(50, 2));
        let mut scale = SpectralScale::new(16, 50, &SpectralLossConfig::default());
        let (mut once, mut twice) = (vec![0.0; 50], vec![1.0; 50]);
        let terms = scale.evaluate(&target, &audio, Some(&mut once));
        assert_eq!(terms, scale.evaluate(&target, &audio, Some(&mut twice)), "values differ");
        for (once, twice) in once.iter().zip(twice) {
            assert!((1.0 + once - twice).abs() <= 1e-6, "1 + {once} became {twice}");
        }
    }

    #[test]
    fn silence_has_no_gradient_and_no_distance_from_itself() {
        let silence = vec![0.0; 200];
        let mut scale = SpectralScale::new(16, 200, &SpectralLossConfig::default());
        for target in [silence.clone(), noise(200, 1)] {
            let mut grad = vec![0.0; 200];
            let terms = scale.evaluate(&target, &silence, Some(&mut grad));
            assert_eq!(grad, silence, "the magnitude of an exact 0 has no slope");
            assert_eq!(terms.total() == 0.0, target == silence, "{terms:?}");
        }
    }

    #[test]
    fn a_sound_has_no_distance_from_itself() {
        // At every level: the path of ordinary bins and the one beyond.
        for gain in [1.0, 1e-18] {
            let audio: Vec<f32> = noise(200, 1).iter().map(|x| x * gain).collect();
            let mut scale = SpectralScale::new(16, 200, &SpectralLossConfig::default());
            let mut grad = vec![0.0; 200];
            let terms = scale.evaluate(&audio, &audio, Some(&mut grad));
            assert_eq!(terms, SpectralLossTerms::default(), "at {gain}");
            assert_eq!(grad, vec![0.0; 200], "at {gain}");
        }
    }

    #[test]
    fn beside_silence_a_sound_is_drawn_to_the_magnitude_that_stands_for_zero() {
        // The logarithm of an exact 0 is that of 1e-5: fainter audio gains by growing.
        for (gain, grows) in [(1e-18, true), (1e-8, true), (1.0, false)] {
            let audio: Vec<f32> = noise(200, 1).iter().map(|x| x * gain).collect();
            let mut scale = SpectralScale::new(16, 200, &config(&[16], [0.0, 1.0]));
            let mut grad = vec![0.0; 200];
            scale.evaluate(&[0.0; 200], &audio, Some(&mut grad));
            let by_gain: f32 = grad.iter().zip(&audio).map(|(g, x)| g * x).sum();
            // Each bin adds its sign, and all agree.
            let expected = if grows { -1.0 } else { 1.0 };
            assert!((by_gain - expected).abs() <= 1e-5, "at {gain}: {by_gain}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_not_hidden() {
        let mut audio = noise(200, 1);
        audio[77] = f32::NAN;
        let mut scale = SpectralScale::new(16, 200, &SpectralLossConfig::default());
        let terms = scale.evaluate(&noise(200, 2), &audio, None);
        assert!(terms.magnitude.is_nan() && terms.log_magnitude.is_nan(), "{terms:?}");
    }

    /// Loss and gradient of the golden clips, to `tolerance` of the loss and for each clip to a
    /// tolerance of its largest gradient.
    fn assert_golden(case: &str, config: &SpectralLossConfig, tolerance: f64, of_grad: [f32; 2]) {
        let mut golden = Golden::open("losses");
        let expected = f64::from(golden.values(&format!("{case}.out.loss"))[0]);
        let (target, audio) = (golden.values("audio.in.target"), golden.values("audio.in.value"));
        let mut total = 0.0;
        for (clip, of_grad) in of_grad.into_iter().enumerate() {
            let range = clip * 4000..(clip + 1) * 4000;
            let (target, audio) = (&target[range.clone()], &audio[range.clone()]);
            let mut grad = vec![0.0; 4000];
            let terms = SpectralLoss::new(config, 4000).evaluate(target, audio, Some(&mut grad));
            // The loss of a batch is the mean over its clips.
            total += 0.5 * terms.total();
            if case.starts_with("single") {
                continue;
            }
            let expected = &golden.values(&format!("{case}.out.grad_value"))[range];
            let largest = expected.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
            for (i, (g, expected)) in grad.iter().zip(expected).enumerate() {
                let error = (0.5 * g - expected).abs();
                assert!(error <= of_grad * largest, "{case} {i}: {g} / 2 != {expected}");
            }
        }
        let error = (total - expected).abs();
        assert!(error <= tolerance * expected, "{case}: {total} != {expected}");
    }

    /// Magnitudes agree to rounding. The first golden clip is a clean sum of sines, whose bins
    /// between the partials hold nothing but the rounding of the transform at hand, and their
    /// logarithms are most of the loss: in `f64` it is 1.3% above the reference's, ours is 0.2% above
    /// (with one size of 64 samples 0.6% above). The second clip, noise, shows no such thing.
    #[test]
    fn loss_and_gradient_are_the_reference() {
        let all = SpectralLossConfig::default().fft_lens;
        assert_golden("L1_mag_logmag", &config(&all, [1.0, 1.0]), 3e-3, [1e-2, 1e-4]);
        assert_golden("L1_mag", &config(&all, [1.0, 0.0]), 2e-6, [4e-6, 4e-6]);
        assert_golden("L1_logmag", &config(&all, [0.0, 1.0]), 3e-3, [1e-2, 1e-4]);
        assert_golden("single_64", &config(&[64], [1.0, 1.0]), 1e-2, [0.0; 2]);
        assert_golden("single_2048", &config(&[2048], [1.0, 1.0]), 3e-3, [0.0; 2]);
    }

    #[test]
    #[should_panic(expected = "audio has 199 samples, made for 200")]
    fn a_wrong_length_is_named() {
        let mut scale = SpectralScale::new(16, 200, &SpectralLossConfig::default());
        scale.evaluate(&[0.0; 200], &[0.0; 199], None);
    }
}
