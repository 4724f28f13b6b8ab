//! TFRecord and audio data sets: read, write, sort, inspect, prepare, render and synthesize.

#![forbid(unsafe_code)]

mod audio_file;
mod crc;
mod doctor;
mod download;
mod error;
pub mod example;
mod features;
mod in_order;
mod inspect;
pub mod instruments;
mod loader;
#[cfg(test)]
mod mutation;
mod numbers;
mod output;
mod predicate;
mod prepare;
mod quiet;
mod record;
mod record_files;
mod render;
mod resample;
mod scan;
mod shard;
mod shard_writer;
mod sort;
mod statistics;
mod synth;
pub mod tfrecord;
mod verify;

pub use audio_file::{
    AUDIO_EXTENSIONS, Audio, AudioBlock, AudioReader, WavFormat, read_audio, write_wav,
};
pub use doctor::{
    Diagnosis, DoctorOptions, FileDiagnosis, Measure, Verdict, diagnose, diagnose_into,
};
pub use download::{
    Bucket, DownloadOptions, DownloadReport, GOOGLE, NSYNTH, Patience, RemoteObject, download,
    list_objects,
};
pub use error::{Error, Progress, Result};
pub use features::{ExtractedFeatures, extract_f0, extract_features, extract_loudness};
pub use inspect::{
    FeatureSummary, FileSummary, FoundRecord, InspectOptions, Inspection, RecordSink, RecordView,
    find_record, inspect, inspect_into,
};
pub use loader::{ExampleIndex, F0Source, Filter, HoldOut, Share, TrainingExample};
pub use numbers::{Between, MidiNumbers};
pub use output::{
    Begun, FolderState, MANIFEST, OutputFolder, PartFolder, Parts, PublishedFile, Work, file_sum,
    write_atomically, write_json,
};
pub use predicate::{Predicate, PredicateError};
pub use prepare::{
    Channels, LeftOut, PrepareOptions, PrepareReport, Reason, Recording, Skipped, SplitBy, prepare,
};
pub use record::{FAMILIES, Keys, Labels, NoteRecord, QUALITIES, SOURCES};
pub use record_files::{find_record_files, shard_name};
pub use render::{
    OffPitch, PresetChoice, PresetInfo, RenderOptions, RenderReport, RenderedPreset, list_presets,
    render,
};
pub use resample::resample;
pub use shard::Shard;
pub use sort::{ClassCount, FileCount, Shards, SortOptions, SortReport, SourceCount, sort};
pub use statistics::{
    ClassStatistics, DENSITY_LEVELS, DataStatistics, StatisticsOptions, WrittenDistribution,
    statistics, statistics_into,
};
pub use synth::{GlideRange, Pitches, SynthOptions, SynthReport, VibratoRange, synthesize};
pub use verify::{
    FileVerification, Gravity, Problem, Verification, VerifyOptions, verify, verify_into,
};
