//! The checkpoint as bytes.

use std::collections::HashMap;

use ddsp_kernels::SpectralLossTerms;
use ddsp_model::{Config, Parameters};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Best, Checkpoint, Progress, Terms};
use crate::run_log::StepRecord;
use crate::source::Fingerprint;

const FORMAT: &str = "ddsp-checkpoint";

/// Version of the metadata and of the tensors' meaning.
const FORMAT_VERSION: &str = "1";

/// Names of the tensors that every checkpoint has.
const TENSORS: [&str; 3] = ["parameters", "first_moment", "second_moment"];

/// Name of the parameters that were kept.
const BEST: &str = "best";

/// What the metadata's `state` holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    training_set: Fingerprint,
    held_out_set: Fingerprint,
    progress: Progress,
    records: Vec<Record>,
    best: Option<Best>,
}

/// A [`StepRecord`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    step: u64,
    loss: Terms,
    gradient_norm: f64,
    learning_rate: f64,
    seconds: f64,
    held_out: Option<Terms>,
}

impl From<&StepRecord> for Record {
    fn from(record: &StepRecord) -> Self {
        let &StepRecord { step, loss, gradient_norm, learning_rate, seconds, held_out } = record;
        let (loss, held_out) = (loss.into(), held_out.map(Into::into));
        Self { step, loss, gradient_norm, learning_rate, seconds, held_out }
    }
}

impl From<Record> for StepRecord {
    fn from(record: Record) -> Self {
        let Record { step, loss, gradient_norm, learning_rate, seconds, held_out } = record;
        let held_out = held_out.map(SpectralLossTerms::from);
        Self { step, loss: loss.into(), gradient_norm, learning_rate, seconds, held_out }
    }
}

impl Checkpoint {
    /// The file's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let [training_set, held_out_set] = self.fingerprints;
        let state = State {
            training_set,
            held_out_set,
            progress: self.progress.clone(),
            records: self.records.iter().map(Record::from).collect(),
            best: self.best.as_ref().map(|(best, _)| *best),
        };
        let state = serde_json::to_string(&state).expect("numbers have a JSON form");
        let config = self.config.to_toml();
        let [first, second] = &self.moments;
        let mut tensors: Vec<(&str, Vec<u8>)> = TENSORS
            .into_iter()
            .zip([&self.parameters.values, first, second].map(|values| to_le_bytes(values)))
            .collect();
        tensors.extend(self.best.as_ref().map(|(_, best)| (BEST, to_le_bytes(&best.values))));
        let sha256 = sha256(&config, &state, tensors.iter().map(|(_, bytes)| bytes.as_slice()));
        let metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("format_version".to_owned(), FORMAT_VERSION.to_owned()),
            ("config".to_owned(), config),
            ("state".to_owned(), state),
            ("sha256".to_owned(), sha256),
        ]);
        let views = tensors.iter().map(|(name, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
            (*name, view.expect("four bytes a value"))
        });
        safetensors::serialize(views, Some(metadata)).expect("tensors as just described")
    }

    /// Reads any bytes; the error says why they are no checkpoint.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let not_ours = |e| format!("not a safetensors file, or cut short ({e})");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_ours)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(not_ours)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| metadata.get(key).map(String::as_str);
        if text("format") != Some(FORMAT) {
            return Err("it is not a checkpoint that `ddsp train` wrote".to_owned());
        }
        match text("format_version") {
            Some(FORMAT_VERSION) => {}
            found => {
                let found = found.unwrap_or("absent");
                return Err(format!(
                    "its format version is {found}, known is {FORMAT_VERSION}: it was written by \
                     another version of ddsp"
                ));
            }
        }
        let (Some(config), Some(state)) = (text("config"), text("state")) else {
            return Err("its header lacks the configuration or the state".to_owned());
        };
        let names: Vec<&str> = TENSORS.into_iter().chain([BEST]).collect();
        let found: Vec<(&str, &[u8])> = names
            .into_iter()
            .filter_map(|name| Some((name, tensors.tensor(name).ok()?.data())))
            .collect();
        if text("sha256") != Some(&sha256(config, state, found.iter().map(|(_, bytes)| *bytes))) {
            return Err("it is damaged (SHA-256 differs)".to_owned());
        }
        assemble(config, state, &found)
    }
}

/// The checkpoint of an intact file; what contradicts itself is refused.
fn assemble(config: &str, state: &str, tensors: &[(&str, &[u8])]) -> Result<Checkpoint, String> {
    let config = Config::from_toml(config).map_err(|e| format!("its configuration: {e}"))?;
    let state: State = serde_json::from_str(state).map_err(|e| format!("its state: {e}"))?;
    let values = |name: &str| -> Result<Vec<f32>, String> {
        let tensor = tensors.iter().find(|(found, _)| *found == name);
        let (_, bytes) = tensor.ok_or_else(|| format!("it lacks the tensor {name}"))?;
        let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let values: Vec<f32> = bytes.chunks_exact(4).map(value).collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(format!("its tensor {name} holds NaN or infinity")),
        }
    };
    let [parameters, first, second] = TENSORS.map(values);
    let (parameters, moments) = (Parameters { values: parameters? }, [first?, second?]);
    let best = match state.best {
        Some(best) => Some((best, Parameters { values: values(BEST)? })),
        None => None,
    };
    let n = parameters.values.len();
    let lens = moments.iter().chain(best.iter().map(|(_, best)| &best.values)).map(Vec::len);
    if let Some(other) = lens.into_iter().find(|&len| len != n) {
        return Err(format!("its tensors differ in length: {n} and {other}"));
    }
    let records: Vec<StepRecord> = state.records.into_iter().map(Into::into).collect();
    let last = records.last().map(|record| record.step);
    if last != Some(state.progress.step) || records.len() < state.progress.n_unscored {
        return Err("its state lacks the last steps".to_owned());
    }
    let fingerprints = [state.training_set, state.held_out_set];
    let progress = state.progress;
    Ok(Checkpoint { config, fingerprints, progress, records, parameters, moments, best })
}

fn to_le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn sha256<'a>(config: &'a str, state: &'a str, tensors: impl Iterator<Item = &'a [u8]>) -> String {
    let mut sha256 = Sha256::new();
    // Lengths between the parts: what moves from one to the next changes the sum.
    for part in [config.as_bytes(), state.as_bytes()].into_iter().chain(tensors) {
        sha256.update((part.len() as u64).to_le_bytes());
        sha256.update(part);
    }
    sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
