//! A folder that any number of processes fill together, part by part.
//!
//! Finished parts wait in a hidden folder inside the output; each appears there by one renaming, with
//! its report. Whoever finds all of them done gives the files their names and writes the manifest,
//! so that the output is whole or absent, and an interrupted run goes on at the parts that are
//! missing. Nothing here waits for another process, and two that do the same thing do no harm: the
//! second finds it done. See [`Shard`] for who does what.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    FileSum, Found, MANIFEST, MARKER, Marker, OutputFolder, TEMPORARY, examine, options_as_json,
    other_options, read_marker, remove_content,
};
use crate::crc::Span;
use crate::error::{Error, Result};
use crate::shard::Shard;

/// Where the parts wait.
const PARTS: &str = ".ddsp-parts";
/// The report in a part's folder.
const REPORT: &str = "part.json";
/// Tries to make something in a folder that other processes take away: each of them does so once.
const MOST_TRIES: usize = 100;
/// Says that the parts replace an older output, which stays until they are complete.
const REPLACES: &str = "replaces";

/// What is to be done in parts.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The command, such as `data sort`.
    pub command: &'a str,
    /// How many parts there are; a function of the inputs and options alone.
    pub n_parts: usize,
    /// Which of them this process does.
    pub shard: Shard,
    /// Whether to start over what an earlier run made. Only for the whole work: a process cannot
    /// know whether the parts that it finds are old, or were just made by another one.
    pub force: bool,
}

/// In which state the folder was found.
#[derive(Debug)]
pub enum Begun {
    /// Everything was done by an earlier run with these options: verify and report.
    Finished(OutputFolder),
    /// There are parts to do, or to publish.
    Parts(Parts),
}

/// A folder whose parts are not all published.
#[derive(Debug)]
pub struct Parts {
    folder: OutputFolder,
    n_parts: usize,
    shard: Shard,
    /// The parts that this run finished: where it does the whole work and fails, they go again.
    finished_here: Vec<usize>,
    is_published: bool,
}

/// A file of a part, and the name that it is to have.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedFile {
    /// The part that holds it.
    pub part: usize,
    /// Its name in there.
    pub inner: String,
    /// Its name in the output folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// The CRC-32C of its content.
    pub crc32c: u32,
}

impl Parts {
    /// Takes `path` as the output of some work, creating it if need be; `options` are what the
    /// content depends on.
    ///
    /// # Errors
    ///
    /// If the folder holds files that this command did not make, was made with other options (and
    /// not `force`), or cannot be written.
    ///
    /// # Panics
    ///
    /// If a shard of the work is to be forced.
    pub fn begin(path: &Path, work: Work, options: &impl Serialize) -> Result<Begun> {
        assert!(!work.force || work.shard.is_whole(), "only the whole work can be started over");
        Self::begin_json(path, work, options_as_json(path, options)?)
    }

    fn begin_json(path: &Path, work: Work, options: Value) -> Result<Begun> {
        let is_created = !path.exists();
        fs::create_dir_all(path).map_err(Error::io("create folder", path))?;
        let parts = path.join(PARTS);
        let mut replaces = false;
        let mut is_marked = false;
        match examine(path, work.command, &options)? {
            Found::Nothing => {}
            Found::Ours(marker) | Found::Others(marker, _) if work.force => {
                // A finished output stays until there is another.
                replaces = marker.finished;
                is_marked = true;
                if replaces { remove_folder(&parts)? } else { remove_content(path)? }
            }
            Found::Others(_, change) => return Err(other_options(path, &change)),
            Found::Ours(marker) if marker.finished => {
                remove_folder(&parts)?;
                let folder =
                    OutputFolder { path: path.to_owned(), marker, is_created, found: None };
                return Ok(Begun::Finished(folder));
            }
            Found::Ours(_) => is_marked = true,
        }
        let marker = Marker::new(work.command, options);
        let folder = OutputFolder { path: path.to_owned(), marker, is_created, found: None };
        let Work { n_parts, shard, .. } = work;
        let mut begun =
            Self { folder, n_parts, shard, finished_here: Vec::new(), is_published: false };
        begun.made_parts()?;
        if replaces {
            let flag = parts.join(REPLACES);
            fs::write(&flag, b"").map_err(Error::io("write", &flag))?;
        } else if work.force {
            begun.write_json(&path.join(MARKER), &begun.folder.marker)?;
        } else if !is_marked && !begun.create_marker()? {
            // Another process was first, perhaps with other options, perhaps done by now.
            // The parts are in its hands; nothing here is to be taken away.
            begun.is_published = true;
            let options = begun.folder.marker.options.clone();
            return Self::begin_json(path, work, options);
        }
        Ok(Begun::Parts(begun))
    }

    /// The parts of this process that are not done yet.
    pub fn to_do(&self) -> Vec<usize> {
        (0..self.n_parts).filter(|&k| self.shard.owns(k) && !self.part(k).is_dir()).collect()
    }

    /// How many parts nobody has done yet.
    pub fn n_missing(&self) -> usize {
        (0..self.n_parts).filter(|&k| !self.part(k).is_dir()).count()
    }

    /// When a part was finished, if it is.
    pub fn finished_at(&self, part: usize) -> Option<SystemTime> {
        fs::metadata(self.part(part).join(REPORT)).and_then(|data| data.modified()).ok()
    }

    /// Throws a finished part away, so that it is done again.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn discard(&self, part: usize) -> Result<()> {
        remove_folder(&self.part(part))
    }

    /// An empty folder for the files of one part.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn folder_for(&self, part: usize) -> Result<PartFolder> {
        let prefix = format!("{TEMPORARY}{part:05}-");
        // What an interruption left of this part: nobody else works on it.
        let names = self.in_parts(|parts| {
            let names = fs::read_dir(parts)?.map(|entry| Ok(entry?.path()));
            names.collect::<io::Result<Vec<PathBuf>>>()
        })?;
        let is_left = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
        };
        names.iter().filter(is_left).try_for_each(|path| remove_folder(path))?;
        let folder =
            self.in_parts(|parts| tempfile::Builder::new().prefix(&prefix).tempdir_in(parts))?;
        Ok(PartFolder { folder, place: self.part(part) })
    }

    /// Puts a part, complete with its report, among those that are done.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn finish(
        &mut self,
        part: usize,
        folder: PartFolder,
        report: &impl Serialize,
    ) -> Result<()> {
        let PartFolder { folder, place } = folder;
        super::write_json(&folder.path().join(REPORT), report)?;
        match fs::rename(folder.path(), &place) {
            Ok(()) => {
                // It is no longer where the guard would remove it.
                let _ = folder.keep();
                self.finished_here.push(part);
                Ok(())
            }
            // Another process did the same.
            Err(_) if place.is_dir() => Ok(()),
            Err(error) => Err(Error::io("write", &place)(error)),
        }
    }

    /// The reports of all parts, or `None` if some are not done.
    ///
    /// # Errors
    ///
    /// If a report cannot be read or is none.
    pub fn reports<T: DeserializeOwned>(&self) -> Result<Option<Vec<T>>> {
        let reports: Result<Vec<Option<T>>> = (0..self.n_parts).map(|k| self.report(k)).collect();
        Ok(reports?.into_iter().collect())
    }

    /// The reports of the parts that are done, with their numbers.
    ///
    /// # Errors
    ///
    /// As [`reports`](Self::reports).
    pub fn finished_reports<T: DeserializeOwned>(&self) -> Result<Vec<(usize, T)>> {
        let report = |k| self.report(k).map(|report| Some((k, report?))).transpose();
        (0..self.n_parts).filter_map(report).collect()
    }

    /// The report of one part, if it is done.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is none.
    pub fn report<T: DeserializeOwned>(&self, part: usize) -> Result<Option<T>> {
        let path = self.part(part).join(REPORT);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|e| Error::Data(format!("{}: {e}", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// Whether another process has published everything meanwhile.
    pub fn is_published_by_another(&self) -> bool {
        let marker = read_marker(&self.folder.path).ok().flatten();
        marker.is_some_and(|m| m.finished && m.options == self.folder.marker.options)
    }

    /// Gives the files of all parts their names, writes the report of the work to [`MANIFEST`] and
    /// finishes the folder.
    ///
    /// # Errors
    ///
    /// If a file is not what its part said, its name is taken, or the system refuses. What is done by
    /// then is found done by the next run.
    pub fn publish(mut self, files: &[PublishedFile], report: &impl Serialize) -> Result<()> {
        self.is_published = true;
        match self.try_publish(files, report) {
            // The other process has removed what this one was still looking for.
            Err(_) if self.is_published_by_another() => Ok(()),
            result => result,
        }
    }

    fn try_publish(&mut self, files: &[PublishedFile], report: &impl Serialize) -> Result<()> {
        let replaces = self.parts().join(REPLACES).exists();
        if replaces {
            // From here on the folder is the new work's, interrupted or not.
            self.write_json(&self.folder.path.join(MARKER), &self.folder.marker)?;
            self.remove_others(files)?;
        }
        for file in files {
            self.publish_file(file, replaces)?;
        }
        let text = serde_json::to_vec_pretty(report).map_err(io::Error::other);
        let mut text = text.map_err(Error::io("write", &self.folder.path.join(MANIFEST)))?;
        text.push(b'\n');
        self.write(&self.folder.path.join(MANIFEST), &text)?;
        let manifest = Span::of(&text);
        let mut sums =
            vec![FileSum { file: MANIFEST.to_owned(), bytes: manifest.len, crc32c: manifest.crc }];
        sums.extend(files.iter().map(|file| FileSum {
            file: file.name.clone(),
            bytes: file.bytes,
            crc32c: file.crc32c,
        }));
        sums.sort_by(|a, b| a.file.cmp(&b.file));
        self.folder.marker.files = sums;
        self.folder.marker.finished = true;
        self.write_json(&self.folder.path.join(MARKER), &self.folder.marker)?;
        // Only a process that looks at this moment can be in the way; the next one removes the rest.
        let _ = fs::remove_dir_all(self.parts());
        Ok(())
    }

    fn publish_file(&self, file: &PublishedFile, replaces: bool) -> Result<()> {
        let to = self.folder.path.join(&file.name);
        let from = self.part(file.part).join(&file.inner);
        // Whether the name is taken has to be asked first: another process may rename meanwhile.
        if to.exists() && !replaces && from.exists() {
            let reason = format!("{} is in the way", file.name);
            return Err(Error::Folder { path: self.folder.path.clone(), reason });
        }
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("write", &to)(error));
            }
            // Done by an interrupted run or by another process, or lost: its length tells.
            _ => {}
        }
        let bytes = fs::metadata(&to).map_err(Error::io("write", &to))?.len();
        if bytes == file.bytes {
            return Ok(());
        }
        let reason = format!("{} has {bytes} bytes, not {}", file.name, file.bytes);
        Err(Error::Folder { path: self.folder.path.clone(), reason })
    }

    /// Removes what the older output had and the new one has not.
    fn remove_others(&self, files: &[PublishedFile]) -> Result<()> {
        let folder = &self.folder.path;
        for entry in fs::read_dir(folder).map_err(Error::io("read folder", folder))? {
            let entry = entry.map_err(Error::io("read folder", folder))?;
            let name = entry.file_name();
            let is_kept = files.iter().any(|file| *file.name == *name);
            if is_kept || name == PARTS || name == MARKER {
                continue;
            }
            if entry.path().is_dir() {
                remove_folder(&entry.path())?;
            } else {
                fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    fn parts(&self) -> PathBuf {
        self.folder.path.join(PARTS)
    }

    /// The same, there for now: a process that fails, or publishes, takes it away.
    fn made_parts(&self) -> Result<PathBuf> {
        let parts = self.parts();
        for _ in 0..MOST_TRIES {
            match fs::create_dir_all(&parts) {
                Ok(()) => return Ok(parts),
                // It was there when it was to be made, and gone when it was looked at.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !parts.exists() => {}
                Err(error) => return Err(Error::io("create folder", &parts)(error)),
            }
        }
        Err(Error::io("create folder", &parts)(io::ErrorKind::AlreadyExists.into()))
    }

    /// Makes something in the folder of the parts, again if another process took that away between
    /// its making and this.
    fn in_parts<T>(&self, make: impl Fn(&Path) -> io::Result<T>) -> Result<T> {
        for _ in 1..MOST_TRIES {
            match make(&self.made_parts()?) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                made => return made.map_err(Error::io("write in", &self.parts())),
            }
        }
        make(&self.made_parts()?).map_err(Error::io("write in", &self.parts()))
    }

    fn part(&self, part: usize) -> PathBuf {
        self.parts().join(format!("{part:05}"))
    }

    /// Marks the folder unless another process was first.
    fn create_marker(&self) -> Result<bool> {
        let path = self.folder.path.join(MARKER);
        let json = serde_json::to_vec_pretty(&self.folder.marker).map_err(io::Error::other);
        let temporary = self.temporary(&json.map_err(Error::io("write", &path))?)?;
        match temporary.persist_noclobber(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(Error::io("write", &path)(e.error)),
        }
    }

    fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let json = serde_json::to_vec_pretty(value).map_err(io::Error::other);
        self.write(path, &json.map_err(Error::io("write", path))?)
    }

    fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        let temporary = self.temporary(content)?;
        temporary.persist(path).map_err(|e| Error::io("write", path)(e.error))
    }

    /// A file among the parts: what an interruption leaves of it goes with them in the end.
    fn temporary(&self, content: &[u8]) -> Result<tempfile::TempPath> {
        let mut file = self.in_parts(super::temporary_in)?;
        io::Write::write_all(&mut file, content).map_err(Error::io("write in", &self.parts()))?;
        Ok(file.into_temp_path())
    }
}

impl Drop for Parts {
    /// Where the whole work failed, takes away what this run made. Shards leave what they finished:
    /// it may be all that is missing to another.
    fn drop(&mut self) {
        if self.is_published {
            return;
        }
        if self.shard.is_whole() {
            for &part in &self.finished_here {
                let _ = fs::remove_dir_all(self.part(part));
            }
            if self.n_missing() == self.n_parts {
                let _ = fs::remove_dir_all(self.parts());
            }
            // Succeeds only if it is empty.
            let _ = fs::remove_dir(self.parts());
        }
    }
}

/// The files of one part while they are written; removed when dropped.
#[derive(Debug)]
pub struct PartFolder {
    folder: tempfile::TempDir,
    place: PathBuf,
}

impl PartFolder {
    /// Where to write them.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
