//! The spectrum of one frame through one window, on linear and logarithmic axes.

#![expect(
    clippy::cast_possible_truncation,
    reason = "bin numbers and window values fit the smaller type by construction"
)]

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::salience::{Grid, STEPS_BELOW};
use super::stream::Stream;

/// Where a value of the logarithmic axis comes from.
enum Source {
    /// Between two bins: the lower one and the weight of the upper.
    Between(usize, f32),
    /// The largest of bins `.0 .. .1`: where bins are denser than the axis, none is missed.
    Largest(usize, usize),
}

/// A window length and the range of f0 that is judged through it.
pub(super) struct Band {
    /// Candidates of the grid that belong to this band.
    pub(super) first: usize,
    pub(super) last: usize,
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Power of each bin; a sinusoid's peak is the square of its amplitude.
    pub(super) power: Vec<f32>,
    /// Bins a hertz.
    pub(super) bins_per_hz: f32,
    /// Square root of the amplitude of each bin.
    compressed: Vec<f32>,
    sources: Vec<Source>,
    /// The compressed spectrum on the grid's axis, from `first - STEPS_BELOW` on; the rest, beyond
    /// the Nyquist frequency, is zero.
    pub(super) log_spectrum: Vec<f32>,
}

impl Band {
    /// `rate` is the stream's, `candidates` the grid's that belong to the band.
    pub(super) fn new(
        rate: f32,
        window_secs: f32,
        grid: &Grid,
        candidates: (usize, usize),
    ) -> Self {
        let (first, last) = candidates;
        let half = (window_secs * rate / 2.0).round() as usize;
        let fft_len = (4 * half).next_power_of_two();
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(fft_len);
        let hann = |n: usize| 0.5 - 0.5 * (PI * n as f64 / half as f64).cos();
        // The window sums to `half`; a sinusoid of amplitude 1 then peaks at `half / 2`.
        let window = (0..2 * half).map(|n| (hann(n) * 2.0 / half as f64) as f32).collect();
        let bins_per_hz = fft_len as f32 / rate;
        let n_bins = fft_len / 2 + 1;
        let sources = log_axis(grid, first, bins_per_hz, n_bins);
        Self {
            first,
            last,
            window,
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            power: vec![0.0; n_bins],
            bins_per_hz,
            compressed: vec![0.0; n_bins],
            log_spectrum: vec![0.0; grid.axis_len(last - first)],
            sources,
        }
    }

    /// Samples on either side of the centre.
    pub(super) fn half(&self) -> usize {
        self.window.len() / 2
    }

    /// Analyses the frame centred on sample `centre` of `stream`.
    pub(super) fn analyse(&mut self, stream: &Stream, centre: i64) {
        let x = stream.slice(centre - self.half() as i64, self.window.len());
        let (windowed, padding) = self.input.split_at_mut(x.len());
        for ((y, x), w) in windowed.iter_mut().zip(x).zip(&self.window) {
            *y = x * w;
        }
        padding.fill(0.0);
        self.fft
            .process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch)
            .expect("the buffers were made for this length");
        for ((p, c), z) in self.power.iter_mut().zip(&mut self.compressed).zip(&self.output) {
            *p = z.re * z.re + z.im * z.im;
            *c = p.sqrt().sqrt();
        }
        for (y, source) in self.log_spectrum.iter_mut().zip(&self.sources) {
            *y = match *source {
                Source::Between(i, t) => {
                    self.compressed[i] + t * (self.compressed[i + 1] - self.compressed[i])
                }
                Source::Largest(from, to) => {
                    self.compressed[from..to].iter().fold(0.0, |m, &c| m.max(c))
                }
            };
        }
    }
}

/// Sources of the axis from `STEPS_BELOW` steps below candidate `first` up to 0.9 of the Nyquist
/// frequency.
fn log_axis(grid: &Grid, first: usize, bins_per_hz: f32, n_bins: usize) -> Vec<Source> {
    let step = grid.ratio(0.5);
    (0..)
        .map(|i| grid.hz(first) * grid.ratio(i as f32 - STEPS_BELOW as f32) * bins_per_hz)
        .take_while(|bin| *bin < 0.9 * (n_bins - 1) as f32)
        .map(|bin| {
            let (from, to) = ((bin / step).ceil() as usize, (bin * step).ceil() as usize);
            if to > from + 1 {
                Source::Largest(from, to)
            } else {
                Source::Between(bin as usize, bin.fract())
            }
        })
        .collect()
}
