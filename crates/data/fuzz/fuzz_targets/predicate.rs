//! Any text is a condition that can be decided, or an error with a place in it.

#![no_main]

use ddsp_data::example::{ExampleBuilder, find_features};
use ddsp_data::{Predicate, PredicateError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let predicate: Predicate = match text.parse() {
        Ok(predicate) => predicate,
        Err(error) => {
            let PredicateError { column, .. } = error;
            assert!((1..=text.chars().count() + 1).contains(&column), "{error}");
            return;
        }
    };
    let mut builder = ExampleBuilder::default();
    builder.int64s("a", &[3]);
    builder.floats("b", &[0.5]);
    builder.bytes("c", b"text");
    builder.floats("d", &[1.0, 2.0]);
    let data = builder.finish();
    let features = find_features(&data, predicate.names()).expect("an Example");
    let _ = predicate.passes(&features);
});
