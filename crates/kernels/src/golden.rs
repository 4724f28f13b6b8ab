//! Reads the reference's numbers for tests; `tests/golden/index.md` tells how they were made.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

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

    /// The array `key`, flat and row-major, with its shape.
    pub(crate) fn array(&mut self, key: &str) -> (Vec<f32>, Vec<usize>) {
        let array = self
            .archive
            .by_name(key)
            .unwrap_or_else(|e| panic!("{}.npz: {key}: {e}", self.file))
            .unwrap_or_else(|| panic!("{}.npz has no {key}", self.file));
        let shape = array
            .shape()
            .iter()
            .map(|&n| usize::try_from(n).expect("a golden array fits in memory"))
            .collect();
        (array.into_vec().unwrap_or_else(|e| panic!("{}.npz: {key}: {e}", self.file)), shape)
    }

    /// The values of `key`.
    pub(crate) fn values(&mut self, key: &str) -> Vec<f32> {
        self.array(key).0
    }

    /// The names of all arrays that the reference put out, `case.output` of each `case.out.output`.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = String> {
        let names = self.archive.array_names();
        names.filter_map(|name| name.split_once(".out.")).map(|(case, y)| format!("{case}.{y}"))
    }
}
