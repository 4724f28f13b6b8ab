//! A SoundFont's presets, and performances on them.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};
use serde::{Deserialize, Serialize};

use super::riff::check_frame;
use crate::error::{Error, Result};
use crate::quiet::quietly;

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
    pub(super) at: u32,
    /// MIDI note number.
    pub(super) key: u8,
    /// 0 ends the note.
    pub(super) velocity: u8,
}

impl Font {
    /// Reads a SoundFont 2 file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut file = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
        check_frame(&mut file).map_err(|reason| unusable(path, &reason))?;
        file.rewind().map_err(Error::io("read", path))?;
        // What lies inside the frame is checked by the reader; not all of it: values that its sums
        // overflow with still make it panic.
        let font = match quietly(|| SoundFont::new(&mut file)) {
            Ok(Ok(font)) => font,
            Ok(Err(error)) => return Err(unusable(path, &error.to_string())),
            Err(_) => return Err(unusable(path, "its parameters are damaged")),
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

    /// A performance of `events`, in order of time, on a preset, without reverb and chorus.
    pub(super) fn player<'a>(
        &'a self,
        preset: &'a PresetInfo,
        events: &'a [NoteEvent],
    ) -> Result<Player<'a>> {
        let mut settings = SynthesizerSettings::new(FONT_RATE.cast_signed());
        settings.enable_reverb_and_chorus = false;
        let mut synth = Synthesizer::new(&self.font, &settings)
            .map_err(|error| unusable(&self.path, &error.to_string()))?;
        let is_drum = preset.bank >= DRUM_BANK;
        let (channel, bank) = if is_drum { (9, preset.bank - DRUM_BANK) } else { (0, preset.bank) };
        synth.process_midi_message(channel, 0xb0, 0, bank);
        synth.process_midi_message(channel, 0xc0, preset.program, 0);
        Ok(Player { font: self, preset, synth, channel, events, at: 0 })
    }
}

/// A performance on its way.
pub(super) struct Player<'a> {
    font: &'a Font,
    preset: &'a PresetInfo,
    synth: Synthesizer,
    channel: i32,
    /// Those that are still to come.
    events: &'a [NoteEvent],
    /// Samples played.
    at: usize,
}

impl Player<'_> {
    /// Plays on, both channels mixed, at [`FONT_RATE`].
    pub(super) fn play(&mut self, audio: &mut [f32]) -> Result<()> {
        // The oscillator reads past the samples where a damaged loop is shorter than its step.
        let reason = match quietly(|| self.try_play(audio)) {
            Ok(()) if audio.iter().all(|x| x.is_finite()) => return Ok(()),
            Ok(()) => "it sounds values that are not finite",
            Err(_) => "its samples or loops are damaged",
        };
        let PresetInfo { name, .. } = self.preset;
        let reason = format!("preset {} {name}: {reason}", self.preset.key());
        Err(unusable(&self.font.path, &reason))
    }

    fn try_play(&mut self, audio: &mut [f32]) {
        let end = self.at + audio.len();
        let mut done = 0;
        while let Some((event, rest)) = self.events.split_first()
            && (event.at as usize) < end
        {
            let until = (event.at as usize).saturating_sub(self.at).clamp(done, audio.len());
            render(&mut self.synth, &mut audio[done..until]);
            done = until;
            self.synth.note_on(self.channel, i32::from(event.key), i32::from(event.velocity));
            self.events = rest;
        }
        render(&mut self.synth, &mut audio[done..]);
        self.at = end;
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
