//! Event files: what TensorBoard shows of a run.
//!
//! An event file is a TFRecord of `Event` messages, written here field by field
//! (<https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto>: `event.proto`,
//! `summary.proto`). Only what a training has to show is known: numbers, sounds, pictures, and where
//! a resumed run begins anew.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ddsp_data::tfrecord::write_record;

use crate::error::Error;

/// What TensorBoard asks a file to begin with; later versions do not exist.
const FILE_VERSION: &[u8] = b"brain.Event:2";

/// `SessionLog.START`: a run begins anew at the event's step, and what was written of that step and
/// later ones no longer counts.
const SESSION_START: u64 = 1;

/// Event files of one second at most; a run that is resumed so often has another problem.
const MAX_FILES: u32 = 1000;

/// Something to show of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventValue<'a> {
    /// A number, drawn as a curve over the steps.
    Scalar(f64),
    /// A sound with one channel.
    Audio {
        /// A whole WAV file.
        wav: &'a [u8],
        /// Samples a second.
        sample_rate: u32,
        /// Samples.
        n_samples: usize,
    },
    /// A picture.
    Picture {
        /// A whole PNG file.
        png: &'a [u8],
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
}

/// An event file, open for writing.
///
/// Each event reaches the system in one write, so a run that is killed loses at most the last one.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a new event file in `folder`, for the steps after `last_step`.
    ///
    /// TensorBoard reads the files of a folder by name, and their names begin with the time: a
    /// resumed run adds a file, and what earlier ones say of steps after `last_step` is dropped.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn create(folder: &Path, last_step: u64) -> Result<Self, Error> {
        let secs = since_epoch().as_secs();
        let name = |n: u32| match n {
            0 => format!("events.out.tfevents.{secs:010}.ddsp"),
            n => format!("events.out.tfevents.{secs:010}.ddsp.{n:03}"),
        };
        let mut n = 0;
        let (path, file) = loop {
            let path = folder.join(name(n));
            match OpenOptions::new().create_new(true).append(true).open(&path) {
                Ok(file) => break (path, file),
                Err(e) if e.kind() == ErrorKind::AlreadyExists && n < MAX_FILES => n += 1,
                Err(source) => return Err(Error::Io { action: "write", path, source }),
            }
        };
        let mut events = Self { path, file };
        events.append(0, |event| push_bytes(event, 3, FILE_VERSION))?;
        if last_step > 0 {
            let mut session = Vec::new();
            push_number(&mut session, 1, SESSION_START);
            events.append(last_step + 1, |event| push_bytes(event, 7, &session))?;
        }
        Ok(events)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends what is to be shown of `step`, each value under its tag; a `/` in a tag makes groups.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&mut self, step: u64, values: &[(&str, EventValue<'_>)]) -> Result<(), Error> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            push_bytes(&mut summary, 1, &summary_value(tag, *value));
        }
        self.append(step, |event| push_bytes(event, 5, &summary))
    }

    /// Appends an event: `content` adds to its time and step.
    fn append(&mut self, step: u64, content: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        let mut event = Vec::new();
        push_double(&mut event, 1, since_epoch().as_secs_f64());
        push_number(&mut event, 2, step);
        content(&mut event);
        let mut record = Vec::with_capacity(event.len() + 16);
        write_record(&mut record, &event).expect("memory takes every write");
        let written = self.file.write_all(&record);
        written.map_err(|source| Error::Io { action: "write", path: self.path.clone(), source })
    }
}

/// `Summary.Value`: a tag and one value.
#[expect(clippy::cast_possible_truncation, reason = "TensorBoard's scalars and rates are 32 bits")]
fn summary_value(tag: &str, value: EventValue<'_>) -> Vec<u8> {
    let mut message = Vec::new();
    push_bytes(&mut message, 1, tag.as_bytes());
    match value {
        EventValue::Scalar(value) => push_float(&mut message, 2, value as f32),
        EventValue::Picture { png, width, height } => {
            let mut image = Vec::with_capacity(png.len() + 24);
            push_number(&mut image, 1, height as u64);
            push_number(&mut image, 2, width as u64);
            // Colour space 3: RGB.
            push_number(&mut image, 3, 3);
            push_bytes(&mut image, 4, png);
            push_bytes(&mut message, 4, &image);
        }
        EventValue::Audio { wav, sample_rate, n_samples } => {
            let mut audio = Vec::with_capacity(wav.len() + 40);
            push_float(&mut audio, 1, sample_rate as f32);
            push_number(&mut audio, 2, 1);
            push_number(&mut audio, 3, n_samples as u64);
            push_bytes(&mut audio, 4, wav);
            push_bytes(&mut audio, 5, b"audio/wav");
            push_bytes(&mut message, 6, &audio);
        }
    }
    message
}

fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Appends a varint: seven bits a byte, the lowest first.
#[expect(clippy::cast_possible_truncation, reason = "masked to seven bits")]
fn push_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Appends field `number` as a varint.
fn push_number(message: &mut Vec<u8>, number: u64, value: u64) {
    push_varint(message, number << 3);
    push_varint(message, value);
}

/// Appends field `number` as eight bytes.
fn push_double(message: &mut Vec<u8>, number: u64, value: f64) {
    push_varint(message, number << 3 | 1);
    message.extend(value.to_le_bytes());
}

/// Appends field `number` as a byte string.
fn push_bytes(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    push_varint(message, number << 3 | 2);
    push_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Appends field `number` as four bytes.
fn push_float(message: &mut Vec<u8>, number: u64, value: f32) {
    push_varint(message, number << 3 | 5);
    message.extend(value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddsp_data::tfrecord::Reader;

    /// The records of a file, without the time (ten bytes from a tag of one) that each begins with.
    fn events(path: &Path) -> Vec<Vec<u8>> {
        let mut reader = Reader::open(path).expect("an event file");
        let mut events = Vec::new();
        while let Some(record) = reader.next_record().expect("intact") {
            let (time, rest) = record.data().split_at(9);
            assert_eq!(time[0], 0x09, "field 1, eight bytes");
            events.push(rest.to_vec());
        }
        events
    }

    #[test]
    fn an_event_is_the_bytes_that_the_protocol_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = EventFile::create(folder.path(), 0).expect("created");
        file.write(300, &[("a", EventValue::Scalar(1.5))]).expect("written");
        let found = events(file.path());
        assert_eq!(found[0], b"\x10\x00\x1a\x0dbrain.Event:2", "the version first");
        // Step 300, a summary of ten bytes, one value of eight: tag "a", 1.5 in 32 bits.
        let expected = b"\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01a\x15\x00\x00\xc0\x3f";
        assert_eq!(found[1], expected, "a scalar");
        assert_eq!(found.len(), 2, "a new run has nothing to drop");
    }

    #[test]
    fn a_resumed_run_adds_a_file_that_is_read_later_and_drops_the_steps_it_repeats() {
        let folder = tempfile::tempdir().expect("a folder");
        let files: Vec<EventFile> =
            (0..12).map(|_| EventFile::create(folder.path(), 7).expect("created")).collect();
        let names: Vec<&Path> = files.iter().map(EventFile::path).collect();
        assert!(names.is_sorted(), "the order of names is that of time: {names:?}");
        let found = events(names[11]);
        assert_eq!(found[1], b"\x10\x08\x3a\x02\x08\x01", "step 8, a session that starts");
    }
}
