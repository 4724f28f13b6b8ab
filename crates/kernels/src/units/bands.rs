//! Scales of hearing: Bark, mel, and the equivalent rectangular bandwidth.

use std::f64::consts::LN_10;

use super::round;

/// Critical-band rate in Bark of a frequency above 0 Hz: `26.81 / (1 + 1960 / hz) - 0.53`
/// (Traunmüller 1990).
pub fn hz_to_bark(hz: f32) -> f32 {
    round(bark_of(f64::from(hz)))
}

/// The derivative of [`hz_to_bark`] times `grad_bark`: `26.81 * 1960 / (hz + 1960)^2`.
pub fn hz_to_bark_backward(hz: f32, grad_bark: f32) -> f32 {
    round(f64::from(grad_bark) * 26.81 * 1960.0 / (f64::from(hz) + 1960.0).powi(2))
}

/// Frequency in Hz of a critical-band rate below 26.28 Bark, the inverse of [`hz_to_bark`].
pub fn bark_to_hz(bark: f32) -> f32 {
    round(hz_of_bark(f64::from(bark)))
}

/// The derivative of [`bark_to_hz`] times `grad_hz`: `1960 * 26.81 / (26.28 - bark)^2`.
pub fn bark_to_hz_backward(bark: f32, grad_hz: f32) -> f32 {
    let rest = 26.81 - (f64::from(bark) + 0.53);
    round(f64::from(grad_hz) * 1960.0 * 26.81 / (rest * rest))
}

/// Pitch in mel of a frequency: `2595 log10(1 + hz / 700)` (O'Shaughnessy 1987; HTK).
pub fn hz_to_mel(hz: f32) -> f32 {
    round(mel_of(f64::from(hz)))
}

/// The derivative of [`hz_to_mel`] times `grad_mel`: `2595 / (ln(10) (700 + hz))`.
pub fn hz_to_mel_backward(hz: f32, grad_mel: f32) -> f32 {
    round(f64::from(grad_mel) * 2595.0 / (LN_10 * (700.0 + f64::from(hz))))
}

/// Frequency in Hz of a pitch in mel, the inverse of [`hz_to_mel`].
pub fn mel_to_hz(mel: f32) -> f32 {
    round(hz_of_mel(f64::from(mel)))
}

/// The derivative of [`mel_to_hz`] times `grad_hz`: `700 ln(10) / 2595 * 10^(mel / 2595)`.
pub fn mel_to_hz_backward(mel: f32, grad_hz: f32) -> f32 {
    round(f64::from(grad_hz) * 700.0 * LN_10 / 2595.0 * 10.0_f64.powf(f64::from(mel) / 2595.0))
}

/// Equivalent rectangular bandwidth in Hz around a frequency: `0.108 hz + 24.7` (Glasberg and Moore
/// 1990).
pub fn hz_to_erb(hz: f32) -> f32 {
    round(erb_of(f64::from(hz)))
}

/// The derivative of [`hz_to_erb`] times `grad_erb`: 0.108.
pub fn hz_to_erb_backward(_hz: f32, grad_erb: f32) -> f32 {
    round(0.108 * f64::from(grad_erb))
}

pub(crate) fn bark_of(hz: f64) -> f64 {
    26.81 / (1.0 + 1960.0 / hz) - 0.53
}

pub(crate) fn hz_of_bark(bark: f64) -> f64 {
    1960.0 / (26.81 / (bark + 0.53) - 1.0)
}

pub(crate) fn mel_of(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

pub(crate) fn hz_of_mel(mel: f64) -> f64 {
    700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0)
}

pub(crate) fn erb_of(hz: f64) -> f64 {
    0.108 * hz + 24.7
}
