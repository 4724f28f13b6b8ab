use super::*;
use crate::random::uniform_noise;
use crate::testing::{Example, small_configs};
use crate::{Model, Rendering};

const N_FRAMES: usize = 12;

fn noise(seed: u64, n_samples: usize) -> Vec<f32> {
    let mut noise = vec![0.0; n_samples];
    uniform_noise(seed, &mut noise);
    noise
}

/// Two unlike examples.
fn examples(config: &Config, n_frames: usize) -> [Example; 2] {
    [Example::rising(config, n_frames), Example::falling(config, n_frames)]
}

/// The audio of example `row`.
fn forward_example(autoencoder: &mut Autoencoder, row: usize, features: Features) -> Vec<f32> {
    let n_samples = features.f0_hz.len() * autoencoder.config.grid().hop;
    let [mut dry, mut filtered] = [vec![0.0; n_samples], vec![0.0; n_samples]];
    let branches = autoencoder.branches(row);
    branches.tone.forward(features.f0_hz, &mut dry);
    branches.noise.forward(&noise(row as u64, n_samples), &mut filtered);
    dry.iter_mut().zip(&filtered).for_each(|(dry, noise)| *dry += noise);
    let Some(reverb) = branches.reverb else { return dry };
    let mut audio = vec![0.0; n_samples];
    reverb.forward(&dry, &mut audio);
    audio
}

/// The audio of every example, one after another.
fn forward(autoencoder: &mut Autoencoder, parameters: &[f32], examples: &[Features]) -> Vec<f32> {
    autoencoder.decode(parameters, examples);
    let rows = examples.iter().enumerate();
    rows.flat_map(|(row, &features)| forward_example(autoencoder, row, features)).collect()
}

/// The gradient of `sum grad_audio * audio` with respect to all parameters.
fn gradient(
    autoencoder: &mut Autoencoder,
    parameters: &[f32],
    examples: &[Features],
    grad_audio: &[f32],
) -> Vec<f32> {
    autoencoder.decode(parameters, examples);
    let n_samples = grad_audio.len() / examples.len();
    for (row, (&features, grad_audio)) in
        examples.iter().zip(grad_audio.chunks(n_samples)).enumerate()
    {
        let input = noise(row as u64, n_samples);
        let [mut dry, mut filtered] = [vec![0.0; n_samples], vec![0.0; n_samples]];
        let branches = autoencoder.branches(row);
        branches.tone.forward(features.f0_hz, &mut dry);
        branches.noise.forward(&input, &mut filtered);
        dry.iter_mut().zip(&filtered).for_each(|(dry, noise)| *dry += noise);
        let mut grad_dry = grad_audio.to_vec();
        if let Some(reverb) = branches.reverb {
            reverb.backward(&dry, grad_audio, &mut grad_dry);
        }
        branches.tone.backward(features.f0_hz, &grad_dry);
        branches.noise.backward(&input, &grad_dry);
        autoencoder.store_gradient(row);
    }
    let mut gradient = vec![0.0; parameters.len()];
    autoencoder.backward(parameters, &mut gradient);
    gradient
}

/// The derivative of `sum grad_audio * audio` along the gradient itself, within each tensor, is the
/// length of that gradient.
#[test]
fn the_gradient_of_every_tensor_of_every_preset_is_the_slope_along_it() {
    for (preset, config) in small_configs() {
        let sounds = examples(&config, N_FRAMES);
        let examples = sounds.each_ref().map(Example::features);
        let parameters = Model::new(config.clone(), 3).parameters.values;
        let mut autoencoder = Autoencoder::new(&config, N_FRAMES, 2);
        let grad_audio = noise(9, 2 * N_FRAMES * config.grid().hop);
        let gradient = gradient(&mut autoencoder, &parameters, &examples, &grad_audio);
        // A second pass finds the same: nothing is left over from the first.
        let again = self::gradient(&mut autoencoder, &parameters, &examples, &grad_audio);
        assert_eq!(gradient, again, "{preset}: twice");
        for entry in config.parameter_table().entries {
            let direction = &gradient[entry.range.clone()];
            let length = direction.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
            assert!(length > 0.0, "{preset}: {} has no gradient", entry.name);
            let mut slope = |step: f64| {
                let [plus, minus] = [step, -step].map(|step| {
                    let mut moved = parameters.clone();
                    for (value, &g) in moved[entry.range.clone()].iter_mut().zip(direction) {
                        #[expect(clippy::cast_possible_truncation, reason = "a parameter is f32")]
                        let change = (step * f64::from(g) / length) as f32;
                        *value += change;
                    }
                    let audio = forward(&mut autoencoder, &moved, &examples);
                    let terms = audio.iter().zip(&grad_audio);
                    terms.map(|(&x, &g)| f64::from(x) * f64::from(g)).sum::<f64>()
                });
                (plus - minus) / (2.0 * step)
            };
            // A wide step meets corners of leaky ReLUs and bends of frequencies, a short one rounding:
            // for a right gradient one of them lies between.
            let is_slope = |step: f64| {
                let (coarse, fine) = (slope(step), slope(0.5 * step));
                let numeric = fine + (fine - coarse) / 3.0;
                // At least 1,536 samples of about 0.5, each rounded by 3e-8, weigh into a difference
                // over the step with 3e-8 * sqrt(1536) * 0.5 / step = 6e-7 / step; what extrapolation
                // leaves is of the order of its own correction.
                let tolerance = 2e-3 * length + 2e-6 / step + 0.2 * (fine - coarse).abs();
                (numeric - length).abs() <= tolerance && tolerance < 0.05 * length
            };
            let steps = [0.02, 0.006, 0.002, 0.0006, 0.0002];
            let is_right = steps.into_iter().any(is_slope);
            assert!(is_right, "{preset}, {}: {length} is not the slope", entry.name);
        }
    }
}

#[test]
fn an_example_sounds_the_same_alone_and_in_company() {
    for (preset, config) in small_configs() {
        let sounds = examples(&config, N_FRAMES);
        let examples = sounds.each_ref().map(Example::features);
        let model = Model::new(config.clone(), 3);
        let mut autoencoder = Autoencoder::new(&config, N_FRAMES, 2);
        let together = forward(&mut autoencoder, &model.parameters.values, &examples);
        let n_samples = together.len() / 2;
        for (row, features) in examples.into_iter().enumerate() {
            let Rendering { audio, .. } = model.render(features, row as u64);
            let together = &together[row * n_samples..(row + 1) * n_samples];
            for (n, (alone, together)) in audio.iter().zip(together).enumerate() {
                // Sums of a few tens of products of the size of 1, in another order.
                let difference = (alone - together).abs();
                assert!(difference < 1e-5, "{preset}, {row}, {n}: {alone} != {together}");
            }
        }
    }
}
