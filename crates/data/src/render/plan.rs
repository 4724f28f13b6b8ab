//! What is played: each preset's notes, or its parts of the MIDI files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use super::midi::{EXTENSIONS, read_parts};
use super::performance::{Performance, Played};
use super::soundfont::Font;
use super::{PresetChoice, PresetInfo, RenderOptions, RenderedPreset};
use crate::error::{Error, Result};
use crate::output::files_under;
use crate::prepare::LeftOut;
use crate::record::FAMILIES;

/// Everything to play, preset by preset.
pub(super) struct Plan {
    presets: Vec<PresetInfo>,
    performances: Vec<Performance>,
    /// MIDI files that cannot be used.
    pub(super) left_out: Vec<LeftOut>,
    /// The SoundFont and the MIDI files.
    pub(super) sources: Vec<PathBuf>,
}

impl Plan {
    pub(super) fn new(options: &RenderOptions, font: &Font) -> Result<Self> {
        let presets = choose(font, &options.presets)?;
        let mut sources = vec![options.soundfont.clone()];
        let mut left_out = Vec::new();
        let played = if options.midi.is_empty() {
            notes(options)
        } else {
            let files = midi_files(&options.midi)?;
            let phrases = phrases(&files, &mut left_out)?;
            sources.extend(files);
            phrases
        };
        let performance = |preset: &PresetInfo, played: &Played| Performance {
            preset: preset.clone(),
            played: played.clone(),
        };
        let performances =
            presets.iter().flat_map(|p| played.iter().map(move |w| performance(p, w)));
        let performances = performances.collect();
        Ok(Self { presets, performances, left_out, sources })
    }

    /// The lengths of the sources: when one is changed, the output is another.
    pub(super) fn lengths(&self) -> Result<Vec<u64>> {
        let len =
            |path: &PathBuf| Ok(std::fs::metadata(path).map_err(Error::io("read", path))?.len());
        self.sources.iter().map(len).collect()
    }

    /// How much is played on each preset.
    pub(super) fn counts(&self) -> Vec<RenderedPreset> {
        let each = self.performances.len() / self.presets.len().max(1);
        let count = |preset: &PresetInfo| RenderedPreset {
            preset: preset.clone(),
            performances: each as u64,
        };
        self.presets.iter().map(count).collect()
    }

    /// Deals the performances out, in random order.
    pub(super) fn deal(&self, seed: u64, n_shards: usize) -> Vec<Vec<Performance>> {
        let mut performances = self.performances.clone();
        performances.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
        let mut shards = vec![Vec::new(); n_shards];
        for (i, performance) in performances.into_iter().enumerate() {
            shards[i % n_shards].push(performance);
        }
        shards
    }
}

/// The presets with the families that were asked for, each once.
fn choose(font: &Font, choices: &[PresetChoice]) -> Result<Vec<PresetInfo>> {
    let mut presets: Vec<PresetInfo> = Vec::new();
    for choice in choices {
        let found = font.find(&choice.preset)?;
        if let Some(family) = choice.family.as_ref().filter(|f| !FAMILIES.contains(&f.as_str())) {
            let families = FAMILIES.join(", ");
            return Err(Error::Data(format!("no family {family}; there are {families}")));
        }
        if presets.iter().any(|known| known.number() == found.number()) {
            let (preset, name) = (&choice.preset, &found.name);
            return Err(Error::Data(format!("preset '{preset}' ({name}) is asked for twice")));
        }
        presets.push(PresetInfo { family: choice.family.clone().or(found.family), ..found });
    }
    Ok(presets)
}

/// Every pitch at every velocity.
fn notes(options: &RenderOptions) -> Vec<Played> {
    let notes = |&pitch: &u8| {
        let note = move |&velocity: &u8| Played::Note { pitch, velocity };
        options.velocities.iter().map(note)
    };
    options.pitches.iter().flat_map(notes).collect()
}

/// The parts of all files; a file without any is left out, unless there is no other.
fn phrases(files: &[PathBuf], left_out: &mut Vec<LeftOut>) -> Result<Vec<Played>> {
    let mut names: HashMap<String, u32> = HashMap::new();
    let mut phrases = Vec::new();
    for file in files {
        let parts = match read_parts(file) {
            Ok(parts) => parts,
            Err(error) => {
                let reason = error.to_string();
                left_out.push(LeftOut { file: file.clone(), reason, skipped: Vec::new() });
                continue;
            }
        };
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let n = names.entry(stem.clone()).or_insert(0);
        *n += 1;
        // Files of one name in several folders.
        let stem = if *n == 1 { stem } else { format!("{stem}~{n}") };
        for part in parts {
            let name = format!("{stem}-{:02}", part.channel);
            phrases.push(Played::Phrase { name, events: Arc::from(part.events) });
        }
    }
    match left_out.first() {
        Some(first) if phrases.is_empty() => Err(Error::Data(first.reason.clone())),
        _ => Ok(phrases),
    }
}

/// The files that `inputs` name, and the MIDI files in the folders among them.
fn midi_files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let is_midi = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        EXTENSIONS.contains(&extension.as_str())
    };
    let mut files = Vec::new();
    for input in inputs {
        if std::fs::metadata(input).map_err(Error::io("read", input))?.is_dir() {
            files.extend(files_under(input)?.into_iter().filter(is_midi));
        } else {
            files.push(input.clone());
        }
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        let names: Vec<_> = inputs.iter().map(|input| input.display().to_string()).collect();
        let kinds = EXTENSIONS.join(", ");
        return Err(Error::Data(format!("{}: no MIDI files ({kinds})", names.join(", "))));
    }
    Ok(files)
}
