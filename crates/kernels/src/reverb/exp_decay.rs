//! A response of noise that dies away exponentially.

use super::Reverb;

/// Values that are decayed together.
const LANES: usize = 16;

/// Exponentially decaying noise, and back.
///
/// `h[i] = gain e^(-(2 + e^decay) i / (n - 1)) noise[i]` for `n` taps: over the whole response the
/// level falls by `8.7 (2 + e^decay)` dB, 17 dB at least. From DDSP (Engel et al. 2020,
/// <https://arxiv.org/abs/2001.04643>), where `gain` has passed an
/// [`ExpSigmoid`](crate::ExpSigmoid) before.
///
/// The same type holds its own gradient: the derivatives with respect to its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExpDecay {
    /// Linear amplitude at the beginning.
    pub gain: f32,
    /// Natural logarithm of the rate of decay beyond 2, in nepers a response.
    pub decay: f32,
}

impl ExpDecay {
    /// Overwrites `impulse_response` from `noise`, uniform in `[-1, 1)`, equally long.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&self, noise: &[f32], impulse_response: &mut [f32]) {
        let (n, n_taps) = (noise.len(), impulse_response.len());
        assert_eq!(n_taps, n, "ExpDecay: {n_taps} taps for {n} samples of noise");
        let gain = f64::from(self.gain);
        let mut envelope = Envelope::new(self.decay, n);
        for (taps, noise) in impulse_response.chunks_mut(LANES).zip(noise.chunks(LANES)) {
            let values = envelope.next_values();
            for ((h, x), e) in taps.iter_mut().zip(noise).zip(values) {
                *h = round(gain * e * f64::from(*x));
            }
        }
    }

    /// Accumulates into `grad` the vector-Jacobian product of [`forward`](Self::forward) with
    /// `grad_impulse_response`.
    ///
    /// With `e` the envelope: `dh[i]/dgain = e[i] noise[i]`, and
    /// `dh[i]/ddecay = -e^decay i / (n - 1) h[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&self, noise: &[f32], grad_impulse_response: &[f32], grad: &mut Self) {
        let (n, n_taps) = (noise.len(), grad_impulse_response.len());
        assert_eq!(n_taps, n, "ExpDecay: grad of {n_taps} taps for {n} samples of noise");
        let mut envelope = Envelope::new(self.decay, n);
        // The sums of g e noise, and of the same times i.
        let (mut sum, mut moment) = (0.0, 0.0);
        let chunks = grad_impulse_response.chunks(LANES).zip(noise.chunks(LANES));
        for (chunk, (grads, noise)) in chunks.enumerate() {
            let values = envelope.next_values();
            let (mut chunk_sum, mut chunk_moment) = (0.0, 0.0);
            for (i, ((g, x), e)) in grads.iter().zip(noise).zip(values).enumerate() {
                let term = f64::from(*g) * f64::from(*x) * e;
                chunk_sum += term;
                chunk_moment += i as f64 * term;
            }
            sum += chunk_sum;
            moment += (chunk * LANES) as f64 * chunk_sum + chunk_moment;
        }
        // Finite, so that where nothing is left of the noise the gradient is 0 and no NaN.
        let slope = f64::from(self.decay).exp().min(f64::MAX) / last(n);
        grad.gain += round(sum);
        grad.decay += round(-f64::from(self.gain) * slope * moment);
    }
}

/// The index of the last of `n` taps, or 1 where there is no other.
fn last(n: usize) -> f64 {
    n.saturating_sub(1).max(1) as f64
}

/// `e^(-(2 + e^decay) i / (n - 1))` for one `i` after the other, by products: exact to `n` roundings
/// of an f64.
struct Envelope {
    /// The powers of the factor from one tap to the next.
    powers: [f64; LANES],
    /// The factor over `LANES` taps.
    step: f64,
    base: f64,
}

impl Envelope {
    fn new(decay: f32, n: usize) -> Self {
        let rate = (2.0 + f64::from(decay).exp()) / last(n);
        let power = |i: usize| if i == 0 { 1.0 } else { (-rate * i as f64).exp() };
        Self { powers: std::array::from_fn(power), step: power(LANES), base: 1.0 }
    }

    fn next_values(&mut self) -> [f64; LANES] {
        let values = self.powers.map(|power| self.base * power);
        self.base *= self.step;
        // No f32 is left of it, and numbers below the normal ones are slow.
        if self.base < 1e-300 {
            self.base = 0.0;
        }
        values
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to f32")]
fn round(x: f64) -> f32 {
    x as f32
}

/// A [`Reverb`] with an [`ExpDecay`] response, and back.
#[derive(Debug)]
pub struct ExpDecayReverb {
    reverb: Reverb,
    impulse_response: Vec<f32>,
    grad_impulse_response: Vec<f32>,
}

impl ExpDecayReverb {
    /// With the sizes and the dry path of `reverb`.
    pub fn new(reverb: Reverb) -> Self {
        let zeros = vec![0.0; reverb.ir_len()];
        Self { reverb, impulse_response: zeros.clone(), grad_impulse_response: zeros }
    }

    /// The controls and the noise, `[ir_len]`, of the clips that follow.
    ///
    /// # Panics
    ///
    /// If `noise` does not have `ir_len` samples.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn set_controls(&mut self, controls: ExpDecay, noise: &[f32]) {
        controls.forward(noise, &mut self.impulse_response);
        self.reverb.set_impulse_response(&self.impulse_response);
    }

    /// The response that was set, `[ir_len]`; its tap 0 is not heard.
    pub fn impulse_response(&self) -> &[f32] {
        &self.impulse_response
    }

    /// As [`Reverb::forward`].
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(&mut self, audio: &[f32], output: &mut [f32]) {
        self.reverb.forward(audio, output);
    }

    /// As [`Reverb::backward`]; the controls' gradient is kept for
    /// [`take_control_gradient`](Self::take_control_gradient).
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn backward(&mut self, audio: &[f32], grad_output: &[f32], grad_audio: Option<&mut [f32]>) {
        self.reverb.backward(audio, grad_output, grad_audio);
    }

    /// Adds to `grad` the gradient of the controls over all calls of [`backward`](Self::backward)
    /// since the last of this; `controls` and `noise` are those that were set.
    ///
    /// # Panics
    ///
    /// If `noise` does not have `ir_len` samples.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn take_control_gradient(
        &mut self,
        controls: ExpDecay,
        noise: &[f32],
        grad: &mut ExpDecay,
    ) {
        self.grad_impulse_response.fill(0.0);
        self.reverb.take_impulse_response_gradient(&mut self.grad_impulse_response);
        controls.backward(noise, &self.grad_impulse_response, grad);
    }
}
