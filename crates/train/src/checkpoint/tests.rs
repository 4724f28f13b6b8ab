use rand::RngExt;
use rand_pcg::{Pcg64, rand_core::SeedableRng};

use super::*;

fn checkpoint(best: bool) -> Checkpoint {
    let record = |step: u64| StepRecord {
        step,
        // Values that a careless reader of decimals would not give back.
        loss: SpectralLossTerms {
            magnitude: 0.1 + 0.2,
            log_magnitude: 1.0 / 3.0,
            ..Default::default()
        },
        gradient_norm: f64::MIN_POSITIVE,
        learning_rate: 1e-3 / 7.0,
        seconds: 12.3,
        held_out: None,
    };
    let values =
        |seed: f32| Parameters { values: (0..40).map(|i| seed / (i as f32 + 3.0)).collect() };
    let terms = Terms([0.1, 0.7, 0.0, 0.0, 0.0, 0.3]);
    let set: Vec<ddsp_data::TrainingExample> = Vec::new();
    Checkpoint {
        config: Config::preset("seed-harmonic").expect("the preset is valid"),
        fingerprints: [Fingerprint::new(&set); 2],
        progress: Progress {
            step: 9,
            n_unscored: 2,
            untrained_held_out: Some(terms),
            ..Default::default()
        },
        records: vec![record(8), record(9)],
        parameters: values(1.0),
        moments: [values(-1.0).values, values(2.0).values],
        best: best
            .then(|| (Best { score: 1.0 / 7.0, step: 5, held_out: Some(terms) }, values(7.0))),
    }
}

#[test]
fn a_checkpoint_survives_its_file_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(CHECKPOINT_FILE);
    for best in [false, true] {
        let expected = checkpoint(best);
        expected.save(&path).expect("written");
        assert_eq!(Checkpoint::load(&path).expect("our own"), expected);
    }
}

/// Any damage gives an error or changes nothing; never a panic, never another state.
#[test]
fn a_damaged_checkpoint_is_refused() {
    let expected = checkpoint(true);
    let bytes = expected.to_bytes();
    let mut rng = Pcg64::seed_from_u64(5);
    for case in 0..3000 {
        let mut mutant = bytes.clone();
        match case % 3 {
            0 => mutant.truncate(rng.random_range(0..bytes.len())),
            1 => {
                let at = rng.random_range(0..bytes.len());
                mutant[at] ^= rng.random_range(1..=255_u8);
            }
            _ => {
                let at = rng.random_range(0..bytes.len());
                let end = (at + rng.random_range(1..9)).min(bytes.len());
                mutant.drain(at..end);
            }
        }
        if let Ok(found) = Checkpoint::from_bytes(&mutant) {
            assert_eq!(found, expected, "case {case}");
        }
    }
}

#[test]
fn what_is_no_checkpoint_is_named_with_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(CHECKPOINT_FILE);
    let message = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        Checkpoint::load(&path).expect_err("refused").to_string()
    };
    let whole = checkpoint(true).to_bytes();
    let at = whole.windows(20).position(|w| w == b"\"format_version\":\"1\"").expect("there");
    let mut newer = whole.clone();
    newer[at + 18] = b'7';
    let mut damaged = whole.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    let config = Config::preset("seed-harmonic").expect("the preset is valid");
    let model = ddsp_model::Model::new(config, 0).to_bytes().expect("finite");
    let cases: [(&[u8], &str); 5] = [
        (b"hello", "not a safetensors file"),
        (&whole[..whole.len() / 2], "cut short"),
        (&newer, "format version is 7"),
        (&damaged, "damaged"),
        (&model, "not a checkpoint that"),
    ];
    for (bytes, reason) in cases {
        let message = message(bytes);
        assert!(message.contains(reason) && message.contains(CHECKPOINT_FILE), "{message}");
    }
}

#[test]
fn what_has_changed_since_is_told() {
    let (was, path) = (checkpoint(true), Path::new("run/checkpoint.safetensors"));
    let refusal = |config: &Config, sets, n| {
        was.check(path, config, sets, n).expect_err("refused").to_string()
    };
    was.check(path, &was.config, was.fingerprints, 40).expect("nothing has changed");
    let mut longer = was.config.clone();
    longer.train.steps += 1;
    was.check(path, &longer, was.fingerprints, 40).expect("steps may grow");
    let mut config = was.config.clone();
    config.train.steps = 8;
    assert!(refusal(&config, was.fingerprints, 40).contains("train.steps is 8, but 9 are done"));
    config = was.config.clone();
    config.train.seed = 3;
    assert!(refusal(&config, was.fingerprints, 40).contains("train.seed was 0, now 3"));
    let one = vec![ddsp_data::TrainingExample {
        id: "one".to_owned(),
        audio: vec![0.5; 64],
        f0_hz: vec![100.0],
        f0_confidence: vec![1.0],
        loudness_db: vec![-20.0],
        labels: Default::default(),
    }];
    let one = Fingerprint::new(&one);
    let message = refusal(&was.config, [was.fingerprints[0], one], 40);
    assert!(message.contains("the held-out set had 0 examples, now 1"), "{message}");
    assert!(refusal(&was.config, was.fingerprints, 41).contains("40 parameters, the model 41"));
}
