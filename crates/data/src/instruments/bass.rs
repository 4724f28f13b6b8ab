//! Basses: low plucked strings, electric and upright, and a plucked synthesizer.
//!
//! Long heavy strings: inharmonicity of some 1e-4 and a slow fundamental under quickly fading partials (Fletcher & Rossing,
//! ch. 9 and 10; upright body A0 70 Hz, top 110 Hz).

use super::body::{Body, Peak};
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::pluck::{Pluck, pluck};
use super::struck::{Knock, Struck};

/// What tells one bass from another.
struct Bass {
    name: &'static str,
    pluck: Pluck,
    body: &'static [Peak],
    knock_db: f64,
    /// Vibrato of a fretless finger, in cents.
    vibrato_cents: f64,
}

const UPRIGHT: &[Peak] = &[(70.0, 12.0, 7.0), (110.0, 14.0, 8.0), (160.0, 25.0, 6.0)];

#[rustfmt::skip]
const INSTRUMENTS: [Bass; 6] = [
    Bass { name: "fingered bass", pluck: Pluck { at: 0.18, pickup_at: Some(0.2), inharmonicity: 1.2e-4, decay_secs: 1.4, loss_hz: 900.0, corner_hz: [250.0, 700.0], damped_secs: 0.05 }, body: &[], knock_db: -24.0, vibrato_cents: 0.0 },
    Bass { name: "picked bass", pluck: Pluck { at: 0.12, pickup_at: Some(0.15), inharmonicity: 1.3e-4, decay_secs: 1.3, loss_hz: 1300.0, corner_hz: [450.0, 1300.0], damped_secs: 0.05 }, body: &[], knock_db: -20.0, vibrato_cents: 0.0 },
    Bass { name: "fretless bass", pluck: Pluck { at: 0.17, pickup_at: Some(0.12), inharmonicity: 1.0e-4, decay_secs: 1.2, loss_hz: 850.0, corner_hz: [250.0, 800.0], damped_secs: 0.06 }, body: &[(700.0, 300.0, 5.0)], knock_db: -26.0, vibrato_cents: 7.0 },
    Bass { name: "upright bass", pluck: Pluck { at: 0.2, pickup_at: None, inharmonicity: 1.5e-4, decay_secs: 0.7, loss_hz: 650.0, corner_hz: [220.0, 600.0], damped_secs: 0.07 }, body: UPRIGHT, knock_db: -18.0, vibrato_cents: 4.0 },
    Bass { name: "slap bass", pluck: Pluck { at: 0.09, pickup_at: Some(0.13), inharmonicity: 1.4e-4, decay_secs: 1.1, loss_hz: 1700.0, corner_hz: [700.0, 2000.0], damped_secs: 0.04 }, body: &[], knock_db: -16.0, vibrato_cents: 0.0 },
    Bass { name: "synth bass", pluck: Pluck { at: 0.5, pickup_at: None, inharmonicity: 0.0, decay_secs: 1.0, loss_hz: 1000.0, corner_hz: [300.0, 1100.0], damped_secs: 0.03 }, body: &[], knock_db: -34.0, vibrato_cents: 0.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
/// The pitch (A1) at which inharmonicity and decay are given.
const REFERENCE_HZ: f64 = 55.0;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Struck {
    let bass = &INSTRUMENTS[instrument];
    Struck {
        modes: pluck(&bass.pluck, key, REFERENCE_HZ),
        body: Body::flat(key.sample_rate).with_peaks(bass.body).with_band(35.0, 3500.0),
        knock: Knock {
            level_db: bass.knock_db,
            decay_secs: 0.02,
            release_db: -10.0,
            colours: vec![
                Colour::BandPass(1500.0, 1500.0, 0.0),
                Colour::BandPass(120.0, 100.0, -2.0),
            ],
        },
        attack_secs: 0.004,
        dynamic_range_db: 18.0,
        after_sound: (-14.0, 2.0),
        tremolo: Vibrato {
            rate_hz: 5.0,
            depth_cents: bass.vibrato_cents,
            delay_secs: 0.5,
            rise_secs: 0.5,
            ..Vibrato::default()
        },
        drift_cents: 0.8,
        glide: (8.0, 0.15),
    }
}
