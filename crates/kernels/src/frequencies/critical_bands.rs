//! Frequencies that stay within critical bands of hearing.

use super::{check, check_gradient};
use crate::elementary::sigmoid_and_complement;
use crate::scale::SoftLimit;
use crate::simd::{Kernel, Simd};
use crate::units::bands::{bark_of, erb_of, hz_of_bark, hz_of_mel, mel_of};

/// A scale of hearing on which centre frequencies are evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CriticalScale {
    /// Critical bands (Traunmüller 1990).
    Bark,
    /// Mel (HTK).
    Mel,
}

impl CriticalScale {
    pub(super) fn of_hz(self, hz: f64) -> f64 {
        match self {
            Self::Bark => bark_of(hz),
            Self::Mel => mel_of(hz),
        }
    }

    pub(super) fn to_hz(self, place: f64) -> f64 {
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
