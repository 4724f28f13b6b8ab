//! One batch in, its losses and the gradient out: the work of a training step but the update.

use std::thread;
use std::time::{Duration, Instant};

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Autoencoder, Branches, Config, Features, uniform_noise};

use crate::error::Error;
use crate::gradient::{BatchLoss, Gradient, Powers, StepTimes};
use crate::loss::ExampleLoss;
use crate::parallel::{join, joined};
use crate::window::Window;

/// Computes gradients of batches of a fixed size on a fixed number of threads.
///
/// The examples of a batch are dealt out to threads in order; each thread has a gradient of its
/// own, and these are added in the threads' order. So the result is the same bits for the same
/// number of threads, and the same to rounding for another. Threads without an example help
/// others: with the FFT sizes of the loss and with one of the two synthesizers.
pub struct BatchGradient {
    workers: Vec<Worker>,
}

impl BatchGradient {
    /// Allocates for batches of `config` on at most `n_threads` threads.
    pub fn new(config: &Config, n_threads: usize) -> Self {
        let batch = config.train.batch;
        let n_threads = n_threads.max(1);
        let n_workers = n_threads.min(batch);
        let worker = |w: usize| {
            let n_rows = (w + 1) * batch / n_workers - w * batch / n_workers;
            let n_helpers = (w + 1) * n_threads / n_workers - w * n_threads / n_workers;
            Worker::new(config, n_rows, n_helpers)
        };
        Self { workers: (0..n_workers).map(worker).collect() }
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
}

impl Gradient for BatchGradient {
    fn batch_len(&self) -> usize {
        self.workers.iter().map(|worker| worker.n_rows).sum()
    }

    fn evaluate(&mut self, parameters: &[f32], batch: &[Window]) -> Result<Vec<BatchLoss>, Error> {
        assert_eq!(batch.len(), self.batch_len(), "BatchGradient: windows in a batch");
        let (mut rest, mut jobs) = (batch, Vec::new());
        for worker in &mut self.workers {
            let (mine, others) = rest.split_at(worker.n_rows);
            rest = others;
            jobs.push(move || worker.run(parameters, mine));
        }
        let mut first = jobs.remove(0);
        let losses = thread::scope(|scope| {
            let handles: Vec<_> = jobs.into_iter().map(|job| scope.spawn(job)).collect();
            let first = first();
            std::iter::once(first).chain(handles.into_iter().map(joined)).collect::<Vec<_>>()
        });
        self.reduce();
        Ok(losses.into_iter().flatten().collect())
    }

    fn gradient(&self) -> &[f32] {
        &self.workers[0].gradient
    }

    fn times(&self) -> StepTimes {
        let mut sum = StepTimes::default();
        for worker in &self.workers {
            sum.decoder += worker.times.decoder;
            sum.synth += worker.times.synth;
            sum.loss += worker.times.loss;
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
    tone: Vec<f32>,
    noise: Vec<f32>,
    /// The sum of both parts, dry.
    dry: Vec<f32>,
    /// The same in the room, if there is one: what is heard.
    audio: Vec<f32>,
    grad_audio: Vec<f32>,
    grad_dry: Vec<f32>,
    times: StepTimes,
}

impl Worker {
    fn new(config: &Config, n_rows: usize, n_helpers: usize) -> Self {
        let n_parameters = config.parameter_table().n_values();
        let samples = || vec![0.0; config.example_samples()];
        Self {
            n_rows,
            helped: n_helpers > 1,
            factor: 1.0 / config.train.batch as f32,
            autoencoder: Autoencoder::new(config, config.example_frames(), n_rows),
            loss: ExampleLoss::new(config, n_helpers),
            gradient: vec![0.0; n_parameters],
            noise_in: samples(),
            tone: samples(),
            noise: samples(),
            dry: samples(),
            audio: samples(),
            grad_audio: samples(),
            grad_dry: samples(),
            times: StepTimes::default(),
        }
    }

    /// Losses of this worker's windows; leaves the gradient of their sum over the size of the batch.
    fn run(&mut self, parameters: &[f32], windows: &[Window]) -> Vec<BatchLoss> {
        let mut clock = Instant::now();
        self.gradient.fill(0.0);
        let features: Vec<Features<'_>> = windows.iter().map(Window::features).collect();
        self.autoencoder.decode(parameters, &features);
        self.times.decoder += lap(&mut clock);
        let mut losses = Vec::with_capacity(windows.len());
        for (row, window) in windows.iter().enumerate() {
            let terms = self.example(row, window, window.noise_seed, &mut clock);
            losses.push(BatchLoss { id: window.id.clone(), terms, powers: self.powers(window) });
        }
        self.autoencoder.backward(parameters, &mut self.gradient);
        self.times.decoder += lap(&mut clock);
        losses
    }

    /// How loud the last example was played.
    fn powers(&self, window: &Window) -> Powers {
        let n_samples = window.audio.len().min(self.audio.len());
        Powers {
            target: power(&window.audio),
            output: power(&self.audio[..n_samples]),
            tone: power(&self.tone[..n_samples]),
            noise: power(&self.noise[..n_samples]),
        }
    }

    /// Plays example `row`, compares it, and leaves the gradient with the autoencoder.
    fn example(
        &mut self,
        row: usize,
        window: &Window,
        noise_seed: u64,
        clock: &mut Instant,
    ) -> SpectralLossTerms {
        let Branches { tone: tone_branch, noise: noise_branch, mut reverb } =
            self.autoencoder.branches(row);
        let (tone, noise, noise_in) = (&mut self.tone, &mut self.noise, &mut self.noise_in);
        join(
            self.helped,
            || tone_branch.forward(&window.f0_hz, tone),
            || {
                uniform_noise(noise_seed, noise_in);
                noise_branch.forward(noise_in, noise);
            },
        );
        for ((dry, tone), noise) in self.dry.iter_mut().zip(tone).zip(noise) {
            *dry = *tone + *noise;
        }
        match &mut reverb {
            Some(reverb) => reverb.forward(&self.dry, &mut self.audio),
            None => std::mem::swap(&mut self.dry, &mut self.audio),
        }
        self.times.synth += lap(clock);
        let (audio, grad_audio) = (&self.audio, &mut self.grad_audio);
        let terms = self.loss.evaluate(&window.audio, audio, self.factor, Some(grad_audio));
        self.times.loss += lap(clock);
        let grad_dry = match &mut reverb {
            Some(reverb) => {
                reverb.backward(&self.dry, grad_audio, &mut self.grad_dry);
                &self.grad_dry
            }
            None => &self.grad_audio,
        };
        let noise_in = &self.noise_in;
        join(
            self.helped,
            || tone_branch.backward(&window.f0_hz, grad_dry),
            || noise_branch.backward(noise_in, grad_dry),
        );
        self.autoencoder.store_gradient(row);
        self.times.synth += lap(clock);
        terms
    }
}

/// Mean square; sums of blocks in single precision, which 256 squares keep to 1e-5.
fn power(audio: &[f32]) -> f64 {
    let block = |block: &[f32]| f64::from(block.iter().map(|x| x * x).sum::<f32>());
    audio.chunks(256).map(block).sum::<f64>() / audio.len().max(1) as f64
}

/// Time since the last lap.
fn lap(clock: &mut Instant) -> Duration {
    let now = Instant::now();
    now - std::mem::replace(clock, now)
}

#[cfg(test)]
mod tests;
