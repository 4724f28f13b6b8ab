//! Audio files: decoding to mono at a wanted rate, and writing WAV.

mod reader;

use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::output::write_atomically;
use crate::resample::resample;

pub use reader::{AudioBlock, AudioReader};

/// Endings of the files that are taken for audio in a folder, lower case.
pub const AUDIO_EXTENSIONS: [&str; 10] =
    ["wav", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac", "aif", "aiff"];

/// Longest audio that is read, in samples of one channel: 93 minutes at 48 kHz, 1 GiB.
const MAX_SAMPLES: usize = 1 << 28;

/// Mono audio in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// Full scale ±1, `[n_samples]`, the mean of the channels.
    pub samples: Vec<f32>,
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples a second of the file.
    pub original_rate: u32,
}

/// Sample format of a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WavFormat {
    /// 32-bit floating point: exact, also beyond full scale.
    Float32,
    /// 16-bit integers: rounded, clipped at full scale.
    Int16,
}

/// Reads WAV, FLAC, MP3, OGG Vorbis, M4A (AAC, ALAC) or AIFF as mono at `sample_rate`.
///
/// `n` samples of the file become `ceil(n * sample_rate / original_rate)`, without delay.
///
/// # Errors
///
/// If the file cannot be opened, is empty, is not audio of a known kind, is damaged or cut off, holds
/// values that are not finite, or more than 2^28 samples.
pub fn read_audio(path: &Path, sample_rate: u32) -> Result<Audio> {
    read_all(AudioReader::open(path)?, path, sample_rate)
}

/// Reads the same as mono at the file's own rate.
///
/// # Errors
///
/// As [`read_audio`].
pub(crate) fn read_original(path: &Path) -> Result<Audio> {
    read_mono(AudioReader::open(path)?, path)
}

fn read_all(reader: AudioReader, path: &Path, sample_rate: u32) -> Result<Audio> {
    let Audio { samples, original_rate, .. } = read_mono(reader, path)?;
    let samples = resample(samples, original_rate, sample_rate)
        .map_err(|reason| Error::Audio { path: path.to_owned(), reason })?;
    Ok(Audio { samples, sample_rate, original_rate })
}

/// The mean of the channels, at the file's own rate.
fn read_mono(mut reader: AudioReader, path: &Path) -> Result<Audio> {
    let error = |reason: &str| Error::Audio { path: path.to_owned(), reason: reason.to_owned() };
    let (mut samples, mut original_rate) = (Vec::new(), 0);
    while let Some(AudioBlock { interleaved, n_channels, sample_rate }) = reader.next_block()? {
        let scale = 1.0 / n_channels as f32;
        let frames = interleaved.chunks_exact(n_channels);
        samples.extend(frames.map(|frame| frame.iter().sum::<f32>() * scale));
        original_rate = sample_rate;
        if samples.len() > MAX_SAMPLES {
            return Err(error("longer than 2^28 samples: cut it into pieces"));
        }
    }
    if samples.is_empty() {
        return Err(error("the file holds no audio"));
    }
    Ok(Audio { samples, sample_rate: original_rate, original_rate })
}

/// Writes mono audio as a WAV file, atomically.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_wav(path: &Path, samples: &[f32], sample_rate: u32, format: WavFormat) -> Result<()> {
    let (bits_per_sample, sample_format) = match format {
        WavFormat::Float32 => (32, hound::SampleFormat::Float),
        WavFormat::Int16 => (16, hound::SampleFormat::Int),
    };
    let spec = hound::WavSpec { channels: 1, sample_rate, bits_per_sample, sample_format };
    write_atomically(path, |output| {
        let write = |output| -> hound::Result<()> {
            let mut writer = hound::WavWriter::new(output, spec)?;
            for &sample in samples {
                match format {
                    WavFormat::Float32 => writer.write_sample(sample)?,
                    WavFormat::Int16 => writer.write_sample(to_int16(sample))?,
                }
            }
            writer.finalize()
        };
        write(output).map_err(io::Error::other)
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a float is clamped to the integer's range")]
fn to_int16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::tone;

    fn message(bytes: &[u8], name: &str) -> String {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        read_audio(&path, 16_000).expect_err("not audio").to_string()
    }

    fn wav(format: WavFormat) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("tone.wav");
        write_wav(&path, &tone(440.0, 16_000, 1600), 16_000, format).expect("writable");
        std::fs::read(&path).expect("written")
    }

    #[test]
    fn wav_files_come_back() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("tone.wav");
        let samples = tone(440.0, 16_000, 1601);
        write_wav(&path, &samples, 16_000, WavFormat::Float32).expect("writable");
        let audio = read_audio(&path, 16_000).expect("audio");
        assert_eq!((&audio.samples, audio.original_rate), (&samples, 16_000), "floats are exact");
        write_wav(&path, &samples, 16_000, WavFormat::Int16).expect("writable");
        let audio = read_audio(&path, 16_000).expect("audio");
        for (a, b) in audio.samples.iter().zip(&samples) {
            // Half a step of 2^-15, plus the rounding of the test's own subtraction.
            assert!((a - b).abs() <= 1.53e-5, "{a} and {b}");
        }
        assert_eq!((to_int16(1.5), to_int16(-1.5)), (i16::MAX, i16::MIN), "clipped, not wrapped");
    }

    #[test]
    fn stereo_is_averaged() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("stereo.wav");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(&path, spec).expect("writable");
        for sample in [0.5_f32, 0.25, -1.0, 0.0] {
            writer.write_sample(sample).expect("writable");
        }
        writer.finalize().expect("writable");
        assert_eq!(read_audio(&path, 16_000).expect("audio").samples, [0.375, -0.5]);
    }

    #[test]
    fn what_is_not_audio_is_told() {
        assert!(message(b"", "a.wav").ends_with("a.wav: the file is empty"), "empty");
        assert!(message(b"hello, this is text, not sound", "a.wav").contains("not an audio"));
        let bytes = wav(WavFormat::Int16);
        let error = message(&bytes[..bytes.len() - 1000], "a.wav");
        assert!(error.contains("cut off: it holds 1100 of 1600 samples"), "{error}");
        let error = message(&bytes[..44], "a.wav");
        assert!(error.contains("a.wav: "), "{error}");
        let mut bytes = wav(WavFormat::Float32);
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(message(&bytes, "a.wav").contains("sample 1599 is NaN"), "not finite");
        let missing = read_audio(Path::new("no/such.wav"), 16_000).expect_err("missing");
        assert!(missing.to_string().starts_with("cannot open no/such.wav: "), "{missing}");
    }

    #[test]
    fn any_bytes_give_audio_or_an_error() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.wav");
        for mutant in crate::mutation::mutants(&wav(WavFormat::Int16)[..200], 300) {
            std::fs::write(&path, mutant).expect("writable");
            let _ = read_audio(&path, 16_000);
        }
    }
}
