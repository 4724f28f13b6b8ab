//! What is done with one block of audio, for the operations that design its response themselves.

use rustfft::num_complex::Complex32;

use super::odd_transform::{Correlate, Multiply};
use super::{ConvolveStream, FftConvolve};

impl FftConvolve {
    /// The same with blocks that begin at sample `lead` of their transforms: room for responses that
    /// begin so long before their time 0.
    pub(crate) fn with_lead(self, lead: usize) -> Self {
        Self { lead, ..self }
    }

    #[cfg(test)]
    pub(crate) fn set_simd(&mut self, simd: crate::simd::Simd) {
        self.transform.simd = simd;
    }

    /// Samples of a block.
    pub(crate) fn hop(&self) -> usize {
        self.hop
    }

    /// Complex values of a transform.
    pub(crate) fn n_bins(&self) -> usize {
        self.response.len()
    }

    /// [`process`](Self::process) with `begin` called for each block that begins; it sets the
    /// response and tells so, or leaves the last.
    pub(crate) fn process_blocks(
        &mut self,
        stream: &mut ConvolveStream,
        mut audio: &[f32],
        mut output: &mut [f32],
        mut begin: impl FnMut(&mut Self) -> bool,
    ) {
        stream.check(audio.len(), output.len(), [self.hop, self.ir_len]);
        while !audio.is_empty() {
            if stream.is_between_blocks() && begin(self) {
                stream.set_response(&self.response);
            }
            let n = stream.advance(audio, output, |block, response, sums| {
                self.set_audio(block);
                let (a, product) = (&self.audio, &mut self.product);
                self.transform.simd.run(Multiply { a, b: response, product });
                self.accumulate_product(0, sums);
            });
            audio = &audio[n..];
            output = &mut output[n..];
        }
    }

    /// Overwrites `output` with `audio` convolved with the response that was set.
    pub(crate) fn forward_blocks(&mut self, audio: &[f32], output: &mut [f32]) {
        output.fill(0.0);
        for (b, block) in audio.chunks(self.hop).enumerate() {
            self.add_block(b * self.hop, block, output);
        }
    }

    /// The gradient of [`forward_blocks`](Self::forward_blocks): accumulates that of the audio, and
    /// if so told that of the response, which [`take_response_gradient`](Self::take_response_gradient)
    /// gives away.
    pub(crate) fn backward_blocks(
        &mut self,
        audio: &[f32],
        grad_output: &[f32],
        mut grad_audio: Option<&mut [f32]>,
        with_response: bool,
    ) {
        for (b, block) in audio.chunks(self.hop).enumerate() {
            let start = b * self.hop;
            self.load_output_gradient(start, block.len(), grad_output);
            if let Some(grad) = grad_audio.as_deref_mut() {
                self.backward_block_audio(&mut grad[start..][..block.len()]);
            }
            if with_response {
                self.set_audio(block);
                let (signal, other) = (&self.grad_output, &self.audio);
                let product = &mut self.grad_response;
                self.transform.simd.run(Correlate::<true> { signal, other, product });
            }
        }
    }

    /// Adds the gradient of the response from tap `first` on, of all blocks since the last call, to
    /// `grad_taps`.
    pub(crate) fn take_response_gradient(&mut self, first: usize, grad_taps: &mut [f32]) {
        self.product.copy_from_slice(&self.grad_response);
        self.grad_response.fill(Complex32::ZERO);
        self.accumulate_product(first, grad_taps);
    }

    /// The response of the blocks that follow.
    pub(crate) fn set_impulse_response(&mut self, impulse_response: &[f32]) {
        pad(impulse_response, 0, &mut self.samples);
        self.transform.forward(&self.samples, &mut self.response);
    }

    /// The response of the blocks that follow, by its spectrum, which is real: for responses around
    /// time 0, before which there is a lead.
    pub(crate) fn set_gains(&mut self, gains: &[f32]) {
        for (h, gain) in self.response.iter_mut().zip(gains) {
            *h = Complex32::new(*gain, 0.0);
        }
    }

    /// Adds to `output` the block of audio that starts at sample `start`, convolved.
    pub(crate) fn add_block(&mut self, start: usize, block: &[f32], output: &mut [f32]) {
        self.set_audio(block);
        let Self { audio: a, response: b, product, .. } = self;
        self.transform.simd.run(Multiply { a, b, product });
        let (skip, place) = self.place(start, block.len(), output.len());
        let n = (block.len() + self.ir_len - 1 - skip).min(output.len() - place);
        self.accumulate_product(skip, &mut output[place..][..n]);
    }

    /// Transforms what the outputs of a block get as gradient.
    pub(crate) fn load_output_gradient(
        &mut self,
        start: usize,
        block_len: usize,
        grad_output: &[f32],
    ) {
        let (skip, place) = self.place(start, block_len, grad_output.len());
        let n = (block_len + self.ir_len - 1 - skip).min(grad_output.len() - place);
        pad(&grad_output[place..][..n], skip, &mut self.samples);
        self.transform.forward(&self.samples, &mut self.grad_output);
    }

    /// Accumulates the gradient of a block of audio.
    pub(crate) fn backward_block_audio(&mut self, grad_block: &mut [f32]) {
        let Self { grad_output: signal, response: other, product, .. } = self;
        self.transform.simd.run(Correlate::<false> { signal, other, product });
        self.accumulate_product(self.lead, grad_block);
    }

    /// Accumulates the gradient of a block's response.
    pub(crate) fn backward_block_response(
        &mut self,
        block: &[f32],
        grad_impulse_response: &mut [f32],
    ) {
        self.set_audio(block);
        let Self { grad_output: signal, audio: other, product, .. } = self;
        self.transform.simd.run(Correlate::<false> { signal, other, product });
        self.accumulate_product(0, grad_impulse_response);
    }

    /// Accumulates the gradient of the gains that a block was given.
    ///
    /// The inner product of two signals is the real part of that of their spectra, over the number
    /// of bins: `grad gain[k] = Re(G[k] conj X[k]) / n_bins`.
    pub(crate) fn backward_block_gains(&mut self, block: &[f32], grad_gains: &mut [f32]) {
        self.set_audio(block);
        let scale = 1.0 / self.audio.len() as f32;
        for ((grad, g), x) in grad_gains.iter_mut().zip(&self.grad_output).zip(&self.audio) {
            *grad += scale * (g.re * x.re + g.im * x.im);
        }
    }

    fn set_audio(&mut self, block: &[f32]) {
        pad(block, self.lead, &mut self.samples);
        self.transform.forward(&self.samples, &mut self.audio);
    }

    /// How many samples of a block's convolution lie before the output begins, and where the rest
    /// begins in the output.
    fn place(&self, start: usize, block_len: usize, output_len: usize) -> (usize, usize) {
        let skip = self.delay.saturating_sub(start).min(block_len + self.ir_len - 1);
        (skip, (start + skip).saturating_sub(self.delay).min(output_len))
    }

    /// Adds to `out` the samples of `product`, from sample `first`.
    fn accumulate_product(&mut self, first: usize, out: &mut [f32]) {
        self.transform.inverse(&mut self.product, &mut self.samples);
        for (y, sample) in out.iter_mut().zip(&self.samples[first..]) {
            *y += sample;
        }
    }
}

/// Overwrites `samples` with `signal` from sample `first` on, and zeros around it.
fn pad(signal: &[f32], first: usize, samples: &mut [f32]) {
    samples[..first].fill(0.0);
    samples[first..][..signal.len()].copy_from_slice(signal);
    samples[first + signal.len()..].fill(0.0);
}
