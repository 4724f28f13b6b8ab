//! One sound is looked at.

use ddsp_kernels::{
    FrameGrid, NOTE_RANGE_DB, VOICED_CONFIDENCE, hz_to_midi, note_frames, power_db,
};

use super::clipping::count_clipped;
use super::decay::decay_secs;
use super::findings::Findings;
use super::octaves::{is_octave_error, jumping_frames};
use super::polyphony::SecondNote;
use crate::features::{ExtractedFeatures, extract_features};
use crate::record::NoteRecord;
use crate::resample::resample;

/// All sounds are looked at on NSynth's grid.
pub(super) const GRID: FrameGrid = FrameGrid { sample_rate: 16_000, hop: 64 };

/// Samples whose power is a level: 64 ms, so that the beating of partials is evened out.
const LEVEL_WINDOW: usize = 1024;

/// Frames from one search for a second note to the next: 64 ms.
const SEARCH_EVERY: usize = 16;

/// Frames before and behind one that its spectrum covers, and how far the pitch may move in them, in
/// semitones: further, and its harmonics smear into the places between.
const SEARCH_REACH: usize = 16;
const MAX_MOTION: f32 = 0.6;

/// Frames this far below the loudest are silent, in dB; so are all below -70 dB.
const SILENT_DB: f32 = 50.0;
const ALWAYS_SILENT_DB: f32 = -70.0;

/// A mean above this is an offset: a hundredth of full scale, 40 dB below it.
const MAX_OFFSET: f64 = 0.01;

/// Pauses are looked for in this share of the frames, the quietest; they differ by less than
/// `MAX_PAUSE_SPREAD_DB` where they hold noise, by more where a note dies away.
const PAUSE_SHARE: f64 = 0.15;
const MAX_PAUSE_SPREAD_DB: f32 = 3.0;

/// Audio at its own rate, and what a record says about its pitch on [`GRID`].
pub(super) struct Sound {
    pub audio: Vec<f32>,
    pub sample_rate: u32,
    /// f0 in Hz, and the confidence in it.
    pub recorded: Option<(Vec<f32>, Vec<f32>)>,
}

impl Sound {
    /// The sound of a record; its f0 counts if it lies on the grid.
    pub(super) fn from_record(record: NoteRecord) -> Self {
        let NoteRecord { audio, sample_rate, frame_rate, f0_hz, f0_confidence, .. } = record;
        let sample_rate = sample_rate.unwrap_or(GRID.sample_rate);
        let is_on_grid = frame_rate.is_none_or(|rate| f64::from(rate) == GRID.frame_rate());
        let recorded = f0_hz.filter(|_| is_on_grid).map(|f0_hz| {
            let certain = |&hz: &f32| if hz > 0.0 { 1.0 } else { 0.0 };
            let confidence = f0_confidence.unwrap_or_else(|| f0_hz.iter().map(certain).collect());
            (f0_hz, confidence)
        });
        Self { audio, sample_rate, recorded }
    }

    /// Looks at everything.
    pub(super) fn examine(self) -> Result<Findings, String> {
        let Self { audio, sample_rate, recorded } = self;
        let mut findings = Findings {
            sounds: 1,
            samples: audio.len() as u64,
            clipped: count_clipped(&audio),
            ..Findings::default()
        };
        let mean = audio.iter().map(|&x| f64::from(x)).sum::<f64>() / audio.len().max(1) as f64;
        findings.offset_sounds = u64::from(mean.abs() > MAX_OFFSET);
        let audio = resample(audio, sample_rate, GRID.sample_rate)?;
        let n_frames = GRID.n_frames(audio.len());
        if n_frames == 0 {
            return Err("shorter than a frame of 4 ms".to_owned());
        }
        let tracked = extract_features(&audio, GRID);
        let mut level_db = vec![0.0; n_frames];
        power_db(&audio, GRID, LEVEL_WINDOW, &mut level_db);
        let pitch = Pitch::new(&tracked, recorded, n_frames);
        findings.count_levels(&level_db, &pitch.is_note);
        findings.count_pitches(&pitch, &tracked);
        findings.count_chords(&audio, &pitch);
        Ok(findings)
    }
}

/// The pitch that a training would take.
struct Pitch {
    f0_hz: Vec<f32>,
    is_note: Vec<bool>,
    /// Whether it is the record's and not the tracker's.
    is_recorded: bool,
}

impl Pitch {
    fn new(
        tracked: &ExtractedFeatures,
        recorded: Option<(Vec<f32>, Vec<f32>)>,
        n_frames: usize,
    ) -> Self {
        // One frame more is what magenta/ddsp writes for centred frames.
        let fits = |(f0, confidence): &(Vec<f32>, Vec<f32>)| {
            f0.len() == confidence.len() && (n_frames..=n_frames + 1).contains(&f0.len())
        };
        let recorded = recorded.filter(fits).map(|(mut f0_hz, mut confidence)| {
            f0_hz.truncate(n_frames);
            confidence.truncate(n_frames);
            (f0_hz, confidence)
        });
        let is_recorded = recorded.is_some();
        let (f0_hz, confidence) =
            recorded.unwrap_or_else(|| (tracked.f0_hz.clone(), tracked.f0_confidence.clone()));
        let notes = note_frames(&confidence, &tracked.loudness_db);
        let is_note = notes.zip(&f0_hz).map(|(note, &hz)| note && hz > 0.0).collect();
        Self { f0_hz, is_note, is_recorded }
    }
}

impl Pitch {
    /// Whether all around `frame` is one note whose pitch hardly moves.
    fn is_steady(&self, frame: usize) -> bool {
        let Some(begin) = frame.checked_sub(SEARCH_REACH) else { return false };
        let around = begin..frame + SEARCH_REACH + 1;
        let (Some(f0_hz), Some(is_note)) =
            (self.f0_hz.get(around.clone()), self.is_note.get(around))
        else {
            return false;
        };
        let high = f0_hz.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let low = f0_hz.iter().copied().fold(f32::MAX, f32::min);
        !is_note.contains(&false) && hz_to_midi(high) - hz_to_midi(low) <= MAX_MOTION
    }
}

impl Findings {
    fn count_levels(&mut self, level_db: &[f32], is_note: &[bool]) {
        let loudest = level_db.iter().copied().fold(f32::MIN, f32::max);
        let silent = (loudest - SILENT_DB).max(ALWAYS_SILENT_DB);
        let loud = (loudest - NOTE_RANGE_DB).max(ALWAYS_SILENT_DB);
        self.frames += level_db.len() as u64;
        self.silent_frames += level_db.iter().filter(|&&level| level < silent).count() as u64;
        self.loud_frames += level_db
            .iter()
            .zip(is_note)
            .filter(|&(&level, &is_note)| level >= loud || is_note)
            .count() as u64;
        for secs in decay_secs(level_db, GRID.frame_rate()) {
            self.decays.add(secs);
        }
        let notes = level_db.iter().zip(is_note).filter(|(_, note)| **note);
        let (mut n, mut power) = (0_u64, 0.0);
        for (&level, _) in notes {
            n += 1;
            power += 10_f64.powf(f64::from(level) / 10.0);
        }
        if n > 0 {
            let note_db = 10.0 * (power / n as f64).log10();
            self.levels.add(note_db);
            if let Some(floor) = pause_level_db(level_db, is_note) {
                self.floors.add((note_db - f64::from(floor)).max(0.0));
            }
        }
    }

    fn count_pitches(&mut self, pitch: &Pitch, tracked: &ExtractedFeatures) {
        let frames = pitch.f0_hz.iter().zip(&pitch.is_note);
        let notes: Vec<Option<f32>> =
            frames.map(|(&hz, &note)| note.then(|| hz_to_midi(hz))).collect();
        for &midi in notes.iter().flatten() {
            self.note_frames += 1;
            self.pitches.add(f64::from(midi));
        }
        let mut is_suspect = vec![false; notes.len()];
        for frame in jumping_frames(&notes, GRID.frame_rate()) {
            is_suspect[frame] = true;
        }
        if pitch.is_recorded {
            let second = tracked.f0_hz.iter().zip(&tracked.f0_confidence);
            for ((suspect, note), (&hz, &confidence)) in
                is_suspect.iter_mut().zip(&notes).zip(second)
            {
                *suspect |= confidence >= VOICED_CONFIDENCE
                    && note.is_some_and(|midi| is_octave_error(midi, hz_to_midi(hz)));
            }
        }
        self.octave_suspects += is_suspect.iter().filter(|suspect| **suspect).count() as u64;
    }

    fn count_chords(&mut self, audio: &[f32], pitch: &Pitch) {
        let mut second = SecondNote::new();
        for frame in (0..pitch.f0_hz.len()).step_by(SEARCH_EVERY) {
            if !pitch.is_steady(frame) {
                continue;
            }
            let heard = second.is_heard(audio, frame * GRID.hop, pitch.f0_hz[frame]);
            self.searched_frames += u64::from(heard.is_some());
            self.chord_frames += u64::from(heard == Some(true));
        }
    }
}

/// The level of the pauses, if there are any: the quietest frames, where hardly any is a note's, and
/// all are as quiet as each other.
fn pause_level_db(level_db: &[f32], is_note: &[bool]) -> Option<f32> {
    let mut sorted: Vec<(f32, bool)> =
        level_db.iter().copied().zip(is_note.iter().copied()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of them")]
    let n = (PAUSE_SHARE * sorted.len() as f64) as usize;
    let quiet = &sorted[..n];
    let n_notes = quiet.iter().filter(|(_, note)| *note).count();
    let (low, high) = (quiet.get(n / 3)?.0, quiet.last()?.0);
    (10 * n_notes <= n && high - low < MAX_PAUSE_SPREAD_DB).then_some((low + high) / 2.0)
}
