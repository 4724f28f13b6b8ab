//! Players against recordings: the same examples, measures and noise for all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use ddsp_data::{Labels, Progress, TrainingExample};
use ddsp_model::{Config, derived_seed};

use super::measures::{Measures, Target};
use super::pitch::PitchCurve;
use super::player::Player;
use super::{EvaluationOptions, NOISE_STREAM, spaced};
use crate::error::Error;
use crate::source::ExampleSource;
use crate::window::{Window, read_checked};

/// What was measured on one example.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Its index in the source.
    pub index: usize,
    /// Its name.
    pub id: String,
    /// What is known of it.
    pub labels: Labels,
    /// Of every player, in their order.
    pub measures: Vec<Measures>,
}

/// A recording and what a player made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Performance {
    /// The recording.
    pub input: Vec<f32>,
    /// The player's version, as long.
    pub output: Vec<f32>,
}

/// A source, and how its examples are played: the window and the seed are those of training's
/// held-out losses.
pub struct Judge<'a> {
    config: &'a Config,
    source: &'a dyn ExampleSource,
    noise_seed: u64,
}

impl<'a> Judge<'a> {
    /// Of the beginnings of the examples in `source`, as long as the windows that `config` trains
    /// on. `seed` determines the noise; `config.train.seed` gives that of training's own held-out
    /// losses.
    pub fn new(config: &'a Config, source: &'a dyn ExampleSource, seed: u64) -> Self {
        Self { config, source, noise_seed: derived_seed(seed, NOISE_STREAM) }
    }

    /// What `player` makes of example `index`.
    ///
    /// # Errors
    ///
    /// If it cannot be read or used.
    pub fn perform(&self, player: &Player<'_>, index: usize) -> Result<Performance, Error> {
        let window = Window::cut(&self.read(index)?, 0, self.config);
        let output = player.play(&window, self.seed_of(index));
        Ok(Performance { input: window.audio, output })
    }

    /// Measures all `players` on the examples that `options` choose, in the order of the source;
    /// the values do not depend on the number of threads.
    ///
    /// # Errors
    ///
    /// If there is no example, or one cannot be read or used.
    pub fn measure(
        &self,
        players: &[Player<'_>],
        options: EvaluationOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Judged>, Error> {
        let indices = spaced(self.source.len(), options.max_examples);
        if indices.is_empty() {
            return Err(Error::NoExamples);
        }
        let (next, (sender, receiver)) = (AtomicUsize::new(0), mpsc::channel());
        let work = |sender: mpsc::Sender<(usize, Result<Judged, Error>)>| loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(&index) = indices.get(place) else { return };
            // Nobody listens after an error: the rest need not be done.
            if sender.send((place, self.judge(players, index))).is_err() {
                return;
            }
        };
        let mut judged: Vec<Option<Judged>> = vec![None; indices.len()];
        thread::scope(|scope| {
            for _ in 0..options.n_threads.clamp(1, indices.len()) {
                let sender = sender.clone();
                scope.spawn(|| work(sender));
            }
            drop(sender);
            let total = indices.len() as u64;
            for (done, (place, example)) in (1..).zip(receiver) {
                judged[place] = Some(example?);
                progress(Progress { done, total });
            }
            Ok::<_, Error>(())
        })?;
        Ok(judged.into_iter().map(|example| example.expect("one for each place")).collect())
    }

    fn judge(&self, players: &[Player<'_>], index: usize) -> Result<Judged, Error> {
        let example = self.read(index)?;
        let window = Window::cut(&example, 0, self.config);
        let (grid, audio) = (self.config.grid(), &window.audio);
        let n_frames = grid.n_frames(audio.len());
        let pitch = PitchCurve {
            f0_hz: &example.f0_hz[..n_frames],
            f0_confidence: &example.f0_confidence[..n_frames],
        };
        let target = Target::new(audio, pitch, grid);
        let measure = |player: &Player<'_>| {
            target.measure(&player.play(&window, self.seed_of(index)), self.config)
        };
        let measures = players.iter().map(measure).collect();
        Ok(Judged { index, id: window.id.clone(), labels: example.labels, measures })
    }

    fn read(&self, index: usize) -> Result<TrainingExample, Error> {
        let example = read_checked(self.source, index, self.config)?;
        if example.f0_confidence.len() < example.f0_hz.len() {
            let reason = "it has fewer frames of f0 confidence than of audio".to_owned();
            return Err(Error::Example { id: example.id, reason });
        }
        Ok(example)
    }

    fn seed_of(&self, index: usize) -> u64 {
        derived_seed(self.noise_seed, index as u64)
    }
}
