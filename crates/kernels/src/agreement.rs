//! What was compared with the reference and with `f64` oracles, and how well it agreed: the table
//! in the crate's README.
//!
//! Every module with an operation has a function `agreement(report)` beside its tests, which runs
//! its comparisons and gradient checks. [`Report`] asserts each and notes it; the tests here run
//! all of them, compare the table they make with the one in the README, and see that no golden
//! array was left out.

mod table;

use std::collections::BTreeSet;

use crate::golden::Golden;
use crate::gradcheck::check_vjp;

/// The modules' own reports, in the order of the table.
const REPORTS: &[fn(&mut Report)] = &[
    crate::scale::tests::agreement,
    crate::units::tests::agreement,
    crate::frequencies::tests::agreement,
    crate::resample::tests::agreement,
    crate::harmonic::tests::agreement,
    crate::conversions::tests::agreement,
    crate::sinusoidal::tests::agreement,
    crate::inharmonic::tests::agreement,
    crate::stft::tests::agreement,
    crate::magnitudes::tests::agreement,
    crate::mel::tests::agreement,
    crate::mfcc::tests::agreement,
    crate::loudness::tests::agreement,
    crate::power::tests::agreement,
    crate::spectral_loss::tests::agreement,
    crate::fft_convolve::tests::agreement,
    crate::partitioned_convolve::tests::agreement,
    crate::frequency_filter::tests::agreement,
    crate::fir_filter::tests::agreement,
    crate::sinc_filter::tests::agreement,
    crate::filtered_noise::tests::agreement,
    crate::reverb::tests::agreement,
    crate::wavetable::tests::agreement,
    crate::delay::tests::agreement,
    crate::mod_delay::tests::agreement,
    crate::mix::tests::agreement,
    crate::nn::tests::agreement,
];

/// Golden cases that other crates' tests compare: the optimizer's and the whole decoder's.
const ELSEWHERE: [&str; 2] = ["adam/", "nn/rnn_fc_decoder."];

/// How far a value may be from the expected one: a bound on `|error| / scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tolerance {
    bound: f64,
    scale: Scale,
}

/// What an error is relative to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    /// Nothing: the unit of the value.
    One,
    /// The expected value, or this where it is smaller.
    Value(f64),
    /// The largest magnitude of the array.
    Peak,
}

impl Tolerance {
    /// In the unit of the value.
    pub(crate) fn absolute(bound: f64) -> Self {
        Self { bound, scale: Scale::One }
    }

    /// Relative to each expected value; an expected 0 must be met exactly.
    pub(crate) fn relative(bound: f64) -> Self {
        Self::relative_above(bound, 0.0)
    }

    /// Relative to each expected value, or to `floor` where that is larger.
    pub(crate) fn relative_above(bound: f64, floor: f64) -> Self {
        Self { bound, scale: Scale::Value(floor) }
    }

    /// Relative to the largest magnitude of the expected array: for sums, whose rounding grows with
    /// their largest terms.
    pub(crate) fn of_peak(bound: f64) -> Self {
        Self { bound, scale: Scale::Peak }
    }

    /// Asserts that `actual` agrees with `expected`; returns the largest error, as a multiple of
    /// the scale.
    fn check(self, what: &str, actual: &[f32], expected: &[f64]) -> f64 {
        let (n, n_expected) = (actual.len(), expected.len());
        assert_eq!(n, n_expected, "{what}: {n} values, {n_expected} expected");
        let peak = expected.iter().fold(0.0_f64, |m, e| m.max(e.abs()));
        let mut largest = 0.0_f64;
        for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
            let difference = (f64::from(a) - e).abs();
            let scale = match self.scale {
                Scale::One => 1.0,
                Scale::Value(floor) => e.abs().max(floor),
                Scale::Peak => peak,
            };
            // Equal infinities have no difference that is a number.
            let error = if f64::from(a) == e { 0.0 } else { difference / scale };
            assert!(error <= self.bound, "{what}[{i}]: {a} != {e}: error {error:e}, {self:?}");
            largest = largest.max(error);
        }
        largest
    }
}

/// One array compared.
struct Comparison {
    /// `file/case`; empty for an oracle.
    case: String,
    tolerance: Tolerance,
    largest_error: f64,
    /// What had to be imitated to meet the reference, if anything.
    quirk: Option<&'static str>,
}

/// What is known of one operation.
#[derive(Default)]
pub(crate) struct Operation {
    name: &'static str,
    comparisons: Vec<Comparison>,
    /// Golden arrays that are not met on purpose, and why.
    departures: Vec<(String, &'static str)>,
    /// Inputs whose gradient was checked, in order, each with the number of checks.
    gradients: Vec<(&'static str, usize)>,
}

impl Operation {
    /// Asserts that `actual` is the golden array `{case}.out.{output}`, whole; `case` is `file/case`.
    pub(crate) fn golden(
        &mut self,
        case: &str,
        output: &str,
        actual: &[f32],
        tolerance: Tolerance,
    ) {
        self.compare_golden(case, output, actual, tolerance, None);
    }

    /// The same where the golden array is met only by imitating what the reference does wrong: a
    /// `quirk` that the operation has as a documented option, or that the test computes itself
    /// (then [`oracle`](Self::oracle) compares the operation).
    pub(crate) fn golden_with_quirk(
        &mut self,
        case: &str,
        output: &str,
        actual: &[f32],
        tolerance: Tolerance,
        quirk: &'static str,
    ) {
        self.compare_golden(case, output, actual, tolerance, Some(quirk));
    }

    fn compare_golden(
        &mut self,
        case: &str,
        output: &str,
        actual: &[f32],
        tolerance: Tolerance,
        quirk: Option<&'static str>,
    ) {
        let (file, name) = case.split_once('/').expect("case is file/case");
        let expected = Golden::open(file).values(&format!("{name}.out.{output}"));
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        let largest_error = tolerance.check(&format!("{case}.out.{output}"), actual, &expected);
        let case = format!("{case}.{output}");
        self.comparisons.push(Comparison { case, tolerance, largest_error, quirk });
    }

    /// Says that a golden array is not met on purpose, and why.
    ///
    /// The operation is to be compared with an [`oracle`](Self::oracle) on the same inputs instead.
    pub(crate) fn departs(&mut self, case: &str, output: &str, why: &'static str) {
        self.departures.push((format!("{case}.{output}"), why));
    }

    /// Asserts that `actual` is what an `f64` oracle says.
    pub(crate) fn oracle(
        &mut self,
        what: &str,
        actual: &[f32],
        expected: &[f64],
        tolerance: Tolerance,
    ) {
        let largest_error = tolerance.check(what, actual, expected);
        let comparison = Comparison { case: String::new(), tolerance, largest_error, quirk: None };
        self.comparisons.push(comparison);
    }

    /// [`check_vjp`] with respect to one input alone.
    ///
    /// One input at a time: in a vector of several the largest gradient would hide a wrong small one.
    pub(crate) fn gradient(
        &mut self,
        input: &'static str,
        x: &[f32],
        y_len: usize,
        step: f64,
        reference: impl Fn(&[f64], &mut [f64]),
        backward: impl Fn(&[f32], &[f32], &mut [f32]),
    ) {
        check_vjp(x, y_len, step, reference, backward);
        match self.gradients.iter_mut().find(|(name, _)| *name == input) {
            Some((_, n_checks)) => *n_checks += 1,
            None => self.gradients.push((input, 1)),
        }
    }
}

/// What all operations' comparisons found.
#[derive(Default)]
pub(crate) struct Report {
    operations: Vec<Operation>,
}

impl Report {
    /// A new row of the table.
    pub(crate) fn operation(&mut self, name: &'static str) -> &mut Operation {
        self.operations.push(Operation { name, ..Operation::default() });
        self.operations.last_mut().expect("pushed just now")
    }

    fn all() -> Self {
        let mut report = Self::default();
        REPORTS.iter().for_each(|agreement| agreement(&mut report));
        report
    }

    /// Golden arrays that were compared, or are departed from: `file/case.output`.
    fn golden_arrays(&self) -> BTreeSet<&str> {
        let compared = self.operations.iter().flat_map(|o| &o.comparisons).map(|c| &*c.case);
        let departed = self.operations.iter().flat_map(|o| &o.departures).map(|(c, _)| &**c);
        compared.chain(departed).filter(|case| !case.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_beyond_the_tolerance_fails_whatever_its_scale() {
        for (tolerance, within, beyond) in [
            (Tolerance::absolute(0.1), 10.09, 10.11),
            (Tolerance::relative(0.1), 10.9, 11.1),
            (Tolerance::relative_above(0.1, 20.0), 11.9, 12.1),
            (Tolerance::of_peak(0.1), 12.9, 13.1),
        ] {
            let check = |value: f32| {
                std::panic::catch_unwind(|| tolerance.check("x", &[value, 30.0], &[10.0, 30.0]))
            };
            assert!(check(within).is_ok(), "{tolerance:?}: {within}");
            assert!(check(beyond).is_err(), "{tolerance:?}: {beyond}");
            assert!(check(f32::NAN).is_err(), "{tolerance:?}: NaN");
        }
    }

    #[test]
    fn a_golden_array_must_be_whole_and_right() {
        let x = Golden::open("scaling").values("safe_log.out.y");
        let check = |values: &[f32]| {
            std::panic::catch_unwind(|| {
                let mut report = Report::default();
                let exact = Tolerance::absolute(0.0);
                report.operation("log").golden("scaling/safe_log", "y", values, exact);
                report.golden_arrays().contains("scaling/safe_log.y")
            })
        };
        assert!(check(&x).expect("the array itself"), "noted");
        assert!(check(&x[1..]).is_err(), "a part");
        let wrong: Vec<f32> = x.iter().map(|x| 1.001 * x).collect();
        assert!(check(&wrong).is_err(), "other values");
    }
}
