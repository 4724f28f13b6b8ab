//! The built-in families as data: notes of all of them, sorted, and one learned from its file.

use std::path::Path;

use ddsp_data::instruments::Family;
use ddsp_data::{
    F0Source, Filter, HoldOut, SortOptions, SortReport, SynthOptions, SynthReport,
    find_record_files, sort, synthesize,
};
use ddsp_model::Config;

use crate::error::{Error, Result};
use crate::event::Conductor;
use crate::learn::{LearnOptions, LearnReport, learn};
use crate::report::number;

/// The notes of all families in `out/data`, and the same sorted into one file a family in
/// `out/sorted`; what is there already is verified.
pub(crate) fn make_and_sort(
    out: &Path,
    synth: &SynthOptions,
    conductor: &mut Conductor<'_>,
) -> Result<(SynthReport, SortReport)> {
    let (data, sorted) = (out.join("data"), out.join("sorted"));
    conductor.stage("making notes on built-in instruments");
    let n_threads = conductor.n_threads;
    let notes = synthesize(synth, &data, n_threads, &mut conductor.counter("notes"))?;
    let n_families = notes.families.len();
    conductor.result(format!("made {} notes of {n_families} families", notes.notes));

    conductor.stage("sorting them by family");
    let files = find_record_files(&[data])?;
    let sort_options = SortOptions { force: synth.force, ..SortOptions::default() };
    let sorting = sort(&files, &sorted, &sort_options, &mut conductor.counter("bytes"))?;
    let classes: Vec<String> =
        sorting.classes.iter().map(|class| format!("{} {}", class.name, class.records)).collect();
    conductor.result(format!(
        "sorted {} records in, {} out: {}",
        sorting.records,
        n_sorted(&sorting),
        classes.join(", ")
    ));
    Ok((notes, sorting))
}

/// Records that sorting wrote.
pub(crate) fn n_sorted(sorting: &SortReport) -> u64 {
    sorting.classes.iter().map(|class| class.records).sum()
}

/// Learning `family` from the file that [`make_and_sort`] left in `out`, with whole instruments and
/// whole pitches held out; the run folder is the family's in `out`.
pub(crate) fn learn_options(
    family: Family,
    out: &Path,
    synth: &SynthOptions,
    [n_instruments, n_pitches]: [usize; 2],
    config: &Config,
    training_secs: f64,
) -> LearnOptions {
    let name = family.name();
    LearnOptions {
        data: vec![out.join("sorted").join(format!("{name}.tfrecord*"))],
        f0: F0Source::Record,
        filter: Filter { families: vec![family.id()], ..Filter::default() },
        hold_out: Some(HoldOut::Labels { n_instruments, n_pitches, seed: synth.seed }),
        config: config.clone(),
        time_budget_secs: Some(training_secs),
        sample_every: 0,
        provenance: format!("built-in {name} instruments of ddsp"),
        licence: "MIT OR Apache-2.0".to_owned(),
        init_from: None,
        only: None,
        out: out.join(name),
        resume: false,
        force: false,
    }
}

/// Learns, over again where an earlier run was interrupted at it and left nothing to go on from.
pub(crate) fn learn_or_restart(
    options: &LearnOptions,
    conductor: &mut Conductor<'_>,
) -> Result<LearnReport> {
    match learn(options, conductor) {
        Err(Error::Unfinished { .. }) => {
            learn(&LearnOptions { force: true, ..options.clone() }, conductor)
        }
        other => other,
    }
}

/// Tells how a learning went; `who` begins the lines.
pub(crate) fn tell_learning(who: &str, learning: &LearnReport, conductor: &mut Conductor<'_>) {
    if learning.already_done {
        conductor.result(format!("{who}learned earlier, in {} s", number(learning.seconds)));
    } else {
        let (steps, seconds) = (learning.steps, number(learning.seconds));
        conductor.result(format!("{who}learned {steps} steps in {seconds} s"));
    }
    let (Some(baselines), Some(held_out)) = (learning.baselines, learning.held_out_loss) else {
        return;
    };
    let [trained, untrained, silence, mean] =
        [held_out, baselines.untrained, baselines.silence, baselines.mean_spectrum].map(|l| {
            format!("{} ({} + {})", number(l.total), number(l.magnitude), number(l.log_magnitude))
        });
    conductor.result(format!(
        "{who}held-out loss (magnitude + log magnitude): trained {trained}; silence {silence}, \
         untrained {untrained}, mean spectrum {mean}"
    ));
}
