//! Finding the next frame behind damage.
//!
//! TFRecord has no marks between frames, but a header proves itself: twelve bytes of which four are
//! the checksum of the others are one by chance once in four thousand million times, and the data
//! have to hold too.

use std::io::{Read, Seek, SeekFrom};

use super::chunk::Chunks;
use super::{FOOTER_LEN, HEADER_LEN, data_len, u32_at};
use crate::crc::masked;
use crate::error::{Error, Result};

/// Bytes that are searched at once.
const WINDOW: usize = 256 << 10;
/// Times the length of the file that may be spent on checking data. A hostile file could be made of
/// headers only; behind this, a header alone counts, and its data are found broken later.
const PATIENCE: u64 = 8;

/// Where the first intact frame at or after byte `from` begins.
pub(super) fn next_frame(chunks: &mut Chunks, from: u64) -> Result<Option<u64>> {
    let mut budget = chunks.len().saturating_mul(PATIENCE);
    let mut window = Vec::new();
    let mut begin = from;
    while begin + HEADER_LEN as u64 <= chunks.len() {
        read_at(chunks, begin, WINDOW, &mut window)?;
        if window.len() < HEADER_LEN {
            break;
        }
        for i in 0..=window.len() - HEADER_LEN {
            // The length of any real record leaves the upper half of its eight bytes empty.
            let header = &window[i..i + HEADER_LEN];
            let offset = begin + i as u64;
            if header[4..8] != [0; 4] || !fits(chunks, header, offset) {
                continue;
            }
            let (is_intact, spent) = check_data(chunks, offset)?;
            let is_patient = budget >= spent;
            budget = budget.saturating_sub(spent);
            if is_intact || !is_patient {
                return Ok(Some(offset));
            }
        }
        // Windows overlap by a header less one byte.
        begin += (window.len() - (HEADER_LEN - 1)) as u64;
    }
    Ok(None)
}

/// Whether an intact frame begins at byte `offset`.
pub(super) fn is_frame(chunks: &mut Chunks, offset: u64) -> Result<bool> {
    let mut header = Vec::new();
    read_at(chunks, offset, HEADER_LEN, &mut header)?;
    let is_header = header.len() == HEADER_LEN && fits(chunks, &header, offset);
    Ok(is_header && check_data(chunks, offset)?.0)
}

/// Whether the bytes are a header, and its frame ends within the file.
fn fits(chunks: &Chunks, header: &[u8], offset: u64) -> bool {
    let rest = chunks.len() - offset - HEADER_LEN as u64;
    data_len(header, offset).is_ok_and(|len| len + FOOTER_LEN as u64 <= rest)
}

/// Whether the data behind a header hold, and how many bytes were read to tell.
fn check_data(chunks: &mut Chunks, offset: u64) -> Result<(bool, u64)> {
    let mut bytes = Vec::new();
    read_at(chunks, offset, HEADER_LEN, &mut bytes)?;
    let Ok(data_len) = data_len(&bytes, offset) else { return Ok((false, 0)) };
    let (mut crc, mut at) = (0, offset + HEADER_LEN as u64);
    let end = at + data_len;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(WINDOW).min(WINDOW);
        read_at(chunks, at, wanted, &mut bytes)?;
        if bytes.is_empty() {
            return Ok((false, data_len));
        }
        crc = crc32c::crc32c_append(crc, &bytes);
        at += bytes.len() as u64;
    }
    read_at(chunks, end, FOOTER_LEN, &mut bytes)?;
    let is_intact = bytes.len() == FOOTER_LEN && masked(crc) == u32_at(&bytes, 0);
    Ok((is_intact, data_len))
}

/// Up to `len` bytes from `offset`; fewer at the end of the file.
fn read_at(chunks: &mut Chunks, offset: u64, len: usize, bytes: &mut Vec<u8>) -> Result<()> {
    bytes.clear();
    chunks
        .file
        .seek(SeekFrom::Start(offset))
        .and_then(|_| (&mut chunks.file).take(len as u64).read_to_end(bytes))
        .map_err(Error::io("read", &chunks.path))?;
    Ok(())
}
