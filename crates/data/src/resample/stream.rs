//! Resampling block by block.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::{BLOCK, MAX_BLOCK, RATES_HZ, greatest_common_divisor};

/// Resamples a stream: what comes out in all does not depend, bit for bit, on how it was pushed.
pub(crate) struct StreamResampler {
    from: u32,
    to: u32,
    /// `None` where the rates are equal.
    filter: Option<Filter>,
    n_pushed: u64,
    n_out: usize,
}

struct Filter {
    fft: Fft<f32>,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    block: usize,
    output: Vec<f32>,
    /// Samples of the filter's delay that are still to be dropped.
    n_to_trim: usize,
}

impl StreamResampler {
    /// A resampler at the start of a stream.
    ///
    /// # Errors
    ///
    /// If a rate is outside 1 to 768 kHz, or the two share no block of sensible length.
    pub(crate) fn new(from: u32, to: u32) -> Result<Self, String> {
        if let Some(rate) = [from, to].iter().find(|&&rate| !RATES_HZ.contains(&rate)) {
            return Err(format!("{rate} Hz is no sample rate between 1 and 768 kHz"));
        }
        let filter = (from != to).then(|| Filter::new(from as usize, to as usize)).transpose()?;
        Ok(Self { from, to, filter, n_pushed: 0, n_out: 0 })
    }

    /// Samples that `n` samples become.
    pub(crate) fn n_out(&self, n: u64) -> usize {
        let n_out = (n * u64::from(self.to)).div_ceil(u64::from(self.from));
        usize::try_from(n_out).unwrap_or(usize::MAX)
    }

    /// Takes the next samples and appends those that they complete to `out`.
    pub(crate) fn push(&mut self, audio: &[f32], out: &mut Vec<f32>) {
        self.n_pushed += audio.len() as u64;
        let before = out.len();
        match &mut self.filter {
            None => out.extend_from_slice(audio),
            Some(filter) => filter.push(audio, out),
        }
        self.n_out += out.len() - before;
    }

    /// Ends the stream: appends what is still due.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        let n_due = self.n_out(self.n_pushed).saturating_sub(self.n_out);
        let Some(filter) = &mut self.filter else { return };
        let wanted = out.len() + n_due;
        while out.len() < wanted {
            let n_missing = filter.block - filter.pending.len();
            filter.push(&vec![0.0; n_missing], out);
        }
        out.truncate(wanted);
        self.n_out += n_due;
    }
}

impl Filter {
    fn new(from: usize, to: usize) -> Result<Self, String> {
        // Blocks hold an even number of the smallest units, so that the filter's delay, half a block,
        // is a whole number of samples at both rates and is compensated exactly.
        let unit = from / greatest_common_divisor(from, to);
        let block = unit * BLOCK.div_ceil(unit).next_multiple_of(2);
        if block > MAX_BLOCK {
            return Err(format!("{from} and {to} Hz share no block of samples"));
        }
        let window = WindowFunction::BlackmanHarris2;
        let fft = Fft::<f32>::new_custom(from, to, block, 1, 1, window, FixedSync::Both)
            .map_err(|e| e.to_string())?;
        let output = vec![0.0; fft.output_frames_max()];
        let n_to_trim = fft.output_delay();
        let block = fft.input_frames_next();
        Ok(Self { fft, pending: Vec::with_capacity(block), block, output, n_to_trim })
    }

    fn push(&mut self, mut audio: &[f32], out: &mut Vec<f32>) {
        while self.pending.len() + audio.len() >= self.block {
            let (head, tail) = audio.split_at(self.block - self.pending.len());
            audio = tail;
            self.pending.extend_from_slice(head);
            self.process(out);
            self.pending.clear();
        }
        self.pending.extend_from_slice(audio);
    }

    /// Resamples the pending block.
    fn process(&mut self, out: &mut Vec<f32>) {
        let len = self.output.len();
        let input = InterleavedSlice::new(&self.pending, 1, self.block).expect("a whole block");
        let mut output = InterleavedSlice::new_mut(&mut self.output, 1, len).expect("its length");
        let (_, n_out) = self
            .fft
            .process_into_buffer(&input, &mut output, None)
            .expect("the buffers have the lengths that it asked for");
        let n_dropped = self.n_to_trim.min(n_out);
        self.n_to_trim -= n_dropped;
        out.extend_from_slice(&self.output[n_dropped..n_out]);
    }
}
