//! Which files there are, in what order, what is held out of them, and the parts of the work.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;

use super::PrepareOptions;
use super::split::{Side, Split, SplitBy, held_out_files, rng_of};
use super::windows::Windows;
use crate::audio_file::{AUDIO_EXTENSIONS, AudioReader};
use crate::error::{Error, Result};
use crate::output::files_under;

/// Bytes of a second where the header tells no length: 128 kbit/s.
const TYPICAL_BYTES_A_SECOND: f64 = 16_000.0;
/// No recording has less: a header that claims more seconds for the file's length lies.
const MIN_BYTES_A_SECOND: f64 = 500.0;
/// Most files of a part; each is listed in its report.
const MAX_FILES_PER_PART: usize = 2000;

/// A file to prepare.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Its path inside the folder that was named, without its ending: what its examples are named
    /// after.
    pub(super) name: String,
    /// Its length.
    pub(super) bytes: u64,
    /// About how long it sounds.
    pub(super) secs: f64,
    pub(super) split: Split,
}

/// The work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// In the order of the records.
    pub(super) sources: Vec<Source>,
    /// The sources of each part.
    pub(super) parts: Vec<Range<usize>>,
    /// What was held out as a whole.
    pub(super) split_by: SplitBy,
}

impl Plan {
    /// Looks at the headers of all files.
    pub(super) fn new(
        inputs: &[PathBuf],
        options: &PrepareOptions,
        windows: Windows,
    ) -> Result<Self> {
        let mut sources = Vec::new();
        let mut is_usable = Vec::new();
        for (path, name) in audio_files(inputs)? {
            let bytes = std::fs::metadata(&path).map_err(Error::io("read", &path))?.len();
            let header = declared_secs(&path)?;
            let most = bytes as f64 / MIN_BYTES_A_SECOND;
            let secs =
                header.flatten().map_or(bytes as f64 / TYPICAL_BYTES_A_SECOND, |s| s.min(most));
            is_usable.push(header.is_some_and(|s| s.is_none_or(|s| s >= options.example_secs)));
            sources.push(Source { path, name, bytes, secs, split: Split::Whole(Side::Train) });
        }
        let n_usable = is_usable.iter().filter(|&&usable| usable).count();
        let default = if n_usable > 1 { SplitBy::File } else { SplitBy::Time };
        let split_by = options.split_by.unwrap_or(default);
        let share = options.held_out_share;
        let mut flags = held_out_files(n_usable, share, &mut rng_of(options.seed, 0)).into_iter();
        for (i, source) in sources.iter_mut().enumerate() {
            let is_held_out = is_usable[i] && flags.next() == Some(true);
            source.split = match split_by {
                SplitBy::File if is_held_out => Split::Whole(Side::HeldOut),
                SplitBy::File => Split::Whole(Side::Train),
                SplitBy::Time => {
                    let rng = &mut rng_of(options.seed, i + 1);
                    Split::by_time(source.secs, share, windows, rng)
                }
            };
        }
        sources.shuffle(&mut rng_of(options.seed, usize::MAX / 2));
        // Held-out recordings come last, so that few parts write files of both kinds.
        sources.sort_by_key(|source| source.split == Split::Whole(Side::HeldOut));
        let parts = parts(&sources, windows, options.shard_bytes);
        Ok(Self { sources, parts, split_by })
    }

    /// Seconds of audio in a part, about.
    pub(super) fn secs(&self, part: usize) -> f64 {
        self.sources[self.parts[part].clone()].iter().map(|source| source.secs).sum()
    }
}

/// Parts that fill about one file each; a long recording is one, and fills several.
fn parts(sources: &[Source], windows: Windows, shard_bytes: u64) -> Vec<Range<usize>> {
    let overlap = windows.n_frames as f64 / windows.hop_frames as f64;
    let with_16k = if windows.has_16k() { windows.grid_16k.sample_rate } else { 0 };
    let bytes_a_second = 4.0 * f64::from(windows.grid.sample_rate + with_16k) * overlap.max(1.0);
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0.0;
    for (i, source) in sources.iter().enumerate() {
        let more = source.secs * bytes_a_second;
        match parts.last_mut() {
            Some(part) if bytes + more <= shard_bytes as f64 && part.len() < MAX_FILES_PER_PART => {
                part.end = i + 1;
                bytes += more;
            }
            _ => {
                parts.push(i..i + 1);
                bytes = more;
            }
        }
    }
    parts
}

/// The length that a file's header declares, if it does; `None` if it is no audio.
fn declared_secs(path: &Path) -> Result<Option<Option<f64>>> {
    match AudioReader::open(path) {
        Ok(reader) => Ok(Some(reader.declared_secs())),
        Err(Error::Audio { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The files that `inputs` name, with the names of their examples: those named themselves, and in
/// folders those that end like audio.
fn audio_files(inputs: &[PathBuf]) -> Result<Vec<(PathBuf, String)>> {
    let is_audio = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        AUDIO_EXTENSIONS.contains(&extension.as_str())
    };
    let mut files = Vec::new();
    for input in inputs {
        let metadata = std::fs::metadata(input).map_err(Error::io("read", input))?;
        if metadata.is_dir() {
            for path in files_under(input)?.into_iter().filter(is_audio) {
                let name = name_inside(&path, input);
                files.push((path, name));
            }
        } else {
            let folder = input.parent().unwrap_or(Path::new(""));
            files.push((input.clone(), name_inside(input, folder)));
        }
    }
    files.sort();
    files.dedup_by(|a, b| a.0 == b.0);
    if files.is_empty() {
        let names: Vec<_> = inputs.iter().map(|input| input.display().to_string()).collect();
        let kinds = AUDIO_EXTENSIONS.join(", ");
        return Err(Error::Data(format!("{}: no audio files ({kinds})", names.join(", "))));
    }
    Ok(files)
}

/// A file's path inside a folder, with `/` between its parts and without its ending.
fn name_inside(path: &Path, folder: &Path) -> String {
    let inside = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_files_share_a_part_and_long_ones_have_their_own() {
        let windows = Windows::new(&PrepareOptions::default()).expect("sane");
        let source = |secs| Source {
            path: PathBuf::new(),
            name: String::new(),
            bytes: 0,
            secs,
            split: Split::Whole(Side::Train),
        };
        // 256 kB of records a second: 256 MiB are 1048 s.
        let sources: Vec<_> =
            [500.0, 500.0, 500.0, 9000.0, 10.0, 10.0].into_iter().map(source).collect();
        assert_eq!(parts(&sources, windows, 256 << 20), [0..2, 2..3, 3..4, 4..6]);
        assert!(parts(&[], windows, 1).is_empty(), "nothing");
    }

    #[test]
    fn names_are_paths_inside_the_folder() {
        let name = |path: &str, folder: &str| name_inside(Path::new(path), Path::new(folder));
        assert_eq!(name("a/b/c.d.wav", "a"), "b/c.d");
        assert_eq!(name("x.wav", ""), "x");
    }
}
