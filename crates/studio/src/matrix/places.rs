//! Where everything of a matrix lies.

use std::fs;
use std::path::{Path, PathBuf};

use ddsp_data::instruments::Family;

use crate::error::Result;

/// The folder of a matrix.
pub(super) struct Places {
    pub(super) root: PathBuf,
}

/// One sound of the matrix: files of this name in each folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// A family's phrase as it is.
    pub(super) fn of_phrase(family: Family) -> Self {
        Self(family.name().to_owned())
    }

    /// A family's phrase, played by a family's model.
    pub(super) fn of_cell(phrase: Family, model: Family) -> Self {
        Self(format!("{}-by-{}", phrase.name(), model.name()))
    }

    /// The sound, relative to the folder of the matrix.
    pub(super) fn audio(&self) -> String {
        format!("audio/{}.wav", self.0)
    }

    /// Its spectrogram, relative to the folder of the matrix.
    pub(super) fn picture(&self) -> String {
        format!("pictures/{}.png", self.0)
    }

    /// What was measured, relative to the folder of the matrix.
    pub(super) fn measures(&self) -> String {
        format!("measures/{}.json", self.0)
    }
}

impl Places {
    /// The matrix in the folder of the demo.
    pub(super) fn new(out: &Path) -> Self {
        Self { root: out.join("matrix") }
    }

    /// Makes the folders for what is played.
    pub(super) fn make_folders(&self) -> Result<()> {
        for name in ["audio", "pictures", "measures"] {
            let path = self.root.join(name);
            fs::create_dir_all(&path).map_err(ddsp_data::Error::io("create folder", &path))?;
        }
        Ok(())
    }

    /// A file, by its path inside.
    pub(super) fn file(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }
}
