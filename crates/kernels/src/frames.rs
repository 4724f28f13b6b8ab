//! The time grid that controls and features share.

/// Frames at a fixed hop over audio at a fixed sample rate.
///
/// Frame `i` is centred on sample `i * hop`; `n_samples` of audio have `n_samples / hop` frames.
/// Loudness, pitch and every synthesizer control live on this one grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameGrid {
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples from one frame to the next.
    pub hop: usize,
}

impl FrameGrid {
    /// The grid with `frame_rate` frames a second, or `None` if no whole number of samples fits.
    pub fn new(sample_rate: u32, frame_rate: u32) -> Option<Self> {
        let whole = frame_rate > 0 && sample_rate > 0 && sample_rate.is_multiple_of(frame_rate);
        whole.then(|| Self { sample_rate, hop: (sample_rate / frame_rate) as usize })
    }

    /// Frames a second.
    pub fn frame_rate(self) -> f64 {
        f64::from(self.sample_rate) / self.hop as f64
    }

    /// Whole frames in `n_samples`; a remainder shorter than a hop has none.
    pub fn n_frames(self, n_samples: usize) -> usize {
        n_samples / self.hop
    }

    /// Seconds from the first sample to the centre of `frame`.
    pub fn secs(self, frame: usize) -> f64 {
        (frame * self.hop) as f64 / f64::from(self.sample_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_does_not_divide_is_refused() {
        assert_eq!(FrameGrid::new(16_000, 300), None);
        assert_eq!(FrameGrid::new(16_000, 0), None);
        assert_eq!(FrameGrid::new(0, 250), None);
    }

    #[test]
    fn four_seconds_have_a_thousand_frames() {
        let grid = FrameGrid::new(16_000, 250).expect("64 samples a frame");
        assert_eq!((grid.hop, grid.n_frames(64_000), grid.n_frames(63)), (64, 1000, 0));
        assert_eq!((grid.frame_rate(), grid.secs(250)), (250.0, 1.0));
    }
}
