//! Matrix products over `gemm-f32`, on one thread.
//!
//! `gemm-f32` is the part of the `gemm` crate that multiplies `f32`: as fast, and built in half the
//! time without its five sibling types. It picks AVX-512, AVX2 or NEON at run time. This file and
//! `simd` are the only ones with unsafe code; here it is the call on raw pointers, whose extents
//! are checked against the slices.

#![allow(unsafe_code, reason = "gemm-f32 takes raw pointers and strides")]

use crate::{Matrix, MatrixMut};

/// One operand of a product: `[n_rows, n_columns]` with a stride for each.
#[derive(Clone, Copy)]
struct Operand<'a> {
    values: &'a [f32],
    n_rows: usize,
    n_columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Operand<'a> {
    fn new(matrix: Matrix<'a>) -> Self {
        Self {
            values: matrix.values(),
            n_rows: matrix.n_rows(),
            n_columns: matrix.n_columns(),
            row_stride: matrix.stride(),
            column_stride: 1,
        }
    }

    fn transposed(matrix: Matrix<'a>) -> Self {
        let Self { values, n_rows, n_columns, row_stride, column_stride } = Self::new(matrix);
        Self {
            values,
            n_rows: n_columns,
            n_columns: n_rows,
            row_stride: column_stride,
            column_stride: row_stride,
        }
    }
}

/// Writes the product `a b` to `c`, whatever it held.
///
/// # Panics
///
/// If the shapes do not fit: `[m, k] [k, n]` and `[m, n]`.
pub fn product(a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) {
    multiply(Operand::new(a), Operand::new(b), c, false);
}

/// Adds the product `a b` to `c`.
///
/// # Panics
///
/// If the shapes do not fit: `[m, k] [k, n]` and `[m, n]`.
pub fn add_product(a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) {
    multiply(Operand::new(a), Operand::new(b), c, true);
}

/// Adds the product `a^T b` to `c`.
///
/// # Panics
///
/// If the shapes do not fit: `[k, m] [k, n]` and `[m, n]`.
pub fn add_product_transposed_a(a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) {
    multiply(Operand::transposed(a), Operand::new(b), c, true);
}

/// Adds the product `a b^T` to `c`.
///
/// # Panics
///
/// If the shapes do not fit: `[m, k] [n, k]` and `[m, n]`.
pub fn add_product_transposed_b(a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) {
    multiply(Operand::new(a), Operand::transposed(b), c, true);
}

/// Writes `a b` to `c`, plus what it held if that is to be kept.
fn multiply(a: Operand<'_>, b: Operand<'_>, mut c: MatrixMut<'_>, keep: bool) {
    let (m, n, k) = (c.n_rows(), c.n_columns(), a.n_columns);
    assert_eq!(
        (a.n_rows, b.n_columns),
        (m, n),
        "product: the outer sizes of a and b are not those of c"
    );
    assert_eq!(b.n_rows, k, "product: a has {k} columns and b {} rows", b.n_rows);
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !keep {
            (0..m).for_each(|row| c.row_mut(row).fill(0.0));
        }
        return;
    }
    let c_stride = c.stride();
    let c_values = c.values_mut();
    for (name, len, extent) in [
        ("a", a.values.len(), extent(m, a.row_stride, k, a.column_stride)),
        ("b", b.values.len(), extent(k, b.row_stride, n, b.column_stride)),
        ("c", c_values.len(), extent(m, c_stride, n, 1)),
    ] {
        assert!(extent.is_some_and(|e| e <= len), "product: {name} ends beyond its {len} values");
    }
    // SAFETY: every element that the product touches lies in its slice, by the extents above, which
    // also bound the strides by a slice's length, so that they fit `isize`; `c` is exclusively
    // borrowed and initialised. The product is computed as `c^T = b^T a^T`, since `gemm-f32` wants
    // the destination's first index to be the contiguous one.
    unsafe {
        gemm_f32::gemm::f32::get_gemm_fn()(
            n,
            m,
            k,
            c_values.as_mut_ptr(),
            c_stride.cast_signed(),
            1,
            keep,
            b.values.as_ptr(),
            b.row_stride.cast_signed(),
            b.column_stride.cast_signed(),
            a.values.as_ptr(),
            a.row_stride.cast_signed(),
            a.column_stride.cast_signed(),
            1.0,
            1.0,
            false,
            false,
            false,
            gemm_common::Parallelism::None,
        );
    }
}

/// One past the last value that a matrix touches; `None` if that does not fit.
fn extent(
    n_rows: usize,
    row_stride: usize,
    n_columns: usize,
    column_stride: usize,
) -> Option<usize> {
    let rows = (n_rows - 1).checked_mul(row_stride)?;
    let columns = (n_columns - 1).checked_mul(column_stride)?;
    rows.checked_add(columns)?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pseudo_random;

    /// `c + a b` in double precision, all contiguous.
    fn reference(a: &[f32], b: &[f32], c: &[f32], k: usize, n: usize) -> Vec<f64> {
        let mut sum: Vec<f64> = c.iter().map(|&c| f64::from(c)).collect();
        for (i, sum) in sum.iter_mut().enumerate() {
            for l in 0..k {
                *sum += f64::from(a[i / n * k + l]) * f64::from(b[l * n + i % n]);
            }
        }
        sum
    }

    fn transpose(values: &[f32], n_rows: usize, n_columns: usize) -> Vec<f32> {
        (0..values.len()).map(|i| values[i % n_rows * n_columns + i / n_rows]).collect()
    }

    /// The products of one shape against the reference, `c` being columns of a wider matrix.
    fn check(m: usize, k: usize, n: usize) {
        let (a, b) = (pseudo_random(1, m * k), pseudo_random(2, k * n));
        let c = pseudo_random(3, m * n);
        let (sum, alone) =
            (reference(&a, &b, &c, k, n), reference(&a, &b, &vec![0.0; c.len()], k, n));
        let (a_transposed, b_transposed) = (transpose(&a, m, k), transpose(&b, k, n));
        for form in 0..4 {
            let expected = if form == 3 { &alone } else { &sum };
            let mut wide = vec![7.0; m * (n + 3)];
            for (row, c) in wide.chunks_mut(n + 3).zip(c.chunks(n)) {
                row[2..2 + n].copy_from_slice(c);
            }
            let out = MatrixMut::new(&mut wide, m, n + 3).columns(2..2 + n);
            match form {
                0 => add_product(Matrix::new(&a, m, k), Matrix::new(&b, k, n), out),
                1 => add_product_transposed_a(
                    Matrix::new(&a_transposed, k, m),
                    Matrix::new(&b, k, n),
                    out,
                ),
                2 => add_product_transposed_b(
                    Matrix::new(&a, m, k),
                    Matrix::new(&b_transposed, n, k),
                    out,
                ),
                _ => product(Matrix::new(&a, m, k), Matrix::new(&b, k, n), out),
            }
            for (row, expected) in wide.chunks(n + 3).zip(expected.chunks(n)) {
                assert_eq!((row[0], row[1], row[n + 2]), (7.0, 7.0, 7.0), "columns beside c");
                for (c, expected) in row[2..].iter().zip(expected) {
                    // k + 1 terms of at most 1, each rounded to a relative 2^-24 and summed.
                    let tolerance = 6e-8 * (k + 2) as f64;
                    assert!(
                        (f64::from(*c) - expected).abs() <= tolerance,
                        "{m} {k} {n}: {c} != {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn products_match_the_definition_at_every_kind_of_shape() {
        for (m, k, n) in
            [(1, 1, 1), (1, 7, 5), (5, 1, 3), (3, 2, 1), (17, 19, 23), (64, 33, 48), (130, 70, 34)]
        {
            check(m, k, n);
        }
    }

    #[test]
    fn an_empty_sum_adds_nothing_and_is_nothing() {
        let mut c = [1.0; 6];
        add_product(Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3), MatrixMut::new(&mut c, 2, 3));
        assert_eq!(c, [1.0; 6], "k = 0, added");
        product(Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3), MatrixMut::new(&mut c, 2, 3));
        assert_eq!(c, [0.0; 6], "k = 0, written");
    }

    #[test]
    fn a_written_product_does_not_read_what_was_there() {
        let mut c = [f32::NAN; 4];
        let ones = [1.0; 4];
        let (a, b) = (Matrix::new(&ones, 2, 2), Matrix::new(&ones, 2, 2));
        product(a, b, MatrixMut::new(&mut c, 2, 2));
        assert_eq!(c, [2.0; 4], "NaN before");
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let refused = std::panic::catch_unwind(|| {
            let mut c = [0.0; 4];
            add_product(
                Matrix::new(&[0.0; 6], 2, 3),
                Matrix::new(&[0.0; 4], 2, 2),
                MatrixMut::new(&mut c, 2, 2),
            );
        });
        assert!(refused.is_err(), "3 columns against 2 rows");
    }
}
