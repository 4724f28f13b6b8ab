//! Network outputs to the frequencies of oscillators.
//!
//! Each frequency comes from `depth` raw outputs, which lie side by side: `[n_frames, n_sinusoids,
//! depth]`. Raw outputs are any real numbers, **not** Hz: 440 here is the upper end of the range.
//! From magenta/ddsp 3.7.

#[cfg(test)]
pub(crate) mod tests;

use crate::elementary::{exp_of_negative, sigmoid_and_complement};
use crate::scale::SoftLimit;
use crate::simd::{Kernel, Simd};
use crate::units::bands::{bark_of, erb_of, hz_of_bark, hz_of_mel, mel_of};

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

/// A scale of hearing on which centre frequencies are evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CriticalScale {
    /// Critical bands (Traunmüller 1990).
    Bark,
    /// Mel (HTK).
    Mel,
}

impl CriticalScale {
    fn of_hz(self, hz: f64) -> f64 {
        match self {
            Self::Bark => bark_of(hz),
            Self::Mel => mel_of(hz),
        }
    }

    fn to_hz(self, place: f64) -> f64 {
        match self {
            Self::Bark => hz_of_bark(place),
            Self::Mel => hz_of_mel(place),
        }
    }
}

/// What [`FrequenciesCriticalBands`] is made from; the default is the reference's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CriticalBandsConfig {
    /// Raw outputs for each frequency.
    pub depth: usize,
    /// By how much less each further output of a frequency counts.
    pub depth_scale: f32,
    /// Range of a frequency on each side of its centre, in equivalent rectangular bandwidths.
    pub bandwidth_scale: f32,
    /// Lowest centre, and lower soft limit.
    pub hz_min: f32,
    /// Highest centre, and upper soft limit.
    pub hz_max: f32,
    /// On which the centres are evenly spaced.
    pub scale: CriticalScale,
}

impl Default for CriticalBandsConfig {
    fn default() -> Self {
        Self {
            depth: 1,
            depth_scale: 10.0,
            bandwidth_scale: 1.0,
            hz_min: 20.0,
            hz_max: 8000.0,
            scale: CriticalScale::Bark,
        }
    }
}

/// Where one frequency may be, Hz.
#[derive(Clone, Copy, Debug)]
struct Band {
    centre: f32,
    /// The centre less the span of the soft limit: apart, since near the upper limit the difference
    /// of two numbers of 8000 would decide the slope.
    above: f32,
    /// On each side of the centre.
    range: f32,
}

/// Frequencies that each move about a centre of their own, within their critical band: the
/// reference's `frequencies_critical_bands`.
///
/// `hz_k = soft_limit(centre_k + bandwidth_scale erb(centre_k) sum_i tanh(x_ki) / depth_scale^i)`,
/// with the soft limit of [`SoftLimit`], which raises the middle by `hz_min`.
#[derive(Clone, Debug)]
pub struct FrequenciesCriticalBands {
    depth: usize,
    depth_scale: f32,
    bands: Vec<Band>,
    limit: SoftLimit,
}

impl FrequenciesCriticalBands {
    /// Of `n_sinusoids` frequencies a frame.
    ///
    /// # Panics
    ///
    /// If the depth or `n_sinusoids` is 0.
    #[expect(clippy::cast_possible_truncation, reason = "centres are computed in f64, kept in f32")]
    pub fn new(n_sinusoids: usize, config: &CriticalBandsConfig) -> Self {
        let &CriticalBandsConfig { depth, depth_scale, bandwidth_scale, hz_min, hz_max, scale } =
            config;
        assert!(
            depth > 0 && n_sinusoids > 0,
            "FrequenciesCriticalBands: {n_sinusoids} frequencies of depth {depth}"
        );
        let (low, high) = (scale.of_hz(f64::from(hz_min)), scale.of_hz(f64::from(hz_max)));
        let step = (high - low) / (n_sinusoids - 1).max(1) as f64;
        let band = |k: usize| {
            let centre = scale.to_hz(low + step * k as f64);
            let above = centre - (f64::from(hz_max) - f64::from(hz_min));
            let range = bandwidth_scale * erb_of(centre) as f32;
            Band { centre: centre as f32, above: above as f32, range }
        };
        let bands = (0..n_sinusoids).map(band).collect();
        Self { depth, depth_scale, bands, limit: SoftLimit { min: hz_min, max: hz_max } }
    }

    /// Overwrites `frequencies_hz` `[n_frames, n_sinusoids]` from raw outputs `x`
    /// `[n_frames, n_sinusoids, depth]`.
    ///
    /// # Panics
    ///
    /// If the lengths are not of whole frames, or not of equally many.
    pub fn forward(&self, x: &[f32], frequencies_hz: &mut [f32]) {
        self.check(x.len(), frequencies_hz.len());
        Simd::widest().run(BandsForward { map: self, x, frequencies_hz });
    }

    /// Accumulates into `grad_x` the vector-Jacobian product of [`forward`](Self::forward).
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if `grad_x` differs from `x` in length.
    pub fn backward(&self, x: &[f32], grad_frequencies_hz: &[f32], grad_x: &mut [f32]) {
        self.check(x.len(), grad_frequencies_hz.len());
        check_gradient("FrequenciesCriticalBands", x.len(), grad_x.len());
        Simd::widest().run(BandsBackward { map: self, x, grad_frequencies_hz, grad_x });
    }

    fn check(&self, n_x: usize, n_hz: usize) {
        check("FrequenciesCriticalBands", self.depth, n_x, n_hz);
        let n_sinusoids = self.bands.len();
        assert!(
            n_hz.is_multiple_of(n_sinusoids),
            "FrequenciesCriticalBands: {n_hz} frequencies for frames of {n_sinusoids}"
        );
    }

    /// The distance from the centre, before the soft limit.
    #[inline(always)]
    fn distance<const FMA: bool>(&self, band: Band, x: &[f32]) -> f32 {
        let (mut sum, mut weight) = (0.0, 1.0);
        for x in x {
            sum += weight * tanh::<FMA>(*x);
            weight /= self.depth_scale;
        }
        band.range * sum
    }
}

struct BandsForward<'a> {
    map: &'a FrequenciesCriticalBands,
    x: &'a [f32],
    frequencies_hz: &'a mut [f32],
}

impl Kernel for BandsForward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let bands = self.map.bands.iter().cycle();
        let rows = self.frequencies_hz.iter_mut().zip(self.x.chunks_exact(self.map.depth));
        for ((hz, x), band) in rows.zip(bands) {
            let distance = self.map.distance::<FMA>(*band, x);
            *hz = self.map.limit.at::<FMA>(band.centre + distance, band.above + distance);
        }
    }
}

struct BandsBackward<'a> {
    map: &'a FrequenciesCriticalBands,
    x: &'a [f32],
    grad_frequencies_hz: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for BandsBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let depth = self.map.depth;
        let rows = self.x.chunks_exact(depth).zip(self.grad_x.chunks_exact_mut(depth));
        let bands = self.map.bands.iter().cycle();
        for (((x, grad_x), grad_hz), band) in rows.zip(self.grad_frequencies_hz).zip(bands) {
            let distance = self.map.distance::<FMA>(*band, x);
            let slope = SoftLimit::slope::<FMA>(band.centre + distance, band.above + distance);
            let mut factor = grad_hz * slope * band.range;
            for (grad_x, x) in grad_x.iter_mut().zip(x) {
                let (s, complement) = sigmoid_and_complement::<FMA>(2.0 * x);
                // 1 - tanh(x)^2 = 4 sigmoid(2x) (1 - sigmoid(2x)).
                *grad_x += factor * 4.0 * s * complement;
                factor /= self.map.depth_scale;
            }
        }
    }
}

/// `tanh(x) = 2 sigmoid(2 x) - 1`, in the form without cancellation for large `|x|`.
#[inline(always)]
fn tanh<const FMA: bool>(x: f32) -> f32 {
    let (s, complement) = sigmoid_and_complement::<FMA>(2.0 * x);
    s - complement
}

fn check(name: &str, depth: usize, n_x: usize, n_hz: usize) {
    assert_eq!(n_x, n_hz * depth, "{name}: {n_x} outputs of depth {depth} for {n_hz} frequencies");
}

fn check_gradient(name: &str, n_x: usize, n_grad: usize) {
    assert_eq!(n_grad, n_x, "{name}: grad of {n_grad} of {n_x} outputs");
}
