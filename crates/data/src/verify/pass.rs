//! One file on its way through the checks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::MAX_LISTED;
use super::checks::{Shape, difference, doubts, shape, unusable};
use super::problem::{Gravity, Problem};
use crate::error::{Error, Result};
use crate::example::Example;
use crate::scan::Pass;
use crate::tfrecord::{Chunk, Record};

/// Checks everything there is to check.
pub(super) struct VerifyPass;

/// What was found so far, in the order of the file.
#[derive(Default)]
pub(super) struct Checked {
    pub file: PathBuf,
    pub n_good: u64,
    pub good_bytes: u64,
    pub n_bad: u64,
    pub n_doubts: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
    /// Where all of them are listed.
    pub list: Option<(PathBuf, BufWriter<File>)>,
    /// Where good records go.
    pub good: Option<(PathBuf, BufWriter<File>)>,
    /// The shape of the first usable record.
    pub first: Option<Shape>,
}

/// What is known about the records of a chunk.
#[derive(Default)]
pub(super) struct Prepared {
    records: Vec<Finding>,
    /// The shapes that occur, each once.
    shapes: Vec<Shape>,
}

/// A problem in the list of all.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a Path,
    #[serde(flatten)]
    problem: &'a Problem,
}

enum Finding {
    Bad(Gravity, String),
    /// The number of its shape, and what is unusual.
    Good(usize, Vec<String>),
}

impl Pass for VerifyPass {
    type State = Checked;
    type Prepared = Prepared;

    fn prepare(&self, chunk: &Chunk) -> Result<Prepared> {
        let mut prepared = Prepared::default();
        for record in chunk.records() {
            let finding = prepared.check(&record);
            prepared.records.push(finding);
        }
        Ok(prepared)
    }

    fn fold(&self, checked: &mut Checked, chunk: &Chunk, prepared: &mut Prepared) -> Result<()> {
        if let Some(damage) = &chunk.damage {
            let place = (damage.offset, damage.len);
            checked.note(place, Gravity::Damaged, damage.reason.clone())?;
        }
        for (record, finding) in chunk.records().zip(prepared.records.drain(..)) {
            let place = (record.offset, record.frame.len() as u64);
            match finding {
                Finding::Bad(gravity, reason) => checked.note(place, gravity, reason)?,
                Finding::Good(shape, doubts) => {
                    let shape = &prepared.shapes[shape];
                    let odd = checked.first.get_or_insert_with(|| shape.clone());
                    for doubt in difference(shape, odd).into_iter().chain(doubts) {
                        checked.note(place, Gravity::Doubt, doubt)?;
                    }
                    checked.keep(&record)?;
                }
            }
        }
        Ok(())
    }
}

impl Prepared {
    fn check(&mut self, record: &Record) -> Finding {
        if let Err(reason) = record.check() {
            return Finding::Bad(Gravity::Damaged, reason.to_owned());
        }
        let example = match Example::parse(record.data()) {
            Ok(example) => example,
            Err(error) => return Finding::Bad(Gravity::Unusable, error.to_string()),
        };
        if let Some(reason) = unusable(&example) {
            return Finding::Bad(Gravity::Unusable, reason);
        }
        let shape = shape(&example);
        // Nearly always the last one.
        let known = self.shapes.iter().rposition(|known| *known == shape);
        let shape = known.unwrap_or_else(|| {
            self.shapes.push(shape);
            self.shapes.len() - 1
        });
        Finding::Good(shape, doubts(&example))
    }
}

impl Checked {
    /// Notes a problem of the bytes at a place: offset and length.
    fn note(&mut self, place: (u64, u64), gravity: Gravity, reason: String) -> Result<()> {
        match gravity {
            Gravity::Doubt => self.n_doubts += 1,
            Gravity::Unusable | Gravity::Damaged => self.n_bad += 1,
        }
        let (offset, bytes) = place;
        let problem = Problem { offset, bytes, gravity, reason };
        if let Some((path, list)) = &mut self.list {
            let line = Line { file: &self.file, problem: &problem };
            let line = serde_json::to_string(&line).map_err(std::io::Error::other);
            line.and_then(|line| writeln!(list, "{line}")).map_err(Error::io("write", path))?;
        }
        if self.problems.len() < MAX_LISTED {
            self.problems.push(problem);
        }
        Ok(())
    }

    fn keep(&mut self, record: &Record) -> Result<()> {
        self.n_good += 1;
        self.good_bytes += record.frame.len() as u64;
        match &mut self.good {
            Some((path, good)) => good.write_all(record.frame).map_err(Error::io("write", path)),
            None => Ok(()),
        }
    }

    /// Looks at the file as a whole.
    pub(super) fn conclude(&mut self, n_bytes: u64) -> Result<()> {
        if self.n_good + self.n_bad == 0 {
            self.note((0, n_bytes), Gravity::Doubt, "no records".to_owned())?;
        }
        Ok(())
    }
}
