//! Controls from one number of frames to another.
//!
//! For small controls, features and tests: the synthesizers interpolate inside their own loops and
//! never make a buffer of samples by channels.

#[cfg(test)]
pub(crate) mod tests;

use std::f64::consts::PI;

/// How values between frames are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The frame before ([`Endpoint::Held`]) or the nearest one, the later of two
    /// ([`Endpoint::Last`]).
    Nearest,
    /// Straight lines.
    Linear,
    /// Cubic convolution with four frames (Keys 1981), `a = -0.75`; overshoots.
    ///
    /// The reference rounds the position between two frames to 1/1024, which shifts its weights by up
    /// to 2e-3; here they are exact.
    Cubic,
    /// Raised-cosine crossfades, as overlapping Hann windows add up to.
    Window,
}

/// What the end of the output stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// One step after the last frame, which is held: `n_out / n_in` values for each frame. The
    /// reference's `add_endpoint=True`, and the grid of every control here.
    Held,
    /// The last frame itself: `n_in - 1` steps. The reference's `add_endpoint=False`; with
    /// [`Interpolation::Window`] the last frame would be one value further on.
    Last,
}

/// Frames at other times: `[n_in, n_channels]` to `[n_out, n_channels]`.
///
/// `resample` of magenta/ddsp 3.7: output `i` lies at `i * n_in / n_out` frames
/// ([`Endpoint::Held`]) or `i * (n_in - 1) / (n_out - 1)` ([`Endpoint::Last`]); any length, up or
/// down, also where the reference's windows demand whole hops. There is no low-pass: fewer frames
/// than changes alias.
#[derive(Clone, Debug)]
pub struct Resample {
    n_in: usize,
    /// Frames that make up one value.
    n_taps: usize,
    /// `[n_out, n_taps]`
    frames: Vec<u32>,
    /// `[n_out, n_taps]`; each row sums to 1.
    weights: Vec<f32>,
}

impl Resample {
    /// Plans `n_in` frames to `n_out`.
    ///
    /// # Panics
    ///
    /// If `n_in` is 0 and `n_out` is not, or `n_in` exceeds 2^32 - 1.
    pub fn new(n_in: usize, n_out: usize, interpolation: Interpolation, end: Endpoint) -> Self {
        Self::with_fraction(n_in, n_out, interpolation, end, |fraction| fraction)
    }

    /// `fraction` is applied to the position between two frames, for the tests.
    fn with_fraction(
        n_in: usize,
        n_out: usize,
        interpolation: Interpolation,
        end: Endpoint,
        fraction: impl Fn(f64) -> f64,
    ) -> Self {
        assert!(n_in > 0 || n_out == 0, "Resample: no frame for {n_out} values");
        u32::try_from(n_in).unwrap_or_else(|_| panic!("Resample: {n_in} frames are too many"));
        let n_taps = match interpolation {
            Interpolation::Nearest => 1,
            Interpolation::Linear | Interpolation::Window => 2,
            Interpolation::Cubic => 4,
        };
        let (mut frames, mut weights) = (Vec::new(), Vec::new());
        for i in 0..n_out {
            let place = Place::new(i, n_in, n_out, interpolation, end);
            let u = fraction(place.fraction);
            let (first, taps): (isize, [f64; 4]) = match interpolation {
                Interpolation::Nearest => (0, [1.0, 0.0, 0.0, 0.0]),
                Interpolation::Linear => (0, [1.0 - u, u, 0.0, 0.0]),
                Interpolation::Window => {
                    let next = 0.5 - 0.5 * (PI * u).cos();
                    (0, [1.0 - next, next, 0.0, 0.0])
                }
                Interpolation::Cubic => (-1, cubic_weights(u)),
            };
            for (tap, weight) in (first..).zip(&taps[..n_taps]) {
                // Frames beyond the ends are those at the ends.
                let frame = place.frame.saturating_add_signed(tap).min(n_in - 1);
                frames.push(u32::try_from(frame).expect("below n_in"));
                weights.push(round(*weight));
            }
        }
        Self { n_in, n_taps, frames, weights }
    }

    /// Number of frames that come out.
    pub fn n_out(&self) -> usize {
        self.frames.len() / self.n_taps
    }

    /// Overwrites `resampled` `[n_out, n_channels]` from `frames` `[n_in, n_channels]`.
    ///
    /// # Panics
    ///
    /// If a length is not as said, or `n_channels` is 0.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&self, frames: &[f32], n_channels: usize, resampled: &mut [f32]) {
        self.check(frames.len(), n_channels, resampled.len());
        for (row, out) in resampled.chunks_exact_mut(n_channels).enumerate() {
            let taps = row * self.n_taps..(row + 1) * self.n_taps;
            out.fill(0.0);
            for (frame, weight) in self.frames[taps.clone()].iter().zip(&self.weights[taps]) {
                // A frame that does not count is not looked at: it may be infinite.
                if *weight != 0.0 {
                    let frame = &frames[*frame as usize * n_channels..][..n_channels];
                    for (y, x) in out.iter_mut().zip(frame) {
                        *y += weight * x;
                    }
                }
            }
        }
    }

    /// Accumulates into `grad_frames` the transpose of [`forward`](Self::forward), a linear map.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&self, grad_resampled: &[f32], n_channels: usize, grad_frames: &mut [f32]) {
        self.check(grad_frames.len(), n_channels, grad_resampled.len());
        for (row, grad) in grad_resampled.chunks_exact(n_channels).enumerate() {
            let taps = row * self.n_taps..(row + 1) * self.n_taps;
            for (frame, weight) in self.frames[taps.clone()].iter().zip(&self.weights[taps]) {
                let frame = &mut grad_frames[*frame as usize * n_channels..][..n_channels];
                for (sum, g) in frame.iter_mut().zip(grad) {
                    *sum += weight * g;
                }
            }
        }
    }

    fn check(&self, n_frame_values: usize, n_channels: usize, n_out_values: usize) {
        let (n_in, n_out) = (self.n_in, self.n_out());
        assert!(n_channels > 0, "Resample: 0 channels");
        assert_eq!(
            n_frame_values,
            n_in * n_channels,
            "Resample: {n_frame_values} values for {n_in} frames of {n_channels} channels"
        );
        assert_eq!(
            n_out_values,
            n_out * n_channels,
            "Resample: {n_out_values} values out for {n_out} frames of {n_channels} channels"
        );
    }
}

/// Where an output lies: at a frame, and how far on the way to the next.
struct Place {
    frame: usize,
    fraction: f64,
}

impl Place {
    fn new(i: usize, n_in: usize, n_out: usize, how: Interpolation, end: Endpoint) -> Self {
        // As a quotient of whole numbers, so that no rounding moves a value across a frame.
        let (step, per) = match end {
            Endpoint::Held => (n_in, n_out),
            Endpoint::Last if how == Interpolation::Window => (n_in - 1, n_out),
            Endpoint::Last => (n_in - 1, (n_out - 1).max(1)),
        };
        let place = i as u128 * step as u128;
        let (frame, rest) = (place / per as u128, place % per as u128);
        let frame = usize::try_from(frame).expect("at most n_in");
        let fraction = rest as f64 / per as f64;
        let is_nearer = how == Interpolation::Nearest && end == Endpoint::Last && fraction >= 0.5;
        Self { frame: frame + usize::from(is_nearer), fraction }
    }
}

/// Keys' cubic convolution kernel with `a = -0.75` at distances `1 + u`, `u`, `1 - u`, `2 - u`.
fn cubic_weights(u: f64) -> [f64; 4] {
    const A: f64 = -0.75;
    let near = |d: f64| ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
    let far = |d: f64| ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
    [far(1.0 + u), near(u), near(1.0 - u), far(2.0 - u)]
}

/// Weight of the next frame, `offset` samples after the present one: a straight line.
pub(crate) fn linear_weight(offset: usize, hop: usize) -> f32 {
    offset as f32 / hop as f32
}

/// Weight of the next frame, `offset` samples after the present one: half a period of a cosine.
pub(crate) fn window_weight(offset: usize, hop: usize) -> f32 {
    round(0.5 - 0.5 * (PI * offset as f64 / hop as f64).cos())
}

#[expect(clippy::cast_possible_truncation, reason = "rounds a weight of about 1 to f32")]
fn round(weight: f64) -> f32 {
    weight as f32
}
