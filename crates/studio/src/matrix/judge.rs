//! Whose sound each output is: its envelope beside those of all families' held-out notes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use ddsp_data::ExampleIndex;
use ddsp_data::instruments::Family;
use ddsp_kernels::{FrameGrid, SpectralEnvelope, midi_to_hz};

use super::MatrixOptions;
use super::cell::{Cell, Source};
use super::learned::{Learned, held_out};
use super::played::KeptEnvelope;
use super::report::{MatrixCell, MatrixPhrase, MatrixReport, Placed};
use crate::error::{Error, Result};
use crate::event::Conductor;
use crate::threads::each_told;
use crate::timbre::{distance_db, envelope_of_notes, pitch};

/// What a family sounds like in a register, by notes that its model has not heard.
struct Reference {
    family: Family,
    /// None if there is no note.
    envelope: Option<SpectralEnvelope>,
    /// Whether its notes are in the register. Else they are those of the pitch next to it.
    is_in_register: bool,
    /// f0 of the lowest of its notes, Hz.
    lowest_hz: f32,
}

/// Lowest and highest MIDI pitch.
type Register = (u8, u8);

/// The references of all families by register.
struct References(BTreeMap<Register, Vec<Reference>>);

/// Puts everything together.
pub(super) fn judge(
    options: &MatrixOptions,
    learned: &[Learned],
    phrases: Vec<Source>,
    cells: Vec<Cell>,
    conductor: &mut Conductor<'_>,
) -> Result<MatrixReport> {
    let as_it_is = phrases.iter().map(|source| source.phrase.register(0));
    let moved = cells.iter().map(|cell| register(&phrases, cell));
    let registers: BTreeSet<Register> =
        as_it_is.chain(moved).map(|r| (*r.start(), *r.end())).collect();
    let references = References::new(options, &registers, conductor)?;

    let judged = cells.iter().map(|cell| {
        let [phrase, model] = [cell.phrase, cell.model].map(|i| phrases[i].phrase.family);
        let played = &cell.played;
        let envelope = played.envelope.as_ref();
        let register = register(&phrases, cell);
        let placed = references.place(envelope, played.median_f0_hz, &register, &[phrase, model]);
        MatrixCell::new([phrase, model], played, placed)
    });
    let judged = judged.collect();
    let heard = phrases.iter().map(|source| {
        let (family, register) = (source.phrase.family, source.phrase.register(0));
        let (envelope, f0_hz) = (source.heard.envelope.as_ref(), source.heard.median_f0_hz);
        let placed = references.place(envelope, f0_hz, &register, &[family]);
        MatrixPhrase::new(source, placed)
    });
    let heard = heard.collect();
    Ok(MatrixReport::new(options, learned, heard, judged))
}

/// Where an output lies, with a fourth around it.
fn register(phrases: &[Source], cell: &Cell) -> RangeInclusive<u8> {
    phrases[cell.phrase].phrase.register(cell.played.octaves)
}

impl References {
    fn new(
        options: &MatrixOptions,
        registers: &BTreeSet<Register>,
        conductor: &mut Conductor<'_>,
    ) -> Result<Self> {
        conductor.stage("listening to notes that no model has heard");
        let families = options.synth.families.iter().filter_map(|name| Family::from_name(name));
        let families: Vec<(Family, ExampleIndex)> = families
            .map(|family| Ok((family, held_out(options, family)?)))
            .collect::<Result<_>>()?;
        let wanted: Vec<(Register, usize)> = registers
            .iter()
            .flat_map(|&register| (0..families.len()).map(move |family| (register, family)))
            .collect();
        let grid = options.config.grid();
        let job = |i: usize| {
            let ((low, high), family) = wanted[i];
            let (family, notes) = &families[family];
            Reference::new(*family, notes, low..=high, grid)
        };
        let found = each_told(wanted.len(), "envelopes", conductor, job)?;
        let stopped = || Error::Interrupted { during: "listening".to_owned() };
        let mut references = BTreeMap::<Register, Vec<Reference>>::new();
        for ((register, _), reference) in wanted.iter().zip(found.ok_or_else(stopped)?) {
            references.entry(*register).or_default().push(reference);
        }
        Ok(Self(references))
    }

    /// Compares an envelope with all families' in a register.
    ///
    /// Bands from `median_f0_hz` up count: below, an envelope tells pitch. If the notes of one of the
    /// families `between` lie above the register, bands from their f0 up, for all alike.
    fn place(
        &self,
        envelope: Option<&KeptEnvelope>,
        median_f0_hz: f32,
        register: &RangeInclusive<u8>,
        between: &[Family],
    ) -> Placed {
        let references = &self.0[&(*register.start(), *register.end())];
        let envelope = envelope.map(KeptEnvelope::envelope);
        let outside = references
            .iter()
            .filter(|reference| between.contains(&reference.family) && !reference.is_in_register);
        let from_hz = outside.map(|reference| reference.lowest_hz).fold(median_f0_hz, f32::max);
        let distance = |reference: &Reference| {
            let db = distance_db(envelope.as_ref(), reference.envelope.as_ref(), from_hz);
            db.is_finite().then_some(db)
        };
        let distances_db: BTreeMap<&'static str, f64> = references
            .iter()
            .filter_map(|reference| Some((reference.family.name(), distance(reference)?)))
            .collect();
        let there = references.iter().filter(|reference| reference.is_in_register);
        let nearest = there
            .filter_map(|reference| Some((reference.family.name(), distance(reference)?)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b));
        Placed {
            nearest: nearest.map(|(name, _)| name),
            register: [*register.start(), *register.end()],
            from_hz,
            distances_db,
        }
    }
}

impl Reference {
    fn new(
        family: Family,
        notes: &ExampleIndex,
        register: RangeInclusive<u8>,
        grid: FrameGrid,
    ) -> Result<Self> {
        let pitches: BTreeSet<u8> = (0..notes.len()).filter_map(|i| pitch(notes, i)).collect();
        let within: Vec<u8> = pitches.iter().copied().filter(|p| register.contains(p)).collect();
        let outside = |pitch: &u8| {
            register.start().saturating_sub(*pitch).max(pitch.saturating_sub(*register.end()))
        };
        let next = pitches.iter().copied().min_by_key(outside);
        let range = match (within.first(), within.last(), next) {
            (Some(&low), Some(&high), _) => low..=high,
            (_, _, Some(next)) => next..=next,
            (_, _, None) => register,
        };
        Ok(Self {
            family,
            envelope: envelope_of_notes(notes, &range, grid)?,
            is_in_register: !within.is_empty(),
            lowest_hz: midi_to_hz(f32::from(*range.start())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An envelope that falls by `slope_db` from band to band, 100, 200, 400 and 800 Hz.
    fn envelope(slope_db: f32) -> SpectralEnvelope {
        let band_hz = vec![100.0, 200.0, 400.0, 800.0];
        let bands_db = (0..4_u8).map(|i| -slope_db * f32::from(i)).collect();
        SpectralEnvelope { band_hz, bands_db }
    }

    /// Bass, flute and string, 1, 2 and 6 dB a band; the flute's notes lie above the register.
    fn references() -> References {
        let reference = |family, slope_db, is_in_register, lowest_hz| Reference {
            family,
            envelope: Some(envelope(slope_db)),
            is_in_register,
            lowest_hz,
        };
        let all = vec![
            reference(Family::Bass, 1.0, true, 90.0),
            reference(Family::Flute, 2.0, false, 300.0),
            reference(Family::String, 6.0, true, 95.0),
        ];
        References(BTreeMap::from([((40, 50), all)]))
    }

    fn place(slope_db: f32, between: &[Family]) -> Placed {
        let kept = KeptEnvelope::from(envelope(slope_db));
        references().place(Some(&kept), 100.0, &(40..=50), between)
    }

    #[test]
    fn the_nearest_is_the_nearest_that_plays_there() {
        let placed = place(2.0, &[Family::Bass, Family::String]);
        assert_eq!((placed.nearest, placed.from_hz), (Some("bass"), 100.0));
        assert_eq!(placed.distances_db["flute"], 0.0, "it is measured all the same");
        // Levels 0, 1, 2 and 3 dB apart, whatever their mean.
        let expected = 1.25_f64.sqrt();
        assert!((placed.distances_db["bass"] - expected).abs() <= 1e-6, "{placed:?}");
        assert_eq!(place(5.0, &[Family::Bass, Family::String]).nearest, Some("string"));
    }

    #[test]
    fn a_family_above_the_register_counts_from_its_notes_up_and_so_do_all() {
        let placed = place(4.0, &[Family::Flute, Family::String]);
        assert_eq!(placed.from_hz, 300.0);
        // Two bands are left, 2 dB apart: each 1 from the mean.
        for (family, db) in [("flute", 1.0), ("string", 1.0), ("bass", 1.5)] {
            assert!((placed.distances_db[family] - db).abs() <= 1e-6, "{family}: {placed:?}");
        }
    }

    #[test]
    fn silence_is_nobodys() {
        let placed = references().place(None, 100.0, &(40..=50), &[Family::Bass]);
        assert_eq!((placed.nearest, placed.distances_db.len()), (None, 0));
    }
}
