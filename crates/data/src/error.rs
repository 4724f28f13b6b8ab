//! What can go wrong with data, each message naming the thing, the place and the way out.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of this crate; the message is one line for the user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or write something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A record file holds bytes that are not what they should be.
    #[error("{}: record at byte {offset}: {reason}", path.display())]
    Record {
        /// The record file.
        path: PathBuf,
        /// Where the record begins in the file, in bytes.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that should hold audio does not, or not in a form that can be used.
    #[error("{}: {reason}", path.display())]
    Audio {
        /// The audio file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An output folder cannot be used.
    #[error("output folder {}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// Whoever takes the results does not.
    #[error("cannot write the results: {0}")]
    Results(io::Error),
    /// The data are readable but not what the task needs.
    #[error("{0}")]
    Data(String),
}

impl Error {
    /// Names the path and the action of a failed system call; for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// A record of `path` at byte `offset` that cannot be used.
    pub fn record(path: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Record { path: path.to_owned(), offset, reason: reason.into() }
    }
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How far a long piece of work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units finished (bytes, notes or files: the function that reports says which).
    pub done: u64,
    /// Units in all.
    pub total: u64,
}
