//! Plays a sound with a model: features in, adjusted, rendered, measured again.

mod comparison;
mod measures;

use std::path::Path;

use ddsp_data::{ExtractedFeatures, extract_features, extract_loudness, read_audio};
use ddsp_kernels::{FrameGrid, SpectralEnvelope, db_to_amplitude, note_frames};
use ddsp_model::{
    AdjustedFeatures, Controls, Features, LoudnessMatch, MeasuredFeatures, Model, Rendering,
    TransferOptions, adjust_features, power_db,
};

use crate::error::{Error, Result};
use crate::report::{FeatureCurves, Section, Sound, number};
use crate::sheet::sheet;

pub use comparison::comparison;
pub use measures::TransferMeasures;

/// Seed of the noise: the same sound twice is the same samples twice.
const NOISE_SEED: u64 = 1;

/// A sound and what a model made of it.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Frames of everything over time.
    pub grid: FrameGrid,
    /// What went in, at the model's rate, whole frames of it.
    pub input: Vec<f32>,
    /// Measured on it.
    pub input_features: ExtractedFeatures,
    /// What the model was asked for.
    pub request: AdjustedFeatures,
    /// What came out, in its parts.
    pub rendering: Rendering,
    /// Measured on that.
    pub output_features: ExtractedFeatures,
    /// How well it did what it was asked for.
    pub measures: TransferMeasures,
}

/// Plays the recording at `path` with `model`, which came from `model_path`.
///
/// # Errors
///
/// If the recording cannot be read or has no note, or the model does not know its training set.
pub fn transfer_file(
    path: &Path,
    model: &Model,
    model_path: &Path,
    options: &TransferOptions,
) -> Result<Transfer> {
    let audio = read_audio(path, model.config.audio.sample_rate)?.samples;
    transfer(audio, path, model, model_path, options)
}

/// Plays `audio`, at the model's rate, with `model`; the paths name the two in errors.
///
/// Unless `options.loudness` is off, one gain brings the output's notes to the level that was asked
/// for on average: a model plays soft and loud as it learned, but not to the decibel.
///
/// # Errors
///
/// If the audio is shorter than a frame or has no note, or the model does not know its training
/// set.
pub fn transfer(
    mut audio: Vec<f32>,
    path: &Path,
    model: &Model,
    model_path: &Path,
    options: &TransferOptions,
) -> Result<Transfer> {
    let grid = model.config.grid();
    let n_frames = grid.n_frames(audio.len());
    if n_frames == 0 {
        return Err(Error::TooShort { path: path.to_owned(), hop: grid.hop });
    }
    audio.truncate(n_frames * grid.hop);
    let missing = |what| Error::NoStatistics { path: model_path.to_owned(), what };
    let pitch = model.metadata.pitch.as_ref().ok_or_else(|| missing("pitch"))?;
    let loudness = model.metadata.loudness.as_ref().ok_or_else(|| missing("loudness"))?;
    let input_features = extract_features(&audio, grid);
    let ExtractedFeatures { f0_hz, f0_confidence, loudness_db } = &input_features;
    if !note_frames(f0_confidence, loudness_db).any(|is_note| is_note) {
        return Err(Error::NoNote { path: path.to_owned() });
    }
    let measured = MeasuredFeatures { f0_hz, f0_confidence, loudness_db };
    let request = adjust_features(measured, pitch, loudness, options);
    let power_db = match model.config.needs_power() {
        true => request.power_db(loudness_db, &power_db(&audio, grid)),
        false => Vec::new(),
    };
    let (f0_hz, loudness_db) = (&request.f0_hz, &request.loudness_db);
    let features = Features { f0_hz, loudness_db, power_db: &power_db, audio: &audio };
    let mut rendering = model.render(features, NOISE_SEED);
    let mut output_features = extract_features(&rendering.audio, grid);
    let gain_db = match options.loudness {
        LoudnessMatch::Off => 0.0,
        _ => measures::missing_db(&input_features, &request, &output_features),
    };
    if gain_db != 0.0 {
        amplify(&mut rendering, db_to_amplitude(gain_db));
        output_features.loudness_db = extract_loudness(&rendering.audio, grid);
    }
    let measures = TransferMeasures::new(&input_features, &request, &output_features, gain_db);
    Ok(Transfer {
        grid,
        input: audio,
        input_features,
        request,
        rendering,
        output_features,
        measures,
    })
}

/// Multiplies everything that is heard by `gain`, and the controls that made it.
fn amplify(rendering: &mut Rendering, gain: f32) {
    let Rendering { audio, tone, noise, controls } = rendering;
    let Controls { tone: tone_controls, magnitudes } = controls;
    for values in [audio, tone, noise, tone_controls.amplitudes_mut(), magnitudes] {
        values.iter_mut().for_each(|value| *value *= gain);
    }
}

impl Transfer {
    /// The panel of a report, with the measures as facts and `more` after them.
    ///
    /// `reference` is what the output's average spectrum should be like, with a name.
    pub fn section(
        &self,
        title: &str,
        lede: &str,
        more: Vec<(String, String)>,
        reference: Option<(&str, &SpectralEnvelope)>,
    ) -> Section {
        let mut facts: Vec<(String, String)> = self
            .measures
            .named()
            .into_iter()
            .map(|(name, value, unit)| (name.to_owned(), format!("{} {unit}", number(value))))
            .collect();
        facts.extend(more);
        let input_voiced = measures::voiced(&self.input_features);
        let output_voiced = measures::voiced(&self.output_features);
        let sound = Sound { reference, ..self.sound(&input_voiced, &output_voiced) };
        sound.section(title, lede, facts)
    }

    /// Everything there is to show.
    fn sound<'a>(&'a self, input_voiced: &'a [bool], output_voiced: &'a [bool]) -> Sound<'a> {
        let Rendering { audio, tone, noise, controls } = &self.rendering;
        Sound {
            grid: self.grid,
            input: &self.input,
            input_features: curves(&self.input_features, input_voiced),
            request: FeatureCurves {
                f0_hz: &self.request.f0_hz,
                voiced: &self.request.voiced,
                loudness_db: &self.request.loudness_db,
            },
            output: audio,
            output_features: curves(&self.output_features, output_voiced),
            tone,
            noise,
            controls,
            reference: None,
        }
    }

    /// The curves and maps of this sound alone, under a heading.
    fn curves_section(&self, title: &str) -> Section {
        let input_voiced = measures::voiced(&self.input_features);
        let output_voiced = measures::voiced(&self.output_features);
        let mut section = Section::new(title, "");
        section.blocks.push(self.sound(&input_voiced, &output_voiced).curves());
        section
    }

    /// The spectrograms and curves as an SVG file, for where a page does not fit.
    pub fn picture(&self) -> String {
        let input_voiced = measures::voiced(&self.input_features);
        let output_voiced = measures::voiced(&self.output_features);
        let sound = self.sound(&input_voiced, &output_voiced);
        let figures: Vec<_> = sound.spectrograms().into_iter().map(|(figure, _)| figure).collect();
        sheet(&figures, 2)
    }
}

fn curves<'a>(features: &'a ExtractedFeatures, voiced: &'a [bool]) -> FeatureCurves<'a> {
    FeatureCurves { f0_hz: &features.f0_hz, voiced, loudness_db: &features.loudness_db }
}
