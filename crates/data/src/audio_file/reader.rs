//! Decoding an audio file block by block, so that its length does not matter.

use std::fs::File;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use crate::error::{Error, Result};
use crate::quiet::quietly;
use crate::resample::RATES_HZ;

/// A length that a header declares is believed below this; streams declare what fits the field.
const MAX_DECLARED: u64 = 1 << 31;
/// More channels than any recording has: ambisonics of the seventh order has 64.
const MAX_CHANNELS: usize = 64;
/// Packets in a row without a sample after which a file is going nowhere.
const MAX_EMPTY_PACKETS: usize = 10_000;
/// A sample that is louder than 120 dB above full scale is none.
const MAX_MAGNITUDE: f32 = 1e6;

/// Reads WAV, FLAC, MP3, OGG Vorbis, M4A (AAC, ALAC) or AIFF from beginning to end.
///
/// Any bytes give blocks or an error that names the file; memory stays bounded whatever a header
/// claims.
pub struct AudioReader {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    declared: Declared,
    layout: Option<Layout>,
    /// Samples of one channel so far.
    n_samples: u64,
    interleaved: Vec<f32>,
    is_over: bool,
}

/// What the header says.
#[derive(Clone, Copy, Debug, Default)]
struct Declared {
    n_samples: Option<u64>,
    rate: Option<u32>,
}

/// Rate and channels, which have to stay.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    rate: u32,
    n_channels: usize,
}

/// Some of a file's audio.
#[derive(Clone, Copy, Debug)]
pub struct AudioBlock<'a> {
    /// The channels' samples in turn, full scale ±1, all finite; `[n_samples * n_channels]`.
    pub interleaved: &'a [f32],
    /// Channels, at least one; the same in all blocks.
    pub n_channels: usize,
    /// Samples a second; the same in all blocks.
    pub sample_rate: u32,
}

impl AudioReader {
    /// Opens a file and reads its headers.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, is empty, or is not audio of a known kind.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("read", path))?;
        let refuse = |reason: &str| Err(Error::Audio { path: path.into(), reason: reason.into() });
        match metadata.len() {
            _ if metadata.is_dir() => refuse("it is a folder, not an audio file"),
            0 => refuse("the file is empty"),
            _ => Self::new(Box::new(file), path),
        }
    }

    /// Reads a file's content from memory; `path` names it in errors, and its ending is a hint.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self> {
        Self::new(Box::new(Cursor::new(bytes)), path)
    }

    fn new(source: Box<dyn MediaSource>, path: &Path) -> Result<Self> {
        guarded(|| Self::probe(source, path))
            .unwrap_or_else(Err)
            .map_err(|reason| Error::Audio { path: path.to_owned(), reason })
    }

    fn probe(source: Box<dyn MediaSource>, path: &Path) -> Result<Self, String> {
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        let (formats, meta) = (FormatOptions::default(), MetadataOptions::default());
        let format = symphonia::default::get_probe().probe(&hint, stream, formats, meta).map_err(
            |_| "not an audio file of a known kind (WAV, FLAC, MP3, OGG Vorbis, M4A, AIFF)",
        )?;
        let track = format.default_track(TrackType::Audio).ok_or("it has no audio track")?;
        let parameters = track.codec_params.as_ref().and_then(|p| p.audio());
        let parameters = parameters.ok_or("its audio track has no description")?;
        let declared = Declared {
            n_samples: track.num_frames.filter(|&n| n < MAX_DECLARED),
            rate: parameters.sample_rate.filter(|rate| RATES_HZ.contains(rate)),
        };
        // Decoders reserve room for a packet of all channels.
        let n_channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
        if n_channels > MAX_CHANNELS {
            return Err(format!("{n_channels} channels: a broken header"));
        }
        let track_id = track.id;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(|e| format!("its kind of compression is not supported ({e})"))?;
        let (path, interleaved) = (path.to_owned(), Vec::new());
        let (layout, n_samples, is_over) = (None, 0, false);
        Ok(Self {
            path,
            format,
            decoder,
            track_id,
            declared,
            layout,
            n_samples,
            interleaved,
            is_over,
        })
    }

    /// The length that the header declares, in seconds: exact or estimated, and not to be relied on.
    pub fn declared_secs(&self) -> Option<f64> {
        let Declared { n_samples, rate } = self.declared;
        Some(n_samples? as f64 / f64::from(rate?))
    }

    /// Samples of one channel read so far.
    pub fn n_samples(&self) -> u64 {
        self.n_samples
    }

    /// The next samples, or `None` at the end.
    ///
    /// # Errors
    ///
    /// If the file is damaged or cut off, holds values that are not finite, changes its rate or its
    /// channels on the way, or cannot be read. Nothing follows an error.
    pub fn next_block(&mut self) -> Result<Option<AudioBlock<'_>>> {
        if self.is_over {
            return Ok(None);
        }
        let decoded = guarded(|| self.decode()).unwrap_or_else(|reason| Err(self.damaged(&reason)));
        match decoded {
            Ok(Some(layout)) => {
                let Layout { rate: sample_rate, n_channels } = layout;
                Ok(Some(AudioBlock { interleaved: &self.interleaved, n_channels, sample_rate }))
            }
            Ok(None) => {
                self.is_over = true;
                self.check_length().map(|()| None)
            }
            Err(error) => {
                self.is_over = true;
                Err(error)
            }
        }
    }

    /// Decodes packets until one holds samples.
    fn decode(&mut self) -> Result<Option<Layout>> {
        for _ in 0..MAX_EMPTY_PACKETS {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(None),
                // The end of a cut-off file; its length is compared with the declared one.
                Err(DecodeError::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(None);
                }
                // The system's failure is none of the file's.
                Err(DecodeError::IoError(e)) if e.raw_os_error().is_some() => {
                    return Err(Error::io("read", &self.path)(e));
                }
                Err(e) => return Err(self.damaged(&e.to_string())),
            };
            let buffer = match self.decoder.decode(&packet) {
                Ok(buffer) => buffer,
                Err(e) => return Err(self.damaged(&e.to_string())),
            };
            let n_channels = buffer.spec().channels().count();
            let layout = Layout { rate: buffer.spec().rate(), n_channels };
            buffer.copy_to_vec_interleaved(&mut self.interleaved);
            if !self.interleaved.is_empty() {
                return self.check(layout).map(Some);
            }
        }
        Err(self.damaged("nothing but empty packets"))
    }

    /// Checks the samples just decoded, and counts them.
    fn check(&mut self, layout: Layout) -> Result<Layout> {
        let Layout { rate, n_channels } = layout;
        if !RATES_HZ.contains(&rate) || !(1..=MAX_CHANNELS).contains(&n_channels) {
            return Err(self.error(format!("{n_channels} channels at {rate} Hz: a broken header")));
        }
        let before = *self.layout.get_or_insert(layout);
        if before.rate != rate {
            return Err(self.error("its sample rate changes on the way".to_owned()));
        }
        if before.n_channels != n_channels {
            return Err(self.error("its number of channels changes on the way".to_owned()));
        }
        // NaN is not below anything either.
        let is_sample = |sample: &f32| sample.abs() < MAX_MAGNITUDE;
        if let Some(at) = self.interleaved.iter().position(|sample| !is_sample(sample)) {
            let n_samples = self.n_samples + (at / n_channels) as u64;
            return Err(self.error(format!("sample {n_samples} is {}", self.interleaved[at])));
        }
        self.n_samples += (self.interleaved.len() / n_channels) as u64;
        Ok(layout)
    }

    /// Only lossless files declare an exact length; MP3 without a header has an estimate.
    fn check_length(&self) -> Result<()> {
        let codec = self.decoder.codec_info().short_name;
        let is_exact = ["pcm", "flac", "alac"].iter().any(|name| codec.starts_with(name));
        match self.declared.n_samples.filter(|&n| is_exact && self.n_samples < n) {
            None => Ok(()),
            Some(n) => {
                Err(self.error(format!("cut off: it holds {} of {n} samples", self.n_samples)))
            }
        }
    }

    fn damaged(&self, reason: &str) -> Error {
        let rate = self.layout.map(|layout| layout.rate).or(self.declared.rate).unwrap_or(1);
        let secs = self.n_samples as f64 / f64::from(rate);
        self.error(format!("damaged after {secs:.2} s ({reason})"))
    }

    fn error(&self, reason: String) -> Error {
        Error::Audio { path: self.path.clone(), reason }
    }
}

/// Runs a step of the decoders of others, which may panic on bytes that their authors never saw: that
/// is one unusable file, not the end of the work. Whatever they leave half-done is not used again.
fn guarded<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    quietly(step).map_err(|panic| format!("the decoder gave up: {}", panic.text()))
}
