//! A real client: TensorBoard reads the event files that are written here.
//!
//! `DDSP_TENSORFLOW_PYTHON` names a Python that has TensorBoard; `.ci/run` makes one. Without it, the
//! test says loudly that it is skipped.

use std::path::Path;
use std::process::Command;

use ddsp_train::{EventFile, EventValue};
use serde_json::{Value, json};

/// What TensorBoard finds in a run folder, unless there is none.
fn found(folder: &Path) -> Option<Value> {
    let Some(python) = std::env::var_os("DDSP_TENSORFLOW_PYTHON") else {
        eprintln!("SKIPPED: DDSP_TENSORFLOW_PYTHON names no Python with TensorBoard");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tensorboard_client.py");
    let output = Command::new(python).arg(script).arg(folder).output().expect("Python runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

/// Writes one number, one sound and one picture of each of `steps`.
fn write(folder: &Path, last_step: u64, steps: impl Iterator<Item = u8>, offset: f64) {
    let mut events = EventFile::create(folder, last_step).expect("created");
    for step in steps {
        let bytes = [step, 0, 255];
        let values = [
            ("loss/total", EventValue::Scalar(offset + f64::from(step))),
            ("held out", EventValue::Audio { wav: &bytes, sample_rate: 16_000, n_samples: 900 }),
            ("spectra", EventValue::Picture { png: &bytes, width: 640, height: 220 }),
        ];
        events.write(u64::from(step), &values).expect("written");
    }
}

#[test]
fn tensorboard_reads_numbers_sounds_and_pictures_of_a_resumed_run() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), 0, 1..=5, 0.0);
    write(folder.path(), 3, 4..=6, 0.5);
    let Some(found) = found(folder.path()) else { return };
    // Steps 4 and 5 of the first file were not kept by whoever resumed after step 3.
    let expected = json!([[1, 1.0], [2, 2.0], [3, 3.0], [4, 4.5], [5, 5.5], [6, 6.5]]);
    assert_eq!(found["scalars"]["loss/total"], expected);
    let audio: Vec<Value> =
        (1..=6).map(|step| json!([step, 16_000.0, "audio/wav", 900, [step, 0, 255]])).collect();
    assert_eq!(found["audio"]["held out"], json!(audio));
    let pictures: Vec<Value> =
        (1..=6).map(|step| json!([step, 640, 220, [step, 0, 255]])).collect();
    assert_eq!(found["images"]["spectra"], json!(pictures));
}
