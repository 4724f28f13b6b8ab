//! The pitch tracker against the exact truth of the built-in instruments.
//!
//! `cargo test -p ddsp-data --test pitch -- --nocapture` prints the table that docs/pitch.md keeps.

use ddsp_data::instruments::{Family, NoteSpec, n_instruments, pitch_range, render_note};
use ddsp_kernels::{FrameGrid, PitchConfig, VOICED_CONFIDENCE, track_pitch};

/// Frames counted over some notes.
#[derive(Clone, Default)]
struct Score {
    n_notes: usize,
    voiced: usize,
    right: usize,
    octave: usize,
    heard: usize,
    unvoiced: usize,
    false_alarm: usize,
    cents: Vec<f64>,
}

impl Score {
    fn add(&mut self, other: &Self) {
        self.n_notes += other.n_notes;
        self.voiced += other.voiced;
        self.right += other.right;
        self.octave += other.octave;
        self.heard += other.heard;
        self.unvoiced += other.unvoiced;
        self.false_alarm += other.false_alarm;
        self.cents.extend(&other.cents);
    }

    /// Percentages: raw pitch accuracy (50 cents), octave errors, voicing recall, false alarms.
    fn percent(&self) -> [f64; 4] {
        let of = |n: usize, all: usize| 100.0 * n as f64 / all.max(1) as f64;
        [
            of(self.right, self.voiced),
            of(self.octave, self.voiced),
            of(self.heard, self.voiced),
            of(self.false_alarm, self.unvoiced),
        ]
    }

    fn row(&self, name: &str) -> String {
        let [right, octave, heard, false_alarm] = self.percent();
        let mut cents = self.cents.clone();
        cents.sort_by(f64::total_cmp);
        let quantile = |q: usize| cents.get(cents.len() * q / 100).copied().unwrap_or(f64::NAN);
        format!(
            "| {name:10} | {:5} | {right:6.2} | {octave:6.2} | {heard:6.2} | {false_alarm:6.2} | {:6.2} | {:6.2} |",
            self.n_notes,
            quantile(50),
            quantile(95),
        )
    }
}

/// Tracks one note and compares it with the truth, frame by frame.
fn score(spec: &NoteSpec, grid: FrameGrid) -> Score {
    let note = render_note(spec, grid);
    let frames = track_pitch(PitchConfig::new(grid.sample_rate, grid.hop), &note.audio);
    assert_eq!(frames.len(), note.f0_hz.len(), "frames of {spec:?}");
    let mut score = Score { n_notes: 1, ..Score::default() };
    for ((frame, &f0_hz), &voiced) in frames.iter().zip(&note.f0_hz).zip(&note.voiced) {
        let heard = frame.confidence >= VOICED_CONFIDENCE;
        if !voiced {
            score.unvoiced += 1;
            score.false_alarm += usize::from(heard);
            continue;
        }
        let cents = 1200.0 * f64::from(frame.f0_hz / f0_hz).log2();
        let octaves = (cents / 1200.0).round();
        let is_octave = octaves != 0.0 && (cents - 1200.0 * octaves).abs() <= 50.0;
        score.voiced += 1;
        score.right += usize::from(cents.abs() <= 50.0);
        score.octave += usize::from(is_octave);
        score.heard += usize::from(heard);
        score.cents.push(cents.abs());
    }
    score
}

/// Notes of every instrument of a family over its range, `semitones` apart, at two touches.
fn notes(family: Family, semitones: usize) -> Vec<NoteSpec> {
    let mut notes = Vec::new();
    for instrument in 0..n_instruments(family) {
        let from = *pitch_range(family).start() + u8::try_from(instrument % 4).expect("below 4");
        for pitch in (from..=*pitch_range(family).end()).step_by(semitones) {
            let velocity = [40, 110][notes.len() % 2];
            let seed = 1000 + notes.len() as u64;
            notes.push(NoteSpec::new(family, instrument, f32::from(pitch), velocity, seed));
        }
    }
    notes
}

/// Scores notes on two threads.
fn score_all(notes: &[NoteSpec], grid: FrameGrid) -> Vec<Score> {
    let (left, right) = notes.split_at(notes.len() / 2);
    let run = |notes: &[NoteSpec]| notes.iter().map(|n| score(n, grid)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let right = scope.spawn(|| run(right));
        let mut scores = run(left);
        scores.extend(right.join().expect("no note panics"));
        scores
    })
}

fn check(semitones: usize, frame_rate: u32) {
    let grid = FrameGrid::new(16_000, frame_rate).expect("a whole hop");
    let mut total = Score::default();
    println!("| family     | notes |    RPA | octave | recall |  false | median |    p95 |");
    println!("|------------|-------|--------|--------|--------|--------|--------|--------|");
    for family in Family::ALL {
        let notes = notes(family, semitones);
        let mut sum = Score::default();
        let mut bad = Vec::new();
        for (spec, score) in notes.iter().zip(score_all(&notes, grid)) {
            sum.add(&score);
            let [right, octave, heard, false_alarm] = score.percent();
            if right < 95.0 || octave > 1.0 || heard < 95.0 || false_alarm > 10.0 {
                let name = format!("{} {} {}", spec.instrument, spec.pitch, spec.velocity);
                bad.push(score.row(&name));
            }
        }
        println!("{}", sum.row(family.name()));
        if std::env::var_os("PITCH_DETAILS").is_some() {
            bad.iter().for_each(|row| println!("      {row}"));
        }
        total.add(&sum);
    }
    println!("{}", total.row("all"));
    let [right, octave, heard, false_alarm] = total.percent();
    assert!(right >= 98.0, "raw pitch accuracy {right:.2}%");
    assert!(octave <= 0.5, "octave errors {octave:.2}%");
    assert!(heard >= 97.0, "voicing recall {heard:.2}%");
    assert!(false_alarm <= 5.0, "voicing false alarms {false_alarm:.2}%");
}

#[test]
fn the_tracker_meets_its_targets_on_the_built_in_instruments() {
    check(3, 250);
}
