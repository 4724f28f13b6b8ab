//! Differentiable signal processing on slices: every operation forward and backward, side by side.
//!
//! A kernel processes one example. `forward` overwrites its output, `backward` accumulates into
//! `grad_*`. There are no files, threads, clocks or random numbers here: noise, windows and initial
//! state are inputs, and callers pass disjoint ranges to their own threads.

#![deny(unsafe_code)]

#[cfg(test)]
mod agreement;
mod conversions;
mod delay;
mod elementary;
mod envelope;
mod fft_convolve;
mod filtered_noise;
mod fir_filter;
mod frames;
mod framing;
mod frequencies;
mod frequency_filter;
mod gemm;
#[cfg(test)]
mod golden;
pub mod gradcheck;
mod harmonic;
mod inharmonic;
pub mod limits;
mod loudness;
mod magnitudes;
mod matrix;
mod mel;
mod mfcc;
mod mix;
mod mod_delay;
pub mod nn;
mod partitioned_convolve;
mod phase;
mod pitch;
mod power;
mod resample;
mod reverb;
mod scale;
mod simd;
mod sinc_filter;
mod sine;
mod sinusoidal;
mod spectral_loss;
mod statistics;
mod stft;
#[cfg(test)]
mod testing;
mod units;
mod wavetable;

pub use conversions::{
    HarmonicControls, HarmonicControlsMut, HarmonicToWavetable, SinusoidalControls,
    SinusoidalControlsMut, SinusoidalToHarmonic, harmonic_to_sinusoidal,
    harmonic_to_sinusoidal_backward,
};
pub use delay::{variable_length_delay, variable_length_delay_backward};
pub use envelope::{AverageSpectrum, SpectralEnvelope};
pub use fft_convolve::{ConvolveStream, FftConvolve, StreamSplit};
pub use filtered_noise::FilteredNoise;
pub use fir_filter::FirFilter;
pub use frames::FrameGrid;
pub use framing::{FrameAlignment, Framing};
pub use frequencies::{
    CriticalBandsConfig, CriticalScale, FrequenciesCriticalBands, FrequenciesSigmoid,
    FrequenciesSoftmax,
};
pub use frequency_filter::{FilterAlignment, FrequencyFilter, ResponseForm, ResponseWindow};
pub use harmonic::{
    AmplitudeInterpolation, Harmonic, HarmonicGradients, harmonic_frequencies,
    harmonic_frequencies_backward, normalize_distribution, normalize_distribution_backward,
    normalize_harmonics, normalize_harmonics_backward, remove_above_nyquist,
    remove_above_nyquist_backward,
};
pub use inharmonic::{
    Inharmonic, InharmonicGradients, StretchedPartials, StretchedPartialsGradients,
    normalize_partials, normalize_partials_backward, partial_frequencies,
    partial_frequencies_backward,
};
pub use loudness::{Loudness, LoudnessConfig};
pub use magnitudes::Magnitudes;
pub use matrix::{Matrix, MatrixMut};
pub use mel::{Mel, MelBands};
pub use mfcc::Mfcc;
pub use mix::{
    CropLocation, MixGradients, add, add_backward, crop, crop_backward, mix, mix_backward,
};
pub use mod_delay::{ModDelay, ModDelayGradients};
pub use partitioned_convolve::{PartitionedConvolve, PartitionedStream};
pub use pitch::{PitchConfig, PitchFrame, PitchTracker, VOICED_CONFIDENCE, track_pitch};
pub use power::{Power, power_db, power_db_backward, rms, rms_backward};
pub use resample::{Endpoint, Interpolation, Resample};
pub use reverb::{ExpDecay, ExpDecayReverb, FilteredNoiseReverb, Reverb};
pub use scale::{ExpSigmoid, LogScale, SoftLimit, SymExpSigmoid};
pub use sinc_filter::{CutoffUnit, SincFilter, SincResponse, sinc, sinc_backward};
pub use sinusoidal::{Sinusoidal, SinusoidalGradients};
pub use spectral_loss::{
    LoudnessDistance, SpectralDistance, SpectralLoss, SpectralLossConfig, SpectralLossTerms,
    SpectralScale,
};
pub use statistics::{
    Distribution, DistributionSums, LoudnessStatistics, N_QUANTILES, NOTE_RANGE_DB, NoteStatistics,
    PitchStatistics, note_frames,
};
pub use stft::{Complex32, InverseStft, Stft};
pub use units::{
    DB_RANGE, DbScale, PitchRange, amplitude_to_db, bark_to_hz, bark_to_hz_backward,
    db_to_amplitude, db_to_amplitude_backward, db_to_power, db_to_power_backward, hz_to_bark,
    hz_to_bark_backward, hz_to_erb, hz_to_erb_backward, hz_to_mel, hz_to_mel_backward, hz_to_midi,
    hz_to_midi_backward, mel_to_hz, mel_to_hz_backward, midi_to_hz, midi_to_hz_backward,
    midi_to_hz_or_silence, power_to_db, safe_divide, safe_divide_backward, safe_log,
    safe_log_backward, safe_logb, safe_logb_backward,
};
pub use wavetable::{
    TableControls, TableGradients, Tables, Wavetable, WavetableGradients, linear_lookup,
    linear_lookup_backward, wavetable_synthesis, wavetable_synthesis_backward,
};

/// The example in the README, compiled and run by the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
