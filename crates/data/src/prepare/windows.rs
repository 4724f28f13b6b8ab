//! Where the examples of a recording lie, and on which grids.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds are checked to lie between a frame and an hour"
)]

use std::ops::Range;

use ddsp_kernels::FrameGrid;

use super::stretches::look_ahead_16k;
use super::{PrepareOptions, RATE_16K};
use crate::error::{Error, Result};
use crate::record::Keys;
use crate::resample::RATES_HZ;

/// Length and spacing of examples, and the two grids that share their frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Windows {
    /// The records' audio.
    pub(super) grid: FrameGrid,
    /// The audio that features are computed from.
    pub(super) grid_16k: FrameGrid,
    /// Samples at 16 kHz after a frame that its features depend on.
    pub(super) look_ahead_16k: usize,
    /// Frames of an example.
    pub(super) n_frames: usize,
    /// Frames from the start of one example to that of the next.
    pub(super) hop_frames: usize,
}

impl Windows {
    /// Checks the options.
    pub(super) fn new(options: &PrepareOptions) -> Result<Self> {
        let &PrepareOptions { sample_rate, frame_rate, held_out_share, .. } = options;
        if !RATES_HZ.contains(&sample_rate) {
            let reason = format!("{sample_rate} Hz is no sample rate between 1 and 768 kHz");
            return Err(Error::Data(reason));
        }
        let grids = (FrameGrid::new(sample_rate, frame_rate), FrameGrid::new(RATE_16K, frame_rate));
        let (Some(grid), Some(grid_16k)) = grids else {
            return Err(Error::Data(no_grid(sample_rate, frame_rate)));
        };
        if options.keys == Keys::Nsynth && (sample_rate, frame_rate) != (RATE_16K, 250) {
            let rates = "16000 Hz and 250 frames/s";
            return Err(Error::Data(format!("NSynth's keys are for {rates}; use ddsp's")));
        }
        if !(0.0..1.0).contains(&held_out_share) {
            return Err(Error::Data(format!("held-out share {held_out_share} is not in [0, 1)")));
        }
        if !(0.0..=1.0).contains(&options.min_voiced_share) {
            let share = options.min_voiced_share;
            return Err(Error::Data(format!("share of voiced frames {share} is not in [0, 1]")));
        }
        if options.silence_db.is_nan() {
            return Err(Error::Data("the level of silence is not a number".to_owned()));
        }
        let frames = |name: &str, secs: f64| {
            let frames = (secs * grid.frame_rate()).round();
            match frames >= 1.0 && secs <= 3600.0 {
                true => Ok(frames as usize),
                false => {
                    Err(Error::Data(format!("{name} of {secs} s is not in a frame to 3600 s")))
                }
            }
        };
        let n_frames = frames("an example length", options.example_secs)?;
        let hop_frames = frames("an example hop", options.hop_secs)?;
        let look_ahead_16k = look_ahead_16k(grid_16k);
        Ok(Self { grid, grid_16k, look_ahead_16k, n_frames, hop_frames })
    }

    /// Whether records hold the audio at 16 kHz besides their own.
    pub(super) fn has_16k(&self) -> bool {
        self.grid.sample_rate != RATE_16K
    }

    /// The window, if there is one, that ends with the last of `n_frames` and is none of those that
    /// begin every hop.
    pub(super) fn last(&self, n_frames: usize) -> Option<Range<usize>> {
        let start = n_frames.checked_sub(self.n_frames)?;
        (!start.is_multiple_of(self.hop_frames)).then_some(start..n_frames)
    }

    /// Seconds from a recording's first sample to the centre of a frame.
    pub(super) fn secs(&self, frame: usize) -> f64 {
        self.grid.secs(frame)
    }
}

/// Why there is no grid, and which frame rates there are.
fn no_grid(sample_rate: u32, frame_rate: u32) -> String {
    let common = greatest_common_divisor(sample_rate, RATE_16K);
    let mut possible: Vec<u32> = (1..=common).filter(|&rate| common.is_multiple_of(rate)).collect();
    possible.sort_by_key(|rate| rate.abs_diff(frame_rate));
    possible.truncate(4);
    possible.sort_unstable();
    let possible: Vec<_> = possible.iter().map(ToString::to_string).collect();
    let audio = match sample_rate {
        RATE_16K => "16000 Hz".to_owned(),
        // 44.1 kHz at 250 frames/s would be 176.4 samples.
        _ => format!("{sample_rate} Hz, or of the 16000 Hz that features are computed from"),
    };
    format!(
        "{frame_rate} frames/s are no whole number of samples of {audio}; the nearest frame rates \
         that are: {}",
        possible.join(", ")
    )
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: fn(&mut PrepareOptions)) -> String {
        let mut options = PrepareOptions::default();
        change(&mut options);
        Windows::new(&options).expect_err("refused").to_string()
    }

    #[test]
    fn the_last_window_ends_with_the_last_frame() {
        let windows = Windows::new(&PrepareOptions::default()).expect("sane");
        assert_eq!((windows.n_frames, windows.hop_frames), (1000, 250));
        assert_eq!(windows.last(1000), None, "it begins at a hop");
        assert_eq!(windows.last(999), None, "a frame short of an example");
        assert_eq!(windows.last(1001), Some(1..1001), "a frame more: a window at the end");
        assert_eq!(windows.last(1500), None);
        assert_eq!(windows.last(1562), Some(562..1562));
    }

    #[test]
    fn two_rates_share_the_frames_or_are_refused() {
        let options = PrepareOptions { sample_rate: 48_000, ..PrepareOptions::default() };
        let windows = Windows::new(&options).expect("192 and 64 samples");
        assert_eq!((windows.grid.hop, windows.grid_16k.hop), (192, 64));
        let options = PrepareOptions { sample_rate: 44_100, frame_rate: 100, ..options };
        let windows = Windows::new(&options).expect("441 and 160 samples");
        assert_eq!((windows.grid.hop, windows.grid_16k.hop), (441, 160));
        let text = error(|o| o.sample_rate = 44_100);
        assert!(text.contains("250 frames/s are no whole number of samples of 44100 Hz"), "{text}");
        assert!(text.ends_with("the nearest frame rates that are: 20, 25, 50, 100"), "{text}");
        // 300 divides 48000, but not the 16000 of the features.
        let text = error(|o| (o.sample_rate, o.frame_rate) = (48_000, 300));
        assert!(text.ends_with("200, 250, 320, 400"), "{text}");
    }

    #[test]
    fn senseless_options_are_told() {
        assert!(error(|o| o.frame_rate = 300).contains("300 frames/s are no whole number"));
        assert!(error(|o| o.frame_rate = 0).contains("0 frames/s"));
        assert!(error(|o| o.sample_rate = 0).contains("0 Hz is no sample rate"));
        assert!(error(|o| o.example_secs = 0.0).contains("an example length of 0 s"));
        assert!(error(|o| o.hop_secs = f64::NAN).contains("an example hop of NaN s"));
        assert!(error(|o| o.held_out_share = 1.0).contains("not in [0, 1)"));
        assert!(error(|o| o.min_voiced_share = 1.5).contains("not in [0, 1]"));
        assert!(error(|o| o.silence_db = f32::NAN).contains("not a number"));
        let text = error(|o| (o.keys, o.sample_rate) = (Keys::Nsynth, 48_000));
        assert!(text.contains("NSynth's keys"), "{text}");
    }
}
