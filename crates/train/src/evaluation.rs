//! How far a model, or something simpler, is from recordings it has not heard.
//!
//! [`evaluate`] and [`evaluate_baselines`] are quick and know the loss alone: training calls them
//! every few steps. [`Judge`] measures whatever there is to measure.

mod comparison;
mod measures;
mod onsets;
mod pitch;
mod player;
mod spectrum;
mod summary;

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Config, Model, derived_seed};

use crate::error::Error;
use crate::loss::ExampleLoss;
use crate::mean_spectrum::MeanSpectrum;
use crate::parallel::map_indexed;
use crate::source::ExampleSource;
use crate::window::{Window, first_window};

pub use comparison::{Judge, Judged, Performance};
pub use measures::{MEASURES, Measure, Measures};
pub use player::Player;
pub use spectrum::FLOOR_DB;
pub use summary::Summary;

/// Tells the noise of evaluation apart from that of training.
const NOISE_STREAM: u64 = 0x6576_616c;

/// Examples from which the mean spectrum is learned, at most: more change it little.
const MEAN_SPECTRUM_EXAMPLES: usize = 200;

/// What a model has to beat, each on the same examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baselines {
    /// Digital silence.
    pub silence: SpectralLossTerms,
    /// The model before training, from the same seed.
    pub untrained: SpectralLossTerms,
    /// The training set's [`MeanSpectrum`], played with the pitch and loudness of the example.
    pub mean_spectrum: SpectralLossTerms,
}

/// Which examples are looked at, and by how many threads.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationOptions {
    /// At most so many examples, evenly spaced.
    pub max_examples: usize,
    /// Threads that share the examples; the result does not depend on them.
    pub n_threads: usize,
}

/// Mean spectral loss of `model` over the first windows of the examples in `source`.
///
/// # Errors
///
/// If there is no example, or one cannot be read.
pub fn evaluate(
    model: &Model,
    source: &dyn ExampleSource,
    options: EvaluationOptions,
) -> Result<SpectralLossTerms, Error> {
    mean_loss(&model.config, source, options, |window, noise_seed| {
        render_model(model, window, noise_seed)
    })
}

/// The losses of the baselines on `held_out`, the mean spectrum being that of `train_set`.
///
/// # Errors
///
/// If a set has no example, or one cannot be read.
pub fn evaluate_baselines(
    config: &Config,
    train_set: &dyn ExampleSource,
    held_out: &dyn ExampleSource,
    options: EvaluationOptions,
) -> Result<Baselines, Error> {
    let untrained = Model::new(config.clone(), config.train.seed);
    let mean_spectrum = MeanSpectrum::of(config, train_set, options.n_threads)?;
    Ok(Baselines {
        silence: mean_loss(config, held_out, options, |_, _| vec![0.0; config.example_samples()])?,
        untrained: evaluate(&untrained, held_out, options)?,
        mean_spectrum: mean_loss(config, held_out, options, |window, noise_seed| {
            mean_spectrum.render(window.features(), noise_seed)
        })?,
    })
}

/// What `model` makes of a window: the only place where evaluation plays a model.
fn render_model(model: &Model, window: &Window, noise_seed: u64) -> Vec<f32> {
    model.render(window.features(), noise_seed).audio
}

impl MeanSpectrum {
    /// That of up to 200 examples of `train_set`, evenly spaced.
    ///
    /// # Errors
    ///
    /// If an example cannot be read or used.
    pub fn of(
        config: &Config,
        train_set: &dyn ExampleSource,
        n_threads: usize,
    ) -> Result<Self, Error> {
        let indices = spaced(train_set.len(), MEAN_SPECTRUM_EXAMPLES);
        let learned = map_indexed(indices.len(), n_threads, |i| {
            let window = first_window(train_set, indices[i], config)?;
            let mut spectrum = Self::new(config.grid());
            spectrum.learn(&window.audio, window.features());
            Ok::<_, Error>(spectrum)
        });
        let mut sum = Self::new(config.grid());
        for spectrum in learned {
            sum.merge(&spectrum?);
        }
        Ok(sum)
    }
}

/// Mean over examples of the loss of what `render` makes of a window and a noise seed.
fn mean_loss(
    config: &Config,
    source: &dyn ExampleSource,
    options: EvaluationOptions,
    render: impl Fn(&Window, u64) -> Vec<f32> + Sync,
) -> Result<SpectralLossTerms, Error> {
    let indices = spaced(source.len(), options.max_examples);
    if indices.is_empty() {
        return Err(Error::NoExamples);
    }
    let seed = derived_seed(config.train.seed, NOISE_STREAM);
    let losses = map_indexed(indices.len(), options.n_threads, |i| {
        let window = first_window(source, indices[i], config)?;
        let audio = render(&window, derived_seed(seed, indices[i] as u64));
        Ok::<_, Error>(ExampleLoss::new(config, 1).evaluate(&window.audio, &audio, 1.0, None))
    });
    let mut sum = SpectralLossTerms::default();
    for terms in losses {
        sum += terms?;
    }
    Ok(sum / indices.len() as f64)
}

/// At most `max` of `n` indices, evenly spaced from the first on.
fn spaced(n: usize, max: usize) -> Vec<usize> {
    let count = n.min(max);
    (0..count).map(|i| i * n / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaced_indices_are_all_or_spread() {
        assert_eq!(spaced(3, 10), [0, 1, 2], "all of few");
        assert_eq!(spaced(10, 4), [0, 2, 5, 7], "some of many");
        assert_eq!(spaced(0, 4), [0; 0], "none of none");
    }
}
