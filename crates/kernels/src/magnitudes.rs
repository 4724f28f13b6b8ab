//! Magnitudes of short-time spectra and their logarithms.

pub(crate) mod row;
#[cfg(test)]
pub(crate) mod tests;

use crate::framing::{FrameAlignment, Framing};
use crate::simd::Simd;
use crate::stft::frame_pairs;
use crate::stft::frame_pairs::{FramePairs, SplitSpectrum};

/// Magnitudes of the short-time spectrum under a periodic Hann window, and their logarithms.
///
/// With `X` of [`Stft`](crate::Stft): `magnitudes[i, k] = |X[i, k]|`, `compute_mag` of magenta/ddsp
/// 3.7, and `log_magnitudes[i, k] = ln |X[i, k]|`, `compute_logmag`, where only an exact 0 is
/// replaced, by 1e-5: a magnitude of 1e-20 is -46. Not normalised by the window: a full-scale sine
/// has `window_len / 4` at its peak.
///
/// The spectrum is computed anew in the backward pass, which costs one transform more and no
/// memory.
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct Magnitudes {
    framing: Framing,
    frames: FramePairs,
    pair: [SplitSpectrum; 2],
    /// A row of magnitudes, a row of their gradients.
    row: Vec<f32>,
    grad_row: Vec<f32>,
}

impl Magnitudes {
    /// Frames that lie as `framing` says, padded with zeros to `fft_len`.
    ///
    /// # Panics
    ///
    /// If the hop or the window length is 0, `fft_len` is odd or less than the window length.
    pub fn new(framing: Framing, fft_len: usize) -> Self {
        let frames = frame_pairs("Magnitudes", framing, fft_len);
        let spectrum = SplitSpectrum::new(frames.n_bins());
        let row = vec![0.0; frames.n_bins()];
        Self { framing, pair: [spectrum.clone(), spectrum], grad_row: row.clone(), row, frames }
    }

    /// Frames of `fft_len` samples that begin a quarter of a frame apart (75% overlap), the end
    /// padded with zeros: the reference's defaults.
    ///
    /// # Panics
    ///
    /// If `fft_len` is not a multiple of 4, or 0.
    pub fn with_quarter_hop(fft_len: usize) -> Self {
        assert!(fft_len.is_multiple_of(4), "Magnitudes: fft_len {fft_len} is not a multiple of 4");
        let alignment = FrameAlignment::Start;
        Self::new(Framing { window_len: fft_len, hop: fft_len / 4, alignment }, fft_len)
    }

    /// Frequencies from 0 to Nyquist: `fft_len / 2 + 1`.
    pub fn n_bins(&self) -> usize {
        self.row.len()
    }

    /// Frames of audio that is `n_samples` long, as the [`FrameAlignment`] counts them.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        self.framing.n_frames(n_samples)
    }

    /// Writes `|X|` to `magnitudes`, `[n_frames, n_bins]`.
    ///
    /// # Panics
    ///
    /// If `magnitudes.len() != n_frames(audio.len()) * n_bins()`.
    pub fn forward(&mut self, audio: &[f32], magnitudes: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_bins()];
        assert_shape("Magnitudes: magnitudes", magnitudes.len(), shape, audio.len());
        self.for_rows(audio, |i, row| of_row_mut(magnitudes, i, row.len()).copy_from_slice(row));
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// `d|X| / dX = X / |X|`; at an exact 0 the gradient is 0, as the reference's.
    ///
    /// # Panics
    ///
    /// If `grad_audio.len() != audio.len()`, or
    /// `grad_magnitudes.len() != n_frames(audio.len()) * n_bins()`.
    pub fn backward(&mut self, audio: &[f32], grad_magnitudes: &[f32], grad_audio: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_bins()];
        assert_shape("Magnitudes: grad_magnitudes", grad_magnitudes.len(), shape, audio.len());
        self.rows_backward(audio, grad_audio, |i, row, grad_row| {
            grad_row.copy_from_slice(of_row(grad_magnitudes, i, row.len()));
        });
    }

    /// Writes `ln |X|` to `log_magnitudes`, `[n_frames, n_bins]`; `ln 1e-5` at an exact 0.
    ///
    /// # Panics
    ///
    /// If `log_magnitudes.len() != n_frames(audio.len()) * n_bins()`.
    pub fn forward_log(&mut self, audio: &[f32], log_magnitudes: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_bins()];
        assert_shape("Magnitudes: log_magnitudes", log_magnitudes.len(), shape, audio.len());
        let simd = self.simd();
        self.for_rows(audio, |i, magnitudes| {
            row::safe_log(simd, magnitudes, of_row_mut(log_magnitudes, i, magnitudes.len()));
        });
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of
    /// [`forward_log`](Self::forward_log).
    ///
    /// `d ln|X| / dX = X / |X|^2`, 0 at an exact 0, as the reference's. Below 1e-34 a magnitude
    /// counts as 1e-34, so that sums over bins stay finite.
    ///
    /// # Panics
    ///
    /// If `grad_audio.len() != audio.len()`, or
    /// `grad_log_magnitudes.len() != n_frames(audio.len()) * n_bins()`.
    pub fn backward_log(
        &mut self,
        audio: &[f32],
        grad_log_magnitudes: &[f32],
        grad_audio: &mut [f32],
    ) {
        let shape = [self.n_frames(audio.len()), self.n_bins()];
        let len = grad_log_magnitudes.len();
        assert_shape("Magnitudes: grad_log_magnitudes", len, shape, audio.len());
        let simd = self.simd();
        self.rows_backward(audio, grad_audio, |i, magnitudes, grad_row| {
            let grad_log = of_row(grad_log_magnitudes, i, magnitudes.len());
            row::safe_log_backward(simd, magnitudes, grad_log, grad_row);
        });
    }

    /// Calls `read(i, magnitudes)` for every frame.
    pub(crate) fn for_rows(&mut self, audio: &[f32], mut read: impl FnMut(usize, &[f32])) {
        let (n_frames, simd) = (self.n_frames(audio.len()), self.simd());
        for first in (0..n_frames).step_by(2) {
            self.frames.forward(audio, first, &mut self.pair);
            for (i, spectrum) in (first..n_frames).zip(&self.pair) {
                row::magnitudes(simd, spectrum, &mut self.row);
                read(i, &self.row);
            }
        }
    }

    /// Accumulates into `grad_audio` what `write(i, magnitudes, grad_magnitudes)` writes to the
    /// last, which is all zeros before, for every frame.
    ///
    /// # Panics
    ///
    /// If `grad_audio.len() != audio.len()`.
    pub(crate) fn rows_backward(
        &mut self,
        audio: &[f32],
        grad_audio: &mut [f32],
        mut write: impl FnMut(usize, &[f32], &mut [f32]),
    ) {
        let (n_samples, len) = (audio.len(), grad_audio.len());
        assert_eq!(len, n_samples, "Magnitudes: {len} samples of grad_audio for {n_samples}");
        let (n_frames, simd) = (self.n_frames(n_samples), self.simd());
        for first in (0..n_frames).step_by(2) {
            self.frames.forward(audio, first, &mut self.pair);
            for (i, spectrum) in (first..n_frames).zip(&mut self.pair) {
                row::magnitudes(simd, spectrum, &mut self.row);
                self.grad_row.fill(0.0);
                write(i, &self.row, &mut self.grad_row);
                row::magnitudes_backward(simd, &self.row, &self.grad_row, spectrum);
            }
            if first + 1 == n_frames {
                // A frame that is not counted has no gradient.
                self.pair[1].fill_zero();
            }
            self.frames.backward(&self.pair, first, grad_audio);
        }
    }

    pub(crate) fn simd(&self) -> Simd {
        self.frames.simd()
    }

    #[cfg(test)]
    pub(crate) fn with_simd(mut self, simd: Simd) -> Self {
        self.frames.set_simd(simd);
        self
    }
}

/// Row `i` of rows of `len` values.
pub(crate) fn of_row(rows: &[f32], i: usize, len: usize) -> &[f32] {
    &rows[i * len..(i + 1) * len]
}

/// Row `i` of rows of `len` values.
pub(crate) fn of_row_mut(rows: &mut [f32], i: usize, len: usize) -> &mut [f32] {
    &mut rows[i * len..(i + 1) * len]
}

/// Panics unless `len` values are the rows and columns of `shape`.
pub(crate) fn assert_shape(what: &str, len: usize, shape: [usize; 2], n_samples: usize) {
    let [n_frames, n_columns] = shape;
    assert_eq!(
        len,
        n_frames * n_columns,
        "{what}: {len} values where {n_samples} samples of audio need [{n_frames}, {n_columns}]",
    );
}
