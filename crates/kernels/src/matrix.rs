//! Views of matrices in slices: rows of equal length at a fixed stride.
//!
//! A layer may read and write some columns of a wider buffer through them, so that joining the
//! outputs of several layers copies nothing.

use std::ops::Range;

/// A matrix to read, `[n_rows, n_columns]`, whose rows begin `stride` values apart.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    n_rows: usize,
    n_columns: usize,
    stride: usize,
}

/// A matrix to write, `[n_rows, n_columns]`, whose rows begin `stride` values apart.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    values: &'a mut [f32],
    n_rows: usize,
    n_columns: usize,
    stride: usize,
}

/// The values from the first of the first row to the last of the last row.
fn span(n_rows: usize, n_columns: usize, stride: usize) -> usize {
    if n_rows == 0 || n_columns == 0 { 0 } else { (n_rows - 1) * stride + n_columns }
}

/// Where the rows `rows` lie in the values of a matrix of `n_rows`.
fn row_range(rows: &Range<usize>, n_rows: usize, n_columns: usize, stride: usize) -> Range<usize> {
    assert!(rows.start <= rows.end && rows.end <= n_rows, "rows {rows:?} of {n_rows}");
    match span(rows.len(), n_columns, stride) {
        0 => 0..0,
        span => rows.start * stride..rows.start * stride + span,
    }
}

/// Where the columns `columns` lie in the values of a matrix of `n_columns`.
fn column_range(
    columns: &Range<usize>,
    n_rows: usize,
    n_columns: usize,
    stride: usize,
) -> Range<usize> {
    assert!(
        columns.start <= columns.end && columns.end <= n_columns,
        "columns {columns:?} of {n_columns}"
    );
    match span(n_rows, columns.len(), stride) {
        0 => 0..0,
        span => columns.start..columns.start + span,
    }
}

impl<'a> Matrix<'a> {
    /// All of `values` as rows of `n_columns`.
    ///
    /// # Panics
    ///
    /// If `values.len() != n_rows * n_columns`.
    pub fn new(values: &'a [f32], n_rows: usize, n_columns: usize) -> Self {
        assert_eq!(values.len(), n_rows * n_columns, "a matrix of {n_rows} x {n_columns} values");
        Self { values, n_rows, n_columns, stride: n_columns }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Distance between the beginnings of two rows, in values.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The values from the first of the first row to the last of the last row.
    pub(crate) fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Row `row`, `[n_columns]`.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..self.n_columns]
    }

    /// The rows of a range.
    ///
    /// # Panics
    ///
    /// If the range is not within the rows.
    pub fn rows(self, rows: Range<usize>) -> Self {
        let range = row_range(&rows, self.n_rows, self.n_columns, self.stride);
        Self { values: &self.values[range], n_rows: rows.len(), ..self }
    }

    /// The columns of a range, in every row.
    ///
    /// # Panics
    ///
    /// If the range is not within the columns.
    pub fn columns(self, columns: Range<usize>) -> Self {
        let range = column_range(&columns, self.n_rows, self.n_columns, self.stride);
        Self { values: &self.values[range], n_columns: columns.len(), ..self }
    }

    /// The first row and each `step`th after it.
    ///
    /// # Panics
    ///
    /// If `step` is 0.
    pub fn every(self, step: usize) -> Self {
        Self { n_rows: self.n_rows.div_ceil(step), stride: self.stride * step, ..self }
    }
}

impl<'a> MatrixMut<'a> {
    /// All of `values` as rows of `n_columns`.
    ///
    /// # Panics
    ///
    /// If `values.len() != n_rows * n_columns`.
    pub fn new(values: &'a mut [f32], n_rows: usize, n_columns: usize) -> Self {
        assert_eq!(values.len(), n_rows * n_columns, "a matrix of {n_rows} x {n_columns} values");
        Self { values, n_rows, n_columns, stride: n_columns }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Distance between the beginnings of two rows, in values.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The values from the first of the first row to the last of the last row.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        self.values
    }

    /// Row `row`, `[n_columns]`.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[inline(always)]
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.stride..][..self.n_columns]
    }

    /// The same matrix, to read.
    pub fn as_ref(&self) -> Matrix<'_> {
        let Self { n_rows, n_columns, stride, .. } = *self;
        Matrix { values: self.values, n_rows, n_columns, stride }
    }

    /// The same matrix, lent.
    pub fn reborrow(&mut self) -> MatrixMut<'_> {
        let Self { n_rows, n_columns, stride, .. } = *self;
        MatrixMut { values: self.values, n_rows, n_columns, stride }
    }

    /// The rows of a range.
    ///
    /// # Panics
    ///
    /// If the range is not within the rows.
    pub fn rows(self, rows: Range<usize>) -> Self {
        let range = row_range(&rows, self.n_rows, self.n_columns, self.stride);
        Self { values: &mut self.values[range], n_rows: rows.len(), ..self }
    }

    /// The columns of a range, in every row.
    ///
    /// # Panics
    ///
    /// If the range is not within the columns.
    pub fn columns(self, columns: Range<usize>) -> Self {
        let range = column_range(&columns, self.n_rows, self.n_columns, self.stride);
        Self { values: &mut self.values[range], n_columns: columns.len(), ..self }
    }

    /// The first row and each `step`th after it.
    ///
    /// # Panics
    ///
    /// If `step` is 0.
    pub fn every(self, step: usize) -> Self {
        Self { n_rows: self.n_rows.div_ceil(step), stride: self.stride * step, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_are_those_of_the_whole() {
        let values: Vec<f32> = (0_u8..20).map(f32::from).collect();
        let part = Matrix::new(&values, 4, 5).columns(1..4).rows(1..3);
        assert_eq!((part.n_rows(), part.n_columns()), (2, 3), "2 rows of 3 columns");
        assert_eq!(part.row(0), [6.0, 7.0, 8.0], "row 1 of the whole");
        assert_eq!(part.row(1), [11.0, 12.0, 13.0], "row 2 of the whole");
        let last = Matrix::new(&values, 4, 5).rows(2..4).columns(3..5);
        assert_eq!(last.row(1), [18.0, 19.0], "the last two values");
    }

    #[test]
    fn a_part_to_write_is_where_the_part_to_read_is() {
        let mut values = vec![0.0; 20];
        let mut part = MatrixMut::new(&mut values, 4, 5).columns(2..4).rows(1..3);
        part.row_mut(1)[0] = 1.0;
        assert_eq!(part.as_ref().row(1), [1.0, 0.0], "read back");
        assert_eq!(values[2 * 5 + 2], 1.0, "row 2, column 2 of the whole");
    }

    #[test]
    fn every_other_row_is_one_of_the_whole() {
        let mut values: Vec<f32> = (0_u8..10).map(f32::from).collect();
        let odd = Matrix::new(&values, 5, 2).rows(1..5).every(2);
        assert_eq!((odd.n_rows(), odd.row(0), odd.row(1)), (2, &[2.0, 3.0][..], &[6.0, 7.0][..]));
        let mut even = MatrixMut::new(&mut values, 5, 2).every(2);
        even.row_mut(2)[1] = 0.0;
        assert_eq!((even.n_rows(), values[9]), (3, 0.0), "the last row of 5");
    }

    #[test]
    fn empty_parts_are_allowed_and_outside_parts_are_not() {
        let values = [0.0; 6];
        let whole = Matrix::new(&values, 2, 3);
        assert_eq!(whole.rows(2..2).n_rows(), 0, "no row");
        assert_eq!(whole.columns(3..3).n_columns(), 0, "no column");
        assert!(std::panic::catch_unwind(|| whole.rows(1..3)).is_err(), "there is no row 2");
        assert!(std::panic::catch_unwind(|| whole.columns(2..4)).is_err(), "there is no column 3");
    }
}
