//! Who is judged: models, and what needs no model.

use ddsp_model::{Config, Model};

use super::render_model;
use crate::mean_spectrum::MeanSpectrum;
use crate::window::Window;

/// Renders a window with a noise seed.
type Render<'a> = Box<dyn Fn(&Window, u64) -> Vec<f32> + Sync + 'a>;

/// Something that plays a window of a recording, by name.
pub struct Player<'a> {
    name: String,
    render: Render<'a>,
}

impl<'a> Player<'a> {
    /// A model.
    pub fn model(name: impl Into<String>, model: &'a Model) -> Self {
        Self::new(name, |window, seed| render_model(model, window, seed))
    }

    /// The model of `config` before training, from the same seed as the trained one.
    pub fn untrained(config: &Config) -> Self {
        let model = Model::new(config.clone(), config.train.seed);
        Self::new("untrained model", move |window, seed| render_model(&model, window, seed))
    }

    /// The recording itself: what a measure shows of no error at all.
    pub fn input() -> Self {
        Self::new("input itself", |window, _| window.audio.clone())
    }

    /// The recording at half its amplitude: a copy that is perfect but for its level.
    pub fn input_at_minus_6_db() -> Self {
        let half = |window: &Window, _| window.audio.iter().map(|x| 0.5 * x).collect();
        Self::new("input at -6 dB", half)
    }

    /// Digital silence.
    pub fn silence() -> Self {
        Self::new("silence", |window, _| vec![0.0; window.audio.len()])
    }

    /// A mean spectrum that follows pitch and loudness.
    pub fn mean_spectrum(mean_spectrum: &'a MeanSpectrum) -> Self {
        Self::new("mean spectrum", |window, seed| mean_spectrum.render(window.features(), seed))
    }

    fn new(name: impl Into<String>, render: impl Fn(&Window, u64) -> Vec<f32> + Sync + 'a) -> Self {
        Self { name: name.into(), render: Box::new(render) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it plays, as long as the recording.
    pub(super) fn play(&self, window: &Window, noise_seed: u64) -> Vec<f32> {
        let mut audio = (self.render)(window, noise_seed);
        audio.truncate(window.audio.len());
        audio
    }
}
