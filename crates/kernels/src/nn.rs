//! Layers of the networks.
//!
//! On rows: [`dense()`], [`fc()`] (dense, layer norm and leaky ReLU in one), [`Gru`], [`Lstm`] and
//! [`embedding()`]. A row is the vector of one frame of one example; rows are time-major,
//! `(frame, example)`. Every layer but the recurrences treats rows alone, so a caller may pass any
//! range of rows, on any thread. On one example's frames: [`Conv1d`], [`Conv1dTransposed`]; on its
//! frames and frequencies: [`Conv2d`], [`MaxPool`]; on all its values: [`Normalize`]. On single
//! values: [`Activation`], [`scale_and_shift`].
//!
//! Weights have keras' layout: kernels `[n_in, n_out]`, `y = x kernel + bias`.

mod activation;
mod conv1d;
mod conv2d;
mod dense;
mod embedding;
mod fc;
mod gru;
mod lanes;
mod lstm;
mod normalize;
mod packed;
mod pointwise;

pub use conv1d::{Conv1d, Conv1dTransposed, Padding};
pub use conv2d::{Conv2d, Conv2dConfig, MaxPool};
pub use dense::{Dense, DenseGradients, dense, dense_backward};
pub use embedding::{embedding, embedding_backward};
pub use fc::{Fc, FcCache, FcGradients, fc, fc_backward};
pub use gru::{ColumnExchange, Gru, GruGradients, GruRecurrence, GruSequence, GruWeights};
pub use lstm::{Lstm, LstmGradients, LstmRecurrence, LstmSequence, LstmState, LstmWeights};
pub use normalize::{Normalize, ScaleShift, ScaleShiftGradients};
pub use pointwise::{Activation, scale_and_shift, scale_and_shift_backward};

#[cfg(test)]
mod laws;
#[cfg(test)]
pub(crate) mod tests;
