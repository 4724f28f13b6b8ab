//! The files of one part while several threads write to them, each at a place of its own.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::crc::Span;
use crate::error::{Error, Result};

/// Files held open at once; systems allow at least 256.
const MAX_OPEN: usize = 64;

/// Files in a folder, by number.
pub(super) struct ShardFiles<'a> {
    folder: &'a Path,
    files: Mutex<Vec<ShardFile>>,
    open: Mutex<OpenFiles>,
}

struct ShardFile {
    name: String,
    /// What stands in the file from its beginning on.
    written: Span,
    /// What stands behind a gap that another thread is still to fill, by place.
    beyond: BTreeMap<u64, Span>,
}

#[derive(Default)]
struct OpenFiles {
    /// With the time of the last use.
    files: Vec<(usize, Arc<File>, u64)>,
    clock: u64,
}

impl<'a> ShardFiles<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, files: Mutex::default(), open: Mutex::default() }
    }

    /// Makes an empty file of this name; gives its number.
    ///
    /// # Errors
    ///
    /// If there is one (two names may be one to the file system), or it cannot be made.
    pub(super) fn create(&self, name: String) -> Result<usize> {
        let path = self.folder.join(&name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = Arc::new(file.map_err(Error::io("write", &path))?);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.push(ShardFile { name, written: Span::default(), beyond: BTreeMap::new() });
        let number = files.len() - 1;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).keep(number, file);
        Ok(number)
    }

    /// Writes `pieces`, which follow each other, at byte `offset` of a file.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub(super) fn write<'b>(
        &self,
        number: usize,
        mut offset: u64,
        pieces: impl Iterator<Item = &'b [u8]>,
    ) -> Result<()> {
        let file = self.file(number)?;
        for piece in pieces {
            let written = write_all_at(&file, piece, offset);
            written.map_err(|error| Error::io("write", &self.path(number))(error))?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Notes that `span` stands at byte `offset` of a file.
    pub(super) fn note(&self, number: usize, offset: u64, span: Span) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = &mut files[number];
        file.beyond.insert(offset, span);
        while let Some(next) = file.beyond.remove(&file.written.len) {
            file.written = file.written.then(next);
        }
    }

    /// The length and checksum of each file, compared with what the file system knows.
    ///
    /// # Errors
    ///
    /// If bytes are missing, or a file cannot be looked at.
    pub(super) fn finish(self) -> Result<Vec<Span>> {
        let files = self.files.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut spans = Vec::new();
        for ShardFile { name, written, beyond } in files {
            let path = self.folder.join(name);
            let on_disk = std::fs::metadata(&path).map_err(Error::io("read", &path))?.len();
            if on_disk != written.len || !beyond.is_empty() {
                return Err(Error::Data(format!(
                    "{}: {} bytes were written, {on_disk} are there",
                    path.display(),
                    written.len
                )));
            }
            spans.push(written);
        }
        Ok(spans)
    }

    fn path(&self, number: usize) -> PathBuf {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        self.folder.join(&files[number].name)
    }

    /// The open file of this number; opens it again if very many are.
    fn file(&self, number: usize) -> Result<Arc<File>> {
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(number);
        if let Some(file) = known {
            return Ok(file);
        }
        let path = self.path(number);
        let file = OpenOptions::new().write(true).open(&path).map_err(Error::io("write", &path))?;
        let file = Arc::new(file);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).keep(number, Arc::clone(&file));
        Ok(file)
    }
}

impl OpenFiles {
    fn get(&mut self, number: usize) -> Option<Arc<File>> {
        self.clock += 1;
        let (_, file, used) = self.files.iter_mut().find(|(known, ..)| *known == number)?;
        *used = self.clock;
        Some(Arc::clone(file))
    }

    /// Keeps a file open, in the place of the one that was used longest ago if there are too many.
    fn keep(&mut self, number: usize, file: Arc<File>) {
        self.clock += 1;
        let opened = (number, file, self.clock);
        if self.files.len() < MAX_OPEN {
            self.files.push(opened);
        } else if let Some(oldest) = self.files.iter_mut().min_by_key(|(.., used)| *used) {
            *oldest = opened;
        }
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = &bytes[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_whole_files() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = ShardFiles::new(dir.path());
        // More than may be open at once.
        let numbers: Vec<usize> =
            (0..MAX_OPEN + 9).map(|i| files.create(format!("f{i}")).expect("writable")).collect();
        for &number in &numbers {
            for (offset, text) in [(5, "fghi"), (0, "ab"), (9, ""), (2, "cde")] {
                let pieces =
                    [&text.as_bytes()[..text.len() / 2], &text.as_bytes()[text.len() / 2..]];
                files.write(number, offset, pieces.into_iter()).expect("writable");
                files.note(number, offset, Span::of(text.as_bytes()));
            }
        }
        let spans = files.finish().expect("whole");
        assert_eq!(spans, vec![Span::of(b"abcdefghi"); numbers.len()]);
        for number in numbers {
            let content = std::fs::read(dir.path().join(format!("f{number}"))).expect("there");
            assert_eq!(content, b"abcdefghi");
        }
    }

    #[test]
    fn bytes_that_are_missing_are_told() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = ShardFiles::new(dir.path());
        let number = files.create("f".to_owned()).expect("writable");
        assert!(files.create("f".to_owned()).is_err(), "a name is taken once");
        files.write(number, 3, [&b"def"[..]].into_iter()).expect("writable");
        files.note(number, 3, Span::of(b"def"));
        let error = files.finish().expect_err("a gap").to_string();
        assert!(error.contains("0 bytes were written, 6 are there"), "{error}");
    }
}
