//! Where the examples of a recording begin.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds are checked to lie between a frame and an hour"
)]

use std::ops::Range;

use ddsp_kernels::FrameGrid;

use super::PrepareOptions;
use crate::error::{Error, Result};
use crate::record::Keys;

/// Length and spacing of examples in samples, both whole frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Windows {
    pub(super) grid: FrameGrid,
    pub(super) n_samples: usize,
    hop: usize,
}

impl Windows {
    /// Checks the options.
    pub(super) fn new(options: &PrepareOptions) -> Result<Self> {
        let &PrepareOptions { sample_rate, frame_rate, held_out_share, .. } = options;
        let grid = FrameGrid::new(sample_rate, frame_rate).ok_or_else(|| {
            Error::Data(format!("{sample_rate} Hz is no multiple of {frame_rate} frames/s"))
        })?;
        if options.keys == Keys::Nsynth && (sample_rate, frame_rate) != (16_000, 250) {
            let rates = "16000 Hz and 250 frames/s";
            return Err(Error::Data(format!("NSynth's keys are for {rates}; use ddsp's")));
        }
        if !(0.0..1.0).contains(&held_out_share) {
            return Err(Error::Data(format!("held-out share {held_out_share} is not in [0, 1)")));
        }
        let samples = |name: &str, secs: f64| {
            let frames = (secs * grid.frame_rate()).round();
            match frames >= 1.0 && secs <= 3600.0 {
                true => Ok(frames as usize * grid.hop),
                false => {
                    Err(Error::Data(format!("{name} of {secs} s is not in a frame to 3600 s")))
                }
            }
        };
        let n_samples = samples("an example length", options.example_secs)?;
        Ok(Self { grid, n_samples, hop: samples("an example hop", options.hop_secs)? })
    }

    /// The frames of the window that begins at sample `start`, a whole number of frames.
    pub(super) fn frames(&self, start: usize) -> Range<usize> {
        start / self.grid.hop..(start + self.n_samples) / self.grid.hop
    }
}

/// The first samples of the windows in `n_samples` of audio: every hop, and one that ends with the last
/// whole frame if that is not yet covered.
pub(super) fn window_starts(n_samples: usize, windows: Windows) -> Vec<usize> {
    let whole = n_samples / windows.grid.hop * windows.grid.hop;
    let Some(last) = whole.checked_sub(windows.n_samples) else { return Vec::new() };
    let mut starts: Vec<usize> = (0..=last).step_by(windows.hop).collect();
    if starts.last() != Some(&last) {
        starts.push(last);
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_everything_and_never_pass_the_end() {
        let windows = Windows::new(&PrepareOptions::default()).expect("sane");
        let starts = |n_samples| window_starts(n_samples, windows);
        assert_eq!(starts(64_000), [0]);
        assert_eq!(starts(63_999), [0_usize; 0], "a sample short of an example");
        assert_eq!(starts(64_063), [0], "less than a frame more");
        assert_eq!(starts(64_064), [0, 64], "a frame more: a window at the end");
        assert_eq!(starts(96_000), [0, 16_000, 32_000]);
        assert_eq!(starts(100_000), [0, 16_000, 32_000, 35_968]);
        assert_eq!(windows.frames(35_968), 562..1562);
    }

    #[test]
    fn senseless_options_are_told() {
        let error = |change: fn(&mut PrepareOptions)| {
            let mut options = PrepareOptions::default();
            change(&mut options);
            Windows::new(&options).expect_err("refused").to_string()
        };
        assert!(error(|o| o.frame_rate = 300).contains("no multiple of 300 frames/s"));
        assert!(error(|o| o.example_secs = 0.0).contains("an example length of 0 s"));
        assert!(error(|o| o.hop_secs = f64::NAN).contains("an example hop of NaN s"));
        assert!(error(|o| o.held_out_share = 1.0).contains("not in [0, 1)"));
        let text = error(|o| (o.keys, o.sample_rate) = (Keys::Nsynth, 48_000));
        assert!(text.contains("NSynth's keys"), "{text}");
    }
}
