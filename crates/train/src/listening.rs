//! What a model makes of one example, to listen to.

use ddsp_model::{Model, derived_seed};

use crate::error::Error;
use crate::source::ExampleSource;
use crate::window::first_window;

/// Tells the noise of these sounds apart from that of training and evaluation; it is the same at
/// every step, so that what differs between two of them was learned.
const NOISE_STREAM: u64 = 0x6865_6172;

/// An example as it was recorded and as the model plays it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayedExample {
    /// Name of the example.
    pub id: String,
    /// The recording, full scale ±1.
    pub recorded: Vec<f32>,
    /// The model's sound for the recording's pitch and loudness, as long as the recording.
    pub played: Vec<f32>,
}

/// Plays the first window of example `index` with `model`.
///
/// # Errors
///
/// If the example cannot be read or used.
pub fn play_example(
    model: &Model,
    source: &dyn ExampleSource,
    index: usize,
) -> Result<PlayedExample, Error> {
    let window = first_window(source, index, &model.config)?;
    let features = window.features();
    let seed = derived_seed(derived_seed(model.config.train.seed, NOISE_STREAM), index as u64);
    let mut played = model.render(features, seed).audio;
    played.truncate(window.audio.len());
    Ok(PlayedExample { id: window.id, recorded: window.audio, played })
}
