//! In which order examples come, as a function of the seed and of the position alone.
//!
//! Every epoch of a data set is a permutation of its own. A long example has several places in it,
//! one for each window that fits, and each place draws its window from a stretch of its own. Mixed
//! data sets take turns in blocks, in which each has its exact share. So what stands at a position
//! can be told without a look at those before, and a run goes on wherever it was left.

use ddsp_data::Share;
use ddsp_model::{Config, derived_seed};
use rand::RngExt;
use rand_pcg::{Pcg64, rand_core::SeedableRng};

use crate::error::Error;
use crate::source::ExampleSource;
use crate::window::{Window, read_checked};

/// Positions in which every mixed data set has its share, to half a position; a set whose share is
/// smaller than one gets one.
const BLOCK: u64 = 4096;

/// Tells the seeds of mixed data sets, and of their turns, apart.
const MIXTURE_STREAM: u64 = 0x6d69_7874;

/// What one place in one batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    /// Which example.
    pub(crate) index: usize,
    /// Which of the example's windows, and how many it has in an epoch.
    place: (usize, usize),
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
        let (nth, count) = self.place;
        let (lowest, end) = (nth * (room + 1) / count, (nth + 1) * (room + 1) / count);
        // An example that turns out shorter than its source said has windows to spare.
        let highest = end.max(lowest + 1) - 1;
        let first = Pcg64::seed_from_u64(self.window_seed).random_range(lowest..=highest.min(room));
        let window = Window::cut(&example, first, config);
        Ok(Window { noise_seed: self.noise_seed, ..window })
    }
}

/// The order of the windows of a source.
pub(crate) struct Order {
    seed: u64,
    batch: usize,
    sets: Vec<Set>,
    turns: Turns,
}

impl Order {
    /// The order over `source`, in which there is at least one example.
    pub(crate) fn new(source: &dyn ExampleSource, config: &Config) -> Self {
        let seed = config.train.seed;
        let n_windows = |index: usize| {
            let n_frames = source.n_frames(index, config.grid());
            (n_frames / config.example_frames()).max(1)
        };
        let shares: Vec<Share> =
            source.shares().into_iter().filter(|share| !share.indices.is_empty()).collect();
        assert!(!shares.is_empty(), "Order: no examples");
        let set = |(set, share): (usize, &Share)| {
            let stream = derived_seed(seed ^ MIXTURE_STREAM, set as u64);
            Set::new(&share.indices, n_windows, if set == 0 { seed } else { stream })
        };
        let sets = shares.iter().enumerate().map(set).collect();
        let weights: Vec<f64> = shares.iter().map(|share| share.weight).collect();
        Self { seed, batch: config.train.batch, sets, turns: Turns::new(&weights, seed) }
    }

    /// What the batch of `step` holds, whatever was asked before.
    pub(crate) fn batch(&mut self, step: u64) -> Vec<Draw> {
        let first = step * self.batch as u64;
        (first..first + self.batch as u64).map(|position| self.draw(position)).collect()
    }

    fn draw(&mut self, position: u64) -> Draw {
        let (set, nth) = self.turns.turn(position);
        let (index, place) = self.sets[set].draw(nth);
        Draw {
            index,
            place,
            window_seed: derived_seed(self.seed, 3 * position),
            noise_seed: derived_seed(self.seed, 3 * position + 1),
        }
    }
}

/// One data set: permutations of its windows.
struct Set {
    seed: u64,
    indices: Vec<usize>,
    /// Windows of all examples before each, and of all.
    starts: Vec<usize>,
    epoch: Option<u64>,
    permutation: Vec<usize>,
}

impl Set {
    fn new(indices: &[usize], n_windows: impl Fn(usize) -> usize, seed: u64) -> Self {
        let mut starts = vec![0];
        let mut n = 0;
        starts.extend(indices.iter().map(|&index| {
            n += n_windows(index);
            n
        }));
        let permutation = (0..n).collect();
        Self { seed, indices: indices.to_vec(), starts, epoch: None, permutation }
    }

    /// The example of this set's draw `nth`, and which of its windows of how many.
    fn draw(&mut self, nth: u64) -> (usize, (usize, usize)) {
        let n = self.permutation.len() as u64;
        let (epoch, place) = (nth / n, nth % n);
        if self.epoch != Some(epoch) {
            self.shuffle(epoch);
        }
        let slot = self.permutation[usize::try_from(place).expect("less than a length")];
        let i = self.starts.partition_point(|&start| start <= slot) - 1;
        (self.indices[i], (slot - self.starts[i], self.starts[i + 1] - self.starts[i]))
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

/// Whose turn it is among mixed data sets.
struct Turns {
    seed: u64,
    /// Positions of each set in a block.
    quotas: Vec<u64>,
    block: Option<u64>,
    /// The set at each position of the block, and how many draws the set had in the block before.
    turns: Vec<(usize, u64)>,
}

impl Turns {
    fn new(weights: &[f64], seed: u64) -> Self {
        let seed = derived_seed(seed, MIXTURE_STREAM);
        Self { seed, quotas: quotas(weights), block: None, turns: Vec::new() }
    }

    /// The set at `position`, and how many draws it had before.
    fn turn(&mut self, position: u64) -> (usize, u64) {
        if self.quotas.len() == 1 {
            return (0, position);
        }
        let (block, place) = (position / BLOCK, position % BLOCK);
        if self.block != Some(block) {
            self.shuffle(block);
        }
        let (set, before) = self.turns[usize::try_from(place).expect("less than a block")];
        (set, block * self.quotas[set] + before)
    }

    fn shuffle(&mut self, block: u64) {
        let mut sets = Vec::new();
        for (set, &quota) in self.quotas.iter().enumerate() {
            sets.extend((0..quota).map(|_| set));
        }
        let mut rng = Pcg64::seed_from_u64(derived_seed(self.seed, block));
        for i in (1..sets.len()).rev() {
            sets.swap(i, rng.random_range(0..=i));
        }
        let mut counts = vec![0; self.quotas.len()];
        let turn = |set: usize| {
            counts[set] += 1;
            (set, counts[set] - 1)
        };
        self.turns = sets.into_iter().map(turn).collect();
        self.block = Some(block);
    }
}

/// How many of [`BLOCK`] positions each weight stands for: its share rounded, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a block is between 0 and the block"
)]
fn quotas(weights: &[f64]) -> Vec<u64> {
    let sum: f64 = weights.iter().sum();
    let share = |weight: &f64| ((weight / sum * BLOCK as f64).round() as u64).max(1);
    let mut quotas: Vec<u64> = weights.iter().map(share).collect();
    // What rounding left over or took too much is the largest one's to bear.
    let largest = (0..quotas.len()).max_by_key(|&set| quotas[set]).expect("a set");
    let others = quotas.iter().sum::<u64>() - quotas[largest];
    quotas[largest] = BLOCK.saturating_sub(others).max(1);
    quotas
}

#[cfg(test)]
mod tests;
