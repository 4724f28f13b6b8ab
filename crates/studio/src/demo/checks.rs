//! What the demo has to achieve.

use ddsp_data::SortReport;

use super::{PHRASE, PlayedSound, USERS};
use crate::check::{Check, Limit};
use crate::families::n_sorted;
use crate::learn::LearnReport;

/// No record is lost.
pub(super) fn sorting(sorting: &SortReport) -> Check {
    let name = "Records after sorting, as many as before";
    Check::new(name, n_sorted(sorting) as f64, "", Limit::Equal(sorting.records as f64))
}

/// The trained model beats what needs no training.
pub(super) fn learning(learning: &LearnReport) -> Vec<Check> {
    let trained = learning.held_out_loss.map_or(f64::NAN, |loss| loss.total);
    let Some(baselines) = learning.baselines else { return Vec::new() };
    let against = [
        ("silence", baselines.silence),
        ("the untrained model", baselines.untrained),
        ("the mean spectrum", baselines.mean_spectrum),
    ];
    against
        .into_iter()
        .map(|(name, baseline)| {
            let name = format!("Loss on held-out notes, against {name}");
            Check::new(name, trained, "", Limit::Below(baseline.total))
        })
        .collect()
}

/// The user's own sound is measured, not judged: nobody knows what it is.
pub(super) fn sound(sound: &PlayedSound) -> Vec<Check> {
    if sound.name == USERS {
        return Vec::new();
    }
    let (name, measures) = (&sound.name, &sound.measures);
    let check =
        |what: &str, value, unit, limit| Check::new(format!("{name}: {what}"), value, unit, limit);
    let mut checks = vec![
        check(
            "voiced frames that stay voiced",
            measures.voiced_kept_percent,
            "%",
            Limit::AtLeast(95.0),
        ),
        check("median f0 error", measures.median_f0_error_cents, "cents", Limit::AtMost(10.0)),
        check("loudness error on notes", measures.loudness_error_db, "dB", Limit::AtMost(3.0)),
    ];
    if sound.name == PHRASE {
        checks.push(check(
            "envelope's distance from held-out strings, against that from the keyboard",
            sound.distance_to_held_out_db,
            "dB",
            Limit::Below(sound.distance_to_input_db),
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{BaselineLosses, DataSummary, Profile};
    use ddsp_model::LossSummary;

    fn loss(total: f64) -> LossSummary {
        LossSummary { total, ..LossSummary::default() }
    }

    fn report(trained: Option<f64>) -> LearnReport {
        LearnReport {
            n_parameters: 1,
            n_examples: 1,
            n_held_out: 1,
            steps: 1,
            best_step: 1,
            seconds: 1.0,
            ending: "complete".to_owned(),
            loss: loss(1.0),
            held_out_loss: trained.map(loss),
            baselines: Some(BaselineLosses {
                silence: loss(40.0),
                untrained: loss(20.0),
                mean_spectrum: loss(9.0),
            }),
            alarms: Vec::new(),
            data: DataSummary {
                n_examples: 1,
                minutes: 0.1,
                voiced_share: 1.0,
                pitch_midi: [60.0; 2],
                loudness_db: [-20.0; 2],
            },
            profile: Profile::new(&Default::default(), 1, 1.0, 1),
            already_done: false,
        }
    }

    #[test]
    fn the_model_must_beat_every_baseline() {
        let met = |trained| learning(&report(trained)).iter().map(Check::met).collect::<Vec<_>>();
        assert_eq!(met(Some(8.9)), [true; 3]);
        assert_eq!(met(Some(9.0)), [true, true, false]);
        assert_eq!(met(None), [false; 3], "not measured is not met");
    }
}
