//! Beginning from another model's parameters: fine-tuning.

use ddsp_model::{Model, ParameterEntry, ParameterTable};

use crate::error::Error;

/// The part of a model that is the network from features to controls.
const DECODER: &str = "decoder";

/// What the names of all other tensors begin with.
const OTHERS: [&str; 4] = ["encoder", "wavetable", "reverb", "noise_reverb"];

/// A model to begin from.
#[derive(Clone, Copy, Debug)]
pub struct InitialModel<'a> {
    /// Where parameters are taken from.
    pub model: &'a Model,
    /// Which part to take: `decoder`, or the beginning of tensors' names such as `encoder` or
    /// `gru`; everything if there is none.
    pub only: Option<&'a str>,
}

/// What was taken from another model: names of tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Initialization {
    /// Taken: both models have them, in the same shape.
    pub taken: Vec<String>,
    /// In the new model alone, or not asked for: random, as without another model.
    pub fresh: Vec<String>,
    /// In the other model alone, though asked for.
    pub unused: Vec<String>,
}

/// Overwrites parameters of `model` by those of the same name in `initial`.
///
/// # Errors
///
/// If a tensor of the same name has another shape, naming both; or if none has the same name.
pub(crate) fn initialize(
    model: &mut Model,
    initial: &InitialModel<'_>,
) -> Result<Initialization, Error> {
    let (own, other) = (table(model), table(initial.model));
    let is_wanted =
        |entry: &&ParameterEntry| initial.only.is_none_or(|part| is_part(&entry.name, part));
    let mut report = Initialization::default();
    for entry in &own.entries {
        let found = other.entries.iter().filter(is_wanted).find(|e| e.name == entry.name);
        let Some(found) = found else {
            report.fresh.push(entry.name.clone());
            continue;
        };
        if found.shape != entry.shape {
            return Err(Error::InitialShape {
                tensor: entry.name.clone(),
                wanted: entry.shape.clone(),
                found: found.shape.clone(),
            });
        }
        let values = &initial.model.parameters.values[found.range.clone()];
        model.parameters.values[entry.range.clone()].copy_from_slice(values);
        report.taken.push(entry.name.clone());
    }
    let is_unknown = |entry: &&ParameterEntry| own.entries.iter().all(|e| e.name != entry.name);
    let unused = other.entries.iter().filter(is_wanted).filter(is_unknown);
    report.unused = unused.map(|entry| entry.name.clone()).collect();
    if report.taken.is_empty() {
        return Err(Error::NothingInitial {
            part: initial.only.unwrap_or("parameters").to_owned(),
            known: parts(&other).join(", "),
        });
    }
    Ok(report)
}

fn table(model: &Model) -> ParameterTable {
    model.config.parameter_table()
}

/// Whether the tensor `name` belongs to `part`.
fn is_part(name: &str, part: &str) -> bool {
    let is_below =
        name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    is_below || (part == DECODER && is_decoder(name))
}

/// Whether a tensor is one of the decoder's, whose names do not say so.
fn is_decoder(name: &str) -> bool {
    !OTHERS.contains(&name.split('/').next().unwrap_or_default())
}

/// The parts that a model has.
fn parts(table: &ParameterTable) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for entry in &table.entries {
        let name = entry.name.as_str();
        let first = name.split('/').next().unwrap_or_default();
        let part = if is_decoder(name) { DECODER } else { first };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use ddsp_model::Config;

    use super::*;

    fn model(settings: &[&str], seed: u64) -> Model {
        let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
        for setting in ["decoder.gru_units=6", "decoder.fc_units=8"].iter().chain(settings) {
            config.set(setting).expect("a valid setting");
        }
        Model::new(config, seed)
    }

    fn values<'a>(model: &'a Model, name: &str) -> &'a [f32] {
        let table = table(model);
        let entry = table.entries.iter().find(|entry| entry.name == name).expect(name);
        &model.parameters.values[entry.range.clone()]
    }

    #[test]
    fn everything_of_the_same_name_is_taken() {
        let (mut tuned, other) = (model(&[], 1), model(&[], 2));
        let initial = InitialModel { model: &other, only: None };
        let report = initialize(&mut tuned, &initial).expect("the same shapes");
        assert!(tuned.parameters == other.parameters, "{report:?}");
        assert!(report.fresh.is_empty() && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn only_the_named_part_is_taken() {
        let (mut tuned, fresh, other) = (model(&[], 1), model(&[], 1), model(&[], 2));
        let initial = InitialModel { model: &other, only: Some("gru") };
        let report = initialize(&mut tuned, &initial).expect("the same shapes");
        assert_eq!(report.taken, ["gru/kernel", "gru/recurrent_kernel", "gru/bias"]);
        for entry in table(&tuned).entries {
            let from = if entry.name.starts_with("gru/") { &other } else { &fresh };
            let same = values(&tuned, &entry.name) == values(from, &entry.name);
            assert!(same, "{}", entry.name);
        }
        let initial = InitialModel { model: &other, only: Some("decoder") };
        initialize(&mut tuned, &initial).expect("the same shapes");
        let same = tuned.parameters == other.parameters;
        assert!(same, "this model is nothing but a decoder");
    }

    #[test]
    fn what_one_model_alone_has_is_reported() {
        let (mut tuned, other) =
            (model(&["decoder.fc_layers=1"], 1), model(&["decoder.fc_layers=2"], 2));
        let initial = InitialModel { model: &other, only: Some("decoder") };
        let report = initialize(&mut tuned, &initial).expect("what both have agrees");
        assert!(!report.unused.is_empty() && report.fresh.is_empty(), "{report:?}");
        assert!(report.unused.iter().all(|name| name.contains("/1/")), "{report:?}");
    }

    #[test]
    fn another_shape_is_refused_with_both() {
        let (mut tuned, other) = (model(&[], 1), model(&["harmonic.n_harmonics=30"], 2));
        let initial = InitialModel { model: &other, only: None };
        let error = initialize(&mut tuned, &initial).expect_err("fewer outputs").to_string();
        let expected = "output/kernel is [8, 76] in the model to begin from, but [8, 91] here";
        assert!(error.contains(expected), "{error}");
        let initial = InitialModel { model: &other, only: Some("gru") };
        initialize(&mut tuned, &initial).expect("the recurrent layer fits");
    }

    #[test]
    fn a_part_that_is_not_there_is_refused_with_those_that_are() {
        let (mut tuned, other) = (model(&[], 1), model(&[], 2));
        for part in ["reverb", "gr", ""] {
            let initial = InitialModel { model: &other, only: Some(part) };
            let error = initialize(&mut tuned, &initial).expect_err("nothing").to_string();
            assert!(error.contains("it has decoder"), "{part}: {error}");
        }
    }
}
