//! One part of the work: its recordings on several threads, their examples in order.
//!
//! A short recording is one job, so that many are decoded at once. A long one is decoded by whichever
//! thread needs work, a stretch at a time, and its stretches are analysed at once.

use super::PrepareOptions;
use super::cutter::{Cutter, Facts, changed};
use super::plan::Source;
use super::report::PartReport;
use super::shards::Shards;
use super::stretches::{AnalysedLane, Stretch, Stretches};
use super::windows::Windows;
use crate::audio_file::AudioReader;
use crate::error::{Error, Result};
use crate::in_order::Work;
use crate::output::span_of_file;

/// Recordings up to this length are one job: a few stretches, which may wait in memory.
const SHORT_SECS: f64 = 60.0;

/// The work on the recordings of one part.
pub(super) struct Pipeline<'a> {
    pub(super) options: &'a PrepareOptions,
    pub(super) windows: Windows,
    pub(super) sources: &'a [Source],
}

/// Gives out the recordings.
#[derive(Default)]
pub(super) struct Queue {
    /// The next one.
    next: usize,
    /// The long one that is being decoded.
    long: Option<(usize, Stretches)>,
}

/// What one thread does.
pub(super) enum Job {
    /// Decode and analyse a recording.
    Recording(usize),
    /// Analyse a stretch of one.
    Stretch(usize, Stretch),
    /// Say why there is none.
    Unusable(usize, String),
}

/// What is known of a recording next.
pub(super) struct Piece {
    source: usize,
    content: Result<Analysed, String>,
}

struct Analysed {
    lanes: Vec<AnalysedLane>,
    n_frames: usize,
    /// Facts of the whole and what is wrong with it, if nothing follows.
    end: Option<(Facts, Option<String>)>,
}

/// Where the examples go.
pub(super) struct Sink<'a> {
    pub(super) shards: Shards<'a>,
    pub(super) report: PartReport,
    cutter: Option<Cutter<'a>>,
    /// Seconds of the present recording that are done.
    secs: f64,
}

impl<'a> Sink<'a> {
    pub(super) fn new(shards: Shards<'a>) -> Self {
        Self { shards, report: PartReport::default(), cutter: None, secs: 0.0 }
    }
}

impl<'a> Pipeline<'a> {
    fn open(&self, source: usize) -> Result<Result<Stretches, String>> {
        match AudioReader::open(&self.sources[source].path) {
            Ok(reader) => Ok(Ok(Stretches::new(reader, self.options.channels, self.windows))),
            Err(Error::Audio { reason, .. }) => Ok(Err(reason)),
            Err(error) => Err(error),
        }
    }

    fn analyse(&self, source: usize, stretch: Stretch) -> Result<Piece> {
        let Stretch { n_frames, original_rate, n_channels, is_last, .. } = stretch;
        let damage = stretch.damage.clone();
        let facts = |()| {
            let Source { path, bytes, .. } = &self.sources[source];
            let span = span_of_file(path)?;
            if span.len != *bytes {
                return Err(changed(&self.sources[source]));
            }
            Ok(Facts { bytes: span.len, crc32c: span.hex(), original_rate, n_channels })
        };
        let facts = is_last.then_some(()).map(facts).transpose()?;
        let lanes = stretch.analyse(self.windows);
        let end = facts.map(|facts| (facts, damage));
        Ok(Piece { source, content: Ok(Analysed { lanes, n_frames, end }) })
    }
}

impl<'a> Work for Pipeline<'a> {
    type Source = Queue;
    type Job = Job;
    type Output = Piece;
    type Sink = Sink<'a>;

    fn next(&self, queue: &mut Queue) -> Result<Option<Job>> {
        loop {
            if let Some((source, stretches)) = &mut queue.long {
                if let Some(stretch) = stretches.next_stretch()? {
                    return Ok(Some(Job::Stretch(*source, stretch)));
                }
                queue.long = None;
            }
            let source = queue.next;
            queue.next += 1;
            match self.sources.get(source) {
                None => return Ok(None),
                Some(known) if known.secs <= SHORT_SECS => return Ok(Some(Job::Recording(source))),
                Some(_) => match self.open(source)? {
                    Ok(stretches) => queue.long = Some((source, stretches)),
                    Err(reason) => return Ok(Some(Job::Unusable(source, reason))),
                },
            }
        }
    }

    fn run(&self, job: Job, hand_in: &mut dyn FnMut(Piece) -> Result<bool>) -> Result<()> {
        match job {
            Job::Stretch(source, stretch) => {
                hand_in(self.analyse(source, stretch)?)?;
            }
            Job::Unusable(source, reason) => {
                hand_in(Piece { source, content: Err(reason) })?;
            }
            Job::Recording(source) => match self.open(source)? {
                Err(reason) => {
                    hand_in(Piece { source, content: Err(reason) })?;
                }
                Ok(mut stretches) => {
                    while let Some(stretch) = stretches.next_stretch()? {
                        if !hand_in(self.analyse(source, stretch)?)? {
                            break;
                        }
                    }
                }
            },
        }
        Ok(())
    }

    fn take(&self, sink: &mut Sink<'a>, piece: Piece) -> Result<f64> {
        let source = &self.sources[piece.source];
        let cutter = sink.cutter.take();
        let mut cutter = cutter.unwrap_or_else(|| Cutter::new(self.options, self.windows, source));
        let end = match piece.content {
            Err(reason) => {
                let facts = Facts {
                    bytes: source.bytes,
                    crc32c: String::new(),
                    original_rate: 0,
                    n_channels: 0,
                };
                Some((facts, Some(reason)))
            }
            Ok(Analysed { lanes, n_frames, end }) => {
                cutter.push(lanes, n_frames, &mut sink.shards)?;
                if end.is_none() {
                    let secs = self.windows.secs(n_frames);
                    sink.secs += secs;
                    sink.cutter = Some(cutter);
                    return Ok(secs);
                }
                end
            }
        };
        if let Some((facts, damage)) = end {
            sink.report.add(cutter.finish(facts, damage, &mut sink.shards)?);
        }
        // What was expected of it is done, whatever it was in the end.
        Ok(source.secs - std::mem::take(&mut sink.secs))
    }
}
