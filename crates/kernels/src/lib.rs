//! Differentiable signal processing on slices: every operation forward and backward, side by side.
//!
//! A kernel processes one example. `forward` overwrites its output, `backward` accumulates into
//! `grad_*`. There are no files, threads, clocks or random numbers here: noise, windows and initial
//! state are inputs, and callers pass disjoint ranges to their own threads.

#![deny(unsafe_code)]

mod frames;
#[cfg(test)]
mod golden;
pub mod gradcheck;
mod scale;

pub use frames::FrameGrid;
pub use scale::ExpSigmoid;
