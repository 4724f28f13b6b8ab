//! How well the harmonics of each candidate f0 explain the spectrum.

#![expect(
    clippy::cast_possible_truncation,
    reason = "steps of the logarithmic axis are small integers"
)]

/// Candidates an octave. A step is 12.5 cents: harmonic 13 is met to 0.8% of f0.
pub(super) const STEPS_PER_OCTAVE: usize = 96;

/// Steps of the axis below a candidate: its lowest valley is at half of it.
pub(super) const STEPS_BELOW: usize = STEPS_PER_OCTAVE;

/// Harmonics that speak for a candidate. Primes only, so that a subharmonic of the true f0 meets
/// just one of its harmonics for each harmonic that it misses (SWIPE').
const HARMONICS: [u8; 7] = [1, 2, 3, 5, 7, 11, 13];

/// The logarithmic axis of candidates.
pub(super) struct Grid {
    min_hz: f32,
    pub(super) len: usize,
    /// Offsets from a candidate on the axis, and weights.
    taps: Vec<(usize, f32)>,
}

impl Grid {
    pub(super) fn new(min_hz: f32, max_hz: f32) -> Self {
        let octaves = (max_hz / min_hz).log2();
        let mut taps: Vec<(usize, f32)> = Vec::new();
        let mut add = |harmonic: f32, weight: f32| {
            let offset = harmonic.log2() * STEPS_PER_OCTAVE as f32 + STEPS_BELOW as f32;
            let offset = offset.round() as usize;
            match taps.iter_mut().find(|t| t.0 == offset) {
                Some(tap) => tap.1 += weight,
                None => taps.push((offset, weight)),
            }
        };
        for h in HARMONICS.map(f32::from) {
            // 1 / sqrt(k) as in SWIPE'; each valley beside a harmonic counts half as much.
            add(h, h.powf(-0.5));
            add(h - 0.5, -0.5 * (h - 0.5).powf(-0.5));
            add(h + 0.5, -0.5 * (h + 0.5).powf(-0.5));
        }
        Self { min_hz, len: (octaves * STEPS_PER_OCTAVE as f32).ceil() as usize + 1, taps }
    }

    /// Frequency of a candidate.
    pub(super) fn hz(&self, candidate: usize) -> f32 {
        self.min_hz * self.ratio(candidate as f32)
    }

    /// Candidate nearest to a frequency.
    pub(super) fn candidate(&self, hz: f32) -> usize {
        let steps = (hz / self.min_hz).log2() * STEPS_PER_OCTAVE as f32;
        (steps.round() as usize).min(self.len - 1)
    }

    /// Frequency ratio of `steps` steps.
    pub(super) fn ratio(&self, steps: f32) -> f32 {
        (steps / STEPS_PER_OCTAVE as f32).exp2()
    }

    /// Length of the axis that `n_candidates` candidates look at.
    pub(super) fn axis_len(&self, n_candidates: usize) -> usize {
        n_candidates + self.taps.iter().fold(0, |m, t| m.max(t.0))
    }

    /// Writes the salience of each candidate; `log_spectrum` begins [`STEPS_BELOW`] below the first.
    pub(super) fn salience(&self, log_spectrum: &[f32], salience: &mut [f32]) {
        salience.fill(0.0);
        for &(offset, weight) in &self.taps {
            for (s, x) in salience.iter_mut().zip(&log_spectrum[offset..]) {
                *s += weight * x;
            }
        }
    }
}
