//! What there is to learn from, in a line or two.

use ddsp_kernels::{LoudnessStatistics, PitchStatistics, VOICED_CONFIDENCE};
use ddsp_model::Config;
use ddsp_train::ExampleSource;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::report::number;

/// Examples that are looked at for the duration and the voiced share, at most: each is read.
const MAX_READ: usize = 1000;

/// What a training set holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Examples.
    pub n_examples: usize,
    /// Duration of all; estimated from some where there are more than a thousand.
    pub minutes: f64,
    /// Share of the frames that have a pitch, 0 to 1.
    pub voiced_share: f64,
    /// Lowest and highest pitch of the notes, MIDI numbers: 1% lie below, 1% above.
    pub pitch_midi: [f32; 2],
    /// Softest and loudest frame of the notes, dB: 1% lie below, 1% above.
    pub loudness_db: [f32; 2],
}

impl DataSummary {
    /// Looks at `source`, whose statistics are known.
    ///
    /// # Errors
    ///
    /// If an example cannot be read.
    pub(super) fn new(
        source: &dyn ExampleSource,
        config: &Config,
        pitch: &PitchStatistics,
        loudness: &LoudnessStatistics,
    ) -> Result<Self> {
        let (n, n_read) = (source.len(), source.len().min(MAX_READ));
        let (mut n_samples, mut n_frames, mut n_voiced) = (0, 0, 0);
        for i in 0..n_read {
            let example = source.read(i * n / n_read, config.grid())?;
            let voiced = example.f0_confidence.iter().filter(|&&c| c >= VOICED_CONFIDENCE);
            n_voiced += voiced.count();
            n_frames += example.f0_confidence.len();
            n_samples += example.audio.len();
        }
        let secs = n_samples as f64 / f64::from(config.audio.sample_rate);
        let ends = [0.01, 0.99];
        Ok(Self {
            n_examples: n,
            minutes: secs / 60.0 * n as f64 / n_read.max(1) as f64,
            voiced_share: n_voiced as f64 / n_frames.max(1) as f64,
            pitch_midi: ends.map(|rank| pitch.f0_midi.quantile(rank)),
            loudness_db: ends.map(|rank| loudness.loudness_db.quantile(rank)),
        })
    }

    /// The summary in words.
    pub fn line(&self) -> String {
        let [lowest, highest] = self.pitch_midi;
        let [softest, loudest] = self.loudness_db;
        format!(
            "data: {} examples, {} min, {:.0}% voiced, pitch {lowest:.0} to {highest:.0} (MIDI), \
             loudness {softest:.0} to {loudest:.0} dB",
            self.n_examples,
            number(self.minutes),
            100.0 * self.voiced_share,
        )
    }
}
