//! Differentiable signal processing on slices: every operation forward and backward, side by side.
//!
//! A kernel processes one example. `forward` overwrites its output, `backward` accumulates into
//! `grad_*`. There are no files, threads, clocks or random numbers here: noise, windows and initial
//! state are inputs, and callers pass disjoint ranges to their own threads.

#![deny(unsafe_code)]

#[cfg(test)]
mod agreement;
mod envelope;
mod fft_convolve;
mod filtered_noise;
mod frames;
mod frequency_filter;
mod gemm;
#[cfg(test)]
mod golden;
pub mod gradcheck;
mod harmonic;
pub mod limits;
mod loudness;
mod matrix;
pub mod nn;
mod pitch;
mod power;
mod scale;
mod simd;
mod sine;
mod spectral_loss;
mod statistics;
mod stft;
#[cfg(test)]
mod testing;
mod units;
mod upsample;

pub use envelope::{AverageSpectrum, SpectralEnvelope};
pub use fft_convolve::FftConvolve;
pub use filtered_noise::FilteredNoise;
pub use frames::FrameGrid;
pub use frequency_filter::{FilterAlignment, FrequencyFilter};
pub use harmonic::{
    AmplitudeInterpolation, Harmonic, HarmonicGradients, normalize_harmonics,
    normalize_harmonics_backward,
};
pub use loudness::Loudness;
pub use matrix::{Matrix, MatrixMut};
pub use pitch::{PitchConfig, PitchFrame, PitchTracker, VOICED_CONFIDENCE, track_pitch};
pub use power::power_db;
pub use scale::ExpSigmoid;
pub use spectral_loss::{SpectralLoss, SpectralLossConfig, SpectralLossTerms, SpectralScale};
pub use statistics::{
    Distribution, LoudnessStatistics, N_QUANTILES, NOTE_RANGE_DB, NoteStatistics, PitchStatistics,
    note_frames,
};
pub use stft::{Complex32, FrameAlignment, Stft};
pub use units::{
    DB_RANGE, amplitude_to_db, db_to_amplitude, db_to_power, hz_to_midi, midi_to_hz, power_to_db,
};
pub use upsample::{
    upsample_linear, upsample_linear_backward, upsample_window, upsample_window_backward,
};
