//! One file, from wherever it was left to its checksum.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use md5::{Digest as _, Md5};
use ureq::Body;
use ureq::http::{Response, StatusCode};

use super::Counts;
use super::agent::{Client, Refusal};
use super::listing::{Bucket, RemoteObject, hexadecimal};
use crate::error::{Error, Result};

/// What is appended to the name of a file whose bytes are not all there or not verified.
const PART: &str = ".ddsp-part";

/// Bytes moved at a time.
const CHUNK: usize = 256 << 10;

/// Where files come from and go to.
pub(super) struct Transfer<'a> {
    pub(super) client: &'a Client,
    pub(super) bucket: &'a Bucket,
    pub(super) out: &'a Path,
    pub(super) counts: &'a Counts,
}

/// How a request for the rest of a file ended.
enum Attempt {
    /// All bytes are there.
    Complete,
    /// The connection ended early, or something else that may pass.
    Broken(Refusal),
}

impl Transfer<'_> {
    /// Fetches what is missing of `object`, verifies it and gives it its name.
    pub(super) fn fetch(&self, object: &RemoteObject) -> Result<()> {
        let path = self.out.join(&object.file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
        }
        if path.is_file() && check(&path, object)?.is_ok() {
            self.counts.present.fetch_add(object.bytes, Ordering::Relaxed);
            return Ok(());
        }
        let mut n_mismatches = 0;
        loop {
            let part = self.complete_part(object, &path)?;
            let Err(reason) = check(&part, object)? else {
                return fs::rename(&part, &path).map_err(Error::io("rename", &part));
            };
            // Some of these bytes are wrong, and no telling which.
            fs::remove_file(&part).map_err(Error::io("remove", &part))?;
            self.counts.present.fetch_sub(object.bytes, Ordering::Relaxed);
            n_mismatches += 1;
            if n_mismatches >= self.client.patience.n_failures {
                return Err(Error::Data(format!(
                    "{}: {reason}, {n_mismatches} times",
                    object.file
                )));
            }
        }
    }

    /// Fills the part file until it has all bytes; returns its path.
    fn complete_part(&self, object: &RemoteObject, path: &Path) -> Result<PathBuf> {
        let mut name = path.as_os_str().to_owned();
        name.push(PART);
        let part = PathBuf::from(name);
        let mut options = OpenOptions::new();
        let mut file =
            options.create(true).append(true).open(&part).map_err(Error::io("write", &part))?;
        let mut have = file.metadata().map_err(Error::io("read", &part))?.len();
        if have > object.bytes {
            file.set_len(0).map_err(Error::io("write", &part))?;
            have = 0;
        }
        self.counts.present.fetch_add(have, Ordering::Relaxed);
        let mut n_failures = 0;
        while have < object.bytes {
            let before = have;
            match self.attempt(object, &part, &mut file, &mut have)? {
                Attempt::Complete => break,
                Attempt::Broken(refusal) => {
                    n_failures = if have > before { 1 } else { n_failures + 1 };
                    if !refusal.may_pass || n_failures >= self.client.patience.n_failures {
                        let reason = refusal.reason;
                        let kept = format!("{have} of {} bytes are kept", object.bytes);
                        let hint = "the same command goes on from there";
                        return Err(Error::Data(format!(
                            "{}: {reason}; {kept}, {hint}",
                            object.file
                        )));
                    }
                    self.client.patience.wait(n_failures, refusal.retry_after);
                }
            }
        }
        Ok(part)
    }

    /// One request for the bytes from `have` on, appended to `file`.
    fn attempt(
        &self,
        object: &RemoteObject,
        part: &Path,
        file: &mut File,
        have: &mut u64,
    ) -> Result<Attempt> {
        let mut response = match self.client.get(&self.bucket.media_url(object), *have) {
            Ok(response) => response,
            Err(refusal) => return Ok(Attempt::Broken(refusal)),
        };
        let first = match first_byte(&response, *have) {
            Ok(first) => first,
            Err(reason) => return Ok(Attempt::Broken(passing(reason))),
        };
        if first < *have {
            // The server sends everything from the beginning: what is there would be there twice.
            file.set_len(0).map_err(Error::io("write", part))?;
            self.counts.present.fetch_sub(*have, Ordering::Relaxed);
            *have = 0;
        }
        let mut body = response.body_mut().as_reader();
        let mut chunk = vec![0; CHUNK];
        while *have < object.bytes {
            let room = usize::try_from(object.bytes - *have).unwrap_or(CHUNK).min(CHUNK);
            let n = match body.read(&mut chunk[..room]) {
                Ok(0) => return Ok(Attempt::Broken(passing("the connection ended early".into()))),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Attempt::Broken(passing(error.to_string()))),
            };
            file.write_all(&chunk[..n]).map_err(Error::io("write", part))?;
            *have += n as u64;
            self.counts.present.fetch_add(n as u64, Ordering::Relaxed);
            self.counts.received.fetch_add(n as u64, Ordering::Relaxed);
        }
        Ok(Attempt::Complete)
    }
}

/// Something that another request may mend.
fn passing(reason: String) -> Refusal {
    Refusal { reason, may_pass: true, retry_after: None }
}

/// Which byte of the file an answer begins with: `have`, or 0 where the server ignores ranges.
fn first_byte(response: &Response<Body>, have: u64) -> Result<u64, String> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(0);
    }
    let range = response.headers().get("Content-Range").and_then(|v| v.to_str().ok());
    let first = range.and_then(|r| r.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    match first {
        Some(first) if first == have => Ok(first),
        _ => Err(format!("the server sent '{}', not the bytes asked for", range.unwrap_or(""))),
    }
}

/// Whether the file at `path` has the length and checksums of `object`; if not, what differs.
fn check(path: &Path, object: &RemoteObject) -> Result<Result<(), String>> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let (mut bytes, mut crc, mut md5) = (0_u64, 0, Md5::new());
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk).map_err(Error::io("read", path))? {
            0 => break,
            n => {
                bytes += n as u64;
                crc = crc32c::crc32c_append(crc, &chunk[..n]);
                // The CRC is fast; MD5 is for where there is nothing else.
                if object.crc32c.is_none() && object.md5.is_some() {
                    md5.update(&chunk[..n]);
                }
            }
        }
    }
    if bytes != object.bytes {
        return Ok(Err(format!("{bytes} bytes, not {}", object.bytes)));
    }
    Ok(match (object.crc32c, &object.md5) {
        (Some(expected), _) if crc != expected => Err("its CRC-32C is wrong".to_owned()),
        (None, Some(expected)) if hexadecimal(&md5.finalize()) != *expected => {
            Err("its MD5 is wrong".to_owned())
        }
        _ => Ok(()),
    })
}
