//! Noise shaped by resonances: bow, breath, knock, and the room's floor.

#![expect(clippy::cast_possible_truncation, reason = "filters run in f32 like the audio")]

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::f64::consts::TAU;

/// One part of a noise's colour.
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    /// White noise through a second-order low-pass: corner in Hz, level in dB.
    LowPass(f64, f64),
    /// White noise through a second-order band-pass: centre in Hz, bandwidth in Hz, level in dB.
    BandPass(f64, f64, f64),
}

/// White noise through parallel second-order filters, scaled to unit RMS.
pub(super) struct ShapedNoise {
    rng: Pcg64Mcg,
    filters: Vec<Biquad>,
    scale: f32,
}

/// Samples of impulse response summed to find the noise gain: decays of 10 Hz bandwidth fit.
const N_GAIN: usize = 1024;

impl ShapedNoise {
    /// Noise of the colours' sum, from `seed`.
    pub(super) fn new(colours: &[Colour], sample_rate: f64, seed: u64) -> Self {
        let filters: Vec<Biquad> = colours.iter().map(|c| Biquad::new(*c, sample_rate)).collect();
        let mut probe = filters.clone();
        let energy: f64 = (0..N_GAIN)
            .map(|i| {
                let x = if i == 0 { 1.0 } else { 0.0 };
                f64::from(probe.iter_mut().map(|f| f.step(x)).sum::<f32>()).powi(2)
            })
            .sum();
        // Uniform noise in [-1, 1) has the variance 1/3.
        let scale = (3.0 / energy.max(1e-12)).sqrt() as f32;
        Self { rng: Pcg64Mcg::seed_from_u64(seed), filters, scale }
    }

    /// Adds noise to `audio` while its RMS goes linearly from `rms[0]` to `rms[1]`.
    pub(super) fn add_block(&mut self, rms: [f64; 2], audio: &mut [f32]) {
        let start = rms[0] as f32 * self.scale;
        let step = (rms[1] - rms[0]) as f32 * self.scale / audio.len().max(1) as f32;
        for (i, y) in audio.iter_mut().enumerate() {
            let x = white(&mut self.rng);
            let shaped: f32 = self.filters.iter_mut().map(|f| f.step(x)).sum();
            *y += (start + step * i as f32) * shaped;
        }
    }
}

/// Uniform in [-1, 1).
fn white(rng: &mut Pcg64Mcg) -> f32 {
    rng.next_u32().cast_signed() as f32 * 2.0_f32.powi(-31)
}

/// A second-order filter, transposed direct form II; coefficients by the bilinear transform.
#[derive(Clone)]
struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    state: [f32; 2],
}

impl Biquad {
    fn new(colour: Colour, sample_rate: f64) -> Self {
        let (hz, q, level_db) = match colour {
            Colour::LowPass(hz, db) => (hz, std::f64::consts::FRAC_1_SQRT_2, db),
            Colour::BandPass(hz, bandwidth_hz, db) => (hz, hz / bandwidth_hz, db),
        };
        let omega = TAU * hz.min(0.45 * sample_rate) / sample_rate;
        let (sin, cos) = omega.sin_cos();
        let alpha = sin / (2.0 * q);
        let gain = 10.0_f64.powf(level_db / 20.0) / (1.0 + alpha);
        let b = match colour {
            Colour::LowPass(..) => {
                [0.5 * (1.0 - cos) * gain, (1.0 - cos) * gain, 0.5 * (1.0 - cos) * gain]
            }
            Colour::BandPass(..) => [alpha * gain, 0.0, -alpha * gain],
        };
        let a = [-2.0 * cos / (1.0 + alpha), (1.0 - alpha) / (1.0 + alpha)];
        Self { b: b.map(|b| b as f32), a: a.map(|a| a as f32), state: [0.0; 2] }
    }

    fn step(&mut self, x: f32) -> f32 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }
}

/// The room and the preamplifier: low rumble over a faint hiss, at `rms` of full scale.
pub(super) fn add_room_noise(rms: f64, sample_rate: f64, seed: u64, audio: &mut [f32]) {
    let colours = [Colour::LowPass(0.44 * sample_rate, -14.0), Colour::LowPass(250.0, 0.0)];
    ShapedNoise::new(&colours, sample_rate, seed).add_block([rms, rms], audio);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shaped_noise_has_the_rms_asked_for() {
        let colours = [Colour::BandPass(1000.0, 200.0, 0.0), Colour::LowPass(300.0, -6.0)];
        let mut noise = ShapedNoise::new(&colours, 16_000.0, 7);
        let mut audio = vec![0.0; 160_000];
        noise.add_block([0.1, 0.1], &mut audio);
        let power = audio.iter().map(|&y| f64::from(y * y)).sum::<f64>() / audio.len() as f64;
        // 10 s of 200 Hz bandwidth: some 4000 independent values, 2 % standard error in power.
        assert!((power.sqrt() - 0.1).abs() < 0.005, "RMS {}", power.sqrt());
    }
}
