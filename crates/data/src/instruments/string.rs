//! Bowed strings.
//!
//! The bow's stick-slip motion is a sawtooth (Helmholtz motion): partials fall as `1/k`, softened by
//! the width of the bow hair and the strings' stiffness, with a comb from the bowing point. The body's signature modes
//! (A0, B1, bridge hill) are from Fletcher & Rossing, The Physics of Musical Instruments, ch. 10: violin
//! A0 275 Hz, B1- 450 Hz, B1+ 540 Hz, bridge hill 2.4 kHz; larger members scale down.

use super::body::{Body, Peak};
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::sustained::{Breath, SourcePartial, Sustained};
use rand::RngExt;
use std::f64::consts::LOG10_E;

/// What tells one bowed instrument from another.
struct Bowed {
    name: &'static str,
    /// Air mode A0, body modes B1- and B1+, bridge hill, in Hz.
    modes_hz: [f64; 4],
    /// Height of the bridge hill, in dB.
    hill_db: f64,
    /// Bowing point as a fraction of the string.
    bow_at: f64,
    /// Partials fall by e for each of these, in Hz, at the softest and loudest touch.
    corner_hz: [f64; 2],
    vibrato: (f64, f64),
    attack_secs: f64,
    bow_noise_db: f64,
}

#[rustfmt::skip]
const INSTRUMENTS: [Bowed; 8] = [
    Bowed { name: "violin", modes_hz: [275.0, 450.0, 540.0, 2400.0], hill_db: 12.0, bow_at: 0.11, corner_hz: [2000.0, 4500.0], vibrato: (5.9, 18.0), attack_secs: 0.09, bow_noise_db: -33.0 },
    Bowed { name: "fiddle", modes_hz: [285.0, 470.0, 560.0, 2700.0], hill_db: 13.5, bow_at: 0.09, corner_hz: [2300.0, 5000.0], vibrato: (6.2, 12.0), attack_secs: 0.06, bow_noise_db: -31.0 },
    Bowed { name: "viola", modes_hz: [230.0, 360.0, 430.0, 2000.0], hill_db: 11.0, bow_at: 0.12, corner_hz: [1700.0, 3900.0], vibrato: (5.6, 17.0), attack_secs: 0.11, bow_noise_db: -33.0 },
    Bowed { name: "dark viola", modes_hz: [220.0, 340.0, 415.0, 1800.0], hill_db: 9.5, bow_at: 0.13, corner_hz: [1400.0, 3400.0], vibrato: (5.4, 20.0), attack_secs: 0.12, bow_noise_db: -34.0 },
    Bowed { name: "cello", modes_hz: [104.0, 185.0, 230.0, 1700.0], hill_db: 11.0, bow_at: 0.11, corner_hz: [1500.0, 3600.0], vibrato: (5.4, 19.0), attack_secs: 0.13, bow_noise_db: -33.0 },
    Bowed { name: "viola da gamba", modes_hz: [120.0, 200.0, 260.0, 1900.0], hill_db: 12.5, bow_at: 0.10, corner_hz: [1700.0, 3800.0], vibrato: (5.1, 10.0), attack_secs: 0.10, bow_noise_db: -32.0 },
    Bowed { name: "double bass", modes_hz: [70.0, 110.0, 160.0, 1400.0], hill_db: 9.5, bow_at: 0.12, corner_hz: [1200.0, 3000.0], vibrato: (5.0, 16.0), attack_secs: 0.15, bow_noise_db: -32.0 },
    Bowed { name: "section violin", modes_hz: [270.0, 440.0, 530.0, 2300.0], hill_db: 11.5, bow_at: 0.12, corner_hz: [1800.0, 4200.0], vibrato: (5.7, 20.0), attack_secs: 0.14, bow_noise_db: -33.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();

/// Partials computed at most: all below Nyquist down to 100 Hz.
const N_PARTIALS: usize = 80;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Sustained {
    let bowed = &INSTRUMENTS[instrument];
    let mut rng = key.rng();
    let (rate_hz, depth_cents) = bowed.vibrato;
    Sustained {
        partials: (1..=N_PARTIALS).map(|k| helmholtz(k, key.f0_hz, bowed)).collect(),
        body: body(bowed, instrument as u64, key.sample_rate),
        breath: Breath {
            level_db: bowed.bow_noise_db,
            onset_db: 8.0,
            onset_secs: 0.06,
            colours: vec![
                Colour::BandPass(bowed.modes_hz[3], 0.9 * bowed.modes_hz[3], 0.0),
                Colour::BandPass(bowed.modes_hz[2], 0.5 * bowed.modes_hz[2], -5.0),
                Colour::LowPass(6000.0, -12.0),
            ],
        },
        attack_secs: bowed.attack_secs * (1.4 - 0.6 * key.velocity) * rng.random_range(0.85..1.15),
        partial_lag_secs: 0.012,
        sag: (1.5, 1.5),
        release_secs: 0.09,
        dynamic_range_db: 18.0,
        vibrato: Vibrato {
            rate_hz: rate_hz * rng.random_range(0.96..1.04),
            depth_cents: depth_cents * rng.random_range(0.8..1.2),
            depth_db: 0.4,
            delay_secs: rng.random_range(0.25..0.45),
            rise_secs: 0.5,
        },
        drift_cents: 2.5,
        flutter_db: 0.7,
        partial_flutter_db: 0.8,
        scoop: (rng.random_range(-12.0..2.0), 0.05),
    }
}

fn helmholtz(k: usize, f0_hz: f64, bowed: &Bowed) -> SourcePartial {
    let ratio = k as f64;
    // A pure Helmholtz motion would have no comb at all; real bows show one of some 6 dB.
    let comb = ((std::f64::consts::PI * ratio * bowed.bow_at).sin().powi(2) + 0.3).sqrt();
    let db = |corner_hz: f64| 20.0 * ((comb / ratio).log10() - ratio * f0_hz / corner_hz * LOG10_E);
    SourcePartial { ratio, soft_db: db(bowed.corner_hz[0]), loud_db: db(bowed.corner_hz[1]) }
}

fn body(bowed: &Bowed, seed: u64, sample_rate: f64) -> Body {
    let [air, low, high, hill] = bowed.modes_hz;
    let peaks: [Peak; 4] = [
        (air, air / 12.0, 9.0),
        (low, low / 20.0, 9.0),
        (high, high / 20.0, 11.0),
        (hill, 0.45 * hill, bowed.hill_db),
    ];
    Body::flat(sample_rate)
        .with_peaks(&peaks)
        .with_grain(6.0, 0x57_72 + seed)
        .with_band(0.8 * air, 2.2 * hill)
}
