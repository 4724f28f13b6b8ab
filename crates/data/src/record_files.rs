//! Which record files a user means: names, folders and patterns.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::output::files_under;

/// The record files that `patterns` stand for, each once, in order of the patterns and then by name.
///
/// A pattern is a file, a folder (the files in it and in its subfolders whose names contain
/// `.tfrecord`), or a path whose last part holds `*` (any characters) or `?` (one). What is hidden
/// does not count, nor do links to folders.
///
/// # Errors
///
/// If a pattern stands for nothing.
pub fn find_record_files(patterns: &[impl AsRef<Path>]) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        for file in expand(pattern.as_ref())? {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    if files.is_empty() {
        return Err(Error::Data("no record files were named".to_owned()));
    }
    Ok(files)
}

fn expand(pattern: &Path) -> Result<Vec<PathBuf>> {
    if pattern.is_dir() {
        return under(pattern);
    }
    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
    if pattern.exists() || !name.contains(['*', '?']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty());
    let reason = format!("holds no file named {name}");
    matching(folder.unwrap_or(Path::new(".")), &name, &reason)
}

/// The record files in a folder and its subfolders.
fn under(folder: &Path) -> Result<Vec<PathBuf>> {
    // Hidden files are half-written ones, or not meant.
    let is_hidden = |path: &PathBuf| {
        let inside = path.strip_prefix(folder).unwrap_or(path);
        inside.iter().any(|part| part.to_string_lossy().starts_with('.'))
    };
    let is_named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains(".tfrecord"))
    };
    let mut files = files_under(folder)?;
    files.retain(|path| is_named(path) && !is_hidden(path) && path.is_file());
    if files.is_empty() {
        let folder = folder.display();
        return Err(Error::Data(format!("folder {folder} holds no file named *.tfrecord*")));
    }
    Ok(files)
}

fn matching(folder: &Path, pattern: &str, reason: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("read folder", folder))? {
        let path = entry.map_err(Error::io("read folder", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with('.') && matches_pattern(pattern, &name) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::Data(format!("folder {} {reason}", folder.display())));
    }
    files.sort();
    Ok(files)
}

/// Whether `name` fits `pattern`, by the classic walk that returns to the last `*` on a mismatch.
pub(crate) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// The name of shard `shard` of `n_shards`, such as `string.tfrecord-00000-of-00004`.
pub fn shard_name(stem: &str, shard: usize, n_shards: usize) -> String {
    format!("{stem}.tfrecord-{shard:05}-of-{n_shards:05}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let cases = [
            ("*.tfrecord*", "string.tfrecord-00000-of-00001", true),
            ("string*", "string.tfrecord-00000-of-00001", true),
            ("*0?-of*", "string.tfrecord-00000-of-00001", true),
            ("string", "string.tfrecord", false),
            ("*a*b", "aab", true),
            ("*a*b", "aba", false),
            ("*ab", "aab", true),
            ("", "", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches_pattern(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn files_folders_and_patterns_name_each_file_once() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = |name: String| dir.path().join(name);
        let (a, b) = (path(shard_name("a", 0, 1)), path(shard_name("b", 0, 1)));
        for file in [&b, &a, &path(".a.tfrecord".to_owned()), &path("manifest.json".to_owned())] {
            std::fs::write(file, b"").expect("writable");
        }
        let files = find_record_files(&[b.clone(), dir.path().to_owned()]).expect("found");
        assert_eq!(files, [b, a.clone()]);
        assert_eq!(find_record_files(&[path("a*".to_owned())]).expect("found"), vec![a]);
        let error = find_record_files(&[path("c*".to_owned())]).expect_err("none").to_string();
        assert!(error.contains("holds no file named c*"), "{error}");
    }
    #[test]
    fn a_folder_stands_for_its_subfolders_too() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut written = Vec::new();
        for place in ["train", "test/more", ".ddsp-parts/0"] {
            let folder = dir.path().join(place);
            std::fs::create_dir_all(&folder).expect("a folder");
            written.push(folder.join(shard_name("x", 0, 1)));
            std::fs::write(&written[written.len() - 1], b"").expect("writable");
            std::fs::write(folder.join("x.wav"), b"").expect("writable");
        }
        let files = find_record_files(&[dir.path()]).expect("found");
        assert_eq!(files, [written[1].clone(), written[0].clone()], "by name, none hidden");
        let hidden = find_record_files(&[dir.path().join(".ddsp-parts")]).expect("found");
        assert_eq!(hidden, [written[2].clone()], "one that is named is meant");
    }
}
