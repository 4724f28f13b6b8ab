//! TFRecord files: a sequence of byte records, each framed by its length and two checksums.
//!
//! A frame is the length (`u64`, little-endian), the masked CRC-32C of those eight bytes, the data
//! and the masked CRC-32C of the data
//! (<https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details>).
//! Compressed files (GZIP, ZLIB) are refused with the reason.

mod chunk;
mod resync;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::crc::{Span, masked};
use crate::error::{Error, Result};

pub(crate) use chunk::{Chunk, Chunks, Tolerance};

/// Longest record that is read. An NSynth note has 273 kB; ten minutes at 48 kHz with their copy at
/// 16 kHz and their features 155 MB. More is a broken or hostile file, or not worth the memory.
pub const MAX_RECORD_BYTES: u64 = 150 << 20;

/// Bytes before the data: the length and its checksum.
pub(crate) const HEADER_LEN: usize = 12;
/// Bytes after the data: its checksum.
const FOOTER_LEN: usize = 4;
/// What is wrong where the data's checksum does not hold.
const DATA_DIFFER: &str = "the data differ from their checksum: the file is damaged";

/// One record as it stands in a file.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where the frame begins in its file, in bytes.
    pub offset: u64,
    /// The whole frame: length, checksum, data, checksum. Copying it copies the record exactly.
    pub frame: &'a [u8],
}

impl<'a> Record<'a> {
    /// The payload.
    pub fn data(&self) -> &'a [u8] {
        &self.frame[HEADER_LEN..self.frame.len() - FOOTER_LEN]
    }

    /// Checks the data against their checksum; gives the span of the whole frame.
    pub(crate) fn check(&self) -> Result<Span, &'static str> {
        let (header, footer) = (&self.frame[..HEADER_LEN], self.frame.len() - FOOTER_LEN);
        let data = Span::of(self.data());
        if masked(data.crc) != u32_at(self.frame, footer) {
            return Err(DATA_DIFFER);
        }
        Ok(Span::of(header).then(data).then(Span::of(&self.frame[footer..])))
    }

    /// The checksum of the payload as it stands in the frame: CRC-32C, masked.
    pub fn masked_crc(&self) -> u32 {
        let footer = self.frame.last_chunk::<FOOTER_LEN>().expect("a frame ends with a checksum");
        u32::from_le_bytes(*footer)
    }
}

/// Reads the records of one file in order, in one reused buffer.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    path: PathBuf,
    /// Bytes of the file where known: tells a cut-off record before it is allocated.
    file_len: Option<u64>,
    offset: u64,
    frame: Vec<u8>,
}

impl Reader<BufReader<File>> {
    /// Opens a file; its records are checked as they are read.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or is a folder.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("read", path))?;
        if metadata.is_dir() {
            let source = io::Error::other("it is a folder, not a TFRecord file");
            return Err(Error::Io { action: "read", path: path.to_owned(), source });
        }
        // Large reads bypass the buffer; it only joins the small reads of headers and footers.
        let input = BufReader::with_capacity(16 << 10, file);
        let file_len = metadata.is_file().then_some(metadata.len());
        Ok(Self { input, path: path.to_owned(), file_len, offset: 0, frame: Vec::new() })
    }

    /// Continues at the frame that begins at byte `offset`.
    ///
    /// # Errors
    ///
    /// If the system refuses to seek.
    pub fn seek(&mut self, offset: u64) -> Result<()> {
        self.input.seek(SeekFrom::Start(offset)).map_err(Error::io("seek in", &self.path))?;
        self.offset = offset;
        Ok(())
    }
}

impl<R: Read> Reader<R> {
    /// Reads records from any source; `name` stands in errors where a file's path would.
    pub fn new(input: R, name: &Path) -> Self {
        Self { input, path: name.to_owned(), file_len: None, offset: 0, frame: Vec::new() }
    }

    /// The file that is read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next frame begins, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record, or `None` after the last.
    ///
    /// # Errors
    ///
    /// If the file ends inside a record, a checksum differs, a length exceeds
    /// [`MAX_RECORD_BYTES`], or the system fails; the error names the file and the byte at which the
    /// record begins.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        let Some(data_len) = self.read_header()? else { return Ok(None) };
        let rest = data_len + FOOTER_LEN as u64;
        let available = self.file_len.map(|n| n.saturating_sub(self.offset + HEADER_LEN as u64));
        if available.is_some_and(|available| available < rest) {
            return Err(self.error(cut_off(data_len, available.unwrap_or(0))));
        }
        // `read_to_end` grows with what really comes, so a length that lies costs no memory.
        let read = (&mut self.input).take(rest).read_to_end(&mut self.frame);
        let read = read.map_err(Error::io("read", &self.path))? as u64;
        if read < rest {
            return Err(self.error(cut_off(data_len, read)));
        }
        let (data, footer) = self.frame[HEADER_LEN..].split_at(self.frame.len() - 16);
        if masked_crc(data) != u32_at(footer, 0) {
            return Err(self.error(DATA_DIFFER));
        }
        let record = Record { offset: self.offset, frame: &self.frame };
        self.offset += self.frame.len() as u64;
        Ok(Some(record))
    }

    /// Reads and checks the next header into the frame: the data's length, `None` at the end.
    fn read_header(&mut self) -> Result<Option<u64>> {
        self.frame.clear();
        let read = (&mut self.input).take(HEADER_LEN as u64).read_to_end(&mut self.frame);
        match read.map_err(Error::io("read", &self.path))? {
            0 => return Ok(None),
            HEADER_LEN => {}
            n => return Err(self.error(cut_header(n as u64))),
        }
        let length = data_len(&self.frame, self.offset);
        length.map(Some).map_err(|reason| self.error(reason))
    }

    fn error(&self, reason: impl Into<String>) -> Error {
        Error::record(&self.path, self.offset, reason)
    }
}

/// The length of the data, from the header that stands at byte `offset` of a file.
fn data_len(header: &[u8], offset: u64) -> Result<u64, String> {
    if masked_crc(&header[..8]) != u32_at(header, 8) {
        return Err(not_a_header(&header[..2], offset).to_owned());
    }
    let mut length = [0; 8];
    length.copy_from_slice(&header[..8]);
    let data_len = u64::from_le_bytes(length);
    if data_len > MAX_RECORD_BYTES {
        let limit = MAX_RECORD_BYTES >> 20;
        let hint = "cut what it holds into shorter examples";
        return Err(format!("{data_len} bytes long, more than {limit} MiB: {hint}"));
    }
    Ok(data_len)
}

/// Why a header's checksum does not hold.
fn not_a_header(begin: &[u8], offset: u64) -> &'static str {
    match (offset, begin) {
        (0, [0x1f, 0x8b]) => "the file is compressed with gzip: unpack it first",
        (0, [0x78, 0x01 | 0x5e | 0x9c | 0xda]) => {
            "the file is compressed with zlib: unpack it first"
        }
        (0, _) => "not a TFRecord file (the first length differs from its checksum)",
        _ => "the length differs from its checksum: the file is damaged",
    }
}

fn cut_header(n_bytes: u64) -> String {
    format!("the file ends {n_bytes} bytes into a header: it is cut off")
}

fn cut_off(data_len: u64, available: u64) -> String {
    let left = available.min(data_len);
    format!("the file ends after {left} of {data_len} bytes: it is cut off")
}

/// Writes one record's frame.
///
/// # Errors
///
/// What `output` fails with.
pub fn write_record(output: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    output.write_all(&length)?;
    output.write_all(&masked_crc(&length).to_le_bytes())?;
    output.write_all(data)?;
    output.write_all(&masked_crc(data).to_le_bytes())
}

/// TFRecord's checksum.
fn masked_crc(data: &[u8]) -> u32 {
    masked(crc32c::crc32c(data))
}

/// The little-endian number at `at`; the caller has checked that it is there.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut le = [0; 4];
    le.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(le)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::mutants;
    use proptest::prelude::*;

    fn file_of(records: &[Vec<u8>]) -> Vec<u8> {
        let mut file = Vec::new();
        for record in records {
            write_record(&mut file, record).expect("a Vec takes everything");
        }
        file
    }

    fn read_all(file: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut reader = Reader::new(file, Path::new("x.tfrecord"));
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(record.data().to_vec());
        }
        Ok(records)
    }

    fn message(file: &[u8]) -> String {
        read_all(file).expect_err("broken").to_string()
    }

    #[test]
    fn the_frame_is_that_of_the_format() {
        let file = file_of(&[b"123456789".to_vec()]);
        assert_eq!(&file[..8], &[9, 0, 0, 0, 0, 0, 0, 0], "length, little-endian");
        // CRC-32C("123456789") is 0xe3069283 (RFC 3720, B.4's check value).
        let masked = 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(&file[21..], &masked.to_le_bytes(), "masked checksum of the data");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(records in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
            prop_assert_eq!(read_all(&file_of(&records)).expect("intact"), records);
        }
    }

    #[test]
    fn frames_copy_exactly_and_say_where_they_were() {
        let file = file_of(&[vec![1; 10], vec![2; 5]]);
        let mut reader = Reader::new(&file[..], Path::new("x"));
        let mut copy = Vec::new();
        let mut offsets = Vec::new();
        while let Some(record) = reader.next_record().expect("intact") {
            copy.extend_from_slice(record.frame);
            offsets.push(record.offset);
        }
        assert_eq!((copy, offsets), (file, vec![0, 26]));
    }

    #[test]
    fn damage_is_named_with_file_and_byte() {
        let file = file_of(&[vec![1; 10], vec![2; 5]]);
        let mut flipped = file.clone();
        flipped[26 + 12] ^= 1;
        assert_eq!(
            message(&flipped),
            "x.tfrecord: record at byte 26: the data differ from their checksum: the file is damaged"
        );
        let mut flipped = file.clone();
        flipped[26 + 3] ^= 1;
        assert!(message(&flipped).contains("at byte 26: the length differs"), "length checksum");
        let cut = message(&file[..file.len() - 6]);
        assert!(cut.contains("at byte 26: the file ends after 3 of 5 bytes"), "{cut}");
        let cut = message(&file[..30]);
        assert!(cut.contains("at byte 26: the file ends 4 bytes into a header"), "{cut}");
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        assert!(message(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).contains("gzip"), "gzip");
        assert!(message(b"RIFF....WAVEfmt ").contains("not a TFRecord file"), "audio");
    }

    #[test]
    fn an_absurd_length_is_refused_before_memory_is_taken() {
        let length = (1_u64 << 60).to_le_bytes();
        let mut file = length.to_vec();
        file.extend(masked_crc(&length).to_le_bytes());
        assert!(message(&file).contains("more than 150 MiB"), "absurd length");
    }

    #[test]
    fn a_file_on_disk_that_is_cut_off_is_told_before_it_is_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.tfrecord");
        let file = file_of(&[vec![7; 1000]]);
        std::fs::write(&path, &file[..500]).expect("writable");
        let mut reader = Reader::open(&path).expect("opens");
        let error = reader.next_record().expect_err("cut off").to_string();
        assert!(error.contains("ends after 488 of 1000 bytes"), "{error}");
        assert!(reader.frame.capacity() < 400, "nothing was read or allocated for the record");
    }

    #[test]
    fn any_bytes_give_records_or_an_error() {
        let file = file_of(&[vec![1; 40], vec![], vec![2; 5]]);
        for mutant in mutants(&file, 2000) {
            if let Ok(records) = read_all(&mutant) {
                let total: usize = records.iter().map(|r| r.len() + 16).sum();
                assert_eq!(total, mutant.len(), "every byte is accounted for");
            }
        }
    }
}
