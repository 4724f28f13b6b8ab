//! Conversions between the units of pitch, level and hearing.
//!
//! Each is a function of one number with its derivative beside it: `x_backward(x, grad_y)` returns
//! what the caller is to add to its gradient. Inside they are f64, so that each is right to a
//! rounding of f32; NaN stays NaN.

pub(crate) mod bands;
pub(crate) mod level;
mod pitch;
#[cfg(test)]
pub(crate) mod tests;

pub use bands::{
    bark_to_hz, bark_to_hz_backward, hz_to_bark, hz_to_bark_backward, hz_to_erb,
    hz_to_erb_backward, hz_to_mel, hz_to_mel_backward, mel_to_hz, mel_to_hz_backward,
};
pub use level::{
    DB_RANGE, DbScale, amplitude_to_db, db_to_amplitude, db_to_amplitude_backward, db_to_power,
    db_to_power_backward, power_to_db, safe_divide, safe_divide_backward, safe_log,
    safe_log_backward, safe_logb, safe_logb_backward,
};
pub use pitch::{
    PitchRange, hz_to_midi, hz_to_midi_backward, midi_to_hz, midi_to_hz_backward,
    midi_to_hz_or_silence,
};

#[expect(clippy::cast_possible_truncation, reason = "the values themselves are f32")]
fn round(value: f64) -> f32 {
    value as f32
}
