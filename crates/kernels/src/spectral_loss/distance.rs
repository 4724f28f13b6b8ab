//! What a difference of two rows is measured by.

use crate::simd::{Kernel, Simd};

/// Values in one step of a loop.
const LANES: usize = 16;

/// Measure of the difference between a row of the target and one of the audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpectralDistance {
    /// Mean absolute difference. Its gradient is 0 where both are equal.
    #[default]
    L1,
    /// Mean squared difference.
    L2,
    /// 1 less the scalar product of target and audio along the row (bins, or frames of loudness),
    /// the mean over rows. The reference's `COSINE` means `cosine_distance` of TensorFlow 1, which
    /// takes rows of length 1 for granted: on spectra it is unbounded below, and its gradient,
    /// minus the target, makes any audio louder. It raises in TensorFlow 2.
    Cosine,
}

impl SpectralDistance {
    /// Distances that are averaged: a matrix of the given size has one for each value or each row.
    pub(super) fn count(self, n_rows: usize, row_len: usize) -> usize {
        if self == Self::Cosine { n_rows } else { n_rows * row_len }
    }

    /// The sum of the distances between two rows; accumulates `weight` times its gradient with
    /// respect to `audio` into `grad_audio` if there is one.
    pub(super) fn compare(
        self,
        simd: Simd,
        [target, audio]: [&[f32]; 2],
        weight: f32,
        grad_audio: Option<&mut [f32]>,
    ) -> f64 {
        simd.run(Compare { distance: self, target, audio, weight, grad_audio })
    }
}

/// [`SpectralDistance::compare`].
struct Compare<'a> {
    distance: SpectralDistance,
    target: &'a [f32],
    audio: &'a [f32],
    weight: f32,
    grad_audio: Option<&'a mut [f32]>,
}

impl Kernel for Compare<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        match self.distance {
            SpectralDistance::L1 => self.sum(|x, y| ((y - x).abs(), sign(y - x))),
            SpectralDistance::L2 => self.sum(|x, y| ((y - x) * (y - x), 2.0 * (y - x))),
            SpectralDistance::Cosine => 1.0 + self.sum(|x, y| (-x * y, -x)),
        }
    }
}

impl Compare<'_> {
    /// The sum of the values of `term(target, audio)`; its slopes go to the gradient.
    #[inline(always)]
    fn sum(self, term: impl Fn(f32, f32) -> (f32, f32)) -> f64 {
        let n = self.audio.len();
        let (target, audio) = (&self.target[..n], &self.audio[..n]);
        let (target_chunks, last_target) = target.as_chunks::<LANES>();
        let (audio_chunks, last_audio) = audio.as_chunks::<LANES>();
        let mut sums = [0.0_f32; LANES];
        for (target, audio) in target_chunks.iter().zip(audio_chunks) {
            for i in 0..LANES {
                sums[i] += term(target[i], audio[i]).0;
            }
        }
        let last: f32 = last_target.iter().zip(last_audio).map(|(&x, &y)| term(x, y).0).sum();
        if let Some(grad_audio) = self.grad_audio {
            for ((grad, &x), &y) in grad_audio[..n].iter_mut().zip(target).zip(audio) {
                *grad += self.weight * term(x, y).1;
            }
        }
        sums.into_iter().map(f64::from).sum::<f64>() + f64::from(last)
    }
}

/// The sign of a difference, 0 for 0 and no number for none.
#[inline(always)]
fn sign(difference: f32) -> f32 {
    let zero_or_nan = 0.0 * difference;
    let not_above = if difference < 0.0 { -1.0 } else { zero_or_nan };
    if difference > 0.0 { 1.0 } else { not_above }
}
