//! The demo at a size that takes seconds: the work is done, the checks are not met.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use ddsp_data::Pitches;
use ddsp_studio::{Conductor, DemoOptions, DemoReport, Event, demo, wav_bytes};
use serde_json::Value;

/// A demo of two families and a model that learns nothing in six steps.
fn tiny(out: &Path) -> DemoOptions {
    let mut options = DemoOptions::new(out.to_owned()).expect("the preset");
    options.synth.families = vec!["string".to_owned(), "keyboard".to_owned()];
    options.synth.n_instruments = 2;
    options.synth.pitches = Pitches::Count(4);
    options.synth.velocities = vec![80];
    options.n_held_out = [1, 1];
    let settings = [
        "decoder.gru_units=16",
        "decoder.fc_units=16",
        "harmonic.n_harmonics=10",
        "noise.n_bands=9",
        "train.example_secs=1.0",
        "train.batch=2",
        "train.steps=6",
        "train.evaluate_every=3",
    ];
    for setting in settings {
        options.config.set(setting).expect("a setting");
    }
    options
}

fn run(options: &DemoOptions) -> (DemoReport, Vec<String>) {
    let mut lines = Vec::new();
    let mut tell = |event| {
        if let Event::Result(line) = event {
            lines.push(line);
        }
    };
    let stop = AtomicBool::new(false);
    let mut conductor = Conductor { tell: &mut tell, stop: &stop, n_threads: 2 };
    let report = demo(options, &mut conductor).expect("the work is done");
    (report, lines)
}

#[test]
fn the_demo_goes_the_whole_way_and_twice_gives_the_same_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = tiny(&folder.path().join("demo"));
    let mine = folder.path().join("mine.wav");
    #[expect(clippy::cast_possible_truncation, reason = "samples of a tone")]
    let tone: Vec<f32> = (0..16_000)
        .map(|i| (0.3 * (f64::from(i) * 330.0 * std::f64::consts::TAU / 16_000.0).sin()) as f32)
        .collect();
    fs::write(&mine, wav_bytes(&tone, 16_000)).expect("written");
    options.input = Some(mine);

    let (report, lines) = run(&options);
    assert_eq!((report.notes.notes, report.sorting.records), (16, 16), "every note was sorted");
    assert!(report.checks[0].met(), "sorting loses nothing");
    assert!(report.failed().count() > 0, "six steps teach nothing, and the checks see it");
    assert_eq!(report.checks.len(), 11, "sorting, three baselines, four and three for two sounds");
    assert!(lines.iter().any(|line| line.contains("sorted 16 records in, 16 out")), "{lines:?}");
    let page = fs::read_to_string(&report.report).expect("a page");
    for title in ["Training", "Keyboard phrase", "Held-out string note", "Your sound"] {
        assert!(page.contains(title), "the page has no {title}");
    }
    let summary = fs::read(options.out.join("summary.json")).expect("a summary");
    let summary: Value = serde_json::from_slice(&summary).expect("JSON");
    let checks = serde_json::to_value(&report.checks).expect("JSON");
    assert_eq!(summary["checks"], checks, "the file says what was checked");

    let (again, lines) = run(&options);
    assert_eq!(serde_json::to_value(&again.checks).expect("JSON"), checks, "the same figures");
    assert!(lines.iter().any(|line| line.contains("learned earlier")), "{lines:?}");
}
