//! Where signals meet and end: crossfade, sum, cut.
//!
//! The reference's `TensorToAudio`, which drops an axis of length 1, has no counterpart: a mono signal
//! is a slice already.

use std::f64::consts::FRAC_PI_2;

use crate::simd::{Kernel, Simd, sum_lanes};
use crate::sine::{QUARTER_TURN, sine};

/// Samples whose gradients are summed side by side.
const TILE: usize = 16;

/// Where [`mix_backward`] accumulates; shapes as the inputs of the same name.
#[derive(Debug)]
pub struct MixGradients<'a> {
    /// With respect to `signal_one`, `[n_samples]`.
    pub signal_one: &'a mut [f32],
    /// With respect to `signal_two`, `[n_samples]`.
    pub signal_two: &'a mut [f32],
    /// With respect to `mix_level`, `[n_frames]`.
    pub mix_level: &'a mut [f32],
}

/// Equal-power crossfade of two signals; overwrites `mixed`.
///
/// `mixed[n] = sin(pi m / 2) signal_one[n] + cos(pi m / 2) signal_two[n]`, where `m` goes in straight
/// lines between the frames of `mix_level` `[n_frames]`: 1 is the first signal alone, 0 the second
/// alone, and in between the power of two uncorrelated signals is kept. Beyond 0 and 1 it is held; NaN
/// gives NaN.
///
/// The reference's `processors.Mix` means to do this and does not: its gains are `sqrt(m)` and
/// `1 - sqrt(1 - m)`, so that 0 is silence, and 1 both signals at full level. Sine and cosine, and not
/// `sqrt(m)` and `sqrt(1 - m)`, since their gradients stay finite at the ends.
///
/// The signals and `mixed` hold `n_frames` hops, the last frame held, or one less: then the last frame
/// is only the end of the last interpolation, and the first of the next block. Any such split gives the
/// same samples, bit for bit.
///
/// # Panics
///
/// If `hop` is 0, or a length is not as said.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn mix(
    signal_one: &[f32],
    signal_two: &[f32],
    mix_level: &[f32],
    hop: usize,
    mixed: &mut [f32],
) {
    check_mix(signal_one, signal_two, mix_level, hop, mixed.len());
    Simd::widest().run(Mix { signal_one, signal_two, mix_level, hop, mixed });
}

/// Accumulates the vector-Jacobian product of [`mix`] with `grad_mixed`.
///
/// The signals get `grad_mixed` times their gains; `m` gets
/// `grad_mixed pi / 2 (cos(pi m / 2) signal_one - sin(pi m / 2) signal_two)`, 0 where it is held, and
/// hands it to the two frames around it.
///
/// # Panics
///
/// As [`mix`], or if a gradient's length is not its input's.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn mix_backward(
    signal_one: &[f32],
    signal_two: &[f32],
    mix_level: &[f32],
    hop: usize,
    grad_mixed: &[f32],
    grads: MixGradients<'_>,
) {
    check_mix(signal_one, signal_two, mix_level, hop, grad_mixed.len());
    for (name, n_grad, n) in [
        ("signal_one", grads.signal_one.len(), signal_one.len()),
        ("signal_two", grads.signal_two.len(), signal_two.len()),
        ("mix_level", grads.mix_level.len(), mix_level.len()),
    ] {
        assert_eq!(n_grad, n, "mix: grad of {n_grad} of {n} {name} values");
    }
    Simd::widest().run(MixBackward { signal_one, signal_two, mix_level, hop, grad_mixed, grads });
}

fn check_mix(one: &[f32], two: &[f32], mix_level: &[f32], hop: usize, n_mixed: usize) {
    let (n_one, n_two, n_frames) = (one.len(), two.len(), mix_level.len());
    assert!(hop > 0, "mix: a hop of 0");
    assert_eq!(n_two, n_one, "mix: {n_two} samples to mix with {n_one}");
    assert_eq!(n_mixed, n_one, "mix: {n_mixed} mixed samples of {n_one}");
    assert!(
        n_one == n_frames * hop || n_one + hop == n_frames * hop,
        "mix: {n_one} samples for {n_frames} frames at hop {hop}"
    );
}

/// The level between two frames.
#[derive(Clone, Copy)]
struct Ramp {
    here: f32,
    step: f32,
}

impl Ramp {
    /// From frame `i` to the next; the last is held.
    #[inline(always)]
    fn new(mix_level: &[f32], i: usize) -> Self {
        let here = mix_level[i];
        Self { here, step: mix_level[(i + 1).min(mix_level.len() - 1)] - here }
    }

    /// The level at `weight` of the next frame, and the gains of both signals there.
    #[inline(always)]
    fn at<const FMA: bool>(self, weight: f32) -> (f32, [f32; 2]) {
        let level = self.here + weight * self.step;
        let held = level.clamp(0.0, 1.0);
        // A quarter turn is 2^30. NaN becomes 0 here, so it is put back.
        #[expect(clippy::cast_possible_truncation, reason = "a phase of up to a quarter turn")]
        let phase = (held * QUARTER_TURN as f32) as i32;
        let nan = 0.0 * held;
        (level, [sine::<FMA>(phase) + nan, sine::<FMA>(QUARTER_TURN - phase) + nan])
    }
}

struct Mix<'a> {
    signal_one: &'a [f32],
    signal_two: &'a [f32],
    mix_level: &'a [f32],
    hop: usize,
    mixed: &'a mut [f32],
}

impl Kernel for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let hop = self.hop;
        let signals = self.signal_one.chunks(hop).zip(self.signal_two.chunks(hop));
        for (i, (mixed, (one, two))) in self.mixed.chunks_mut(hop).zip(signals).enumerate() {
            let ramp = Ramp::new(self.mix_level, i);
            for (j, ((y, one), two)) in mixed.iter_mut().zip(one).zip(two).enumerate() {
                let (_, [gain_one, gain_two]) = ramp.at::<FMA>(j as f32 / hop as f32);
                *y = gain_one * one + gain_two * two;
            }
        }
    }
}

struct MixBackward<'a> {
    signal_one: &'a [f32],
    signal_two: &'a [f32],
    mix_level: &'a [f32],
    hop: usize,
    grad_mixed: &'a [f32],
    grads: MixGradients<'a>,
}

impl Kernel for MixBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        let (hop, last) = (self.hop, self.mix_level.len().saturating_sub(1));
        for (i, grad) in self.grad_mixed.chunks(hop).enumerate() {
            let ramp = Ramp::new(self.mix_level, i);
            // In f64: a hop may be long.
            let (mut here, mut next) = (0.0_f64, 0.0_f64);
            for start in (0..grad.len()).step_by(TILE) {
                let weights = std::array::from_fn(|j| (start + j) as f32 / hop as f32);
                let grad = &grad[start..(start + TILE).min(hop)];
                let (both, later) = self.tile::<FMA>(ramp, &weights, i * hop + start, grad);
                here += f64::from(both - later);
                next += f64::from(later);
            }
            for (frame, sum) in [(i, here), ((i + 1).min(last), next)] {
                #[expect(clippy::cast_possible_truncation, reason = "rounds a sum to f32")]
                {
                    self.grads.mix_level[frame] += (FRAC_PI_2 * sum) as f32;
                }
            }
        }
    }
}

impl MixBackward<'_> {
    /// Gradients of the signals from sample `start` on; returns the sum of those of the level, and the
    /// sum of them times the weight of the next frame, both without the factor `pi / 2`.
    #[inline(always)]
    fn tile<const FMA: bool>(
        &mut self,
        ramp: Ramp,
        weights: &[f32; TILE],
        start: usize,
        grad: &[f32],
    ) -> (f32, f32) {
        let range = start..start + grad.len();
        let (one, two) = (&self.signal_one[range.clone()], &self.signal_two[range.clone()]);
        let grad_one = &mut self.grads.signal_one[range.clone()];
        let grad_two = &mut self.grads.signal_two[range];
        let (mut both, mut next) = ([0.0; TILE], [0.0; TILE]);
        for (j, grad) in grad.iter().enumerate() {
            let (level, [gain_one, gain_two]) = ramp.at::<FMA>(weights[j]);
            grad_one[j] += gain_one * grad;
            grad_two[j] += gain_two * grad;
            let inside = if (0.0..=1.0).contains(&level) { 1.0 } else { 0.0 };
            both[j] = inside * grad * (gain_two * one[j] - gain_one * two[j]);
            next[j] = weights[j] * both[j];
        }
        (sum_lanes(both), sum_lanes(next))
    }
}

/// Writes the sum of two signals to `sum`; all are as long.
///
/// # Panics
///
/// If the lengths differ.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn add(signal_one: &[f32], signal_two: &[f32], sum: &mut [f32]) {
    check_add(sum.len(), [signal_one.len(), signal_two.len()]);
    for ((sum, one), two) in sum.iter_mut().zip(signal_one).zip(signal_two) {
        *sum = one + two;
    }
}

/// Accumulates the transpose of [`add`]: both signals get `grad_sum`.
///
/// # Panics
///
/// If the lengths differ.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn add_backward(grad_sum: &[f32], grad_signal_one: &mut [f32], grad_signal_two: &mut [f32]) {
    check_add(grad_sum.len(), [grad_signal_one.len(), grad_signal_two.len()]);
    for ((grad, one), two) in grad_sum.iter().zip(grad_signal_one).zip(grad_signal_two) {
        *one += grad;
        *two += grad;
    }
}

fn check_add(n_sum: usize, [n_one, n_two]: [usize; 2]) {
    assert_eq!(n_two, n_one, "add: {n_two} samples to add to {n_one}");
    assert_eq!(n_sum, n_one, "add: a sum of {n_sum} samples of {n_one}");
}

/// From where [`crop`] takes samples away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CropLocation {
    /// From the front.
    Front,
    /// As many from the front as from the back, one more from the back if they are odd.
    Centre,
    /// From the back.
    Back,
}

impl CropLocation {
    /// Of `n_excess` samples to take away, how many are at the front.
    fn n_front(self, n_excess: usize) -> usize {
        match self {
            Self::Front => n_excess,
            Self::Centre => n_excess / 2,
            Self::Back => 0,
        }
    }
}

/// Cuts `audio` to the length of `cropped`, which it overwrites.
///
/// The reference's `processors.Crop` takes `frame_size - 1` samples away.
///
/// # Panics
///
/// If `cropped` is longer than `audio`.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn crop(audio: &[f32], location: CropLocation, cropped: &mut [f32]) {
    let front = location.n_front(excess(audio.len(), cropped.len()));
    cropped.copy_from_slice(&audio[front..front + cropped.len()]);
}

/// Accumulates the transpose of [`crop`] into `grad_audio`: what was cut off gets nothing.
///
/// # Panics
///
/// If `grad_cropped` is longer than `grad_audio`.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn crop_backward(grad_cropped: &[f32], location: CropLocation, grad_audio: &mut [f32]) {
    let front = location.n_front(excess(grad_audio.len(), grad_cropped.len()));
    for (sum, grad) in grad_audio[front..].iter_mut().zip(grad_cropped) {
        *sum += grad;
    }
}

fn excess(n: usize, n_cropped: usize) -> usize {
    assert!(n_cropped <= n, "crop: {n} samples to {n_cropped}");
    n - n_cropped
}

#[cfg(test)]
pub(crate) mod tests;
