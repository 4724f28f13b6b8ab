//! The files of one class while they are written, and how a value becomes a class's name.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;

use tempfile::TempPath;

use super::ClassCount;
use crate::error::{Error, Result};
use crate::example::Feature;
use crate::output::temporary_beside;
use crate::record::label_values;
use crate::record_files::shard_name;

/// Longest name of a class, so that shards fit any file system's 255 bytes.
const MAX_NAME_LEN: usize = 200;

/// The shards of one class: temporary files, removed when dropped, until [`publish`](Self::publish).
#[derive(Default)]
pub(crate) struct ClassWriter {
    shards: Vec<TempPath>,
    /// The last shard, if its file is open.
    open: Option<BufWriter<File>>,
    shard_bytes: u64,
    records: u64,
    last_written: u64,
}

impl ClassWriter {
    /// Appends one frame; `clock` orders the classes by their last use.
    pub(crate) fn write(
        &mut self,
        folder: &Path,
        frame: &[u8],
        max_shard_bytes: u64,
        clock: u64,
    ) -> Result<()> {
        if self.shards.is_empty() || self.shard_bytes >= max_shard_bytes {
            self.close()?;
            let (file, path) = temporary_beside(&folder.join("shard"))?.into_parts();
            self.shards.push(path);
            self.open = Some(BufWriter::new(file));
            self.shard_bytes = 0;
        }
        let output = match (&mut self.open, self.shards.last()) {
            (Some(output), _) => output,
            (None, Some(path)) => {
                let file = OpenOptions::new().append(true).open(path);
                let file = file.map_err(Error::io("write", path))?;
                self.open.insert(BufWriter::new(file))
            }
            (None, None) => unreachable!("a shard was made above"),
        };
        output.write_all(frame).map_err(Error::io("write in", folder))?;
        self.shard_bytes += frame.len() as u64;
        self.records += 1;
        self.last_written = clock;
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn last_written(&self) -> u64 {
        self.last_written
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Writes out what is buffered and closes the file.
    pub(crate) fn close(&mut self) -> Result<()> {
        match (self.open.take(), self.shards.last()) {
            (Some(mut output), Some(path)) => output.flush().map_err(Error::io("write", path)),
            _ => Ok(()),
        }
    }

    /// The lengths of the files as the file system knows them.
    pub(super) fn bytes_on_disk(&self) -> Result<u64> {
        let mut bytes = 0;
        for path in &self.shards {
            bytes += std::fs::metadata(path).map_err(Error::io("read", path))?.len();
        }
        Ok(bytes)
    }

    /// Gives the shards their names. One that exists (two values that a file system takes for the
    /// same name) is an error, never overwritten.
    pub(crate) fn publish(self, folder: &Path, name: String) -> Result<ClassCount> {
        let bytes = self.bytes_on_disk()?;
        let n_shards = self.shards.len();
        let mut files = Vec::new();
        for (i, shard) in self.shards.into_iter().enumerate() {
            let file = shard_name(&name, i, n_shards);
            let path = folder.join(&file);
            shard.persist_noclobber(&path).map_err(|e| Error::io("write", &path)(e.error))?;
            files.push(file);
        }
        Ok(ClassCount { name, records: self.records, bytes, files })
    }
}

/// The class that a feature's value names, `None` for an empty list.
///
/// Families and sources have NSynth's names, other integers the feature's last word and the number,
/// byte strings themselves, with what does not belong in a file name as `%` and two digits.
pub(super) fn class_name(name: &str, feature: Feature) -> Result<Option<String>, String> {
    if feature.is_empty() {
        return Ok(None);
    }
    if let Some(value) = feature.int64() {
        return Ok(Some(label_name(name, value)));
    }
    let one_string = feature.bytes().filter(|strings| strings.len() == 1);
    let Some(string) = one_string.map(|strings| strings[0]) else {
        let (kind, len) = (feature.kind(), feature.len());
        return Err(format!("feature `{name}` is a {kind} list of {len}: it names no class"));
    };
    let class: String = string.iter().map(|&byte| file_name_part(byte)).collect();
    match class.len() {
        0..=MAX_NAME_LEN => Ok(Some(class).filter(|class| !class.is_empty())),
        len => Err(format!("feature `{name}` of {len} bytes is too long to name a class")),
    }
}

/// The name of a label's value: `string` for family 8, `pitch-60` for pitch 60.
pub(crate) fn label_name(feature: &str, value: i64) -> String {
    let names = label_values(feature);
    let known = usize::try_from(value).ok().and_then(|value| names.get(value));
    let last_word = feature.rsplit('/').next().unwrap_or(feature);
    known.map_or_else(|| format!("{last_word}-{value}"), |&name| name.to_owned())
}

fn file_name_part(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    }
}
