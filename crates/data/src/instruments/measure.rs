//! Measurements on audio, for the tests of the instruments' traits.

#![expect(clippy::cast_possible_truncation, reason = "counts of bins and frames")]
#![expect(clippy::cast_sign_loss, reason = "frequencies and times are not negative")]

use realfft::RealFftPlanner;
use std::f64::consts::TAU;
use std::ops::Range;

/// Rate of the tracks below, in Hz.
pub(super) const TRACK_HZ: f64 = 200.0;

/// A Hann-windowed spectrum; a sinusoid's peak has its amplitude.
pub(super) struct Spectrum {
    bin_hz: f64,
    /// Amplitudes in dB.
    pub db: Vec<f64>,
}

impl Spectrum {
    /// The spectrum of `audio` between two times, zero-padded to four times its length.
    pub(super) fn new(audio: &[f32], sample_rate: f64, secs: Range<f64>) -> Self {
        let part = &audio[(secs.start * sample_rate) as usize..(secs.end * sample_rate) as usize];
        let fft_len = (4 * part.len()).next_power_of_two();
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(fft_len);
        let mut input = fft.make_input_vec();
        for (i, (y, &x)) in input.iter_mut().zip(part).enumerate() {
            *y = f64::from(x) * (0.5 - 0.5 * (TAU * (i as f64 + 0.5) / part.len() as f64).cos());
        }
        let mut output = fft.make_output_vec();
        fft.process(&mut input, &mut output).expect("buffers of the plan's own lengths");
        let scale = 4.0 / part.len() as f64;
        let db = output.iter().map(|c| 20.0 * (c.norm() * scale).max(1e-12).log10()).collect();
        Self { bin_hz: sample_rate / fft_len as f64, db }
    }

    /// Frequency and level of the highest bin within `width_hz` of `hz`, refined by a parabola.
    pub(super) fn peak(&self, hz: f64, width_hz: f64) -> (f64, f64) {
        let bins = self.bins(hz - width_hz..hz + width_hz);
        let i = bins.max_by(|&i, &j| self.db[i].total_cmp(&self.db[j])).expect("a range with bins");
        let (a, b, c) = (self.db[i - 1], self.db[i], self.db[i + 1]);
        let offset = (0.5 * (a - c) / (a - 2.0 * b + c)).clamp(-0.5, 0.5);
        ((i as f64 + offset) * self.bin_hz, b - 0.25 * (a - c) * offset)
    }

    /// Power in a band, in dB.
    pub(super) fn band_db(&self, hz: Range<f64>) -> f64 {
        10.0 * self.bins(hz).map(|i| 10.0_f64.powf(self.db[i] / 10.0)).sum::<f64>().log10()
    }

    /// Median level of the bins in a band, in dB.
    pub(super) fn median_db(&self, hz: Range<f64>) -> f64 {
        median(self.bins(hz).map(|i| self.db[i]).collect())
    }

    /// Centre of the power's distribution over frequency, in Hz.
    pub(super) fn centroid_hz(&self) -> f64 {
        let power = |i: usize| 10.0_f64.powf(self.db[i] / 10.0);
        let bins = 1..self.db.len();
        let moment: f64 = bins.clone().map(|i| i as f64 * self.bin_hz * power(i)).sum();
        moment / bins.map(power).sum::<f64>()
    }

    fn bins(&self, hz: Range<f64>) -> Range<usize> {
        let start = (hz.start / self.bin_hz).ceil().max(1.0) as usize;
        let end = ((hz.end / self.bin_hz) as usize + 1).min(self.db.len() - 1);
        assert!(start < end, "no bins between {} and {} Hz", hz.start, hz.end);
        start..end
    }
}

/// Frequency and level over time of the partial near one frequency.
pub(super) struct Track {
    /// Cents above the frequency asked for.
    pub cents: Vec<f64>,
    /// Amplitude in dB.
    pub db: Vec<f64>,
}

/// Follows the partial near `hz` by shifting it to zero and averaging over `window_secs` (Hann).
pub(super) fn track(audio: &[f32], sample_rate: f64, hz: f64, window_secs: f64) -> Track {
    let shifted: Vec<(f64, f64)> = audio
        .iter()
        .enumerate()
        .map(|(i, &x)| {
            let (sin, cos) = (TAU * (hz * i as f64 / sample_rate).fract()).sin_cos();
            (f64::from(x) * cos, -f64::from(x) * sin)
        })
        .collect();
    let n = (window_secs * sample_rate) as usize;
    let window: Vec<f64> =
        (0..n).map(|i| 0.5 - 0.5 * (TAU * (i as f64 + 0.5) / n as f64).cos()).collect();
    let hop = (sample_rate / TRACK_HZ) as usize;
    let points: Vec<(f64, f64)> = (0..audio.len().saturating_sub(n) / hop)
        .map(|frame| {
            let part = &shifted[frame * hop..frame * hop + n];
            let sum = part
                .iter()
                .zip(&window)
                .fold((0.0, 0.0), |s, (x, w)| (s.0 + x.0 * w, s.1 + x.1 * w));
            (4.0 * sum.0 / n as f64, 4.0 * sum.1 / n as f64)
        })
        .collect();
    let cents = points.windows(2).map(|p| {
        // The turn from one point to the next: the angle of their quotient.
        let (re, im) = (p[0].0 * p[1].0 + p[0].1 * p[1].1, p[0].0 * p[1].1 - p[0].1 * p[1].0);
        1200.0 * (1.0 + im.atan2(re) / TAU * TRACK_HZ / hz).max(0.1).log2()
    });
    let db = points.iter().map(|p| 10.0 * (p.0 * p.0 + p.1 * p.1).max(1e-20).log10());
    Track { cents: cents.collect(), db: db.collect() }
}

/// Rate in Hz and half-range of the strongest sway of a track between 3 and 9 Hz.
pub(super) fn sway(track: &[f64]) -> (f64, f64) {
    let centre = mean(track);
    let n = track.len() as f64;
    let at = |hz: f64| {
        let sum = track.iter().enumerate().fold((0.0, 0.0), |s, (i, x)| {
            let window = 1.0 - (TAU * (i as f64 + 0.5) / n).cos();
            let (sin, cos) = (TAU * hz * i as f64 / TRACK_HZ).sin_cos();
            (s.0 + (x - centre) * window * cos, s.1 + (x - centre) * window * sin)
        });
        2.0 * (sum.0 * sum.0 + sum.1 * sum.1).sqrt() / n
    };
    let rates = (0..=60).map(|i| 3.0 + 0.1 * f64::from(i));
    rates.map(|hz| (hz, at(hz))).fold((0.0, 0.0), |best, x| if x.1 > best.1 { x } else { best })
}

/// Inharmonicity `B` of `f_k = k f sqrt(1 + B k^2)` by a line through `(f_k / k)^2` over `k^2`.
pub(super) fn inharmonicity(peaks_hz: &[(usize, f64)]) -> f64 {
    let points: Vec<(f64, f64)> =
        peaks_hz.iter().map(|&(k, hz)| ((k * k) as f64, (hz / k as f64).powi(2))).collect();
    let (slope, intercept) = line(&points);
    slope / intercept
}

/// Slope and intercept of the least-squares line.
pub(super) fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0 / n, s.1 + p.1 / n));
    let covariance: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let variance: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = covariance / variance;
    (slope, y - slope * x)
}

/// RMS level in dB over windows of 20 ms.
pub(super) fn levels_db(audio: &[f32], sample_rate: f64) -> Vec<f64> {
    let level = |part: &[f32]| {
        let power = part.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / part.len() as f64;
        10.0 * power.max(1e-20).log10()
    };
    audio.chunks_exact((0.02 * sample_rate) as usize).map(level).collect()
}

pub(super) fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

pub(super) fn deviation(x: &[f64]) -> f64 {
    let centre = mean(x);
    (x.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / x.len() as f64).sqrt()
}

pub(super) fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}
