//! Sounds with a known f0, for the tests.

#![expect(
    clippy::cast_possible_truncation,
    reason = "sample counts are small, and audio is single precision"
)]

use std::f64::consts::TAU;

pub(super) const SAMPLE_RATE: u32 = 16_000;

/// A partial: frequency relative to f0, amplitude, and seconds in which it falls to 1/e.
pub(super) type Partial = (f64, f64, f64);

/// A tone in noise whose key is released after three quarters of its length.
pub(super) struct Sound {
    pub(super) partials: Vec<Partial>,
    pub(super) f0_hz: fn(f64, f64) -> f64,
    pub(super) base_hz: f64,
    pub(super) secs: f64,
    pub(super) level: f64,
    /// Root mean square of the white noise that is always there.
    pub(super) floor: f64,
    /// Noise that comes and goes with the tone, relative to it.
    pub(super) breath: f64,
    /// Seconds in which the released tone falls to 1/e.
    pub(super) release_secs: f64,
}

/// What a frame of a [`Sound`] holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Truth {
    Tone(f64),
    Noise,
    /// The tone is within 23 dB of the noise, from 3 dB above it down: either answer will do.
    Faint,
}

impl Sound {
    pub(super) fn new(partials: Vec<Partial>, base_hz: f64) -> Self {
        Self {
            partials,
            f0_hz: |base, _| base,
            base_hz,
            secs: 2.0,
            level: 0.2,
            floor: 1e-4,
            breath: 0.0,
            release_secs: 0.03,
        }
    }

    fn gate(&self, t: f64) -> f64 {
        let release = 0.75 * self.secs;
        let attack = (t / 0.01).min(1.0);
        if t < release { attack } else { (-(t - release) / self.release_secs).exp() }
    }

    fn amplitude(&self, partial: &Partial, t: f64) -> f64 {
        let rms = self.partials.iter().map(|p| p.1 * p.1).sum::<f64>().sqrt();
        self.level * self.gate(t) * partial.1 / rms * (-t / partial.2).exp()
    }

    fn f0(&self, t: f64) -> f64 {
        (self.f0_hz)(self.base_hz, t)
    }

    pub(super) fn render(&self, sample_rate: u32) -> Vec<f32> {
        let rate = f64::from(sample_rate);
        let n = (self.secs * rate) as usize;
        let mut noise = Noise(0x1234_5678_9abc_def1 ^ self.base_hz.to_bits());
        let mut phase = 0.37;
        (0..n)
            .map(|i| {
                let t = i as f64 / rate;
                let f0 = self.f0(t);
                phase += f0 / rate;
                let mut x = (self.floor + self.level * self.breath * self.gate(t)) * noise.next();
                for (j, p) in self.partials.iter().enumerate() {
                    if f0 * p.0 < 0.48 * rate {
                        // Golden-angle phases: no pulse train, no symmetry.
                        x += self.amplitude(p, t) * (TAU * (phase * p.0 + 0.382 * j as f64)).sin();
                    }
                }
                x as f32
            })
            .collect()
    }

    pub(super) fn truth(&self, t: f64) -> Truth {
        let f0 = self.f0(t);
        let power: f64 = self.partials.iter().map(|p| self.amplitude(p, t).powi(2) / 2.0).sum();
        let noise = self.floor + self.level * self.breath * self.gate(t);
        let snr_db = 10.0 * (power / noise.powi(2)).log10();
        if snr_db > 3.0 {
            Truth::Tone(f0)
        } else if snr_db < -20.0 {
            Truth::Noise
        } else {
            Truth::Faint
        }
    }
}

/// White noise of unit power, uniform, from a xorshift generator.
pub(super) struct Noise(pub(super) u64);

impl Noise {
    pub(super) fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0) * 3.0_f64.sqrt()
    }
}

pub(super) fn midi_hz(midi: f64) -> f64 {
    440.0 * ((midi - 69.0) / 12.0).exp2()
}

/// Harmonics `from..=to` with amplitude `amplitude(k)`.
pub(super) fn harmonics(from: i32, to: i32, amplitude: impl Fn(f64) -> f64) -> Vec<Partial> {
    (from..=to).map(|k| (f64::from(k), amplitude(f64::from(k)), 1e9)).collect()
}

/// Every kind of sound that the tracker must get right, by name, every so many semitones.
pub(super) fn zoo(semitones: usize) -> Vec<(&'static str, Vec<Sound>)> {
    let at = |from: i32, to: i32, make: &dyn Fn(f64) -> Sound| -> Vec<Sound> {
        (from..=to).step_by(semitones).map(|m| make(midi_hz(f64::from(m) + 0.3))).collect()
    };
    let decaying = |mut p: Vec<Partial>, secs: f64| {
        p.iter_mut().for_each(|p| p.2 = secs / p.0);
        p
    };
    let stiff = |b: f64| {
        let p = harmonics(1, 30, |k| 1.0 / k);
        let f =
            |p: Partial| (p.0 * ((1.0 + b * p.0 * p.0) / (1.0 + b)).sqrt(), p.1, 1.5 / p.0.sqrt());
        p.into_iter().map(f).collect::<Vec<_>>()
    };
    vec![
        ("sawtooth", at(24, 107, &|f| Sound::new(harmonics(1, 60, |k| 1.0 / k), f))),
        ("no fundamental", at(24, 90, &|f| Sound::new(harmonics(2, 14, |k| 1.0 / k), f))),
        ("odd only", at(24, 100, &|f| Sound::new(harmonics(1, 40, |k| (k % 2.0 + 0.003) / k), f))),
        (
            "weak fundamental",
            at(24, 90, &|f| {
                Sound::new(harmonics(1, 20, |k| if k < 2.0 { 0.05 } else { 1.0 / k }), f)
            }),
        ),
        (
            "strong octave",
            at(24, 90, &|f| {
                Sound::new(harmonics(1, 16, |k| if k % 2.0 > 0.0 { 0.25 } else { 1.0 } / k), f)
            }),
        ),
        ("sine", at(24, 107, &|f| Sound::new(harmonics(1, 1, |_| 1.0), f))),
        ("stiff string", at(24, 100, &|f| Sound::new(stiff(3e-4), f))),
        (
            "bar 1:2.76:5.4",
            at(48, 103, &|f| {
                let p = vec![(1.0, 1.0, 1.0), (2.756, 0.6, 1.0), (5.404, 0.4, 1.0)];
                Sound::new(decaying(p, 1.2), f)
            }),
        ),
        (
            "bar 1:4:10",
            at(40, 96, &|f| {
                Sound::new(
                    decaying(vec![(1.0, 1.0, 1.0), (4.0, 0.8, 1.0), (10.0, 0.5, 1.0)], 1.2),
                    f,
                )
            }),
        ),
        (
            "vibrato",
            at(40, 96, &|f| {
                let f0_hz = |f: f64, t: f64| f * (0.5 / 12.0 * (TAU * 6.0 * t).sin()).exp2();
                Sound { f0_hz, ..Sound::new(harmonics(1, 30, |k| 1.0 / k), f) }
            }),
        ),
        (
            "breathy",
            at(55, 100, &|f| Sound {
                breath: 0.15,
                ..Sound::new(harmonics(1, 5, |k| k.powi(-2)), f)
            }),
        ),
        (
            "faint in noise",
            at(40, 100, &|f| Sound {
                floor: 0.02,
                level: 0.08,
                ..Sound::new(harmonics(1, 10, |k| 1.0 / k), f)
            }),
        ),
        (
            "vowel",
            at(36, 72, &|f| {
                let formant = |hz: f64, c: f64, w: f64| 1.0 / (1.0 + ((hz - c) / w).powi(2));
                let gain = |hz: f64| {
                    formant(hz, 700.0, 80.0)
                        + 0.5 * formant(hz, 1200.0, 90.0)
                        + 0.2 * formant(hz, 2600.0, 120.0)
                };
                Sound::new(harmonics(1, 60, |k| gain(k * f) / k), f)
            }),
        ),
        (
            "glide",
            at(40, 60, &|f| {
                let f0_hz = |f: f64, t: f64| f * (3.0 * (t / 1.5).min(1.0)).exp2();
                Sound { f0_hz, ..Sound::new(harmonics(1, 30, |k| 1.0 / k), f) }
            }),
        ),
    ]
}
