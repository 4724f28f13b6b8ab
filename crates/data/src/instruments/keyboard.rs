//! Keyboards: struck stiff strings, tines and reeds, plucked strings.
//!
//! Inharmonicity of pianos after Fletcher & Rossing, ch. 12: `B` is least around the second octave below middle C and doubles
//! every 8 semitones or so above; uprights have two to three times that of a concert grand. Piano decays have
//! two stages (Weinreich, Coupled piano strings, JASA 62, 1977).

use super::body::Body;
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::struck::{Knock, Mode, Struck, stiff_string, string_decay_secs};

/// How the sound is made.
#[derive(Clone, Copy)]
enum Action {
    /// Hammer on two strings of a course, this many cents apart.
    Hammer { detune_cents: f64 },
    /// Hammer on a tine or reed before a pickup, whose harmonics are exact, with a bell mode at this ratio.
    Tine { bell_ratio: f64, bell_db: f64, fall_db: f64 },
    /// Plectrum or tangent at this fraction of the string.
    Pluck { at: f64 },
}

/// What tells one keyboard from another.
struct Keyboard {
    name: &'static str,
    action: Action,
    /// Inharmonicity at middle C.
    inharmonicity: f64,
    /// Time constant of the fundamental at middle C.
    decay_secs: f64,
    /// Partials fall by e for each of these, in Hz, at the softest and loudest touch.
    corner_hz: [f64; 2],
    dynamic_range_db: f64,
    damped_secs: f64,
    knock_db: f64,
}

#[rustfmt::skip]
const INSTRUMENTS: [Keyboard; 6] = [
    Keyboard { name: "grand piano", action: Action::Hammer { detune_cents: 0.5 }, inharmonicity: 3.5e-4, decay_secs: 1.0, corner_hz: [450.0, 1500.0], dynamic_range_db: 24.0, damped_secs: 0.06, knock_db: -20.0 },
    Keyboard { name: "upright piano", action: Action::Hammer { detune_cents: 1.5 }, inharmonicity: 8.0e-4, decay_secs: 0.75, corner_hz: [500.0, 1300.0], dynamic_range_db: 22.0, damped_secs: 0.07, knock_db: -16.0 },
    Keyboard { name: "tine piano", action: Action::Tine { bell_ratio: 6.27, bell_db: -14.0, fall_db: 13.0 }, inharmonicity: 0.0, decay_secs: 1.4, corner_hz: [900.0, 2600.0], dynamic_range_db: 24.0, damped_secs: 0.05, knock_db: -24.0 },
    Keyboard { name: "reed piano", action: Action::Tine { bell_ratio: 8.9, bell_db: -26.0, fall_db: 8.0 }, inharmonicity: 0.0, decay_secs: 0.9, corner_hz: [900.0, 3000.0], dynamic_range_db: 22.0, damped_secs: 0.05, knock_db: -22.0 },
    Keyboard { name: "harpsichord", action: Action::Pluck { at: 0.13 }, inharmonicity: 1.5e-4, decay_secs: 0.8, corner_hz: [4000.0, 5500.0], dynamic_range_db: 8.0, damped_secs: 0.05, knock_db: -20.0 },
    Keyboard { name: "clavichord", action: Action::Pluck { at: 0.07 }, inharmonicity: 2.5e-4, decay_secs: 0.6, corner_hz: [1500.0, 3500.0], dynamic_range_db: 18.0, damped_secs: 0.04, knock_db: -17.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
const N_PARTIALS: usize = 60;
/// Where losses in the strings reach 1 neper a second, in Hz.
const LOSS_HZ: f64 = 2500.0;
const MIDDLE_C_HZ: f64 = 261.63;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Struck {
    let keyboard = &INSTRUMENTS[instrument];
    let two_stages = matches!(keyboard.action, Action::Hammer { .. });
    Struck {
        modes: modes(keyboard, key),
        body: Body::flat(key.sample_rate)
            .with_peaks(&[(110.0, 40.0, 4.0), (220.0, 90.0, 4.0), (420.0, 200.0, 3.0)])
            .with_grain(4.0, 0x9_1a00 + instrument as u64)
            .with_band(60.0, 6000.0),
        knock: Knock {
            level_db: keyboard.knock_db,
            decay_secs: 0.025,
            release_db: -14.0,
            colours: vec![
                Colour::BandPass(180.0, 160.0, 0.0),
                Colour::BandPass(900.0, 800.0, -8.0),
                Colour::BandPass(3000.0, 3000.0, -16.0),
            ],
        },
        attack_secs: 0.002 + 0.003 * (1.0 - key.velocity),
        dynamic_range_db: keyboard.dynamic_range_db,
        after_sound: if two_stages { (-8.0, 4.5) } else { (-60.0, 1.0) },
        tremolo: Vibrato::default(),
        drift_cents: 0.1,
        glide: (0.5, 0.05),
    }
}

/// Inharmonicity at a pitch: doubles every 8 semitones above C3, stays below it.
fn inharmonicity(at_middle_c: f64, f0_hz: f64) -> f64 {
    let semitones = (12.0 * (f0_hz / MIDDLE_C_HZ).log2()).max(-12.0);
    at_middle_c * (semitones / 8.0).exp2()
}

fn modes(keyboard: &Keyboard, key: &Key) -> Vec<Mode> {
    let b = inharmonicity(keyboard.inharmonicity, key.f0_hz);
    // Two octaves up, strings are lighter and decay about twice as fast.
    let slowest_secs = keyboard.decay_secs * (key.f0_hz / MIDDLE_C_HZ).powf(-0.5);
    let [soft_hz, loud_hz] = keyboard.corner_hz;
    // Hammers are harder and lighter up the keyboard.
    let corner_hz = soft_hz
        * (loud_hz / soft_hz).powf(key.velocity)
        * (key.f0_hz / MIDDLE_C_HZ).max(0.25).powf(0.6);
    let mut modes = Vec::with_capacity(2 * N_PARTIALS);
    for k in 1..=N_PARTIALS {
        let ratio = stiff_string(k, b);
        let hz = ratio * key.f0_hz;
        if hz > 0.49 * key.sample_rate {
            break;
        }
        let decay_secs = string_decay_secs(hz, slowest_secs, LOSS_HZ);
        let level_db = stroke_db(keyboard, k) - 8.686 * hz / corner_hz;
        let mode = Mode { ratio, level_db, decay_secs, damped_secs: keyboard.damped_secs };
        match keyboard.action {
            Action::Hammer { detune_cents } => {
                let apart = (detune_cents / 2400.0).exp2();
                modes.push(Mode { ratio: ratio * apart, ..mode });
                modes.push(Mode { ratio: ratio / apart, level_db: level_db - 8.0, ..mode });
            }
            _ => modes.push(mode),
        }
    }
    if let Action::Tine { bell_ratio, bell_db, .. } = keyboard.action {
        let level_db = bell_db + 10.0 * (key.velocity - 1.0);
        let decay_secs = 0.15 * slowest_secs;
        modes.push(Mode {
            ratio: bell_ratio,
            level_db,
            decay_secs,
            damped_secs: keyboard.damped_secs,
        });
    }
    modes
}

/// Level of partial `k` before the hammer's or plectrum's softness, in dB.
fn stroke_db(keyboard: &Keyboard, k: usize) -> f64 {
    let k = k as f64;
    let comb = |at: f64| ((std::f64::consts::PI * k * at).sin().powi(2) + 0.02).sqrt();
    match keyboard.action {
        // Struck at an eighth of the string: velocity spectrum of a hammer.
        Action::Hammer { .. } => 20.0 * (comb(0.12) / k.sqrt()).log10(),
        Action::Tine { fall_db, .. } => -fall_db * (k - 1.0).min(3.0) - 8.0 * (k - 4.0).max(0.0),
        Action::Pluck { at } => 20.0 * (comb(at) / k).log10(),
    }
}
