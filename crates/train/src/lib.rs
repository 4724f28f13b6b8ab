//! Training and evaluation of DDSP autoencoders on the CPU.

#![forbid(unsafe_code)]

mod adam;

pub use adam::Adam;
