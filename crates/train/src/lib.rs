//! Training and evaluation of DDSP autoencoders on the CPU.

#![forbid(unsafe_code)]

mod adam;
mod batch_gradient;
mod checkpoint;
mod error;
mod evaluation;
mod gradient;
mod initialization;
mod listening;
mod loader;
mod loss;
mod mean_spectrum;
mod order;
mod parallel;
mod run_log;
mod source;
mod tensorboard;
mod trainer;
mod watch;
mod window;

pub use adam::Adam;
pub use batch_gradient::BatchGradient;
pub use error::Error;
pub use evaluation::{
    Baselines, EvaluationOptions, FLOOR_DB, Judge, Judged, MEASURES, Measure, Measures,
    Performance, Player, Summary, evaluate, evaluate_baselines,
};
pub use gradient::{BatchLoss, Gradient, Powers, StepTimes};
pub use initialization::{InitialModel, Initialization};
pub use listening::{PlayedExample, play_example};
pub use mean_spectrum::MeanSpectrum;
pub use run_log::{StepRecord, loss_terms};
pub use source::{ExampleSource, MixedExamples, Subset};
pub use tensorboard::{EventFile, EventValue};
pub use trainer::{Ending, TrainEvent, TrainOptions, TrainOutcome, train, train_with};
pub use watch::Alarm;
pub use window::Window;
