//! Unweighted power of audio, frame by frame.

#![expect(clippy::cast_possible_truncation, reason = "sums are f64, levels f32")]

#[cfg(test)]
pub(crate) mod tests;

use crate::frames::FrameGrid;
use crate::framing::{FrameAlignment, Framing};
use crate::units::DB_RANGE;
use crate::units::DbScale;

/// Running sums of a frame, so that the additions vectorise.
const LANES: usize = 16;

/// Power in dB under a rectangular window: the arguments of `compute_power` of magenta/ddsp 3.7.
///
/// `power_db = 10 log10(max(mean of audio^2, 10^(-range_db / 10))) - ref_db`, at least `-range_db`,
/// the mean over the window; audio is zero beyond its ends. [`power_db`] is the usual case.
///
/// # Realtime Safety
///
/// Allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// Where the frames lie.
    pub framing: Framing,
    /// Subtracted from every level, in dB.
    pub ref_db: f32,
    /// Lower levels are raised to the negative of this, in dB.
    pub range_db: f32,
}

impl Power {
    /// Levels from -80 dB up, relative to 1.
    pub fn new(framing: Framing) -> Self {
        Self { framing, ref_db: 0.0, range_db: DB_RANGE }
    }

    /// Writes the power of `audio` to `power_db`, `[n_frames]`.
    ///
    /// # Panics
    ///
    /// If `power_db.len() != framing.n_frames(audio.len())`, or the window or the hop is 0.
    pub fn forward(&self, audio: &[f32], power_db: &mut [f32]) {
        assert_frames("power_db", self.framing, power_db.len(), audio.len());
        for (i, power_db) in power_db.iter_mut().enumerate() {
            *power_db = self.scale().power_to_db(mean_square(audio, self.framing, i) as f32);
        }
    }

    /// Accumulates into `grad_audio` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// With the mean square `P`: `d power_db / d audio[t] = 20 / (ln(10) P window_len) audio[t]`, 0
    /// at the floor.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward) of `grad_power_db`, and if `grad_audio.len() != audio.len()`.
    pub fn backward(&self, audio: &[f32], grad_power_db: &[f32], grad_audio: &mut [f32]) {
        assert_frames("grad_power_db", self.framing, grad_power_db.len(), audio.len());
        assert_audio(grad_audio.len(), audio.len());
        for (i, &grad) in grad_power_db.iter().enumerate() {
            let power = mean_square(audio, self.framing, i) as f32;
            let factor = 2.0 * self.scale().power_to_db_backward(power, grad);
            add_audio(factor / self.framing.window_len as f32, audio, self.framing, i, grad_audio);
        }
    }

    fn scale(&self) -> DbScale {
        DbScale { ref_db: self.ref_db, range_db: self.range_db }
    }
}

/// Writes the power of `audio` under a centred rectangular window to `power_db`,
/// `[audio.len() / hop]`.
///
/// `power_db = 10 log10(mean of audio^2)`, at least `-DB_RANGE`, over the `window_len` samples
/// from `i * hop - window_len / 2`; audio is zero beyond its ends. A full-scale sine has -3 dB.
/// This is `compute_power` of magenta/ddsp 3.7 with centred frames, without its extra frame after
/// the end; [`Power`] has its other arguments.
///
/// # Panics
///
/// If `power_db.len() != audio.len() / hop`, or `window_len` or the hop is 0.
///
/// # Realtime Safety
///
/// Allocates nothing.
pub fn power_db(audio: &[f32], grid: FrameGrid, window_len: usize, power_db: &mut [f32]) {
    Power::new(on_grid(grid, window_len)).forward(audio, power_db);
}

/// Accumulates into `grad_audio` the vector-Jacobian product of [`power_db`], 0 at the floor.
///
/// # Panics
///
/// If `grad_power_db.len() != audio.len() / hop`, `grad_audio.len() != audio.len()`, or
/// `window_len` or the hop is 0.
///
/// # Realtime Safety
///
/// Allocates nothing.
pub fn power_db_backward(
    audio: &[f32],
    grid: FrameGrid,
    window_len: usize,
    grad_power_db: &[f32],
    grad_audio: &mut [f32],
) {
    Power::new(on_grid(grid, window_len)).backward(audio, grad_power_db, grad_audio);
}

/// Writes the root of the mean square of `audio` under a rectangular window to `rms`, `[n_frames]`:
/// `compute_rms_energy` of magenta/ddsp 3.7.
///
/// Audio is zero beyond its ends. Linear, not dB: a full-scale sine has 0.707.
///
/// # Panics
///
/// If `rms.len() != framing.n_frames(audio.len())`, or the window or the hop is 0.
///
/// # Realtime Safety
///
/// Allocates nothing.
pub fn rms(audio: &[f32], framing: Framing, rms: &mut [f32]) {
    assert_frames("rms", framing, rms.len(), audio.len());
    for (i, rms) in rms.iter_mut().enumerate() {
        *rms = mean_square(audio, framing, i).sqrt() as f32;
    }
}

/// Accumulates into `grad_audio` the vector-Jacobian product of [`rms`].
///
/// `d rms / d audio[t] = audio[t] / (window_len rms)`; in a silent frame it is 0, where the
/// reference's is no number.
///
/// # Panics
///
/// If `grad_rms.len() != framing.n_frames(audio.len())`, `grad_audio.len() != audio.len()`, or the
/// window or the hop is 0.
///
/// # Realtime Safety
///
/// Allocates nothing.
pub fn rms_backward(audio: &[f32], framing: Framing, grad_rms: &[f32], grad_audio: &mut [f32]) {
    assert_frames("grad_rms", framing, grad_rms.len(), audio.len());
    assert_audio(grad_audio.len(), audio.len());
    for (i, &grad) in grad_rms.iter().enumerate() {
        let divisor = framing.window_len as f64 * mean_square(audio, framing, i).sqrt();
        if divisor != 0.0 {
            // The quotient before the product: the reciprocal of a faint level is no `f32`.
            let range = framing.range(i, audio.len());
            for (sum, &x) in grad_audio[range.clone()].iter_mut().zip(&audio[range]) {
                *sum += (f64::from(x) / divisor) as f32 * grad;
            }
        }
    }
}

/// Adds `factor` times the samples of frame `i`.
fn add_audio(factor: f32, audio: &[f32], framing: Framing, i: usize, grad_audio: &mut [f32]) {
    if factor != 0.0 {
        let range = framing.range(i, audio.len());
        for (sum, x) in grad_audio[range.clone()].iter_mut().zip(&audio[range]) {
            *sum += factor * x;
        }
    }
}

/// Centred frames on a grid.
fn on_grid(grid: FrameGrid, window_len: usize) -> Framing {
    Framing { window_len, hop: grid.hop, alignment: FrameAlignment::Grid }
}

/// The mean over the window of frame `i`, in `f64`: squares of faint samples are below `f32`.
fn mean_square(audio: &[f32], framing: Framing, i: usize) -> f64 {
    let (chunks, rest) = audio[framing.range(i, audio.len())].as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (sum, &x) in lanes.iter_mut().zip(chunk) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    let rest: f64 = rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    (lanes.iter().sum::<f64>() + rest) / framing.window_len as f64
}

fn assert_frames(name: &str, framing: Framing, len: usize, n_samples: usize) {
    framing.assert_valid(name);
    let n_frames = framing.n_frames(n_samples);
    assert_eq!(len, n_frames, "{name}: {len} frames for {n_samples} samples of audio");
}

fn assert_audio(len: usize, n_samples: usize) {
    assert_eq!(len, n_samples, "{len} samples of grad_audio for {n_samples} of audio");
}
