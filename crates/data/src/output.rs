//! Output that is whole or absent: files written beside their place and renamed, folders that know
//! which command made them.

mod parts;

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crc::Span;
use crate::error::{Error, Result};

pub use parts::{Begun, PartFolder, Parts, PublishedFile, Work};

/// The file that marks a folder as a command's output.
const MARKER: &str = "ddsp-output.json";
/// What a finished folder of data holds: the report of the command that made it, as JSON.
pub const MANIFEST: &str = "manifest.json";
/// How the names of half-written files begin; a later run removes those that an interruption left.
const TEMPORARY: &str = ".ddsp-tmp-";
/// How all names begin that are not output but work.
const HIDDEN: &str = ".ddsp-";

/// Writes a file beside `path`, then renames it: `path` holds the old content, or all of the new.
///
/// # Errors
///
/// If the folder cannot be written to or `write` fails; nothing is left behind then.
pub fn write_atomically<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T> {
    let file = temporary_beside(path)?;
    let (file, temporary) = file.into_parts();
    let mut output = BufWriter::with_capacity(64 << 10, file);
    let value = write(&mut output).map_err(Error::io("write", path))?;
    output.flush().map_err(Error::io("write", path))?;
    drop(output);
    temporary.persist(path).map_err(|e| Error::io("write", path)(e.error))?;
    Ok(value)
}

/// An empty temporary file in the folder of `path`, removed when dropped unless it is persisted.
pub(crate) fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    temporary_in(folder).map_err(Error::io("write", path))
}

/// The same in `folder`.
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    // Readable as any other file: the default of temporary files, 0600, would survive the renaming.
    #[cfg(unix)]
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    builder.tempfile_in(folder)
}

/// In which state a command found its output folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderState {
    /// New or empty: everything is to be made.
    New,
    /// Begun by this command with these options, and interrupted: continue.
    Unfinished,
    /// Finished by this command with these options: verify and report.
    Finished,
}

/// A folder that one command fills.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    marker: Marker,
    /// Whether this run made the folder itself: then it goes again if nothing comes of the work.
    is_created: bool,
    /// What [`go_on`](Self::go_on) found.
    found: Option<Marker>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Marker {
    command: String,
    version: String,
    options: Value,
    finished: bool,
    /// Every file of a finished folder.
    files: Vec<FileSum>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FileSum {
    /// Path inside the folder, with `/` between its parts.
    file: String,
    bytes: u64,
    crc32c: u32,
}

impl Marker {
    fn new(command: &str, options: Value) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { command: command.to_owned(), version, options, finished: false, files: Vec::new() }
    }
}

/// What stands where the output is to go.
enum Found {
    /// Nothing, or nothing but what a process that begins now has hidden there.
    Nothing,
    /// Work of this command with these options.
    Ours(Marker),
    /// Work of this command with other options, and the first that differs.
    Others(Marker, String),
}

/// Looks at a folder that exists; one that this command did not make is an error.
fn examine(path: &Path, command: &str, options: &Value) -> Result<Found> {
    let refuse = |reason: String| Error::Folder { path: path.to_owned(), reason };
    // In this order: a marker that another process writes meanwhile is seen.
    let mut is_empty = true;
    for entry in fs::read_dir(path).map_err(Error::io("read folder", path))? {
        let name = entry.map_err(Error::io("read folder", path))?.file_name();
        is_empty &= name.to_string_lossy().starts_with(HIDDEN);
    }
    match read_marker(path)? {
        None if is_empty => Ok(Found::Nothing),
        None => {
            let hint = "it is not empty and `ddsp` did not make it; name a new folder";
            Err(refuse(hint.to_owned()))
        }
        Some(marker) if marker.command != command => {
            let hint = "name a new folder";
            Err(refuse(format!("`ddsp {}` made it; {hint}", marker.command)))
        }
        Some(marker) if marker.options != *options => {
            let change = first_difference(&marker.options, options);
            Ok(Found::Others(marker, change))
        }
        Some(marker) => Ok(Found::Ours(marker)),
    }
}

fn other_options(path: &Path, change: &str) -> Error {
    let hint = "name a new folder, or start over with --force";
    let reason = format!("made with other options ({change}); {hint}");
    Error::Folder { path: path.to_owned(), reason }
}

fn options_as_json(path: &Path, options: &impl Serialize) -> Result<Value> {
    let refuse = |reason: String| Error::Folder { path: path.to_owned(), reason };
    serde_json::to_value(options).map_err(|e| refuse(e.to_string()))
}

impl OutputFolder {
    /// Takes `path` as the output of `command` (such as `data sort`), creating it if need be.
    ///
    /// `options` are what the content depends on. A folder that the same command made with the same
    /// options is continued or verified; with `force` everything in it is removed first.
    ///
    /// # Errors
    ///
    /// If the folder holds files that this command did not make, was made with other options (and
    /// not `force`), or cannot be written.
    pub fn open(
        path: &Path,
        command: &str,
        options: &impl Serialize,
        force: bool,
    ) -> Result<(Self, FolderState)> {
        let options = options_as_json(path, options)?;
        let is_created = !path.exists();
        fs::create_dir_all(path).map_err(Error::io("create folder", path))?;
        let mut state = FolderState::New;
        match examine(path, command, &options)? {
            Found::Nothing => {}
            Found::Ours(_) | Found::Others(..) if force => remove_content(path)?,
            Found::Others(_, change) => return Err(other_options(path, &change)),
            Found::Ours(marker) if marker.finished => {
                let folder = Self { path: path.to_owned(), marker, is_created, found: None };
                return Ok((folder, FolderState::Finished));
            }
            Found::Ours(_) => {
                remove_temporaries(path)?;
                state = FolderState::Unfinished;
            }
        }
        let marker = Marker::new(command, options);
        let folder = Self { path: path.to_owned(), marker, is_created, found: None };
        folder.write_marker()?;
        Ok((folder, state))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the folder of an earlier run of `command` to go on in it, whatever its options were:
    /// for work that knows itself which of them may change.
    ///
    /// # Errors
    ///
    /// If the command did not make the folder, or it cannot be written.
    pub fn go_on(
        path: &Path,
        command: &str,
        options: &impl Serialize,
    ) -> Result<(Self, FolderState)> {
        let refuse = |reason: String| Error::Folder { path: path.to_owned(), reason };
        let options = serde_json::to_value(options).map_err(|e| refuse(e.to_string()))?;
        let marker = read_marker(path)?.filter(|marker| marker.command == command);
        let foreign = || refuse(format!("`ddsp {command}` did not make it; name a new folder"));
        let marker = marker.ok_or_else(foreign)?;
        if marker.finished && marker.options == options {
            let folder = Self { path: path.to_owned(), marker, is_created: false, found: None };
            return Ok((folder, FolderState::Finished));
        }
        remove_temporaries(path)?;
        let found = Some(marker.clone());
        let marker = Marker { options, finished: false, files: Vec::new(), ..marker };
        let folder = Self { path: path.to_owned(), marker, is_created: false, found };
        folder.write_marker()?;
        Ok((folder, FolderState::Unfinished))
    }

    /// Takes back [`go_on`](Self::go_on), for work that was refused before it changed anything: a
    /// finished folder stays finished.
    ///
    /// # Errors
    ///
    /// If the marker cannot be written.
    pub fn put_back(&mut self) -> Result<()> {
        let Some(found) = self.found.take() else { return Ok(()) };
        self.marker = found;
        self.write_marker()
    }

    /// Records that the work is done, with the length and checksum of every file in the folder.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or the marker not written.
    pub fn finish(&mut self) -> Result<()> {
        remove_temporaries(&self.path)?;
        self.marker.files = checksums(&self.path)?;
        self.marker.finished = true;
        self.write_marker()
    }

    /// Writes the report of the work to [`MANIFEST`] and finishes.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn finish_with(&mut self, report: &impl Serialize) -> Result<()> {
        write_json(&self.path.join(MANIFEST), report)?;
        self.finish()
    }

    /// The report of a finished folder whose files are unchanged.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), and if the report is not one.
    pub fn verified_report<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.verify()?;
        let path = self.path.join(MANIFEST);
        let text = fs::read(&path).map_err(Error::io("read", &path))?;
        serde_json::from_slice(&text).map_err(|e| Error::Data(format!("{}: {e}", path.display())))
    }

    /// Checks that a finished folder still holds what was recorded; files added since are ignored.
    ///
    /// # Errors
    ///
    /// If a file is missing or differs, naming it.
    pub fn verify(&self) -> Result<()> {
        for expected in &self.marker.files {
            let path = self.path.join(&expected.file);
            let Span { len, crc } = span_of_file(&path)?;
            if (len, crc) != (expected.bytes, expected.crc32c) {
                let file = &expected.file;
                let reason = format!("{file} was changed since; start over with --force");
                return Err(Error::Folder { path: self.path.clone(), reason });
            }
        }
        Ok(())
    }

    /// Removes what an interrupted run left; for work that is quicker redone than continued.
    ///
    /// # Errors
    ///
    /// If something cannot be removed.
    pub fn clear(&self) -> Result<()> {
        remove_content(&self.path)
    }

    fn write_marker(&self) -> Result<()> {
        write_json(&self.path.join(MARKER), &self.marker)
    }
}

impl Drop for OutputFolder {
    /// Takes the marker away again where the work failed before it wrote anything. A failure here
    /// only leaves a marked folder, which the next run takes for its own.
    fn drop(&mut self) {
        let marker = self.path.join(MARKER);
        let is_empty = || fs::read_dir(&self.path).is_ok_and(|entries| entries.count() == 1);
        if !self.marker.finished && is_empty() && fs::remove_file(marker).is_ok() && self.is_created
        {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Refuses a source that lies in the output folder: starting over would delete it.
pub(crate) fn refuse_sources_inside<'a>(
    folder: &Path,
    sources: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<()> {
    let Ok(inside) = folder.canonicalize() else { return Ok(()) };
    let is_inside = |source: &&PathBuf| source.canonicalize().is_ok_and(|s| s.starts_with(&inside));
    match sources.into_iter().find(is_inside) {
        None => Ok(()),
        Some(source) => {
            let reason = format!("the source {} lies in it; name a new folder", source.display());
            Err(Error::Folder { path: folder.to_owned(), reason })
        }
    }
}

/// Writes `value` as indented JSON, atomically.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write_atomically(path, |output| {
        serde_json::to_writer_pretty(&mut *output, value).map_err(io::Error::other)?;
        output.write_all(b"\n")
    })
}

fn read_marker(folder: &Path) -> Result<Option<Marker>> {
    let path = folder.join(MARKER);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    // A marker of another format is none of ours: the folder counts as foreign.
    Ok(serde_json::from_slice(&text).ok())
}

/// The first option that differs, as `name: was A, now B`.
fn first_difference(was: &Value, now: &Value) -> String {
    let show = |value: Option<&Value>| value.map_or("absent".into(), Value::to_string);
    let (mut name, mut was, mut now) = (String::new(), Some(was), Some(now));
    loop {
        (was, now) = match (was, now) {
            (Some(Value::Object(was)), Some(Value::Object(now))) => {
                let mut keys = was.keys().chain(now.keys());
                let Some(key) = keys.find(|key| was.get(*key) != now.get(*key)) else { break };
                name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                (was.get(key), now.get(key))
            }
            (Some(Value::Array(was)), Some(Value::Array(now))) if was.len() == now.len() => {
                let Some(i) = (0..was.len()).find(|&i| was[i] != now[i]) else { break };
                name += &format!("[{i}]");
                (was.get(i), now.get(i))
            }
            (Some(Value::Array(was)), Some(Value::Array(now))) if was.len() + now.len() > 8 => {
                return format!("{name}: were {}, now {}", was.len(), now.len());
            }
            _ => break,
        };
    }
    format!("{name}: was {}, now {}", show(was), show(now))
}

/// Removes everything in a folder of ours but the marker, which goes on saying that it is ours.
fn remove_content(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("read folder", folder))? {
        let entry = entry.map_err(Error::io("read folder", folder))?;
        let path = entry.path();
        let is_folder = entry.file_type().map_err(Error::io("read", &path))?.is_dir();
        if is_folder {
            fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        } else if entry.file_name() != MARKER {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

fn remove_temporaries(folder: &Path) -> Result<()> {
    for path in files_under(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(TEMPORARY) {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// All files in a folder and its folders, sorted; links are not followed.
pub(crate) fn files_under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::io("read folder", &folder))? {
            let entry = entry.map_err(Error::io("read folder", &folder))?;
            let kind = entry.file_type().map_err(Error::io("read", &entry.path()))?;
            if kind.is_dir() { &mut folders } else { &mut files }.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn checksums(folder: &Path) -> Result<Vec<FileSum>> {
    let mut sums = Vec::new();
    for path in files_under(folder)? {
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        let file = parts.join("/");
        if file != MARKER {
            let Span { len, crc } = span_of_file(&path)?;
            sums.push(FileSum { file, bytes: len, crc32c: crc });
        }
    }
    Ok(sums)
}

/// What tells whether a file is the same as before: its length and CRC-32C, as text.
///
/// It tells damage and change, not intent: other bytes with the same sum can be made.
///
/// # Errors
///
/// If the file cannot be read.
pub fn file_sum(path: &Path) -> Result<String> {
    let Span { len, crc } = span_of_file(path)?;
    Ok(format!("{len}-{crc:08x}"))
}

/// Length and CRC-32C of a file.
pub(crate) fn span_of_file(path: &Path) -> Result<Span> {
    let mut input = File::open(path).map_err(Error::io("read", path))?;
    let mut span = Span::default();
    let mut chunk = vec![0; 256 << 10];
    loop {
        match input.read(&mut chunk).map_err(Error::io("read", path))? {
            0 => return Ok(span),
            n => span = span.then(Span::of(&chunk[..n])),
        }
    }
}

#[cfg(test)]
mod tests;
