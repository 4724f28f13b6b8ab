//! A record's frame as it is written: as it stood, or with features renamed.

use std::ops::Range;

use crate::crc::{Span, masked};
use crate::example::{Edit, renamed};
use crate::tfrecord::{HEADER_LEN, Record};

/// The new features' names, pairs of old and new.
pub(super) type Renames = [(String, String)];

/// A frame made of pieces of the old one and new bytes, so that a long record is never copied.
#[derive(Debug)]
pub(super) struct Rewritten {
    pieces: Vec<Piece>,
    /// Its length and checksum.
    pub span: Span,
}

#[derive(Debug)]
enum Piece {
    /// A range of the old frame.
    Kept(Range<usize>),
    New(Vec<u8>),
}

impl Rewritten {
    /// A frame with renamed features; `None` if it has none of them.
    ///
    /// # Errors
    ///
    /// If the record is no Example, or two features would have one name.
    pub(super) fn new(record: Record, renames: &Renames) -> Result<Option<Self>, String> {
        let data = record.data();
        let edits = renamed(data, renames)?;
        if edits.is_empty() {
            return Ok(None);
        }
        let begin = HEADER_LEN;
        let mut pieces = vec![Piece::New(Vec::new())];
        let mut at = 0;
        for Edit { range, bytes } in edits {
            pieces.push(Piece::Kept(begin + at..begin + range.start));
            pieces.push(Piece::New(bytes));
            at = range.end;
        }
        pieces.push(Piece::Kept(begin + at..begin + data.len()));
        let data = pieces.iter().map(|piece| Span::of(piece.bytes(record.frame)));
        let data = data.fold(Span::default(), Span::then);
        let mut header = data.len.to_le_bytes().to_vec();
        header.extend(masked(Span::of(&header).crc).to_le_bytes());
        let footer = masked(data.crc).to_le_bytes().to_vec();
        let span = Span::of(&header).then(data).then(Span::of(&footer));
        pieces[0] = Piece::New(header);
        pieces.push(Piece::New(footer));
        Ok(Some(Self { pieces, span }))
    }

    /// The pieces in order, given the old frame.
    pub(super) fn pieces<'a>(&'a self, frame: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.pieces.iter().map(move |piece| piece.bytes(frame))
    }
}

impl Piece {
    fn bytes<'a>(&'a self, frame: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Kept(range) => &frame[range.clone()],
            Self::New(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::example::{ExampleBuilder, find_feature};
    use crate::tfrecord::{Reader, write_record};

    #[test]
    fn a_rewritten_frame_is_a_frame() {
        let mut builder = ExampleBuilder::default();
        builder.floats("f0/hz", &[440.0; 100]);
        builder.int64s("pitch", &[69]);
        let mut file = Vec::new();
        write_record(&mut file, &builder.finish()).expect("a Vec takes everything");
        let record = Record { offset: 0, frame: &file };
        let names = [("f0/hz".to_owned(), "f0_hz".to_owned())];
        let rewritten = Rewritten::new(record, &names).expect("renamed").expect("it has it");
        let new = rewritten.pieces(&file).collect::<Vec<_>>().concat();
        assert_eq!(rewritten.span, Span::of(&new));
        let mut reader = Reader::new(&new[..], Path::new("x"));
        let record = reader.next_record().expect("intact").expect("one");
        let f0_hz = find_feature(record.data(), "f0_hz").expect("an Example").expect("renamed");
        assert_eq!(f0_hz.floats(), Some(vec![440.0; 100]));

        let names = [("audio".to_owned(), "x".to_owned())];
        let record = Record { offset: 0, frame: &file };
        assert!(Rewritten::new(record, &names).expect("an Example").is_none(), "nothing to do");
    }
}
