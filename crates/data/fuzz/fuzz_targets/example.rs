//! Any bytes are an Example whose lists are as long as they say, or an error with a place in them.

#![no_main]

use ddsp_data::NoteRecord;
use ddsp_data::example::{Example, find_feature, find_features};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = NoteRecord::decode(bytes);
    let example = match Example::parse(bytes) {
        Ok(example) => example,
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error} of {}", bytes.len());
            return;
        }
    };
    let names: Vec<&str> = example.features().iter().map(|&(name, _)| name).collect();
    let found = find_features(bytes, &names).expect("parsed as a whole");
    for (&(name, feature), found) in example.features().iter().zip(found) {
        let n_values = match feature.kind() {
            "float" => feature.floats().map_or(0, |values| values.len()),
            "int64" => feature.int64s().map_or(0, |values| values.len()),
            "bytes" => feature.bytes().map_or(0, |values| values.len()),
            _ => 0,
        };
        assert_eq!(n_values, feature.len());
        assert_eq!(found, Some(feature), "{name}");
        assert_eq!(find_feature(bytes, name), Ok(Some(feature)), "{name}");
    }
});
