//! A response of noise whose spectrum changes as it dies away.

use super::Reverb;
use crate::filtered_noise::FilteredNoise;

/// A [`Reverb`] whose response is [`FilteredNoise`], and back: every band of the room decays in its
/// own way.
///
/// From DDSP (Engel et al. 2020, <https://arxiv.org/abs/2001.04643>). The magnitudes are linear; a
/// network's outputs are biased (there by -3) and passed through an
/// [`ExpSigmoid`](crate::ExpSigmoid) before.
#[derive(Debug)]
pub struct FilteredNoiseReverb {
    reverb: Reverb,
    synth: FilteredNoise,
    impulse_response: Vec<f32>,
    grad_impulse_response: Vec<f32>,
}

impl FilteredNoiseReverb {
    /// With the sizes and the dry path of `reverb`, and a response that `synth` makes: the length of
    /// one must be whole frames of the other.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn new(reverb: Reverb, synth: FilteredNoise) -> Self {
        let (ir_len, hop) = (reverb.ir_len(), synth.hop());
        assert!(
            ir_len.is_multiple_of(hop),
            "FilteredNoiseReverb: {ir_len} taps are not whole frames of {hop}"
        );
        let zeros = vec![0.0; ir_len];
        Self { reverb, synth, impulse_response: zeros.clone(), grad_impulse_response: zeros }
    }

    /// The controls `[ir_len / hop, n_bands]` and the noise `[ir_len]` of the clips that follow.
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn set_controls(&mut self, noise: &[f32], magnitudes: &[f32]) {
        self.synth.forward(noise, magnitudes, &mut self.impulse_response);
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

    /// Adds to `grad_magnitudes` the gradient over all calls of [`backward`](Self::backward) since
    /// the last of this; `noise` and `magnitudes` are those that were set.
    ///
    /// # Panics
    ///
    /// If a length is not as said for [`set_controls`](Self::set_controls), or `grad_magnitudes` not
    /// as long as `magnitudes`.
    ///
    /// # Realtime Safety
    ///
    /// As [`forward`](Self::forward).
    pub fn take_control_gradient(
        &mut self,
        noise: &[f32],
        magnitudes: &[f32],
        grad_magnitudes: &mut [f32],
    ) {
        self.grad_impulse_response.fill(0.0);
        self.reverb.take_impulse_response_gradient(&mut self.grad_impulse_response);
        let grad = &self.grad_impulse_response;
        self.synth.backward(noise, magnitudes, grad, grad_magnitudes);
    }
}
