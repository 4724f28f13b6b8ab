//! DDSP autoencoders: configuration, parameters, forward and backward passes, the model file.

#![forbid(unsafe_code)]

mod architecture;
mod autoencoder;
mod config;
mod decoder;
mod encoder;
mod error;
mod features;
mod file;
#[cfg(test)]
mod golden;
mod gru_ranges;
mod model;
mod nearest;
mod parameters;
mod random;
mod rendering;
#[cfg(test)]
mod testing;
mod transfer;

pub use architecture::Architecture;
pub use autoencoder::{Autoencoder, Branches, NoiseBranch, ReverbBranch, ToneBranch, ToneControls};
pub use config::{
    AmplitudeCurve, AudioConfig, Config, DecoderConfig, EncoderConfig, HarmonicConfig, Level,
    LossConfig, NoiseConfig, NoiseReverbConfig, ReverbConfig, SinusoidalConfig, TrainConfig,
    WavetableConfig,
};
pub use decoder::{DecoderCache, DecoderGradients, DecoderInput, DecoderStream, RnnFcDecoder};
pub use error::Error;
pub use features::{Features, power_db, scale_f0, scale_loudness};
pub use model::{LossSummary, Model, ModelMetadata, TrainingSummary};
pub use parameters::{Initial, ParameterEntry, ParameterTable, Parameters};
pub use random::{derived_seed, uniform_noise};
pub use rendering::{Controls, Rendering};
pub use transfer::{
    AdjustedFeatures, LoudnessMatch, MeasuredFeatures, Octave, TransferOptions, adjust_features,
};
