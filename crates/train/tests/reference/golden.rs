//! The reference's numbers; `tests/golden/index.md` tells how they were made.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ddsp_model::ParameterEntry;
use npyz::npz::NpzArchive;

/// One `.npz` file of golden arrays.
pub(crate) struct Golden {
    archive: NpzArchive<BufReader<File>>,
    file: String,
}

impl Golden {
    /// Opens `tests/golden/{file}.npz`; its absence is a failure.
    pub(crate) fn open(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{file}.npz"));
        let archive = NpzArchive::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { archive, file: file.to_owned() }
    }

    /// The values of `key`, row-major.
    pub(crate) fn values(&mut self, key: &str) -> Vec<f32> {
        let place = format!("{}.npz: {key}", self.file);
        let array = self.archive.by_name(key).unwrap_or_else(|e| panic!("{place}: {e}"));
        let array = array.unwrap_or_else(|| panic!("{place} is missing"));
        array.into_vec().unwrap_or_else(|e| panic!("{place}: {e}"))
    }

    /// The only value of `key`.
    pub(crate) fn value(&mut self, key: &str) -> f64 {
        let values = self.values(key);
        assert_eq!(values.len(), 1, "{}.npz: values of {key}", self.file);
        f64::from(values[0])
    }
}

/// `n` numbers that anybody can make again: `offset + scale v`, each step rounded to f32, with `v`
/// uniform in `[-1, 1)` out of SplitMix64.
pub(crate) fn det(seed: u64, n: usize, scale: f32, offset: f32) -> Vec<f32> {
    let value = |i: u64| {
        let mut z = ((seed << 32) + i).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let unit = (z >> 40) as f32 / (1_u32 << 24) as f32;
        offset + scale * (2.0 * unit - 1.0)
    };
    (0..n as u64).map(value).collect()
}

/// The weights of the goldens' autoencoders, one tensor after another: number `k` has the seed
/// `1000 + k` and a scale that keeps a signal's variance.
pub(crate) fn weights(entries: &[ParameterEntry]) -> Vec<f32> {
    let tensor = |(k, entry): (usize, &ParameterEntry)| {
        let n_in = entry.shape[0] as f64;
        let (scale, offset) = match entry.name.rsplit('/').next() {
            Some("kernel" | "recurrent_kernel") => (single(1.7 / n_in.sqrt()), 0.0),
            Some("gain") => (0.1, 1.0),
            Some("bias" | "shift") => (0.1, 0.0),
            Some("impulse_response") => (0.01, 0.0),
            Some("magnitudes") => (1.0, 0.0),
            _ => panic!("no golden weights for {}", entry.name),
        };
        det(1000 + k as u64, entry.range.len(), scale, offset)
    };
    entries.iter().enumerate().flat_map(tensor).collect()
}

/// The reference's noise for a draw of `n`.
pub(crate) fn noise(n: usize) -> Vec<f32> {
    det(7_000_000 + n as u64, n, 1.0, 0.0)
}

#[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
fn single(value: f64) -> f32 {
    value as f32
}

#[test]
fn det_is_the_documented_sequence() {
    assert_eq!(det(1000, 4, 1.0, 0.0), [0.735_371, -0.330_094_8, 0.735_831_74, 0.281_118_4]);
    assert_eq!(det(7_000_000, 3, 1.0, 0.0), [0.790_883_66, -0.544_825_3, 0.039_800_763]);
}
