//! Tones kept alive by a bow, breath or oscillator: a source spectrum through a body, with noise.

#![expect(clippy::cast_possible_truncation, reason = "amplitudes are f32 like the audio")]

use super::body::Body;
use super::key::{Key, LOUDEST_RMS, Stems};
use super::motion::{Drift, Vibrato, VibratoState, bend, linear, smooth_step, unit_noise};
use super::noise::{Colour, ShapedNoise};
use super::partials::{BLOCK, PartialBank};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// A partial of the source, before the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourcePartial {
    /// Frequency over that of the note.
    pub ratio: f64,
    /// Level at the softest touch, in dB.
    pub soft_db: f64,
    /// Level at the loudest touch, in dB.
    pub loud_db: f64,
}

/// Noise that sounds with the tone.
#[derive(Clone, Debug)]
pub(super) struct Breath {
    /// Level under the tone while it is held, in dB.
    pub level_db: f64,
    /// Further level at the onset, in dB, and how fast it is gone.
    pub onset_db: f64,
    /// Time constant of the onset noise.
    pub onset_secs: f64,
    /// Colour.
    pub colours: Vec<Colour>,
}

/// A sustained tone: everything but the key that plays it.
pub(super) struct Sustained {
    /// Source spectrum.
    pub partials: Vec<SourcePartial>,
    /// Resonances fixed in Hz.
    pub body: Body,
    /// Noise of the excitation.
    pub breath: Breath,
    /// Seconds to full level.
    pub attack_secs: f64,
    /// Further delay of a partial's growth, seconds times its ratio: brightness comes last.
    pub partial_lag_secs: f64,
    /// Level lost while held, in dB, and its time constant.
    pub sag: (f64, f64),
    /// Time constant of the ring after the release.
    pub release_secs: f64,
    /// Level between the softest and the loudest touch, in dB.
    pub dynamic_range_db: f64,
    /// Vibrato.
    pub vibrato: Vibrato,
    /// Slow wander of pitch, in cents.
    pub drift_cents: f64,
    /// Slow wander of the level, in dB.
    pub flutter_db: f64,
    /// Independent wander of each partial, in dB.
    pub partial_flutter_db: f64,
    /// Cents away from the pitch at the onset, and the time constant of its approach.
    pub scoop: (f64, f64),
}

/// Corner of pitch and level drift: hands and lungs move a few times a second.
const DRIFT_CORNER_HZ: f64 = 2.0;
/// Corner of the partials' own wander.
const PARTIAL_CORNER_HZ: f64 = 4.0;
/// A tone is over when its ring has fallen by this much: 110 dB.
const RING_END: f64 = 3e-6;

impl Sustained {
    /// Adds the tone to the stems; returns the f0 in Hz at every block's edge.
    pub(super) fn sound(&self, key: &Key, stems: &mut Stems<'_>) -> Vec<f64> {
        let mut rng = key.rng();
        let mut player = Player::new(self, key, &mut rng);
        let mut noise = ShapedNoise::new(&self.breath.colours, key.sample_rate, rng.random());
        let ratios = self.partials.iter().map(|p| p.ratio).collect();
        let phases = self.partials.iter().map(|_| rng.random()).collect();
        let mut bank = PartialBank::new(ratios, phases, key.sample_rate);
        let mut targets = vec![0.0; self.partials.len()];
        let mut f0_hz = vec![player.f0_hz(0.0, &mut rng)];
        let mut noise_rms = 0.0;
        let blocks = stems.tone.chunks_mut(BLOCK).zip(stems.noise.chunks_mut(BLOCK));
        for (block, (tone_block, noise_block)) in blocks.enumerate() {
            let secs = ((block + 1) * BLOCK) as f64 / key.sample_rate;
            let here_hz = player.f0_hz(secs, &mut rng);
            let level = player.level(secs, &mut rng);
            player.targets(here_hz, level, &mut rng, &mut targets);
            bank.add_block([f0_hz[block], here_hz], &targets, tone_block);
            let next_rms = player.noise_rms(secs, level);
            noise.add_block([noise_rms, next_rms], noise_block);
            noise_rms = next_rms;
            f0_hz.push(here_hz);
            if secs > key.held_secs && level < RING_END {
                break;
            }
        }
        f0_hz
    }

    /// RMS of the tone at loudest touch and unit level, for normalisation.
    fn loudest_rms(&self, f0_hz: f64, sample_rate: f64) -> f64 {
        let audible = self.partials.iter().filter(|p| p.ratio * f0_hz < 0.46 * sample_rate);
        let power = audible.map(|p| {
            let amplitude = linear(p.loud_db) * f64::from(self.body.magnitude(p.ratio * f0_hz));
            0.5 * amplitude * amplitude
        });
        power.sum::<f64>().sqrt().max(1e-9)
    }
}

/// A [`Sustained`] tone being played.
struct Player<'a> {
    tone: &'a Sustained,
    key: &'a Key,
    gain: f64,
    /// Natural logs of each partial's soft amplitude and of loud over soft.
    logs: Vec<(f32, f32)>,
    grown: Vec<f32>,
    wander: Vec<f32>,
    wander_pole: f32,
    growth: Vec<f32>,
    vibrato: VibratoState,
    vibrato_db: f64,
    pitch_drift: Drift,
    level_drift: Drift,
}

impl<'a> Player<'a> {
    fn new(tone: &'a Sustained, key: &'a Key, rng: &mut Pcg64Mcg) -> Self {
        let update_hz = key.sample_rate / BLOCK as f64;
        let nepers = |db: f64| (db * std::f64::consts::LN_10 / 20.0) as f32;
        let touch_db = (key.velocity - 1.0) * tone.dynamic_range_db;
        let gain = LOUDEST_RMS * linear(touch_db) / tone.loudest_rms(key.f0_hz, key.sample_rate);
        let logs = tone.partials.iter().map(|p| (nepers(p.soft_db), nepers(p.loud_db - p.soft_db)));
        let growth = tone.partials.iter().map(|p| {
            let secs = tone.partial_lag_secs * p.ratio.max(1.0).sqrt();
            (1.0 - (-1.0 / (update_hz * secs.max(1e-4))).exp()) as f32
        });
        let n = tone.partials.len();
        Self {
            gain,
            logs: logs.collect(),
            grown: vec![0.0; n],
            wander: (0..n).map(|_| unit_noise(rng) as f32).collect(),
            wander_pole: (-std::f64::consts::TAU * PARTIAL_CORNER_HZ / update_hz).exp() as f32,
            growth: growth.collect(),
            vibrato: VibratoState::new(tone.vibrato, update_hz, rng),
            vibrato_db: 0.0,
            pitch_drift: Drift::new(DRIFT_CORNER_HZ, update_hz, rng),
            level_drift: Drift::new(DRIFT_CORNER_HZ, update_hz, rng),
            tone,
            key,
        }
    }

    fn f0_hz(&mut self, secs: f64, rng: &mut Pcg64Mcg) -> f64 {
        let (vibrato_cents, vibrato_db) = self.vibrato.next(secs, rng);
        self.vibrato_db = vibrato_db;
        let drift_cents = self.tone.drift_cents * self.pitch_drift.next(rng);
        let scoop_cents = self.tone.scoop.0 * (-secs / self.tone.scoop.1.max(1e-3)).exp();
        let moved_cents = self.key.motion.cents(secs, vibrato_cents);
        bend(self.key.f0_hz, moved_cents + drift_cents + scoop_cents)
    }

    /// The tone's level, 1 at full height.
    fn level(&mut self, secs: f64, rng: &mut Pcg64Mcg) -> f64 {
        let rise = smooth_step(secs / self.tone.attack_secs);
        let (sag_db, sag_secs) = self.tone.sag;
        let lost_db = sag_db * (1.0 - (-secs / sag_secs.max(1e-3)).exp());
        let flutter_db = self.tone.flutter_db * self.level_drift.next(rng);
        let ring = (-(secs - self.key.held_secs).max(0.0) / self.tone.release_secs).exp();
        rise * ring * linear(self.vibrato_db + flutter_db - lost_db)
    }

    /// The partials' amplitudes: brightness follows touch and level, the body the partials' places.
    fn targets(&mut self, f0_hz: f64, level: f64, rng: &mut Pcg64Mcg, targets: &mut [f32]) {
        let effort = (self.key.velocity * (0.25 + 0.75 * level.min(1.2))) as f32;
        let gain = (self.gain * level) as f32;
        let kick = (1.0 - self.wander_pole * self.wander_pole).sqrt();
        let flutter = (self.tone.partial_flutter_db * std::f64::consts::LN_10 / 20.0) as f32;
        for (k, target) in targets.iter_mut().enumerate() {
            let (soft, loud) = self.logs[k];
            if flutter > 0.0 {
                let noise = unit_noise(rng) as f32;
                self.wander[k] = self.wander_pole * self.wander[k] + kick * noise;
            }
            self.grown[k] += (1.0 - self.grown[k]) * self.growth[k];
            let body = self.tone.body.magnitude(self.tone.partials[k].ratio * f0_hz);
            let source = (soft + effort * loud + flutter * self.wander[k]).exp();
            *target = gain * self.grown[k] * body * source;
        }
    }

    fn noise_rms(&self, secs: f64, level: f64) -> f64 {
        let breath = &self.tone.breath;
        let onset = (linear(breath.onset_db) - 1.0) * (-secs / breath.onset_secs.max(1e-3)).exp();
        let touch_db = (self.key.velocity - 1.0) * self.tone.dynamic_range_db;
        // The excitation speaks before the tone has grown.
        let early = if secs < self.key.held_secs { level.max(0.0).sqrt() } else { level };
        LOUDEST_RMS * linear(touch_db + breath.level_db) * early * (1.0 + onset)
    }
}
