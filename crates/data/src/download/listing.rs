//! What is in a bucket.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::agent::Client;
use crate::error::{Error, Result};

/// A page of a listing of a thousand objects has about 200 kB.
const PAGE_LIMIT: u64 = 16 << 20;

/// Pages of a thousand objects: a server that never ends its listing is stopped here.
const MOST_PAGES: usize = 10_000;

/// A bucket and the part of it that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    base_url: String,
    name: String,
    /// With a `/` at its end, unless empty.
    prefix: String,
}

impl Bucket {
    /// From `https://host` and `gs://bucket/prefix`.
    ///
    /// # Errors
    ///
    /// If the source is not of that form.
    pub fn new(base_url: &str, source: &str) -> Result<Self> {
        let path = source.strip_prefix("gs://").unwrap_or_default();
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        if name.is_empty() {
            return Err(Error::Data(format!("'{source}' is not of the form gs://bucket/prefix")));
        }
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { base_url, name: name.to_owned(), prefix })
    }

    fn list_url(&self, page: Option<&str>) -> String {
        let mut url = format!(
            "{}/storage/v1/b/{}/o?prefix={}&fields=items(name,size,crc32c,md5Hash),nextPageToken",
            self.base_url,
            escape(&self.name),
            escape(&self.prefix),
        );
        if let Some(page) = page {
            let _ = write!(url, "&pageToken={}", escape(page));
        }
        url
    }

    /// Where the bytes of `object` are.
    pub(super) fn media_url(&self, object: &RemoteObject) -> String {
        let name = escape(&format!("{}{}", self.prefix, object.file));
        format!("{}/storage/v1/b/{}/o/{name}?alt=media", self.base_url, escape(&self.name))
    }
}

/// A file in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteObject {
    /// Its path below the prefix, with `/` between its parts; never leads out of a folder.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// CRC-32C of its bytes, if the bucket tells.
    pub crc32c: Option<u32>,
    /// MD5 of its bytes in hexadecimal, if the bucket tells.
    pub md5: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    items: Vec<Item>,
    #[serde(rename = "nextPageToken")]
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    /// A number in a string, since JSON's own have 53 bits.
    size: String,
    crc32c: Option<String>,
    #[serde(rename = "md5Hash")]
    md5: Option<String>,
}

/// All objects below the bucket's prefix, by name.
pub(super) fn list(client: &Client, bucket: &Bucket) -> Result<Vec<RemoteObject>> {
    let mut objects = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let url = bucket.list_url(token.as_deref());
        let text = client.text(&url, PAGE_LIMIT)?;
        let page: Page = serde_json::from_str(&text)
            .map_err(|e| Error::Data(format!("{url}: not a listing of a bucket: {e}")))?;
        for item in page.items {
            objects.extend(to_object(bucket, item)?);
        }
        if page.next_page.is_none() {
            objects.sort_by(|a, b| a.file.cmp(&b.file));
            return Ok(objects);
        }
        if page.next_page == token {
            break;
        }
        token = page.next_page;
    }
    Err(Error::Data(format!("{}: the listing does not end", bucket.name)))
}

/// `None` for what stands for a folder.
fn to_object(bucket: &Bucket, item: Item) -> Result<Option<RemoteObject>> {
    let bad =
        |what: &str| Error::Data(format!("listing of {}: {}: {what}", bucket.name, item.name));
    let file = item.name.strip_prefix(&bucket.prefix).ok_or_else(|| bad("not below the prefix"))?;
    if file.is_empty() || file.ends_with('/') {
        return Ok(None);
    }
    // A name is where the file goes: it must stay inside the folder.
    let is_safe = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0'])
    };
    if !file.split('/').all(is_safe) {
        return Err(bad("not a name for a file"));
    }
    let bytes = item.size.parse().map_err(|_| bad("its size is not a number"))?;
    let decode =
        |text: &str| BASE64_STANDARD.decode(text).map_err(|_| bad("its checksum is not base64"));
    let crc32c = match &item.crc32c {
        None => None,
        Some(text) => {
            let bytes: [u8; 4] =
                decode(text)?.try_into().map_err(|_| bad("its CRC-32C is not four bytes"))?;
            Some(u32::from_be_bytes(bytes))
        }
    };
    let md5 = match &item.md5 {
        None => None,
        Some(text) => Some(hexadecimal(&decode(text)?)),
    };
    Ok(Some(RemoteObject { file: file.to_owned(), bytes, crc32c, md5 }))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A part of a URL: everything but letters, digits and `-._~` as `%XX` (RFC 3986).
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}
