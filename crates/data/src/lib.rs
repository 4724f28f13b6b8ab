//! TFRecord and audio data sets: read, write, sort, inspect, prepare and synthesize.

#![forbid(unsafe_code)]

mod audio_file;
mod error;
pub mod example;
mod inspect;
pub mod instruments;
#[cfg(test)]
mod mutation;
mod output;
mod record;
mod record_files;
mod resample;
mod sort;
pub mod tfrecord;

pub use audio_file::{AUDIO_EXTENSIONS, Audio, WavFormat, read_audio, write_wav};
pub use error::{Error, Progress, Result};
pub use inspect::{FeatureSummary, FileSummary, Inspection, inspect};
pub use output::{FolderState, OutputFolder, write_atomically, write_json};
pub use record::{FAMILIES, Keys, Labels, NoteRecord, QUALITIES, SOURCES};
pub use record_files::{find_record_files, shard_name};
pub use resample::resample;
pub use sort::{ClassCount, MANIFEST, SortOptions, SortReport, SourceCount, sort};
