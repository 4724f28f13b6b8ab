//! Training and evaluation of DDSP autoencoders on the CPU.

#![forbid(unsafe_code)]

mod adam;
mod batch_gradient;
mod error;
mod evaluation;
mod gradient;
mod loss;
mod mean_spectrum;
mod order;
mod parallel;
mod run_log;
mod source;
mod trainer;
mod window;

pub use adam::Adam;
pub use batch_gradient::BatchGradient;
pub use error::Error;
pub use evaluation::{Baselines, EvaluationOptions, evaluate, evaluate_baselines};
pub use gradient::{BatchLoss, Gradient, Powers, StepTimes};
pub use mean_spectrum::MeanSpectrum;
pub use run_log::StepRecord;
pub use source::{ExampleSource, Subset};
pub use trainer::{Ending, TrainEvent, TrainOptions, TrainOutcome, train};
pub use window::Window;
