//! Adam with a clipped gradient and a decaying learning rate, in Keras' form.

use ddsp_model::TrainConfig;

/// Decay of the mean of gradients; the value of Kingma and Ba 2015, <https://arxiv.org/abs/1412.6980>.
const BETA_1: f64 = 0.9;

/// Decay of the mean of squared gradients.
const BETA_2: f64 = 0.999;

/// Keeps the division finite. Keras adds it to the root of the *uncorrected* second moment.
const EPSILON: f32 = 1e-7;

/// Values of a gradient whose squares are summed before the sums are added: the sum is the same
/// whoever computes the parts.
const NORM_BLOCK: usize = 4096;

/// The optimizer's state: one moment of each order for every parameter.
///
/// In step `t = 1, 2, …` with gradient `g`, scaled down to the norm `gradient_clip` where it is
/// longer, and `rate = learning_rate * decay_rate^((t - 1) / decay_steps)`, times `t / warmup_steps`
/// before that many steps:
///
/// ```text
/// m += (1 - beta_1) (g - m)        v += (1 - beta_2) (g^2 - v)
/// parameter -= rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
/// ```
///
/// The rate depends on the step alone, so a run that ends early equals the beginning of a longer
/// one; but where `decay_steps` is 0, it stands for all the steps of the training.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    learning_rate: f64,
    decay_rate: f64,
    decay_steps: f64,
    warmup_steps: f64,
    gradient_clip: f64,
    step: u64,
    first_moment: Vec<f32>,
    second_moment: Vec<f32>,
}

impl Adam {
    /// The state before the first step of `n_parameters`.
    pub fn new(n_parameters: usize, config: &TrainConfig) -> Self {
        Self {
            learning_rate: config.learning_rate,
            decay_rate: config.decay_rate,
            decay_steps: match config.decay_steps {
                0 => config.steps as f64,
                steps => steps as f64,
            },
            warmup_steps: config.warmup_steps as f64,
            gradient_clip: config.gradient_clip,
            step: 0,
            first_moment: vec![0.0; n_parameters],
            second_moment: vec![0.0; n_parameters],
        }
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        let rate = self.learning_rate * self.decay_rate.powf(self.step as f64 / self.decay_steps);
        let next = self.step as f64 + 1.0;
        if next < self.warmup_steps { rate * (next / self.warmup_steps) } else { rate }
    }

    /// The moments, `[n_parameters]` each: of first order, of second order.
    pub fn moments(&self) -> [&[f32]; 2] {
        [&self.first_moment, &self.second_moment]
    }

    /// Goes on after `step` steps that left `moments`, `[n_parameters]` each.
    ///
    /// # Panics
    ///
    /// If a length differs from the number of parameters.
    pub fn restore(&mut self, step: u64, moments: [Vec<f32>; 2]) {
        let lens = moments.each_ref().map(Vec::len);
        assert_eq!(lens, [self.first_moment.len(); 2], "Adam: moments of another length");
        self.step = step;
        [self.first_moment, self.second_moment] = moments;
    }

    /// One step on `parameters`; returns the gradient's norm before clipping.
    ///
    /// A gradient that holds NaN or infinity changes nothing, and its norm is not finite.
    ///
    /// # Panics
    ///
    /// If a length differs from the number of parameters.
    pub fn update(&mut self, gradient: &[f32], parameters: &mut [f32]) -> f64 {
        assert_eq!(gradient.len(), self.first_moment.len(), "Adam: gradient has another length");
        assert_eq!(parameters.len(), self.first_moment.len(), "Adam: parameters differ in length");
        let norm = norm(gradient);
        if !norm.is_finite() {
            return norm;
        }
        let clip = single(self.gradient_clip / norm.max(self.gradient_clip));
        let rate = self.learning_rate();
        self.step += 1;
        let t = self.step as f64;
        let rate = single(rate * (1.0 - BETA_2.powf(t)).sqrt() / (1.0 - BETA_1.powf(t)));
        let (gain_1, gain_2) = (single(1.0 - BETA_1), single(1.0 - BETA_2));

        let moments = self.first_moment.iter_mut().zip(&mut self.second_moment);
        for ((parameter, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let g = clip * g;
            *m += gain_1 * (g - *m);
            *v += gain_2 * (g * g - *v);
            *parameter -= rate * *m / (v.sqrt() + EPSILON);
        }
        norm
    }
}

/// Euclidean norm, summed in double precision in a fixed order.
fn norm(gradient: &[f32]) -> f64 {
    let block = |block: &[f32]| block.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
    gradient.chunks(NORM_BLOCK).map(block).sum::<f64>().sqrt()
}

#[expect(clippy::cast_possible_truncation, reason = "factors of the size of 1: rounding is meant")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ddsp_model::Config;
    use npyz::npz::NpzArchive;

    use super::*;

    fn solo() -> TrainConfig {
        Config::preset("solo").expect("the preset is valid").train
    }

    fn golden(key: &str) -> Vec<f32> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adam.npz");
        let mut archive = NpzArchive::open(path).expect("the golden file is part of the sources");
        let array = archive.by_name(key).expect("a readable archive").expect(key);
        array.into_vec().expect("float32")
    }

    #[test]
    fn three_steps_agree_with_the_reference() {
        let mut parameters = golden("start.out.v");
        let config = TrainConfig { learning_rate: 1e-3, ..solo() };
        let mut adam = Adam::new(parameters.len(), &config);
        for step in 0..3 {
            let norm = adam.update(&golden(&format!("step{step}.in.grad")), &mut parameters);
            let expected = f64::from(golden(&format!("step{step}.out.norm"))[0]);
            // The reference sums in f32: 24 terms, each rounded once.
            assert!((norm - expected).abs() <= 1e-6 * expected, "norm {norm} != {expected}");
            let expected = golden(&format!("step{step}.out.v"));
            for (i, (value, expected)) in parameters.iter().zip(&expected).enumerate() {
                // Values below 1 moved by 1e-3 a step: one rounding of the value for each step.
                let tolerance = 3.0 * f32::EPSILON;
                let error = (value - expected).abs();
                assert!(error <= tolerance, "step {step}, [{i}]: {value} != {expected}");
            }
        }
    }

    #[test]
    fn the_rate_decays_continuously() {
        let mut config = solo();
        (config.learning_rate, config.decay_rate, config.decay_steps) = (0.5, 0.25, 2);
        let mut adam = Adam::new(1, &config);
        let rates = [0.5, 0.25, 0.125].map(|expected| {
            let rate = adam.learning_rate();
            adam.update(&[1.0], &mut [0.0]);
            (rate - expected).abs()
        });
        assert!(rates.iter().all(|&error| error < 1e-12), "errors {rates:?}");
    }

    #[test]
    fn decay_over_no_steps_is_over_all_of_them() {
        let mut config = solo();
        (config.learning_rate, config.decay_rate) = (0.5, 0.25);
        (config.decay_steps, config.steps, config.warmup_steps) = (0, 4, 0);
        let mut adam = Adam::new(1, &config);
        adam.restore(4, [vec![0.0], vec![0.0]]);
        assert!((adam.learning_rate() - 0.125).abs() < 1e-12, "{}", adam.learning_rate());
    }

    #[test]
    fn the_rate_warms_up_in_a_straight_line_to_where_it_would_be() {
        let mut config = solo();
        (config.learning_rate, config.decay_rate, config.warmup_steps) = (0.5, 1.0, 4);
        let mut adam = Adam::new(1, &config);
        for expected in [0.125, 0.25, 0.375, 0.5, 0.5] {
            let error = (adam.learning_rate() - expected).abs();
            assert!(error < 1e-12, "rate {} for {expected}", adam.learning_rate());
            adam.update(&[1.0], &mut [0.0]);
        }
    }

    #[test]
    fn a_restored_state_goes_on_with_the_same_bits() {
        let (mut adam, mut parameters) = (Adam::new(2, &solo()), [1.0, 2.0]);
        adam.update(&[0.3, -0.1], &mut parameters);
        let mut restored = Adam::new(2, &solo());
        restored.restore(1, adam.moments().map(<[f32]>::to_vec));
        assert_eq!(restored, adam);
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        let mut adam = Adam::new(2, &solo());
        let before = adam.clone();
        for bad in [f32::NAN, f32::INFINITY] {
            let mut parameters = [1.0, 2.0];
            assert!(!adam.update(&[0.0, bad], &mut parameters).is_finite(), "norm of {bad}");
            assert_eq!((parameters, &adam), ([1.0, 2.0], &before), "after {bad}");
        }
    }
}
