//! Windows: the stretches of examples that batches are made of.

use ddsp_data::TrainingExample;
use ddsp_kernels::VOICED_CONFIDENCE;
use ddsp_model::{Config, Features, power_db};

use crate::error::Error;
use crate::source::ExampleSource;

/// A stretch of one example, as long as the configuration says.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Name of the example.
    pub id: String,
    /// The sound to be approached; shorter than the features where the example is.
    pub audio: Vec<f32>,
    /// `[example_frames]`, the last one repeated after the end of a short example.
    pub f0_hz: Vec<f32>,
    /// `[example_frames]`, likewise.
    pub loudness_db: Vec<f32>,
    /// `[example_frames]`, likewise; empty unless the model needs it.
    pub power_db: Vec<f32>,
    /// The sound itself in the length of the features, silent after the end of a short example;
    /// empty unless the model listens to it.
    pub heard: Vec<f32>,
    /// Share of its frames that have a pitch, 0 to 1.
    pub voiced: f64,
    /// Seeds the noise that the synthesizer is given.
    pub noise_seed: u64,
}

impl Window {
    /// The frames of `example` from `first` on, with noise of seed 0.
    ///
    /// Nothing is padded with silence: what follows the end of a short example is rendered from its
    /// last frame, and is not part of the loss.
    pub(crate) fn cut(example: &TrainingExample, first: usize, config: &Config) -> Self {
        let (hop, n_frames) = (config.grid().hop, config.example_frames());
        let end = example.f0_hz.len().min(first + n_frames);
        let frames = |values: &[f32]| {
            let mut values = values[first..end].to_vec();
            let last = values.last().copied().unwrap_or_default();
            values.resize(n_frames, last);
            values
        };
        let confidence = &example.f0_confidence[first.min(example.f0_confidence.len())..];
        let confidence = &confidence[..confidence.len().min(end - first)];
        let n_voiced = confidence.iter().filter(|&&c| c >= VOICED_CONFIDENCE).count();
        let samples = first * hop..end * hop;
        let mut heard = Vec::new();
        if config.needs_audio() {
            heard.extend_from_slice(&example.audio[samples.clone()]);
            heard.resize(n_frames * hop, 0.0);
        }
        let power_db = match config.needs_power() {
            true => frames(&power_db(&example.audio, config.grid())),
            false => Vec::new(),
        };
        Self {
            id: example.id.clone(),
            audio: example.audio[samples].to_vec(),
            f0_hz: frames(&example.f0_hz),
            loudness_db: frames(&example.loudness_db),
            power_db,
            heard,
            voiced: n_voiced as f64 / confidence.len().max(1) as f64,
            noise_seed: 0,
        }
    }

    /// What a model is to play.
    pub fn features(&self) -> Features<'_> {
        let Self { f0_hz, loudness_db, power_db, heard, .. } = self;
        Features { f0_hz, loudness_db, power_db, audio: heard }
    }
}

/// Reads example `index` of `source`, whole frames of it, and checks that it can be used.
pub(crate) fn read_checked(
    source: &dyn ExampleSource,
    index: usize,
    config: &Config,
) -> Result<TrainingExample, Error> {
    let grid = config.grid();
    let mut example = source.read(index, grid)?;
    let n_frames = grid.n_frames(example.audio.len());
    let unusable = |reason: &str| {
        let (id, reason) = (example.id.clone(), reason.to_owned());
        Err(Error::Example { id, reason })
    };
    if n_frames == 0 {
        return unusable("it is shorter than one frame");
    }
    if example.f0_hz.len() < n_frames || example.loudness_db.len() < n_frames {
        return unusable("it has fewer frames of f0 or loudness than of audio");
    }
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    if !finite(&example.audio) || !finite(&example.f0_hz) || !finite(&example.loudness_db) {
        return unusable("it holds NaN or infinity");
    }
    example.f0_hz.truncate(n_frames);
    example.loudness_db.truncate(n_frames);
    Ok(example)
}

/// The beginning of example `index`, for evaluation.
pub(crate) fn first_window(
    source: &dyn ExampleSource,
    index: usize,
    config: &Config,
) -> Result<Window, Error> {
    Ok(Window::cut(&read_checked(source, index, config)?, 0, config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(batch: usize) -> Config {
        let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
        config.train.batch = batch;
        config.train.example_secs = 0.04;
        config
    }

    /// `n_frames` frames whose values are their numbers.
    fn ramp(n_frames: u16) -> TrainingExample {
        let frames: Vec<f32> = (0..n_frames).map(f32::from).collect();
        let audio = frames.iter().flat_map(|&frame| [frame; 64]).collect();
        TrainingExample {
            id: "ramp".to_owned(),
            audio,
            f0_hz: frames.clone(),
            f0_confidence: frames.clone(),
            loudness_db: frames,
            labels: Default::default(),
        }
    }

    #[test]
    fn a_short_example_holds_its_last_frame_and_adds_no_audio() {
        let (config, source) = (config(1), vec![ramp(3)]);
        let window = first_window(&source, 0, &config).expect("a readable example");
        assert_eq!(window.audio.len(), 3 * 64, "three frames of sound");
        assert_eq!(window.f0_hz[..4], [0.0, 1.0, 2.0, 2.0], "held");
        assert_eq!(window.loudness_db.len(), 10, "as long as any window");
    }

    #[test]
    fn an_unusable_example_is_named() {
        let mut broken = ramp(3);
        broken.audio[5] = f32::NAN;
        let (config, mut empty) = (config(1), ramp(0));
        empty.audio = vec![0.0; 63];
        for (example, reason) in [(broken, "NaN"), (empty, "shorter than one frame")] {
            let error = first_window(&vec![example], 0, &config).expect_err(reason).to_string();
            assert!(error.contains("ramp") && error.contains(reason), "{error}");
        }
    }
}
