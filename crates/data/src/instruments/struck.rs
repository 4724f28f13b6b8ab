//! Tones set off once and left to decay: plucked and struck strings, bars, tines.

#![expect(clippy::cast_possible_truncation, reason = "amplitudes are f32 like the audio")]

use super::body::Body;
use super::key::{Key, LOUDEST_RMS, Stems};
use super::motion::{Drift, Vibrato, VibratoState, bend, linear};
use super::noise::{Colour, ShapedNoise};
use super::partials::{BLOCK, PartialBank};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// A mode of the string, bar or tine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    /// Frequency over that of the lowest mode.
    pub ratio: f64,
    /// Amplitude just after the stroke, in dB.
    pub level_db: f64,
    /// Time constant of the amplitude, in seconds.
    pub decay_secs: f64,
    /// Time constant after the release, in seconds.
    pub damped_secs: f64,
}

/// A burst of noise: hammer, plectrum, key bed.
#[derive(Clone, Debug)]
pub(super) struct Knock {
    /// RMS at its start, in dB relative to the tone's.
    pub level_db: f64,
    /// Time constant.
    pub decay_secs: f64,
    /// Level when the key comes back up, in dB relative to the first burst.
    pub release_db: f64,
    /// Colour.
    pub colours: Vec<Colour>,
}

/// A struck tone: everything but the key that plays it.
pub(super) struct Struck {
    /// Modes.
    pub modes: Vec<Mode>,
    /// Resonances fixed in Hz.
    pub body: Body,
    /// Noise of the stroke.
    pub knock: Knock,
    /// Seconds over which the stroke acts.
    pub attack_secs: f64,
    /// Level between the softest and the loudest touch, in dB.
    pub dynamic_range_db: f64,
    /// A decay of coupled strings has two stages: level of the second in dB, and its slowness.
    pub after_sound: (f64, f64),
    /// Periodic motion: a vibraphone's fans, an electric piano's tremolo, a fretting finger.
    pub tremolo: Vibrato,
    /// Slow wander of pitch, in cents.
    pub drift_cents: f64,
    /// Cents of sharpness at the stroke, and the time constant of its loss.
    pub glide: (f64, f64),
}

/// The stroke gets its energy at once, so it may be louder than a held tone.
const STROKE_GAIN: f64 = 1.25;
/// Amplitude (-110 dB) below which a tone is over, and seconds that the release's knock is given.
const SILENT: f32 = 3e-6;
const DAMPED_SECS: f64 = 0.3;
/// Modes nearer than this to each other are those of one course of strings: 9 cents.
const COURSE: f64 = 0.005;
/// Corner of the pitch drift of strings under a finger.
const DRIFT_CORNER_HZ: f64 = 2.0;

/// Amplitude of one mode as the sum of two decays, updated by multiplication.
struct Decay {
    stages: [f64; 2],
    factors: [f64; 2],
    damping: f64,
}

impl Struck {
    /// Adds the tone to the stems; returns the f0 in Hz at every block's edge.
    pub(super) fn sound(&self, key: &Key, stems: &mut Stems<'_>) -> Vec<f64> {
        let mut rng = key.rng();
        let update_hz = key.sample_rate / BLOCK as f64;
        let mut decays = self.decays(key);
        let mut knock = ShapedNoise::new(&self.knock.colours, key.sample_rate, rng.random());
        let ratios = self.modes.iter().map(|m| m.ratio).collect();
        let phases = self.phases(&mut rng);
        let mut bank = PartialBank::new(ratios, phases, key.sample_rate);
        let mut tremolo = VibratoState::new(self.tremolo, update_hz, &mut rng);
        let mut drift = Drift::new(DRIFT_CORNER_HZ, update_hz, &mut rng);
        let mut targets = vec![0.0; self.modes.len()];
        let start_cents = self.glide.0 * key.velocity + key.motion.cents(0.0, 0.0);
        let mut f0_hz = vec![bend(key.f0_hz, start_cents)];
        let mut knock_rms = 0.0;
        let blocks = stems.tone.chunks_mut(BLOCK).zip(stems.noise.chunks_mut(BLOCK));
        for (block, (tone_block, noise_block)) in blocks.enumerate() {
            let secs = ((block + 1) * BLOCK) as f64 / key.sample_rate;
            let (own_cents, db) = tremolo.next(secs, &mut rng);
            let cents = key.motion.cents(secs, own_cents);
            let glide_cents = self.glide.0 * key.velocity * (-secs / self.glide.1).exp();
            let wander_cents = self.drift_cents * drift.next(&mut rng);
            let here_hz = bend(key.f0_hz, cents + glide_cents + wander_cents);
            let rise = (secs / self.attack_secs).min(1.0);
            let gain = (rise * linear(db)) as f32;
            for (target, decay) in targets.iter_mut().zip(&mut decays) {
                *target = gain * decay.next(secs > key.held_secs) as f32;
            }
            bank.add_block([f0_hz[block], here_hz], &targets, tone_block);
            let next_rms = self.knock_rms(key, secs);
            knock.add_block([knock_rms, next_rms], noise_block);
            knock_rms = next_rms;
            f0_hz.push(here_hz);
            if secs > key.held_secs + DAMPED_SECS && targets.iter().all(|&a| a < SILENT) {
                break;
            }
        }
        f0_hz
    }

    /// Random phases; strings of one course are struck together and begin alike.
    fn phases(&self, rng: &mut Pcg64Mcg) -> Vec<f64> {
        let mut phases: Vec<f64> = self.modes.iter().map(|_| rng.random()).collect();
        for (i, pair) in self.modes.windows(2).enumerate() {
            if (pair[1].ratio / pair[0].ratio - 1.0).abs() < COURSE {
                phases[i + 1] = phases[i];
            }
        }
        phases
    }

    fn decays(&self, key: &Key) -> Vec<Decay> {
        let update_secs = BLOCK as f64 / key.sample_rate;
        let amplitude = |m: &Mode| {
            let hz = m.ratio * key.f0_hz;
            let audible = hz < 0.46 * key.sample_rate;
            if audible { linear(m.level_db) * f64::from(self.body.magnitude(hz)) } else { 0.0 }
        };
        let power: f64 = self.modes.iter().map(|m| 0.5 * amplitude(m).powi(2)).sum();
        let gain = self.stroke_rms(key) / power.sqrt().max(1e-9);
        let (after_db, slowness) = self.after_sound;
        let decay = |m: &Mode| {
            let start = gain * amplitude(m);
            let after = start * linear(after_db);
            let factor = |secs: f64| (-update_secs / secs).exp();
            Decay {
                stages: [start - after, after],
                factors: [factor(m.decay_secs), factor(m.decay_secs * slowness)],
                damping: factor(m.damped_secs),
            }
        };
        self.modes.iter().map(decay).collect()
    }

    fn stroke_rms(&self, key: &Key) -> f64 {
        STROKE_GAIN * LOUDEST_RMS * linear((key.velocity - 1.0) * self.dynamic_range_db)
    }

    fn knock_rms(&self, key: &Key, secs: f64) -> f64 {
        let burst =
            |secs: f64| if secs < 0.0 { 0.0 } else { (-secs / self.knock.decay_secs).exp() };
        let both = burst(secs) + linear(self.knock.release_db) * burst(secs - key.held_secs);
        self.stroke_rms(key) * linear(self.knock.level_db) * both
    }
}

impl Decay {
    fn next(&mut self, damped: bool) -> f64 {
        for (stage, factor) in self.stages.iter_mut().zip(self.factors) {
            *stage *= if damped { self.damping.min(factor) } else { factor };
        }
        self.stages[0] + self.stages[1]
    }
}

/// Ratios of a stiff string's partials to its first: `k sqrt((1 + B k^2) / (1 + B))`.
pub(super) fn stiff_string(k: usize, inharmonicity: f64) -> f64 {
    let k = k as f64;
    k * ((1.0 + inharmonicity * k * k) / (1.0 + inharmonicity)).sqrt()
}

/// Time constant of a string's partial: air and end losses, and losses in the string that grow with frequency squared.
///
/// `1 / tau = 1 / slowest_secs + (hz / corner_hz)^2`, after Fletcher & Rossing, ch. 2.
pub(super) fn string_decay_secs(hz: f64, slowest_secs: f64, corner_hz: f64) -> f64 {
    1.0 / (1.0 / slowest_secs + (hz / corner_hz).powi(2))
}
