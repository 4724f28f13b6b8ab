//! An NSynth-like data set on built-in instruments: labelled 4 s notes with exact f0.

mod options;

use std::collections::BTreeMap;
use std::path::Path;

use ddsp_kernels::FrameGrid;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Progress, Result};
use crate::features::extract_loudness;
use crate::instruments::{Family, NoteSpec, instrument_label, n_instruments, render_note};
use crate::record::{Keys, Labels, NoteRecord, QUALITIES, SOURCES};
use crate::record_files::shard_name;
use crate::shard_writer::{Job, Sink, produce};

pub use options::{GlideRange, Pitches, SynthOptions, VibratoRange};

/// NSynth's grid.
const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

const FRAME_RATE: u32 = 250;

/// How the names of the record files begin.
const STEM: &str = "nsynth";

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
    /// Files that are left to other shards; the notes are those made so far.
    #[serde(skip)]
    pub parts_missing: usize,
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
/// [`Parts::begin`](crate::Parts::begin)), or a file cannot be written.
///
/// # Panics
///
/// If a shard is to be forced.
pub fn synthesize(
    options: &SynthOptions,
    out: &Path,
    n_threads: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<SynthReport> {
    let shards = deal(all_notes(options)?, options);
    let &SynthOptions { shard, force, .. } = options;
    let job = Job { command: "data synth", out, stem: STEM, shard, force, n_threads };
    let encode = |note: &Note, tally: &mut Tally, sink: Sink<'_>| {
        *tally.entry(note.spec.family.name().to_owned()).or_default() += 1;
        sink(&note.render(options.keys).encode(options.keys))
    };
    let conclude = |tallies: Vec<Tally>| Ok(conclude(options, &tallies));
    let produced = produce(&job, options, &shards, encode, conclude, progress)?;
    let (already_done, parts_missing) = (produced.already_done, produced.parts_missing);
    Ok(SynthReport { already_done, parts_missing, ..produced.manifest })
}

/// Notes of each family in a file.
type Tally = BTreeMap<String, u64>;

fn conclude(options: &SynthOptions, tallies: &[Tally]) -> SynthReport {
    let count = |family: &String| {
        let counts = tallies.iter().filter_map(|tally| tally.get(family));
        (family.clone(), counts.sum())
    };
    let n_shards = options.n_shards;
    SynthReport {
        files: (0..n_shards).map(|i| shard_name(STEM, i, n_shards)).collect(),
        families: options.families.iter().map(count).collect(),
        notes: tallies.iter().flat_map(BTreeMap::values).sum(),
        already_done: false,
        parts_missing: 0,
    }
}

/// One note to make, with the number that its instrument has among all.
#[derive(Clone, Debug, PartialEq)]
struct Note {
    spec: NoteSpec,
    label: i64,
    pitch: u8,
}

impl Note {
    fn render(&self, keys: Keys) -> NoteRecord {
        let is_ddsp = keys == Keys::Ddsp;
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
            sample_rate: is_ddsp.then_some(GRID.sample_rate),
            frame_rate: is_ddsp.then_some(FRAME_RATE),
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
    options.check()?;
    let mut rng = Pcg64Mcg::seed_from_u64(options.seed);
    let mut notes = Vec::new();
    for name in &options.families {
        let there: Vec<_> = Family::ALL.into_iter().filter(|&f| n_instruments(f) > 0).collect();
        let Some(&family) = there.iter().find(|family| family.name() == name) else {
            let names: Vec<_> = there.iter().map(|family| family.name()).collect();
            let reason = format!("no built-in instruments of family {name}; there are");
            return Err(Error::Data(format!("{reason} {}", names.join(", "))));
        };
        let pitches = options.pitches.of(family)?;
        for instrument in 0..n_instruments(family).min(options.n_instruments) {
            for &pitch in &pitches {
                for &velocity in &options.velocities {
                    let spec = options.note(family, instrument, pitch, velocity, rng.random());
                    notes.push(Note { spec, label: instrument_label(family, instrument), pitch });
                }
            }
        }
    }
    if notes.is_empty() || options.n_shards == 0 {
        return Err(Error::Data("the options ask for no note, or for no file".to_owned()));
    }
    Ok(notes)
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
            pitches: Pitches::Count(3),
            velocities,
            seed: 7,
            n_shards: 2,
            ..SynthOptions::default()
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
        let options = SynthOptions { pitches: Pitches::Count(10), n_shards: 3, ..few() };
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
    fn labels_tell_all_instruments_apart() {
        let mut labels = std::collections::BTreeSet::new();
        for family in Family::ALL {
            for instrument in 0..n_instruments(family) {
                assert!(
                    labels.insert(instrument_label(family, instrument)),
                    "{family:?} {instrument}"
                );
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
        assert!(error(SynthOptions { pitches: Pitches::Count(0), ..few() }).contains("no note"));
    }
}
