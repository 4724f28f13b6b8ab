//! Keeps what the pitch tracker found.
//!
//! Tracking takes a hundred times as long as everything else that a draw needs, loudness included,
//! and its result a thirtieth of the memory of the audio.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ddsp_kernels::FrameGrid;

use crate::features::extract_f0;

/// Values kept in all, 4 bytes each: the f0 and confidence of nine hours at 250 frames/s.
const MOST_VALUES: usize = 16 << 20;

/// A file's number and a byte in it, samples a second, samples a frame.
type Place = (usize, u64, u32, usize);

/// The f0 in Hz and the confidence in it.
pub(super) type Track = (Vec<f32>, Vec<f32>);

/// The tracked f0 of examples by their place; first come, first kept.
#[derive(Debug, Default)]
pub(super) struct TrackedF0 {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    tracks: HashMap<Place, Arc<Track>>,
    n_values: usize,
}

impl TrackedF0 {
    /// The f0 and confidence of `audio`, which stands at `place` of the index's files.
    pub(super) fn f0(&self, place: (usize, u64), audio: &[f32], grid: FrameGrid) -> Track {
        let place = (place.0, place.1, grid.sample_rate, grid.hop);
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().tracks.get(&place).cloned();
        if let Some(track) = known {
            return (*track).clone();
        }
        // Not under the lock: two threads may track the same example, to the same result.
        let track = extract_f0(audio, grid);
        let mut kept = lock();
        let n_values = kept.n_values + 2 * track.0.len();
        if n_values <= MOST_VALUES && kept.tracks.insert(place, Arc::new(track.clone())).is_none() {
            kept.n_values = n_values;
        }
        track
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_tracked_once_for_each_grid() {
        let tracked = TrackedF0::default();
        let omega = std::f32::consts::TAU * 330.0 / 16_000.0;
        let audio: Vec<f32> = (0..4000).map(|i| 0.3 * (omega * i as f32).sin()).collect();
        let grid = FrameGrid { sample_rate: 16_000, hop: 64 };
        let first = tracked.f0((0, 5), &audio, grid);
        assert_eq!(first, extract_f0(&audio, grid));
        assert_eq!(tracked.f0((0, 5), &[], grid), first, "not tracked anew");
        let coarse = FrameGrid { hop: 160, ..grid };
        assert_eq!(tracked.f0((0, 5), &audio, coarse).0.len(), 25, "another grid is another place");
        assert!(tracked.f0((1, 5), &[], grid).0.is_empty(), "another file is another place");
    }
}
