//! A server that answers as Cloud Storage does, and misbehaves when told to.
#![allow(dead_code, reason = "each test file uses some of these")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};

/// Objects on a page of the listing: few, so that there are pages.
const PAGE: usize = 2;

/// What goes wrong with one request for bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// The byte at this place of the file is another.
    Corrupt(usize),
    /// This status, and seconds to wait.
    Status(u16, Option<u64>),
    /// The whole file, whatever range was asked for.
    IgnoreRange,
    /// A range that was not asked for.
    WrongRange,
    /// Nothing at all for so long, then the end.
    Silence(Duration),
}

#[derive(Default)]
struct State {
    objects: Vec<(String, Vec<u8>)>,
    faults: VecDeque<Fault>,
    /// Wait after each 16 KiB.
    pace: Duration,
    /// Requests for bytes: object and first byte.
    requests: Vec<(String, usize)>,
    /// Whether the listing tells CRCs, and MD5s.
    tells: [bool; 2],
    /// Sent in place of the listing.
    listing: Option<String>,
}

/// A bucket named `b` on a port of this machine; it ends with the process.
#[derive(Clone)]
pub struct BucketServer {
    pub base_url: String,
    state: Arc<Mutex<State>>,
}

impl BucketServer {
    /// Serves objects by their full names.
    pub fn start(objects: Vec<(String, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = State { objects, tells: [true, true], ..State::default() };
        let server = Self { base_url, state: Arc::new(Mutex::new(state)) };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A client that goes away is its own affair.
                thread::spawn(move || drop(answer(stream, &state)));
            }
        });
        server
    }

    /// Faults for the next requests for bytes, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().expect("state").faults.extend(faults);
    }

    pub fn set_pace(&self, pace: Duration) {
        self.state.lock().expect("state").pace = pace;
    }

    pub fn set_tells(&self, crc32c: bool, md5: bool) {
        self.state.lock().expect("state").tells = [crc32c, md5];
    }

    pub fn set_listing(&self, listing: &str) {
        self.state.lock().expect("state").listing = Some(listing.to_owned());
    }

    /// Replaces the bytes of an object behind the client's back.
    pub fn set_object(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state.lock().expect("state");
        let object = state.objects.iter_mut().find(|(n, _)| n == name).expect("an object");
        object.1 = bytes;
    }

    /// Requests for bytes so far: object and first byte.
    pub fn requests(&self) -> Vec<(String, usize)> {
        self.state.lock().expect("state").requests.clone()
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut first = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(range) = header.strip_prefix("range: bytes=") {
            first = range.trim_end_matches('-').parse().expect("an open range");
        }
    }
    match target.strip_prefix("/storage/v1/b/b/o?") {
        Some(query) => list(stream, query, state),
        None => {
            let name = target.strip_prefix("/storage/v1/b/b/o/").unwrap_or_default();
            let name = name.trim_end_matches("?alt=media").replace("%2F", "/");
            send(stream, &name, first, state)
        }
    }
}

fn list(mut stream: TcpStream, query: &str, state: &Mutex<State>) -> std::io::Result<()> {
    let state = state.lock().expect("state");
    let value = |key: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(key))?;
        Some(pair.replace("%2F", "/"))
    };
    let prefix = value("prefix=").unwrap_or_default();
    let start: usize = value("pageToken=").map_or(0, |token| token.parse().expect("our token"));
    let below = state.objects.iter().filter(|(name, _)| name.starts_with(&prefix));
    let items: Vec<serde_json::Value> = below
        .clone()
        .skip(start)
        .take(PAGE)
        .map(|(name, bytes)| {
            let mut item = serde_json::json!({ "name": name, "size": bytes.len().to_string() });
            if state.tells[0] {
                let crc = crc32c::crc32c(bytes).to_be_bytes();
                item["crc32c"] = BASE64_STANDARD.encode(crc).into();
            }
            if state.tells[1] {
                item["md5Hash"] = BASE64_STANDARD.encode(Md5::digest(bytes)).into();
            }
            item
        })
        .collect();
    let mut page = serde_json::json!({ "items": items });
    if start + PAGE < below.count() {
        page["nextPageToken"] = (start + PAGE).to_string().into();
    }
    let text = state.listing.clone().unwrap_or_else(|| page.to_string());
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        text.len()
    )?;
    stream.write_all(text.as_bytes())
}

fn send(
    mut stream: TcpStream,
    name: &str,
    mut first: usize,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let (mut bytes, fault, pace) = {
        let mut state = state.lock().expect("state");
        state.requests.push((name.to_owned(), first));
        let found = state.objects.iter().find(|(n, _)| n == name);
        let Some((_, bytes)) = found.cloned() else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        };
        (bytes, state.faults.pop_front(), state.pace)
    };
    let len = bytes.len();
    match fault {
        Some(Fault::Status(status, after)) => {
            let after = after.map_or(String::new(), |secs| format!("Retry-After: {secs}\r\n"));
            return write!(stream, "HTTP/1.1 {status} No\r\n{after}Content-Length: 0\r\n\r\n");
        }
        Some(Fault::Silence(time)) => {
            thread::sleep(time);
            return Ok(());
        }
        Some(Fault::IgnoreRange) => first = 0,
        Some(Fault::Corrupt(at)) => bytes[at] ^= 0x40,
        _ => {}
    }
    if first > 0 {
        let told = if fault == Some(Fault::WrongRange) { first - 1 } else { first };
        write!(stream, "HTTP/1.1 206 Part\r\nContent-Range: bytes {told}-{}/{len}\r\n", len - 1)?;
    } else {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
    }
    write!(stream, "Connection: close\r\nContent-Length: {}\r\n\r\n", len - first)?;
    let rest = &bytes[first..];
    let rest = if let Some(Fault::Cut(n)) = fault { &rest[..n.min(rest.len())] } else { rest };
    for chunk in rest.chunks(16 << 10) {
        stream.write_all(chunk)?;
        thread::sleep(pace);
    }
    Ok(())
}
