//! The spectral loss of one example, its FFT sizes spread over threads.

use std::thread;

use ddsp_kernels::{LoudnessDistance, SpectralLossConfig, SpectralLossTerms, SpectralScale};
use ddsp_model::Config;

use crate::parallel::joined;

/// Working memory for the loss of examples of one length, and of one other length at a time.
pub(crate) struct ExampleLoss {
    config: SpectralLossConfig,
    n_threads: usize,
    usual: Sized,
    /// For the last short example.
    short: Option<Sized>,
}

/// The FFT sizes of each thread, for one length.
struct Sized {
    n_samples: usize,
    shares: Vec<Share>,
}

/// What one thread computes.
struct Share {
    scales: Vec<SpectralScale>,
    /// In the last share, if loudness has a weight.
    loudness: Option<LoudnessDistance>,
    grad_audio: Vec<f32>,
}

impl Sized {
    fn new(config: &SpectralLossConfig, n_threads: usize, n_samples: usize) -> Self {
        let n_threads = n_threads.clamp(1, config.fft_lens.len());
        // Sizes are listed from long to short; every other one makes shares of like cost.
        let share = |t: usize| Share {
            scales: (config.fft_lens.iter().skip(t).step_by(n_threads))
                .map(|&fft_len| SpectralScale::new(fft_len, n_samples, config))
                .collect(),
            loudness: (t + 1 == n_threads)
                .then(|| LoudnessDistance::new(n_samples, config))
                .flatten(),
            grad_audio: vec![0.0; n_samples],
        };
        Self { n_samples, shares: (0..n_threads).map(share).collect() }
    }
}

impl Share {
    fn evaluate(
        &mut self,
        target: &[f32],
        audio: &[f32],
        want_gradient: bool,
    ) -> SpectralLossTerms {
        self.grad_audio.fill(0.0);
        let mut terms = SpectralLossTerms::default();
        for scale in &mut self.scales {
            let grad_audio = want_gradient.then_some(self.grad_audio.as_mut_slice());
            terms += scale.evaluate(target, audio, grad_audio);
        }
        if let Some(loudness) = &mut self.loudness {
            let grad_audio = want_gradient.then_some(self.grad_audio.as_mut_slice());
            terms += loudness.evaluate(target, audio, grad_audio);
        }
        terms
    }
}

impl ExampleLoss {
    /// Allocates for windows of `config`, to be compared by `n_threads` threads.
    pub(crate) fn new(config: &Config, n_threads: usize) -> Self {
        let n_samples = config.example_samples();
        let config = loss_config(config);
        Self { usual: Sized::new(&config, n_threads, n_samples), short: None, config, n_threads }
    }

    /// The loss of `audio` against `target` over the length of `target`, which may be shorter;
    /// overwrites `grad_audio` with `factor` times the gradient, 0 after the target's end.
    pub(crate) fn evaluate(
        &mut self,
        target: &[f32],
        audio: &[f32],
        factor: f32,
        grad_audio: Option<&mut [f32]>,
    ) -> SpectralLossTerms {
        let n_samples = target.len();
        let audio = &audio[..n_samples];
        let sized = if n_samples == self.usual.n_samples {
            &mut self.usual
        } else {
            let fits = self.short.take().filter(|sized| sized.n_samples == n_samples);
            self.short
                .insert(fits.unwrap_or_else(|| Sized::new(&self.config, self.n_threads, n_samples)))
        };
        let want_gradient = grad_audio.is_some();
        let mut terms = SpectralLossTerms::default();
        for part in evaluate_shares(&mut sized.shares, target, audio, want_gradient) {
            terms += part;
        }
        if let Some(grad_audio) = grad_audio {
            let (compared, rest) = grad_audio.split_at_mut(n_samples);
            rest.fill(0.0);
            sum_gradients(&sized.shares, factor, compared);
        }
        terms
    }
}

/// The terms of every share, in order.
fn evaluate_shares(
    shares: &mut [Share],
    target: &[f32],
    audio: &[f32],
    want_gradient: bool,
) -> Vec<SpectralLossTerms> {
    let (first, others) = shares.split_first_mut().expect("at least one FFT size");
    thread::scope(|scope| {
        let handles: Vec<_> = others
            .iter_mut()
            .map(|share| scope.spawn(|| share.evaluate(target, audio, want_gradient)))
            .collect();
        let first = first.evaluate(target, audio, want_gradient);
        std::iter::once(first).chain(handles.into_iter().map(joined)).collect()
    })
}

/// Overwrites `grad_audio` with `factor` times the sum over the shares, in their order.
fn sum_gradients(shares: &[Share], factor: f32, grad_audio: &mut [f32]) {
    grad_audio.copy_from_slice(&shares[0].grad_audio);
    for share in &shares[1..] {
        for (sum, grad) in grad_audio.iter_mut().zip(&share.grad_audio) {
            *sum += grad;
        }
    }
    for grad in grad_audio {
        *grad *= factor;
    }
}

/// The kernel's form of the configured loss.
fn loss_config(config: &Config) -> SpectralLossConfig {
    #[expect(clippy::cast_possible_truncation, reason = "validated: weights up to 1e6")]
    let single = |weight: f64| weight as f32;
    SpectralLossConfig {
        fft_lens: config.loss.fft_lens.clone(),
        magnitude_weight: single(config.loss.magnitude_weight),
        log_magnitude_weight: single(config.loss.log_magnitude_weight),
        ..SpectralLossConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use ddsp_kernels::SpectralLoss;
    use ddsp_model::uniform_noise;

    use super::*;

    fn config() -> Config {
        let mut config = Config::preset("seed-harmonic").expect("the preset is valid");
        config.set("train.example_secs=0.1").expect("a valid length");
        config
    }

    fn noise(seed: u64, n_samples: usize) -> Vec<f32> {
        let mut noise = vec![0.0; n_samples];
        uniform_noise(seed, &mut noise);
        noise
    }

    #[test]
    fn any_number_of_threads_gives_the_kernel_s_loss() {
        let usual = loss_config(&config());
        let every_term = SpectralLossConfig {
            delta_time_weight: 0.5,
            delta_freq_weight: 0.5,
            cumsum_freq_weight: 0.01,
            loudness_weight: 0.2,
            ..usual.clone()
        };
        let (target, audio) = (noise(1, 1600), noise(2, 1600));
        for config in [usual, every_term] {
            let mut expected = vec![0.0; 1600];
            let expected_terms =
                SpectralLoss::new(&config, 1600).evaluate(&target, &audio, Some(&mut expected));
            for n_threads in [1, 2, 4, 9] {
                let mut grad = vec![f32::NAN; 1600];
                let usual = Sized::new(&config, n_threads, 1600);
                let mut loss =
                    ExampleLoss { config: config.clone(), n_threads, usual, short: None };
                let terms = loss.evaluate(&target, &audio, 0.5, Some(&mut grad));
                // Six scales summed in another order: a few roundings of the largest.
                let largest = expected.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
                for (g, expected) in grad.iter().zip(&expected) {
                    let error = (2.0 * g - expected).abs();
                    assert!(error <= 1e-6 * largest, "{n_threads} threads: 2 * {g} != {expected}");
                }
                let error = (terms.total() - expected_terms.total()).abs();
                assert!(error <= 1e-12 * expected_terms.total(), "{terms:?} != {expected_terms:?}");
            }
        }
    }

    #[test]
    fn what_follows_a_short_target_does_not_count() {
        let config = config();
        let (target, mut audio) = (noise(1, 900), noise(2, 1600));
        let mut loss = ExampleLoss::new(&config, 2);
        let mut grad = vec![f32::NAN; 1600];
        let terms = loss.evaluate(&target, &audio, 1.0, Some(&mut grad));
        assert!(grad[900..].iter().all(|&g| g == 0.0), "no gradient after the end");
        assert!(grad[..900].iter().any(|&g| g != 0.0), "a gradient before it");
        audio[900..].fill(0.5);
        assert_eq!(loss.evaluate(&target, &audio, 1.0, None), terms, "the rest is not looked at");
    }
}
