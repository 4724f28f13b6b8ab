//! Resonances fixed in Hz: the body of a string instrument, a vocal tract, a bell.

#![expect(clippy::cast_possible_truncation, reason = "a table of magnitudes is f32 by design")]

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Width of a table step, in Hz: a tenth of the narrowest resonance used.
const STEP_HZ: f64 = 4.0;

/// One resonance: centre in Hz, bandwidth (-3 dB) in Hz, height in dB over the body's plateau of 0 dB.
pub(super) type Peak = (f64, f64, f64);

/// Magnitude over frequency, as a table read with linear interpolation.
pub(super) struct Body {
    magnitudes: Vec<f32>,
}

impl Body {
    /// A body that changes nothing, up to `sample_rate / 2`.
    pub(super) fn flat(sample_rate: f64) -> Self {
        let n = (0.5 * sample_rate / STEP_HZ).ceil() as usize + 2;
        Self { magnitudes: vec![1.0; n] }
    }

    /// Adds resonances: powers of second-order peaks on the plateau.
    pub(super) fn with_peaks(mut self, peaks: &[Peak]) -> Self {
        self.multiply(|hz| {
            let power = peaks.iter().map(|&(centre_hz, bandwidth_hz, height_db)| {
                let x = (hz - centre_hz) / (0.5 * bandwidth_hz);
                (10.0_f64.powf(height_db / 10.0) - 1.0) / (1.0 + x * x)
            });
            (1.0 + power.sum::<f64>()).sqrt()
        });
        self
    }

    /// Replaces the plateau by a sum of formants: nothing but the peaks and a floor of `floor_db`.
    pub(super) fn with_formants(mut self, formants: &[Peak], floor_db: f64) -> Self {
        self.multiply(|hz| {
            let power = formants.iter().map(|&(centre_hz, bandwidth_hz, height_db)| {
                let x = (hz - centre_hz) / (0.5 * bandwidth_hz);
                10.0_f64.powf(height_db / 10.0) / (1.0 + x * x)
            });
            (10.0_f64.powf(floor_db / 10.0) + power.sum::<f64>()).sqrt()
        });
        self
    }

    /// Falls by 6 dB an octave below `low_hz` (what is too small to radiate) and by 12 above `high_hz`.
    pub(super) fn with_band(mut self, low_hz: f64, high_hz: f64) -> Self {
        self.multiply(|hz| {
            let low = (hz / low_hz).powi(2);
            (low / (1.0 + low)).sqrt() / (1.0 + (hz / high_hz).powi(4)).sqrt()
        });
        self
    }

    /// Dense small modes at random places between 300 Hz and 6 kHz: what makes two violins differ.
    pub(super) fn with_grain(self, height_db: f64, seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let peaks: Vec<Peak> = (0..40)
            .map(|_| {
                let hz = 300.0 * 20.0_f64.powf(rng.random::<f64>());
                (hz, hz * rng.random_range(0.03..0.06), height_db * rng.random::<f64>())
            })
            .collect();
        self.with_peaks(&peaks)
    }

    /// The magnitude (linear) at `hz`; beyond the table, that of its end.
    pub(super) fn magnitude(&self, hz: f64) -> f32 {
        let x = (hz / STEP_HZ) as f32;
        let i = (x as usize).min(self.magnitudes.len() - 2);
        let (a, b) = (self.magnitudes[i], self.magnitudes[i + 1]);
        a + (b - a) * (x - i as f32).min(1.0)
    }

    fn multiply(&mut self, magnitude: impl Fn(f64) -> f64) {
        for (i, m) in self.magnitudes.iter_mut().enumerate() {
            *m *= magnitude(i as f64 * STEP_HZ) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_stand_where_they_were_put() {
        let body = Body::flat(16_000.0).with_peaks(&[(500.0, 50.0, 12.0)]);
        let db = |hz: f64| 20.0 * f64::from(body.magnitude(hz)).log10();
        // The plateau is 0 dB and the power at half the bandwidth is half the peak's excess, plus one.
        assert!((db(500.0) - 12.0).abs() < 0.01, "peak of {} dB", db(500.0));
        assert!((db(525.0) - 9.27).abs() < 0.05, "flank of {} dB", db(525.0));
        assert!(db(3000.0) < 0.1, "plateau of {} dB", db(3000.0));
    }
}
