//! A run that is interrupted and goes on is the run that was not.

#[path = "common/tones.rs"]
mod tones;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ddsp_model::{Config, Model};
use ddsp_train::{Ending, TrainEvent, TrainOptions, TrainOutcome, train};
use serde_json::Value;

use tones::{held_out, options, tiny_config, train_set};

/// Tells the test binary, run anew, in which folder to train.
const FOLDER: &str = "DDSP_TEST_RESUME_FOLDER";

/// Steps of a whole run.
const STEPS: u64 = 200;

/// Checkpoints and held-out losses at steps of their own.
fn config(steps: u64) -> Config {
    let mut config = tiny_config(steps);
    for assignment in
        ["train.checkpoint_every=7", "train.evaluate_every=20", "train.decay_steps=50"]
    {
        config.set(assignment).expect("a valid setting");
    }
    config
}

fn run(folder: &Path, steps: u64, stop_at: Option<u64>) -> TrainOutcome {
    let stop = AtomicBool::new(false);
    let options = TrainOptions {
        folder: Some(folder),
        resume: true,
        stop: Some(&stop),
        ..options(config(steps))
    };
    train(&options, &train_set(), &held_out(), &mut |event| {
        if let TrainEvent::Step { record, .. } = event
            && Some(record.step + 1) == stop_at
        {
            stop.store(true, Ordering::Relaxed);
        }
    })
    .expect("training succeeds")
}

/// The lines of the log without the time, which alone may differ.
fn lines(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).expect("the log");
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        line.as_object_mut().expect("an object").remove("seconds").expect("every line has it");
        line
    };
    text.lines().map(line).collect()
}

fn assert_same(folder: &Path, outcome: &TrainOutcome, whole: &(tempfile::TempDir, TrainOutcome)) {
    let (whole_folder, whole) = whole;
    let summary = |outcome: &TrainOutcome| outcome.model.metadata.training.expect("a summary");
    let (found, expected) = (summary(outcome), summary(whole));
    assert_eq!(found.best_step, expected.best_step, "the same step is kept");
    let losses = (found.loss, found.held_out_loss);
    assert_eq!(losses, (expected.loss, expected.held_out_loss), "of the summary");
    assert_eq!(outcome.untrained_held_out, whole.untrained_held_out, "before training");
    let same = outcome.model.parameters == whole.model.parameters;
    assert!(same, "the same bits of the model that is kept");
    let file = Model::load(&folder.join("model.safetensors")).expect("the model");
    assert!(file.parameters == whole.model.parameters, "also in the folder");
    let (found, expected) = (lines(folder), lines(whole_folder.path()));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "a line of the log");
    }
    assert_eq!(found.len(), expected.len(), "lines of the log");
}

fn whole(steps: u64) -> (tempfile::TempDir, TrainOutcome) {
    let folder = tempfile::tempdir().expect("a folder");
    let outcome = run(folder.path(), steps, None);
    (folder, outcome)
}

/// Stops right at, before and after checkpoints and held-out losses.
#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let whole = whole(STEPS);
    for stops in [vec![100], vec![50], vec![20, 22, 60], vec![5, 7, 99]] {
        let folder = tempfile::tempdir().expect("a folder");
        for &stop in &stops {
            let outcome = run(folder.path(), STEPS, Some(stop));
            assert_eq!(outcome.ending, Ending::Stopped, "at step {stop}");
            assert_eq!(lines(folder.path()).len() as u64, stop, "the log ends there");
        }
        let outcome = run(folder.path(), STEPS, None);
        assert_eq!(outcome.ending, Ending::Complete, "after {stops:?}");
        assert_same(folder.path(), &outcome, &whole);
    }
}

#[test]
fn steps_may_grow() {
    let whole = whole(STEPS);
    let folder = tempfile::tempdir().expect("a folder");
    for steps in [33, 50, 50, STEPS] {
        let outcome = run(folder.path(), steps, None);
        assert_eq!((outcome.ending, lines(folder.path()).len() as u64), (Ending::Complete, steps));
    }
    let outcome = run(folder.path(), STEPS, None);
    assert_same(folder.path(), &outcome, &whole);
}

/// No test of its own: what the next one runs in a process that it kills.
#[test]
fn trains_in_the_folder_it_is_told() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        run(Path::new(&folder), STEPS, None);
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let whole = whole(STEPS);
    let folder = tempfile::tempdir().expect("a folder");
    let mut n_in_the_middle = 0;
    // Lines of the log after which a run is killed: before the first checkpoint, and on.
    for n_lines in [3, 11, 40, 41, 75, 100] {
        let mut child = start(folder.path());
        while n_whole_lines(folder.path()) < n_lines && !is_over(&mut child) {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().expect("a child can be killed");
        child.wait().expect("its end is awaited");
        let n_done = n_whole_lines(folder.path());
        n_in_the_middle += usize::from(n_done >= n_lines && (n_done as u64) < STEPS);
    }
    assert!(n_in_the_middle >= 3, "{n_in_the_middle} of 6 kills came while steps were done");
    let outcome = run(folder.path(), STEPS, None);
    assert_same(folder.path(), &outcome, &whole);
}

fn start(folder: &Path) -> Child {
    let binary = std::env::current_exe().expect("a test knows its binary");
    Command::new(binary)
        .args(["--exact", "trains_in_the_folder_it_is_told"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test binary runs")
}

fn is_over(child: &mut Child) -> bool {
    child.try_wait().expect("its state is known").is_some()
}

fn n_whole_lines(folder: &Path) -> usize {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).unwrap_or_default();
    text.bytes().filter(|&byte| byte == b'\n').count()
}

#[test]
fn another_configuration_or_other_data_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), 8, None);
    let refusal = |config: Config, n_examples: usize| {
        let options = TrainOptions { folder: Some(folder.path()), resume: true, ..options(config) };
        let set = train_set()[..n_examples].to_vec();
        let error = train(&options, &set, &held_out(), &mut |_| ());
        error.expect_err("refused").to_string()
    };
    let mut other = config(9);
    other.set("train.learning_rate=0.02").expect("a valid setting");
    let message = refusal(other, 8);
    assert!(message.contains("train.learning_rate was 0.01, now 0.02"), "{message}");
    let message = refusal(config(9), 7);
    assert!(message.contains("training set had 8 examples, now 7"), "{message}");
    let before = fs::read(folder.path().join("metrics.jsonl")).expect("the log");
    assert_eq!(before.iter().filter(|&&byte| byte == b'\n').count(), 8, "nothing was touched");
}

#[test]
fn a_run_without_resume_leaves_no_old_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), 8, None);
    let stop = AtomicBool::new(true);
    let mut other = config(30);
    other.set("train.seed=5").expect("a valid setting");
    let options =
        TrainOptions { folder: Some(folder.path()), stop: Some(&stop), ..options(other.clone()) };
    let stopped = train(&options, &train_set(), &held_out(), &mut |_| ()).expect("stopped");
    assert_eq!(stopped.records.len(), 1, "a new run's first step");
    let options = TrainOptions { resume: true, stop: None, ..options };
    let outcome = train(&options, &train_set(), &held_out(), &mut |_| ()).expect("goes on");
    assert_eq!(outcome.records[0].step, 1, "with the new run's steps");
    assert_eq!(outcome.ending, Ending::Complete);
}
