//! Plucked strings, for guitars and basses.

use super::key::Key;
use super::struck::{Mode, stiff_string, string_decay_secs};
use std::f64::consts::{LOG10_E, PI};

/// A string and how it is plucked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pluck {
    /// Where, as a fraction of the string.
    pub at: f64,
    /// Where a pickup listens, as a fraction of the string; none for what a bridge feels.
    pub pickup_at: Option<f64>,
    /// Inharmonicity at the reference pitch.
    pub inharmonicity: f64,
    /// Time constant of the slowest losses at the reference pitch.
    pub decay_secs: f64,
    /// Where losses in the string reach 1 neper a second, in Hz.
    pub loss_hz: f64,
    /// Partials fall by e for each of these, in Hz, at the softest and loudest touch.
    pub corner_hz: [f64; 2],
    /// Time constant after the finger stops the string.
    pub damped_secs: f64,
}

const N_PARTIALS: usize = 60;

/// Combs are this deep at most, in power: fingers and pickups have width.
const COMB_FLOOR: f64 = 0.01;

/// Modes of a plucked string; `reference_hz` is the pitch its inharmonicity and decay are given for.
pub(super) fn pluck(pluck: &Pluck, key: &Key, reference_hz: f64) -> Vec<Mode> {
    let octaves = (key.f0_hz / reference_hz).log2();
    // Up the neck the string is shorter: B goes with 1 / length^2, tempered by the change to a thinner string.
    let b = pluck.inharmonicity * octaves.exp2();
    let slowest_secs = pluck.decay_secs * (-0.45 * octaves).exp2();
    let [soft_hz, loud_hz] = pluck.corner_hz;
    let corner_hz = soft_hz * (loud_hz / soft_hz).powf(key.velocity) * (0.35 * octaves).exp2();
    let comb = |k: f64, at: f64| ((PI * k * at).sin().powi(2) + COMB_FLOOR).sqrt();
    let mode = |k: usize| {
        let (ratio, number) = (stiff_string(k, b), k as f64);
        let hz = ratio * key.f0_hz;
        let heard = pluck.pickup_at.map_or(1.0, |at| comb(number, at));
        let amplitude = comb(number, pluck.at) * heard / number;
        Mode {
            ratio,
            level_db: 20.0 * (amplitude.log10() - LOG10_E * hz / corner_hz),
            decay_secs: string_decay_secs(hz, slowest_secs, pluck.loss_hz),
            damped_secs: pluck.damped_secs,
        }
    };
    (1..=N_PARTIALS)
        .map(mode)
        .take_while(|m| m.ratio * key.f0_hz < 0.49 * key.sample_rate)
        .collect()
}
