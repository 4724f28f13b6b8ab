//! The demo's report.

use ddsp_kernels::SpectralEnvelope;

use super::{DemoOptions, DemoReport, LEARNED, Played, PlayedSound, learn_options};
use crate::error::Result;
use crate::families::n_sorted;
use crate::learn::{learning_section, loss_curves};
use crate::report::{Block, Report, Section, number};
use crate::transfer::Transfer;

/// The whole page.
pub(super) fn page(options: &DemoOptions, report: &DemoReport, played: &Played) -> Result<Report> {
    let (training, held_out) = loss_curves(&learn_options(options).out)?;
    let learning = learning_section(&options.config, &report.learning, &training, &held_out);
    let mut sections = vec![data_section(report), learning];
    let envelope = played.timbre.as_ref();
    let sounds = played.sounds.iter();
    sections.extend(sounds.map(|(sound, transfer)| sound_section(sound, transfer, envelope)));
    let (notes, learned) = (report.notes.notes, report.learning.n_examples);
    Ok(Report {
        title: "Strings, learned from notes and played from a keyboard".to_owned(),
        lede: format!(
            "{notes} notes of built-in instruments were made and sorted; a model learned the sound \
             of the strings from {learned} of them, was saved, loaded from its file, and played what \
             it had never heard."
        ),
        checks: report.checks.clone(),
        sections,
    })
}

fn data_section(report: &DemoReport) -> Section {
    let lede = "Physical and spectral models of NSynth's families, 4 s notes at 16 kHz, mixed in \
                every file; sorting copies each record's bytes and counts them in and out.";
    let mut section = Section::new("Data", lede);
    let facts = [
        ("Records in", report.sorting.records),
        ("Records out", n_sorted(&report.sorting)),
        ("Families", report.sorting.classes.len() as u64),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value.to_string()));
    section.blocks.push(Block::Facts(facts.to_vec()));
    section.blocks.push(Block::Table {
        header: report.sorting.classes.iter().map(|class| class.name.clone()).collect(),
        rows: vec![report.sorting.classes.iter().map(|class| class.records.to_string()).collect()],
    });
    section
}

fn sound_section(
    sound: &PlayedSound,
    transfer: &Transfer,
    envelope: Option<&SpectralEnvelope>,
) -> Section {
    let lede = "Only f0 and loudness of the input drive the model. A click on a figure plays from \
                there; shaded: frames that have a pitch.";
    let distance = |value: f64| format!("{} dB", number(value));
    let more = vec![
        (format!("Envelope, from held-out {LEARNED}s"), distance(sound.distance_to_held_out_db)),
        ("Envelope, from the input".to_owned(), distance(sound.distance_to_input_db)),
    ];
    transfer.section(&sound.name, lede, more, envelope.map(|e| ("held-out strings", e)))
}
