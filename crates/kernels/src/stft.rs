//! Short-time Fourier transform, forward and adjoint.

#![expect(clippy::cast_possible_truncation, reason = "windows are computed in f64, kept in f32")]

pub(crate) mod frame_pairs;

pub use rustfft::num_complex::Complex32;

use frame_pairs::{FramePairs, SplitSpectrum};

/// Where frame `i` of a short-time transform lies on the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameAlignment {
    /// It begins at sample `i * hop`, as `tf.signal.stft` has it.
    Start,
    /// It is centred on sample `i * hop`, as every control on a [`FrameGrid`](crate::FrameGrid).
    Centre,
}

/// Short-time Fourier transform with a periodic Hann window.
///
/// `X[i, k] = sum_n window[n] audio[start(i) + n] e^(-2 pi j k n / fft_len)` for
/// `k = 0 ..= fft_len / 2`, not normalised; audio is zero outside its samples. With
/// [`FrameAlignment::Start`] it is `tf.signal.stft(.., pad_end=True)`, rounding apart.
pub struct Stft {
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
        assert!(hop > 0 && window_len > 0, "Stft: hop {hop}, window of {window_len} samples");
        assert!(
            fft_len.is_multiple_of(2) && fft_len >= window_len,
            "Stft: fft_len {fft_len} must be even and hold the window of {window_len} samples",
        );
        let lead = match alignment {
            FrameAlignment::Start => 0,
            FrameAlignment::Centre => window_len / 2,
        };
        let frames = FramePairs::new(&hann(window_len), fft_len, hop, lead);
        let spectrum = SplitSpectrum::new(frames.n_bins());
        Self { frames, pair: [spectrum.clone(), spectrum] }
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

    /// Frames that begin (or are centred) within `n_samples`: `n_samples / hop`, rounded up.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        n_samples.div_ceil(self.hop())
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

    /// Writes `|X|` to `magnitudes`, `[n_frames, n_bins]`, for pictures and measures.
    ///
    /// # Panics
    ///
    /// If `magnitudes.len() != n_frames(audio.len()) * n_bins()`.
    pub fn magnitudes(&mut self, audio: &[f32], magnitudes: &mut [f32]) {
        self.assert_len("magnitudes", audio.len(), magnitudes.len());
        let n_bins = self.n_bins();
        for (i, rows) in magnitudes.chunks_mut(2 * n_bins).enumerate() {
            self.frames.forward(audio, 2 * i, &mut self.pair);
            for (row, spectrum) in rows.chunks_exact_mut(n_bins).zip(&self.pair) {
                for (magnitude, (re, im)) in
                    row.iter_mut().zip(spectrum.re.iter().zip(&spectrum.im))
                {
                    *magnitude = (re * re + im * im).sqrt();
                }
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::golden::Golden;
    use crate::gradcheck::check_vjp;

    /// The transform by its definition in `f64`: real and imaginary part of each bin in turn.
    pub(crate) fn reference_stft(
        audio: &[f64],
        [window_len, fft_len, hop]: [usize; 3],
        lead: usize,
    ) -> Vec<f64> {
        let mut spectrum = Vec::new();
        for i in 0..audio.len().div_ceil(hop) {
            for k in 0..=fft_len / 2 {
                let (mut re, mut im) = (0.0, 0.0);
                for n in 0..window_len {
                    let at = (i * hop + n).checked_sub(lead);
                    let sample = at.and_then(|t| audio.get(t)).copied().unwrap_or(0.0);
                    let turn = n as f64 / window_len as f64;
                    let windowed = sample * (0.5 - 0.5 * (std::f64::consts::TAU * turn).cos());
                    let phase =
                        -std::f64::consts::TAU * ((k * n) % fft_len) as f64 / fft_len as f64;
                    re += windowed * phase.cos();
                    im += windowed * phase.sin();
                }
                spectrum.extend([re, im]);
            }
        }
        spectrum
    }

    /// Repeatable noise in `[-1, 1)`.
    pub(crate) fn noise(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            f64::from(state) / 2_147_483_648.0 - 1.0
        };
        (0..n).map(|_| next() as f32).collect()
    }

    fn widen(audio: &[f32]) -> Vec<f64> {
        audio.iter().copied().map(f64::from).collect()
    }

    fn flatten(spectrum: &[Complex32]) -> Vec<f32> {
        spectrum.iter().flat_map(|x| [x.re, x.im]).collect()
    }

    /// Rounding of an FFT grows with the root of the number of passes; 1e-6 of the loudest bin of
    /// the longest transform here leaves a factor of five.
    fn assert_near(actual: &[f32], expected: &[f64]) {
        let loudest = expected.iter().fold(0.0_f64, |m, e| m.max(e.abs()));
        assert_eq!(actual.len(), expected.len(), "lengths differ");
        for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
            assert!((f64::from(*a) - e).abs() <= 1e-6 * loudest, "value {i}: {a} != {e}");
        }
    }

    fn forward(mut stft: Stft, audio: &[f32]) -> Vec<f32> {
        let mut spectrum =
            vec![Complex32::new(7.0, 7.0); stft.n_frames(audio.len()) * stft.n_bins()];
        stft.forward(audio, &mut spectrum);
        flatten(&spectrum)
    }

    #[test]
    fn forward_is_the_definition_for_any_alignment_and_length() {
        for (sizes, n_samples) in [([16, 16, 4], 50), ([12, 16, 5], 31), ([32, 32, 3], 7)] {
            let audio = noise(n_samples, 1);
            for (alignment, lead) in
                [(FrameAlignment::Start, 0), (FrameAlignment::Centre, sizes[0] / 2)]
            {
                let stft = Stft::new(sizes[0], sizes[1], sizes[2], alignment);
                assert_near(&forward(stft, &audio), &reference_stft(&widen(&audio), sizes, lead));
            }
        }
    }

    #[test]
    fn backward_is_the_adjoint() {
        for alignment in [FrameAlignment::Start, FrameAlignment::Centre] {
            let lead = if alignment == FrameAlignment::Start { 0 } else { 6 };
            let n_values = 2 * 11 * 9;
            check_vjp(
                &noise(41, 2),
                n_values,
                1e-2,
                |x, y| y.copy_from_slice(&reference_stft(x, [12, 16, 4], lead)),
                |x, grad_y, grad_x| {
                    let mut stft = Stft::new(12, 16, 4, alignment);
                    assert_eq!(stft.n_frames(x.len()) * stft.n_bins() * 2, n_values, "sizes");
                    let grad: Vec<Complex32> =
                        grad_y.chunks(2).map(|g| Complex32::new(g[0], g[1])).collect();
                    stft.backward(&grad, grad_x);
                },
            );
        }
    }

    /// The golden transforms of the first of the two clips, every `stride`-th frame.
    fn assert_golden(case: &str, window_len: usize, stride: usize) {
        let mut golden = Golden::open("spectral");
        let (re, shape) = golden.array(&format!("{case}.out.re"));
        let im = golden.values(&format!("{case}.out.im"));
        let audio = golden.values("audio.in.x");
        let n_values = shape[1] * shape[2];
        for clip in 0..shape[0] {
            let audio = &audio[clip * 4000..(clip + 1) * 4000];
            let actual = forward(Stft::with_quarter_hop(window_len), audio);
            let rows = actual.chunks(2 * shape[2]).step_by(stride);
            let actual: Vec<f32> = rows.flatten().copied().collect();
            let range = clip * n_values..(clip + 1) * n_values;
            let expected: Vec<f64> =
                range.flat_map(|i| [f64::from(re[i]), f64::from(im[i])]).collect();
            assert_near(&actual, &expected);
        }
    }

    #[test]
    fn forward_is_the_reference_stft() {
        assert_golden("stft_64", 64, 8);
        assert_golden("stft_512", 512, 1);
        assert_golden("stft_2048", 2048, 1);
    }

    #[test]
    fn magnitudes_are_the_reference_magnitudes() {
        let mut golden = Golden::open("spectral");
        let (expected, shape) = golden.array("mag_256.out.y");
        let audio = golden.values("audio.in.x");
        let mut stft = Stft::with_quarter_hop(256);
        let mut magnitudes = vec![7.0; shape[1] * shape[2]];
        stft.magnitudes(&audio[..4000], &mut magnitudes);
        assert_near(&magnitudes, &widen(&expected[..magnitudes.len()]));
    }

    #[test]
    #[should_panic(expected = "spectrum has 9 values where 20 samples of audio need [5, 9]")]
    fn a_wrong_length_is_named() {
        Stft::with_quarter_hop(16).forward(&[0.0; 20], &mut [Complex32::ZERO; 9]);
    }
}
