//! One batch in, its losses and the gradient out: the work of a training step but the update.

use std::thread;
use std::time::{Duration, Instant};

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Autoencoder, Config, Features, RnnFcDecoder, uniform_noise};

use crate::error::Error;
use crate::loss::ExampleLoss;
use crate::parallel::{join, joined};
use crate::source::{Draw, ExampleSource, Order, Window};

/// The loss of one example of a batch.
#[derive(Clone, Debug)]
pub struct BatchLoss {
    /// Name of the example.
    pub id: String,
    /// Its loss before the update.
    pub terms: SpectralLossTerms,
}

/// Time spent in the parts of a step, summed over the threads that lead an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepTimes {
    /// Reading examples.
    pub read: Duration,
    /// The network, forward and backward.
    pub decoder: Duration,
    /// The synthesizers and their noise, forward and backward.
    pub synth: Duration,
    /// The spectral loss and its gradient.
    pub loss: Duration,
}

/// Computes gradients of batches of a fixed size on a fixed number of threads.
///
/// The examples of a batch are dealt out to threads in order; each thread has a gradient of its
/// own, and these are added in the threads' order. So the result is the same bits for the same
/// number of threads, and the same to rounding for another. Threads without an example help
/// others: with the FFT sizes of the loss and with one of the two synthesizers.
pub struct BatchGradient {
    config: Config,
    order: Order,
    workers: Vec<Worker>,
}

impl BatchGradient {
    /// Allocates for batches of `config` out of `n_examples`, on at most `n_threads` threads.
    ///
    /// # Panics
    ///
    /// If there is no example.
    pub fn new(config: &Config, n_examples: usize, n_threads: usize) -> Self {
        assert!(n_examples > 0, "BatchGradient: no examples");
        let batch = config.train.batch;
        let n_threads = n_threads.max(1);
        let n_workers = n_threads.min(batch);
        let worker = |w: usize| {
            let n_rows = (w + 1) * batch / n_workers - w * batch / n_workers;
            let n_helpers = (w + 1) * n_threads / n_workers - w * n_threads / n_workers;
            Worker::new(config, n_rows, n_helpers)
        };
        Self {
            config: config.clone(),
            order: Order::new(n_examples, config),
            workers: (0..n_workers).map(worker).collect(),
        }
    }

    /// The losses of the batch of `step`, as drawn from `source`; [`gradient`](Self::gradient) is
    /// then that of their mean.
    ///
    /// # Errors
    ///
    /// If an example cannot be read or used.
    ///
    /// # Panics
    ///
    /// If `source` or `parameters` has another length than was allocated for.
    pub fn step(
        &mut self,
        parameters: &[f32],
        source: &dyn ExampleSource,
        step: u64,
    ) -> Result<Vec<BatchLoss>, Error> {
        assert_eq!(source.len(), self.order.n_examples(), "BatchGradient: number of examples");
        let draws = self.order.batch(step);
        let config = &self.config;
        let read = |draw: &Draw| Ok((draw.window(source, config)?, draw.noise_seed));
        let (mut rest, mut jobs) = (draws.as_slice(), Vec::new());
        for worker in &mut self.workers {
            let (mine, others) = rest.split_at(worker.n_rows);
            rest = others;
            jobs.push(move || worker.run(parameters, || mine.iter().map(read).collect()));
        }
        let mut first = jobs.remove(0);
        let losses = thread::scope(|scope| {
            let handles: Vec<_> = jobs.into_iter().map(|job| scope.spawn(job)).collect();
            let first = first();
            std::iter::once(first).chain(handles.into_iter().map(joined)).collect::<Vec<_>>()
        });
        let mut all = Vec::with_capacity(draws.len());
        for losses in losses {
            all.extend(losses?);
        }
        self.reduce();
        Ok(all)
    }

    /// Adds the workers' gradients into the first worker's, in order.
    fn reduce(&mut self) {
        let (first, others) = self.workers.split_first_mut().expect("at least one worker");
        for worker in others {
            for (sum, grad) in first.gradient.iter_mut().zip(&worker.gradient) {
                *sum += grad;
            }
        }
    }

    /// The gradient of the last batch's mean loss.
    pub fn gradient(&self) -> &[f32] {
        &self.workers[0].gradient
    }

    /// Where the time went since this was made.
    pub fn times(&self) -> StepTimes {
        let mut sum = StepTimes::default();
        for StepTimes { read, decoder, synth, loss } in self.workers.iter().map(|w| w.times) {
            sum.read += read;
            sum.decoder += decoder;
            sum.synth += synth;
            sum.loss += loss;
        }
        sum
    }
}

/// One thread's share of every batch.
struct Worker {
    n_rows: usize,
    helped: bool,
    /// One over the size of the whole batch.
    factor: f32,
    autoencoder: Autoencoder,
    loss: ExampleLoss,
    gradient: Vec<f32>,
    noise_in: Vec<f32>,
    harmonic: Vec<f32>,
    noise: Vec<f32>,
    audio: Vec<f32>,
    grad_audio: Vec<f32>,
    times: StepTimes,
}

impl Worker {
    fn new(config: &Config, n_rows: usize, n_helpers: usize) -> Self {
        let n_parameters = RnnFcDecoder::new(config).table().n_values();
        let samples = || vec![0.0; config.example_samples()];
        Self {
            n_rows,
            helped: n_helpers > 1,
            factor: 1.0 / config.train.batch as f32,
            autoencoder: Autoencoder::new(config, config.example_frames(), n_rows),
            loss: ExampleLoss::new(config, n_helpers),
            gradient: vec![0.0; n_parameters],
            noise_in: samples(),
            harmonic: samples(),
            noise: samples(),
            audio: samples(),
            grad_audio: samples(),
            times: StepTimes::default(),
        }
    }

    /// Losses of this worker's windows, each with the seed of its noise; leaves the gradient of
    /// their sum over the size of the batch.
    fn run(
        &mut self,
        parameters: &[f32],
        read: impl FnOnce() -> Result<Vec<(Window, u64)>, Error>,
    ) -> Result<Vec<BatchLoss>, Error> {
        let mut clock = Instant::now();
        let windows = read()?;
        self.times.read += lap(&mut clock);
        self.gradient.fill(0.0);
        let features: Vec<Features<'_>> = windows
            .iter()
            .map(|(w, _)| Features { f0_hz: &w.f0_hz, loudness_db: &w.loudness_db })
            .collect();
        self.autoencoder.decode(parameters, &features);
        self.times.decoder += lap(&mut clock);
        let mut losses = Vec::with_capacity(windows.len());
        for (row, (window, noise_seed)) in windows.iter().enumerate() {
            let terms = self.example(row, window, *noise_seed, &mut clock);
            losses.push(BatchLoss { id: window.id.clone(), terms });
        }
        self.autoencoder.backward(parameters, &mut self.gradient);
        self.times.decoder += lap(&mut clock);
        Ok(losses)
    }

    /// Plays example `row`, compares it, and leaves the gradient with the autoencoder.
    fn example(
        &mut self,
        row: usize,
        window: &Window,
        noise_seed: u64,
        clock: &mut Instant,
    ) -> SpectralLossTerms {
        let (harmonic_branch, noise_branch) = self.autoencoder.branches(row);
        let (harmonic, noise, noise_in) = (&mut self.harmonic, &mut self.noise, &mut self.noise_in);
        join(
            self.helped,
            || harmonic_branch.forward(&window.f0_hz, harmonic),
            || {
                uniform_noise(noise_seed, noise_in);
                noise_branch.forward(noise_in, noise);
            },
        );
        for ((audio, harmonic), noise) in self.audio.iter_mut().zip(harmonic).zip(noise) {
            *audio = *harmonic + *noise;
        }
        self.times.synth += lap(clock);
        let grad_audio = &mut self.grad_audio;
        let terms = self.loss.evaluate(&window.audio, &self.audio, self.factor, Some(grad_audio));
        self.times.loss += lap(clock);
        let (noise_in, grad_audio) = (&self.noise_in, &self.grad_audio);
        join(
            self.helped,
            || harmonic_branch.backward(&window.f0_hz, grad_audio),
            || noise_branch.backward(noise_in, grad_audio),
        );
        self.autoencoder.store_gradient(row);
        self.times.synth += lap(clock);
        terms
    }
}

/// Time since the last lap.
fn lap(clock: &mut Instant) -> Duration {
    let now = Instant::now();
    now - std::mem::replace(clock, now)
}

#[cfg(test)]
mod tests;
