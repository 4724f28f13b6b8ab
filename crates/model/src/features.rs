//! What a network sees of a sound: pitch and loudness, scaled to about `[0, 1]`.

use ddsp_kernels::{DB_RANGE, hz_to_midi};

/// Pitch and loudness of one sound on the frame grid.
#[derive(Clone, Copy, Debug)]
pub struct Features<'a> {
    /// Fundamental frequency, Hz, `[n_frames]`.
    pub f0_hz: &'a [f32],
    /// A-weighted loudness, dB, `[n_frames]`.
    pub loudness_db: &'a [f32],
}

/// MIDI number over 127: 0 at 0 Hz, 69 / 127 at 440 Hz.
pub fn scale_f0(f0_hz: f32) -> f32 {
    hz_to_midi(f0_hz) / 127.0
}

/// Loudness over its range: 0 at -80 dB, 1 at 0 dB.
pub fn scale_loudness(loudness_db: f32) -> f32 {
    loudness_db / DB_RANGE + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_map_to_the_unit_interval() {
        assert_eq!([0.0, 440.0].map(scale_f0), [0.0, 69.0 / 127.0], "silence and A4");
        assert_eq!([-80.0, -40.0, 0.0].map(scale_loudness), [0.0, 0.5, 1.0], "the range of dB");
    }
}
