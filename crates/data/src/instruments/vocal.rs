//! Sung vowels: a glottal source through formants fixed in Hz.
//!
//! Formants are the means for men and women of Peterson & Barney, Control methods used in a study of the vowels,
//! JASA 24 (1952), table II; bandwidths after Fant. Men have a singer's formant near 2.9 kHz (Sundberg 1974). Sung vibrato
//! is at 5 to 6 Hz and about half a semitone either way.

use super::body::{Body, Peak};
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::sustained::{Breath, SourcePartial, Sustained};
use rand::RngExt;

/// What tells one voice from another.
struct Voice {
    name: &'static str,
    formants_hz: [f64; 3],
    /// Level of the formant near 2.9 kHz (men) or 3.5 kHz (women), in dB under the first.
    upper: (f64, f64),
    vibrato_cents: f64,
    breath_db: f64,
}

#[rustfmt::skip]
const INSTRUMENTS: [Voice; 7] = [
    Voice { name: "tenor ah", formants_hz: [730.0, 1090.0, 2440.0], upper: (2900.0, -13.0), vibrato_cents: 42.0, breath_db: -34.0 },
    Voice { name: "bass oh", formants_hz: [570.0, 840.0, 2410.0], upper: (2800.0, -15.0), vibrato_cents: 36.0, breath_db: -34.0 },
    Voice { name: "tenor eh", formants_hz: [530.0, 1840.0, 2480.0], upper: (2950.0, -13.0), vibrato_cents: 40.0, breath_db: -34.0 },
    Voice { name: "soprano ah", formants_hz: [850.0, 1220.0, 2810.0], upper: (3500.0, -18.0), vibrato_cents: 48.0, breath_db: -32.0 },
    Voice { name: "alto oh", formants_hz: [590.0, 920.0, 2710.0], upper: (3400.0, -20.0), vibrato_cents: 42.0, breath_db: -31.0 },
    Voice { name: "alto eh", formants_hz: [610.0, 2330.0, 2990.0], upper: (3600.0, -18.0), vibrato_cents: 44.0, breath_db: -31.0 },
    Voice { name: "choir ae", formants_hz: [860.0, 2050.0, 2850.0], upper: (3500.0, -19.0), vibrato_cents: 34.0, breath_db: -29.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();
const N_PARTIALS: usize = 60;
/// Bandwidths of the first three formants and of the upper one, in Hz.
const BANDWIDTHS_HZ: [f64; 4] = [90.0, 110.0, 170.0, 250.0];
/// Levels of the first three formants, in dB: the source below falls by 12 dB an octave, radiation gives 6 back.
const LEVELS_DB: [f64; 3] = [0.0, -5.0, -12.0];
/// Between formants the vowel does not fall under this, in dB.
const FLOOR_DB: f64 = -46.0;

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Sustained {
    let voice = &INSTRUMENTS[instrument];
    let mut rng = key.rng();
    let formants = formants(voice);
    let colours =
        formants.map(|(hz, bandwidth_hz, db)| Colour::BandPass(hz, 2.0 * bandwidth_hz, db));
    Sustained {
        partials: (1..=N_PARTIALS).map(glottis).collect(),
        body: Body::flat(key.sample_rate)
            .with_formants(&formants, FLOOR_DB)
            .with_band(40.0, 4500.0),
        breath: Breath {
            level_db: voice.breath_db,
            onset_db: 3.0,
            onset_secs: 0.06,
            colours: colours.into_iter().chain([Colour::LowPass(6000.0, -22.0)]).collect(),
        },
        attack_secs: 0.09 * rng.random_range(0.8..1.3),
        partial_lag_secs: 0.02,
        sag: (1.0, 1.0),
        release_secs: 0.05,
        dynamic_range_db: 16.0,
        vibrato: Vibrato {
            rate_hz: rng.random_range(5.2..5.9),
            depth_cents: voice.vibrato_cents * rng.random_range(0.85..1.15),
            depth_db: 0.6,
            delay_secs: rng.random_range(0.25..0.5),
            rise_secs: 0.6,
        },
        drift_cents: 6.0,
        flutter_db: 0.6,
        partial_flutter_db: 0.6,
        scoop: (rng.random_range(-70.0..-15.0), 0.06),
    }
}

/// A glottal flow's derivative: 6 dB an octave, and a steeper fall when soft.
fn glottis(k: usize) -> SourcePartial {
    let octaves = (k as f64).log2();
    SourcePartial { ratio: k as f64, soft_db: -10.0 * octaves, loud_db: -5.0 * octaves }
}

fn formants(voice: &Voice) -> [Peak; 4] {
    let [first, second, third] = voice.formants_hz;
    [
        (first, BANDWIDTHS_HZ[0], LEVELS_DB[0]),
        (second, BANDWIDTHS_HZ[1], LEVELS_DB[1]),
        (third, BANDWIDTHS_HZ[2], LEVELS_DB[2]),
        (voice.upper.0, BANDWIDTHS_HZ[3], voice.upper.1),
    ]
}
