//! The audio as the analysis sees it: cleaned, and at two internal rates.

#![expect(
    clippy::cast_possible_truncation,
    reason = "filter taps and sample indices that fit the smaller type by construction"
)]

use std::f64::consts::PI;

/// Most samples taken in at once.
pub(super) const BLOCK: usize = 1024;

/// Samples kept of the past at any rate; more than half of the longest window (128 ms at 24 kHz),
/// plus half of the longest period and a decimator's half.
const HISTORY: usize = 4096;

/// Decimation from the fine to the coarse stream.
pub(super) const COARSE: usize = 4;

/// Magnitude beyond which a sample is taken for garbage; its square still fits an `f32`.
const LIMIT: f32 = 1e6;

/// Corner of the filter that takes away a constant offset, in Hz.
const DC_HZ: f64 = 5.0;

/// A stream of samples of which the recent past can be looked at.
pub(super) struct Stream {
    samples: Vec<f32>,
    /// Index of `samples[0]` in the stream; negative before the stream began.
    start: i64,
}

impl Stream {
    fn new() -> Self {
        let mut samples = Vec::with_capacity(8 * HISTORY);
        samples.resize(HISTORY, 0.0);
        Self { samples, start: -(HISTORY as i64) }
    }

    fn reset(&mut self) {
        self.samples.clear();
        self.samples.resize(HISTORY, 0.0);
        self.start = -(HISTORY as i64);
    }

    /// Index after the last sample.
    pub(super) fn end(&self) -> i64 {
        self.start + self.samples.len() as i64
    }

    /// Samples `first .. first + len`.
    pub(super) fn slice(&self, first: i64, len: usize) -> &[f32] {
        let offset = (first - self.start) as usize;
        &self.samples[offset..offset + len]
    }

    /// Forgets what lies more than `HISTORY` before `index`, once that is worth the move.
    fn discard(&mut self, index: i64) {
        let surplus = index.min(self.end()) - HISTORY as i64 - self.start;
        if surplus > 2 * HISTORY as i64 {
            self.samples.copy_within(surplus as usize.., 0);
            self.samples.truncate(self.samples.len() - surplus as usize);
            self.start += surplus;
        }
    }
}

/// A linear-phase low-pass of odd length, evaluated at every `factor`-th sample: output `m` is
/// centred on input `m * factor`, so nothing is delayed.
struct Decimator {
    factor: usize,
    taps: Vec<f32>,
}

impl Decimator {
    /// Kaiser window of 80 dB; the transition goes from 0.75 to 1.25 of the new Nyquist frequency,
    /// so what folds back stays above 0.75 of it.
    fn new(factor: usize) -> Self {
        if factor == 1 {
            return Self { factor, taps: vec![1.0] };
        }
        const BETA: f64 = 7.857;
        let half = (10.03 * factor as f64).ceil() as i32;
        let cutoff = 1.0 / factor as f64;
        let taps: Vec<f64> = (-half..=half)
            .map(|n| {
                let t = f64::from(n);
                let sinc = if n == 0 { cutoff } else { (PI * cutoff * t).sin() / (PI * t) };
                let edge = t / f64::from(half);
                sinc * bessel_i0(BETA * (1.0 - edge * edge).sqrt())
            })
            .collect();
        let sum: f64 = taps.iter().sum();
        Self { factor, taps: taps.iter().map(|t| (t / sum) as f32).collect() }
    }

    fn half(&self) -> usize {
        self.taps.len() / 2
    }

    /// Appends every output that `source` suffices for.
    fn run(&self, source: &Stream, out: &mut Stream) {
        loop {
            let centre = out.end() * self.factor as i64;
            if centre + self.half() as i64 >= source.end() {
                break;
            }
            let x = source.slice(centre - self.half() as i64, self.taps.len());
            out.samples.push(dot(x, &self.taps));
        }
    }
}

/// Modified Bessel function of the first kind, order 0, by its power series.
pub(super) fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

/// Inner product in eight independent lanes, which the compiler vectorises; the order of the sums
/// is fixed.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum::<f32>() + tail
}

/// Stretches of samples that were no numbers.
struct Garbage {
    /// First and last input index of each stretch, in order.
    ranges: Vec<(i64, i64)>,
}

impl Garbage {
    /// Stretches nearer than this are one, which bounds their number.
    const GAP: i64 = 64;

    fn add(&mut self, index: i64) {
        match self.ranges.last_mut() {
            Some(last) if index - last.1 <= Self::GAP => last.1 = index,
            _ => self.ranges.push((index, index)),
        }
    }

    fn touches(&self, first: i64, last: i64) -> bool {
        self.ranges.iter().any(|r| r.0 <= last && r.1 >= first)
    }
}

/// Cleans the input and keeps it at a fine rate (12 to 24 kHz, or the input's if that is lower) and
/// a coarse one (a quarter of it).
pub(super) struct Front {
    sample_rate: u32,
    input: Stream,
    garbage: Garbage,
    /// The constant offset so far.
    offset: f64,
    offset_rate: f64,
    to_fine: Decimator,
    to_coarse: Decimator,
    fine: Stream,
    coarse: Stream,
}

impl Front {
    pub(super) fn new(sample_rate: u32) -> Self {
        let factor = ((f64::from(sample_rate) / 16_000.0).round() as usize).max(1);
        Self {
            sample_rate,
            input: Stream::new(),
            garbage: Garbage { ranges: Vec::with_capacity(4 * HISTORY / 64) },
            offset: 0.0,
            offset_rate: 1.0 - (-2.0 * PI * DC_HZ / f64::from(sample_rate)).exp(),
            to_fine: Decimator::new(factor),
            to_coarse: Decimator::new(COARSE),
            fine: Stream::new(),
            coarse: Stream::new(),
        }
    }

    pub(super) fn reset(&mut self) {
        self.input.reset();
        self.fine.reset();
        self.coarse.reset();
        self.garbage.ranges.clear();
        self.offset = 0.0;
    }

    /// Takes at most [`BLOCK`] samples.
    pub(super) fn push(&mut self, audio: &[f32]) {
        for &x in audio {
            let x = if x.abs() <= LIMIT {
                f64::from(x)
            } else {
                self.garbage.add(self.input.end());
                0.0
            };
            self.offset += self.offset_rate * (x - self.offset);
            self.input.samples.push((x - self.offset) as f32);
        }
        self.to_fine.run(&self.input, &mut self.fine);
        self.to_coarse.run(&self.fine, &mut self.coarse);
    }

    /// Drops what no frame from fine index `centre` on can need.
    pub(super) fn discard(&mut self, centre: i64) {
        let factor = self.to_fine.factor as i64;
        // The decimators still read where they stopped, which may lie before `centre`.
        self.coarse.discard(centre / COARSE as i64);
        self.fine.discard(centre.min(self.coarse.end() * COARSE as i64));
        self.input.discard(self.fine.end() * factor);
        let oldest = (centre - HISTORY as i64) * factor;
        self.garbage.ranges.retain(|r| r.1 >= oldest);
    }

    /// The stream at the fine rate.
    pub(super) fn fine(&self) -> &Stream {
        &self.fine
    }

    /// The stream at the coarse rate; its sample `m` is the fine stream's `4 m`.
    pub(super) fn coarse(&self) -> &Stream {
        &self.coarse
    }

    /// Samples a second of the fine stream.
    pub(super) fn fine_rate(&self) -> f32 {
        self.sample_rate as f32 / self.to_fine.factor as f32
    }

    /// Fine index nearest to an input index.
    pub(super) fn nearest(&self, input_index: usize) -> i64 {
        let factor = self.to_fine.factor;
        ((input_index + factor / 2) / factor) as i64
    }

    /// Whether there was garbage within `reach` fine samples of fine index `centre`.
    pub(super) fn is_garbage(&self, centre: i64, reach: i64) -> bool {
        let factor = self.to_fine.factor as i64;
        self.garbage.touches((centre - reach) * factor, (centre + reach) * factor)
    }

    /// Input samples after which `look_ahead` fine samples are there, through both decimators.
    pub(super) fn input_samples(&self, look_ahead: usize) -> usize {
        let factor = self.to_fine.factor;
        (look_ahead + self.to_coarse.half() + COARSE + 1) * factor + self.to_fine.half() + 1
    }
}
