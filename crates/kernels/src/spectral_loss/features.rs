//! What the terms of the loss compare: rows made from rows of magnitudes, and the way back.

#![expect(clippy::cast_possible_truncation, reason = "running sums are f64, kept in f32")]

use crate::simd::{Kernel, Simd};

/// Values whose running sums are taken at once.
const LANES: usize = 16;

/// Writes `x[k + 1] - x[k]`, one value less than `x` has.
pub(super) fn delta(simd: Simd, x: &[f32], deltas: &mut [f32]) {
    simd.run(Subtract { a: &x[1..], b: &x[..x.len() - 1], y: deltas });
}

/// Accumulates into `grad_x` the vector-Jacobian product of [`delta`].
pub(super) fn delta_backward(simd: Simd, grad_deltas: &[f32], grad_x: &mut [f32]) {
    let n = grad_deltas.len();
    simd.run(Add { factor: 1.0, x: grad_deltas, y: &mut grad_x[1..] });
    simd.run(Add { factor: -1.0, x: grad_deltas, y: &mut grad_x[..n] });
}

/// Writes `after - before`.
pub(super) fn change(simd: Simd, before: &[f32], after: &[f32], changes: &mut [f32]) {
    simd.run(Subtract { a: after, b: before, y: changes });
}

/// Accumulates the vector-Jacobian product of [`change`].
pub(super) fn change_backward(
    simd: Simd,
    grad_changes: &[f32],
    grad_before: &mut [f32],
    grad_after: &mut [f32],
) {
    simd.run(Add { factor: 1.0, x: grad_changes, y: grad_after });
    simd.run(Add { factor: -1.0, x: grad_changes, y: grad_before });
}

/// Writes the sums of `x` up to and with each value.
pub(super) fn running_sum(simd: Simd, x: &[f32], sums: &mut [f32]) {
    simd.run(RunningSum { x, sums });
}

/// Accumulates into `grad_x` the vector-Jacobian product of [`running_sum`]: the sums from each
/// value to the last.
///
/// `reversed` is scratch of the same length.
pub(super) fn running_sum_backward(
    simd: Simd,
    grad_sums: &mut [f32],
    reversed: &mut [f32],
    grad_x: &mut [f32],
) {
    grad_sums.reverse();
    simd.run(RunningSum { x: grad_sums, sums: reversed });
    for (grad, sum) in grad_x.iter_mut().zip(reversed.iter().rev()) {
        *grad += sum;
    }
}

/// `y = a - b`.
struct Subtract<'a> {
    a: &'a [f32],
    b: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Subtract<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((y, a), b) in self.y.iter_mut().zip(self.a).zip(self.b) {
            *y = a - b;
        }
    }
}

/// `y += factor x`.
struct Add<'a> {
    factor: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y += self.factor * x;
        }
    }
}

/// [`running_sum`]: within a chunk by doubling strides, from chunk to chunk in `f64`.
struct RunningSum<'a> {
    x: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for RunningSum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let (chunks, last) = self.x.as_chunks::<LANES>();
        let (sum_chunks, last_sums) = self.sums.as_chunks_mut::<LANES>();
        let mut carry = 0.0_f64;
        for (x, sums) in chunks.iter().zip(sum_chunks) {
            let mut within = *x;
            for stride in [1, 2, 4, 8] {
                let before = within;
                for i in stride..LANES {
                    within[i] += before[i - stride];
                }
            }
            for i in 0..LANES {
                sums[i] = (carry + f64::from(within[i])) as f32;
            }
            carry += f64::from(within[LANES - 1]);
        }
        for (x, sum) in last.iter().zip(last_sums) {
            carry += f64::from(*x);
            *sum = carry as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, pseudo_random, widen};

    #[test]
    fn running_sums_are_those_of_a_plain_loop_and_their_backward_is_the_adjoint() {
        for len in [1, 15, 16, 17, 33, 1025] {
            let x = pseudo_random(1, len);
            let plain: Vec<f64> = widen(&x)
                .iter()
                .scan(0.0, |sum, x| {
                    *sum += x;
                    Some(*sum)
                })
                .collect();
            for simd in Simd::all() {
                let mut sums = vec![f32::NAN; len];
                running_sum(simd, &x, &mut sums);
                // Four roundings within a chunk, of sums up to 16; one of the whole.
                let largest = plain.iter().fold(16.0_f64, |m, s| m.max(s.abs()));
                assert_close("running sum", &sums, &plain, 2e-7 * largest);
                // <g, S x> = <S' g, x>, and what the gradient held stays.
                let g = pseudo_random(2, len);
                let (mut grad, mut grad_x) = (g.clone(), vec![1.0; len]);
                running_sum_backward(simd, &mut grad, &mut vec![f32::NAN; len], &mut grad_x);
                let dot = |a: &[f64], b: &[f32]| -> f64 {
                    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
                };
                let grad_x: Vec<f64> = grad_x.iter().map(|g| f64::from(*g) - 1.0).collect();
                let (left, right) = (dot(&plain, &g), dot(&grad_x, &x));
                // Rounding of the gradient beside 1, over all terms.
                let error = (left - right).abs();
                assert!(error <= 4e-7 * largest * len as f64, "{len}: {left} != {right}");
            }
        }
    }
}
