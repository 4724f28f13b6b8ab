//! A performance on a preset, rendered window by window into records.

use std::sync::Arc;

use ddsp_kernels::{FrameGrid, VOICED_CONFIDENCE, hz_to_midi};
use serde::{Deserialize, Serialize};

use super::soundfont::{FONT_RATE, Font, NoteEvent, PresetInfo};
use super::{OffPitch, RATE_16K};
use crate::error::{Error, Result};
use crate::features::{ExtractedFeatures, extract_features};
use crate::record::{FAMILIES, Keys, Labels, NoteRecord};
use crate::resample::resample;
use crate::shard_writer::Sink;

/// Sound on both sides of a window that is resampled with it and cut away: a second is a whole
/// number of samples at any rate, and longer than the resampler's filter.
const MARGIN: usize = FONT_RATE as usize;

/// A measured pitch farther than this from its note, in semitones, is listed.
const OFF_PITCH: f64 = 1.0;

/// What all performances have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    /// Of the features, at 16 kHz.
    pub grid: FrameGrid,
    /// Frames of a record.
    pub n_frames: u32,
    /// Seconds that a single note is held.
    pub hold_secs: f64,
    /// Samples a second of the records.
    pub sample_rate: u32,
    pub keys: Keys,
}

impl Stage {
    fn frame_rate(&self) -> u32 {
        self.grid.sample_rate / u32::try_from(self.grid.hop).unwrap_or(1)
    }

    /// Samples of a record at a rate that is a multiple of the frame rate.
    fn window_len(&self, rate: u32) -> usize {
        self.n_frames as usize * (rate / self.frame_rate()) as usize
    }
}

/// Something to play on a preset.
#[derive(Clone, Debug)]
pub(super) struct Performance {
    pub preset: PresetInfo,
    pub played: Played,
}

/// What is played.
#[derive(Clone, Debug)]
pub(super) enum Played {
    Note { pitch: u8, velocity: u8 },
    Phrase { name: String, events: Arc<[NoteEvent]> },
}

/// What became of the performances of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub records: u64,
    pub unpitched: u64,
    pub off_pitch: Vec<OffPitch>,
}

impl Performance {
    /// Hands its records to the sink: one for a note, one for each window of a phrase; none where no
    /// frame has a pitch.
    pub(super) fn render(
        &self,
        font: &Font,
        stage: &Stage,
        tally: &mut Tally,
        sink: Sink<'_>,
    ) -> Result<()> {
        let window_len = stage.window_len(FONT_RATE);
        let (events, n_windows) = self.score(stage, window_len);
        let mut player = font.player(&self.preset, &events)?;
        let mut held = Held::new(&events);
        let mut sound = vec![0.0; window_len + 2 * MARGIN];
        // The window's sound begins after the margin, before which there is silence.
        player.play(&mut sound[MARGIN..])?;
        for window in 0..n_windows {
            if window > 0 {
                sound.copy_within(window_len.., 0);
                player.play(&mut sound[2 * MARGIN..])?;
            }
            let audio_16k = cut(&sound, stage, RATE_16K)?;
            let features = extract_features(&audio_16k, stage.grid);
            let off = held.semitones_off(&features, window * window_len, stage);
            if !features.f0_confidence.iter().any(|&c| c >= VOICED_CONFIDENCE) {
                tally.unpitched += 1;
                continue;
            }
            let (audio, audio_16k) = match stage.sample_rate {
                RATE_16K => (audio_16k, None),
                rate => (cut(&sound, stage, rate)?, Some(audio_16k)),
            };
            let record = NoteRecord {
                audio,
                audio_16k,
                f0_hz: Some(features.f0_hz),
                f0_confidence: Some(features.f0_confidence),
                loudness_db: Some(features.loudness_db),
                ..self.labelled(stage, window)
            };
            if let Some(semitones) = off.filter(|off| off.abs() > OFF_PITCH) {
                tally.off_pitch.push(OffPitch { id: record.id.clone(), semitones });
            }
            tally.records += 1;
            sink(&record.encode(stage.keys))?;
        }
        Ok(())
    }

    /// The notes, and how many records they fill.
    fn score(&self, stage: &Stage, window_len: usize) -> (Arc<[NoteEvent]>, usize) {
        match &self.played {
            &Played::Note { pitch: key, velocity } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a time of at most a minute, checked with the options"
                )]
                let release = (stage.hold_secs * f64::from(FONT_RATE)) as u32;
                let events = [(0, velocity), (release, 0)];
                (events.map(|(at, velocity)| NoteEvent { at, key, velocity }).into(), 1)
            }
            Played::Phrase { events, .. } => {
                // The last release still sounds for a while.
                let end = events.last().map_or(0, |event| event.at) + FONT_RATE;
                (Arc::clone(events), (end as usize).div_ceil(window_len))
            }
        }
    }

    /// A record without its sound.
    fn labelled(&self, stage: &Stage, window: usize) -> NoteRecord {
        let preset = &self.preset;
        let family = preset.family.as_deref();
        let name = family.unwrap_or("soundfont");
        let number = preset.number();
        let (id, pitch, velocity) = match &self.played {
            &Played::Note { pitch, velocity } => {
                let id = format!("{name}_{number:05}-{pitch:03}-{velocity:03}");
                (id, Some(i64::from(pitch)), Some(i64::from(velocity)))
            }
            Played::Phrase { name: phrase, .. } => {
                let secs =
                    window as f64 * f64::from(stage.n_frames) / f64::from(stage.frame_rate());
                (format!("{name}_{number:05}-{phrase}@{secs}"), None, None)
            }
        };
        let family = family.and_then(|name| FAMILIES.iter().position(|known| *known == name));
        let is_ddsp = stage.keys == Keys::Ddsp;
        NoteRecord {
            id,
            sample_rate: is_ddsp.then_some(stage.sample_rate),
            frame_rate: is_ddsp.then_some(stage.frame_rate()),
            labels: Labels {
                family: family.and_then(|i| i64::try_from(i).ok()),
                instrument: Some(number),
                source: None,
                pitch,
                velocity,
            },
            ..NoteRecord::default()
        }
    }
}

/// The window in the middle of `sound`, at another rate.
fn cut(sound: &[f32], stage: &Stage, rate: u32) -> Result<Vec<f32>> {
    let (from, len) = (rate as usize, stage.window_len(rate));
    let resampled = resample(sound.to_vec(), FONT_RATE, rate).map_err(Error::Data)?;
    Ok(resampled[from..from + len].to_vec())
}

/// Which keys are held as time goes on.
struct Held<'a> {
    events: &'a [NoteEvent],
    next: usize,
    keys: [bool; 128],
}

impl<'a> Held<'a> {
    fn new(events: &'a [NoteEvent]) -> Self {
        Self { events, next: 0, keys: [false; 128] }
    }

    /// Median of the measured pitch over the nearest key held, in semitones, over the frames of the
    /// window that begins at sample `start`; `None` where nothing is held that has a pitch.
    fn semitones_off(
        &mut self,
        features: &ExtractedFeatures,
        start: usize,
        stage: &Stage,
    ) -> Option<f64> {
        let hop = (FONT_RATE / stage.frame_rate()) as usize;
        let mut off = Vec::new();
        for (i, (&f0_hz, &confidence)) in
            features.f0_hz.iter().zip(&features.f0_confidence).enumerate()
        {
            self.advance(start + i * hop);
            if confidence < VOICED_CONFIDENCE {
                continue;
            }
            let pitch = f64::from(hz_to_midi(f0_hz));
            let held = (0_u8..128).filter(|&key| self.keys[usize::from(key)]);
            let distances = held.map(|key| pitch - f64::from(key));
            off.extend(distances.min_by(|a, b| a.abs().total_cmp(&b.abs())));
        }
        off.sort_by(f64::total_cmp);
        off.get(off.len() / 2).copied()
    }

    fn advance(&mut self, to: usize) {
        while let Some(event) = self.events.get(self.next).filter(|event| event.at as usize <= to) {
            self.keys[usize::from(event.key & 127)] = event.velocity > 0;
            self.next += 1;
        }
    }
}
