//! Where examples come from.

use ddsp_data::{ExampleIndex, F0Source, Share, TrainingExample};
use ddsp_kernels::FrameGrid;
use serde::{Deserialize, Serialize};

/// A set of recordings to learn from or to be judged by; any thread may read it.
pub trait ExampleSource: Sync {
    /// Number of examples.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Example `index` on `grid`.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn read(&self, index: usize, grid: FrameGrid) -> Result<TrainingExample, ddsp_data::Error>;

    /// Frames of example `index` on `grid`, without reading it; 0 where that is not known, which
    /// makes one window of it an epoch's.
    fn n_frames(&self, index: usize, grid: FrameGrid) -> usize {
        let (_, _) = (index, grid);
        0
    }

    /// The data sets that are mixed, and with which weights; one of all examples if there is nothing
    /// to mix.
    fn shares(&self) -> Vec<Share> {
        vec![Share { weight: 1.0, indices: (0..self.len()).collect() }]
    }

    /// What tells this set from another of as many examples.
    fn fingerprint(&self) -> u64;
}

impl ExampleSource for Vec<TrainingExample> {
    fn len(&self) -> usize {
        self.len()
    }

    fn read(&self, index: usize, _: FrameGrid) -> Result<TrainingExample, ddsp_data::Error> {
        Ok(self[index].clone())
    }

    fn n_frames(&self, index: usize, grid: FrameGrid) -> usize {
        grid.n_frames(self[index].audio.len())
    }

    fn fingerprint(&self) -> u64 {
        let mut hash = Hash::default();
        for example in self {
            let TrainingExample { id, audio, f0_hz, f0_confidence, loudness_db, .. } = example;
            id.bytes().for_each(|byte| hash.add(byte.into()));
            for values in [audio, f0_hz, f0_confidence, loudness_db] {
                hash.add(values.len() as u64);
                values.iter().for_each(|value| hash.add(value.to_bits().into()));
            }
        }
        hash.0
    }
}

impl ExampleSource for ExampleIndex {
    fn len(&self) -> usize {
        self.len()
    }

    fn read(&self, index: usize, grid: FrameGrid) -> Result<TrainingExample, ddsp_data::Error> {
        self.read(index, grid)
    }

    fn n_frames(&self, index: usize, grid: FrameGrid) -> usize {
        grid.n_frames(self.n_samples(index, grid.sample_rate))
    }

    fn shares(&self) -> Vec<Share> {
        self.shares()
    }

    fn fingerprint(&self) -> u64 {
        let mut hash = Hash::default();
        // f0 that is tracked is as good as other data.
        hash.add(u64::from(self.f0_source() == F0Source::Tracker));
        (0..self.len()).for_each(|i| hash.add(self.checksum(i).into()));
        hash.0
    }
}

/// Examples in memory, mixed as the data sets that they come from.
pub struct MixedExamples {
    /// The examples of all data sets.
    pub examples: Vec<TrainingExample>,
    /// Which of them belong together.
    pub shares: Vec<Share>,
}

impl ExampleSource for MixedExamples {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn read(&self, index: usize, grid: FrameGrid) -> Result<TrainingExample, ddsp_data::Error> {
        self.examples.read(index, grid)
    }

    fn n_frames(&self, index: usize, grid: FrameGrid) -> usize {
        self.examples.n_frames(index, grid)
    }

    fn shares(&self) -> Vec<Share> {
        self.shares.clone()
    }

    fn fingerprint(&self) -> u64 {
        self.examples.fingerprint()
    }
}

/// The part of a source at given indices.
pub struct Subset<'a> {
    /// The whole.
    pub source: &'a dyn ExampleSource,
    /// Which of its examples belong, in order.
    pub indices: Vec<usize>,
}

impl ExampleSource for Subset<'_> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn read(&self, index: usize, grid: FrameGrid) -> Result<TrainingExample, ddsp_data::Error> {
        self.source.read(self.indices[index], grid)
    }

    fn n_frames(&self, index: usize, grid: FrameGrid) -> usize {
        self.source.n_frames(self.indices[index], grid)
    }

    fn fingerprint(&self) -> u64 {
        let mut hash = Hash::default();
        hash.add(self.source.fingerprint());
        self.indices.iter().for_each(|&index| hash.add(index as u64));
        hash.0
    }
}

/// Fowler, Noll and Vo's hash over words: for telling data apart, not against forgers. Its value
/// stands in files, where that of the standard library may change with the compiler.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// What a checkpoint remembers of a set of examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fingerprint {
    n_examples: usize,
    content: u64,
    mixture: u64,
}

impl Fingerprint {
    /// What is remembered of `source`.
    pub(crate) fn new(source: &dyn ExampleSource) -> Self {
        let mut mixture = Hash::default();
        for Share { weight, indices } in source.shares() {
            mixture.add(weight.to_bits());
            indices.iter().for_each(|&index| mixture.add(index as u64));
        }
        let content = if source.is_empty() { 0 } else { source.fingerprint() };
        Self { n_examples: source.len(), content, mixture: mixture.0 }
    }

    /// How `now` differs, in words.
    pub(crate) fn difference(&self, now: &Self, name: &str) -> Option<String> {
        if self.n_examples != now.n_examples {
            return Some(format!(
                "the {name} set had {} examples, now {}",
                self.n_examples, now.n_examples
            ));
        }
        if self.content != now.content {
            let n = now.n_examples;
            return Some(format!("the {n} examples of the {name} set, or their f0, are others"));
        }
        (self.mixture != now.mixture).then(|| format!("the {name} set is mixed in other shares"))
    }
}

#[cfg(test)]
mod tests {
    use ddsp_data::{Pitches, SynthOptions, synthesize};

    use super::*;

    #[test]
    fn data_with_a_tracked_f0_are_other_data() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("data");
        let options = SynthOptions {
            families: vec!["flute".to_owned()],
            n_instruments: 1,
            pitches: Pitches::Count(1),
            velocities: vec![80],
            n_shards: 1,
            ..SynthOptions::default()
        };
        synthesize(&options, &out, 1, &mut |_| {}).expect("made");
        let fingerprint = |f0| {
            let index = ExampleIndex::open(&[out.join("*tfrecord*")], f0).expect("read");
            Fingerprint::new(&index)
        };
        let record = fingerprint(F0Source::Record);
        assert_eq!(record, fingerprint(F0Source::Record));
        let difference = record.difference(&fingerprint(F0Source::Tracker), "training");
        assert!(difference.is_some_and(|text| text.contains("or their f0")), "told apart");
    }
}
