//! Time of one training step of the preset `seed-harmonic` on clips of 4 s, and where it goes.
//!
//! `cargo bench -p ddsp-train --bench step`. The shares are printed first: of the threads' time for
//! the parts of the gradient, and of the clock for the optimizer.

use std::f32::consts::TAU;
use std::thread::available_parallelism;
use std::time::Instant;

use ddsp_data::extract_loudness;
use ddsp_model::{Config, Model, uniform_noise};
use ddsp_train::{Adam, BatchGradient, Gradient, Window};
use divan::{Bencher, counter::ItemsCount};

/// Sizes of the batches.
const BATCHES: [usize; 3] = [1, 4, 16];

/// Steps from which the shares are taken.
const N_SHARE_STEPS: u64 = 10;

fn main() {
    BATCHES.into_iter().for_each(print_shares);
    divan::main();
}

/// Everything that a step needs.
struct Training {
    model: Model,
    batch: Vec<Window>,
    batch_gradient: BatchGradient,
    adam: Adam,
}

impl Training {
    fn new(batch: usize) -> Self {
        let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
        config.train.batch = batch;
        let model = Model::new(config.clone(), 0);
        let n_threads = available_parallelism().map_or(1, usize::from);
        Self {
            batch: (0..batch).map(|i| tone(&config, i)).collect(),
            batch_gradient: BatchGradient::new(&config, n_threads),
            adam: Adam::new(model.parameters.values.len(), &config.train),
            model,
        }
    }

    fn gradient(&mut self) {
        let parameters = &self.model.parameters.values;
        self.batch_gradient.evaluate(parameters, &self.batch).expect("computed");
    }

    fn update(&mut self) {
        self.adam.update(self.batch_gradient.gradient(), &mut self.model.parameters.values);
    }
}

/// Four seconds of a tone with ten harmonics in faint noise.
fn tone(config: &Config, i: usize) -> Window {
    let f0_hz = 110.0 * 1.1_f32.powf(i as f32);
    let mut audio = vec![0.0; config.example_samples()];
    uniform_noise(i as u64, &mut audio);
    for (n, audio) in audio.iter_mut().enumerate() {
        let turns = (f0_hz * n as f32 / 16_000.0).fract();
        let sum: f32 = (1..=10_u8).map(|k| (TAU * f32::from(k) * turns).sin() / f32::from(k)).sum();
        *audio = 0.1 * (sum + 0.01 * *audio);
    }
    let loudness_db = extract_loudness(&audio, config.grid());
    let n_frames = loudness_db.len();
    Window {
        id: format!("tone {i}"),
        audio,
        f0_hz: vec![f0_hz; n_frames],
        loudness_db,
        voiced: 1.0,
        noise_seed: i as u64,
    }
}

fn print_shares(batch: usize) {
    let mut training = Training::new(batch);
    let (mut gradient_secs, mut update_secs) = (0.0, 0.0);
    for _ in 0..N_SHARE_STEPS {
        let begin = Instant::now();
        training.gradient();
        gradient_secs += begin.elapsed().as_secs_f64();
        let begin = Instant::now();
        training.update();
        update_secs += begin.elapsed().as_secs_f64();
    }
    let times = training.batch_gradient.times();
    let parts = [times.decoder, times.synth, times.loss].map(|time| time.as_secs_f64());
    let all: f64 = parts.iter().sum();
    let [decoder, synth, loss] = parts.map(|part| 100.0 * part / all);
    let n = N_SHARE_STEPS as f64;
    println!(
        "batch {batch:2}: gradient {:6.1} ms (decoder {decoder:.0}%, synth {synth:.0}%, \
         loss {loss:.0}%), optimizer {:.2} ms",
        1e3 * gradient_secs / n,
        1e3 * update_secs / n,
    );
}

/// Gradient and update.
#[divan::bench(args = BATCHES)]
fn seed_harmonic(bencher: Bencher, batch: usize) {
    let mut training = Training::new(batch);
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        training.gradient();
        training.update();
    });
}

/// The update alone; it does not depend on the batch.
#[divan::bench]
fn optimizer(bencher: Bencher) {
    let mut training = Training::new(1);
    training.gradient();
    bencher.bench_local(|| training.update());
}
