//! DDSP autoencoders: configuration, parameters, forward and backward passes, the model file.

#![forbid(unsafe_code)]

mod autoencoder;
mod config;
mod decoder;
mod error;
mod features;
mod file;
#[cfg(test)]
mod golden;
mod model;
mod nearest;
mod parameters;
mod random;
mod transfer;

pub use autoencoder::{Autoencoder, Controls, HarmonicBranch, NoiseBranch, Rendering};
pub use config::{
    AudioConfig, Config, DecoderConfig, HarmonicConfig, LossConfig, NoiseConfig, TrainConfig,
};
pub use decoder::{DecoderCache, DecoderStream, RnnFcDecoder};
pub use error::Error;
pub use features::{Features, scale_f0, scale_loudness};
pub use model::{LossSummary, Model, ModelMetadata, TrainingSummary};
pub use parameters::{Initial, ParameterEntry, ParameterTable, Parameters};
pub use random::{derived_seed, uniform_noise};
pub use transfer::{
    AdjustedFeatures, LoudnessMatch, MeasuredFeatures, Octave, TransferOptions, adjust_features,
};
