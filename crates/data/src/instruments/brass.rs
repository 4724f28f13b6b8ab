//! Brass: lip reeds whose brightness grows with level.
//!
//! Nonlinear lips and steepening waves enrich the spectrum as the player blows harder, and a bell radiates
//! partials the better the nearer they are to its cutoff (trumpet about 1.5 kHz, trombone 0.7, horn 0.6, tuba 0.4:
//! Fletcher & Rossing, ch. 14). Partials come in from the lowest to the highest over some 50 ms (Risset & Mathews 1969).

use super::body::Body;
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::sustained::{Breath, SourcePartial, Sustained};
use rand::RngExt;
use std::f64::consts::LOG10_E;

/// What tells one brass instrument from another.
struct Brass {
    name: &'static str,
    /// Cutoff of the bell, in Hz.
    bell_hz: f64,
    /// Partials fall by e for each of these, in Hz, at the softest and loudest touch.
    corner_hz: [f64; 2],
    attack_secs: f64,
    vibrato_cents: f64,
    /// A mute's resonance, in Hz.
    mute_hz: Option<f64>,
}

#[rustfmt::skip]
const INSTRUMENTS: [Brass; 6] = [
    Brass { name: "trumpet", bell_hz: 1400.0, corner_hz: [550.0, 2300.0], attack_secs: 0.045, vibrato_cents: 7.0, mute_hz: None },
    Brass { name: "cornet", bell_hz: 1150.0, corner_hz: [500.0, 1800.0], attack_secs: 0.05, vibrato_cents: 9.0, mute_hz: None },
    Brass { name: "muted trumpet", bell_hz: 1700.0, corner_hz: [700.0, 2800.0], attack_secs: 0.045, vibrato_cents: 6.0, mute_hz: Some(1900.0) },
    Brass { name: "trombone", bell_hz: 750.0, corner_hz: [420.0, 1900.0], attack_secs: 0.06, vibrato_cents: 5.0, mute_hz: None },
    Brass { name: "french horn", bell_hz: 600.0, corner_hz: [300.0, 1600.0], attack_secs: 0.07, vibrato_cents: 3.0, mute_hz: None },
    Brass { name: "tuba", bell_hz: 420.0, corner_hz: [250.0, 1500.0], attack_secs: 0.08, vibrato_cents: 3.0, mute_hz: None },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
const N_PARTIALS: usize = 50;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Sustained {
    let brass = &INSTRUMENTS[instrument];
    let mut rng = key.rng();
    let body = Body::flat(key.sample_rate).with_band(brass.bell_hz, 4.0 * brass.bell_hz);
    Sustained {
        partials: (1..=N_PARTIALS).map(|k| lips(k, key.f0_hz, brass)).collect(),
        body: match brass.mute_hz {
            Some(hz) => body.with_peaks(&[(hz, 0.3 * hz, 12.0)]),
            None => body,
        },
        breath: Breath {
            level_db: -44.0,
            onset_db: 14.0,
            onset_secs: 0.03,
            colours: vec![
                Colour::BandPass(brass.bell_hz, brass.bell_hz, 0.0),
                Colour::LowPass(4000.0, -6.0),
            ],
        },
        attack_secs: brass.attack_secs * (1.5 - 0.6 * key.velocity) * rng.random_range(0.85..1.15),
        partial_lag_secs: 0.022,
        sag: (2.5, 0.4),
        release_secs: 0.035,
        dynamic_range_db: 12.0,
        vibrato: Vibrato {
            rate_hz: rng.random_range(4.8..5.6),
            depth_cents: brass.vibrato_cents,
            depth_db: 0.3,
            delay_secs: rng.random_range(0.7..1.1),
            rise_secs: 0.6,
        },
        drift_cents: 3.0,
        flutter_db: 0.4,
        partial_flutter_db: 0.4,
        scoop: (rng.random_range(-45.0..-15.0), 0.03),
    }
}

fn lips(k: usize, f0_hz: f64, brass: &Brass) -> SourcePartial {
    let ratio = k as f64;
    let db = |corner_hz: f64| {
        // Low notes bring more partials below the same corner than high ones: the corner goes up with the root of pitch.
        let corner_hz = corner_hz * (f0_hz / 233.0).sqrt();
        -20.0 * (0.5 * ratio.log10() + LOG10_E * ratio * f0_hz / corner_hz)
    };
    SourcePartial { ratio, soft_db: db(brass.corner_hz[0]), loud_db: db(brass.corner_hz[1]) }
}
