//! A recording's stretches into examples, and what is not worth learning left out.

use std::ops::Range;

use ddsp_kernels::VOICED_CONFIDENCE;

use super::plan::Source;
use super::report::{LeftOut, Outcome, Reason, Recording, Skipped};
use super::shards::Shards;
use super::split::Side;
use super::stretches::AnalysedLane;
use super::windows::Windows;
use super::{Channels, PrepareOptions};
use crate::error::{Error, Result};
use crate::features::ExtractedFeatures;
use crate::record::NoteRecord;

/// Cuts one recording, stretch by stretch.
pub(super) struct Cutter<'a> {
    options: &'a PrepareOptions,
    windows: Windows,
    source: &'a Source,
    lanes: Vec<LaneBuffer>,
    /// Frames so far.
    n_frames: usize,
    /// Where the next window begins.
    next: usize,
    train_examples: u64,
    held_out_examples: u64,
}

/// What is still needed of a lane.
struct LaneBuffer {
    content: AnalysedLane,
    /// Its first frame.
    start: usize,
    skipped: Vec<Skipped>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(options: &'a PrepareOptions, windows: Windows, source: &'a Source) -> Self {
        let (lanes, n_frames, next) = (Vec::new(), 0, 0);
        let (train_examples, held_out_examples) = (0, 0);
        Self { options, windows, source, lanes, n_frames, next, train_examples, held_out_examples }
    }

    /// Takes the next stretch, and writes the examples that are complete.
    pub(super) fn push(
        &mut self,
        lanes: Vec<AnalysedLane>,
        n_frames: usize,
        shards: &mut Shards<'_>,
    ) -> Result<()> {
        if self.lanes.is_empty() {
            let buffer = |content| LaneBuffer { content, start: 0, skipped: Vec::new() };
            self.lanes = lanes.into_iter().map(buffer).collect();
        } else {
            self.lanes.iter_mut().zip(lanes).for_each(|(buffer, lane)| buffer.append(lane));
        }
        self.n_frames += n_frames;
        while self.next + self.windows.n_frames <= self.n_frames {
            self.cut(self.next..self.next + self.windows.n_frames, shards)?;
            self.next += self.windows.hop_frames;
        }
        // The window at the end may begin before the next one.
        let needed = self.next.min(self.n_frames.saturating_sub(self.windows.n_frames));
        self.lanes.iter_mut().for_each(|buffer| buffer.discard(needed, self.windows));
        Ok(())
    }

    /// Writes the window at the end; the recording is `original_rate` and `n_channels`.
    pub(super) fn finish(
        mut self,
        facts: Facts,
        damage: Option<String>,
        shards: &mut Shards<'_>,
    ) -> Result<Outcome> {
        if let Some(window) = self.windows.last(self.n_frames) {
            self.cut(window, shards)?;
        }
        let secs = self.windows.secs(self.n_frames);
        let skipped: Vec<_> = self.lanes.into_iter().flat_map(|lane| lane.skipped).collect();
        let file = self.source.path.clone();
        if self.train_examples + self.held_out_examples == 0 {
            let reason = self.options.reason(secs, self.n_frames, &skipped, damage);
            return Ok(Outcome::LeftOut(LeftOut { file, reason, skipped }));
        }
        let secs_of = |range: &Range<usize>| {
            [self.windows.secs(range.start), self.windows.secs(range.end.min(self.n_frames))]
        };
        let ranges = self.source.split.ranges().iter();
        Ok(Outcome::Used(Recording {
            file,
            bytes: facts.bytes,
            crc32c: facts.crc32c,
            secs,
            original_rate: facts.original_rate,
            channels: facts.n_channels,
            train_examples: self.train_examples,
            held_out_examples: self.held_out_examples,
            held_out_secs: ranges.filter(|r| r.start < self.n_frames).map(secs_of).collect(),
            skipped,
            damage,
        }))
    }

    /// Writes the examples of one window, one for each lane, or notes why there is none.
    fn cut(&mut self, window: Range<usize>, shards: &mut Shards<'_>) -> Result<()> {
        for lane in 0..self.lanes.len() {
            let features = self.lanes[lane].features(&window);
            let side = self.source.split.side(window.clone());
            let kept = match self.options.reason_to_skip(features) {
                Some(reason) => Err(reason),
                None => side.ok_or(Reason::Border),
            };
            match kept {
                Ok(side) => {
                    let record = self.record(lane, window.clone());
                    shards.write(side, &record.encode(self.options.keys))?;
                    match side {
                        Side::Train => self.train_examples += 1,
                        Side::HeldOut => self.held_out_examples += 1,
                    }
                }
                Err(reason) => {
                    let (from, to) =
                        (self.windows.secs(window.start), self.windows.secs(window.end));
                    let channel = (self.lanes.len() > 1).then_some(lane + 1);
                    self.lanes[lane].skip(Skipped {
                        reason,
                        from_secs: from,
                        to_secs: to,
                        windows: 1,
                        channel,
                    });
                }
            }
        }
        Ok(())
    }

    fn record(&self, lane: usize, window: Range<usize>) -> NoteRecord {
        let Windows { grid, grid_16k, .. } = self.windows;
        let buffer = &self.lanes[lane];
        let frames = window.start - buffer.start..window.end - buffer.start;
        let cut = |audio: &[f32], hop: usize| audio[frames.start * hop..frames.end * hop].to_vec();
        let AnalysedLane { audio, audio_16k, features } = &buffer.content;
        // Two channels of one moment have two names.
        let name = match self.options.channels {
            Channels::Each => format!("{}:{}", self.source.name, lane + 1),
            _ => self.source.name.clone(),
        };
        NoteRecord {
            id: format!("{name}@{:.3}", self.windows.secs(window.start)),
            sample_rate: Some(grid.sample_rate),
            frame_rate: Some(self.options.frame_rate),
            audio: cut(audio, grid.hop),
            audio_16k: audio_16k.as_ref().map(|audio| cut(audio, grid_16k.hop)),
            f0_hz: Some(features.f0_hz[frames.clone()].to_vec()),
            f0_confidence: Some(features.f0_confidence[frames.clone()].to_vec()),
            loudness_db: Some(features.loudness_db[frames].to_vec()),
            ..NoteRecord::default()
        }
    }
}

/// What is known of a recording when it was read to its end.
pub(super) struct Facts {
    pub(super) bytes: u64,
    pub(super) crc32c: String,
    pub(super) original_rate: u32,
    pub(super) n_channels: usize,
}

impl LaneBuffer {
    fn append(&mut self, lane: AnalysedLane) {
        let AnalysedLane { audio, audio_16k, features } = &mut self.content;
        audio.extend(lane.audio);
        if let (Some(audio), Some(more)) = (audio_16k, lane.audio_16k) {
            audio.extend(more);
        }
        features.f0_hz.extend(lane.features.f0_hz);
        features.f0_confidence.extend(lane.features.f0_confidence);
        features.loudness_db.extend(lane.features.loudness_db);
    }

    /// Forgets what lies before a frame.
    fn discard(&mut self, needed: usize, windows: Windows) {
        let n_frames = needed.saturating_sub(self.start).min(self.content.features.f0_hz.len());
        let AnalysedLane { audio, audio_16k, features } = &mut self.content;
        audio.drain(..n_frames * windows.grid.hop);
        if let Some(audio) = audio_16k {
            audio.drain(..n_frames * windows.grid_16k.hop);
        }
        features.f0_hz.drain(..n_frames);
        features.f0_confidence.drain(..n_frames);
        features.loudness_db.drain(..n_frames);
        self.start += n_frames;
    }

    /// Confidence and loudness of a window's frames.
    fn features(&self, window: &Range<usize>) -> (&[f32], &[f32]) {
        let frames = window.start - self.start..window.end - self.start;
        let ExtractedFeatures { f0_confidence, loudness_db, .. } = &self.content.features;
        (&f0_confidence[frames.clone()], &loudness_db[frames])
    }

    /// Notes a window that is skipped; neighbours with one reason are one entry.
    fn skip(&mut self, skipped: Skipped) {
        match self.skipped.last_mut() {
            Some(last) if last.reason == skipped.reason && last.to_secs >= skipped.from_secs => {
                last.to_secs = skipped.to_secs;
                last.windows += 1;
            }
            _ => self.skipped.push(skipped),
        }
    }
}

impl PrepareOptions {
    /// Why a window is not worth learning, if it is not.
    fn reason_to_skip(&self, (f0_confidence, loudness_db): (&[f32], &[f32])) -> Option<Reason> {
        let is_silent = |loudness_db: &f32| *loudness_db < self.silence_db;
        if loudness_db.iter().all(is_silent) {
            return (!self.keep_silence).then_some(Reason::Silent);
        }
        if self.keep_unvoiced {
            return None;
        }
        let frames = f0_confidence.iter().zip(loudness_db);
        let is_voiced = |&(confidence, loudness_db): &(&f32, &f32)| {
            *confidence >= VOICED_CONFIDENCE && !is_silent(loudness_db)
        };
        let share = frames.filter(is_voiced).count() as f32 / f0_confidence.len() as f32;
        // One frame at least, whatever the share.
        (share < self.min_voiced_share || share <= 0.0).then_some(Reason::Unvoiced)
    }

    /// Why a recording gave no example.
    fn reason(
        &self,
        secs: f64,
        n_frames: usize,
        skipped: &[Skipped],
        damage: Option<String>,
    ) -> String {
        let all = |reason| skipped.iter().all(|skipped| skipped.reason == reason);
        match () {
            () if n_frames == 0 => damage.unwrap_or_else(|| "the file holds no audio".to_owned()),
            () if skipped.is_empty() => {
                let wanted = self.example_secs;
                let mut reason = format!("{secs:.2} s long, shorter than an example ({wanted} s)");
                if let Some(damage) = damage {
                    reason = format!("{damage}; {reason}");
                }
                reason
            }
            () if all(Reason::Silent) => format!("silent: never above {} dB", self.silence_db),
            () if all(Reason::Unvoiced) => "too little of it has a pitch".to_owned(),
            () => "no example of it is worth learning".to_owned(),
        }
    }
}

/// A file that is not what it was when the work was planned.
pub(super) fn changed(source: &Source) -> Error {
    Error::Audio {
        path: source.path.clone(),
        reason: "the file was changed while it was read".to_owned(),
    }
}
