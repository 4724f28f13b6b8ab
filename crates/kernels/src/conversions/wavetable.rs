//! From harmonics to one period of their sound.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Harmonic distributions to wavetables: `table[t] = sum_k d_k cos(2 pi k t / table_len)`, by FFT.
///
/// Without DC. The harmonics begin as cosines, as in magenta/ddsp 3.7: the same sound as the sines of
/// [`Harmonic`](crate::Harmonic), another waveform.
pub struct HarmonicToWavetable {
    n_harmonics: usize,
    to_samples: Arc<dyn ComplexToReal<f32>>,
    to_spectrum: Arc<dyn RealToComplex<f32>>,
    spectrum: Vec<Complex<f32>>,
    samples: Vec<f32>,
    scratch: Vec<Complex<f32>>,
}

impl fmt::Debug for HarmonicToWavetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HarmonicToWavetable")
            .field("n_harmonics", &self.n_harmonics)
            .field("table_len", &self.samples.len())
            .finish_non_exhaustive()
    }
}

impl HarmonicToWavetable {
    /// Tables of `table_len` samples of harmonics `1..=n_harmonics`.
    ///
    /// # Panics
    ///
    /// If `table_len` is odd, or not above `2 n_harmonics`: a table has no room for a harmonic of two
    /// samples a period and less.
    pub fn new(n_harmonics: usize, table_len: usize) -> Self {
        assert!(
            table_len.is_multiple_of(2) && table_len > 2 * n_harmonics,
            "HarmonicToWavetable: {n_harmonics} harmonics in {table_len} samples"
        );
        let mut planner = RealFftPlanner::new();
        let to_samples = planner.plan_fft_inverse(table_len);
        let to_spectrum = planner.plan_fft_forward(table_len);
        let scratch_len = to_samples.get_scratch_len().max(to_spectrum.get_scratch_len());
        Self {
            n_harmonics,
            spectrum: to_samples.make_input_vec(),
            samples: to_samples.make_output_vec(),
            scratch: vec![Complex::default(); scratch_len],
            to_samples,
            to_spectrum,
        }
    }

    /// Overwrites `tables` `[n_frames, table_len]` from `harmonic_distribution` `[n_frames,
    /// n_harmonics]`.
    ///
    /// # Panics
    ///
    /// If either is not whole frames, or they are not equally many.
    pub fn forward(&mut self, harmonic_distribution: &[f32], tables: &mut [f32]) {
        self.check(harmonic_distribution.len(), tables.len());
        let table_len = self.samples.len();
        let rows = harmonic_distribution.chunks_exact(self.n_harmonics.max(1));
        for (table, distribution) in tables.chunks_exact_mut(table_len).zip(rows) {
            self.spectrum.fill(Complex::default());
            for (bin, d) in self.spectrum[1..].iter_mut().zip(distribution) {
                // Half: the mirrored bin gives the other.
                *bin = Complex::new(0.5 * d, 0.0);
            }
            self.to_samples
                .process_with_scratch(&mut self.spectrum, table, &mut self.scratch)
                .expect("buffers were made for this plan");
        }
    }

    /// Accumulates into `grad_harmonic_distribution` the transpose of [`forward`](Self::forward), a
    /// linear map.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&mut self, grad_tables: &[f32], grad_harmonic_distribution: &mut [f32]) {
        self.check(grad_harmonic_distribution.len(), grad_tables.len());
        let table_len = self.samples.len();
        let rows = grad_harmonic_distribution.chunks_exact_mut(self.n_harmonics.max(1));
        for (grad_table, grad) in grad_tables.chunks_exact(table_len).zip(rows) {
            self.samples.copy_from_slice(grad_table);
            self.to_spectrum
                .process_with_scratch(&mut self.samples, &mut self.spectrum, &mut self.scratch)
                .expect("buffers were made for this plan");
            for (sum, bin) in grad.iter_mut().zip(&self.spectrum[1..]) {
                *sum += bin.re;
            }
        }
    }

    fn check(&self, n_distribution: usize, n_tables: usize) {
        let (n_harmonics, table_len) = (self.n_harmonics, self.samples.len());
        let n_frames = n_tables / table_len;
        assert!(
            n_tables.is_multiple_of(table_len) && n_distribution == n_frames * n_harmonics,
            "HarmonicToWavetable: {n_distribution} values of {n_harmonics} harmonics for {n_tables} \
             samples of tables of {table_len}"
        );
    }
}
