//! A SoundFont's presets, and performances on them.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The synthesizer has no filter against aliasing: at this rate what it mirrors lies above 16 kHz's
/// band for all but the highest notes, and the resampler takes it out.
pub(super) const FONT_RATE: u32 = 48_000;

/// Samples rendered at a time.
const BLOCK: usize = 4096;

/// The bank of drum kits, which are played on their own channel.
const DRUM_BANK: i32 = 128;

/// A preset of a SoundFont.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PresetInfo {
    /// 0 for melodic instruments of General MIDI, 128 for drum kits.
    pub bank: i32,
    /// 0 to 127.
    pub program: i32,
    /// As the SoundFont has it.
    pub name: String,
    /// NSynth's family that the program has in General MIDI, if any.
    pub family: Option<String>,
}

impl PresetInfo {
    /// A number that no other preset of a SoundFont has.
    pub(super) fn number(&self) -> i64 {
        i64::from(self.bank) * 128 + i64::from(self.program)
    }

    fn key(&self) -> String {
        format!("{}:{}", self.bank, self.program)
    }
}

/// A loaded SoundFont.
pub(super) struct Font {
    path: PathBuf,
    font: Arc<SoundFont>,
}

/// Something that happens in a performance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NoteEvent {
    /// Samples at [`FONT_RATE`] from the beginning.
    pub(super) at: usize,
    /// MIDI note number.
    pub(super) key: u8,
    /// 0 ends the note.
    pub(super) velocity: u8,
}

impl Font {
    /// Reads a SoundFont 2 file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        // The reader checks most of a file; some damaged ones still make it panic.
        let font = catch_unwind(AssertUnwindSafe(|| SoundFont::new(&mut BufReader::new(file))));
        let font = match font {
            Ok(Ok(font)) => font,
            Ok(Err(error)) => return Err(unusable(path, &error.to_string())),
            Err(_) => return Err(unusable(path, "it is damaged")),
        };
        Ok(Self { path: path.to_owned(), font: Arc::new(font) })
    }

    /// All presets, by bank and program.
    pub(super) fn presets(&self) -> Vec<PresetInfo> {
        let info = |preset: &rustysynth::Preset| {
            let (bank, program) = (preset.get_bank_number(), preset.get_patch_number());
            let family = (bank == 0).then(|| general_midi_family(program)).flatten();
            let family = family.map(str::to_owned);
            PresetInfo { bank, program, name: preset.get_name().trim().to_owned(), family }
        };
        let mut presets: Vec<PresetInfo> = self.font.get_presets().iter().map(info).collect();
        presets.sort_by_key(|preset| (preset.bank, preset.program));
        presets
    }

    /// The preset meant by `bank:program`, a program of bank 0, a name, or a part of one name only.
    pub(super) fn find(&self, choice: &str) -> Result<PresetInfo> {
        let presets = self.presets();
        let key = if choice.contains(':') { choice.to_owned() } else { format!("0:{choice}") };
        if let Some(preset) = presets.iter().find(|preset| preset.key() == key) {
            return Ok(preset.clone());
        }
        let (choice_lower, named) =
            (choice.to_lowercase(), |p: &&PresetInfo| p.name.to_lowercase());
        if let Some(preset) = presets.iter().find(|preset| named(preset) == choice_lower) {
            return Ok(preset.clone());
        }
        let similar: Vec<_> = presets.iter().filter(|p| named(p).contains(&choice_lower)).collect();
        let reason = match &similar[..] {
            [preset] => return Ok((*preset).clone()),
            [] => "no preset of that name or number; --list shows them".to_owned(),
            several => {
                let names = several.iter().map(|p| format!("{} {}", p.key(), p.name));
                format!(
                    "several presets have that in their name: {}",
                    names.collect::<Vec<_>>().join(", ")
                )
            }
        };
        Err(Error::Data(format!("{}: '{choice}': {reason}", self.path.display())))
    }

    /// Plays `events`, in order of time, on a preset, without reverb and chorus; both channels mixed.
    ///
    /// Returns `n_samples` at [`FONT_RATE`].
    pub(super) fn play(
        &self,
        preset: &PresetInfo,
        events: &[NoteEvent],
        n_samples: usize,
    ) -> Result<Vec<f32>> {
        let played = catch_unwind(AssertUnwindSafe(|| self.try_play(preset, events, n_samples)));
        let reason = match played {
            Ok(Ok(audio)) if audio.iter().all(|x| x.is_finite()) => return Ok(audio),
            Ok(Ok(_)) => "it sounds values that are not finite".to_owned(),
            Ok(Err(reason)) => reason,
            Err(_) => "it is damaged".to_owned(),
        };
        Err(unusable(&self.path, &format!("preset {} {}: {reason}", preset.key(), preset.name)))
    }

    fn try_play(
        &self,
        preset: &PresetInfo,
        events: &[NoteEvent],
        n_samples: usize,
    ) -> Result<Vec<f32>, String> {
        let rate = FONT_RATE.cast_signed();
        let mut settings = SynthesizerSettings::new(rate);
        settings.enable_reverb_and_chorus = false;
        let mut synth = Synthesizer::new(&self.font, &settings).map_err(|e| e.to_string())?;
        let is_drum = preset.bank >= DRUM_BANK;
        let (channel, bank) = if is_drum { (9, preset.bank - DRUM_BANK) } else { (0, preset.bank) };
        synth.process_midi_message(channel, 0xb0, 0, bank);
        synth.process_midi_message(channel, 0xc0, preset.program, 0);
        let mut audio = vec![0.0; n_samples];
        let mut at = 0;
        for event in events {
            let end = event.at.min(n_samples);
            render(&mut synth, &mut audio[at..end]);
            at = end;
            synth.note_on(channel, i32::from(event.key), i32::from(event.velocity));
        }
        render(&mut synth, &mut audio[at..]);
        Ok(audio)
    }
}

/// The mean of both channels.
fn render(synth: &mut Synthesizer, audio: &mut [f32]) {
    let (mut left, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
    for block in audio.chunks_mut(BLOCK) {
        let (left, right) = (&mut left[..block.len()], &mut right[..block.len()]);
        synth.render(left, right);
        for ((y, l), r) in block.iter_mut().zip(left).zip(right) {
            *y = 0.5 * (*l + *r);
        }
    }
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Data(format!("{}: not a SoundFont that can be played: {reason}", path.display()))
}

/// NSynth's family of a General MIDI program (numbered from 0); effects and the like have none.
fn general_midi_family(program: i32) -> Option<&'static str> {
    Some(match program {
        0..=7 => "keyboard",
        8..=15 | 47 | 108 | 112..=114 => "mallet",
        16..=23 => "organ",
        24..=31 | 104..=107 => "guitar",
        32..=39 => "bass",
        40..=46 | 48..=51 | 110 => "string",
        52..=54 => "vocal",
        56..=63 => "brass",
        64..=71 | 109 | 111 => "reed",
        72..=79 => "flute",
        80..=103 => "synth_lead",
        _ => return None,
    })
}
