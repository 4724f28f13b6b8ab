use proptest::prelude::*;

use super::*;
use crate::agreement::{Report, Tolerance};
use crate::golden::Golden;
use crate::testing::{pseudo_random, widen};

/// The reference's way in f64: a hat of two table steps around each value of the table and of the
/// first again at its end.
fn hats(phase: &[f64], tables: &[f64], table_len: usize, audio: &mut [f64]) {
    for (n, (y, phase)) in audio.iter_mut().zip(phase).enumerate() {
        let start = if tables.len() == table_len { 0 } else { n * table_len };
        let table = &tables[start..start + table_len];
        let position = phase.rem_euclid(1.0) * table_len as f64;
        *y = (0..=table_len)
            .map(|i| table[i % table_len] * (1.0 - (position - i as f64).abs()).max(0.0))
            .sum();
    }
}

/// Phases in and beyond a cycle, no closer to a value of the table than a hundredth of a step.
fn phases(n: usize, table_len: usize) -> Vec<f32> {
    let len = table_len as f32;
    let places = pseudo_random(7, n);
    places.iter().map(|x| ((2.5 * len * x).round() + 0.25 + 0.24 * x) / len).collect()
}

pub(in crate::wavetable) fn agreement(report: &mut Report) {
    let operation = report.operation("linear_lookup");
    let mut golden = Golden::open("oscillators");
    let phase = golden.values("linear_lookup.in.phase");
    for (case, each) in [("linear_lookup", false), ("linear_lookup_3d", true)] {
        let values = golden.values(&format!("{case}.in.wavetables"));
        let clips = phase.chunks(300).zip(values.chunks(values.len() / 2));
        let audio: Vec<f32> = clips
            .flat_map(|(phase, values)| {
                let mut audio = vec![f32::NAN; 300];
                let tables = if each { Tables::Each(values) } else { Tables::One(values) };
                linear_lookup(phase, tables, &mut audio);
                audio
            })
            .collect();
        // A power of two times the phase is exact; then products and sums of values below 2 round on
        // both sides.
        let tolerance = Tolerance::absolute(1e-6);
        operation.golden(&format!("oscillators/{case}"), "y", &audio, tolerance);
    }
    for each in [false, true] {
        // One value, silence, and extreme scales.
        let cases = [(1, 1, 1.0), (9, 2, 0.0), (50, 16, 1.0), (50, 16, 1e-9), (50, 16, 1e9)];
        for (n, table_len, scale) in cases.into_iter().chain([(7, 5, 1e-39)]) {
            let phase = phases(n, table_len);
            let n_values = if each { n * table_len } else { table_len };
            let values: Vec<f32> = pseudo_random(1, n_values).iter().map(|x| scale * x).collect();
            let mut audio = vec![f32::NAN; n];
            linear_lookup(&phase, tables_of(each, &values), &mut audio);
            let mut expected = vec![0.0; n];
            hats(&widen(&phase), &widen(&values), table_len, &mut expected);
            // The place is rounded to 2^-24 of 2.5 tables of up to 16 values, and values differ by up
            // to twice the peak; a denormal has fewer bits.
            let tolerance = Tolerance::of_peak(5e-6);
            operation.oracle("linear_lookup", &audio, &expected, tolerance);
            let of_phase = |x: &[f64], y: &mut [f64]| hats(x, &widen(&values), table_len, y);
            if table_len > 1 && scale != 1e-39 {
                operation.gradient("phase", &phase, n, 1e-5, of_phase, |x, g, grad| {
                    let (tables, mut other) = (tables_of(each, &values), vec![0.0; n_values]);
                    linear_lookup_backward(x, tables, g, grad, &mut other);
                });
            }
            let of_tables = |x: &[f64], y: &mut [f64]| hats(&widen(&phase), x, table_len, y);
            operation.gradient("tables", &values, n, 1e-2, of_tables, |x, g, grad| {
                let mut other = vec![0.0; n];
                linear_lookup_backward(&phase, tables_of(each, x), g, &mut other, grad);
            });
        }
    }
}

fn tables_of(each: bool, values: &[f32]) -> Tables<'_> {
    if each { Tables::Each(values) } else { Tables::One(values) }
}

#[test]
fn it_agrees_with_the_reference_and_its_gradient() {
    agreement(&mut Report::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    /// A whole cycle more or less is the same place, up to the rounding of the phase; and any phase
    /// reads between the smallest and the largest value.
    #[test]
    fn a_table_is_periodic(phase in 0.0_f32..1.0, cycles in -50_i16..50, table_len in 1_usize..40) {
        let table = pseudo_random(3, table_len);
        let mut audio = [f32::NAN; 2];
        linear_lookup(&[phase, phase + f32::from(cycles)], Tables::One(&table), &mut audio);
        // 2^-24 of 50 cycles, in values of the table, that differ by up to 2.
        let tolerance = 6e-8 * 52.0 * table_len as f32 * 2.0 + 1e-6;
        prop_assert!((audio[0] - audio[1]).abs() <= tolerance, "{audio:?}");
    }

    /// Bits of any kind are a phase.
    #[test]
    fn any_phase_is_in_the_table_or_nan(bits in any::<u32>(), table_len in 1_usize..40) {
        let (phase, mut audio) = (f32::from_bits(bits), [5.0]);
        linear_lookup(&[phase], Tables::One(&vec![1.0; table_len]), &mut audio);
        prop_assert_eq!(audio[0].is_nan(), !phase.is_finite());
        prop_assert!(!phase.is_finite() || audio[0] == 1.0, "{} at {}", audio[0], phase);
    }
}

#[test]
fn the_ends_of_a_cycle_are_the_first_value() {
    let mut audio = [f32::NAN; 5];
    // The negative phases are so small that they round to whole cycles.
    linear_lookup(
        &[0.0, 1.0, -1.0, -1e-12, -f32::MIN_POSITIVE],
        Tables::One(&[3.0, 5.0, 7.0]),
        &mut audio,
    );
    assert_eq!(audio, [3.0; 5]);
}

#[test]
fn nothing_is_nothing() {
    linear_lookup(&[], Tables::Each(&[]), &mut []);
    linear_lookup(&[], Tables::One(&[1.0]), &mut []);
}

#[test]
#[should_panic(expected = "linear_lookup: 2 samples for 3 phases")]
fn a_wrong_length_names_both() {
    linear_lookup(&[0.0; 3], Tables::One(&[1.0]), &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "linear_lookup: 7 values are not 3 tables")]
fn tables_are_one_for_each_sample() {
    linear_lookup(&[0.0; 3], Tables::Each(&[1.0; 7]), &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "linear_lookup: 0 values are not 1 tables")]
fn an_empty_table_is_refused() {
    linear_lookup(&[0.0; 3], Tables::One(&[]), &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "linear_lookup: grad of 2 of 4 table values")]
fn a_wrong_gradient_names_both() {
    let tables = Tables::One(&[1.0; 4]);
    linear_lookup_backward(&[0.0], tables, &[0.0], &mut [0.0], &mut [0.0; 2]);
}
