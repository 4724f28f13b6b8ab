//! Guitars: plucked strings before a wooden body or a pickup.
//!
//! A pluck at the fraction `at` of the string excites partial `k` as `sin(pi k at) / k`; a pickup adds a comb of its own. Body
//! modes of the acoustic guitar (air 100 Hz, top 200 Hz, next 400 Hz) are from Fletcher & Rossing, ch. 9, and so is the range of
//! inharmonicity: nylon below 1e-4, steel 1e-4 and more, growing up the neck.

use super::body::{Body, Peak};
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::pluck::{Pluck, pluck};
use super::struck::{Knock, Struck};

/// What tells one guitar from another.
struct Guitar {
    name: &'static str,
    pluck: Pluck,
    /// Resonances of the body; none for a solid one.
    body: &'static [Peak],
    /// Corner of pickup or soundboard radiation, in Hz.
    top_hz: f64,
    knock_db: f64,
}

const ACOUSTIC: &[Peak] =
    &[(100.0, 12.0, 10.0), (200.0, 20.0, 11.0), (405.0, 40.0, 7.0), (2500.0, 1200.0, 4.0)];
const ARCHTOP: &[Peak] = &[(130.0, 20.0, 7.0), (240.0, 30.0, 8.0), (480.0, 60.0, 6.0)];

#[rustfmt::skip]
const INSTRUMENTS: [Guitar; 6] = [
    Guitar { name: "nylon guitar", pluck: Pluck { at: 0.22, pickup_at: None, inharmonicity: 5.0e-5, decay_secs: 0.75, loss_hz: 1800.0, corner_hz: [900.0, 2600.0], damped_secs: 0.06 }, body: ACOUSTIC, top_hz: 4500.0, knock_db: -20.0 },
    Guitar { name: "steel guitar", pluck: Pluck { at: 0.15, pickup_at: None, inharmonicity: 1.2e-4, decay_secs: 1.0, loss_hz: 2800.0, corner_hz: [1800.0, 5000.0], damped_secs: 0.06 }, body: ACOUSTIC, top_hz: 6000.0, knock_db: -19.0 },
    Guitar { name: "archtop guitar", pluck: Pluck { at: 0.25, pickup_at: Some(0.24), inharmonicity: 1.3e-4, decay_secs: 0.9, loss_hz: 2000.0, corner_hz: [800.0, 2000.0], damped_secs: 0.05 }, body: ARCHTOP, top_hz: 3500.0, knock_db: -22.0 },
    Guitar { name: "electric guitar, neck", pluck: Pluck { at: 0.17, pickup_at: Some(0.25), inharmonicity: 1.1e-4, decay_secs: 1.5, loss_hz: 3200.0, corner_hz: [1400.0, 3500.0], damped_secs: 0.05 }, body: &[], top_hz: 4000.0, knock_db: -26.0 },
    Guitar { name: "electric guitar, bridge", pluck: Pluck { at: 0.12, pickup_at: Some(0.07), inharmonicity: 1.1e-4, decay_secs: 1.5, loss_hz: 3500.0, corner_hz: [2200.0, 5500.0], damped_secs: 0.05 }, body: &[(3200.0, 1200.0, 6.0)], top_hz: 5500.0, knock_db: -26.0 },
    Guitar { name: "twelve-fret steel guitar", pluck: Pluck { at: 0.19, pickup_at: None, inharmonicity: 1.0e-4, decay_secs: 0.9, loss_hz: 2500.0, corner_hz: [1500.0, 4200.0], damped_secs: 0.06 }, body: ACOUSTIC, top_hz: 5500.0, knock_db: -19.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
/// The pitch (G3) at which inharmonicity and decay are given.
const REFERENCE_HZ: f64 = 196.0;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Struck {
    let guitar = &INSTRUMENTS[instrument];
    Struck {
        modes: pluck(&guitar.pluck, key, REFERENCE_HZ),
        body: Body::flat(key.sample_rate)
            .with_peaks(guitar.body)
            .with_grain(if guitar.body.len() > 2 { 5.0 } else { 0.5 }, 0x6_0700 + instrument as u64)
            .with_band(60.0, guitar.top_hz),
        knock: Knock {
            level_db: guitar.knock_db,
            decay_secs: 0.012,
            release_db: -12.0,
            // The nail on the string, and the top's thump.
            colours: vec![
                Colour::BandPass(3000.0, 2500.0, 0.0),
                Colour::BandPass(200.0, 120.0, -4.0),
            ],
        },
        attack_secs: 0.002,
        dynamic_range_db: 20.0,
        after_sound: (-16.0, 2.2),
        tremolo: Vibrato::default(),
        drift_cents: 0.8,
        // A hard pluck stretches the string.
        glide: (9.0, 0.12),
    }
}
