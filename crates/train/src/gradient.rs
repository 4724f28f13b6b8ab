//! The seam between the trainer and whatever computes gradients: a batch in, losses and gradient out.

use std::time::Duration;

use ddsp_kernels::SpectralLossTerms;

use crate::error::Error;
use crate::window::Window;

/// Computes the losses of batches and the gradient of their mean.
///
/// The trainer knows nothing else of the machine that does it: [`BatchGradient`] is the one on the
/// processor's cores.
///
/// [`BatchGradient`]: crate::BatchGradient
pub trait Gradient {
    /// Windows that a batch must have.
    fn batch_len(&self) -> usize;

    /// The losses of `batch` in its order; [`gradient`](Self::gradient) is then that of their mean.
    ///
    /// Equal parameters and batches give equal bits. A loss or a gradient may be NaN or infinite:
    /// the trainer looks.
    ///
    /// # Errors
    ///
    /// If the machine fails.
    ///
    /// # Panics
    ///
    /// If `parameters` or `batch` has another length than was prepared for.
    fn evaluate(&mut self, parameters: &[f32], batch: &[Window]) -> Result<Vec<BatchLoss>, Error>;

    /// The gradient of the last batch's mean loss, `[n_parameters]`; zeros before the first.
    fn gradient(&self) -> &[f32];

    /// Where the time went since this was made.
    fn times(&self) -> StepTimes;
}

/// The loss of one example of a batch.
#[derive(Clone, Debug)]
pub struct BatchLoss {
    /// Name of the example.
    pub id: String,
    /// Its loss before the update.
    pub terms: SpectralLossTerms,
    /// How loud it was played.
    pub powers: Powers,
}

/// Mean squares of what was played and of what was to be approached.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Powers {
    /// Of the recording.
    pub target: f64,
    /// Of everything that was played, over the length of the recording.
    pub output: f64,
    /// Of the synthesizer with a pitch alone.
    pub tone: f64,
    /// Of the noise alone.
    pub noise: f64,
}

/// Time spent in the parts of a step; those of the gradient are summed over the threads that lead
/// an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepTimes {
    /// Waiting for examples: they are read while the step before is computed.
    pub read: Duration,
    /// The network, forward and backward.
    pub decoder: Duration,
    /// The synthesizers and their noise, forward and backward.
    pub synth: Duration,
    /// The spectral loss and its gradient.
    pub loss: Duration,
    /// The update of the parameters.
    pub optimizer: Duration,
}
