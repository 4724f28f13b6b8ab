//! Audio as the bytes of a WAV file, for pages that play it.

#![expect(clippy::cast_possible_truncation, reason = "samples are clamped to 16 bits")]

/// Mono 16-bit PCM; samples beyond ±1 are clipped.
///
/// # Panics
///
/// If the audio is longer than a WAV file can be (about 18 hours at 16 kHz).
pub fn wav_bytes(audio: &[f32], sample_rate: u32) -> Vec<u8> {
    let data_len = u32::try_from(2 * audio.len()).expect("audio fits into a WAV file");
    let mut bytes = Vec::with_capacity(44 + 2 * audio.len());
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_len).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(sample_rate.to_le_bytes());
    bytes.extend((2 * sample_rate).to_le_bytes());
    // Two bytes a frame, 16 bits a sample.
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend(data_len.to_le_bytes());
    for sample in audio {
        bytes.extend(((sample * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::wav_bytes;

    #[test]
    fn the_header_counts_the_samples() {
        let bytes = wav_bytes(&[0.0, 1.0, -2.0], 16_000);
        assert_eq!(bytes.len(), 44 + 6);
        assert_eq!(bytes[4..8], 42_u32.to_le_bytes(), "RIFF counts what follows it");
        assert_eq!(bytes[24..28], 16_000_u32.to_le_bytes());
        assert_eq!(bytes[44..], [0, 0, 0xff, 0x7f, 0x00, 0x80], "full scale, clipped below");
    }
}
