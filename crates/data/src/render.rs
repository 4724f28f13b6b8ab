//! Notes and MIDI files through a SoundFont, as NSynth-like records.
//!
//! A SoundFont says at which pitch its notes should be, and is often off by some cents: f0 is
//! measured on the rendered sound, as loudness is. Rendered at 48 kHz without reverb and chorus, then
//! resampled.

mod midi;
mod soundfont;

use std::path::{Path, PathBuf};

use ddsp_kernels::{FrameGrid, VOICED_CONFIDENCE};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::features::extract_features;
use crate::output::{FolderState, OutputFolder, refuse_sources_inside};
use crate::record::{FAMILIES, Keys, Labels, NoteRecord};
use crate::record_files::shard_name;
use crate::resample::resample;
use crate::shard_writer::{Shard, write_shards};
use midi::read_parts;
pub use soundfont::PresetInfo;
use soundfont::{FONT_RATE, Font, NoteEvent};

/// The rate at which features are measured.
const RATE_16K: u32 = 16_000;

/// Length of a record; a MIDI file is cut into as many as it fills.
const EXAMPLE_SECS: u32 = 4;

/// A preset to play, and the family that its records are labelled with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PresetChoice {
    /// `bank:program`, a program of bank 0, a name, or a part of a name that only one preset has.
    pub preset: String,
    /// One of NSynth's families; none for that of General MIDI.
    pub family: Option<String>,
}

/// What to play.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RenderOptions {
    /// A SoundFont 2 file.
    pub soundfont: PathBuf,
    /// On which presets.
    pub presets: Vec<PresetChoice>,
    /// MIDI files; if there are none, single notes.
    pub midi: Vec<PathBuf>,
    /// MIDI numbers of the notes, each at every velocity.
    pub pitches: Vec<u8>,
    /// MIDI velocities, 1 to 127.
    pub velocities: Vec<u8>,
    /// Time from the beginning of a note to its release; a record has 4 s.
    pub hold_secs: f64,
    /// Samples a second of the records.
    pub sample_rate: u32,
    /// Frames a second of the features.
    pub frame_rate: u32,
    /// Spelling of the features.
    pub keys: Keys,
    /// Decides the order of the records.
    pub seed: u64,
    /// Files to deal the records out to.
    pub n_shards: usize,
    /// Whether an output folder of an earlier run is started over.
    #[serde(skip)]
    pub force: bool,
}

impl Default for RenderOptions {
    /// NSynth's notes: held for 3 s, released for 1 s.
    fn default() -> Self {
        Self {
            soundfont: PathBuf::new(),
            presets: Vec::new(),
            midi: Vec::new(),
            pitches: (36..=84).collect(),
            velocities: vec![50, 100],
            hold_secs: 3.0,
            sample_rate: RATE_16K,
            frame_rate: 250,
            keys: Keys::Nsynth,
            seed: 0,
            n_shards: 4,
            force: false,
        }
    }
}

/// What was rendered: the content of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderReport {
    /// The presets, each with its performances.
    pub presets: Vec<RenderedPreset>,
    /// Records in the files: those of notes that a preset does not have, and stretches of MIDI files
    /// without a pitch, are left out.
    pub records: u64,
    /// The record files in the output folder.
    pub files: Vec<String>,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
}

/// A preset that was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenderedPreset {
    /// Which, and the family of its records.
    pub preset: PresetInfo,
    /// Notes, or parts of MIDI files, that were played on it.
    pub performances: u64,
}

/// The presets of a SoundFont.
///
/// # Errors
///
/// If the file cannot be read or is no SoundFont 2.
pub fn list_presets(soundfont: &Path) -> Result<Vec<PresetInfo>> {
    Ok(Font::open(soundfont)?.presets())
}

/// Renders what `options` ask for into files `soundfont.tfrecord-…` of the folder `out`.
///
/// Uses up to `n_threads` threads; the bytes do not depend on how many. `progress` is told the
/// performances done.
///
/// # Errors
///
/// If an option asks for nothing or for what does not exist, a file is not what it should be, or the
/// folder cannot be used (see [`OutputFolder::open`]).
pub fn render(
    options: &RenderOptions,
    out: &Path,
    n_threads: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<RenderReport> {
    let grid = check(options)?;
    let font = Font::open(&options.soundfont)?;
    let presets = choose(&font, &options.presets)?;
    let performances = plan(options, &presets)?;
    let sources: Vec<_> = options.midi.iter().chain([&options.soundfont]).cloned().collect();
    refuse_sources_inside(out, &sources)?;
    let (mut folder, state) = OutputFolder::open(out, "data render", options, options.force)?;
    if state == FolderState::Finished {
        let report = folder.verified_report()?;
        return Ok(RenderReport { already_done: true, ..report });
    }
    folder.clear()?;
    let count = |preset: &PresetInfo| {
        let performances = performances.iter().filter(|p| p.preset == *preset).count() as u64;
        RenderedPreset { preset: preset.clone(), performances }
    };
    let presets = presets.iter().map(count).collect();
    let n_shards = options.n_shards;
    let shards = deal(performances, options);
    let files: Vec<_> = (0..n_shards).map(|i| shard_name("soundfont", i, n_shards)).collect();
    let paths = files.iter().map(|file| out.join(file));
    let work: Vec<Shard<'_, Performance>> = paths.zip(shards.iter().map(Vec::as_slice)).collect();
    let n_records = std::sync::atomic::AtomicU64::new(0);
    let encode = |performance: &Performance| {
        let records = performance.records(&font, options, grid)?;
        n_records.fetch_add(records.len() as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(records)
    };
    write_shards(&work, n_threads, encode, progress)?;
    let records = n_records.into_inner();
    if records == 0 {
        return Err(Error::Data("nothing that was played has a pitch".to_owned()));
    }
    let report = RenderReport { presets, records, files, already_done: false };
    folder.finish_with(&report)?;
    Ok(report)
}

/// Checks the options that need no file; returns the grid of the features.
fn check(options: &RenderOptions) -> Result<FrameGrid> {
    let refuse = |reason: String| Err(Error::Data(reason));
    let &RenderOptions { sample_rate, frame_rate, n_shards, hold_secs, .. } = options;
    let grids = FrameGrid::new(RATE_16K, frame_rate).zip(FrameGrid::new(sample_rate, frame_rate));
    let Some((grid, _)) = grids else {
        return refuse(format!(
            "16000 and {sample_rate} Hz are no multiples of {frame_rate} frames/s"
        ));
    };
    if options.keys == Keys::Nsynth && (sample_rate, frame_rate) != (RATE_16K, 250) {
        return refuse("NSynth's keys are for 16000 Hz and 250 frames/s; use ddsp's".to_owned());
    }
    if let Some(velocity) = options.velocities.iter().find(|v| !(1..=127).contains(*v)) {
        return refuse(format!("velocity {velocity} is not in 1 to 127"));
    }
    if let Some(pitch) = options.pitches.iter().find(|pitch| **pitch > 127) {
        return refuse(format!("pitch {pitch} is not in 0 to 127"));
    }
    if !(hold_secs > 0.0 && hold_secs <= f64::from(EXAMPLE_SECS)) {
        return refuse(format!(
            "a note held for {hold_secs} s is not in a record of {EXAMPLE_SECS} s"
        ));
    }
    let is_empty =
        options.midi.is_empty() && (options.pitches.is_empty() || options.velocities.is_empty());
    if is_empty || options.presets.is_empty() || n_shards == 0 {
        return refuse("the options ask for no preset, no note, or no file".to_owned());
    }
    Ok(grid)
}

/// The presets with the families that were asked for.
fn choose(font: &Font, choices: &[PresetChoice]) -> Result<Vec<PresetInfo>> {
    let choose = |choice: &PresetChoice| {
        let found = font.find(&choice.preset)?;
        if let Some(family) = choice.family.as_ref().filter(|f| !FAMILIES.contains(&f.as_str())) {
            let families = FAMILIES.join(", ");
            return Err(Error::Data(format!("no family {family}; there are {families}")));
        }
        Ok(PresetInfo { family: choice.family.clone().or(found.family), ..found })
    };
    choices.iter().map(choose).collect()
}

/// Everything to play, preset by preset.
fn plan(options: &RenderOptions, presets: &[PresetInfo]) -> Result<Vec<Performance>> {
    let mut performances = Vec::new();
    for preset in presets {
        for file in &options.midi {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            for part in read_parts(file)? {
                let (name, events) = (format!("{name}-{:02}", part.channel), part.events);
                let (preset, what) = (preset.clone(), What::Phrase { name, events });
                performances.push(Performance { preset, what });
            }
        }
        if options.midi.is_empty() {
            for &pitch in &options.pitches {
                for &velocity in &options.velocities {
                    let (preset, what) = (preset.clone(), What::Note { pitch, velocity });
                    performances.push(Performance { preset, what });
                }
            }
        }
    }
    Ok(performances)
}

/// Deals the performances out, in random order.
fn deal(mut performances: Vec<Performance>, options: &RenderOptions) -> Vec<Vec<Performance>> {
    performances.shuffle(&mut Pcg64Mcg::seed_from_u64(options.seed));
    let mut shards = vec![Vec::new(); options.n_shards];
    for (i, performance) in performances.into_iter().enumerate() {
        shards[i % options.n_shards].push(performance);
    }
    shards
}

/// Something to play on a preset.
#[derive(Clone, Debug)]
struct Performance {
    preset: PresetInfo,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Note { pitch: u8, velocity: u8 },
    Phrase { name: String, events: Vec<NoteEvent> },
}

impl Performance {
    /// Its records, encoded: one for a note, one for each 4 s of a phrase; none where no frame has a
    /// pitch.
    fn records(
        &self,
        font: &Font,
        options: &RenderOptions,
        grid: FrameGrid,
    ) -> Result<Vec<Vec<u8>>> {
        let (events, n_examples) = self.score(options);
        let font_len = (FONT_RATE * EXAMPLE_SECS) as usize;
        let played = font.play(&self.preset, &events, n_examples * font_len)?;
        let audio_16k = resample(played.clone(), FONT_RATE, RATE_16K).map_err(Error::Data)?;
        let rate = options.sample_rate;
        let audio = match rate {
            RATE_16K => None,
            _ => Some(resample(played, FONT_RATE, rate).map_err(Error::Data)?),
        };
        let cut = |audio: &[f32], rate: u32, i: usize| {
            let len = (rate * EXAMPLE_SECS) as usize;
            audio[i * len..(i + 1) * len].to_vec()
        };
        let mut records = Vec::new();
        for i in 0..n_examples {
            let window_16k = cut(&audio_16k, RATE_16K, i);
            let features = extract_features(&window_16k, grid);
            if !features.f0_confidence.iter().any(|&c| c >= VOICED_CONFIDENCE) {
                continue;
            }
            let (audio, audio_16k) = match &audio {
                None => (window_16k, None),
                Some(audio) => (cut(audio, rate, i), Some(window_16k)),
            };
            let record = NoteRecord {
                audio,
                audio_16k,
                f0_hz: Some(features.f0_hz),
                f0_confidence: Some(features.f0_confidence),
                loudness_db: Some(features.loudness_db),
                ..self.labelled(options, i)
            };
            records.push(record.encode(options.keys));
        }
        Ok(records)
    }

    /// The notes, and how many records they fill.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time of at most 4 s, checked with the options"
    )]
    fn score(&self, options: &RenderOptions) -> (Vec<NoteEvent>, usize) {
        match &self.what {
            &What::Note { pitch: key, velocity } => {
                let release = (options.hold_secs * f64::from(FONT_RATE)) as usize;
                let events = [(0, velocity), (release, 0)];
                (events.map(|(at, velocity)| NoteEvent { at, key, velocity }).to_vec(), 1)
            }
            What::Phrase { events, .. } => {
                // The last release still sounds for a while.
                let end = events.last().map_or(0, |event| event.at) + FONT_RATE as usize;
                (events.clone(), end.div_ceil((FONT_RATE * EXAMPLE_SECS) as usize))
            }
        }
    }

    /// A record without its sound.
    fn labelled(&self, options: &RenderOptions, i: usize) -> NoteRecord {
        let preset = &self.preset;
        let family = preset.family.as_deref();
        let name = family.unwrap_or("soundfont");
        let number = preset.number();
        let (id, pitch, velocity) = match &self.what {
            &What::Note { pitch, velocity } => {
                let id = format!("{name}_{number:05}-{pitch:03}-{velocity:03}");
                (id, Some(i64::from(pitch)), Some(i64::from(velocity)))
            }
            What::Phrase { name: phrase, .. } => {
                let secs = i * EXAMPLE_SECS as usize;
                (format!("{name}_{number:05}-{phrase}@{secs}"), None, None)
            }
        };
        let family = family.and_then(|name| FAMILIES.iter().position(|known| *known == name));
        let is_ddsp = options.keys == Keys::Ddsp;
        NoteRecord {
            id,
            sample_rate: is_ddsp.then_some(options.sample_rate),
            frame_rate: is_ddsp.then_some(options.frame_rate),
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
