//! Pitches that are suspected to be an octave off.

/// Intervals by which pitch trackers go wrong, in semitones: the second, third and fourth harmonic,
/// or the same below.
const INTERVALS: [f32; 3] = [12.0, 19.02, 24.0];

/// Distance from such an interval, in semitones.
const TOLERANCE: f32 = 0.6;

/// A longer stretch at one pitch is a note, whatever is beside it.
const MAX_SUSPECT_SECS: f64 = 1.0;

/// A longer pause ends a note, and the next may be at any pitch.
const MAX_PAUSE_SECS: f64 = 0.02;

/// A wider step from frame to frame is no glide.
const MAX_GLIDE: f32 = 5.0;

/// Whether two pitches are one of the intervals apart.
pub(super) fn is_octave_error(a_midi: f32, b_midi: f32) -> bool {
    let distance = (a_midi - b_midi).abs();
    INTERVALS.iter().any(|interval| (distance - interval).abs() <= TOLERANCE)
}

/// Frames of notes (those with a pitch in `notes_midi`) in stretches that jump by an octave error
/// without a pause, to or from a longer stretch.
pub(super) fn jumping_frames(notes_midi: &[Option<f32>], frame_rate: f64) -> Vec<usize> {
    let stretches = stretches(notes_midi, frame_rate * MAX_PAUSE_SECS);
    let mut is_suspect = vec![false; stretches.len()];
    for (i, pair) in stretches.windows(2).enumerate() {
        let [a, b] = pair else { continue };
        let is_jump = b.begin as f64 - a.end as f64 <= frame_rate * MAX_PAUSE_SECS
            && is_octave_error(a.last_midi, b.first_midi);
        let (shorter, len) =
            if a.n_frames < b.n_frames { (i, a.n_frames) } else { (i + 1, b.n_frames) };
        if is_jump && (len as f64) < MAX_SUSPECT_SECS * frame_rate {
            is_suspect[shorter] = true;
        }
    }
    let suspects = stretches.iter().zip(is_suspect).filter(|(_, suspect)| *suspect);
    let frames = suspects.flat_map(|(stretch, _)| stretch.begin..stretch.end);
    frames.filter(|&i| notes_midi[i].is_some()).collect()
}

/// Frames that follow each other without jump or pause.
struct Stretch {
    begin: usize,
    end: usize,
    n_frames: usize,
    first_midi: f32,
    last_midi: f32,
}

fn stretches(notes_midi: &[Option<f32>], max_pause: f64) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (i, midi) in notes_midi.iter().enumerate().filter_map(|(i, m)| m.map(|m| (i, m))) {
        match stretches.last_mut() {
            Some(last)
                if (i - last.end) as f64 <= max_pause
                    && (midi - last.last_midi).abs() <= MAX_GLIDE =>
            {
                (last.end, last.last_midi) = (i + 1, midi);
                last.n_frames += 1;
            }
            _ => stretches.push(Stretch {
                begin: i,
                end: i + 1,
                n_frames: 1,
                first_midi: midi,
                last_midi: midi,
            }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two seconds at a wavering pitch.
    fn note() -> Vec<Option<f32>> {
        (0..500).map(|i| Some(60.0 + 0.3 * (i as f32 / 7.0).sin())).collect()
    }

    #[test]
    fn planted_jumps_are_found_frame_by_frame() {
        for interval in [12.0, -12.0, 19.02, -24.0] {
            let mut midi = note();
            let planted = 200..240;
            midi[planted.clone()].iter_mut().flatten().for_each(|m| *m += interval);
            assert_eq!(jumping_frames(&midi, 250.0), planted.collect::<Vec<_>>(), "{interval}");
        }
        let mut midi = note();
        midi[480..].iter_mut().flatten().for_each(|m| *m -= 12.0);
        assert_eq!(jumping_frames(&midi, 250.0).len(), 20, "at the end");
    }

    #[test]
    fn music_is_not_suspected() {
        let mut midi = note();
        midi[250..].iter_mut().flatten().for_each(|m| *m += 7.0);
        assert!(jumping_frames(&midi, 250.0).is_empty(), "a fifth");
        let mut midi = note();
        midi[250..].iter_mut().flatten().for_each(|m| *m += 12.0);
        assert!(jumping_frames(&midi, 250.0).is_empty(), "an octave between two long notes");
        let mut midi = note();
        midi[400..].iter_mut().flatten().for_each(|m| *m += 12.0);
        midi[390..400].fill(None);
        assert!(jumping_frames(&midi, 250.0).is_empty(), "a new note after a pause");
        let glide: Vec<_> = (0..500).map(|i| Some(48.0 + i as f32 / 20.0)).collect();
        assert!(jumping_frames(&glide, 250.0).is_empty(), "a glide over two octaves");
        assert!(jumping_frames(&[None; 9], 250.0).is_empty(), "no notes");
    }
}
