//! Where examples come from.

use ddsp_data::{ExampleIndex, TrainingExample};
use ddsp_kernels::FrameGrid;

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
}

impl ExampleSource for Vec<TrainingExample> {
    fn len(&self) -> usize {
        self.len()
    }

    fn read(&self, index: usize, _: FrameGrid) -> Result<TrainingExample, ddsp_data::Error> {
        Ok(self[index].clone())
    }
}

impl ExampleSource for ExampleIndex {
    fn len(&self) -> usize {
        self.len()
    }

    fn read(&self, index: usize, grid: FrameGrid) -> Result<TrainingExample, ddsp_data::Error> {
        self.read(index, grid)
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
}
