//! Chorus, flanger and vibrato: a delay that is moved.

use crate::delay::{DelayLine, held, remember};

/// Delays audio by a moving amount, scales it, and adds the audio itself if wanted.
///
/// `out[n] = gain[n] delayed[n] + audio[n]` (the second term only with `add_dry`), where `delayed` is
/// late by `centre_ms + depth_ms (2 phase[n] - 1)`, read between samples in straight lines as
/// [`variable_length_delay`](crate::variable_length_delay) does. So the delay is `centre_ms` at a phase
/// of 1/2, and moves `depth_ms` to either side.
///
/// That is what the reference's `effects.ModDelay` says of itself; what it does is move from
/// `centre_ms` to `centre_ms + depth_ms`. To do as it does, give `centre_ms + depth_ms / 2` and
/// `depth_ms / 2`. Nor is the delay rounded to whole samples at its longest, as there, or does its end
/// wrap.
///
/// The dry audio has no latency. A vibrato, which has none, is late by `centre_ms`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModDelay {
    /// In samples.
    centre: f64,
    /// In samples.
    depth: f64,
    add_dry: bool,
}

/// Where [`ModDelay::backward`] accumulates; shapes as the inputs of the same name.
#[derive(Debug)]
pub struct ModDelayGradients<'a> {
    /// With respect to `audio`, `[n_samples]`.
    pub audio: &'a mut [f32],
    /// With respect to `gain`, `[n_samples]`.
    pub gain: &'a mut [f32],
    /// With respect to `phase`, `[n_samples]`.
    pub phase: &'a mut [f32],
}

impl ModDelay {
    /// A delay of `centre_ms - depth_ms` to `centre_ms + depth_ms`, with the dry audio or without.
    ///
    /// # Panics
    ///
    /// Unless `0 <= depth_ms <= centre_ms` and the longest delay is below a minute.
    pub fn new(sample_rate: u32, centre_ms: f64, depth_ms: f64, add_dry: bool) -> Self {
        assert!(
            0.0 <= depth_ms && depth_ms <= centre_ms && centre_ms + depth_ms < 60_000.0,
            "ModDelay: {centre_ms} ms, {depth_ms} ms to either side"
        );
        let samples = |ms: f64| ms * f64::from(sample_rate) / 1000.0;
        Self { centre: samples(centre_ms), depth: samples(depth_ms), add_dry }
    }

    /// 24 to 26 ms, with the dry audio: a second voice that drifts.
    pub fn chorus(sample_rate: u32) -> Self {
        Self::new(sample_rate, 25.0, 1.0, true)
    }

    /// 0 to 1.5 ms, with the dry audio: a comb filter that sweeps.
    pub fn flanger(sample_rate: u32) -> Self {
        Self::new(sample_rate, 0.75, 0.75, true)
    }

    /// 0 to 2 ms, without the dry audio: the pitch moves with the slope of the phase, and the audio is
    /// no later than that takes.
    pub fn vibrato(sample_rate: u32) -> Self {
        Self::new(sample_rate, 1.0, 1.0, false)
    }

    /// Samples of the past that it needs, at least one: the length of `history`.
    pub fn history_len(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^48")]
        #[expect(clippy::cast_sign_loss, reason = "delays are not negative")]
        {
            ((self.centre + self.depth).ceil() as usize).max(1)
        }
    }

    /// Overwrites `out`, and moves `history` on. All but `history` are `[n_samples]`.
    ///
    /// `gain` is linear; `phase` is 0 at the shortest delay and 1 at the longest, and held beyond.
    /// `history` is `[history_len]`: the samples before `audio`, oldest first, zeros at the start of a
    /// signal. Any split into blocks gives the same samples, bit for bit.
    ///
    /// # Panics
    ///
    /// If a length is not as said.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn forward(
        &self,
        audio: &[f32],
        gain: &[f32],
        phase: &[f32],
        history: &mut [f32],
        out: &mut [f32],
    ) {
        self.check(audio.len(), [gain.len(), phase.len(), out.len()], history.len());
        let line = DelayLine { history, audio };
        for (n, y) in out.iter_mut().enumerate() {
            let wet = gain[n] * line.read(n, self.delay(phase[n])).value;
            *y = if self.add_dry { wet + audio[n] } else { wet };
        }
        remember(audio, history);
    }

    /// Accumulates the vector-Jacobian product of [`forward`](Self::forward) with `grad_out`.
    /// `history` is as it was before `audio`, and held fixed.
    ///
    /// 1. `grad gain[n] = grad_out[n] delayed[n]`;
    /// 2. `grad phase[n] = grad_out[n] gain[n] delayed'[n] 2 depth`, with the slope of the delay line
    ///    for each sample of delay, and 0 where the phase is held;
    /// 3. the two samples of `audio` that were read get `grad_out[n] gain[n]` times their weights, and
    ///    `audio[n]` gets `grad_out[n]` if it was added.
    ///
    /// # Panics
    ///
    /// If a length is not as in [`forward`](Self::forward), or a gradient's is not its input's.
    ///
    /// # Realtime Safety
    ///
    /// Does not allocate, lock or fail on any values.
    pub fn backward(
        &self,
        audio: &[f32],
        gain: &[f32],
        phase: &[f32],
        history: &[f32],
        grad_out: &[f32],
        grads: ModDelayGradients<'_>,
    ) {
        self.check(audio.len(), [gain.len(), phase.len(), grad_out.len()], history.len());
        let n = audio.len();
        for (name, n_grad) in
            [("audio", grads.audio.len()), ("gain", grads.gain.len()), ("phase", grads.phase.len())]
        {
            assert_eq!(n_grad, n, "ModDelay: grad of {n_grad} of {n} {name} values");
        }
        let line = DelayLine { history, audio };
        for (n, grad) in grad_out.iter().enumerate() {
            let tap = line.read(n, self.delay(phase[n]));
            grads.gain[n] += grad * tap.value;
            let grad_wet = grad * gain[n];
            if held(phase[n]) == phase[n] {
                #[expect(clippy::cast_possible_truncation, reason = "rounds a factor to f32")]
                let samples = (2.0 * self.depth) as f32;
                grads.phase[n] += grad_wet * tap.slope * samples;
            }
            line.spread(n, &tap, grad_wet, grads.audio);
            if self.add_dry {
                grads.audio[n] += grad;
            }
        }
    }

    /// In samples.
    fn delay(&self, phase: f32) -> f64 {
        // From the shortest, so that rounding cannot make it negative.
        (self.centre - self.depth) + 2.0 * self.depth * f64::from(held(phase))
    }

    fn check(&self, n: usize, [n_gain, n_phase, n_out]: [usize; 3], n_history: usize) {
        assert_eq!(n_gain, n, "ModDelay: {n_gain} gains for {n} samples");
        assert_eq!(n_phase, n, "ModDelay: {n_phase} phases for {n} samples");
        assert_eq!(n_out, n, "ModDelay: {n_out} samples out for {n} in");
        let expected = self.history_len();
        assert_eq!(n_history, expected, "ModDelay: a history of {n_history}, not {expected}");
    }
}

#[cfg(test)]
pub(crate) mod tests;
