//! Notes put together in a room, and the truth about each frame.

#![expect(clippy::cast_possible_truncation, reason = "audio and f0 are f32 by design")]
#![expect(clippy::cast_sign_loss, reason = "times are not negative")]

use super::key::{Key, Stems};
use super::motion::linear;
use super::noise::add_room_noise;
use super::partials::BLOCK;
use super::{Family, PhraseNote, PitchMotion, RenderedNote, Tone};
use ddsp_kernels::FrameGrid;
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Room and preamplifier noise, in dB of full scale: a quiet studio with an ordinary microphone.
const ROOM_NOISE_DB: std::ops::Range<f64> = -70.0..-62.0;
/// Highest peak.
const PEAK: f32 = 0.9;
/// Over how long the power of tone and noise is compared.
const VOICING_SECS: f64 = 0.032;
/// A tone this much above the noise is heard as one: 6 dB in power.
const OVER_NOISE: f64 = 4.0;
/// A tone this much under the note's strongest frame is over: -60 dB in power.
const UNDER_PEAK: f64 = 1e-6;

/// A recording in the making.
pub(super) struct Recording {
    family: Family,
    instrument: usize,
    grid: FrameGrid,
    rng: Pcg64Mcg,
    tone: Vec<f32>,
    noise: Vec<f32>,
    takes: Vec<Take>,
}

/// The truth about one note.
struct Take {
    onset: usize,
    /// f0 at every block's edge from the onset on.
    f0_hz: Vec<f64>,
    /// Power of the sinusoids in each frame.
    power: Vec<f64>,
}

impl Recording {
    /// An empty room.
    pub(super) fn new(
        family: Family,
        instrument: usize,
        n_samples: usize,
        seed: u64,
        grid: FrameGrid,
    ) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut noise = vec![0.0; n_samples];
        let rms = linear(rng.random_range(ROOM_NOISE_DB));
        add_room_noise(rms, f64::from(grid.sample_rate), rng.next_u64(), &mut noise);
        let tone = vec![0.0; n_samples];
        Self { family, instrument, grid, rng, tone, noise, takes: Vec::new() }
    }

    /// Plays one note; one that begins after the end is not heard.
    pub(super) fn add(&mut self, note: &PhraseNote, motion: PitchMotion) {
        assert!((1..=127).contains(&note.velocity), "velocity {} is not 1..=127", note.velocity);
        assert!((0.0..=127.0).contains(&note.pitch), "pitch {} is not 0..=127", note.pitch);
        let sample_rate = f64::from(self.grid.sample_rate);
        let key = Key {
            f0_hz: 440.0 * ((f64::from(note.pitch) - 69.0) / 12.0).exp2(),
            velocity: f64::from(note.velocity) / 127.0,
            held_secs: note.end_secs - note.start_secs,
            sample_rate,
            seed: self.rng.next_u64(),
            motion,
        };
        let onset = (note.start_secs.max(0.0) * sample_rate).round() as usize;
        if onset >= self.tone.len() {
            return;
        }
        let mut alone = vec![0.0; self.tone.len() - onset];
        let mut stems = Stems { tone: &mut alone, noise: &mut self.noise[onset..] };
        let f0_hz = Tone::new(self.family, self.instrument, &key).sound(&key, &mut stems);
        for (sum, x) in self.tone[onset..].iter_mut().zip(&alone) {
            *sum += x;
        }
        let power = self.frame_powers(&alone, onset);
        self.takes.push(Take { onset, f0_hz, power });
    }

    /// The sum, and for each frame the last note begun that is audible there.
    pub(super) fn finish(self) -> RenderedNote {
        let noise_power = self.frame_powers(&self.noise, 0);
        let n_frames = noise_power.len();
        let mut truth = vec![None; n_frames];
        for take in &self.takes {
            let strongest = take.power.iter().fold(0.0, |m: f64, &p| m.max(p));
            for (i, truth) in truth.iter_mut().enumerate() {
                let audible = take.power[i] >= OVER_NOISE * noise_power[i]
                    && take.power[i] > UNDER_PEAK * strongest;
                if audible && i * self.grid.hop >= take.onset {
                    *truth = Some(take.f0_at(i * self.grid.hop));
                }
            }
        }
        let voiced = truth.iter().map(Option::is_some).collect();
        let mut audio = self.tone;
        for (y, noise) in audio.iter_mut().zip(&self.noise) {
            *y += noise;
        }
        let peak = audio.iter().fold(0.0_f32, |m, y| m.max(y.abs()));
        if peak > PEAK {
            audio.iter_mut().for_each(|y| *y *= PEAK / peak);
        }
        let first_hz = self.takes.first().map_or(440.0, |t| t.f0_hz[0] as f32);
        RenderedNote { audio, f0_hz: hold(&truth, first_hz), voiced }
    }

    /// Mean power around each frame's centre of a signal that begins at sample `start`.
    fn frame_powers(&self, signal: &[f32], start: usize) -> Vec<f64> {
        let half = (0.5 * VOICING_SECS * f64::from(self.grid.sample_rate)) as usize;
        let mut sums = Vec::with_capacity(signal.len() + 1);
        let mut sum = 0.0;
        sums.push(sum);
        for &x in signal {
            sum += f64::from(x) * f64::from(x);
            sums.push(sum);
        }
        let at = |sample: usize| sums[sample.saturating_sub(start).min(signal.len())];
        let power = |i: usize| {
            let (from, to) = ((i * self.grid.hop).saturating_sub(half), i * self.grid.hop + half);
            (at(to) - at(from)) / (to.min(self.tone.len()) - from) as f64
        };
        (0..self.grid.n_frames(self.tone.len())).map(power).collect()
    }
}

impl Take {
    /// The f0 at a sample: linear inside a block, as it was synthesised.
    fn f0_at(&self, sample: usize) -> f32 {
        let x = (sample - self.onset) as f64 / BLOCK as f64;
        let i = (x as usize).min(self.f0_hz.len() - 1);
        let next = self.f0_hz[(i + 1).min(self.f0_hz.len() - 1)];
        (self.f0_hz[i] + (next - self.f0_hz[i]) * (x - i as f64).min(1.0)) as f32
    }
}

/// Fills the gaps with the last value before them; those at the start with the first value there is.
fn hold(truth: &[Option<f32>], otherwise: f32) -> Vec<f32> {
    let mut last = truth.iter().flatten().next().copied().unwrap_or(otherwise);
    let held = truth.iter().map(|f0_hz| {
        last = f0_hz.unwrap_or(last);
        last
    });
    held.collect()
}
