//! What goes wrong in training is noticed and named.

#[path = "common/tones.rs"]
mod tones;

use ddsp_model::{Config, Model};
use ddsp_train::{
    Alarm, BatchGradient, BatchLoss, Ending, Error, Gradient, InitialModel, StepTimes, TrainEvent,
    TrainOptions, TrainOutcome, Window, train, train_with,
};

use tones::{held_out, options, tiny_config, train_set};

/// A model whose raw outputs have these biases: of the amplitude, of the noise.
fn biased(config: &Config, amplitude: f32, magnitudes: f32) -> Model {
    let mut model = Model::new(config.clone(), config.train.seed);
    let table = config.parameter_table();
    let bias = table.entries.iter().find(|entry| entry.name == "output/bias").expect("a bias");
    let values = &mut model.parameters.values[bias.range.clone()];
    values[0] = amplitude;
    let n_bands = config.noise.n_bands;
    let first = values.len() - n_bands;
    values[first..].fill(magnitudes);
    model
}

fn run(config: Config, initial: Option<&Model>) -> (TrainOutcome, Vec<String>) {
    let initial = initial.map(|model| InitialModel { model, only: None });
    let options = TrainOptions { initial, ..options(config) };
    let mut told = Vec::new();
    let outcome = train(&options, &train_set(), &held_out(), &mut |event| {
        if let TrainEvent::Alarm { alarm } = event {
            told.push(alarm.to_string());
        }
    });
    (outcome.expect("every number is finite"), told)
}

fn config(steps: u64, settings: &[&str]) -> Config {
    let mut config = tiny_config(steps);
    for setting in settings {
        config.set(setting).expect("a valid setting");
    }
    config
}

#[test]
fn a_healthy_run_raises_no_alarm() {
    for seed in ["train.seed=0", "train.seed=1"] {
        let (outcome, told) = run(config(200, &[seed, "train.evaluate_every=10"]), None);
        assert!(outcome.alarms.is_empty() && told.is_empty(), "{told:?}");
    }
}

#[test]
fn a_model_without_amplitudes_is_a_silence_collapse() {
    let config = config(200, &["train.learning_rate=1e-4"]);
    let (outcome, told) = run(config.clone(), Some(&biased(&config, -60.0, -60.0)));
    assert!(matches!(outcome.alarms[..], [Alarm::Silence { step: 150, .. }]), "{told:?}");
    assert!(told[0].starts_with("silence collapse at step 150"), "{told:?}");
    assert!(told[0].contains("train.learning_rate=3.3e-5"), "what to do: {told:?}");
}

#[test]
fn noise_without_a_tone_is_told_as_such() {
    let config = config(200, &["train.learning_rate=1e-4"]);
    let (outcome, told) = run(config.clone(), Some(&biased(&config, -60.0, 3.0)));
    assert!(matches!(outcome.alarms[..], [Alarm::Swallowed { step: 150, .. }]), "{told:?}");
    assert!(told[0].starts_with("noise swallows the tone at step 150"), "{told:?}");
}

/// The failure that the preset's learning rate avoids.
#[test]
fn a_huge_learning_rate_is_noticed() {
    let (outcome, told) = run(config(250, &["train.learning_rate=1"]), None);
    assert!(!outcome.alarms.is_empty(), "{:?}, {told:?}", outcome.records.last());
}

/// Computes as the processor does, and breaks what comes out of one step.
struct Broken {
    inner: BatchGradient,
    gradient: Vec<f32>,
    calls: u64,
    at: u64,
    value: f32,
    in_loss: bool,
}

impl Gradient for Broken {
    fn batch_len(&self) -> usize {
        self.inner.batch_len()
    }

    fn evaluate(&mut self, parameters: &[f32], batch: &[Window]) -> Result<Vec<BatchLoss>, Error> {
        let mut losses = self.inner.evaluate(parameters, batch)?;
        self.gradient = self.inner.gradient().to_vec();
        self.calls += 1;
        if self.calls == self.at && self.in_loss {
            losses[1].terms.magnitude = f64::from(self.value);
        } else if self.calls == self.at {
            self.gradient[3] = self.value;
        }
        Ok(losses)
    }

    fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    fn times(&self) -> StepTimes {
        self.inner.times()
    }
}

#[test]
fn what_is_not_finite_stops_with_step_examples_and_checkpoint() {
    let config = config(100, &["train.checkpoint_every=5", "train.evaluate_every=4"]);
    for (in_loss, value, what) in [
        (true, f32::NAN, "the loss became NaN or infinite at step 12"),
        (true, f32::INFINITY, "the loss became NaN or infinite at step 12"),
        (false, f32::NAN, "the gradient became NaN or infinite at step 12"),
        (false, f32::INFINITY, "the gradient became NaN or infinite at step 12"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let options = TrainOptions { folder: Some(folder.path()), ..options(config.clone()) };
        let inner = BatchGradient::new(&config, 1);
        let mut broken = Broken { inner, gradient: Vec::new(), calls: 0, at: 12, value, in_loss };
        let error = train_with(&mut broken, &options, &train_set(), &held_out(), &mut |_| ());
        let message = error.expect_err("not finite").to_string();
        let checkpoint = folder.path().join("checkpoint.safetensors").display().to_string();
        assert!(message.starts_with(what), "{message}");
        assert!(message.contains(&format!("of step 10, is {checkpoint}")), "{message}");
        assert!(message.contains(" Hz at "), "the examples are named: {message}");
        let model = Model::load(&folder.path().join("model.safetensors")).expect("the last good");
        assert!(model.metadata.training.expect("a summary").steps <= 12, "kept before");
        // From the checkpoint the run goes on, with a machine that is not broken.
        let options = TrainOptions { resume: true, ..options };
        let resumed = train(&options, &train_set(), &held_out(), &mut |_| ()).expect("goes on");
        assert_eq!((resumed.ending, resumed.records.len()), (Ending::Complete, 100));
    }
}

#[test]
fn training_ends_on_a_plateau_and_keeps_the_best() {
    let config =
        config(10_000, &["train.patience=3", "train.evaluate_every=5", "train.learning_rate=0.05"]);
    let (outcome, _) = run(config, None);
    assert_eq!(outcome.ending, Ending::Plateau);
    let summary = outcome.model.metadata.training.expect("a summary");
    assert_eq!(summary.steps, summary.best_step + 15, "three losses after the lowest");
    let scored =
        outcome.records.iter().filter_map(|record| Some((record.step, record.held_out?.total())));
    let (best_step, _) = scored.min_by(|a, b| a.1.total_cmp(&b.1)).expect("held-out losses");
    assert_eq!(best_step, summary.best_step);
}

#[test]
fn fine_tuning_begins_where_the_other_model_ended() {
    let (first, _) = run(config(60, &[]), None);
    let (tuned, _) = run(config(1, &["train.learning_rate=1e-9"]), Some(&first.model));
    let last = first.model.metadata.training.expect("a summary").held_out_loss.expect("held out");
    let begun = tuned.untrained_held_out.expect("held out").total();
    assert!((begun - last.total).abs() < 1e-9, "{begun} after {}", last.total);
}
