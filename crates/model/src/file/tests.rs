use std::panic::catch_unwind;

use ddsp_kernels::NoteStatistics;

use super::*;
use crate::random::derived_seed;
use crate::{LossSummary, TrainingSummary};

/// A model of a few hundred parameters with everything known about it.
fn small_model() -> Model {
    let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
    for size in ["decoder.gru_units=4", "decoder.fc_units=4", "harmonic.n_harmonics=3"] {
        config.set(size).expect("a valid size");
    }
    config.set("noise.n_bands=3").expect("a valid size");
    let mut model = Model::new(config, 1);
    let mut statistics = NoteStatistics::default();
    statistics.add(&[60.0, 61.5, 62.0], &[1.0; 3], &[-20.0, -25.0, -30.0]);
    let (pitch, loudness) = statistics.finish().expect("three note frames");
    (model.metadata.pitch, model.metadata.loudness) = (Some(pitch), Some(loudness));
    let loss = LossSummary { total: 5.0, magnitude: 1.5, log_magnitude: 3.5 };
    model.metadata.training = Some(TrainingSummary {
        steps: 1000,
        best_step: 900,
        seconds: 1.0 / 3.0,
        n_examples: 7,
        n_held_out: 2,
        loss,
        held_out_loss: Some(loss),
    });
    model.metadata.provenance = "built-in \"strings\"\nand more".to_owned();
    model.metadata.licence = "CC0 1.0".to_owned();
    model.metadata.selection = Some("{\"hold_out\": \"none\"}".to_owned());
    model
}

fn bytes() -> Vec<u8> {
    small_model().to_bytes().expect("finite parameters")
}

/// The small model's file with the header's text `from` replaced by `to`.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let bytes = bytes();
    let header_len = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().expect("eight")))
        .expect("a short header");
    let header = std::str::from_utf8(&bytes[8..8 + header_len]).expect("JSON");
    assert!(header.contains(from), "{header} lacks {from}");
    let header = header.replacen(from, to, 1);
    let mut edited = (header.len() as u64).to_le_bytes().to_vec();
    edited.extend(header.as_bytes());
    edited.extend(&bytes[8 + header_len..]);
    edited
}

fn refusal(bytes: &[u8]) -> String {
    let error = Model::from_bytes(bytes).expect_err("not a model").to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    error
}

#[test]
fn a_model_survives_a_round_trip_and_equal_models_are_equal_bytes() {
    let model = small_model();
    assert_eq!(Model::from_bytes(&bytes()).expect("our own bytes"), model, "read back");
    assert_eq!(bytes(), bytes(), "nothing in the file depends on chance");
}

#[test]
fn a_saved_model_loads_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    fs::write(&path, b"an older file").expect("writable");
    small_model().save(&path).expect("writable");
    assert_eq!(Model::load(&path).expect("just saved"), small_model(), "read back");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "only the model");
}

#[test]
fn a_missing_file_and_an_unwritable_place_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("no/model.safetensors");
    let error = Model::load(&path).expect_err("missing").to_string();
    assert!(error.starts_with("cannot read") && error.contains("model.safetensors"), "{error}");
    let error = small_model().save(&path).expect_err("no folder").to_string();
    assert!(error.starts_with("cannot write") && error.contains("model.safetensors"), "{error}");
}

#[test]
fn a_broken_model_is_not_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    let mut model = small_model();
    *model.parameters.values.last_mut().expect("parameters") = f32::NAN;
    let error = model.save(&path).expect_err("NaN").to_string();
    assert!(error.contains("holds NaN or infinity"), "{error}");
    assert!(!path.exists(), "nothing was written");
}

#[test]
fn another_version_is_refused_with_the_reason() {
    let error = refusal(&edited(r#""format_version":"2""#, r#""format_version":"3""#));
    assert!(error.contains("version 3 is unknown: this program reads version 2"), "{error}");
    let error = refusal(&edited(r#""format":"ddsp-model""#, r#""format":"other""#));
    assert!(error.contains("its format is `other`"), "{error}");
}

#[test]
fn contradictions_and_damage_are_refused_with_the_reason() {
    let error = refusal(&edited("gru_units = 4", "gru_units = 5"));
    assert!(error.contains("but its configuration asks for"), "{error}");
    let error = refusal(&edited("gru_units = 4", "gru_units = 9999"));
    assert!(error.contains("decoder.gru_units is 9999"), "{error}");
    let error = refusal(&edited(r#""sample_rate":"16000""#, r#""sample_rate":"44100""#));
    assert!(error.contains("sample_rate is not that of its configuration"), "{error}");
    let error = refusal(&edited(r#"\"std\":"#, r#"\"str\":"#));
    assert!(error.contains("its header's `"), "{error}");
    let mut damaged = bytes();
    *damaged.last_mut().expect("bytes") ^= 1;
    assert!(refusal(&damaged).contains("SHA-256 differs"), "a flipped bit is found");
    assert!(refusal(b"RIFF, a wav").contains("not a safetensors file"), "a foreign file");
    assert!(refusal(&[]).contains("not a safetensors file"), "an empty file");
}

#[test]
fn no_truncation_is_a_model() {
    let bytes = bytes();
    for len in (0..bytes.len()).step_by(7).chain(bytes.len() - 8..bytes.len()) {
        let cut = &bytes[..len];
        let result = catch_unwind(|| Model::from_bytes(cut).is_err());
        assert!(result.unwrap_or(false), "{len} of {} bytes: a panic, or a model", bytes.len());
    }
}

#[test]
fn no_mutation_panics_or_is_a_model_of_other_values() {
    let (model, bytes) = (small_model(), bytes());
    for seed in 0..5000 {
        let mut mutated = bytes.clone();
        for i in 0..=derived_seed(seed, 0) % 4 {
            let draw = derived_seed(seed, i + 1);
            let place = usize::try_from(draw >> 8).expect("64 bits") % mutated.len();
            // Half of the time within the header, which is short beside the tensors.
            let place = if draw & 1 == 0 { place } else { place % 5000 };
            mutated[place] = draw.to_le_bytes()[7];
        }
        let read = catch_unwind(|| Model::from_bytes(&mutated));
        // What survives differs at most in the header's free text and figures.
        if let Ok(read) = read.unwrap_or_else(|_| panic!("mutation {seed} panicked")) {
            assert_eq!(read.parameters, model.parameters, "mutation {seed} changed a value");
        }
    }
}
