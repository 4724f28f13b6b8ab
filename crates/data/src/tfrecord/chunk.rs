//! Files cut into stretches of whole frames, for work on several threads.
//!
//! Cutting only follows the lengths from header to header; checking the data is left to whoever gets
//! the chunk. Where the cuts are depends on the file alone.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{FOOTER_LEN, HEADER_LEN, Record, cut_header, cut_off, data_len, resync};
use crate::error::{Error, Result};

/// Bytes that are read at once: long enough that threads seldom meet, short enough that those of
/// several threads take little memory. A longer frame is a chunk of its own.
pub(crate) const CHUNK_BYTES: usize = 2 << 20;

/// Bytes around the data of a record.
const FRAME_BYTES: u64 = (HEADER_LEN + FOOTER_LEN) as u64;

/// What happens where a file is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// The first damage is an error.
    None,
    /// Damage is reported, and reading goes on at the next frame that can be made out.
    GoOn,
}

/// Bytes that belong to no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub len: u64,
    /// What is wrong with them.
    pub reason: String,
}

/// Whole frames that follow each other in a file; their data are not checked yet.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Where the first frame begins in the file, in bytes.
    offset: u64,
    bytes: Vec<u8>,
    /// Where each frame ends in `bytes`.
    ends: Vec<usize>,
    /// Bytes that had to be skipped instead; such a chunk has no frames.
    pub damage: Option<Damage>,
}

impl Chunk {
    /// The records in order.
    pub(crate) fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.ends.iter().enumerate().map(|(i, &end)| {
            let begin = i.checked_sub(1).map_or(0, |before| self.ends[before]);
            Record { offset: self.offset + begin as u64, frame: &self.bytes[begin..end] }
        })
    }

    /// Where the first frame begins in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The frames, one after the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.ends.last().copied().unwrap_or(0)]
    }

    /// Bytes of the file that this chunk accounts for.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.bytes().len() as u64 + self.damage.as_ref().map_or(0, |damage| damage.len)
    }

    /// Memory for another chunk.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

/// Cuts one file.
#[derive(Debug)]
pub(crate) struct Chunks {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// As it was on opening.
    metadata: Metadata,
    tolerance: Tolerance,
    at: u64,
    /// Where the frame before `at` begins.
    last_frame: Option<u64>,
}

impl Chunks {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or is no regular file.
    pub(crate) fn open(path: &Path, tolerance: Tolerance) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("read", path))?;
        if !metadata.is_file() {
            let source = std::io::Error::other("it is not a regular file");
            return Err(Error::Io { action: "read", path: path.to_owned(), source });
        }
        let path = path.to_owned();
        Ok(Self { file, path, metadata, tolerance, at: 0, last_frame: None })
    }

    /// Length of the file.
    pub(crate) fn len(&self) -> u64 {
        self.metadata.len()
    }

    /// The next chunk, in the memory of `buffer`; `None` at the end.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or changes meanwhile; and, without tolerance, at the first damage.
    pub(crate) fn next_chunk(&mut self, mut buffer: Vec<u8>) -> Result<Option<Chunk>> {
        if self.at == self.len() {
            self.check_unchanged()?;
            return Ok(None);
        }
        let rest = self.len() - self.at;
        let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        buffer.clear();
        self.read_to(&mut buffer, wanted)?;
        let mut chunk = Chunk { offset: self.at, bytes: buffer, ..Chunk::default() };
        if let Err(reason) = self.find_frames(&mut chunk)?
            && chunk.ends.is_empty()
        {
            match self.tolerance {
                Tolerance::None => return Err(Error::record(&self.path, self.at, reason)),
                Tolerance::GoOn => chunk.damage = Some(self.skip(reason)?),
            }
        }
        self.at += chunk.bytes().len() as u64;
        Ok(Some(chunk))
    }

    /// Finds the frames in a chunk; the inner error tells why there is none after the last.
    fn find_frames(&mut self, chunk: &mut Chunk) -> Result<Result<(), String>> {
        let mut begin = 0;
        loop {
            let (at, header) = (self.at + begin as u64, &chunk.bytes[begin..]);
            let rest = self.len() - at;
            if rest == 0 {
                return Ok(Ok(()));
            }
            if header.len() < HEADER_LEN {
                let is_cut = rest < HEADER_LEN as u64;
                return Ok(if is_cut { Err(cut_header(rest)) } else { Ok(()) });
            }
            let data_len = match data_len(&header[..HEADER_LEN], at) {
                Ok(data_len) => data_len,
                Err(reason) => return Ok(Err(reason)),
            };
            let frame_len = data_len + FRAME_BYTES;
            if frame_len > rest {
                return Ok(Err(cut_off(data_len, rest - HEADER_LEN as u64)));
            }
            let end = begin + usize::try_from(frame_len).unwrap_or(usize::MAX);
            if end > chunk.bytes.len() {
                if begin > 0 {
                    return Ok(Ok(()));
                }
                self.read_to(&mut chunk.bytes, end)?;
            }
            chunk.ends.push(end);
            self.last_frame = Some(at);
            begin = end;
        }
    }

    /// Reads on until `buffer` holds `len` bytes from `self.at`.
    fn read_to(&mut self, buffer: &mut Vec<u8>, len: usize) -> Result<()> {
        let n_held = buffer.len();
        let n_missing = len - n_held;
        buffer.reserve_exact(n_missing);
        self.file
            .seek(SeekFrom::Start(self.at + n_held as u64))
            .and_then(|_| (&mut self.file).take(n_missing as u64).read_to_end(buffer))
            .map_err(Error::io("read", &self.path))?;
        if buffer.len() < len { Err(self.changed()) } else { Ok(()) }
    }

    /// Goes to the next frame that can be made out, or to the end.
    fn skip(&mut self, reason: String) -> Result<Damage> {
        let damaged = self.at;
        // If bytes are missing from the frame before, the next one begins inside its supposed length.
        let mut from = damaged + 1;
        if let Some(last) = self.last_frame
            && !resync::is_frame(self, last)?
        {
            from = last + 1;
        }
        self.at = resync::next_frame(self, from)?.unwrap_or(self.len());
        self.last_frame = None;
        Ok(Damage { offset: damaged, len: self.at.saturating_sub(damaged), reason })
    }

    fn check_unchanged(&self) -> Result<()> {
        let now = self.file.metadata().map_err(Error::io("read", &self.path))?;
        let is_same = |then: &Metadata, now: &Metadata| {
            then.len() == now.len() && then.modified().ok() == now.modified().ok()
        };
        if is_same(&self.metadata, &now) { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        Error::Data(format!("{} changed while it was read", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::mutants;
    use crate::tfrecord::{Reader, write_record};

    fn file_of(records: &[Vec<u8>]) -> Vec<u8> {
        let mut file = Vec::new();
        for record in records {
            write_record(&mut file, record).expect("a Vec takes everything");
        }
        file
    }

    /// Offsets of the intact records, and what was skipped.
    fn walk(path: &Path, tolerance: Tolerance) -> Result<(Vec<u64>, Vec<Damage>)> {
        let mut chunks = Chunks::open(path, tolerance)?;
        let (mut intact, mut damages, mut buffer) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(chunk) = chunks.next_chunk(buffer)? {
            intact.extend(chunk.records().filter(|r| r.check().is_ok()).map(|r| r.offset));
            damages.extend(chunk.damage.clone());
            buffer = chunk.into_buffer();
        }
        Ok((intact, damages))
    }

    struct Scene {
        _dir: tempfile::TempDir,
        path: PathBuf,
    }

    impl Scene {
        fn new(bytes: &[u8]) -> Self {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let path = dir.path().join("x.tfrecord");
            std::fs::write(&path, bytes).expect("writable");
            Self { _dir: dir, path }
        }

        fn walk(&self) -> (Vec<u64>, Vec<Damage>) {
            walk(&self.path, Tolerance::GoOn).expect("readable")
        }
    }

    #[test]
    fn chunks_hold_every_frame_once() {
        // Frames that fit, that straddle a cut, and that are longer than a chunk.
        let lens = [0, 1, CHUNK_BYTES - 40, 5, CHUNK_BYTES / 2, CHUNK_BYTES, 3 * CHUNK_BYTES, 7];
        let records: Vec<Vec<u8>> = lens.iter().map(|&len| vec![7; len]).collect();
        let file = file_of(&records);
        let scene = Scene::new(&file);
        let mut chunks = Chunks::open(&scene.path, Tolerance::None).expect("opens");
        let (mut read, mut lens_read) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.next_chunk(Vec::new()).expect("intact") {
            assert_eq!(chunk.offset(), read.len() as u64);
            read.extend_from_slice(chunk.bytes());
            assert!(chunk.bytes().len() <= CHUNK_BYTES || chunk.records().len() == 1, "bounded");
            lens_read.extend(chunk.records().map(|record| record.data().len()));
        }
        assert!(read == file, "every byte once, in order");
        assert_eq!(lens_read, lens);
    }

    #[test]
    fn both_readers_agree_on_any_bytes() {
        let file = file_of(&[vec![1; 40], vec![], vec![2; 5], vec![3; 90]]);
        for (i, mutant) in mutants(&file, 600).enumerate() {
            let scene = Scene::new(&mutant);
            let mut reader = Reader::open(&scene.path).expect("opens");
            let mut expected = Vec::new();
            let error = loop {
                match reader.next_record() {
                    Ok(Some(record)) => expected.push(record.offset),
                    Ok(None) => break None,
                    Err(error) => break Some(error.to_string()),
                }
            };
            let strict = walk(&scene.path, Tolerance::None).map(|(intact, _)| intact);
            match (error, strict) {
                (None, strict) => assert_eq!(strict.expect("intact"), expected, "mutant {i}"),
                // A record whose data differ is none of the cutter's business.
                (Some(_), Ok(intact)) => assert!(intact.starts_with(&expected), "mutant {i}"),
                (Some(error), Err(strict)) => {
                    let place = |text: &str| text.split(": ").nth(1).map(str::to_owned);
                    let earlier = error.contains("data differ");
                    let strict = strict.to_string();
                    assert!(earlier || place(&error) == place(&strict), "{error}, {strict}");
                }
            }
        }
    }

    #[test]
    fn reading_goes_on_behind_damage() {
        let records = [vec![1; 40], vec![2; 50], vec![3; 60], vec![4; 70]];
        let file = file_of(&records);
        let begins = [0, 56, 122, 198];
        // A broken length: its record is skipped.
        let mut broken = file.clone();
        broken[56] ^= 1;
        let (intact, damages) = Scene::new(&broken).walk();
        assert_eq!(intact, [begins[0], begins[2], begins[3]]);
        assert_eq!((damages.len(), damages[0].offset, damages[0].len), (1, 56, 66));
        // Bytes missing in the middle of a record: it is lost, the next one is not.
        let mut short = file.clone();
        short.drain(80..90);
        let (intact, _) = Scene::new(&short).walk();
        assert_eq!(intact, [0, 112, 188]);
        // Bytes too many between records, and at the end.
        let mut long = file.clone();
        long.splice(122..122, [9; 11]);
        long.extend([7; 20]);
        let (intact, damages) = Scene::new(&long).walk();
        assert_eq!(intact, [0, 56, 133, 209]);
        let places: Vec<_> = damages.iter().map(|d| (d.offset, d.len)).collect();
        assert_eq!(places, [(122, 11), (295, 20)]);
        // Cut off.
        let (intact, damages) = Scene::new(&file[..file.len() - 1]).walk();
        assert_eq!(intact, begins[..3]);
        assert!(damages[0].reason.contains("cut off"), "{damages:?}");
        // No TFRecord at all.
        let (intact, damages) = Scene::new(b"RIFF....WAVEfmt and so on").walk();
        assert_eq!((intact.len(), damages[0].len), (0, 25));
    }

    #[test]
    fn damage_costs_only_the_records_that_it_touches() {
        let records: Vec<Vec<u8>> = (0..20_u8).map(|n| vec![n; 30 + usize::from(n)]).collect();
        let file = file_of(&records);
        let mut ends: Vec<u64> = vec![0];
        for record in &records {
            ends.push(ends[ends.len() - 1] + record.len() as u64 + FRAME_BYTES);
        }
        let at = file.len() / 2;
        let hit = ends.iter().rposition(|&end| end <= at as u64).expect("the first begins at 0");
        for (what, len) in [("flip", 0), ("lose", 1), ("lose", 7), ("lose", 40)] {
            let mut broken = file.clone();
            match what {
                "flip" => broken[at] ^= 0x10,
                _ => drop(broken.drain(at..at + len)),
            }
            let last = ends.iter().rposition(|&end| end < (at + len).max(at + 1) as u64);
            let n_hit = last.expect("there is one") - hit + 1;
            let (intact, _) = Scene::new(&broken).walk();
            assert_eq!(intact.len(), records.len() - n_hit, "{what} {len} at {at}");
        }
    }

    #[test]
    fn a_file_that_changes_is_told() {
        let scene = Scene::new(&file_of(&[vec![1; 40], vec![2; 50]]));
        let mut chunks = Chunks::open(&scene.path, Tolerance::None).expect("opens");
        std::fs::write(&scene.path, b"shorter").expect("writable");
        let error = chunks.next_chunk(Vec::new()).expect_err("changed").to_string();
        assert!(error.ends_with("x.tfrecord changed while it was read"), "{error}");
    }
}
