use proptest::prelude::*;

use super::*;
use crate::example::{ExampleBuilder, find_features};
use crate::mutation::mutants;

/// A string note of pitch 60, velocity 100, 0.1 dark, with f0.
fn note() -> Vec<u8> {
    let mut builder = ExampleBuilder::default();
    builder.floats("audio", &[0.5; 100]);
    builder.floats("f0_hz", &[261.6; 10]);
    builder.floats("none", &[]);
    builder.floats("darkness", &[0.1]);
    builder.floats("nan", &[f32::NAN]);
    builder.int64s("pitch", &[60]);
    builder.int64s("velocity", &[100]);
    builder.int64s("big", &[i64::MAX]);
    builder.int64s("instrument/family", &[8]);
    builder.int64s("qualities/tempo-synced", &[1]);
    builder.bytes("id", b"string_acoustic_001-060-100");
    builder.bytes("and", b"it's");
    builder.finish()
}

fn decide(text: &str) -> Result<bool, String> {
    let predicate: Predicate = text.parse().map_err(|e: PredicateError| e.to_string())?;
    let data = note();
    predicate.passes(&find_features(&data, predicate.names()).expect("an Example"))
}

#[test]
fn conditions_mean_what_they_say() {
    let cases = [
        ("pitch in 24..84 and velocity >= 75", true),
        ("pitch in 61..84", false),
        ("pitch in 60..60", true),
        ("pitch in ..59 or pitch in 61..", false),
        ("pitch in 0.5..60.5", true),
        ("pitch not in 24..84", false),
        ("pitch in (1, 60, 3)", true),
        ("pitch in (1, 2)", false),
        ("not pitch == 60", false),
        ("not not pitch = 60", true),
        ("pitch != 60", false),
        ("pitch < 60.5 and pitch > 59.5", true),
        ("pitch <= 60 and pitch >= 60", true),
        ("pitch > 60", false),
        ("pitch == -60", false),
        ("big == 9223372036854775807", true),
        // As a float it is 2^63, which is more.
        ("big < 9223372036854775807.0", true),
        ("big > 1e18", true),
        ("big > -1e30", true),
        // The nearest 32-bit float is not the nearest 64-bit one.
        ("darkness == 0.1", true),
        ("darkness in 0.1..1", true),
        ("nan == nan_", false),
        ("nan != 1", true),
        ("nan < 1 or nan >= 1 or nan in ..1", false),
        ("instrument/family == 'string'", true),
        ("instrument/family in ('bass', \"string\")", true),
        ("instrument/family == 8", true),
        ("qualities/tempo-synced == 1", true),
        ("id == 'string_acoustic_001-060-100'", true),
        ("id > 'string'", true),
        ("id like 'string_*'", true),
        ("id not like '*-06?-*'", false),
        ("`and` == 'it\\'s'", true),
        ("exists f0_hz", true),
        ("exists audio and not exists none", true),
        ("exists nothing", false),
        ("nothing == 1", false),
        ("not nothing == 1", true),
        ("none > 1", false),
        // `and` binds tighter than `or`, `not` tighter than both.
        ("pitch == 60 or pitch == 60 and pitch == 1", true),
        ("(pitch == 60 or pitch == 60) and pitch == 1", false),
        ("not pitch == 1 and pitch == 60", true),
        ("NOT (pitch == 1 OR Exists nothing)", true),
    ];
    for (text, expected) in cases {
        let text = text.replace("nan_", "1");
        assert_eq!(decide(&text), Ok(expected), "{text}");
    }
}

#[test]
fn faults_point_at_their_column() {
    let cases = [
        ("", 1, "expected the name of a feature, found the end"),
        ("pitch", 6, "expected a comparison such as `>=`, `in` or `like`, found the end"),
        ("pitch 60", 7, "expected a comparison"),
        ("pitch >= ", 10, "expected a number or a text, found the end"),
        ("pitch >= and", 10, "expected a number or a text, found `and`"),
        ("family == string", 11, "(a text is quoted: 'string'), found `string`"),
        ("pitch in 24", 12, "expected `..` and the upper end of the range"),
        ("pitch in 84..24", 10, "the range is empty"),
        ("pitch in ..", 12, "expected a number"),
        ("pitch in x", 10, "expected a range such as `24..84`"),
        ("pitch in (1 2)", 13, "expected `,` or `)`, found `2`"),
        ("pitch not == 3", 11, "expected `in` or `like`"),
        ("id like 3", 9, "expected a text"),
        ("(pitch == 3", 12, "expected `)`, found the end"),
        ("pitch == 3)", 11, "no `(` for this"),
        ("pitch == 3 velocity == 4", 12, "expected `and`, `or` or the end, found `velocity`"),
        ("pitch == 3 && velocity == 4", 12, "unexpected `&`: write `and`"),
        ("pitch == 12abc", 10, "`12a…` is not a number"),
        ("pitch == 1e", 10, "`1e` is not a number"),
        ("pitch == 99999999999999999999", 10, "does not fit 64 bits"),
        ("id == 'open", 7, "the ' is never closed"),
        ("größe ≥ 3", 7, "unexpected `≥`"),
        ("exists 3", 8, "expected the name of a feature, found `3`"),
        ("and == 3", 1, "expected the name of a feature, found `and`"),
    ];
    for (text, column, reason) in cases {
        let error = text.parse::<Predicate>().expect_err(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.reason.contains(reason), "{text}: {error}");
    }
    let error = "pitch\tin 24".parse::<Predicate>().expect_err("cut off").to_string();
    let mut lines = error.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("column 12: expected")), "{error}");
    assert_eq!(lines.next(), Some("  pitch in 24"));
    assert_eq!(lines.next(), Some("             ^"), "under the place");
    assert!("(".repeat(5000).parse::<Predicate>().is_err(), "nesting costs no stack");
    assert!("not ".repeat(2000).parse::<Predicate>().is_err(), "nor does `not`");
    let chain = vec!["pitch == 60"; 10_000].join(" and ");
    assert!(chain.parse::<Predicate>().is_err(), "nor a chain");
}

#[test]
fn features_of_another_kind_are_told() {
    let cases = [
        ("audio > 0", "`audio` is a float list of 100: only single values can be tested"),
        ("pitch == 'C4'", "`pitch` is an integer, not a text such as 'C4'"),
        (
            "instrument/family == 'strings'",
            "`instrument/family` has no 'strings'; there are bass, ",
        ),
        ("darkness == 'dark'", "`darkness` is a float, not a text such as 'dark'"),
        ("id == 3", "`id` is a text, not a number"),
        ("pitch like '6*'", "`pitch` is a number, which is like no text"),
    ];
    for (text, expected) in cases {
        let error = decide(text).expect_err(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn names_are_listed_once_and_the_text_is_kept() {
    let text = "pitch > 1 and (pitch < 9 or exists f0_hz)";
    let predicate: Predicate = text.parse().expect("a condition");
    assert_eq!(predicate.names(), ["pitch", "f0_hz"]);
    assert_eq!(predicate.to_string(), text);
    let json = serde_json::to_string(&predicate).expect("JSON");
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Predicate>(&json).expect("a condition"), predicate);
}

#[test]
fn any_text_gives_a_condition_or_an_error_in_it() {
    let texts = ["pitch in 24..84 and not (id like 'a*' or x >= -1.5e3)", "`a b` in (1, 'x')"];
    for text in texts {
        for mutant in mutants(text.as_bytes(), 3000) {
            let mutant = String::from_utf8_lossy(&mutant);
            if let Err(error) = mutant.parse::<Predicate>() {
                let n_chars = mutant.chars().count();
                assert!((1..=n_chars + 1).contains(&error.column), "{error}");
            }
        }
    }
}

proptest! {
    #[test]
    fn integers_and_floats_compare_exactly(integer in any::<i64>(), delta in -2_i64..3) {
        // Near the integer, where rounding would lie.
        #[expect(clippy::cast_precision_loss, reason = "that is the point")]
        let float = integer.saturating_add(delta) as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 2^63")]
        let whole = float as i128;
        let expected = (i128::from(integer)).cmp(&whole);
        prop_assert_eq!(order_exactly(integer, float), expected);
        if float.abs() < 4e15 {
            prop_assert_eq!(order_exactly(integer, float + 0.5), expected.then(Ordering::Less));
        }
    }

    #[test]
    fn any_characters_never_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Predicate>();
    }
}
