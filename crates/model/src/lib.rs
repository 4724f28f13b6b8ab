//! DDSP autoencoders: configuration, parameters, forward and backward passes, the model file.

#![forbid(unsafe_code)]

mod config;
mod error;
mod nearest;

pub use config::{
    AudioConfig, Config, DecoderConfig, HarmonicConfig, LossConfig, NoiseConfig, TrainConfig,
};
pub use error::Error;
