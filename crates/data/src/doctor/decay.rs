//! How long a sound goes on after its notes have ended.
//!
//! A note's end is a knee in the level: steady before, falling behind. What decays evenly from its
//! beginning, such as a plucked string, has no knee and says nothing about the room.

use std::ops::Range;

/// Stretch before and behind a knee over which slopes are taken.
const SLOPE_SECS: f64 = 0.2;

/// Before a knee, the level changes by no more, in dB a second: a held note, or a slow decay.
const MAX_STEADY_SLOPE: f64 = 10.0;

/// Behind a knee it falls by so much more than before. Bars and strings have several modes, and their
/// slope changes by less; so does it in a room that takes more than 4 s for 60 dB.
const MIN_BEND: f64 = 14.0;

/// The decay is measured between these levels below the knee, in dB: beneath the note's own release
/// and above the noise.
const FIT_DB: Range<f32> = 5.0..25.0;

/// A level that rises by more above the least so far is another note, in dB. The partials of a tone
/// beat in a room, so less says nothing.
const MAX_RISE_DB: f32 = 6.0;

/// Knees this far below the loudest frame are not notes, in dB.
const NOTE_RANGE_DB: f32 = 20.0;

/// The time in which each note's end falls by 60 dB, in seconds, from the level in dB at
/// `frame_rate`. A note whose end cannot be followed for 25 dB gives none.
pub(super) fn decay_secs(level_db: &[f32], frame_rate: f64) -> Vec<f64> {
    let loudest = level_db.iter().copied().fold(f32::MIN, f32::max);
    let mut decays = Vec::new();
    let mut at = 0;
    while at < level_db.len() {
        let followed = (level_db[at] > loudest - NOTE_RANGE_DB
            && is_knee(level_db, at, frame_rate))
        .then(|| follow(level_db, at))
        .flatten();
        at = match followed {
            Some(fit) if fit.len() > 2 => {
                let slope = slope(&level_db[fit.clone()], frame_rate);
                decays.push(-60.0 / slope);
                fit.end
            }
            _ => at + 1,
        };
    }
    decays
}

fn is_knee(level_db: &[f32], at: usize, frame_rate: f64) -> bool {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few frames")]
    let n = (SLOPE_SECS * frame_rate) as usize;
    if at < n || at + n > level_db.len() {
        return false;
    }
    let (before, behind) = (&level_db[at - n..at], &level_db[at..at + n]);
    let slope_before = slope(before, frame_rate);
    let steady = slope_before.abs() <= MAX_STEADY_SLOPE
        && before.iter().all(|level| (level - level_db[at]).abs() <= 3.0);
    steady && slope(behind, frame_rate) <= slope_before.min(0.0) - MIN_BEND
}

/// The frames in which the level falls through the range of the fit.
fn follow(level_db: &[f32], knee: usize) -> Option<Range<usize>> {
    let from = level_db[knee];
    let (mut least, mut begin) = (from, None);
    for (i, &level) in level_db.iter().enumerate().skip(knee) {
        if level > least + MAX_RISE_DB {
            return None;
        }
        least = least.min(level);
        if begin.is_none() && level <= from - FIT_DB.start {
            begin = Some(i);
        }
        if level <= from - FIT_DB.end {
            return Some(begin?..i + 1);
        }
    }
    None
}

/// Slope of the line of least squares, in dB a second.
fn slope(level_db: &[f32], frame_rate: f64) -> f64 {
    let centre = (level_db.len() - 1) as f64 / 2.0;
    let (mut product, mut square) = (0.0, 0.0);
    for (i, &level) in level_db.iter().enumerate() {
        let x = i as f64 - centre;
        product += x * f64::from(level);
        square += x * x;
    }
    frame_rate * product / square.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A level that is held at -20 dB for 1 s and then falls by 60 dB in `secs`, to -80 dB.
    fn held(secs: f64) -> Vec<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "levels are few digits")]
        let level = |i: i32| (-20.0 - 60.0 * ((f64::from(i) / 250.0 - 1.0) / secs).max(0.0)) as f32;
        (0..1500).map(|i| level(i).max(-80.0)).collect()
    }

    #[test]
    fn straight_decays_are_measured_exactly() {
        for secs in [0.1, 0.5, 1.5, 3.0] {
            let decays = decay_secs(&held(secs), 250.0);
            assert_eq!(decays.len(), 1, "{secs}: {decays:?}");
            assert!((decays[0] / secs - 1.0).abs() <= 0.01, "{secs}: {decays:?}");
        }
    }

    #[test]
    fn every_note_counts_that_is_not_run_over() {
        let mut twice = held(1.0);
        twice.truncate(500);
        twice.extend(held(0.3));
        let decays = decay_secs(&twice, 250.0);
        assert_eq!(decays.len(), 2, "{decays:?}");
        let mut cut = held(1.0);
        cut.truncate(330);
        cut.extend(held(0.3));
        assert_eq!(decay_secs(&cut, 250.0).len(), 1, "the first had fallen by 20 dB only");
    }

    #[test]
    fn a_decay_from_the_start_is_the_instruments_own() {
        let plucked: Vec<f32> =
            (0..1000).map(|i| if i < 5 { -80.0 } else { -10.0 - 0.06 * i as f32 }).collect();
        assert!(decay_secs(&plucked, 250.0).is_empty(), "15 dB/s throughout");
        assert!(decay_secs(&[-30.0; 1000], 250.0).is_empty(), "no end");
        assert!(decay_secs(&[], 250.0).is_empty(), "nothing");
    }
}
