//! Layers of the networks, on rows: dense, layer norm with leaky ReLU, GRU.
//!
//! A row is the vector of one frame of one example; rows are time-major, `(frame, example)`. Every
//! layer but the GRU's recurrence treats rows alone, so a caller may pass any range of rows, on any
//! thread. Weights have keras' layout: kernels `[n_in, n_out]`, `y = x kernel + bias`.

mod activation;
mod dense;
mod gru;
mod layer_norm;

pub use dense::{Dense, DenseGradients, dense, dense_backward};
pub use gru::{Gru, GruGradients, GruRecurrence, GruSequence, GruWeights};
pub use layer_norm::{
    LayerNorm, LayerNormGradients, layer_norm_leaky_relu, layer_norm_leaky_relu_backward,
};

#[cfg(test)]
mod tests {
    use super::{Dense, LayerNorm, dense, layer_norm_leaky_relu};
    use crate::golden::Golden;
    use crate::testing::assert_close;
    use crate::{Matrix, MatrixMut};

    /// Dense, layer norm and leaky ReLU once for each four weights of a golden case.
    fn check_stack(case: &str, n_layers: usize) {
        let mut golden = Golden::open("nn");
        let (mut x, shape) = golden.array(&format!("{case}.in.x"));
        let n_rows = shape[0] * shape[1];
        for layer in 0..n_layers {
            let [kernel, bias, gain, shift] =
                [(0, "kernel"), (1, "bias"), (2, "gamma"), (3, "beta")].map(|(i, name)| {
                    golden.values(&format!("{case}.in.w{}_{name}", 4 * layer + i))
                });
            let (n_in, n_out) = (x.len() / n_rows, bias.len());
            let (mut linear, mut y) = (vec![0.0; n_rows * n_out], vec![0.0; n_rows * n_out]);
            let x_rows = Matrix::new(&x, n_rows, n_in);
            let weights = Dense { kernel: &kernel, bias: &bias };
            dense(weights, x_rows, MatrixMut::new(&mut linear, n_rows, n_out));
            layer_norm_leaky_relu(
                LayerNorm { gain: &gain, shift: &shift },
                MatrixMut::new(&mut linear, n_rows, n_out),
                &mut vec![0.0; n_rows],
                MatrixMut::new(&mut y, n_rows, n_out),
            );
            x = y;
        }
        let expected: Vec<f64> =
            golden.values(&format!("{case}.out.y")).into_iter().map(f64::from).collect();
        // Both sides round; a layer's norm divides its input's errors by a deviation below 1.
        assert_close(case, &x, &expected, 2e-6 * n_layers as f64);
    }

    #[test]
    fn fully_connected_layers_match_keras() {
        check_stack("fc", 1);
        check_stack("fc_stack", 3);
    }
}
