//! Mallets: bars and tines struck and left to ring.
//!
//! Mode ratios (Fletcher & Rossing, ch. 2 and 19): a free bar 1 : 2.756 : 5.404 : 8.933, a clamped tine 1 : 6.267 : 17.55, a marimba's
//! undercut bar 1 : 3.92 : 9.24 (tuned to a double octave), a vibraphone's 1 : 4 : 10, a xylophone's 1 : 3 : 6.
//! The f0 is that of the first mode.

use super::body::Body;
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::struck::{Knock, Mode, Struck};

/// What tells one mallet instrument from another.
struct Mallet {
    name: &'static str,
    /// Ratio, level in dB at loudest touch, and time constant relative to the first mode's.
    modes: &'static [(f64, f64, f64)],
    /// Time constant of the first mode at middle C, and the power of pitch with which it falls.
    decay_secs: f64,
    decay_power: f64,
    /// Upper modes lose this much at the softest touch, in dB an octave.
    soft_db: f64,
    /// Time constant under the damper; none where there is none.
    damped_secs: Option<f64>,
    /// Tremolo by turning fans, in dB.
    tremolo_db: f64,
    knock_db: f64,
}

#[rustfmt::skip]
const INSTRUMENTS: [Mallet; 6] = [
    Mallet { name: "marimba", modes: &[(1.0, 0.0, 1.0), (3.92, -11.0, 0.28), (9.24, -22.0, 0.12)], decay_secs: 0.42, decay_power: 0.7, soft_db: 7.0, damped_secs: None, tremolo_db: 0.0, knock_db: -14.0 },
    Mallet { name: "xylophone", modes: &[(1.0, 0.0, 1.0), (3.0, -7.0, 0.5), (6.0, -12.0, 0.3), (9.9, -18.0, 0.2)], decay_secs: 0.26, decay_power: 0.6, soft_db: 5.0, damped_secs: None, tremolo_db: 0.0, knock_db: -11.0 },
    Mallet { name: "vibraphone", modes: &[(1.0, 0.0, 1.0), (4.0, -18.0, 0.22), (10.0, -28.0, 0.1)], decay_secs: 1.7, decay_power: 0.5, soft_db: 6.0, damped_secs: Some(0.09), tremolo_db: 2.2, knock_db: -22.0 },
    Mallet { name: "glockenspiel", modes: &[(1.0, 0.0, 1.0), (2.756, -7.0, 0.6), (5.404, -13.0, 0.35), (8.933, -20.0, 0.2)], decay_secs: 1.5, decay_power: 0.45, soft_db: 4.0, damped_secs: None, tremolo_db: 0.0, knock_db: -17.0 },
    Mallet { name: "celesta", modes: &[(1.0, 0.0, 1.0), (2.756, -17.0, 0.4), (5.404, -22.0, 0.25)], decay_secs: 0.9, decay_power: 0.5, soft_db: 5.0, damped_secs: Some(0.12), tremolo_db: 0.0, knock_db: -19.0 },
    Mallet { name: "kalimba", modes: &[(1.0, 0.0, 1.0), (6.267, -16.0, 0.15), (17.55, -30.0, 0.06)], decay_secs: 0.6, decay_power: 0.6, soft_db: 5.0, damped_secs: None, tremolo_db: 0.0, knock_db: -13.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
const MIDDLE_C_HZ: f64 = 261.63;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Struck {
    let mallet = &INSTRUMENTS[instrument];
    let first_secs = mallet.decay_secs * (key.f0_hz / MIDDLE_C_HZ).powf(-mallet.decay_power);
    let mode = |&(ratio, loud_db, share): &(f64, f64, f64)| {
        let decay_secs = first_secs * share;
        Mode {
            ratio,
            level_db: loud_db - (1.0 - key.velocity) * mallet.soft_db * ratio.log2(),
            decay_secs,
            damped_secs: mallet.damped_secs.unwrap_or(decay_secs).min(decay_secs),
        }
    };
    Struck {
        modes: mallet.modes.iter().map(mode).collect(),
        body: Body::flat(key.sample_rate),
        knock: Knock {
            level_db: mallet.knock_db,
            decay_secs: 0.008,
            release_db: if mallet.damped_secs.is_some() { -20.0 } else { -60.0 },
            colours: vec![
                Colour::BandPass(700.0, 700.0, 0.0),
                Colour::BandPass(2500.0, 2500.0, -6.0),
            ],
        },
        attack_secs: 0.002,
        dynamic_range_db: 20.0,
        after_sound: (-60.0, 1.0),
        tremolo: Vibrato { rate_hz: 5.5, depth_db: mallet.tremolo_db, ..Vibrato::default() },
        drift_cents: 0.05,
        glide: (0.0, 0.1),
    }
}
