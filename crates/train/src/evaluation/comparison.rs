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

#[cfg(test)]
mod tests {
    use ddsp_model::Model;

    use super::*;

    fn config() -> Config {
        let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
        for setting in ["decoder.gru_units=8", "decoder.fc_units=8", "train.example_secs=0.1"] {
            config.set(setting).expect("a valid setting");
        }
        config
    }

    /// Notes longer and shorter than a window.
    fn notes() -> Vec<TrainingExample> {
        let note = |(i, n_frames): (usize, usize)| TrainingExample {
            id: format!("note {i}"),
            audio: (0..64 * n_frames)
                .map(|n| 0.2 * (0.05 * (i + 2) as f32 * n as f32).sin())
                .collect(),
            f0_hz: vec![127.3 * (i + 2) as f32; n_frames],
            f0_confidence: vec![1.0; n_frames],
            loudness_db: vec![-20.0; n_frames],
            labels: Labels::default(),
        };
        [40, 25, 12, 30, 26].into_iter().enumerate().map(note).collect()
    }

    fn judged(seed: u64, n_threads: usize, max_examples: usize) -> (Vec<Judged>, Vec<Progress>) {
        let (config, notes) = (config(), notes());
        let model = Model::new(config.clone(), 1);
        let players = [Player::model("model", &model), Player::input()];
        let (mut told, options) = (Vec::new(), EvaluationOptions { max_examples, n_threads });
        let mut tell = |progress| told.push(progress);
        let judged = Judge::new(&config, &notes, seed).measure(&players, options, &mut tell);
        (judged.expect("usable notes"), told)
    }

    /// The values of all, NaN equal to itself.
    fn bits(judged: &[Judged]) -> Vec<u64> {
        let values =
            |measures: &Measures| super::super::MEASURES.map(|m| (m.value)(measures).to_bits());
        judged.iter().flat_map(|example| &example.measures).flat_map(values).collect()
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits_in_the_same_order() {
        let (one, told) = judged(3, 1, 9);
        assert_eq!(told.last(), Some(&Progress { done: 5, total: 5 }), "{told:?}");
        for n_threads in [2, 4, 9] {
            let (more, _) = judged(3, n_threads, 9);
            let indices: Vec<usize> = more.iter().map(|example| example.index).collect();
            assert_eq!(indices, [0, 1, 2, 3, 4], "{n_threads} threads");
            assert_eq!(bits(&more), bits(&one), "{n_threads} threads");
        }
        assert_ne!(bits(&judged(4, 1, 9).0), bits(&one), "other noise");
        let (few, _) = judged(3, 2, 2);
        assert_eq!(few.iter().map(|example| example.index).collect::<Vec<_>>(), [0, 2], "spread");
        assert_eq!(bits(&few[..1]), bits(&one[..1]), "an example's noise is its own");
    }

    #[test]
    fn the_loss_is_that_of_training_and_the_sound_is_as_long_as_the_recording() {
        let (config, notes) = (config(), notes());
        let model = Model::new(config.clone(), 1);
        let options = EvaluationOptions { max_examples: 9, n_threads: 2 };
        let expected = super::super::evaluate(&model, &notes, options).expect("usable").total();
        let (judged, _) = judged(config.train.seed, 2, 9);
        let mean = judged.iter().map(|example| example.measures[0].loss).sum::<f64>() / 5.0;
        // The sum is of the terms there and of the totals here.
        assert!((mean - expected).abs() < 1e-12 * expected, "{mean}, in training {expected}");
        assert!(judged.iter().all(|example| example.measures[1].loss == 0.0), "the input itself");
        let judge = Judge::new(&config, &notes, config.train.seed);
        for (index, n_samples) in [(0, 1600), (2, 768)] {
            let played = judge.perform(&Player::model("model", &model), index).expect("usable");
            assert_eq!((played.input.len(), played.output.len()), (n_samples, n_samples));
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let mut notes = notes();
        notes[3].audio[7] = f32::NAN;
        let (config, options) = (config(), EvaluationOptions { max_examples: 9, n_threads: 2 });
        let judge = Judge::new(&config, &notes, 0);
        let error = judge.measure(&[Player::silence()], options, &mut |_| ()).expect_err("NaN");
        assert!(error.to_string().contains("note 3"), "{error}");
    }
}
