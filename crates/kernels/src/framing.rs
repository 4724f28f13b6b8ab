//! Which stretches of audio a short-time measure looks at.

/// Where frame `i` of a short-time measure lies on the audio, and how many frames there are.
///
/// Audio is zero outside its samples, so every frame is as long as the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameAlignment {
    /// It begins at sample `i * hop`; one for every beginning within the audio, `n_samples / hop`
    /// rounded up: `tf.signal.stft(.., pad_end=True)` and the padding `same` of magenta/ddsp.
    Start,
    /// It begins at sample `i * hop` and ends within the audio, `1 + (n_samples - window_len) /
    /// hop` rounded down, none if the audio is shorter: `pad_end=False`, the padding `valid`.
    Within,
    /// It is centred on sample `i * hop`; one for every centre within the audio, `n_samples / hop`
    /// rounded up.
    Centre,
    /// It is centred on sample `i * hop`, as every control on a [`FrameGrid`](crate::FrameGrid),
    /// whose number of frames it has: `n_samples / hop` rounded down.
    Grid,
    /// It is centred on sample `i * hop`, up to the end of the audio: one more than
    /// [`Grid`](Self::Grid) has, the padding `center` of magenta/ddsp.
    CentreToEnd,
}

/// Windows of one length at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Samples under one window.
    pub window_len: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Where the frames are.
    pub alignment: FrameAlignment,
}

impl Framing {
    /// Frames of audio that is `n_samples` long.
    pub fn n_frames(self, n_samples: usize) -> usize {
        let Self { window_len, hop, alignment } = self;
        match alignment {
            FrameAlignment::Start | FrameAlignment::Centre => n_samples.div_ceil(hop),
            FrameAlignment::Within => n_samples.checked_sub(window_len).map_or(0, |n| n / hop + 1),
            FrameAlignment::Grid => n_samples / hop,
            FrameAlignment::CentreToEnd => n_samples / hop + 1,
        }
    }

    /// Samples of a frame before the multiple of the hop that it belongs to.
    pub(crate) fn lead(self) -> usize {
        match self.alignment {
            FrameAlignment::Start | FrameAlignment::Within => 0,
            FrameAlignment::Centre | FrameAlignment::Grid | FrameAlignment::CentreToEnd => {
                self.window_len / 2
            }
        }
    }

    /// The samples of frame `i` that the audio has.
    pub(crate) fn range(self, i: usize, n_samples: usize) -> std::ops::Range<usize> {
        let (at, lead) = (i * self.hop, self.lead());
        let end = (at + self.window_len).saturating_sub(lead).min(n_samples);
        at.saturating_sub(lead).min(end)..end
    }

    /// Panics with `what` unless there is a window and a hop.
    pub(crate) fn assert_valid(self, what: &str) {
        let Self { window_len, hop, .. } = self;
        assert!(hop > 0 && window_len > 0, "{what}: hop {hop}, window of {window_len} samples");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIGNMENTS: [FrameAlignment; 5] = [
        FrameAlignment::Start,
        FrameAlignment::Within,
        FrameAlignment::Centre,
        FrameAlignment::Grid,
        FrameAlignment::CentreToEnd,
    ];

    #[test]
    fn frames_are_counted_as_documented() {
        for (n_samples, expected) in [
            (4000, [63, 55, 63, 62, 63]),
            (64_000, [1000, 993, 1000, 1000, 1001]),
            (512, [8, 1, 8, 8, 9]),
            (511, [8, 0, 8, 7, 8]),
            (0, [0, 0, 0, 0, 1]),
        ] {
            let count =
                |alignment| Framing { window_len: 512, hop: 64, alignment }.n_frames(n_samples);
            assert_eq!(ALIGNMENTS.map(count), expected, "{n_samples} samples");
        }
    }

    #[test]
    fn ranges_are_where_the_frames_are() {
        let framing = |alignment| Framing { window_len: 7, hop: 5, alignment };
        let start = framing(FrameAlignment::Start);
        assert_eq!([0, 1, 2].map(|i| start.range(i, 12)), [0..7, 5..12, 10..12]);
        let centre = framing(FrameAlignment::Centre);
        assert_eq!([0, 1, 2].map(|i| centre.range(i, 12)), [0..4, 2..9, 7..12]);
        for alignment in ALIGNMENTS {
            assert!(framing(alignment).range(9, 12).is_empty(), "{alignment:?} beyond the end");
        }
    }
}
