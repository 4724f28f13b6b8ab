//! Hertz, MIDI numbers, and both as a share of a range.

use std::f64::consts::LN_2;

use super::round;

/// Frequency of MIDI note 69 (A4), in Hz.
const A4_HZ: f64 = 440.0;

/// MIDI number of A4.
const A4_MIDI: f64 = 69.0;

/// MIDI number (fractional) of a frequency: `69 + 12 log2(hz / 440)`; 0 for 0 Hz or less.
///
/// MIDI 0 is 8.18 Hz; between that and 0 Hz the number is negative, as in the reference.
pub fn hz_to_midi(hz: f32) -> f32 {
    round(midi_of(f64::from(hz)))
}

/// The derivative of [`hz_to_midi`] times `grad_midi`: `12 / (ln(2) hz)`, 0 for 0 Hz or less.
pub fn hz_to_midi_backward(hz: f32, grad_midi: f32) -> f32 {
    if hz <= 0.0 { 0.0 } else { round(f64::from(grad_midi) * 12.0 / (LN_2 * f64::from(hz))) }
}

/// Frequency in Hz of a MIDI number (fractional): `440 * 2^((midi - 69) / 12)`.
pub fn midi_to_hz(midi: f32) -> f32 {
    round(hz_of(f64::from(midi)))
}

/// The derivative of [`midi_to_hz`] times `grad_hz`: `ln(2) / 12 hz`.
pub fn midi_to_hz_backward(midi: f32, grad_hz: f32) -> f32 {
    round(f64::from(grad_hz) * LN_2 / 12.0 * hz_of(f64::from(midi)))
}

/// [`midi_to_hz`] in which MIDI 0 is silence: 0 Hz. Its derivative there is 0.
pub fn midi_to_hz_or_silence(midi: f32) -> f32 {
    if midi == 0.0 { 0.0 } else { midi_to_hz(midi) }
}

/// A range of pitch as `[0, 1]`, even in MIDI numbers: a semitone is the same step anywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PitchRange {
    midi_min: f64,
    midi_max: f64,
    is_clipped: bool,
}

impl Default for PitchRange {
    /// MIDI 20 to 90, not clipped: the reference's.
    fn default() -> Self {
        Self::midi(20.0, 90.0)
    }
}

impl PitchRange {
    /// From one MIDI number to another, going on beyond both.
    pub fn midi(min: f32, max: f32) -> Self {
        Self { midi_min: f64::from(min), midi_max: f64::from(max), is_clipped: false }
    }

    /// From one frequency to another; 0 Hz is MIDI 0, that is, 8.18 Hz.
    pub fn hz(min: f32, max: f32) -> Self {
        let (midi_min, midi_max) = (midi_of(f64::from(min)), midi_of(f64::from(max)));
        Self { midi_min, midi_max, is_clipped: false }
    }

    /// The same range in which nothing lies outside `[0, 1]`: slopes there are 0.
    pub fn clipped(self) -> Self {
        Self { is_clipped: true, ..self }
    }

    /// MIDI number of a place in the range.
    pub fn unit_to_midi(self, unit: f32) -> f32 {
        round(self.midi_at(f64::from(unit)))
    }

    /// The derivative of [`unit_to_midi`](Self::unit_to_midi) times `grad_midi`.
    pub fn unit_to_midi_backward(self, unit: f32, grad_midi: f32) -> f32 {
        round(f64::from(grad_midi) * self.span() * self.is_within(f64::from(unit)))
    }

    /// Place of a MIDI number in the range.
    pub fn midi_to_unit(self, midi: f32) -> f32 {
        round(self.clip(self.unit_of(f64::from(midi))))
    }

    /// The derivative of [`midi_to_unit`](Self::midi_to_unit) times `grad_unit`.
    pub fn midi_to_unit_backward(self, midi: f32, grad_unit: f32) -> f32 {
        let is_within = self.is_within(self.unit_of(f64::from(midi)));
        round(f64::from(grad_unit) / self.span() * is_within)
    }

    /// Frequency in Hz of a place in the range.
    pub fn unit_to_hz(self, unit: f32) -> f32 {
        round(hz_of(self.midi_at(f64::from(unit))))
    }

    /// The derivative of [`unit_to_hz`](Self::unit_to_hz) times `grad_hz`.
    pub fn unit_to_hz_backward(self, unit: f32, grad_hz: f32) -> f32 {
        let unit = f64::from(unit);
        let slope = LN_2 / 12.0 * hz_of(self.midi_at(unit)) * self.span() * self.is_within(unit);
        round(f64::from(grad_hz) * slope)
    }

    /// Place of a frequency in the range; 0 Hz and less count as MIDI 0.
    pub fn hz_to_unit(self, hz: f32) -> f32 {
        round(self.clip(self.unit_of(midi_of(f64::from(hz)))))
    }

    /// The derivative of [`hz_to_unit`](Self::hz_to_unit) times `grad_unit`.
    pub fn hz_to_unit_backward(self, hz: f32, grad_unit: f32) -> f32 {
        let is_within = self.is_within(self.unit_of(midi_of(f64::from(hz))));
        let grad_midi = round(f64::from(grad_unit) / self.span() * is_within);
        hz_to_midi_backward(hz, grad_midi)
    }

    fn span(self) -> f64 {
        self.midi_max - self.midi_min
    }

    fn midi_at(self, unit: f64) -> f64 {
        self.midi_min + self.span() * self.clip(unit)
    }

    fn unit_of(self, midi: f64) -> f64 {
        (midi - self.midi_min) / self.span()
    }

    /// `clamp` keeps a NaN.
    fn clip(self, unit: f64) -> f64 {
        if self.is_clipped { unit.clamp(0.0, 1.0) } else { unit }
    }

    /// 1 where a place in the range moves with its argument, else 0.
    fn is_within(self, unit: f64) -> f64 {
        let is_outside = self.is_clipped && !(0.0..=1.0).contains(&unit);
        if is_outside { 0.0 } else { 1.0 }
    }
}

fn midi_of(hz: f64) -> f64 {
    if hz <= 0.0 { 0.0 } else { A4_MIDI + 12.0 * (hz / A4_HZ).log2() }
}

fn hz_of(midi: f64) -> f64 {
    A4_HZ * ((midi - A4_MIDI) / 12.0).exp2()
}
