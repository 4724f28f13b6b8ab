//! The parameters of a network: one flat buffer, and a table that says what lies where.
//!
//! Gradients and an optimizer's moments are buffers of the same layout.

use std::f64::consts::TAU;
use std::ops::Range;

use rand::Rng;
use rand_pcg::{Pcg64, rand_core::SeedableRng};

/// The values of all parameters of a network, in the order of its [`ParameterTable`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// `[n_values]`
    pub values: Vec<f32>,
}

/// Names, shapes and places of all parameters of a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterTable {
    /// One entry for each tensor; their ranges follow each other without gaps.
    pub entries: Vec<ParameterEntry>,
}

/// One tensor among the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterEntry {
    /// Unique name, such as `gru/kernel`.
    pub name: String,
    /// Shape, row-major.
    pub shape: Vec<usize>,
    /// Where its values lie in the flat buffer.
    pub range: Range<usize>,
    /// What it holds before training.
    pub initial: Initial,
}

/// What a tensor holds before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// 0, for biases and shifts.
    Zeros,
    /// 1, for gains.
    Ones,
    /// Uniform within `sqrt(6 / (n_in + n_out))` of 0 for a shape of `[n_in, n_out]` (Glorot and
    /// Bengio 2010): signals keep their variance forward and backward.
    GlorotUniform,
    /// Orthonormal rows of random direction, for a recurrent kernel `[n_in, n_out]` with
    /// `n_in <= n_out`: a state keeps its length from frame to frame (Saxe et al. 2014).
    Orthogonal,
    /// Normal around 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Periods of sounds, for tables `[n_tables, table_len]`: harmonics whose levels fall by 6 dB an
    /// octave and vary by chance, each table with a root mean square of 0.5.
    Periods,
}

impl ParameterTable {
    /// Appends a tensor and returns where its values lie.
    pub(crate) fn push(&mut self, name: String, shape: &[usize], initial: Initial) -> Range<usize> {
        let start = self.n_values();
        let range = start..start + shape.iter().product::<usize>();
        let entry = ParameterEntry { name, shape: shape.to_vec(), range: range.clone(), initial };
        self.entries.push(entry);
        range
    }

    /// Number of values of all tensors.
    pub fn n_values(&self) -> usize {
        self.entries.last().map_or(0, |entry| entry.range.end)
    }

    /// The values before training, determined by `seed`.
    pub fn initial_parameters(&self, seed: u64) -> Parameters {
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut values = vec![0.0; self.n_values()];
        for entry in &self.entries {
            let values = &mut values[entry.range.clone()];
            match entry.initial {
                Initial::Zeros => values.fill(0.0),
                Initial::Ones => values.fill(1.0),
                Initial::GlorotUniform => fill_glorot_uniform(&entry.shape, values, &mut rng),
                Initial::Orthogonal => fill_orthogonal(&entry.shape, values, &mut rng),
                Initial::Normal { std } => {
                    values.iter_mut().for_each(|value| *value = round(std * normal(&mut rng)));
                }
                Initial::Periods => {
                    let tables = values.chunks_exact_mut(entry.shape[1]);
                    tables.for_each(|table| fill_period(table, &mut rng));
                }
            }
        }
        Parameters { values }
    }
}

fn fill_glorot_uniform(shape: &[usize], values: &mut [f32], rng: &mut Pcg64) {
    let limit = (6.0 / shape.iter().sum::<usize>() as f64).sqrt();
    for value in values {
        *value = round(limit * (2.0 * unit(rng) - 1.0));
    }
}

/// Gram-Schmidt on rows of normal deviates, whose direction is uniform; in double precision, since
/// each row is corrected by all rows before it.
fn fill_orthogonal(shape: &[usize], values: &mut [f32], rng: &mut Pcg64) {
    let (n_rows, n_columns) = (shape[0], shape[1]);
    assert!(n_rows <= n_columns, "no {n_rows} orthogonal rows of {n_columns}");
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(n_rows);
    for _ in 0..n_rows {
        let mut row: Vec<f64> = (0..n_columns).map(|_| normal(rng)).collect();
        for other in &rows {
            let shared: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(other).for_each(|(a, b)| *a -= shared * b);
        }
        let length = row.iter().map(|a| a * a).sum::<f64>().sqrt();
        row.iter_mut().for_each(|a| *a /= length);
        rows.push(row);
    }
    for (value, row_value) in values.iter_mut().zip(rows.iter().flatten()) {
        *value = round(*row_value);
    }
}

/// One period of a sound of normal deviates over `k` as the amplitudes of harmonic `k`.
fn fill_period(table: &mut [f32], rng: &mut Pcg64) {
    let len = table.len();
    // Those above are heard at low pitches only, and would cost the square of the length.
    let n_harmonics = (len / 2 - 1).clamp(1, 64);
    let mut period = vec![0.0; len];
    for k in 1..=n_harmonics {
        let (sine, cosine) = (normal(rng) / k as f64, normal(rng) / k as f64);
        for (i, value) in period.iter_mut().enumerate() {
            let angle = TAU * (k * i % len) as f64 / len as f64;
            *value += sine * angle.sin() + cosine * angle.cos();
        }
    }
    let rms = (period.iter().map(|value| value * value).sum::<f64>() / len as f64).sqrt();
    for (value, period) in table.iter_mut().zip(&period) {
        *value = round(0.5 * period / rms);
    }
}

/// Uniform in `(0, 1]`, so that its logarithm is finite.
fn unit(rng: &mut Pcg64) -> f64 {
    const STEPS: u64 = 1 << 53;
    ((rng.next_u64() >> 11) + 1) as f64 / STEPS as f64
}

/// A normal deviate, by Box and Muller.
fn normal(rng: &mut Pcg64) -> f64 {
    let radius = (-2.0 * unit(rng).ln()).sqrt();
    radius * (TAU * unit(rng)).cos()
}

fn round(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "parameters are single precision")]
    let rounded = value as f32;
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ParameterTable {
        let mut table = ParameterTable::default();
        table.push("kernel".to_owned(), &[40, 60], Initial::GlorotUniform);
        table.push("bias".to_owned(), &[60], Initial::Zeros);
        table.push("gain".to_owned(), &[60], Initial::Ones);
        table.push("recurrent".to_owned(), &[24, 72], Initial::Orthogonal);
        table
    }

    #[test]
    fn tensors_follow_each_other_without_gaps() {
        let table = table();
        let mut end = 0;
        for entry in &table.entries {
            assert_eq!(entry.range.start, end, "{}", entry.name);
            end = entry.range.end;
            assert_eq!(entry.range.len(), entry.shape.iter().product::<usize>(), "{}", entry.name);
        }
        assert_eq!(table.n_values(), end, "all of them");
    }

    #[test]
    fn initial_values_depend_on_the_seed_alone() {
        let table = table();
        assert_eq!(table.initial_parameters(5), table.initial_parameters(5), "same seed");
        assert_ne!(table.initial_parameters(5), table.initial_parameters(6), "other seed");
    }

    #[test]
    fn kernels_are_uniform_within_glorots_limit() {
        let values = table().initial_parameters(1).values;
        let (kernel, rest) = values.split_at(2400);
        let limit = (6.0_f32 / 100.0).sqrt();
        assert!(kernel.iter().all(|v| v.abs() <= limit), "within {limit}");
        let moment = |power: i32| -> f64 {
            kernel.iter().map(|&v| f64::from(v / limit).powi(power)).sum::<f64>() / 2400.0
        };
        // Four standard errors of 2,400 draws from [-1, 1].
        assert!(moment(1).abs() < 0.047, "mean {}", moment(1));
        assert!((moment(2) - 1.0 / 3.0).abs() < 0.025, "mean square {}", moment(2));
        assert_eq!(rest[..60], [0.0; 60], "bias");
        assert_eq!(rest[60..120], [1.0; 60], "gain");
    }

    #[test]
    fn recurrent_rows_are_orthonormal() {
        let values = table().initial_parameters(1).values;
        let rows: Vec<&[f32]> = values[2520..].chunks(72).collect();
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                let product: f64 = a.iter().zip(*b).map(|(a, b)| f64::from(a * b)).sum();
                let expected = f64::from(u8::from(i == j));
                // 72 products of values around 0.1, rounded to 2^-24 of themselves.
                assert!((product - expected).abs() < 1e-6, "rows {i} and {j}: {product}");
            }
        }
    }
}
