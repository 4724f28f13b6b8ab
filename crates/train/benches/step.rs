//! Time and memory of one training step of every preset, on clips of 4 s, and where the time goes.
//!
//! `cargo bench -p ddsp-train --bench step [-- part of a preset's name]`. Each row runs in a process of
//! its own, so that its memory is its own: gradient and update of one batch, the shortest of a few.
//! The reference is magenta/ddsp 3.7 on TensorFlow 2.15, on two cores of an AMD EPYC with AVX-512:
//! its figures say something on such a machine only. No test looks at any of this.

use std::env;
use std::f32::consts::TAU;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Instant;

use ddsp_data::extract_loudness;
use ddsp_model::{Config, Model, power_db, uniform_noise};
use ddsp_train::{Adam, BatchGradient, Gradient, StepTimes, Window};

/// Seconds and GB of the reference.
type Measured = (f64, f64);

/// Presets and sizes of batches, with the reference's figures where there are any.
const ROWS: [(&str, usize, Option<Measured>); 13] = [
    ("player", 4, None),
    ("player", 16, None),
    ("seed-harmonic", 1, None),
    ("seed-harmonic", 4, None),
    ("seed-harmonic", 16, None),
    ("seed-sinusoidal", 16, None),
    ("seed-wavetable", 16, None),
    ("tiny", 16, Some((2.25, 4.1))),
    ("vst", 16, Some((1.6, 3.1))),
    ("vst-32k", 16, None),
    ("vst-48k", 16, None),
    ("solo", 16, Some((5.1, 6.0))),
    ("nsynth-ae", 16, None),
];

/// Steps that are timed: enough seconds for the shortest of them to be good to a few per cent.
const N_STEPS: usize = 8;

/// Seconds after which no further step is begun.
const MOST_SECS: f64 = 8.0;

/// The argument by which this program asks itself for one row.
const ROW: &str = "--row";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, preset, batch, n_threads] = arguments.as_slice()
        && flag == ROW
    {
        let number = |text: &str| text.parse().expect("written by this program");
        return print_row(preset, number(batch), number(n_threads));
    }
    let part = arguments.iter().find(|argument| !argument.starts_with('-'));
    println!(
        "| preset | batch | 1 thread ms | of these computing | all threads ms | times | decoder | synth | loss | optimizer ms \
         | peak MB | reference s | GB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (preset, batch, reference) in ROWS {
        if part.is_none_or(|part| preset.contains(part.as_str())) {
            print_line(preset, batch, reference);
        }
    }
}

/// One line of the table: a row on one thread and one on all.
fn print_line(preset: &str, batch: usize, reference: Option<Measured>) {
    let n_threads = available_parallelism().map_or(1, usize::from);
    let [one, all] = [1, n_threads].map(|n_threads| run_row(preset, batch, n_threads));
    let [secs, _, decoder, synth, loss, optimizer, peak_mb] = all;
    let [decoder, synth, loss] =
        [decoder, synth, loss].map(|part| 100.0 * part / (decoder + synth + loss));
    let (reference_secs, reference_gb) =
        reference.map_or_else(Default::default, |(secs, gb)| (secs.to_string(), gb.to_string()));
    println!(
        "| {preset} | {batch} | {:.1} | {:.1} | {:.1} | {:.2} | {decoder:.0} % | {synth:.0} % | {loss:.0} % \
         | {:.2} | {peak_mb:.0} | {reference_secs} | {reference_gb} |",
        1e3 * one[0],
        1e3 * one[1],
        1e3 * secs,
        one[0] / secs,
        1e3 * optimizer,
    );
}

/// What [`print_row`] prints in another process: seconds of a step, and those that its first
/// thread was computing; seconds in the decoder, the synthesizers, the loss and the optimizer; MB.
fn run_row(preset: &str, batch: usize, n_threads: usize) -> [f64; 7] {
    let program = env::current_exe().expect("this program's place");
    let numbers = [batch, n_threads].map(|n| n.to_string());
    let output = Command::new(program).args([ROW, preset, &numbers[0], &numbers[1]]).output();
    let output = output.expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let values = text.split_whitespace().map(|value| value.parse().expect("a number"));
    let values: Vec<f64> = values.collect();
    let complaint = String::from_utf8_lossy(&output.stderr);
    values.try_into().unwrap_or_else(|_| panic!("{preset}: {complaint}"))
}

fn print_row(preset: &str, batch: usize, n_threads: usize) {
    let mut training = Training::new(preset, batch, n_threads);
    // Once for pages and caches.
    training.step();
    let warm = training.batch_gradient.times();
    let [mut shortest, mut computing, mut update_secs] = [f64::INFINITY; 3];
    let mut n_steps = 0;
    let begin = Instant::now();
    while n_steps < N_STEPS && (n_steps < 2 || begin.elapsed().as_secs_f64() < MOST_SECS) {
        let before = computing_secs();
        let (secs, update) = training.step();
        computing = computing.min(computing_secs() - before);
        shortest = shortest.min(secs);
        update_secs = update_secs.min(update);
        n_steps += 1;
    }
    let times = training.batch_gradient.times();
    let part = |of: fn(&StepTimes) -> f64| (of(&times) - of(&warm)) / n_steps as f64;
    let [decoder, synth, loss] = [
        part(|times| times.decoder.as_secs_f64()),
        part(|times| times.synth.as_secs_f64()),
        part(|times| times.loss.as_secs_f64()),
    ];
    println!("{shortest} {computing} {decoder} {synth} {loss} {update_secs} {}", peak_mb());
}

/// Seconds that the main thread has had a core, which others cannot prolong; NaN where the system
/// does not tell.
fn computing_secs() -> f64 {
    let times = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = times.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.map_or(f64::NAN, |nanos| 1e-9 * nanos)
}

/// Most memory that this process has had, MB; NaN where the system does not tell.
fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kb.map_or(f64::NAN, |kb| kb / 1024.0)
}

/// Everything that a step needs.
struct Training {
    model: Model,
    batch: Vec<Window>,
    batch_gradient: BatchGradient,
    adam: Adam,
}

impl Training {
    fn new(preset: &str, batch: usize, n_threads: usize) -> Self {
        let mut config = Config::preset(preset).expect("the preset is valid");
        config.train.batch = batch;
        config.train.example_secs = 4.0;
        let model = Model::new(config.clone(), 0);
        Self {
            batch: (0..batch).map(|i| tone(&config, i)).collect(),
            batch_gradient: BatchGradient::new(&config, n_threads),
            adam: Adam::new(model.parameters.values.len(), &config.train),
            model,
        }
    }

    /// One step; its seconds, and those of the update among them.
    fn step(&mut self) -> (f64, f64) {
        let begin = Instant::now();
        let parameters = &self.model.parameters.values;
        self.batch_gradient.evaluate(parameters, &self.batch).expect("computed");
        let update = Instant::now();
        self.adam.update(self.batch_gradient.gradient(), &mut self.model.parameters.values);
        (begin.elapsed().as_secs_f64(), update.elapsed().as_secs_f64())
    }
}

/// Four seconds of a tone with ten harmonics in faint noise.
fn tone(config: &Config, i: usize) -> Window {
    let f0_hz = 110.0 * 1.1_f32.powf(i as f32);
    let rate = config.audio.sample_rate as f32;
    let mut audio = vec![0.0; config.example_samples()];
    uniform_noise(i as u64, &mut audio);
    for (n, audio) in audio.iter_mut().enumerate() {
        let turns = (f0_hz * n as f32 / rate).fract();
        let sum: f32 = (1..=10_u8).map(|k| (TAU * f32::from(k) * turns).sin() / f32::from(k)).sum();
        *audio = 0.1 * (sum + 0.01 * *audio);
    }
    let loudness_db = extract_loudness(&audio, config.grid());
    let n_frames = loudness_db.len();
    Window {
        id: format!("tone {i}"),
        f0_hz: vec![f0_hz; n_frames],
        power_db: power_db(&audio, config.grid()),
        heard: audio.clone(),
        audio,
        loudness_db,
        voiced: 1.0,
        noise_seed: i as u64,
    }
}
