//! Noise through a filter that changes from frame to frame.

use crate::fft_convolve::FftConvolve;
use crate::frames::FrameGrid;
use crate::frequency_filter::{FilterAlignment, FrequencyFilter};

/// Subtractive synthesizer: noise filtered by frame-rate magnitudes, and back.
///
/// Each hop of noise is convolved with the response of its frame (see [`FrequencyFilter`]), the
/// tails overlap, and the filters' delay is compensated. From DDSP (Engel et al. 2020,
/// <https://arxiv.org/abs/2001.04643>), whose filter is two samples late where ours is not.
#[derive(Debug)]
pub struct FilteredNoise {
    hop: usize,
    filter: FrequencyFilter,
    convolve: FftConvolve,
    /// One frame's response, or its gradient.
    response: Vec<f32>,
}

impl FilteredNoise {
    /// A synthesizer of `n_bands` magnitudes on `grid`; `window_len` as in [`FrequencyFilter`],
    /// 0 for the whole response of `2 (n_bands - 1)` taps.
    ///
    /// # Panics
    ///
    /// If `n_bands` is below 2, or the hop is 0.
    pub fn new(grid: FrameGrid, n_bands: usize, window_len: usize) -> Self {
        Self::with_alignment(grid, n_bands, window_len, FilterAlignment::Centred)
    }

    /// As [`new`](Self::new), with the taps placed as `alignment` says:
    /// [`FilterAlignment::Reference`] reproduces magenta/ddsp sample by sample.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new), and as [`FrequencyFilter::new`].
    pub fn with_alignment(
        grid: FrameGrid,
        n_bands: usize,
        window_len: usize,
        alignment: FilterAlignment,
    ) -> Self {
        let filter = FrequencyFilter::new(n_bands, window_len, alignment);
        let convolve = FftConvolve::new(grid.hop, filter.ir_len(), filter.delay());
        let response = vec![0.0; filter.ir_len()];
        Self { hop: grid.hop, filter, convolve, response }
    }

    /// Overwrites `audio` with filtered `noise`, both `n_frames` hops long.
    ///
    /// `noise` is uniform in `[-1, 1)`, `magnitudes` `[n_frames, n_bands]` linear.
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&mut self, noise: &[f32], magnitudes: &[f32], audio: &mut [f32]) {
        self.check(noise.len(), magnitudes.len(), audio.len());
        audio.fill(0.0);
        let frames = noise.chunks(self.hop).zip(magnitudes.chunks(self.filter.n_bands()));
        for (i, (block, magnitudes)) in frames.enumerate() {
            self.filter.forward(magnitudes, &mut self.response);
            self.convolve.set_impulse_response(&self.response);
            self.convolve.add_block(i * self.hop, block, audio);
        }
    }

    /// Accumulates into `grad_magnitudes` the vector-Jacobian product of [`forward`](Self::forward)
    /// with `grad_audio`.
    ///
    /// The output is linear in the magnitudes, so their values do not matter, only their number.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gradients differ in length from their values.
    pub fn backward(
        &mut self,
        noise: &[f32],
        magnitudes: &[f32],
        grad_audio: &[f32],
        grad_magnitudes: &mut [f32],
    ) {
        self.check(noise.len(), magnitudes.len(), grad_audio.len());
        let (n_grad, n) = (grad_magnitudes.len(), magnitudes.len());
        assert_eq!(n_grad, n, "FilteredNoise: grad of {n_grad} of {n} magnitudes");
        let frames = noise.chunks(self.hop).zip(grad_magnitudes.chunks_mut(self.filter.n_bands()));
        for (i, (block, grad_magnitudes)) in frames.enumerate() {
            let start = i * self.hop;
            self.response.fill(0.0);
            let response = &mut self.response;
            self.convolve.backward_block_response(start, block, grad_audio, response);
            self.filter.backward(response, grad_magnitudes);
        }
    }

    fn check(&self, n_noise: usize, n_magnitudes: usize, n_samples: usize) {
        let (hop, n_bands) = (self.hop, self.filter.n_bands());
        assert_eq!(n_samples, n_noise, "FilteredNoise: {n_samples} samples, {n_noise} of noise");
        assert!(
            n_noise.is_multiple_of(hop) && n_magnitudes == n_noise / hop * n_bands,
            "FilteredNoise: {n_magnitudes} magnitudes of {n_bands} bands for {n_noise} samples at \
             hop {hop}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExpSigmoid;
    use crate::golden::Golden;
    use crate::gradcheck::check_vjp;
    use std::f64::consts::TAU;

    const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

    /// Raw magnitudes of a golden case, biased and scaled as the reference's `get_controls`.
    fn scaled(raw: &[f32]) -> Vec<f32> {
        let biased: Vec<f32> = raw.iter().map(|m| m - 5.0).collect();
        let mut magnitudes = vec![0.0; raw.len()];
        ExpSigmoid::default().forward(&biased, &mut magnitudes);
        magnitudes
    }

    #[test]
    fn forward_matches_the_reference() {
        let mut golden = Golden::open("synths");
        let noise = golden.values("filtered_noise_w257.in.noise");
        let magnitudes = scaled(&golden.values("filtered_noise_w257.in.magnitudes"));
        for (window_len, case) in [(257, "w257"), (0, "w0"), (33, "w33")] {
            let expected = golden.values(&format!("filtered_noise_{case}.out.signal"));
            let reference = FilterAlignment::Reference;
            let mut synth = FilteredNoise::with_alignment(GRID, 65, window_len, reference);
            for row in 0..2 {
                let mut audio = vec![f32::NAN; 3200];
                let (samples, bands) = (row * 3200..(row + 1) * 3200, row * 3250..(row + 1) * 3250);
                synth.forward(&noise[samples.clone()], &magnitudes[bands], &mut audio);
                // exp_sigmoid is good to 4e-6, the rest to less, of samples below 0.1.
                for (i, (y, e)) in audio.iter().zip(&expected[samples]).enumerate() {
                    assert!((y - e).abs() <= 4e-7, "{case} row {row} [{i}]: {y}, not {e}");
                }
            }
        }
    }

    #[test]
    fn backward_matches_the_reference() {
        let mut golden = Golden::open("gradients");
        let noise = golden.values("filtered_noise.in.noise");
        let raw = golden.values("filtered_noise.in.magnitudes");
        let v = golden.values("base.in.v");
        let expected = golden.values("filtered_noise.out.d_magnitudes");
        let magnitudes = scaled(&raw);
        let reference = FilterAlignment::Reference;
        let mut synth = FilteredNoise::with_alignment(GRID, 65, 0, reference);
        let mut grad = vec![0.0; magnitudes.len()];
        for row in 0..2 {
            let (samples, bands) = (row * 3200..(row + 1) * 3200, row * 3250..(row + 1) * 3250);
            synth.backward(
                &noise[samples.clone()],
                &magnitudes[bands.clone()],
                &v[samples],
                &mut grad[bands],
            );
        }
        let biased: Vec<f32> = raw.iter().map(|m| m - 5.0).collect();
        let mut grad_raw = vec![0.0; raw.len()];
        ExpSigmoid::default().backward(&biased, &grad, &mut grad_raw);
        let largest = expected.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        for (i, (g, e)) in grad_raw.iter().zip(&expected).enumerate() {
            // FFTs spread a rounding of the largest over all; exp_sigmoid's 4e-6 comes on top.
            assert!((g - e).abs() <= 4e-6 * largest, "[{i}]: {g}, not {e}, of {largest}");
        }
    }

    #[test]
    fn flat_magnitudes_return_the_noise() {
        let noise: Vec<f32> = (0..640).map(|i| (i as f32 * 1.7).sin()).collect();
        for window_len in [0, 33, 64] {
            let mut audio = vec![f32::NAN; 640];
            FilteredNoise::new(GRID, 65, window_len).forward(&noise, &[1.0; 650], &mut audio);
            for (y, x) in audio.iter().zip(&noise) {
                assert!((y - x).abs() <= 1e-6, "window {window_len}: {y}, not {x}");
            }
        }
    }

    #[test]
    fn forward_and_backward_match_the_definition() {
        let (n_frames, n_bands, hop) = (4, 7, 10);
        let grid = FrameGrid { sample_rate: 16_000, hop };
        let noise: Vec<f32> = (0..40).map(|i| (i as f32 * 2.3).sin()).collect();
        // Direct: response by cosine sums, convolution by the definition, peak in place.
        let oracle = |magnitudes: &[f64], audio: &mut [f64]| {
            audio.fill(0.0);
            for (n, x) in noise.iter().enumerate() {
                for d in -6_i32..6 {
                    let m = &magnitudes[n / hop * n_bands..];
                    let at = |m: usize| (TAU * m as f64 * f64::from(d) / 12.0).cos();
                    let sum = m[0] + m[6] * at(6) + (1..6).map(|k| 2.0 * m[k] * at(k)).sum::<f64>();
                    let h = (0.5 + 0.5 * (TAU * f64::from(d) / 12.0).cos()) * sum / 12.0;
                    if let Some(y) = n.checked_add_signed(d as isize).and_then(|i| audio.get_mut(i))
                    {
                        *y += f64::from(*x) * h;
                    }
                }
            }
        };
        let magnitudes: Vec<f32> =
            (0..n_frames * n_bands).map(|i| 1.0 + (i as f32 * 0.8).cos()).collect();
        let exact: Vec<f64> = magnitudes.iter().map(|&m| m.into()).collect();
        let (mut expected, mut audio) = (vec![0.0; 40], vec![f32::NAN; 40]);
        oracle(&exact, &mut expected);
        FilteredNoise::new(grid, n_bands, 0).forward(&noise, &magnitudes, &mut audio);
        for (y, e) in audio.iter().zip(&expected) {
            assert!((f64::from(*y) - e).abs() <= 2e-6, "{y}, not {e}");
        }
        check_vjp(&magnitudes, 40, 1e-2, oracle, |x, grad_audio, grad_x| {
            FilteredNoise::new(grid, n_bands, 0).backward(&noise, x, grad_audio, grad_x);
        });
    }

    #[test]
    #[should_panic(expected = "14 magnitudes of 7 bands for 30 samples at hop 10")]
    fn a_wrong_length_names_both() {
        let grid = FrameGrid { sample_rate: 16_000, hop: 10 };
        FilteredNoise::new(grid, 7, 0).forward(&[0.0; 30], &[0.0; 14], &mut [0.0; 30]);
    }
}
