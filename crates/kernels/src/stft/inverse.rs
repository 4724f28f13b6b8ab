//! Audio from a short-time spectrum.

#![expect(clippy::cast_possible_truncation, reason = "window sums are f64, kept in f32")]

use rustfft::num_complex::Complex32;

use super::frame_pairs::{FramePairs, SplitSpectrum};
use super::{frame_pairs, hann};
use crate::framing::Framing;

/// Squared window sums below this part of the largest are taken as this: what follows from there to
/// the uncovered sample fades out instead of growing.
///
/// The rounding of a frame's transform, 1e-7 of its level, is divided by the root of the sum: 1e-6
/// keeps it below 1e-4. A Hann window of 2048 samples is below it for its first and last 20.
const LEAST_COVERAGE: f64 = 1e-6;

/// Inverse of [`Stft`](super::Stft): weighted overlap-add of the frames.
///
/// `audio[t] = sum_i window[t - start(i)] x_i[t - start(i)] / sum_i window[t - start(i)]^2`, with
/// `x_i` the inverse transform of row `i`: the audio whose transform is nearest to the spectrum in
/// least squares (Griffin and Lim 1984, "Signal estimation from modified short-time Fourier
/// transform"). The transform of any audio returns to that audio exactly, rounding apart, wherever
/// windows cover it.
///
/// A Hann window is 0 at its first sample and nearly so around it. So
/// [`FrameAlignment::Start`](crate::FrameAlignment::Start) loses the first sample and fades in over
/// a hundredth of a window (where the sum of the squared windows is below 1e-6 of its largest),
/// [`FrameAlignment::Within`](crate::FrameAlignment::Within) also the last ones and gives zeros
/// after its last frame. Centred frames lose nothing, as long as the hop is at most a third of the
/// window: no sample is further than a hop from a centre.
/// The imaginary parts at 0 Hz and Nyquist, which no real audio has, are not looked at.
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct InverseStft {
    n_frames: usize,
    pub(super) frames: FramePairs,
    pair: [SplitSpectrum; 2],
    /// What each bin counts in the inverse transform: `2 / fft_len`, half of that at both ends.
    bin_weights: Vec<f32>,
    /// The reciprocal of the sum of squared windows at each sample.
    norm: Vec<f32>,
    /// The gradient of the audio times the norm.
    normed: Vec<f32>,
}

impl InverseStft {
    /// For spectra of `fft_len / 2 + 1` bins in frames that lie as `framing` says, and audio that
    /// is `n_samples` long.
    ///
    /// # Panics
    ///
    /// If the hop or the window length is 0, `fft_len` is odd or less than the window length.
    pub fn new(framing: Framing, fft_len: usize, n_samples: usize) -> Self {
        let frames = frame_pairs("InverseStft", framing, fft_len);
        let n_frames = framing.n_frames(n_samples);
        let mut bin_weights = vec![(2.0 / fft_len as f64) as f32; frames.n_bins()];
        // Any other bin stands for its mirror image too.
        bin_weights[0] *= 0.5;
        bin_weights[fft_len / 2] *= 0.5;
        let spectrum = SplitSpectrum::new(frames.n_bins());
        Self {
            n_frames,
            frames,
            pair: [spectrum.clone(), spectrum],
            bin_weights,
            norm: norm(framing, n_frames, n_samples),
            normed: vec![0.0; n_samples],
        }
    }

    /// Frequencies from 0 to Nyquist: `fft_len / 2 + 1`.
    pub fn n_bins(&self) -> usize {
        self.frames.n_bins()
    }

    /// Rows of the spectrum.
    pub fn n_frames(&self) -> usize {
        self.n_frames
    }

    /// Writes the audio of `spectrum`, `[n_frames, n_bins]`, to `audio`, `[n_samples]`.
    ///
    /// # Panics
    ///
    /// If `spectrum.len() != n_frames() * n_bins()`, or `audio` is not as long as was said to
    /// [`new`](Self::new).
    pub fn forward(&mut self, spectrum: &[Complex32], audio: &mut [f32]) {
        self.assert_lens(("spectrum", spectrum.len()), ("audio", audio.len()));
        audio.fill(0.0);
        for (i, rows) in spectrum.chunks(2 * self.n_bins()).enumerate() {
            self.pair[1].fill_zero();
            for (row, spectrum) in rows.chunks_exact(self.bin_weights.len()).zip(&mut self.pair) {
                let parts = spectrum.re.iter_mut().zip(&mut spectrum.im);
                for ((x, weight), (re, im)) in row.iter().zip(&self.bin_weights).zip(parts) {
                    (*re, *im) = (weight * x.re, weight * x.im);
                }
            }
            // The adjoint of the windowed transform is the windowed inverse one.
            self.frames.backward(&self.pair, 2 * i, audio);
        }
        for (sample, norm) in audio.iter_mut().zip(&self.norm) {
            *sample *= norm;
        }
    }

    /// Accumulates into `grad_spectrum` the vector-Jacobian product of [`forward`](Self::forward),
    /// `dL/d Re X + j dL/d Im X`.
    ///
    /// The transposed steps in reverse order: the norm, then a forward transform under the window
    /// whose bins have the weights they have in the inverse one.
    ///
    /// # Panics
    ///
    /// If `grad_spectrum.len() != n_frames() * n_bins()`, or `grad_audio` is not as long as was
    /// said to [`new`](Self::new).
    pub fn backward(&mut self, grad_audio: &[f32], grad_spectrum: &mut [Complex32]) {
        self.assert_lens(("grad_spectrum", grad_spectrum.len()), ("grad_audio", grad_audio.len()));
        for ((normed, grad), norm) in self.normed.iter_mut().zip(grad_audio).zip(&self.norm) {
            *normed = grad * norm;
        }
        for (i, rows) in grad_spectrum.chunks_mut(2 * self.frames.n_bins()).enumerate() {
            self.frames.forward(&self.normed, 2 * i, &mut self.pair);
            for (row, spectrum) in rows.chunks_exact_mut(self.bin_weights.len()).zip(&self.pair) {
                let parts = spectrum.re.iter().zip(&spectrum.im);
                for ((x, weight), (re, im)) in row.iter_mut().zip(&self.bin_weights).zip(parts) {
                    *x += Complex32::new(weight * re, weight * im);
                }
            }
        }
    }

    fn assert_lens(&self, spectrum: (&str, usize), audio: (&str, usize)) {
        let (n_frames, n_bins, n_samples) = (self.n_frames, self.n_bins(), self.norm.len());
        let (name, len) = spectrum;
        assert_eq!(
            len,
            n_frames * n_bins,
            "InverseStft: {name} has {len} values where {n_samples} samples of audio need \
             [{n_frames}, {n_bins}]",
        );
        let (name, len) = audio;
        assert_eq!(len, n_samples, "InverseStft: {name} has {len} samples, made for {n_samples}");
    }
}

/// The reciprocals of the sums of squared windows, no larger than [`LEAST_COVERAGE`] lets them be.
fn norm(framing: Framing, n_frames: usize, n_samples: usize) -> Vec<f32> {
    let squares: Vec<f64> =
        hann(framing.window_len).iter().map(|&w| f64::from(w) * f64::from(w)).collect();
    let mut coverage = vec![0.0_f64; n_samples];
    for i in 0..n_frames {
        let range = framing.range(i, n_samples);
        let skip = framing.lead().saturating_sub(i * framing.hop);
        for (sum, square) in coverage[range].iter_mut().zip(&squares[skip..]) {
            *sum += square;
        }
    }
    let largest = coverage.iter().copied().fold(0.0, f64::max);
    let least = LEAST_COVERAGE * largest;
    // Where no window reaches, the sum of the frames is 0 and stays it.
    let reciprocal = |sum: f64| if sum == 0.0 { 0.0 } else { 1.0 / sum.max(least) };
    coverage.into_iter().map(|sum| reciprocal(sum) as f32).collect()
}
