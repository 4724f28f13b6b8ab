//! Fundamental frequency of a monophonic sound, frame by frame, with a voicing decision.
//!
//! Each frame is looked at through windows of several lengths, long for low notes and short for
//! high ones. A kernel on a logarithmic frequency axis (harmonics minus the valleys between them,
//! primes only: SWIPE', Camacho & Harris 2008, <https://doi.org/10.1121/1.2951592>) ranks the
//! candidates, spectral peaks make them exact, the normalised correlation of two neighbouring
//! periods (McLeod & Wyvill 2005) measures how periodic the sound is at that very moment, and a
//! Viterbi path with a fixed look-ahead chooses (after pYIN, Mauch & Dixon 2014).
//!
//! There is no polyphony and no octave preference beyond what the spectrum says.

mod band;
mod candidates;
mod correlation;
mod path;
mod salience;
mod stream;

use candidates::Candidates;
use path::Path;
use stream::Front;

/// Confidence from which a frame counts as voiced.
pub const VOICED_CONFIDENCE: f32 = 0.5;

/// What to track, and on which grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PitchConfig {
    /// Samples a second of the audio, at least 8000.
    pub sample_rate: u32,
    /// Samples from one frame to the next, at least 1.
    pub hop: usize,
    /// Lowest f0 looked for, in Hz, at least 20. A higher one shortens the latency.
    pub min_hz: f32,
    /// Highest f0 looked for, in Hz, at most 4000 and above `2 * min_hz`.
    pub max_hz: f32,
}

impl PitchConfig {
    /// 20 Hz to 4 kHz on the given grid.
    pub fn new(sample_rate: u32, hop: usize) -> Self {
        Self { sample_rate, hop, min_hz: 20.0, max_hz: 4000.0 }
    }
}

/// One frame's estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PitchFrame {
    /// Fundamental frequency in Hz, always positive: where nothing is voiced, the best guess near
    /// the last voiced frame, or that frame's.
    pub f0_hz: f32,
    /// In `[0, 1]`; the frame is voiced from [`VOICED_CONFIDENCE`].
    pub confidence: f32,
}

/// Tracks the pitch of a stream; the module says how.
///
/// Push blocks of any size; the frames that come out do not depend on the split, bit for bit.
/// Frame `i` is centred on sample `i * hop` (rounded to the internal rate's grid, at most 50 µs, if
/// the sample rate is above 24 kHz). Audio outside the stream counts as silence. Samples that are
/// NaN, infinite or beyond ±1e6 count as silence too, and frames near them have confidence 0.
pub struct PitchTracker {
    config: PitchConfig,
    front: Front,
    candidates: Candidates,
    path: Path,
    n_pushed: usize,
    n_analysed: usize,
}

impl PitchTracker {
    /// A tracker at the start of a stream.
    ///
    /// # Panics
    ///
    /// If a field of `config` is outside the range it documents.
    pub fn new(config: PitchConfig) -> Self {
        let PitchConfig { sample_rate, hop, min_hz, max_hz } = config;
        assert!(sample_rate >= 8000, "PitchTracker: sample rate {sample_rate} is below 8000 Hz");
        assert!(hop > 0, "PitchTracker: hop is 0");
        assert!(
            min_hz >= 20.0 && max_hz <= 4000.0 && max_hz > 2.0 * min_hz,
            "PitchTracker: {min_hz} Hz to {max_hz} Hz is not an octave or more within 20 to 4000"
        );
        let front = Front::new(sample_rate);
        let candidates = Candidates::new(&front, min_hz, max_hz);
        let path = Path::new(hop as f32 / sample_rate as f32);
        Self { config, front, candidates, path, n_pushed: 0, n_analysed: 0 }
    }

    /// Takes the next samples and appends the frames that they complete.
    ///
    /// # Realtime Safety
    ///
    /// Allocates only if `frames` is out of capacity.
    pub fn push(&mut self, audio: &[f32], frames: &mut Vec<PitchFrame>) {
        // Small steps keep the internal buffers small whatever the caller's block.
        for block in audio.chunks(stream::BLOCK) {
            self.front.push(block);
            self.n_pushed += block.len();
            self.analyse(frames);
        }
    }

    /// Ends the stream: appends the frames still due, so that `n_samples / hop` came out in all, and
    /// [resets](Self::reset).
    pub fn finish(&mut self, frames: &mut Vec<PitchFrame>) {
        let n_frames = self.n_pushed / self.config.hop;
        while self.n_analysed < n_frames {
            self.front.push(&[0.0; stream::BLOCK]);
            self.analyse(frames);
        }
        self.path.finish(frames);
        self.reset();
    }

    /// Samples by which frames come late: frame `i` is out once `i * hop + latency_samples()`
    /// samples were pushed.
    pub fn latency_samples(&self) -> usize {
        let hop = self.config.hop;
        let look_ahead = self.front.input_samples(self.candidates.look_ahead());
        self.path.look_ahead_frames() * hop + look_ahead.max(hop)
    }

    /// Back to the start of a stream.
    pub fn reset(&mut self) {
        self.front.reset();
        self.path.reset();
        self.n_pushed = 0;
        self.n_analysed = 0;
    }

    /// Analyses every frame that the streams hold in full.
    fn analyse(&mut self, frames: &mut Vec<PitchFrame>) {
        let hop = self.config.hop;
        let n_frames = self.n_pushed / hop;
        while self.n_analysed < n_frames {
            let centre = self.front.nearest(self.n_analysed * hop);
            if !self.candidates.is_ready(&self.front, centre) {
                break;
            }
            self.path.push(self.candidates.find(&self.front, centre), frames);
            self.n_analysed += 1;
        }
        self.front.discard(self.front.nearest(self.n_analysed * hop));
    }
}

/// Pitch of a whole sound: exactly `audio.len() / hop` frames.
///
/// # Panics
///
/// As [`PitchTracker::new`].
pub fn track_pitch(config: PitchConfig, audio: &[f32]) -> Vec<PitchFrame> {
    let mut tracker = PitchTracker::new(config);
    let mut frames = Vec::with_capacity(audio.len() / config.hop);
    tracker.push(audio, &mut frames);
    tracker.finish(&mut frames);
    frames
}

#[cfg(test)]
mod signals;
#[cfg(test)]
mod tests;
