//! Audio that comes piece by piece: what is kept from one piece to the next.

use rustfft::num_complex::Complex32;

/// Where a stream of audio may be cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSplit {
    /// Anywhere. A block is convolved when its last sample comes, so everything is `hop - 1`
    /// samples later than it could be.
    Anywhere,
    /// Only between blocks: every piece is a whole number of hops, and nothing has to wait.
    AtHops,
}

/// What one stream of audio leaves in a block-wise convolution: the samples of a block that is not
/// complete, the response it will have, and the sum of the tails that still sound.
///
/// Made by `new_stream` of the operation that it is for. Any number of streams can share one
/// operation, whose own buffers hold nothing between calls.
#[derive(Clone)]
pub struct ConvolveStream {
    split: StreamSplit,
    delay: usize,
    /// The audio of the block, `[hop]`.
    pending: Vec<f32>,
    n_pending: usize,
    /// Overlapping convolutions from the beginning of the last complete block,
    /// `[hop + ir_len - 1]`.
    sums: Vec<f32>,
    /// Spectrum of the block's response.
    response: Vec<Complex32>,
}

impl std::fmt::Debug for ConvolveStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConvolveStream")
            .field("split", &self.split)
            .field("latency", &self.latency())
            .field("hop", &self.pending.len())
            .field("n_pending", &self.n_pending)
            .finish_non_exhaustive()
    }
}

impl ConvolveStream {
    pub(super) fn new(split: StreamSplit, delay: usize, [hop, ir_len, n_bins]: [usize; 3]) -> Self {
        Self {
            split,
            delay,
            pending: vec![0.0; hop],
            n_pending: 0,
            sums: vec![0.0; hop + ir_len - 1],
            response: vec![Complex32::ZERO; n_bins],
        }
    }

    /// Samples by which the output of a stream lags that of the whole signal in one call.
    pub fn latency(&self) -> usize {
        match self.split {
            StreamSplit::Anywhere => self.delay + self.pending.len() - 1,
            StreamSplit::AtHops => self.delay,
        }
    }

    /// Frames that begin in the next `n_samples`: as many rows of controls go with them.
    pub fn n_frames(&self, n_samples: usize) -> usize {
        let hop = self.pending.len();
        (self.n_pending + n_samples).div_ceil(hop) - self.n_pending.div_ceil(hop)
    }

    /// Forgets all audio and the response, as if new.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate or lock.
    pub fn reset(&mut self) {
        self.n_pending = 0;
        self.pending.fill(0.0);
        self.sums.fill(0.0);
        self.response.fill(Complex32::ZERO);
    }

    /// Asserts that the stream is of such blocks, and that a piece of this size may come.
    pub(super) fn check(&self, n_samples: usize, n_output: usize, [hop, ir_len]: [usize; 2]) {
        let (stream_hop, n_sums) = (self.pending.len(), self.sums.len());
        assert!(
            stream_hop == hop && n_sums == hop + ir_len - 1,
            "stream: made for hop {stream_hop} and {} taps, not hop {hop} and {ir_len}",
            n_sums + 1 - stream_hop
        );
        assert_eq!(n_output, n_samples, "stream: {n_output} samples of output for {n_samples}");
        assert!(
            self.split == StreamSplit::Anywhere || n_samples.is_multiple_of(hop),
            "stream: {n_samples} samples are not whole hops of {hop}"
        );
    }

    pub(super) fn is_between_blocks(&self) -> bool {
        self.n_pending == 0
    }

    pub(super) fn set_response(&mut self, spectrum: &[Complex32]) {
        self.response.copy_from_slice(spectrum);
    }

    /// Takes audio up to the end of the block, and gives as much output. `convolve` adds the block
    /// with the response of the spectrum to the sums. Returns how many samples that was.
    pub(super) fn advance(
        &mut self,
        audio: &[f32],
        output: &mut [f32],
        convolve: impl FnOnce(&[f32], &[Complex32], &mut [f32]),
    ) -> usize {
        let (hop, begin) = (self.pending.len(), self.n_pending);
        let n = audio.len().min(hop - begin);
        let end = begin + n;
        self.pending[begin..end].copy_from_slice(&audio[..n]);
        let output = &mut output[..n];
        if self.split == StreamSplit::Anywhere {
            // All but the block's last sample come out before the block is complete, and belong to
            // the one before it.
            let last = end.min(hop - 1);
            output[..last - begin].copy_from_slice(&self.sums[begin + 1..=last]);
        }
        self.n_pending = end % hop;
        if end == hop {
            self.sums.copy_within(hop.., 0);
            let n_kept = self.sums.len() - hop;
            self.sums[n_kept..].fill(0.0);
            convolve(&self.pending, &self.response, &mut self.sums);
            match self.split {
                StreamSplit::Anywhere => output[n - 1] = self.sums[0],
                StreamSplit::AtHops => output.copy_from_slice(&self.sums[..hop]),
            }
        }
        n
    }
}
