//! What is kept from training: whole recordings, or stretches of each.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares of counts, which lie between 0 and the count"
)]

use std::ops::Range;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::windows::Windows;

/// A recording has one held-out stretch for each piece of about this length, so that a long one is
/// not judged by a single moment of it.
const PIECE_SECS: f64 = 600.0;

/// What is held out as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// Whole recordings: fair, if there are several.
    File,
    /// Stretches of every recording that is long enough; no window overlaps with one of the other
    /// side.
    Time,
}

/// Where a window belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Side {
    Train,
    HeldOut,
}

/// How the examples of one recording are divided.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Split {
    /// All of them to one side.
    Whole(Side),
    /// Those inside of these ranges of frames are held out, those outside of all are trained on.
    Ranges(Vec<Range<usize>>),
}

impl Split {
    /// The side of a window, or `None` if it touches both.
    pub(super) fn side(&self, window: Range<usize>) -> Option<Side> {
        let ranges = match self {
            Self::Whole(side) => return Some(*side),
            Self::Ranges(ranges) => ranges,
        };
        let touches = |range: &&Range<usize>| range.start < window.end && window.start < range.end;
        match ranges.iter().find(touches) {
            None => Some(Side::Train),
            Some(range) if range.start <= window.start && window.end <= range.end => {
                Some(Side::HeldOut)
            }
            Some(_) => None,
        }
    }

    /// The ranges of frames that are held out of a recording that is split by time.
    pub(super) fn ranges(&self) -> &[Range<usize>] {
        match self {
            Self::Whole(_) => &[],
            Self::Ranges(ranges) => ranges,
        }
    }

    /// Holds stretches out of a recording of about `secs`: `share` of it, at places that `rng` draws,
    /// one in each piece of ten minutes. One that has no room for an example on both sides, and for
    /// those that the border costs, stays whole.
    pub(super) fn by_time(secs: f64, share: f64, windows: Windows, rng: &mut Pcg64Mcg) -> Self {
        let n_frames = (secs * windows.grid.frame_rate()) as usize;
        let n_pieces = ((secs / PIECE_SECS) as usize).max(1);
        // Whole hops, so that a window begins with every stretch that begins at one.
        let piece = n_frames / n_pieces / windows.hop_frames * windows.hop_frames;
        let len = ((piece as f64 * share).round() as usize).max(windows.n_frames);
        if share <= 0.0 || piece < len + 2 * windows.n_frames {
            return Self::Whole(Side::Train);
        }
        let range = |i: usize| {
            let room = (piece - len) / windows.hop_frames;
            let start = i * piece + rng.random_range(0..=room) * windows.hop_frames;
            start..start + len
        };
        Self::Ranges((0..n_pieces).map(range).collect())
    }
}

/// Which of `n` recordings are held out: a share of them, at least one and never all.
pub(super) fn held_out_files(n: usize, share: f64, rng: &mut Pcg64Mcg) -> Vec<bool> {
    let wanted = if share > 0.0 { (n as f64 * share).round().max(1.0) as usize } else { 0 };
    let n_held_out = wanted.min(n.saturating_sub(1));
    let mut flags: Vec<bool> = (0..n).map(|i| i < n_held_out).collect();
    flags.shuffle(rng);
    flags
}

/// The generator of one recording's choices: neither other recordings nor threads shift it.
pub(super) fn rng_of(seed: u64, recording: usize) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed ^ (recording as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::PrepareOptions;

    #[test]
    fn windows_lie_on_one_side_or_on_none() {
        let split = Split::Ranges(vec![100..200, 400..500]);
        for (window, side) in [
            (0..100, Some(Side::Train)),
            (200..300, Some(Side::Train)),
            (100..200, Some(Side::HeldOut)),
            (410..450, Some(Side::HeldOut)),
            (50..101, None),
            (199..300, None),
            (90..210, None),
        ] {
            assert_eq!(split.side(window.clone()), side, "{window:?}");
        }
        assert_eq!(Split::Whole(Side::HeldOut).side(0..5), Some(Side::HeldOut));
    }

    #[test]
    fn every_piece_of_a_long_recording_has_its_stretch() {
        let windows = Windows::new(&PrepareOptions::default()).expect("sane");
        let ranges_of =
            |secs, seed| Split::by_time(secs, 0.1, windows, &mut rng_of(seed, 3)).ranges().to_vec();
        let ranges = ranges_of(3600.0, 0);
        assert_eq!(ranges.len(), 6);
        for (i, range) in ranges.iter().enumerate() {
            assert_eq!(range.len(), 15_000, "a tenth of ten minutes at 250 frames/s");
            assert!(range.start >= i * 150_000 && range.end <= (i + 1) * 150_000);
            assert!(range.start.is_multiple_of(250), "at a hop");
        }
        assert_eq!(ranges, ranges_of(3600.0, 0), "the seed decides");
        assert_ne!(ranges, ranges_of(3600.0, 1), "the seed decides");
        assert_eq!(ranges_of(40.0, 0)[0].len(), 1000, "at least an example");
        assert!(ranges_of(11.9, 0).is_empty(), "no room for both");
    }

    #[test]
    fn never_all_recordings_are_held_out() {
        let held_out = |n, share| {
            let flags = held_out_files(n, share, &mut rng_of(0, 0));
            flags.iter().filter(|&&flag| flag).count()
        };
        assert_eq!((held_out(10, 0.2), held_out(10, 0.01), held_out(10, 0.0)), (2, 1, 0));
        assert_eq!((held_out(2, 0.99), held_out(1, 0.5), held_out(0, 0.5)), (1, 0, 0));
    }
}
