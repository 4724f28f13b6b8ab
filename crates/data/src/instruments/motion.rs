//! What moves while a note is held: vibrato, slow drift, and the level's rise and fall.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::f64::consts::TAU;

/// Smooth noise of unit variance: white noise through two one-pole low-passes.
pub(super) struct Drift {
    pole: f64,
    scale: f64,
    state: [f64; 2],
}

impl Drift {
    /// Drift with the corner `corner_hz`, updated `update_hz` times a second.
    pub(super) fn new(corner_hz: f64, update_hz: f64, rng: &mut Pcg64Mcg) -> Self {
        let pole = (-TAU * corner_hz / update_hz).exp();
        // Variance of the cascade, fed with unit AR(1) noise: (1 + a^2) / (1 + a)^2.
        let scale = (1.0 + pole) / (1.0 + pole * pole).sqrt();
        let mut drift = Self { pole, scale, state: [0.0; 2] };
        drift.state = [unit_noise(rng), 0.7 * unit_noise(rng)];
        drift
    }

    /// The next value.
    pub(super) fn next(&mut self, rng: &mut Pcg64Mcg) -> f64 {
        let a = self.pole;
        self.state[0] = a * self.state[0] + (1.0 - a * a).sqrt() * unit_noise(rng);
        self.state[1] = a * self.state[1] + (1.0 - a) * self.state[0];
        self.scale * self.state[1]
    }
}

/// Uniform noise of unit variance.
pub(super) fn unit_noise(rng: &mut Pcg64Mcg) -> f64 {
    3.0_f64.sqrt() * rng.random_range(-1.0..1.0)
}

/// A periodic motion of pitch and level that sets in after the note has spoken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vibrato {
    /// Cycles a second.
    pub rate_hz: f64,
    /// Half the range of pitch, in cents.
    pub depth_cents: f64,
    /// Half the range of level, in dB.
    pub depth_db: f64,
    /// Seconds of straight tone before it sets in, and seconds until it is in full swing.
    pub delay_secs: f64,
    /// Seconds from first motion to full depth.
    pub rise_secs: f64,
}

/// A running [`Vibrato`] whose rate and depth wander a little, as a player's do.
pub(super) struct VibratoState {
    vibrato: Vibrato,
    update_hz: f64,
    phase: f64,
    wander: Drift,
}

/// Relative wander (standard deviation) of vibrato rate and depth: bowed and sung vibrato vary by several per cent.
const VIBRATO_WANDER: f64 = 0.04;

impl VibratoState {
    /// The vibrato at rest, updated `update_hz` times a second.
    pub(super) fn new(vibrato: Vibrato, update_hz: f64, rng: &mut Pcg64Mcg) -> Self {
        let phase = rng.random::<f64>();
        Self { vibrato, update_hz, phase, wander: Drift::new(1.0, update_hz, rng) }
    }

    /// Pitch offset in cents and level offset in dB, `secs` after the onset.
    pub(super) fn next(&mut self, secs: f64, rng: &mut Pcg64Mcg) -> (f64, f64) {
        let wander = 1.0 + VIBRATO_WANDER * self.wander.next(rng);
        self.phase = (self.phase + self.vibrato.rate_hz * wander / self.update_hz).fract();
        let rise = smooth_step((secs - self.vibrato.delay_secs) / self.vibrato.rise_secs.max(1e-3));
        let swing = rise * wander * (TAU * self.phase).sin();
        (self.vibrato.depth_cents * swing, self.vibrato.depth_db * swing)
    }
}

/// 0 for `x <= 0`, 1 for `x >= 1`, and a half cosine between.
pub(super) fn smooth_step(x: f64) -> f64 {
    0.5 - 0.5 * (std::f64::consts::PI * x.clamp(0.0, 1.0)).cos()
}

/// The frequency `cents` above `hz`.
pub(super) fn bend(hz: f64, cents: f64) -> f64 {
    hz * (cents / 1200.0).exp2()
}

/// The amplitude ratio of `db`.
pub(super) fn linear(db: f64) -> f64 {
    10.0_f64.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn drift_has_unit_variance_at_any_corner() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        for corner_hz in [5.0, 50.0] {
            let mut drift = Drift::new(corner_hz, 500.0, &mut rng);
            let n = 400_000;
            let power = (0..n).map(|_| drift.next(&mut rng).powi(2)).sum::<f64>() / f64::from(n);
            // About 2 * 5 Hz * 800 s = 8000 independent values: 1.6 % standard error.
            assert!((power - 1.0).abs() < 0.08, "variance {power} at {corner_hz} Hz");
        }
    }
}
