//! Two frames of real audio in one complex transform.
//!
//! With one frame as the real and the next as the imaginary part, the transform `Z` of both is the
//! transform of the pair, and symmetry takes it apart: `A[k] = (Z[k] + conj Z[-k]) / 2`,
//! `B[k] = (Z[k] - conj Z[-k]) / 2j`. That needs no factors of its own, so it costs less than two
//! transforms of half length with the passes that complete them, and its loops vectorise. Rounding
//! of one frame reaches the other, 1e-7 of its level; neighbours share most of their samples, and a
//! silent one is kept exactly silent.

use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use crate::simd::{Kernel, Simd};

/// Bins in one step of a loop: a register of AVX-512, two of AVX2.
pub(crate) const LANES: usize = 16;

/// The bins of one frame from 0 Hz to Nyquist, real and imaginary parts apart.
///
/// Both have zeros beyond `n_bins`, up to a multiple of [`LANES`].
#[derive(Clone, Default)]
pub(crate) struct SplitSpectrum {
    pub(crate) re: Vec<f32>,
    pub(crate) im: Vec<f32>,
}

impl SplitSpectrum {
    /// Zeros at `n_bins` frequencies.
    pub(crate) fn new(n_bins: usize) -> Self {
        let zeros = vec![0.0; n_bins.next_multiple_of(LANES)];
        Self { re: zeros.clone(), im: zeros }
    }

    pub(crate) fn fill_zero(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }
}

/// Transforms neighbouring frames of audio two at a time.
pub(crate) struct FramePairs {
    /// Half the window: the other half of the factor is in the sum that takes a pair apart.
    half_window: Vec<f32>,
    fft_len: usize,
    hop: usize,
    /// Samples of a frame before the multiple of `hop` it belongs to.
    lead: usize,
    simd: Simd,
    fft: Arc<dyn Fft<f32>>,
    inverse_fft: Arc<dyn Fft<f32>>,
    /// `fft_len` values and, when a transform is done, the first of them again.
    buffer: Vec<Complex32>,
    edges: [Vec<f32>; 2],
    scratch: Vec<Complex32>,
}

impl FramePairs {
    /// Frames under `window`, padded to an even `fft_len`, that begin `lead` samples before each
    /// multiple of `hop`.
    pub(crate) fn new(window: &[f32], fft_len: usize, hop: usize, lead: usize) -> Self {
        let mut planner = FftPlanner::new();
        let fft = planner.plan_fft_forward(fft_len);
        let inverse_fft = planner.plan_fft_inverse(fft_len);
        let scratch_len = fft.get_inplace_scratch_len().max(inverse_fft.get_inplace_scratch_len());
        Self {
            half_window: window.iter().map(|w| 0.5 * w).collect(),
            fft_len,
            hop,
            lead,
            simd: Simd::widest(),
            fft,
            inverse_fft,
            buffer: vec![Complex32::ZERO; fft_len + 1],
            edges: [vec![0.0; window.len()], vec![0.0; window.len()]],
            scratch: vec![Complex32::ZERO; scratch_len],
        }
    }

    pub(crate) fn n_bins(&self) -> usize {
        self.fft_len / 2 + 1
    }

    pub(crate) fn hop(&self) -> usize {
        self.hop
    }

    pub(crate) fn simd(&self) -> Simd {
        self.simd
    }

    /// Takes other instructions, so that a test can force each path.
    #[cfg(test)]
    pub(crate) fn set_simd(&mut self, simd: Simd) {
        self.simd = simd;
    }

    /// Writes the spectra of frames `i` and `i + 1` of `audio` to `pair`.
    pub(crate) fn forward(&mut self, audio: &[f32], i: usize, pair: &mut [SplitSpectrum; 2]) {
        let [edge_a, edge_b] = &mut self.edges;
        let a = window_of(audio, [i * self.hop, self.lead], edge_a);
        let b = window_of(audio, [(i + 1) * self.hop, self.lead], edge_b);
        let audible = self.simd.run(Pack {
            half_window: &self.half_window,
            a,
            b,
            buffer: &mut self.buffer[..self.half_window.len()],
        });
        if audible != [false; 2] {
            self.buffer[self.half_window.len()..].fill(Complex32::ZERO);
            self.fft.process_with_scratch(&mut self.buffer[..self.fft_len], &mut self.scratch);
            self.buffer[self.fft_len] = self.buffer[0];
            let [a, b] = &mut *pair;
            self.simd.run(Split { buffer: &self.buffer, a, b });
        }
        for (spectrum, audible) in pair.iter_mut().zip(audible) {
            if !audible {
                spectrum.fill_zero();
            }
        }
    }

    /// Accumulates into `grad_audio` what frames `i` and `i + 1` receive from the gradients of
    /// their bins.
    ///
    /// The real and the imaginary part of a bin are the audio times a cosine and a negated sine, so
    /// a frame receives `window[n] Re(sum_k grad[k] e^(2 pi j k n / fft_len))`: an inverse
    /// transform of the symmetric continuation in which the two bins that are their own mirror
    /// count double, since every other bin is there twice, and half the window. A frame whose
    /// gradients are all 0 adds nothing, not even the other's rounding.
    pub(crate) fn backward(&mut self, pair: &[SplitSpectrum; 2], i: usize, grad_audio: &mut [f32]) {
        let [a, b] = pair;
        let has_gradient = self.simd.run(Join { a, b, buffer: &mut self.buffer });
        if has_gradient == [false; 2] {
            return;
        }
        for bin in [0, self.fft_len / 2] {
            // The imaginary parts there are constantly 0 in the forward pass.
            self.buffer[bin] = Complex32::new(2.0 * a.re[bin], 2.0 * b.re[bin]);
        }
        self.inverse_fft.process_with_scratch(&mut self.buffer[..self.fft_len], &mut self.scratch);
        let window_len = self.half_window.len();
        for (imaginary, i) in [(false, i), (true, i + 1)] {
            if !has_gradient[usize::from(imaginary)] {
                continue;
            }
            let skip = self.lead.saturating_sub(i * self.hop);
            let begin = (i * self.hop).saturating_sub(self.lead).min(grad_audio.len());
            let end = (begin + window_len.saturating_sub(skip)).min(grad_audio.len());
            let part = skip..skip + (end - begin);
            let (half_window, buffer) = (&self.half_window[part.clone()], &self.buffer[part]);
            let grad_audio = &mut grad_audio[begin..end];
            if imaginary {
                self.simd.run(Add::<true> { half_window, buffer, grad_audio });
            } else {
                self.simd.run(Add::<false> { half_window, buffer, grad_audio });
            }
        }
    }
}

/// The samples from `lead` before `at`, copied to `edge` with zeros around them if some lie outside
/// `audio`.
fn window_of<'a>(audio: &'a [f32], [at, lead]: [usize; 2], edge: &'a mut [f32]) -> &'a [f32] {
    let (skip, begin) = (lead.saturating_sub(at), at.saturating_sub(lead).min(audio.len()));
    let available = edge.len().saturating_sub(skip).min(audio.len() - begin);
    if available == edge.len() {
        return &audio[begin..begin + available];
    }
    edge.fill(0.0);
    if available > 0 {
        edge[skip..skip + available].copy_from_slice(&audio[begin..begin + available]);
    }
    edge
}

/// Two windowed frames as one complex one; tells which of them have any value but 0.
struct Pack<'a> {
    half_window: &'a [f32],
    a: &'a [f32],
    b: &'a [f32],
    buffer: &'a mut [Complex32],
}

impl Kernel for Pack<'_> {
    type Output = [bool; 2];

    #[inline(always)]
    fn run<const FMA: bool>(self) -> [bool; 2] {
        let n = self.half_window.len();
        let (a, b, buffer) = (&self.a[..n], &self.b[..n], &mut self.buffer[..n]);
        // Any bit but the sign makes a value other than 0.
        let mut bits = [0_u32; 2];
        for i in 0..n {
            let w = self.half_window[i];
            let (a, b) = (w * a[i], w * b[i]);
            bits[0] |= a.to_bits() << 1;
            bits[1] |= b.to_bits() << 1;
            buffer[i] = Complex32::new(a, b);
        }
        bits.map(|bits| bits != 0)
    }
}

/// Takes the transform of a pair apart.
struct Split<'a> {
    buffer: &'a [Complex32],
    a: &'a mut SplitSpectrum,
    b: &'a mut SplitSpectrum,
}

impl Kernel for Split<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let half = (self.buffer.len() - 1) / 2;
        let (low, high) = (&self.buffer[..half], &self.buffer[half + 1..]);
        let [a_re, b_re] = [&mut self.a.re[..=half], &mut self.b.re[..=half]];
        let [a_im, b_im] = [&mut self.a.im[..=half], &mut self.b.im[..=half]];
        for k in 0..half {
            let (z, mirror) = (low[k], high[half - 1 - k]);
            a_re[k] = z.re + mirror.re;
            a_im[k] = z.im - mirror.im;
            b_re[k] = z.im + mirror.im;
            b_im[k] = mirror.re - z.re;
        }
        let nyquist = self.buffer[half];
        (a_re[half], a_im[half]) = (2.0 * nyquist.re, 0.0);
        (b_re[half], b_im[half]) = (2.0 * nyquist.im, 0.0);
    }
}

/// Joins two spectra into that of a pair, but for bins 0 and Nyquist; tells which of them have any
/// value but 0.
struct Join<'a> {
    a: &'a SplitSpectrum,
    b: &'a SplitSpectrum,
    buffer: &'a mut [Complex32],
}

impl Kernel for Join<'_> {
    type Output = [bool; 2];

    #[inline(always)]
    fn run<const FMA: bool>(self) -> [bool; 2] {
        let half = (self.buffer.len() - 1) / 2;
        let (low, high) = self.buffer.split_at_mut(half + 1);
        let (low, high) = (&mut low[..half], &mut high[..half]);
        let [a_re, b_re] = [&self.a.re[..=half], &self.b.re[..=half]];
        let [a_im, b_im] = [&self.a.im[..=half], &self.b.im[..=half]];
        let mut bits = [[0_u32; LANES]; 2];
        let (low_chunks, low_rest) = low.as_chunks_mut::<LANES>();
        let (high_rest, high_chunks) = high.as_rchunks_mut::<LANES>();
        let chunks = low_chunks.iter_mut().zip(high_chunks.iter_mut().rev()).enumerate();
        for (c, (low, high)) in chunks {
            let [a_re, a_im] = [chunk(a_re, c), chunk(a_im, c)];
            let [b_re, b_im] = [chunk(b_re, c), chunk(b_im, c)];
            for i in 0..LANES {
                bits[0][i] |= a_re[i].to_bits() | a_im[i].to_bits();
                bits[1][i] |= b_re[i].to_bits() | b_im[i].to_bits();
            }
            // Whole arrays: a store of one lane might, for all the compiler knows, change the rest.
            *low = std::array::from_fn(|i| Complex32::new(a_re[i] - b_im[i], a_im[i] + b_re[i]));
            *high = std::array::from_fn(|i| {
                let i = LANES - 1 - i;
                Complex32::new(a_re[i] + b_im[i], b_re[i] - a_im[i])
            });
        }
        let done = half - low_rest.len();
        for (k, (low, high)) in low_rest.iter_mut().zip(high_rest.iter_mut().rev()).enumerate() {
            let k = done + k;
            *low = Complex32::new(a_re[k] - b_im[k], a_im[k] + b_re[k]);
            *high = Complex32::new(a_re[k] + b_im[k], b_re[k] - a_im[k]);
        }
        let rest = [(a_re, a_im), (b_re, b_im)].map(|(re, im)| {
            re[done..].iter().chain(&im[done..]).fold(0, |bits, x| bits | x.to_bits())
        });
        // Any bit but the sign makes a value other than 0.
        std::array::from_fn(|k| bits[k].iter().fold(rest[k], |all, bits| all | bits) << 1 != 0)
    }
}

/// The `c`-th [`LANES`] values.
#[inline(always)]
fn chunk(values: &[f32], c: usize) -> &[f32; LANES] {
    &values.as_chunks::<LANES>().0[c]
}

/// Overlap-add of the real or the imaginary parts.
struct Add<'a, const IMAGINARY: bool> {
    half_window: &'a [f32],
    buffer: &'a [Complex32],
    grad_audio: &'a mut [f32],
}

impl<const IMAGINARY: bool> Kernel for Add<'_, IMAGINARY> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let windowed = self.half_window.iter().zip(self.buffer);
        for (grad, (w, z)) in self.grad_audio.iter_mut().zip(windowed) {
            *grad += w * if IMAGINARY { z.im } else { z.re };
        }
    }
}
