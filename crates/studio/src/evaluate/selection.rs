//! Which examples a model has heard: what training writes into the model file, and how evaluation
//! reads it back.

use ddsp_data::{ExampleIndex, F0Source, Filter, HoldOut};
use ddsp_model::ModelMetadata;
use ddsp_train::ExampleSource;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What of the data was learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// Of the examples that `filter` wants, before any was held out.
    pub(crate) fingerprint: String,
    /// Where f0 came from.
    pub(crate) f0: F0Source,
    /// Which examples were wanted.
    pub(crate) filter: Filter,
    /// Which of them were kept from training.
    pub(crate) hold_out: Option<HoldOut>,
}

impl Selection {
    /// As the model file keeps it.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data has a JSON form")
    }

    /// Of a model, if its file tells; text that cannot be read, as from a later version, tells
    /// nothing.
    pub(crate) fn of(metadata: &ModelMetadata) -> Option<Self> {
        serde_json::from_str(metadata.selection.as_deref()?).ok()
    }
}

/// Of the records of `data` in their order, whatever their files are called: 16 hexadecimal digits.
pub(crate) fn fingerprint(data: &ExampleIndex) -> String {
    format!("{:016x}", ExampleSource::fingerprint(data))
}

/// Which examples of the data are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Those that the model has not heard in training.
    HeldOut,
    /// Those that it has.
    Train,
    /// All.
    All,
}

/// The examples to judge by.
pub(super) struct Chosen {
    pub(super) examples: ExampleIndex,
    /// What the model learned from, if it is part of the same data.
    pub(super) training: Option<ExampleIndex>,
    /// What was chosen, in words.
    pub(super) words: String,
}

/// Chooses `part` of `all`, and of that what `filter` wants.
pub(super) fn choose(
    all: &ExampleIndex,
    selection: Option<&Selection>,
    part: Part,
    filter: &Filter,
) -> Result<Chosen> {
    let known = match selection {
        Some(selection) => training_set(all, selection)?.map(|data| (data, selection)),
        None => None,
    };
    let is_foreign = |data: &ExampleIndex| data.filter(filter).is_err();
    match known {
        // The training set is there, and the wanted examples are in it.
        Some((data, selection)) if !is_foreign(&data) => {
            of_training_set(&data, selection, part, filter)
        }
        _ => of_other_data(all, selection.is_some(), part, filter),
    }
}

/// The examples that `selection` was drawn from, if they are in `all`.
fn training_set(all: &ExampleIndex, selection: &Selection) -> Result<Option<ExampleIndex>> {
    let Ok(data) = all.filter(&selection.filter) else { return Ok(None) };
    Ok((fingerprint(&data) == selection.fingerprint).then_some(data))
}

fn of_training_set(
    data: &ExampleIndex,
    selection: &Selection,
    part: Part,
    filter: &Filter,
) -> Result<Chosen> {
    let (training, held_out) = match &selection.hold_out {
        Some(hold_out) => {
            let (training, held_out) = data.hold_out(hold_out)?;
            (training, Some(held_out))
        }
        None => (data.clone(), None),
    };
    let n = data.len();
    let (examples, words) = match part {
        Part::HeldOut => {
            let held_out = held_out.ok_or(Error::NothingHeldOut { n })?;
            (held_out, "held out: the examples of the model's data that it was not trained on")
        }
        Part::Train => (training.clone(), "heard: the examples that the model was trained on"),
        Part::All => (data.clone(), "all of the model's data: heard and held out together"),
    };
    let words = words.to_owned();
    Ok(Chosen { examples: examples.filter(filter)?, training: Some(training), words })
}

fn of_other_data(
    all: &ExampleIndex,
    is_known: bool,
    part: Part,
    filter: &Filter,
) -> Result<Chosen> {
    let words = match (is_known, part) {
        (_, Part::Train) => return Err(Error::NotTrainingData),
        (true, _) => {
            "other data than the model was trained on, as far as the records and their order tell: all \
             of them"
        }
        (false, _) => {
            "all: the model does not say what it was trained on, so it may have heard some of them"
        }
    };
    Ok(Chosen { examples: all.filter(filter)?, training: None, words: words.to_owned() })
}
