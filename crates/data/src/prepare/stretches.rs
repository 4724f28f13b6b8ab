//! A recording as stretches of half a minute: decoded, resampled and analysed one after the other or
//! at once, with the features of the whole.
//!
//! Each stretch is analysed together with the audio around it. Loudness depends on 16 ms on either
//! side, so it is that of the whole, bit for bit. The pitch tracker looks ahead by a fixed time, all
//! of which it is given; what it remembers fades: the filter against a constant offset within 0.1 s,
//! the paths through the candidates as soon as they meet. After [`WARM_UP_SECS`] it decides as if it
//! had heard everything. One memory has no end: a frame without a pitch holds the f0 of the last
//! voiced one, however long ago; in a stretch that begins with more than the warm-up of silence, such
//! frames have the tracker's own guess instead, still unvoiced.

use ddsp_kernels::{FrameGrid, PitchConfig, PitchTracker};
use serde::{Deserialize, Serialize};

use super::windows::Windows;
use crate::audio_file::{AudioBlock, AudioReader};
use crate::error::{Error, Result};
use crate::features::ExtractedFeatures;
use crate::resample::StreamResampler;

/// Length of a stretch: long beside the warm-up, and short enough for one to be in memory for each
/// thread.
const STRETCH_SECS: f64 = 30.0;
/// Audio before a stretch that the pitch tracker hears first.
const WARM_UP_SECS: f64 = 1.0;
/// Frames come in pairs to the loudness and samples in fours to the pitch tracker: at multiples of
/// this, a stretch is analysed exactly as the whole.
const ALIGNMENT: usize = 4;
/// Channels that are kept apart at most.
const MAX_LANES: usize = 16;

/// What becomes of the channels of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Their mean.
    #[default]
    Mix,
    /// The first alone.
    Left,
    /// The second alone; the only one of a mono file.
    Right,
    /// Each becomes examples of its own, 16 channels at most.
    Each,
}

impl Channels {
    fn n_lanes(self, n_channels: usize) -> usize {
        if self == Self::Each { n_channels } else { 1 }
    }

    /// The audio of one lane.
    fn extract(self, lane: usize, block: AudioBlock<'_>, audio: &mut Vec<f32>) {
        let n = block.n_channels;
        let frames = block.interleaved.chunks_exact(n);
        let channel = match self {
            Self::Mix => {
                let scale = 1.0 / n as f32;
                return audio.extend(frames.map(|frame| frame.iter().sum::<f32>() * scale));
            }
            Self::Left => 0,
            Self::Right => 1.min(n - 1),
            Self::Each => lane,
        };
        audio.extend(frames.map(|frame| frame[channel]));
    }
}

/// A recording on its way in.
pub(super) struct Stretches {
    reader: AudioReader,
    channels: Channels,
    windows: Windows,
    lanes: Vec<Lane>,
    original_rate: u32,
    n_channels: usize,
    /// Where the next stretch begins.
    next_frame: usize,
    /// Whether everything was read, and what was wrong with the rest if not.
    is_read: bool,
    damage: Option<String>,
    is_over: bool,
}

/// Some of a recording, not analysed yet.
pub(super) struct Stretch {
    pub(super) original_rate: u32,
    pub(super) n_channels: usize,
    /// Its frames.
    pub(super) n_frames: usize,
    /// Frames of audio before it.
    warm_up: usize,
    lanes: Vec<StretchAudio>,
    /// Whether it is the last, and why nothing follows if there should.
    pub(super) is_last: bool,
    pub(super) damage: Option<String>,
}

/// The audio of one lane.
struct StretchAudio {
    /// At the records' rate, of the stretch alone; `None` if that is 16 kHz.
    audio: Option<Vec<f32>>,
    /// At 16 kHz, with what comes before and after.
    around: Vec<f32>,
}

/// A lane of a stretch with its features.
pub(super) struct AnalysedLane {
    /// At the records' rate.
    pub(super) audio: Vec<f32>,
    /// At 16 kHz, if that is another.
    pub(super) audio_16k: Option<Vec<f32>>,
    pub(super) features: ExtractedFeatures,
}

impl Stretches {
    pub(super) fn new(reader: AudioReader, channels: Channels, windows: Windows) -> Self {
        let (lanes, damage, original_rate, n_channels) = (Vec::new(), None, 0, 0);
        let (next_frame, is_read, is_over) = (0, false, false);
        Self {
            reader,
            channels,
            windows,
            lanes,
            original_rate,
            n_channels,
            next_frame,
            is_read,
            damage,
            is_over,
        }
    }

    /// The next stretch, or `None` after the last. A file that is damaged ends there.
    ///
    /// # Errors
    ///
    /// If the system cannot read the file.
    pub(super) fn next_stretch(&mut self) -> Result<Option<Stretch>> {
        if self.is_over {
            return Ok(None);
        }
        let Windows { grid, grid_16k, .. } = self.windows;
        let n_frames = frames(STRETCH_SECS, grid.frame_rate());
        let end = self.next_frame + n_frames;
        let wanted_16k = end * grid_16k.hop + self.windows.look_ahead_16k;
        self.read_until(wanted_16k, end * grid.hop)?;
        let available = self.lanes.iter().map(|lane| lane.n_frames(self.windows)).min();
        let end = end.min(available.unwrap_or(0));
        self.is_over = self.is_read && end == available.unwrap_or(0);
        let warm_up = frames(WARM_UP_SECS, grid.frame_rate()).min(self.next_frame);
        let (first, start) = (self.next_frame - warm_up, self.next_frame);
        let lanes = self.lanes.iter().map(|lane| StretchAudio {
            audio: lane.audio.as_ref().map(|a| a.copy(start * grid.hop, end * grid.hop)),
            around: lane.audio_16k.copy(first * grid_16k.hop, wanted_16k),
        });
        let stretch = Stretch {
            original_rate: self.original_rate,
            n_channels: self.n_channels,
            n_frames: end - start,
            warm_up,
            lanes: lanes.collect(),
            is_last: self.is_over,
            damage: if self.is_over { self.damage.take() } else { None },
        };
        self.next_frame = end;
        let keep_from = end - frames(WARM_UP_SECS, grid.frame_rate()).min(end);
        for lane in &mut self.lanes {
            lane.audio_16k.discard(keep_from * grid_16k.hop);
            if let Some(audio) = &mut lane.audio {
                audio.discard(end * grid.hop);
            }
        }
        Ok(Some(stretch))
    }

    /// Decodes until the lanes reach these samples, or everything is read.
    fn read_until(&mut self, wanted_16k: usize, wanted: usize) -> Result<()> {
        let mut channel = Vec::new();
        while !self.is_read && !self.lanes.first().is_some_and(|l| l.reaches(wanted_16k, wanted)) {
            let block = match self.reader.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => {
                    self.end(None);
                    break;
                }
                Err(Error::Audio { reason, .. }) => {
                    self.end(Some(reason));
                    break;
                }
                Err(error) => return Err(error),
            };
            if self.lanes.is_empty() {
                (self.original_rate, self.n_channels) = (block.sample_rate, block.n_channels);
                let n_lanes = self.channels.n_lanes(block.n_channels);
                let lanes: Result<_, String> = match n_lanes <= MAX_LANES {
                    true => {
                        (0..n_lanes).map(|_| Lane::new(block.sample_rate, self.windows)).collect()
                    }
                    false => Err(format!("{n_lanes} channels, more than {MAX_LANES}: mix them")),
                };
                match lanes {
                    Ok(lanes) => self.lanes = lanes,
                    Err(reason) => {
                        self.end(Some(reason));
                        break;
                    }
                }
            }
            for (i, lane) in self.lanes.iter_mut().enumerate() {
                channel.clear();
                self.channels.extract(i, block, &mut channel);
                lane.push(&channel);
            }
        }
        Ok(())
    }

    /// Nothing more comes.
    fn end(&mut self, damage: Option<String>) {
        self.lanes.iter_mut().for_each(Lane::finish);
        self.is_read = true;
        self.damage = damage;
    }
}

/// A channel, or the mean of all, at both rates.
struct Lane {
    to_16k: StreamResampler,
    audio_16k: Past,
    to_rate: StreamResampler,
    /// At the records' rate, if that is not 16 kHz.
    audio: Option<Past>,
}

impl Lane {
    fn new(original_rate: u32, windows: Windows) -> Result<Self, String> {
        Ok(Self {
            to_16k: StreamResampler::new(original_rate, windows.grid_16k.sample_rate)?,
            audio_16k: Past::default(),
            to_rate: StreamResampler::new(original_rate, windows.grid.sample_rate)?,
            audio: windows.has_16k().then(Past::default),
        })
    }

    fn push(&mut self, audio: &[f32]) {
        self.to_16k.push(audio, &mut self.audio_16k.samples);
        if let Some(at_rate) = &mut self.audio {
            self.to_rate.push(audio, &mut at_rate.samples);
        }
    }

    fn finish(&mut self) {
        self.to_16k.finish(&mut self.audio_16k.samples);
        if let Some(at_rate) = &mut self.audio {
            self.to_rate.finish(&mut at_rate.samples);
        }
    }

    fn reaches(&self, wanted_16k: usize, wanted: usize) -> bool {
        let is_there = self.audio.as_ref().is_none_or(|audio| audio.end() >= wanted);
        is_there && self.audio_16k.end() >= wanted_16k
    }

    /// Frames that are there in full at both rates.
    fn n_frames(&self, windows: Windows) -> usize {
        let n_frames = windows.grid_16k.n_frames(self.audio_16k.end());
        let at_rate = self.audio.as_ref().map(|audio| windows.grid.n_frames(audio.end()));
        at_rate.map_or(n_frames, |at_rate| at_rate.min(n_frames))
    }
}

/// The latest samples of a stream.
#[derive(Default)]
struct Past {
    samples: Vec<f32>,
    /// Index of the first in the stream.
    start: usize,
}

impl Past {
    fn end(&self) -> usize {
        self.start + self.samples.len()
    }

    /// Samples `from .. to`, as far as they are there.
    fn copy(&self, from: usize, to: usize) -> Vec<f32> {
        self.samples[from - self.start..to.min(self.end()) - self.start].to_vec()
    }

    /// Forgets what lies before sample `from`.
    fn discard(&mut self, from: usize) {
        self.samples.drain(..from - self.start);
        self.start = from;
    }
}

impl Stretch {
    /// Extracts the features of every lane.
    pub(super) fn analyse(self, windows: Windows) -> Vec<AnalysedLane> {
        let Self { n_frames, warm_up, lanes, .. } = self;
        let hop = windows.grid_16k.hop;
        let analyse = |lane: StretchAudio| {
            let features = features(&lane.around, windows, warm_up, n_frames);
            let at_16k = lane.around[warm_up * hop..(warm_up + n_frames) * hop].to_vec();
            match lane.audio {
                Some(audio) => AnalysedLane { audio, audio_16k: Some(at_16k), features },
                None => AnalysedLane { audio: at_16k, audio_16k: None, features },
            }
        };
        lanes.into_iter().map(analyse).collect()
    }
}

/// The features of `n_frames` frames from frame `first` of `audio`.
fn features(audio: &[f32], windows: Windows, first: usize, n_frames: usize) -> ExtractedFeatures {
    let mut tracker = PitchTracker::new(pitch_config(windows));
    let mut frames = Vec::with_capacity(windows.grid_16k.n_frames(audio.len()));
    tracker.push(audio, &mut frames);
    // Only at a recording's end is less there than the tracker looks ahead.
    if frames.len() < first + n_frames {
        tracker.finish(&mut frames);
    }
    let kept = frames[first..first + n_frames].iter();
    let (f0_hz, f0_confidence) = kept.map(|frame| (frame.f0_hz, frame.confidence)).unzip();
    let mut loudness_db = crate::features::extract_loudness(audio, windows.grid_16k);
    loudness_db.truncate(first + n_frames);
    loudness_db.drain(..first);
    ExtractedFeatures { f0_hz, f0_confidence, loudness_db }
}

/// Samples after a stretch that its features depend on.
pub(super) fn look_ahead_16k(grid_16k: FrameGrid) -> usize {
    let config = PitchConfig::new(grid_16k.sample_rate, grid_16k.hop);
    let latency = PitchTracker::new(config).latency_samples();
    // The loudness's window ends much sooner; but a pair of frames more has to be there, so that no
    // kept one shares its transform with a cut-off one.
    latency.max(grid_16k.sample_rate as usize / 8) + 2 * grid_16k.hop
}

fn pitch_config(windows: Windows) -> PitchConfig {
    PitchConfig::new(windows.grid_16k.sample_rate, windows.grid_16k.hop)
}

/// Frames in so many seconds, rounded up to the alignment.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "half a minute of at most 16000 frames a second"
)]
fn frames(secs: f64, frame_rate: f64) -> usize {
    ((secs * frame_rate).ceil() as usize).next_multiple_of(ALIGNMENT)
}

#[cfg(test)]
mod tests;
