//! Network outputs to the frequencies of oscillators.
//!
//! Each frequency comes from `depth` raw outputs, which lie side by side: `[n_frames, n_sinusoids,
//! depth]`. Raw outputs are any real numbers, **not** Hz: 440 here is the upper end of the range.
//! From magenta/ddsp 3.7.

mod critical_bands;
#[cfg(test)]
pub(crate) mod tests;

pub use critical_bands::{CriticalBandsConfig, CriticalScale, FrequenciesCriticalBands};

use crate::elementary::{exp_of_negative, sigmoid_and_complement};
use crate::simd::{Kernel, Simd};

/// Frequency of MIDI note 0, which stands for 0 Hz where a logarithm is taken.
const MIDI_0_HZ: f64 = 8.175_798_915_643_707;

/// `hz_max exp(-rate (1 - unit))`: from one frequency to another, evenly in pitch.
#[derive(Clone, Copy, Debug)]
struct Ladder {
    hz_max: f32,
    rate: f32,
}

impl Ladder {
    #[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
    fn new(hz_min: f64, hz_max: f64) -> Self {
        let hz_min = if hz_min <= 0.0 { MIDI_0_HZ } else { hz_min };
        Self { hz_max: hz_max as f32, rate: (hz_max / hz_min).ln() as f32 }
    }

    /// The frequency at a place, given its distance from the upper end; `rate` times it is the slope.
    #[inline(always)]
    fn hz<const FMA: bool>(self, distance: f32) -> f32 {
        let exponent = -self.rate * distance;
        // A range below 8.18 Hz runs backwards.
        if exponent > 0.0 {
            self.hz_max / exp_of_negative::<FMA>(-exponent)
        } else {
            self.hz_max * exp_of_negative::<FMA>(exponent)
        }
    }
}

/// Frequencies as sums of sigmoids, each over a smaller part of the range: the reference's
/// `frequencies_sigmoid`, and the map of its sinusoidal synthesizer.
#[derive(Clone, Debug)]
pub struct FrequenciesSigmoid {
    ladders: Vec<Ladder>,
}

impl FrequenciesSigmoid {
    /// From `hz_min` (0 counts as MIDI 0, 8.18 Hz) to `hz_max - hz_min`, from `depth` outputs each.
    ///
    /// # Panics
    ///
    /// If `depth` is 0.
    pub fn new(depth: usize, hz_min: f32, hz_max: f32) -> Self {
        assert!(depth > 0, "FrequenciesSigmoid: a depth of 0");
        let mut remainder = f64::from(hz_max) - f64::from(hz_min);
        let factor = remainder.powf(1.0 / depth as f64);
        let mut ladders = Vec::with_capacity(depth);
        for _ in 1..depth {
            let part = remainder * (1.0 - 1.0 / factor);
            remainder -= part;
            ladders.push(Ladder::new(0.0, part));
        }
        ladders.push(Ladder::new(f64::from(hz_min), remainder));
        Self { ladders }
    }

    /// Overwrites `frequencies_hz` `[n]` from raw outputs `x` `[n, depth]`.
    ///
    /// # Panics
    ///
    /// If `x` has not `depth` values for each frequency.
    pub fn forward(&self, x: &[f32], frequencies_hz: &mut [f32]) {
        check("FrequenciesSigmoid", self.ladders.len(), x.len(), frequencies_hz.len());
        let ladders = &self.ladders;
        Simd::widest().run(SigmoidForward { ladders, x, frequencies_hz });
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// With `s = sigmoid(x)`: `d hz / dx = rate hz s (1 - s)` of each part.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if `grad_x` differs from `x` in length.
    pub fn backward(&self, x: &[f32], grad_frequencies_hz: &[f32], grad_x: &mut [f32]) {
        check("FrequenciesSigmoid", self.ladders.len(), x.len(), grad_frequencies_hz.len());
        check_gradient("FrequenciesSigmoid", x.len(), grad_x.len());
        let ladders = &self.ladders;
        Simd::widest().run(SigmoidBackward { ladders, x, grad_frequencies_hz, grad_x });
    }
}

struct SigmoidForward<'a> {
    ladders: &'a [Ladder],
    x: &'a [f32],
    frequencies_hz: &'a mut [f32],
}

impl Kernel for SigmoidForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let part = |ladder: Ladder, x: f32| ladder.hz::<FMA>(sigmoid_and_complement::<FMA>(x).1);
        if let [ladder] = *self.ladders {
            for (hz, x) in self.frequencies_hz.iter_mut().zip(self.x) {
                *hz = part(ladder, *x);
            }
            return;
        }
        let rows = self.x.chunks_exact(self.ladders.len());
        for (hz, x) in self.frequencies_hz.iter_mut().zip(rows) {
            *hz = self.ladders.iter().zip(x).map(|(ladder, x)| part(*ladder, *x)).sum();
        }
    }
}

struct SigmoidBackward<'a> {
    ladders: &'a [Ladder],
    x: &'a [f32],
    grad_frequencies_hz: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for SigmoidBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let depth = self.ladders.len();
        let rows = self.x.chunks_exact(depth).zip(self.grad_x.chunks_exact_mut(depth));
        for ((x, grad_x), grad_hz) in rows.zip(self.grad_frequencies_hz) {
            for ((ladder, x), grad_x) in self.ladders.iter().zip(x).zip(grad_x) {
                let (s, complement) = sigmoid_and_complement::<FMA>(*x);
                *grad_x += grad_hz * ladder.rate * ladder.hz::<FMA>(complement) * (s * complement);
            }
        }
    }
}

/// Frequencies as the expected place among `depth` bins that are evenly spaced in pitch: the
/// reference's `frequencies_softmax`. With a depth of 1 there is one bin, `hz_min`.
#[derive(Clone, Debug)]
pub struct FrequenciesSoftmax {
    depth: usize,
    ladder: Ladder,
}

impl FrequenciesSoftmax {
    /// From `hz_min` (0 counts as MIDI 0, 8.18 Hz) to `hz_max`, from `depth` outputs each.
    ///
    /// # Panics
    ///
    /// If `depth` is 0.
    pub fn new(depth: usize, hz_min: f32, hz_max: f32) -> Self {
        assert!(depth > 0, "FrequenciesSoftmax: a depth of 0");
        Self { depth, ladder: Ladder::new(f64::from(hz_min), f64::from(hz_max)) }
    }

    /// Overwrites `frequencies_hz` `[n]` from raw outputs `x` `[n, depth]`.
    ///
    /// # Panics
    ///
    /// If `x` has not `depth` values for each frequency.
    pub fn forward(&self, x: &[f32], frequencies_hz: &mut [f32]) {
        check("FrequenciesSoftmax", self.depth, x.len(), frequencies_hz.len());
        let (depth, ladder) = (self.depth, self.ladder);
        Simd::widest().run(SoftmaxForward { depth, ladder, x, frequencies_hz });
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// With probabilities `p_i` of the bins at distances `d_i` from the upper end and their mean
    /// `d`: `d hz / dx_i = -rate hz p_i (d_i - d)`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if `grad_x` differs from `x` in length.
    pub fn backward(&self, x: &[f32], grad_frequencies_hz: &[f32], grad_x: &mut [f32]) {
        check("FrequenciesSoftmax", self.depth, x.len(), grad_frequencies_hz.len());
        check_gradient("FrequenciesSoftmax", x.len(), grad_x.len());
        let (depth, ladder) = (self.depth, self.ladder);
        Simd::widest().run(SoftmaxBackward { depth, ladder, x, grad_frequencies_hz, grad_x });
    }
}

/// How far bin `i` is from the upper end, as a share of the range.
#[inline(always)]
fn bin_distance(i: usize, depth: usize) -> f32 {
    if depth == 1 { 1.0 } else { (depth - 1 - i) as f32 / (depth - 1) as f32 }
}

/// What both passes need of the outputs of one frequency.
struct Softmax {
    /// The largest output, whose share is 1 before all are divided by their sum.
    largest: f32,
    sum: f32,
    /// Distance of the bin of the largest output.
    anchor: f32,
    /// By how much the mean distance exceeds it: apart, since differences from the mean would cancel
    /// where one bin has almost everything.
    excess: f32,
}

impl Softmax {
    #[inline(always)]
    fn new<const FMA: bool>(outputs: &[f32]) -> Self {
        let (mut largest, mut anchor) = (outputs[0], bin_distance(0, outputs.len()));
        for (i, &x) in outputs.iter().enumerate() {
            // A NaN becomes the largest, so that it shows.
            if x > largest || x.is_nan() {
                (largest, anchor) = (x, bin_distance(i, outputs.len()));
            }
        }
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (i, x) in outputs.iter().enumerate() {
            let share = exp_of_negative::<FMA>(x - largest);
            sum += share;
            weighted += share * (bin_distance(i, outputs.len()) - anchor);
        }
        Self { largest, sum, anchor, excess: weighted / sum }
    }
}

struct SoftmaxForward<'a> {
    depth: usize,
    ladder: Ladder,
    x: &'a [f32],
    frequencies_hz: &'a mut [f32],
}

impl Kernel for SoftmaxForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (hz, x) in self.frequencies_hz.iter_mut().zip(self.x.chunks_exact(self.depth)) {
            let softmax = Softmax::new::<FMA>(x);
            *hz = self.ladder.hz::<FMA>(softmax.anchor + softmax.excess);
        }
    }
}

struct SoftmaxBackward<'a> {
    depth: usize,
    ladder: Ladder,
    x: &'a [f32],
    grad_frequencies_hz: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let rows = self.x.chunks_exact(self.depth).zip(self.grad_x.chunks_exact_mut(self.depth));
        for ((x, grad_x), grad_hz) in rows.zip(self.grad_frequencies_hz) {
            let Softmax { largest, sum, anchor, excess } = Softmax::new::<FMA>(x);
            let slope = -grad_hz * self.ladder.rate * self.ladder.hz::<FMA>(anchor + excess);
            for (i, (grad_x, x)) in grad_x.iter_mut().zip(x).enumerate() {
                let share = exp_of_negative::<FMA>(x - largest) / sum;
                *grad_x += slope * share * (bin_distance(i, self.depth) - anchor - excess);
            }
        }
    }
}

fn check(name: &str, depth: usize, n_x: usize, n_hz: usize) {
    assert_eq!(n_x, n_hz * depth, "{name}: {n_x} outputs of depth {depth} for {n_hz} frequencies");
}

fn check_gradient(name: &str, n_x: usize, n_grad: usize) {
    assert_eq!(n_grad, n_x, "{name}: grad of {n_grad} of {n_x} outputs");
}
