use ddsp_data::TrainingExample;
use ddsp_model::Model;

use super::*;
use crate::order::Order;

const N_FRAMES: usize = 40;

fn config(batch: usize) -> Config {
    let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
    for assignment in [
        "decoder.gru_units=6",
        "decoder.fc_units=8",
        "harmonic.n_harmonics=5",
        "noise.n_bands=6",
        "noise.initial_bias=-1",
        "loss.fft_lens=[256, 64]",
        "train.example_secs=0.16",
    ] {
        config.set(assignment).expect("a valid setting");
    }
    config.train.batch = batch;
    config
}

/// Examples of faint noise with different features. They are quieter than an untrained model at
/// every frequency, so that the loss has no kink near it.
fn examples(n: u16) -> Vec<TrainingExample> {
    let example = |i: u16| {
        let mut audio = vec![0.0; N_FRAMES * 64];
        uniform_noise(u64::from(i), &mut audio);
        audio.iter_mut().for_each(|x| *x *= 1e-5);
        TrainingExample {
            id: format!("example {i}"),
            audio,
            f0_hz: vec![200.0 + 70.0 * f32::from(i); N_FRAMES],
            f0_confidence: vec![1.0; N_FRAMES],
            loudness_db: (0..N_FRAMES).map(|frame| -20.0 - 0.5 * frame as f32).collect(),
            labels: Default::default(),
        }
    };
    (0..n).map(example).collect()
}

/// The first batch of as many examples.
fn batch(config: &Config) -> Vec<Window> {
    let n = u16::try_from(config.train.batch).expect("a few");
    let set = examples(n);
    let draws = Order::new(&set, config).batch(0);
    draws.iter().map(|draw| draw.window(&set, config).expect("usable examples")).collect()
}

fn total(losses: &[BatchLoss]) -> f64 {
    losses.iter().map(|loss| loss.terms.total()).sum::<f64>() / losses.len() as f64
}

/// From the parameters to the mean loss: the derivative along the gradient, within each tensor, is
/// the length of that gradient.
#[test]
fn the_gradient_of_every_tensor_is_the_slope_of_the_loss_along_it() {
    let config = config(2);
    let batch = batch(&config);
    let parameters = Model::new(config.clone(), 3).parameters.values;
    let mut batch_gradient = BatchGradient::new(&config, 2);
    batch_gradient.evaluate(&parameters, &batch).expect("computed");
    let gradient = batch_gradient.gradient().to_vec();
    for entry in config.parameter_table().entries {
        let direction = &gradient[entry.range.clone()];
        let length = direction.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
        let mut slope = |step: f64| {
            let [plus, minus] = [step, -step].map(|step| {
                let mut moved = parameters.clone();
                for (value, &g) in moved[entry.range.clone()].iter_mut().zip(direction) {
                    #[expect(clippy::cast_possible_truncation, reason = "a parameter is f32")]
                    let change = (step * f64::from(g) / length) as f32;
                    *value += change;
                }
                let losses = batch_gradient.evaluate(&moved, &batch);
                total(&losses.expect("computed"))
            });
            (plus - minus) / (2.0 * step)
        };
        // Short, since the logarithm bends sharply where a bin is close to silence; even so such a
        // bin in reach adds a few thousandths. Rounding of a loss of about 10, from a thousand bins
        // good to 1e-6 each, is 3e-7: over a difference of 1e-3 it is 3e-4, more where errors agree.
        let numeric = slope(5e-4);
        let tolerance = 5e-3 * length + 2e-3;
        assert!(
            (numeric - length).abs() <= tolerance,
            "{}: slope {numeric}, gradient {length}, tolerance {tolerance}",
            entry.name,
        );
        assert!(tolerance < 0.02 * length, "{}: {tolerance} of {length} tells nothing", entry.name);
    }
}

#[test]
fn losses_and_gradients_agree_for_any_number_of_threads() {
    let config = config(3);
    let batch = batch(&config);
    let parameters = Model::new(config.clone(), 3).parameters.values;
    let evaluate = |n_threads: usize| {
        let mut batch_gradient = BatchGradient::new(&config, n_threads);
        let losses = batch_gradient.evaluate(&parameters, &batch).expect("computed");
        (losses, batch_gradient.gradient().to_vec())
    };
    let (losses, gradient) = evaluate(1);
    let largest = gradient.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
    for n_threads in [2, 3, 7] {
        let (other_losses, other_gradient) = evaluate(n_threads);
        for (loss, other) in losses.iter().zip(&other_losses) {
            assert_eq!(loss.id, other.id, "losses come in the batch's order");
            // Rows of a matrix product may be summed in another order.
            let error = (loss.terms.total() - other.terms.total()).abs();
            assert!(error <= 1e-5 * loss.terms.total(), "{n_threads} threads: {other:?}");
        }
        for (g, other) in gradient.iter().zip(&other_gradient) {
            let error = (g - other).abs();
            assert!(error <= 1e-4 * largest, "{n_threads} threads: {other} != {g} of {largest}");
        }
        let (again, same_gradient) = evaluate(n_threads);
        let same_losses = again.iter().zip(&other_losses).all(|(a, b)| a.terms == b.terms);
        assert!(same_losses && same_gradient == other_gradient, "{n_threads} threads: other bits");
    }
}
