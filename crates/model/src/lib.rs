//! DDSP autoencoders: configuration, parameters, forward and backward passes, the model file.

#![forbid(unsafe_code)]

mod config;
mod decoder;
mod error;
#[cfg(test)]
mod golden;
mod nearest;
mod parameters;
mod transfer;

pub use config::{
    AudioConfig, Config, DecoderConfig, HarmonicConfig, LossConfig, NoiseConfig, TrainConfig,
};
pub use decoder::{DecoderCache, DecoderStream, RnnFcDecoder};
pub use error::Error;
pub use parameters::{Initial, ParameterEntry, ParameterTable, Parameters};
pub use transfer::{
    AdjustedFeatures, LoudnessMatch, MeasuredFeatures, Octave, TransferOptions, adjust_features,
};
