//! The door for SoundFont files: what the synthesizer's reader takes on trust is checked here.
//!
//! Its reader allocates what a chunk's header says before it reads, and copies what the index lists
//! say: a file of some hundred bytes could ask for gigabytes. Here every length must lie inside the
//! file and every list of indices must rise, as SoundFont 2.04 (sections 7.2 to 7.8) demands, after
//! which memory is in proportion to the file.

use std::io::{Read, Seek, SeekFrom};

/// The lists of a SoundFont in their order.
const LISTS: [&[u8; 4]; 3] = [b"INFO", b"sdta", b"pdta"];

/// A list of entries that each say where theirs begin in the next one.
struct Index {
    chunk: &'static [u8; 4],
    entry_len: usize,
    /// Where in an entry the index stands, 16 bits.
    at: usize,
    /// The list that it points into, and the length of its entries.
    target: (&'static [u8; 4], u64),
}

const INDICES: [Index; 4] = [
    Index { chunk: b"phdr", entry_len: 38, at: 24, target: (b"pbag", 4) },
    Index { chunk: b"pbag", entry_len: 4, at: 0, target: (b"pgen", 4) },
    Index { chunk: b"inst", entry_len: 22, at: 20, target: (b"ibag", 4) },
    Index { chunk: b"ibag", entry_len: 4, at: 0, target: (b"igen", 4) },
];

/// A chunk without its header.
struct Chunk {
    name: [u8; 4],
    start: u64,
    len: u64,
}

/// Checks the frame of a SoundFont and leaves the file at its beginning.
///
/// # Errors
///
/// What is wrong, with the byte where it is.
pub(super) fn check_frame(file: &mut (impl Read + Seek)) -> Result<(), String> {
    let end = file.seek(SeekFrom::End(0)).map_err(|e| e.to_string())?;
    let riff = chunk_at(file, 0, end)?;
    if riff.name != *b"RIFF" || name_at(file, riff.start)? != *b"sfbk" {
        return Err("it does not begin as one does, with RIFF and sfbk".to_owned());
    }
    let mut at = riff.start + 4;
    let mut parameters = Vec::new();
    for name in LISTS {
        let list = chunk_at(file, at, end)?;
        if list.name != *b"LIST" || list.len < 4 || name_at(file, list.start)? != *name {
            return Err(format!("at byte {at}: no list {}", shown(name)));
        }
        at = list.start + list.len;
        parameters = chunks(file, list.start + 4, at)?;
    }
    INDICES.iter().try_for_each(|index| check_index(file, &parameters, index))?;
    file.seek(SeekFrom::Start(0)).map(|_| ()).map_err(|e| e.to_string())
}

/// The chunks between two places.
fn chunks(file: &mut (impl Read + Seek), from: u64, to: u64) -> Result<Vec<Chunk>, String> {
    let mut at = from;
    let mut chunks: Vec<Chunk> = Vec::new();
    while at < to {
        let chunk = chunk_at(file, at, to)?;
        // Versions have a fixed length, which the reader does not ask for.
        if [b"ifil", b"iver"].contains(&&chunk.name) && chunk.len != 4 {
            return Err(format!("at byte {at}: {} of {} bytes", shown(&chunk.name), chunk.len));
        }
        if chunks.iter().any(|other| other.name == chunk.name) {
            return Err(format!("at byte {at}: a second chunk {}", shown(&chunk.name)));
        }
        at = chunk.start + chunk.len;
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// The chunk at a place, which must end before `end`.
fn chunk_at(file: &mut (impl Read + Seek), at: u64, end: u64) -> Result<Chunk, String> {
    let mut header = [0; 8];
    read_at(file, at, &mut header)?;
    let [a, b, c, d, rest @ ..] = header;
    let (name, start, len) = ([a, b, c, d], at + 8, u64::from(u32::from_le_bytes(rest)));
    // The outermost length is often wrong, and read by nobody.
    if name != *b"RIFF" && start + len > end {
        let (name, left) = (shown(&name), end.saturating_sub(start));
        return Err(format!("at byte {at}: {name} says {len} bytes, {left} are there"));
    }
    Ok(Chunk { name, start, len })
}

/// Checks that the entries of a list point forward, and not beyond the end of what they point into.
fn check_index(
    file: &mut (impl Read + Seek),
    parameters: &[Chunk],
    index: &Index,
) -> Result<(), String> {
    let find = |name: &[u8; 4]| {
        let found = parameters.iter().find(|chunk| chunk.name == *name);
        found.ok_or_else(|| format!("it has no chunk {}", shown(name)))
    };
    let (list, target) = (find(index.chunk)?, find(index.target.0)?);
    let n_targets = target.len / index.target.1;
    let entry_len = index.entry_len as u64;
    if list.len < 2 * entry_len || list.len % entry_len != 0 {
        return Err(format!("at byte {}: {} bytes of {}", list.start, list.len, shown(&list.name)));
    }
    let mut entry = vec![0; index.entry_len];
    let mut last = 0;
    for i in 0..list.len / entry_len {
        let at = list.start + i * entry_len;
        read_at(file, at, &mut entry)?;
        let first = u16::from_le_bytes([entry[index.at], entry[index.at + 1]]);
        if first < last || u64::from(first) >= n_targets.max(1) {
            let name = shown(&list.name);
            return Err(format!("at byte {at}: entry {i} of {name} points to {first}"));
        }
        last = first;
    }
    Ok(())
}

fn name_at(file: &mut (impl Read + Seek), at: u64) -> Result<[u8; 4], String> {
    let mut name = [0; 4];
    read_at(file, at, &mut name)?;
    Ok(name)
}

fn read_at(file: &mut (impl Read + Seek), at: u64, bytes: &mut [u8]) -> Result<(), String> {
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes));
    read.map_err(|_| format!("it ends before byte {}", at + bytes.len() as u64))
}

fn shown(name: &[u8; 4]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}
