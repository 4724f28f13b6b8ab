//! The scale of levels in dB that loudness and power share.

/// Range of levels in dB:
///
/// `level = max(10 log10(max(power, 10^(-range_db / 10))) - ref_db, -range_db)`.
///
/// `power_to_db` of magenta/ddsp 3.7. The gradient at and below the floor is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LevelScale {
    pub(crate) ref_db: f32,
    pub(crate) range_db: f32,
}

impl LevelScale {
    /// The level of a power, 0 or more; that of no number is no number.
    pub(crate) fn level(self, power: f32) -> f32 {
        let least = self.least_power();
        // Comparisons, not `max`, which would hide a NaN.
        let level = 10.0 * if power < least { least } else { power }.log10() - self.ref_db;
        if level < -self.range_db { -self.range_db } else { level }
    }

    /// What a level with the gradient `grad_level` gives its power: `10 / (ln(10) power)` times it,
    /// 0 at the floor.
    pub(crate) fn level_backward(self, power: f32, grad_level: f32) -> f32 {
        let is_floor = power <= self.least_power() || self.level(power) <= -self.range_db;
        if is_floor { 0.0 } else { 10.0 / std::f32::consts::LN_10 / power * grad_level }
    }

    fn least_power(self) -> f32 {
        10.0_f32.powf(-self.range_db / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: LevelScale = LevelScale { ref_db: 0.0, range_db: 80.0 };

    #[test]
    fn levels_and_their_slopes_are_the_definition() {
        let old = LevelScale { ref_db: 20.7, range_db: 120.0 };
        let negative = LevelScale { ref_db: -10.0, range_db: 40.0 };
        for (scale, power, level, slope) in [
            (DEFAULT, 1.0, 0.0, 4.342_945),
            (DEFAULT, 1e4, 40.0, 4.342_945e-4),
            (DEFAULT, 1e-9, -80.0, 0.0),
            (DEFAULT, 0.0, -80.0, 0.0),
            (old, 1.0, -20.7, 4.342_945),
            (old, 1e-11, -120.0, 0.0),
            (negative, 1e-5, -30.0, 0.0),
            (negative, 1e-3, -20.0, 4342.945),
        ] {
            let got = scale.level(power);
            assert!((got - level).abs() <= 1e-5, "{scale:?} at {power}: {got} dB, not {level}");
            let got = scale.level_backward(power, 2.0);
            assert!((got - 2.0 * slope).abs() <= 1e-6 * slope, "{scale:?} at {power}: slope {got}");
        }
    }

    #[test]
    fn nan_stays_and_infinity_is_one() {
        assert!(DEFAULT.level(f32::NAN).is_nan(), "NaN in, NaN out");
        assert!(DEFAULT.level_backward(f32::NAN, 1.0).is_nan(), "NaN in, NaN back");
        assert_eq!(DEFAULT.level(f32::INFINITY), f32::INFINITY);
    }
}
