//! Tells the families apart by a few measurements on the audio, as a proof that each has its traits.
//!
//! Measurements are z-scored over the training notes; a note belongs to the family of the nearest centroid, of which each
//! training instrument has one. Held out are notes of other pitches, velocities and seeds.

#![expect(clippy::cast_possible_truncation, reason = "counts of partials")]
#![expect(clippy::cast_sign_loss, reason = "counts of partials")]

use super::measure::{Spectrum, deviation, inharmonicity, levels_db, line, mean, sway, track};
use super::{Family, NoteSpec, n_instruments, pitch_range, render_note};
use ddsp_kernels::FrameGrid;
use std::fmt::Write;

const SAMPLE_RATE: f64 = 16_000.0;
const N_FEATURES: usize = 15;
type Features = [f64; N_FEATURES];

/// A note shorter than NSynth's, so that the test is quick: 2 s held, 0.5 s of release.
fn note(family: Family, instrument: u32, pitch: u8, velocity: u8, seed: u64) -> Vec<f32> {
    let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
    let spec = NoteSpec {
        n_samples: 40_000,
        release_secs: 2.0,
        ..NoteSpec::new(family, instrument, f32::from(pitch), velocity, seed)
    };
    render_note(&spec, grid).audio
}

/// Measurements on one note of known pitch.
fn features(audio: &[f32], pitch: u8) -> Features {
    let f0_hz = 440.0 * ((f64::from(pitch) - 69.0) / 12.0).exp2();
    let [decay, attack, release] = level_features(audio);
    let [vibrato, tremolo, glide, wobble] = motion_features(audio, f0_hz);
    let [even_odd, tilt, roughness, off_harmonic, b] = partial_features(audio, f0_hz);
    let [noise, centroid, brightening] = colour_features(audio, f0_hz);
    [
        decay,
        attack,
        release,
        vibrato,
        tremolo,
        glide,
        wobble,
        even_odd,
        tilt,
        roughness,
        off_harmonic,
        b,
        noise,
        centroid,
        brightening,
    ]
}

/// Slope while held (dB a second), octaves of attack time, and dB lost in 0.1 s of release.
fn level_features(audio: &[f32]) -> [f64; 3] {
    let levels = levels_db(audio, SAMPLE_RATE);
    let held: Vec<(f64, f64)> = (8..50).map(|i| (0.02 * i as f64, levels[i])).collect();
    let highest = levels.iter().take(60).fold(f64::MIN, |m, &x| m.max(x));
    let attack = levels.iter().position(|&x| x > highest - 3.0).unwrap_or(0);
    let release = levels[98] - levels[105];
    [line(&held).0.clamp(-60.0, 5.0), (attack as f64 + 1.0).log2(), release.clamp(-1.0, 25.0)]
}

/// Octaves of vibrato depth and of tremolo depth of the first partial, cents of its glide after the onset, and octaves
/// of the third partial's unsteadiness.
fn motion_features(audio: &[f32], f0_hz: f64) -> [f64; 4] {
    let window_secs = (3.0 / f0_hz).max(0.03);
    let first = track(audio, SAMPLE_RATE, f0_hz, window_secs);
    let third = track(audio, SAMPLE_RATE, 3.0 * f0_hz, window_secs);
    let held = 160..380;
    let glide = mean(&first.cents[4..16]) - mean(&first.cents[60..160]);
    let points: Vec<(f64, f64)> = (60..360).map(|i| (i as f64, third.db[i])).collect();
    let (slope, start) = line(&points);
    let wobble: Vec<f64> = points.iter().map(|(x, y)| y - start - slope * x).collect();
    [
        sway(&first.cents[held.clone()]).1.max(0.5).log2(),
        sway(&first.db[held]).1.max(0.05).log2(),
        glide.clamp(-10.0, 8.0),
        deviation(&wobble).max(0.05).log2(),
    ]
}

/// Even over odd partials (dB), fall (dB an octave), roughness about it (dB), what lies off the harmonics (dB), and octaves of B.
fn partial_features(audio: &[f32], f0_hz: f64) -> [f64; 5] {
    let early = Spectrum::new(audio, SAMPLE_RATE, 0.03..0.43);
    let n = ((7000.0 / f0_hz) as usize).clamp(4, 24);
    let peaks: Vec<(f64, f64)> =
        (1..=n).map(|k| early.peak(k as f64 * f0_hz, 0.12 * f0_hz)).collect();
    let loudest = peaks.iter().fold(f64::MIN, |m, p| m.max(p.1));
    let audible =
        |floor_db: f64| peaks.iter().enumerate().filter(move |(_, p)| p.1 > loudest - floor_db);
    let points: Vec<(f64, f64)> =
        audible(60.0).map(|(i, p)| (((i + 1) as f64).log2(), p.1)).collect();
    let (tilt, start) = if points.len() > 2 { line(&points) } else { (-25.0, loudest) };
    let residuals: Vec<f64> = points.iter().map(|(x, y)| y - start - tilt * x).collect();
    let even_odd = 0.5 * (peaks[1].1 + peaks[3].1 - peaks[0].1 - peaks[2].1);
    let power: f64 = peaks[1..].iter().map(|p| 10.0_f64.powf(p.1 / 10.0)).sum();
    let off_harmonic = early.band_db(1.5 * f0_hz..7500.0) - 10.0 * power.log10();
    let numbered: Vec<(usize, f64)> = audible(45.0).take(10).map(|(i, p)| (i + 1, p.0)).collect();
    let b = if numbered.len() > 3 { inharmonicity(&numbered) } else { 0.0 };
    [
        even_odd.clamp(-40.0, 20.0),
        tilt.clamp(-40.0, 5.0),
        deviation(&residuals),
        off_harmonic.clamp(5.0, 40.0),
        b.clamp(2e-5, 1e-2).log2(),
    ]
}

/// Noise between the partials (dB under the loudest), octaves of the centroid, and octaves by which it rises after the onset.
fn colour_features(audio: &[f32], f0_hz: f64) -> [f64; 3] {
    let held = Spectrum::new(audio, SAMPLE_RATE, 0.2..1.0);
    let onset = Spectrum::new(audio, SAMPLE_RATE, 0.01..0.05);
    let (_, loudest) = held.peak(4000.0, 3970.0);
    let between: Vec<f64> = (1..=8)
        .map(|k| f64::from(k) * f0_hz)
        .filter(|hz| hz + f0_hz < 7000.0)
        .map(|hz| held.median_db(hz + 0.35 * f0_hz..hz + 0.65 * f0_hz))
        .collect();
    let centroid = held.centroid_hz().log2();
    [
        (mean(&between) - loudest).clamp(-80.0, -40.0),
        centroid,
        (centroid - onset.centroid_hz().log2()).clamp(-2.0, 2.0),
    ]
}

/// A measured note.
struct Example {
    family: Family,
    instrument: u32,
    /// Takes with even numbers are for training.
    take: u32,
    features: Features,
}

const N_TAKES: u32 = 6;
/// Velocities of the takes.
const VELOCITIES: [u8; N_TAKES as usize] = [60, 100, 80, 120, 75, 95];

/// All instruments of a family, at pitches spread over its range.
fn examples(family: Family) -> Vec<Example> {
    let range = pitch_range(family);
    let (low, high) = (u32::from(*range.start()), u32::from(*range.end()));
    let takes = (0..n_instruments(family)).flat_map(|i| (0..N_TAKES).map(move |take| (i, take)));
    let example = |(instrument, take): (u32, u32)| {
        let pitch = low + (high - low) * (2 * take + 1) / (2 * N_TAKES);
        let pitch = u8::try_from(pitch).expect("a MIDI pitch");
        let seed = u64::from(1000 * take + instrument);
        let audio = note(family, instrument, pitch, VELOCITIES[take as usize], seed);
        Example { family, instrument, take, features: features(&audio, pitch) }
    };
    takes.map(example).collect()
}

/// Centroids of the training instruments, in z-scores.
struct Classifier {
    mean: Features,
    deviation: Features,
    centroids: Vec<(Family, Features)>,
}

impl Classifier {
    fn new(train: &[&Example]) -> Self {
        let column = |j: usize| train.iter().map(|e| e.features[j]).collect::<Vec<_>>();
        let mut classifier = Self {
            mean: std::array::from_fn(|j| mean(&column(j))),
            deviation: std::array::from_fn(|j| deviation(&column(j))),
            centroids: Vec::new(),
        };
        for group in train.chunk_by(|a, b| (a.family, a.instrument) == (b.family, b.instrument)) {
            let scores: Vec<Features> = group.iter().map(|e| classifier.scores(e)).collect();
            let centroid = std::array::from_fn(|j| {
                scores.iter().map(|z| z[j]).sum::<f64>() / scores.len() as f64
            });
            classifier.centroids.push((group[0].family, centroid));
        }
        classifier
    }

    fn scores(&self, example: &Example) -> Features {
        std::array::from_fn(|j| (example.features[j] - self.mean[j]) / self.deviation[j])
    }

    fn family(&self, example: &Example) -> Family {
        let scores = self.scores(example);
        let distance = |centroid: &Features| -> f64 {
            centroid.iter().zip(&scores).map(|(a, b)| (a - b).powi(2)).sum()
        };
        let nearest =
            self.centroids.iter().min_by(|a, b| distance(&a.1).total_cmp(&distance(&b.1)));
        nearest.expect("there are centroids").0
    }
}

/// Share of the held-out notes whose family is found, and a table of which was taken for which.
fn judge(train: &[&Example], held_out: &[&Example]) -> (f64, String) {
    let classifier = Classifier::new(train);
    let mut confusion = [[0_u32; Family::ALL.len()]; Family::ALL.len()];
    for example in held_out {
        confusion[example.family as usize][classifier.family(example) as usize] += 1;
    }
    let mut table = String::new();
    for family in Family::ALL {
        write!(table, "{:>10}", family.name()).expect("strings grow");
        for n in confusion[family as usize] {
            write!(table, "{n:>4}").expect("strings grow");
        }
        table.push('\n');
    }
    let right: u32 = (0..Family::ALL.len()).map(|i| confusion[i][i]).sum();
    (f64::from(right) / held_out.len() as f64, table)
}

#[test]
fn families_are_told_apart_by_measurements() {
    let all: Vec<Example> = std::thread::scope(|scope| {
        let threads = Family::ALL.map(|family| scope.spawn(move || examples(family)));
        threads.into_iter().flat_map(|t| t.join().expect("a note renders")).collect()
    });
    let (train, held_out): (Vec<&Example>, Vec<&Example>) =
        all.iter().partition(|e| e.take % 2 == 0);
    let (share, table) = judge(&train, &held_out);
    println!("other pitches, velocities, seeds: {:.1} % of {}", 100.0 * share, held_out.len());
    println!("{table}");
    for fold in 0..3 {
        let (train, held_out): (Vec<&Example>, Vec<&Example>) =
            all.iter().partition(|e| e.instrument % 3 != fold);
        let (share, _) = judge(&train, &held_out);
        println!("other instruments, fold {fold}: {:.1} % of {}", 100.0 * share, held_out.len());
        // No instrument of these has been heard: a family must still be more alike than not.
        assert!(share >= 0.7, "only {share} of unheard instruments are recognised");
    }
    assert!(share >= 0.9, "only {share} of the held-out notes are recognised:\n{table}");
}
