//! Seeded mutations of byte strings, for tests of parsers.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// `n` broken variants of `bytes`: flipped bits, overwritten bytes, cuts, insertions, repetitions.
pub(crate) fn mutants(bytes: &[u8], n: u64) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..n).map(move |seed| {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut mutant = bytes.to_vec();
        for _ in 0..rng.random_range(1..4) {
            mutate(&mut mutant, &mut rng);
        }
        mutant
    })
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    if bytes.is_empty() {
        return bytes.push(rng.random());
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..6) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes[at] = [0, 0x7f, 0x80, 0xff][rng.random_range(0..4)],
        3 => bytes.truncate(at),
        4 => bytes.insert(at, rng.random()),
        _ => {
            let end = (at + rng.random_range(1..9)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
    }
}
