//! Files to look at: recordings and record files.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::sound::Sound;
use crate::audio_file::{AUDIO_EXTENSIONS, read_original};
use crate::error::{Error, Result};
use crate::output::files_under;
use crate::record::NoteRecord;
use crate::record_files::find_record_files;
use crate::scan::{Pass, scan};
use crate::tfrecord::{Chunk, Chunks, Tolerance};

/// The audio and record files that `inputs` stand for, each once: a folder for those in it and in
/// its subfolders, a file for itself, a pattern for what it matches.
pub(super) fn find_sources(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for input in inputs {
        let found = if input.is_dir() { in_folder(input)? } else { find_record_files(&[input])? };
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    if files.is_empty() {
        return Err(Error::Data("no files were named".to_owned()));
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_hidden = |path: &Path| {
        let inside = path.strip_prefix(folder).unwrap_or(path);
        inside.iter().any(|part| part.to_string_lossy().starts_with('.'))
    };
    let mut files = files_under(folder)?;
    files.retain(|path| !is_hidden(path) && (is_audio(path) || is_records(path)));
    if files.is_empty() {
        let (folder, kinds) = (folder.display(), AUDIO_EXTENSIONS.join(", "));
        let reason = format!("folder {folder} holds no audio ({kinds}) and no *.tfrecord* files");
        return Err(Error::Data(reason));
    }
    Ok(files)
}

/// Whether a file is audio by its name.
pub(super) fn is_audio(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    AUDIO_EXTENSIONS.contains(&extension.as_str())
}

fn is_records(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".tfrecord"))
}

/// Looks at a recording.
pub(super) fn examine_audio(path: &Path) -> Result<Findings> {
    let audio = read_original(path)?;
    let sound = Sound { audio: audio.samples, sample_rate: audio.sample_rate, recorded: None };
    sound.examine().map_err(|reason| Error::Audio { path: path.to_owned(), reason })
}

/// Looks at every record of a file, on several threads; `advance` is told the bytes done.
pub(super) fn examine_records(
    path: &Path,
    n_threads: usize,
    advance: &mut dyn FnMut(u64),
) -> Result<Findings> {
    let chunks = Chunks::open(path, Tolerance::None)?;
    scan(chunks, n_threads, &DoctorPass { path }, Findings::default(), advance)
}

struct DoctorPass<'a> {
    path: &'a Path,
}

impl Pass for DoctorPass<'_> {
    type State = Findings;
    type Prepared = Findings;

    fn prepare(&self, chunk: &Chunk) -> Result<Findings> {
        let mut findings = Findings::default();
        for record in chunk.records() {
            let error = |reason: String| Error::record(self.path, record.offset, reason);
            record.check().map_err(|reason| error(reason.to_owned()))?;
            let note = NoteRecord::decode(record.data()).map_err(error)?;
            findings.merge(&Sound::from_record(note).examine().map_err(error)?);
        }
        Ok(findings)
    }

    fn fold(&self, sum: &mut Findings, _: &Chunk, findings: &mut Findings) -> Result<()> {
        sum.merge(findings);
        Ok(())
    }
}
