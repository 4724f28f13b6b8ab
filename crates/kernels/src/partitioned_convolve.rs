//! Convolution with a long response for live playing: a block of latency, and even work.

use rustfft::num_complex::Complex32;

use crate::fft_convolve::{OddTransform, StreamSplit};
use crate::simd::{Kernel, Simd, mul_add};

/// Bins that are multiplied together.
const LANES: usize = 16;

/// The real and imaginary parts of as many bins of one partition.
type Bins = [[f32; LANES]; 2];

/// Convolves a stream with a response of any length, `block_len` samples at a time.
///
/// The response is cut into partitions of `block_len` taps, each transformed once. A block of audio
/// is transformed once too, kept for as long as the response lasts, and its spectrum multiplied with
/// every partition in turn, when the sum of all products is transformed back: the uniformly
/// partitioned overlap-save method (Stockham 1966; Kulp, "Digital equalization using Fourier
/// transform techniques", AES 85, 1988).
///
/// `output[n] = sum_t audio[n - t] h[t]`, [`latency`](PartitionedStream::latency) samples later.
/// Each sample costs about `4 ir_len / block_len` multiplications and `log2(block_len)` times ten:
/// 48,000 taps in blocks of 64 take a core 3 microseconds a block, and 1.5 MB of memory. All work of
/// a block is done when its last sample comes. [`FftConvolve`](crate::FftConvolve) is faster where
/// the whole signal is known, and does what is differentiated.
pub struct PartitionedConvolve {
    block_len: usize,
    ir_len: usize,
    n_partitions: usize,
    transform: OddTransform,
    /// Spectra of the partitions, `[n_groups, n_partitions]`.
    response: Vec<Bins>,
    /// `2 block_len` samples.
    samples: Vec<f32>,
    /// `block_len` values, and zeros up to whole groups of `LANES`.
    spectrum: Vec<Complex32>,
    simd: Simd,
}

impl std::fmt::Debug for PartitionedConvolve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionedConvolve")
            .field("block_len", &self.block_len)
            .field("ir_len", &self.ir_len)
            .finish_non_exhaustive()
    }
}

/// What one stream of audio leaves in a [`PartitionedConvolve`]: the block that is not complete, and
/// the spectra of those before it. Made by [`PartitionedConvolve::new_stream`].
#[derive(Clone, Debug)]
pub struct PartitionedStream {
    split: StreamSplit,
    /// The block before and the one that comes in, `[2, block_len]`.
    input: Vec<f32>,
    n_pending: usize,
    /// The last complete block convolved, `[block_len]`.
    output: Vec<f32>,
    /// Spectra of the last blocks, a ring of `n_partitions` for each group of bins.
    spectra: Vec<Bins>,
    /// Where in the rings the last block's is; each after it is a block older.
    newest: usize,
}

impl PartitionedStream {
    /// Samples by which the output of a stream lags the convolution.
    pub fn latency(&self) -> usize {
        match self.split {
            StreamSplit::Anywhere => self.output.len() - 1,
            StreamSplit::AtHops => 0,
        }
    }

    /// Forgets all audio, as if new.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate or lock.
    pub fn reset(&mut self) {
        self.input.fill(0.0);
        self.n_pending = 0;
        self.output.fill(0.0);
        self.spectra.fill([[0.0; LANES]; 2]);
        self.newest = 0;
    }
}

impl PartitionedConvolve {
    /// A convolution with responses of `ir_len` samples in blocks of `block_len`, the response still
    /// silent.
    ///
    /// Powers of two and three times those are the fastest blocks.
    ///
    /// # Panics
    ///
    /// If either length is 0.
    pub fn new(block_len: usize, ir_len: usize) -> Self {
        assert!(
            block_len > 0 && ir_len > 0,
            "PartitionedConvolve: blocks of {block_len}, response of {ir_len} samples"
        );
        let (n_partitions, n_groups) = (ir_len.div_ceil(block_len), block_len.div_ceil(LANES));
        Self {
            block_len,
            ir_len,
            n_partitions,
            transform: OddTransform::new(block_len),
            response: vec![[[0.0; LANES]; 2]; n_groups * n_partitions],
            samples: vec![0.0; 2 * block_len],
            spectrum: vec![Complex32::ZERO; n_groups * LANES],
            simd: Simd::widest(),
        }
    }

    /// What a stream of audio needs; [`StreamSplit::AtHops`] promises pieces of whole blocks.
    pub fn new_stream(&self, split: StreamSplit) -> PartitionedStream {
        PartitionedStream {
            split,
            input: vec![0.0; 2 * self.block_len],
            n_pending: 0,
            output: vec![0.0; self.block_len],
            spectra: vec![[[0.0; LANES]; 2]; self.response.len()],
            newest: 0,
        }
    }

    /// Replaces the response, from the next block of every stream on, for the audio before it too.
    ///
    /// # Panics
    ///
    /// If it does not have `ir_len` samples.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values, but takes as long as `ir_len / block_len`
    /// transforms.
    pub fn set_impulse_response(&mut self, impulse_response: &[f32]) {
        let (n, ir_len) = (impulse_response.len(), self.ir_len);
        assert_eq!(n, ir_len, "PartitionedConvolve: a response of {n} samples, not {ir_len}");
        for (p, taps) in impulse_response.chunks(self.block_len).enumerate() {
            self.samples[..taps.len()].copy_from_slice(taps);
            self.samples[taps.len()..].fill(0.0);
            self.transform.forward(&self.samples, &mut self.spectrum[..self.block_len]);
            store(&self.spectrum, p, self.n_partitions, &mut self.response);
        }
    }

    /// Overwrites `output` with the convolution of the next piece of a stream's `audio`, equally
    /// long.
    ///
    /// # Panics
    ///
    /// If the lengths differ, `stream` was made for other sizes, or `audio` is not whole blocks where
    /// that was promised.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn process(
        &mut self,
        stream: &mut PartitionedStream,
        mut audio: &[f32],
        mut output: &mut [f32],
    ) {
        self.check(stream, audio.len(), output.len());
        while !audio.is_empty() {
            let begin = stream.n_pending;
            let n = audio.len().min(self.block_len - begin);
            let end = begin + n;
            stream.input[self.block_len..][begin..end].copy_from_slice(&audio[..n]);
            if stream.split == StreamSplit::Anywhere {
                // All but the block's last sample come out before the block is complete, and belong
                // to the one before it.
                let last = end.min(self.block_len - 1);
                output[..last - begin].copy_from_slice(&stream.output[begin + 1..=last]);
            }
            stream.n_pending = end % self.block_len;
            if end == self.block_len {
                self.convolve_block(stream);
                match stream.split {
                    StreamSplit::Anywhere => output[n - 1] = stream.output[0],
                    StreamSplit::AtHops => output[..n].copy_from_slice(&stream.output),
                }
            }
            audio = &audio[n..];
            output = &mut output[n..];
        }
    }

    /// Convolves the block that has come in.
    fn convolve_block(&mut self, stream: &mut PartitionedStream) {
        self.transform.forward(&stream.input, &mut self.spectrum[..self.block_len]);
        stream.input.copy_within(self.block_len.., 0);
        stream.newest = stream.newest.checked_sub(1).unwrap_or(self.n_partitions - 1);
        store(&self.spectrum, stream.newest, self.n_partitions, &mut stream.spectra);
        self.simd.run(SumOfProducts {
            n_partitions: self.n_partitions,
            response: &self.response,
            spectra: &stream.spectra,
            newest: stream.newest,
            sum: &mut self.spectrum,
        });
        self.transform.inverse(&mut self.spectrum[..self.block_len], &mut self.samples);
        // The first half is where the convolution wrapped around.
        stream.output.copy_from_slice(&self.samples[self.block_len..]);
    }

    fn check(&self, stream: &PartitionedStream, n_audio: usize, n_output: usize) {
        let (block_len, ir_len) = (self.block_len, self.ir_len);
        assert_eq!(n_output, n_audio, "PartitionedConvolve: {n_output} samples of {n_audio}");
        let (stream_len, n_spectra) = (stream.output.len(), stream.spectra.len());
        assert!(
            stream_len == block_len && n_spectra == self.response.len(),
            "PartitionedConvolve: a stream of blocks of {stream_len} with {n_spectra} spectra for \
             blocks of {block_len} and {ir_len} taps"
        );
        assert!(
            stream.split == StreamSplit::Anywhere || n_audio.is_multiple_of(block_len),
            "PartitionedConvolve: {n_audio} samples are not whole blocks of {block_len}"
        );
    }
}

/// Puts a spectrum in place `p` of the groups' rows of `n_partitions`.
fn store(spectrum: &[Complex32], p: usize, n_partitions: usize, groups: &mut [Bins]) {
    for (values, row) in spectrum.chunks_exact(LANES).zip(groups.chunks_exact_mut(n_partitions)) {
        let [re, im] = &mut row[p];
        for ((re, im), value) in re.iter_mut().zip(im).zip(values) {
            (*re, *im) = (value.re, value.im);
        }
    }
}

/// The sum over partitions of the response's spectrum times that of the block as old.
struct SumOfProducts<'a> {
    n_partitions: usize,
    response: &'a [Bins],
    spectra: &'a [Bins],
    newest: usize,
    sum: &'a mut [Complex32],
}

impl Kernel for SumOfProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.n_partitions;
        let rows = self.response.chunks_exact(n).zip(self.spectra.chunks_exact(n));
        for ((response, ring), sum) in rows.zip(self.sum.chunks_exact_mut(LANES)) {
            // The ring from the newest spectrum to its end, and from its beginning.
            let (old, new) = ring.split_at(self.newest);
            let (recent, late) = response.split_at(new.len());
            let mut sums = Sums::default();
            sums.add::<FMA>(recent, new);
            sums.add::<FMA>(late, old);
            for (lane, sum) in sum.iter_mut().enumerate() {
                *sum = Complex32::new(
                    sums.re_re[lane] - sums.im_im[lane],
                    sums.re_im[lane] + sums.im_re[lane],
                );
            }
        }
    }
}

/// Products of real and imaginary parts, apart: four sums that do not wait for each other.
#[derive(Default)]
struct Sums {
    re_re: [f32; LANES],
    im_im: [f32; LANES],
    re_im: [f32; LANES],
    im_re: [f32; LANES],
}

impl Sums {
    #[inline(always)]
    fn add<const FMA: bool>(&mut self, a: &[Bins], b: &[Bins]) {
        let Self { mut re_re, mut im_im, mut re_im, mut im_re } = *self;
        for ([a_re, a_im], [b_re, b_im]) in a.iter().zip(b) {
            for lane in 0..LANES {
                re_re[lane] = mul_add::<FMA>(a_re[lane], b_re[lane], re_re[lane]);
                im_im[lane] = mul_add::<FMA>(a_im[lane], b_im[lane], im_im[lane]);
                re_im[lane] = mul_add::<FMA>(a_re[lane], b_im[lane], re_im[lane]);
                im_re[lane] = mul_add::<FMA>(a_im[lane], b_re[lane], im_re[lane]);
            }
        }
        *self = Self { re_re, im_im, re_im, im_re };
    }
}

#[cfg(test)]
pub(crate) mod tests;
