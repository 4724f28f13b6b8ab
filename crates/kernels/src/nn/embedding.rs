//! Rows of a table, by number: what a one-hot vector times a matrix is.

use crate::{Matrix, MatrixMut};

/// Writes to each row of `y`, `[n_rows, n_columns]`, the row of `table`, `[n_entries, n_columns]`,
/// that `indices`, `[n_rows]`, says.
///
/// # Realtime Safety
///
/// Does not allocate, lock or do I/O.
///
/// # Panics
///
/// If the shapes do not fit, or there is no such row.
pub fn embedding(table: Matrix<'_>, indices: &[usize], mut y: MatrixMut<'_>) {
    check_shapes(table, indices, y.as_ref());
    for (row, &index) in indices.iter().enumerate() {
        y.row_mut(row).copy_from_slice(table.row(index));
    }
}

/// Accumulates into `grad_table` the vector-Jacobian product of [`embedding`].
///
/// # Realtime Safety
///
/// Does not allocate, lock or do I/O.
///
/// # Panics
///
/// If the shapes do not fit, or there is no such row.
pub fn embedding_backward(indices: &[usize], grad_y: Matrix<'_>, mut grad_table: MatrixMut<'_>) {
    check_shapes(grad_table.as_ref(), indices, grad_y);
    for (row, &index) in indices.iter().enumerate() {
        let grads = grad_table.row_mut(index).iter_mut();
        grads.zip(grad_y.row(row)).for_each(|(sum, grad)| *sum += grad);
    }
}

fn check_shapes(table: Matrix<'_>, indices: &[usize], y: Matrix<'_>) {
    let (n_entries, n_columns) = (table.n_rows(), table.n_columns());
    let (n_rows, n_y, n_y_columns) = (indices.len(), y.n_rows(), y.n_columns());
    assert_eq!(n_y, n_rows, "embedding: {n_y} rows of y for {n_rows} indices");
    assert_eq!(
        n_y_columns, n_columns,
        "embedding: {n_y_columns} columns of y for {n_columns} of the table"
    );
    for index in indices {
        assert!(*index < n_entries, "embedding: row {index} of {n_entries}");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::agreement::{Report, Tolerance};
    use crate::nn::tests::Case;
    use crate::testing::pseudo_random;

    /// Some rows twice, one never.
    const INDICES: [usize; 6] = [3, 0, 3, 4, 1, 3];

    /// A one-hot vector times the table, for each index.
    fn reference([table]: [&[f64]; 1], y: &mut [f64]) {
        let n_columns = y.len() / INDICES.len();
        for (i, y) in y.iter_mut().enumerate() {
            let one_hot = |entry: usize| f64::from(u8::from(entry == INDICES[i / n_columns]));
            *y = (0..5).map(|e| one_hot(e) * table[e * n_columns + i % n_columns]).sum();
        }
    }

    pub(crate) fn agreement(report: &mut Report) {
        let operation = report.operation("embedding");
        for n in [1, 17] {
            let case = Case {
                names: ["table"],
                inputs: [pseudo_random(1, 5 * n)],
                y_len: INDICES.len() * n,
                steps: [1.0],
            };
            let mut y = vec![f32::NAN; case.y_len];
            let table = Matrix::new(&case.inputs[0], 5, n);
            embedding(table, &INDICES, MatrixMut::new(&mut y, INDICES.len(), n));
            operation.oracle("embedding", &y, &case.expected(reference), Tolerance::absolute(0.0));
            case.check_gradients(operation, reference, |_, grad_y, [grad_table]| {
                let grad_y = Matrix::new(grad_y, INDICES.len(), n);
                embedding_backward(&INDICES, grad_y, MatrixMut::new(grad_table, 5, n));
            });
        }
    }

    #[test]
    fn it_agrees_with_its_formula_and_gradient() {
        agreement(&mut Report::default());
    }

    #[test]
    fn nan_comes_with_its_row() {
        let (table, mut y) = ([0.0, f32::NAN], [0.0; 3]);
        embedding(Matrix::new(&table, 2, 1), &[0, 1, 0], MatrixMut::new(&mut y, 3, 1));
        assert_eq!(y.map(f32::is_nan), [false, true, false], "{y:?}");
    }

    #[test]
    #[should_panic(expected = "embedding: row 2 of 2")]
    fn a_row_beyond_the_table_is_refused() {
        let mut y = [0.0; 2];
        embedding(Matrix::new(&[0.0; 2], 2, 1), &[1, 2], MatrixMut::new(&mut y, 2, 1));
    }

    #[test]
    #[should_panic(expected = "embedding: 3 rows of y for 2 indices")]
    fn a_wrong_length_names_both() {
        let mut y = [0.0; 3];
        embedding(Matrix::new(&[0.0; 2], 2, 1), &[1, 0], MatrixMut::new(&mut y, 3, 1));
    }
}
