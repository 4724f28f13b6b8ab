//! One model for each family, and the instrument that it has not heard.

use std::path::PathBuf;

use ddsp_data::ExampleIndex;
use ddsp_data::instruments::{Family, instrument_label, n_instruments};

use super::places::Places;
use super::{MatrixOptions, go_on};
use crate::error::{Error, Result};
use crate::event::Conductor;
use crate::families::{learn_options, learn_or_restart, tell_learning};
use crate::learn::{LearnOptions, LearnReport, MODEL_FILE, split};

/// A family that was learned.
pub(super) struct Learned {
    pub(super) family: Family,
    pub(super) model: PathBuf,
    pub(super) report: LearnReport,
    /// An instrument that the model has not heard; none if all were learned from.
    pub(super) held_out_instrument: Option<u32>,
}

/// Learns every family that is asked for; goes on where an earlier run ended.
pub(super) fn learn_all(
    options: &MatrixOptions,
    places: &Places,
    conductor: &mut Conductor<'_>,
) -> Result<Vec<Learned>> {
    let n = options.families.len();
    let mut all = Vec::new();
    for (i, &family) in options.families.iter().enumerate() {
        let during = format!("learning {}", family.name());
        go_on(conductor, &during)?;
        conductor.stage(format!("{during}, {} of {n}", i + 1));
        let options = LearnOptions {
            out: places.file(family.name()),
            resume: true,
            ..learning(options, family)
        };
        let report = learn_or_restart(&options, conductor)?;
        if report.is_stopped() {
            return Err(Error::Interrupted { during });
        }
        tell_learning(&format!("{}: ", family.name()), &report, conductor);
        let split = split(&options)?;
        let held_out = split.held_out.as_ref().expect("the options hold out");
        let held_out_instrument = unheard(family, &split.training, held_out);
        let model = options.out.join(MODEL_FILE);
        all.push(Learned { family, model, report, held_out_instrument });
    }
    Ok(all)
}

/// How `family` is learned, or would be.
fn learning(options: &MatrixOptions, family: Family) -> LearnOptions {
    let MatrixOptions { out, synth, n_held_out, config, training_secs, .. } = options;
    learn_options(family, out, synth, *n_held_out, config, *training_secs)
}

/// The notes of a family that its model has not heard, or would not.
pub(super) fn held_out(options: &MatrixOptions, family: Family) -> Result<ExampleIndex> {
    Ok(split(&learning(options, family))?.held_out.expect("the options hold out"))
}

/// The first instrument with notes in `held_out` and none in `training`.
fn unheard(family: Family, training: &ExampleIndex, held_out: &ExampleIndex) -> Option<u32> {
    let plays = |notes: &ExampleIndex, instrument| {
        let label = Some(instrument_label(family, instrument));
        (0..notes.len()).any(|i| notes.labels(i).instrument == label)
    };
    let mut instruments = 0..n_instruments(family);
    instruments.find(|&instrument| plays(held_out, instrument) && !plays(training, instrument))
}
