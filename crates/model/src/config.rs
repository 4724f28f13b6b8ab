//! The configuration of a model and of its training: presets, TOML, single settings, validation.
//!
//! A configuration has a value for every key: defaults live in the presets only, so a file shows
//! all there is to change.

mod sections;
mod validation;

use ddsp_kernels::FrameGrid;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::nearest::nearest;

pub use sections::{
    AmplitudeCurve, AudioConfig, DecoderConfig, EncoderConfig, HarmonicConfig, InharmonicityConfig,
    Level, LossConfig, NoiseConfig, NoiseReverbConfig, ReverbConfig, SinusoidalConfig, TrainConfig,
    WavetableConfig,
};

/// The presets by name.
const PRESETS: [(&str, &str); 10] = [
    ("player", include_str!("../presets/player.toml")),
    ("seed-harmonic", include_str!("../presets/seed-harmonic.toml")),
    ("seed-sinusoidal", include_str!("../presets/seed-sinusoidal.toml")),
    ("seed-wavetable", include_str!("../presets/seed-wavetable.toml")),
    ("solo", include_str!("../presets/solo.toml")),
    ("tiny", include_str!("../presets/tiny.toml")),
    ("nsynth-ae", include_str!("../presets/nsynth-ae.toml")),
    ("vst", include_str!("../presets/vst.toml")),
    ("vst-32k", include_str!("../presets/vst-32k.toml")),
    ("vst-48k", include_str!("../presets/vst-48k.toml")),
];

/// Everything that determines a model and its training, apart from the data.
///
/// A model has the parts whose sections its configuration has: one of `harmonic` (with or without
/// `inharmonicity`), `sinusoidal` and `wavetable`, noise, at most one of `reverb` and `noise_reverb`, and perhaps an `encoder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Rates of audio and controls.
    pub audio: AudioConfig,
    /// The network from features to controls.
    pub decoder: DecoderConfig,
    /// The network from the sound itself to what pitch and level do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderConfig>,
    /// The harmonic synthesizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub harmonic: Option<HarmonicConfig>,
    /// Stiffness of the harmonic synthesizer's partials; none without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inharmonicity: Option<InharmonicityConfig>,
    /// The sinusoidal synthesizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sinusoidal: Option<SinusoidalConfig>,
    /// The wavetable synthesizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wavetable: Option<WavetableConfig>,
    /// The noise synthesizer.
    pub noise: NoiseConfig,
    /// Reverberation by a learned impulse response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverb: Option<ReverbConfig>,
    /// Reverberation by noise with learned decays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_reverb: Option<NoiseReverbConfig>,
    /// What training minimises.
    pub loss: LossConfig,
    /// How training goes about it.
    pub train: TrainConfig,
}

impl Config {
    /// The preset for who asks for none.
    pub const DEFAULT_PRESET: &str = "player";

    /// The names that [`preset`](Self::preset) knows.
    pub fn preset_names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// The preset called `name`.
    ///
    /// # Errors
    ///
    /// If there is none, naming the nearest and all there are.
    pub fn preset(name: &str) -> Result<Self, Error> {
        let known = || Self::preset_names().collect::<Vec<_>>().join(", ");
        let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).ok_or_else(|| {
            let nearest = nearest(name, Self::preset_names());
            Error::UnknownPreset { name: name.to_owned(), nearest, known: known() }
        })?;
        Self::from_toml(text)
    }

    /// Parses and validates a whole configuration.
    ///
    /// # Errors
    ///
    /// With the line and the reason if the text is not TOML, lacks a key or has one too many; with
    /// the key and its range if a value is out of range.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|e| Error::ConfigText {
            line: e.span().map_or(1, |span| line_of(text, span.start)),
            reason: one_line(e.message()),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// The configuration as TOML that [`from_toml`](Self::from_toml) reads back to the same value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field has a TOML form: validated integers fit i64")
    }

    /// Changes one value, as in `train.steps=1000`; on an error nothing changes.
    ///
    /// # Errors
    ///
    /// If the assignment has no `=`, the key is unknown (with the nearest one), or the value has
    /// the wrong type or is out of range.
    pub fn set(&mut self, assignment: &str) -> Result<(), Error> {
        let (key, value) = assignment
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .ok_or_else(|| Error::Assignment { assignment: assignment.to_owned() })?;
        let mut table = toml::Table::try_from(&*self).expect("a configuration is a TOML table");
        let slot = key
            .split_once('.')
            .and_then(|(section, name)| table.get_mut(section)?.as_table_mut()?.get_mut(name));
        let Some(slot) = slot else {
            let keys = keys(&table);
            let nearest = nearest(key, keys.iter().map(String::as_str));
            return Err(Error::UnknownKey { key: key.to_owned(), nearest });
        };
        let wrong_type = |reason: &str| Error::WrongType {
            key: key.to_owned(),
            value: value.to_owned(),
            reason: one_line(reason),
        };
        *slot = parse_value(value).ok_or_else(|| wrong_type("not a TOML value"))?;
        let config: Self =
            table.try_into().map_err(|e: toml::de::Error| wrong_type(e.message()))?;
        config.validate()?;
        *self = config;
        Ok(())
    }

    /// The frames of audio and controls.
    ///
    /// # Panics
    ///
    /// If the configuration is not valid; those from a preset, TOML or `set` are.
    pub fn grid(&self) -> FrameGrid {
        FrameGrid::new(self.audio.sample_rate, self.audio.frame_rate)
            .expect("validated: frame_rate divides sample_rate")
    }

    /// Samples of a training window: whole frames.
    pub fn example_samples(&self) -> usize {
        self.example_frames() * self.grid().hop
    }

    /// Frames of a training window.
    pub fn example_frames(&self) -> usize {
        example_frames(self)
    }
}

/// Whole frames in a training window.
fn example_frames(config: &Config) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "validated: at most 600 s at 192 kHz"
    )]
    let frames = (config.train.example_secs * f64::from(config.audio.frame_rate)).round() as usize;
    frames
}

/// `section.key` of every value.
fn keys(table: &toml::Table) -> Vec<String> {
    let section = |(name, values): (&String, &toml::Value)| {
        let keys = values.as_table().into_iter().flat_map(toml::Table::keys);
        keys.map(|key| format!("{name}.{key}")).collect::<Vec<_>>()
    };
    table.iter().flat_map(section).collect()
}

/// The TOML value that `text` spells, on one line.
fn parse_value(text: &str) -> Option<toml::Value> {
    if text.contains('\n') {
        return None;
    }
    toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value")
}

/// Line of the byte `offset`, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

/// A parser's message without its line breaks.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed_harmonic() -> Config {
        Config::preset("seed-harmonic").expect("the preset is valid")
    }

    fn refusal(assignment: &str) -> String {
        let mut config = seed_harmonic();
        let error = config.set(assignment).expect_err(assignment).to_string();
        assert_eq!(config, seed_harmonic(), "a refused {assignment} must change nothing");
        error
    }

    #[test]
    fn every_preset_is_valid_and_survives_a_round_trip() {
        for name in Config::preset_names() {
            let config = Config::preset(name).unwrap_or_else(|e| panic!("{name}: {e}"));
            let text = config.to_toml();
            assert_eq!(Config::from_toml(&text).expect("our own TOML"), config, "{text}");
        }
    }

    #[test]
    fn set_changes_one_value() {
        let mut config = seed_harmonic();
        for assignment in ["train.steps=7", "train.learning_rate=1", "loss.fft_lens = [512, 64]"] {
            config.set(assignment).unwrap_or_else(|e| panic!("{assignment}: {e}"));
        }
        let mut expected = seed_harmonic();
        expected.train.steps = 7;
        expected.train.learning_rate = 1.0;
        expected.loss.fft_lens = vec![512, 64];
        assert_eq!(config, expected, "three values change, no other");
    }

    #[test]
    fn a_misspelt_key_is_refused_with_the_nearest() {
        let error = refusal("train.step=7");
        assert_eq!(error, "unknown configuration key `train.step` (did you mean `train.steps`?)");
        assert_eq!(refusal("whatever=7"), "unknown configuration key `whatever`");
        assert_eq!(refusal("train=7"), "unknown configuration key `train`");
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_with_the_reason() {
        let cases = [
            ("train.steps", "not of the form section.key=value"),
            ("train.steps=many", "not a TOML value"),
            ("train.steps=1\n[x]", "not a TOML value"),
            ("train.steps=\"7\"", "invalid type"),
            ("train.steps=-1", "`-1` does not fit train.steps"),
            ("train.batch=0", "train.batch is 0, but must be from 1 to 1024"),
            ("train.learning_rate=nan", "train.learning_rate is NaN"),
            ("train.example_secs=1e300", "train.example_secs is 1"),
            ("audio.frame_rate=300", "a divisor of audio.sample_rate = 16000"),
            ("loss.fft_lens=[]", "the count of loss.fft_lens is 0"),
            ("loss.fft_lens=[1001]", "a multiple of 4"),
        ];
        for (assignment, reason) in cases {
            let error = refusal(assignment);
            assert!(error.contains(reason), "{assignment}: `{error}` lacks `{reason}`");
        }
    }

    #[test]
    fn an_unknown_preset_names_the_nearest() {
        let error = Config::preset("seed-harmonik").expect_err("misspelt").to_string();
        assert!(error.contains("did you mean `seed-harmonic`?"), "{error}");
    }

    #[test]
    fn foreign_toml_is_refused_with_its_line() {
        let text = seed_harmonic().to_toml().replace("batch = ", "bach = ");
        let error = Config::from_toml(&text).expect_err("an unknown key").to_string();
        let line = 1 + text.lines().position(|l| l.starts_with("bach")).expect("just written");
        assert!(error.contains(&format!("line {line}: unknown field `bach`")), "{error}");
        let missing = text.replace("bach = 1\n", "");
        let error = Config::from_toml(&missing).expect_err("a missing key").to_string();
        assert!(error.contains("missing field `batch`"), "{error}");
    }

    #[test]
    fn a_window_is_whole_frames() {
        let config = seed_harmonic();
        assert_eq!((config.example_frames(), config.example_samples()), (1000, 64_000));
    }
}
