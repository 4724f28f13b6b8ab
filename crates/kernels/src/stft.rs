//! Short-time Fourier transform, forward and adjoint.

#![expect(clippy::cast_possible_truncation, reason = "windows are computed in f64, kept in f32")]

pub(crate) mod frame_pairs;
mod inverse;
#[cfg(test)]
pub(crate) mod tests;

pub use rustfft::num_complex::Complex32;

pub use inverse::InverseStft;

use crate::framing::{FrameAlignment, Framing};
use crate::magnitudes::row;
use frame_pairs::{FramePairs, SplitSpectrum};

/// Short-time Fourier transform with a periodic Hann window.
///
/// `X[i, k] = sum_n window[n] audio[start(i) + n] e^(-2 pi j k n / fft_len)` for
/// `k = 0 ..= fft_len / 2`, not normalised; audio is zero outside its samples. With
/// [`FrameAlignment::Start`] it is `tf.signal.stft(.., pad_end=True)`, with
/// [`FrameAlignment::Within`] the same without padding, rounding apart. [`InverseStft`] is the way
/// back.
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct Stft {
    framing: Framing,
    frames: FramePairs,
    pair: [SplitSpectrum; 2],
}

impl Stft {
    /// Frames of `window_len` samples every `hop`, padded with zeros to `fft_len`.
    ///
    /// # Panics
    ///
    /// If `hop` or `window_len` is 0, `fft_len` is odd or `fft_len < window_len`.
    pub fn new(window_len: usize, fft_len: usize, hop: usize, alignment: FrameAlignment) -> Self {
        let framing = Framing { window_len, hop, alignment };
        let frames = frame_pairs("Stft", framing, fft_len);
        let spectrum = SplitSpectrum::new(frames.n_bins());
        Self { framing, frames, pair: [spectrum.clone(), spectrum] }
    }

    /// Frames of `fft_len` samples that begin a quarter of a frame apart (75% overlap), as the
    /// spectral loss has them.
    ///
    /// # Panics
    ///
    /// If `fft_len` is not a multiple of 4, or 0.
    pub fn with_quarter_hop(fft_len: usize) -> Self {
        assert!(fft_len.is_multiple_of(4), "Stft: fft_len {fft_len} is not a multiple of 4");
        Self::new(fft_len, fft_len, fft_len / 4, FrameAlignment::Start)
    }

    /// Frequencies from 0 to Nyquist: `fft_len / 2 + 1`.
    pub fn n_bins(&self) -> usize {
        self.frames.n_bins()
    }

    /// Samples from one frame to the next.
    pub fn hop(&self) -> usize {
        self.frames.hop()
    }

    /// Frames of audio that is `n_samples` long, as the [`FrameAlignment`] counts them.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        self.framing.n_frames(n_samples)
    }

    /// Writes `X` to `spectrum`, `[n_frames, n_bins]`.
    ///
    /// # Panics
    ///
    /// If `spectrum.len() != n_frames(audio.len()) * n_bins()`.
    pub fn forward(&mut self, audio: &[f32], spectrum: &mut [Complex32]) {
        self.assert_len("spectrum", audio.len(), spectrum.len());
        let n_bins = self.n_bins();
        for (i, rows) in spectrum.chunks_mut(2 * n_bins).enumerate() {
            self.frames.forward(audio, 2 * i, &mut self.pair);
            for (row, spectrum) in rows.chunks_exact_mut(n_bins).zip(&self.pair) {
                for (x, (&re, &im)) in row.iter_mut().zip(spectrum.re.iter().zip(&spectrum.im)) {
                    *x = Complex32::new(re, im);
                }
            }
        }
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// `grad_spectrum` holds `dL/d Re X + j dL/d Im X`, so that
    /// `dL/d audio[start(i) + n] += window[n] Re(sum_k grad[i, k] e^(2 pi j k n / fft_len))`.
    ///
    /// # Panics
    ///
    /// If `grad_spectrum.len() != n_frames(grad_audio.len()) * n_bins()`.
    pub fn backward(&mut self, grad_spectrum: &[Complex32], grad_audio: &mut [f32]) {
        self.assert_len("grad_spectrum", grad_audio.len(), grad_spectrum.len());
        let n_bins = self.n_bins();
        for (i, rows) in grad_spectrum.chunks(2 * n_bins).enumerate() {
            // A last row without a second leaves the pair's old one, which would count.
            self.pair[1].fill_zero();
            for (row, spectrum) in rows.chunks_exact(n_bins).zip(&mut self.pair) {
                let parts = spectrum.re.iter_mut().zip(&mut spectrum.im);
                for (x, (re, im)) in row.iter().zip(parts) {
                    (*re, *im) = (x.re, x.im);
                }
            }
            self.frames.backward(&self.pair, 2 * i, grad_audio);
        }
    }

    /// Writes `|X|` to `magnitudes`, `[n_frames, n_bins]`; [`Magnitudes`](crate::Magnitudes) has
    /// the way back.
    ///
    /// # Panics
    ///
    /// If `magnitudes.len() != n_frames(audio.len()) * n_bins()`.
    pub fn magnitudes(&mut self, audio: &[f32], magnitudes: &mut [f32]) {
        self.assert_len("magnitudes", audio.len(), magnitudes.len());
        let (n_bins, simd) = (self.n_bins(), self.frames.simd());
        for (i, rows) in magnitudes.chunks_mut(2 * n_bins).enumerate() {
            self.frames.forward(audio, 2 * i, &mut self.pair);
            for (row, spectrum) in rows.chunks_exact_mut(n_bins).zip(&self.pair) {
                row::magnitudes(simd, spectrum, row);
            }
        }
    }

    fn assert_len(&self, name: &str, n_samples: usize, len: usize) {
        let (n_frames, n_bins) = (self.n_frames(n_samples), self.n_bins());
        assert_eq!(
            len,
            n_frames * n_bins,
            "Stft: {name} has {len} values where {n_samples} samples of audio need \
             [{n_frames}, {n_bins}]",
        );
    }
}

/// The periodic Hann window `0.5 - 0.5 cos(2 pi n / len)`.
pub(crate) fn hann(len: usize) -> Vec<f32> {
    let turn = std::f64::consts::TAU / len as f64;
    (0..len).map(|n| (0.5 - 0.5 * (turn * n as f64).cos()) as f32).collect()
}

/// Transforms of Hann windows; panics with `what` if the sizes do not fit each other.
pub(crate) fn frame_pairs(what: &str, framing: Framing, fft_len: usize) -> FramePairs {
    framing.assert_valid(what);
    let Framing { window_len, hop, .. } = framing;
    assert!(
        fft_len.is_multiple_of(2) && fft_len >= window_len,
        "{what}: fft_len {fft_len} must be even and hold the window of {window_len} samples",
    );
    FramePairs::new(&hann(window_len), fft_len, hop, framing.lead())
}
