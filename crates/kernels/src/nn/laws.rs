//! What must hold of the layers at any size.

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::testing::{assert_close, pseudo_random, widen};
use crate::{Matrix, MatrixMut};

/// Asserts agreement to a rounding of sums of `n_terms` terms of about 1.
fn assert_near(what: &str, actual: &[f32], expected: &[f32], n_terms: usize) {
    let tolerance = 2e-7 * (n_terms + 4) as f64;
    assert_close(what, actual, &widen(expected), tolerance);
}

/// Ranges that `cuts` divide `0..n` into.
fn blocks(n: usize, cuts: &[usize]) -> Vec<Range<usize>> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (n + 1)).collect();
    cuts.extend([0, n]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

fn small(seed: u64, len: usize) -> Vec<f32> {
    pseudo_random(seed, len).iter().map(|v| 0.5 * v).collect()
}

/// Weights for both kinds of recurrence, and an input.
struct Sequence {
    n_examples: usize,
    n_units: usize,
    x: Vec<f32>,
    kernel: Vec<f32>,
    recurrent_kernel: Vec<f32>,
    bias: Vec<f32>,
}

impl Sequence {
    const N_IN: usize = 6;

    fn new(n_frames: usize, n_examples: usize, n_units: usize) -> Self {
        Self {
            n_examples,
            n_units,
            x: small(1, n_frames * n_examples * Self::N_IN),
            kernel: small(2, Self::N_IN * 4 * n_units),
            recurrent_kernel: small(3, n_units * 4 * n_units),
            bias: small(4, 8 * n_units),
        }
    }

    /// The inputs, and room for the outputs, with the rows of each block.
    fn rows(&self, blocks: &[Range<usize>]) -> (Matrix<'_>, Vec<f32>, Vec<Range<usize>>) {
        let n_rows = self.x.len() / Self::N_IN;
        let rows = blocks.iter().map(|b| b.start * self.n_examples..b.end * self.n_examples);
        let y = vec![f32::NAN; n_rows * self.n_units];
        (Matrix::new(&self.x, n_rows, Self::N_IN), y, rows.collect())
    }

    /// Outputs, then the final state.
    fn gru(&self, blocks: &[Range<usize>]) -> Vec<f32> {
        let (n_units, width) = (self.n_units, 3 * self.n_units);
        let weights = GruWeights {
            kernel: &self.kernel[..Self::N_IN * width],
            recurrent_kernel: &self.recurrent_kernel[..n_units * width],
            bias: &self.bias[..2 * width],
        };
        let (mut gru, mut recurrence) = (Gru::new(n_units, 0), GruRecurrence::default());
        recurrence.pack(weights);
        let (x, mut y, blocks) = self.rows(blocks);
        let mut state = small(5, self.n_examples * n_units);
        for rows in blocks {
            gru.resize(rows.len());
            gru.project(weights, 0, x.rows(rows.clone()));
            let y = MatrixMut::new(&mut y, x.n_rows(), n_units).rows(rows);
            gru.recur(&recurrence, &mut state, y);
        }
        y.extend(state);
        y
    }

    /// Outputs, then the final states.
    fn lstm(&self, blocks: &[Range<usize>]) -> Vec<f32> {
        let n_units = self.n_units;
        let weights = LstmWeights {
            kernel: &self.kernel,
            recurrent_kernel: &self.recurrent_kernel,
            bias: &self.bias[..4 * n_units],
        };
        let (mut lstm, mut recurrence) = (Lstm::new(n_units, 0), LstmRecurrence::default());
        recurrence.pack(weights);
        let (x, mut y, blocks) = self.rows(blocks);
        let [mut h, mut c] = [5, 6].map(|seed| small(seed, self.n_examples * n_units));
        for rows in blocks {
            lstm.resize(rows.len());
            lstm.project(weights, 0, x.rows(rows.clone()));
            let y = MatrixMut::new(&mut y, x.n_rows(), n_units).rows(rows);
            lstm.recur(&recurrence, LstmState { h: &mut h, c: &mut c }, y);
        }
        y.extend(h);
        y.extend(c);
        y
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    /// Any split of a sequence into blocks gives the same states, for a GRU and for an LSTM.
    #[test]
    fn recurrences_stream(
        n_frames in 1_usize..12,
        n_examples in 1_usize..10,
        n_units in 1_usize..40,
        cuts in prop::collection::vec(0_usize..100, 0..4),
    ) {
        let sequence = Sequence::new(n_frames, n_examples, n_units);
        let (whole, parts) = (blocks(n_frames, &[]), blocks(n_frames, &cuts));
        assert_near("GRU", &sequence.gru(&parts), &sequence.gru(&whole), 10);
        assert_near("LSTM", &sequence.lstm(&parts), &sequence.lstm(&whole), 10);
    }

    /// A causal convolution streams, is linear, and silent in silence.
    #[test]
    fn convolutions_stream_and_are_linear(
        n_frames in 1_usize..60,
        kernel_len in 1_usize..5,
        dilation in 1_usize..20,
        n_in in 1_usize..8,
        cuts in prop::collection::vec(0_usize..100, 0..4),
    ) {
        let n_out = 5;
        let conv = Conv1d { kernel_len, dilation, stride: 1, padding: Padding::Causal };
        let (kernel, zeros) = (small(1, kernel_len * n_in * n_out), vec![0.0; n_out]);
        let weights = Dense { kernel: &kernel, bias: &zeros };
        let forward = |x: &[f32]| {
            let mut y = vec![f32::NAN; n_frames * n_out];
            let x = Matrix::new(x, n_frames, n_in);
            conv.forward(weights, x, MatrixMut::new(&mut y, n_frames, n_out));
            y
        };
        let (a, b) = (small(2, n_frames * n_in), small(3, n_frames * n_in));
        let sum: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + 2.0 * b).collect();
        let (y_a, y_b) = (forward(&a), forward(&b));
        let expected: Vec<f32> = y_a.iter().zip(&y_b).map(|(a, b)| a + 2.0 * b).collect();
        assert_near("linear", &forward(&sum), &expected, 3 * kernel_len * n_in);

        let mut history = vec![0.0; conv.n_history_frames() * n_in];
        let mut y = vec![f32::NAN; n_frames * n_out];
        for frames in blocks(n_frames, &cuts) {
            let x = Matrix::new(&a, n_frames, n_in).rows(frames.clone());
            let y = MatrixMut::new(&mut y, n_frames, n_out).rows(frames);
            conv.stream(weights, &mut history, x, y);
        }
        assert_near("stream", &y, &y_a, kernel_len * n_in);
        prop_assert!(forward(&vec![0.0; a.len()]).iter().all(|y| *y == 0.0), "silence");
    }

    /// Rows are independent: any ranges of them give the whole, whatever the buffers held.
    #[test]
    fn fully_connected_rows_are_independent(
        n_rows in 1_usize..40,
        n_in in 1_usize..9,
        n_out in 3_usize..40,
        cuts in prop::collection::vec(0_usize..100, 0..4),
    ) {
        let (x, kernel) = (small(1, n_rows * n_in), small(2, n_in * n_out));
        let [bias, gain, shift] = [3, 4, 5].map(|seed| pseudo_random(seed, n_out));
        let weights = Fc { kernel: &kernel, bias: &bias, gain: &gain, shift: &shift };
        let run = |blocks: &[Range<usize>], dirt: f32| {
            let mut y = vec![dirt; n_rows * n_out];
            for rows in blocks {
                let mut normalized = vec![dirt; rows.len() * n_out];
                let mut inverse_std = vec![dirt; rows.len()];
                let cache = FcCache {
                    normalized: MatrixMut::new(&mut normalized, rows.len(), n_out),
                    inverse_std: &mut inverse_std,
                };
                let y = MatrixMut::new(&mut y, n_rows, n_out).rows(rows.clone());
                fc(weights, Matrix::new(&x, n_rows, n_in).rows(rows.clone()), cache, y);
            }
            y
        };
        let whole = run(&blocks(n_rows, &[]), f32::NAN);
        // A deviation below 1 makes more of a rounding; it is above 1/30 for its epsilon.
        assert_near("rows", &run(&blocks(n_rows, &cuts), 7.0), &whole, 30 * n_in);
    }

    /// Normalization does not see an offset and a factor of its input.
    #[test]
    fn normalization_undoes_an_affine_map(
        n_places in 8_usize..60,
        n_channels in 1_usize..20,
        by_channel in any::<bool>(),
        factor in 0.5_f32..2.0,
        offset in -2.0_f32..2.0,
    ) {
        let x = pseudo_random(1, n_places * n_channels);
        let moved: Vec<f32> = x.iter().map(|x| factor * x + offset).collect();
        let [scale, shift] = [2, 3].map(|seed| pseudo_random(seed, n_channels));
        let mut normalize = match by_channel {
            true => Normalize::instance(n_channels),
            false => Normalize::layer(n_channels),
        };
        let mut run = |x: &[f32]| {
            let mut y = vec![f32::NAN; x.len()];
            normalize.forward(ScaleShift { scale: &scale, shift: &shift }, x, &mut y);
            y
        };
        // Epsilon is 1e-5 of variances between 0.02 and 2, and so hides less than 1e-3.
        assert_close("moved", &run(&moved), &widen(&run(&x)), 3e-3);
    }

    /// Pooling takes values as they are, so a monotonic map may come before or after it.
    #[test]
    fn pooling_commutes_with_a_monotonic_map(
        n_frames in 1_usize..9,
        n_freq in 1_usize..9,
        window in 1_usize..4,
        stride in 1_usize..4,
    ) {
        let pool = MaxPool::new([n_frames, n_freq], 3, [1, window], [1, stride]);
        let x = pseudo_random(1, n_frames * n_freq * 3);
        let (mut mapped, [n_t, n_f]) = (vec![0.0; x.len()], pool.output_size());
        let [mut after, mut before, mut y] = [(); 3].map(|()| vec![0.0; n_t * n_f * 3]);
        Activation::LeakyRelu.forward(&x, &mut mapped);
        pool.forward(&mapped, &mut before);
        pool.forward(&x, &mut y);
        Activation::LeakyRelu.forward(&y, &mut after);
        prop_assert_eq!(before, after);
    }
}
