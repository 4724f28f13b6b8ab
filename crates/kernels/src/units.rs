//! Conversions between the units of pitch and level.

/// Decibels from full scale down to the floor of every level here: quieter is clamped to `-80 dB`.
pub const DB_RANGE: f32 = 80.0;

/// Frequency of MIDI note 69 (A4), in Hz.
const A4_HZ: f32 = 440.0;

/// MIDI number of A4.
const A4_MIDI: f32 = 69.0;

/// MIDI number (fractional) of a frequency: `69 + 12 log2(hz / 440)`; 0 for 0 Hz or less.
///
/// MIDI 0 is 8.18 Hz; between that and 0 Hz the number is negative, as in the reference.
pub fn hz_to_midi(hz: f32) -> f32 {
    if hz > 0.0 { A4_MIDI + 12.0 * (hz / A4_HZ).log2() } else { 0.0 }
}

/// Frequency in Hz of a MIDI number (fractional): `440 * 2^((midi - 69) / 12)`.
pub fn midi_to_hz(midi: f32) -> f32 {
    A4_HZ * ((midi - A4_MIDI) / 12.0).exp2()
}

/// Level in dB of an amplitude relative to 1: `20 log10(amplitude)`, at least `-DB_RANGE`.
pub fn amplitude_to_db(amplitude: f32) -> f32 {
    (20.0 * amplitude.abs().log10()).max(-DB_RANGE)
}

/// Linear amplitude of a level in dB: `10^(db / 20)`.
pub fn db_to_amplitude(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

/// Level in dB of a power relative to 1: `10 log10(power)`, at least `-DB_RANGE`.
pub fn power_to_db(power: f32) -> f32 {
    (10.0 * power.max(0.0).log10()).max(-DB_RANGE)
}

/// Linear power of a level in dB: `10^(db / 10)`.
pub fn db_to_power(db: f32) -> f32 {
    10.0_f32.powf(db / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::Golden;

    /// Compares `f` with a golden case. The reference computes in f32 too, so both sides have a
    /// few roundings of the intermediate logarithm or exponent; `relative` bounds their effect.
    fn check(case: &str, f: impl Fn(f32) -> f32, relative: f32) {
        let mut golden = Golden::open("scaling");
        let x = golden.values(&format!("{case}.in.x"));
        let y = golden.values(&format!("{case}.out.y"));
        for (x, y) in x.into_iter().zip(y) {
            let got = f(x);
            assert!((got - y).abs() <= relative * y.abs().max(1.0), "{case}({x}): {got}, not {y}");
        }
    }

    #[test]
    fn levels_match_the_reference() {
        // Logarithms: an ulp of 80 dB is 7.6e-6, relative 1e-7.
        check("power_to_db", power_to_db, 4e-7);
        check("amplitude_to_db", amplitude_to_db, 4e-7);
        // Exponents: the relative error is the absolute error of the argument, up to 8 ln 10.
        check("db_to_amplitude", db_to_amplitude, 4e-6);
        check("db_to_power", db_to_power, 4e-6);
    }

    #[test]
    fn pitch_matches_the_reference() {
        // Both sides round near 69 or 12 log2(440), where an ulp is 7.6e-6.
        check("hz_to_midi", hz_to_midi, 1.6e-5);
        check("midi_to_hz", midi_to_hz, 2e-6);
    }

    #[test]
    fn silence_is_the_floor() {
        for silent in [0.0, 1e-30] {
            assert_eq!(amplitude_to_db(silent), -DB_RANGE);
            assert_eq!(power_to_db(silent), -DB_RANGE);
        }
        assert_eq!(power_to_db(-1.0), -DB_RANGE);
        assert_eq!((hz_to_midi(0.0), hz_to_midi(-3.0)), (0.0, 0.0));
    }

    #[test]
    fn round_trips_return() {
        for midi in [0.0, 21.0, 60.25, 69.0, 127.0] {
            assert!((hz_to_midi(midi_to_hz(midi)) - midi).abs() < 2e-5, "{midi}");
        }
        assert_eq!(midi_to_hz(69.0), 440.0);
    }
}
