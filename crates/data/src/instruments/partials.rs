//! A bank of sinusoidal partials under one gliding fundamental.

#![expect(clippy::cast_possible_truncation, reason = "phases within a block need 24 bits only")]

/// Samples between control updates: 2 ms at 16 kHz, short enough for a hammer's attack.
pub(super) const BLOCK: usize = 32;

/// Partials fade out between these fractions of the sample rate, so that none aliases.
const FADE_BEGINS: f64 = 0.46;
const FADE_ENDS: f64 = 0.49;

/// Amplitudes below this (-120 dBFS) are not computed: the room noise is far above.
const INAUDIBLE: f32 = 1e-6;

/// Sinusoids at fixed ratios to a common fundamental, with amplitudes set once a block.
///
/// Frequency and amplitude are linear inside a block; phase is the exact integral of frequency.
pub(super) struct PartialBank {
    sample_rate: f64,
    ratios: Vec<f64>,
    /// Turns, in [0, 1).
    phases: Vec<f64>,
    amplitudes: Vec<f32>,
}

impl PartialBank {
    /// A silent bank; `phases` are in turns, one for each of `ratios`.
    pub(super) fn new(ratios: Vec<f64>, phases: Vec<f64>, sample_rate: f64) -> Self {
        assert_eq!(ratios.len(), phases.len(), "PartialBank: ratios and phases differ in length");
        let amplitudes = vec![0.0; ratios.len()];
        Self { sample_rate, ratios, phases, amplitudes }
    }

    /// Adds up to [`BLOCK`] samples to `audio` while the fundamental goes from `f0_hz[0]` to `f0_hz[1]`
    /// and the amplitudes from where they were to `targets`.
    pub(super) fn add_block(&mut self, f0_hz: [f64; 2], targets: &[f32], audio: &mut [f32]) {
        let turns = |i: usize| {
            let x = i as f64;
            (f0_hz[0] * x + (f0_hz[1] - f0_hz[0]) * x * x / (2 * BLOCK) as f64) / self.sample_rate
        };
        let advance: [f32; BLOCK] = std::array::from_fn(|i| turns(i) as f32);
        let block_turns = turns(BLOCK);
        let highest_hz = f0_hz[0].max(f0_hz[1]);
        for (i, &target) in targets.iter().enumerate() {
            let target = target * self.audible(self.ratios[i] * highest_hz);
            let start = self.amplitudes[i];
            if start > INAUDIBLE || target > INAUDIBLE {
                let (ratio, phase) = (self.ratios[i] as f32, self.phases[i] as f32);
                add_sine(&advance, ratio, phase, [start, target], audio);
            }
            self.amplitudes[i] = target;
            let phase = self.phases[i] + self.ratios[i] * block_turns;
            self.phases[i] = phase - phase.floor();
        }
    }

    fn audible(&self, hz: f64) -> f32 {
        let x = (FADE_ENDS - hz / self.sample_rate) / (FADE_ENDS - FADE_BEGINS);
        x.clamp(0.0, 1.0) as f32
    }
}

fn add_sine(
    advance: &[f32; BLOCK],
    ratio: f32,
    phase: f32,
    amplitude: [f32; 2],
    audio: &mut [f32],
) {
    let step = (amplitude[1] - amplitude[0]) / BLOCK as f32;
    let mut tile = [0.0; BLOCK];
    for (i, y) in tile.iter_mut().enumerate() {
        *y = (amplitude[0] + step * i as f32) * sine(phase + ratio * advance[i]);
    }
    for (y, x) in audio.iter_mut().zip(tile) {
        *y += x;
    }
}

/// `sin(2 pi turns)` for |turns| < 2^20, to 1e-6: a near-minimax odd polynomial of degree 9 over a quarter turn.
///
/// Branch-free, so that loops over it become SIMD code; rounding is by adding a number whose last bit is 1.
fn sine(turns: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    let x = turns - ((turns + ROUND) - ROUND);
    let folded = (0.25 - (x.abs() - 0.25).abs()).copysign(x);
    let s = folded * folded;
    let tail = 81.601_004 + s * (-76.549_78 + s * 39.536_7);
    folded * (std::f32::consts::TAU + s * (-41.341_655 + s * tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_is_a_sine() {
        for i in -5000..5000 {
            let turns = i as f32 / 1024.0; // exact in f32
            let expected = (std::f64::consts::TAU * f64::from(turns)).sin();
            let error = (f64::from(sine(turns)) - expected).abs();
            // Five roundings of terms up to 1.6, each half of 2^-23 relative.
            assert!(error < 1e-6, "sine({turns}) is off by {error:e}");
        }
    }

    /// A glide over many blocks against the phase integral in closed form.
    #[test]
    fn glide_follows_the_phase_integral() {
        let (sample_rate, from_hz, to_hz, ratio) = (16_000.0, 200.0, 300.0, 3.17);
        let n_blocks = 500;
        let mut bank = PartialBank::new(vec![ratio], vec![0.25], sample_rate);
        bank.amplitudes[0] = 1.0;
        let mut audio = vec![0.0; n_blocks * BLOCK];
        let f0 = |block: usize| from_hz + (to_hz - from_hz) * block as f64 / n_blocks as f64;
        for (block, audio) in audio.chunks_mut(BLOCK).enumerate() {
            bank.add_block([f0(block), f0(block + 1)], &[1.0], audio);
        }
        let n = audio.len() as f64;
        for (i, &y) in audio.iter().enumerate() {
            let t = i as f64;
            let turns = ratio * (from_hz * t + (to_hz - from_hz) * t * t / (2.0 * n)) / sample_rate;
            let expected = (std::f64::consts::TAU * (turns + 0.25)).sin();
            // Phase inside a block reaches 2 turns: 2 * 2^-24 turns are 7e-7 rad, a few times over.
            assert!((f64::from(y) - expected).abs() < 5e-6, "sample {i}: {y} is not {expected}");
        }
    }

    #[test]
    fn partials_above_nyquist_are_silent() {
        let mut bank = PartialBank::new(vec![9.0], vec![0.25], 16_000.0);
        let mut audio = [0.0; BLOCK];
        bank.add_block([1000.0, 1000.0], &[1.0], &mut audio);
        assert_eq!(audio, [0.0; BLOCK], "a partial of 9 kHz sounds at 16 kHz");
    }
}
