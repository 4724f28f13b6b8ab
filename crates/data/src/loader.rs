//! Random access to the examples of record files, for training and evaluation.
//!
//! Opening reads every file once, checking all checksums, and keeps places and labels only; audio is
//! read when an example is asked for.

mod conversion;
mod mixture;
mod selection;
mod tracked;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ddsp_kernels::{FrameGrid, LoudnessStatistics, NoteStatistics, PitchStatistics, hz_to_midi};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::example::Example;
use crate::record::{Labels, NoteRecord};
use crate::record_files::find_record_files;
use crate::tfrecord::Reader;

pub(crate) use conversion::to_example;
use tracked::TrackedF0;

pub use mixture::Share;
pub use selection::{Filter, HoldOut};

/// The rate of `audio_16k`, and of NSynth's `audio`.
const RATE_16K: u32 = 16_000;

/// Where f0 comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum F0Source {
    /// The record.
    #[default]
    Record,
    /// Our pitch tracker, whatever the record says.
    Tracker,
}

/// One example as training takes it; features are `[n_frames]`, audio `[n_frames * hop]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingExample {
    /// The record's name; its file and place where it has none.
    pub id: String,
    /// Full scale ±1, at the grid's rate.
    pub audio: Vec<f32>,
    /// Fundamental frequency in Hz, from the record or the tracker.
    pub f0_hz: Vec<f32>,
    /// Confidence in it, 0 to 1.
    pub f0_confidence: Vec<f32>,
    /// A-weighted loudness in dB, always computed from the audio.
    pub loudness_db: Vec<f32>,
    /// Family, instrument, source, pitch, velocity as far as known.
    pub labels: Labels,
}

/// The places and labels of the examples in some record files, or of a selection of them.
#[derive(Clone, Debug)]
pub struct ExampleIndex {
    files: Arc<[PathBuf]>,
    entries: Vec<Entry>,
    f0: F0Source,
    /// Weights of the data sets that are mixed; one if they are not.
    weights: Arc<[f64]>,
    tracked: Arc<TrackedF0>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    file: usize,
    offset: u64,
    /// Of the record's data, as the file has it.
    checksum: u32,
    /// Samples of `audio`.
    n_samples: usize,
    /// Samples of `audio_16k`, 0 where there is none.
    n_samples_16k: usize,
    /// Which of the mixed data sets.
    set: usize,
    labels: Labels,
}

impl ExampleIndex {
    /// Scans the files that `patterns` stand for (see [`find_record_files`]), on all processors.
    ///
    /// # Errors
    ///
    /// If a pattern stands for nothing, a file cannot be read, is damaged or holds something else
    /// than Examples, or there is no record at all.
    pub fn open(patterns: &[impl AsRef<Path>], f0: F0Source) -> Result<Self> {
        let files = find_record_files(patterns)?;
        let entries = scan_all(&files)?;
        if entries.is_empty() {
            let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            return Err(Error::Data(format!("{}: no records", names.join(", "))));
        }
        let (files, weights) = (files.into(), [1.0].into());
        Ok(Self { files, entries, f0, weights, tracked: Arc::default() })
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none; never so after opening or filtering, which refuse that.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where f0 comes from.
    pub fn f0_source(&self) -> F0Source {
        self.f0
    }

    /// The labels of example `i`.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`len`](Self::len).
    pub fn labels(&self, i: usize) -> &Labels {
        &self.entries[i].labels
    }

    /// The file that holds example `i`, and the byte at which its record begins.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`len`](Self::len).
    pub fn place(&self, i: usize) -> (&Path, u64) {
        let entry = &self.entries[i];
        (&self.files[entry.file], entry.offset)
    }

    /// The checksum of the data of example `i`, CRC-32C as record files mask it.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`len`](Self::len).
    pub fn checksum(&self, i: usize) -> u32 {
        self.entries[i].checksum
    }

    /// Samples of audio that [`read`](Self::read) finds in example `i` for a grid of `sample_rate`.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`len`](Self::len).
    pub fn n_samples(&self, i: usize, sample_rate: u32) -> usize {
        let Entry { n_samples, n_samples_16k, .. } = self.entries[i];
        if sample_rate == RATE_16K && n_samples_16k > 0 { n_samples_16k } else { n_samples }
    }

    /// The record of example `i` as it stands.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, was changed, or the record is no note (see
    /// [`NoteRecord::decode`]).
    ///
    /// # Panics
    ///
    /// If `i` is not below [`len`](Self::len).
    pub fn read_record(&self, i: usize) -> Result<NoteRecord> {
        let (path, offset) = self.place(i);
        let mut reader = Reader::open(path)?;
        reader.seek(offset)?;
        let record = reader.next_record()?;
        let gone = || Error::record(path, offset, "the file was cut since it was opened");
        let record = record.ok_or_else(gone)?;
        NoteRecord::decode(record.data()).map_err(|reason| Error::record(path, offset, reason))
    }

    /// Example `i` on `grid`, cut to whole frames.
    ///
    /// # Errors
    ///
    /// As [`read_record`](Self::read_record); and if the record has no f0 (and f0 is to come from
    /// there), its rates are not the grid's, or it is shorter than a frame.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`len`](Self::len).
    pub fn read(&self, i: usize, grid: FrameGrid) -> Result<TrainingExample> {
        let (path, offset) = self.place(i);
        let record = self.read_record(i)?;
        let track = |audio: &[f32]| self.tracked.f0((self.entries[i].file, offset), audio, grid);
        to_example(record, grid, self.f0, &track)
            .map(|mut example| {
                if example.id.is_empty() {
                    example.id = format!("{}@{offset}", path.display());
                }
                example
            })
            .map_err(|reason| Error::record(path, offset, reason))
    }

    /// Statistics of pitch and loudness over the note frames of all examples.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and if no frame of any example is a note's.
    pub fn statistics(&self, grid: FrameGrid) -> Result<(PitchStatistics, LoudnessStatistics)> {
        let mut notes = NoteStatistics::default();
        for i in 0..self.len() {
            let example = self.read(i, grid)?;
            let f0_midi: Vec<f32> = example.f0_hz.iter().map(|&hz| hz_to_midi(hz)).collect();
            notes.add(&f0_midi, &example.f0_confidence, &example.loudness_db);
        }
        let nothing = "no frame of the data is voiced: there is no pitch to learn";
        notes.finish().ok_or_else(|| Error::Data(nothing.to_owned()))
    }

    /// The entries at `kept`, in that order.
    fn select(&self, kept: impl IntoIterator<Item = usize>) -> Self {
        let entries = kept.into_iter().map(|i| self.entries[i]).collect();
        Self { entries, ..self.clone() }
    }
}

/// The entries of all files in order, files dealt out to threads.
fn scan_all(files: &[PathBuf]) -> Result<Vec<Entry>> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let scan_some = || {
        let mut scanned = Vec::new();
        loop {
            let file = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(path) = files.get(file) else { return scanned };
            scanned.push((file, scan(path, file)));
        }
    };
    let mut scanned = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(scan_some)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<_>| match thread.join() {
            Ok(scanned) => scanned,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().flat_map(join).collect::<Vec<(usize, Result<Vec<Entry>>)>>()
    });
    scanned.sort_by_key(|&(file, _)| file);
    let mut entries = Vec::new();
    for (_, file_entries) in scanned {
        entries.append(&mut file_entries?);
    }
    Ok(entries)
}

fn scan(path: &Path, file: usize) -> Result<Vec<Entry>> {
    let mut reader = Reader::open(path)?;
    let mut entries = Vec::new();
    while let Some(record) = reader.next_record()? {
        let error = |reason: String| Error::record(path, record.offset, reason);
        let example = Example::parse(record.data()).map_err(|e| error(e.to_string()))?;
        let labels = Labels::decode(&example).map_err(error)?;
        let n_samples = |name| example.get(name).map_or(0, |feature| feature.len());
        let (n_samples, n_samples_16k) = (n_samples("audio"), n_samples("audio_16k"));
        let checksum = record.masked_crc();
        let offset = record.offset;
        let set = 0;
        entries.push(Entry { file, offset, checksum, n_samples, n_samples_16k, set, labels });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
