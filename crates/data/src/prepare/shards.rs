//! The record files of one part while they are written.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::split::Side;
use crate::crc::Span;
use crate::error::{Error, Result};
use crate::tfrecord::write_record;

/// A finished file of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ShardFile {
    /// Its name in the part.
    pub(super) inner: String,
    pub(super) side: Side,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) crc32c: u32,
}

/// Appends records to files of both sides; one that has its length is followed by another.
pub(super) struct Shards<'a> {
    folder: &'a Path,
    max_bytes: u64,
    files: Vec<ShardFile>,
    /// The file that is written to, of each side, and its index.
    open: [Option<(usize, BufWriter<File>)>; 2],
    frame: Vec<u8>,
}

impl<'a> Shards<'a> {
    pub(super) fn new(folder: &'a Path, max_bytes: u64) -> Self {
        Self { folder, max_bytes, files: Vec::new(), open: [None, None], frame: Vec::new() }
    }

    /// Appends one record.
    pub(super) fn write(&mut self, side: Side, data: &[u8]) -> Result<()> {
        self.frame.clear();
        write_record(&mut self.frame, data).map_err(Error::io("write in", self.folder))?;
        let slot = side as usize;
        let is_full =
            |(file, _): &(usize, BufWriter<File>)| self.files[*file].bytes >= self.max_bytes;
        if self.open[slot].as_ref().is_none_or(is_full) {
            self.begin(side)?;
        }
        let Some((file, output)) = &mut self.open[slot] else { unreachable!("begun above") };
        let file = &mut self.files[*file];
        let path = self.folder.join(&file.inner);
        output.write_all(&self.frame).map_err(Error::io("write", &path))?;
        let span = Span { crc: file.crc32c, len: file.bytes }.then(Span::of(&self.frame));
        (file.crc32c, file.bytes) = (span.crc, span.len);
        file.records += 1;
        Ok(())
    }

    /// Begins a file, and ends the one before.
    fn begin(&mut self, side: Side) -> Result<()> {
        self.close(side)?;
        let inner = format!("{}-{:05}", side.name(), self.files.len());
        let path = self.folder.join(&inner);
        let output = File::create_new(&path).map_err(Error::io("write", &path))?;
        self.open[side as usize] =
            Some((self.files.len(), BufWriter::with_capacity(256 << 10, output)));
        self.files.push(ShardFile { inner, side, records: 0, bytes: 0, crc32c: 0 });
        Ok(())
    }

    fn close(&mut self, side: Side) -> Result<()> {
        let Some((file, mut output)) = self.open[side as usize].take() else { return Ok(()) };
        let path = self.folder.join(&self.files[file].inner);
        output.flush().map_err(Error::io("write", &path))
    }

    /// Ends all files, and checks that they are as long as what was written.
    pub(super) fn finish(mut self) -> Result<Vec<ShardFile>> {
        for side in [Side::Train, Side::HeldOut] {
            self.close(side)?;
        }
        for file in &self.files {
            let path = self.folder.join(&file.inner);
            let on_disk = std::fs::metadata(&path).map_err(Error::io("read", &path))?.len();
            if on_disk != file.bytes {
                let reason = format!("{} bytes were written, {on_disk} are there", file.bytes);
                return Err(Error::Data(format!("{}: {reason}", path.display())));
            }
        }
        Ok(self.files)
    }
}

impl Side {
    /// How the names of its files begin.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::HeldOut => "held_out",
        }
    }
}
