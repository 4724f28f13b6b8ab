//! Decibels, powers and amplitudes, and the logarithms that the reference builds them from.

use std::f64::consts::LN_10;

use super::round;

/// Decibels from full scale down to the floor of every level here: quieter is clamped to `-80 dB`.
pub const DB_RANGE: f32 = 80.0;

/// What stands for a number that has no logarithm, as in `safe_log` of magenta/ddsp 3.7.
pub(crate) const LOG_EPSILON: f32 = 1e-5;

/// What stands for a denominator of 0.
const DIVISION_EPSILON: f64 = 1e-7;

/// A scale of levels: relative to a power of `ref_db`, down to a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DbScale {
    /// Level of 0 dB on this scale, dB re a power of 1.
    pub ref_db: f32,
    /// Powers below `10^(-range_db / 10)` count as that, and no level is below `-range_db`.
    pub range_db: f32,
}

impl Default for DbScale {
    /// dB re 1, from [`-DB_RANGE`](DB_RANGE) up: the scale of every model.
    fn default() -> Self {
        Self { ref_db: 0.0, range_db: DB_RANGE }
    }
}

impl DbScale {
    /// Level of a power in dB: `10 log10(power) - ref_db`, clamped at `-range_db`; NaN stays NaN.
    pub fn power_to_db(self, power: f32) -> f32 {
        self.level(f64::from(power))
    }

    /// The derivative of [`power_to_db`](Self::power_to_db) times `grad_db`: `10 / (ln(10) power)`, 0
    /// where it is clamped.
    pub fn power_to_db_backward(self, power: f32, grad_db: f32) -> f32 {
        let is_clamped =
            f64::from(power) <= self.floor() || self.power_to_db(power) <= -self.range_db;
        if is_clamped { 0.0 } else { round(f64::from(grad_db) * 10.0 / (LN_10 * f64::from(power))) }
    }

    /// Level of an amplitude in dB: that of its square.
    pub fn amplitude_to_db(self, amplitude: f32) -> f32 {
        // The square in f64 has no underflow.
        self.level(f64::from(amplitude) * f64::from(amplitude))
    }

    /// The derivative of [`amplitude_to_db`](Self::amplitude_to_db) times `grad_db`:
    /// `20 / (ln(10) amplitude)`, 0 where it is clamped.
    pub fn amplitude_to_db_backward(self, amplitude: f32, grad_db: f32) -> f32 {
        if self.amplitude_to_db(amplitude) <= -self.range_db {
            return 0.0;
        }
        round(f64::from(grad_db) * 20.0 / (LN_10 * f64::from(amplitude)))
    }

    fn level(self, power: f64) -> f32 {
        let floor = self.floor();
        // Comparisons, not `max`, which would lose a NaN.
        let power = if power < floor { floor } else { power };
        let db = round(10.0 * power.log10() - f64::from(self.ref_db));
        if db < -self.range_db { -self.range_db } else { db }
    }

    /// The least power that is told from silence.
    fn floor(self) -> f64 {
        10.0_f64.powf(-f64::from(self.range_db) / 10.0)
    }
}

/// Level in dB of an amplitude relative to 1: `20 log10(|amplitude|)`, at least `-DB_RANGE`.
pub fn amplitude_to_db(amplitude: f32) -> f32 {
    DbScale::default().amplitude_to_db(amplitude)
}

/// Level in dB of a power relative to 1: `10 log10(power)`, at least `-DB_RANGE`.
pub fn power_to_db(power: f32) -> f32 {
    DbScale::default().power_to_db(power)
}

/// Linear amplitude of a level in dB: `10^(db / 20)`.
pub fn db_to_amplitude(db: f32) -> f32 {
    round(10.0_f64.powf(f64::from(db) / 20.0))
}

/// The derivative of [`db_to_amplitude`] times `grad_amplitude`.
pub fn db_to_amplitude_backward(db: f32, grad_amplitude: f32) -> f32 {
    round(f64::from(grad_amplitude) * LN_10 / 20.0 * 10.0_f64.powf(f64::from(db) / 20.0))
}

/// Linear power of a level in dB: `10^(db / 10)`.
pub fn db_to_power(db: f32) -> f32 {
    round(10.0_f64.powf(f64::from(db) / 10.0))
}

/// The derivative of [`db_to_power`] times `grad_power`.
pub fn db_to_power_backward(db: f32, grad_power: f32) -> f32 {
    round(f64::from(grad_power) * LN_10 / 10.0 * 10.0_f64.powf(f64::from(db) / 10.0))
}

/// Natural logarithm in which 1e-5 stands for 0 and less.
///
/// Only for those: a positive number as small as 1e-20 keeps its logarithm of -46, as in the
/// reference.
pub fn safe_log(x: f32) -> f32 {
    safe_logb(x, std::f32::consts::E)
}

/// The derivative of [`safe_log`] times `grad_y`: `1 / x`, 0 for 0 and less.
pub fn safe_log_backward(x: f32, grad_y: f32) -> f32 {
    safe_logb_backward(x, std::f32::consts::E, grad_y)
}

/// Logarithm to `base`, as [`safe_log`]; the reference's `logb`.
pub fn safe_logb(x: f32, base: f32) -> f32 {
    let x = if x <= 0.0 { LOG_EPSILON } else { x };
    round(f64::from(x).ln() / ln_base(base))
}

/// The derivative of [`safe_logb`] with respect to `x`, times `grad_y`.
pub fn safe_logb_backward(x: f32, base: f32, grad_y: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { round(f64::from(grad_y) / (f64::from(x) * ln_base(base))) }
}

fn ln_base(base: f32) -> f64 {
    // The f32 nearest to e is 3e-8 below it.
    if base == std::f32::consts::E { 1.0 } else { f64::from(base).ln() }
}

/// `numerator / denominator`, in which 1e-7 stands for a denominator of exactly 0.
pub fn safe_divide(numerator: f32, denominator: f32) -> f32 {
    round(f64::from(numerator) / nonzero(denominator))
}

/// The derivatives of [`safe_divide`] with respect to numerator and denominator, times `grad_y`; a
/// denominator of exactly 0 has none.
pub fn safe_divide_backward(numerator: f32, denominator: f32, grad_y: f32) -> (f32, f32) {
    let (divisor, grad_y) = (nonzero(denominator), f64::from(grad_y));
    let slope = if denominator == 0.0 { 0.0 } else { -f64::from(numerator) / divisor / divisor };
    (round(grad_y / divisor), round(grad_y * slope))
}

fn nonzero(denominator: f32) -> f64 {
    if denominator == 0.0 { DIVISION_EPSILON } else { f64::from(denominator) }
}
