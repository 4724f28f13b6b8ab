//! A delay line that is read between its samples, at a delay that moves.

/// Delays audio by an amount that changes from sample to sample; overwrites `delayed`, `[n_samples]`,
/// and moves `history` on.
///
/// `phase` `[n_samples]` is the delay, 0 for none, 1 for `max_length` samples; beyond, it is held.
/// `delayed[n] = (1 - u) audio[n - d] + u audio[n - d - 1]` with `d + u = max_length * phase[n]`.
/// The reference's `core.variable_length_delay`, but for its wrap: there the last tap, `max_length`, is
/// the undelayed sample again, so that a phase of 1 has no delay at all, and phases above
/// `1 - 1 / max_length` fade towards it.
///
/// `history` holds the `max_length` samples before `audio`, oldest first: zeros at the start of a
/// signal, and after a call what the next block needs. Any split into blocks gives the same samples,
/// bit for bit. An infinite phase is held as any other beyond the ends; NaN gives NaN.
///
/// # Panics
///
/// If the lengths of `phase`, `audio` and `delayed` differ, or if `history` is empty.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn variable_length_delay(
    phase: &[f32],
    audio: &[f32],
    history: &mut [f32],
    delayed: &mut [f32],
) {
    check_lengths(phase, audio, history, delayed.len());
    let line = DelayLine { history, audio };
    for ((n, y), phase) in delayed.iter_mut().enumerate().zip(phase) {
        *y = line.read(n, line.delay(*phase)).value;
    }
    remember(audio, history);
}

/// Accumulates the vector-Jacobian product of [`variable_length_delay`] with `grad_delayed` into
/// `grad_phase` and `grad_audio`, `[n_samples]`. `history` is as it was before `audio`, and held fixed.
///
/// `grad phase[n] = grad_delayed[n] max_length (audio[n - d - 1] - audio[n - d])`, 0 where the phase is
/// held; at a whole number of samples, where the slope jumps, it is that of longer delays.
/// `grad audio[n - d]` and `grad audio[n - d - 1]` get `grad_delayed[n]` times their weights.
///
/// # Panics
///
/// As [`variable_length_delay`], or if a gradient's length is not its input's.
///
/// # Realtime Safety
///
/// Does not allocate, lock or fail on any values.
pub fn variable_length_delay_backward(
    phase: &[f32],
    audio: &[f32],
    history: &[f32],
    grad_delayed: &[f32],
    grad_phase: &mut [f32],
    grad_audio: &mut [f32],
) {
    check_lengths(phase, audio, history, grad_delayed.len());
    let n = audio.len();
    for (name, n_grad) in [("phase", grad_phase.len()), ("audio", grad_audio.len())] {
        assert_eq!(n_grad, n, "variable_length_delay: grad of {n_grad} of {n} {name} values");
    }
    let line = DelayLine { history, audio };
    for (n, grad) in grad_delayed.iter().enumerate() {
        let tap = line.read(n, line.delay(phase[n]));
        if held(phase[n]) == phase[n] {
            grad_phase[n] += grad * tap.slope * history.len() as f32;
        }
        line.spread(n, &tap, *grad, grad_audio);
    }
}

fn check_lengths(phase: &[f32], audio: &[f32], history: &[f32], n_delayed: usize) {
    let (n, n_phase) = (audio.len(), phase.len());
    assert_eq!(n_phase, n, "variable_length_delay: {n_phase} phases for {n} samples");
    assert_eq!(n_delayed, n, "variable_length_delay: {n_delayed} delayed for {n} samples");
    assert!(!history.is_empty(), "variable_length_delay: no history");
}

/// The phase between its ends; NaN stays NaN.
pub(crate) fn held(phase: f32) -> f32 {
    phase.clamp(0.0, 1.0)
}

/// Makes `history` the last samples of itself and `audio`.
pub(crate) fn remember(audio: &[f32], history: &mut [f32]) {
    let (n, n_history) = (audio.len(), history.len());
    if n < n_history {
        history.copy_within(n.., 0);
        history[n_history - n..].copy_from_slice(audio);
    } else {
        history.copy_from_slice(&audio[n - n_history..]);
    }
}

/// A signal, and the samples before it.
#[derive(Clone, Copy)]
pub(crate) struct DelayLine<'a> {
    /// Oldest first, at least one.
    pub(crate) history: &'a [f32],
    pub(crate) audio: &'a [f32],
}

/// What a place between two samples of a delay line reads.
pub(crate) struct Tap {
    pub(crate) value: f32,
    /// Change for each sample of delay.
    pub(crate) slope: f32,
    /// Whole samples of delay.
    whole: usize,
    /// Way from that sample to the one before it, 0 to 1.
    way: f32,
}

impl DelayLine<'_> {
    /// The delay of a phase, in samples.
    fn delay(self, phase: f32) -> f64 {
        f64::from(held(phase)) * self.history.len() as f64
    }

    /// Sample `n` of the audio, `delay` samples late, from 0 to the length of the history.
    pub(crate) fn read(self, n: usize, delay: f64) -> Tap {
        #[expect(clippy::cast_possible_truncation, reason = "the floor; NaN becomes 0")]
        #[expect(clippy::cast_sign_loss, reason = "delays are not negative")]
        let floor = delay as usize;
        // The longest delay is the far end of the last cell.
        let whole = floor.min(self.history.len() - 1);
        #[expect(clippy::cast_possible_truncation, reason = "rounds a weight in [0, 1] to f32")]
        let way = (delay - whole as f64) as f32;
        // Of the history and the audio as one.
        let place = self.history.len() + n - whole;
        let (late, later) = (self.sample(place), self.sample(place - 1));
        Tap { value: late + way * (later - late), slope: later - late, whole, way }
    }

    fn sample(self, place: usize) -> f32 {
        match place.checked_sub(self.history.len()) {
            Some(n) => self.audio[n],
            None => self.history[place],
        }
    }

    /// The transpose of reading the value, but for what goes to the history.
    pub(crate) fn spread(self, n: usize, tap: &Tap, grad: f32, grad_audio: &mut [f32]) {
        if let Some(late) = n.checked_sub(tap.whole) {
            grad_audio[late] += (1.0 - tap.way) * grad;
            if let Some(later) = late.checked_sub(1) {
                grad_audio[later] += tap.way * grad;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
