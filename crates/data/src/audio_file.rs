//! Audio files: decoding to mono at a wanted rate, and writing WAV.

use std::fs::File;
use std::io;
use std::path::Path;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use crate::error::{Error, Result};
use crate::output::write_atomically;
use crate::resample::{RATES_HZ, resample};

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
    let Audio { samples, original_rate, .. } = read_original(path)?;
    let samples = resample(samples, original_rate, sample_rate)
        .map_err(|reason| Error::Audio { path: path.to_owned(), reason })?;
    Ok(Audio { samples, sample_rate, original_rate })
}

/// Reads the same as mono at the file's own rate.
///
/// # Errors
///
/// As [`read_audio`].
pub(crate) fn read_original(path: &Path) -> Result<Audio> {
    let error = |reason: String| Error::Audio { path: path.to_owned(), reason };
    let file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    if metadata.is_dir() {
        return Err(error("it is a folder, not an audio file".to_owned()));
    }
    if metadata.len() == 0 {
        return Err(error("the file is empty".to_owned()));
    }
    let (samples, original_rate) = decode(file, path).map_err(error)?;
    if samples.is_empty() {
        return Err(error("the file holds no audio".to_owned()));
    }
    if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
        return Err(error(format!("sample {at} is {}", samples[at])));
    }
    Ok(Audio { samples, sample_rate: original_rate, original_rate })
}

/// Decodes the first audio track: the mean of its channels, and its rate.
fn decode(file: File, path: &Path) -> Result<(Vec<f32>, u32), String> {
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
    let (formats, meta) = (FormatOptions::default(), MetadataOptions::default());
    let mut format =
        symphonia::default::get_probe().probe(&hint, stream, formats, meta).map_err(|_| {
            "not an audio file of a known kind (WAV, FLAC, MP3, OGG Vorbis, M4A, AIFF)".to_owned()
        })?;
    let track = format.default_track(TrackType::Audio).ok_or("it has no audio track")?;
    let (track_id, n_declared) = (track.id, track.num_frames);
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio());
    let parameters = parameters.ok_or("its audio track has no description")?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|e| format!("its kind of compression is not supported ({e})"))?;
    let (samples, rate) = decode_packets(format.as_mut(), decoder.as_mut(), track_id)?;
    // Only lossless files declare an exact length; MP3 without a header has an estimate.
    let codec = decoder.codec_info().short_name;
    let is_exact = ["pcm", "flac", "alac"].iter().any(|name| codec.starts_with(name));
    // A stream's header declares as much as fits its field; such a length is no promise.
    let n_promised = n_declared.and_then(|n| usize::try_from(n).ok()).filter(|&n| n < MAX_SAMPLES);
    if let Some(n_promised) = n_promised.filter(|&n| is_exact && samples.len() < n) {
        return Err(format!("cut off: it holds {} of {n_promised} samples", samples.len()));
    }
    Ok((samples, rate))
}

fn decode_packets(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track_id: u32,
) -> Result<(Vec<f32>, u32), String> {
    let (mut samples, mut rate, mut interleaved) = (Vec::new(), None, Vec::<f32>::new());
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) if packet.track_id == track_id => packet,
            Ok(Some(_)) => continue,
            Ok(None) => break,
            // The end of a cut-off file; `decode` compares the length with the declared one.
            Err(DecodeError::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(e) => return Err(damaged(samples.len(), rate, &e)),
        };
        let buffer = decoder.decode(&packet).map_err(|e| damaged(samples.len(), rate, &e))?;
        let (packet_rate, n_channels) = (buffer.spec().rate(), buffer.spec().channels().count());
        if !RATES_HZ.contains(&packet_rate) || n_channels == 0 {
            return Err(format!("{n_channels} channels at {packet_rate} Hz: a broken header"));
        }
        if *rate.get_or_insert(packet_rate) != packet_rate {
            return Err("its sample rate changes on the way".to_owned());
        }
        buffer.copy_to_vec_interleaved(&mut interleaved);
        let scale = 1.0 / n_channels as f32;
        let frames = interleaved.chunks_exact(n_channels);
        samples.extend(frames.map(|frame| frame.iter().sum::<f32>() * scale));
        if samples.len() > MAX_SAMPLES {
            return Err("longer than 2^28 samples: cut it into pieces".to_owned());
        }
    }
    Ok((samples, rate.unwrap_or(0)))
}

fn damaged(n_samples: usize, rate: Option<u32>, error: &DecodeError) -> String {
    let secs = n_samples as f64 / f64::from(rate.unwrap_or(1));
    format!("damaged after {secs:.2} s ({error})")
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
