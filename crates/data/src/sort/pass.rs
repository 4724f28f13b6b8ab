//! One source on its way into the files of its classes: where each record goes, and the copying.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::class::class_name;
use super::rewrite::Rewritten;
use super::shard_files::ShardFiles;
use super::{MAX_CLASSES, Shards, SortOptions, UNSORTED};
use crate::crc::Span;
use crate::error::{Error, Result};
use crate::example::find_features;
use crate::scan::Pass;
use crate::tfrecord::{Chunk, Record};

/// Records that are longer on average are written one by one; shorter ones are gathered first, since
/// each writing costs about as much as copying this many bytes.
const GATHER_BYTES: u64 = 32 << 10;

/// Sorts one source.
pub(super) struct SortPass<'a> {
    options: &'a SortOptions,
    source: &'a Path,
    files: &'a ShardFiles<'a>,
    /// The features to find, each once.
    wanted: Vec<&'a str>,
    /// Which of them tell the class, and which the condition looks at.
    by: Vec<usize>,
    condition: Vec<usize>,
}

/// What has been sorted so far, in the order of the sources.
#[derive(Default)]
pub(super) struct Sorted {
    /// By name.
    pub classes: BTreeMap<String, Class>,
    /// Records read, and the span of the source.
    pub n_records: u64,
    pub source: Span,
    /// Records that the condition dropped, and their frames' length.
    pub n_dropped: u64,
    pub dropped_bytes: u64,
    /// Bytes by which renaming made the frames longer.
    pub growth: i64,
    /// Records that have each of the features that tell the class.
    pub n_having: Vec<u64>,
    /// Records that have features to rename.
    pub n_renamed: u64,
}

/// A class of records.
#[derive(Default)]
pub(super) struct Class {
    pub records: u64,
    pub files: Vec<SortedFile>,
}

/// A file of a class.
#[derive(Clone, Copy)]
pub(super) struct SortedFile {
    /// Among the part's files.
    pub number: usize,
    pub records: u64,
    pub bytes: u64,
}

/// What is known about the records of a chunk, and, once it was its turn, where they go.
pub(super) struct Prepared {
    records: Vec<PreparedRecord>,
    /// The names of the classes that occur, each once.
    classes: Vec<String>,
    source: Span,
    n_having: Vec<u64>,
    stretches: Vec<Stretch>,
}

struct PreparedRecord {
    /// Index of the class's name; `None` if the record is dropped.
    class: Option<usize>,
    /// Of the frame as it is to be written.
    span: Span,
    rewritten: Option<Rewritten>,
}

/// Records of a chunk that follow each other in a file.
struct Stretch {
    file: usize,
    offset: u64,
    records: Vec<usize>,
}

impl<'a> SortPass<'a> {
    pub(super) fn new(
        options: &'a SortOptions,
        source: &'a Path,
        files: &'a ShardFiles<'a>,
    ) -> Self {
        let mut wanted: Vec<&str> = Vec::new();
        let mut number = |name: &'a String| {
            wanted.iter().position(|known| known == name).unwrap_or_else(|| {
                wanted.push(name);
                wanted.len() - 1
            })
        };
        let by = options.by.iter().map(&mut number).collect();
        let names = options.predicate.iter().flat_map(|predicate| predicate.names());
        let condition = names.map(&mut number).collect();
        Self { options, source, files, wanted, by, condition }
    }

    /// The class of a record (`None` if it is dropped); counts the class features that it has.
    fn class(&self, data: &[u8], n_having: &mut [u64]) -> Result<Option<String>, String> {
        let found = find_features(data, &self.wanted).map_err(|e| e.to_string())?;
        let select = |indices: &[usize]| indices.iter().map(|&i| found[i]).collect::<Vec<_>>();
        let by = select(&self.by);
        for (n, feature) in n_having.iter_mut().zip(&by) {
            *n += u64::from(feature.is_some());
        }
        if let Some(predicate) = &self.options.predicate
            && !predicate.passes(&select(&self.condition))?
        {
            return Ok(None);
        }
        let class = class_name(&self.options.by, &by)?;
        Ok(Some(class.unwrap_or_else(|| UNSORTED.to_owned())))
    }

    /// The frame of a record as it is to be written.
    fn rewrite(&self, record: Record, span: Span) -> Result<PreparedRecord, String> {
        let rewritten = match &self.options.rename[..] {
            [] => None,
            names => Rewritten::new(record, names)?,
        };
        let span = rewritten.as_ref().map_or(span, |rewritten| rewritten.span);
        Ok(PreparedRecord { class: None, span, rewritten })
    }

    /// Gives the next record of a class its place: the number of a file, and the byte.
    fn place(&self, sorted: &mut Sorted, class: &str, n_bytes: u64) -> Result<(usize, u64)> {
        if !sorted.classes.contains_key(class) {
            if sorted.classes.len() == MAX_CLASSES {
                return Err(super::too_many_classes(&self.options.by));
            }
            sorted.classes.insert(class.to_owned(), Class::default());
        }
        let known = sorted.classes.entry(class.to_owned()).or_default();
        let file = self.file(class, known)?;
        let place = (file.number, file.bytes);
        file.records += 1;
        file.bytes += n_bytes;
        known.records += 1;
        Ok(place)
    }

    /// The file that the next record of a class goes to; makes it if need be.
    fn file<'f>(&self, name: &str, class: &'f mut Class) -> Result<&'f mut SortedFile> {
        let files = &mut class.files;
        let index = match self.options.shards {
            // Dealt out one by one, so that the files differ by one record at most.
            Shards::Count(count) => usize::try_from(class.records % count).unwrap_or(0),
            Shards::Bytes(limit) => match files.last() {
                Some(file) if file.bytes < limit => files.len() - 1,
                _ => files.len(),
            },
        };
        if index == files.len() {
            let number = self.files.create(shard_file(name, index))?;
            files.push(SortedFile { number, records: 0, bytes: 0 });
        }
        Ok(&mut files[index])
    }

    /// The pieces of a record as it is to be written.
    fn pieces<'r>(record: &Record<'r>, prepared: &'r PreparedRecord) -> Vec<&'r [u8]> {
        match &prepared.rewritten {
            Some(rewritten) => rewritten.pieces(record.frame).collect(),
            None => vec![record.frame],
        }
    }
}

impl Pass for SortPass<'_> {
    type State = Sorted;
    type Prepared = Prepared;

    fn prepare(&self, chunk: &Chunk) -> Result<Prepared> {
        let mut classes = Classes::default();
        let mut prepared = Prepared {
            records: Vec::with_capacity(chunk.records().len()),
            classes: Vec::new(),
            source: Span::default(),
            n_having: vec![0; self.by.len()],
            stretches: Vec::new(),
        };
        for record in chunk.records() {
            let error = |reason: String| Error::record(self.source, record.offset, reason);
            let span = record.check().map_err(|reason| error(reason.to_owned()))?;
            prepared.source = prepared.source.then(span);
            let class = self.class(record.data(), &mut prepared.n_having).map_err(error)?;
            let mut done = PreparedRecord { class: None, span, rewritten: None };
            if let Some(class) = class {
                done = self.rewrite(record, span).map_err(error)?;
                done.class = Some(classes.number(class));
            }
            prepared.records.push(done);
        }
        prepared.classes = classes.names;
        Ok(prepared)
    }

    fn fold(&self, sorted: &mut Sorted, chunk: &Chunk, prepared: &mut Prepared) -> Result<()> {
        sorted.source = sorted.source.then(prepared.source);
        sorted.n_having.resize(prepared.n_having.len(), 0);
        for (sum, n) in sorted.n_having.iter_mut().zip(&prepared.n_having) {
            *sum += n;
        }
        let mut stretches: BTreeMap<usize, Stretch> = BTreeMap::new();
        for (i, (record, done)) in chunk.records().zip(&prepared.records).enumerate() {
            let n_bytes = record.frame.len() as u64;
            sorted.n_records += 1;
            let Some(class) = done.class else {
                sorted.n_dropped += 1;
                sorted.dropped_bytes += n_bytes;
                continue;
            };
            let (file, offset) = self.place(sorted, &prepared.classes[class], done.span.len)?;
            let new = || Stretch { file, offset, records: Vec::new() };
            stretches.entry(file).or_insert_with(new).records.push(i);
            if done.rewritten.is_some() {
                sorted.n_renamed += 1;
                sorted.growth += done.span.len.cast_signed() - n_bytes.cast_signed();
            }
        }
        prepared.stretches = stretches.into_values().collect();
        Ok(())
    }

    fn finish(&self, chunk: &Chunk, prepared: Prepared) -> Result<()> {
        let records: Vec<Record> = chunk.records().collect();
        let mut gathered = Vec::new();
        for Stretch { file, offset, records: indices } in &prepared.stretches {
            let all = indices.iter().map(|&i| (&records[i], &prepared.records[i]));
            let pieces = all.clone().flat_map(|(record, done)| Self::pieces(record, done));
            let span = all.fold(Span::default(), |span, (_, done)| span.then(done.span));
            let mean_len = span.len / indices.len() as u64;
            if mean_len < GATHER_BYTES {
                gathered.clear();
                pieces.for_each(|piece| gathered.extend_from_slice(piece));
                self.files.write(*file, *offset, [&gathered[..]].into_iter())?;
            } else {
                self.files.write(*file, *offset, pieces)?;
            }
            self.files.note(*file, *offset, span);
        }
        Ok(())
    }
}

/// The name of a class's file while it is among the parts.
pub(super) fn shard_file(class: &str, index: usize) -> String {
    format!("{class}-{index:05}")
}

/// The names of a chunk's classes, each once.
#[derive(Default)]
struct Classes {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Classes {
    fn number(&mut self, class: String) -> usize {
        let Self { names, numbers } = self;
        *numbers.entry(class).or_insert_with_key(|class| {
            names.push(class.clone());
            names.len() - 1
        })
    }
}
