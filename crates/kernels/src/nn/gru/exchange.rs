//! How workers that share one GRU tell each other what they computed.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Matrix, MatrixMut};

/// Two tables through which workers with columns of their own see each other's.
///
/// In a turn every worker writes its columns, waits for the others, and reads all columns. Turns
/// take the tables alternately, so one wait for each turn is enough: who is a turn ahead writes the
/// other table, and cannot be two ahead. The cells are atomic, which costs about a nanosecond for
/// each and spares unsafe code: with a barrier that does not wait the values are wrong, and nothing
/// worse.
#[derive(Debug)]
pub struct ColumnExchange {
    n_columns: usize,
    tables: [Vec<AtomicU32>; 2],
}

impl ColumnExchange {
    /// Tables of up to `n_rows` rows of `n_columns`.
    pub fn new(n_rows: usize, n_columns: usize) -> Self {
        let table = || (0..n_rows * n_columns).map(|_| AtomicU32::new(0)).collect();
        Self { n_columns, tables: [table(), table()] }
    }

    /// What the worker with the columns `columns` calls in every turn: it writes `mine`,
    /// `[n_rows, columns]`, calls `wait`, and reads `all`, `[n_rows, n_columns]`.
    ///
    /// `wait` must return once every worker has called it, as [`std::sync::Barrier::wait`] does; a
    /// barrier that spins is right for turns of a few microseconds on processors of their own.
    /// All workers take the same number of turns of the same numbers of rows. A worker made anew
    /// begins with the first table: all must have finished with the old ones.
    ///
    /// # Realtime Safety
    ///
    /// Does what `wait` does, and nothing else that could block.
    ///
    /// # Panics
    ///
    /// What is returned panics if the shapes are not those promised.
    pub fn worker(
        &self,
        columns: Range<usize>,
        wait: impl Fn(),
    ) -> impl FnMut(Matrix<'_>, MatrixMut<'_>) {
        let mut turn = 0;
        move |mine, mut all| {
            let n_rows = mine.n_rows();
            let table = &self.tables[turn];
            turn = 1 - turn;
            let (n_mine, n_all, n_columns) = (mine.n_columns(), all.n_columns(), self.n_columns);
            assert_eq!(n_mine, columns.len(), "exchange: {n_mine} columns for {columns:?}");
            assert_eq!(n_all, n_columns, "exchange: {n_all} columns of all, {n_columns} here");
            assert_eq!(all.n_rows(), n_rows, "exchange: {} rows for {n_rows}", all.n_rows());
            assert!(n_rows * n_columns <= table.len(), "exchange: no room for {n_rows} rows");
            for (row, cells) in table.chunks(n_columns.max(1)).take(n_rows).enumerate() {
                for (cell, value) in cells[columns.clone()].iter().zip(mine.row(row)) {
                    cell.store(value.to_bits(), Ordering::Relaxed);
                }
            }
            wait();
            for (row, cells) in table.chunks(n_columns.max(1)).take(n_rows).enumerate() {
                for (value, cell) in all.row_mut(row).iter_mut().zip(cells) {
                    *value = f32::from_bits(cell.load(Ordering::Relaxed));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::tests::Rendezvous;
    use std::thread;

    #[test]
    fn every_worker_sees_all_columns_of_every_turn() {
        let (exchange, barrier) = (ColumnExchange::new(2, 5), Rendezvous::new(3));
        thread::scope(|scope| {
            for columns in [0..1, 1..4, 4..5] {
                let (exchange, barrier) = (&exchange, &barrier);
                scope.spawn(move || {
                    let mut worker = exchange.worker(columns.clone(), || barrier.wait());
                    for turn in 0..200_u16 {
                        let value = |row: usize, column: usize| {
                            f32::from(turn) + 0.1 * row as f32 + 0.01 * column as f32
                        };
                        let mine: Vec<f32> = (0..2)
                            .flat_map(|row| columns.clone().map(move |column| value(row, column)))
                            .collect();
                        let mut all = [f32::NAN; 10];
                        worker(
                            Matrix::new(&mine, 2, columns.len()),
                            MatrixMut::new(&mut all, 2, 5),
                        );
                        let expected: [f32; 10] = std::array::from_fn(|i| value(i / 5, i % 5));
                        assert_eq!(all, expected, "turn {turn}, columns {columns:?}");
                    }
                });
            }
        });
    }

    #[test]
    #[should_panic(expected = "exchange: 2 columns for 0..3")]
    fn wrong_columns_are_refused() {
        let exchange = ColumnExchange::new(1, 4);
        let mut worker = exchange.worker(0..3, || ());
        worker(Matrix::new(&[0.0; 2], 1, 2), MatrixMut::new(&mut [0.0; 4], 1, 4));
    }
}
