//! Lead synthesizers: detuned saw and pulse oscillators through a bright filter, held without decay.

use super::body::Body;
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::sustained::{Breath, SourcePartial, Sustained};
use rand::RngExt;

/// Shape of one oscillator; its Fourier series is exact.
#[derive(Clone, Copy)]
enum Wave {
    /// `1 / k`.
    Saw,
    /// `sin(pi k duty) / k`.
    Pulse(f64),
}

/// What tells one patch from another.
struct Patch {
    name: &'static str,
    wave: Wave,
    /// Oscillators lie at these cents; symmetric, so that their centre is the note.
    unison_cents: &'static [f64],
    /// The filter's corner at the softest and loudest touch, and the height in dB of its resonance.
    corner_hz: [f64; 2],
    resonance_db: f64,
    vibrato_cents: f64,
}

#[rustfmt::skip]
const INSTRUMENTS: [Patch; 6] = [
    Patch { name: "saw lead", wave: Wave::Saw, unison_cents: &[-6.0, 6.0], corner_hz: [3000.0, 7000.0], resonance_db: 4.0, vibrato_cents: 0.0 },
    Patch { name: "super saw", wave: Wave::Saw, unison_cents: &[-11.0, -4.0, 4.0, 11.0], corner_hz: [3500.0, 8000.0], resonance_db: 2.0, vibrato_cents: 0.0 },
    Patch { name: "square lead", wave: Wave::Pulse(0.5), unison_cents: &[-5.0, 5.0], corner_hz: [3500.0, 7500.0], resonance_db: 3.0, vibrato_cents: 0.0 },
    Patch { name: "pulse lead", wave: Wave::Pulse(0.23), unison_cents: &[-7.0, 7.0], corner_hz: [3000.0, 7000.0], resonance_db: 3.0, vibrato_cents: 0.0 },
    Patch { name: "thin pulse", wave: Wave::Pulse(0.11), unison_cents: &[-5.0, 5.0], corner_hz: [3500.0, 8000.0], resonance_db: 2.0, vibrato_cents: 0.0 },
    Patch { name: "resonant saw", wave: Wave::Saw, unison_cents: &[-8.0, 0.0, 8.0], corner_hz: [2600.0, 5500.0], resonance_db: 9.0, vibrato_cents: 0.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
const N_PARTIALS: usize = 80;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Sustained {
    let patch = &INSTRUMENTS[instrument];
    let mut rng = key.rng();
    let highest = (0.49 * key.sample_rate / key.f0_hz).floor();
    let partials = patch.unison_cents.iter().flat_map(|cents| {
        let detune = (cents / 1200.0).exp2();
        let below_nyquist = (1..=N_PARTIALS).take_while(move |&k| k as f64 <= highest);
        below_nyquist.map(move |k| oscillator(k, detune, key.f0_hz, patch))
    });
    Sustained {
        partials: partials.collect(),
        body: Body::flat(key.sample_rate),
        breath: Breath {
            level_db: -58.0,
            onset_db: 0.0,
            onset_secs: 0.1,
            colours: vec![Colour::LowPass(7000.0, 0.0)],
        },
        attack_secs: 0.008,
        partial_lag_secs: 0.001,
        sag: (1.5, 0.15),
        release_secs: 0.05 * rng.random_range(0.9..1.1),
        dynamic_range_db: 12.0,
        vibrato: Vibrato {
            rate_hz: 5.5,
            depth_cents: patch.vibrato_cents,
            delay_secs: 0.8,
            rise_secs: 0.3,
            ..Vibrato::default()
        },
        drift_cents: 0.6,
        flutter_db: 0.05,
        partial_flutter_db: 0.0,
        scoop: (0.0, 0.1),
    }
}

fn oscillator(k: usize, detune: f64, f0_hz: f64, patch: &Patch) -> SourcePartial {
    let number = k as f64;
    let amplitude = match patch.wave {
        Wave::Saw => 1.0,
        Wave::Pulse(duty) => (std::f64::consts::PI * number * duty).sin().abs().max(1e-3),
    };
    let wave_db = 20.0 * (amplitude / number).log10();
    let db = |corner_hz: f64| wave_db + low_pass_db(number * f0_hz / corner_hz, patch.resonance_db);
    SourcePartial {
        ratio: number * detune,
        soft_db: db(patch.corner_hz[0]),
        loud_db: db(patch.corner_hz[1]),
    }
}

/// Magnitude in dB of a second-order low-pass at `x` times its corner, with a resonance of `resonance_db` there.
fn low_pass_db(x: f64, resonance_db: f64) -> f64 {
    let q = 10.0_f64.powf(resonance_db / 20.0);
    -10.0 * ((1.0 - x * x).powi(2) + (x / q).powi(2)).log10()
}
