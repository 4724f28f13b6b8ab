//! A curve of any length in bounded memory.

/// Points that are kept at most: more than a terminal has dots in a row.
const MAX_POINTS: usize = 2000;

/// A value over the steps; neighbours are averaged as it grows.
#[derive(Default)]
pub struct Curve {
    points: Vec<(f64, f64)>,
    /// Sums of step and value, and how many, of the point that is being made.
    pending: (f64, f64, u32),
    /// Values that each point stands for: `2^halvings`.
    halvings: u32,
}

impl Curve {
    /// Adds a value; one that is no number is left out.
    pub fn add(&mut self, step: u64, value: f64) {
        if !value.is_finite() {
            return;
        }
        let (steps, values, n) = self.pending;
        self.pending = (steps + step as f64, values + value, n + 1);
        if self.pending.2 < 1 << self.halvings {
            return;
        }
        let (steps, values, n) = std::mem::take(&mut self.pending);
        self.points.push((steps / f64::from(n), values / f64::from(n)));
        if self.points.len() == MAX_POINTS {
            let mean = |pair: &[(f64, f64)]| {
                ((pair[0].0 + pair[1].0) / 2.0, (pair[0].1 + pair[1].1) / 2.0)
            };
            self.points = self.points.chunks_exact(2).map(mean).collect();
            self.halvings += 1;
        }
    }

    /// Step and natural logarithm of each point above 0.
    pub fn log_points(&self) -> Vec<(f64, f64)> {
        let points = self.points.iter().filter(|(_, value)| *value > 0.0);
        points.map(|(step, value)| (*step, value.ln())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_logarithm_is_not_drawn() {
        let mut curve = Curve::default();
        [1.0, 0.0, f64::NAN, -1.0].into_iter().zip(1..).for_each(|(value, i)| curve.add(i, value));
        assert_eq!(curve.log_points(), [(1.0, 0.0)]);
    }

    #[test]
    fn a_long_curve_keeps_its_course_in_few_points() {
        let mut curve = Curve::default();
        (1..=100_000_u32).for_each(|step| curve.add(step.into(), f64::from(step)));
        assert!((1000..MAX_POINTS).contains(&curve.points.len()), "{}", curve.points.len());
        let on_course = |(step, value): &(f64, f64)| (step - value).abs() < 1e-6 * step;
        assert!(curve.points.iter().all(on_course), "means of steps go with means of values");
        let (first, last) = (curve.points[0].0, curve.points[curve.points.len() - 1].0);
        assert!(first < 100.0 && last > 99_800.0, "from {first} to {last}");
    }
}
