//! Organs: ranks of pipes, tone wheels or reeds that neither decay nor waver.
//!
//! Drawbar footages and their ratios are those of the pipe organ: 8' is the note, 4' its octave, 2 2/3' the twelfth.
//! Sub-octave ranks are left out, so that the note that is played is the note that is heard.

use super::body::Body;
use super::key::Key;
use super::motion::Vibrato;
use super::noise::Colour;
use super::sustained::{Breath, SourcePartial, Sustained};

/// The tone of one pipe: levels of its own harmonics.
#[derive(Clone, Copy)]
enum Pipe {
    /// A tone wheel: a sine.
    Wheel,
    /// A stopped or wide flute: fundamental, weak odd harmonics.
    Flute,
    /// An open principal: each harmonic 6 dB under the one before, later more.
    Principal,
    /// A reed pipe or harmonium reed: slowly falling series.
    Reed,
}

/// A registration: footage ratio and level in dB of each rank, and what its pipes are.
struct Registration {
    name: &'static str,
    pipe: Pipe,
    ranks: &'static [(f64, f64)],
    attack_secs: f64,
    /// Level of the wind or the key click under the tone at the onset, in dB.
    onset_noise_db: f64,
}

/// The equal-tempered twelfth of a tone wheel generator.
const TEMPERED_TWELFTH: f64 = 2.996_614;

#[rustfmt::skip]
const INSTRUMENTS: [Registration; 6] = [
    Registration { name: "tonewheel jazz", pipe: Pipe::Wheel, ranks: &[(1.0, 0.0), (2.0, -3.0), (TEMPERED_TWELFTH, -3.0)], attack_secs: 0.006, onset_noise_db: -18.0 },
    Registration { name: "tonewheel full", pipe: Pipe::Wheel, ranks: &[(1.0, 0.0), (2.0, -2.0), (TEMPERED_TWELFTH, -4.0), (4.0, -5.0), (5.04, -9.0), (6.0, -7.0), (8.0, -6.0)], attack_secs: 0.006, onset_noise_db: -16.0 },
    Registration { name: "flute stops", pipe: Pipe::Flute, ranks: &[(1.0, 0.0), (2.0, -7.0)], attack_secs: 0.05, onset_noise_db: -20.0 },
    Registration { name: "principal chorus", pipe: Pipe::Principal, ranks: &[(1.0, 0.0), (2.0, -4.0), (3.0, -9.0), (4.0, -8.0)], attack_secs: 0.04, onset_noise_db: -24.0 },
    Registration { name: "trumpet stop", pipe: Pipe::Reed, ranks: &[(1.0, 0.0), (2.0, -8.0)], attack_secs: 0.03, onset_noise_db: -26.0 },
    Registration { name: "harmonium", pipe: Pipe::Reed, ranks: &[(1.0, 0.0)], attack_secs: 0.06, onset_noise_db: -26.0 },
];

/// Instruments modelled.
pub(super) const N: usize = INSTRUMENTS.len();

/// What an instrument is called.
pub(super) fn name(instrument: usize) -> &'static str {
    INSTRUMENTS[instrument].name
}

/// The tone of an instrument for a key.
pub(super) fn tone(instrument: usize, key: &Key) -> Sustained {
    let registration = &INSTRUMENTS[instrument];
    let partials = registration.ranks.iter().flat_map(|&(footage, rank_db)| {
        pipe(registration.pipe).into_iter().map(move |(harmonic, db)| {
            let level_db = rank_db + db;
            let ratio = footage * harmonic;
            // The swell box dulls the soft end a little: 2 dB an octave.
            SourcePartial { ratio, soft_db: level_db - 2.0 * ratio.log2(), loud_db: level_db }
        })
    });
    Sustained {
        partials: partials.collect(),
        body: Body::flat(key.sample_rate).with_band(30.0, 6000.0),
        breath: Breath {
            level_db: -48.0,
            onset_db: 48.0 + registration.onset_noise_db,
            onset_secs: 0.012,
            colours: vec![Colour::BandPass(1500.0, 2000.0, 0.0), Colour::LowPass(5000.0, -8.0)],
        },
        attack_secs: registration.attack_secs,
        partial_lag_secs: 0.002,
        sag: (0.0, 1.0),
        release_secs: 0.03,
        dynamic_range_db: 14.0,
        vibrato: Vibrato::default(),
        drift_cents: 0.15,
        flutter_db: 0.03,
        partial_flutter_db: 0.0,
        scoop: (0.0, 0.1),
    }
}

/// Ratio and level in dB of a pipe's harmonics.
fn pipe(pipe: Pipe) -> Vec<(f64, f64)> {
    let series = |n: usize, db: fn(f64) -> f64| {
        (1..=n).map(|k| (k as f64, db(k as f64))).collect::<Vec<_>>()
    };
    match pipe {
        Pipe::Wheel => vec![(1.0, 0.0), (2.0, -44.0), (3.0, -46.0)],
        Pipe::Flute => {
            series(7, |k| if k % 2.0 == 0.0 { -26.0 - 3.0 * k } else { -7.0 * (k - 1.0) })
        }
        Pipe::Principal => series(16, |k| -5.0 * (k - 1.0).min(6.0) - 3.0 * (k - 7.0).max(0.0)),
        Pipe::Reed => series(40, |k| -5.0 * k.log2() - 0.55 * (k - 1.0)),
    }
}
