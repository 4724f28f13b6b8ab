//! Flutes: few harmonics, audible breath, and a vibrato of level more than of pitch.
//!
//! Harmonics of the air jet grow with blowing pressure (Fletcher & Rossing, ch. 16): at soft touch the tone is nearly a sine,
//! at loud touch the second and third partials come near the fundamental in the low register. Flute vibrato, at 4 to 6 Hz,
//! is mostly of level.

use super::body::Body;
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::sustained::{Breath, SourcePartial, Sustained};
use rand::RngExt;

/// What tells one flute from another.
struct Blown {
    name: &'static str,
    /// Levels of partials 2, 3 and 4 at loudest touch, in dB under the first.
    upper_db: [f64; 3],
    /// Further fall for each partial above the fourth, in dB.
    fall_db: f64,
    breath_db: f64,
    vibrato_db: f64,
    attack_secs: f64,
}

#[rustfmt::skip]
const INSTRUMENTS: [Blown; 6] = [
    Blown { name: "concert flute", upper_db: [-7.0, -13.0, -21.0], fall_db: 7.0, breath_db: -22.0, vibrato_db: 2.0, attack_secs: 0.07 },
    Blown { name: "alto flute", upper_db: [-9.0, -15.0, -24.0], fall_db: 8.0, breath_db: -20.0, vibrato_db: 1.8, attack_secs: 0.09 },
    Blown { name: "piccolo", upper_db: [-10.0, -17.0, -22.0], fall_db: 6.5, breath_db: -23.0, vibrato_db: 1.5, attack_secs: 0.05 },
    Blown { name: "recorder", upper_db: [-15.0, -11.0, -25.0], fall_db: 7.0, breath_db: -24.0, vibrato_db: 1.3, attack_secs: 0.04 },
    Blown { name: "wooden flute", upper_db: [-8.0, -14.0, -20.0], fall_db: 6.0, breath_db: -21.0, vibrato_db: 1.6, attack_secs: 0.06 },
    Blown { name: "pan flute", upper_db: [-19.0, -12.0, -27.0], fall_db: 8.0, breath_db: -17.0, vibrato_db: 1.7, attack_secs: 0.05 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
const N_PARTIALS: usize = 16;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Sustained {
    let blown = &INSTRUMENTS[instrument];
    let mut rng = key.rng();
    Sustained {
        partials: (1..=N_PARTIALS).map(|k| jet(k, blown)).collect(),
        // The open end radiates high partials no better beyond a few kHz.
        body: Body::flat(key.sample_rate).with_band(100.0, 5500.0),
        breath: Breath {
            level_db: blown.breath_db + 6.0 * (1.0 - key.velocity),
            onset_db: 6.0,
            onset_secs: 0.05,
            // Turbulence of the jet: broad, strongest around 2 kHz, and coloured by the tube near the note.
            colours: vec![
                Colour::BandPass(2000.0, 2500.0, 0.0),
                Colour::BandPass(5000.0, 3000.0, -3.0),
                Colour::BandPass(key.f0_hz, 0.5 * key.f0_hz, -4.0),
            ],
        },
        attack_secs: blown.attack_secs * rng.random_range(0.8..1.2),
        partial_lag_secs: 0.015,
        sag: (1.0, 1.0),
        release_secs: 0.035,
        dynamic_range_db: 18.0,
        vibrato: Vibrato {
            rate_hz: rng.random_range(4.5..5.6),
            depth_cents: 6.0,
            depth_db: blown.vibrato_db * rng.random_range(0.8..1.2),
            delay_secs: rng.random_range(0.2..0.5),
            rise_secs: 0.6,
        },
        drift_cents: 2.5,
        flutter_db: 0.5,
        partial_flutter_db: 0.7,
        scoop: (rng.random_range(-18.0..0.0), 0.04),
    }
}

fn jet(k: usize, blown: &Blown) -> SourcePartial {
    let loud_db = match k {
        1 => 0.0,
        2..=4 => blown.upper_db[k - 2],
        _ => blown.upper_db[2] - blown.fall_db * (k - 4) as f64,
    };
    // Harmonics of the jet go with a power of the pressure that grows with their number.
    let soft_db = loud_db - 7.0 * (k as f64).ln().min(2.0) * 1.4;
    SourcePartial { ratio: k as f64, soft_db, loud_db }
}
