//! CRC-32C of bytes, and of joined spans without reading them again.
//!
//! A checksum is a remainder of polynomials over GF(2), so that of two spans is that of the first
//! times `x` to the number of bits of the second, plus that of the second (as in zlib's
//! `crc32_combine`). Files are made of frames whose checksums are known: theirs cost nothing more.

/// CRC-32C's polynomial (Castagnoli), bits reversed: bit 31 is `x^0`.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// Added to a rotated CRC, so that a CRC over data that hold CRCs stays useful (TFRecord's choice).
const MASK_DELTA: u32 = 0xa282_ead8;
/// Entry `k` is `x^(2^k)`: three for the bits of a byte, 64 for those of a length.
const POWERS: [u32; 67] = powers();

/// TFRecord's form of a checksum: rotated by 15 bits and shifted by a constant.
pub(crate) fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// Length and CRC-32C of some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Their CRC-32C, 0 of none.
    pub crc: u32,
    /// Their number.
    pub len: u64,
}

impl Span {
    /// Of bytes in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { crc: crc32c::crc32c(bytes), len: bytes.len() as u64 }
    }

    /// Of these bytes followed by others.
    pub(crate) fn then(self, next: Self) -> Self {
        let shifted = multiply(self.crc, x_to_bytes(next.len));
        Self { crc: shifted ^ next.crc, len: self.len + next.len }
    }

    /// The checksum as it is printed: eight hexadecimal digits.
    pub(crate) fn hex(self) -> String {
        format!("{:08x}", self.crc)
    }
}

/// The product of two polynomials modulo the checksum's.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 1 << 31;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = if b & 1 == 0 { b >> 1 } else { (b >> 1) ^ POLYNOMIAL };
        bit >>= 1;
    }
    product
}

/// `x` to the power of `8 n_bytes`.
fn x_to_bytes(n_bytes: u64) -> u32 {
    let bits = (0..64).filter(|k| n_bytes >> k & 1 == 1);
    bits.fold(1 << 31, |power, k| multiply(power, POWERS[k + 3]))
}

const fn powers() -> [u32; 67] {
    let mut powers = [1 << 30; 67];
    let mut k = 1;
    while k < powers.len() {
        powers[k] = multiply(powers[k - 1], powers[k - 1]);
        k += 1;
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_crc_32c() {
        // The check value of RFC 3720, B.4.
        assert_eq!(Span::of(b"123456789"), Span { crc: 0xe306_9283, len: 9 });
        assert_eq!(Span { crc: 0xe3, len: 1 }.hex(), "000000e3");
    }

    #[test]
    fn long_spans_join_as_their_bytes() {
        let bytes = vec![0xa5; 3_000_001];
        let (a, b) = bytes.split_at(1_234_567);
        assert_eq!(Span::of(a).then(Span::of(b)), Span::of(&bytes));
    }

    proptest! {
        #[test]
        fn spans_join_as_their_bytes(parts in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..70), 0..6)) {
            let joined = parts.iter().fold(Span::default(), |span, part| span.then(Span::of(part)));
            prop_assert_eq!(joined, Span::of(&parts.concat()));
        }
    }
}
