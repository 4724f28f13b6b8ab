//! Normalization of a whole tensor's channels: layer, instance and group norm.
//!
//! `Normalize` of DDSP. Unlike the layer norm of a [fully connected layer](super::fc()), which sees
//! one row at a time, means and variances are taken over all frames and frequencies of an example:
//! it looks ahead and cannot stream.

#[cfg(test)]
pub(crate) mod tests;

use crate::simd::{Kernel, Simd};

/// Added to the variance before the root, as in DDSP (keras' layers add 1e-3).
const EPSILON: f64 = 1e-5;

/// Factor and offset of each channel after normalization.
#[derive(Clone, Copy, Debug)]
pub struct ScaleShift<'a> {
    /// `[n_channels]`
    pub scale: &'a [f32],
    /// `[n_channels]`
    pub shift: &'a [f32],
}

/// Gradients of [`ScaleShift`], of the same shapes.
#[derive(Debug)]
pub struct ScaleShiftGradients<'a> {
    /// `[n_channels]`
    pub scale: &'a mut [f32],
    /// `[n_channels]`
    pub shift: &'a mut [f32],
}

/// A normalization, and its memory between the passes over a tensor.
///
/// `y = scale * (x - mean) / sqrt(variance + 1e-5) + shift` with tensors
/// `[n_frames, n_freq, n_channels]`; mean and variance are those of all values of a group of
/// channels, in double precision. To condition it on something else, as `ConditionalNorm` of DDSP
/// does, take ones for the scale and zeros for the shift, and
/// [`scale_and_shift`](super::scale_and_shift) its output.
#[derive(Clone, Debug)]
pub struct Normalize {
    n_groups: usize,
    /// `[n_channels]`: of the channel's group.
    mean: Vec<f32>,
    /// `[n_channels]`: `1 / sqrt(variance + 1e-5)` of the channel's group.
    inverse_std: Vec<f32>,
    /// Scratch, `[2, n_channels]`.
    sums: Vec<f64>,
    /// Scratch, `[2, n_channels]`.
    means: Vec<f32>,
}

impl Normalize {
    /// One group of all channels.
    pub fn layer(n_channels: usize) -> Self {
        Self::group(n_channels, 1)
    }

    /// Each channel a group of its own.
    pub fn instance(n_channels: usize) -> Self {
        Self::group(n_channels, n_channels)
    }

    /// `n_groups` groups of neighbouring channels (DDSP: 32).
    ///
    /// # Panics
    ///
    /// If the channels cannot be divided evenly.
    pub fn group(n_channels: usize, n_groups: usize) -> Self {
        assert!(
            n_channels.is_multiple_of(n_groups),
            "Normalize: {n_channels} channels in {n_groups} groups"
        );
        let [mean, inverse_std] = [0.0, 1.0].map(|value| vec![value; n_channels]);
        let (sums, means) = (vec![0.0; 2 * n_channels], vec![0.0; 2 * n_channels]);
        Self { n_groups, mean, inverse_std, sums, means }
    }

    /// Normalizes `x`, `[n_frames, n_freq, n_channels]`, into `y`, of the same shape.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit the number of channels.
    pub fn forward(&mut self, weights: ScaleShift<'_>, x: &[f32], y: &mut [f32]) {
        self.check_lens(weights, x.len(), y.len());
        self.forward_with(Simd::widest(), weights, x, y);
    }

    fn forward_with(&mut self, simd: Simd, weights: ScaleShift<'_>, x: &[f32], y: &mut [f32]) {
        let Self { n_groups, mean, inverse_std, sums, .. } = self;
        let n_channels = mean.len();
        let sums = &mut sums[..n_channels];
        let n_values = (x.len() / (*n_groups).max(1)) as f64;
        simd.run(Sums { x, sums });
        write_of_groups(sums, *n_groups, mean, |sum| sum / n_values);
        simd.run(Squares { x, mean, sums });
        let inverse = |sum: f64| 1.0 / (sum / n_values + EPSILON).sqrt();
        write_of_groups(sums, *n_groups, inverse_std, inverse);
        simd.run(Forward { weights, mean, inverse_std, x, y });
    }

    /// Accumulates the vector-Jacobian product of the last [`forward`](Self::forward), of the same
    /// `x`, into `grads` and `grad_x`.
    ///
    /// With `n` the normalized values and `h = grad_y * scale`,
    /// `grad_x += (h - mean(h) - n * mean(h * n)) / sqrt(variance + 1e-5)`, the means being those of
    /// a group.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or do I/O.
    ///
    /// # Panics
    ///
    /// If the lengths do not fit the number of channels.
    pub fn backward(
        &mut self,
        weights: ScaleShift<'_>,
        x: &[f32],
        grad_y: &[f32],
        grads: ScaleShiftGradients<'_>,
        grad_x: &mut [f32],
    ) {
        self.check_lens(weights, x.len(), grad_y.len());
        self.check_lens(weights, x.len(), grad_x.len());
        for (name, len) in [("scale", grads.scale.len()), ("shift", grads.shift.len())] {
            let n_channels = self.mean.len();
            assert_eq!(
                len, n_channels,
                "Normalize: {len} values of grad_{name} for {n_channels} channels"
            );
        }
        self.backward_with(Simd::widest(), weights, (x, grad_y), grads, grad_x);
    }

    fn backward_with(
        &mut self,
        simd: Simd,
        weights: ScaleShift<'_>,
        (x, grad_y): (&[f32], &[f32]),
        grads: ScaleShiftGradients<'_>,
        grad_x: &mut [f32],
    ) {
        let Self { n_groups, mean, inverse_std, sums, means } = self;
        let n_channels = mean.len();
        let (products, sums) = sums.split_at_mut(n_channels);
        // 1. Over the values of each channel, of grad_y n and of grad_y.
        simd.run(GradientSums { x, grad_y, mean, inverse_std, products, sums });
        // 2. Scale and shift act on each channel; of h they are the sums' factor.
        for (grads, sums) in [(grads.scale, &mut *products), (grads.shift, &mut *sums)] {
            for ((grad, sum), scale) in grads.iter_mut().zip(sums).zip(weights.scale) {
                *grad += to_f32(*sum);
                *sum *= f64::from(*scale);
            }
        }
        // 3. What mean and variance of a group pass on to all its values.
        let n_values = (x.len() / (*n_groups).max(1)) as f64;
        let (slopes, means) = means.split_at_mut(n_channels);
        write_of_groups(products, *n_groups, slopes, |sum| sum / n_values);
        write_of_groups(sums, *n_groups, means, |sum| sum / n_values);
        let scale = weights.scale;
        simd.run(Backward { scale, mean, inverse_std, means, slopes, x, grad_y, grad_x });
    }

    fn check_lens(&self, weights: ScaleShift<'_>, x_len: usize, y_len: usize) {
        let n_channels = self.mean.len();
        for (name, len) in [("scale", weights.scale.len()), ("shift", weights.shift.len())] {
            assert_eq!(
                len, n_channels,
                "Normalize: {len} values of {name} for {n_channels} channels"
            );
        }
        assert!(
            n_channels > 0 && x_len.is_multiple_of(n_channels),
            "Normalize: {x_len} values of x for {n_channels} channels"
        );
        assert_eq!(y_len, x_len, "Normalize: {y_len} values of y for {x_len} of x");
    }
}

/// Writes to each channel of `values` what `of_sum` makes of the sum of its group's `sums`.
fn write_of_groups(sums: &[f64], n_groups: usize, values: &mut [f32], of_sum: impl Fn(f64) -> f64) {
    let n_together = (sums.len() / n_groups.max(1)).max(1);
    for (sums, values) in sums.chunks(n_together).zip(values.chunks_mut(n_together)) {
        values.fill(to_f32(of_sum(sums.iter().sum())));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "to the nearest float, or infinity")]
fn to_f32(value: f64) -> f32 {
    value as f32
}

/// The sum of each channel.
struct Sums<'a> {
    x: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.sums.fill(0.0);
        for x in self.x.chunks_exact(self.sums.len()) {
            self.sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += f64::from(*x));
        }
    }
}

/// The sum of squares of each channel's distances from the mean.
struct Squares<'a> {
    x: &'a [f32],
    mean: &'a [f32],
    sums: &'a mut [f64],
}

impl Kernel for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        self.sums.fill(0.0);
        for x in self.x.chunks_exact(self.sums.len()) {
            for ((sum, x), mean) in self.sums.iter_mut().zip(x).zip(self.mean) {
                let centred = f64::from(x - mean);
                *sum += centred * centred;
            }
        }
    }
}

struct Forward<'a> {
    weights: ScaleShift<'a>,
    mean: &'a [f32],
    inverse_std: &'a [f32],
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let ScaleShift { scale, shift } = self.weights;
        let n = self.mean.len();
        for (x, y) in self.x.chunks_exact(n).zip(self.y.chunks_exact_mut(n)) {
            let channels = self.mean.iter().zip(self.inverse_std).zip(scale).zip(shift);
            for ((x, y), (((mean, inverse_std), scale), shift)) in x.iter().zip(y).zip(channels) {
                *y = (x - mean) * inverse_std * scale + shift;
            }
        }
    }
}

struct GradientSums<'a> {
    x: &'a [f32],
    grad_y: &'a [f32],
    mean: &'a [f32],
    inverse_std: &'a [f32],
    /// Out, of `grad_y` times the normalized values.
    products: &'a mut [f64],
    /// Out, of `grad_y`.
    sums: &'a mut [f64],
}

impl Kernel for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.mean.len();
        self.sums.fill(0.0);
        self.products.fill(0.0);
        for (x, grad_y) in self.x.chunks_exact(n).zip(self.grad_y.chunks_exact(n)) {
            let sums = self.sums.iter_mut().zip(&mut *self.products);
            let channels = x.iter().zip(grad_y).zip(self.mean).zip(self.inverse_std);
            for ((((x, grad_y), mean), inverse_std), (sum, product)) in channels.zip(sums) {
                *sum += f64::from(*grad_y);
                *product += f64::from(*grad_y) * f64::from((x - mean) * inverse_std);
            }
        }
    }
}

struct Backward<'a> {
    scale: &'a [f32],
    mean: &'a [f32],
    inverse_std: &'a [f32],
    /// `mean(h)` of the channel's group.
    means: &'a [f32],
    /// `mean(h * n)` of the channel's group.
    slopes: &'a [f32],
    x: &'a [f32],
    grad_y: &'a [f32],
    grad_x: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.mean.len();
        let rows = self.x.chunks_exact(n).zip(self.grad_y.chunks_exact(n));
        for ((x, grad_y), grad_x) in rows.zip(self.grad_x.chunks_exact_mut(n)) {
            let channels = self.scale.iter().zip(self.mean).zip(self.inverse_std);
            let channels = channels.zip(self.means).zip(self.slopes);
            let values = x.iter().zip(grad_y).zip(grad_x);
            for (((x, grad_y), grad_x), ((((scale, mean), inverse), mean_h), slope)) in
                values.zip(channels)
            {
                let normalized = (x - mean) * inverse;
                *grad_x += inverse * (grad_y * scale - mean_h - normalized * slope);
            }
        }
    }
}
