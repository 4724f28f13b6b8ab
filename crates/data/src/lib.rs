//! TFRecord and audio data sets: read, write, sort, inspect, prepare and synthesize.

#![forbid(unsafe_code)]

mod audio_file;
mod error;
pub mod example;
pub mod instruments;
#[cfg(test)]
mod mutation;
mod output;
mod record;
pub mod tfrecord;

pub use audio_file::{AUDIO_EXTENSIONS, Audio, WavFormat, read_audio, resample, write_wav};
pub use error::{Error, Progress, Result};
pub use output::{FolderState, OutputFolder, write_atomically, write_json};
pub use record::{FAMILIES, Keys, Labels, NoteRecord, QUALITIES, SOURCES};
