//! Notices that training goes wrong although every number is finite.
//!
//! Two ways are known. *Silence collapse*: early steps on a loud model push the amplitudes to where
//! their map has no slope, and they stay there. *Noise swallowing the tone*: the pitched part falls
//! silent, and the noise does alone what it can. The loss of either looks like slow learning.

use std::fmt;

use ddsp_model::Config;
use serde::{Deserialize, Serialize};

use crate::gradient::BatchLoss;
use crate::window::Window;

/// Power of the output over that of the recordings below which it counts as silent: -30 dB. A model
/// that learns is within a few dB from the first hundred steps on.
const SILENT: f64 = 1e-3;

/// Mean square below which a recording is silence itself: -90 dB.
const QUIET: f64 = 1e-9;

/// Share of the power that a tone must have where there is a pitch: 1%. A breathy flute has 90%.
const SWALLOWED: f64 = 0.01;

/// Share of voiced frames from which on a window asks for a tone.
const VOICED: f64 = 0.5;

/// Periods in a row, from one held-out loss to the next, after which an alarm is raised.
const MOST_PERIODS: u64 = 3;

/// Steps that these must span: a model may begin anywhere.
const MOST_STEPS: u64 = 100;

/// A way in which training goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Alarm {
    /// The model has fallen silent.
    Silence {
        /// The step, from 1.
        step: u64,
        /// Steps for which it has been so.
        n_steps: u64,
        /// Level of what it plays over that of the recordings, dB.
        level_db: f64,
        /// The learning rate of the run.
        learning_rate: f64,
    },
    /// The noise has swallowed the tone.
    Swallowed {
        /// The step, from 1.
        step: u64,
        /// Steps for which it has been so.
        n_steps: u64,
        /// Share of the power that the pitched part has in windows with a pitch, 0 to 1.
        tone: f64,
        /// The learning rate of the run.
        learning_rate: f64,
    },
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let learning_rate = match *self {
            Self::Silence { step, n_steps, level_db, learning_rate } => {
                write!(
                    f,
                    "silence collapse at step {step}: for {n_steps} steps the model has played \
                     {:.0} dB below the recordings, where amplitudes have no slope left to recover by",
                    -level_db
                )?;
                learning_rate
            }
            Self::Swallowed { step, n_steps, tone, learning_rate } => {
                write!(
                    f,
                    "noise swallows the tone at step {step}: for {n_steps} steps the pitched part has \
                     had {:.2}% of the power, although the recordings have a pitch",
                    100.0 * tone
                )?;
                learning_rate
            }
        };
        let lower = learning_rate / 3.0;
        write!(
            f,
            ". Start over with a lower rate (--set train.learning_rate={lower:.1e}), a slower \
             start (--set train.warmup_steps=1000) or another --set train.seed"
        )?;
        match self {
            Self::Silence { .. } => write!(f, ", and see that the recordings are no silence"),
            Self::Swallowed { .. } => write!(f, ", or with a lower noise.initial_bias"),
        }
    }
}

/// What the steps of a period played, and for how long it has been wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watch {
    /// Step before the period.
    begin: u64,
    n_windows: u64,
    /// Sums of the powers of all windows.
    target: f64,
    output: f64,
    /// Sums of the powers of voiced windows.
    tone: f64,
    noise: f64,
    silent: Streak,
    swallowed: Streak,
}

/// For how long something has been wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Streak {
    n_periods: u64,
    begin: u64,
    told: bool,
}

impl Streak {
    /// Counts a period; returns the steps of the streak when it is time to tell, once.
    fn count(&mut self, is_wrong: bool, begin: u64, end: u64) -> Option<u64> {
        if !is_wrong {
            *self = Self::default();
            return None;
        }
        if self.n_periods == 0 {
            self.begin = begin;
        }
        self.n_periods += 1;
        let n_steps = end - self.begin;
        let is_time = !self.told && self.n_periods >= MOST_PERIODS && n_steps >= MOST_STEPS;
        self.told |= is_time;
        is_time.then_some(n_steps)
    }
}

impl Watch {
    /// Takes what a batch played.
    pub(crate) fn add(&mut self, batch: &[Window], losses: &[BatchLoss]) {
        for (window, loss) in batch.iter().zip(losses) {
            self.target += loss.powers.target;
            self.output += loss.powers.output;
            if window.voiced >= VOICED {
                self.tone += loss.powers.tone;
                self.noise += loss.powers.noise;
            }
            self.n_windows += 1;
        }
    }

    /// Judges the period that ends with `step`, and begins the next.
    pub(crate) fn period_ends(&mut self, step: u64, config: &Config) -> Option<Alarm> {
        let (begin, n_windows) = (self.begin, self.n_windows.max(1));
        let learning_rate = config.train.learning_rate;
        let is_silent =
            self.output < SILENT * self.target && self.target > QUIET * n_windows as f64;
        let tone = self.tone / (self.tone + self.noise);
        // Without a voiced window, or without any sound, the share is NaN, which is not below anything.
        let is_swallowed = !is_silent && tone < SWALLOWED;
        let silent = self.silent.count(is_silent, begin, step);
        let swallowed = self.swallowed.count(is_swallowed, begin, step);
        let level_db = 10.0 * (self.output / self.target).max(1e-30).log10();
        *self = Self {
            begin: step,
            silent: self.silent.clone(),
            swallowed: self.swallowed.clone(),
            ..Self::default()
        };
        let silence = |n_steps| Alarm::Silence { step, n_steps, level_db, learning_rate };
        let swallow = |n_steps| Alarm::Swallowed { step, n_steps, tone, learning_rate };
        silent.map(silence).or(swallowed.map(swallow))
    }
}

#[cfg(test)]
mod tests {
    use ddsp_kernels::SpectralLossTerms;

    use super::*;
    use crate::gradient::Powers;

    /// Alarms of periods of `n_steps` in which every window played the same.
    fn alarms(voiced: f64, powers: Powers, n_periods: u64, n_steps: u64) -> Vec<Alarm> {
        let config = Config::preset("solo").expect("the preset is valid");
        let window = Window {
            id: String::new(),
            audio: Vec::new(),
            f0_hz: Vec::new(),
            loudness_db: Vec::new(),
            power_db: Vec::new(),
            heard: Vec::new(),
            voiced,
            noise_seed: 0,
        };
        let loss = BatchLoss { id: String::new(), terms: SpectralLossTerms::default(), powers };
        let mut watch = Watch::default();
        let period = |i: u64| {
            (0..n_steps).for_each(|_| {
                watch.add(std::slice::from_ref(&window), std::slice::from_ref(&loss))
            });
            watch.period_ends((i + 1) * n_steps, &config)
        };
        (0..n_periods).filter_map(period).collect()
    }

    fn powers(target: f64, tone: f64, noise: f64) -> Powers {
        Powers { target, output: tone + noise, tone, noise }
    }

    #[test]
    fn silence_is_told_once_after_three_periods_and_a_hundred_steps() {
        let silent = powers(1e-2, 1e-9, 1e-9);
        assert!(alarms(1.0, silent, 2, 400).is_empty(), "two periods");
        assert!(alarms(1.0, silent, 99, 1).is_empty(), "99 steps");
        let found = alarms(1.0, silent, 40, 50);
        let [Alarm::Silence { step: 150, n_steps: 150, level_db, .. }] = found[..] else {
            panic!("one alarm at step 150: {found:?}");
        };
        assert!((level_db + 67.0).abs() < 0.1, "2e-9 over 1e-2 is -67 dB: {level_db}");
        let text = found[0].to_string();
        assert!(text.contains("67 dB below") && text.contains("learning_rate=1.0e-4"), "{text}");
    }

    #[test]
    fn a_swallowed_tone_is_told_where_there_is_a_pitch() {
        let swallowed = powers(1e-2, 5e-5, 1e-2);
        let found = alarms(0.9, swallowed, 10, 50);
        assert!(matches!(found[..], [Alarm::Swallowed { step: 150, .. }]), "{found:?}");
        assert!(found[0].to_string().contains("0.50% of the power"), "{}", found[0]);
        assert!(alarms(0.1, swallowed, 10, 50).is_empty(), "noise without a pitch is noise");
    }

    #[test]
    fn health_and_silent_recordings_raise_no_alarm() {
        for powers in [powers(1e-2, 1e-2, 1e-6), powers(1e-2, 1e-3, 9e-3), powers(1e-12, 0.0, 0.0)]
        {
            assert!(alarms(1.0, powers, 10, 50).is_empty(), "{powers:?}");
        }
    }
}
