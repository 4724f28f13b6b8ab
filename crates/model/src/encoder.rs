//! The network from the sound itself to a latent `z`: what pitch and level do not say of it.
//!
//! `MfccTimeDistributedRnnEncoder` of DDSP (Engel et al. 2020): mel-frequency cepstral coefficients,
//! each normalised over time, go through a GRU and a dense layer to `z` at a low rate, which is
//! brought to the rate of the controls in straight lines. Frame `i` is centred on sample `i * hop`
//! (the reference's begins there). Rows are time-major, `(frame, example)`.

#[cfg(test)]
mod tests;

use std::ops::Range;

use ddsp_kernels::nn::{
    Dense, DenseGradients, Gru, GruRecurrence, GruSequence, Normalize, ScaleShift,
    ScaleShiftGradients, dense, dense_backward,
};
use ddsp_kernels::{
    Endpoint, FrameAlignment, Framing, Interpolation, Magnitudes, Matrix, MatrixMut, Mel, MelBands,
    Mfcc, Resample,
};

use crate::config::{Config, EncoderConfig};
use crate::gru_ranges::GruRanges;
use crate::parameters::{Initial, ParameterTable};

/// Mel bands under the coefficients, as in the reference.
pub(crate) const MFCC_BANDS: usize = 128;

/// The lowest sample rate whose spectrum reaches the highest band, at 8 kHz.
pub(crate) const MFCC_RATE: u32 = 16_000;

/// The layers of an encoder, and where their parameters lie.
#[derive(Clone, Debug)]
pub(crate) struct MfccEncoder {
    config: EncoderConfig,
    sample_rate: u32,
    gain: Range<usize>,
    shift: Range<usize>,
    gru: GruRanges,
    kernel: Range<usize>,
    bias: Range<usize>,
}

/// An encoder's memory between forward and backward pass, for examples of one length.
pub(crate) struct EncoderCache {
    mfcc: Mfcc,
    n_examples: usize,
    /// Frames of `z` at its own rate.
    n_frames: usize,
    /// One for each example: it remembers the example's means.
    normalize: Vec<Normalize>,
    /// Of each example, `[n_frames, n_coefficients]`.
    coefficients: Vec<Vec<f32>>,
    /// `[n_frames, n_examples, n_coefficients]`
    normalized: Vec<f32>,
    gru: Gru,
    recurrence: GruRecurrence,
    /// `[n_frames, n_examples, gru_units]`
    states: Vec<f32>,
    resample: Resample,
    /// `[n_frames of the controls, n_examples, z_len]`
    z: Vec<f32>,
}

impl MfccEncoder {
    /// The encoder that `config` asks for, if it does; enters its parameters into `table`.
    pub(crate) fn new(config: &Config, table: &mut ParameterTable) -> Option<Self> {
        let encoder = config.encoder.clone()?;
        let (n, n_units, z_len) = (encoder.n_coefficients, encoder.gru_units, encoder.z_len);
        let gain = table.push("encoder/normalize/gain".to_owned(), &[n], Initial::Ones);
        let shift = table.push("encoder/normalize/shift".to_owned(), &[n], Initial::Zeros);
        let gru = GruRanges::new(table, "encoder/gru", n, n_units);
        let kernel = "encoder/output/kernel".to_owned();
        let kernel = table.push(kernel, &[n_units, z_len], Initial::GlorotUniform);
        let bias = table.push("encoder/output/bias".to_owned(), &[z_len], Initial::Zeros);
        let sample_rate = config.audio.sample_rate;
        Some(Self { config: encoder, sample_rate, gain, shift, gru, kernel, bias })
    }

    /// Overwrites the cache's `z` with that of `examples`, each `[n_samples]`.
    ///
    /// # Panics
    ///
    /// If there are not as many examples, or not as long ones, as the cache was made for.
    pub(crate) fn forward(
        &self,
        parameters: &[f32],
        examples: &[&[f32]],
        cache: &mut EncoderCache,
    ) {
        assert_eq!(examples.len(), cache.n_examples, "encoder: examples");
        for (example, audio) in examples.iter().enumerate() {
            self.forward_features(parameters, example, audio, cache);
        }
        let (n_rows, n_units) = (cache.n_rows(), self.config.gru_units);
        let weights = self.gru.weights(parameters);
        cache.recurrence.pack_for_training(weights);
        let x = Matrix::new(&cache.normalized, n_rows, self.config.n_coefficients);
        cache.gru.project(weights, 0, x);
        let mut state = vec![0.0; cache.n_examples * n_units];
        let states = MatrixMut::new(&mut cache.states, n_rows, n_units);
        cache.gru.recur(&cache.recurrence, &mut state, states);
        let z_len = self.config.z_len;
        let mut slow = vec![0.0; n_rows * z_len];
        let states = Matrix::new(&cache.states, n_rows, n_units);
        dense(self.output(parameters), states, MatrixMut::new(&mut slow, n_rows, z_len));
        cache.resample.forward(&slow, cache.n_examples * z_len, &mut cache.z);
    }

    /// The normalised coefficients of one example, into their rows.
    fn forward_features(
        &self,
        parameters: &[f32],
        example: usize,
        audio: &[f32],
        cache: &mut EncoderCache,
    ) {
        let n_coefficients = self.config.n_coefficients;
        let coefficients = &mut cache.coefficients[example];
        cache.mfcc.forward(audio, coefficients);
        let mut normalized = vec![0.0; coefficients.len()];
        let weights = self.scale_shift(parameters);
        cache.normalize[example].forward(weights, coefficients, &mut normalized);
        for (frame, row) in normalized.chunks_exact(n_coefficients).enumerate() {
            let at = (frame * cache.n_examples + example) * n_coefficients;
            cache.normalized[at..at + n_coefficients].copy_from_slice(row);
        }
    }

    /// Accumulates into `grad_parameters` the vector-Jacobian product of
    /// [`forward`](Self::forward) with `grad_z`, shaped as the cache's `z`.
    pub(crate) fn backward(
        &self,
        parameters: &[f32],
        cache: &mut EncoderCache,
        grad_z: &[f32],
        grad_parameters: &mut [f32],
    ) {
        let (n_rows, n_units) = (cache.n_rows(), self.config.gru_units);
        let (z_len, n_coefficients) = (self.config.z_len, self.config.n_coefficients);
        let mut grad_slow = vec![0.0; n_rows * z_len];
        cache.resample.backward(grad_z, cache.n_examples * z_len, &mut grad_slow);
        let mut grad_states = vec![0.0; n_rows * n_units];
        let grads = &mut grad_parameters[self.kernel.start..self.bias.end];
        let (kernel, bias) = grads.split_at_mut(self.kernel.len());
        dense_backward(
            self.output(parameters),
            Matrix::new(&cache.states, n_rows, n_units),
            Matrix::new(&grad_slow, n_rows, z_len),
            DenseGradients { kernel, bias },
            Some(MatrixMut::new(&mut grad_states, n_rows, n_units)),
        );
        let initial_state = vec![0.0; cache.n_examples * n_units];
        let sequence = GruSequence {
            initial_state: &initial_state,
            y: Matrix::new(&cache.states, n_rows, n_units),
            grad_y: Matrix::new(&grad_states, n_rows, n_units),
        };
        let mut grad_state = vec![0.0; cache.n_examples * n_units];
        let grads = self.gru.gradients(grad_parameters);
        cache.gru.recur_backward(&cache.recurrence, sequence, &mut grad_state, grads);
        let mut grad_normalized = vec![0.0; n_rows * n_coefficients];
        cache.gru.project_backward(
            self.gru.weights(parameters),
            0,
            Matrix::new(&cache.normalized, n_rows, n_coefficients),
            &mut grad_parameters[self.gru.kernel.clone()],
            Some(MatrixMut::new(&mut grad_normalized, n_rows, n_coefficients)),
        );
        self.backward_features(parameters, cache, &grad_normalized, grad_parameters);
    }

    /// From the normalised coefficients to gain and shift; the sound itself is not learned.
    fn backward_features(
        &self,
        parameters: &[f32],
        cache: &mut EncoderCache,
        grad_normalized: &[f32],
        grad_parameters: &mut [f32],
    ) {
        let (n_coefficients, n_examples) = (self.config.n_coefficients, cache.n_examples);
        let grads = &mut grad_parameters[self.gain.start..self.shift.end];
        let (scale, shift) = grads.split_at_mut(self.gain.len());
        for (example, coefficients) in cache.coefficients.iter().enumerate() {
            let rows = grad_normalized.chunks_exact(n_coefficients).skip(example);
            let grad: Vec<f32> = rows.step_by(n_examples).flatten().copied().collect();
            let mut grad_coefficients = vec![0.0; coefficients.len()];
            cache.normalize[example].backward(
                self.scale_shift(parameters),
                coefficients,
                &grad,
                ScaleShiftGradients { scale: &mut *scale, shift: &mut *shift },
                &mut grad_coefficients,
            );
        }
    }

    fn scale_shift<'a>(&self, parameters: &'a [f32]) -> ScaleShift<'a> {
        let [scale, shift] = [&self.gain, &self.shift].map(|range| &parameters[range.clone()]);
        ScaleShift { scale, shift }
    }

    fn output<'a>(&self, parameters: &'a [f32]) -> Dense<'a> {
        Dense { kernel: &parameters[self.kernel.clone()], bias: &parameters[self.bias.clone()] }
    }
}

impl EncoderCache {
    /// Allocates for `n_examples` of `n_samples`, `z` to be `n_frames` long.
    pub(crate) fn new(
        encoder: &MfccEncoder,
        n_samples: usize,
        n_frames: usize,
        n_examples: usize,
    ) -> Self {
        let EncoderConfig { n_coefficients, fft_len, hop, gru_units, z_len } = encoder.config;
        let framing = Framing { window_len: fft_len, hop, alignment: FrameAlignment::Centre };
        let bands = MelBands {
            sample_rate: encoder.sample_rate,
            low_hz: 20.0,
            n_bands: MFCC_BANDS,
            ..MelBands::default()
        };
        let mfcc = Mfcc::new(Mel::new(Magnitudes::new(framing, fft_len), bands), n_coefficients);
        let n_slow = mfcc.n_frames(n_samples);
        let n_rows = n_slow * n_examples;
        Self {
            mfcc,
            n_examples,
            n_frames: n_slow,
            normalize: vec![Normalize::instance(n_coefficients); n_examples],
            coefficients: vec![vec![0.0; n_slow * n_coefficients]; n_examples],
            normalized: vec![0.0; n_rows * n_coefficients],
            gru: Gru::new(gru_units, n_rows),
            recurrence: GruRecurrence::default(),
            states: vec![0.0; n_rows * gru_units],
            resample: Resample::new(n_slow, n_frames, Interpolation::Linear, Endpoint::Held),
            z: vec![0.0; n_frames * n_examples * z_len],
        }
    }

    /// What the last forward pass made, `[n_frames of the controls, n_examples, z_len]`.
    pub(crate) fn z(&self) -> &[f32] {
        &self.z
    }

    fn n_rows(&self) -> usize {
        self.n_frames * self.n_examples
    }
}
