//! DDSP autoencoders: configuration, parameters, forward and backward passes, the model file.

#![forbid(unsafe_code)]
