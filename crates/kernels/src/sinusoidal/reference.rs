//! What the reference computes, rounding by rounding: running sums in f32, in its order.

use std::f32::consts::TAU;

/// Samples between two reductions to one turn in its `angular_cumsum`.
const CHUNK: usize = 1000;

/// Inclusive running sum over time of each column of `x` `[n, n_columns]`.
fn running_sum(x: &[f32], n_columns: usize) -> Vec<f32> {
    let mut sums = x.to_vec();
    for i in n_columns..sums.len() {
        sums[i] += sums[i - n_columns];
    }
    sums
}

/// The same in chunks of `chunk` rows, each begun anew and then moved by the sum of the last rows of
/// those before, everything modulo a turn.
pub(crate) fn angular_cumsum(x: &[f32], n_columns: usize, chunk: usize) -> Vec<f32> {
    let mut phases = Vec::new();
    let (mut offsets, mut ends) = (vec![0.0; n_columns], vec![0.0; n_columns]);
    for chunk in x.chunks(chunk * n_columns) {
        let sums = running_sum(chunk, n_columns);
        for (offset, end) in offsets.iter_mut().zip(&mut ends) {
            // The running sum of the ends is not reduced, what is added to the phases is.
            *end += *offset;
            *offset = *end % TAU;
        }
        for row in sums.chunks(n_columns) {
            phases.extend(row.iter().zip(&offsets).map(|(phase, offset)| (phase + offset) % TAU));
        }
        let last = &sums[sums.len() - n_columns..];
        for (offset, last) in offsets.iter_mut().zip(last) {
            *offset = last % TAU;
        }
    }
    phases
}

/// Each oscillator's signal, `[n_samples, n_sinusoids]`, from sample-rate frequencies and amplitudes.
pub(crate) fn oscillators(
    frequencies_hz: &[f32],
    amplitudes: &[f32],
    n_sinusoids: usize,
    sample_rate: f32,
    use_angular_cumsum: bool,
) -> Vec<f32> {
    let omegas: Vec<f32> = frequencies_hz.iter().map(|f| f * TAU / sample_rate).collect();
    let phases = if use_angular_cumsum {
        angular_cumsum(&omegas, n_sinusoids, CHUNK)
    } else {
        running_sum(&omegas, n_sinusoids)
    };
    let waves = phases.iter().map(|phase| f64::from(*phase).sin() as f32);
    let heard = frequencies_hz.iter().zip(amplitudes);
    let heard = heard.map(|(f, a)| if *f >= sample_rate / 2.0 { 0.0 } else { *a });
    waves.zip(heard).map(|(wave, a)| a * wave).collect()
}

/// Sum of each row of `[n_samples, n_sinusoids]`.
pub(crate) fn sum_rows(waves: &[f32], n_sinusoids: usize) -> Vec<f32> {
    waves.chunks(n_sinusoids).map(|row| row.iter().sum()).collect()
}
