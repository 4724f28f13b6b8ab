//! Axes: where a value stands, and which values get a tick.

/// How values spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences, equal distances.
    Linear,
    /// Equal ratios, equal distances; both ends are positive.
    Log,
}

/// One axis of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Unit of the values, written once beside the figure's title ("Hz", "dB"); may be empty.
    pub unit: &'static str,
    /// Value at the left or lower end.
    pub min: f64,
    /// Value at the right or upper end; above `min`.
    pub max: f64,
    /// Spacing of the values.
    pub scale: Scale,
}

impl Axis {
    /// A linear axis over `min..max`, widened where the two are not apart or not finite.
    pub fn linear(unit: &'static str, min: f64, max: f64) -> Self {
        let (min, max) = if min.is_finite() && max.is_finite() { (min, max) } else { (0.0, 1.0) };
        let max = if max > min { max } else { min + min.abs().max(1.0) };
        Self { unit, min, max, scale: Scale::Linear }
    }

    /// A logarithmic axis over `min..max`; ends that no logarithm has are replaced.
    pub fn log(unit: &'static str, min: f64, max: f64) -> Self {
        let min = if min.is_finite() && min > 0.0 { min } else { 1.0 };
        let max = if max.is_finite() && max > min { max } else { 10.0 * min };
        Self { unit, min, max, scale: Scale::Log }
    }

    /// A linear axis that holds all finite `values` with a margin of a twentieth on both sides.
    pub fn around(unit: &'static str, values: impl IntoIterator<Item = f64>) -> Self {
        let (min, max) = extent(values);
        let margin = 0.05 * (max - min);
        Self::linear(unit, min - margin, max + margin)
    }

    /// Distance of `value` from the lower end, as a share of the axis; outside `0..=1` off the axis.
    pub fn position(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.min) / (self.max - self.min),
            Scale::Log => (value.max(1e-12) / self.min).ln() / (self.max / self.min).ln(),
        }
    }

    /// Values to mark with their labels, ascending, about `n` of them on a linear axis.
    pub fn ticks(&self, n: usize) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => linear_ticks(self.min, self.max, n),
            Scale::Log => match log_ticks(self.min, self.max) {
                ticks if ticks.len() >= 4 => ticks,
                // Not much more than an octave: round steps say more than round factors.
                _ => linear_ticks(self.min, self.max, n.max(4)),
            },
        }
    }
}

/// Least and greatest finite value; `(0, 0)` if there is none.
pub fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (min, max) = values
        .into_iter()
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if min <= max { (min, max) } else { (0.0, 0.0) }
}

/// Multiples of 1, 2 or 5 times a power of ten inside `min..=max`.
fn linear_ticks(min: f64, max: f64, n: usize) -> Vec<(f64, String)> {
    let rough = (max - min) / n.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    // The largest of the three steps that still gives at least n intervals is too dense by at most
    // 2.5, so take the first that is not below the rough one.
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let decimals = decimals_of(step);
    let first = (min / step - 1e-9).ceil();
    (0..1000)
        .map(|i| (first + f64::from(i)) * step)
        .take_while(|value| *value <= max + 1e-9 * step)
        .map(|value| (value, minus(&format!("{:.decimals$}", value + 0.0))))
        .collect()
}

/// Digits after the point that tell multiples of `step` apart.
fn decimals_of(step: f64) -> usize {
    (0..9).find(|d| ((step * 10_f64.powi(*d)).fract().abs() - 0.5).abs() > 0.499).unwrap_or(9)
        as usize
}

/// Powers of ten times 1, 2 and 5 inside `min..=max`; thousands as "k".
fn log_ticks(min: f64, max: f64) -> Vec<(f64, String)> {
    let mut ticks = Vec::new();
    let mut decade = 10_f64.powf(min.log10().floor());
    while decade <= max {
        for value in [1.0, 2.0, 5.0].map(|m| m * decade) {
            if value >= min * 0.999 && value <= max * 1.001 {
                ticks.push((value, short_number(value)));
            }
        }
        decade *= 10.0;
    }
    ticks
}

/// A round number in few signs: `200`, `2k`, `0.05`.
pub fn short_number(value: f64) -> String {
    if value >= 1000.0 {
        let thousands = value / 1000.0;
        format!("{thousands:.0$}k", decimals_of(thousands.min(1.0 + thousands.fract())).min(2))
    } else {
        minus(&format!("{value:.0$}", decimals_of(value).min(6)))
    }
}

/// A number with a true minus sign, as wide as a digit, and no negative zero.
fn minus(number: &str) -> String {
    match number.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|b| b == b'0' || b == b'.') => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, n: usize) -> Vec<String> {
        axis.ticks(n).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_inside() {
        assert_eq!(labels(&Axis::linear("s", 0.0, 4.0), 4), ["0", "1", "2", "3", "4"]);
        assert_eq!(
            labels(&Axis::linear("dB", -83.0, -1.0), 4),
            ["−50", "0"].map(str::to_owned)[..1]
        );
        assert_eq!(labels(&Axis::linear("", -0.2, 0.2), 4), ["−0.2", "−0.1", "0.0", "0.1", "0.2"]);
    }

    #[test]
    fn log_ticks_name_thousands_shortly() {
        let expected = ["50", "100", "200", "500", "1k", "2k", "5k"];
        assert_eq!(labels(&Axis::log("Hz", 40.0, 8000.0), 0), expected);
        assert_eq!(labels(&Axis::log("Hz", 200.0, 480.0), 4), ["200", "300", "400"]);
        assert_eq!(short_number(0.05), "0.05");
        assert_eq!(short_number(1500.0), "1.5k");
    }

    #[test]
    fn positions_run_from_zero_to_one() {
        let axis = Axis::log("Hz", 10.0, 1000.0);
        let at = [10.0, 100.0, 1000.0].map(|v| (axis.position(v) * 1e9).round() / 1e9);
        assert_eq!(at, [0.0, 0.5, 1.0]);
        assert_eq!(Axis::linear("", -2.0, 2.0).position(1.0), 0.75);
    }

    #[test]
    fn values_without_extent_still_give_an_axis() {
        for axis in [
            Axis::around("", [3.0, 3.0]),
            Axis::around("", [f64::NAN]),
            Axis::linear("", f64::NAN, 1.0),
            Axis::log("", 0.0, 0.0),
        ] {
            assert!(axis.max > axis.min, "empty axis {axis:?}");
            assert!(!axis.ticks(4).is_empty(), "no ticks on {axis:?}");
        }
    }
}
