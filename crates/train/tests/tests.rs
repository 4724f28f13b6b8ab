//! Trains a tiny model on synthetic tones, for real.

#[path = "common/tones.rs"]
mod tones;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use ddsp_data::{TrainingExample, extract_features};
use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Config, Features, Model};
use ddsp_train::{
    Ending, EvaluationOptions, TrainEvent, TrainOptions, TrainOutcome, evaluate_baselines, train,
};

use tones::{GRID, held_out, options, tiny_config, train_set};

fn run(options: &TrainOptions<'_>) -> TrainOutcome {
    train(options, &train_set(), &held_out(), &mut |_| ()).expect("training succeeds")
}

#[test]
fn a_tiny_model_learns_an_instrument_of_tones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = tiny_config(300);
    let mut estimated = false;
    let options = TrainOptions { folder: Some(folder.path()), ..options(config.clone()) };
    let outcome = train(&options, &train_set(), &held_out(), &mut |event| {
        estimated |= matches!(event, TrainEvent::Estimated { total_secs, .. } if total_secs > 0.0);
    })
    .expect("training succeeds");
    assert!(estimated, "the duration is foretold");

    let evaluation = EvaluationOptions { max_examples: 10, n_threads: 2 };
    let baselines = evaluate_baselines(&config, &train_set(), &held_out(), evaluation)
        .expect("usable examples");
    let trained = outcome.model.metadata.training.expect("a summary");
    let held_out_loss = trained.held_out_loss.expect("an example is held out").total;
    println!("held-out loss {held_out_loss:.3}, {baselines:.3?}");
    assert_eq!(outcome.untrained_held_out, Some(baselines.untrained), "the same untrained model");
    // Most of what is left is the noise's: two noises of one spectrum score 1.1 in log magnitude.
    assert!(held_out_loss < 0.4 * baselines.untrained.total(), "{held_out_loss}");
    assert!(held_out_loss < baselines.mean_spectrum.total(), "{held_out_loss}");
    assert!(baselines.mean_spectrum.total() < baselines.silence.total(), "{baselines:?}");

    check_files(folder.path(), &outcome);
    check_sound(&outcome.model);
}

/// The run folder holds the model, the configuration and a line for every step.
fn check_files(folder: &std::path::Path, outcome: &TrainOutcome) {
    let loaded = Model::load(&folder.join("model.safetensors")).expect("the best model");
    assert!(loaded == outcome.model, "the file is the outcome");
    let config = fs::read_to_string(folder.join("config.toml")).expect("the configuration");
    assert_eq!(Config::from_toml(&config).expect("our own TOML"), loaded.config, "as resolved");
    let log = fs::read_to_string(folder.join("metrics.jsonl")).expect("the log");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 300, "one line a step");
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["step"], i + 1, "in order");
        let terms = ["loss_magnitude", "loss_log_magnitude"].map(|key| line[key].as_f64());
        let sum = terms[0].expect("a number") + terms[1].expect("a number");
        assert!((line["loss"].as_f64().expect("a number") - sum).abs() < 1e-9, "{line}");
        assert_eq!(line["held_out_loss"].is_null(), (i + 1) % 50 != 0, "{line}");
    }
}

/// What the model plays has the pitch and the loudness that were asked for.
fn check_sound(model: &Model) {
    let example = &held_out()[0];
    let features = Features::new(&example.f0_hz, &example.loudness_db);
    let played = extract_features(&model.render(features, 1).audio, GRID);
    for i in 20..105 {
        let cents = 1200.0 * (played.f0_hz[i] / example.f0_hz[i]).log2();
        assert!(cents.abs() < 10.0, "frame {i}: {} Hz is off by {cents} cents", played.f0_hz[i]);
        let error_db = played.loudness_db[i] - example.loudness_db[i];
        assert!(error_db.abs() < 3.0, "frame {i}: loudness is off by {error_db} dB");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let config = tiny_config(5);
    let outcome = run(&options(config.clone()));
    let again = run(&options(config.clone()));
    assert!(outcome.model.parameters == again.model.parameters, "same seed, same threads");
    let losses = |outcome: &TrainOutcome| -> Vec<SpectralLossTerms> {
        outcome.records.iter().map(|record| record.loss).collect()
    };
    assert_eq!(losses(&outcome), losses(&again), "step by step");
    let mut first = true;
    let one = run(&TrainOptions { n_threads: 1, ..options(config.clone()) });
    for (two, one) in losses(&outcome).iter().zip(losses(&one)) {
        // Before the first update only sums have another order. Adam's first steps then follow the
        // sign of every gradient, those of mere rounding included.
        let error = (two.total() - one.total()).abs() / one.total();
        assert!(error <= if first { 1e-5 } else { 1e-2 }, "two threads {two:?}, one {one:?}");
        first = false;
    }
    let mut config = config;
    config.train.seed = 1;
    let other = run(&options(config));
    assert!(outcome.model.parameters != other.model.parameters, "another seed");
}

#[test]
fn a_stopped_run_keeps_the_model_of_a_shorter_one() {
    let stop = AtomicBool::new(false);
    let options = TrainOptions { stop: Some(&stop), ..options(tiny_config(1000)) };
    let stopped = train(&options, &train_set(), &held_out(), &mut |event| {
        if matches!(event, TrainEvent::Step { record, .. } if record.step == 3) {
            stop.store(true, Ordering::Relaxed);
        }
    })
    .expect("stopping is no failure");
    assert_eq!((stopped.ending, stopped.records.len()), (Ending::Stopped, 4), "the step under way");
    let shorter = run(&tones::options(tiny_config(4)));
    assert!(stopped.model.parameters == shorter.model.parameters, "as if planned");
}

#[test]
fn a_spent_time_budget_ends_training_after_one_step() {
    let options = TrainOptions { time_budget_secs: Some(0.0), ..options(tiny_config(1_000_000)) };
    let outcome = run(&options);
    assert_eq!((outcome.ending, outcome.records.len()), (Ending::TimeBudget, 1), "no second step");
}

#[test]
fn a_loss_that_is_not_finite_stops_with_the_example_and_leaves_the_last_good_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut set = train_set();
    let mut config = tiny_config(100);
    config.set("train.evaluate_every=1").expect("a valid setting");
    set[5].id = "the loud one".to_owned();
    set[5].audio.iter_mut().for_each(|x| *x *= 3e38);
    let options = TrainOptions { folder: Some(folder.path()), ..options(config) };
    let error = train(&options, &set, &held_out(), &mut |_| ()).expect_err("an overflow");
    let message = error.to_string();
    assert!(
        message.contains("NaN or infinite at step") && message.contains("the loud one"),
        "{message}"
    );
    let model = Model::load(&folder.path().join("model.safetensors"));
    assert!(message.contains("step 1 ") || model.is_ok(), "{model:?} after {message}");
}

#[test]
fn an_empty_training_set_is_refused() {
    let none: Vec<TrainingExample> = Vec::new();
    let error = train(&options(tiny_config(1)), &none, &none, &mut |_| ()).expect_err("nothing");
    assert!(error.to_string().contains("training set is empty"), "{error}");
}

#[test]
fn without_held_out_examples_the_training_loss_decides() {
    let none: Vec<TrainingExample> = Vec::new();
    let outcome = train(&options(tiny_config(60)), &train_set(), &none, &mut |_| ())
        .expect("training succeeds");
    assert!(outcome.records.iter().all(|record| record.held_out.is_none()), "nothing held out");
    let summary = outcome.model.metadata.training.expect("a summary");
    assert_eq!((summary.best_step, summary.held_out_loss), (60, None), "the end is the best");
}
