//! What an evaluation found, for people and for scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ddsp_data::Labels;
use ddsp_train::{Judged, MEASURES, Measure, Measures, Summary};
use serde::Serialize;

use super::label::{Group, Label};
use super::selection::Part;
use crate::report::number;

/// A player over some examples: every measure by its key.
pub type Summaries = BTreeMap<&'static str, Summary>;

/// One player over all examples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlayerSummary {
    /// `model`, or what a baseline is called.
    pub name: String,
    /// By key.
    pub measures: Summaries,
}

/// The model over the examples of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupSummary {
    /// What the label's value is called.
    pub name: String,
    /// Examples that have it.
    pub n_examples: usize,
    /// By key.
    pub measures: Summaries,
}

/// One example.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExampleMeasures {
    /// Place among the chosen examples.
    pub index: usize,
    /// Its name.
    pub id: String,
    /// What is known of it.
    pub labels: Labels,
    /// By player.
    pub measures: BTreeMap<String, Measures>,
}

/// How players do on examples: the first is the one that is judged, the others are baselines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Over all examples, the model first.
    pub players: Vec<PlayerSummary>,
    /// What the groups are of.
    pub by: Label,
    /// The model by group; none if the examples have no such label.
    pub groups: Vec<GroupSummary>,
    /// One by one, in the order of the data.
    pub examples: Vec<ExampleMeasures>,
}

impl Evaluation {
    pub(super) fn new(names: &[String], judged: Vec<Judged>, by: Label) -> Self {
        let players = names.iter().enumerate().map(|(player, name)| {
            let measures = summaries(judged.iter().map(|example| &example.measures[player]));
            PlayerSummary { name: name.clone(), measures }
        });
        let group = |example: &Judged| by.group(&example.labels);
        let found: BTreeSet<Group> = judged.iter().filter_map(group).collect();
        let groups = found.into_iter().map(|wanted| {
            let examples: Vec<&Judged> =
                judged.iter().filter(|example| group(example).as_ref() == Some(&wanted)).collect();
            GroupSummary {
                name: wanted.1,
                n_examples: examples.len(),
                measures: summaries(examples.iter().map(|example| &example.measures[0])),
            }
        });
        let (players, groups) = (players.collect(), groups.collect());
        let example = |example: Judged| ExampleMeasures {
            index: example.index,
            id: example.id,
            labels: example.labels,
            measures: names.iter().cloned().zip(example.measures).collect(),
        };
        Self { players, by, groups, examples: judged.into_iter().map(example).collect() }
    }

    /// The measures worth a line: all but terms of the loss that it does not have.
    pub fn shown(&self) -> impl Iterator<Item = &'static Measure> {
        let always = ["loss", "loss_magnitude", "loss_log_magnitude"];
        let is_used = |measure: &Measure| {
            let has_value = |player: &PlayerSummary| player.measures[measure.key].max != 0.0;
            !measure.key.starts_with("loss_") || self.players.iter().any(has_value)
        };
        MEASURES.iter().filter(move |measure| always.contains(&measure.key) || is_used(measure))
    }

    /// The table of all players: a heading row, and a row for each measure with its mean and, after
    /// `±`, its standard deviation over the examples.
    pub fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let header = std::iter::once("mean ± deviation".to_owned())
            .chain(self.players.iter().map(|player| player.name.clone()));
        let row = |measure: &Measure| {
            let cell = |player: &PlayerSummary| cell(&player.measures[measure.key]);
            std::iter::once(heading(measure)).chain(self.players.iter().map(cell)).collect()
        };
        (header.collect(), self.shown().map(row).collect())
    }

    /// The table of the model by group: a heading row, and a row for each group.
    pub fn group_table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let shown: Vec<&Measure> = self.shown().collect();
        let header = [self.by.name().to_owned(), "examples".to_owned()].into_iter();
        let row = |group: &GroupSummary| {
            let cells = shown.iter().map(|measure| cell(&group.measures[measure.key]));
            let first = [group.name.clone(), group.n_examples.to_string()].into_iter();
            first.chain(cells).collect()
        };
        let header = header.chain(shown.iter().map(|measure| heading(measure))).collect();
        (header, self.groups.iter().map(row).collect())
    }

    /// The model's measures of an example.
    pub fn of_model(&self, example: usize) -> &Measures {
        &self.examples[example].measures[&self.players[0].name]
    }
}

/// Everything about one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationReport {
    /// The model file.
    pub model: PathBuf,
    /// The record files, as given.
    pub data: Vec<PathBuf>,
    /// Which examples were asked for.
    pub part: Part,
    /// Which were used, in words.
    pub examples_used: String,
    /// How many there were to choose from.
    pub n_available: usize,
    /// How many were judged.
    pub n_examples: usize,
    /// Longest stretch of each that was judged, from its beginning: the training window.
    pub example_secs: f64,
    /// What the mean spectrum was learned from, in words.
    pub mean_spectrum_of: String,
    /// Confidence from which a frame counts as voiced.
    pub voiced_confidence: f32,
    /// Seed of the noise.
    pub seed: u64,
    /// What was found.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

fn summaries<'a>(examples: impl Iterator<Item = &'a Measures> + Clone) -> Summaries {
    let summary = |measure: &Measure| {
        (measure.key, Summary::new(examples.clone().map(|measures| (measure.value)(measures))))
    };
    MEASURES.iter().map(summary).collect()
}

/// Name and unit.
pub(super) fn heading(measure: &Measure) -> String {
    match measure.unit {
        "" => measure.name.to_owned(),
        unit => format!("{}, {unit}", measure.name),
    }
}

/// Mean and spread; a spread that the digits of the mean would not show is 0.
fn cell(summary: &Summary) -> String {
    let Summary { mean, std, .. } = *summary;
    let std = if std < 5e-4 * mean.abs() { 0.0 } else { std };
    match std.is_nan() {
        true => number(mean),
        false => format!("{} ± {}", number(mean), number(std)),
    }
}

#[cfg(test)]
mod tests {
    use ddsp_train::{Judge, Player};

    use super::*;

    /// A tone of a fifth of a second, judged as it is and as silence.
    fn judged() -> Judged {
        let mut config = ddsp_model::Config::preset("seed-harmonic").expect("the preset is valid");
        config.set("train.example_secs=0.2").expect("a valid length");
        #[expect(clippy::cast_possible_truncation, reason = "samples are f32")]
        let sample = |n: u32| (0.3 * (f64::from(n) * 0.1).sin()) as f32;
        let example = ddsp_data::TrainingExample {
            id: "tone".to_owned(),
            audio: (0..3200).map(sample).collect(),
            f0_hz: vec![254.648; 50],
            f0_confidence: vec![1.0; 50],
            loudness_db: vec![0.0; 50],
            labels: Labels::default(),
        };
        let options = ddsp_train::EvaluationOptions { max_examples: 1, n_threads: 1 };
        let (source, players) = (vec![example], [Player::input(), Player::silence()]);
        let judged = Judge::new(&config, &source, 0).measure(&players, options, &mut |_| ());
        judged.expect("a usable example").remove(0)
    }

    /// An evaluation of three examples of two families and one of none.
    fn evaluation() -> Evaluation {
        let example = |(index, family): (usize, Option<i64>)| {
            let mut example = judged();
            (example.index, example.labels.family) = (index, family);
            example.measures[0].loss = 1.0 + index as f64;
            example
        };
        let families = [Some(8), Some(4), Some(8), None];
        let judged = families.into_iter().enumerate().map(example).collect();
        Evaluation::new(&["model".to_owned(), "silence".to_owned()], judged, Label::Family)
    }

    #[test]
    fn the_table_has_a_row_for_each_measure_in_use_and_a_column_for_each_player() {
        let (header, rows) = evaluation().table();
        assert_eq!(header[1..], ["model", "silence"]);
        assert_eq!(rows[0][..2], ["loss", "2.5 ± 1.29"], "1, 2, 3 and 4");
        assert!(rows.iter().all(|row| row.len() == 3), "{rows:?}");
        let named = |name: &str| rows.iter().find(|row| row[0].starts_with(name));
        assert!(named("delta time").is_none(), "the loss has no such term");
        let f0 = named("f0 L1").expect("a row");
        assert_eq!(f0[2], "–", "silence has no pitch: {f0:?}");
    }

    #[test]
    fn groups_are_those_of_the_label_with_their_own_means() {
        let evaluation = evaluation();
        let (header, rows) = evaluation.group_table();
        assert_eq!(header[..3], ["instrument/family", "examples", "loss"]);
        let starts: Vec<&[String]> = rows.iter().map(|row| &row[..3]).collect();
        assert_eq!(starts, [["keyboard", "1", "2"], ["string", "2", "2 ± 1.41"]]);
        assert_eq!(evaluation.of_model(3).loss, 4.0, "the example of no family is there");
    }
}
