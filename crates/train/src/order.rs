//! In which order examples come.

use ddsp_model::{Config, derived_seed};
use rand::RngExt;
use rand_pcg::{Pcg64, rand_core::SeedableRng};

use crate::error::Error;
use crate::source::ExampleSource;
use crate::window::{Window, read_checked};

/// What one place in one batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    /// Which example.
    pub(crate) index: usize,
    /// Seeds the window's place.
    window_seed: u64,
    /// Seeds the noise of the synthesizer.
    noise_seed: u64,
}

impl Draw {
    /// Reads the window.
    pub(crate) fn window(
        &self,
        source: &dyn ExampleSource,
        config: &Config,
    ) -> Result<Window, Error> {
        let example = read_checked(source, self.index, config)?;
        let room = example.f0_hz.len().saturating_sub(config.example_frames());
        let first = Pcg64::seed_from_u64(self.window_seed).random_range(0..=room);
        let window = Window::cut(&example, first, config);
        Ok(Window { noise_seed: self.noise_seed, ..window })
    }
}

/// The order of examples: every epoch is a permutation of its own, all determined by the seed.
pub(crate) struct Order {
    seed: u64,
    batch: usize,
    epoch: Option<u64>,
    permutation: Vec<usize>,
}

impl Order {
    /// The order over `n_examples`, of which there is at least one.
    pub(crate) fn new(n_examples: usize, config: &Config) -> Self {
        let permutation = (0..n_examples).collect();
        Self { seed: config.train.seed, batch: config.train.batch, epoch: None, permutation }
    }

    /// How many examples there are.
    pub(crate) fn n_examples(&self) -> usize {
        self.permutation.len()
    }

    /// What the batch of `step` holds, whatever was asked before.
    pub(crate) fn batch(&mut self, step: u64) -> Vec<Draw> {
        let first = step * self.batch as u64;
        (first..first + self.batch as u64).map(|position| self.draw(position)).collect()
    }

    fn draw(&mut self, position: u64) -> Draw {
        let n_examples = self.n_examples() as u64;
        let (epoch, place) = (position / n_examples, position % n_examples);
        if self.epoch != Some(epoch) {
            self.shuffle(epoch);
        }
        let place = usize::try_from(place).expect("less than n_examples");
        Draw {
            index: self.permutation[place],
            window_seed: derived_seed(self.seed, 3 * position),
            noise_seed: derived_seed(self.seed, 3 * position + 1),
        }
    }

    /// Fisher and Yates' shuffle.
    fn shuffle(&mut self, epoch: u64) {
        let mut rng = Pcg64::seed_from_u64(derived_seed(self.seed, 3 * epoch + 2));
        self.permutation.sort_unstable();
        for i in (1..self.permutation.len()).rev() {
            self.permutation.swap(i, rng.random_range(0..=i));
        }
        self.epoch = Some(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(batch: usize) -> Config {
        let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
        config.train.batch = batch;
        config.train.example_secs = 0.04;
        config
    }

    /// `n_frames` frames whose values are their numbers.
    fn ramp(n_frames: u16) -> TrainingExample {
        let frames: Vec<f32> = (0..n_frames).map(f32::from).collect();
        let audio = frames.iter().flat_map(|&frame| [frame; 64]).collect();
        TrainingExample {
            id: "ramp".to_owned(),
            audio,
            f0_hz: frames.clone(),
            f0_confidence: frames.clone(),
            loudness_db: frames,
            labels: Default::default(),
        }
    }

    #[test]
    fn an_epoch_is_a_permutation_and_the_next_another() {
        let mut order = Order::new(10, &config(4));
        let drawn: Vec<usize> =
            (0..5).flat_map(|step| order.batch(step)).map(|draw| draw.index).collect();
        for epoch in drawn.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>(), "every example once: {epoch:?}");
        }
        assert_ne!(drawn[..10], drawn[10..], "the second epoch has an order of its own");
        let mut fresh = Order::new(10, &config(4));
        assert_eq!(order.batch(1), fresh.batch(1), "a step's batch does not depend on the way");
    }

    #[test]
    fn a_window_of_a_long_example_is_part_of_it_on_the_frame_grid() {
        let (config, source) = (config(1), vec![ramp(50)]);
        let mut firsts = Vec::new();
        for step in 0..20 {
            let draw = Order::new(1, &config).batch(step)[0];
            let window = draw.window(&source, &config).expect("a readable example");
            let first = window.f0_hz[0];
            assert_eq!((window.f0_hz.len(), window.audio.len()), (10, 640), "0.04 s");
            for (i, samples) in window.audio.chunks(64).enumerate() {
                let frame = window.f0_hz[i];
                assert_eq!(frame, first + f32::from(u8::try_from(i).expect("ten")), "in order");
                assert!(samples.iter().all(|&x| x == frame), "audio and features agree");
            }
            firsts.push(first);
        }
        firsts.sort_by(f32::total_cmp);
        firsts.dedup();
        assert!(firsts.len() > 5, "windows begin anywhere: {firsts:?}");
    }
}
