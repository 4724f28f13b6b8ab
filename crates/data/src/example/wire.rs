//! The protocol buffer wire format: tagged fields of varints, fixed words and byte strings
//! (<https://protobuf.dev/programming-guides/encoding/>).

use super::ExampleError;

/// One field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1; nothing here uses it, so only its place is read.
    Fixed64,
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// Walks the fields of one message.
pub(super) struct Fields<'a> {
    message: &'a [u8],
    at: usize,
    /// Where the message begins in the record; for errors.
    offset: usize,
    /// Where the last field's value begins in the message: behind its tag, before a length.
    value_at: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8], offset: usize) -> Self {
        Self { message, at: 0, offset, value_at: 0 }
    }

    /// The next field's number, value and the offset of its content in the record.
    ///
    /// Groups (wire types 3 and 4, which proto3 lacks) are refused.
    pub(super) fn next_field(&mut self) -> Result<Option<(u64, Field<'a>, usize)>, ExampleError> {
        if self.at == self.message.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        self.value_at = self.at;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed64)?,
            2 => {
                let len = self.varint()?;
                let len = usize::try_from(len).map_err(|_| self.error("a length too long"))?;
                Field::Bytes(self.take(len)?)
            }
            5 => {
                let mut le = [0; 4];
                le.copy_from_slice(self.take(4)?);
                Field::Fixed32(u32::from_le_bytes(le))
            }
            _ => return Err(self.error("an unknown wire type")),
        };
        let content = match field {
            Field::Bytes(bytes) => self.at - bytes.len(),
            _ => self.at,
        };
        match tag >> 3 {
            0 => Err(self.error("field number 0")),
            number => Ok(Some((number, field, self.offset + content))),
        }
    }

    /// Where the value of the field that was read last begins in the record: before the length, if
    /// it has one.
    pub(super) fn value_offset(&self) -> usize {
        self.offset + self.value_at
    }

    fn varint(&mut self) -> Result<u64, ExampleError> {
        match read_varint(&self.message[self.at..]) {
            Some((value, n_bytes)) => {
                self.at += n_bytes;
                Ok(value)
            }
            None => Err(self.error("a number is cut off or too long")),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ExampleError> {
        let rest = &self.message[self.at..];
        let Some(taken) = rest.get(..len) else {
            return Err(self.error("a field reaches past its message"));
        };
        self.at += len;
        Ok(taken)
    }

    fn error(&self, reason: &'static str) -> ExampleError {
        ExampleError { offset: self.offset + self.at, reason }
    }
}

/// A varint at the beginning of `bytes` and its length; `None` if it is cut off or over 64 bits.
fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        // The tenth byte holds the 64th bit and nothing else.
        if i == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Some((value, i + 1));
        }
    }
    None
}

/// The varints of a packed list, up to the first broken one.
pub(super) fn varints(mut packed: &[u8]) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let (value, n_bytes) = read_varint(packed)?;
        packed = &packed[n_bytes..];
        Some(value)
    })
}

/// The number of varints in a packed list that begins at `offset` of the record.
pub(super) fn count_varints(packed: &[u8], offset: usize) -> Result<usize, ExampleError> {
    let (mut at, mut n_values) = (0, 0);
    while at < packed.len() {
        let Some((_, n_bytes)) = read_varint(&packed[at..]) else {
            let reason = "a packed number is cut off or too long";
            return Err(ExampleError { offset: offset + at, reason });
        };
        at += n_bytes;
        n_values += 1;
    }
    Ok(n_values)
}

/// Appends a varint.
#[expect(clippy::cast_possible_truncation, reason = "masked to seven bits")]
pub(super) fn push_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Appends a byte-string field.
pub(super) fn push_bytes(message: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    push_varint(message, u64::from(number) << 3 | 2);
    push_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}
