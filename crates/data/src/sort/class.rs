//! The files of one class while they are written, and how a value becomes a class's name.

use std::fs::File;
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
}

impl ClassWriter {
    /// Appends one frame.
    pub(crate) fn write(&mut self, folder: &Path, frame: &[u8], max_bytes: u64) -> Result<()> {
        if self.shards.is_empty() || self.shard_bytes >= max_bytes {
            self.close()?;
            let (file, path) = temporary_beside(&folder.join("shard"))?.into_parts();
            self.shards.push(path);
            self.open = Some(BufWriter::new(file));
            self.shard_bytes = 0;
        }
        let Some(output) = &mut self.open else { unreachable!("a shard was made above") };
        output.write_all(frame).map_err(Error::io("write in", folder))?;
        self.shard_bytes += frame.len() as u64;
        self.records += 1;
        Ok(())
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

/// The class that the values of the features `by` name, `None` if the record lacks one of them.
///
/// Families and sources have NSynth's names, other integers the feature's last word and the number,
/// byte strings themselves, with what does not belong in a file name as `%` and two digits. Names of
/// several values are joined by `+`, which no value holds, so that no two classes have one name.
pub(crate) fn class_name(
    by: &[String],
    features: &[Option<Feature>],
) -> Result<Option<String>, String> {
    let mut class = String::new();
    for (name, feature) in by.iter().zip(features) {
        let value = feature.map(|feature| value_name(name, feature)).transpose()?.flatten();
        let Some(value) = value else { return Ok(None) };
        if !class.is_empty() {
            class.push('+');
        }
        class += &value;
    }
    match class.len() {
        0..=MAX_NAME_LEN => Ok(Some(class)),
        len => Err(format!("the name of a class by {} has {len} bytes: too long", by.join(", "))),
    }
}

/// The name of one value, `None` for an empty list or an empty string.
fn value_name(name: &str, feature: Feature) -> Result<Option<String>, String> {
    if feature.is_empty() {
        return Ok(None);
    }
    if let Some(value) = feature.int64() {
        return Ok(Some(label_name(name, value)));
    }
    let Some(string) = feature.byte_string() else {
        let (kind, len) = (feature.kind(), feature.len());
        return Err(format!("feature `{name}` is a {kind} list of {len}: it names no class"));
    };
    let class: String = string.iter().take(MAX_NAME_LEN + 1).map(|&b| file_name_part(b)).collect();
    Ok(Some(class).filter(|class| !class.is_empty()))
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
