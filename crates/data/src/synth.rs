//! An NSynth-like data set on built-in instruments: labelled 4 s notes with exact f0.

use std::path::Path;

use ddsp_kernels::FrameGrid;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::features::extract_loudness;
use crate::instruments::{Family, NoteSpec, n_instruments, pitch_range, render_note};
use crate::output::{FolderState, OutputFolder};
use crate::record::{Keys, Labels, NoteRecord, QUALITIES, SOURCES};
use crate::record_files::shard_name;
use crate::shard_writer::{Shard, write_shards};

/// NSynth's grid.
const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

/// Which notes to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SynthOptions {
    /// Families by name, `string` for example; those without built-in instruments are refused.
    pub families: Vec<String>,
    /// Instruments of each family, or fewer where it has fewer.
    pub n_instruments: u32,
    /// Pitches of each instrument, evenly over the family's range.
    pub n_pitches: u8,
    /// MIDI velocities of each pitch.
    pub velocities: Vec<u8>,
    /// Decides every performance and the order of the notes.
    pub seed: u64,
    /// Files to deal the notes out to.
    pub n_shards: usize,
    /// Whether an output folder of an earlier run is started over.
    #[serde(skip)]
    pub force: bool,
}

impl Default for SynthOptions {
    fn default() -> Self {
        let families = Family::ALL.into_iter().filter(|&family| n_instruments(family) > 0);
        Self {
            families: families.map(|family| family.name().to_owned()).collect(),
            n_instruments: u32::MAX,
            n_pitches: 10,
            velocities: vec![50, 100],
            seed: 0,
            n_shards: 4,
            force: false,
        }
    }
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SynthReport {
    /// The files in the output folder, in order of their shards.
    pub files: Vec<String>,
    /// Notes of each family.
    pub families: Vec<(String, u64)>,
    /// Notes in all.
    pub notes: u64,
    /// Whether an earlier run had done the work already, and its files were found unchanged.
    #[serde(skip)]
    pub already_done: bool,
}

/// Renders the notes that `options` ask for into files `nsynth.tfrecord-…` of the folder `out`, families
/// mixed in each.
///
/// Uses up to `n_threads` threads; the bytes do not depend on how many. `progress` is told the notes
/// done.
///
/// # Errors
///
/// If an option asks for nothing or for what does not exist, the folder cannot be used (see
/// [`OutputFolder::open`]), or a file cannot be written.
pub fn synthesize(
    options: &SynthOptions,
    out: &Path,
    n_threads: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<SynthReport> {
    let shards = deal(all_notes(options)?, options);
    let (mut folder, state) = OutputFolder::open(out, "data synth", options, options.force)?;
    if state == FolderState::Finished {
        let report = folder.verified_report()?;
        return Ok(SynthReport { already_done: true, ..report });
    }
    folder.clear()?;
    let n_shards = options.n_shards;
    let files: Vec<_> = (0..n_shards).map(|i| shard_name("nsynth", i, n_shards)).collect();
    let paths = files.iter().map(|file| out.join(file));
    let files_and_notes: Vec<Shard<'_, Note>> =
        paths.zip(shards.iter().map(Vec::as_slice)).collect();
    let encode = |note: &Note| Ok(vec![note.render().encode(Keys::Nsynth)]);
    write_shards(&files_and_notes, n_threads, encode, progress)?;
    let notes = || shards.iter().flatten();
    let count = |family: &String| {
        let n = notes().filter(|note| note.spec.family.name() == *family).count();
        (family.clone(), n as u64)
    };
    let families = options.families.iter().map(count).collect();
    let notes = notes().count() as u64;
    let report = SynthReport { files, families, notes, already_done: false };
    folder.finish_with(&report)?;
    Ok(report)
}

/// One note to make, with the number that its instrument has among all.
#[derive(Clone, Debug, PartialEq)]
struct Note {
    spec: NoteSpec,
    label: i64,
    pitch: u8,
}

impl Note {
    fn render(&self) -> NoteRecord {
        let rendered = render_note(&self.spec, GRID);
        let family = self.spec.family;
        let source = source(family);
        let (instrument, pitch, velocity) = (self.spec.instrument, self.pitch, self.spec.velocity);
        let source_name = SOURCES[source];
        let certainty = |&voiced: &bool| if voiced { 1.0 } else { 0.0 };
        NoteRecord {
            id: format!("{}_{source_name}_{instrument:03}-{pitch:03}-{velocity:03}", family.name()),
            f0_confidence: Some(rendered.voiced.iter().map(certainty).collect()),
            loudness_db: Some(extract_loudness(&rendered.audio, GRID)),
            audio: rendered.audio,
            f0_hz: Some(rendered.f0_hz),
            labels: Labels {
                family: Some(family.id()),
                instrument: Some(self.label),
                source: i64::try_from(source).ok(),
                pitch: Some(i64::from(pitch)),
                velocity: Some(i64::from(velocity)),
            },
            qualities: QUALITIES.map(|quality| has_quality(family, quality)),
            ..NoteRecord::default()
        }
    }
}

/// Index into [`SOURCES`].
fn source(family: Family) -> usize {
    match family {
        Family::Organ => 1,
        Family::SynthLead => 2,
        _ => 0,
    }
}

/// The qualities that follow from how a family makes its sound; the others are a listener's verdict.
fn has_quality(family: Family, quality: &str) -> bool {
    let is_struck = matches!(family, Family::Mallet | Family::Keyboard | Family::Guitar);
    match quality {
        "percussive" => is_struck,
        "fast_decay" => family == Family::Mallet,
        _ => false,
    }
}

/// Deals notes out to shards, each family's in turn and in random order, so that every shard holds
/// every family (of which there are as many notes as shards).
fn deal(notes: Vec<Note>, options: &SynthOptions) -> Vec<Vec<Note>> {
    let mut rng = Pcg64Mcg::seed_from_u64(options.seed ^ 1);
    let mut shards = vec![Vec::new(); options.n_shards];
    let mut notes = notes;
    for family in notes.chunk_by_mut(|a, b| a.spec.family == b.spec.family) {
        family.shuffle(&mut rng);
    }
    for (i, note) in notes.into_iter().enumerate() {
        shards[i % options.n_shards].push(note);
    }
    for shard in &mut shards {
        shard.shuffle(&mut rng);
    }
    shards
}

/// Every note of the options, family by family.
fn all_notes(options: &SynthOptions) -> Result<Vec<Note>> {
    let mut rng = Pcg64Mcg::seed_from_u64(options.seed);
    let mut notes = Vec::new();
    for name in &options.families {
        let there: Vec<_> = Family::ALL.into_iter().filter(|&f| n_instruments(f) > 0).collect();
        let Some(&family) = there.iter().find(|family| family.name() == name) else {
            let names: Vec<_> = there.iter().map(|family| family.name()).collect();
            let reason = format!("no built-in instruments of family {name}; there are");
            return Err(Error::Data(format!("{reason} {}", names.join(", "))));
        };
        for instrument in 0..n_instruments(family).min(options.n_instruments) {
            for pitch in pitches(family, options.n_pitches) {
                for &velocity in &options.velocities {
                    if !(1..=127).contains(&velocity) {
                        return Err(Error::Data(format!("velocity {velocity} is not in 1 to 127")));
                    }
                    let (seed, midi) = (rng.random(), f32::from(pitch));
                    let spec = NoteSpec::new(family, instrument, midi, velocity, seed);
                    notes.push(Note { spec, label: label(family, instrument), pitch });
                }
            }
        }
    }
    if notes.is_empty() || options.n_shards == 0 {
        return Err(Error::Data("the options ask for no note, or for no file".to_owned()));
    }
    Ok(notes)
}

/// A number for an instrument that no other built-in one has.
fn label(family: Family, instrument: u32) -> i64 {
    let before = Family::ALL.into_iter().take_while(|&other| other != family);
    before.map(n_instruments).map(i64::from).sum::<i64>() + i64::from(instrument)
}

/// Up to `n` pitches evenly over a family's range, both ends included.
fn pitches(family: Family, n: u8) -> Vec<u8> {
    let (low, high) = (*pitch_range(family).start(), *pitch_range(family).end());
    let steps = u16::from(n.max(2) - 1);
    let at = |i: u8| {
        let above = (u16::from(i) * u16::from(high - low) + steps / 2) / steps;
        low + u8::try_from(above).unwrap_or(high - low)
    };
    let mut pitches: Vec<u8> = (0..n).map(at).collect();
    pitches.dedup();
    pitches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::{ExampleIndex, F0Source};

    fn few() -> SynthOptions {
        let families = vec!["string".to_owned(), "keyboard".to_owned()];
        let velocities = vec![100];
        SynthOptions {
            families,
            n_instruments: 1,
            n_pitches: 3,
            velocities,
            seed: 7,
            n_shards: 2,
            force: false,
        }
    }

    fn make(options: &SynthOptions, n_threads: usize) -> (SynthReport, Vec<Vec<u8>>) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut last = None;
        let report = synthesize(options, dir.path(), n_threads, &mut |p| last = Some(p));
        let report = report.expect("made");
        assert_eq!(last, Some(Progress { done: report.notes, total: report.notes }));
        let index = ExampleIndex::open(&[dir.path()], F0Source::Record).expect("intact");
        for i in 0..index.len() {
            let example = index.read(i, GRID).expect("a note");
            let label = example.labels.pitch.expect("labelled");
            let cents = 100.0 * (ddsp_kernels::hz_to_midi(example.f0_hz[375]) - label as f32);
            assert!(cents.abs() < 60.0, "{}: {cents} cents off its label", example.id);
        }
        let again = synthesize(options, dir.path(), 1, &mut |_| ()).expect("verified");
        assert!(again.already_done && again.files == report.files, "the second run verifies");
        let read = |file| std::fs::read(dir.path().join(file)).expect("written");
        let bytes = report.files.iter().map(read).collect();
        (report, bytes)
    }

    #[test]
    fn the_bytes_depend_on_the_seed_alone() {
        let (report, bytes) = make(&few(), 1);
        assert_eq!((report.notes, report.files.len()), (6, 2));
        assert_eq!(report.families, [("string".to_owned(), 3), ("keyboard".to_owned(), 3)]);
        assert_eq!(make(&few(), 2).1, bytes, "two threads");
        assert_ne!(make(&SynthOptions { seed: 8, ..few() }, 2).1, bytes, "another seed");
    }

    #[test]
    fn every_note_is_a_performance_of_its_own() {
        let notes = all_notes(&SynthOptions::default()).expect("notes");
        let seeds: std::collections::BTreeSet<_> = notes.iter().map(|n| n.spec.seed).collect();
        assert_eq!(seeds.len(), notes.len());
    }

    #[test]
    fn families_are_mixed_in_every_shard() {
        let options = SynthOptions { n_pitches: 10, n_shards: 3, ..few() };
        let shards = deal(all_notes(&options).expect("notes"), &options);
        for shard in &shards {
            for family in [Family::String, Family::Keyboard] {
                let n = shard.iter().filter(|note| note.spec.family == family).count();
                assert!((3..=4).contains(&n), "a third of 10: {n} of {family:?}");
            }
        }
        assert_eq!(shards.iter().map(Vec::len).sum::<usize>(), 20);
    }

    #[test]
    fn pitches_cover_the_range() {
        let range = pitch_range(Family::String);
        let pitches = pitches(Family::String, 5);
        assert_eq!((pitches[0], pitches[4]), (*range.start(), *range.end()));
        assert!(pitches.is_sorted(), "{pitches:?}");
        assert_eq!(super::pitches(Family::String, 127).len(), range.count(), "each once");
    }

    #[test]
    fn labels_tell_all_instruments_apart() {
        let mut labels = std::collections::BTreeSet::new();
        for family in Family::ALL {
            for instrument in 0..n_instruments(family) {
                assert!(labels.insert(label(family, instrument)), "{family:?} {instrument}");
            }
        }
    }

    #[test]
    fn families_have_nsynths_numbers() {
        for family in Family::ALL {
            let id = usize::try_from(family.id()).expect("small");
            assert_eq!(crate::record::FAMILIES[id], family.name());
        }
    }

    #[test]
    fn what_cannot_be_made_is_told() {
        let error = |options: SynthOptions| all_notes(&options).expect_err("refused").to_string();
        let text = error(SynthOptions { families: vec!["drum".to_owned()], ..few() });
        assert!(text.contains("family drum; there are") && text.contains("string"), "{text}");
        assert!(error(SynthOptions { velocities: vec![0], ..few() }).contains("velocity 0"));
        assert!(error(SynthOptions { n_pitches: 0, ..few() }).contains("no note"));
    }
}
