//! Spectra in bands of the mel scale.

#![expect(clippy::cast_possible_truncation, reason = "weights are computed in f64, kept in f32")]

#[cfg(test)]
pub(crate) mod tests;

use crate::magnitudes::{Magnitudes, assert_shape, of_row, of_row_mut, row};
use crate::simd::{Kernel, Simd, mul_add, sum_lanes};

/// Running sums of a band, so that the additions vectorise.
const LANES: usize = 8;

/// Which bands of frequency [`Mel`] sums magnitudes in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelBands {
    /// Samples a second.
    pub sample_rate: u32,
    /// Lower edge of the first band, in Hz.
    pub low_hz: f32,
    /// Upper edge of the last band, in Hz; at most half the sample rate.
    pub high_hz: f32,
    /// Number of bands.
    pub n_bands: usize,
}

impl Default for MelBands {
    /// Those of `compute_mel` of magenta/ddsp 3.7: 64 bands up to 8 kHz, at 16 kHz.
    fn default() -> Self {
        Self { sample_rate: 16_000, low_hz: 0.0, high_hz: 8000.0, n_bands: 64 }
    }
}

/// Magnitudes of the short-time spectrum summed in bands of equal width on the mel scale.
///
/// `mel[i, b] = sum_k weight_b(f_k) |X[i, k]|`, with `f_k` the frequency of bin `k`. Band `b` is a
/// triangle on the mel scale, `m(f) = 1127 ln(1 + f / 700)` (the one of HTK): 0 at `m_b`, 1 at
/// `m_{b+1}`, 0 at `m_{b+2}`, where the `m`s are `n_bands + 2` equally spaced points from
/// `m(low_hz)` to `m(high_hz)`. Areas are not normalised, and bin 0 counts nowhere. This is
/// `compute_mel` of magenta/ddsp 3.7, the matrix `tf.signal.linear_to_mel_weight_matrix`; its
/// weights are computed in float32 and off by 1e-5, ours are not.
/// [`forward_log`](Self::forward_log) is `compute_logmel`.
///
/// A band narrower than a bin may hold none: it is 0, its logarithm `ln 1e-5`.
///
/// # Realtime Safety
///
/// [`new`](Self::new) allocates everything; nothing else does.
pub struct Mel {
    magnitudes: Magnitudes,
    filters: Vec<Filter>,
    /// The weights of all filters, one after the other.
    weights: Vec<f32>,
    /// A row of bands and of their gradients.
    row: Vec<f32>,
    grad_row: Vec<f32>,
}

/// The bins of one band.
#[derive(Clone, Copy)]
struct Filter {
    first_bin: usize,
    /// Of its weights, the first and the one after the last.
    weights: [usize; 2],
}

impl Filter {
    fn n_bins(self) -> usize {
        self.weights[1] - self.weights[0]
    }
}

impl Mel {
    /// `bands` of the spectra that `magnitudes` computes.
    ///
    /// # Panics
    ///
    /// If there is no band, or not `0 <= low_hz < high_hz <= sample_rate / 2`.
    pub fn new(magnitudes: Magnitudes, bands: MelBands) -> Self {
        let MelBands { sample_rate, low_hz, high_hz, n_bands } = bands;
        assert!(n_bands > 0, "Mel: no bands");
        assert!(
            0.0 <= low_hz && low_hz < high_hz && f64::from(high_hz) <= f64::from(sample_rate) / 2.0,
            "Mel: bands from {low_hz} Hz to {high_hz} Hz at a sample rate of {sample_rate} Hz",
        );
        let n_bins = magnitudes.n_bins();
        let mut weights = Vec::new();
        let filters = (0..n_bands)
            .map(|band| {
                let weight = |bin| bands.weight(band, bin, n_bins);
                let first_bin = (0..n_bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
                let begin = weights.len();
                weights.extend((first_bin..n_bins).map(weight).take_while(|&weight| weight > 0.0));
                Filter { first_bin, weights: [begin, weights.len()] }
            })
            .collect();
        let row = vec![0.0; n_bands];
        Self { magnitudes, filters, weights, grad_row: row.clone(), row }
    }

    /// Number of bands.
    pub fn n_bands(&self) -> usize {
        self.filters.len()
    }

    /// Frames of audio that is `n_samples` long.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        self.magnitudes.n_frames(n_samples)
    }

    /// Writes the sums of the bands to `mel`, `[n_frames, n_bands]`.
    ///
    /// # Panics
    ///
    /// If `mel.len() != n_frames(audio.len()) * n_bands()`.
    pub fn forward(&mut self, audio: &[f32], mel: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_bands()];
        assert_shape("Mel: mel", mel.len(), shape, audio.len());
        self.for_rows(audio, |i, row| of_row_mut(mel, i, row.len()).copy_from_slice(row));
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// # Panics
    ///
    /// If `grad_audio.len() != audio.len()`, or
    /// `grad_mel.len() != n_frames(audio.len()) * n_bands()`.
    pub fn backward(&mut self, audio: &[f32], grad_mel: &[f32], grad_audio: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_bands()];
        assert_shape("Mel: grad_mel", grad_mel.len(), shape, audio.len());
        self.rows_backward(audio, grad_audio, |i, row, grad_row| {
            grad_row.copy_from_slice(of_row(grad_mel, i, row.len()));
        });
    }

    /// Writes the natural logarithms of the sums to `log_mel`, `[n_frames, n_bands]`; `ln 1e-5`
    /// where a sum is exactly 0.
    ///
    /// # Panics
    ///
    /// If `log_mel.len() != n_frames(audio.len()) * n_bands()`.
    pub fn forward_log(&mut self, audio: &[f32], log_mel: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_bands()];
        assert_shape("Mel: log_mel", log_mel.len(), shape, audio.len());
        let simd = self.simd();
        self.for_rows(audio, |i, mel| {
            row::safe_log(simd, mel, of_row_mut(log_mel, i, mel.len()));
        });
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of
    /// [`forward_log`](Self::forward_log); a band that is exactly 0 has no gradient.
    ///
    /// # Panics
    ///
    /// If `grad_audio.len() != audio.len()`, or
    /// `grad_log_mel.len() != n_frames(audio.len()) * n_bands()`.
    pub fn backward_log(&mut self, audio: &[f32], grad_log_mel: &[f32], grad_audio: &mut [f32]) {
        let shape = [self.n_frames(audio.len()), self.n_bands()];
        assert_shape("Mel: grad_log_mel", grad_log_mel.len(), shape, audio.len());
        let simd = self.simd();
        self.rows_backward(audio, grad_audio, |i, mel, grad_row| {
            row::safe_log_backward(simd, mel, of_row(grad_log_mel, i, mel.len()), grad_row);
        });
    }

    /// Calls `read(i, mel)` for every frame.
    pub(crate) fn for_rows(&mut self, audio: &[f32], mut read: impl FnMut(usize, &[f32])) {
        let Self { magnitudes, filters, weights, row, .. } = self;
        let simd = magnitudes.simd();
        magnitudes.for_rows(audio, |i, magnitudes| {
            simd.run(Sums { magnitudes, filters, weights, row });
            read(i, row);
        });
    }

    /// Accumulates into `grad_audio` what `write(i, mel, grad_mel)` writes to the last, which is
    /// all zeros before, for every frame.
    pub(crate) fn rows_backward(
        &mut self,
        audio: &[f32],
        grad_audio: &mut [f32],
        mut write: impl FnMut(usize, &[f32], &mut [f32]),
    ) {
        let Self { magnitudes, filters, weights, row, grad_row } = self;
        let simd = magnitudes.simd();
        magnitudes.rows_backward(audio, grad_audio, |i, magnitudes, grad_magnitudes| {
            simd.run(Sums { magnitudes, filters, weights, row });
            grad_row.fill(0.0);
            write(i, row, grad_row);
            simd.run(Spread { grad_row, filters, weights, grad_magnitudes });
        });
    }

    pub(crate) fn simd(&self) -> Simd {
        self.magnitudes.simd()
    }
}

impl MelBands {
    /// What bin `bin` of `n_bins` counts in `band`.
    fn weight(self, band: usize, bin: usize, n_bins: usize) -> f32 {
        let [low, high] = [self.low_hz, self.high_hz].map(|hz| mel(f64::from(hz)));
        let edge = |i: usize| low + (high - low) * i as f64 / (self.n_bands + 1) as f64;
        let nyquist = f64::from(self.sample_rate) / 2.0;
        let at = mel(nyquist * bin as f64 / (n_bins - 1) as f64);
        let rise = (at - edge(band)) / (edge(band + 1) - edge(band));
        let fall = (edge(band + 2) - at) / (edge(band + 2) - edge(band + 1));
        rise.min(fall).max(0.0) as f32
    }
}

/// The mel scale of HTK.
fn mel(hz: f64) -> f64 {
    1127.0 * (hz / 700.0).ln_1p()
}

/// The weighted sum of each band.
struct Sums<'a> {
    magnitudes: &'a [f32],
    filters: &'a [Filter],
    weights: &'a [f32],
    row: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (sum, filter) in self.row.iter_mut().zip(self.filters) {
            let weights = &self.weights[filter.weights[0]..filter.weights[1]];
            let magnitudes = &self.magnitudes[filter.first_bin..][..filter.n_bins()];
            let (weight_chunks, last_weights) = weights.as_chunks::<LANES>();
            let (chunks, last) = magnitudes.as_chunks::<LANES>();
            let mut lanes = [0.0; LANES];
            for (weights, magnitudes) in weight_chunks.iter().zip(chunks) {
                for i in 0..LANES {
                    lanes[i] = mul_add::<FMA>(weights[i], magnitudes[i], lanes[i]);
                }
            }
            *sum = sum_lanes(lanes);
            for (weight, magnitude) in last_weights.iter().zip(last) {
                *sum = mul_add::<FMA>(*weight, *magnitude, *sum);
            }
        }
    }
}

/// The transposed sums: what each bin receives from the gradients of its bands.
struct Spread<'a> {
    grad_row: &'a [f32],
    filters: &'a [Filter],
    weights: &'a [f32],
    grad_magnitudes: &'a mut [f32],
}

impl Kernel for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (grad, filter) in self.grad_row.iter().zip(self.filters) {
            let weights = &self.weights[filter.weights[0]..filter.weights[1]];
            let grad_magnitudes = &mut self.grad_magnitudes[filter.first_bin..][..filter.n_bins()];
            for (sum, weight) in grad_magnitudes.iter_mut().zip(weights) {
                *sum = mul_add::<FMA>(*weight, *grad, *sum);
            }
        }
    }
}
