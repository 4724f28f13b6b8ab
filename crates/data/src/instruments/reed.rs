//! Reeds: cylindrical bores sound odd partials, conical bores all.
//!
//! A clarinet's closed cylinder has resonances at odd multiples; above the cutoff of the open-hole lattice
//! (about 1.5 kHz) odd and even partials become alike. Oboe, bassoon and saxophone are cones; the double reeds have formants
//! (oboe 1.1 and 2.7 kHz, English horn 0.93 and 2.3, bassoon 0.44 to 0.5 and 1.22 kHz). Fletcher & Rossing, ch. 15; Meyer,
//! Acoustics and the Performance of Music, ch. 3.

use super::body::{Body, Peak};
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::sustained::{Breath, SourcePartial, Sustained};
use rand::RngExt;

/// What tells one reed instrument from another.
struct Reed {
    name: &'static str,
    /// Even partials stand this much under the odd ones, in dB, far below `cutoff_hz`.
    even_down_db: f64,
    /// Cutoff of the tone holes; above it, partials fall by 12 dB an octave more.
    cutoff_hz: f64,
    /// Formants.
    formants: &'static [Peak],
    /// Fall of the source, in dB an octave, at the softest and loudest touch.
    fall_db: [f64; 2],
    breath_db: f64,
    /// Vibrato in cents and in dB.
    vibrato: (f64, f64),
}

#[rustfmt::skip]
const INSTRUMENTS: [Reed; 8] = [
    Reed { name: "clarinet", even_down_db: 26.0, cutoff_hz: 1600.0, formants: &[], fall_db: [9.0, 4.5], breath_db: -40.0, vibrato: (0.0, 0.0) },
    Reed { name: "bass clarinet", even_down_db: 24.0, cutoff_hz: 1100.0, formants: &[], fall_db: [9.0, 5.0], breath_db: -38.0, vibrato: (0.0, 0.0) },
    Reed { name: "basset horn", even_down_db: 25.0, cutoff_hz: 1350.0, formants: &[], fall_db: [9.5, 5.0], breath_db: -39.0, vibrato: (0.0, 0.0) },
    Reed { name: "oboe", even_down_db: 0.0, cutoff_hz: 3200.0, formants: &[(1100.0, 500.0, 13.0), (2700.0, 800.0, 9.0)], fall_db: [6.5, 4.0], breath_db: -40.0, vibrato: (9.0, 0.9) },
    Reed { name: "english horn", even_down_db: 0.0, cutoff_hz: 2700.0, formants: &[(930.0, 420.0, 13.0), (2300.0, 700.0, 7.0)], fall_db: [7.0, 4.5], breath_db: -39.0, vibrato: (9.0, 0.9) },
    Reed { name: "bassoon", even_down_db: 0.0, cutoff_hz: 1500.0, formants: &[(470.0, 180.0, 13.0), (1220.0, 400.0, 7.0)], fall_db: [7.5, 5.0], breath_db: -38.0, vibrato: (7.0, 0.7) },
    Reed { name: "alto saxophone", even_down_db: 2.0, cutoff_hz: 2400.0, formants: &[(850.0, 600.0, 6.0), (2000.0, 900.0, 5.0)], fall_db: [8.0, 4.5], breath_db: -34.0, vibrato: (10.0, 0.8) },
    Reed { name: "tenor saxophone", even_down_db: 2.0, cutoff_hz: 1900.0, formants: &[(600.0, 420.0, 6.0), (1500.0, 700.0, 5.0)], fall_db: [8.0, 4.5], breath_db: -33.0, vibrato: (11.0, 0.9) },
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
    let reed = &INSTRUMENTS[instrument];
    let mut rng = key.rng();
    let (depth_cents, depth_db) = reed.vibrato;
    Sustained {
        partials: (1..=N_PARTIALS).map(|k| bore(k, key.f0_hz, reed)).collect(),
        body: Body::flat(key.sample_rate)
            .with_peaks(reed.formants)
            .with_band(100.0, 1.3 * reed.cutoff_hz),
        breath: Breath {
            level_db: reed.breath_db,
            onset_db: 8.0,
            onset_secs: 0.03,
            colours: vec![
                Colour::BandPass(1.5 * reed.cutoff_hz, 1.5 * reed.cutoff_hz, 0.0),
                Colour::LowPass(6000.0, -8.0),
            ],
        },
        attack_secs: 0.045 * rng.random_range(0.8..1.2),
        partial_lag_secs: 0.006,
        sag: (1.0, 1.0),
        release_secs: 0.03,
        dynamic_range_db: 18.0,
        vibrato: Vibrato {
            rate_hz: rng.random_range(4.8..5.6),
            depth_cents,
            depth_db,
            delay_secs: rng.random_range(0.4..0.7),
            rise_secs: 0.6,
        },
        drift_cents: 2.0,
        flutter_db: 0.35,
        partial_flutter_db: 0.5,
        scoop: (rng.random_range(-20.0..-4.0), 0.03),
    }
}

fn bore(k: usize, f0_hz: f64, reed: &Reed) -> SourcePartial {
    let ratio = k as f64;
    let above = (ratio * f0_hz / reed.cutoff_hz).powi(2);
    let even_db = if k.is_multiple_of(2) { -reed.even_down_db / (1.0 + above) } else { 0.0 };
    let db = |fall_db: f64| even_db - fall_db * ratio.log2();
    SourcePartial { ratio, soft_db: db(reed.fall_db[0]), loud_db: db(reed.fall_db[1]) }
}
