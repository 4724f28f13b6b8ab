//! Plays the phrases as they are, and each by each model.

use std::io::Write as _;

use ddsp_data::{WavFormat, extract_features, file_sum, write_atomically, write_wav};
use ddsp_kernels::FrameGrid;
use ddsp_model::{Model, TransferOptions};
use serde::{Deserialize, Serialize};

use super::learned::Learned;
use super::places::{Name, Places};
use super::played::{KeptEnvelope, Played, keep, kept};
use crate::error::{Error, Result};
use crate::event::Conductor;
use crate::phrase::Phrase;
use crate::spectrogram::spectrogram_db;
use crate::threads::each_told;
use crate::timbre::median_f0_hz;
use crate::transfer::transfer;

/// Columns of a picture at most: a pixel is shown as two or three.
const PICTURE_COLUMNS: usize = 450;

/// Colours span this many dB below the loudest point of the picture.
const RANGE_DB: f32 = 80.0;

/// A family's phrase as it is.
pub(super) struct Source {
    pub(super) phrase: Phrase,
    /// Whether the model of the family has not heard the instrument.
    pub(super) is_held_out: bool,
    pub(super) heard: Heard,
    audio: Vec<f32>,
    /// Of the sound's file.
    sum: String,
}

/// What was measured on a phrase as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) median_f0_hz: f32,
    pub(super) envelope: Option<KeptEnvelope>,
}

/// A phrase that a model played, by their places among the families.
pub(super) struct Cell {
    pub(super) phrase: usize,
    pub(super) model: usize,
    pub(super) played: Played,
}

/// What playing takes.
pub(super) struct Stage<'a> {
    learned: &'a [Learned],
    places: &'a Places,
    grid: FrameGrid,
}

impl<'a> Stage<'a> {
    pub(super) fn new(learned: &'a [Learned], places: &'a Places, grid: FrameGrid) -> Self {
        Self { learned, places, grid }
    }

    /// Every family's phrase, by the instrument that its model has not heard, or by the first.
    pub(super) fn play_phrases(&self, conductor: &mut Conductor<'_>) -> Result<Vec<Source>> {
        conductor.stage("playing the phrases");
        self.places.make_folders()?;
        let n = self.learned.len();
        let job = |i: usize| self.play_phrase(&self.learned[i]);
        let phrases = each_told(n, "phrases", conductor, job)?;
        phrases.ok_or_else(|| Error::Interrupted { during: "playing the phrases".to_owned() })
    }

    fn play_phrase(&self, learned: &Learned) -> Result<Source> {
        let (family, instrument) = (learned.family, learned.held_out_instrument);
        let phrase = Phrase::in_range(family, instrument.unwrap_or(0));
        let audio = phrase.audio(self.grid);
        let name = Name::of_phrase(family);
        // Written each time: where the instruments have changed, everything made of it is made anew.
        self.write_audio(&name, &audio)?;
        let sum = file_sum(&self.places.file(&name.audio()))?;
        let made_of = [sum.clone()];
        let heard = match kept(self.places, &name, &made_of)? {
            Some(heard) => heard,
            None => {
                self.write_picture(&name, &audio)?;
                let heard = Heard {
                    median_f0_hz: median_f0_hz(&extract_features(&audio, self.grid)),
                    envelope: KeptEnvelope::of(&audio, self.grid.sample_rate),
                };
                keep(self.places, &name, &made_of, heard)?
            }
        };
        Ok(Source { phrase, is_held_out: instrument.is_some(), heard, audio, sum })
    }

    /// Every phrase by every model, phrase by phrase.
    pub(super) fn play_cells(
        &self,
        phrases: &[Source],
        conductor: &mut Conductor<'_>,
    ) -> Result<Vec<Cell>> {
        conductor.stage("playing every phrase with every model");
        let models = self
            .learned
            .iter()
            .map(|learned| Ok((Model::load(&learned.model)?, file_sum(&learned.model)?)));
        let models: Vec<(Model, String)> = models.collect::<Result<_>>()?;
        let n = phrases.len() * models.len();
        let job = |i: usize| {
            let (phrase, model) = (i / models.len(), i % models.len());
            let played = self.play_cell(&phrases[phrase], &self.learned[model], &models[model])?;
            Ok(Cell { phrase, model, played })
        };
        let cells = each_told(n, "transfers", conductor, job)?;
        cells.ok_or_else(|| Error::Interrupted { during: "playing".to_owned() })
    }

    fn play_cell(
        &self,
        source: &Source,
        learned: &Learned,
        (model, sum): &(Model, String),
    ) -> Result<Played> {
        let name = Name::of_cell(source.phrase.family, learned.family);
        let made_of = [source.sum.clone(), sum.clone()];
        if let Some(played) = kept(self.places, &name, &made_of)? {
            return Ok(played);
        }
        let path = self.places.file(&Name::of_phrase(source.phrase.family).audio());
        let options = TransferOptions::default();
        let transfer = transfer(source.audio.clone(), &path, model, &learned.model, &options)?;
        self.write_audio(&name, &transfer.rendering.audio)?;
        self.write_picture(&name, &transfer.rendering.audio)?;
        keep(self.places, &name, &made_of, Played::of(&transfer))
    }

    fn write_audio(&self, name: &Name, audio: &[f32]) -> Result<()> {
        let path = self.places.file(&name.audio());
        Ok(write_wav(&path, audio, self.grid.sample_rate, WavFormat::Int16)?)
    }

    /// The spectrogram.
    fn write_picture(&self, name: &Name, audio: &[f32]) -> Result<()> {
        let grid = spectrogram_db(audio, self.grid.sample_rate).at_most(PICTURE_COLUMNS);
        // The noise of 16 bits is no sound.
        let max = grid.max().max(-60.0);
        let png = grid.png(max - RANGE_DB, max);
        Ok(write_atomically(&self.places.file(&name.picture()), |file| file.write_all(&png))?)
    }
}
